//! `evaluate` through the real binary: numbers, verdict, references, drawings and dumps.

use crate::run_directory::{refuse, succeed};
use serde_json::Value;
use std::path::Path;

fn json(dir: &Path, line: &str) -> Value {
    let text = succeed(dir, &format!("evaluate {line} --json -q"));
    assert_eq!(text.lines().count(), 1, "one object: {text}");
    serde_json::from_str(&text).expect("JSON")
}

fn trained(line: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("scratch");
    succeed(dir.path(), &format!("train {line} -q --out r"));
    dir
}

/// The probe that needs adaptation and nothing else, trained for a moment, and the same policy untrained.
#[test]
fn adaptation_helps_where_it_must() {
    let dir = trained("probe/adaptation --iterations 30");
    let report = json(dir.path(), "r --tasks 60 --shots 20,2");
    let evaluations = report["evaluations"].as_array().expect("one per number of shots");
    assert_eq!(evaluations.len(), 2);
    assert_eq!(evaluations[0]["adaptation_helps"], "yes", "{report}");
    let returns = evaluations[0]["returns"].as_array().expect("after 0..=K steps");
    assert_eq!(returns.len(), 2);
    let (before, after) = (returns[0]["mean"].as_f64().expect("number"), returns[1]["mean"].as_f64().expect("number"));
    let gain = evaluations[0]["gain"]["mean"].as_f64().expect("number");
    assert!((after - before - gain).abs() < 1e-9);
    assert_eq!(report["references"]["unadapted"]["mean"].as_f64(), Some(before));
    let text = succeed(dir.path(), "evaluate r --tasks 60");
    assert!(text.contains("does adaptation help? yes, by"), "{text}");
    assert!(text.contains("random actions"), "{text}");
}

/// Negative control: an inner step of size (almost) zero changes nothing, and the verdict must not be yes.
#[test]
fn control_no_step_no_help() {
    let dir = trained("navigation/sgmrl --smoke --set inner.alpha=1e-12");
    let report = json(dir.path(), "r --tasks 8");
    assert_ne!(report["evaluations"][0]["adaptation_helps"], "yes", "{report}");
    let text = succeed(dir.path(), "evaluate r --tasks 1");
    assert!(text.contains("cannot tell"), "one task tells nothing: {text}");
}

#[test]
fn the_optimum_bounds_the_returns_of_a_tabular_family() {
    let dir = trained("dirichlet-mdp --smoke");
    let report = json(dir.path(), "r --tasks 30 --seeds 2 --steps 2");
    assert_eq!(report["evaluations"][0]["returns"].as_array().expect("three").len(), 3);
    let mean = |v: &Value| v["mean"].as_f64().expect("number");
    let (random, optimal) = (mean(&report["references"]["random"]), mean(&report["references"]["optimal"]));
    assert!(optimal > random + 0.5, "{report}");
    assert!(optimal > mean(&report["evaluations"][0]["returns"][2]), "{report}");
    assert!(json(dir.path(), "r --tasks 30 --seeds 2 --steps 2") == report, "the same question has the same answer");
}

#[test]
fn paths_are_drawn_and_trajectories_dumped() {
    let dir = trained("navigation/sgmrl --smoke");
    let d = dir.path();
    let report = json(d, "r --tasks 3 --plot paths.svg --episodes paths.csv");
    let svg = std::fs::read_to_string(d.join("paths.svg")).expect("drawn");
    assert!(svg.starts_with("<svg") && svg.contains("after adaptation") && svg.contains("task 3"));
    let csv = std::fs::read_to_string(d.join("paths.csv")).expect("dumped");
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let head: Vec<String> = reader.headers().expect("a head").iter().map(String::from).collect();
    let want = "task,phase,episode,step,observation_0,observation_1,action_0,action_1,reward,terminated"
        .split(',')
        .collect::<Vec<_>>();
    assert_eq!(head, want);
    let (mut total, mut episodes) = (0.0, 0);
    for line in reader.records() {
        let line = line.expect("whole");
        if &line[1] == "after_0_steps" {
            total += line[8].parse::<f64>().expect("number");
            episodes += usize::from(&line[3] == "0");
        }
    }
    assert_eq!(episodes, 3 * 20);
    let mean = report["evaluations"][0]["returns"][0]["mean"].as_f64().expect("number");
    assert!(
        (total / episodes as f64 - mean).abs() < 1e-9 * mean.abs(),
        "the dump holds the episodes that were measured"
    );
}

#[test]
fn what_cannot_be_evaluated_is_said() {
    let dir = trained("bandit/bernoulli-5 --smoke");
    let d = dir.path();
    assert!(refuse(d, "evaluate r --plot p.svg", 2).contains("navigation"));
    assert!(!d.join("p.svg").exists());
    assert!(refuse(d, "evaluate none", 2).contains("no such directory"));
    assert!(refuse(d, "evaluate .", 2).contains("not a run directory"));
    assert!(refuse(d, "evaluate r --steps 100000", 2).contains("--steps"));
    assert!(refuse(d, "evaluate r --episodes no/where.csv", 2).contains("does not exist"));
    let mut damaged = Vec::new();
    for entry in std::fs::read_dir(d.join("r/checkpoints")).expect("there") {
        let path = entry.expect("there").path();
        std::fs::write(&path, b"x").expect("writable");
        damaged.push(path);
    }
    assert!(!damaged.is_empty());
    assert!(refuse(d, "evaluate r", 2).contains("no checkpoint can be used"));
}
