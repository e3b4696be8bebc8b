//! `compare` through the real binary: equal budgets, common random numbers, honest selection, exact resumption, refusals.

use crate::run_directory::{refuse, run, stillpoint, succeed};
use crate::source;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use stillpoint::config::shipped;
use stillpoint::config::suite::{self, Kind};
use stillpoint::config::{self, tree::Format};
use stillpoint::exact::objective::Problem;
use stillpoint::policy::Policy;
use stillpoint::record::suite::{Outcome, Phase, RunRecord};
use stillpoint::record::suite_dir::{self, Status, SuiteDir, setting_name};
use stillpoint::report::comparison;
use stillpoint::rng::{Address, Purpose};

/// Two families, three arms (one on a single family), a grid each; about 60 short runs.
const SMALL: &str = r#"
name = "small"
budget = 3000
[seeds]
tuning = [7, 8]
reporting = [1, 2, 3]
[evaluate]
points = 3
tasks = 5
episodes = 3
gap = true
[[families]]
name = "bandit"
preset = "analytic/a"
set = { outer.tasks = 20, inner.episodes = 2, inner.alpha = 4 }
score = { low = 0, high = 1 }
[[families]]
name = "garnet"
family = { name = "garnet", horizon = 5 }
budget = 6000
set = { "inner.episodes" = 4, "outer.episodes" = 4, "outer.tasks" = 10 }
[[arms]]
name = "maml"
set = { outer.estimator = "maml" }
grid = { "outer.beta" = [0.01, 0.1, 1] }
[[arms]]
name = "lgo"
families = ["garnet"]
set = { outer.estimator = "sgmrl-lgo", outer.form = "resimulated" }
grid = { outer.beta = [0.01, 0.1] }
[[arms]]
name = "sgmrl"
set = { outer.estimator = "sgmrl", outer.beta = 0.02 }
"#;

pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new(suite: &str) -> Place {
        let dir = tempfile::tempdir().expect("scratch");
        std::fs::write(dir.path().join("suite.toml"), suite).expect("writable");
        Place(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn read(&self, name: &str) -> SuiteDir {
        suite_dir::read(&self.path().join(name)).unwrap_or_else(|e| panic!("{e}"))
    }
}

/// Records without what the machine determines, in order.
pub(crate) fn records(suite: &SuiteDir) -> Vec<RunRecord> {
    let timeless = |r: &RunRecord| RunRecord { seconds: 0.0, cpu_seconds: 0.0, ..r.clone() };
    suite.records.iter().map(timeless).collect()
}

fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "json") {
            found.insert(path.clone(), std::fs::read(&path).expect("readable"));
        }
    }
    found
}

#[test]
fn every_shipped_suite_runs_at_toy_scale_and_is_described() {
    let readme = std::fs::read_to_string(source::root().join("configs/README.md")).expect("configs/README.md");
    let shipped_files = source::files("configs/compare");
    assert_eq!(shipped_files.len(), shipped::COMPARE.files.len(), "list new files in src/config/shipped.rs");
    for (path, text) in shipped_files {
        let name = path.file_stem().expect("a name").to_str().expect("text");
        assert_eq!(shipped::COMPARE.text(name), Some(text.as_str()), "{name} is not embedded");
        assert!(readme.contains(&format!("| `{name}` |")), "configs/README.md does not describe {name}");
        assert!(text.starts_with("# "), "{name} does not open with a comment that says what it shows");
        let full = suite::load(name, false).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(full.name, name);
        assert!(full.cost.as_ref().is_some_and(|c| c.contains("CPU-minutes")), "{name} does not state its cost");
        if full.plays_atari() && crate::atari::library(&format!("the suite {name}")).is_none() {
            continue;
        }
        let place = Place::new("");
        let stdout = succeed(place.path(), &format!("compare {name} --smoke -q --out s"));
        let read = place.read("s");
        let work: f64 = read.records.iter().map(|r| r.cpu_seconds).sum(); // others may use the machine too
        assert!(work < 60.0, "{name} takes {work} CPU-seconds at --smoke");
        assert_eq!((read.status, read.planned), (Status::Finished, read.records.len() as u64), "{name}");
        assert!(read.info.seeds.len() >= 2 && stdout.contains("stillpoint report s"), "{name}: {stdout}");
        for r in &read.records {
            let least = if full.kind == Kind::Online { 2 } else { 3 }; // before and after; no episode may have ended between them
            assert!(r.outcome == Outcome::Finished && r.points.len() >= least, "{name}: {r:?}");
        }
        for family in &read.info.families {
            let grids = |arm: &String| {
                let mut of: Vec<String> =
                    read.of(&family.name, arm, Phase::Tuning).map(|r| setting_name(&r.setting)).collect();
                of.dedup();
                of.len()
            };
            let is_tuned = full.kind == Kind::Train; // the paper's table has one setting
            assert!(
                !is_tuned || read.info.arms.iter().any(|arm| grids(arm) >= 2),
                "{name}: no grid on {}",
                family.name
            );
        }
        assert!(name != "analytic" || read.records.iter().flat_map(|r| &r.points).all(|p| p.gap.is_some()));
    }
}

#[test]
fn budgets_are_equal_and_random_numbers_common() {
    let place = Place::new(SMALL);
    succeed(place.path(), "compare suite.toml -q --out s");
    let suite = suite::load(place.path().join("suite.toml").to_str().expect("text"), false).expect("valid");
    let read = place.read("s");
    assert_eq!(read.planned, (2 * 3 * 2 + 2 * 2 + 5 * 3) as u64);
    assert_eq!(read.records.len() as u64, read.planned);
    for cell in &suite.cells {
        let (family, arm) = (&suite.families[cell.family], &suite.arms[cell.arm]);
        for phase in [Phase::Tuning, Phase::Reporting] {
            for r in read.of(&family.name, &arm.name, phase) {
                let i = cell.settings.iter().position(|s| *s == r.setting).expect("a point of the grid");
                let (spent, most) = (r.budget.environment_steps, cell.steps_per_iteration[i]);
                assert!(spent <= family.budget && spent + most > family.budget, "{spent} of {}", family.budget);
                assert_eq!(r.iterations * most, spent, "episodes are never cut short here");
                let steps: Vec<u64> = r.points.iter().map(|p| p.environment_steps).collect();
                assert!(steps.windows(2).all(|w| w[0] < w[1]) && steps[0] == 0 && *steps.last().unwrap() == spent);
                assert_eq!(steps.len(), 4);
                assert!(r.measure_steps > 0);
                let seeds = if phase == Phase::Tuning { &suite.tuning } else { &suite.reporting };
                assert!(seeds.contains(&r.seed));
            }
        }
    }
    // resimulated steps are counted: fewer iterations for the same budget
    let iterations = |arm: &str| read.of("garnet", arm, Phase::Reporting).next().expect("reported").iterations;
    assert_eq!((iterations("maml"), iterations("lgo")), (6000 / 400, 6000 / 600));
    let mut starts: BTreeMap<(&str, u64), Vec<f64>> = BTreeMap::new();
    for r in &read.records {
        starts.entry((&r.family, r.seed)).or_default().extend([r.points[0].before, r.points[0].after]);
    }
    for (of, values) in &starts {
        assert!(values.chunks(2).all(|v| v == &values[..2]), "arms do not start alike: {of:?} {values:?}");
    }
    let garnet = |seed| starts[&("garnet", seed)][0];
    assert!(garnet(1) != garnet(2) && garnet(2) != garnet(7), "seeds share their tasks");
}

#[test]
fn the_exact_value_and_gap_are_those_of_the_run_s_own_adaptation() {
    let place = Place::new(SMALL);
    succeed(place.path(), "compare suite.toml -q --out s");
    let read = place.read("s");
    let config = "[family]\nname = \"analytic/a\"\n";
    let loaded =
        config::parse(config, "x", Format::Toml, Path::new("."), &config::Overrides::default()).expect("valid");
    let tasks = loaded.family.finite().expect("finite");
    let tasks = tasks.into_iter().map(|(w, mdp)| (w, mdp.clone())).collect();
    let problem = Problem { tasks, gamma: loaded.plan.options.gamma, alpha: 4.0, steps: 1, batch: 2 };
    let spaces = (loaded.family.observation_space(), loaded.family.action_space());
    let policy = Policy::build(&loaded.plan.policy, &spaces.0, &spaces.1).expect("tabular");
    for r in read.records.iter().filter(|r| r.family == "bandit") {
        let theta: Vec<f64> = policy.init(&mut Address::new(r.seed, Purpose::Init).stream());
        let exact = problem.v_zeta_gradient(&theta);
        let norm = exact.gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        let point = &r.points[0];
        assert!((point.value.expect("enumerated") - exact.value).abs() < 1e-12);
        assert!((point.gap.and_then(|g| g.gap).expect("enumerated") - norm).abs() < 1e-12);
    }
    assert!(read.of("garnet", "maml", Phase::Reporting).all(|r| r.points[0].value.is_none()), "fresh MDPs have no V");
}

#[test]
fn the_number_of_threads_changes_nothing_and_a_killed_suite_ends_as_if_it_had_not_been() {
    let place = Place::new(SMALL);
    let d = place.path();
    let begun = Instant::now();
    let stdout = succeed(d, "compare suite.toml -q --out whole --jobs 1");
    let time = begun.elapsed();
    succeed(d, "compare suite.toml -q --out four --jobs 4");
    let whole = records(&place.read("whole"));
    assert_eq!(records(&place.read("four")), whole);
    for i in 1..6 {
        let mut command = stillpoint(d, "compare suite.toml -q --out cut --force --jobs 2");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
        std::thread::sleep(time * i / 6);
        child.kill().expect("ours");
        child.wait().expect("ours");
        let before = files(&d.join("cut/runs"));
        let output = run(d, "compare suite.toml --resume --out cut");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{message}");
        let after = files(&d.join("cut/runs"));
        // wall times are in the files, so equal bytes say that no run was made again
        assert!(before.iter().all(|(path, bytes)| after[path] == *bytes), "a finished run was made twice");
        assert_eq!(records(&place.read("cut")), whole);
        assert_eq!(place.read("cut").info.chosen, place.read("whole").info.chosen);
    }
    let finals = |text: &str| text.lines().filter(|l| l.contains("outer.beta=")).map(|l| l[..60].to_string()).collect();
    let (first, again): (Vec<String>, Vec<String>) =
        (finals(&stdout), finals(&succeed(d, "compare -q --resume --out cut")));
    assert_eq!(first, again, "a finished suite prints its table again");
}

#[cfg(unix)]
#[test]
fn an_interrupted_suite_exits_130_names_the_way_on_and_keeps_what_is_finished() {
    let place =
        Place::new(&SMALL.replace("budget = 3000", "budget = 30000").replace("budget = 6000", "budget = 300000"));
    let d = place.path();
    let mut command = stillpoint(d, "compare suite.toml --out s --jobs 2");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let begun = Instant::now();
    while files(&d.join("s/runs")).len() < 3 {
        assert!(begun.elapsed() < Duration::from_secs(60), "no run ends");
        std::thread::sleep(Duration::from_millis(2));
    }
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill exists").success());
    let output = child.wait_with_output().expect("ours");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{message}");
    assert!(message.contains("stillpoint compare --resume --out s --jobs 2"), "{message}");
    let read = place.read("s");
    assert_eq!(read.status, Status::Interrupted);
    assert!(read.records.len() >= 3 && (read.records.len() as u64) < read.planned);
    assert!(refuse(d, "compare suite.toml --out s", 2).contains("--resume"));
}

#[test]
fn what_is_reported_cannot_change_what_is_chosen() {
    let place = Place::new(SMALL);
    let d = place.path();
    succeed(d, "compare suite.toml -q --out s");
    let before = place.read("s");
    // triumphs and disasters on the reporting seeds, and one run missing, so that the suite has something left to do
    for (i, record) in before.records.iter().filter(|r| r.phase == Phase::Reporting).enumerate() {
        let mut forged = record.clone();
        forged.points.iter_mut().for_each(|p| p.after = if i % 2 == 0 { 1e9 } else { -1e9 });
        let path = suite_dir::record_path(&forged.family, &forged.arm, &forged.setting, forged.seed);
        let text = serde_json::to_string(&forged).expect("JSON");
        std::fs::write(d.join("s").join(path), text).expect("writable");
    }
    let chosen = &before.info.chosen[0];
    std::fs::remove_file(d.join("s").join(suite_dir::record_path(&chosen.family, &chosen.arm, &chosen.setting, 2)))
        .expect("there");
    succeed(d, "compare -q --resume --out s");
    assert_eq!(place.read("s").info.chosen, before.info.chosen);
    // control: tuning records do change it
    for record in before.records.iter().filter(|r| r.phase == Phase::Tuning) {
        let mut forged = record.clone();
        forged.points.iter_mut().for_each(|p| p.after = -p.after);
        let path = suite_dir::record_path(&forged.family, &forged.arm, &forged.setting, forged.seed);
        std::fs::write(d.join("s").join(path), serde_json::to_string(&forged).expect("JSON")).expect("writable");
    }
    succeed(d, "compare -q --resume --out s");
    assert_ne!(place.read("s").info.chosen, before.info.chosen);
}

#[test]
fn a_diverged_run_is_a_row_and_its_setting_is_not_chosen() {
    let text = r#"
budget = 6000
[seeds]
tuning = [7]
reporting = [1, 2]
[evaluate]
points = 3
tasks = 2
episodes = 2
[[families]]
name = "f"
preset = "navigation/sgmrl"
set = { outer.tasks = 2, outer.episodes = 2, inner.episodes = 2, policy.hidden = [4], outer.optimiser = "sgd" }
[[arms]]
name = "tuned"
set = { outer.estimator = "maml" }
grid = { outer.beta = [1e9, 0.1] }
[[arms]]
name = "broken"
set = { outer.estimator = "maml", outer.beta = 1e9 }
"#;
    let place = Place::new(text);
    let stdout = succeed(place.path(), "compare suite.toml -q --out s");
    let read = place.read("s");
    assert_eq!(read.records.len() as u64, read.planned, "{stdout}");
    assert_eq!(setting_name(&read.info.chosen[0].setting), "outer.beta=0.1");
    assert!(read.of("f", "tuned", Phase::Reporting).all(|r| r.outcome == Outcome::Finished));
    let broken: Vec<&RunRecord> = read.of("f", "broken", Phase::Reporting).collect();
    assert_eq!(broken.len(), 2);
    for r in broken {
        assert_eq!(r.outcome, Outcome::Diverged);
        assert!(r.reason.as_ref().is_some_and(|why| why.contains("finite")), "{r:?}");
        assert!(!r.points.is_empty() && r.points.iter().all(|p| p.before.is_finite() && p.after.is_finite()));
    }
    // the terminal says what the report says: both runs count as the family's worst finished one
    let row = stdout.lines().find(|l| l.trim_start().starts_with("broken")).expect("a row");
    let cell = comparison::compare(&read).cells.into_iter().find(|c| c.arm == "broken").expect("a cell");
    let finals = read.of("f", "tuned", Phase::Reporting).filter_map(|r| Some(r.points.last()?.after));
    let worst = finals.fold(f64::INFINITY, f64::min);
    assert_eq!((cell.diverged, cell.last.mean.mean), (2, worst));
    assert_eq!(row.split_whitespace().collect::<Vec<_>>()[1..4], ["default", "2", &format!("{worst:.3}")], "{stdout}");
    let difference = cell.difference.expect("paired").last.mean;
    assert!(row.contains(&format!(" {difference:.3} [")) && difference <= 0.0, "{stdout}");
}

#[test]
fn another_suite_is_not_continued_and_a_torn_record_is_made_again() {
    let place = Place::new(SMALL);
    let d = place.path();
    succeed(d, "compare suite.toml -q --out s");
    let before = records(&place.read("s"));
    let changed = SMALL
        .replace("tasks = 5", "tasks = 6")
        .replace("[0.01, 0.1, 1]", "[0.01, 0.1]")
        .replace("[1, 2, 3]", "[1, 2, 4]");
    std::fs::write(d.join("other.toml"), changed).expect("writable");
    let message = refuse(d, "compare other.toml --resume --out s", 2);
    for part in ["evaluate.tasks", "is 5, asked for 6", "arms.maml.grid.outer.beta", "seeds.reporting"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(refuse(d, "compare suite.toml --smoke --resume --out s", 2).contains("without --smoke"));
    std::fs::write(d.join("s/runs/garnet/lgo/outer.beta=0.01/7.json"), "{\"family\"").expect("writable");
    std::fs::write(d.join("s/runs/garnet/lgo/outer.beta=0.01/8.json.tmp"), "{").expect("writable");
    let (status, this) = (d.join("s/suite.json"), env!("CARGO_PKG_VERSION"));
    let text = std::fs::read_to_string(&status).expect("readable");
    std::fs::write(&status, text.replace(&format!("\"version\": \"{this}\""), "\"version\": \"0.0.9\""))
        .expect("writable");
    let output = run(d, "compare --resume --out s");
    let message = String::from_utf8_lossy(&output.stderr);
    let both = format!("made by version 0.0.9, the rest will be by {this}");
    assert!(message.contains(&both), "versions are mixed: {message}");
    let info = place.read("s").info;
    assert_eq!((info.version.as_str(), info.earlier.as_slice()), (this, &["0.0.9".to_string()][..]));
    assert!(output.status.success() && message.contains("passed over") && message.contains("7.json"), "{message}");
    assert_eq!(records(&place.read("s")), before);
    std::fs::remove_file(d.join("s/suite.toml")).expect("there");
    assert!(refuse(d, "compare --resume --out s", 2).contains("name the suite"));
    assert!(refuse(d, "compare --resume --out nowhere", 2).contains("no such directory"));
    assert!(refuse(d, "compare", 2).contains("SUITE"));
}

#[test]
fn bad_suites_are_refused_before_anything_is_written() {
    let cases: [(&str, &str, &[&str]); 27] = [
        (
            "outer.estimator = \"sgmrl\",",
            "outer.estimator = \"sgmlr\",",
            &["arm `sgmrl` on family `bandit`", "outer.estimator", "did you mean"],
        ),
        ("name = \"maml\"", "name = \"maml\"\nfamilys = [\"garnet\"]", &["arms[0].familys", "did you mean `families`"]),
        ("families = [\"garnet\"]", "families = [\"garnt\"]", &["arms[1].families", "did you mean `garnet`"]),
        ("families = [\"garnet\"]", "families = []", &["arms[1].families", "names no family"]),
        ("[0.01, 0.1, 1]", "[]", &["arms[0].grid", "outer.beta", "empty"]),
        ("[0.01, 0.1, 1]", "0.1", &["arms[0].grid", "list"]),
        ("[0.01, 0.1, 1]", "[0.1, \"x\"]", &["arms[0].grid", "finite numbers"]),
        ("[0.01, 0.1, 1]", "[0.1, 0.1]", &["arms[0].grid", "twice"]),
        ("[0.01, 0.1, 1]", "[0.1, -1]", &["arm `maml`", "outer.beta", "-1"]),
        ("\"outer.beta\" = [0.01, 0.1, 1]", "\"outer.groups\" = [1, 2]", &["outer.groups", "no effect"]),
        ("outer.beta = 0.02", "outer.bta = 0.02", &["arm `sgmrl`", "outer.bta", "did you mean"]),
        ("outer.beta = 0.02", "seed = 3", &["arms[2].set", "seed"]),
        ("outer.beta = 0.02", "family.horizon = 3", &["arms[2].set", "cannot change the family"]),
        ("name = \"lgo\"", "name = \"maml\"", &["arms[1].name", "arms[0]"]),
        ("name = \"garnet\"\nfamily", "name = \"bandit\"\nfamily", &["families[1].name", "families[0]"]),
        ("name = \"lgo\"", "name = \"../x\"", &["arms[1].name", "folder"]),
        ("tuning = [7, 8]", "tuning = [7, 2]", &["seeds.tuning", "2", "reporting"]),
        ("tuning = [7, 8]", "tuning = []", &["seeds.tuning", "grid"]),
        ("reporting = [1, 2, 3]", "reporting = []", &["seeds.reporting"]),
        ("reporting = [1, 2, 3]", "reporting = [1, 1]", &["seeds.reporting", "twice"]),
        ("budget = 6000", "budget = 599", &["599", "600", "`lgo`", "`garnet`"]),
        ("budget = 3000", "", &["budget", "`bandit`"]),
        ("preset = \"analytic/a\"", "preset = \"analytic/z\"", &["families[0].preset", "did you mean"]),
        ("preset = \"analytic/a\"", "preset = \"mine.toml\"", &["families[0].preset", "mine.toml"]),
        ("preset = \"analytic/a\"", "", &["families[0]", "names no tasks"]),
        ("high = 1", "high = 0", &["families[0].score"]),
        ("points = 3", "points = 0", &["evaluate.points"]),
    ];
    for (from, to, parts) in cases {
        assert!(SMALL.contains(from), "{from}");
        let place = Place::new(&SMALL.replacen(from, to, 1));
        let message = refuse(place.path(), "compare suite.toml --out s", 2);
        for part in parts.iter().chain(&["suite.toml"]) {
            assert!(message.contains(part), "{to}: `{part}` is missing in {message}");
        }
        assert!(!place.path().join("s").exists() && !place.path().join("runs").exists(), "{to}: something was written");
    }
    let place = Place::new("name = \"x\"\nbudget = 10\n[seeds]\nreporting = [1]\n");
    assert!(refuse(place.path(), "compare suite.toml", 2).contains("families"));
    let message = refuse(place.path(), "compare tabluar", 2);
    assert!(message.contains("did you mean `tabular`"), "{message}");
    assert!(refuse(place.path(), "compare . --out s", 2).contains("is a directory"));
}

#[test]
fn an_arm_may_bring_its_whole_learner_and_the_family_stays() {
    let text = r#"
budget = 20000
[seeds]
reporting = [1]
[[families]]
name = "f"
preset = "navigation/maml"
[[arms]]
name = "own"
[[arms]]
name = "theirs"
preset = "navigation/pytorch-maml-rl"
set = { outer.tasks = 4 }
"#;
    let place =
        Place::new(&text.replace("[[arms]]\nname = \"own\"", "[[arms]]\nname = \"own\"\nset = { outer.tasks = 4 }"));
    let suite = suite::load(place.path().join("suite.toml").to_str().expect("text"), false).expect("valid");
    let plan = |arm| suite.plan(0, arm, &Vec::new(), 5).expect("valid").plan;
    let (own, theirs) = (plan(0), plan(1));
    assert_eq!((own.family.name.as_str(), &own.family), ("navigation/maml", &theirs.family));
    assert_eq!((own.policy.hidden.as_slice(), theirs.policy.hidden.as_slice()), (&[100, 100][..], &[64, 64][..]));
    assert_eq!((own.options.inner.alpha, theirs.options.inner.alpha), (0.5, 0.1));
    assert_eq!((own.seed, theirs.seed, theirs.options.outer.tasks), (5, 5, 4));
}
