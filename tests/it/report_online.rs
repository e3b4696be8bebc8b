//! `report`, `watch` and `check` of runs of `online` through the real binary: whole, torn, empty, without gap, with a twin.

use crate::report::{check, column, copy, csv, numbers};
use crate::run_directory::{refuse, rows, succeed};
use std::io::Write as _;
use std::path::Path;

const CARTPOLE: &str = "online cartpole -q --set updates=60";

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("scratch")
}

fn cell(path: &Path, line: usize, name: &str) -> f64 {
    csv(path)[line][name].parse().unwrap_or(f64::NAN)
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-9 * b.abs().max(1.0), "{a} {b}");
}

#[test]
fn a_run_is_drawn_as_its_rows_say() {
    let dir = scratch();
    succeed(dir.path(), &format!("{CARTPOLE} --out run"));
    let printed = succeed(dir.path(), "report run");
    assert!(printed.contains("cartpole, learning gamma and lambda: 60 updates"), "{printed}");
    let out = dir.path().join("run/report");
    let (page, figures) = check(&out);
    for name in ["returns", "eta", "logits", "gap-in", "gap-out", "noise-scale", "entropy", "values", "speed"] {
        assert!(figures.iter().any(|f| f == name), "{name}: {figures:?}");
    }
    assert!(!figures.iter().any(|f| f == "off-policy"), "on-policy throughout");
    for words in
        ["local and conditional", "semi-gradient", "fixed objective J", "learned", "0 to 1", "on-policy throughout"]
    {
        assert!(page.contains(words), "{words}");
    }
    let rows = rows(&dir.path().join("run"));
    let recent: Vec<f64> = numbers(&rows, "/return_100").into_iter().filter(|x| x.is_finite()).collect();
    assert_eq!(column(&out.join("returns.csv"), "last 100 episodes", "return"), recent);
    assert_eq!(column(&out.join("eta.csv"), "gamma", "value"), numbers(&rows, "/gamma"));
    close(cell(&out.join("table-returns.csv"), 0, "return_100"), *recent.last().expect("some"));
    let frames = numbers(&rows, "/frames");
    let late: Vec<usize> = (0..60).filter(|i| frames[*i] >= 0.9 * frames[59]).collect();
    let (returns, episodes) = (numbers(&rows, "/return"), numbers(&rows, "/episodes"));
    let ended = late.iter().filter(|i| returns[**i].is_finite()).map(|i| (returns[*i], episodes[*i] - episodes[i - 1]));
    let (total, count) = ended.fold((0.0, 0.0), |(t, n), (x, k)| (t + x * k, n + k));
    close(cell(&out.join("table-returns.csv"), 0, "return_late"), total / count);
    let gap = csv(&out.join("table-gap.csv"));
    assert_eq!(
        gap.iter().map(|l| l["quantity"].as_str()).collect::<Vec<_>>()[..3],
        ["S_in", "S_in, preconditioned", "S_out"]
    );
    close(cell(&out.join("table-gap.csv"), 2, "running"), numbers(&rows, "/gap/out/running")[59]);
}

#[test]
fn chains_and_arms_are_reported_and_long_runs_stay_small() {
    let dir = scratch();
    succeed(dir.path(), "online signal-noise -q --set updates=5000 --out chain");
    let printed = succeed(dir.path(), "report chain");
    assert!(printed.contains("in odd and") && printed.contains("even states"), "{printed}");
    let (page, figures) = check(&dir.path().join("chain/report"));
    for name in ["returns", "eta", "eta-states", "logits", "outer-loss", "update"] {
        assert!(figures.iter().any(|f| f == name), "{name}: {figures:?}");
    }
    assert!(page.len() < 2_000_000 && page.contains("mean over 16 consecutive updates"), "{}", page.len());
    let rows = rows(&dir.path().join("chain"));
    let first: f64 = numbers(&rows[..16], "/return").iter().sum::<f64>() / 16.0;
    let drawn = column(&dir.path().join("chain/report/returns.csv"), "by update", "return");
    close(drawn[0], first);
    assert_eq!(drawn.len(), 5000usize.div_ceil(16));
    succeed(dir.path(), "online five-arm-control -q --set updates=100 --out arms");
    let printed = succeed(dir.path(), "report arms");
    assert!(printed.contains("arms, learning gamma: 100 updates."), "{printed}");
    let (page, _) = check(&dir.path().join("arms/report"));
    assert!(page.contains("updates per second") && !page.contains("frames of the simulator"));
}

/// Makes a configuration that of a version without windows and traces.
fn older(config: &Path) {
    let text = std::fs::read_to_string(config).expect("there");
    let kept: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("window = ") && !line.starts_with("trace = ")).collect();
    assert!(kept.len() + 2 == text.lines().count(), "the keys of today: {text}");
    std::fs::write(config, kept.join("\n")).expect("writable");
}

#[test]
fn a_twin_is_held_against_its_run_and_seeds_are_pooled() {
    let dir = scratch();
    for seed in [1, 2, 3] {
        succeed(dir.path(), &format!("{CARTPOLE} --twin --seed {seed} --out run{seed}"));
    }
    let alone = succeed(dir.path(), "report run1");
    assert!(alone.contains("That is one pair: it gives no interval"), "{alone}");
    let (page, _) = check(&dir.path().join("run1/report"));
    assert!(page.contains("one pair: no interval") && page.contains("twin: all fixed"));
    older(&dir.path().join("run2/config.toml"));
    let pooled = succeed(dir.path(), "report run1 run2 run3 run3-twin run2 --out out");
    assert!(pooled.contains("n = 3 pairs") && pooled.contains("n = 3 runs"), "{pooled}");
    let out = dir.path().join("out");
    let (page, _) = check(&out);
    assert!(!page.contains("Online runs compared"), "the twin and the second run2 are known already");
    let table = out.join("table-twin.csv");
    let late = |run: &str| {
        succeed(dir.path(), &format!("report {run}"));
        cell(&dir.path().join(run).join("report/table-returns.csv"), 0, "return_late")
    };
    let d: Vec<f64> = (1..=3).map(|s| late(&format!("run{s}")) - late(&format!("run{s}-twin"))).collect();
    let mean = d.iter().sum::<f64>() / 3.0;
    let deviation = (d.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 2.0).sqrt();
    close(cell(&table, 1, "difference"), mean);
    let half = cell(&table, 1, "difference_high") - mean;
    assert!(
        (half / (4.302_652_7 * deviation / 3f64.sqrt()) - 1.0).abs() < 1e-6,
        "Student's t with 2 degrees of freedom"
    );
    cut(&dir.path().join("run3-twin"), 30);
    let pooled = succeed(dir.path(), "report run1 run2 run3 --out out");
    assert!(pooled.contains("n = 2 pairs"), "a pair of which one stands at update 30 and the other at 60: {pooled}");
    assert!(check(&out).0.contains("run3 stands at update 60, its twin at 30"));
    std::fs::remove_dir_all(dir.path().join("run2-twin")).expect("there");
    let (page, note) = (check(&out).0, crate::run_directory::run(dir.path(), "report run2"));
    assert!(!page.is_empty() && String::from_utf8_lossy(&note.stderr).contains("run2-twin` does not exist"));
}

/// Leaves the first rows of a run.
fn cut(run: &Path, rows: usize) {
    let path = run.join("metrics.jsonl");
    let all = std::fs::read_to_string(&path).expect("there");
    let kept: String = all.lines().take(rows).map(|row| format!("{row}\n")).collect();
    std::fs::write(&path, kept).expect("writable");
}

#[test]
fn means_at_the_end_are_of_runs_that_stand_at_the_same_update() {
    let dir = scratch();
    for seed in [1, 2, 3] {
        succeed(dir.path(), &format!("{CARTPOLE} --seed {seed} --out run{seed}"));
    }
    succeed(dir.path(), "report run2 run3 --out two");
    cut(&dir.path().join("run1"), 40);
    let three = succeed(dir.path(), "report run1 run2 run3 --out three");
    assert!(three.contains("over n = 2 runs"), "{three}");
    for table in ["returns", "gap", "eta"] {
        let [two, three] = ["two", "three"].map(|d| std::fs::read(dir.path().join(format!("{d}/table-{table}.csv"))));
        assert_eq!(two.expect("there"), three.expect("there"), "table-{table}.csv is of run2 and run3");
    }
    let (page, _) = check(&dir.path().join("three"));
    assert!(page.contains("run1 stands at update 40; means and intervals at the end are of the 2 of 3 runs"), "{page}");
}

#[test]
fn torn_empty_and_unmeasured_runs_are_said_to_be_so() {
    let dir = scratch();
    succeed(dir.path(), &format!("{CARTPOLE} --set gap.every=0 --out run"));
    let path = dir.path().join("run/metrics.jsonl");
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("there");
    file.write_all(b"{\"update\":61,\"ret").expect("writable");
    drop(file);
    assert!(succeed(dir.path(), "report run").contains("60 updates"));
    let (page, figures) = check(&dir.path().join("run/report"));
    assert!(page.contains("The gap was not measured") && !figures.iter().any(|f| f.starts_with("gap")), "{figures:?}");
    copy(&dir.path().join("run"), &dir.path().join("empty"));
    std::fs::write(dir.path().join("empty/metrics.jsonl"), "").expect("writable");
    assert!(succeed(dir.path(), "report empty").contains("No update is recorded yet."));
    assert!(succeed(dir.path(), "watch empty").contains("update 0/60"));
    std::fs::write(dir.path().join("empty/metrics.jsonl"), "{\"update\":1}\n{\"update\":7}\n").expect("writable");
    let message = refuse(dir.path(), "report empty", 2);
    assert!(message.contains("metrics.jsonl: line 2 is not a row of an online run"), "{message}");
}

#[test]
fn a_run_can_be_watched() {
    let dir = scratch();
    succeed(dir.path(), &format!("{CARTPOLE} --out run"));
    let text = succeed(dir.path(), "watch run --once");
    for part in [
        "cartpole: gamma and lambda learned on cartpole, seed 1",
        "finished, update 60/60, 100 %",
        "last 100:",
        "gamma:     0.9",
        "lambda:    0.9",
        "S_in:",
        "S_out:",
        "S_meta:",
        "frames/s",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    succeed(dir.path(), "online signal-noise -q --set updates=40 --set average=1 --out chain");
    let text = succeed(dir.path(), "watch chain");
    assert!(text.contains("by state") && text.contains("return:") && !text.contains("S_in"), "{text}");
}

#[test]
fn a_run_that_falls_back_says_so_everywhere() {
    let dir = scratch();
    let printed = succeed(dir.path(), &format!("{CARTPOLE} --set meta.patience=1 --set gap.every=2 --out run"));
    let rows = rows(&dir.path().join("run"));
    let before = rows.iter().take_while(|row| row.get("fallen_back").is_none()).count();
    let after = before + 1;
    assert!((2..60).contains(&after) && after % 2 == 0, "at a measurement: {after}");
    assert!(rows[before..].iter().all(|row| row["fallen_back"] == true), "for good");
    for (key, reference) in [("/gamma", 0.99), ("/lambda", 1.0)] {
        let values = numbers(&rows, key);
        assert!((values[before] - reference).abs() > 1e-3, "{key} is learned in update {after}: {}", values[before]);
        assert!(values[after..].iter().all(|x| (x - reference).abs() < 1e-5), "{key}: {values:?}");
    }
    let summary =
        format!("fell back after update {after}: the averaged S_out had no new minimum in 1 measurement (meta.");
    assert!(printed.contains(&summary) && printed.contains("stands: gamma 0.99000, lambda 1.00000"), "{printed}");
    let said = succeed(dir.path(), "report run");
    assert!(
        said.contains(&format!("From update {} on that is the reference, which the run fell back to", after + 1)),
        "{said}"
    );
    let (page, _) = check(&dir.path().join("run/report"));
    assert!(page.contains(&format!("from update {} on its meta-parameters are the reference", after + 1)));
    let watched = succeed(dir.path(), "watch run --once");
    assert!(watched.contains("fell back:") && watched.contains("to the reference, no longer learned"), "{watched}");
    let printed = succeed(dir.path(), &format!("{CARTPOLE} --out other"));
    assert!(!printed.contains("fell back") && printed.contains("(one run: no interval)"), "{printed}");
    assert!(!succeed(dir.path(), "report other").contains("fell back"), "the control");
}

#[test]
fn configurations_are_checked() {
    let dir = scratch();
    let text = succeed(dir.path(), "check online/cartpole --set actors.count=32");
    for part in [
        "valid",
        "640 steps (32 actors x 20)",
        "gamma 0.95 learned within (0, 1)",
        "parameters",
        "about",
        "state.safetensors",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(
        succeed(dir.path(), "check cartpole").contains("`stillpoint check online/cartpole`"),
        "a preset of train too"
    );
    assert!(succeed(dir.path(), "check signal-noise").contains("ten states in a row"));
    succeed(dir.path(), "online five-arm-control -q --set updates=5 --out arms");
    assert!(succeed(dir.path(), "check arms").contains("arms, 5 of them, exact gradients"));
    let message = refuse(dir.path(), "check online/cartpole --set actors.groups=7", 2);
    assert!(message.contains("actors.groups") && message.contains("must divide"), "{message}");
}

#[test]
fn other_commands_say_that_it_is_a_run_of_online() {
    let dir = scratch();
    succeed(dir.path(), "online signal-noise -q --set updates=5 --set average=1 --out run");
    succeed(dir.path(), "train bandit/bernoulli-5 --smoke -q --out trained");
    for line in ["evaluate run", "train --resume --out run"] {
        let message = refuse(dir.path(), line, 2);
        assert!(
            message.contains("run: is a run of `online`") && message.contains("stillpoint report run"),
            "{line}: {message}"
        );
    }
    for line in [
        "stationarity run/config.toml",
        "gradient run/config.toml",
        "train run/config.toml",
        "compare run/config.toml",
        "train signal-noise",
    ] {
        let message = refuse(dir.path(), line, 2);
        assert!(message.contains("is a configuration of `online`"), "{line}: {message}");
    }
    let message = refuse(dir.path(), "compare --resume --out run", 2);
    assert!(message.contains("is not a suite directory"), "{message}");
    let message = refuse(dir.path(), "online --resume --out trained", 2);
    assert!(message.contains("trained: is a run of `train`; go on with: stillpoint train --resume"), "{message}");
    let message = refuse(dir.path(), "online trained/config.toml", 2);
    assert!(message.contains("is a configuration of `train`"), "{message}");
}
