//! `compare` on runs of `online` through the real binary: equal budgets, exact resumption in the middle of runs, the paper's table.

use crate::compare::{Place, records};
use crate::run_directory::{refuse, rows, run, stillpoint, succeed};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use stillpoint::record::suite::{Outcome, Phase};
use stillpoint::record::suite_dir::{Status, run_path};

/// Two tasks, three arms, two seeds; about a second.
const SMALL: &str = r#"
budget = 32000
[seeds]
reporting = [1, 2]
[evaluate]
points = 5
episodes = 4
[[families]]
name = "cart"
online = "cartpole"
score = { low = 0, high = 200 }
[[families]]
name = "short"
online = "cartpole"
set = { family.horizon = 50, network.hidden = [8] }
score = { low = 0, high = 50 }
[[arms]]
name = "fixed"
set = { gamma.mode = "fixed", lambda.mode = "fixed", outer.gamma = 0.9 }
[[arms]]
name = "lambda"
set = { gamma.mode = "fixed", outer.gamma = 0.9 }
[[arms]]
name = "both"
set = { outer.gamma = 0.9 }
"#;

/// Run directories of a suite.
fn run_dirs(suite: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(suite).into_iter().flatten() {
        let path = entry.expect("readable").path();
        if path.join("metrics.jsonl").exists() {
            found.push(path);
        } else if path.is_dir() {
            found.extend(run_dirs(&path));
        }
    }
    found.sort();
    found
}

#[test]
fn budgets_are_kept_and_runs_are_ordinary_runs() {
    let place = Place::new(SMALL);
    let d = place.path();
    let stdout = succeed(d, "compare suite.toml -q --out s");
    assert!(stdout.contains("after training") && !stdout.contains("HVPs"), "{stdout}");
    let read = place.read("s");
    assert_eq!((read.status, read.records.len()), (Status::Finished, 12));
    for r in &read.records {
        assert_eq!((r.outcome, r.phase, r.budget.environment_steps), (Outcome::Finished, Phase::Reporting, 32000));
        assert_eq!(r.iterations, 99, "and the unroll behind the last update");
        let steps: Vec<u64> = r.points.iter().map(|p| p.environment_steps).collect();
        assert!(steps.windows(2).all(|w| w[0] < w[1]) && steps[0] == 0 && steps[steps.len() - 1] == 32000, "{steps:?}");
        assert!(r.measure_steps > 0 && r.points.len() == 6);
        let dir = d.join("s").join(run_path(&r.family, &r.arm, &r.setting, r.seed));
        let rows = rows(&dir);
        assert_eq!(rows.len(), 99);
        // a part's point is the mean over its episodes
        let (mut sum, mut count, mut before) = (0.0, 0.0, 0.0);
        for row in rows.iter().take_while(|row| row["steps"].as_u64() <= Some(steps[1])) {
            let episodes = row["episodes"].as_f64().expect("a count");
            sum += row["return"].as_f64().unwrap_or(0.0) * (episodes - before);
            (count, before) = (count + episodes - before, episodes);
        }
        assert!((sum / count - r.points[1].after).abs() < 1e-9, "{sum} {count}");
        let config = std::fs::read_to_string(dir.join("config.toml")).expect("written");
        assert_eq!(config.contains("[meta]"), r.arm != "fixed", "{config}");
    }
    // the last point is what `evaluate` says of the run
    let r = &read.records[0];
    let dir = run_path(&r.family, &r.arm, &r.setting, r.seed);
    let text = succeed(d, &format!("evaluate s/{} --count 4 --json", dir.display()));
    let found: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(found["return"]["mean"].as_f64(), Some(r.points[5].after));
    // arms share the task of a seed, and an arm that learns nothing is the twin of one that does
    succeed(d, "online s/runs/cart/both/default/1/config.toml --twin --out t -q");
    let fixed = rows(&d.join("s/runs/cart/fixed/default/1"));
    assert_eq!(rows(&d.join("t-twin")), fixed);
    assert_ne!(rows(&d.join("t")), fixed);
}

#[test]
fn a_report_has_a_line_for_what_is_learned() {
    let place = Place::new(SMALL);
    let d = place.path();
    succeed(d, "compare suite.toml -q --out s");
    let said = succeed(d, "report s");
    assert!(said.contains("after training") && !said.contains("adaptation"), "{said}");
    let table = |name: &str| std::fs::read_to_string(d.join("s/report").join(name)).expect(name);
    let learned = table("table-learned.csv");
    let mut lines = learned.lines();
    assert_eq!(lines.next(), Some("learned,median_0.9,median_0.9_low,median_0.9_high"));
    let read = place.read("s");
    for (arm, set) in [("fixed", "{}"), ("lambda", "{λ}"), ("both", "\"{γ, λ}\"")] {
        let of = |family: &str, high: f64| {
            let runs: Vec<f64> = read.of(family, arm, Phase::Reporting).map(|r| r.points[5].after / high).collect();
            runs.iter().sum::<f64>() / runs.len() as f64
        };
        let median = 100.0 * (of("cart", 200.0) + of("short", 50.0)) / 2.0;
        let line = lines.next().expect("a line");
        let value =
            line.strip_prefix(set).expect(set).split(',').nth(1).expect("a value").parse::<f64>().expect("a number");
        assert!((value - median).abs() < 1e-9, "{line}: {median}");
    }
    assert!(table("table-scores.csv").lines().next().expect("a head").contains("optimality_gap"));
    assert!(table("gamma-cart.csv").contains("both") && !table("gamma-cart.csv").contains("lambda,"));
    assert!(table("lambda-short.csv").contains("both") && !table("lambda-short.csv").contains("fixed"));
    std::fs::remove_dir_all(d.join("s/runs/cart/both/default/1")).expect("there");
    let output = run(d, "report s");
    assert!(output.status.success() && String::from_utf8_lossy(&output.stderr).contains("No traces of one run"));
}

#[cfg(unix)]
#[test]
fn runs_go_on_in_the_middle_after_interruption_and_after_a_kill() {
    let text = SMALL.replace("budget = 32000", "budget = 640000").replace("reporting = [1, 2]", "reporting = [1]");
    let place = Place::new(&text);
    let d = place.path();
    succeed(d, "compare suite.toml -q --out whole --jobs 2");
    for (signal, out) in [("-INT", "s"), ("-KILL", "k")] {
        let mut command = stillpoint(d, &format!("compare suite.toml --out {out} --jobs 2"));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
        let begun = Instant::now();
        let lines = |dir: &PathBuf| std::fs::read(dir.join("metrics.jsonl")).map_or(0, |t| t.len());
        while run_dirs(&d.join(out)).iter().map(lines).max().unwrap_or(0) < 20_000 {
            assert!(begun.elapsed() < Duration::from_secs(60), "no run comes far");
            std::thread::sleep(Duration::from_millis(2));
        }
        let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(sent.expect("kill exists").success());
        let status = child.wait().expect("ours");
        assert!(!status.success() && (signal == "-KILL" || status.code() == Some(130)), "{status:?}");
        let cut = run_dirs(&d.join(out)).iter().filter(|dir| rows_of(dir) < 1999).count();
        assert!(cut > 0, "no run was cut in the middle");
        succeed(d, &format!("compare --resume --out {out} -q"));
        assert_eq!(records(&place.read(out)), records(&place.read("whole")), "{signal}");
        for dir in run_dirs(&d.join(out)) {
            let other = d.join("whole").join(dir.strip_prefix(d.join(out)).expect("below"));
            assert_eq!(rows(&dir), rows(&other), "{}", dir.display());
        }
    }
    // a suite that replaces it leaves nothing of the old runs
    std::fs::write(d.join("other.toml"), text.replace("\"both\"", "\"all\"")).expect("writable");
    assert!(refuse(d, "compare other.toml --out s", 2).contains("--force"));
    succeed(d, "compare other.toml --smoke --force --out s -q");
    assert!(!d.join("s/runs/cart/both").exists() && run_dirs(&d.join("s")).len() == 6);
    assert_eq!(place.read("s").records.len(), 6);
}

/// Whole rows, a torn one left out.
fn rows_of(dir: &Path) -> usize {
    std::fs::read_to_string(dir.join("metrics.jsonl")).map_or(0, |t| t.matches('\n').count())
}

#[test]
fn bad_suites_are_refused_with_the_key() {
    let cases = [
        (SMALL.replace("points = 5", "tasks = 5"), "evaluate.tasks", "one task"),
        (SMALL.replacen("online = \"cartpole\"", "preset = \"cartpole\"", 1), "families[1]", "cannot be compared"),
        (SMALL.replace("outer.gamma = 0.9 }", "family.horizon = 9 }"), "arms[0].set", "cannot change"),
        (SMALL.replace("online = \"cartpole\"", "online = \"cartpol\""), "families[0].online", "cartpole"),
        (SMALL.replace("online = \"cartpole\"", "online = \"signal-noise\""), "families[0]", "actor-critics"),
        (SMALL.replace("set = { outer.gamma = 0.9 }", "set = { updates = 5 }"), "arms[2].set", "budget"),
        (
            SMALL.replace("set = { outer.gamma = 0.9 }", "set = { actors.driver = \"impala\" }"),
            "families[0]",
            "one thread",
        ),
        (SMALL.replace("set = { outer.gamma = 0.9 }", "set = { gama.mode = \"meta\" }"), "gama", "gamma"),
        (SMALL.replace("budget = 32000", "budget = 600"), "budget", "too few"),
        (
            SMALL.replace("[[arms]]\nname = \"both\"", "[[arms]]\nname = \"both\"\npreset = \"tabular\""),
            "arms[2].preset",
            "online",
        ),
    ];
    for (text, key, why) in cases {
        let place = Place::new(&text);
        let message = refuse(place.path(), "compare suite.toml --out s", 2);
        assert!(message.contains("suite.toml") && message.contains(key) && message.contains(why), "{key}: {message}");
        assert!(!place.path().join("s").exists());
    }
}
