//! `stillpoint bias` through the real binary: shipped studies, resumption, refusals, claims.

use crate::run_directory::{refuse, rows, stillpoint, succeed};
use crate::source;
use serde_json::Value;
use stillpoint::config::Overrides;
use stillpoint::config::bias::{self as config, shipped};

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("scratch")
}

#[test]
fn every_study_is_embedded_described_and_survives_resolution() {
    let readme = std::fs::read_to_string(source::root().join("configs/README.md")).expect("configs/README.md");
    let files = source::files("configs/bias");
    assert_eq!(files.len(), shipped::STUDIES.len(), "list new files in src/config/bias/shipped.rs");
    for (path, text) in files {
        let name = path.file_stem().and_then(|n| n.to_str()).expect("text");
        assert_eq!(shipped::text(name), Some(text.as_str()), "{name} is not embedded");
        assert!(readme.contains(&format!("| `{name}` |")), "configs/README.md does not describe {name}");
        let plan = config::load(name, &Overrides::default()).expect(name);
        assert_eq!(plan.name, name);
        let format = stillpoint::config::tree::Format::Toml;
        let again = config::parse(plan.resolved(), "resolved", format, ".".as_ref(), &Overrides::default());
        assert!(again.as_ref() == Ok(&plan), "{name}: {:?}", again.err());
    }
    let message = config::load("comp-sample", &Overrides { set: vec!["no_such=1".into()], ..Overrides::default() });
    let message = message.expect_err("unknown").message;
    let (_, allowed) = message.split_once("allowed: ").expect("a list");
    for key in allowed.split(", ").filter(|key| *key != "family") {
        assert!(readme.contains(&format!("`{key}`")), "configs/README.md does not explain {key}");
    }
}

#[test]
fn every_study_runs_at_toy_scale() {
    let dir = scratch();
    for (name, _) in shipped::STUDIES {
        let printed = succeed(dir.path(), &format!("bias {name} --smoke --out {name} -q"));
        assert!(printed.starts_with(&format!("{name}: ")), "{printed}");
        let rows = rows(&dir.path().join(name));
        assert!(!rows.is_empty() && rows.iter().all(|row| row["corr"].is_number()), "{name}");
    }
}

/// Rows are those of an undisturbed study, whatever was cut off, and whatever the number of threads.
#[test]
fn a_stopped_study_goes_on_where_it_stood() {
    let dir = scratch();
    succeed(dir.path(), "bias decompose --smoke --out whole -q");
    let whole = rows(&dir.path().join("whole"));
    let one = |line: &str| stillpoint(dir.path(), line).env("RAYON_NUM_THREADS", "1").status().expect("starts");
    assert!(one("bias decompose --smoke --out half -q").success());
    let path = dir.path().join("half/metrics.jsonl");
    let text = std::fs::read_to_string(&path).expect("rows");
    let cut: usize = text.lines().take(5).map(|line| line.len() + 1).sum();
    std::fs::write(&path, &text[..cut + 17]).expect("writable"); // a torn sixth row
    let printed = succeed(dir.path(), "bias --resume --out half --json -q");
    assert_eq!(rows(&dir.path().join("half")), whole);
    let object: Value = serde_json::from_str(&printed).expect("one object");
    assert_eq!(object["rows"].as_array().map(Vec::len), Some(whole.len()));
}

#[test]
fn bad_studies_are_refused_by_key() {
    let dir = scratch();
    for (set, key, what) in [
        ("tags=[\"elx\"]", "tags[0]", "three letters"),
        ("tags=[]", "tags", "empty list"),
        ("trajectories=[]", "trajectories", "empty list"),
        ("trajectories=0", "trajectories[0]", "1 to"),
        ("steps=0", "steps[0]", "1 to"),
        ("alpha=[]", "alpha", "empty list"),
        ("alpha=-1", "alpha[0]", "above 0"),
        ("repeats=1", "repeats", "at least 2"),
        ("estimators=[\"dyce\"]", "estimators[0]", "did you mean `dice`?"),
        ("family=navigation/sgmrl", "family.name", "not a finite set"),
        ("family.gamma=1", "family.gamma", "below 1"),
        ("lambda=0.5", "lambda", "only `lirpg`"),
        ("buffer=16", "buffer", "`steps = 1`"),
        ("drift=1", "drift", "without a `buffer`"),
        ("repeat=3", "repeat", "did you mean `repeats`?"),
    ] {
        let message = refuse(dir.path(), &format!("bias comp-sample -q --out x --set {set}"), 2);
        assert!(message.contains(&format!("key `{key}`")) && message.contains(what), "{set}: {message}");
        assert!(!dir.path().join("x").exists(), "{set}: nothing is made");
    }
    for (line, what) in [
        ("bias off-policy -q --out x --set buffer=16", "multiple of the batch"),
        ("bias off-policy -q --out x --set estimators=lvc", "must be dice"),
        ("bias lirpg-step -q --out x --set estimators=dice", "must be lvc or maml"),
        ("bias com-sample -q --out x", "did you mean `comp-sample`?"),
        ("bias cartpole -q --out x", "neither a file nor a shipped study"),
        ("bias --claims --confidence 2", "above 0.5 and below 1"),
        ("bias --resume --out nowhere", "no such directory"),
    ] {
        let message = refuse(dir.path(), line, 2);
        assert!(message.contains(what), "{line}: {message}");
    }
    succeed(dir.path(), "bias hessian-bias --smoke --out study -q");
    let message = refuse(dir.path(), "bias hessian-bias --smoke --out study -q", 2);
    assert!(message.contains("--resume") && message.contains("--force"), "{message}");
    let message = refuse(dir.path(), "train --resume --out study", 2);
    assert!(message.contains("study of `bias`"), "{message}");
}

/// The exact claims come out whatever the number of repeats; every claim has a verdict out of three.
#[test]
fn claims_have_verdicts() {
    let dir = scratch();
    let object: Value = serde_json::from_str(&succeed(dir.path(), "bias --claims --smoke --json -q")).expect("JSON");
    let claims = object["claims"].as_array().expect("a list");
    let verdict = |number: u64| {
        let claim = claims.iter().find(|claim| claim["number"] == number).expect("there");
        claim["verdict"].as_str().expect("a word").to_string()
    };
    for number in 1..=21 {
        assert!(["holds", "does not hold", "not resolved"].contains(&verdict(number).as_str()), "{number}");
    }
    for number in [6, 8, 12] {
        assert_eq!(verdict(number), "holds", "{number} needs no repeats");
    }
    let open = claims.iter().filter(|claim| claim["verdict"] == "not resolved" && claim["number"] != 21);
    assert!(open.clone().count() > 0, "eight repeats resolve little");
    assert!(open.clone().all(|claim| claim["needs_repeats"].is_u64()));
}
