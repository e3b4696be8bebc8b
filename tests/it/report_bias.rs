//! `report` on studies of `bias` through the real binary: figures, tables and files hold what the rows hold, whole or half.

use crate::report::{check, column, csv, numbers};
use crate::run_directory::{rows, run, succeed};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A study in `name` with its report.
fn reported(dir: &Path, study: &str, name: &str) -> (PathBuf, Vec<Value>, String) {
    succeed(dir, &format!("bias {study} --out {name} -q"));
    let printed = succeed(dir, &format!("report {name} -q"));
    (dir.join(name).join("report"), rows(&dir.join(name)), printed)
}

fn of<'a>(rows: &'a [Value], keys: &'a [(&str, &str)]) -> Vec<Value> {
    rows.iter().filter(|r| keys.iter().all(|(k, v)| r[*k] == *v)).cloned().collect()
}

/// Numbers of a column of a table.
fn cells(path: &Path, name: &str) -> Vec<f64> {
    csv(path).iter().map(|l| l[name].parse().unwrap_or(f64::NAN)).collect()
}

#[test]
fn a_study_over_trajectories_is_drawn_as_its_rows_say() {
    let dir = tempfile::tempdir().expect("scratch");
    let study = "comp-sample --set repeats=60 --set trajectories=[2,4,8,16]";
    let (out, rows, printed) = reported(dir.path(), study, "s");
    assert!(printed.contains("comp-sample, MAML-RL on 10 MDPs: the bias is told from zero in"), "{printed}");
    assert!(printed.contains("From n = 2 to 16, relative bias: maml"), "{printed}");
    let (page, figures) = check(&out);
    assert_eq!(figures, ["bias-trajectories", "corr-trajectories", "variance-trajectories"]);
    for words in
        ["debiased", "Not resolved", "1.96 standard errors", "mdps.csv", "gmrl-mdps", "estimates per MDP and point"]
    {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("Partial report"));
    for estimator in ["maml", "dice"] {
        let own = of(&rows, &[("inner", estimator)]);
        let read = |figure: &str, name: &str| column(&out.join(format!("{figure}.csv")), estimator, name);
        assert_eq!(read("bias-trajectories", "trajectories"), numbers(&own, "/trajectories"));
        assert_eq!(read("bias-trajectories", "rel_bias"), numbers(&own, "/rel_bias"));
        assert_eq!(read("corr-trajectories", "corr"), numbers(&own, "/corr"));
        assert_eq!(read("variance-trajectories", "entry_variance"), numbers(&own, "/entry_variance"));
        let errors = numbers(&own, "/corr_error");
        let ends = numbers(&own, "/corr").into_iter().zip(&errors).map(|(x, e)| x + 1.96 * e);
        assert_eq!(read("corr-trajectories", "high"), ends.collect::<Vec<_>>());
    }
    let table = out.join("table-points.csv");
    for name in ["corr", "corr_error", "var", "grad_mse", "bias_squared", "rel_bias", "rel_bias_error"] {
        assert_eq!(cells(&table, name), numbers(&rows, &format!("/{name}")), "{name}");
    }
    assert_eq!(cells(&table, "inner_error"), numbers(&rows, "/inner_error/1"));
    let mdps = out.join("mdps.csv");
    let first: Vec<f64> =
        rows.iter().flat_map(|r| numbers(r["mdps"].as_array().expect("a list"), "/bias_squared")).collect();
    assert_eq!(cells(&mdps, "bias_squared"), first);
    let slopes = csv(&out.join("table-slopes.csv"));
    let dice = slopes.iter().find(|l| l["estimator"] == "dice").expect("dice is resolved");
    let number = |key: &str| dice[key].parse::<f64>().expect("a number");
    assert!(number("slope_low") < number("slope") && number("slope") < number("slope_high"), "{dice:?}");
    assert!((-1.1..-0.2).contains(&number("slope")), "{dice:?}");
}

/// What is not resolved is marked so, and drawn at its upper limit; what is, is not (the control).
#[test]
fn what_is_not_resolved_is_marked() {
    let dir = tempfile::tempdir().expect("scratch");
    let (out, rows, printed) = reported(dir.path(), "comp-sample --smoke", "s");
    assert!(rows.iter().any(|r| r["resolved"] == false) && printed.contains("at most"), "{printed}");
    let lines = csv(&out.join("bias-trajectories.csv"));
    assert_eq!(lines.len(), rows.len());
    let mut seen = [0, 0];
    for (line, row) in lines.iter().zip(&rows) {
        let get = |name: &str| row[name].as_f64().expect("a number");
        let is_resolved = row["resolved"] == true && get("rel_bias") > 0.0;
        seen[usize::from(is_resolved)] += 1;
        assert_eq!(line["resolved"], is_resolved.to_string());
        let high: f64 = line["high"].parse().expect("an end");
        let expected = match is_resolved {
            true => get("rel_bias") + 1.96 * get("rel_bias_error"),
            false => (get("rel_bias_squared").max(0.0) + 1.96 * get("rel_bias_squared_error")).sqrt(),
        };
        assert!((high - expected).abs() < 1e-12, "{line:?}");
    }
    assert!(seen[0] > 0 && seen[1] > 0, "both kinds: {seen:?}");
    let page = std::fs::read_to_string(out.join("report.html")).expect("the page");
    assert!(page.contains("Open triangles: not resolved") && page.contains("<td>not resolved</td>"));
}

#[test]
fn the_decomposition_has_a_bar_per_tag_and_estimator() {
    let dir = tempfile::tempdir().expect("scratch");
    let (out, rows, printed) = reported(dir.path(), "decompose --smoke", "s");
    assert!(
        printed.contains("With every part exact the correlation is 1 and the variance 0 up to rounding"),
        "{printed}"
    );
    assert!(printed.contains("At n = 4, loaded: "), "{printed}");
    assert!(printed.contains("loaded, lvc and maml give the same numbers to rounding in"), "{printed}");
    let (page, figures) = check(&out);
    assert_eq!(&figures[..2], ["decomposition-corr", "decomposition-share"]);
    assert!(page.contains("The point with every part exact is not drawn"));
    for estimator in ["loaded", "dice", "lvc", "maml"] {
        for name in ["bias", "corr", "variance"] {
            assert!(figures.contains(&format!("{name}-trajectories-{estimator}")), "{figures:?}");
        }
        let drawn = csv(&out.join("decomposition-corr.csv"));
        // the key names the estimator, and n where both values are drawn
        let own: Vec<_> = drawn.iter().filter(|l| l["series"].split(',').next() == Some(estimator)).collect();
        assert_eq!(own.len(), 7, "one bar per tag");
        for line in own {
            let tag = line["tag"].as_str();
            let is_it = |r: &&Value| {
                r["tag"] == tag
                    && r["trajectories"] == 4
                    && ["inner", "jacobian", "outer"].iter().any(|k| r[*k] == estimator)
            };
            let row = rows.iter().find(is_it).expect("a row");
            assert_eq!(line["corr"].parse::<f64>().ok(), row["corr"].as_f64());
        }
    }
    for line in csv(&out.join("decomposition-share.csv")) {
        let share: f64 = line["bias_share"].parse().expect("a number");
        assert!((-0.4..=1.0).contains(&share), "{line:?}");
    }
    let of_table = cells(&out.join("table-points.csv"), "bias_share");
    let by_hand = rows.iter().map(|r| {
        let get = |name: &str| r[name].as_f64().expect("a number");
        get("bias_squared") / (get("bias_squared") + 100.0 * get("entry_variance"))
    });
    for (a, b) in of_table.iter().zip(by_hand).skip(1) {
        assert!((a - b).abs() < 1e-9, "{a} {b}");
    }
}

/// The quantities that the other studies vary, each with its figures; LIRPG's estimators coincide at K = 1 only.
#[test]
fn every_varying_quantity_has_its_figures() {
    let dir = tempfile::tempdir().expect("scratch");
    for (study, keys) in [
        ("comp-lr", &["alpha"][..]),
        ("step-ablation", &["steps"]),
        ("hessian-bias", &["alpha", "hessian-error"]),
        ("lirpg-step", &["trajectories", "steps"]),
    ] {
        let (set, small) =
            if study == "lirpg-step" { (" --set steps=[1,2] --set trajectories=[2,4]", 8) } else { ("", 4) };
        let (out, rows, printed) = reported(dir.path(), &format!("{study} --smoke{set}"), study);
        let (_, figures) = check(&out);
        for key in keys {
            for name in ["bias", "corr", "variance"] {
                assert!(figures.contains(&format!("{name}-{key}")), "{study}: {figures:?}");
            }
        }
        assert!(rows.len() >= small && !printed.contains("NaN"), "{printed}");
        assert_eq!(figures.iter().any(|f| f.starts_with("decomposition")), study == "step-ablation");
        assert_eq!(
            printed.contains("`ele` at K = 1") || printed.contains("ele at K = 1."),
            study == "lirpg-step",
            "{printed}"
        );
    }
}

#[test]
fn half_a_study_says_what_is_missing() {
    let dir = tempfile::tempdir().expect("scratch");
    succeed(dir.path(), "bias comp-sample --smoke --out s -q");
    let place = dir.path().join("s");
    let notes = || {
        let output = run(dir.path(), "report s");
        assert!(output.status.success());
        check(&place.join("report"));
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        (text(&output.stderr), text(&output.stdout))
    };
    let text = std::fs::read_to_string(place.join("metrics.jsonl")).expect("rows");
    std::fs::write(place.join("metrics.jsonl"), &text[..text.len() - 30]).expect("writable");
    let (note, said) = notes();
    assert!(note.contains("rows are missing; 3 of 4 points"), "{note}");
    assert!(said.contains("so far") && said.contains("of 3 points"), "{said}");
    assert_eq!(csv(&place.join("report/table-points.csv")).len(), 3);
    let info = std::fs::read_to_string(place.join("run.json")).expect("there");
    std::fs::write(place.join("run.json"), info.replace("finished", "interrupted")).expect("writable");
    assert!(notes().0.contains("the study was interrupted; 3 of 4 points"));
    std::fs::write(place.join("run.json"), info.replace("finished", "running")).expect("writable");
    assert!(notes().0.contains("is running or was killed"));
    std::fs::write(place.join("metrics.jsonl"), "").expect("writable");
    let (note, said) = notes();
    assert!(note.contains("has no rows") && said.contains("No point has been measured"), "{note} {said}");
    let config = std::fs::read_to_string(place.join("config.toml")).expect("there");
    std::fs::write(place.join("metrics.jsonl"), &text).expect("writable");
    std::fs::write(place.join("config.toml"), config.replace("steps = [2]", "steps = [0]")).expect("writable");
    let (note, _) = notes();
    assert!(note.contains("cannot be read any more") && note.contains("4 of ? points"), "{note}");
    std::fs::write(place.join("metrics.jsonl"), format!("{{}}\n{text}")).expect("writable");
    let refused = run(dir.path(), "report s");
    assert_eq!(refused.status.code(), Some(2), "a damaged row");
}

#[test]
fn several_studies_stand_on_one_page() {
    let dir = tempfile::tempdir().expect("scratch");
    succeed(dir.path(), "bias comp-sample --smoke --out a -q");
    succeed(dir.path(), "bias comp-lr --smoke --out b -q");
    let refused = run(dir.path(), "report a b");
    assert_eq!(refused.status.code(), Some(2), "--out is needed");
    succeed(dir.path(), "report a b --out out -q");
    let (page, figures) = check(&dir.path().join("out"));
    for name in ["comp-sample-bias-trajectories", "comp-lr-bias-alpha", "comp-lr-corr-alpha"] {
        assert!(figures.iter().any(|f| f == name), "{figures:?}");
    }
    assert!(page.contains("Bias of meta-gradients: comp-sample") && page.contains("Bias of meta-gradients: comp-lr"));
    for name in ["comp-sample-table-points", "comp-lr-table-points", "comp-sample-mdps"] {
        assert!(!csv(&dir.path().join("out").join(format!("{name}.csv"))).is_empty(), "{name}");
    }
}
