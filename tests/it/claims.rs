//! `bias --claims --out` through the real binary: rows as they are judged, going on, refusals, and `report`, `watch`, `check` on them.

use crate::report::{check, csv};
use crate::run_directory::{refuse, rows, run, stillpoint, succeed};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const CLAIMS: usize = 21;

fn by_number(rows: &[Value]) -> BTreeMap<u64, Value> {
    rows.iter().map(|row| (row["number"].as_u64().expect("a number"), row.clone())).collect()
}

/// One table at toy size serves every reader of it.
#[test]
fn a_table_is_kept_and_read() {
    let dir = tempfile::tempdir().expect("scratch");
    let printed = succeed(dir.path(), "bias --claims --smoke --json -q --out whole");
    verdicts_are_sound(&printed, &rows(&dir.path().join("whole")));
    a_stopped_table_goes_on(dir.path());
    directories_are_guarded(dir.path());
    it_is_reported(dir.path());
    it_is_watched(dir.path());
}

/// The exact claims come out whatever the number of repeats; every verdict is one of three and is what the margin's interval says.
fn verdicts_are_sound(printed: &str, rows: &[Value]) {
    let object: Value = serde_json::from_str(printed).expect("one object");
    assert_eq!((&object["confidence"], &object["smoke"]), (&Value::from(0.95), &Value::from(true)));
    let claims = by_number(object["claims"].as_array().expect("a list"));
    assert_eq!(claims, by_number(rows), "what is printed is what is kept");
    assert_eq!((claims.len(), rows.len()), (CLAIMS, CLAIMS));
    for number in [6, 8, 12] {
        assert_eq!(claims[&number]["verdict"], "holds", "{number} needs no repeats");
    }
    let mut seen = 0;
    for (number, row) in &claims {
        assert_eq!(row["confidence"], 0.95);
        let Some(low) = row["margin_interval"][0].as_f64() else {
            assert!([2, 6, 8, 17, 21].contains(number), "{row}");
            continue;
        };
        seen += 1;
        let (margin, high) =
            (row["margin"].as_f64().expect("a margin"), row["margin_interval"][1].as_f64().expect("an end"));
        assert!(low <= margin && margin <= high, "{row}");
        let said = if low > 0.0 {
            "holds"
        } else if high < 0.0 {
            "does not hold"
        } else {
            "not resolved"
        };
        assert_eq!(row["verdict"], said, "{row}");
    }
    assert!(seen >= CLAIMS - 5);
    let open: Vec<_> = claims.values().filter(|row| row["verdict"] == "not resolved" && row["number"] != 21).collect();
    assert!(!open.is_empty(), "eight repeats resolve little");
    assert!(open.iter().all(|row| row["needs_repeats"].is_u64()));
}

/// Rows are those of an undisturbed table, wherever it was cut: here within claims that share their evidence.
fn a_stopped_table_goes_on(dir: &Path) {
    let (whole, half) = (dir.join("whole"), dir.join("half"));
    std::fs::create_dir(&half).expect("writable");
    for name in ["config.toml", "run.json"] {
        std::fs::copy(whole.join(name), half.join(name)).expect("copied");
    }
    let text = std::fs::read_to_string(whole.join("metrics.jsonl")).expect("rows");
    let cut = |lines: usize| text.lines().take(lines).map(|line| line.len() + 1).sum::<usize>();
    std::fs::write(half.join("metrics.jsonl"), &text[..cut(13) + 20]).expect("writable"); // a torn fourteenth row
    partial_reports_say_so(dir);
    let printed = succeed(dir, "bias --claims --resume --out half -q");
    assert_eq!(rows(&half), rows(&whole));
    assert!(printed.contains("too few repeats") && printed.contains("21  not resolved"), "{printed}");
    let kept = std::fs::read_to_string(half.join("metrics.jsonl")).expect("rows");
    assert!(kept.starts_with(&text[..cut(13)]), "what was there is not judged again");
}

fn partial_reports_say_so(dir: &Path) {
    let output = run(dir, "report half");
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("13 of 21 claims"), "{output:?}");
    check(&dir.join("half/report"));
    std::fs::remove_dir_all(dir.join("half/report")).expect("removable");
}

fn directories_are_guarded(dir: &Path) {
    let before = std::fs::read_to_string(dir.join("whole/metrics.jsonl")).expect("rows");
    succeed(dir, "bias hessian-bias --smoke --out study -q");
    std::fs::create_dir(dir.join("other")).expect("writable");
    std::fs::write(dir.join("other/thesis.tex"), "x").expect("writable");
    for (line, what) in [
        ("bias --claims --smoke --out whole -q", "--force replaces it"),
        ("bias --claims --smoke --out other -q", "thesis.tex"),
        ("bias --claims --smoke --out other --force -q", "--force leaves it alone"),
        ("bias --claims --smoke --out study -q", "holds a run"),
        ("bias --claims --resume --out study -q", "leave out --claims"),
        ("bias --claims --smoke --force -q", "--out DIR"),
        ("bias --claims --out new --confidence 0.4", "--confidence must be above 0.5"),
        ("bias --resume --out whole --confidence 0.9", "cannot be used with"),
        ("bias --claims comp-lr --out new", "cannot be used with"),
        ("train --resume --out whole", "table of claims"),
        ("check whole", "table of claims"),
    ] {
        let message = refuse(dir, line, 2);
        assert!(message.contains(what), "{line}: {message}");
    }
    assert!(!dir.join("new").exists());
    assert_eq!(std::fs::read_to_string(dir.join("whole/metrics.jsonl")).expect("rows"), before, "nothing was touched");
}

fn it_is_reported(dir: &Path) {
    let printed = succeed(dir, "report whole -q");
    assert!(printed.contains("At 95 % confidence, of 21 claims") && printed.contains("repeats per MDP"), "{printed}");
    let out = dir.join("whole/report");
    let (page, figures) = check(&out);
    assert_eq!(figures, ["claims"]);
    for words in ["compositional bias falls", "does not hold", "not resolved", "--smoke", "one-sided test"] {
        assert!(page.contains(words), "{words}");
    }
    let kept = by_number(&rows(&dir.join("whole")));
    let lines = csv(&out.join("table-claims.csv"));
    assert_eq!(lines.len(), CLAIMS);
    for (line, (number, row)) in lines.iter().zip(&kept) {
        assert_eq!(line["number"], number.to_string());
        assert_eq!(Some(line["verdict"].as_str()), row["verdict"].as_str());
        assert_eq!(Some(line["evidence"].as_str()), row["evidence"].as_str());
        assert_eq!(line["margin"].parse().ok(), row["margin"].as_f64());
        assert_eq!(line["margin_low"].parse().ok(), row["margin_interval"][0].as_f64());
        assert_eq!(line["needs_repeats"].parse().ok(), row["needs_repeats"].as_u64());
    }
    for line in csv(&out.join("claims.csv")).iter().filter(|line| line["series"] != "holds above") {
        let row = &kept[&line["number"].parse::<u64>().expect("a claim")];
        let verdict = row["verdict"].as_str().expect("a word");
        assert!(line["series"].starts_with(verdict), "{line:?}");
        let y: f64 = line["scaled_margin"].parse().expect("a number");
        assert_eq!(y > 1.0, verdict == "holds", "{line:?}");
    }
    succeed(dir, "report whole study --out both -q");
    let (page, _) = check(&dir.join("both"));
    assert!(page.contains("Claims on meta-gradients") && page.contains("Bias of meta-gradients"));
}

fn it_is_watched(dir: &Path) {
    for how in ["", "--once", "--plain"] {
        let text = succeed(dir, &format!("watch whole {how}"));
        for part in ["claims at 95 % confidence", "finished, claim 21/21, 100 %", "stillpoint report whole"] {
            assert!(text.contains(part), "{how}: {text}");
        }
    }
}

/// Ctrl-C keeps every claim that was judged.
#[cfg(unix)]
#[test]
fn an_interrupted_table_keeps_what_was_judged() {
    let dir = tempfile::tempdir().expect("scratch");
    let mut judging = stillpoint(dir.path(), "bias --claims --smoke --out c");
    let judging = judging.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let (begun, path) = (Instant::now(), dir.path().join("c/metrics.jsonl"));
    while std::fs::read_to_string(&path).map_or(0, |t| t.lines().count()) < 2 {
        assert!(begun.elapsed() < Duration::from_secs(120), "no rows");
        std::thread::sleep(Duration::from_millis(1));
    }
    let sent = std::process::Command::new("kill").args(["-INT", &judging.id().to_string()]).status();
    assert!(sent.expect("kill exists").success());
    let output = judging.wait_with_output().expect("a child");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{message}");
    assert!(message.contains("which are kept; go on with: stillpoint bias --resume --out c"), "{message}");
    let kept = rows(&dir.path().join("c"));
    assert!((2..CLAIMS).contains(&kept.len()));
    let info = std::fs::read_to_string(dir.path().join("c/run.json")).expect("status");
    assert!(info.contains("interrupted"), "{info}");
    assert!(succeed(dir.path(), "watch c").contains("interrupted, claim "));
}
