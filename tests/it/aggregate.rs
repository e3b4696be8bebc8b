//! Suite aggregates against rliable's own numbers, and the coverage of their intervals.

use rand::{RngExt, seq::SliceRandom};
use rand_distr::{Distribution, StandardNormal};
use serde_json::Value;
use stillpoint::math::aggregate::{
    area_under_curve, interval, interval_of_two, iqm, mean, median, optimality_gap, probability_of_improvement,
    profile, profile_bands,
};
use stillpoint::rng::{Address, Purpose, Rng};

type Matrix = Vec<Vec<f64>>;
type Statistic = Box<dyn Fn(&[Vec<f64>]) -> f64>;

/// Replicates for which the fixture's bounds of Monte-Carlo error were made.
const RESAMPLES: usize = 20_000;

fn rng(step: usize) -> Rng {
    Address::new(20_261_121, Purpose::Statistics).step(step).stream()
}

fn fixture() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/rliable/scores.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("fixture file")).expect("JSON");
    assert_eq!(document["rliable"], "1.2.0");
    assert_eq!(document["reader_replicates"], RESAMPLES);
    document
}

fn list<'a>(document: &'a Value, key: &str) -> &'a [Value] {
    document[key].as_array().unwrap_or_else(|| panic!("{key}"))
}

fn number(v: &Value) -> f64 {
    v.as_f64().expect("a number")
}

fn numbers(v: &Value) -> Vec<f64> {
    v.as_array().expect("an array").iter().map(number).collect()
}

fn matrix(v: &Value) -> Matrix {
    v.as_array().expect("tasks").iter().map(numbers).collect()
}

/// Whether a point value is rliable's to 1e-12, relative above one.
fn agrees(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-12 * expected.abs().max(1.0)
}

/// Whether both ends lie between the quantiles of rliable's replicates at levels p -+ slack (z = 4.5, see `make.py`; at about
/// 200 ends a right program fails with probability 1e-3 over the choice of seed).
fn ends_agree(found: [f64; 2], expected: &Value) -> bool {
    ["low_within", "high_within"].iter().zip(found).all(|(key, end)| {
        let within = numbers(&expected[key]);
        let rounding = 1e-12 * end.abs().max(1.0);
        within[0] - rounding <= end && end <= within[1] + rounding
    })
}

/// The four statistics by their names in the fixture.
fn statistic(name: &str, g: f64) -> Statistic {
    match name {
        "mean" => Box::new(mean),
        "median" => Box::new(median),
        "iqm" => Box::new(iqm),
        "optimality_gap" => Box::new(move |scores| optimality_gap(scores, g)),
        other => panic!("unknown statistic {other}"),
    }
}

#[test]
fn statistics_of_one_matrix_are_those_of_rliable() {
    let document = fixture();
    for (m, case) in list(&document, "matrices").iter().enumerate() {
        let scores = matrix(&case["scores"]);
        for (name, expected) in case["statistics"].as_object().expect("statistics") {
            let statistic = statistic(name, number(&case["g"]));
            let point = statistic(&scores);
            assert!(agrees(point, number(&expected["point"])), "{} {name}: {point} {expected}", case["name"]);
            let ends = interval(&scores, &*statistic, RESAMPLES, &mut rng(m)).expect("two runs per task or more");
            assert!(ends_agree(ends, expected), "{} {name}: {ends:?} {expected}", case["name"]);
        }
    }
}

#[test]
fn profiles_are_those_of_rliable() {
    let document = fixture();
    for (m, case) in list(&document, "matrices").iter().enumerate() {
        let (scores, thresholds) = (matrix(&case["scores"]), numbers(&case["thresholds"]));
        let found = profile(&scores, &thresholds);
        let expected = numbers(&case["profile"]);
        assert!(found.iter().zip(&expected).all(|(f, e)| agrees(*f, *e)), "{}: {found:?} {expected:?}", case["name"]);
        let bands = profile_bands(&scores, &thresholds, RESAMPLES, &mut rng(100 + m)).expect("two runs or more");
        let expected = list(case, "profile_intervals");
        assert_eq!(bands.len(), expected.len());
        for (band, expected) in bands.into_iter().zip(expected) {
            assert!(ends_agree(band, expected), "{}: {band:?} {expected}", case["name"]);
        }
    }
}

#[test]
fn probability_of_improvement_is_that_of_rliable() {
    let document = fixture();
    for (p, case) in list(&document, "pairs").iter().enumerate() {
        let (x, y, expected) = (matrix(&case["x"]), matrix(&case["y"]), &case["probability_of_improvement"]);
        let point = probability_of_improvement(&x, &y);
        assert!(agrees(point, number(&expected["point"])), "{}: {point} {expected}", case["name"]);
        let ends = interval_of_two(&x, &y, &probability_of_improvement, RESAMPLES, &mut rng(200 + p));
        assert!(ends.is_some_and(|ends| ends_agree(ends, expected)), "{}: {ends:?} {expected}", case["name"]);
    }
}

/// Mistakes one could make: each must be told from rliable's value on some matrix of the fixture.
#[test]
fn wrong_definitions_fail_the_fixture() {
    let document = fixture();
    let caught = |key: &str, wrong: &dyn Fn(&[Vec<f64>], f64) -> f64| {
        list(&document, "matrices").iter().any(|case| {
            let found = wrong(&matrix(&case["scores"]), number(&case["g"]));
            !agrees(found, number(&case["statistics"][key]["point"]))
        })
    };
    let trimmed = |scores: &[Vec<f64>], cut: fn(usize) -> usize| {
        let mut all = scores.concat();
        all.sort_by(f64::total_cmp);
        let kept = &all[cut(all.len())..all.len() - cut(all.len())];
        kept.iter().sum::<f64>() / kept.len() as f64
    };
    assert!(!caught("iqm", &|s, _| trimmed(s, |n| n / 4)), "the control of the controls");
    assert!(caught("iqm", &|s, _| trimmed(s, |_| 0)), "an untrimmed mean");
    assert!(caught("iqm", &|s, _| trimmed(s, |n| n.div_ceil(4))), "rounded up");
    assert!(
        caught("iqm", &|s, _| iqm(&s.iter().map(|runs| vec![mean(std::slice::from_ref(runs))]).collect::<Matrix>())),
        "of means"
    );
    assert!(caught("median", &|s, _| median(&s.concat().into_iter().map(|v| vec![v]).collect::<Matrix>())), "pooled");
    assert!(caught("median", &|s, _| mean(s)), "the mean");
    assert!(caught("optimality_gap", &|s, g| g - mean(s)), "scores above g not cut");
    assert!(caught("optimality_gap", &|s, _| optimality_gap(s, 1.0)), "g taken for one");
    let strict = |x: &[Vec<f64>], y: &[Vec<f64>]| {
        let wins = |x: &[f64], y: &[f64]| x.iter().flat_map(|a| y.iter().filter(move |b| a > b)).count() as f64;
        x.iter().zip(y).map(|(x, y)| wins(x, y) / (x.len() * y.len()) as f64).sum::<f64>() / x.len() as f64
    };
    let missed = list(&document, "pairs").iter().any(|case| {
        let found = strict(&matrix(&case["x"]), &matrix(&case["y"]));
        !agrees(found, number(&case["probability_of_improvement"]["point"]))
    });
    assert!(missed, "ties count for nothing");
    let missed = list(&document, "matrices").iter().any(|case| {
        let all = matrix(&case["scores"]).concat();
        let thresholds = numbers(&case["thresholds"]);
        let at_least = thresholds.iter().map(|t| all.iter().filter(|s| *s >= t).count() as f64 / all.len() as f64);
        at_least.zip(numbers(&case["profile"])).any(|(found, expected)| !agrees(found, expected))
    });
    assert!(missed, "scores at the threshold counted");
}

/// Normal scores `[task][run]`, task `t` centred at `t`, with deviation one.
fn normal(tasks: usize, runs: usize, rng: &mut Rng) -> Matrix {
    let noise = |rng: &mut Rng| -> f64 { StandardNormal.sample(rng) };
    (0..tasks).map(|t| (0..runs).map(|_| t as f64 + noise(rng)).collect()).collect()
}

const TASKS: usize = 3;
const RUNS: usize = 12;
const DATASETS: usize = 1000;
const FEW: usize = 200;

/// Probability that the percentile interval for the mean of normal scores holds the truth: the resampled mean has variance
/// `(n-1)/n s^2/(nT)`, and the interpolated end among `B` replicates sits at level `(0.025 (B-1) + 1)/(B+1)` on average.
fn theory() -> f64 {
    use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
    let level = (0.025 * (FEW - 1) as f64 + 1.0) / (FEW + 1) as f64;
    let z = -Normal::standard().inverse_cdf(level) * ((RUNS - 1) as f64 / RUNS as f64).sqrt();
    2.0 * StudentsT::new(0.0, 1.0, (TASKS * (RUNS - 1)) as f64).expect("degrees of freedom").cdf(z) - 1.0
}

/// Two-sided binomial test of `hits` among [`DATASETS`] at alpha = 1e-4 (3.89 standard errors), with 0.5 % for what the theory
/// leaves out (a resampled mean is not quite normal).
fn covers_at(hits: usize, rate: f64) -> bool {
    let n = DATASETS as f64;
    (hits as f64 / n - rate).abs() < 3.89 * (rate * (1.0 - rate) / n).sqrt() + 0.005
}

fn holds(ends: Option<[f64; 2]>, truth: f64) -> bool {
    ends.is_some_and(|[low, high]| low <= truth && truth <= high)
}

#[test]
fn intervals_hold_the_truth_at_their_rate() {
    let mut rng = rng(500);
    let truth = (0..TASKS).sum::<usize>() as f64 / TASKS as f64;
    let (mut hits, mut pooled, mut doubled) = (0, 0, 0);
    for _ in 0..DATASETS {
        let scores = normal(TASKS, RUNS, &mut rng);
        hits += usize::from(holds(interval(&scores, &mean, FEW, &mut rng), truth));
        // negative controls: tasks resampled with the runs; every run reported twice
        pooled += usize::from(holds(interval(&[scores.concat()], &mean, FEW, &mut rng), truth));
        let twice: Matrix = scores.iter().map(|runs| [&runs[..], runs].concat()).collect();
        doubled += usize::from(holds(interval(&twice, &mean, FEW, &mut rng), truth));
    }
    let rate = theory();
    assert!((0.9..0.95).contains(&rate), "{rate}");
    assert!(covers_at(hits, rate), "{hits} of {DATASETS}, theory {rate}");
    assert!(!covers_at(pooled, rate), "without strata: {pooled}");
    assert!(!covers_at(doubled, rate), "twice the runs: {doubled}");
}

/// A matrix of random shape whose scores have ties and both signs.
fn random(tasks: usize, rng: &mut Rng) -> Matrix {
    let task = |rng: &mut Rng| -> Vec<f64> {
        let runs = rng.random_range(1..9);
        (0..runs).map(|_| f64::from(rng.random_range(-20..20)) / 8.0).collect()
    };
    (0..tasks).map(|_| task(rng)).collect()
}

fn mapped(scores: &[Vec<f64>], f: impl Fn(f64) -> f64) -> Matrix {
    scores.iter().map(|runs| runs.iter().map(|s| f(*s)).collect()).collect()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12 * b.abs().max(1.0)
}

#[test]
fn aggregates_move_with_their_scores_and_ignore_order() {
    let mut rng = rng(600);
    for _ in 0..300 {
        let tasks = rng.random_range(1..7);
        let (x, y) = (random(tasks, &mut rng), random(tasks, &mut rng));
        let (shift, scale) = (rng.random_range(-9.0..9.0), rng.random_range(0.1..9.0));
        let moved = mapped(&x, |s| shift + scale * s);
        let mut shuffled = x.clone();
        shuffled.iter_mut().for_each(|runs| runs.shuffle(&mut rng));
        let improvement = probability_of_improvement(&x, &y);
        assert!(near(probability_of_improvement(&shuffled, &y), improvement));
        shuffled.shuffle(&mut rng);
        for statistic in [mean, median, iqm] {
            assert!(near(statistic(&moved), shift + scale * statistic(&x)), "{x:?}");
            assert!(near(statistic(&shuffled), statistic(&x)), "{x:?}");
            let all = x.concat();
            let range = all.iter().copied().fold(f64::MAX, f64::min)..=all.iter().copied().fold(f64::MIN, f64::max);
            assert!(range.contains(&statistic(&x)), "{x:?}");
        }
        let gap = optimality_gap(&x, 1.0);
        assert!(near(optimality_gap(&moved, shift + scale), scale * gap) && near(optimality_gap(&shuffled, 1.0), gap));
        assert!(near(improvement + probability_of_improvement(&y, &x), 1.0));
        let monotone = |s: f64| s.powi(3) + s;
        assert!(near(probability_of_improvement(&mapped(&x, monotone), &mapped(&y, monotone)), improvement));
    }
}

/// The optimality gap is the area between the profile and one: `g - E min(s, g) = g - low - int_low^g P(s > t) dt` below all scores.
#[test]
fn profiles_fall_and_enclose_the_optimality_gap() {
    let mut rng = rng(601);
    for _ in 0..100 {
        let scores = random(4, &mut rng); // multiples of 1/8 from -2.5: the profile is constant on cells of that width
        let thresholds: Vec<f64> = (0..28).map(|i| -2.5 + f64::from(i) / 8.0).collect();
        let heights = profile(&scores, &thresholds);
        assert!(heights.windows(2).all(|pair| pair[1] <= pair[0]) && heights.iter().all(|h| (0.0..=1.0).contains(h)));
        let gap: f64 = heights.iter().map(|h| (1.0 - h) / 8.0).sum();
        assert!(near(optimality_gap(&scores, 1.0), gap), "{scores:?}");
    }
}

#[test]
fn intervals_move_with_their_scores_and_repeat_with_their_stream() {
    let mut draws = rng(602);
    for repeat in 0..20 {
        let x = normal(3, 2 + repeat % 5, &mut draws);
        let of = |scores: &[Vec<f64>]| interval(scores, &iqm, 200, &mut rng(700)).expect("two runs or more");
        assert_eq!(of(&x), of(&x));
        let (ends, moved) = (of(&x), of(&mapped(&x, |s| 3.0 - 2.0 * s)));
        // the interpolated quantiles mirror each other, and a negative scale swaps them
        assert!((moved[0] - (3.0 - 2.0 * ends[1])).abs() < 1e-12 && (moved[1] - (3.0 - 2.0 * ends[0])).abs() < 1e-12);
    }
}

#[test]
fn area_under_a_curve_is_linear_and_splits_at_any_step() {
    let mut rng = rng(603);
    for _ in 0..200 {
        let mut step = 0.0;
        let mut curve = || {
            step += rng.random_range(0.5..100.0);
            (step, rng.random_range(-5.0..5.0))
        };
        let points: Vec<(f64, f64)> = (0..8).map(|_| curve()).collect();
        let (start, stop) = (points[0].0, points[7].0);
        let end = rng.random_range(start..2.0 * stop);
        let area = area_under_curve(&points, end);
        let moved: Vec<(f64, f64)> = points.iter().map(|(b, v)| (3.0 * b + 7.0, 2.0 * v + 1.0)).collect();
        assert!((area_under_curve(&moved, 3.0 * end + 7.0) - (2.0 * area + 1.0)).abs() < 1e-9);
        // from the first point to the fourth, and from there on
        let whole = area * (end - start);
        let middle = points[3].0;
        if end > middle {
            let parts = area_under_curve(&points[..4], middle) * (middle - start)
                + area_under_curve(&points[3..], end) * (end - middle);
            assert!((whole - parts).abs() < 1e-9 * whole.abs().max(1.0), "{points:?} to {end}");
        }
        // a Riemann sum of the curve held at its last value
        let at = |step: f64| match points.iter().position(|(b, _)| *b > step) {
            Some(i) => {
                let ((a, u), (b, v)) = (points[i - 1], points[i]);
                u + (v - u) * (step - a) / (b - a)
            }
            None => points[7].1,
        };
        let cells = 20_000;
        let width = (end - start) / f64::from(cells);
        let sum: f64 = (0..cells).map(|i| at(start + (f64::from(i) + 0.5) * width)).sum();
        assert!((sum / f64::from(cells) - area).abs() < 1e-3, "{points:?} to {end}");
    }
}
