//! `watch` from outside, without a terminal: finished, growing, killed and half-written runs, and what is no run.

use crate::run_directory::{refuse, run, stillpoint, succeed};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const TINY: &str = "train bandit/bernoulli-5 --smoke -q --out run";

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("scratch")
}

fn append(path: &Path, text: &str) {
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    file.expect("there").write_all(text.as_bytes()).expect("writable");
}

#[test]
fn a_finished_run_is_summed_up() {
    let dir = scratch();
    succeed(dir.path(), &format!("{TINY} --iterations 4"));
    for how in ["", "--plain", "--once", "-q"] {
        let text = succeed(dir.path(), &format!("watch run {how}"));
        let parts =
            ["bandit/bernoulli-5", "seed 1", "finished, iteration 4/4, 100 %", "after:", "steps:", "--gap-every N"];
        for part in parts {
            assert!(text.contains(part), "{how}: {part}\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "escape sequences in plain text: {text:?}");
    }
    let row = std::fs::read_to_string(dir.path().join("run/metrics.jsonl")).expect("rows");
    let last: serde_json::Value = serde_json::from_str(row.lines().last().expect("four")).expect("JSON");
    let shown = format!("after:     {:.3} [", last["returns"][1]["mean"].as_f64().expect("a number"));
    let text = succeed(dir.path(), "watch run");
    assert!(text.contains(&shown), "{shown}\n{text}");
}

#[test]
fn measured_gaps_are_shown() {
    let dir = scratch();
    succeed(dir.path(), &format!("{TINY} --iterations 2"));
    let gap = |iteration: u64, interval: &str, root: &str| {
        format!(
            "{{\"iteration\":{iteration},\"environment_steps\":0,\"method\":\"u-statistic\",\"gap_squared\":0.0625,\
             \"gap_squared_interval\":{interval},\"gap\":{root},\"groups\":8,\"noise\":0.1,\"value\":0.5,\"measure_steps\":5,\"seconds\":0.1}}\n"
        )
    };
    let path = dir.path().join("run/gap.jsonl");
    append(&path, &gap(0, "[-0.01,0.09]", "null"));
    let text = succeed(dir.path(), "watch run");
    assert!(text.contains("below resolution, at most 0.3000 at iteration 0, u-statistic"), "{text}");
    append(&path, &(gap(2, "[0.04,0.09]", "0.25") + "{\"torn"));
    let text = succeed(dir.path(), "watch run");
    assert!(text.contains("0.2500 [0.2000, 0.3000] at iteration 2") && text.contains("1 of 2 below"), "{text}");
    append(&path, "\n\n");
    assert!(refuse(dir.path(), "watch run", 2).contains("gap.jsonl: line 3"));
}

/// Follows a run that is stopped by `signal` after some rows: every row from the state first printed on is one line.
#[cfg(unix)]
fn followed(signal: &str) -> String {
    let dir = scratch();
    let mut training = stillpoint(dir.path(), &format!("{TINY} --iterations 1000000"));
    let mut training = training.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    let begun = Instant::now();
    while std::fs::read_to_string(dir.path().join("run/metrics.jsonl")).map_or(0, |t| t.lines().count()) < 3 {
        assert!(begun.elapsed() < Duration::from_secs(60), "no rows");
        std::thread::sleep(Duration::from_millis(5));
    }
    let watching = stillpoint(dir.path(), "watch run --every 2").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let watching = watching.expect("the binary starts");
    std::thread::sleep(Duration::from_millis(700));
    let sent = std::process::Command::new("kill").args([format!("-{signal}"), training.id().to_string()]).status();
    assert!(sent.expect("kill exists").success());
    training.wait().expect("a child");
    let output = watching.wait_with_output().expect("a child");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let first = text.split("iteration ").nth(1).and_then(|t| t.split('/').next()).expect("a state").replace(' ', "");
    let numbers: Vec<u64> = text
        .lines()
        .filter(|l| l.starts_with("iteration ") && l.contains("return "))
        .map(|l| l["iteration ".len()..].split('/').next().expect("one").parse().expect("a number"))
        .collect();
    let start: u64 = first.parse().expect("a number");
    let expected: Vec<u64> = (start + 1..=*numbers.last().expect("lines")).filter(|i| i.is_multiple_of(2)).collect();
    assert_eq!(numbers, expected);
    text
}

#[cfg(unix)]
#[test]
fn a_growing_run_is_followed_until_it_ends() {
    assert!(followed("TERM").contains("\ninterrupted, iteration"));
}

#[cfg(unix)]
#[test]
fn a_killed_run_is_not_waited_for() {
    assert!(followed("KILL").contains("killed?"));
}

#[test]
fn a_half_written_run_is_shown_as_far_as_it_goes_or_refused() {
    let dir = scratch();
    succeed(dir.path(), &format!("{TINY} --iterations 3"));
    let rows = dir.path().join("run/metrics.jsonl");
    append(&rows, "{\"iteration\":4,\"ret");
    assert!(succeed(dir.path(), "watch run").contains("iteration 3/3"));
    append(&rows, "\n{}\n");
    assert!(refuse(dir.path(), "watch run", 2).contains("metrics.jsonl: line 4"));
    std::fs::remove_file(&rows).expect("there");
    assert!(succeed(dir.path(), "watch run").contains("iteration 0/3"));
    let config = dir.path().join("run/config.toml");
    let text = std::fs::read_to_string(&config).expect("there");
    std::fs::write(&config, text.replacen("seed = ", "sede = ", 1)).expect("writable");
    let message = refuse(dir.path(), "watch run", 2);
    assert!(message.contains("config.toml") && message.contains("`sede`"), "{message}");
    std::fs::remove_file(&config).expect("there");
    assert!(refuse(dir.path(), "watch run", 2).contains("half a run"));
}

#[test]
fn what_is_no_run_is_refused() {
    let dir = scratch();
    std::fs::write(dir.path().join("file"), "x").expect("writable");
    std::fs::create_dir_all(dir.path().join("empty")).expect("writable");
    std::fs::create_dir_all(dir.path().join("other")).expect("writable");
    std::fs::write(dir.path().join("other/thesis.tex"), "x").expect("writable");
    let cases = [("none", "no such directory"), ("file", "is a file"), ("empty", "is empty"), ("other", "not a run")];
    for (name, part) in cases {
        for how in ["", "--once", "--plain"] {
            let message = refuse(dir.path(), &format!("watch {name} {how}"), 2);
            assert!(message.contains(part) && message.contains(name), "{message}");
        }
    }
    assert_eq!(run(dir.path(), "watch").status.code(), Some(2));
    assert_eq!(run(dir.path(), "watch none --every 0").status.code(), Some(2));
}
