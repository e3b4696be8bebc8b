//! The exact layer against the committed oracle values, central differences and brute-force enumeration.

use crate::fixtures;
use stillpoint::estimator::choice::{Estimator, LeaveGroupOutForm};
use stillpoint::exact::expectation::{combinations, enumerate};
use stillpoint::exact::model::Model;
use stillpoint::exact::trajectory;

#[test]
fn v_zeta_and_gradient_match_the_oracle() {
    for family in fixtures::families() {
        for case in &family.cases {
            let exact = family.problem(case.zeta, case.n_in).v_zeta_gradient(&family.theta);
            assert!((exact.value - case.v).abs() < 1e-12, "{case:?}: {}", exact.value);
            fixtures::close(&exact.gradient, &case.grad, 1e-12);
        }
    }
}

#[test]
fn dual_gradients_match_central_differences() {
    for family in fixtures::families() {
        for (zeta, n) in [(1, 1), (1, 2), (2, 1)] {
            let problem = family.problem(zeta, n);
            let v = problem.v_zeta_gradient(&family.theta).gradient;
            fixtures::close(&v, &central(&family.theta, |theta| problem.v_zeta(theta)), 1e-9);
            let vbar = problem.exact_inner_gradient(&family.theta).gradient;
            fixtures::close(&vbar, &central(&family.theta, |theta| problem.exact_inner(theta)), 1e-9);
        }
    }
}

#[test]
fn dynamic_programming_matches_enumeration() {
    for family in fixtures::families() {
        for (mdp, theta) in
            family.tasks.iter().zip([family.theta.clone(), family.theta.iter().map(|x| -2.0 * x).collect()])
        {
            let model = Model { mdp, gamma: family.gamma };
            let (j, grad, hess) = enumerated(&model, &theta);
            assert!((model.value(&theta) - j).abs() < 1e-14);
            fixtures::close(&model.gradient(&theta), &grad, 1e-14);
            fixtures::close(&model.hessian(&theta), &hess, 1e-13);
        }
    }
}

#[test]
fn v_zeta_tends_to_the_exact_inner_objective() {
    let family = &fixtures::families()[0];
    let bar = family.problem(1, 1).exact_inner(&family.theta);
    let distance: Vec<f64> = (1..=4).map(|n| (family.problem(1, n).v_zeta(&family.theta) - bar).abs()).collect();
    assert!(distance.windows(2).all(|w| w[1] < w[0]), "{distance:?}");
    // The spec's bound: alpha^2 eta_H eta_g^2 / (2 n) is loose; the decay 1/n itself is what is checked here.
    assert!(distance[3] < 0.35 * distance[0], "{distance:?}");
}

#[test]
fn probabilities_sum_to_one_and_unreachable_trajectories_are_left_out() {
    for family in fixtures::families() {
        for mdp in &family.tasks {
            let model = Model { mdp, gamma: family.gamma };
            let all = model.trajectories();
            assert_eq!(all.len() as u64, trajectory::count(mdp));
            let total: f64 = trajectory::under(&all, &family.theta, mdp.actions).probability.iter().sum();
            assert!((total - 1.0).abs() < 1e-14);
        }
    }
    let mut mdp = fixtures::families()[0].tasks[0].clone();
    mdp.start = vec![1.0, 0.0];
    mdp.transition[0..2].copy_from_slice(&[0.0, 1.0]);
    assert_eq!(trajectory::count(&mdp), 6);
    assert_eq!(Model { mdp: &mdp, gamma: 0.9 }.trajectories().len(), 6);
}

fn central(theta: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let step = 1e-5;
    (0..theta.len())
        .map(|k| {
            let at = |x: f64| {
                let mut theta = theta.to_vec();
                theta[k] += x;
                f(&theta)
            };
            (8.0 * (at(step) - at(-step)) - (at(2.0 * step) - at(-2.0 * step))) / (12.0 * step)
        })
        .collect()
}

/// J = sum q R, grad J = sum q R grad log q, hess J = sum q R (grad log q grad log q^T + hess log q), over all trajectories.
fn enumerated(model: &Model<'_>, theta: &[f64]) -> (f64, Vec<f64>, Vec<f64>) {
    let (d, n_a) = (theta.len(), model.mdp.actions);
    let pi = stillpoint::exact::model::softmax(theta, n_a);
    let all = model.trajectories();
    let q = trajectory::under(&all, theta, n_a).probability;
    let (mut j, mut grad, mut hess) = (0.0, vec![0.0; d], vec![0.0; d * d]);
    for (tau, q) in all.iter().zip(q) {
        let weight = q * tau.to_go[0];
        let (mut score, mut curvature) = (vec![0.0; d], vec![0.0; d * d]);
        for &k in &tau.pairs {
            let row = k / n_a * n_a;
            score[k] += 1.0;
            for a in row..row + n_a {
                score[a] -= pi[a];
                curvature[a * d + a] -= pi[a];
                for b in row..row + n_a {
                    curvature[a * d + b] += pi[a] * pi[b];
                }
            }
        }
        j += weight;
        for a in 0..d {
            grad[a] += weight * score[a];
            for b in 0..d {
                hess[a * d + b] += weight * (score[a] * score[b] + curvature[a * d + b]);
            }
        }
    }
    (j, grad, hess)
}

fn named(names: &[&str], groups: usize) -> Vec<Estimator> {
    names.iter().map(|n| Estimator::named(n, groups, LeaveGroupOutForm::Importance).expect("a known name")).collect()
}

#[test]
fn every_enumerated_expectation_matches_the_oracle() {
    let mut worst: (f64, String) = (0.0, String::new());
    for family in fixtures::families() {
        for case in &family.cases {
            let names: Vec<&str> = case.mean.keys().map(String::as_str).collect();
            let problem = family.problem(case.zeta, case.n_in);
            let found = enumerate(&problem, &family.theta, case.n_out, &named(&names, 1), &case.grad);
            for (name, found) in names.iter().zip(&found) {
                let expected = &case.mean[*name];
                let off = found.mean.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                if off > worst.0 {
                    worst = (off, format!("{name} zeta {} n {}: {found:?} {expected:?}", case.zeta, case.n_in));
                }
            }
        }
    }
    assert!(worst.0 < 1e-12, "{worst:?}");
}

#[test]
fn every_enumerated_variance_matches_the_oracle() {
    let mut worst: (f64, String) = (0.0, String::new());
    for family in fixtures::families() {
        for case in &family.variance {
            let names: Vec<&str> = case.est.keys().map(String::as_str).collect();
            let problem = family.problem(case.zeta, case.n_in);
            let found = enumerate(
                &problem,
                &family.theta,
                case.n_out,
                &named(&names, case.n_in),
                &vec![0.0; family.theta.len()],
            );
            for (name, found) in names.iter().zip(&found) {
                let (mean, variance) = &case.est[*name];
                fixtures::close(&found.mean, mean, 1e-11);
                let off = (found.variance_trace / variance - 1.0).abs();
                if off > worst.0 {
                    worst = (off, format!("{name} n {}: {} {variance}", case.n_in, found.variance_trace));
                }
            }
        }
    }
    assert!(worst.0 < 1e-11, "{worst:?}");
}

#[test]
fn unbiased_and_biased_estimators_are_told_apart_at_two_steps() {
    let family = &fixtures::families()[0];
    let problem = family.problem(2, 1);
    let truth = problem.v_zeta_gradient(&family.theta).gradient;
    let names =
        ["sgmrl", "sgmrl-tasks", "sgmrl-loo", "maml", "dice", "loaded-dice", "published-sgmrl", "published-emaml"];
    let found = enumerate(&problem, &family.theta, 1, &named(&names, 1), &truth);
    for unbiased in &found[..3] {
        fixtures::close(&unbiased.mean, &truth, 1e-13);
    }
    for biased in &found[3..] {
        let off = biased.mean.iter().zip(&truth).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off > 1e-3, "{off}");
    }
    // Without a baseline the loaded form weighs the same returns; one task has no others, and one trajectory no rest.
    assert_eq!(found[4], found[5]);
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0], found[2]);
}

#[test]
fn leave_group_out_is_unbiased_for_groups_of_any_size() {
    let family = &fixtures::families()[0];
    let problem = family.problem(1, 3);
    let truth = problem.v_zeta_gradient(&family.theta).gradient;
    for groups in [2, 3] {
        let found = enumerate(&problem, &family.theta, 1, &named(&["sgmrl-lgo", "sgmrl-loo"], groups), &truth);
        fixtures::close(&found[0].mean, &truth, 1e-13);
        fixtures::close(&found[1].mean, &truth, 1e-13);
    }
    assert_eq!(combinations(&problem, 1, &named(&["sgmrl-lgo"], 2)), 2 * 16 * 16 * 16 * 16);
    assert_eq!(combinations(&problem, 1, &named(&["sgmrl-lgo"], 3)), 2 * 816 * 16);
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let family = &fixtures::families()[2];
    let problem = family.problem(1, 2);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
        pool.install(|| {
            let exact = problem.v_zeta_gradient(&family.theta);
            let found = enumerate(&problem, &family.theta, 1, &named(&["sgmrl", "sgmrl-lgo"], 2), &exact.gradient);
            (exact, found)
        })
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(8));
}
