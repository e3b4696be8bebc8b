//! Meta-gradients beyond one update: windows of K updates and the trace, against differences, over threads, stopped in the middle.

use crate::online_actor_critic::{learner, options};
use stillpoint::estimator::online::{Eta, Reduction, Setting, Surrogate, Tunable};
use stillpoint::learn::online::Updates as _;
use stillpoint::learn::online::actor_critic::{Checked, Driver, FamilyLearner, Options, OuterOptions, Reach, Row};
use stillpoint::math::targets::{Target, VTrace};
use stillpoint::optim::{Differential, Optimiser, RmsPropDialect, Rule};

/// All meta-parameters learned; steps so large that Jacobians matter; V-trace's limits away from on-policy ratios, where they have a kink.
fn far(reach: Reach) -> Options {
    let plain = options(60);
    let mut tunables = plain.tunables;
    for tunable in Tunable::ALL {
        *tunables.get_mut(tunable) = Setting::meta(tunables.get(tunable).initial.min(0.9));
    }
    let vtrace = VTrace { rho_bar: 1.5, c_bar: 1.2, pg_rho_bar: 1.3, ..VTrace::default() };
    let rule = Rule { optimiser: Optimiser::Sgd { beta: 0.3 }, clip: Some(0.5) };
    Options { reach, tunables, rule, target: Target::VTrace(vtrace), length: 10, actors: 8, ..far_outer(plain) }
}

/// A meta batch of 8 trajectories.
fn far_outer(options: Options) -> Options {
    Options { outer: OuterOptions { batch: 8, ..options.outer }, ..options }
}

fn window(steps: usize, surrogate: Surrogate) -> Reach {
    Reach::Window { steps, surrogate }
}

/// Worst error over the checks of some updates, relative to the largest entry of each; updates within a window check nothing.
fn worst_error(family: &str, options: Options, updates: usize) -> f64 {
    let mut learner = learner(family, options, 3);
    let (mut worst, mut count) = (0.0f64, 0);
    (0..2).for_each(|_| drop(learner.step().expect("finite")));
    for _ in 0..updates {
        let is_end = learner.ends_window();
        let (row, checked) = learner.checked_step().expect("finite");
        assert_eq!([!checked.is_empty(), row.meta_gradient_norm.is_some(), row.outer_loss.is_some()], [is_end; 3]);
        worst = worst.max(error(&checked));
        count += usize::from(is_end);
    }
    assert!(count >= 2);
    worst
}

fn error(checked: &[Checked]) -> f64 {
    let size = checked.iter().fold(0.0, |m: f64, c| m.max(c.difference.abs()));
    checked.iter().fold(0.0, |m: f64, c| m.max((c.exact - c.difference).abs())) / size.max(f64::MIN_POSITIVE)
}

fn rms(dialect: RmsPropDialect, epsilon: f64) -> Rule {
    let optimiser = Optimiser::RmsProp { beta: 1e-2, decay: 0.9, epsilon, dialect, initial: 1.0 };
    Rule { optimiser, clip: Some(0.3) }
}

/// What else an update may do.
fn variants(reach: Reach) -> Vec<(&'static str, Options)> {
    let plain = far(reach);
    let outer = plain.outer;
    let eta = Eta { value_cost: 0.25, entropy_cost: 0.02, ..outer.eta };
    let mut scheduled = plain.clone();
    let entropy = scheduled.tunables.get_mut(Tunable::EntropyCost);
    entropy.mode = stillpoint::estimator::online::Mode::Scheduled { end: 0.5 };
    vec![
        ("plain", plain.clone()),
        ("adam", Options { rule: options(60).rule, ..plain.clone() }),
        ("tensorflow", Options { rule: rms(RmsPropDialect::TensorFlow, 0.1), ..plain.clone() }),
        ("pytorch", Options { rule: rms(RmsPropDialect::PyTorch, 0.01), ..plain.clone() }),
        ("lambda-returns", Options { target: Target::Lambda, ..plain.clone() }),
        ("sum", {
            let rule = Rule { optimiser: Optimiser::Sgd { beta: 4e-3 }, clip: Some(40.0) };
            Options { reduction: Reduction::Sum, rule, ..plain.clone() }
        }),
        ("annealed", Options { anneal: true, ..plain.clone() }),
        ("scheduled", scheduled),
        ("shared critic", Options { outer: OuterOptions { separate_critic: false, ..outer }, ..plain.clone() }),
        ("meta batch", Options { outer: OuterOptions { batch: 2, ..outer }, ..plain.clone() }),
        ("outer terms", Options { outer: OuterOptions { eta, kl: 0.5, ..outer }, ..plain }),
    ]
}

#[test]
fn windows_are_differentiated_exactly() {
    for steps in [2, 3] {
        for surrogate in [Surrogate::LogProb, Surrogate::Lvc] {
            for (name, options) in variants(window(steps, surrogate)) {
                let error = worst_error("cartpole", options, 6);
                assert!(error < 1e-6, "K = {steps}, {surrogate:?}, {name}: {error:e}");
            }
            let error = worst_error("navigation/sgmrl", far(window(steps, surrogate)), 6);
            assert!(error < 1e-6, "K = {steps}, {surrogate:?}, navigation: {error:e}");
        }
    }
}

#[test]
fn traces_are_those_of_the_whole_update() {
    for decay in [0.5, 1.0] {
        let mut cases = variants(Reach::Trace { decay });
        let plain = far(Reach::Trace { decay });
        cases.push(("through the embedding", Options { stop_gradient: false, ..plain }));
        for (name, options) in cases {
            let error = worst_error("cartpole", options, 6);
            assert!(error < 1e-6, "mu = {decay}, {name}: {error:e}");
        }
        let error = worst_error("navigation/sgmrl", far(Reach::Trace { decay }), 4);
        assert!(error < 1e-6, "mu = {decay}, navigation: {error:e}");
    }
}

#[test]
fn temporary_print() {
    let _ = (Driver::Synchronous, Differential::Exact);
    let _: Option<(FamilyLearner, Row)> = None;
}
