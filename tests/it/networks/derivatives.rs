//! Derivative passes against central differences and against each other, in f64.

use super::problem::{Problem, error};
use stillpoint::diff::network::central_difference;
use stillpoint::diff::{Along, ConvNet, ConvTape, Frame, Gradient, Stage};

fn networks() -> Vec<ConvNet> {
    let frame = |channels, height, width| Frame { channels, height, width };
    let conv = |channels, kernel, stride| Stage::Conv { channels, kernel, stride };
    let section = |channels| Stage::Section { channels };
    vec![
        ConvNet::of_stages(frame(2, 11, 9), &[conv(3, 4, 2), conv(4, 3, 1)], 5, 3, 2, 3),
        ConvNet::of_stages(frame(4, 14, 15), &[conv(17, 4, 3), conv(2, 2, 2)], 33, 17, 0, 0),
        ConvNet::of_stages(frame(1, 7, 6), &[section(2), section(3)], 4, 2, 1, 2),
        ConvNet::of_stages(frame(2, 11, 9), &[conv(3, 4, 2), conv(4, 3, 1)], 6, 5, 1, 3).with_branch(2),
        ConvNet::of_stages(frame(1, 7, 6), &[section(2)], 33, 4, 0, 0).with_branch(1),
    ]
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `(f(h) - f(-h)) / 2 h`.
fn difference(f: impl Fn(f64) -> Vec<f64>) -> Vec<f64> {
    let h = 1e-6;
    f(h).iter().zip(f(-h)).map(|(a, b)| (a - b) / (2.0 * h)).collect()
}

#[test]
fn passes_match_central_differences() {
    for net in networks() {
        let p = Problem::<f64>::new(net, 3);
        let mut tape = ConvTape::default();
        p.forward(&mut tape);
        let tangent = p.tangent(p.along(), &mut tape);
        let numeric = difference(|h| p.moved(h).forward(&mut ConvTape::default()));
        assert!(error(&tangent, &numeric) < 1e-7, "JVP: {:e}", error(&tangent, &numeric));

        let gradient = p.gradient(&mut tape);
        let direction = [p.theta_dot.clone(), p.condition_dot.clone()].concat();
        let (a, b) = (dot(&gradient, &direction), dot(&p.cotangents[0], &tangent));
        assert!((a - b).abs() < 1e-12 * b.abs(), "VJP and JVP are adjoint: {a} {b}");

        p.tangent(p.along(), &mut tape);
        let exact = p.gradient_tangent(p.along(), &mut tape);
        let numeric = difference(|h| {
            let (moved, mut tape) = (p.moved(h), ConvTape::default());
            moved.forward(&mut tape);
            moved.gradient(&mut tape)
        });
        assert!(error(&exact, &numeric) < 1e-6, "tangent of the VJP: {:e}", error(&exact, &numeric));
    }
}

/// The policy's outputs do not see what the values are conditioned on; without a branch they do.
#[test]
fn conditioning_enters_a_branch_alone() {
    let moves = |net: ConvNet| -> Vec<bool> {
        let p = Problem::<f64>::new(net, 3);
        let mut tape = ConvTape::default();
        p.forward(&mut tape);
        let tangent = p.tangent(Along { theta: None, condition: Some(&p.condition_dot) }, &mut tape);
        (0..5).map(|k| tangent.chunks(5).any(|row| row[k] != 0.0)).collect()
    };
    let net = || {
        ConvNet::of_stages(Frame { channels: 2, height: 9, width: 9 }, &[Stage::Section { channels: 3 }], 8, 5, 1, 4)
    };
    assert_eq!(moves(net().with_branch(2)), [false, false, false, true, true]);
    assert_eq!(moves(net()), [true; 5]);
}

#[test]
fn directions_may_be_absent() {
    for net in networks() {
        let p = Problem::<f64>::new(net, 2);
        let zero = Problem { theta_dot: vec![0.0; p.theta.len()], ..p.clone() };
        let mut tape = ConvTape::default();
        p.forward(&mut tape);
        let along = Along { theta: None, condition: Some(&p.condition_dot) };
        let (a, b) = (p.tangent(along, &mut tape), p.gradient_tangent(along, &mut tape));
        let (c, d) = (zero.tangent(zero.along(), &mut tape), zero.gradient_tangent(zero.along(), &mut tape));
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(close(&a, &c) && close(&b, &d));
    }
}

#[test]
fn the_default_pass_agrees_with_the_exact_one() {
    let p = Problem::<f64>::new(networks().remove(0), 2);
    let mut tape = ConvTape::default();
    p.forward(&mut tape);
    p.tangent(p.along(), &mut tape);
    let exact = p.gradient_tangent(p.along(), &mut tape);
    let (mut theta, mut condition) = (vec![0.0; p.theta.len()], vec![0.0; p.condition.len()]);
    let out = Gradient { theta: &mut theta, condition: &mut condition };
    central_difference(&p.net, p.at(), p.along(), [&p.cotangents[0], &p.cotangents[1]], out);
    let numeric = [theta, condition].concat();
    assert!(error(&numeric, &exact) < 1e-4, "{:e}", error(&numeric, &exact));
}

#[test]
fn single_precision_agrees_with_double() {
    for net in networks() {
        let (a, b) = (Problem::<f32>::new(net.clone(), 3), Problem::<f64>::new(net, 3));
        let (mut s, mut t) = (ConvTape::default(), ConvTape::default());
        assert!(error(&a.forward(&mut s), &b.forward(&mut t)) < 1e-5);
        assert!(error(&a.tangent(a.along(), &mut s), &b.tangent(b.along(), &mut t)) < 1e-5);
        assert!(error(&a.gradient(&mut s), &b.gradient(&mut t)) < 1e-5);
        let (a, b) = (a.gradient_tangent(a.along(), &mut s), b.gradient_tangent(b.along(), &mut t));
        assert!(error(&a, &b) < 1e-5);
    }
}

#[test]
fn control_a_transposed_weight_is_found() {
    let p = Problem::<f64>::new(networks().remove(0), 2);
    let mut tape = ConvTape::default();
    p.forward(&mut tape);
    let tangent = p.tangent(p.along(), &mut tape);
    let mut wrong = p.clone();
    wrong.theta_dot[60..90].reverse();
    let numeric = difference(|h| wrong.moved(h).forward(&mut ConvTape::default()));
    assert!(error(&tangent, &numeric) > 1e-3);
}
