//! `online` on Atari games: exact meta-gradients, exact resumption, evaluation with a movie, refusals. Needs the emulator.

use crate::atari::library;
use crate::online::bare_rows;
use crate::scratch::Scratch;
use serde_json::Value;

/// A small run: the shallow network, four actors.
const SMALL: [&str; 14] = [
    "--set",
    "actors.count=4",
    "--set",
    "outer.batch=2",
    "--set",
    "network.architecture=impala-shallow",
    "--set",
    "average=1",
    "--set",
    "gap.every=3",
    "--set",
    "atari.max_frames=200",
    "--set",
    "actors.length=4",
];

/// Two updates per meta-update, and conditioning of the values alone.
const WINDOW: [&str; 8] = [
    "--set",
    "meta.window=2",
    "--set",
    "meta.surrogate=lvc",
    "--set",
    "network.condition=value",
    "--set",
    "inner.target=lambda",
];

fn small(scratch: &Scratch, args: &[&str]) -> std::process::Output {
    scratch.run(&[&["online", "atari-pong", "-q"], args, &SMALL[..]].concat())
}

#[test]
fn a_game_resumes_exactly_and_is_evaluated() {
    if library("online runs").is_none() {
        return;
    }
    let scratch = Scratch::new();
    let at = |run: &str, file: &str| scratch.path().join(run).join(file);
    for (out, updates) in [("whole", "updates=18"), ("killed", "updates=18"), ("shorter", "updates=9")] {
        let anneal = "inner.anneal=false"; // its slope depends on the length of the run
        let output = small(&scratch, &["--out", out, "--set", updates, "--set", anneal]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    std::fs::copy(at("shorter", "state.safetensors"), at("killed", "state.safetensors")).expect("writable");
    let output = scratch.run(&["online", "--resume", "--out", "killed", "-q"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let whole = bare_rows(&scratch, "whole");
    assert_eq!(bare_rows(&scratch, "killed"), whole);
    let states = ["killed", "whole"].map(|run| std::fs::read(at(run, "state.safetensors")).expect("state"));
    assert!(states[0] == states[1], "the same state, emulators included");
    let last = &whole[17];
    let [frames, steps] = ["frames", "steps"].map(|key| last[key].as_u64().expect("a count"));
    assert!((39 * steps / 10..4 * steps).contains(&frames), "four frames a step, fewer where a game is cut: {last}");
    assert!(last["episodes"].as_u64() >= Some(4), "games are cut after 200 frames: {last}");
    assert!(last["gap"]["meta"]["squared"].is_number());

    let output = scratch.run(&["evaluate", "whole", "--count", "3", "--gif", "game.gif", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(report["episodes"] == 3 && report["return"]["low"].is_number(), "{report}");
    assert!(
        report["human_normalised"].is_null() && report["human"].is_null(),
        "games are cut after 200 frames: {report}"
    );
    assert!(report["not_normalised"].as_str().is_some_and(|why| why.contains("`atari.max_frames` is 200")), "{report}");
    let movie = std::fs::read(scratch.path().join("game.gif")).expect("a movie");
    assert!(movie.starts_with(b"GIF89a") && movie.len() > 2000, "{} bytes", movie.len());
}

/// Stopped after nine updates, in the middle of a window of two.
#[test]
fn a_game_resumes_within_a_window() {
    if library("online runs").is_none() {
        return;
    }
    let scratch = Scratch::new();
    let at = |run: &str, file: &str| scratch.path().join(run).join(file);
    for (out, updates) in [("whole", "updates=14"), ("killed", "updates=14"), ("shorter", "updates=9")] {
        let args = ["--out", out, "--set", updates, "--set", "inner.anneal=false"];
        let output = small(&scratch, &[&args[..], &WINDOW[..]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    std::fs::copy(at("shorter", "state.safetensors"), at("killed", "state.safetensors")).expect("writable");
    assert!(scratch.run(&["online", "--resume", "--out", "killed", "-q"]).status.success());
    assert_eq!(bare_rows(&scratch, "killed"), bare_rows(&scratch, "whole"));
    let states = ["killed", "whole"].map(|run| std::fs::read(at(run, "state.safetensors")).expect("state"));
    assert!(states[0] == states[1], "the same state, emulators included");
    assert!(scratch.run(&["evaluate", "whole", "--count", "2"]).status.success());
}

/// In double precision, on the network and game of the configuration.
#[test]
fn the_meta_gradient_of_a_game_is_exact() {
    if library("meta-gradient").is_none() {
        return;
    }
    let scratch = Scratch::new();
    let trace = ["--set", "meta.trace=0.9", "--set", "inner.target=lambda"];
    for args in [&[][..], &WINDOW, &trace] {
        let output = small(&scratch, &[&["--check-gradient"], args].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let error: f64 = text
            .split("largest error ")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .unwrap_or_else(|| panic!("{text}"));
        assert!(error < 1e-6, "{text}");
    }
}

#[test]
fn bad_games_and_protocols_are_refused_with_the_key() {
    let scratch = Scratch::new();
    for (set, expected) in [
        ("atari=pongg", "key `atari.game`: no Atari game is called `pongg`; did you mean `pong`?"),
        ("atari.protocol=xu2019", "key `atari.protocol`: unknown value `xu2019`; did you mean `xu2018`?"),
        ("atari.sticky=2", "key `atari.sticky`"),
        ("atari.frame_skip=0", "key `atari.frame_skip`"),
        ("atari.lifes=ignored", "unknown key"),
        ("atari.life_loss=never", "allowed: ignored, terminal, episode"),
        ("network.hidden=[32]", "key `network.hidden`"),
        ("network.architecture=resnet", "allowed: nature, impala-shallow, impala-deep"),
        ("atari.size=20", "key `atari.size`"),
        ("family=cartpole", "either a `family` or an `atari` game"),
        ("outer.batch=3", "key `outer.batch`: must be whole groups"),
    ] {
        let output = scratch.run(&["online", "atari-pong", "--out", "run", "--set", set]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{set}: {message}");
        assert!(message.contains(expected), "{set}: {message}");
    }
    assert!(scratch.entries().is_empty(), "nothing is written");
}

/// Without the emulator: a plain message, exit code 2, nothing written.
#[test]
fn a_missing_emulator_is_a_message() {
    let scratch = Scratch::new();
    let empty = scratch.path().join("empty");
    std::fs::create_dir(&empty).expect("writable");
    let output = scratch.run_with(&["online", "atari-pong", "--out", "run"], &[("STILLPOINT_DATA", empty.as_os_str())]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("stillpoint setup atari"), "{message}");
    assert!(!scratch.path().join("run").exists());
}
