//! Meta-gradients beyond one update: windows of K updates and the trace, against differences, over threads, stopped in the middle.

use crate::online_actor_critic::{learner, options, shape, task};
use stillpoint::batch::Actions;
use stillpoint::diff::At;
use stillpoint::estimator::online::{
    Eta, Inner, Mode, Recorded, Reduction, Setting, Surrogate, Trace, Tunable, Unroll, outer_gradient,
};
use stillpoint::learn::online::actor_critic::{Ahead, Checked, Driver, Options, OuterOptions, Reach, Row, perceptron};
use stillpoint::learn::online::{Snapshot, Updates as _};
use stillpoint::math::real::inner_product;
use stillpoint::math::targets::{Target, VTrace};
use stillpoint::optim::{Differential, Moving, Optimiser, RmsPropDialect, Rule, State};

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
    entropy.mode = Mode::Scheduled { end: 0.5 };
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

/// A learner whose actors are one group, so that the estimator's own functions apply, and four snapshots around its first updates.
fn one_group(reach: Reach, optimiser: Optimiser) -> (Options, Vec<Snapshot>, Vec<Checked>) {
    let plain = far(reach);
    let rule = Rule { optimiser, clip: Some(0.2) };
    let still = Optimiser::Sgd { beta: 1e-300 }; // logits stay where they are
    let options = Options { groups: 1, gap_every: 0, rule, meta: still, ..plain };
    let mut learner = learner("cartpole", options.clone(), 5);
    let mut snapshots = vec![learner.snapshot().expect("a state")];
    let mut checked = Vec::new();
    for _ in 0..3 {
        checked = learner.checked_step().expect("finite").1;
        snapshots.push(learner.snapshot().expect("a state"));
    }
    (options, snapshots, checked)
}

/// The waiting unroll of a snapshot.
fn waiting(snapshot: &Snapshot, batch: usize) -> Unroll<f64, f64> {
    let get = |part: &str| snapshot.get::<f64>(&format!("unroll.0.{part}"), None).expect("a tensor");
    let indices = |part: &str| snapshot.get::<u32>(&format!("unroll.0.{part}"), None).expect("a tensor");
    Unroll {
        batch,
        obs: get("obs"),
        actions: Actions::Discrete(indices("actions")),
        rewards: get("rewards"),
        not_done: get("not_done"),
        successors: Some(indices("successors")),
        behaviour: get("behaviour"),
    }
}

/// The three updates again, by the estimator alone: meta-gradients by the reach of the options, and as if each update were alone
/// (`dtheta_K/dtheta_k` taken for the identity).
fn again(options: &Options, snapshots: &[Snapshot]) -> [Vec<f64>; 2] {
    let (net, heads) = perceptron(&task(&[], "cartpole", 5), &shape(), options.outer.separate_critic);
    let inner = Inner { net: &net, heads, objective: options.objective(), rule: options.rule };
    let eta = options.tunables.eta(&options.tunables.start(), 0.0);
    let (condition, tunables) = ([eta.gamma, eta.lambda], options.tunables.learned());
    let unrolls: Vec<_> = snapshots.iter().map(|s| waiting(s, options.actors)).collect();
    let get = |s: &Snapshot, name: &str| s.get::<f64>(name, None).expect("a tensor");
    let thetas: Vec<_> = snapshots.iter().map(|s| get(s, "theta")).collect();
    let at = |k: usize| At { theta: &thetas[k], obs: &unrolls[k].obs, condition: &condition };
    let mut tape = Default::default();
    let u = outer_gradient(&net, &heads, &options.outer(), at(3), &unrolls[3], None, &mut tape).ascent;
    let states: Vec<State<f64>> = (0..3)
        .map(|k| State {
            steps: k as u64,
            first: get(&snapshots[k], "optimiser.first"),
            second: get(&snapshots[k], "optimiser.second"),
        })
        .collect();
    let zeros = || vec![Moving::of(vec![0.0; thetas[0].len()], &states[0]); tunables.len()];
    let (mut trace, mut alone) = (zeros(), vec![0.0; tunables.len()]);
    let mut gradients = Vec::new();
    for k in 0..3 {
        let step = inner.step(at(k), &unrolls[k], &eta, &mut tape);
        let mut push = |z: &mut [Moving<f64>]| {
            let (differential, surrogate) = (options.differential, Surrogate::LogProb);
            let options = Trace { decay: 1.0, differential, surrogate, targets: true, embedding: Vec::new() };
            let (e, g) = (&step.evaluation, &step.gradient);
            inner.push_trace(&options, at(k), &unrolls[k], &eta, &tunables, e, &states[k], g, z, &mut tape);
        };
        push(&mut trace);
        let mut fresh = zeros();
        push(&mut fresh);
        alone.iter_mut().zip(&fresh).for_each(|(a, z)| *a += inner_product(&z.theta, &u));
        gradients.push(step.gradient);
    }
    let steps: Vec<Recorded<'_, f64, f64>> = (0..3)
        .map(|k| Recorded { at: at(k), before: &states[k], gradient: &gradients[k], unroll: &unrolls[k] })
        .collect();
    let whole = match options.reach {
        Reach::Window { surrogate, .. } => {
            inner.window(&steps, &eta, &tunables, options.differential, surrogate, &u, &mut tape)
        }
        Reach::Trace { .. } => trace.iter().map(|z| inner_product(&z.theta, &u)).collect(),
    };
    [whole, alone]
}

/// What the learner does is what the estimator says of the same data; and it is not what dropping the Jacobians would give.
#[test]
fn the_learner_agrees_with_the_estimator_and_not_without_jacobians() {
    let adam = options(60).rule.optimiser;
    let plain = Optimiser::Sgd { beta: 0.3 }; // without moments, which would carry derivatives too
    let reaches = [window(3, Surrogate::LogProb), window(3, Surrogate::Lvc), Reach::Trace { decay: 1.0 }];
    for (reach, optimiser) in reaches.into_iter().flat_map(|reach| [(reach, adam), (reach, plain)]) {
        let (options, snapshots, checked) = one_group(reach, optimiser);
        let [whole, alone] = again(&options, &snapshots);
        let against = |other: &[f64]| {
            let pairs = checked.iter().zip(other);
            error(&pairs.map(|(c, x)| Checked { difference: *x, ..*c }).collect::<Vec<_>>())
        };
        assert!(against(&whole) < 1e-9, "{reach:?}: {:e}", against(&whole));
        println!("{reach:?} {optimiser:?}: without Jacobians the error is {:.3}", against(&alone));
        assert!(against(&alone) > 1e-2, "the control, {reach:?} {optimiser:?}: {:e}", against(&alone));
    }
}

/// The two surrogates are two meta-gradients, and forwards without memory is the plain meta-gradient.
#[test]
fn one_update_is_the_plain_meta_gradient() {
    let norms = |reach: Reach| -> Vec<f64> {
        let mut learner = learner("cartpole", far(reach), 4);
        (0..6).filter_map(|_| learner.step().expect("finite").meta_gradient_norm).collect()
    };
    let plain = norms(Reach::ONE);
    assert_eq!(plain, norms(window(1, Surrogate::Lvc)));
    let forgetful = norms(Reach::Trace { decay: 1e-200 });
    assert!(plain.iter().zip(&forgetful).all(|(a, b)| (a - b).abs() < 1e-9 * a), "{plain:?} {forgetful:?}");
    assert_ne!(norms(window(2, Surrogate::LogProb))[0], norms(window(2, Surrogate::Lvc))[0]);
}

const REACHES: [Reach; 3] = [
    Reach::Window { steps: 3, surrogate: Surrogate::Lvc },
    Reach::Window { steps: 2, surrogate: Surrogate::LogProb },
    Reach::Trace { decay: 0.9 },
];

fn with(reach: Reach) -> Options {
    Options { reach, gap_every: 4, ..options(50) }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    for reach in REACHES {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| {
                let mut learner = learner("cartpole", with(reach), 4);
                let rows: Vec<Row> = (0..8).map(|_| learner.step().expect("finite")).collect();
                (rows, learner.snapshot().expect("a state"))
            })
        };
        let one = run(1);
        assert!(one == run(3), "{reach:?}");
        assert!(one.0.iter().any(|row| row.gap.is_some()));
    }
}

/// Stopped after every number of updates, so within windows too; also where the data are of actors that are gone.
#[test]
fn a_learner_restored_within_a_window_goes_on_exactly() {
    for reach in REACHES {
        for family in ["cartpole", "navigation/sgmrl"] {
            let mut whole = learner(family, with(reach), 2);
            let snapshots: Vec<Snapshot> = (0..5)
                .map(|_| {
                    drop(whole.step().expect("finite"));
                    whole.snapshot().expect("a state")
                })
                .collect();
            let rows: Vec<Row> = (0..7).map(|_| whole.step().expect("finite")).collect();
            let end = whole.snapshot().expect("a state");
            for (k, snapshot) in snapshots.iter().enumerate() {
                let mut other = learner(family, with(reach), 2);
                (0..k % 3).for_each(|_| drop(other.step().expect("finite"))); // in the middle of a window of its own
                other.restore(snapshot).expect("fits");
                let again: Vec<Row> = (0..11 - k).map(|_| other.step().expect("finite")).collect();
                assert_eq!(again[4 - k..], rows, "{reach:?} {family} after {}", k + 1);
                assert!(other.snapshot() == Ok(end.clone()));
            }
        }
    }
    let mut learner = learner("cartpole", with(REACHES[0]), 2);
    drop(learner.step().expect("finite"));
    let snapshot = learner.snapshot().expect("a state");
    let plain = crate::online_actor_critic::learner("cartpole", with(Reach::ONE), 2).restore(&snapshot);
    assert!(plain.expect_err("another window").contains("meta.window"));
}

/// The gap is measured at ends of windows, where there is a meta-gradient; measuring it changes nothing else.
#[test]
fn the_gap_is_measured_once_per_window_at_most() {
    for (reach, expected) in [(REACHES[0], [6, 9, 12, 18, 21, 24]), (REACHES[2], [4, 8, 12, 16, 20, 24])] {
        let rows = |gap_every: u64| -> Vec<Row> {
            let mut learner = learner("cartpole", Options { gap_every, ..with(reach) }, 4);
            (0..24).map(|_| learner.step().expect("finite")).collect()
        };
        let rows4 = rows(4);
        let measured: Vec<u64> = rows4.iter().filter(|row| row.gap.is_some()).map(|row| row.update).collect();
        assert_eq!(measured, expected, "{reach:?}");
        assert!(rows4.iter().filter_map(|row| row.gap.as_ref()).all(|gap| gap.meta.is_some()));
        let bare = |rows: Vec<Row>| rows.into_iter().map(|row| Row { gap: None, ..row }).collect::<Vec<_>>();
        assert_eq!(bare(rows4), bare(rows(0)), "{reach:?}");
    }
}

/// Logits and meta-gradients stand still within a window.
#[test]
fn logits_move_at_the_end_of_a_window() {
    let mut learner = learner("cartpole", with(REACHES[0]), 4);
    let rows: Vec<Row> = (0..9).map(|_| learner.step().expect("finite")).collect();
    for (k, row) in rows.iter().enumerate() {
        let is_end = k % 3 == 2;
        assert_eq!([row.logit_change > 0.0, row.meta_gradient_norm.is_some()], [is_end; 2], "{k}");
    }
    let gammas: Vec<f64> = rows.iter().map(|row| row.gamma).collect();
    assert!(gammas[0] == gammas[2] && gammas[2] != gammas[3] && gammas[3] == gammas[5], "{gammas:?}");
}

/// Windows and traces over data of actors that run ahead.
#[test]
fn actors_may_run_ahead_of_a_window() {
    let driver = Driver::Impala(Ahead { threads: 2, queue: 1 });
    for reach in REACHES {
        let rule = Rule { optimiser: Optimiser::Sgd { beta: 0.3 }, clip: Some(0.5) };
        let mut learner = learner("cartpole", Options { driver, rule, target: far(reach).target, ..with(reach) }, 1);
        let mut worst = 0.0f64;
        for _ in 0..12 {
            let (row, checked) = learner.checked_step().expect("finite");
            worst = if row.update > 3 { worst.max(error(&checked)) } else { worst };
        }
        println!("{reach:?}, actors ahead: {worst:e}");
        assert!(worst < 1e-5, "{reach:?}: {worst:e}");
        let snapshot = learner.snapshot().expect("a state");
        learner.restore(&snapshot).expect("its own state");
        drop(learner.step().expect("finite"));
    }
}

/// The control of all checks: frozen denominators are not exact.
#[test]
fn frozen_windows_and_traces_are_not_exact() {
    for reach in REACHES {
        let options =
            Options { differential: Differential::Frozen, rule: rms(RmsPropDialect::PyTorch, 0.01), ..far(reach) };
        assert!(worst_error("cartpole", options, 6) > 1e-3, "{reach:?}");
    }
}
