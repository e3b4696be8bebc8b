//! Expected dynamics: the closed outer expectation against enumeration, and the attractors of the analytic benchmark.

use crate::fixtures;
use stillpoint::estimator::choice::{Estimator, LeaveGroupOutForm, NAMES};
use stillpoint::exact::dynamics::{Diverged, Dynamics, expectation};
use stillpoint::exact::expectation::{affine_in_outer, combinations, enumerate, means};
use stillpoint::exact::objective::Problem;

fn named(name: &str, groups: usize) -> Estimator {
    Estimator::named(name, groups, LeaveGroupOutForm::Importance).expect("a known name")
}

/// `dynamics` after `count` steps.
fn after(mut dynamics: Dynamics, count: usize) -> Dynamics {
    for _ in 0..count {
        dynamics.step().expect("it stays finite");
    }
    dynamics
}

/// Table 1.13 from theta = 0 with beta = 2: (alpha, n), the SG-MRL attractor (x, V), the MAML attractor (x, V, gap).
#[test]
fn the_attractors_of_the_analytic_benchmark() {
    let rows = [
        ("analytic/a", 4.0, 2, Some((0.160_046, 0.589_017)), (0.010_455, 0.583_892, 4.95e-2)),
        ("analytic/b", 4.0, 8, Some((0.053_086, 1.673_724)), (-0.733_278, 1.570_908, 1.54e-1)),
        ("analytic/c", 1.0, 8, None, (-0.394_236, 2.389_027, 1.11e-1)),
    ];
    let document = fixtures::document();
    for (row, (family, alpha, batch, sgmrl, maml)) in rows.into_iter().enumerate() {
        let run = |name: &str| {
            let start = Dynamics::new(analytic(family, alpha, batch), named(name, batch), 1, vec![0.0; 2], 2.0);
            after(start, 300).here().clone()
        };
        let (x, value, gap) = maml;
        let end = run("maml");
        let known = document["bandits"][row]["maml"][0][2].as_f64().expect("the oracle's gap");
        assert!((end.theta[0] - x).abs() < 1e-5 && (end.value - value).abs() < 1e-6, "{family}: {end:?}");
        assert!((end.gap - known).abs() < 1e-6 && (end.gap / gap - 1.0).abs() < 5e-3, "{family}: {end:?} {known}");
        assert!(end.drift.iter().all(|d| d.abs() < 1e-12), "at rest: {end:?}");
        for name in ["sgmrl", "sgmrl-loo", "sgmrl-lgo"] {
            let end = run(name);
            if let Some((x, value)) = sgmrl {
                assert!((end.theta[0] - x).abs() < 1e-5 && (end.value - value).abs() < 1e-6, "{family}: {end:?}");
                assert!(end.gap < 1e-10, "{family}: {end:?}");
            } else {
                // no attractor: it climbs towards the best non-adaptive policy, 2.5
                assert!(end.theta[0] > 2.0 && end.value > 2.49 && end.gap < 1e-2, "{family}: {end:?}");
            }
        }
    }
}

/// The exact gradient stands in for the expectation of estimators that are called unbiased, and for no other.
#[test]
fn unbiased_estimators_drift_along_the_exact_gradient() {
    for family in &fixtures::families()[..2] {
        for (zeta, batch) in [(1, 1), (1, 2), (2, 1)] {
            let problem = family.problem(zeta, batch);
            let exact = problem.v_zeta_gradient(&family.theta).gradient;
            let mut unbiased = 0;
            for (name, _) in NAMES {
                let estimator = named(name, batch);
                if estimator.check(zeta, batch, 1).is_err() {
                    continue;
                }
                let found = enumerate(&problem, &family.theta, 1, std::slice::from_ref(&estimator), &exact);
                let off = found[0].mean.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                // with a single step the first batch is every batch
                let unbiased_here = estimator.unbiased() || (name == "sgmrl-first" && zeta == 1);
                assert_eq!(off < 1e-12, unbiased_here, "{name} zeta {zeta} n {batch}: off by {off}");
                unbiased += usize::from(estimator.unbiased());
            }
            assert_eq!(unbiased, if zeta == 1 { 4 } else { 3 });
        }
    }
}

#[test]
fn the_closed_outer_expectation_is_the_enumerated_one() {
    for family in fixtures::families() {
        for (zeta, batch) in [(1, 2), (2, 1)] {
            let problem = family.problem(zeta, batch);
            let visits = combinations(&problem, 1, &[named("maml", 1)]);
            if visits > 30_000 {
                continue;
            }
            let affine: Vec<Estimator> = NAMES.iter().map(|n| named(n.0, 1)).filter(affine_in_outer).collect();
            assert_eq!(affine.len(), 11);
            let closed = means(&problem, &family.theta, &affine);
            let origin = vec![0.0; family.theta.len()];
            for (closed, slow) in closed.iter().zip(enumerate(&problem, &family.theta, 1, &affine, &origin)) {
                fixtures::close(closed, &slow.mean, 1e-12);
            }
            for name in ["maml", "published-sgmrl"] {
                let slow = enumerate(&problem, &family.theta, 1, &[named(name, 1)], &origin).remove(0);
                fixtures::close(&expectation(&problem, &family.theta, 1, &named(name, 1)), &slow.mean, 1e-12);
            }
        }
    }
}

#[test]
fn a_step_too_large_for_numbers_is_an_outcome() {
    let mut dynamics = Dynamics::new(analytic("analytic/a", 1.0, 1), named("sgmrl", 1), 1, vec![0.0; 2], f64::INFINITY);
    assert_eq!(dynamics.step(), Err(Diverged { iteration: 1 }));
    assert_eq!(dynamics.here().theta, [0.0, 0.0]);
}

fn analytic(name: &str, alpha: f64, batch: usize) -> Problem {
    let family = tasks::registry::build(name, &serde_json::Map::new()).expect("a registered family");
    let tasks = family.finite().expect("finite").into_iter().map(|(w, mdp)| (w, mdp.clone())).collect();
    Problem { tasks, gamma: family.gamma(), alpha, steps: 1, batch }
}
