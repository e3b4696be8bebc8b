//! Times convolutional networks on one thread and prints one JSON line that `benches/peers/networks.py` reads.
//!
//! `cargo run --release --example networks -- [--architecture nature|impala-shallow|impala-deep] [--batch N] [--acting N]
//! [--repeats N]`

mod support;

use std::time::Instant;
use stillpoint::diff::{Along, Architecture, At, ConvInit, ConvNet, ConvTape, Frame, Gradient, Network};
use stillpoint::rng::{Address, Purpose};
use support::{cpu_seconds, peak_rss_mb};

const OUTPUTS: usize = 7;

/// What is timed: a network at a batch, with memory that is warm after one call.
struct Bench {
    net: ConvNet,
    theta: Vec<f32>,
    obs: Vec<u8>,
    cotangents: Vec<f32>,
    gradient: Vec<f32>,
    tape: ConvTape<f32>,
}

impl Bench {
    fn new(architecture: Architecture, rows: usize) -> Bench {
        let net = ConvNet::new(architecture, Frame::ATARI, OUTPUTS, 0, 0);
        let theta = net.init(ConvInit::FanIn, &mut Address::new(1, Purpose::Init).stream());
        let byte = |i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8;
        let obs = (0..(rows * Frame::ATARI.len()) as u32).map(byte).collect();
        let cotangents = (0..rows * OUTPUTS).map(|i| (i % 11) as f32 / 1000.0 - 0.005).collect();
        Bench { gradient: vec![0.0; theta.len()], net, theta, obs, cotangents, tape: ConvTape::default() }
    }

    fn forward(&mut self) {
        let at = At { theta: &self.theta, obs: &self.obs, condition: &[] };
        self.net.forward(at, &mut self.tape);
    }

    fn backward(&mut self) {
        let at = At { theta: &self.theta, obs: &self.obs, condition: &[] };
        self.gradient.fill(0.0);
        let out = Gradient { theta: &mut self.gradient, condition: &mut [] };
        self.net.vjp(at, &self.cotangents, out, &mut self.tape);
    }

    fn tangent(&mut self) {
        let at = At { theta: &self.theta, obs: &self.obs, condition: &[] };
        self.net.jvp(at, Along { theta: Some(&self.theta), condition: None }, &mut self.tape);
    }
}

/// Adds the processor and wall seconds of one call.
fn time(times: &mut Vec<[f64; 2]>, f: impl FnOnce()) {
    let (start, before) = (Instant::now(), cpu_seconds());
    f();
    times.push([cpu_seconds() - before, start.elapsed().as_secs_f64()]);
}

fn median(times: &[[f64; 2]], which: usize) -> f64 {
    let mut x: Vec<f64> = times.iter().map(|t| t[which]).collect();
    x.sort_by(f64::total_cmp);
    x[x.len() / 2]
}

fn main() {
    let (mut architecture, mut batch, mut acting, mut repeats) = ("nature".to_string(), 160, 32, 15);
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{flag} needs a value"));
        let number = || value.parse::<usize>().unwrap_or_else(|_| panic!("{flag} takes a number"));
        match flag.as_str() {
            "--architecture" => architecture = value,
            "--batch" => batch = number(),
            "--acting" => acting = number(),
            "--repeats" => repeats = number(),
            other => panic!("unknown flag {other}: use --architecture, --batch, --acting and --repeats"),
        }
    }
    let torso = match architecture.as_str() {
        "nature" => Architecture::Nature,
        "impala-shallow" => Architecture::ImpalaShallow,
        "impala-deep" => Architecture::ImpalaDeep,
        other => panic!("unknown architecture {other}: use nature, impala-shallow or impala-deep"),
    };
    let (mut learning, mut small) = (Bench::new(torso, batch), Bench::new(torso, acting));
    let [mut both, mut forward, mut tangent, mut act] = [const { Vec::new() }; 4];
    for _ in 0..repeats + 2 {
        time(&mut both, || {
            learning.forward();
            learning.backward();
        });
        time(&mut forward, || learning.forward());
        time(&mut tangent, || learning.tangent());
    }
    for _ in 0..4 * (repeats + 2) {
        time(&mut act, || small.forward());
    }
    let [both, forward, tangent] = [&both[2..], &forward[2..], &tangent[2..]];
    let act = &act[8..];
    println!(
        "{}",
        serde_json::json!({
            "program": "stillpoint", "architecture": architecture, "batch": batch, "acting_batch": acting,
            "cpu_seconds": median(both, 0), "wall_seconds": median(both, 1), "peak_rss_mb": peak_rss_mb(),
            "forward_cpu_seconds": median(forward, 0), "jvp_cpu_seconds": median(tangent, 0),
            "acting_cpu_seconds": median(act, 0), "acting_wall_seconds": median(act, 1),
        })
    );
}
