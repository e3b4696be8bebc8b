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
        assert!(r.measure_steps > 0 && r.points.len() == 7, "before, five parts, after");
        let dir = d.join("s").join(run_path(&r.family, &r.arm, &r.setting, r.seed));
        let rows = rows(&dir);
        assert_eq!(rows.len(), 99);
        // a part's point is the mean over its episodes, in its middle: the second part is updates 21 to 40
        let of = |row: &serde_json::Value, key: &str| row[key].as_f64().unwrap_or(0.0);
        let ended = |i: usize| of(&rows[i], "episodes") - of(&rows[i - 1], "episodes");
        let count: f64 = (20..40).map(ended).sum();
        let sum: f64 = (20..40).map(|i| ended(i) * of(&rows[i], "return")).sum();
        assert!((sum / count - r.points[2].after).abs() < 1e-9, "{sum} {count}");
        assert_eq!(r.points[2].environment_steps as f64, (of(&rows[19], "steps") + of(&rows[39], "steps")) / 2.0);
        let config = std::fs::read_to_string(dir.join("config.toml")).expect("written");
        assert_eq!(config.contains("[meta]"), r.arm != "fixed", "{config}");
    }
    // the last point is what `evaluate` says of the run
    let r = &read.records[0];
    let dir = run_path(&r.family, &r.arm, &r.setting, r.seed);
    let text = succeed(d, &format!("evaluate s/{} --count 4 --json", dir.display()));
    let found: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(found["return"]["mean"].as_f64(), Some(r.points[6].after));
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
            let runs: Vec<f64> = read.of(family, arm, Phase::Reporting).map(|r| r.points[6].after / high).collect();
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
    let costs = table("table-budget.csv");
    assert!(!costs.contains("hvps") && !costs.contains("gradients") && costs.contains("cpu_seconds"), "{costs}");
    let output = run(d, "report s");
    assert!(output.status.success() && String::from_utf8_lossy(&output.stderr).contains("No traces of one run"));
}

/// Lines of a run's rows as they stand in the file, seconds included; a torn one is left out.
fn lines_of(dir: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join("metrics.jsonl")).unwrap_or_default();
    text.split_inclusive('\n').filter(|l| l.ends_with('\n')).map(String::from).collect()
}

#[cfg(unix)]
#[test]
fn runs_go_on_in_the_middle_after_interruption_and_after_a_kill() {
    let text = SMALL.replace("budget = 32000", "budget = 2400000").replace("reporting = [1, 2]", "reporting = [1]");
    let text = text[..text.find("[[families]]\nname = \"short\"").expect("there")].to_string()
        + &text[text.find("[[arms]]\nname = \"lambda\"").expect("there")..];
    let place = Place::new(&text);
    let d = place.path();
    succeed(d, "compare suite.toml -q --out whole --jobs 2");
    let saved = |dir: &Path| std::fs::metadata(dir.join("state.safetensors")).and_then(|m| m.modified()).ok();
    for (signal, out) in [("-INT", "s"), ("-KILL", "k")] {
        let mut command = stillpoint(d, &format!("compare suite.toml --out {out} --jobs 2"));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
        let begun = Instant::now();
        let wait = || {
            assert!(begun.elapsed() < Duration::from_secs(60), "no run comes far");
            std::thread::sleep(Duration::from_millis(2));
        };
        let first = loop {
            match run_dirs(&d.join(out)).into_iter().find_map(|dir| Some((saved(&dir)?, dir))) {
                Some(found) => break found,
                None => wait(),
            }
        };
        while saved(&first.1) == Some(first.0) {
            wait(); // until a state behind some updates stands
        }
        let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(sent.expect("kill exists").success());
        let status = child.wait().expect("ours");
        assert!(!status.success() && (signal == "-KILL" || status.code() == Some(130)), "{status:?}");
        let before = lines_of(&first.1);
        assert!(before.len() < 7499, "the run was over before the signal came");
        succeed(d, &format!("compare --resume --out {out} -q"));
        assert_eq!(records(&place.read(out)), records(&place.read("whole")), "{signal}");
        for dir in run_dirs(&d.join(out)) {
            let other = d.join("whole").join(dir.strip_prefix(d.join(out)).expect("below"));
            assert_eq!(rows(&dir), rows(&other), "{}", dir.display());
        }
        // rows before the state are those of the first session, to the digits of their seconds
        let kept = lines_of(&first.1).iter().zip(&before).take_while(|(a, b)| a == b).count();
        assert!(kept > 50, "{signal}: {kept} of {} rows were kept", before.len());
    }
}

#[test]
fn what_was_stopped_while_being_set_up_is_started_and_nothing_is_lost_by_force() {
    let place = Place::new(SMALL);
    let d = place.path();
    succeed(d, "compare suite.toml -q --out s");
    let whole = records(&place.read("s"));
    let (record, dir) = (d.join("s/runs/cart/both/default/1.json"), d.join("s/runs/cart/both/default/1"));
    // as if the process had been killed between two files of a new run
    let order = ["state.safetensors", "metrics.jsonl", "config.toml"];
    for missing in 1..=3 {
        order[..missing].iter().for_each(|name| std::fs::remove_file(dir.join(name)).expect("there"));
        if missing == 1 {
            std::fs::write(dir.join("metrics.jsonl"), "").expect("writable"); // it stands before the state, without a row
        }
        std::fs::remove_file(&record).expect("there");
        succeed(d, "compare --resume -q --out s");
        assert!(records(&place.read("s")) == whole, "{missing} files missing");
    }
    // rows or a state that somebody removed are no result
    let state = std::fs::read(dir.join("state.safetensors")).expect("there");
    std::fs::remove_file(dir.join("state.safetensors")).expect("there");
    std::fs::remove_file(&record).expect("there");
    assert!(refuse(d, "compare --resume -q --out s", 2).contains("state.safetensors: missing"));
    std::fs::write(dir.join("state.safetensors"), state).expect("writable");
    succeed(d, "compare --resume -q --out s");
    std::fs::remove_file(dir.join("metrics.jsonl")).expect("there");
    std::fs::remove_file(&record).expect("there");
    assert!(refuse(d, "compare --resume -q --out s", 2).contains("metrics.jsonl: 0 rows"));
    std::fs::remove_file(dir.join("state.safetensors")).expect("there");
    succeed(d, "compare --resume -q --out s");
    // somebody's file: refused before anything is removed
    std::fs::write(dir.join("play.gif"), "x").expect("writable");
    assert!(refuse(d, "compare suite.toml --force --out s", 2).contains("play.gif"));
    assert!(records(&place.read("s")) == whole);
    std::fs::remove_file(dir.join("play.gif")).expect("there");
    // a report of a run is no obstacle, and stays
    succeed(d, &format!("report {}", dir.display()));
    std::fs::write(d.join("other.toml"), SMALL.replace("\"lambda\"", "\"all\"")).expect("writable");
    assert!(refuse(d, "compare other.toml --out s", 2).contains("--force"));
    succeed(d, "compare other.toml --force --out s -q");
    assert!(!d.join("s/runs/cart/lambda").exists() && dir.join("report/report.html").exists());
    assert_eq!((run_dirs(&d.join("s")).len(), place.read("s").records.len()), (12, 12));
    // a run of another configuration is not gone on with
    let config = dir.join("config.toml");
    let text = std::fs::read_to_string(&config).expect("written");
    std::fs::write(&config, text.replace("beta = 0.005", "beta = 0.006")).expect("writable");
    std::fs::remove_file(&record).expect("there");
    let message = refuse(d, "compare --resume -q --out s", 2);
    assert!(message.contains("config.toml") && message.contains("was edited"), "{message}");
    let info = dir.join("run.json"); // as a version wrote it that did not know the checksum
    let mut known: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&info).expect("there")).expect("JSON");
    known.as_object_mut().expect("an object").remove("config_sha256").expect("there");
    std::fs::write(&info, known.to_string()).expect("writable");
    let message = refuse(d, "compare --resume -q --out s", 2);
    assert!(message.contains("config.toml") && message.contains("another configuration"), "{message}");
}

#[test]
fn a_resolved_suite_needs_no_other_file() {
    let text = "budget = 2000\n[seeds]\nreporting = [1, 2]\n[evaluate]\nepisodes = 2\n[[families]]\nname = \"a\"\n\
                online = \"bare.toml\"\n[[arms]]\nname = \"x\"\n[[arms]]\nname = \"y\"\nset = { inner.beta = 0.01 }\n";
    let place = Place::new("");
    let d = place.path();
    std::fs::create_dir(d.join("deep")).expect("writable");
    std::fs::write(d.join("deep/suite.toml"), text).expect("writable");
    let bare = "updates = 10\n[family]\nname = \"tabular\"\nfile = \"mdps.json\"\n";
    std::fs::write(d.join("deep/bare.toml"), bare).expect("writable");
    std::fs::copy(crate::source::root().join("examples/two-tasks.json"), d.join("deep/mdps.json")).expect("there");
    succeed(d, "compare deep/suite.toml -q --out s");
    std::fs::remove_dir_all(d.join("deep")).expect("there");
    std::fs::remove_file(d.join("s/runs/a/x/default/1.json")).expect("there");
    succeed(d, "compare --resume -q --out s");
    assert_eq!(place.read("s").records.len(), 4);
    assert!(succeed(d, "report s").contains("after training"));
}

#[test]
fn scores_stand_under_the_discount_they_were_made_with() {
    let grid = "set = { gamma.mode = \"fixed\" }\ngrid = { outer.gamma = [0.995, 0.9] }";
    let text = SMALL.replace("set = { gamma.mode = \"fixed\", outer.gamma = 0.9 }", grid);
    let text = text.replace("reporting = [1, 2]", "reporting = [1, 2]\ntuning = [8]");
    let place = Place::new(&text);
    let d = place.path();
    succeed(d, "compare suite.toml -q --out s");
    succeed(d, "report s");
    let chosen: Vec<f64> =
        place.read("s").info.chosen.iter().filter(|c| c.arm == "lambda").map(|c| c.setting[0].1).collect();
    let table = std::fs::read_to_string(d.join("s/report/table-scores.csv")).expect("written");
    let line = table.lines().find(|l| l.starts_with("lambda,")).expect("a line");
    let shown = if chosen[0] == chosen[1] { format!("lambda,{{λ}},{},", chosen[0]) } else { "lambda,,,".to_string() };
    assert!(line.starts_with(&shown), "{line}: {chosen:?}");
}

#[test]
fn games_are_normalised_only_where_they_are_played_as_the_references_were() {
    let score = |set: &str| {
        let text = format!(
            "budget = 9000\n[seeds]\nreporting = [1]\n[[families]]\nname = \"g\"\nonline = \"atari-pong\"\nset = {{ {set} }}\n\
             [[arms]]\nname = \"x\"\n"
        );
        let suite = stillpoint::config::suite::parse(
            &text,
            "suite.toml",
            stillpoint::config::tree::Format::Toml,
            Path::new("."),
            set.contains("reward"),
        );
        suite.unwrap_or_else(|e| panic!("{e}")).families[0].score
    };
    assert_eq!(score(""), Some([-20.7, 14.6]));
    assert_eq!(score("atari = \"breakout\""), Some([1.7, 30.5]));
    for other in
        ["atari.protocol = \"machado2018\"", "atari.max_frames = 400", "atari.sticky = 0.1", "atari.reward = \"sign\""]
    {
        assert_eq!(score(other), None, "{other}"); // the last one is shrunk: its games are cut
    }
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
