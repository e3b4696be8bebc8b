//! The bias lab against every table of the independent study: gradient-bias specification 2.6 (a)-(h) and 5 (LIRPG).
//!
//! **Test.** Same ten MDPs, same number of repeats, own random numbers: the null hypothesis is that a printed number and ours are two draws of
//! one distribution. With `s` our standard error *given the MDPs* (their spread is no error: errors of the ten are independent and add in
//! squares), printed numbers have the same, and
//!     z = max(0, |ours - printed| - half a unit of the last printed digit) / (sqrt(2) s).
//! No |z| of a table may exceed the two-sided normal quantile for [`ALPHA`] = 0.01 over the number of different cells of the whole table
//! (Bonferroni; cells that must be the same number, e.g. maml, lvc and loaded where only the inner value is sampled, count once). `s` of means
//! (`corr`, `inner_error`) is the sample's; of `entry_variance` and `var`, the mean influence of a repeat; of the debiased squared bias,
//! that of `math::bias`; of its signed root, the deviation of the root of a normal variable, which holds at zero bias too. "n.r." claims that
//! the squared bias is below Var / repeats: it fails where ours is above by as many standard errors. (f) has the stated criterion instead:
//! printed digits within three standard errors of the noise of eps; and within one where our own eps is replaced by its mean.
//!
//! **Controls**, which must fail: the printed numbers of another estimator in every table and metric, the bias that is not debiased, a step
//! size 10 % (in (f): 2 %) too large, a baseline without errors.
//!
//! **All entries agree**; three remarks:
//! - "abs bias^2" of (b) is the mean over the 100 entries, not the squared norm: so is the ||g*||^2 quoted beside it, which has no noise and
//!   tells ([`the_squared_norms_beside_table_b_are_means_over_entries`]).
//! - Furthest off in (g) is lee, maml, n = 8 (|z| 3.3 of 3.96): corr 0.883 printed, 0.869 here, 0.871 to 0.876 with the seeds 2 to 6. What
//!   contains that part agrees (lel, lll), and so do n = 32 and 128 and the same setting in (h): taken for a draw of theirs.
//! - Furthest off of all is LIRPG, lvc, K = 3, n = 16 (|z| 3.4 of 3.76): var 3.266 printed, 3.089 here, 3.17, 3.17, 3.27 with the seeds 2 to
//!   4. Sums of standard deviations have heavy tails there, and `s` from a sample without an outlier is too small.
//!
//! The suite runs what is cheap; (b), (h) and the largest samples of (g) and LIRPG are run by
//! `cargo test --test it bias_tables -- --ignored --nocapture`.

mod measured;
mod reference;

use measured::{Found, LIRPG, MAML_RL, Number, Problem, mdps, measure, oracle_squares};
use reference::{Entry, half_unit, table};
use statrs::distribution::{ContinuousCDF, Normal};

/// Probability of any false alarm in one table.
const ALPHA: f64 = 0.01;

/// What |z| of `comparisons` independent or dependent numbers exceeds with a probability of at most [`ALPHA`].
fn critical(comparisons: usize) -> f64 {
    Normal::new(0.0, 1.0).expect("standard").inverse_cdf(1.0 - ALPHA / (2.0 * comparisons as f64))
}

fn parsed(printed: &str) -> f64 {
    printed.parse().expect("a printed number")
}

/// |z| of ours against a printed number of as many repeats.
fn z(ours: Number, printed: &str) -> f64 {
    let apart = ((ours.value - parsed(printed)).abs() - half_unit(printed)).max(0.0);
    apart / (2f64.sqrt() * ours.error)
}

/// |z| of one metric of a cell.
fn distance(found: &Found, metric: &str, printed: &str) -> f64 {
    if printed == "n.r." {
        return (found["excess"].value / (2f64.sqrt() * found["excess"].error)).max(0.0);
    }
    z(found[metric], printed)
}

/// The cells of a table that `keep` wants, with our numbers.
fn cells(name: &str, problem: Problem, keep: impl Fn(&Entry) -> bool) -> Vec<(Entry, Found)> {
    let tasks = mdps();
    let with_numbers = |entry: Entry| {
        let found = measure(&problem, &entry, &tasks);
        (entry, found)
    };
    table(name).into_iter().filter(keep).map(with_numbers).collect()
}

/// What is allowed in a table.
fn limit(name: &str) -> f64 {
    critical(table(name).iter().map(|entry| entry.printed.len()).sum())
}

/// Largest |z| over the cells, and where.
fn worst(cells: &[(Entry, Found)]) -> (f64, String) {
    let one = |(entry, found): &(Entry, Found)| {
        let at = |(metric, printed): (&String, &String)| {
            let ours = found[metric.as_str()];
            let (name, z) = (entry.name(), distance(found, metric, printed));
            (z, format!("{name}: {metric} {:.4e} ± {:.1e}, printed {printed}", ours.value, ours.error))
        };
        entry.printed.iter().map(at).collect::<Vec<_>>()
    };
    cells.iter().flat_map(one).max_by(|a, b| a.0.total_cmp(&b.0)).expect("cells")
}

/// Largest |z| of one metric against the numbers printed for another estimator at the same point.
fn exchanged(cells: &[(Entry, Found)], metric: &str) -> f64 {
    let same = |a: &Entry, b: &Entry| {
        (&a.tag, a.alpha, a.steps, a.n) == (&b.tag, b.alpha, b.steps, b.n) && a.estimator != b.estimator
    };
    let pairs = cells.iter().flat_map(|a| cells.iter().filter(move |b| same(&a.0, &b.0)).map(move |b| (a, b)));
    let numbers = pairs.filter(|(_, b)| b.0.printed[metric] != "n.r.");
    numbers.map(|(a, b)| z(a.1[metric], &b.0.printed[metric])).fold(0.0, f64::max)
}

/// Every cell agrees, and in no metric would another estimator's have.
fn agree(name: &str, problem: Problem, keep: impl Fn(&Entry) -> bool) {
    let (cells, limit) = (cells(name, problem, keep), limit(name));
    let (z, at) = worst(&cells);
    let count: usize = cells.iter().map(|(entry, _)| entry.printed.len()).sum();
    println!("({name}) {count} numbers, |z| at most {z:.2} of {limit:.2}, {at}");
    assert!(z < limit, "({name}) |z| {z:.2} above {limit:.2}, {at}");
    for metric in cells[0].0.printed.keys() {
        let z = exchanged(&cells, metric);
        assert!(z > limit, "({name}) the control passes: {metric}, |z| {z:.2}");
    }
}

#[test]
fn table_a_compositional_bias_and_samples() {
    agree("a", MAML_RL, |_| true);
}

#[test]
#[ignore = "10 CPU-seconds"]
fn table_b_compositional_bias_and_step_size() {
    agree("b", MAML_RL, |_| true);
}

#[test]
fn the_squared_norms_beside_table_b_are_means_over_entries() {
    let entry = |alpha: f64| table("b").into_iter().find(|e| e.alpha == alpha).expect("a row");
    for (alpha, printed) in [(5.0, "1.0e-2"), (13.0, "5e-4")] {
        let found = oracle_squares(&MAML_RL, &entry(alpha), &mdps());
        assert!((found - parsed(printed)).abs() < half_unit(printed), "alpha {alpha}: {found}");
    }
}

#[test]
fn table_c_compositional_bias_and_steps() {
    agree("c", MAML_RL, |_| true);
}

#[test]
fn table_d_hessian_estimators_and_steps() {
    agree("d", MAML_RL, |_| true);
}

#[test]
fn table_e_hessian_estimators_and_samples() {
    agree("e", MAML_RL, |_| true);
}

/// Largest distance from a printed number of (f) beyond its digits and so many standard errors.
fn beyond(cells: &[(Entry, Found)], deviations: f64) -> f64 {
    let one = |(entry, found): &(Entry, Found)| {
        let (ours, printed) = (found["rel_bias"], &entry.printed["rel_bias"]);
        (ours.value - parsed(printed)).abs() - half_unit(printed) - deviations * ours.error
    };
    cells.iter().map(one).fold(f64::NEG_INFINITY, f64::max)
}

#[test]
fn table_f_an_injected_error() {
    let noisy = cells("f", MAML_RL, |_| true);
    assert!(beyond(&noisy, 3.0) <= 0.0);
    // eps is fresh at every step and the meta-gradient linear in each, so that eps = 0 gives the expectation; theirs has the noise still
    let tasks = mdps();
    let expected = |scale: f64| -> Vec<(Entry, Found)> {
        let one = |(entry, noisy): &(Entry, Found)| {
            let at = Entry { repeats: Some(2), alpha: scale * entry.alpha, ..entry.clone() };
            let mut found = measure(&Problem { spread: 0.0, ..MAML_RL }, &at, &tasks);
            found.get_mut("rel_bias").expect("a metric").error = noisy["rel_bias"].error;
            (entry.clone(), found)
        };
        noisy.iter().map(one).collect()
    };
    let off = beyond(&expected(1.0), 1.0);
    assert!(off <= 0.0, "{off} beyond the digits and one standard error");
    assert!(beyond(&expected(1.02), 3.0) > 0.0, "the control passes");
}

#[test]
fn table_g_decomposition() {
    agree("g", MAML_RL, |e| e.n <= Some(32));
}

#[test]
#[ignore = "7 CPU-seconds"]
fn table_g_decomposition_with_128_trajectories() {
    agree("g", MAML_RL, |e| e.n > Some(32));
}

#[test]
#[ignore = "7 CPU-seconds"]
fn table_h_ablations() {
    agree("h", MAML_RL, |_| true);
}

#[test]
fn lirpg_from_two_steps_on() {
    agree("lirpg", LIRPG, |e| e.n <= Some(64));
}

#[test]
#[ignore = "3 CPU-seconds"]
fn lirpg_with_256_trajectories() {
    agree("lirpg", LIRPG, |e| e.n > Some(64));
}

/// The test has power: what differs by little from the specification is told from it.
#[test]
fn slightly_wrong_settings_disagree() {
    let (tasks, small) = (mdps(), cells("a", MAML_RL, |e| e.n <= Some(8)));
    let steep = |(entry, _): &(Entry, Found)| {
        let found = measure(&MAML_RL, &Entry { alpha: 1.1 * entry.alpha, ..entry.clone() }, &tasks);
        (entry.clone(), found)
    };
    let (steep, _) = worst(&small.iter().map(steep).collect::<Vec<_>>());
    assert!(steep > limit("a"), "alpha 3.3: |z| {steep:.2}");
    let naive = |(entry, found): &(Entry, Found)| {
        let (ours, printed) = (found["naive_rel_bias"], parsed(&entry.printed["rel_bias"]));
        (ours.value - printed).abs() / ours.error.hypot(found["rel_bias"].error)
    };
    let naive = cells("e", MAML_RL, |e| e.n <= Some(16)).iter().map(naive).fold(0.0, f64::max);
    assert!(naive > limit("e"), "not debiased: |z| {naive:.2}");
    let (quiet, _) = worst(&cells("e", Problem { noise: 0.0, ..MAML_RL }, |e| e.n == Some(16)));
    assert!(quiet > limit("e"), "no errors of the baseline: |z| {quiet:.2}");
}
