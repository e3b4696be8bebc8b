//! The run directory through the real binary: exact resumption whatever happened, and refusals that touch nothing.

use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The binary under test, run in `dir`.
pub(crate) fn stillpoint(dir: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stillpoint"));
    command.current_dir(dir).args(line.split_whitespace()).stdin(Stdio::null());
    command
}

/// Runs to the end.
pub(crate) fn run(dir: &Path, line: &str) -> Output {
    stillpoint(dir, line).output().expect("the binary starts")
}

/// Runs to the end, which must be success.
pub(crate) fn succeed(dir: &Path, line: &str) -> String {
    let output = run(dir, line);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Runs to the end, which must be exit code `code`; returns the message.
pub(crate) fn refuse(dir: &Path, line: &str, code: i32) -> String {
    let output = run(dir, line);
    let message = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(code), "{line}: {message}");
    assert!(!message.contains("panicked"), "{message}");
    message
}

/// Rows without what the machine determines.
pub(crate) fn rows(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).expect("rows");
    let parse = |line: &str| {
        let Value::Object(mut map) = serde_json::from_str::<Value>(line).expect("a whole row") else {
            panic!("a row is an object")
        };
        map.retain(|key, value| {
            let machine = key.contains("seconds");
            assert!(!machine || value.is_number() && key.bytes().all(|b| b == b'_' || b.is_ascii_lowercase()));
            !machine
        });
        Value::Object(map)
    };
    text.lines().map(parse).collect()
}

pub(crate) fn status(run: &Path) -> String {
    let text = std::fs::read_to_string(run.join("run.json")).expect("status");
    let info: Value = serde_json::from_str(&text).expect("JSON");
    info["status"].as_str().expect("a word").to_string()
}

const TINY: &str = "train navigation/sgmrl --smoke -q";

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("scratch")
}

/// Waits until the run has `n` rows.
pub(crate) fn wait_for_rows(run: &Path, n: usize) {
    let begun = Instant::now();
    while std::fs::read_to_string(run.join("metrics.jsonl")).map_or(0, |t| t.lines().count()) < n {
        assert!(begun.elapsed() < Duration::from_secs(60), "no {n} rows in {}", run.display());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Starts a run that takes minutes if nobody stops it.
pub(crate) fn long(dir: &Path, line: &str) -> Child {
    stillpoint(dir, line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts")
}

#[cfg(unix)]
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().expect("kill exists");
    assert!(sent.success());
}

#[test]
fn three_and_three_are_six() {
    let dir = scratch();
    let d = dir.path();
    for preset in ["navigation/sgmrl", "bandit/bernoulli-5"] {
        for learn in ["false", "true"] {
            let line = format!("train {preset} --smoke -q --force --set inner.learn_alpha={learn}");
            succeed(d, &format!("{line} --out six --iterations 6"));
            succeed(d, &format!("{line} --out half --iterations 3"));
            let stdout = succeed(d, "train --resume --out half");
            assert!(stdout.contains("finished"), "{stdout}");
            succeed(d, "train -q --resume --out half --iterations 6");
            assert_eq!(rows(&d.join("half")), rows(&d.join("six")));
            assert_eq!(rows(&d.join("six")).len(), 6);
            let config = |run: &str| std::fs::read(d.join(run).join("config.toml")).expect("there");
            assert_eq!(config("half"), config("six"), "the resolved configuration follows --iterations");
            let tensors =
                |run: &str| std::fs::read(d.join(run).join("checkpoints/00000006.safetensors")).expect("there");
            assert_eq!(tensors("half"), tensors("six"));
        }
    }
}

#[test]
fn rows_do_not_depend_on_the_number_of_threads() {
    let dir = scratch();
    for threads in ["1", "2", "8"] {
        let line = format!("{TINY} --out t{threads} --iterations 4 --set outer.tasks=7");
        let done = stillpoint(dir.path(), &line).env("RAYON_NUM_THREADS", threads).output().expect("the binary starts");
        assert!(done.status.success());
    }
    let one = rows(&dir.path().join("t1"));
    assert_eq!(one.len(), 4);
    assert_eq!(rows(&dir.path().join("t2")), one);
    assert_eq!(rows(&dir.path().join("t8")), one);
}

/// Seconds of work that are in the rows and in no checkpoint.
fn at_stake(run: &Path) -> f64 {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).expect("rows");
    let since = |line: &str| serde_json::from_str::<Value>(line).ok()?["seconds_since_start"].as_f64();
    let times: Vec<f64> = text.lines().filter_map(since).collect();
    let names = std::fs::read_dir(run.join("checkpoints")).expect("there").map(|e| e.expect("there").file_name());
    let iteration = |name: std::ffi::OsString| name.to_str()?.strip_suffix(".json")?.parse::<usize>().ok();
    let saved = names.filter_map(iteration).max().expect("checkpoint 0 stands");
    let at = |row: usize| if row == 0 { 0.0 } else { times[row - 1] };
    at(times.len()) - at(saved.min(times.len()))
}

#[test]
fn killed_at_any_moment_a_run_resumes_to_identical_rows() {
    let dir = scratch();
    let d = dir.path();
    let line = format!("{TINY} --iterations 250 --set outer.episodes=20 --set inner.episodes=20");
    let begun = Instant::now();
    succeed(d, &format!("{line} --out whole"));
    let whole = begun.elapsed().min(Duration::from_secs(2));
    let whole_rows = rows(&d.join("whole"));
    for (attempt, fractions) in [[0.31, 0.52, 0.77], [0.05, 0.93, 0.61]].iter().enumerate() {
        let name = format!("killed{attempt}");
        let mut child = long(d, &format!("{line} --out {name}"));
        wait_for_rows(&d.join(&name), 1);
        for fraction in fractions {
            std::thread::sleep(whole.mul_f64(*fraction));
            child.kill().expect("ours");
            child.wait().expect("ours");
            assert!(at_stake(&d.join(&name)) < 1.5, "a second at most, and room for a busy machine");
            child = long(d, &format!("train -q --resume --out {name}"));
        }
        assert!(child.wait().expect("ours").success());
        assert_eq!(rows(&d.join(&name)), whole_rows);
        assert_eq!(status(&d.join(&name)), "finished");
    }
}

#[test]
fn killed_while_being_set_up_a_run_can_be_resumed_or_replaced() {
    let dir = scratch();
    let d = dir.path();
    succeed(d, &format!("{TINY} --out whole"));
    for micros in (0..20u64).map(|i| i * 700) {
        let mut child = long(d, &format!("{TINY} --out r --force"));
        std::thread::sleep(Duration::from_micros(micros));
        child.kill().expect("ours");
        child.wait().expect("ours");
        let resumed = run(d, "train -q --resume --out r");
        let message = String::from_utf8_lossy(&resumed.stderr);
        match resumed.status.code() {
            Some(0) => {}
            // too early for a configuration to stand: said so, and nothing can have been lost
            Some(2) if ["half a run", "is empty", "no such"].iter().any(|m| message.contains(m)) => {
                succeed(d, &format!("{TINY} --out r --force"));
            }
            other => panic!("{other:?}: {message}"),
        }
        assert_eq!(rows(&d.join("r")), rows(&d.join("whole")));
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_exits_130_and_resumes_to_identical_rows() {
    let dir = scratch();
    let d = dir.path();
    for name in ["INT", "TERM"] {
        let line = format!("{TINY} --iterations 100000 --out {name}");
        let mut command = stillpoint(d, &line);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        wait_for_rows(&d.join(name), 5);
        signal(&child, name);
        let output = child.wait_with_output().expect("ours");
        assert_eq!(output.status.code(), Some(130));
        assert!(String::from_utf8_lossy(&output.stderr).contains("--resume"));
        assert_eq!(status(&d.join(name)), "interrupted");
        let done = rows(&d.join(name)).len();
        succeed(d, &format!("train -q --resume --out {name} --iterations {}", done + 3));
        succeed(d, &format!("{TINY} --out whole{name} --iterations {}", done + 3));
        assert_eq!(rows(&d.join(name)), rows(&d.join(format!("whole{name}"))));
    }
}

#[test]
fn a_torn_line_and_a_damaged_checkpoint_cost_only_the_work_behind_the_one_before() {
    type Damage = fn(&Path);
    fn newest(run: &Path, extension: &str) -> PathBuf {
        run.join("checkpoints/00000006").with_extension(extension)
    }
    let damages: [(&str, Damage, Option<&str>); 5] = [
        ("torn line", |r| append(&r.join("metrics.jsonl"), b"{\"iteration\":7,\"ret"), None),
        (
            "short tensors",
            |r| std::fs::write(newest(r, "safetensors"), b"\x10\0").expect("writable"),
            Some("safetensors"),
        ),
        ("corrupt JSON", |r| std::fs::write(newest(r, "json"), b"{]").expect("writable"), Some("00000006.json")),
        ("missing tensors", |r| std::fs::remove_file(newest(r, "safetensors")).expect("there"), Some("safetensors")),
        ("leftover", |r| append(&r.join("checkpoints/00000009.json.tmp"), b"{"), None),
    ];
    let dir = scratch();
    let d = dir.path();
    succeed(d, &format!("{TINY} --out whole --iterations 9"));
    for (what, damage, named) in damages {
        succeed(d, &format!("{TINY} --force --out r --iterations 3"));
        succeed(d, "train -q --resume --out r --iterations 6");
        damage(&d.join("r"));
        let output = run(d, "train --resume --out r --iterations 9");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{what}: {message}");
        assert!(named.is_none_or(|n| message.contains(n)), "{what}: {message}");
        assert_eq!(rows(&d.join("r")), rows(&d.join("whole")), "{what}");
    }
}

fn append(path: &Path, bytes: &[u8]) {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    file.expect("writable").write_all(bytes).expect("writable");
}

#[test]
fn what_cannot_be_continued_is_said() {
    let dir = scratch();
    let d = dir.path();
    assert!(refuse(d, "train --resume --out none", 2).contains("no such directory"));
    std::fs::create_dir(d.join("empty")).expect("writable");
    assert!(refuse(d, "train --resume --out empty", 2).contains("is empty"));
    std::fs::write(d.join("file"), "").expect("writable");
    assert!(refuse(d, "train --resume --out file", 2).contains("is a file"));
    succeed(d, &format!("{TINY} --out r"));
    let before = std::fs::read(d.join("r/metrics.jsonl")).expect("there");
    let message = refuse(d, "train --resume --out r --set inner.alpha=0.7 --seed 9", 2);
    assert!(message.contains("inner.alpha") && message.contains("0.7") && message.contains("seed"), "{message}");
    assert!(refuse(d, "train bandit/gaussian --resume --out r", 2).contains("family.name"));
    assert!(refuse(d, "train --resume --out r --iterations 2", 2).contains("at least 3"));
    assert_eq!(std::fs::read(d.join("r/metrics.jsonl")).expect("there"), before);
    for (file, text, says) in [
        ("config.toml", "iterations = \"x\"", "config.toml"),
        ("run.json", "[]", "run.json"),
        ("metrics.jsonl", "{}\n{}\n{}\n", "metrics.jsonl: line 1"),
    ] {
        succeed(d, &format!("{TINY} --force --out r"));
        std::fs::write(d.join("r").join(file), text).expect("writable");
        let message = refuse(d, "train --resume --out r --iterations 9", 2);
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn nothing_is_written_over_a_run_without_being_asked() {
    let dir = scratch();
    let d = dir.path();
    std::fs::create_dir(d.join("r")).expect("writable");
    succeed(d, &format!("{TINY} --out r"));
    let message = refuse(d, &format!("{TINY} --out r"), 2);
    assert!(message.contains("--resume") && message.contains("--force"), "{message}");
    succeed(d, &format!("{TINY} --out r --force --iterations 2"));
    assert_eq!(rows(&d.join("r")).len(), 2);
    std::fs::remove_file(d.join("r/run.json")).expect("there");
    assert!(refuse(d, &format!("{TINY} --out r"), 2).contains("--force"));
    succeed(d, &format!("{TINY} --out r --force"));
    std::fs::create_dir(d.join("home")).expect("writable");
    std::fs::write(d.join("home/thesis.tex"), "years").expect("writable");
    for flags in ["", "--force"] {
        assert!(refuse(d, &format!("{TINY} --out home {flags}"), 2).contains("thesis.tex"));
    }
    assert_eq!(std::fs::read_dir(d.join("home")).expect("there").count(), 1, "nothing was added either");
    refuse(d, "train --smoke --out new --set inner.alpha=-1", 2);
    assert!(!d.join("new").exists(), "a wrong configuration leaves no directory behind");
}

#[cfg(unix)]
#[test]
fn one_process_at_a_time_trains_in_a_directory() {
    let dir = scratch();
    let d = dir.path();
    let mut child = long(d, &format!("{TINY} --iterations 100000 --out r"));
    wait_for_rows(&d.join("r"), 2);
    for line in [format!("{TINY} --out r --force"), "train --resume --out r".into()] {
        assert!(refuse(d, &line, 2).contains("another process"), "{line}");
    }
    child.kill().expect("ours");
    child.wait().expect("ours");
    succeed(d, &format!("{TINY} --out r --force"));
}

#[test]
fn without_out_a_fresh_directory_is_made_and_printed() {
    let dir = scratch();
    let d = dir.path();
    for n in 1..=2 {
        let stdout = succeed(d, &format!("{TINY} --seed 5"));
        let name = format!("runs/navigation-sgmrl-5-{n}");
        assert!(stdout.contains(&name), "{stdout}");
        assert_eq!(rows(&d.join(name)).len(), 3);
    }
}

#[test]
fn a_diverged_run_exits_3_and_is_kept() {
    let dir = scratch();
    let d = dir.path();
    let line = "--out r --iterations 20 --set outer.optimiser=sgd --set outer.beta=1e9";
    let message = refuse(d, &format!("{TINY} {line}"), 3);
    assert!(message.contains("diverged") && message.contains("outer.beta"), "{message}");
    assert_eq!(status(&d.join("r")), "diverged");
    let done = rows(&d.join("r")).len();
    assert!(d.join(format!("r/checkpoints/{done:08}.json")).exists());
    assert_eq!(refuse(d, "train -q --resume --out r", 3), message, "and so it does again");
}

#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_cannot_be_written_is_a_message() {
    let dir = scratch();
    let message = refuse(dir.path(), &format!("{TINY} --out /proc/stillpoint"), 1);
    assert!(message.contains("/proc/stillpoint"), "{message}");
}
