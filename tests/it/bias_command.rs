//! `stillpoint bias` through the real binary: shipped studies, resumption, refusals, and what other commands make of studies.

use crate::run_directory::{refuse, rows, stillpoint, succeed};
use crate::source;
use serde_json::Value;
use stillpoint::config::Overrides;
use stillpoint::config::bias as config;
use stillpoint::config::shipped;

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("scratch")
}

#[test]
fn every_study_is_embedded_described_and_survives_resolution() {
    let readme = std::fs::read_to_string(source::root().join("configs/README.md")).expect("configs/README.md");
    let files = source::files("configs/bias");
    assert_eq!(files.len(), shipped::BIAS.files.len(), "list new files in src/config/shipped.rs");
    for (path, text) in files {
        let name = path.file_stem().and_then(|n| n.to_str()).expect("text");
        assert_eq!(shipped::BIAS.text(name), Some(text.as_str()), "{name} is not embedded");
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
    for (name, _) in shipped::BIAS.files {
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

/// `check` says what a study would measure, `watch` where it stands, and other commands where it belongs.
#[test]
fn other_commands_know_studies() {
    let dir = scratch();
    let text = succeed(dir.path(), "check comp-sample");
    for part in [
        "study comp-sample of `bias`",
        "maml-rl, gamma 0.8",
        "10 MDPs of 20 states and 5 actions",
        "400 estimates",
        "maml, dice",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let plan = config::load("comp-sample", &Overrides::default()).expect("shipped");
    assert!(text.contains(&format!("points       {}\n", plan.points.len())), "{text}");
    assert!(succeed(dir.path(), "check bias/comp-sample --smoke").contains("4 estimates"));
    assert!(refuse(dir.path(), "check comp-sample --set steps=0", 2).contains("key `steps[0]`"));
    succeed(dir.path(), "bias comp-sample --smoke --out study -q");
    let rows = rows(&dir.path().join("study"));
    let sampled: u64 = rows.iter().map(|row| row["sampled"].as_u64().expect("a count")).sum();
    let grouped = format!("{} {:03}", sampled / 1000, sampled % 1000);
    let shown = if sampled < 1000 { sampled.to_string() } else { grouped };
    let text = succeed(dir.path(), "check study");
    assert!(text.contains(&format!("{shown} trajectories in total")), "{shown}: {text}");
    for how in ["", "--once", "--plain"] {
        let text = succeed(dir.path(), &format!("watch study {how}"));
        let done = format!("finished, point {n}/{n}, 100 %", n = rows.len());
        for part in ["comp-sample: bias of maml-rl on gmrl-mdps, seed 1", &done, "last:", "stillpoint report study"] {
            assert!(text.contains(part), "{how}: {part}: {text}");
        }
    }
    let text = std::fs::read_to_string(dir.path().join("study/metrics.jsonl")).expect("rows");
    std::fs::write(dir.path().join("study/metrics.jsonl"), format!("{{}}\n{text}")).expect("writable");
    assert!(refuse(dir.path(), "watch study", 2).contains("line 1 is not a row of a study"));
    for (line, what) in [
        ("train comp-sample", "`stillpoint bias` runs it"),
        ("train ipd-exact", "`stillpoint lola` runs it"),
        ("train comp-sampel", "neither a file nor a preset"),
        ("evaluate study", "study of `bias`"),
    ] {
        let message = refuse(dir.path(), line, 2);
        assert!(message.contains(what), "{line}: {message}");
    }
}

/// A study is followed to its end, a line per point.
#[test]
fn a_growing_study_is_followed() {
    let dir = scratch();
    let mut measuring = stillpoint(dir.path(), "bias comp-sample -q --out study --set repeats=40")
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the binary starts");
    let begun = std::time::Instant::now();
    while !std::fs::read_to_string(dir.path().join("study/metrics.jsonl")).is_ok_and(|t| t.contains('\n')) {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "no rows");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let text = succeed(dir.path(), "watch study");
    assert!(measuring.wait().expect("a child").success());
    let total = rows(&dir.path().join("study")).len();
    assert!(
        text.ends_with("stillpoint report study\n") && text.contains(&format!("finished, point {total}/{total}")),
        "{text}"
    );
    let seen: Vec<usize> = (text.lines().filter(|l| l.starts_with("point ")))
        .map(|l| l["point ".len()..].split('/').next().expect("one").parse().expect("a number"))
        .collect();
    assert!(seen.windows(2).all(|pair| pair[1] == pair[0] + 1), "{text}");
    assert!(seen.is_empty() || seen.last() == Some(&total), "{text}");
}
