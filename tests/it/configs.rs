//! Every file in `configs/` is loaded, resolved and run at toy scale; flags change what they say they change.

use crate::scratch::Scratch;
use crate::source;
use std::path::Path;
use stillpoint::config::plan::Plan;
use stillpoint::config::tree::Format;
use stillpoint::config::{self, Overrides, preset, shipped};
use stillpoint::estimator::choice::{LeaveGroupOutForm, Sampling};
use stillpoint::learn::meta::{Learner, Promp, Trpo, Update};
use stillpoint::math::advantage::{Advantage, AdvantageKind, Average, Baseline, OuterAdvantage, OuterBaseline};
use stillpoint::optim::Optimiser;
use stillpoint::policy::Policy;

fn load(name: &str, overrides: &Overrides) -> config::Loaded {
    config::load(Some(name), overrides).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn with(sets: &[&str]) -> Result<config::Loaded, config::Error> {
    config::load(None, &Overrides { set: sets.iter().map(ToString::to_string).collect(), ..Overrides::default() })
}

fn toml(text: &str) -> Plan {
    config::parse(text, "test.toml", Format::Toml, Path::new("."), &Overrides::default()).expect("valid").plan
}

fn reload(plan: &Plan) -> Plan {
    let text = config::resolved(plan);
    config::parse(&text, "resolved", Format::Toml, Path::new("/"), &Overrides::default())
        .unwrap_or_else(|e| panic!("{e}\n{text}"))
        .plan
}

#[test]
fn every_file_is_an_embedded_preset_and_is_described() {
    let readme = std::fs::read_to_string(source::root().join("configs/README.md")).expect("configs/README.md");
    let files = source::files("configs/train");
    assert_eq!(files.len(), shipped::TRAIN.files.len(), "list new files in src/config/shipped.rs");
    for (path, text) in files {
        let name = path.strip_prefix("configs/train").expect("below").with_extension("");
        let name = name.to_str().expect("text").replace('\\', "/");
        assert_eq!(preset::text(&name), Some(text.as_str()), "{name} is not embedded");
        assert!(readme.contains(&format!("| `{name}` |")), "configs/README.md does not describe {name}");
        assert!(text.starts_with("# "), "{name} does not open with a comment that says what it is for");
        assert_eq!(load(&name, &Overrides::default()).plan.name, name.replace('/', "-"));
    }
}

#[test]
fn the_readme_names_every_key_and_estimator() {
    let readme = std::fs::read_to_string(source::root().join("configs/README.md")).expect("configs/README.md");
    for section in ["", "policy", "inner", "outer", "gap"] {
        let key = if section.is_empty() { "no_such".to_string() } else { format!("{section}.no_such") };
        let message = with(&[&format!("{key}=1")]).err().expect("unknown").message;
        let (_, allowed) = message.split_once("allowed: ").expect("a list");
        for key in allowed.split(", ").filter(|k| !["family", "policy", "inner", "outer", "gap"].contains(k)) {
            let dotted = if section.is_empty() { key.to_string() } else { format!("{section}.{key}") };
            let (short, long) = (format!("`{key}`"), format!("`{dotted}`"));
            assert!(readme.contains(&short) || readme.contains(&long), "configs/README.md does not explain {dotted}");
        }
    }
    for (name, _) in stillpoint::estimator::choice::NAMES {
        assert!(readme.contains(&format!("`{name}`")), "configs/README.md does not name {name}");
    }
}

#[test]
fn every_family_has_a_preset() {
    let used: Vec<String> = preset::names().iter().map(|n| load(n, &Overrides::default()).plan.family.name).collect();
    for entry in tasks::registry::entries().iter().filter(|e| !e.name.ends_with("/nominal")) {
        assert!(used.iter().any(|u| u == entry.name), "no preset trains on {}", entry.name);
    }
}

#[test]
fn presets_load_without_idle_keys_and_survive_resolution() {
    for name in preset::names() {
        for smoke in [false, true] {
            let loaded = load(name, &Overrides { smoke, ..Overrides::default() });
            // a preset may choose a biased outer part, but not without saying so
            let other: Vec<&String> = loaded.notes.iter().filter(|n| !n.contains("biased")).collect();
            assert!(other.is_empty(), "{name}: {other:?}");
            assert_eq!(reload(&loaded.plan), loaded.plan, "{name}");
        }
    }
}

#[test]
fn unusual_choices_survive_resolution() {
    let cases: [&[&str]; 11] = [
        &["outer.optimiser=sgd", "outer.beta=0.3", "outer.clip_norm=10"],
        &["outer.optimiser=rmsprop-tf", "outer.decay=0.95"],
        &["outer.optimiser=trpo", "outer.kl=0.02", "outer.damping=0", "outer.cg_steps=7", "outer.backtrack_ratio=0.5"],
        &["outer.optimiser=promp", "outer.estimator=lvc", "outer.epochs=2", "outer.inner_kl=0", "outer.clip_norm=3"],
        &["outer.optimiser=rmsprop-torch", "outer.epsilon=1e-5"],
        &[
            "outer.advantage=gae",
            "outer.baseline=linear",
            "outer.lambda=0.5",
            "outer.normalise=true",
            "outer.bootstrap=true",
        ],
        &["outer.advantage=return", "outer.baseline=none", "outer.average=steps"],
        &["outer.estimator=published-sgmrl", "outer.advantage=gae"],
        &["outer.form=resimulated", "outer.groups=20", "outer.baseline=inner", "outer.ridge=0.1"],
        &[
            "policy.init=orthogonal",
            "policy.init_gain=1.4142135623730951",
            "policy.min_log_std=-13.8",
            "policy.hidden=[]",
        ],
        &["inner.steps=3", "outer.estimator=sgmrl-tasks", "inner.learn_alpha=true", "inner.gamma=0.9", "precision=f64"],
    ];
    for sets in cases {
        let plan = with(sets).unwrap_or_else(|e| panic!("{e}")).plan;
        assert_eq!(reload(&plan), plan, "{sets:?}");
    }
}

#[test]
fn the_default_preset_is_the_papers_setting() {
    let plan = config::load(None, &Overrides::default()).expect("valid").plan;
    assert_eq!(plan.family.name, "navigation/sgmrl");
    let options = &plan.options;
    assert_eq!((options.inner.steps, options.inner.episodes, options.inner.alpha), (1, 20, 0.1));
    assert_eq!((options.outer.tasks, options.outer.episodes, options.gamma), (20, 20, 0.99));
    let a = options.inner.advantage;
    assert_eq!(a.kind, AdvantageKind::Gae { lambda: 0.997 });
    assert_eq!((a.baseline, a.normalise, a.average), (Baseline::Linear { ridge: 1e-5 }, true, Average::Steps));
    assert_eq!(options.outer.optimiser, Optimiser::Adam { beta: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 });
    assert_eq!(options.outer.estimator.name, "sgmrl-lgo");
    assert_eq!(plan.policy.hidden, [100, 100]);
    assert_eq!(plan.iterations, 500);
}

/// What the peers' presets must say (spec 4.4): estimator, update, tasks, episodes, alpha, hidden, processed advantages.
#[test]
fn the_peers_presets_are_their_own_settings() {
    let trpo = Update::Trpo(Trpo { kl: 0.01, cg_steps: 10, damping: 1e-5, backtracks: 15, backtrack_ratio: 0.8 });
    let promp = Update::Promp(Promp { epochs: 5, clip: 0.3, inner_kl: 5e-4 });
    for (name, iterations, estimator, update, tasks, alpha, hidden) in [
        ("navigation/pytorch-maml-rl", 500, "maml", trpo, 20, 0.1, 64),
        ("navigation/maml", 100, "maml", trpo, 40, 0.5, 100),
        ("navigation/maml-2goal", 100, "maml", trpo, 40, 0.5, 100),
        ("navigation/promp-corner", 1001, "lvc", promp, 40, 0.1, 64),
        ("navigation/promp-momentum", 1001, "lvc", promp, 40, 0.1, 64),
        ("navigation/promp-walls", 1001, "lvc", promp, 40, 0.1, 64),
    ] {
        let plan = load(name, &Overrides::default()).plan;
        let (inner, outer) = (&plan.options.inner, &plan.options.outer);
        assert_eq!((plan.iterations, plan.policy.hidden), (iterations, vec![hidden; 2]), "{name}");
        assert_eq!((outer.estimator.name.as_str(), outer.update), (estimator, update), "{name}");
        assert_eq!((outer.tasks, outer.episodes, inner.episodes), (tasks, 20, 20), "{name}");
        assert_eq!((inner.alpha, inner.steps, plan.options.gamma), (alpha, 1, 0.99), "{name}");
        let published = Advantage {
            kind: AdvantageKind::Gae { lambda: 1.0 },
            baseline: Baseline::Linear { ridge: 1e-5 },
            gamma: 0.99,
            normalise: true,
            average: Average::Steps,
            bootstrap: false,
        };
        assert_eq!((inner.advantage, outer.advantage), (published, OuterAdvantage::Processed(published)), "{name}");
        let adam = Optimiser::Adam { beta: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
        assert!(estimator == "maml" || outer.optimiser == adam, "{name}: {:?}", outer.optimiser);
    }
}

#[test]
fn an_empty_file_means_the_default_preset() {
    let mut plan = toml("");
    plan.name = "navigation-sgmrl".into();
    assert_eq!(plan, config::load(None, &Overrides::default()).expect("valid").plan);
}

#[test]
fn json_and_toml_say_the_same() {
    let json = r#"{"name": "x", "family": {"name": "garnet", "states": 4}, "inner": {"alpha": 1, "baseline": "none"}}"#;
    let text = "name = \"x\"\n[family]\nname = \"garnet\"\nstates = 4\n[inner]\nalpha = 1\nbaseline = \"none\"\n";
    for format in [Format::Json, Format::Either] {
        let read = config::parse(json, "x", format, Path::new("."), &Overrides::default()).expect("valid");
        assert_eq!(read.plan, toml(text));
    }
    assert_eq!(toml("family = \"garnet\""), toml("[family]\nname = \"garnet\""));
}

#[test]
fn a_family_file_is_looked_for_beside_the_configuration_and_its_tables_kept() {
    let scratch = Scratch::new();
    let mdps =
        r#"{"gamma": 0.5, "horizon": 2, "tasks": [{"start": [1], "reward": [[1, 0]], "transition": [[[1], [1]]]}]}"#;
    let (config, elsewhere) = (scratch.path().join("deep/my.toml"), scratch.path().join("mdps.json"));
    std::fs::create_dir(scratch.path().join("deep")).expect("writable");
    std::fs::write(&elsewhere, mdps).expect("writable");
    std::fs::write(&config, "family = \"tabular\"\nfile = \"../mdps.json\"\n").expect("writable");
    let plan = load(config.to_str().expect("text"), &Overrides::default()).plan;
    assert_eq!(plan.options.gamma, 0.5, "the family's own discount is the default");
    std::fs::remove_file(&elsewhere).expect("writable");
    assert_eq!(reload(&plan), plan, "the plan holds the tables and no longer needs the file");
}

#[test]
fn flags_win_over_the_file_and_over_smoke() {
    let overrides = Overrides {
        set: vec!["inner.episodes=7".into(), "outer.groups=7".into(), "iterations=9".into()],
        seed: Some(11),
        iterations: Some(2),
        gap_every: None,
        smoke: true,
        ..Overrides::default()
    };
    let plan = config::load(None, &overrides).expect("valid").plan;
    assert_eq!((plan.seed, plan.iterations, plan.options.inner.episodes), (11, 2, 7));
    assert!(plan.options.outer.tasks < 20 && plan.options.outer.episodes < 20);
    assert!(plan.policy.hidden.iter().all(|&w| w <= 8));
    let form = LeaveGroupOutForm::Importance;
    assert_eq!(plan.options.outer.estimator.sampling, Sampling::LeaveGroupOut { groups: 7, form });
}

#[test]
fn keys_without_effect_are_remarked_upon() {
    let notes = with(&["outer.estimator=maml", "outer.beta1=0.5", "outer.optimiser=sgd"]).expect("valid").notes;
    for key in ["outer.form", "outer.beta1"] {
        assert!(notes.iter().any(|n| n.contains(key)), "{key}: {notes:?}");
    }
    let idle = ["outer.optimiser=trpo", "outer.beta=1", "outer.clip_norm=1", "outer.epochs=2", "outer.estimator=dice"];
    let notes = with(&idle).expect("valid").notes;
    for key in ["outer.beta`", "outer.clip_norm", "outer.epochs", "only the gradient is that of `dice`"] {
        assert!(notes.iter().any(|n| n.contains(key)), "{key}: {notes:?}");
    }
    let notes = with(&["outer.kl=0.1"]).expect("valid").notes;
    assert!(notes.iter().any(|n| n.contains("outer.kl")), "{notes:?}");
    let notes = with(&["outer.estimator=sgmrl-loo", "inner.episodes=1"]).expect("valid").notes;
    assert!(notes.iter().any(|n| n.contains("equals `sgmrl`")), "{notes:?}");
}

#[test]
fn leave_group_out_with_two_steps_is_refused_with_alternatives() {
    let message = with(&["inner.steps=2"]).err().expect("refused").to_string();
    assert!(message.contains("sgmrl-loo") && message.contains("sgmrl-tasks"), "{message}");
    let plan = toml("[inner]\nsteps = 2\n");
    assert_eq!(plan.options.outer.estimator.name, "sgmrl-loo");
    assert_eq!(plan.options.outer.advantage, OuterAdvantage::Raw(OuterBaseline::CrossFit { ridge: 1e-5 }));
}

#[test]
fn check_says_what_a_run_would_do() {
    let scratch = Scratch::new();
    let output = scratch.run(&["check"]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success());
    for part in ["80 000 per iteration", "40 000 000 in total", "10 604 parameters", "runs/navigation-sgmrl-1-N/"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    assert!(scratch.entries().is_empty(), "check wrote something");
}

#[test]
fn every_preset_runs_at_toy_scale() {
    for name in preset::names() {
        let loaded = load(name, &Overrides { smoke: true, ..Overrides::default() });
        let (plan, family) = (loaded.plan, loaded.family);
        let policy = Policy::build(&plan.policy, &family.observation_space(), &family.action_space());
        let policy = policy.unwrap_or_else(|e| panic!("{name}: {e}"));
        let cost = config::cost::cost(&plan, &*family);
        assert_eq!(policy.n_params() as u64, cost.parameters, "{name}");
        let mut learner = Learner::<f32>::new(family.into(), policy, plan.options, plan.seed);
        for iteration in 1..=plan.iterations {
            let row = learner.step().unwrap_or_else(|e| panic!("{name}: {e:?}"));
            assert!(row.value.mean.is_finite(), "{name}");
            assert!(row.budget.environment_steps <= iteration * cost.steps_per_iteration, "{name}");
            assert_eq!(row.budget.episodes, iteration * cost.episodes_per_iteration, "{name}");
        }
    }
}

#[test]
fn every_preset_trains_at_toy_scale_from_the_command_line() {
    for name in preset::names() {
        let scratch = Scratch::new();
        let output = scratch.run(&["train", name, "--smoke", "--out", "run", "-q"]);
        let messages = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {messages}");
        let rows = std::fs::read_to_string(scratch.path().join("run/metrics.jsonl")).expect("metrics");
        assert_eq!(rows.lines().count(), 3, "{name}");
    }
}
