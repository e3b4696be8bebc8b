//! `stationarity` through the real binary: its record, interruptions, and refusals that name what is wrong and what is allowed.

use crate::run_directory::{refuse, stillpoint, succeed};
use crate::stationarity::place;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use stillpoint::record::stationarity::read;

const LINE: &str = "stationarity --mdps two.json --iterations 5 -q";

#[test]
fn a_study_is_written_and_replaced_only_when_asked() {
    let dir = place();
    let d = dir.path();
    let text = succeed(d, &format!("{LINE} --out s"));
    assert!(text.contains("record s"), "{text}");
    let (study, rows) = read(&d.join("s")).expect("readable");
    let study = study.expect("written");
    assert_eq!(study.setting["gap_every"], 1, "expected dynamics");
    assert!(study.status == "finished" && study.runs.len() == 2 && rows.len() == 12, "{}", rows.len());
    let message = refuse(d, &format!("{LINE} --out s --beta 0.3"), 2);
    assert!(message.contains("s: ") && message.contains("--force"), "{message}");
    assert_eq!(read(&d.join("s")).expect("readable").0.as_ref(), Some(&study), "untouched");
    succeed(d, "report s -q");
    succeed(d, &format!("{LINE} --out s --beta 0.3 --estimators sgmrl --force"));
    let (study, rows) = read(&d.join("s")).expect("readable");
    assert!(study.expect("written").setting["beta"] == 0.3 && rows.len() == 6);
    // a wrong request leaves the old study alone
    refuse(d, &format!("{LINE} --out s --force --estimators nobody"), 2);
    refuse(d, &format!("{LINE} --out s --force --dynamics sampled --gap-groups 3"), 2);
    assert_eq!(read(&d.join("s")).expect("readable").1.len(), 6);
}

#[test]
fn what_is_not_a_study_is_not_touched() {
    let dir = place();
    let d = dir.path();
    std::fs::create_dir(d.join("home")).expect("writable");
    std::fs::write(d.join("home/thesis.tex"), "years").expect("writable");
    for flags in ["", "--force"] {
        assert!(refuse(d, &format!("{LINE} --out home {flags}"), 2).contains("thesis.tex"));
        assert!(refuse(d, &format!("{LINE} --out two.json {flags}"), 2).contains("is a file"));
    }
    assert_eq!(std::fs::read_dir(d.join("home")).expect("there").count(), 1);
    assert!(refuse(d, &format!("{LINE} --force"), 2).contains("--out"));
    std::fs::create_dir(d.join("empty")).expect("writable");
    succeed(d, &format!("{LINE} --out empty"));
    #[cfg(target_os = "linux")]
    {
        let message = refuse(d, &format!("{LINE} --out /proc/stillpoint"), 1);
        assert!(message.contains("/proc/stillpoint") && !message.contains("backtrace"), "{message}");
    }
}

/// Rows whose iteration is not a divisor's multiple are kept too: every sampled measurement is, and so is the last.
#[test]
fn every_sampled_measurement_is_in_the_record() {
    let dir = place();
    let line =
        "--dynamics sampled --inner-batch 1 --iterations 2500 --gap-every 101 --tasks-per-batch 1 --estimators sgmrl";
    succeed(dir.path(), &format!("stationarity --mdps two.json {line} --out s -q"));
    let (study, rows) = read(&dir.path().join("s")).expect("readable");
    let at: Vec<u64> = rows.iter().map(|r| r.iteration).collect();
    let expected: Vec<u64> = (0..25).map(|i| i * 101).chain([2500]).collect();
    assert_eq!(at, expected);
    let study = study.expect("written");
    assert_eq!(study.setting["gap_every"], 101);
    let smoothness = study.empirical_smoothness;
    assert!(smoothness.is_some_and(|l| l > 0.05), "seen between a dozen points, not two: {smoothness:?}");
}

#[cfg(unix)]
fn interrupt(dir: &Path, line: &str, begun: impl Fn() -> bool) -> (Option<i32>, String) {
    let mut command = stillpoint(dir, line);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let start = Instant::now();
    while !begun() {
        assert!(start.elapsed() < Duration::from_secs(60), "it never began");
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(Duration::from_millis(200));
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill exists").success());
    let output = child.wait_with_output().expect("ours");
    assert!(output.stdout.is_empty(), "half a study is not printed as one");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

#[cfg(unix)]
#[test]
fn an_interrupted_study_keeps_what_was_measured() {
    let dir = place();
    let d = dir.path();
    let long = "stationarity --mdps two.json --dynamics sampled --iterations 100000000 --gap-every 3 --seeds 2 --out s";
    let (code, message) = interrupt(d, long, || d.join("s/stationarity.jsonl").exists());
    assert_eq!(code, Some(130), "{message}");
    assert!(message.contains("s keeps what was measured") && !message.contains("panicked"), "{message}");
    let (study, rows) = read(&d.join("s")).expect("readable");
    let study = study.expect("written");
    assert_eq!(study.status, "interrupted");
    for run in &study.runs {
        for seed in &run.seeds {
            let last = rows.iter().rfind(|r| r.estimator == run.estimator && r.seed == seed.seed).expect("rows");
            assert!(seed.outcome == "interrupted" && seed.iterations == last.iteration, "{seed:?}");
            assert_eq!(seed.r#final.gap_squared, last.gap.gap_squared);
        }
    }
    assert!(rows.len() > 8, "{}", rows.len());
    succeed(d, "report s -q");
    succeed(d, &format!("{LINE} --out s --force"));
}

/// Killed without a chance to say goodbye: the rows are there, at most one of them torn.
#[test]
fn a_killed_study_leaves_its_rows() {
    let dir = place();
    let d = dir.path();
    let long =
        "stationarity --mdps two.json --dynamics sampled --iterations 100000000 --gap-every 3 --seeds 2 --out s -q";
    let mut child = stillpoint(d, long).stdout(Stdio::null()).spawn().expect("the binary starts");
    let start = Instant::now();
    while std::fs::read_to_string(d.join("s/stationarity.jsonl")).map_or(0, |t| t.lines().count()) < 20 {
        assert!(start.elapsed() < Duration::from_secs(60), "rows are written as they are measured");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("ours");
    child.wait().expect("ours");
    let (study, rows) = read(&d.join("s")).expect("readable");
    assert!(study.is_none() && rows.len() >= 19, "{}", rows.len());
    assert!(succeed(d, "report s").contains("No estimator has a complete run"));
    // in order when it ends: the file is the same whatever measured first
    for threads in ["1", "4"] {
        let line = format!("{LINE} --dynamics sampled --seeds 3 --force --out t{threads}");
        let done = stillpoint(d, &line).env("RAYON_NUM_THREADS", threads).output().expect("the binary starts");
        assert!(done.status.success());
    }
    let text = |out: &str| std::fs::read_to_string(d.join(out).join("stationarity.jsonl")).expect("rows");
    assert_eq!(text("t1"), text("t4"));
}

#[test]
fn a_study_that_diverges_says_so_and_stays_readable() {
    let dir = place();
    let d = dir.path();
    let message = refuse(d, &format!("{LINE} --alpha 1e308 --out s"), 3);
    assert!(message.contains("--alpha") && message.contains("start"), "{message}");
    let line = "stationarity navigation/sgmrl --dynamics sampled --inner-batch 1 --outer-batch 2 --tasks-per-batch 1 \
                --gap-groups 4 --gap-tasks 1 --iterations 4 --estimators maml --beta 1e300 -q --out n";
    let message = refuse(d, line, 3);
    assert!(message.contains("diverged: maml") && message.contains("--beta"), "{message}");
    let (study, rows) = read(&d.join("n")).expect("readable");
    assert_eq!(study.expect("written").runs[0].seeds[0].outcome, "diverged");
    assert!(!rows.is_empty());
    let asserted = stillpoint(d, &format!("{line} --force")).args(["--assert", "maml.value < 1e9"]).output();
    let asserted = asserted.expect("the binary starts");
    assert_eq!(asserted.status.code(), Some(4), "a diverged run supports no claim");
    // V constant: no smoothness to divide by
    std::fs::write(
        d.join("flat.json"),
        r#"{"gamma": 1, "horizon": 1, "tasks": [{"weight": 1, "start": [1], "reward": [[0, 0]], "transition": [[[1], [1]]]}]}"#,
    )
    .expect("writable");
    succeed(d, "stationarity --mdps flat.json --iterations 3 -q --out flat");
    assert!(read(&d.join("flat")).expect("readable").0.is_some());
}

#[test]
fn bad_input_is_named_with_what_is_allowed() {
    let dir = place();
    let d = dir.path();
    std::fs::write(d.join("broken.json"), "{\"gamma\": 0.9,").expect("writable");
    std::fs::write(d.join("three.json"), "[1, 2, 3]").expect("writable");
    let sampled = "--mdps two.json --dynamics sampled --iterations 2";
    for (line, says) in [
        ("--mdps none.json", &["none.json", "cannot be read"][..]),
        ("--mdps broken.json", &["broken.json", "not JSON", "line 1"]),
        ("--mdps two.json analytic/a", &["--mdps", "CONFIG"]),
        ("", &["--mdps", "CONFIG"]),
        ("nobody/knows", &["nobody/knows", "presets:", "analytic/a"]),
        ("analytic/a --set family.foo=1", &["family.foo", "allowed"]),
        ("--mdps two.json --set family.tasks=1", &["--set", "--mdps"]),
        ("--mdps two.json --estimators sgmrl,reptile", &["--estimators", "reptile", "allowed: sgmrl"]),
        ("--mdps two.json --estimators sgmrl,sgmrl", &["--estimators", "twice"]),
        ("--mdps two.json --alpha -1", &["--alpha", "0 or more"]),
        ("--mdps two.json --alpha nan", &["--alpha", "0 or more"]),
        ("--mdps two.json --beta 0", &["--beta", "above 0"]),
        ("--mdps two.json --beta -2", &["--beta", "above 0"]),
        ("--mdps two.json --beta inf", &["--beta", "above 0"]),
        ("--mdps two.json --inner-batch 0", &["--inner-batch", "1.."]),
        ("--mdps two.json --inner-steps 0", &["--inner-steps", "1.."]),
        ("--mdps two.json --outer-batch 0", &["--outer-batch", "1.."]),
        ("--mdps two.json --tasks-per-batch 0", &["--tasks-per-batch", "1.."]),
        ("--mdps two.json --iterations 0", &["--iterations", "1.."]),
        ("--mdps two.json --iterations many", &["--iterations", "many"]),
        ("--mdps two.json --theta three.json", &["--theta three.json", "3 numbers", "4 finite numbers"]),
        ("--mdps two.json --theta none.json", &["--theta none.json", "cannot be read", "random:SEED"]),
        ("--mdps two.json --epsilon 0", &["--epsilon", "above 0"]),
        ("--mdps two.json --epsilon 0.1,-0.1", &["--epsilon", "above 0"]),
        ("--mdps two.json --epsilon -1", &["--epsilon", "above 0"]),
        ("--mdps two.json --epsilon nan", &["--epsilon", "above 0"]),
        ("garnet --dynamics sampled --outer-batch 1", &["outer.baseline", "two outer episodes", "none, inner"]),
        ("garnet --dynamics sampled --tasks-per-batch 2000000", &["--tasks-per-batch 2000000", "outer.tasks"]),
        ("garnet --dynamics sampled --inner-steps 2000", &["--inner-steps 2000", "inner.steps"]),
        ("--mdps two.json --dynamics best", &["--dynamics", "expected, sampled"]),
        ("--mdps two.json --inner-batch 60", &["--inner-batch", "--dynamics sampled", "limit"]),
        ("bandit/gaussian", &["--dynamics expected", "--dynamics sampled"]),
        ("navigation/sgmrl", &["--dynamics expected", "--dynamics sampled"]),
        (&format!("{sampled} --gap-groups 3"), &["--gap-groups", "from 4 to 100000"]),
        (&format!("{sampled} --gap-groups 1000000000 --gap-tasks 1000000000"), &["--gap-groups", "to 1000000"]),
        (&format!("{sampled} --gap-tasks 1000000000"), &["--gap-tasks", "to 25000"]),
        (&format!("{sampled} --tasks-per-batch 1000000000 --outer-batch 1000000000"), &["--tasks-per-batch", "GiB"]),
        (&format!("{sampled} --inner-batch 1000000000"), &["--inner-batch", "GiB"]),
        (&format!("{sampled} --inner-steps 1000000000"), &["--inner-batch", "GiB"]),
        ("garnet --dynamics sampled --tasks-per-batch 1000000", &["--tasks-per-batch 1000000", "outer.tasks", "GiB"]),
        (&format!("{sampled} --gap-tasks 0"), &["--gap-tasks", "1.."]),
        (&format!("{sampled} --gap-every 0"), &["--gap-every", "1.."]),
        (&format!("{sampled} --seeds 0"), &["--seeds", "1.."]),
        (&format!("{sampled} --seeds 2 --seed 18446744073709551615"), &["--seed 18446744073709551615", "--seeds"]),
        (&format!("{sampled} --inner-batch 60 --gap-method enumerated"), &["--gap-method", "limit"]),
        ("navigation/sgmrl --dynamics sampled --gap-method rao-blackwell", &["--gap-method", "softmax table"]),
    ] {
        let message = refuse(d, &format!("stationarity {line} --out r"), 2);
        assert!(says.iter().all(|word| message.contains(word)), "{line}: {message}");
        assert!(!message.contains("backtrace") && !d.join("r").exists(), "{line}: {message}");
    }
}

/// Every line of running text fits a terminal of 80 columns.
#[test]
fn the_table_fits_a_terminal() {
    let dir = place();
    let sampled =
        "--dynamics sampled --gap-method u-statistic --gap-groups 4 --seeds 5 --rates --iterations 16 --floor";
    for line in ["--mdps two.json --estimators published-sgmrl,maml,sgmrl", &format!("--mdps two.json {sampled}")] {
        let text = succeed(dir.path(), &format!("stationarity {line} -q"));
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
