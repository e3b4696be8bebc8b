//! `forward_rows`: an unroll evaluated step by step leaves the tape of one forward pass.

use super::problem::{Problem, uniform};
use stillpoint::diff::{
    Activation, Architecture, At, ConditionedMlp, ConvInit, ConvNet, ConvTape, Frame, Free, Gradient, Network,
    Separate, Stage,
};
use stillpoint::rng::{Address, Purpose};

fn small() -> ConvNet {
    let frame = Frame { channels: 4, height: 20, width: 18 };
    let stages = [Stage::Conv { channels: 8, kernel: 4, stride: 2 }, Stage::Section { channels: 5 }];
    ConvNet::of_stages(frame, &stages, 130, 19, 2, 4)
}

#[test]
fn parts_give_the_bits_of_the_whole() {
    [small(), small().with_branch(3)].into_iter().for_each(in_bits);
}

fn in_bits(net: ConvNet) {
    let p = Problem::<f32>::new(net, 11);
    let mut whole = ConvTape::default();
    let output = p.forward(&mut whole);
    let gradient = p.gradient(&mut whole);
    let tangent = p.tangent(p.along(), &mut whole);
    // One tape throughout: it is started anew, and first used by another network.
    let mut tape = ConvTape::default();
    Problem::<f32>::new(ConvNet::new(Architecture::ImpalaShallow, p_frame(), 3, 0, 0), 2).forward(&mut tape);
    for cuts in [vec![0, 1, 2, 11], vec![0, 11], vec![0, 4, 8, 11], vec![0, 10, 11]] {
        Network::<f32>::reserve(&p.net, 11, &mut tape);
        for ends in cuts.windows(2) {
            let seen = p.net.frame().len() * ends[1];
            p.net.forward_rows(At { obs: &p.obs[..seen], ..p.at() }, ends[0]..ends[1], &mut tape);
            assert_eq!(p.net.output(&tape), &output[..ends[1] * 19]);
        }
        assert_eq!(p.gradient(&mut tape), gradient);
        assert_eq!(p.tangent(p.along(), &mut tape), tangent);
    }
}

fn p_frame() -> Frame {
    Frame { channels: 2, height: 36, width: 36 }
}

/// A network evaluated in parts against itself evaluated at once, on numbers or bytes.
fn in_parts<N: Network<f64>>(net: &N, obs: &[N::Obs], exact: bool) {
    let theta = uniform(net.n_params(), 1);
    let condition = uniform(net.conditioning(), 2);
    let at = At { theta: &theta, obs, condition: &condition };
    let rows = obs.len() / net.obs_width();
    let run = |cuts: &[usize]| {
        let mut tape = N::Tape::default();
        net.reserve(rows, &mut tape);
        cuts.windows(2).for_each(|ends| net.forward_rows(at, ends[0]..ends[1], &mut tape));
        let (mut g, mut c) = (vec![0.0; theta.len()], vec![0.0; condition.len()]);
        let d = uniform(rows * net.outputs(), 3);
        net.vjp(at, &d, Gradient { theta: &mut g, condition: &mut c }, &mut tape);
        [net.output(&tape).to_vec(), g, c].concat()
    };
    let (a, b) = (run(&[0, rows]), run(&[0, 1, 3, rows]));
    let limit = if exact { 0.0 } else { 1e-12 };
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= limit * a.abs().max(1.0)));
}

#[test]
fn wrappers_pass_rows_on() {
    let obs = uniform(7 * 3, 9);
    let mlp = |outputs| ConditionedMlp::new(vec![3, 12, outputs], Activation::Tanh, 2, 3);
    in_parts(&mlp(4), &obs, false);
    in_parts(&Free { net: mlp(4), count: 2, place: 1 }, &obs, false);
    in_parts(&Separate { actor: mlp(4), critic: mlp(1) }, &obs, false);
    let p = Problem::<f64>::new(small(), 7);
    in_parts(&Free { net: small(), count: 2, place: 1 }, &p.obs, false);
}

#[test]
fn initial_parameters_are_as_said() {
    let net = small();
    let policy = ConvInit::Orthogonal { policy: 18, policy_gain: 0.01, value_gain: 1.0 };
    let draw = |init| net.init::<f64>(init, &mut Address::new(3, Purpose::Init).stream());
    let theta = draw(policy);
    let (shape, weight, bias) = net.convolutions().nth(1).expect("a second convolution");
    assert_eq!(shape, [3, 3, 8, 5]);
    let columns = |w: &[f64], n: usize, a: usize, b: usize| w.chunks(n).map(|r| r[a] * r[b]).sum::<f64>();
    for a in 0..5 {
        for b in 0..5 {
            let expected = if a == b { 2.0 } else { 0.0 };
            assert!((columns(&theta[weight.clone()], 5, a, b) - expected).abs() < 1e-10);
        }
    }
    assert!(theta[bias.clone()].iter().all(|b| *b == 0.0));
    let [.., out, _] = net.dense();
    assert!((columns(&theta[out.clone()], 19, 3, 3) - 1e-4).abs() < 1e-12);
    assert!((columns(&theta[out], 19, 18, 18) - 1.0).abs() < 1e-10);
    let branched = small().with_branch(1).init::<f64>(policy, &mut Address::new(3, Purpose::Init).stream());
    let [.., out, _] = small().with_branch(1).dense();
    assert!((columns(&branched[out], 18, 3, 3) - 1e-4).abs() < 1e-12);
    let [second, _, out, _] = small().with_branch(1).branch().expect("one");
    let [_, first] = net.embedding();
    let both = [&branched[second], &branched[first]].concat(); // one orthogonal matrix over hidden layer and embedding
    assert!((columns(&both, 130, 7, 7) - 2.0).abs() < 1e-10 && columns(&both, 130, 7, 9).abs() < 1e-10);
    assert!((columns(&branched[out], 1, 0, 0) - 1.0).abs() < 1e-10);
    let limit = 1.0 / (72.0f64).sqrt();
    let inside = |x: &[f64]| x.iter().all(|x| x.abs() <= limit) && x.iter().any(|x| x.abs() > 0.5 * limit);
    let theta = draw(ConvInit::FanIn);
    assert!(inside(&theta[weight.clone()]) && inside(&theta[bias]));
    let theta = draw(ConvInit::Glorot);
    let limit = (6.0 / (9.0 * 13.0f64)).sqrt();
    assert!(theta[weight].iter().all(|w| w.abs() <= limit));
}
