//! A network with parameters, observations and directions computed from their index, as `tests/fixtures/networks/make.py` does.

use stillpoint::diff::{Along, At, ConvNet, ConvTape, Gradient, Network};
use stillpoint::math::real::Real;

/// `n` numbers in [-1, 1) from a hash of their index.
pub fn uniform(n: usize, seed: u32) -> Vec<f64> {
    let hash = |i: u32| {
        let mut x = i.wrapping_mul(2_654_435_761).wrapping_add(seed.wrapping_mul(40_503));
        x ^= x >> 16;
        x = x.wrapping_mul(2_246_822_519);
        x ^= x >> 13;
        x = x.wrapping_mul(3_266_489_917);
        x ^ x >> 16
    };
    (1..=n as u32).map(|i| f64::from(hash(i)) / 4_294_967_296.0 * 2.0 - 1.0).collect()
}

/// Scales weights to ±sqrt(6 / inputs), biases to ±0.1.
fn scaled(net: &ConvNet, mut x: Vec<f64>) -> Vec<f64> {
    let mut scale = |range: std::ops::Range<usize>, by: f64| x[range].iter_mut().for_each(|x| *x *= by);
    let [embed, first] = net.embedding();
    let conditioning = Network::<f64>::conditioning(net);
    let size = embed.len() / conditioning.max(1);
    scale(embed, (6.0 / conditioning.max(1) as f64).sqrt());
    scale(first, (6.0 / size.max(1) as f64).sqrt());
    for (shape, weight, bias) in net.convolutions() {
        scale(weight, (6.0 / (shape[0] * shape[1] * shape[2]) as f64).sqrt());
        scale(bias, 0.1);
    }
    for [weight, bias, out_weight, out_bias] in [Some(net.dense()), net.branch()].into_iter().flatten() {
        let hidden = bias.len();
        scale(weight.clone(), (6.0 / (weight.len() / hidden) as f64).sqrt());
        scale(bias, 0.1);
        scale(out_weight, (6.0 / hidden as f64).sqrt());
        scale(out_bias, 0.1);
    }
    x
}

/// Where a network is evaluated, and directions of everything.
#[derive(Clone)]
pub struct Problem<F> {
    pub net: ConvNet,
    pub theta: Vec<F>,
    pub condition: Vec<F>,
    pub obs: Vec<u8>,
    pub cotangents: [Vec<F>; 2],
    pub theta_dot: Vec<F>,
    pub condition_dot: Vec<F>,
}

impl<F: Real> Problem<F> {
    pub fn new(net: ConvNet, rows: usize) -> Problem<F> {
        let of = |x: Vec<f64>| -> Vec<F> { x.into_iter().map(F::of).collect() };
        let [n, c] = [Network::<F>::n_params(&net), Network::<F>::conditioning(&net)];
        let d = rows * Network::<F>::outputs(&net);
        let bytes = uniform(rows * net.frame().len(), 3);
        Problem {
            theta: of(scaled(&net, uniform(n, 1))),
            condition: of(uniform(c, 2)),
            obs: bytes.into_iter().map(|x| ((x + 1.0) * 128.0) as u8).collect(),
            cotangents: [4, 5].map(|seed| of(uniform(d, seed))),
            theta_dot: of(scaled(&net, uniform(n, 6))),
            condition_dot: of(uniform(c, 7)),
            net,
        }
    }

    /// This problem a step along its direction.
    pub fn moved(&self, h: f64) -> Problem<F> {
        let add = |x: &[F], d: &[F]| x.iter().zip(d).map(|(x, d)| *x + F::of(h) * *d).collect::<Vec<F>>();
        Problem {
            theta: add(&self.theta, &self.theta_dot),
            condition: add(&self.condition, &self.condition_dot),
            cotangents: [add(&self.cotangents[0], &self.cotangents[1]), self.cotangents[1].clone()],
            ..self.clone()
        }
    }

    pub fn at(&self) -> At<'_, F, u8> {
        At { theta: &self.theta, obs: &self.obs, condition: &self.condition }
    }

    pub fn along(&self) -> Along<'_, F> {
        Along { theta: Some(&self.theta_dot), condition: Some(&self.condition_dot) }
    }

    pub fn forward(&self, tape: &mut ConvTape<F>) -> Vec<F> {
        self.net.forward(self.at(), tape);
        self.net.output(tape).to_vec()
    }

    pub fn tangent(&self, along: Along<'_, F>, tape: &mut ConvTape<F>) -> Vec<F> {
        self.net.jvp(self.at(), along, tape);
        Network::<F>::tangent(&self.net, tape).to_vec()
    }

    /// Gradient by parameters and conditioning vector, end to end.
    pub fn gradient(&self, tape: &mut ConvTape<F>) -> Vec<F> {
        let (mut theta, mut condition) = self.zeros();
        let out = Gradient { theta: &mut theta, condition: &mut condition };
        self.net.vjp(self.at(), &self.cotangents[0], out, tape);
        [theta, condition].concat()
    }

    pub fn gradient_tangent(&self, along: Along<'_, F>, tape: &mut ConvTape<F>) -> Vec<F> {
        let (mut theta, mut condition) = self.zeros();
        let out = Gradient { theta: &mut theta, condition: &mut condition };
        let [d, d_dot] = &self.cotangents;
        self.net.vjp_tangent(self.at(), along, [d, d_dot], out, tape);
        [theta, condition].concat()
    }

    fn zeros(&self) -> (Vec<F>, Vec<F>) {
        (vec![F::zero(); self.theta.len()], vec![F::zero(); self.condition.len()])
    }
}

/// max |a - b| / max |b|.
pub fn error<A: Real, B: Real>(a: &[A], b: &[B]) -> f64 {
    assert_eq!(a.len(), b.len());
    let size = b.iter().fold(0.0, |m: f64, b| m.max(b.f64().abs()));
    a.iter().zip(b).fold(0.0, |m: f64, (a, b)| m.max((a.f64() - b.f64()).abs())) / size.max(f64::MIN_POSITIVE)
}
