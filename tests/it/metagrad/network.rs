//! The conditioned network against central differences, and the default second-order pass against the exact one.

use super::problem::{dot, draw, error};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use stillpoint::batch::Actions;
use stillpoint::diff::network::central_difference;
use stillpoint::diff::{Activation, Along, At, ConditionedMlp, Free, Gradient, Init, Network, Separate};
use stillpoint::policy::actor_critic::{ActionHead, Heads};
use stillpoint::rng::{Address, Purpose};

fn networks() -> Vec<ConditionedMlp> {
    let mut all = Vec::new();
    for activation in [Activation::Tanh, Activation::Relu] {
        for sizes in [vec![3, 4], vec![3, 5, 4], vec![3, 6, 5, 4]] {
            for (conditioning, embedding) in [(0, 0), (2, 3), (1, 0)] {
                all.push(ConditionedMlp::new(sizes.clone(), activation, conditioning, embedding));
            }
        }
    }
    all
}

struct Point {
    theta: Vec<f64>,
    condition: Vec<f64>,
    d: Vec<f64>,
}

impl Point {
    fn random(net: &impl Network<f64>, rng: &mut ChaCha8Rng) -> Point {
        Point { theta: draw(rng, net.n_params()), condition: draw(rng, net.conditioning()), d: draw(rng, 7 * 4) }
    }

    fn moved(&self, along: &Point, h: f64) -> Point {
        let add = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + h * b).collect();
        Point {
            theta: add(&self.theta, &along.theta),
            condition: add(&self.condition, &along.condition),
            d: add(&self.d, &along.d),
        }
    }

    fn at<'a>(&'a self, obs: &'a [f64]) -> At<'a, f64, f64> {
        At { theta: &self.theta, obs, condition: &self.condition }
    }

    fn along(&self) -> Along<'_, f64> {
        Along { theta: Some(&self.theta), condition: Some(&self.condition) }
    }
}

fn forward(net: &impl Network<f64, Obs = f64>, p: &Point, obs: &[f64]) -> Vec<f64> {
    let mut tape = Default::default();
    net.forward(p.at(obs), &mut tape);
    net.output(&tape).to_vec()
}

/// Gradients by parameters and conditioning vector, end to end.
fn vjp(net: &impl Network<f64, Obs = f64>, p: &Point, obs: &[f64]) -> Vec<f64> {
    let mut tape = Default::default();
    net.forward(p.at(obs), &mut tape);
    let (mut theta, mut condition) = (vec![0.0; p.theta.len()], vec![0.0; p.condition.len()]);
    net.vjp(p.at(obs), &p.d, Gradient { theta: &mut theta, condition: &mut condition }, &mut tape);
    [theta, condition].concat()
}

/// JVP, VJP and the tangent of the VJP (exact and by default) against central differences and each other.
fn check(net: &(impl Network<f64, Obs = f64> + std::fmt::Debug), rng: &mut ChaCha8Rng) {
    let obs = draw(rng, 7 * 3);
    let (p, along) = (Point::random(net, rng), Point::random(net, rng));
    let h = 1e-6;
    let (up, down) = (p.moved(&along, h), p.moved(&along, -h));
    let slope = |a: Vec<f64>, b: Vec<f64>| -> Vec<f64> { a.iter().zip(&b).map(|(a, b)| (a - b) / (2.0 * h)).collect() };
    let mut tape = Default::default();
    net.forward(p.at(&obs), &mut tape);
    net.jvp(p.at(&obs), along.along(), &mut tape);
    let tangent = net.tangent(&tape).to_vec();
    let expected = slope(forward(net, &up, &obs), forward(net, &down, &obs));
    assert!(error(&tangent, &expected) < 1e-7, "{net:?}: JVP");
    let reverse = dot(&vjp(net, &p, &obs), &[along.theta.clone(), along.condition.clone()].concat());
    assert!((reverse - dot(&p.d, &tangent)).abs() < 1e-12, "{net:?}: VJP");
    let expected = slope(vjp(net, &up, &obs), vjp(net, &down, &obs));
    for exact in [true, false] {
        let (mut theta, mut condition) = (vec![0.0; p.theta.len()], vec![0.0; p.condition.len()]);
        let out = Gradient { theta: &mut theta, condition: &mut condition };
        match exact {
            true => net.vjp_tangent(p.at(&obs), along.along(), [&p.d, &along.d], out, &mut tape),
            false => central_difference(net, p.at(&obs), along.along(), [&p.d, &along.d], out),
        }
        let found = [theta, condition].concat();
        assert!(error(&found, &expected) < 1e-6, "{net:?}: tangent of the VJP, exact {exact}");
    }
}

#[test]
fn every_pass_is_a_derivative() {
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    networks().iter().for_each(|net| check(net, rng));
    let actor = ConditionedMlp::new(vec![3, 5, 3], Activation::Tanh, 0, 0);
    let critic = ConditionedMlp::new(vec![3, 4, 1], Activation::Tanh, 2, 3);
    check(&Separate { actor, critic }, rng);
    let net = ConditionedMlp::new(vec![3, 5, 3], Activation::Tanh, 2, 3);
    check(&Free { net, count: 1, place: 2 }, rng);
}

/// With conditioning of the critic only, the logits do not see the vector and the values do.
#[test]
fn separate_critics_are_conditioned_alone() {
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let actor = ConditionedMlp::new(vec![3, 5, 3], Activation::Tanh, 0, 0);
    let net = Separate { actor, critic: ConditionedMlp::new(vec![3, 4, 1], Activation::Tanh, 2, 3) };
    let (mut p, obs) = (Point::random(&net, rng), draw(rng, 7 * 3));
    let before = forward(&net, &p, &obs);
    p.condition[0] += 0.5;
    let after = forward(&net, &p, &obs);
    for (a, b) in before.chunks(4).zip(after.chunks(4)) {
        assert_eq!(a[..3], b[..3]);
        assert_ne!(a[3], b[3]);
    }
}

/// A direction left out is a direction of zeros.
#[test]
fn missing_directions_do_not_move() {
    let rng = &mut ChaCha8Rng::seed_from_u64(2);
    let net = ConditionedMlp::new(vec![3, 5, 4], Activation::Tanh, 2, 3);
    let (p, along, obs) = (Point::random(&net, rng), Point::random(&net, rng), draw(rng, 7 * 3));
    let zero = |n: usize| vec![0.0; n];
    let (still, fixed) = (zero(p.theta.len()), zero(p.condition.len()));
    let tangent = |along: Along<'_, f64>| {
        let mut tape = Default::default();
        net.forward(p.at(&obs), &mut tape);
        net.jvp(p.at(&obs), along, &mut tape);
        Network::<f64>::tangent(&net, &tape).to_vec()
    };
    let a = tangent(Along { theta: Some(&along.theta), condition: None });
    assert_eq!(a, tangent(Along { theta: Some(&along.theta), condition: Some(&fixed) }));
    let b = tangent(Along { theta: None, condition: Some(&along.condition) });
    assert_eq!(b, tangent(Along { theta: Some(&still), condition: Some(&along.condition) }));
    let both: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
    assert!(error(&both, &tangent(along.along())) < 1e-13);
}

/// Initial parameters fill every part, and the unconditioned network is the plain one.
#[test]
fn initial_parameters_cover_the_network() {
    let mut rng = Address::new(1, Purpose::Init).stream();
    let net = ConditionedMlp::new(vec![3, 5, 4], Activation::Relu, 2, 3);
    let theta: Vec<f64> = net.init(Init::Orthogonal { gain: 1.0 }, &mut rng);
    assert_eq!(theta.len(), 2 * 3 + 3 * 5 + (3 + 1) * 5 + (5 + 1) * 4);
    assert_eq!(theta.iter().filter(|x| **x == 0.0).count(), 5 + 4, "biases only");
    let plain = ConditionedMlp::new(vec![3, 5, 4], Activation::Relu, 2, 0);
    assert_eq!([Network::<f64>::conditioning(&plain), Network::<f64>::n_params(&plain)], [0, 4 * 5 + 6 * 4]);
}

/// Frequencies and moments of sampled actions within four standard errors (alpha 6e-5 each) of what `log_prob` says.
#[test]
fn samples_follow_the_distribution() {
    let n = 20_000;
    let mut rngs: Vec<_> = (0..n).map(|i| Address::new(5, Purpose::Inner).episode(i).stream()).collect();
    let softmax = Heads { policy: ActionHead::Softmax { actions: 3 }, values: 1 };
    let outputs = [0.3f64, -0.5, 1.0, 9.0].repeat(n);
    let mut actions = Actions::Discrete(Vec::new());
    softmax.sample(&outputs, &mut rngs, &mut actions);
    let Actions::Discrete(drawn) = &actions else { panic!("indices") };
    let distribution = softmax.distribution(&outputs);
    for a in 0..3 {
        let p = softmax.log_prob(&distribution, &Actions::Discrete(vec![a]))[0].exp();
        let found = drawn.iter().filter(|b| **b == a).count() as f64 / n as f64;
        assert!((found - p).abs() < 4.0 * (p * (1.0 - p) / n as f64).sqrt(), "{found} {p}");
    }
    let gaussian = Heads { policy: ActionHead::Gaussian { width: 1 }, values: 1 };
    let outputs = [0.3f64, -0.5, 9.0].repeat(n);
    let mut actions = Actions::Continuous { values: Vec::new(), width: 1 };
    gaussian.sample(&outputs, &mut rngs, &mut actions);
    let Actions::Continuous { values, .. } = &actions else { panic!("coordinates") };
    let (mean, std) = (values.iter().sum::<f64>() / n as f64, (-0.5f64).exp());
    assert!((mean - 0.3).abs() < 4.0 * std / (n as f64).sqrt(), "{mean}");
    // E[log pi] = -H
    let distribution = gaussian.distribution(&outputs);
    let log_prob = gaussian.log_prob(&distribution, &actions).iter().sum::<f64>() / n as f64;
    let entropy = gaussian.entropy(&distribution, 1)[0];
    assert!((log_prob + entropy).abs() < 4.0 * (0.5 / n as f64).sqrt(), "{log_prob} {entropy}");
}
