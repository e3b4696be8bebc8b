//! `report` on suites made of synthetic records: data of the figures, partial suites, and sentences that claim no more than they may.

use crate::report::{check, column, csv};
use crate::run_directory::{run, succeed};
use crate::source;
use rand_distr::{Distribution, StandardNormal};
use std::path::Path;
use stillpoint::budget::Budget;
use stillpoint::math::gap::{Gap, Method};
use stillpoint::record::suite::{Outcome, Phase, Point, RunRecord};
use stillpoint::record::suite_dir::{self, Choice, FamilyInfo, Info, Status, SuiteDir};
use stillpoint::report::comparison::{self, verdict};
use stillpoint::report::suite as suite_report;
use stillpoint::rng::{Address, Purpose, Rng};

const SEEDS: [u64; 6] = [11, 12, 13, 14, 15, 16];
const GRID: [f64; 3] = [0.01, 0.1, 1.0];

/// Final returns of the arms of a suite on every family, before noise; and the size of the noise.
struct Plan {
    arms: Vec<(&'static str, f64)>,
    families: Vec<&'static str>,
    noise: f64,
}

fn normal(rng: &mut Rng) -> f64 {
    StandardNormal.sample(rng)
}

fn record(family: &str, arm: &str, beta: f64, seed: u64, phase: Phase, end: f64, rng: &mut Rng) -> RunRecord {
    let point = |k: u64| {
        let after = end * k as f64 / 4.0;
        let gap = Gap {
            method: Method::UStatistic,
            gap_squared: 1.0 - 0.2 * k as f64,
            gap_squared_interval: [0.5 - 0.2 * k as f64, 1.5],
            gap: None,
            groups: 20,
            noise: 0.1,
        };
        Point {
            environment_steps: 250 * k,
            iteration: 10 * k,
            before: 0.0,
            after,
            value: Some(0.9 * after),
            gap: Some(gap),
        }
    };
    let mut points: Vec<Point> = (0..=4).map(point).collect();
    points[2].after += 0.01 * normal(rng);
    RunRecord {
        family: family.into(),
        arm: arm.into(),
        setting: vec![("outer.beta".into(), beta)],
        seed,
        phase,
        outcome: Outcome::Finished,
        reason: None,
        points,
        iterations: 40,
        budget: Budget { environment_steps: 1000, episodes: 100, gradients: 80, hvps: 40 },
        measure_steps: 500,
        seconds: 0.5,
        cpu_seconds: 0.4,
    }
}

fn records(plan: &Plan, seed: u64) -> Vec<RunRecord> {
    let mut rng = Address::new(seed, Purpose::Statistics).stream();
    let mut all = Vec::new();
    for family in &plan.families {
        let shared: Vec<f64> = SEEDS.iter().map(|_| normal(&mut rng)).collect(); // what a seed does to all arms
        for (arm, mean) in &plan.arms {
            for (i, beta) in GRID.iter().enumerate() {
                for s in [1, 2] {
                    let end = mean - 0.5 * (i as f64 - 1.0).abs() + 0.1 * normal(&mut rng);
                    all.push(record(family, arm, *beta, s, Phase::Tuning, end, &mut rng));
                }
            }
            for (s, common) in SEEDS.iter().zip(&shared) {
                let end = mean + common + plan.noise * normal(&mut rng);
                all.push(record(family, arm, 0.1, *s, Phase::Reporting, end, &mut rng));
            }
        }
    }
    all
}

fn info(plan: &Plan, planned: usize) -> Info {
    let families = &plan.families;
    let choice =
        |f: &str, a: &str| Choice { family: f.into(), arm: a.into(), setting: vec![("outer.beta".into(), 0.1)] };
    Info {
        program: "stillpoint".into(),
        version: "0.1.0".into(),
        earlier: Vec::new(),
        status: Status::Finished,
        name: "synthetic".into(),
        planned: planned as u64,
        families: (families.iter())
            .map(|f| FamilyInfo { name: (*f).into(), budget: 1000, score: Some([0.0, 10.0]) })
            .collect(),
        arms: plan.arms.iter().map(|a| a.0.to_string()).collect(),
        seeds: SEEDS.to_vec(),
        online: false,
        select: "final".into(),
        chosen: families.iter().flat_map(|f| plan.arms.iter().map(move |a| choice(f, a.0))).collect(),
        machine: "linux x86_64, 2 cores".into(),
    }
}

fn write(dir: &Path, info: &Info, records: &[RunRecord]) {
    let session = suite_dir::claim(dir, false).unwrap_or_else(|e| panic!("{e}"));
    session.start("name = \"synthetic\"\n", info).unwrap_or_else(|e| panic!("{e}"));
    records.iter().for_each(|r| session.write(r).unwrap_or_else(|e| panic!("{e}")));
}

/// The suite in memory.
fn suite(plan: &Plan, seed: u64) -> SuiteDir {
    let records = records(plan, seed);
    let info = info(plan, records.len());
    SuiteDir {
        dir: "s".into(),
        config: String::new(),
        status: Status::Finished,
        planned: info.planned,
        info,
        records,
        unreadable: Vec::new(),
    }
}

fn clear() -> Plan {
    Plan { arms: vec![("maml", 3.0), ("sgmrl", 6.0), ("promp", 3.5)], families: vec!["bandit", "liu"], noise: 0.3 }
}

fn equal() -> Plan {
    Plan { arms: vec![("maml", 4.0), ("sgmrl", 4.0), ("promp", 4.0)], ..clear() }
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

#[test]
fn figures_and_tables_hold_what_the_records_hold() {
    let dir = tempfile::tempdir().expect("scratch");
    let place = dir.path().join("s");
    let (plan, records) = (clear(), records(&clear(), 1));
    write(&place, &info(&plan, records.len()), &records);
    let printed = succeed(dir.path(), "report s");
    assert!(printed.starts_with("sgmrl won") && printed.contains("2 families, 6 seeds per arm"), "{printed}");
    let out = place.join("report");
    let (page, figures) = check(&out);
    let per_family = |f: &str| ["learning", "value", "gap"].map(|k| format!("{k}-{f}"));
    let mut expected = vec!["profile".to_string(), "differences".into()];
    for family in ["bandit", "liu"] {
        expected.extend(per_family(family));
        expected.push(format!("sensitivity-{family}-outer-beta"));
    }
    assert_eq!(figures, expected);
    for word in ["synthetic", "linux x86_64", "stillpoint report s", "Bonferroni", "0.00 is 0 and 10.0 is 1"] {
        assert!(page.contains(word), "{word}");
    }
    let of = |family: &str, arm: &str, phase: Phase| {
        records.iter().filter(|r| r.family == family && r.arm == arm && r.phase == phase).collect::<Vec<_>>()
    };
    for family in &plan.families {
        for (arm, _) in &plan.arms {
            let runs = of(family, arm, Phase::Reporting);
            let curve = |f: &dyn Fn(&Point) -> f64| -> Vec<f64> {
                (0..5).map(|k| mean(&runs.iter().map(|r| f(&r.points[k])).collect::<Vec<_>>())).collect()
            };
            let close = |name: &str, column_name: &str, expected: &[f64]| {
                let found = column(&out.join(format!("{name}-{family}.csv")), arm, column_name);
                assert_eq!(found.len(), expected.len());
                assert!(
                    found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12),
                    "{name} {found:?} {expected:?}"
                );
            };
            close("learning", "return_after", &curve(&|p| p.after));
            close("learning", "environment_steps", &curve(&|p| p.environment_steps as f64));
            close("learning", "n", &[6.0; 5]);
            close("value", "value", &curve(&|p| p.value.expect("exact")));
            close("gap", "gap_squared", &curve(&|p| p.gap.expect("measured").gap_squared));
            let tuning = of(family, arm, Phase::Tuning);
            let at = |beta: f64| {
                let own = tuning.iter().filter(|r| r.setting[0].1 == beta);
                mean(&own.map(|r| r.points[4].after).collect::<Vec<_>>())
            };
            let name = format!("sensitivity-{family}-outer-beta.csv");
            let found = column(&out.join(&name), arm, "return_after");
            assert!(found.iter().zip(GRID.map(at)).all(|(a, b)| (a - b).abs() < 1e-12) && found.len() == 3);
            assert_eq!(column(&out.join(&name), arm, "outer.beta"), GRID);
        }
    }
    let profile = out.join("profile.csv");
    let scores: Vec<f64> =
        plan.families.iter().flat_map(|f| of(f, "sgmrl", Phase::Reporting)).map(|r| r.points[4].after / 10.0).collect();
    for (tau, y) in column(&profile, "sgmrl", "threshold").into_iter().zip(column(&profile, "sgmrl", "fraction")) {
        assert_eq!(y, scores.iter().filter(|s| **s > tau).count() as f64 / scores.len() as f64);
    }
    assert!(page.contains("take families as independent although these share seeds"), "what the bootstrap misses");
    assert!(csv(&out.join("table-pairs.csv")).iter().all(|l| l["seeds"] == "6"));
    let pooled = csv(&out.join("table-pooled.csv"));
    let shown: f64 = pooled.iter().find(|l| l["arm"] == "sgmrl").expect("there")["mean"].parse().expect("number");
    assert!((shown - mean(&scores)).abs() < 1e-12);
    assert_eq!(csv(&out.join("table-runs.csv")).len(), records.len(), "the whole grid is in the output");
}

/// Families' differences from the paired records, by hand.
#[test]
fn differences_are_paired_by_seed() {
    let suite = suite(&clear(), 3);
    let comparison = comparison::compare(&suite);
    let end = |arm: &str, seed: u64| {
        let own = |r: &&RunRecord| r.family == "liu" && r.arm == arm && r.seed == seed;
        suite.records.iter().find(own).expect("there").points[4].after
    };
    let by_hand = mean(&SEEDS.map(|s| end("sgmrl", s) - end("maml", s)));
    let cell = comparison.cells.iter().find(|c| c.family == "liu" && c.arm == "sgmrl").expect("there");
    let difference = cell.difference.as_ref().expect("paired");
    assert!((difference.last.mean - by_hand).abs() < 1e-12 && difference.pairs == 6);
    let paired = difference.last.high.expect("an end") - difference.last.low.expect("an end");
    let alone = cell.last.mean.high.expect("an end") - cell.last.mean.low.expect("an end");
    assert!(paired < alone, "what a seed does to both arms cancels");
}

/// The first sentence names a winner where there is one, and only there: among 60 suites of equal arms at most 9 may have one
/// (5 % for all pairs together, binomial, alpha 2e-3), and among 20 suites with one better arm all must (negative control).
#[test]
fn sentences_name_a_winner_only_where_there_is_one() {
    let first = |plan: &Plan, seed: u64| verdict::sentences(&comparison::compare(&suite(plan, seed)));
    let mut wrong = 0;
    for seed in 0..60 {
        let [who, much, sure] = first(&equal(), seed);
        if !who.contains("No arm won") || !who.contains("cannot be told apart") {
            wrong += 1;
            continue;
        }
        assert!(
            who.contains("6 seeds") && who.contains("2 families") && who.contains("1\u{202f}000 environment steps"),
            "{who}"
        );
        assert!(much.contains('[') && sure.contains("contains zero"), "{much} {sure}");
    }
    assert!(wrong <= 9, "{wrong} of 60");
    for seed in 0..20 {
        let [who, _, sure] = first(&clear(), seed);
        assert!(who.starts_with("`sgmrl` won") && sure.contains("excludes zero"), "{who} {sure}");
    }
}

#[test]
fn an_arm_that_is_not_pooled_is_compared_where_it_runs() {
    let plan = Plan { arms: vec![("maml", 3.0), ("sgmrl", 6.0), ("promp", 9.0)], ..clear() };
    let mut suite = suite(&plan, 5);
    assert!(comparison::compare(&suite).apart().is_empty(), "all arms on all families");
    suite.records.retain(|r| r.arm != "promp" || r.family == "bandit");
    let whole = comparison::compare(&suite);
    assert!(verdict::sentences(&whole)[0].starts_with("`sgmrl` won"), "{:?}", verdict::sentences(&whole));
    let apart = whole.apart();
    assert_eq!(apart.iter().map(|c| c.scales[0].family.as_str()).collect::<Vec<_>>(), ["bandit"]);
    let [who, ..] = verdict::sentences(&apart[0]);
    assert!(who.starts_with("`promp` won") && who.contains("family `bandit`"), "{who}");
}

#[test]
fn diverged_runs_count_as_worst_and_failed_ones_not_at_all() {
    let mut suite = suite(&clear(), 4);
    let own = |r: &&mut RunRecord| r.family == "bandit" && r.arm == "sgmrl" && r.phase == Phase::Reporting;
    let mut runs: Vec<&mut RunRecord> = suite.records.iter_mut().filter(own).collect();
    runs[0].outcome = Outcome::Diverged;
    runs[0].points.truncate(2);
    runs[0].points[1].after = f64::NAN;
    runs[1].outcome = Outcome::Failed;
    runs[1].points.clear();
    runs[0].points[0].after = -100.0; // where a run was before it diverged is nobody's result
    runs[2].points.clear(); // finished, without a result: no score at all
    suite.info.families[0].score = None;
    let finished = |r: &&RunRecord| {
        r.family == "bandit" && r.phase == Phase::Reporting && r.outcome == Outcome::Finished && !r.points.is_empty()
    };
    let finals = || suite.records.iter().filter(finished).map(|r| r.points[4].after);
    let (least, most) = (finals().fold(f64::INFINITY, f64::min), finals().fold(f64::NEG_INFINITY, f64::max));
    let comparison = comparison::compare(&suite);
    let cell = comparison.cells.iter().find(|c| c.family == "bandit" && c.arm == "sgmrl").expect("there");
    assert_eq!((cell.diverged, cell.failed, cell.runs.len()), (1, 2, 4));
    assert_eq!((comparison.scales[0].low, comparison.scales[0].high), (least, most));
    assert_eq!(cell.runs.iter().find(|r| r.seed == SEEDS[0]).map(|r| r.last), Some(least));
    assert!(comparison.notes.iter().any(|n| n.contains("1 run diverged")), "{:?}", comparison.notes);
    // where none finished, the last evaluations are all there is
    let of_bandit = |r: &&mut RunRecord| r.family == "bandit" && !r.points.is_empty();
    suite.records.iter_mut().filter(of_bandit).for_each(|r| r.outcome = Outcome::Diverged);
    let comparison = comparison::compare(&suite);
    let cell = comparison.cells.iter().find(|c| c.family == "bandit" && c.arm == "sgmrl").expect("there");
    assert!(cell.runs.iter().all(|r| r.last == -100.0) && cell.diverged == 4, "{cell:?}");
}

/// The captions of exact values and gaps say which arms share a V_ζ, and nothing where all of them do.
#[test]
fn arms_that_adapt_otherwise_are_said_to_have_another_objective() {
    let config = |sgmrl: &str| {
        let text = "budget = 10000\n[seeds]\ntuning = [1, 2]\nreporting = [11]\n[[families]]\nname = \"bandit\"\npreset = \
                    \"analytic/a\"\n[[families]]\nname = \"liu\"\npreset = \"analytic/a\"\n";
        let arm = |name: &str, set: &str| {
            format!("[[arms]]\nname = \"{name}\"\nset = {{ {set} }}\ngrid = {{ outer.beta = [0.01, 0.1] }}\n")
        };
        text.to_string() + &arm("maml", "outer.clip = 1.0") + &arm("sgmrl", sgmrl) + &arm("promp", "outer.clip = 2.0")
    };
    let captions = |config: String| {
        let suite = SuiteDir { config, ..suite(&clear(), 1) };
        let figures = suite_report::curves::figures(&suite, &comparison::compare(&suite));
        let caption = |name: &str| figures.iter().find(|f| f.name == name).expect("a figure").caption.clone();
        ["value-bandit", "gap-bandit", "learning-bandit"].map(caption)
    };
    let [value, gap, learning] = captions(config("inner.alpha = 0.25"));
    for caption in [&value, &gap] {
        assert!(caption.contains("do not share one V_ζ") && caption.contains("maml and promp ("), "{caption}");
        assert!(caption.contains("sgmrl (") && caption.contains("α = 0.25"), "{caption}");
    }
    assert!(!learning.contains("share one V_ζ"), "a return is a return");
    assert!(
        captions(config("outer.tasks = 3"))
            .iter()
            .all(|c| !c.contains("V_ζ of its own") && !c.contains("share one V_ζ"))
    );
    assert!(captions("nonsense".into())[0].contains("could not be read"));
}

#[test]
fn half_a_suite_says_what_is_missing() {
    let dir = tempfile::tempdir().expect("scratch");
    let (plan, all) = (clear(), records(&clear(), 1));
    let mut some = all.clone();
    some.retain(|r| r.family == "bandit" && !(r.arm == "promp" && r.phase == Phase::Reporting) && r.seed != 16);
    let half = Info { status: Status::Interrupted, ..info(&plan, all.len()) };
    write(&dir.path().join("half"), &half, &some);
    std::fs::write(dir.path().join("half/runs/bandit/maml/outer.beta=0.1/16.json"), "{\"fam").expect("writable");
    let output = run(dir.path(), "report half --out out");
    assert!(output.status.success());
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    for word in [
        &format!("{} of {} runs are done; the suite was interrupted", some.len(), all.len()),
        "arm `maml`: 5 of 6 on bandit, none of 6 on liu",
        "arm `promp`: none of 6 on bandit",
        "16.json",
    ] {
        assert!(notes.contains(word), "{word}: {notes}");
    }
    let (page, figures) = check(&dir.path().join("out"));
    assert!(page.contains("So far, with part of the runs"), "the answer says that it is provisional");
    assert!(figures.contains(&"learning-bandit".to_string()) && !figures.contains(&"learning-liu".to_string()));

    let tuned: Vec<RunRecord> = all.iter().filter(|r| r.phase == Phase::Tuning).cloned().collect();
    write(&dir.path().join("tuned"), &Info { status: Status::Running, chosen: Vec::new(), ..half }, &tuned);
    let printed = succeed(dir.path(), "report tuned");
    assert!(printed.contains("No arm has a finished reporting run yet"), "{printed}");
    assert!(check(&dir.path().join("tuned/report")).1.contains(&"sensitivity-liu-outer-beta".to_string()));
    write(&dir.path().join("bare"), &info(&plan, all.len()), &[]);
    assert!(succeed(dir.path(), "report bare").contains("0 figures"));
}

/// One number of a point.
type Read = fn(&Point) -> f64;

/// The committed suite of version 0.1.0, made by the real binary: curves are means of its records, and three seeds are called few.
#[test]
fn a_suite_of_an_older_version_is_reported() {
    let dir = tempfile::tempdir().expect("scratch");
    let place = source::root().join("tests/fixtures/runs/0.1.0/suite-small");
    succeed(dir.path(), &format!("report {} --out out", place.display()));
    let out = dir.path().join("out");
    let (page, figures) = check(&out);
    for name in ["profile", "differences", "learning-a", "value-a", "gap-c", "sensitivity-c-outer-beta"] {
        assert!(figures.iter().any(|f| f == name), "{name}: {figures:?}");
    }
    assert!(page.contains("With 3 seeds the percentile bootstrap's intervals are too narrow"));
    let suite = suite_dir::read(&place).unwrap_or_else(|e| panic!("{e}"));
    let chosen = &suite.info.chosen.iter().find(|c| c.family == "a" && c.arm == "sgmrl").expect("chosen").setting;
    let runs: Vec<&RunRecord> = suite.of("a", "sgmrl", Phase::Reporting).filter(|r| r.setting == *chosen).collect();
    assert_eq!(runs.len(), 3);
    let curves: [(&str, Read); 3] = [
        ("learning-a", |p| p.after),
        ("value-a", |p| p.value.expect("exact")),
        ("gap-a", |p| p.gap.expect("measured").gap_squared),
    ];
    for (figure, of) in curves {
        let file = out.join(format!("{figure}.csv"));
        let name =
            csv(&file)[0].keys().find(|k| ["return_after", "value", "gap_squared"].contains(&k.as_str())).cloned();
        let drawn = column(&file, "sgmrl", &name.expect("a column"));
        assert_eq!(drawn.len(), runs[0].points.len());
        for (k, y) in drawn.iter().enumerate() {
            assert!(
                (mean(&runs.iter().map(|r| of(&r.points[k])).collect::<Vec<_>>()) - y).abs() < 1e-12,
                "{figure} {k}"
            );
        }
    }
    assert_eq!(csv(&out.join("table-runs.csv")).len(), suite.records.len());
}
