//! Directories of `online` runs that something has happened to, and short files, through the real binary: nothing is lost or mixed.

use crate::report::check;
use crate::run_directory::{refuse, rows, succeed};
use std::path::Path;

const CARTPOLE: &str = "online cartpole -q --set updates=20 --set average=1";

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("scratch")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("there")
}

#[test]
fn a_run_without_its_state_keeps_its_rows() {
    let dir = scratch();
    let run = dir.path().join("run");
    succeed(dir.path(), &format!("{CARTPOLE} --out run"));
    let before = read(&run.join("metrics.jsonl"));
    std::fs::remove_file(run.join("state.safetensors")).expect("there");
    let message = refuse(dir.path(), "online --resume --out run", 2);
    assert!(message.contains("state.safetensors: missing, though there are rows"), "{message}");
    assert_eq!(read(&run.join("metrics.jsonl")), before);
    std::fs::write(run.join("metrics.jsonl"), "").expect("writable");
    succeed(dir.path(), "online --resume -q --out run"); // stopped while it was being set up: nothing to lose
    assert_eq!(rows(&run).len(), 20);
}

#[test]
fn a_run_goes_on_with_the_configuration_it_was_started_with_only() {
    let dir = scratch();
    succeed(dir.path(), &format!("{CARTPOLE} --out run"));
    let config = dir.path().join("run/config.toml");
    let text = read(&config);
    std::fs::write(&config, text.replace("seed = 1\n", "seed = 2\n")).expect("writable");
    let message = refuse(dir.path(), "online --resume --out run", 2);
    assert!(message.contains("config.toml: was edited after the run began"), "{message}");
    std::fs::write(&config, "seed = = 1").expect("writable");
    let message = refuse(dir.path(), "online --resume --out run", 2);
    assert!(message.contains("config.toml") && !message.contains("run of `train`"), "{message}");
    std::fs::write(&config, text).expect("writable");
    succeed(dir.path(), "online --resume -q --out run");
}

#[test]
fn runs_of_other_commands_are_named_with_what_goes_on_with_them() {
    let dir = scratch();
    succeed(dir.path(), "lola ipd-exact --smoke -q --out game");
    let message = refuse(dir.path(), "online --resume --out game", 2);
    assert!(message.contains("is a run of `lola`; go on with: stillpoint lola --resume --out game"), "{message}");
    succeed(dir.path(), "compare online-cartpole --smoke -q --out suite");
    for command in ["watch suite", "evaluate suite", "online --resume --out suite"] {
        let message = refuse(dir.path(), command, 2);
        assert!(message.contains("is the directory of a suite"), "{command}: {message}");
    }
}

#[cfg(unix)]
#[test]
fn a_second_signal_at_once_is_the_same_request() {
    use crate::run_directory::{long, signal, status, wait_for_rows};
    let dir = scratch();
    let mut child = long(dir.path(), "online cartpole -q --set updates=1000000 --out run");
    wait_for_rows(&dir.path().join("run"), 5);
    signal(&child, "TERM");
    signal(&child, "TERM");
    assert_eq!(child.wait().expect("ours").code(), Some(130));
    assert_eq!(status(&dir.path().join("run")), "interrupted", "a checkpoint stands");
}

#[test]
fn short_files_are_known_for_what_they_are() {
    let dir = scratch();
    for (text, expected) in [
        ("updates = 10\nfamily = \"cartpole\"\n", "cartpole"),
        ("updates = 10\n[task]\nname = \"signal-noise\"\n[lambda]\nmode = \"fixed\"\ninitial = 0.5\n", "signal-noise"),
        ("family = \"cartpole\"\n[actors]\ncount = 4\n[gap]\nevery = 10\n", "cartpole"),
    ] {
        std::fs::write(dir.path().join("own.toml"), text).expect("writable");
        let said = succeed(dir.path(), "check own.toml");
        assert!(said.contains("task") && said.contains(expected), "{text}: {said}");
    }
    std::fs::write(dir.path().join("own.toml"), "updates = 10\natari = \"pongg\"\n").expect("writable");
    let message = refuse(dir.path(), "check own.toml", 2);
    assert!(message.contains("did you mean `pong`?"), "{message}");
    std::fs::write(dir.path().join("own.toml"), "iterations = 2\nupdates = 10\n").expect("writable");
    let message = refuse(dir.path(), "check own.toml", 2);
    assert!(message.contains("key `updates`: unknown key"), "still judged as one of train: {message}");
}

#[test]
fn all_can_be_fixed_from_the_command_line() {
    let dir = scratch();
    let fixed = "--set gamma.mode=fixed --set lambda.mode=fixed";
    succeed(dir.path(), &format!("{CARTPOLE} {fixed} --out run"));
    assert!(!read(&dir.path().join("run/config.toml")).contains("[meta]"));
    let message = refuse(dir.path(), &format!("{CARTPOLE} {fixed} --set meta.beta=0.1 --out other"), 2);
    assert!(message.contains("key `meta`: has no effect"), "what a flag asks for is not dropped: {message}");
    let message = refuse(dir.path(), &format!("{CARTPOLE} --set gamma.mode=fixed --set meta.bet=1 --out other"), 2);
    assert!(message.contains("meta.bet"), "{message}");
}

#[test]
fn runs_of_one_seed_are_no_sample() {
    let dir = scratch();
    for run in ["a", "b"] {
        succeed(dir.path(), &format!("{CARTPOLE} --out {run}"));
    }
    let said = succeed(dir.path(), "report a b --out both");
    assert!(said.contains("one run: nothing is known of other seeds"), "{said}");
    let (page, _) = check(&dir.path().join("both"));
    assert!(page.contains("b has the seed of another run of its configuration: it is left out"));
}
