//! Outputs and derivatives against PyTorch's (`tests/fixtures/networks/networks.json`), at small sizes and at the real ones.

use super::problem::{Problem, error, uniform};
use serde_json::Value;
use stillpoint::diff::{Architecture, ConvNet, ConvTape, Frame, Network, Stage};
use stillpoint::math::real::Real;

fn cases() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/networks/networks.json");
    let text = std::fs::read_to_string(path).expect("committed");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    all["cases"].as_array().expect("cases").clone()
}

fn count(value: &Value) -> usize {
    value.as_u64().expect("a count") as usize
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("numbers").iter().map(|x| x.as_f64().expect("a number")).collect()
}

fn network(case: &Value) -> ConvNet {
    let frame = &case["frame"];
    let frame = Frame { channels: count(&frame[0]), height: count(&frame[1]), width: count(&frame[2]) };
    let stage = |s: &Value| match s[0].as_str() {
        Some("conv") => Stage::Conv { channels: count(&s[1]), kernel: count(&s[2]), stride: count(&s[3]) },
        _ => Stage::Section { channels: count(&s[1]) },
    };
    let stages: Vec<Stage> = case["stages"].as_array().expect("stages").iter().map(stage).collect();
    let [hidden, outputs, conditioning] = ["hidden", "outputs", "conditioning"].map(|k| count(&case[k]));
    // The script's parts say the embedding's size only through the number of parameters.
    (0..=16)
        .map(|size| ConvNet::of_stages(frame, &stages, hidden, outputs, conditioning, size))
        .find(|net| Network::<f64>::n_params(net) == count(&case["n_params"]))
        .expect("an embedding of at most 16")
}

/// What the script shows of a gradient: everything, or sums with eight sets of signs and the sum of absolute values.
fn shown<F: Real>(x: &[F], whole: bool) -> Vec<f64> {
    let x: Vec<f64> = x.iter().map(|x| x.f64()).collect();
    if whole {
        return x;
    }
    let sum = |seed: u32| x.iter().zip(uniform(x.len(), seed)).map(|(x, u)| x * u.signum()).sum::<f64>();
    (100..108).map(sum).chain([x.iter().map(|x| x.abs()).sum()]).collect()
}

/// Largest error over outputs, tangents, gradients and their tangents.
fn worst<F: Real>(case: &Value) -> f64 {
    let (net, whole) = (network(case), case["whole"] == true);
    let problem = Problem::<F>::new(net, count(&case["rows"]));
    let mut tape = ConvTape::default();
    let output = problem.forward(&mut tape);
    let tangent = problem.tangent(problem.along(), &mut tape);
    let gradient = shown(&problem.gradient(&mut tape), whole);
    let dot = shown(&problem.gradient_tangent(problem.along(), &mut tape), whole);
    // The sum of absolute values is far larger than those with signs: it is compared by itself.
    let sums = |a: &[f64], key: &str| {
        let b = numbers(&case[key]);
        let cut = if whole { b.len() } else { b.len() - 1 };
        let rest = if whole { 0.0 } else { error(&a[cut..], &b[cut..]) };
        error(&a[..cut], &b[..cut]).max(rest)
    };
    let errors = [
        error(&output, &numbers(&case["output"])),
        error(&tangent, &numbers(&case["tangent"])),
        sums(&gradient, "gradient"),
        sums(&dot, "gradient_tangent"),
    ];
    errors.into_iter().fold(0.0, f64::max)
}

#[test]
fn networks_match_pytorch() {
    for case in cases() {
        let name = case["name"].as_str().expect("a name");
        let error = worst::<f64>(&case);
        assert!(error < 1e-10, "{name} in f64: {error:e}");
        let error = worst::<f32>(&case);
        assert!(error < 1e-5, "{name} in f32: {error:e}");
    }
}

#[test]
fn control_a_wrong_number_is_found() {
    let case = &cases()[0];
    let mut problem = Problem::<f64>::new(network(case), count(&case["rows"]));
    problem.theta[0] += 1e-3;
    let output = problem.forward(&mut ConvTape::default());
    assert!(error(&output, &numbers(&case["output"])) > 1e-5);
}

#[test]
fn sizes_are_those_of_the_literature() {
    let net = |architecture| ConvNet::new(architecture, Frame::ATARI, 7, 2, 16);
    let (nature, shallow, deep) =
        (net(Architecture::Nature), net(Architecture::ImpalaShallow), net(Architecture::ImpalaDeep));
    // 84^2 16 36 + 4 42^2 16 144 + 42^2 32 144 + 4 21^2 32 288 + 21^2 32 288 + 4 11^2 32 288 + 3872 256
    assert_eq!(deep.multiply_adds(), 54_222_848);
    assert_eq!(deep.torso_params(), 1_089_232);
    // 20^2 32 256 + 9^2 64 512 + 7^2 64 576 + 3136 512
    assert_eq!(nature.multiply_adds(), 9_342_976);
    assert_eq!(nature.torso_params(), 1_684_128);
    // 20^2 16 256 + 9^2 32 256 + 2592 256
    assert_eq!(shallow.multiply_adds(), 2_965_504);
    assert_eq!(shallow.torso_params(), 676_144);
    // Heads and embedding come on top.
    let rest = 256 * 7 + 7 + 2 * 16 + 16 * 256;
    assert_eq!(Network::<f32>::n_params(&deep), deep.torso_params() + rest);
}
