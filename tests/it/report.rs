//! `report` through the real binary: runs and gradients; the page parses, fetches nothing, and says what its rows say.

use crate::run_directory::{refuse, run, succeed};
use crate::source;
use scraper::{Html, Selector};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The committed run of version 0.1.0.
fn fixture() -> PathBuf {
    source::root().join("tests/fixtures/runs/0.1.0/bandit-bernoulli-5")
}

/// Copies a directory with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("writable");
    for entry in std::fs::read_dir(from).expect("readable") {
        let path = entry.expect("readable").path();
        let target = to.join(path.file_name().expect("named"));
        if path.is_dir() { copy(&path, &target) } else { std::fs::copy(&path, &target).map(|_| ()).expect("writable") }
    }
}

/// Lines of a CSV file as maps from column to text.
pub(crate) fn csv(path: &Path) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    reader.deserialize().map(|line| line.expect("well formed")).collect()
}

/// Numbers of one column of the lines of one series.
pub(crate) fn column(path: &Path, series: &str, name: &str) -> Vec<f64> {
    let lines = csv(path);
    let own = lines.iter().filter(|l| l["series"] == series);
    own.map(|l| l[name].parse().unwrap_or(f64::NAN)).collect()
}

/// Every tag is closed in order, and no number is broken.
fn check_svg(text: &str) {
    assert!(text.starts_with("<svg ") && !text.contains("NaN") && !text.contains("inf\""));
    let mut open: Vec<&str> = Vec::new();
    for tag in text.split('<').skip(1) {
        let (tag, rest) = tag.split_once('>').expect("every tag ends");
        assert!(!rest.contains('>'), "an unescaped sign in {rest}");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if tag.ends_with('/') => {}
            None => open.push(tag.split(' ').next().expect("named")),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

/// What keeps `text` from being a page of its own.
fn foreign(text: &str) -> Vec<String> {
    let plain = text.replace("http://www.w3.org/2000/svg", "").to_lowercase();
    let words =
        ["http:", "https:", "src=", "@import", "url(", "<script", "<link", "<img", "<iframe", "<object", "javascript:"];
    let mut found: Vec<String> = words.iter().filter(|w| plain.contains(**w)).map(|w| (*w).to_string()).collect();
    let links = plain.match_indices("href=\"").map(|(at, m)| &plain[at + m.len()..]);
    found.extend(links.filter(|l| !l.starts_with('#')).map(|l| l.chars().take(20).collect()));
    found
}

/// Checks the page in `dir` and all of its figures; returns the page and the names of the figures.
pub(crate) fn check(dir: &Path) -> (String, Vec<String>) {
    let text = std::fs::read_to_string(dir.join("report.html")).expect("the page");
    let page = Html::parse_document(&text);
    assert!(page.errors.is_empty(), "{:?}", page.errors);
    assert_eq!(foreign(&text), Vec::<String>::new());
    let select = |what: &str| Selector::parse(what).expect("a selector");
    let figures: Vec<String> =
        page.select(&select("figure")).map(|f| f.value().attr("id").expect("named").to_string()).collect();
    assert_eq!(page.select(&select("figure svg")).count(), figures.len(), "one drawing in each");
    let tables: Vec<String> =
        page.select(&select("table")).map(|t| t.value().attr("id").expect("named").to_string()).collect();
    for name in &figures {
        let svg = std::fs::read_to_string(dir.join(format!("{name}.svg"))).expect("a file of its own");
        check_svg(&svg);
        let drawn = svg.matches("<p").count() + svg.matches("<circle").count() + svg.matches("<rect").count();
        assert!(drawn > 5, "{name} is empty");
    }
    for name in figures.iter().chain(&tables) {
        assert!(!csv(&dir.join(format!("{name}.csv"))).is_empty(), "{name} has no data");
    }
    let mut files: Vec<String> = std::fs::read_dir(dir)
        .expect("readable")
        .map(|e| e.expect("readable").file_name().to_string_lossy().into_owned())
        .filter(|n| n.ends_with(".svg"))
        .collect();
    files.sort();
    let mut expected: Vec<String> = figures.iter().map(|f| format!("{f}.svg")).collect();
    expected.sort();
    assert_eq!(files, expected, "the page holds every figure");
    (text, figures)
}

fn rows(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).expect("rows");
    text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
}

pub(crate) fn numbers(rows: &[Value], pointer: &str) -> Vec<f64> {
    rows.iter().map(|r| r.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN)).collect()
}

#[test]
fn a_run_of_an_older_version_is_reported() {
    let dir = tempfile::tempdir().expect("scratch");
    let line = format!("report {} --out out", fixture().display());
    let printed = succeed(dir.path(), &line);
    assert!(printed.contains("bandit/bernoulli-5") && printed.contains("out/report.html (3 figures)"), "{printed}");
    let out = dir.path().join("out");
    let (page, figures) = check(&out);
    assert_eq!(figures, ["returns", "gradient", "budget"]);
    for word in ["0.1.0", "finished", "stillpoint report", "Resolved configuration", "prefers-color-scheme: dark"] {
        assert!(page.contains(word), "{word}");
    }
    let rows = rows(&fixture());
    let returns = out.join("returns.csv");
    for (series, k) in [("before adaptation", 0), ("after 1 step", 1)] {
        assert_eq!(column(&returns, series, "return"), numbers(&rows, &format!("/returns/{k}/mean")));
        assert_eq!(column(&returns, series, "low"), numbers(&rows, &format!("/returns/{k}/low")));
        assert_eq!(column(&returns, series, "environment_steps"), numbers(&rows, "/budget/environment_steps"));
    }
    assert_eq!(column(&out.join("gradient.csv"), "noise", "norm"), numbers(&rows, "/gradient_noise"));
    assert_eq!(column(&out.join("budget.csv"), "gradients", "count"), numbers(&rows, "/budget/gradients"));
}

#[test]
fn control_a_page_that_fetches_is_found() {
    for text in ["<a href=\"other.html\">", "<img src=x>", "see https://example.org", "<style>@import 'x'</style>"] {
        assert!(!foreign(text).is_empty(), "{text}");
    }
    assert!(foreign("<a href=\"#here\">").is_empty());
}

/// A run whose gap was measured, and one that was stopped: what is there is shown, what is not is said.
#[test]
fn half_a_run_with_gaps_gives_a_partial_report() {
    let dir = tempfile::tempdir().expect("scratch");
    let run_dir = dir.path().join("r");
    copy(&fixture(), &run_dir);
    let text = std::fs::read_to_string(run_dir.join("metrics.jsonl")).expect("rows");
    let half: String = text.lines().take(5).map(|l| format!("{l}\n")).collect();
    std::fs::write(run_dir.join("metrics.jsonl"), half + "{\"iteration\":6,\"ret").expect("writable");
    let info = std::fs::read_to_string(run_dir.join("run.json")).expect("status").replace("finished", "interrupted");
    std::fs::write(run_dir.join("run.json"), info).expect("writable");
    let gap = |k: i32, x: f64| {
        json!({"iteration": k, "environment_steps": 10 * k, "method": "u-statistic", "gap_squared": x, "value": 0.5,
               "gap_squared_interval": [x - 0.1, x + 0.1], "gap": if x > 0.1 { Some(x.sqrt()) } else { None },
               "groups": 40, "noise": 0.1, "measure_steps": 100, "seconds": 0.1})
    };
    let gaps = [gap(0, 0.4), gap(2, 0.2), gap(4, -0.01)];
    let lines: String = gaps.iter().map(|g| format!("{g}\n")).collect();
    std::fs::write(run_dir.join("gap.jsonl"), lines).expect("writable");

    let output = run(dir.path(), "report r");
    assert!(output.status.success());
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(notes.contains("r was interrupted") && notes.contains("5 of 12 iterations"), "{notes}");
    assert!(run(dir.path(), "report r -q").stderr.is_empty(), "quiet");
    let out = run_dir.join("report");
    let (page, figures) = check(&out);
    assert_eq!(figures, ["returns", "gap", "gradient", "budget"]);
    assert!(page.contains("was interrupted"));
    assert_eq!(column(&out.join("gap.csv"), "‖∇V_ζ‖²", "gap_squared"), [0.4, 0.2, -0.01]);
    let resolved: Vec<String> = csv(&out.join("gap.csv")).iter().map(|l| l["resolved"].clone()).collect();
    assert_eq!(resolved, ["true", "true", "false"]);
    succeed(dir.path(), "report r"); // over the older report
    succeed(dir.path(), "evaluate r --tasks 2 -q"); // a report does not make the run a foreign directory
    std::fs::remove_file(run_dir.join("gap.jsonl")).expect("there");
    succeed(dir.path(), "train bandit/bernoulli-5 --smoke --iterations 1 --out r --force -q");
}

/// Runs that differ by their seed only are one group with n = 2; another estimator is another group.
#[test]
fn runs_are_grouped_by_configuration() {
    let dir = tempfile::tempdir().expect("scratch");
    let change = |name: &str, from: &str, to: &str| {
        copy(&fixture(), &dir.path().join(name));
        let path = dir.path().join(name).join("config.toml");
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(text.contains(from));
        std::fs::write(path, text.replacen(from, to, 1)).expect("writable");
    };
    change("a", "seed = 1", "seed = 1");
    change("b", "seed = 1", "seed = 2");
    change("c", "\"sgmrl-lgo\"", "\"maml\"");
    let message = refuse(dir.path(), "report a b", 2);
    assert!(message.contains("--out DIR is needed"), "{message}");
    succeed(dir.path(), "report a b c --out all");
    let (page, figures) = check(&dir.path().join("all"));
    assert!(page.contains("Runs compared") && page.contains("estimator=maml"));
    assert!(page.contains("cannot be told apart") && page.contains("no interval: that needs two runs of each"));
    assert_eq!(figures.len(), 1 + 2 * 3, "{figures:?}");
    let lines = csv(&dir.path().join("all/runs-table-returns.csv"));
    let counts: Vec<&str> = lines.iter().map(|l| l["runs"].as_str()).collect();
    assert_eq!(counts, ["2", "1"]);
    let n: Vec<f64> = column(&dir.path().join("all/estimator-sgmrl-lgo-returns.csv"), "before adaptation", "n");
    assert!(n.len() == 12 && n.iter().all(|n| *n == 2.0), "{n:?}");
}

/// Real measurements: one run shows each with its interval, three their mean; what is below resolution says so.
#[test]
fn gaps_of_real_runs_are_drawn_as_they_were_measured() {
    let dir = tempfile::tempdir().expect("scratch");
    for seed in 1..=3 {
        let line =
            format!("train bandit/bernoulli-5 --smoke --iterations 6 --gap-every 3 --seed {seed} --out r{seed} -q");
        succeed(dir.path(), &line);
    }
    let gaps = |k: u64| -> Vec<Value> {
        let text = std::fs::read_to_string(dir.path().join(format!("r{k}/gap.jsonl"))).expect("measured");
        text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
    };
    let printed = succeed(dir.path(), "report r1");
    assert!(
        printed.contains("This is one run") && printed.contains("The stationarity gap after iteration 6"),
        "{printed}"
    );
    let out = dir.path().join("r1/report");
    check(&out);
    let own = gaps(1);
    assert_eq!(own.len(), 3);
    let file = out.join("gap.csv");
    for (name, pointer) in [
        ("iteration", "/iteration"),
        ("gap_squared", "/gap_squared"),
        ("low", "/gap_squared_interval/0"),
        ("high", "/gap_squared_interval/1"),
    ] {
        assert_eq!(column(&file, "‖∇V_ζ‖²", name), numbers(&own, pointer), "{name}");
    }
    let resolved: Vec<bool> = own.iter().map(|g| !g["gap"].is_null()).collect();
    let lines = csv(&file);
    if resolved.contains(&false) {
        assert_eq!(lines.iter().map(|l| l["resolved"] == "true").collect::<Vec<_>>(), resolved);
    }
    succeed(dir.path(), "report r1 r2 r3 --out all");
    let all = dir.path().join("all");
    let (page, _) = check(&all);
    assert!(page.contains("n = 3 runs"), "n stands on the axis");
    for (k, mean) in column(&all.join("gap.csv"), "‖∇V_ζ‖²", "gap_squared").into_iter().enumerate() {
        let sum: f64 = (1..=3).map(|s| gaps(s)[k]["gap_squared"].as_f64().expect("a number")).sum();
        assert!((sum / 3.0 - mean).abs() < 1e-15);
    }
}

#[test]
fn biases_are_drawn_from_what_gradient_prints() {
    let dir = tempfile::tempdir().expect("scratch");
    let text = succeed(dir.path(), "gradient analytic/a --estimators sgmrl,maml --inner-batch 2 --json");
    std::fs::write(dir.path().join("g.json"), &text).expect("writable");
    assert!(refuse(dir.path(), "report g.json", 2).contains("--out"));
    succeed(dir.path(), "report g.json --out out");
    assert_eq!(check(&dir.path().join("out")).1, ["bias"]);
    let printed: Value = serde_json::from_str(&text).expect("JSON");
    let expected = ["sgmrl", "maml"].map(|e| printed["estimators"][e]["bias_norm"].as_f64().expect("number"));
    assert_eq!(column(&dir.path().join("out/bias.csv"), "bias", "bias_norm"), expected);
    assert!(expected[0] < 1e-9 && expected[1] > 1e-3, "{expected:?}");
}

#[test]
fn nothing_readable_is_refused_with_a_message() {
    let dir = tempfile::tempdir().expect("scratch");
    std::fs::create_dir(dir.path().join("empty")).expect("writable");
    std::fs::write(dir.path().join("text"), "hello").expect("writable");
    std::fs::write(dir.path().join("other.json"), "{}").expect("writable");
    let half = dir.path().join("half");
    std::fs::create_dir(&half).expect("writable");
    std::fs::copy(fixture().join("run.json"), half.join("run.json")).expect("writable");
    for (line, word) in [
        ("report", "RUN_OR_SUITE"),
        ("report none", "none: no such directory"),
        ("report empty", "run.json"),
        ("report text --out o", "gradient --json"),
        ("report other.json --out o", "gradient --json"),
        ("report half", "config.toml"),
        ("report half empty --out text", "--out text: is a file"),
    ] {
        let message = refuse(dir.path(), line, 2);
        assert!(message.contains(word), "{line}: {message}");
    }
    assert!(!dir.path().join("o").exists() && !dir.path().join("empty/report").exists(), "nothing is written");
}
