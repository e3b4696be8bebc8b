//! Networks against loops, differences and an independent autodiff library; heads against sums, frequencies and precision.

use dfdx::prelude::{Axis, Const, Cpu, Rank1, Rank2, Tensor, TensorFromVec, Trace};
use dfdx::tensor_ops::{Backward, BroadcastTo, SumTo, TryMatMul};
use rand::{RngExt, SeedableRng};
use stillpoint::batch::Actions;
use stillpoint::diff::{Activation, Init, Mlp, Tape, Workspace};
use stillpoint::math::real::Real;
use stillpoint::policy::{Kind, Policy, Spec, Weights};
use tasks::env::{Rng, Space};

fn vector(n: usize, rng: &mut Rng) -> Vec<f64> {
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

fn cast<F: Real>(x: &[f64]) -> Vec<F> {
    x.iter().map(|&x| F::of(x)).collect()
}

fn close(what: &str, a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs())), "{what}[{i}]: {a} against {b}");
    }
}

/// A random network with a batch; widths and rows on both sides of the narrow kernels' and the row blocks' limits.
struct Net {
    mlp: Mlp,
    theta: Vec<f64>,
    direction: Vec<f64>,
    input: Vec<f64>,
    rows: usize,
}

impl Net {
    fn random(seed: u64) -> Net {
        let rng = &mut Rng::seed_from_u64(seed);
        let depth = rng.random_range(1..5);
        let sizes: Vec<usize> = (0..=depth).map(|_| rng.random_range(1..40)).collect();
        let mlp = Mlp::new(sizes, if seed.is_multiple_of(2) { Activation::Tanh } else { Activation::Relu });
        let mut theta: Vec<f64> = mlp.init(Init::GlorotUniform, rng);
        theta.iter_mut().for_each(|x| *x += rng.random_range(-0.2..0.2));
        let rows = if seed % 10 == 9 { 1500 } else { rng.random_range(1..70) };
        let (direction, input) = (vector(theta.len(), rng), vector(rows * mlp.inputs(), rng));
        Net { mlp, theta, direction, input, rows }
    }

    fn tape(&self, theta: &[f64]) -> Tape<f64> {
        let mut tape = Tape::new();
        self.mlp.forward(theta, &self.input, self.rows, &mut tape);
        tape
    }

    /// The forward pass, one number at a time.
    fn slow(&self) -> Vec<f64> {
        let mut out = Vec::new();
        for row in self.input.chunks_exact(self.mlp.inputs()) {
            let mut h = row.to_vec();
            for (l, layer) in self.mlp.layers().enumerate() {
                let unit = |j: usize| {
                    let weight = |i: usize| self.theta[layer.weight.start + i * layer.outputs + j];
                    let z = self.theta[layer.bias.start + j] + (0..layer.inputs).map(|i| h[i] * weight(i)).sum::<f64>();
                    match self.mlp.activation {
                        _ if l + 1 == self.mlp.depth() => z,
                        Activation::Tanh => z.tanh(),
                        Activation::Relu => z.max(0.0),
                    }
                };
                h = (0..layer.outputs).map(unit).collect();
            }
            out.extend(h);
        }
        out
    }

    fn moved(&self, h: f64) -> Vec<f64> {
        self.theta.iter().zip(&self.direction).map(|(t, d)| t + h * d).collect()
    }

    fn vjp(&self, theta: &[f64], cotangents: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; theta.len()];
        self.mlp.vjp(theta, &self.input, &self.tape(theta), cotangents, &mut out, &mut Workspace::new());
        out
    }
}

#[test]
fn networks_match_the_slow_forward_pass_and_differences() {
    const STEP: f64 = 1e-6;
    for seed in 0..60 {
        let net = Net::random(seed);
        let rng = &mut Rng::seed_from_u64(500 + seed);
        let tape = net.tape(&net.theta);
        close("forward", tape.output(), &net.slow(), 1e-12);
        let (mut ws, n) = (Workspace::new(), tape.output().len());
        let tangents = net.mlp.jvp(&net.theta, &net.direction, &net.input, &tape, &mut ws).to_vec();
        let [up, down] = [net.moved(STEP), net.moved(-STEP)];
        let slope = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b) / (2.0 * STEP)).collect::<Vec<f64>>();
        // A kink of the ReLU inside the step spoils a difference of first derivatives, so those get tanh only.
        if net.mlp.activation == Activation::Tanh {
            close("tangents", &tangents, &slope(net.tape(&up).output(), net.tape(&down).output()), 1e-6);
        }
        let (d, d_dot) = (vector(n, rng), vector(n, rng));
        let gradient = net.vjp(&net.theta, &d);
        let transposed: f64 = gradient.iter().zip(&net.direction).map(|(g, v)| g * v).sum();
        let forward: f64 = d.iter().zip(&tangents).map(|(d, t)| d * t).sum();
        close("adjoint", &[transposed], &[forward], 1e-10);
        let (mut grad, mut hv) = (vec![0.0; gradient.len()], vec![0.0; gradient.len()]);
        net.mlp.reverse_tangent(
            &net.theta,
            &net.direction,
            &net.input,
            &tape,
            [&d, &d_dot],
            Some(&mut grad),
            &mut hv,
            &mut ws,
        );
        close("gradient beside the product", &grad, &gradient, 1e-12);
        if net.mlp.activation == Activation::Tanh {
            let shifted = |h: f64| d.iter().zip(&d_dot).map(|(d, t)| d + h * t).collect::<Vec<f64>>();
            let difference = slope(&net.vjp(&up, &shifted(STEP)), &net.vjp(&down, &shifted(-STEP)));
            close("product", &hv, &difference, 1e-5);
        }
    }
}

/// `-0.5 sum z^2 - log_std` of a 3 -> 5 -> 4 -> 2 Gaussian network, differentiated by dfdx.
#[test]
fn gradients_match_an_independent_library() {
    const ROWS: usize = 7;
    let rng = &mut Rng::seed_from_u64(3);
    let spec = Spec { hidden: vec![5, 4], ..Spec::mlp() };
    let policy = Policy::build(&spec, &Space::unbounded(3), &Space::unbounded(2)).expect("spaces fit");
    let mut theta: Vec<f64> = policy.init(rng);
    theta.iter_mut().for_each(|x| *x += rng.random_range(-0.5..0.5));
    let (obs, values, weights) = (vector(ROWS * 3, rng), vector(ROWS * 2, rng), vector(ROWS, rng));
    let mut tape = Tape::new();
    policy.forward(&theta, &obs, ROWS, &mut tape);
    let mut ours = vec![0.0; theta.len()];
    let actions = Actions::Continuous { values: values.clone(), width: 2 };
    let w = Weights { log_prob: &weights, entropy: None, value: None };
    policy.grad(&theta, &obs, &actions, &tape, &w, &mut ours, &mut Workspace::new());

    let part = |name: &str| {
        let tensors = policy.tensors();
        let tensor = tensors.into_iter().find(|t| t.name == name).expect(name);
        theta[tensor.offset..][..tensor.shape.iter().product()].to_vec()
    };
    let dev = Cpu::default();
    let w0: Tensor<Rank2<3, 5>, f64, Cpu> = dev.tensor_from_vec(part("mlp.0.weight"), (Const::<3>, Const::<5>));
    let b0: Tensor<Rank1<5>, f64, Cpu> = dev.tensor_from_vec(part("mlp.0.bias"), (Const::<5>,));
    let w1: Tensor<Rank2<5, 4>, f64, Cpu> = dev.tensor_from_vec(part("mlp.1.weight"), (Const::<5>, Const::<4>));
    let b1: Tensor<Rank1<4>, f64, Cpu> = dev.tensor_from_vec(part("mlp.1.bias"), (Const::<4>,));
    let w2: Tensor<Rank2<4, 2>, f64, Cpu> = dev.tensor_from_vec(part("mlp.2.weight"), (Const::<4>, Const::<2>));
    let b2: Tensor<Rank1<2>, f64, Cpu> = dev.tensor_from_vec(part("mlp.2.bias"), (Const::<2>,));
    let log_std: Tensor<Rank1<2>, f64, Cpu> = dev.tensor_from_vec(part("log_std"), (Const::<2>,));
    let x: Tensor<Rank2<ROWS, 3>, f64, Cpu> = dev.tensor_from_vec(obs, (Const::<ROWS>, Const::<3>));
    let a: Tensor<Rank2<ROWS, 2>, f64, Cpu> = dev.tensor_from_vec(values, (Const::<ROWS>, Const::<2>));
    let doubled: Vec<f64> = weights.iter().flat_map(|w| [*w, *w]).collect();
    let w: Tensor<Rank2<ROWS, 2>, f64, Cpu> = dev.tensor_from_vec(doubled, (Const::<ROWS>, Const::<2>));
    let h = (x.leaky_trace().matmul(w0.clone()) + b0.leaky_trace().broadcast::<Rank2<ROWS, 5>, Axis<0>>()).tanh();
    let h = (h.matmul(w1.clone()) + b1.leaky_trace().broadcast::<Rank2<ROWS, 4>, Axis<0>>()).tanh();
    let mean = h.matmul(w2.clone()) + b2.leaky_trace().broadcast::<Rank2<ROWS, 2>, Axis<0>>();
    let s = log_std.leaky_trace().broadcast::<Rank2<ROWS, 2>, Axis<0>>();
    let z = (mean - a) * (-log_std.leaky_trace().broadcast::<Rank2<ROWS, 2>, Axis<0>>()).exp();
    let loss = ((z.square() * -0.5 - s) * w).sum();
    let grads = loss.backward();
    let theirs: Vec<f64> = [
        grads.get(&w0).as_vec(),
        grads.get(&b0).as_vec(),
        grads.get(&w1).as_vec(),
        grads.get(&b1).as_vec(),
        grads.get(&w2).as_vec(),
        grads.get(&b2).as_vec(),
        grads.get(&log_std).as_vec(),
    ]
    .concat();
    close("dfdx", &ours, &theirs, 1e-12);
}

/// Gradient and product of a 2 -> 100 -> 100 -> k policy in F.
fn derivatives<F: Real>(policy: &Policy, theta: &[f64], direction: &[f64], obs: &[f64], rows: usize) -> [Vec<f64>; 2] {
    let (theta, direction, obs): (Vec<F>, Vec<F>, Vec<F>) = (cast(theta), cast(direction), cast(obs));
    let (mut tape, mut ws) = (Tape::new(), Workspace::new());
    policy.forward(&theta, &obs, rows, &mut tape);
    let rng = &mut Rng::seed_from_u64(77);
    let actions = match policy.empty_actions::<F>() {
        Actions::Discrete(_) => Actions::Discrete((0..rows).map(|_| rng.random_range(0..3)).collect()),
        Actions::Continuous { width, .. } => Actions::Continuous { values: cast(&vector(rows * width, rng)), width },
    };
    let (w, e): (Vec<F>, Vec<F>) = (cast(&vector(rows, rng)), cast(&vector(rows, rng)));
    let value = policy.has_value().then_some(&e[..]);
    let weights = Weights { log_prob: &w, entropy: Some(&e), value };
    let (mut grad, mut hv) = (vec![F::zero(); theta.len()], vec![F::zero(); theta.len()]);
    policy.grad_hvp(
        &theta,
        &direction,
        &obs,
        &actions,
        &tape,
        &weights,
        &mut |rows, w| w.log_prob.copy_from_slice(rows.log_prob),
        Some(&mut grad),
        &mut hv,
        &mut ws,
    );
    [grad, hv].map(|x| x.iter().map(|x| x.f64()).collect())
}

#[test]
fn single_precision_derivatives_follow_double() {
    for (action, value_head) in [(Space::unbounded(2), false), (Space::Discrete(3), true)] {
        let spec = Spec { value_head, ..Spec::mlp() };
        let policy = Policy::build(&spec, &Space::unbounded(2), &action).expect("spaces fit");
        let rng = &mut Rng::seed_from_u64(5);
        let theta: Vec<f64> = policy.init(rng);
        let (direction, obs) = (vector(theta.len(), rng), vector(600, rng));
        let single = derivatives::<f32>(&policy, &theta, &direction, &obs, 300);
        let double = derivatives::<f64>(&policy, &theta, &direction, &obs, 300);
        for (single, double) in single.iter().zip(&double) {
            let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
            let error = norm(&mut single.iter().zip(double).map(|(a, b)| a - b)) / norm(&mut double.iter().copied());
            assert!(error < 2e-6, "{error}");
        }
        assert_eq!(double, derivatives::<f64>(&policy, &theta, &direction, &obs, 300), "equal bits when repeated");
    }
}

#[test]
fn probabilities_sum_to_one_and_frequencies_follow_them() {
    const DRAWS: u32 = 40_000;
    let policy = Policy::build(&Spec::tabular(), &Space::Discrete(2), &Space::Discrete(4)).expect("spaces fit");
    let theta = [0.3, -1.0, 2.0, 0.0, 900.0, 1.0, 901.0, -900.0];
    let mut tape = Tape::new();
    policy.forward(&theta, &[0.0, 1.0], 2, &mut tape);
    let mut p = Vec::new();
    policy.probabilities(&tape, &mut p);
    for row in p.chunks_exact(4) {
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-15);
    }
    let mut log_prob = Vec::new();
    policy.log_prob(&theta, &tape, &Actions::Discrete(vec![2, 0]), &mut log_prob);
    close("log-probability", &log_prob, &[p[2].ln(), p[4].ln()], 1e-14);
    let mut rngs = vec![Rng::seed_from_u64(1), Rng::seed_from_u64(2)];
    let mut counts = [0u32; 8];
    for _ in 0..DRAWS {
        let mut actions = policy.empty_actions::<f64>();
        policy.sample(&theta, &tape, 0..2, &mut rngs, &mut actions);
        let Actions::Discrete(taken) = actions else { unreachable!() };
        taken.iter().enumerate().for_each(|(row, a)| counts[4 * row + *a as usize] += 1);
    }
    for (count, p) in counts.iter().zip(&p) {
        let (n, count) = (f64::from(DRAWS), f64::from(*count));
        assert!((count - n * p).abs() <= 4.5 * (n * p * (1.0 - p)).sqrt() + 1e-6, "{count} of {n} at {p}");
    }
}

/// Equal generators couple two parameter vectors: actions differ exactly by the means, whatever the precision.
#[test]
fn common_random_numbers_couple() {
    let spec = Spec { hidden: vec![4], ..Spec::mlp() };
    let policy = Policy::build(&spec, &Space::unbounded(2), &Space::unbounded(3)).expect("spaces fit");
    let theta: Vec<f64> = policy.init(&mut Rng::seed_from_u64(1));
    let mut moved = theta.clone();
    moved.iter_mut().take(8).for_each(|x| *x += 0.1);
    let obs = [0.4, -0.2, 0.1, 0.9];
    let act = |theta: &[f64]| {
        let mut tape = Tape::new();
        policy.forward(theta, &obs, 2, &mut tape);
        let mut rngs = vec![Rng::seed_from_u64(8), Rng::seed_from_u64(9)];
        let (mut actions, mut means) = (policy.empty_actions(), policy.empty_actions());
        policy.sample(theta, &tape, 0..2, &mut rngs, &mut actions);
        policy.mean_action(theta, &tape, 0..2, &mut means);
        let (Actions::Continuous { values: a, .. }, Actions::Continuous { values: m, .. }) = (actions, means) else {
            unreachable!()
        };
        a.iter().zip(&m).map(|(a, m)| a - m).collect::<Vec<f64>>()
    };
    close("noise", &act(&theta), &act(&moved), 1e-14);
}

#[test]
fn building_explains_what_is_allowed() {
    let build = |spec: Spec, observation: Space, action: Space| Policy::build(&spec, &observation, &action);
    let why = build(Spec::tabular(), Space::unbounded(2), Space::Discrete(3)).unwrap_err();
    assert!(why.contains("discrete") && why.contains("mlp"), "{why}");
    let why = build(Spec { value_head: true, ..Spec::tabular() }, Space::Discrete(2), Space::Discrete(3)).unwrap_err();
    assert!(why.contains("value_head") && why.contains("mlp"), "{why}");
    let why = build(Spec { hidden: vec![3, 0], ..Spec::mlp() }, Space::Discrete(2), Space::Discrete(3)).unwrap_err();
    assert!(why.contains("hidden"), "{why}");
    let one_hot = build(Spec::mlp(), Space::Discrete(5), Space::Discrete(3)).expect("networks read one-hot rows");
    let mut row = [9.0f32; 5];
    one_hot.encode(&[3.0], &mut row);
    assert_eq!(row, [0.0, 0.0, 0.0, 1.0, 0.0]);
    let tensors = one_hot.tensors();
    assert_eq!((tensors[0].name.as_str(), tensors[0].shape.as_slice()), ("mlp.0.weight", [5, 100].as_slice()));
    assert_eq!(Spec { kind: Kind::Mlp, ..Spec::tabular() }.hidden, Vec::<usize>::new());
}
