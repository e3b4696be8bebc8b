//! The bias lab: surrogates against finite differences, closed forms against their decomposition; reference numbers are in `bias_tables`.

use rand::{RngExt as _, SeedableRng as _};
use stillpoint::estimator::tabular::{Correction, Sampled, Shape, Surrogate};
use stillpoint::exact::discounted::Discounted;
use stillpoint::exact::dual::{self, Scalar};
use stillpoint::exact::kstep::{Chain, Instance};
use stillpoint::exact::model::softmax;
use stillpoint::learn::kstep::{Part, Parts, Sampling};
use stillpoint::measure::bias::{OnMdp, Setting, measure, oracles, tasks};
use stillpoint::rollout::walks::Dynamics;
use tasks::env::Rng;
use tasks::tabular::Tabular;

fn mdps(name: &str, params: serde_json::Value) -> Vec<Tabular> {
    let family = tasks::registry::build(name, params.as_object().expect("object")).expect("a family");
    family.finite().expect("finite").into_iter().map(|(_, mdp)| mdp.clone()).collect()
}

/// A small MDP, parameters, a batch of trajectories under them, values that are not quite V, and a direction.
fn small() -> (Tabular, Vec<f64>, Sampled, Vec<f64>, Vec<f64>) {
    let mdp =
        mdps("liu-mdp", serde_json::json!({"tasks": 1, "states": 3, "actions": 2, "concentration": 0.5, "horizon": 5}));
    let mdp = mdp[0].clone();
    let mut rng = Rng::seed_from_u64(4);
    let mut draw = |n: usize| -> Vec<f64> { (0..n).map(|_| rng.random::<f64>() * 2.0 - 1.0).collect() };
    let (theta, values, direction) = (draw(6), draw(3), draw(6));
    let mut sampled = Sampled { pi: softmax(&theta, 2), ..Sampled::default() };
    Dynamics::new(&mdp).sample(&sampled.pi, 7, &mut Rng::seed_from_u64(5), &mut sampled.walks);
    (mdp, theta, sampled, values, direction)
}

const SHAPE: Shape = Shape { actions: 2, horizon: 5, gamma: 0.9, lambda: 1.0 };

/// Gradient of the surrogate at `theta`, written from its definition in ratios to the policy the trajectories were drawn under.
fn surrogate_gradient(kind: Surrogate, mdp: &Tabular, sampled: &Sampled, values: &[f64], theta: &[f64]) -> Vec<f64> {
    let (n, t_end) = (sampled.walks.last.len(), mdp.horizon);
    let value = |theta: &[dual::Dual<4>]| {
        let pi = softmax(theta, 2);
        let mut total = <dual::Dual<4> as Scalar>::constant(0.0);
        for e in 0..n {
            let pairs = &sampled.walks.pairs[e * t_end..(e + 1) * t_end];
            let (mut before, mut discount) = (Scalar::constant(1.0), 1.0 / n as f64);
            for (t, &k) in pairs.iter().enumerate() {
                let k = k as usize;
                let ratio = pi[k].scale(1.0 / sampled.pi[k]);
                let product: dual::Dual<4> = before * ratio;
                let tail = |from: usize| -> f64 {
                    let rewards: f64 = (from..t_end)
                        .map(|j| SHAPE.gamma.powi((j - from) as i32) * mdp.reward[pairs[j] as usize])
                        .sum();
                    rewards + SHAPE.gamma.powi((t_end - from) as i32) * values[sampled.walks.last[e] as usize]
                };
                let advantage = tail(t) - values[k / 2];
                total += match kind {
                    Surrogate::Dice => product.scale(discount * mdp.reward[k]),
                    Surrogate::Loaded => (product - before).scale(discount * advantage),
                    Surrogate::Lvc => ratio.scale(discount * advantage),
                    // d log pi = d pi / pi: the ratio to the policy *here*
                    Surrogate::Maml => (pi[k] / Scalar::constant(pi[k].value())).scale(discount * advantage),
                };
                before = product;
                discount *= SHAPE.gamma;
            }
        }
        total
    };
    dual::gradient(theta, value).1
}

#[test]
fn surrogates_match_their_definitions() {
    let (mdp, theta, mut sampled, values, v) = small();
    for (name, kind) in Surrogate::ALL {
        SHAPE.weigh(kind, &mdp.reward, &values, &mut sampled);
        let at = |theta: &[f64]| surrogate_gradient(kind, &mdp, &sampled, &values, theta);
        let expected = at(&theta);
        let gradient = SHAPE.gradient(&sampled);
        gradient.iter().zip(&expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "{name}: {a} {b}"));
        let moved = |h: f64| at(&theta.iter().zip(&v).map(|(x, v)| x + h * v).collect::<Vec<_>>());
        let (h, mut product) = (1e-5, vec![0.0; 6]);
        SHAPE.add_hessian_product(kind, &sampled, &v, &mut product);
        for ((p, a), b) in product.iter().zip(moved(h)).zip(moved(-h)) {
            assert!((p - (a - b) / (2.0 * h)).abs() < 1e-8, "{name}: {p} {}", (a - b) / (2.0 * h));
        }
    }
}

/// The same weights through `train`'s policy and its products: one code for the estimator, two for the policy.
#[test]
fn they_are_what_train_computes() {
    use stillpoint::batch::Actions;
    use stillpoint::estimator::kstep::add_curvature;
    use stillpoint::policy::{Policy, TabularSoftmax, Tape, Weights, Workspace};
    let (mdp, theta, mut sampled, values, v) = small();
    let policy = Policy::Tabular(TabularSoftmax::new(3, 2));
    let obs: Vec<f64> = sampled.walks.pairs.iter().map(|&k| f64::from(k / 2)).collect();
    let actions = Actions::Discrete(sampled.walks.pairs.iter().map(|&k| k % 2).collect());
    let (mut tape, mut ws) = (Tape::default(), Workspace::default());
    policy.forward(&theta, &obs, obs.len(), &mut tape);
    for (name, kind) in Surrogate::ALL {
        SHAPE.weigh(kind, &mdp.reward, &values, &mut sampled);
        let w = &sampled.weights;
        let mut gradient = vec![0.0; 6];
        policy.grad(&theta, &obs, &actions, &tape, &Weights::log_prob(w), &mut gradient, &mut ws);
        let mut curvature = |l: &[f64], out: &mut [f64]| {
            (0..7).for_each(|e| add_curvature(kind.jacobian(), e * 5..(e + 1) * 5, w, l, out));
        };
        let (mut product, mut ours) = (vec![0.0; 6], vec![0.0; 6]);
        policy.hvp(&theta, &v, &obs, &actions, &tape, w, &mut curvature, &mut product, &mut ws);
        SHAPE.add_hessian_product(kind, &sampled, &v, &mut ours);
        let all = SHAPE.gradient(&sampled).into_iter().chain(ours).zip(gradient.into_iter().chain(product));
        all.for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "{name}: {a} {b}"));
    }
}

/// First-order gradients of `maml`, `lvc` and `loaded` are the same numbers (claim 6), so are all their inner steps.
#[test]
fn inner_estimators_with_a_baseline_are_one() {
    let (mdp, _, mut sampled, values, _) = small();
    let mut of = |kind| {
        SHAPE.weigh(kind, &mdp.reward, &values, &mut sampled);
        SHAPE.gradient(&sampled)
    };
    let maml = of(Surrogate::Maml);
    assert_eq!(maml, of(Surrogate::Lvc));
    assert_eq!(maml, of(Surrogate::Loaded));
    assert_ne!(maml, of(Surrogate::Dice));
}

/// H = H1 + H2 + H12 + H12^T, H2 = 0 for a table with exact baseline (claim 8: E of the naive Hessian), and LVC's is H1 + H2.
#[test]
fn the_hessian_is_the_sum_of_its_parts() {
    let mdp =
        mdps("liu-mdp", serde_json::json!({"tasks": 1, "states": 4, "actions": 3, "concentration": 0.5})).remove(0);
    let model = Discounted::new(&mdp, 0.8);
    let theta: Vec<f64> = (0..12).map(|k| (f64::from(k) * 1.3).sin()).collect();
    let at = model.solve(&theta);
    let score = |k: usize| -> Vec<f64> {
        (0..12).map(|j| if j / 3 == k / 3 { f64::from(u8::from(j == k)) - at.pi[j] } else { 0.0 }).collect()
    };
    // grad V(s) is grad J from the start state s
    let from: Vec<Vec<f64>> = (0..4)
        .map(|s| {
            let start = (0..4).map(|i| f64::from(u8::from(i == s))).collect();
            let model = Discounted { start, ..model.clone() };
            model.gradient(&model.solve(&theta))
        })
        .collect();
    let mut parts = [[0.0; 144]; 3];
    for k in 0..12 {
        let (s, weight) = (k / 3, at.d[k / 3] * at.pi[k]);
        let (g, advantage) = (score(k), at.q[k] - at.v[s]);
        let mut slope = [0.0; 12];
        for &(next, p) in &model.successors[k] {
            slope.iter_mut().zip(&from[next]).for_each(|(x, g)| *x += 0.8 * p * g);
        }
        for i in 0..12 {
            for j in 0..12 {
                let log_hessian = if i / 3 == s && j / 3 == s {
                    at.pi[i] * at.pi[j] - if i == j { at.pi[i] } else { 0.0 }
                } else {
                    0.0
                };
                parts[0][i * 12 + j] += weight * advantage * g[i] * g[j];
                parts[1][i * 12 + j] += weight * advantage * log_hessian;
                parts[2][i * 12 + j] += weight * g[i] * slope[j];
            }
        }
    }
    assert!(parts[1].iter().all(|x| x.abs() < 1e-15), "E[H2] = 0");
    for j in 0..12 {
        let unit: Vec<f64> = (0..12).map(|k| f64::from(u8::from(k == j))).collect();
        for (i, h) in model.hessian_product(&at, &unit).into_iter().enumerate() {
            let sum = parts[0][i * 12 + j] + parts[2][i * 12 + j] + parts[2][j * 12 + i];
            assert!((h - sum).abs() < 1e-13, "{h} {sum}");
        }
    }
}

fn sampling(instance: Instance, alpha: f64, steps: usize, parts: [Option<(Surrogate, usize)>; 3]) -> Sampling {
    let part = |p: Option<(Surrogate, usize)>| p.map_or(Part::Exact, |(surrogate, n)| Part::Estimated { surrogate, n });
    let [inner, jacobian, outer] = parts.map(part);
    let lambda = if instance == Instance::Lirpg { 0.9 } else { 1.0 };
    Sampling {
        chain: Chain { instance, alpha, steps },
        parts: Parts { inner, jacobian, outer },
        noise: 1.0,
        lambda,
        error: None,
    }
}

fn study(sampling: Sampling, repeats: usize) -> Vec<OnMdp> {
    let tasks = tasks(&mdps("gmrl-mdps", serde_json::json!({})), 0.8);
    let oracles = oracles(&tasks, &sampling.chain);
    measure(&Setting { sampling, repeats, seed: 1 }, &tasks, &oracles, &|| false).expect("nobody stops it")
}

/// With everything exact the closed forms are the oracle's dual numbers: correlation 1, no variance, no bias, for both instances.
#[test]
fn all_exact_is_the_oracle() {
    for (instance, alpha, steps) in [(Instance::Maml, 3.0, 3), (Instance::Lirpg, 10.0, 3)] {
        for mdp in study(sampling(instance, alpha, steps, [None; 3]), 2) {
            let bias = mdp.bias;
            assert!((bias.corr - 1.0).abs() < 1e-9 && bias.var == 0.0, "{instance:?}: {bias:?}");
            assert!(bias.bias_squared.abs() < 1e-20 * bias.norm_squared.max(1.0), "{instance:?}: {bias:?}");
            assert!(mdp.inner_error.iter().all(|e| *e < 1e-20));
        }
    }
}

/// LIRPG with one step: `maml` and `lvc` are the same numbers; with two they differ (claim 16).
#[test]
fn lirpg_estimators_are_one_at_one_step() {
    let of = |kind, steps| study(sampling(Instance::Lirpg, 10.0, steps, [None, Some((kind, 4)), None]), 3);
    let close = |a: &[OnMdp], b: &[OnMdp]| a.iter().zip(b).all(|(a, b)| (a.bias.corr - b.bias.corr).abs() < 1e-12);
    assert!(close(&of(Surrogate::Maml, 1), &of(Surrogate::Lvc, 1)));
    assert!(!close(&of(Surrogate::Maml, 2), &of(Surrogate::Lvc, 2)));
}

/// A buffer of the current policy alone is on-policy DiCE; plain products of ratios keep the gradient unbiased when the policies have moved
/// (squared bias below 3.5 standard errors on two MDPs, alpha < 1e-3), and cutting them, the control, does not.
#[test]
fn off_policy_batches_are_corrected() {
    let parts = |part| Parts { inner: Part::Exact, jacobian: Part::Exact, outer: part };
    let exact = sampling(Instance::Maml, 3.0, 1, [None; 3]);
    let outer = |part| Sampling { parts: parts(part), ..exact };
    let all = tasks(&mdps("gmrl-mdps", serde_json::json!({})), 0.8);
    let known = oracles(&all, &exact.chain);
    let run = |part, repeats| {
        measure(&Setting { sampling: outer(part), repeats, seed: 3 }, &all[..2], &known[..2], &|| false).expect("whole")
    };
    let recycled = |batches, drift, correction| Part::Recycled { n: 8, batches, drift, correction };
    let fresh = run(Part::Estimated { surrogate: Surrogate::Dice, n: 8 }, 5);
    assert_eq!(fresh, run(recycled(1, 1.0, Correction::Plain), 5));
    let resolved =
        |part| run(part, 4000).iter().map(|m| m.bias.bias_squared / m.bias.bias_squared_error).fold(0.0, f64::max);
    assert!(resolved(recycled(3, 1.0, Correction::Plain)) < 3.5);
    assert!(resolved(recycled(3, 1.0, Correction::Clipped(1.0))) > 10.0, "the control passes");
}
