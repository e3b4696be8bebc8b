//! Times outer iterations of `navigation/sgmrl` in this process and prints one JSON line that `benches/peers/compare.py` reads.
//!
//! `cargo run --release --example iteration -- [--iterations N] [--set KEY=VALUE]…`

mod support;

use std::sync::Arc;
use std::time::Instant;
use stillpoint::config;
use stillpoint::learn::meta::Learner;
use stillpoint::math::real::Real;
use stillpoint::policy::Policy;
use support::{cpu_seconds, peak_rss_mb};

fn median(mut x: Vec<f64>) -> f64 {
    x.sort_by(f64::total_cmp);
    x[x.len() / 2]
}

fn measure<F: Real>(plan: &config::plan::Plan, iterations: usize) {
    let family: Arc<dyn tasks::family::Family> =
        tasks::registry::build(&plan.family.name, &plan.family.params).expect("a built-in family").into();
    let policy = Policy::build(&plan.policy, &family.observation_space(), &family.action_space()).expect("it fits");
    let mut learner = Learner::<F>::new(family, policy, plan.options.clone(), plan.seed);
    let (mut wall, mut cpu, mut last) = (Vec::new(), Vec::new(), None);
    for i in 0..iterations + 2 {
        let (start, before) = (Instant::now(), cpu_seconds());
        last = Some(learner.step().expect("a few iterations do not diverge"));
        if i >= 2 {
            wall.push(start.elapsed().as_secs_f64());
            cpu.push(cpu_seconds() - before);
        }
    }
    let row = last.expect("at least one iteration");
    println!(
        "{}",
        serde_json::json!({
            "program": "stillpoint", "estimator": plan.options.outer.estimator.name, "precision": F::NAME,
            "cpu_seconds": median(cpu), "wall_seconds": median(wall), "peak_rss_mb": peak_rss_mb(),
            "pre_return": row.returns[0].mean, "post_return": row.returns[row.returns.len() - 1].mean,
        })
    );
}

fn main() {
    let (mut iterations, mut sets) = (20, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{flag} needs a value"));
        match flag.as_str() {
            "--iterations" => iterations = value.parse().expect("--iterations takes a number"),
            "--set" => sets.push(value),
            other => panic!("unknown flag {other}: use --iterations N and --set KEY=VALUE"),
        }
    }
    let plan = config::load(Some("navigation/sgmrl"), &config::Overrides { set: sets, ..Default::default() })
        .unwrap_or_else(|e| panic!("{e}"))
        .plan;
    match plan.precision {
        config::plan::Precision::F32 => measure::<f32>(&plan, iterations),
        config::plan::Precision::F64 => measure::<f64>(&plan, iterations),
    }
}
