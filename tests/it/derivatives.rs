//! Every derivative of every policy against central differences on random shapes, and f32 against f64.

use rand::{RngExt, SeedableRng};
use stillpoint::batch::Actions;
use stillpoint::diff::{Activation, Init, Tape, Workspace};
use stillpoint::math::real::Real;
use stillpoint::policy::{Kind, Policy, Spec, Weights};
use tasks::env::{Rng, Space};

/// A policy with a random batch: parameters, observations, actions and weights.
struct Case {
    policy: Policy,
    theta: Vec<f64>,
    obs: Vec<f64>,
    rows: usize,
    actions: Actions<f64>,
    log_prob: Vec<f64>,
    entropy: Vec<f64>,
    value: Option<Vec<f64>>,
}

fn vector(n: usize, rng: &mut Rng) -> Vec<f64> {
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

impl Case {
    fn random(seed: u64) -> Case {
        let rng = &mut Rng::seed_from_u64(seed);
        let (states, actions, width) = (rng.random_range(1..5), rng.random_range(2..5), rng.random_range(1..4));
        let kind = seed % 4;
        let (observation, action) = match kind {
            0 | 1 => (Space::Discrete(states), Space::Discrete(actions)),
            2 => (Space::unbounded(width), Space::Discrete(actions)),
            _ => (Space::unbounded(width), Space::unbounded(rng.random_range(1..4))),
        };
        let hidden = (0..rng.random_range(0..4)).map(|_| rng.random_range(1..7)).collect();
        let spec = Spec {
            kind: if kind == 0 { Kind::Tabular } else { Kind::Mlp },
            hidden,
            activation: if seed % 8 < 4 { Activation::Tanh } else { Activation::Relu },
            init: if seed.is_multiple_of(3) { Init::Orthogonal { gain: 1.0 } } else { Init::GlorotUniform },
            log_std: -0.3,
            min_log_std: (seed % 5 < 2).then_some(-0.4),
            value_head: kind != 0 && seed % 2 == 1,
        };
        let policy = Policy::build(&spec, &observation, &action).expect("spaces fit");
        let mut theta: Vec<f64> = policy.init(rng);
        theta.iter_mut().for_each(|x| *x += rng.random_range(-0.5..0.5));
        let rows = rng.random_range(1..9);
        let mut obs = vec![0.0; rows * policy.obs_width()];
        for row in obs.chunks_exact_mut(policy.obs_width()) {
            match observation {
                Space::Discrete(n) => policy.encode(&[rng.random_range(0..n) as f64], row),
                Space::Box { .. } => policy.encode(&vector(width, rng), row),
            }
        }
        let mut tape = Tape::default();
        policy.forward(&theta, &obs, rows, &mut tape);
        let mut taken = policy.empty_actions();
        let mut rngs: Vec<Rng> = (0..rows as u64).map(|i| Rng::seed_from_u64(seed * 100 + i)).collect();
        policy.sample(&theta, &tape, 0..rows, &mut rngs, &mut taken);
        let value = spec.value_head.then(|| vector(rows, rng));
        let (log_prob, entropy) = (vector(rows, rng), vector(rows, rng));
        Case { policy, theta, obs, rows, actions: taken, log_prob, entropy, value }
    }

    fn tape<F: Real>(&self, theta: &[F]) -> Tape<F> {
        let obs: Vec<F> = self.obs.iter().map(|&x| F::of(x)).collect();
        let mut tape = Tape::default();
        self.policy.forward(theta, &obs, self.rows, &mut tape);
        tape
    }

    fn weights(&self) -> Weights<'_, f64> {
        Weights { log_prob: &self.log_prob, entropy: Some(&self.entropy), value: self.value.as_deref() }
    }

    fn log_probs(&self, theta: &[f64]) -> Vec<f64> {
        let mut out = Vec::new();
        self.policy.log_prob(theta, &self.tape(theta), &self.actions, &mut out);
        out
    }

    /// The weighted sum itself, from the forward pass alone.
    fn loss(&self, theta: &[f64]) -> f64 {
        let tape = self.tape(theta);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let mut total = dot(&self.log_prob, &self.log_probs(theta));
        let mut out = Vec::new();
        self.policy.entropy(theta, &tape, &mut out);
        total += dot(&self.entropy, &out);
        if let Some(u) = &self.value {
            self.policy.value(&tape, &mut out);
            total += dot(u, &out);
        }
        total
    }

    fn grad(&self, theta: &[f64], weights: &Weights<'_, f64>) -> Vec<f64> {
        let mut out = vec![0.0; theta.len()];
        let (tape, mut ws) = (self.tape(theta), Workspace::default());
        self.policy.grad(theta, &self.obs, &self.actions, &tape, weights, &mut out, &mut ws);
        out
    }

    /// `theta` moved along `direction`.
    fn moved(&self, direction: &[f64], h: f64) -> Vec<f64> {
        self.theta.iter().zip(direction).map(|(t, d)| t + h * d).collect()
    }
}

const STEP: f64 = 1e-6;

fn close(what: &str, seed: u64, a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs())), "{what}, case {seed}: {a} against {b}");
}

#[test]
fn gradients_match_central_differences() {
    for seed in 0..80 {
        let case = Case::random(seed);
        let gradient = case.grad(&case.theta, &case.weights());
        for i in 0..case.theta.len() {
            let mut unit = vec![0.0; case.theta.len()];
            unit[i] = 1.0;
            let difference =
                (case.loss(&case.moved(&unit, STEP)) - case.loss(&case.moved(&unit, -STEP))) / (2.0 * STEP);
            close("gradient", seed, gradient[i], difference, 1e-7);
        }
    }
}

#[test]
fn hessian_vector_products_and_row_tangents_match_central_differences() {
    for seed in 0..80 {
        let case = Case::random(seed);
        let direction = vector(case.theta.len(), &mut Rng::seed_from_u64(900 + seed));
        let (mut grad, mut hv) = (vec![0.0; case.theta.len()], vec![0.0; case.theta.len()]);
        let mut ws = Workspace::default();
        let tape = case.tape(&case.theta);
        let mut l_dot = Vec::new();
        case.policy.grad_hvp(
            &case.theta,
            &direction,
            &case.obs,
            &case.actions,
            &tape,
            &case.weights(),
            &mut |rows, _| l_dot = rows.log_prob.to_vec(),
            Some(&mut grad),
            &mut hv,
            &mut ws,
        );
        let [up, down] = [STEP, -STEP].map(|h| case.moved(&direction, h));
        let (g_up, g_down) = (case.grad(&up, &case.weights()), case.grad(&down, &case.weights()));
        let alone = case.grad(&case.theta, &case.weights());
        for i in 0..hv.len() {
            close("gradient beside the product", seed, grad[i], alone[i], 1e-12);
            close("product", seed, hv[i], (g_up[i] - g_down[i]) / (2.0 * STEP), 1e-6);
        }
        for ((&a, &b), l_dot) in case.log_probs(&up).iter().zip(&case.log_probs(&down)).zip(l_dot) {
            close("row tangent", seed, l_dot, (a - b) / (2.0 * STEP), 1e-7);
        }
    }
}

/// With `w_dot = w l_dot` the product is that of the likelihood-ratio surrogate `sum w exp(log pi - log pi_old)`.
#[test]
fn tangent_weights_add_scores() {
    for seed in 0..40 {
        let case = Case::random(seed);
        let direction = vector(case.theta.len(), &mut Rng::seed_from_u64(900 + seed));
        let mut hv = vec![0.0; case.theta.len()];
        let mut ws = Workspace::default();
        let mut fill = |l_dot: &[f64], w_dot: &mut [f64]| {
            w_dot.iter_mut().zip(l_dot).zip(&case.log_prob).for_each(|((o, l), w)| *o = l * w);
        };
        let tape = case.tape(&case.theta);
        case.policy.hvp(
            &case.theta,
            &direction,
            &case.obs,
            &case.actions,
            &tape,
            &case.log_prob,
            &mut fill,
            &mut hv,
            &mut ws,
        );
        let old = case.log_probs(&case.theta);
        let ratio_gradient = |theta: &[f64]| {
            let now = case.log_probs(theta);
            let ratio = now.iter().zip(&old).zip(&case.log_prob).map(|((l, o), w)| w * (l - o).exp());
            let weights: Vec<f64> = ratio.collect();
            case.grad(theta, &Weights { log_prob: &weights, entropy: None, value: None })
        };
        let [up, down] = [STEP, -STEP].map(|h| ratio_gradient(&case.moved(&direction, h)));
        for i in 0..hv.len() {
            close("ratio surrogate", seed, hv[i], (up[i] - down[i]) / (2.0 * STEP), 1e-6);
        }
    }
}

#[test]
fn several_weight_vectors_share_one_pass() {
    for seed in 0..40 {
        let case = Case::random(seed);
        let mut rng = Rng::seed_from_u64(seed);
        let weights: Vec<Vec<f64>> = (0..3).map(|_| vector(case.rows, &mut rng)).collect();
        let mut together = vec![vec![0.5; case.theta.len()]; 3];
        let (tape, mut ws) = (case.tape(&case.theta), Workspace::default());
        case.policy.multi_grad(&case.theta, &case.obs, &case.actions, &tape, &weights, &mut together, &mut ws);
        for (w, together) in weights.iter().zip(&together) {
            let alone = case.grad(&case.theta, &Weights { log_prob: w, entropy: None, value: None });
            for i in 0..alone.len() {
                close("shared pass", seed, together[i] - 0.5, alone[i], 1e-12);
            }
        }
    }
}

#[test]
fn rows_appended_one_by_one_give_the_same_tape_and_single_precision_agrees() {
    for seed in 0..40 {
        let case = Case::random(seed);
        let width = case.policy.obs_width();
        let whole = case.tape(&case.theta);
        let mut stepwise = Tape::default();
        for row in case.obs.chunks_exact(width) {
            case.policy.forward(&case.theta, row, 1, &mut stepwise);
        }
        for (a, b) in whole.output().iter().zip(stepwise.output()) {
            close("appended rows", seed, *a, *b, 1e-13);
        }
        let theta: Vec<f32> = case.theta.iter().map(|&x| x as f32).collect();
        for (a, b) in whole.output().iter().zip(case.tape(&theta).output()) {
            close("single precision", seed, *a, f64::from(*b), 1e-5);
        }
    }
}

/// Below the floor the log standard deviation is the floor and its gradient is zero, before and after adaptation alike.
#[test]
fn the_floor_of_the_log_standard_deviation_holds() {
    let spec = Spec { hidden: vec![3], log_std: -5.0, min_log_std: Some(-1.0), ..Spec::mlp() };
    let policy = Policy::build(&spec, &Space::unbounded(2), &Space::unbounded(1)).expect("spaces fit");
    let theta: Vec<f64> = policy.init(&mut Rng::seed_from_u64(1));
    let (mut tape, mut out) = (Tape::default(), Vec::new());
    policy.forward(&theta, &[0.1, 0.2], 1, &mut tape);
    let mean = tape.output_row(0)[0];
    let actions = Actions::Continuous { values: vec![mean + 0.2], width: 1 };
    policy.log_prob(&theta, &tape, &actions, &mut out);
    let std = (-1.0f64).exp();
    let expected = -0.5 * (0.2 / std).powi(2) + 1.0 - 0.5 * (2.0 * std::f64::consts::PI).ln();
    close("log density at the floor", 0, out[0], expected, 1e-12);
    let mut gradient = vec![0.0; theta.len()];
    let weights = Weights { log_prob: &[1.0], entropy: Some(&[1.0]), value: None };
    policy.grad(&theta, &[0.1, 0.2], &actions, &tape, &weights, &mut gradient, &mut Workspace::default());
    assert_eq!(gradient[theta.len() - 1], 0.0);
    assert!(gradient[0] != 0.0);
}
