//! Gradient, gradient with Hessian–vector product, and forward passes of a policy, on one thread, f32 and f64.
//!
//! `network`: Gaussian, 2 -> 100 -> 100 -> 2, tanh. `table`: softmax, 20 states, 5 actions. The `*_from_scratch` figures include the forward pass and compare with
//! `benches/peers/torch_mlp.py`; the others read the tape a rollout has left.
//!
//! Fastest of many runs on one Zen 5 core (2026-11-21, ms), beside PyTorch 2.15 in the same hour: gradient f32 1.67 (5.96), f64
//! 3.51 (11.2); gradient and product f32 4.66 (15.4), f64 9.87 (28.9).

use criterion::{Criterion, criterion_group, criterion_main};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use stillpoint::batch::Actions;
use stillpoint::diff::{Tape, Workspace};
use stillpoint::math::real::Real;
use stillpoint::policy::{Policy, Spec, Weights};
use tasks::env::{Rng, Space};

const ROWS: usize = 4000;

/// One policy and one batch, with the memory of every pass.
struct Case<F> {
    policy: Policy,
    theta: Vec<F>,
    direction: Vec<F>,
    obs: Vec<F>,
    actions: Actions<F>,
    weights: Vec<F>,
    tape: Tape<F>,
    ws: Workspace<F>,
    grad: Vec<F>,
    hv: Vec<F>,
}

impl<F: Real> Case<F> {
    fn new(policy: Policy) -> Case<F> {
        let rng = &mut Rng::seed_from_u64(1);
        let theta: Vec<F> = policy.init(rng);
        let mut normal = |n: usize, scale: f64| -> Vec<F> {
            (0..n).map(|_| F::of(scale * Distribution::<f64>::sample(&StandardNormal, rng))).collect()
        };
        let direction = normal(theta.len(), 1.0);
        let (obs, actions) = if let Policy::Tabular(table) = &policy {
            let obs = (0..ROWS).map(|i| F::of((i * 7 % table.states) as f64)).collect();
            (obs, Actions::Discrete((0..ROWS).map(|i| (i * 11 % table.actions) as u32).collect()))
        } else {
            (normal(2 * ROWS, 1.0), Actions::Continuous { values: normal(2 * ROWS, 1.0), width: 2 })
        };
        let weights = normal(ROWS, 1.0 / ROWS as f64);
        let (grad, hv) = (vec![F::zero(); theta.len()], vec![F::zero(); theta.len()]);
        let (tape, ws) = (Tape::default(), Workspace::default());
        Case { policy, theta, direction, obs, actions, weights, tape, ws, grad, hv }
    }

    fn forward(&mut self, rows: usize, steps: usize) {
        self.tape.clear();
        for obs in self.obs.chunks_exact(self.policy.obs_width() * rows).take(steps) {
            self.policy.forward(&self.theta, obs, rows, &mut self.tape);
        }
    }

    fn gradient(&mut self) {
        let weights = Weights { log_prob: &self.weights, entropy: None, value: None };
        let Case { policy, theta, obs, actions, tape, ws, grad, .. } = self;
        policy.grad(theta, obs, actions, tape, &weights, grad, ws);
    }

    fn gradient_and_product(&mut self) {
        let weights = Weights { log_prob: &self.weights, entropy: None, value: None };
        let Case { policy, theta, direction, obs, actions, tape, ws, grad, hv, .. } = self;
        policy.grad_hvp(theta, direction, obs, actions, tape, &weights, &mut |_, _| (), Some(grad), hv, ws);
    }

    fn product(&mut self) {
        let Case { policy, theta, direction, obs, actions, tape, ws, weights, hv, .. } = self;
        policy.hvp(theta, direction, obs, actions, tape, weights, &mut |_, _| (), hv, ws);
    }

    /// Forward and sample in lockstep, as a rollout does.
    fn act(&mut self, rngs: &mut [Rng], actions: &mut Actions<F>) {
        let rows = rngs.len();
        self.tape.clear();
        match actions {
            Actions::Continuous { values, .. } => values.clear(),
            Actions::Discrete(indices) => indices.clear(),
        }
        for (step, obs) in self.obs.chunks_exact(self.policy.obs_width() * rows).take(100).enumerate() {
            self.policy.forward(&self.theta, obs, rows, &mut self.tape);
            self.policy.sample(&self.theta, &self.tape, step * rows..(step + 1) * rows, rngs, actions);
        }
    }
}

fn measure<F: Real>(c: &mut Criterion, name: &str, policy: Policy) {
    let mut case = Case::<F>::new(policy);
    let mut group = c.benchmark_group(format!("{name}_{}", F::NAME));
    group.bench_function("forward_20_rows_100_times", |b| b.iter(|| case.forward(20, 100)));
    group.bench_function("forward_2000_rows_once", |b| b.iter(|| case.forward(2000, 1)));
    let mut rngs: Vec<Rng> = (0..20).map(Rng::seed_from_u64).collect();
    let mut actions = case.policy.empty_actions();
    group.bench_function("act_20_rows_100_times", |b| b.iter(|| case.act(&mut rngs, &mut actions)));
    case.forward(ROWS, 1);
    group.bench_function("gradient_4000", |b| b.iter(|| case.gradient()));
    group.bench_function("product_4000", |b| b.iter(|| case.product()));
    group.bench_function("gradient_and_product_4000", |b| b.iter(|| case.gradient_and_product()));
    group.bench_function("gradient_4000_from_scratch", |b| {
        b.iter(|| {
            case.forward(ROWS, 1);
            case.gradient();
        });
    });
    group.bench_function("gradient_and_product_4000_from_scratch", |b| {
        b.iter(|| {
            case.forward(ROWS, 1);
            case.gradient_and_product();
        });
    });
    group.finish();
}

fn all(c: &mut Criterion) {
    let network = || Policy::build(&Spec::mlp(), &Space::unbounded(2), &Space::unbounded(2)).expect("spaces fit");
    let table = || Policy::build(&Spec::tabular(), &Space::Discrete(20), &Space::Discrete(5)).expect("spaces fit");
    measure::<f32>(c, "network", network());
    measure::<f64>(c, "network", network());
    measure::<f32>(c, "table", table());
    measure::<f64>(c, "table", table());
}

criterion_group!(benches, all);
criterion_main!(benches);
