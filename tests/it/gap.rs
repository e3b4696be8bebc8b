//! The measured stationarity gap: unbiased by every method, refused where it cannot be had, and blind to training.

use crate::scratch::Scratch;
use stillpoint::exact::expectation::theory_inner;
use stillpoint::exact::objective::Problem;
use stillpoint::learn::options::Inner;
use stillpoint::math::gap::Method;
use stillpoint::math::summary::Estimate;
use stillpoint::measure::gap::{GapPlan, Gauge};
use stillpoint::policy::{Policy, TabularSoftmax};
use tasks::family::Family;

fn inner(alpha: f64, episodes: usize, steps: usize, gamma: f64) -> Inner {
    Inner { steps, episodes, alpha, learn_alpha: false, advantage: theory_inner(gamma) }
}

fn family(name: &str, params: serde_json::Value) -> Box<dyn Family> {
    let serde_json::Value::Object(map) = params else { panic!("an object") };
    tasks::registry::build(name, &map).expect("valid")
}

fn problem(family: &dyn Family, inner: &Inner) -> Problem {
    Problem {
        tasks: family.finite().expect("finite").into_iter().map(|(w, m)| (w, m.clone())).collect(),
        gamma: family.gamma(),
        alpha: inner.alpha,
        steps: inner.steps,
        batch: inner.episodes,
    }
}

fn squared(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum()
}

/// z of the mean of `values` against `claim`.
fn z(values: &[f64], claim: f64) -> f64 {
    let e = Estimate::of(values);
    (e.mean - claim) / ((e.high.expect("many") - e.mean) / 1.96)
}

fn check(family: &dyn Family, inner: &Inner, theta: &[f64], method: Method, control: f64) {
    let (states, actions) = {
        let tasks = family.finite().expect("finite");
        (tasks[0].1.states, tasks[0].1.actions)
    };
    let policy = Policy::Tabular(TabularSoftmax::new(states, actions));
    let plan = GapPlan { method: Some(method), groups: 10, tasks: 2, episodes: 4, limit: 0 };
    let gauge = Gauge::new(family, &policy, family.gamma(), inner, plan, 3).expect("feasible");
    let alpha = vec![inner.alpha; theta.len()];
    let values: Vec<f64> = (0..1500).map(|k| gauge.measure(theta, &alpha, k).gap.gap_squared).collect();
    let truth = squared(&problem(family, inner).v_zeta_gradient(theta).gradient);
    assert!(z(&values, truth).abs() < 4.0, "{method:?}: mean {} truth {truth}", Estimate::of(&values).mean);
    assert!(z(&values, control).abs() > 5.0, "{method:?}: the control {control} was not told from {truth}");
}

/// |z| < 4 over 1500 measurements (alpha 6e-5 each); the negative control is the squared norm of E[MAML] at the same theta.
#[test]
fn sampled_gaps_are_unbiased_for_v_and_not_for_maml() {
    let family = family("analytic/a", serde_json::json!({}));
    let (theta, inner) = ([0.4, -0.4], inner(4.0, 2, 1, family.gamma()));
    let problem = problem(family.as_ref(), &inner);
    let maml = stillpoint::estimator::choice::Estimator::named(
        "maml",
        1,
        stillpoint::estimator::choice::LeaveGroupOutForm::Importance,
    );
    let found = stillpoint::exact::expectation::enumerate(&problem, &theta, 1, &[maml.expect("a name")], &[0.0, 0.0]);
    let control = squared(&found[0].mean);
    check(family.as_ref(), &inner, &theta, Method::RaoBlackwell, control);
    check(family.as_ref(), &inner, &theta, Method::UStatistic, control);
}

#[test]
fn sampled_gaps_are_unbiased_for_two_inner_steps() {
    let family = family("analytic/b", serde_json::json!({}));
    let (theta, inner) = ([-0.3, 0.3], inner(1.0, 2, 2, family.gamma()));
    for method in [Method::RaoBlackwell, Method::UStatistic] {
        check(family.as_ref(), &inner, &theta, method, 0.0);
    }
}

#[test]
fn the_best_feasible_method_is_taken_and_named() {
    let policy = Policy::Tabular(TabularSoftmax::new(1, 2));
    let (finite, inner) = (family("analytic/a", serde_json::json!({})), inner(4.0, 2, 1, 1.0));
    let of = |plan: GapPlan| {
        Gauge::new(finite.as_ref(), &policy, finite.gamma(), &inner, plan, 1).map(|g| (g.method(), g.remark))
    };
    assert_eq!(of(GapPlan::default()), Ok((Method::Enumerated, None)));
    let (method, remark) = of(GapPlan { limit: 3, ..GapPlan::default() }).expect("falls back");
    assert_eq!(method, Method::RaoBlackwell);
    assert!(remark.is_some_and(|r| r.contains("limit of 3")));
    assert!(of(GapPlan { limit: 0, method: Some(Method::Enumerated), ..GapPlan::default() }).is_err());
    let patient = GapPlan { limit: 3, method: Some(Method::Enumerated), ..GapPlan::default() };
    assert_eq!(of(patient), Ok((Method::Enumerated, None)), "asked for by name, it may take longer");
    assert!(of(GapPlan { groups: 3, ..GapPlan::default() }).is_err());

    let infinite = family("garnet", serde_json::json!({"states": 5, "actions": 2}));
    let policy = Policy::Tabular(TabularSoftmax::new(5, 2));
    let gauge =
        Gauge::new(infinite.as_ref(), &policy, infinite.gamma(), &inner, GapPlan::default(), 1).expect("feasible");
    assert_eq!(gauge.method(), Method::RaoBlackwell);
}

/// Rows of a JSON-lines file without what the machine determines.
fn lines(path: &std::path::Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).expect("there");
    let parse = |line: &str| {
        let mut map: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).expect("a row");
        map.retain(|key, _| !key.contains("seconds"));
        serde_json::Value::Object(map)
    };
    text.lines().map(parse).collect()
}

#[test]
fn training_does_not_notice_that_its_gap_is_measured() {
    let scratch = Scratch::new();
    let run = |words: &str| {
        let output = scratch.run(&words.split(' ').collect::<Vec<_>>());
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    };
    for preset in ["analytic/a", "garnet", "navigation/sgmrl"] {
        let base = format!("train {preset} --smoke -q --set gap.groups=8 --set gap.tasks=1");
        run(&format!("{base} --force --out plain --iterations 6"));
        run(&format!("{base} --force --out six --iterations 6 --gap-every 2"));
        run(&format!("{base} --force --out half --iterations 3 --gap-every 2"));
        run("train -q --resume --out half --iterations 6");
        let file = |dir: &str, name: &str| lines(&scratch.path().join(dir).join(name));
        assert_eq!(file("six", "metrics.jsonl"), file("plain", "metrics.jsonl"), "{preset}");
        assert_eq!(file("half", "gap.jsonl"), file("six", "gap.jsonl"), "{preset}");
        assert!(!scratch.path().join("plain/gap.jsonl").exists());
        let gaps = file("six", "gap.jsonl");
        assert_eq!(gaps.iter().map(|g| g["iteration"].as_u64()).collect::<Vec<_>>(), [0, 2, 4, 6].map(Some));
        let method = ["enumerated", "rao-blackwell", "u-statistic"]
            [["analytic/a", "garnet", "navigation/sgmrl"].iter().position(|p| *p == preset).expect("listed")];
        for gap in &gaps {
            assert_eq!(gap["method"], method);
            let [low, high] = [0, 1].map(|i| gap["gap_squared_interval"][i].as_f64().expect("a number"));
            assert!(low <= high);
            assert_eq!(gap["gap"].is_null(), low <= 0.0 || gap["gap_squared"].as_f64() <= Some(0.0));
        }
    }
}

#[test]
fn a_gap_that_cannot_be_had_is_refused_before_anything_is_written() {
    let scratch = Scratch::new();
    for (set, words) in [
        ("gap.method=enumerated", ["section `gap`", "not a softmax table"]),
        ("gap.method=rao-blackwell", ["section `gap`", "finite MDPs"]),
        ("gap.method=exact", ["`gap.method`", "allowed: auto"]),
        ("gap.groups=3", ["`gap.groups`", "from 4"]),
        ("gap.groups=200000", ["`gap.groups`", "to 100000 with 10 tasks"]),
        ("gap.tasks=200000", ["`gap.tasks`", "to 25000"]),
    ] {
        let line = ["train", "navigation/sgmrl", "--smoke", "--gap-every", "2", "--set", set, "--out", "run"];
        let output = scratch.run(&line);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(words.iter().all(|w| message.contains(w)), "{message}");
        assert!(scratch.entries().is_empty(), "{set} wrote something");
    }
    let output = scratch.run(&["train", "--gap-every", "0", "--out", "run"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("--gap-every 0"), "{output:?}");
}

#[test]
fn sampled_gaps_are_unbiased_on_mdps_with_states() {
    let params = serde_json::json!({"states": 2, "actions": 2, "horizon": 2, "branching": 2, "tasks": 3});
    let family = family("garnet", params);
    let inner = inner(1.0, 2, 1, family.gamma());
    for method in [Method::RaoBlackwell, Method::UStatistic] {
        check(family.as_ref(), &inner, &[0.6, -0.4, 0.6, -0.4], method, 0.0);
    }
}
