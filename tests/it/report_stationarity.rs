//! `report` on stationarity studies through the real binary: every figure holds what the study's files hold, whole or half.

use crate::report::{check, column, copy, csv, numbers};
use crate::run_directory::{refuse, run, succeed};
use crate::source;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The committed study of version 0.1.0.
fn fixture() -> PathBuf {
    source::root().join("tests/fixtures/runs/0.1.0/stationarity-two-tasks")
}

fn study(dir: &Path) -> Value {
    let text = std::fs::read_to_string(dir.join("stationarity.json")).expect("a study");
    serde_json::from_str(&text).expect("JSON")
}

fn rows(dir: &Path, estimator: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(dir.join("stationarity.jsonl")).expect("rows");
    let rows = text.lines().map(|l| serde_json::from_str::<Value>(l).expect("JSON"));
    rows.filter(|r| r["estimator"] == estimator).collect()
}

/// A copy of the committed study in `name`, with its study changed.
fn changed(dir: &Path, name: &str, change: impl Fn(&mut Value)) -> PathBuf {
    let place = dir.join(name);
    copy(&fixture(), &place);
    let mut study = study(&place);
    change(&mut study);
    std::fs::write(place.join("stationarity.json"), study.to_string()).expect("writable");
    place
}

/// Means over seeds of one number of an estimator's rows, by iteration.
fn means(dir: &Path, estimator: &str, pointer: &str) -> Vec<f64> {
    let rows = rows(dir, estimator);
    let mut iterations: Vec<u64> = rows.iter().map(|r| r["iteration"].as_u64().expect("a count")).collect();
    iterations.sort_unstable();
    iterations.dedup();
    let at = |k: &u64| {
        let own: Vec<Value> = rows.iter().filter(|r| r["iteration"] == *k).cloned().collect();
        numbers(&own, pointer).iter().sum::<f64>() / own.len() as f64
    };
    iterations.iter().map(at).collect()
}

fn assert_close(a: &[f64], b: &[f64], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let near = |(x, y): (&f64, &f64)| (x - y).abs() <= 1e-12 * y.abs().max(1e-9);
    assert!(a.iter().zip(b).all(near), "{what}: {a:?} {b:?}");
}

#[test]
fn a_study_of_an_older_version_is_reported() {
    let dir = tempfile::tempdir().expect("scratch");
    let printed = succeed(dir.path(), &format!("report {} --out out", fixture().display()));
    assert!(printed.contains("cannot be told apart") && printed.contains("3 seeds per estimator"), "{printed}");
    let out = dir.path().join("out");
    let (page, figures) = check(&out);
    let expected = ["gap", "bound", "hitting", "bias", "value", "floor-alpha", "floor-offset", "rates-k", "rates-b"];
    assert_eq!(figures, expected);
    for word in ["examples/two-tasks.json", "does not apply", "eta_g", "n = 3 seeds", "Thin lines"] {
        assert!(page.contains(word), "{word}");
    }
    for (figure, column_name, pointer) in [
        ("gap", "gap_squared", "/gap_squared"),
        ("bound", "average_gap_squared", "/average_gap_squared"),
        ("value", "value", "/value"),
    ] {
        for estimator in ["sgmrl", "maml"] {
            let drawn = column(&out.join(format!("{figure}.csv")), estimator, column_name);
            assert_close(&drawn, &means(&fixture(), estimator, pointer), figure);
        }
    }
    let bound = column(&out.join("bound.csv"), "bound for sgmrl", "average_gap_squared");
    let of_rows = numbers(&rows(&fixture(), "sgmrl"), "/bound").into_iter().filter(|x| x.is_finite());
    let mut of_rows: Vec<f64> = of_rows.collect();
    of_rows.truncate(bound.len()); // one seed after the other, all with the same bound
    assert!(bound.len() > 5);
    assert_close(&bound, &of_rows, "bound");
}

#[test]
fn ends_hitting_times_floor_and_rates_are_those_of_the_study() {
    let dir = tempfile::tempdir().expect("scratch");
    succeed(dir.path(), &format!("report {} --out out -q", fixture().display()));
    let (out, study) = (dir.path().join("out"), study(&fixture()));
    let file = out.join("hitting.csv");
    for runs in study["runs"].as_array().expect("runs") {
        let name = runs["estimator"].as_str().expect("a name");
        let mut hits: Vec<(f64, Option<f64>)> = Vec::new();
        for h in runs["hitting"].as_array().expect("thresholds") {
            let seeds = h["seeds"].as_array().expect("seeds").iter();
            hits.extend(seeds.map(|k| (h["epsilon"].as_f64().expect("a number"), k.as_f64())));
        }
        hits.sort_by(|a, b| a.0.total_cmp(&b.0));
        let reached: Vec<f64> = hits.iter().filter_map(|h| h.1).collect();
        assert_eq!(column(&file, name, "iteration"), reached);
        let never = column(&file, &format!("{name}, not within its run"), "epsilon");
        assert_eq!(never, hits.iter().filter(|h| h.1.is_none()).map(|h| h.0).collect::<Vec<_>>());
        let slack = runs["bound"]["slack"].as_f64();
        let lines = csv(&out.join("table-bound.csv"));
        let line = lines.iter().find(|l| l["estimator"] == name).expect("there");
        assert_eq!((line["slack"].parse().ok(), line["verdict"].contains("holds")), (slack, slack.is_some()));
    }
    let mut promised = numbers(study["runs"][0]["hitting"].as_array().expect("thresholds"), "/large_batch/iterations");
    promised.sort_by(|a, b| b.total_cmp(a));
    assert_eq!(column(&file, "theorem, large batch (ε⁻²)", "iteration"), promised);
    let bias = column(&out.join("bias.csv"), "bias ‖∇V_ζ − E[estimator]‖", "norm");
    assert_eq!(bias, [study["runs"][1]["bias"]["bias"].as_f64().expect("biased")]);
    let cells = study["floor"]["cells"].as_array().expect("cells");
    let own = cells.iter().filter(|c| c["n"] == 2 && c["offset"] == 0.0).cloned().collect::<Vec<_>>();
    let file = out.join("floor-alpha.csv");
    assert_eq!(column(&file, "n = 2 inner trajectories", "bias"), numbers(&own, "/bias"));
    assert_eq!(column(&file, "bound, any n", "bias"), numbers(&own, "/bound"));
    assert_eq!(csv(&out.join("table-floor.csv")).len(), cells.len());
    let rates = study["rates"].as_array().expect("sweeps");
    let points = rates[0]["points"].as_array().expect("points");
    let file = out.join("rates-k.csv");
    assert_eq!(column(&file, "large batch", "K"), numbers(points, "/K"));
    assert_eq!(column(&file, "large batch", "low"), numbers(points, "/average_gap_squared/low"));
    let slopes: Vec<f64> =
        csv(&out.join("table-rates.csv")).iter().map(|l| l["slope"].parse().expect("number")).collect();
    assert_eq!(slopes, numbers(rates, "/slope/mean"));
}

/// Expected dynamics: MAML rests on the floor, SG-MRL goes through it, and the sentences say that this is exact.
#[test]
fn the_floor_is_where_maml_stops() {
    let dir = tempfile::tempdir().expect("scratch");
    succeed(dir.path(), "stationarity analytic/a --alpha 4 --inner-batch 2 --beta 2 --iterations 300 --out s -q");
    let printed = succeed(dir.path(), "report s");
    assert!(printed.starts_with("sgmrl won") && printed.contains("nothing is sampled"), "{printed}");
    let out = dir.path().join("s/report");
    let (page, _) = check(&out);
    assert!(page.contains("is below it from iteration"));
    let file = out.join("gap.csv");
    for estimator in ["sgmrl", "maml"] {
        let rows = rows(&dir.path().join("s"), estimator);
        assert_eq!(column(&file, estimator, "gap_squared"), numbers(&rows, "/gap_squared"));
    }
    let floor = column(&file, "floor: bias² of maml at its end", "gap_squared")[0];
    let end = |name: &str| *column(&file, name, "gap_squared").last().expect("rows");
    assert!((end("maml") / floor - 1.0).abs() < 1e-6 && end("sgmrl") < 1e-20, "{floor}");
}

/// One sampled run: each measurement with its own interval, and what is below resolution as such.
#[test]
fn sampled_gaps_keep_their_intervals() {
    let dir = tempfile::tempdir().expect("scratch");
    let line = "stationarity bandit/bernoulli-5 --dynamics sampled --iterations 6 --gap-every 2 --gap-method u-statistic \
                --estimators sgmrl --out s -q";
    succeed(dir.path(), line);
    let printed = succeed(dir.path(), "report s");
    assert!(printed.contains("Only sgmrl was followed") && printed.contains("There is no bound"), "{printed}");
    let out = dir.path().join("s/report");
    let (page, figures) = check(&out);
    assert!(page.contains("assumption not met") && page.contains("below resolution"));
    assert!(!figures.contains(&"bias".to_string()), "nothing was enumerated");
    let (file, rows) = (out.join("gap.csv"), rows(&dir.path().join("s"), "sgmrl"));
    assert_eq!(column(&file, "sgmrl", "low"), numbers(&rows, "/gap_squared_interval/0"));
    assert_eq!(column(&file, "sgmrl", "high"), numbers(&rows, "/gap_squared_interval/1"));
    let bound = out.join("bound.csv");
    assert_eq!(column(&bound, "sgmrl", "average_gap_squared"), numbers(&rows, "/average_gap_squared"));
    let first = |name: &str| column(&bound, "sgmrl", name)[0];
    let own = [first("low"), first("high")].map(|x| x - rows[0]["average_gap_squared"].as_f64().expect("a number"));
    assert!(own[0] < 0.0 && (own[0] + own[1]).abs() < 1e-12, "an interval around the mean: {own:?}");
    let resolved: Vec<bool> = csv(&file).iter().map(|l| l.get("resolved").is_none_or(|r| r == "true")).collect();
    assert_eq!(resolved, rows.iter().map(|r| !r["gap"].is_null()).collect::<Vec<_>>());
}

#[test]
fn half_a_study_says_what_is_missing() {
    let dir = tempfile::tempdir().expect("scratch");
    let notes = |name: &str| {
        let output = run(dir.path(), &format!("report {name}"));
        assert!(output.status.success());
        check(&dir.path().join(name).join("report"));
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        (text(&output.stderr), text(&output.stdout))
    };
    let half = changed(dir.path(), "interrupted", |s| {
        s["status"] = json!("interrupted");
        s["runs"][1]["seeds"][2]["outcome"] = json!("interrupted");
        s["runs"][1]["seeds"][2]["iterations"] = json!(7);
        (s["floor"], s["rates"]) = (Value::Null, Value::Null);
    });
    let (note, said) = notes("interrupted");
    assert!(note.contains("the study was interrupted") && note.contains("seed 3 interrupted after 7 of 60"), "{note}");
    assert!(said.starts_with("So far") && said.contains("2 to 3 seeds per estimator"), "{said}");

    std::fs::remove_file(half.join("stationarity.json")).expect("there");
    let text = std::fs::read_to_string(half.join("stationarity.jsonl")).expect("rows");
    std::fs::write(half.join("stationarity.jsonl"), &text[..text.len() - 30]).expect("writable");
    let (note, said) = notes("interrupted");
    assert!(note.contains("stationarity.json is not written yet"), "{note}");
    assert!(said.contains("No estimator has a complete run") && said.contains("(3 figures)"), "{said}");
    std::fs::write(half.join("stationarity.jsonl"), "").expect("writable");
    let (note, said) = notes("interrupted");
    assert!(note.contains("has no rows") && said.contains("(0 figures)"), "{note} {said}");

    let place = changed(dir.path(), "alone", |s| s["rates"] = json!("fast"));
    std::fs::remove_file(place.join("stationarity.jsonl")).expect("there");
    let (note, _) = notes("alone");
    assert!(note.contains("has no rows") && note.contains("The rates are left out"), "{note}");

    changed(dir.path(), "diverged", |s| s["runs"][0]["seeds"][0]["outcome"] = json!("diverged"));
    let (note, said) = notes("diverged");
    assert!(note.contains("seed 1 diverged") && note.contains("left out of the comparison"), "{note}");
    assert!(said.contains("Only maml came to its end in every run"), "{said}");
}

#[test]
fn damaged_studies_are_refused() {
    let dir = tempfile::tempdir().expect("scratch");
    let place = changed(dir.path(), "s", |s| s["runs"] = json!(3));
    assert!(refuse(dir.path(), "report s", 2).contains("stationarity.json: not a study"));
    copy(&fixture(), &place);
    let rows = std::fs::read_to_string(place.join("stationarity.jsonl")).expect("rows");
    std::fs::write(place.join("stationarity.jsonl"), format!("{{}}\n{rows}")).expect("writable");
    assert!(refuse(dir.path(), "report s", 2).contains("line 1 is not a measurement"));
}
