//! Every bound of the theory against exact values at random parameters of random families, with a control for each bound.

use nalgebra::DMatrix;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use stillpoint::estimator::choice::{Estimator, LeaveGroupOutForm};
use stillpoint::exact::expectation::{enumerate, means};
use stillpoint::exact::model::softmax;
use stillpoint::exact::objective::Problem;
use stillpoint::exact::{multiset, trajectory};
use stillpoint::math::theory::{Constants, PolicyClass, Setting};

/// Largest value seen, or bound, of each quantity.
type Table = BTreeMap<&'static str, f64>;

/// Family, its parameters, reward offset, alpha, n, zeta.
fn cases() -> Vec<(&'static str, Value, f64, f64, usize, usize)> {
    let garnet = |s: usize, a: usize, t: usize, b: usize, gamma: f64, seed: u64| json!({"states": s, "actions": a, "horizon": t, "branching": b, "gamma": gamma, "tasks": 2, "seed": seed});
    let dirichlet = json!({"states": 2, "actions": 2, "horizon": 2, "gamma": 0.99, "tasks": 2, "reward_noise": 0});
    let liu = json!({"states": 2, "actions": 2, "horizon": 2, "gamma": 0.8, "tasks": 2, "concentration": 0.5});
    vec![
        ("analytic/b", json!({}), 0.0, 4.0, 8, 1),
        ("analytic/c", json!({}), -2.5, 1.0, 4, 2),
        ("garnet", garnet(2, 2, 2, 1, 0.9, 1), 0.0, 1.0, 2, 1),
        ("garnet", garnet(2, 2, 3, 1, 1.0, 2), -1.5, 0.03, 1, 1),
        ("garnet", garnet(2, 3, 1, 1, 1.0, 3), 0.5, 2.0, 1, 2),
        ("garnet", garnet(1, 4, 1, 1, 1.0, 4), 0.0, 10.0, 5, 1),
        ("dirichlet-mdp", dirichlet, 0.0, 0.1, 1, 2),
        ("liu-mdp", liu, 2.0, 0.5, 2, 1),
    ]
}

fn problems() -> Vec<Problem> {
    let problem = |(name, params, offset, alpha, batch, steps): (&str, Value, f64, f64, usize, usize)| {
        let family = tasks::registry::build(name, params.as_object().expect("a table")).expect(name);
        let tasks = family.finite().expect("finite").into_iter();
        let tasks = tasks.map(|(w, mdp)| (w, mdp.clone().with_reward_offset(offset))).collect();
        Problem { tasks, gamma: family.gamma(), alpha, steps, batch }
    };
    cases().into_iter().map(problem).collect()
}

/// Parameters from uniform policies to saturated ones: normal, scaled by 0 to 40.
fn thetas(dim: usize, count: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let scales = [0.0, 0.3, 1.0, 3.0, 10.0, 40.0];
    (0..count)
        .map(|k| {
            let scale = scales[k % scales.len()];
            (0..dim).map(|_| -> f64 { scale * Distribution::<f64>::sample(&StandardNormal, &mut rng) }).collect()
        })
        .collect()
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// Largest singular value of a flat `[d, d]` matrix.
fn operator_norm(matrix: &[f64], d: usize) -> f64 {
    DMatrix::from_row_slice(d, d, matrix).singular_values().max()
}

fn see(seen: &mut Table, key: &'static str, x: f64) {
    let top = seen.entry(key).or_insert(0.0);
    assert!(x.is_finite(), "{key} is {x}");
    *top = top.max(x);
}

/// grad nu, grad log q and hess nu of one trajectory.
fn derivatives(tau: &trajectory::Trajectory, pi: &[f64], actions: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let d = pi.len();
    let (mut grad, mut score, mut hess) = (vec![0.0; d], vec![0.0; d], vec![0.0; d * d]);
    for (&k, &r) in tau.pairs.iter().zip(&tau.to_go) {
        let row = k / actions * actions;
        for b in row..row + actions {
            let s = f64::from(u8::from(b == k)) - pi[b];
            grad[b] += r * s;
            score[b] += s;
            hess[b * d + b] -= r * pi[b];
            for c in row..row + actions {
                hess[b * d + c] += r * pi[b] * pi[c];
            }
        }
    }
    (grad, score, hess)
}

/// Per-task quantities of 2.2.
fn see_tasks(problem: &Problem, theta: &[f64], seen: &mut Table) {
    let (d, near) = (theta.len(), theta.iter().enumerate().map(|(k, x)| x + 0.01 * (k as f64).sin()));
    let near: Vec<f64> = near.collect();
    let distance = norm(&near.iter().zip(theta).map(|(a, b)| a - b).collect::<Vec<_>>());
    for (i, (_, mdp)) in problem.tasks.iter().enumerate() {
        let model = problem.model(i);
        see(seen, "|J|", model.value(theta).abs());
        see(seen, "|grad J|", norm(&model.gradient(theta)));
        see(seen, "|hess J|", operator_norm(&model.hessian(theta), d));
        let all = model.trajectories();
        let q = trajectory::probabilities(&all, theta, mdp.actions);
        let (pi, pi_near) = (softmax(theta, mdp.actions), softmax(&near, mdp.actions));
        let mut scores = Vec::new();
        for tau in &all {
            let (grad, score, hess) = derivatives(tau, &pi, mdp.actions);
            see(seen, "|R(tau)|", tau.to_go[0].abs());
            see(seen, "sum |R^h|", tau.to_go.iter().map(|r| r.abs()).sum());
            see(seen, "|g|", norm(&grad));
            let u: Vec<f64> = (0..d * d).map(|k| grad[k / d] * score[k % d] + hess[k]).collect();
            see(seen, "|u|", operator_norm(&u, d));
            // a batch's Jacobian is a mean of these
            let m: Vec<f64> =
                (0..d * d).map(|k| problem.alpha * hess[k] + f64::from(u8::from(k / d == k % d))).collect();
            see(seen, "|M|", operator_norm(&m, d));
            let moved = derivatives(tau, &pi_near, mdp.actions).2;
            let change: Vec<f64> = moved.iter().zip(&hess).map(|(a, b)| (a - b) / distance).collect();
            see(seen, "Lip hess nu", operator_norm(&change, d));
            scores.push(score);
        }
        let mut second = vec![0.0; d * d];
        multiset::for_each(all.len(), problem.batch, |items, coefficient| {
            let weight = items.iter().fold(coefficient, |w, &j| w * q[j]);
            let s: Vec<f64> = (0..d).map(|k| items.iter().map(|&j| scores[j][k]).sum()).collect();
            (0..d * d).for_each(|k| second[k] += weight * s[k / d] * s[k % d]);
        });
        see(seen, "E|S|^2", (0..d).map(|k| second[k * d + k]).sum());
        see(seen, "E(y.S)^2", operator_norm(&second, d));
    }
}

/// Quantities of 2.3: the objective over the family and its estimators.
fn see_objective(problem: &Problem, theta: &[f64], seen: &mut Table) {
    let d = theta.len();
    let named = |name: &str| Estimator::named(name, 1, LeaveGroupOutForm::Importance).expect("a known name");
    let exact = problem.v_zeta_gradient(theta);
    let ghat = enumerate(problem, theta, 1, &[named("sgmrl")], &vec![0.0; d]).remove(0);
    see(seen, "sqrt E|Ghat|^2", (ghat.variance_trace + norm(&ghat.mean).powi(2)).sqrt());
    let (step, mut hessian) = (1e-4, vec![0.0; d * d]);
    for k in 0..d {
        let at = |x: f64| {
            let mut theta = theta.to_vec();
            theta[k] += x;
            problem.v_zeta_gradient(&theta).gradient
        };
        let (up, down) = (at(step), at(-step));
        (0..d).for_each(|j| hessian[k * d + j] = (up[j] - down[j]) / (2.0 * step));
    }
    see(seen, "|hess V|", operator_norm(&hessian, d));
    if problem.steps == 1 {
        see(seen, "|hess V|, leave-one-out", operator_norm(&hessian, d));
        let maml = means(problem, theta, &[named("maml")]).remove(0);
        let bias: Vec<f64> = maml.iter().zip(&exact.gradient).map(|(a, b)| a - b).collect();
        see(seen, "MAML bias", norm(&bias));
        see(seen, "|V_1 - Vbar|", (exact.value - problem.exact_inner(theta)).abs());
    }
}

/// The bound on each quantity.
fn limits(c: &Constants) -> Table {
    let n_t = (c.setting.inner_batch * c.setting.horizon) as f64;
    let mut table = Table::from([
        ("|R(tau)|", c.r_j),
        ("|J|", c.r_j),
        ("sum |R^h|", c.w),
        ("|g|", c.eta_g),
        ("|grad J|", c.eta_g),
        ("|u|", c.eta_u),
        ("|hess J|", c.eta_h),
        ("|M|", c.a),
        ("Lip hess nu", c.policy.curvature_lipschitz * c.w),
        ("E|S|^2", n_t * c.policy.fisher_trace),
        ("E(y.S)^2", n_t * c.policy.fisher_norm),
        ("|hess V|", c.l_v_direct),
        ("sqrt E|Ghat|^2", c.g_v),
    ]);
    let one_step = [
        ("|hess V|, leave-one-out", c.l_v_leave_one_out),
        ("MAML bias", c.maml_bias_bound),
        ("|V_1 - Vbar|", c.inner_gap_bound),
    ];
    table.extend(one_step.into_iter().filter_map(|(key, bound)| Some((key, bound?))));
    table
}

/// Quantities above their bound.
fn violations(seen: &Table, limits: &Table) -> Vec<&'static str> {
    assert_eq!(seen.keys().collect::<Vec<_>>(), limits.keys().collect::<Vec<_>>(), "each quantity has its bound");
    seen.iter().filter(|(key, x)| **x > limits[**key] * (1.0 + 1e-9)).map(|(key, _)| *key).collect()
}

fn survey(problem: &Problem, count: usize, seed: u64) -> Table {
    let mut seen = Table::new();
    for theta in thetas(problem.dim(), count, seed) {
        see_tasks(problem, &theta, &mut seen);
        see_objective(problem, &theta, &mut seen);
    }
    seen
}

/// All bounds at `count` parameters of each family; returns the largest share of each bound that was reached.
fn check(count: usize, seed: u64) -> Table {
    let problems = problems();
    let seen: Vec<Table> = problems.par_iter().map(|problem| survey(problem, count, seed)).collect();
    let mut shares = Table::new();
    for ((problem, seen), case) in problems.iter().zip(&seen).zip(cases()) {
        let limits = limits(&problem.constants());
        assert_eq!(violations(seen, &limits), [""; 0], "{case:?}: {seen:?} {limits:?}");
        for (key, x) in seen {
            see(&mut shares, key, x / limits[key]);
        }
        // control: the same harness reports exactly the bound that is put below what was seen
        for (key, x) in seen {
            let mut wrong = limits.clone();
            wrong.insert(key, 0.999 * x);
            assert_eq!(violations(seen, &wrong), [*key]);
        }
    }
    shares
}

/// 8 families, 200 parameters each.
#[test]
fn every_bound_holds() {
    let shares = check(200, 1);
    // nothing is lost in these; the bounds on V and its estimators are loose by one to three orders of magnitude
    for key in ["|R(tau)|", "sum |R^h|", "|g|", "|M|", "E|S|^2", "E(y.S)^2", "|J|"] {
        assert!(shares[key] > 0.9, "{shares:?}");
    }
}

/// The same with many more parameters; prints the largest share of each bound that was reached.
#[test]
#[ignore = "a study: minutes"]
fn every_bound_holds_at_many_parameters() {
    for (key, share) in check(3000, 2) {
        println!("{key:26} {share:.4}");
    }
}

/// Constants for another family than the one measured are found out.
#[test]
fn control_understated_rewards_are_found_out() {
    let problem = &problems()[2];
    let setting = problem.setting();
    let c = Constants::of(&PolicyClass::softmax(2), &Setting { reward: setting.reward / 500.0, ..setting });
    let found = violations(&survey(problem, 12, 3), &limits(&c));
    for key in ["|R(tau)|", "|J|", "|g|", "|u|", "|hess J|", "|hess V|", "sqrt E|Ghat|^2", "MAML bias"] {
        assert!(found.contains(&key), "{key} not in {found:?}");
    }
    assert!(!found.contains(&"E|S|^2"), "scores do not depend on rewards");
}

/// hess log pi = -(diag pi - pi pi^T), flat `[A, A]`.
fn curvature(logits: &[f64]) -> Vec<f64> {
    let pi = softmax(logits, logits.len());
    let n = pi.len();
    (0..n * n).map(|k| pi[k / n] * pi[k % n] - if k / n == k % n { pi[k / n] } else { 0.0 }).collect()
}

/// G, L, rho, v_op and v_tr hold for 2 to 6 actions, and each is reached within a stated tolerance somewhere.
#[test]
fn the_softmax_constants_are_sharp() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for actions in 2..=6 {
        let class = PolicyClass::softmax(actions);
        let bounds = [class.score, class.curvature, class.curvature_lipschitz, class.fisher_norm, class.fisher_trace];
        // where each is attained: saturated on another action, (1/2, 1/2), the two-point law with pi = (3 +- sqrt 3)/6, uniform
        let two = |x: f64| -> Vec<f64> { (0..actions).map(|k| [x, 0.0, -80.0][k.min(2)]).collect() };
        let skew = ((3.0 + 3f64.sqrt()) / (3.0 - 3f64.sqrt())).ln();
        let mut points = vec![two(30.0), two(0.0), two(skew), vec![0.0; actions]];
        points.extend(thetas(actions, 600, 6 + actions as u64));
        let mut top = [0.0f64; 5];
        for x in &points {
            let pi = softmax(x, actions);
            for a in 0..actions {
                let score: Vec<f64> = (0..actions).map(|b| f64::from(u8::from(a == b)) - pi[b]).collect();
                top[0] = top[0].max(norm(&score));
            }
            let hess = curvature(x);
            top[1] = top[1].max(operator_norm(&hess, actions));
            // the Fisher matrix as the second moment of the score
            let mut fisher = vec![0.0; actions * actions];
            for a in 0..actions {
                let s = |b: usize| f64::from(u8::from(a == b)) - pi[b];
                (0..actions * actions).for_each(|k| fisher[k] += pi[a] * s(k / actions) * s(k % actions));
            }
            top[3] = top[3].max(operator_norm(&fisher, actions));
            top[4] = top[4].max((0..actions).map(|k| fisher[k * actions + k]).sum());
            let mut directions: Vec<Vec<f64>> = vec![(0..actions).map(|k| [1.0, -1.0, 0.0][k.min(2)]).collect()];
            directions.extend((0..3).map(|_| (0..actions).map(|_| rng.random::<f64>() - 0.5).collect()));
            for (direction, length) in directions.iter().zip([1e-3, 1e-3, 0.1, 2.0]) {
                let scale = length / norm(direction);
                let y: Vec<f64> = x.iter().zip(direction).map(|(x, d)| x + scale * d).collect();
                let change: Vec<f64> = curvature(&y).iter().zip(&hess).map(|(a, b)| (a - b) / length).collect();
                top[2] = top[2].max(operator_norm(&change, actions));
            }
        }
        for (k, (top, bound)) in top.iter().zip(bounds).enumerate() {
            assert!(*top <= bound * (1.0 + 1e-9), "{actions} actions, constant {k}: {top} above {bound}");
            assert!(*top >= bound * (1.0 - 1e-6), "{actions} actions, constant {k}: only {top} of {bound}");
        }
    }
}
