//! The command `lola` through the real binary: every configuration, JSON, resumption, refusals, the report.

use crate::scratch::Scratch;
use crate::source;
use serde_json::Value;
use stillpoint::config::Overrides;
use stillpoint::config::tree::Format;
use stillpoint::config::{lola, shipped};

#[test]
fn every_shipped_configuration_runs_at_toy_scale_and_is_described() {
    let readme = std::fs::read_to_string(source::root().join("configs/README.md")).expect("configs/README.md");
    let files = source::files("configs/lola");
    assert_eq!(files.len(), shipped::LOLA.files.len(), "list new files in src/config/shipped.rs");
    let scratch = Scratch::new();
    for (path, text) in files {
        let name = path.file_stem().and_then(|n| n.to_str()).expect("text").to_string();
        assert_eq!(shipped::LOLA.text(&name), Some(text.as_str()), "{name} is not embedded");
        assert!(readme.contains(&format!("| `{name}` |")), "configs/README.md does not describe {name}");
        assert!(text.starts_with("# "), "{name} does not open with a comment that says what it is for");
        let plan = lola::load(&name, &Overrides::default()).expect("valid");
        assert_eq!(plan.name, name);
        let again = lola::resolved(&plan);
        assert_eq!(lola::parse(&again, "resolved", Format::Toml, &Overrides::default()), Ok(plan), "{again}");
        let output = scratch.run(&["lola", &name, "--smoke", "--out", &name, "-q"]);
        assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let report = String::from_utf8(output.stdout).expect("text");
        assert!(report.contains("reward per step") && report.contains("control, naive"), "{report}");
    }
}

#[test]
fn json_is_one_object_and_a_finished_run_resumes_to_itself() {
    let scratch = Scratch::new();
    let output = scratch.run(&["lola", "ipd-exact", "--json", "-q", "--out", "run"]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("one object");
    let reward = found["reward_per_step"].as_f64().expect("a number");
    assert!((reward + 1.0).abs() < 0.02, "{reward}");
    assert!((found["control"]["reward_per_step"].as_f64().expect("a number") + 2.0).abs() < 0.05);
    assert_eq!(found["defect"][1].as_array().map(Vec::len), Some(5));
    let again = scratch.run(&["lola", "--resume", "--out", "run", "--json", "-q"]);
    assert_eq!(serde_json::from_slice::<Value>(&again.stdout).expect("one object"), found);
    let naive = scratch.run(&["lola", "ipd-exact", "--set", "inner.steps=0", "--json", "-q", "--out", "naive"]);
    let naive: Value = serde_json::from_slice(&naive.stdout).expect("one object");
    assert_eq!(naive["reward_per_step"], found["control"]["reward_per_step"]);
    assert_eq!(naive["control"], Value::Null);
    let game = "game={payoffs=[[-2, 0, -3, -1], [-2, -3, 0, -1]]}";
    let own = scratch.run(&["lola", "ipd-exact", "--set", game, "--json", "-q", "--out", "own"]);
    let own: Value = serde_json::from_slice(&own.stdout).expect("one object");
    assert_eq!((&own["reward_per_step"], &own["game"]), (&found["reward_per_step"], &Value::from("custom")));
}

#[test]
fn bad_input_is_refused_by_its_key() {
    let cases: [(&str, &[&str], &[&str]); 20] = [
        ("ipd-off-policy", &["inner.buffer=64"], &["`inner.buffer`", "at least the 128", "found 64"]),
        ("ipd-off-policy", &["inner.buffer=200"], &["`inner.buffer`", "multiple of the 128"]),
        ("ipd-off-policy", &["inner.shared=false"], &["`inner.shared`", "one buffer"]),
        ("ipd-sampled", &["inner.buffer=256"], &["`inner.buffer`", "no effect"]),
        ("ipd-sampled", &["inner.jacobian_episodes=64"], &["`inner.jacobian_episodes`", "128", "inner.shared"]),
        ("ipd-sampled", &["inner.value_episodes=0"], &["`inner.value_episodes`", "from 1"]),
        ("ipd-sampled", &["outer.episodes=0"], &["`outer.episodes`", "from 1"]),
        ("ipd-sampled", &["game=chickn"], &["`game.name`", "did you mean `chicken`", "matching-pennies"]),
        ("ipd-sampled", &["game={payoffs=[[1, 2, 3]]}"], &["`game.payoffs`", "two rows of four", "found 1 rows"]),
        ("ipd-sampled", &["game={payoffs=[[1, 2, 3, 4], [1, 2]]}"], &["`game.payoffs`", "2 numbers in row 2"]),
        ("ipd-sampled", &["game.payoffs=[[1, 2, 3, 4], [1, 2, 3, 4]]"], &["`game.payoffs`", "either"]),
        ("ipd-sampled", &["inner.value=exakt"], &["`inner.value`", "did you mean `exact`"]),
        ("ipd-sampled", &["inner.look=3"], &["`inner.look`", "unknown key", "steps"]),
        ("ipd-sampled", &["gamma=1.0"], &["`gamma`", "(0, 1)"]),
        ("ipd-sampled", &["horizon=0"], &["`horizon`", "from 1"]),
        ("ipd-sampled", &["horizon=1000000", "seeds=1000"], &["`horizon`", "seeds x episodes x horizon"]),
        ("ipd-sampled", &["probe.repetitions=1"], &["`probe.repetitions`", "2"]),
        ("ipd-exact", &["seeds=10"], &["`seeds`", "the same"]),
        ("ipd-exact", &["inner.value_episodes=3"], &["`inner.value_episodes`", "no effect"]),
        ("ipd-exact", &["inner.steps=0", "control=true"], &["`control`", "naive"]),
    ];
    let scratch = Scratch::new();
    for (name, sets, words) in cases {
        let mut args = vec!["lola", name, "--out", "run"];
        sets.iter().for_each(|set| args.extend(["--set", set]));
        let output = scratch.run(&args);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{sets:?}: {message}");
        assert!(words.iter().all(|w| message.contains(w)), "{sets:?}: {message}");
    }
    for (args, words) in [
        (vec!["lola", "ipd"], "did you mean `ipd-exact`"),
        (vec!["lola", "ipd-exakt"], "did you mean `ipd-exact`"),
        (vec!["lola"], "required"),
    ] {
        let output = scratch.run(&args);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && message.contains(words), "{args:?}: {message}");
    }
    assert!(scratch.entries().is_empty(), "something was written");
}

#[test]
fn a_run_is_reported() {
    let scratch = Scratch::new();
    let small = ["--set", "seeds=3", "--set", "horizon=20", "--smoke", "-q"];
    let mut args = vec!["lola", "ipd-sampled", "--out", "run"];
    args.extend(small);
    assert!(scratch.run(&args).status.success());
    args[3] = "other";
    assert!(scratch.run(&args).status.success());
    let output = scratch.run(&["report", "run"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("ipd-sampled, ipd, both look ahead"), "{said}");
    for file in
        ["report.html", "reward-per-step.svg", "policy-2.csv", "correlation.svg", "error.csv", "table-rewards.csv"]
    {
        assert!(scratch.path().join("run/report").join(file).exists(), "{file}");
    }
    let both = scratch.run(&["report", "run", "other", "--out", "both"]);
    assert!(both.status.success(), "{}", String::from_utf8_lossy(&both.stderr));
    let table = std::fs::read_to_string(scratch.path().join("both/lola-table-differences.csv")).expect("CSV");
    assert!(table.lines().nth(1).is_some_and(|line| line.starts_with("other,3,5,")), "{table}");
    let checked = scratch.run(&["check", "run"]);
    assert!(String::from_utf8_lossy(&checked.stdout).contains("look-ahead   1 step(s) of 0.3"), "{checked:?}");
    let watched = scratch.run(&["watch", "run"]);
    let text = String::from_utf8_lossy(&watched.stdout);
    for part in [
        "ipd-sampled: ipd, 3 pairs, seed 1",
        "finished, update 5/5",
        "last:      reward per step -",
        "stillpoint report run",
    ] {
        assert!(watched.status.success() && text.contains(part), "{part}: {text}");
    }
    for command in ["evaluate", "train", "online"] {
        let refused =
            scratch.run(&[command, if ["train", "online"].contains(&command) { "run/config.toml" } else { "run" }]);
        assert_eq!(refused.status.code(), Some(2), "{command}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("of `lola`"), "{command}: {refused:?}");
    }
    let rows = std::fs::read_to_string(scratch.path().join("run/metrics.jsonl")).expect("rows");
    let last: Value = serde_json::from_str(rows.lines().last().expect("five")).expect("JSON");
    let drawn = std::fs::read_to_string(scratch.path().join("run/report/reward-per-step.csv")).expect("CSV");
    let mean = last["reward_per_step"]["mean"].as_f64().expect("a number");
    assert!(drawn.contains(&format!("mean over seeds,5,{mean}")), "{drawn}");
}
