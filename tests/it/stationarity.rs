//! `stationarity` through the real binary: what it finds, held against the specification and worked out again from its record.

use crate::run_directory::{refuse, run, stillpoint, succeed};
use serde_json::{Value, json};
use std::path::Path;
use stillpoint::exact::objective::Problem;

const TWO: &str = include_str!("../../examples/two-tasks.json");

/// A directory with the example's MDPs in `two.json`.
pub(crate) fn place() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("scratch");
    std::fs::write(dir.path().join("two.json"), TWO).expect("writable");
    dir
}

/// What `stationarity LINE --json` prints, which must be one JSON object and nothing else.
fn study(dir: &Path, line: &str) -> Value {
    let text = succeed(dir, &format!("stationarity {line} --json -q"));
    assert!(text.ends_with("}\n") && text.lines().count() == 1, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(number).collect()
}

/// The entry of an estimator.
fn of<'a>(study: &'a Value, estimator: &str) -> &'a Value {
    let runs = study["runs"].as_array().expect("runs");
    runs.iter().find(|r| r["estimator"] == estimator).unwrap_or_else(|| panic!("{estimator} is missing"))
}

/// Rows of an estimator and seed in the record.
fn rows(out: &Path, estimator: &str, seed: u64) -> Vec<Value> {
    let text = std::fs::read_to_string(out.join("stationarity.jsonl")).expect("rows");
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a row"));
    all.filter(|r| r["estimator"] == estimator && r["seed"] == seed).collect()
}

fn close(a: f64, b: f64, relative: f64) {
    assert!((a - b).abs() <= relative * b.abs(), "{a} against {b}");
}

/// V's problem in `two.json`.
fn problem(alpha: f64, batch: usize, steps: usize) -> Problem {
    let family = tasks::registry::parse_mdps(TWO).expect("valid");
    let finite = tasks::family::Family::finite(&family).expect("finite");
    let tasks = finite.into_iter().map(|(w, mdp)| (w, mdp.clone())).collect();
    Problem { tasks, gamma: 0.9, alpha, steps, batch }
}

/// Specification 1.13: the attractors, expected dynamics from theta = 0.
#[test]
fn the_three_rows_of_the_analytic_benchmark() {
    let dir = place();
    // (alpha, n), SG-MRL's (x, V), MAML's (x, V, gap); the gap's printed digits, and as many as the oracle has
    let rows = [
        ("a", 4, 2, Some((0.160_046, 0.589_017)), (0.010_455, 0.583_892, 4.95e-2)),
        ("b", 4, 8, Some((0.053_086, 1.673_724)), (-0.733_278, 1.570_908, 1.54e-1)),
        ("c", 1, 8, None, (-0.394_236, 2.389_027, 1.11e-1)),
    ];
    let oracle = crate::fixtures::document();
    for (i, (row, alpha, n, sgmrl, (x, value, gap))) in rows.into_iter().enumerate() {
        let line = format!("analytic/{row} --dynamics expected --alpha {alpha} --inner-batch {n} --beta 2");
        let found = study(dir.path(), &format!("{line} --estimators sgmrl,maml --iterations 400"));
        let at = |name: &str| {
            let end = &of(&found, name)["final"];
            let theta = numbers(&end["theta"]);
            assert!(theta.len() == 2 && (theta[0] + theta[1]).abs() < 1e-12, "{theta:?}");
            (theta[0], number(&end["value"]), number(&end["gap"]))
        };
        let maml = at("maml");
        let known = oracle["bandits"][i]["maml"][0][2].as_f64().expect("the oracle's gap");
        assert!((maml.0 - x).abs() < 1e-5 && (maml.1 - value).abs() < 1e-6, "{row}: {maml:?}");
        assert!((maml.2 - known).abs() < 1e-6 && (maml.2 - gap).abs() < 5.1e-4, "{row}: {maml:?}");
        let end = at("sgmrl");
        match sgmrl {
            Some((x, value)) => {
                assert!((end.0 - x).abs() < 1e-5 && (end.1 - value).abs() < 1e-6 && end.2 < 1e-10, "{row}: {end:?}");
            }
            None => assert!(end.0 > 2.0 && end.1 > 2.49 && end.1 < 2.5, "climbs towards 2.5: {end:?}"),
        }
    }
}

#[test]
fn the_json_is_what_is_promised() {
    let dir = place();
    let d = dir.path();
    let flags = "--inner-batch 2 --beta 0.5 --iterations 6 --estimators sgmrl,maml,sgmrl-lgo";
    let sampled = "--dynamics sampled --gap-method u-statistic --gap-groups 12 --gap-tasks 2";
    let (mut resolved, mut below) = (0, 0);
    for line in [flags.to_string(), format!("{flags} {sampled}"), format!("{flags} {sampled} --seeds 2 --alpha 9")] {
        let found = study(d, &format!("--mdps two.json {line}"));
        let names: Vec<&Value> = found["runs"].as_array().expect("runs").iter().map(|r| &r["estimator"]).collect();
        assert_eq!(names, ["sgmrl", "maml", "sgmrl-lgo"]);
        for run in found["runs"].as_array().expect("runs") {
            assert!(run["hitting"].is_array() && run["bound"].is_object(), "{run}");
            let end = run["final"].as_object().expect("an object");
            let keys: Vec<&str> = end.keys().map(String::as_str).collect();
            let promised = ["gap", "gap_squared", "gap_squared_interval", "theta", "value"];
            assert!(promised.iter().all(|k| keys.contains(k)) && keys.len() == 5, "{keys:?}");
            let (squared, interval) = (number(&end["gap_squared"]), numbers(&end["gap_squared_interval"]));
            assert!(interval.len() == 2 && interval[0] <= interval[1] && numbers(&end["theta"]).len() == 4);
            if interval[0] > 0.0 {
                close(number(&end["gap"]), squared.sqrt(), 1e-15);
                resolved += 1;
            } else {
                assert!(end["gap"].is_null(), "{end:?}");
                below += 1;
            }
        }
    }
    assert!(resolved >= 3 && below >= 1, "both cases are met: {resolved}, {below}");
    // the start is read and the end is written state by state
    std::fs::write(d.join("theta.json"), "[[0.1, 0.2], [-0.3, 0.4]]").expect("writable");
    let line = "--mdps two.json --theta theta.json --beta 1e-12 --iterations 1 --estimators sgmrl";
    let theta = numbers(&of(&study(d, line), "sgmrl")["final"]["theta"]);
    theta.iter().zip([0.1, 0.2, -0.3, 0.4]).for_each(|(x, y)| close(*x, y, 1e-9));
}

/// The mean over iterations does not depend on how many of them are measured: 4 %, and 20 % as the rows are (negative control).
#[test]
fn measuring_less_often_leaves_the_mean_gap_where_it_is() {
    let dir = place();
    let line = "analytic/a --dynamics sampled --alpha 4 --inner-batch 2 --set outer.baseline=none --beta 0.3 --iterations 60 \
                --tasks-per-batch 400 --estimators sgmrl --out s";
    let mean = |every: u64| {
        let found = study(dir.path(), &format!("{line}{every} --gap-every {every}"));
        let mean = number(&of(&found, "sgmrl")["seeds"][0]["average_gap_squared"]["mean"]);
        let rows = rows(&dir.path().join(format!("s{every}")), "sgmrl", 1);
        close(number(&rows.last().expect("rows")["average_gap_squared"]), mean, 1e-12);
        let before: Vec<f64> = rows[..rows.len() - 1].iter().map(|r| number(&r["gap_squared"])).collect();
        (mean, before.iter().sum::<f64>() / before.len() as f64)
    };
    let (all, few) = (mean(1), mean(6));
    close(all.0, all.1, 1e-12);
    close(few.0, all.0, 0.04);
    assert!(few.1 > 1.2 * all.1, "{few:?} {all:?}");
}

const SAMPLED: &str = "--mdps two.json --dynamics sampled --alpha 1 --inner-batch 2 --beta 0.01 --iterations 40";

#[test]
fn sampled_runs_depend_on_the_seed_and_on_nothing_else() {
    let dir = place();
    let line = format!("stationarity {SAMPLED} --seeds 2 --gap-method rao-blackwell --gap-groups 4 --json -q");
    let text = |threads: &str, line: &str| {
        let output = stillpoint(dir.path(), line).env("RAYON_NUM_THREADS", threads).output().expect("it starts");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("text")
    };
    let one = text("1", &line);
    for threads in ["2", "8"] {
        assert_eq!(text(threads, &line), one);
    }
    let (one, other): (Value, Value) = (
        serde_json::from_str(&one).expect("JSON"),
        serde_json::from_str(&text("2", &format!("{line} --seed 2"))).expect("JSON"),
    );
    for name in ["sgmrl", "maml"] {
        let (one, other) = (of(&one, name), of(&other, name));
        assert_ne!(one["seeds"][0]["final"], one["seeds"][1]["final"]);
        assert_eq!(one["seeds"][1], other["seeds"][0], "seed 2 is seed 2, whichever is first");
    }
}

/// Whatever drives the ascent, the gap is that of V at the theta it stands at.
#[test]
fn every_arm_is_measured_by_the_same_objective() {
    let dir = place();
    for steps in [1, 2] {
        let line =
            format!("{SAMPLED} --inner-steps {steps} --estimators sgmrl,maml,published-sgmrl,dice --out s{steps}");
        let found = study(dir.path(), &line);
        let problem = problem(1.0, 2, steps);
        for run in found["runs"].as_array().expect("runs") {
            assert_eq!(run["method"], "enumerated");
            let end = &run["final"];
            let exact = problem.v_zeta_gradient(&numbers(&end["theta"]));
            close(number(&end["value"]), exact.value, 1e-12);
            close(number(&end["gap_squared"]), exact.gradient.iter().map(|g| g * g).sum(), 1e-10);
            let name = run["estimator"].as_str().expect("a name");
            assert_eq!(rows(&dir.path().join(format!("s{steps}")), name, 1).len(), 41);
        }
    }
}

/// The sampled gaps against the exact ones along the same run: measuring does not change it, and few intervals miss.
#[test]
fn sampled_gaps_agree_with_the_exact_one_along_the_run() {
    let dir = place();
    let d = dir.path();
    let line = format!("{SAMPLED} --estimators sgmrl --seeds 3 --beta 0.1").replace("--beta 0.01 ", "");
    study(d, &format!("{line} --out exact"));
    for method in ["rao-blackwell", "u-statistic"] {
        let found = study(d, &format!("{line} --gap-method {method} --gap-tasks 2 --out {method}"));
        assert_eq!(of(&found, "sgmrl")["method"], method);
        let (mut misses, mut errors) = (0, Vec::new());
        for seed in 1..=3 {
            for (a, b) in rows(&d.join("exact"), "sgmrl", seed).iter().zip(rows(&d.join(method), "sgmrl", seed)) {
                let truth = number(&a["gap_squared"]);
                let [low, high] = numbers(&b["gap_squared_interval"])[..] else { panic!("{b}") };
                misses += usize::from(truth < low || truth > high);
                errors.push(number(&b["gap_squared"]) - truth);
            }
        }
        // 123 measurements: 20 misses or more have probability 4e-4 at 93 % coverage; |z| < 4 is alpha 6e-5
        assert!(errors.len() == 123 && misses < 20, "{method}: {misses} misses");
        let e = stillpoint::math::summary::Estimate::of(&errors);
        let z = e.mean / ((e.high.expect("many") - e.mean) / 1.98);
        assert!(z.abs() < 4.0, "{method}: z {z}");
    }
}

/// The theorem's two terms from the printed constants, the mean over k < K from the rows, and when none of it is claimed.
#[test]
fn the_bound_holds_where_it_applies_and_is_withheld_elsewhere() {
    let dir = place();
    let line = format!("{SAMPLED} --seeds 3 --estimators sgmrl,maml,sgmrl-lgo --out s");
    let found = study(dir.path(), &line);
    let (constants, bound) = (&found["constants"], &of(&found, "sgmrl")["bound"]);
    let (l, g) = (number(&constants["L_V"]), number(&constants["G_V"]));
    let total = 2.0 * number(&bound["delta"]) / (0.01 * 40.0) + l * 0.01 * g * g / 20.0;
    close(number(&bound["total"]), total, 1e-12);
    assert!(bound["applies"] == json!(true) && bound["remark"].is_null() && 0.01 <= 1.0 / l);
    let average = |seed: u64| {
        let rows = rows(&dir.path().join("s"), "sgmrl", seed);
        let before: Vec<f64> =
            rows.iter().filter(|r| r["iteration"].as_u64() < Some(40)).map(|r| number(&r["gap_squared"])).collect();
        assert_eq!(before.len(), 40);
        before.iter().sum::<f64>() / 40.0
    };
    let measured = (1..=3).map(average).sum::<f64>() / 3.0;
    close(number(&bound["measured"]["mean"]), measured, 1e-12);
    close(number(&bound["slack"]), total / measured, 1e-12);
    assert!(measured < total && number(&bound["measured"]["low"]) < measured);
    assert!(!of(&found, "sgmrl")["hitting"][0]["large_batch"].is_null());
    for (name, why) in [("maml", "biased"), ("sgmrl-lgo", "second moment")] {
        let run = of(&found, name);
        let bound = &run["bound"];
        assert!(bound["applies"] == json!(false) && bound["slack"].is_null(), "{bound}");
        assert!(bound["remark"].as_str().is_some_and(|r| r.contains(why)), "{bound}");
        assert!(run["hitting"][0]["any_batch"].is_null() && run["hitting"][0]["large_batch"].is_null());
    }
    let bias = &of(&found, "maml")["bias"];
    assert!(number(&bias["bias"]) > 0.0 && number(&bias["bias"]) <= number(&bias["bound"]), "{bias}");
    // one path is exact about itself and says nothing of its expectation
    let one = study(dir.path(), &format!("{SAMPLED} --estimators sgmrl --out one"));
    let bound = &of(&one, "sgmrl")["bound"];
    assert!(bound["applies"] == json!(true) && bound["slack"].is_null(), "{bound}");
    assert!(number(&bound["measured"]["mean"]) > 0.0 && bound["measured"]["low"].is_null(), "{bound}");
    let text = succeed(dir.path(), &format!("stationarity {SAMPLED} --estimators sgmrl"));
    assert!(text.contains("slack not claimed"), "{text}");
    let report = succeed(dir.path(), "report one");
    assert!(report.contains("one sampled run gives no interval"), "{report}");
    // a step above 1/L_V, and outer returns that the configuration processes
    let text = succeed(dir.path(), "stationarity analytic/a --alpha 4 --inner-batch 2 --beta 2 --estimators sgmrl");
    assert!(text.contains("does not apply") && text.contains("above 1/L_V") && !text.contains("slack"), "{text}");
    let tiny = "--dynamics sampled --inner-batch 1 --outer-batch 4 --iterations 2 --beta 1e-4 --estimators sgmrl";
    let found = study(dir.path(), &format!("tabular {tiny}"));
    let bound = &of(&found, "sgmrl")["bound"];
    assert!(bound["applies"] == json!(false) && bound["remark"].as_str().expect("why").contains("baseline"), "{bound}");
}

/// Flags are keys of the configuration: a default follows them, and the leave-group-out estimator that is not followed does not.
#[test]
fn flags_are_validated_as_the_keys_that_they_stand_for() {
    let dir = place();
    let line = "garnet --set family.states=2 --set family.actions=2 --set family.horizon=2 --set family.tasks=2 \
                --dynamics sampled --alpha 0.1 --inner-batch 2 --outer-batch 1 --tasks-per-batch 8 --beta 1e-3 \
                --iterations 4 --gap-every 2 --gap-groups 4 --gap-tasks 1 --estimators sgmrl --set outer.baseline=none";
    let found = study(dir.path(), line);
    let bound = &of(&found, "sgmrl")["bound"];
    assert!(bound["applies"] == json!(true) && bound["remark"].is_null(), "{bound}");
    let two = line.replace("--iterations 4", "--iterations 4 --inner-steps 2 --set outer.groups=20");
    assert_eq!(study(dir.path(), &two)["setting"]["inner_steps"], 2, "the study has an estimator of its own");
}

#[test]
fn a_network_gets_its_smoothness_measured_and_no_theorem() {
    let dir = place();
    let line = "navigation/sgmrl --dynamics sampled --inner-batch 2 --outer-batch 2 --tasks-per-batch 1 --iterations 2 \
                --gap-groups 4 --gap-tasks 1 --estimators sgmrl-loo,maml";
    let found = study(dir.path(), line);
    assert!(found["constants"].is_null() && found["assumption"].as_str().expect("why").contains("assumption not met"));
    assert!(number(&found["empirical_smoothness"]) > 0.0);
    for run in found["runs"].as_array().expect("runs") {
        assert!(run["bound"].is_null() && run["method"] == "u-statistic" && run["hitting"][0]["any_batch"].is_null());
    }
    let output = run(dir.path(), &format!("stationarity {line}"));
    let (text, remarks) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("theory: no constants (assumption not met") && !text.contains("slack"), "{text}");
    assert!(
        text.contains("smoothness seen along the first run of sgmrl-loo") && text.contains("(a lower bound)"),
        "{text}"
    );
    assert!(remarks.contains("sampling noise adds to it"), "{text} {remarks}");
}

/// First measured k whose interval's upper end is at most epsilon, from the rows; the median counts never as last.
#[test]
fn hitting_times_are_those_of_the_rows() {
    let dir = place();
    for (method, beta, tasks) in [("enumerated", 0.5, 10), ("rao-blackwell", 0.5, 40)] {
        let line = SAMPLED.replace("0.01", &beta.to_string());
        let flags = "--seeds 3 --epsilon 1e-9,0.05,0.1,0.12,9 --gap-groups 40 --estimators sgmrl";
        let out = dir.path().join(method);
        let found =
            study(dir.path(), &format!("{line} {flags} --gap-method {method} --gap-tasks {tasks} --out {method}"));
        let hitting = of(&found, "sgmrl")["hitting"].as_array().expect("one per epsilon");
        assert_eq!(hitting.len(), 5);
        let later = |k: &Value| k.as_u64().unwrap_or(u64::MAX);
        for h in hitting {
            let epsilon = number(&h["epsilon"]);
            let seeds = h["seeds"].as_array().expect("per seed");
            for (seed, found) in (1..).zip(seeds) {
                let upper = |r: &Value| {
                    let [low, high] = numbers(&r["gap_squared_interval"])[..] else { panic!("{r}") };
                    high.max((high - low) / 2.0).sqrt()
                };
                let first =
                    rows(&out, "sgmrl", seed).iter().find(|r| upper(r) <= epsilon).map(|r| r["iteration"].clone());
                assert_eq!(*found, first.unwrap_or(Value::Null), "{method} epsilon {epsilon} seed {seed}");
            }
            let mut sorted: Vec<u64> = seeds.iter().map(later).collect();
            sorted.sort_unstable();
            assert_eq!(later(&h["iteration"]), sorted[1]);
        }
        let times: Vec<u64> = hitting.iter().map(|h| later(&h["iteration"])).collect();
        assert!(times.windows(2).all(|w| w[0] >= w[1]), "a larger epsilon is never later: {times:?}");
        assert!(times[0] == u64::MAX && times[4] == 0 && times[3] > 0 && times[3] < u64::MAX, "{method}: {times:?}");
    }
}

#[test]
fn assertions_decide_the_exit_code() {
    let dir = place();
    let d = dir.path();
    let line = "stationarity analytic/a --alpha 4 --inner-batch 2 --beta 2 --iterations 60";
    let assert = |line: &str, expression: &str| {
        let output = stillpoint(d, line).args(["--assert", expression]).output().expect("it starts");
        (output.status.code(), String::from_utf8(output.stderr).expect("text"), output.stdout)
    };
    for good in ["sgmrl.gap < 1e-3", "maml.gap>0.0495", "sgmrl.gap_squared <= maml.gap_squared", "0.58 < maml.value"] {
        let (code, message, _) = assert(line, good);
        assert!(code == Some(0) && message.contains(&format!("holds: {good}")), "{good}: {message}");
    }
    let (code, message, stdout) = assert(line, "maml.gap < 1e-3");
    assert_eq!(code, Some(4));
    assert!(message.contains("maml.gap < 1e-3") && message.contains("4.95"), "{message}");
    assert!(!stdout.is_empty(), "the study is printed all the same");
    for (bad, says) in [
        ("sgmrl.gap", "no comparison"),
        ("sgmrl.gap = 1", "no comparison"),
        ("sgmrl.norm < 1", "gap, gap_squared, value"),
        ("loo.gap < 1", "sgmrl, maml"),
        ("sgmrl.gap < nan", "nan"),
        ("", "expected ESTIMATOR.FIELD"),
    ] {
        let (code, message, stdout) = assert(line, bad);
        assert!(code == Some(2) && message.contains(says) && stdout.is_empty(), "{bad}: {message}");
    }
    // an interval on both sides of the threshold supports neither claim
    let line = format!("stationarity {SAMPLED} --gap-method u-statistic --gap-groups 8 --estimators sgmrl --seeds 2");
    for expression in ["sgmrl.gap_squared < 0.01", "sgmrl.gap_squared > 0.01", "sgmrl.gap < 0.1"] {
        let (code, message, _) = assert(&line, expression);
        assert!(code == Some(4) && message.contains(expression) && message.contains('['), "{message}");
    }
    // the mean of one path is no claim about its expectation; of expected dynamics there is only one
    let line = format!("stationarity {SAMPLED} --estimators sgmrl");
    let (code, message, _) = assert(&line, "sgmrl.average_gap_squared < 9");
    assert!(code == Some(4) && message.contains("no interval (--seeds 2 or more)"), "{message}");
    assert_eq!(assert(&format!("{line} --seeds 2"), "sgmrl.average_gap_squared < 9").0, Some(0));
    let line = "stationarity analytic/a --alpha 4 --inner-batch 2 --beta 2 --iterations 60";
    assert_eq!(assert(line, "sgmrl.average_gap_squared < 9").0, Some(0));
    // every seed counts, not only the one that is shown
    let found = study(d, &format!("{SAMPLED} --estimators sgmrl --seeds 4"));
    let seeds = of(&found, "sgmrl")["seeds"].as_array().expect("four");
    let gaps: Vec<f64> = seeds.iter().map(|s| number(&s["final"]["gap"])).collect();
    let worst = gaps.iter().fold(0.0f64, |a, b| a.max(*b));
    let line = format!("stationarity {SAMPLED} --estimators sgmrl --seeds 4");
    for (threshold, code) in [(worst * 1.0001, 0), (worst * 0.9999, 4)] {
        assert_eq!(assert(&line, &format!("sgmrl.gap < {threshold}")).0, Some(code), "{gaps:?}");
    }
}

#[test]
fn the_table_of_biases_keeps_its_bound() {
    let dir = place();
    let line = "--mdps two.json --alpha 0.5 --inner-batch 2 --iterations 2 --floor";
    let found = study(dir.path(), line);
    let cells = found["floor"]["cells"].as_array().expect("cells");
    let distinct = |key: &str| {
        let mut seen: Vec<String> = cells.iter().map(|c| c[key].to_string()).collect();
        seen.sort();
        seen.dedup();
        seen.len()
    };
    assert!(distinct("alpha") >= 3 && distinct("n") >= 2 && distinct("offset") >= 3, "{}", cells.len());
    for cell in cells {
        let (bias, bound) = (number(&cell["bias"]), number(&cell["bound"]));
        assert!(bias > 0.0 && bias <= bound, "{cell}");
    }
    let text = succeed(dir.path(), &format!("stationarity {line}"));
    assert_eq!(text.lines().skip_while(|l| !l.starts_with("bias of MAML")).skip(2).count(), cells.len());
    let message = refuse(dir.path(), "stationarity bandit/gaussian --dynamics sampled --floor --iterations 1", 2);
    assert!(message.contains("--floor"), "{message}");
}

#[test]
fn rates_have_intervals_over_seeds() {
    let dir = place();
    let line = "--mdps two.json --dynamics sampled --inner-batch 1 --beta 0.5 --iterations 24 --tasks-per-batch 8";
    let flags = "--estimators sgmrl --rates --seeds 5";
    let found = study(dir.path(), &format!("{line} {flags}"));
    let sweeps = found["rates"].as_array().expect("sweeps");
    let versus: Vec<&Value> = sweeps.iter().map(|s| &s["versus"]).collect();
    assert_eq!(versus, ["K", "K", "B"]);
    for sweep in sweeps {
        let slope = &sweep["slope"];
        assert!(number(&slope["low"]) < number(&slope["mean"]) && number(&slope["mean"]) < number(&slope["high"]));
        assert!(sweep["seeds"] == 5 && number(&sweep["theorem_order"]) < 0.0);
        let last = &sweep["points"][3];
        assert!(last["K"] == 24 && last["B"] == 8 && number(&last["beta"]) == 0.5, "{last}");
    }
    // they are plain SG-MRL's, whatever the configuration does to outer returns
    let own = "analytic/a --dynamics sampled --alpha 1 --inner-batch 1 --outer-batch 2 --beta 0.5 --iterations 16 \
               --tasks-per-batch 8";
    let plain = study(dir.path(), &format!("{own} {flags}"));
    let processed = "--set outer.advantage=return --set outer.baseline=none --set outer.normalise=true";
    let processed = study(dir.path(), &format!("{own} {processed} {flags}"));
    assert_eq!(plain["rates"], processed["rates"]);
    assert_ne!(of(&plain, "sgmrl")["seeds"], of(&processed, "sgmrl")["seeds"], "the arms follow the configuration");
    let remark = found["notes"].to_string();
    assert!(remark.contains("above 1/L_V"), "steps beyond the theorem are named: {remark}");
    for (flags, says) in [
        ("--rates --seeds 4 --out r", "--seeds 5 or more"),
        ("--rates --seeds 5 --iterations 15 --out r", "--iterations must be 16"),
        ("--rates --seeds 5 --tasks-per-batch 7 --out r", "--tasks-per-batch 8"),
        ("--rates --seeds 5 --inner-batch 40 --out r", "exact gap"),
    ] {
        let own = |line: String, key: &str, value: &str| {
            if flags.contains(key) { line.replace(&format!("{key} {value} "), "") } else { line }
        };
        let line = own(own(format!("{line} "), "--iterations", "24"), "--tasks-per-batch", "8");
        let line = own(line, "--inner-batch", "1");
        let message = refuse(dir.path(), &format!("stationarity {line} {flags}"), 2);
        assert!(message.contains("--rates") && message.contains(says), "{message}");
        assert!(!dir.path().join("r").exists(), "refused before anything is written");
    }
}
