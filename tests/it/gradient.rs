//! The sceptic's command: attractors of expected gradients, the sampled test both ways round, and the binary from outside.

use crate::fixtures::{self, Family};
use crate::scratch::Scratch;
use serde_json::{Value, json};
use stillpoint::estimator::choice::{Estimator, LeaveGroupOutForm};
use stillpoint::exact::expectation::{THEORY_OUTER, enumerate, theory_inner};
use stillpoint::exact::objective::Problem;
use stillpoint::learn::options::{Inner, Outer, Update};
use stillpoint::math::hypothesis::{Moments, mean_is};
use stillpoint::measure::gradient::Sampler;
use stillpoint::optim::Optimiser;
use stillpoint::policy::{Policy, TabularSoftmax};
use tasks::family::Family as _;
use tasks::registry::parse_mdps;
use tasks::tabular::Tabular;

fn named(name: &str, groups: usize) -> Estimator {
    Estimator::named(name, groups, LeaveGroupOutForm::Importance).expect("a known name")
}

/// The file format of `--mdps`.
fn mdps(family: &Family) -> String {
    let task = |t: &Tabular| {
        let rows: Vec<&[f64]> = t.transition.chunks(t.states).collect();
        let reward: Vec<&[f64]> = t.reward.chunks(t.actions).collect();
        json!({"weight": 3, "start": t.start, "reward": reward, "transition": rows.chunks(t.actions).collect::<Vec<_>>()})
    };
    let tasks: Vec<Value> = family.tasks.iter().map(task).collect();
    json!({"gamma": family.gamma, "horizon": family.tasks[0].horizon, "tasks": tasks}).to_string()
}

/// A directory with `mdps.json` and `theta.json` of a family.
fn place(family: &Family) -> Scratch {
    let dir = Scratch::new();
    std::fs::write(dir.path().join("mdps.json"), mdps(family)).expect("written");
    std::fs::write(dir.path().join("theta.json"), json!(family.theta).to_string()).expect("written");
    dir
}

/// Runs `gradient ARGS --json`; stdout must be one JSON object and nothing else.
fn gradient(dir: &Scratch, args: &str) -> Value {
    let line: Vec<&str> = ["gradient"].into_iter().chain(args.split_whitespace()).chain(["--json"]).collect();
    let output = dir.run(&line);
    assert!(output.status.success(), "{args}: {}", String::from_utf8_lossy(&output.stderr));
    let value: Value = serde_json::from_slice(&output.stdout).expect("stdout is one JSON value");
    assert!(value.is_object());
    value
}

/// The message of a run that must end with exit code 2 and an empty stdout.
fn refused(dir: &Scratch, args: &str) -> String {
    let line: Vec<&str> = ["gradient"].into_iter().chain(args.split_whitespace()).collect();
    let output = dir.run(&line);
    assert_eq!(output.status.code(), Some(2), "{args}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.is_empty(), "{args}");
    String::from_utf8(output.stderr).expect("text")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number, got {value}"))
}

/// Two equiprobable one-step bandits with the given rewards.
fn bandits(rewards: &Value, alpha: f64, batch: usize) -> Problem {
    let arm = |r: &Value| Tabular {
        states: 1,
        actions: 2,
        horizon: 1,
        start: vec![1.0],
        reward: fixtures::numbers(r),
        transition: vec![1.0, 1.0],
        reward_noise: 0.0,
    };
    let tasks = rewards.as_array().expect("two rows").iter().map(|r| (0.5, arm(r))).collect();
    Problem { tasks, gamma: 1.0, alpha, steps: 1, batch }
}

/// Stable rest points in [-4, 4] of x <- x + step * (expected gradient along (1, -1)), by sign changes and bisection.
fn attractors(problem: &Problem, name: &str) -> Vec<f64> {
    let estimator = [named(name, problem.batch)];
    let drift = |x: f64| {
        let mean = &enumerate(problem, &[x, -x], 1, &estimator, &[0.0, 0.0])[0].mean;
        mean[0] - mean[1]
    };
    let grid: Vec<f64> = (0..=80).map(|k| -4.0 + 0.1 * f64::from(k) + 0.003).collect();
    let bisect = |(mut low, mut high): (f64, f64)| {
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if drift(middle) > 0.0 { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    };
    let signs: Vec<f64> = grid.iter().map(|&x| drift(x)).collect();
    (1..grid.len()).filter(|&k| signs[k - 1] > 0.0 && signs[k] <= 0.0).map(|k| bisect((grid[k - 1], grid[k]))).collect()
}

#[test]
fn attractors_of_the_analytic_benchmark() {
    for row in fixtures::document()["bandits"].as_array().expect("rows") {
        let batch = row["n_in"].as_u64().expect("n") as usize;
        let problem = bandits(&row["rewards"], number(&row["alpha"]), batch);
        for name in ["sgmrl", "sgmrl-lgo", "maml"] {
            let key = if name == "maml" { "maml" } else { "sgmrl" };
            let expected = row[key].as_array().expect("attractors");
            let found = attractors(&problem, name);
            assert_eq!(found.len(), expected.len(), "{row}: {name} {found:?}");
            for (x, known) in found.into_iter().zip(expected) {
                let exact = problem.v_zeta_gradient(&[x, -x]);
                let gap = exact.gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
                assert!((x - number(&known[0])).abs() < 1e-5, "{name}: x = {x}, {known}");
                assert!((exact.value - number(&known[1])).abs() < 1e-6, "{name}: V = {}, {known}", exact.value);
                assert!((gap - number(&known[2])).abs() < 1e-6, "{name}: gap = {gap}, {known}");
            }
        }
    }
}

/// Moments of `samples` one-task estimates of `name` on the first random family, n = 2, about the exact gradient.
fn sampled(family: &Family, name: &str, samples: usize, seed: u64) -> Moments {
    let tables = parse_mdps(&mdps(family)).expect("a valid family");
    let policy = Policy::Tabular(TabularSoftmax::new(family.tasks[0].states, family.tasks[0].actions));
    let inner =
        Inner { steps: 1, episodes: 2, alpha: family.alpha, learn_alpha: false, advantage: theory_inner(family.gamma) };
    let estimator = named(name, 2);
    let outer = Outer {
        tasks: 1,
        episodes: 1,
        estimator: estimator.clone(),
        advantage: THEORY_OUTER,
        update: Update::Gradient,
        optimiser: Optimiser::Sgd { beta: 0.0 },
        clip: None,
    };
    assert_eq!(tables.finite().expect("finite").len(), 2);
    let (theta, gamma, inner, outer) = (&family.theta[..], family.gamma, &inner, &outer);
    let sampler = Sampler { family: &tables, policy: &policy, theta, gamma, inner, outer, seed };
    sampler.moments(&estimator, samples, &vec![0.0; theta.len()])
}

/// Accepts SG-MRL against the gradient of V and rejects MAML; the other way round, against MAML's own exact expectation,
/// accepts MAML and rejects SG-MRL. Level 0.01, fixed seed.
#[test]
fn the_sampled_test_fails_both_ways_round() {
    const LEVEL: f64 = 0.01;
    let family = &fixtures::families()[0];
    let problem = family.problem(1, 2);
    let truth = problem.v_zeta_gradient(&family.theta).gradient;
    let mut exact = enumerate(&problem, &family.theta, 1, &[named("maml", 2), named("sgmrl", 2)], &truth);
    let (sgmrl_exact, maml_exact) = (exact.pop().expect("two"), exact.pop().expect("two"));
    for name in ["sgmrl", "sgmrl-loo", "sgmrl-lgo"] {
        let moments = sampled(family, name, 20_000, 17);
        let (right, wrong) = (mean_is(&moments, &truth), mean_is(&moments, &maml_exact.mean));
        assert_eq!(right.rank, 2, "{name}: {right:?}");
        assert!(right.p > LEVEL, "{name}: {right:?}");
        assert!(wrong.p < LEVEL, "{name}: {wrong:?}");
    }
    let maml = sampled(family, "maml", 20_000, 17);
    assert!(mean_is(&maml, &truth).p < 1e-6);
    assert!(mean_is(&maml, &maml_exact.mean).p > LEVEL);
    let variance = sampled(family, "sgmrl", 20_000, 17).variance_trace();
    assert!((variance / sgmrl_exact.variance_trace - 1.0).abs() < 0.1, "{variance} {}", sgmrl_exact.variance_trace);
}

#[test]
fn the_binary_reproduces_the_oracle() {
    let families = fixtures::families();
    for (family, cases) in [(&families[0], 0..4), (&families[1], 0..2), (&families[2], 0..1), (&families[3], 0..1)] {
        let dir = place(family);
        for case in &family.cases[cases] {
            let names: Vec<&str> = case.mean.keys().map(String::as_str).collect();
            let out = gradient(
                &dir,
                &format!(
                    "--mdps mdps.json --theta theta.json --alpha {} --inner-steps {} --inner-batch {} --outer-batch {} \
                     --estimators {}",
                    family.alpha,
                    case.zeta,
                    case.n_in,
                    case.n_out,
                    names.join(",")
                ),
            );
            assert_eq!(out["objective"], "V_zeta");
            assert!((number(&out["value"]) - case.v).abs() < 1e-10, "{out}");
            fixtures::close(&fixtures::numbers(&out["gradient"]), &case.grad, 1e-10);
            for name in names {
                let found = &out["estimators"][name];
                fixtures::close(&fixtures::numbers(&found["mean"]), &case.mean[name], 1e-10);
                fixtures::close(&fixtures::numbers(&found["stderr"]), &vec![0.0; case.grad.len()], 0.0);
                if name == "sgmrl" {
                    assert!(number(&found["relative_bias"]) < 1e-10, "{found}");
                    assert!((number(&found["cosine"]) - 1.0).abs() < 1e-10, "{found}");
                }
            }
            let bar = family.problem(case.zeta, 1).exact_inner_gradient(&family.theta);
            assert!((number(&out["deterministic_inner"]["value"]) - bar.value).abs() < 1e-12);
            fixtures::close(&fixtures::numbers(&out["deterministic_inner"]["gradient"]), &bar.gradient, 1e-12);
        }
    }
}

#[test]
fn the_binary_reproduces_variances_and_says_what_coincides() {
    let family = &fixtures::families()[0];
    let (dir, known) = (place(family), &family.variance[0]);
    let args =
        "--mdps mdps.json --theta theta.json --alpha 1 --inner-batch 2 --estimators sgmrl,sgmrl-loo,sgmrl-lgo,maml";
    let out = gradient(&dir, args);
    for (name, (_, variance)) in &known.est {
        let found = number(&out["estimators"][name]["variance_trace"]);
        assert!((found / variance - 1.0).abs() < 1e-10, "{name}: {found} {variance}");
    }
    let maml = &out["estimators"]["maml"];
    assert!((number(&maml["relative_bias"]) - 0.279).abs() < 5e-4, "{maml}");
    let alone = gradient(&dir, "--mdps mdps.json --theta zeros --alpha 1 --estimators sgmrl,sgmrl-loo,sgmrl-tasks");
    let notes = alone["notes"].to_string();
    assert!(notes.contains("`sgmrl-loo` equals `sgmrl`") && notes.contains("`sgmrl-tasks` equals `sgmrl`"), "{notes}");
    assert_eq!(alone["estimators"]["sgmrl"], alone["estimators"]["sgmrl-loo"]);
    let table = dir.run(&["gradient", "--mdps", "mdps.json", "--theta", "random:3", "--alpha", "1", "-q"]);
    let table = String::from_utf8(table.stdout).expect("text");
    assert!(table.contains("is the gradient of V_zeta") && table.contains("is not the gradient of V_zeta"), "{table}");
}

#[test]
fn sampling_from_outside_gives_a_verdict_that_threads_do_not_change() {
    let dir = place(&fixtures::families()[0]);
    let args = "gradient --mdps mdps.json --theta theta.json --alpha 1 --inner-batch 2 --estimators sgmrl,sgmrl-lgo,maml \
                --mode sample --samples 20000 --seed 4 --json";
    let run = |threads: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_stillpoint"))
            .args(args.split_whitespace())
            .current_dir(dir.path())
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .expect("the binary starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let one = run("1");
    assert_eq!(one, run("3"));
    let out: Value = serde_json::from_slice(&one).expect("one JSON object");
    for (name, rejected) in [("sgmrl", false), ("sgmrl-lgo", false), ("maml", true)] {
        let found = &out["estimators"][name];
        assert_eq!(found["test"]["rejected"], rejected, "{found}");
        assert_eq!(found["test"]["alpha"], 0.01);
        let words =
            if rejected { "rejected as the gradient of V_zeta" } else { "consistent with the gradient of V_zeta" };
        assert!(found["verdict"].as_str().expect("words").contains(words), "{found}");
        assert!(fixtures::numbers(&found["stderr"]).iter().all(|&e| e > 0.0));
    }
}

#[test]
fn theta_is_read_flat_nested_or_named() {
    let family = &fixtures::families()[2];
    let dir = place(family);
    let rows: Vec<&[f64]> = family.theta.chunks(3).collect();
    std::fs::write(dir.path().join("nested.json"), json!(rows).to_string()).expect("written");
    let with = |theta: &str| gradient(&dir, &format!("--mdps mdps.json --alpha 1 --estimators maml --theta {theta}"));
    let flat = with("theta.json");
    assert_eq!(flat["gradient"], with("nested.json")["gradient"]);
    assert_eq!(with("random:5")["theta"], with("random:5")["theta"]);
    assert_ne!(with("random:5")["theta"], with("random:6")["theta"]);
    assert_eq!(fixtures::numbers(&with("zeros")["theta"]), vec![0.0; 6]);
    for (text, complaint) in [
        ("[1,2,3]", "3 numbers"),
        ("[[1,2],[3,4],[5,6]]", "shape"),
        ("[1,2,3,4,5,\"x\"]", "not a finite number"),
        ("{}", "not an array"),
        ("[", "not JSON"),
    ] {
        std::fs::write(dir.path().join("bad.json"), text).expect("written");
        let message = refused(&dir, "--mdps mdps.json --alpha 1 --estimators maml --theta bad.json");
        for part in ["bad.json", complaint, "6 finite numbers"] {
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}

#[test]
fn a_configuration_gives_family_discount_and_step_size() {
    let dir = Scratch::new();
    std::fs::write(dir.path().join("theta.json"), "[0.16004578980305256, -0.16004578980305256]").expect("written");
    let out = gradient(&dir, "analytic/a --alpha 4 --theta theta.json --inner-batch 2");
    assert!((number(&out["value"]) - 0.5890166416611601).abs() < 1e-10, "{out}");
    assert!(fixtures::numbers(&out["gradient"]).iter().all(|g| g.abs() < 1e-12), "{out}");

    let family = &fixtures::families()[0];
    let dir = place(family);
    let config = "gamma = 0.5\n[family]\nname = \"tabular\"\nfile = \"mdps.json\"\n[policy]\nkind = \"tabular\"\n[inner]\nalpha = 0.7\n";
    std::fs::write(dir.path().join("c.toml"), config).expect("written");
    let mut problem = family.problem(1, 1);
    (problem.gamma, problem.alpha) = (0.5, 0.7);
    let out = gradient(&dir, "c.toml --theta theta.json --estimators sgmrl");
    assert!((number(&out["value"]) - problem.v_zeta(&family.theta)).abs() < 1e-12, "{out}");
}

#[test]
fn what_cannot_be_computed_is_refused_with_a_reason() {
    let dir = place(&fixtures::families()[0]);
    for (args, parts) in [
        ("navigation/sgmrl", &["navigation/sgmrl", "finite", "--mdps"][..]),
        ("dirichlet-mdp", &["finite"]),
        ("--mdps mdps.json --inner-batch 4 --outer-batch 4", &["combinations", "2000000", "--limit"]),
        ("--mdps mdps.json --inner-batch 12", &["combinations", "the limit is 2000000"]),
        ("--mdps mdps.json --limit 10", &["limit is 10"]),
        ("--mdps mdps.json --inner-batch 40 --inner-steps 9 --estimators maml", &["more than", "limit"]),
        ("--mdps mdps.json --estimators sgmlr", &["sgmlr", "sgmrl"]),
        ("--mdps mdps.json --estimators maml,maml", &["maml", "twice"]),
        ("--mdps mdps.json --inner-steps 2 --estimators sgmrl-lgo", &["one inner step", "sgmrl-loo"]),
        ("--mdps mdps.json --groups 3 --inner-batch 2", &["groups", "1..=2"]),
        ("--mdps mdps.json --mode sample --samples 3", &["--samples 3", "6"]),
        ("--mdps missing.json", &["missing.json"]),
        ("--mdps theta.json", &["theta.json", "object"]),
        ("--mdps mdps.json --theta random:x", &["random:x", "SEED"]),
    ] {
        let message = refused(&dir, args);
        for part in parts {
            assert!(message.contains(part), "{args}: `{part}` is not in: {message}");
        }
    }
}
