//! Bad input: exit code 2 and one message that names file, key and what is allowed; no panic, nothing written.

use crate::scratch::Scratch;
use std::path::Path;
use stillpoint::config::tree::Format;
use stillpoint::config::{self, Overrides};

/// Text of a configuration (JSON if it starts with `{`), and what the message must contain.
type Case = (&'static str, &'static [&'static str]);

/// Malformed files, unknown names and wrong types.
const SHAPE: &[Case] = &[
    ("name = ", &["TOML", "line 1"]),
    ("seed = 1\nseed = 2", &["TOML", "line 2", "duplicate key"]),
    ("[inner\nsteps = 1", &["TOML", "line 1"]),
    ("seed = 1\n\n[outer]\nbeta = 1e", &["TOML", "line 4"]),
    ("inner = [1, 20, 0.1]", &["`inner`", "expected a table"]),
    ("policy = 3", &["`policy`", "expected a table"]),
    ("family = 3", &["`family`", "expected a table"]),
    ("[[outer]]\ntasks = 3", &["`outer`", "expected a table"]),
    ("{\"seed\": 1", &["JSON", "line 1"]),
    ("{\"seed\": null}", &["`seed`", "null", "default"]),
    ("{\"seed\": 18446744073709551615}", &["`seed`", "too large"]),
    ("{\"inner\": {\"alpha\": null}}", &["`inner.alpha`", "null"]),
    ("{\"seed\": 1} trailing", &["JSON"]),
    ("sede = 1", &["`sede`", "did you mean `seed`", "allowed: name, seed"]),
    ("alpha = 1", &["`alpha`", "unknown key", "allowed"]),
    ("[inner]\nalhpa = 0.1", &["`inner.alhpa`", "did you mean `alpha`", "allowed: steps, episodes"]),
    ("[outer]\noptimizer = \"adam\"", &["`outer.optimizer`", "did you mean `optimiser`"]),
    ("[policy]\nhiden = [3]", &["`policy.hiden`", "did you mean `hidden`"]),
    ("{\"outer\": {\"estimater\": \"maml\"}}", &["`outer.estimater`", "did you mean `estimator`"]),
    ("[family]\nname = \"garnet\"\nstate = 3", &["`family.state`", "did you mean `states`"]),
    ("seed = \"one\"", &["`seed`", "whole number", "\"one\""]),
    ("seed = -1", &["`seed`", "whole number", "-1"]),
    ("seed = 1.5", &["`seed`", "whole number", "1.5"]),
    ("iterations = true", &["`iterations`", "whole number"]),
    ("name = 3", &["`name`", "string"]),
    ("[inner]\nalpha = \"big\"", &["`inner.alpha`", "number", "\"big\""]),
    ("[inner]\nnormalise = 1", &["`inner.normalise`", "boolean"]),
    ("[policy]\nhidden = 64", &["`policy.hidden`", "list"]),
    ("[policy]\nhidden = [64, \"x\"]", &["`policy.hidden[1]`", "whole number"]),
    ("[policy]\nhidden = [64, -1]", &["`policy.hidden[1]`", "whole number"]),
    ("seed = 1979-05-27", &["`seed`", "whole number"]),
    ("precision = \"f16\"", &["`precision`", "`f16`", "allowed: f32, f64"]),
    ("precision = 32", &["`precision`"]),
    ("[policy]\nkind = \"mpl\"", &["`policy.kind`", "did you mean `mlp`"]),
    ("[policy]\nactivation = \"swish\"", &["`policy.activation`", "allowed: tanh, relu"]),
    ("[policy]\ninit = \"xavier\"", &["`policy.init`", "allowed: glorot-uniform, orthogonal"]),
    ("[inner]\nadvantage = \"gea\"", &["`inner.advantage`", "did you mean `gae`"]),
    ("[inner]\naverage = \"step\"", &["`inner.average`", "did you mean `steps`"]),
    ("[outer]\nform = \"weights\"", &["`outer.form`", "allowed: importance, resimulated"]),
    ("[outer]\noptimiser = \"rmsprop\"", &["`outer.optimiser`", "rmsprop-tf, rmsprop-torch"]),
    ("[outer]\nestimator = \"sg-mrl\"", &["`outer.estimator`", "did you mean `sgmrl`", "sgmrl-lgo", "maml"]),
    ("[family]\nname = \"navigation/sgmlr\"", &["`family.name`", "did you mean `navigation/sgmrl`"]),
    ("[family]\nname = 3", &["`family.name`", "string"]),
    ("[family]\nstates = 3", &["`family.name`", "missing", "garnet"]),
];

/// Values out of range and choices that do not fit together.
const VALUES: &[Case] = &[
    ("gamma = 0.0", &["`gamma`", "(0, 1]"]),
    ("gamma = 1.5", &["`gamma`", "(0, 1]", "1.5"]),
    ("gamma = nan", &["`gamma`", "(0, 1]", "NaN"]),
    ("gamma = -0.5", &["`gamma`", "(0, 1]"]),
    ("[inner]\ngamma = inf", &["`inner.gamma`", "(0, 1]"]),
    ("iterations = 0", &["`iterations`", "from 1"]),
    ("seed = 9223372036854775808", &["TOML"]),
    ("name = \"../up\"", &["`name`", "letters"]),
    ("name = \"\"", &["`name`", "letters"]),
    ("[inner]\nsteps = 0", &["`inner.steps`", "from 1"]),
    ("[inner]\nsteps = 100000", &["`inner.steps`", "to 1000"]),
    ("[inner]\nepisodes = 0", &["`inner.episodes`", "from 1"]),
    ("[inner]\nalpha = nan", &["`inner.alpha`", "from 0"]),
    ("[inner]\nalpha = -0.1", &["`inner.alpha`", "from 0", "-0.1"]),
    ("[inner]\nalpha = inf", &["`inner.alpha`"]),
    ("[inner]\nlambda = 1.1", &["`inner.lambda`", "from 0 to 1"]),
    ("[inner]\nridge = 0.0", &["`inner.ridge`", "above 0"]),
    ("[inner]\nbaseline = \"none\"\nbootstrap = true", &["`inner.bootstrap`", "inner.baseline"]),
    ("[outer]\noptimiser = \"trpo\"\nkl = 0.0", &["`outer.kl`", "above 0"]),
    ("[outer]\noptimiser = \"trpo\"\nkl = nan", &["`outer.kl`", "above 0"]),
    ("[outer]\noptimiser = \"trpo\"\ncg_steps = 0", &["`outer.cg_steps`", "from 1"]),
    ("[outer]\noptimiser = \"trpo\"\ndamping = -1.0", &["`outer.damping`", "from 0"]),
    ("[outer]\noptimiser = \"trpo\"\nbacktracks = 0", &["`outer.backtracks`", "from 1"]),
    ("[outer]\noptimiser = \"trpo\"\nbacktrack_ratio = 1.0", &["`outer.backtrack_ratio`", "(0, 1)"]),
    ("inner.learn_alpha = true\nouter.optimiser = \"trpo\"", &["`inner.learn_alpha`", "`trpo`", "false"]),
    ("inner.learn_alpha = true\nouter.optimiser = \"promp\"", &["`inner.learn_alpha`", "`promp`", "false"]),
    ("[outer]\noptimiser = \"promp\"\nestimator = \"maml\"", &["`outer.estimator`", "`lvc`", "maml"]),
    ("[outer]\noptimiser = \"promp\"\nepochs = 0", &["`outer.epochs`", "from 1"]),
    ("[outer]\noptimiser = \"promp\"\nclip = 0.0", &["`outer.clip`", "above 0"]),
    ("[outer]\noptimiser = \"promp\"\ninner_kl = -0.1", &["`outer.inner_kl`", "from 0"]),
    ("[outer]\noptimiser = \"promp\"\nbeta1 = 1.0", &["`outer.beta1`", "[0, 1)"]),
    ("[outer]\ntasks = 0", &["`outer.tasks`", "from 1"]),
    ("[outer]\ntasks = -3", &["`outer.tasks`", "whole number"]),
    ("[outer]\nepisodes = 0", &["`outer.episodes`", "from 1"]),
    ("[outer]\nepisodes = 1\nbaseline = \"cross-fit\"", &["`outer.baseline`", "none, inner"]),
    ("[outer]\nepisodes = 10000000", &["`outer.episodes`", "to 1000000"]),
    ("[outer]\ntasks = 1000000", &["`outer.tasks`", "GiB", "limit"]),
    ("[policy]\nhidden = [60000, 60000]", &["`policy.hidden`", "GiB", "limit"]),
    ("[policy]\nhidden = [0]", &["`policy.hidden[0]`", "from 1"]),
    ("[policy]\nhidden = [8, 100000]", &["`policy.hidden[1]`", "to 65536"]),
    ("[policy]\nkind = \"tabular\"", &["`policy.kind`", "discrete", "mlp"]),
    ("[policy]\nlog_std = nan", &["`policy.log_std`"]),
    ("[policy]\nlog_std = -2.0\nmin_log_std = -1.0", &["`policy.min_log_std`", "policy.log_std"]),
    ("[policy]\ninit = \"orthogonal\"\ninit_gain = 0.0", &["`policy.init_gain`", "above 0"]),
    ("[outer]\ngroups = 0", &["`outer.groups`", "1..=20"]),
    ("[outer]\ngroups = 21", &["`outer.groups`", "1..=20"]),
    ("[outer]\nepisodes = 3\nform = \"resimulated\"\ngroups = 4", &["`outer.groups`", "1..=3"]),
    ("[inner]\nsteps = 2\n[outer]\nestimator = \"sgmrl-lgo\"", &["`outer.estimator`", "sgmrl-loo", "sgmrl-tasks"]),
    ("[outer]\nnormalise = true", &["`outer.normalise`", "bias"]),
    ("[outer]\nbaseline = \"linear\"", &["`outer.baseline`", "none, inner, cross-fit"]),
    ("[outer]\nadvantage = \"gae\"\nbaseline = \"cross-fit\"", &["`outer.baseline`", "none, linear"]),
    ("[outer]\nbeta = -1.0", &["`outer.beta`", "from 0"]),
    ("[outer]\nbeta1 = 1.0", &["`outer.beta1`", "[0, 1)"]),
    ("[outer]\nepsilon = 0.0", &["`outer.epsilon`", "above 0"]),
    ("[outer]\nclip_norm = 0.0", &["`outer.clip_norm`", "above 0"]),
    ("[outer]\nclip_norm = nan", &["`outer.clip_norm`", "above 0"]),
    ("[family]\nname = \"garnet\"\nstates = 0", &["`family.states`"]),
    ("[family]\nname = \"garnet\"\ngamma = 2", &["`family.gamma`", "(0, 1]"]),
    ("[family]\nname = \"cartpole\"\ngravity = nan", &["`family.gravity`", "finite"]),
    ("[family]\nname = \"cartpole\"\ngravity = [15, 5]", &["`family.gravity`", "low"]),
    ("[family]\nname = \"navigation/sgmrl\"\nhorizon = 0", &["`family.horizon`"]),
    ("[family]\nname = \"tabular\"\nfile = \"absent.json\"", &["`family.file`", "absent.json"]),
    ("[family]\nname = \"tabular\"\nfile = 3", &["`family.file`"]),
    ("[family]\nname = \"tabular\"", &["`family.", "missing"]),
    ("family = \"tabular\"\nfile = \"a.json\"\n[family.x]", &[]),
];

/// MDP files, and what the message must contain besides their name.
const MDPS: &[Case] = &[
    ("{", &["JSON"]),
    ("[]", &["object"]),
    ("\u{0}\u{1}\u{2}", &["JSON"]),
    (r#"{"gamma": 1, "horizon": 1, "tasks": []}"#, &["tasks", "empty"]),
    (r#"{"gamma": 0, "horizon": 1, "tasks": [T]}"#, &["gamma", "(0, 1]"]),
    (r#"{"gamma": 1.01, "horizon": 1, "tasks": [T]}"#, &["gamma", "(0, 1]"]),
    (r#"{"gamma": 1, "horizon": 0, "tasks": [T]}"#, &["horizon"]),
    (r#"{"gamma": 1, "horizon": -2, "tasks": [T]}"#, &["horizon"]),
    (r#"{"gamma": 1, "tasks": [T]}"#, &["horizon", "missing"]),
    (r#"{"gamma": 1, "horizon": 1, "tasks": [T], "extra": 1}"#, &["extra", "unknown"]),
    (
        r#"{"gamma": 1, "horizon": 1, "tasks": [{"start": [1], "reward": [[1]], "transition": [[[0.5]]]}]}"#,
        &["tasks[0].transition[0][0]", "sum to 0.5"],
    ),
    (
        r#"{"gamma": 1, "horizon": 1, "tasks": [{"start": [0.7], "reward": [[1]], "transition": [[[1]]]}]}"#,
        &["tasks[0].start", "sum to 0.7"],
    ),
    (
        r#"{"gamma": 1, "horizon": 1, "tasks": [{"start": [2, -1], "reward": [[1], [1]], "transition": [[[1, 0]], [[1, 0]]]}]}"#,
        &["tasks[0].start[1]", "negative"],
    ),
    (
        r#"{"gamma": 1, "horizon": 1, "tasks": [{"start": [1], "reward": [["x"]], "transition": [[[1]]]}]}"#,
        &["tasks[0].reward[0][0]"],
    ),
    (
        r#"{"gamma": 1, "horizon": 1, "tasks": [T, {"start": [1], "reward": [[1, 2]], "transition": [[[1], [1]]]}]}"#,
        &["tasks[1]"],
    ),
    (
        r#"{"gamma": 1, "horizon": 1, "tasks": [{"weight": -1, "start": [1], "reward": [[1]], "transition": [[[1]]]}]}"#,
        &["weight"],
    ),
    (r#"{"gamma": NaN, "horizon": 1, "tasks": [T]}"#, &["JSON"]),
];

const GOOD_TASK: &str = r#"{"start": [1], "reward": [[1]], "transition": [[[1]]]}"#;

/// Command lines, run where `good.toml`, `binary.toml`, `latin1.toml` and `empty_dir` stand, and what the message must contain.
const LINES: &[(&[&str], &[&str])] = &[
    (&["train", "absent.toml", "--out", "run"], &["absent.toml", "presets:"]),
    (&["train", "navigation/sgrml", "--out", "run"], &["did you mean `navigation/sgmrl`"]),
    (&["train", "empty_dir", "--out", "run"], &["empty_dir", "directory"]),
    (&["train", "binary.toml", "--out", "run"], &["binary.toml"]),
    (&["train", "latin1.toml", "--out", "run"], &["latin1.toml", "UTF-8"]),
    (&["train", "", "--out", "run"], &["preset"]),
    (&["train", "good.toml", "--set", "inner.alpha", "--out", "run"], &["--set inner.alpha", "key=value"]),
    (&["train", "good.toml", "--set", "=3", "--out", "run"], &["--set =3", "empty"]),
    (&["train", "good.toml", "--set", "inner..alpha=3", "--out", "run"], &["--set inner..alpha=3", "empty"]),
    (&["train", "good.toml", "--set", "inner.alpha=nan", "--out", "run"], &["--set inner.alpha=nan", "`inner.alpha`"]),
    (
        &["train", "good.toml", "--set", "inner.alpha=x", "--out", "run"],
        &["--set inner.alpha=x", "`inner.alpha`", "number"],
    ),
    (&["train", "good.toml", "--set", "name.x=1", "--out", "run"], &["--set name.x=1", "string"]),
    (&["train", "navigation/sgmrl", "--set", "name.x=1", "--out", "run"], &["--set name.x=1", "not a table"]),
    (&["train", "good.toml", "--set", "iner.alpha=1", "--out", "run"], &["--set iner.alpha=1", "did you mean `inner`"]),
    (&["check", "good.toml", "--set", "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1"], &["more than 16 parts"]),
    (&["train", "good.toml", "--iterations", "0", "--out", "run"], &["--iterations 0", "from 1"]),
    (&["train", "good.toml", "--iterations", "-1", "--out", "run"], &["-1"]),
    (&["train", "good.toml", "--seed", "x", "--out", "run"], &["--seed", "x"]),
    (&["train", "good.toml", "--seed", "18446744073709551615", "--out", "run"], &["--seed", "2^63"]),
    (&["train", "good.toml", "--resume"], &["--out"]),
    (&["train", "--resume", "--force", "--out", "run"], &["--force"]),
    (&["train", "good.toml", "--quite"], &["--quite"]),
    (&["tarin"], &["tarin"]),
    (&["check", "empty_dir"], &["empty_dir", "not a run directory"]),
    (&["check", "navigation/sgmrl", "--set", "family.goals=3"], &["`family.goals`", "allowed"]),
    (&["tasks", "--show", "navigation"], &["navigation", "allowed"]),
    (&["evaluate"], &["<RUN>"]),
    (&["evaluate", "run", "--shots", "5,0"], &["--shots", "0"]),
    (&["evaluate", "run", "--tasks", "-1"], &["-1"]),
    (&["gradient", "--theta", "zeros"], &["--mdps"]),
    (&["gradient", "--mdps", "x.json", "--mode", "guess"], &["--mode", "enumerate", "sample"]),
    (&["gradient", "--mdps", "x.json", "--alpha", "nan"], &["--alpha", "nan"]),
    (&["gradient", "--mdps", "x.json", "good.toml"], &["--mdps"]),
    (&["completions", "cmd"], &["bash"]),
];

fn refuse(text: &str) -> Option<String> {
    let (source, format) = if text.starts_with('{') { ("bad.json", Format::Json) } else { ("bad.toml", Format::Toml) };
    let error = config::parse(text, source, format, Path::new("."), &Overrides::default()).err()?;
    assert_eq!(error.source, source, "{text}: the message must name the file");
    Some(error.to_string())
}

#[test]
fn bad_configurations_are_refused_with_the_key_and_what_is_allowed() {
    assert!(SHAPE.len() + VALUES.len() >= 60);
    for (text, parts) in SHAPE.iter().chain(VALUES) {
        let message = refuse(text).unwrap_or_else(|| panic!("accepted:\n{text}"));
        for part in *parts {
            assert!(message.contains(part), "{text}\nlacks {part}: {message}");
        }
    }
}

/// The message of a process that must fail with code 2, say one thing and write nothing.
fn refused_by_process(scratch: &Scratch, args: &[&str]) -> String {
    let before = scratch.entries();
    let output = scratch.run(args);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
    assert!(!message.contains("panicked") && output.stdout.is_empty(), "{args:?}: {message}");
    assert_eq!(message.matches("error: ").count(), 1, "{args:?}: {message}");
    assert_eq!(scratch.entries(), before, "{args:?} wrote something");
    message
}

#[test]
fn bad_command_lines_exit_with_two_and_write_nothing() {
    let scratch = Scratch::new();
    let put = |name: &str, bytes: &[u8]| std::fs::write(scratch.path().join(name), bytes).expect("writable");
    put("good.toml", b"iterations = 1\n");
    put("binary.toml", &[0, 159, 146, 150, 255, 0, 1]);
    put("latin1.toml", b"name = \"caf\xe9\"\n");
    std::fs::create_dir(scratch.path().join("empty_dir")).expect("writable");
    for (args, parts) in LINES {
        let message = refused_by_process(&scratch, args);
        for part in *parts {
            assert!(message.contains(part), "{args:?}\nlacks {part}: {message}");
        }
    }
}

#[test]
fn bad_mdp_files_are_refused_by_train() {
    let scratch = Scratch::new();
    std::fs::write(scratch.path().join("my.toml"), "family = \"tabular\"\nfile = \"my-mdps.json\"\n")
        .expect("writable");
    for (text, parts) in MDPS {
        std::fs::write(scratch.path().join("my-mdps.json"), text.replace('T', GOOD_TASK)).expect("writable");
        let message = refused_by_process(&scratch, &["train", "my.toml", "--out", "run"]);
        for part in parts.iter().chain(&["my.toml", "my-mdps.json"]) {
            assert!(message.contains(part), "{text}\nlacks {part}: {message}");
        }
    }
}

#[test]
fn endless_nesting_is_refused_before_the_stack_ends() {
    let deep = 100_000;
    for text in ["[", "{a = ", "{\"a\": "].map(|open| format!("x = {}", open.repeat(deep))) {
        assert!(refuse(&text).is_some());
    }
    for text in [format!("{}a = 1", "a.".repeat(deep)), "{\"a\": ".repeat(deep), format!("[{}a]", "a.".repeat(deep))] {
        assert!(refuse(&text).is_some());
    }
}

#[test]
fn control_a_good_configuration_passes_the_same_checks() {
    assert_eq!(refuse("iterations = 1\n"), None);
    let scratch = Scratch::new();
    let mdps = format!(r#"{{"gamma": 1, "horizon": 1, "tasks": [{GOOD_TASK}]}}"#);
    std::fs::write(scratch.path().join("my-mdps.json"), mdps).expect("writable");
    std::fs::write(scratch.path().join("my.toml"), "family = \"tabular\"\nfile = \"my-mdps.json\"\n")
        .expect("writable");
    assert!(scratch.run(&["check", "my.toml"]).status.success());
}

#[test]
#[cfg(unix)]
fn a_reader_that_goes_away_is_not_an_error() {
    use std::process::{Command, Stdio};
    for args in [&["tasks", "--json"][..], &["completions", "zsh"], &["check"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_stillpoint"))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success() && output.stderr.is_empty(), "{args:?}: {output:?}");
    }
}
