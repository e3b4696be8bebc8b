//! `online` on small tasks: the acceptance of the paper's examples, every shipped configuration, resumption, refusals.

use crate::atari;
use crate::scratch::Scratch;
use crate::source;
use serde_json::Value;
use stillpoint::config::Overrides;
use stillpoint::config::online::{self, Choice, Plan, Problem};
use stillpoint::config::shipped;
use stillpoint::config::tree::Format;
use stillpoint::learn::online::actor_critic::Reach;
use stillpoint::learn::online::{Learner, Options, Row, Values};

fn load(name: &str, sets: &[&str]) -> Result<Plan, String> {
    let set = sets.iter().map(ToString::to_string).collect();
    online::load(name, &Overrides { set, ..Overrides::default() }).map_err(|e| e.to_string())
}

/// Options of a small task.
fn small(plan: Plan) -> Options {
    match plan.learner {
        Choice::Small(options) => *options,
        Choice::ActorCritic(_) => panic!("not a small task"),
    }
}

/// All rows of a shipped configuration with another seed.
fn rows(name: &str, seed: u64) -> Vec<Row> {
    let options = small(load(name, &[]).expect("shipped"));
    let updates = options.updates;
    let mut learner = Learner::new(options, seed);
    (0..updates).map(|_| learner.step().expect("finite")).collect()
}

/// Means over odd and over even states that are entered, over the last 500 updates.
fn odd_and_even(name: &str, seed: u64, of: impl Fn(&Row) -> &Values) -> [f64; 2] {
    let rows = rows(name, seed);
    let last = &rows[rows.len() - 500..];
    let mean = |state: usize| -> f64 {
        let one = |row: &Row| match of(row) {
            Values::PerState(all) => all[state],
            Values::Global(_) => panic!("one per state"),
        };
        last.iter().map(one).sum::<f64>() / 500.0
    };
    let Values::PerState(all) = of(&rows[0]) else { panic!("one per state") };
    [2, 1].map(|first| {
        let states: Vec<f64> = (first..all.len()).step_by(2).map(mean).collect();
        states.iter().sum::<f64>() / states.len() as f64
    })
}

/// Acceptance of specification metagrad-atari 1.8, example 1: odd - even >= 0.7 in 10 of 10 seeds.
#[test]
fn gamma_is_high_at_signals_and_low_at_noise_in_ten_of_ten_seeds() {
    for seed in 1..=10 {
        let [odd, even] = odd_and_even("signal-noise", seed, |row| &row.gamma);
        println!("signal-noise, seed {seed}: odd {odd:.3} even {even:.3}");
        assert!(odd - even >= 0.7, "seed {seed}: odd {odd} even {even}");
    }
}

/// Example 2: even - odd >= 0.1 in at least 9 of 10 seeds.
#[test]
fn lambda_is_low_where_the_value_is_known_in_nine_of_ten_seeds() {
    let separated = (1..=10).filter(|seed| {
        let [odd, even] = odd_and_even("negated-pairs", *seed, |row| row.lambda.as_ref().expect("a chain"));
        println!("negated-pairs, seed {seed}: odd {odd:.3} even {even:.3}");
        even - odd >= 0.1
    });
    let separated = separated.count();
    assert!(separated >= 9, "{separated} of 10");
}

/// Example 3, the table: gamma and true return after 3000 updates. The third row is the control that must fail to find the bonus.
#[test]
fn the_five_arm_control_finds_the_late_bonus_and_its_controls_do_not() {
    let end = |name: &str| {
        let row = rows(name, 1).pop().expect("rows");
        let Values::Global(gamma) = row.gamma else { panic!("one gamma") };
        [gamma, row.achieved]
    };
    let [control, fixed, biased] = ["five-arm-control", "five-arm-fixed", "five-arm-biased-critic"].map(end);
    println!("five arms: unbiased {control:?}, fixed {fixed:?}, biased {biased:?}");
    assert!(
        control[0] > 0.99 && (control[0] - 0.99997).abs() < 1e-5 && (control[1] - 1.0992).abs() < 1e-4,
        "{control:?}"
    );
    assert!(control[1] >= 1.09);
    assert!(fixed[0] == 0.95 && (fixed[1] - 1.0).abs() < 1e-3, "{fixed:?}");
    assert!((biased[0] - 0.148).abs() < 1e-3 && (biased[1] - 1.0).abs() < 1e-3, "{biased:?}");
}

#[test]
fn every_shipped_configuration_runs_at_toy_scale_and_is_described() {
    let readme = std::fs::read_to_string(source::root().join("configs/README.md")).expect("configs/README.md");
    let files = source::files("configs/online");
    assert_eq!(files.len(), shipped::ONLINE.files.len(), "list new files in src/config/shipped.rs");
    for (path, text) in files {
        let name = path.file_stem().and_then(|n| n.to_str()).expect("text").to_string();
        assert_eq!(shipped::ONLINE.text(&name), Some(text.as_str()), "{name} is not embedded");
        assert!(readme.contains(&format!("| `{name}` |")), "configs/README.md does not describe {name}");
        assert!(text.starts_with("# "), "{name} does not open with a comment that says what it is for");
        let plan = load(&name, &[]).expect("valid");
        assert_eq!(plan.name, name);
        let is_game = matches!(&plan.learner, Choice::ActorCritic(c) if matches!(c.problem, Problem::Atari(..)));
        let window = if let Choice::ActorCritic(c) = &plan.learner { c.options.window() as u64 } else { 1 };
        let again = online::resolved(&plan);
        assert_eq!(online::parse(&again, "resolved", Format::Toml, &Overrides::default()), Ok(plan), "{again}");
        if name == "atari-xu2018" || (is_game && atari::library(&format!("configuration {name}")).is_none()) {
            continue; // the deep network takes minutes without optimisation
        }
        let scratch = Scratch::new();
        let mut args = vec!["online", &name, "--smoke", "--out", "run", "-q"];
        if name == "theoretical-gmrl" {
            args.extend(["--set", "actors.count=8"]); // 64 take half a minute
        }
        let output = scratch.run(&args);
        assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let report = String::from_utf8(output.stdout).expect("text");
        assert!(report.contains("gamma"), "{report}");
        let rows = std::fs::read_to_string(scratch.path().join("run/metrics.jsonl")).expect("rows");
        assert_eq!(rows.lines().count(), 20);
        for line in rows.lines() {
            let row: Value = serde_json::from_str(line).expect("JSON");
            for key in ["update", "gamma", "logits", "return", "meta_gradient_norm", "frames", "seconds"] {
                let is_long = ["cartpole", "navigation"].contains(&name.as_str()) || is_game;
                let is_within = row["update"].as_u64().is_some_and(|u| u % window != 0);
                // no episode has ended, or no window
                let may_miss = (is_long && key == "return") || (is_within && key == "meta_gradient_norm");
                assert!(may_miss || !row[key].is_null(), "{name}: no {key} in {line}");
            }
        }
        let info = std::fs::read_to_string(scratch.path().join("run/run.json")).expect("status");
        assert!(info.contains("\"finished\"") && info.contains("20"), "{info}");
    }
}

/// Rows without what depends on the machine.
pub fn bare_rows(scratch: &Scratch, run: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(scratch.path().join(run).join("metrics.jsonl")).expect("rows");
    let bare = |line: &str| {
        let mut row: Value = serde_json::from_str(line).expect("JSON");
        row.as_object_mut().expect("an object").retain(|key, _| !key.contains("seconds"));
        row
    };
    text.lines().map(bare).collect()
}

#[test]
fn a_killed_run_goes_on_as_if_it_had_not_been() {
    let plain = "average=1"; // 20 updates end within a window of three
    for (name, set) in [
        ("signal-noise", plain),
        ("five-arm-control", plain),
        ("cartpole", plain),
        ("cartpole", "meta.window=3"),
        ("cartpole", "meta.trace=0.9"),
    ] {
        let scratch = Scratch::new();
        let args = ["online", name, "--set", "average=1", "--set", set, "-q"];
        let run = |out: &str| scratch.run(&[&args[..], &["--set", "updates=40", "--out", out]].concat());
        assert!(run("whole").status.success() && run("killed").status.success());
        // as if killed after update 25 with the state after 20: a shorter run's state, and a torn line
        let shorter = scratch.run(&[&args[..], &["--set", "updates=20", "--out", "shorter"]].concat());
        assert!(shorter.status.success());
        let at = |run: &str, file: &str| scratch.path().join(run).join(file);
        std::fs::copy(at("shorter", "state.safetensors"), at("killed", "state.safetensors")).expect("writable");
        let text = std::fs::read_to_string(at("killed", "metrics.jsonl")).expect("rows");
        let kept: String = text.lines().take(25).map(|line| format!("{line}\n")).collect();
        std::fs::write(at("killed", "metrics.jsonl"), kept + "{\"upda").expect("writable");
        let resumed = scratch.run(&["online", "--resume", "--out", "killed", "-q"]);
        assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
        assert_eq!(bare_rows(&scratch, "killed"), bare_rows(&scratch, "whole"));
        let states = ["killed", "whole"].map(|run| std::fs::read(at(run, "state.safetensors")).expect("state"));
        assert_eq!(states[0], states[1]);
    }
}

#[test]
fn bad_configurations_are_refused_with_file_and_key() {
    for (name, set, expected) in [
        ("signal-noise", "gama.mode=fixed", "unknown key; did you mean `gamma`? allowed: name, seed"),
        ("signal-noise", "gamma.mod=fixed", "key `gamma.mod`: unknown key; did you mean `mode`?"),
        ("signal-noise", "gamma.mode=learned", "allowed: fixed, scheduled, meta"),
        ("signal-noise", "lambda.mode=meta", "starts strictly between"),
        ("signal-noise", "lambda={mode=\"meta\", initial=0.5}", "a chain learns one of the two"),
        ("signal-noise", "gamma.mode=scheduled", "key `gamma.end`"),
        ("signal-noise", "gamma.high=2", "key `gamma.high`: must be a number from 0 to 1"),
        ("signal-noise", "inner.entropy=0.1", "no policy"),
        ("signal-noise", "outer.critic=inner", "has no effect"),
        ("signal-noise", "meta.beta1=0.5", "only Adam"),
        ("five-arm-fixed", "meta={}", "key `meta`: has no effect"),
        ("cartpole", "inner.target=n-step", "key `lambda.mode`: must be `fixed`"),
        ("signal-noise", "average=0", "a whole number from 1 to"),
        ("signal-noise", "updates=0", "from 1 to"),
        ("signal-noise", "inner.alpha=nan", "key `inner.alpha`"),
        ("signal-noise", "task.name=cartpol", "unknown value `cartpol`"),
        ("five-arm-control", "lambda.initial=0.5", "no lambda"),
        ("five-arm-control", "task.rewards=[1]", "one per delay is needed: 5, found 1"),
        ("five-arm-control", "task.delays=[1, 0.5, 1, 1, 1]", "task.delays[1]"),
        ("five-arm-control", "actors.count=2", "belongs to the actor-critic"),
        ("five-arm-control", "inner.anneal=true", "belongs to the actor-critic"),
        ("five-arm-control", "meta.patience=3", "belongs to the actor-critic"),
        ("five-arm-control", "family=cartpole", "either a `task` or a `family`"),
        ("cartpole", "inner.alpha=0.1", "section [task]"),
        ("cartpole", "family.name=cartpol", "did you mean `cartpole`?"),
        ("cartpole", "outer.critic=inner", "`shared` or `separate`"),
        ("cartpole", "actors.length=1000000", "from 1 to 6250"),
        ("cartpole", "actors.groups=3", "must divide `actors.count` = 16: 1, 2, 4, 8, 16; found 3"),
        ("cartpole", "outer.batch=17", "from 1 to 16"),
        ("cartpole", "outer.batch=6", "whole groups of 4 actors"),
        ("cartpole", "outer.condition=old", "allowed: current, reference"),
        ("cartpole", "inner.decay=0.5", "only RMSProp"),
        ("cartpole", "inner.n=5", "only n-step"),
        ("cartpole", "inner={target=\"lambda\", rho_bar=2}", "only V-trace"),
        ("cartpole", "inner.c_bar=2", "at most `inner.rho_bar`"),
        ("cartpole", "meta.patience_decay=0.5", "`meta.patience` is 0"),
        ("cartpole", "network.hidden=[0]", "network.hidden[0]"),
        ("cartpole", "network.hidden=[4096, 4096, 4096, 4096, 4096]", "too large for memory"),
        ("cartpole", "value_cost.initial=2", "not in [0, 1]"),
        ("five-arm-fixed", "meta.beta=0.1", "no meta-parameter is learned"),
        ("five-arm-fixed", "outer.critic=inner", "without a learned gamma"),
    ] {
        let message = load(name, &[set]).expect_err(set);
        let is_named = message.starts_with("--set ") || message.starts_with(&format!("configuration {name}: "));
        assert!(message.contains(expected) && is_named, "{set}: {message}");
    }
    for (sets, expected) in [
        (["actors.groups=1", "gap.every=5"], "key `gap.every`: must be 0 with 1 group of actors"),
        (["gap.every=0", "meta.patience=5"], "key `meta.patience`: has no effect"),
        (["network.embedding=0", "network.stop_gradient=false"], "`network.embedding` is 0"),
        (["inner.optimiser=sgd", "inner.epsilon=1"], "key `inner.epsilon`: has no effect"),
        (["inner.target=lambda", "actors.driver=impala"], "key `actors.driver`: must be `synchronous`"),
        (["actors.driver=synchronous", "actors.queue=2"], "key `actors.queue`: has no effect"),
        (["inner.target=lambda", "leak.initial=0.5"], "key `leak`: has no effect"),
    ] {
        let message = load("cartpole", &sets).expect_err(sets[1]);
        assert!(message.contains(expected), "{sets:?}: {message}");
    }
    let scratch = Scratch::new();
    let output = scratch.run(&["online", "signal-nois"]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(message.contains("did you mean `signal-noise`?"), "{message}");
    assert!(scratch.entries().is_empty(), "nothing is written");
}

#[test]
fn windows_and_traces_are_refused_where_they_contradict() {
    for (name, set, expected) in [
        ("five-arm-control", "meta.window=3", "belongs to the actor-critic"),
        ("five-arm-control", "meta.trace=0.5", "belongs to the actor-critic"),
        ("cartpole", "network.condition=value", "key `network.condition`: has no effect"),
        ("atari-pong", "network.condition=policy", "allowed: torso, value"),
        ("cartpole", "meta.window=0", "key `meta.window`"),
        ("cartpole", "meta.window=401", "key `meta.window`: must be a whole number from 1 to 400"),
        ("cartpole", "meta.window=400", "key `meta.window`: must be at most 312 here, found 400"),
        ("cartpole", "meta.trace=1.5", "key `meta.trace`: must be a number from 0 to 1"),
        ("cartpole", "meta.surrogate=lvc", "key `meta.surrogate`: has no effect: with `meta.window` = 1"),
        ("cartpole", "meta.surrogate=dice", "allowed: log-prob, lvc"),
        ("theoretical-gmrl", "meta.window=80", "must be at most 62 here"),
    ] {
        let message = load(name, &[set]).expect_err(set);
        assert!(message.contains(expected), "{set}: {message}");
    }
    for (sets, expected) in [
        (["meta.window=3", "meta.trace=0.5"], "key `meta.trace`: must be 0 with `meta.window` = 3"),
        (["meta.trace=0.5", "meta.surrogate=lvc"], "key `meta.surrogate`: has no effect: the trace"),
        (["meta.window=2", "network.stop_gradient=false"], "key `network.stop_gradient`: must be true"),
    ] {
        let message = load("cartpole", &sets).expect_err(sets[1]);
        assert!(message.contains(expected), "{sets:?}: {message}");
    }
}

#[test]
fn schedules_are_linear_and_the_rail_counts_what_it_skips() {
    let sets = ["gamma={mode=\"scheduled\", initial=0.5, end=0.9}", "updates=4"];
    let plan = load("five-arm-fixed", &sets).expect("valid");
    let mut learner = Learner::new(small(plan), 1);
    let gammas: Vec<Values> = (0..4).map(|_| learner.step().expect("finite").gamma).collect();
    for (found, expected) in gammas.iter().zip([0.5, 0.6, 0.7, 0.8]) {
        assert!(matches!(found, Values::Global(x) if (x - expected).abs() < 1e-12), "{gammas:?}");
    }
    let plan = load("five-arm-control", &["meta.limit=1e-12", "updates=5"]).expect("valid");
    let mut learner = Learner::new(small(plan), 1);
    let rows: Vec<Row> = (0..5).map(|_| learner.step().expect("finite")).collect();
    assert_eq!(rows[4].skipped, 5);
    assert_eq!(rows[0].logits, rows[4].logits);
}

/// A twin has nothing to differentiate through, and its directory's configuration says so.
#[test]
fn twins_have_no_window() {
    for set in ["meta.window=3", "meta.trace=0.5"] {
        let twin = load("cartpole", &[set, "twin=true"]).expect("valid").twin().expect("asked for");
        let text = online::resolved(&twin);
        let again = online::parse(&text, "resolved", Format::Toml, &Overrides::default()).expect("valid");
        for plan in [twin, again] {
            let Choice::ActorCritic(control) = plan.learner else { panic!("the actor-critic") };
            assert_eq!((control.options.window(), control.options.reach), (1, Reach::ONE), "{text}");
        }
    }
}

#[test]
fn the_gradient_check_says_its_error_and_writes_nothing() {
    let scratch = Scratch::new();
    let output = scratch.run(&["online", "cartpole", "--check-gradient", "--set", "entropy_cost.mode=meta"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for part in ["gamma", "lambda", "entropy_cost", "largest error"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(scratch.entries().is_empty());
    for (sets, part) in [
        (["meta.window=3", "meta.surrogate=lvc"], "in update 6, through the 3 updates of its window"),
        (
            ["meta.trace=0.9", "inner.target=lambda"],
            "in update 5, through the trace of all updates before it, mu = 0.9",
        ),
    ] {
        let sets = ["--set", sets[0], "--set", sets[1]];
        let output = scratch.run(&[&["online", "cartpole", "--check-gradient"], &sets[..]].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(part), "{text} {}", String::from_utf8_lossy(&output.stderr));
        let error = text.split("largest error ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
        assert!(error.is_some_and(|e| e < 1e-4), "{text}");
    }
    let short = ["online", "cartpole", "--check-gradient", "--set", "meta.window=30", "--set", "updates=20"];
    let output = scratch.run(&[&short[..], &["--set", "average=1"]].concat());
    assert_eq!(output.status.code(), Some(2));
    let output = scratch.run(&["online", "signal-noise", "--check-gradient"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("section [family]"));
}

#[test]
fn a_run_that_blows_up_is_kept_and_exits_with_three() {
    let scratch = Scratch::new();
    let output = scratch.run(&["online", "negated-pairs", "--set", "inner.alpha=1e9", "--out", "run", "-q"]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let info = std::fs::read_to_string(scratch.path().join("run/run.json")).expect("status");
    assert!(info.contains("\"diverged\""), "{info}");
}

/// The twin has the same seed and fixed meta-parameters; a pair that was stopped between the two goes on with the second.
#[test]
fn a_twin_runs_beside_with_everything_fixed() {
    let scratch = Scratch::new();
    let sets = ["--set", "updates=12", "--set", "average=1"];
    let run = |args: &[&str]| scratch.run(&[&["online"], args].concat());
    let output = run(&[&["cartpole", "--twin", "--out", "run", "-q"], &sets[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).matches("12 updates").count(), 2);
    let (learned, fixed) = (bare_rows(&scratch, "run"), bare_rows(&scratch, "run-twin"));
    assert!(fixed.iter().all(|row| row["gamma"] == 0.95 && row["logits"] == Value::Array(vec![])));
    assert_ne!(learned[11]["gamma"], 0.95);
    let [a, b] = [&learned, &fixed].map(|rows| rows[0]["gradient_norm"].as_f64().expect("a number"));
    assert!((a - b).abs() < 1e-9 * a, "the first inner step is the same but for the rounding of logits: {a} {b}");
    assert!(!fixed[9]["gap"]["out"].is_null() && fixed[9]["gap"]["meta"].is_null());

    std::fs::remove_dir_all(scratch.path().join("run-twin")).expect("there");
    let output = run(&["--resume", "--out", "run", "-q"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(bare_rows(&scratch, "run-twin"), fixed);

    let output = run(&[&["cartpole", "--twin", "--out", "run"], &sets[..]].concat());
    assert_eq!(output.status.code(), Some(2));
    let output = run(&["five-arm-fixed", "--twin", "--out", "other"]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && message.contains("nothing to fix"), "{message}");
    assert!(!scratch.path().join("other").exists());
}
