//! A checkpoint read in Python gives the same action means. Needs Python with NumPy and safetensors, else says that it was skipped.

use super::scratch::Scratch;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use stillpoint::config;
use stillpoint::diff::Tape;
use stillpoint::learn::meta::Learner;
use stillpoint::policy::Policy;

/// The interpreter to use: `STILLPOINT_PYTHON`, else `python3`; `None` with a message if it lacks the packages.
fn python() -> Option<String> {
    let python = std::env::var("STILLPOINT_PYTHON").unwrap_or_else(|_| "python3".into());
    let ready = Command::new(&python).args(["-c", "import numpy, safetensors.numpy"]).output();
    if ready.is_ok_and(|o| o.status.success()) {
        return Some(python);
    }
    eprintln!("SKIPPED: {python} cannot import numpy and safetensors; set STILLPOINT_PYTHON to one that can");
    None
}

#[test]
fn action_means_agree_to_one_in_a_million() {
    let Some(python) = python() else { return };
    let scratch = Scratch::new();
    let run = scratch.path().join("run");
    let train = Command::new(env!("CARGO_BIN_EXE_stillpoint"))
        .args([
            "train",
            "navigation/sgmrl",
            "--smoke",
            "--iterations",
            "3",
            "-q",
            "--set",
            "policy.hidden=[20, 20]",
            "--out",
        ])
        .arg(&run)
        .output()
        .expect("the binary runs");
    assert!(train.status.success(), "{}", String::from_utf8_lossy(&train.stderr));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/read_checkpoint.py");
    let observations = [[0.1f32, -0.2], [0.0, 0.0], [-0.5, 0.5]];
    let read = Command::new(python)
        .arg(script)
        .arg(&run)
        .arg(serde_json::to_string(&observations).expect("numbers"))
        .output()
        .expect("Python runs");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let theirs: Vec<Vec<f64>> = serde_json::from_slice(&read.stdout).expect("one JSON array");

    let set = vec!["policy.hidden=[20, 20]".to_string()];
    let overrides = config::Overrides { set, iterations: Some(3), smoke: true, ..Default::default() };
    let loaded = config::load(Some("navigation/sgmrl"), &overrides).expect("a preset");
    let (observation, action) = (loaded.family.observation_space(), loaded.family.action_space());
    let policy = Policy::build(&loaded.plan.policy, &observation, &action).expect("it fits");
    let mut learner =
        Learner::<f32>::new(Arc::from(loaded.family), policy.clone(), loaded.plan.options, loaded.plan.seed);
    (0..3).for_each(|_| drop(learner.step().expect("it does not diverge")));
    let mut tape = Tape::default();
    policy.forward(&learner.state().theta, observations.as_flattened(), 3, &mut tape);
    for (row, theirs) in theirs.iter().enumerate() {
        for (ours, theirs) in tape.output_row(row).iter().zip(theirs) {
            assert!((f64::from(*ours) - theirs).abs() < 1e-6, "row {row}: {ours} against {theirs}");
        }
    }
}
