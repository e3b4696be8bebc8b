//! Gradient, gradient with Hessian–vector product, and forward passes of a Gaussian network policy, on one thread.
//!
//! 2 -> 100 -> 100 -> 2, tanh, f32 and f64. The `*_from_scratch` figures include the forward pass and compare with
//! `benches/peers/torch_mlp.py`; the others read the tape a rollout has left.

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
    fn new() -> Case<F> {
        let rng = &mut Rng::seed_from_u64(1);
        let policy = Policy::build(&Spec::mlp(), &Space::unbounded(2), &Space::unbounded(2)).expect("spaces fit");
        let theta: Vec<F> = policy.init(rng);
        let mut normal = |n: usize, scale: f64| -> Vec<F> {
            (0..n).map(|_| F::of(scale * Distribution::<f64>::sample(&StandardNormal, rng))).collect()
        };
        let (direction, obs) = (normal(theta.len(), 1.0), normal(2 * ROWS, 1.0));
        let actions = Actions::Continuous { values: normal(2 * ROWS, 1.0), width: 2 };
        let weights = normal(ROWS, 1.0 / ROWS as f64);
        let (grad, hv) = (vec![F::zero(); theta.len()], vec![F::zero(); theta.len()]);
        let (tape, ws) = (Tape::default(), Workspace::default());
        Case { policy, theta, direction, obs, actions, weights, tape, ws, grad, hv }
    }

    fn forward(&mut self, rows: usize, steps: usize) {
        self.tape.clear();
        for obs in self.obs.chunks_exact(2 * rows).take(steps) {
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
        if let Actions::Continuous { values, .. } = actions {
            values.clear();
        }
        for (step, obs) in self.obs.chunks_exact(2 * rows).take(100).enumerate() {
            self.policy.forward(&self.theta, obs, rows, &mut self.tape);
            self.policy.sample(&self.theta, &self.tape, step * rows..(step + 1) * rows, rngs, actions);
        }
    }
}

fn measure<F: Real>(c: &mut Criterion) {
    let mut case = Case::<F>::new();
    let mut group = c.benchmark_group(F::NAME);
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
    measure::<f32>(c);
    measure::<f64>(c);
}

criterion_group!(benches, all);
criterion_main!(benches);
