//! The online actor-critic on single tasks: exact meta-gradients, exact resumption, any number of threads, learning cart-pole.

use stillpoint::config::{self, Overrides};
use stillpoint::estimator::online::{Eta, Fallback, Rail, Reduction, Setting, Tunable, Tunables};
use stillpoint::learn::online::Updates as _;
use stillpoint::learn::online::actor_critic::{
    Ahead, Driver, FamilyLearner, MlpShape, Options, OuterOptions, Reach, Row, on_family,
};
use stillpoint::math::targets::{Target, VTrace};
use stillpoint::optim::{Differential, Optimiser, RmsPropDialect, Rule};
use stillpoint::rng::{Address, Purpose};
use tasks::task::Task;

fn adam(beta: f64) -> Optimiser {
    Optimiser::Adam { beta, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
}

/// Cart-pole's, with both gamma and lambda learned.
pub fn options(updates: u64) -> Options {
    let eta = Eta { value_cost: 0.5, entropy_cost: 0.01, ..Eta::reference(0.95, 0.95) };
    let mut tunables = Tunables::fixed(&eta);
    *tunables.get_mut(Tunable::Gamma) = Setting::meta(0.95);
    *tunables.get_mut(Tunable::Lambda) = Setting::meta(0.95);
    Options {
        actors: 16,
        groups: 4,
        length: 20,
        driver: Driver::Synchronous,
        target: Target::VTrace(VTrace::default()),
        reduction: Reduction::Mean,
        rule: Rule { optimiser: adam(5e-3), clip: Some(0.5) },
        anneal: false,
        tunables,
        outer: OuterOptions {
            eta: Eta::reference(0.99, 1.0),
            kl: 0.0,
            separate_critic: true,
            batch: 16,
            sees_reference: false,
        },
        stop_gradient: true,
        differential: Differential::Exact,
        reach: Reach::ONE,
        meta: adam(1e-2),
        rail: Rail::default(),
        updates,
        gap_every: 10,
    }
}

/// A learner on one task of a preset's family.
pub fn learner(family: &str, options: Options, seed: u64) -> FamilyLearner {
    learner_with(&[], family, options, seed)
}

/// [`learner`] with keys of the preset set.
fn learner_with(set: &[String], family: &str, options: Options, seed: u64) -> FamilyLearner {
    on_family(task(set, family, seed), &shape(), options, seed).expect("an environment")
}

/// The task of such a learner.
pub fn task(set: &[String], family: &str, seed: u64) -> Task {
    let overrides = Overrides { set: set.to_vec(), ..Overrides::default() };
    let family = config::load(Some(family), &overrides).expect("a preset").family;
    family.sample(&mut Address::new(seed, Purpose::Task).stream())
}

/// Its network.
pub fn shape() -> MlpShape {
    MlpShape { hidden: vec![32], embedding: 4 }
}

/// Worst error of the meta-gradient over three checked updates, relative to its largest entry.
fn worst_error(family: &str, options: Options) -> f64 {
    let mut learner = learner(family, options, 3);
    let mut worst = 0.0f64;
    (0..2).for_each(|_| drop(learner.step().expect("finite"))); // Adam's first step is nearly a sign: no derivative to speak of
    for _ in 0..3 {
        let (_, checked) = learner.checked_step().expect("finite");
        let size = checked.iter().fold(0.0, |m: f64, c| m.max(c.difference.abs()));
        assert!(size > 0.0);
        worst = checked.iter().fold(worst, |m, c| m.max((c.exact - c.difference).abs() / size));
    }
    worst
}

#[test]
fn the_meta_gradient_is_that_of_the_update_it_makes() {
    for family in ["cartpole", "navigation/sgmrl", "garnet"] {
        for separate_critic in [true, false] {
            let plain = options(50);
            let outer = OuterOptions { separate_critic, ..plain.outer };
            let error = worst_error(family, Options { outer, ..plain });
            assert!(error < 1e-6, "{family} {separate_critic}: {error}");
        }
    }
}

/// Every switch of the update, one at a time.
#[test]
fn the_meta_gradient_is_exact_whatever_the_options() {
    let rms = |dialect, epsilon| Optimiser::RmsProp { beta: 1e-2, decay: 0.99, epsilon, dialect, initial: 1.0 };
    let outer = options(50).outer;
    let mut all_learned = options(50);
    for tunable in Tunable::ALL {
        let value = all_learned.tunables.get(tunable).initial.min(0.9);
        *all_learned.tunables.get_mut(tunable) = Setting::meta(value);
    }
    let eta = Eta { value_cost: 0.25, entropy_cost: 0.02, ..outer.eta };
    let cases: Vec<(&str, Options)> = vec![
        ("all learned", all_learned),
        (
            "sum",
            Options { reduction: Reduction::Sum, rule: Rule { clip: Some(40.0), ..options(50).rule }, ..options(50) },
        ),
        (
            "tensorflow",
            Options { rule: Rule { optimiser: rms(RmsPropDialect::TensorFlow, 0.1), clip: None }, ..options(50) },
        ),
        (
            "pytorch",
            Options { rule: Rule { optimiser: rms(RmsPropDialect::PyTorch, 0.01), clip: None }, ..options(50) },
        ),
        ("through the embedding", Options { stop_gradient: false, ..options(50) }),
        ("lambda-returns", Options { target: Target::Lambda, ..options(50) }),
        ("annealed", Options { anneal: true, ..options(50) }),
        ("meta batch", Options { outer: OuterOptions { batch: 4, ..outer }, ..options(50) }),
        ("outer terms", Options { outer: OuterOptions { eta, kl: 0.5, ..outer }, ..options(50) }),
        ("outer sees eta'", Options { outer: OuterOptions { sees_reference: true, ..outer }, ..options(50) }),
    ];
    for (name, options) in cases {
        let error = worst_error("cartpole", options);
        assert!(error < 1e-6, "{name}: {error}");
    }
    // the control: frozen denominators are not exact
    let rule = Rule { optimiser: rms(RmsPropDialect::PyTorch, 0.01), clip: Some(0.01) };
    let frozen = Options { differential: Differential::Frozen, rule, ..options(50) };
    assert!(worst_error("cartpole", frozen) > 1e-4);
}

#[test]
fn a_restored_learner_goes_on_as_if_it_had_not_stopped() {
    for family in ["cartpole", "navigation/sgmrl"] {
        let mut whole = learner(family, options(50), 2);
        (0..5).for_each(|_| drop(whole.step().expect("finite")));
        let snapshot = whole.snapshot().expect("a state");
        let mut other = learner(family, options(50), 7);
        assert_ne!(whole.state(), other.state());
        let mut other_seed = learner(family, options(50), 2);
        other.restore(&snapshot).expect("fits");
        other_seed.restore(&snapshot).expect("fits");
        for _ in 0..8 {
            assert_eq!(whole.step(), other_seed.step());
        }
        assert_eq!(whole.state(), other_seed.state());
        let groups = Options { groups: 2, ..options(50) };
        let why = learner(family, groups, 2).restore(&snapshot).unwrap_err();
        assert!(why.contains("groups"), "{why}");
    }
}

/// Rows and states are the same bit for bit; another grouping of the actors is another order of sums.
#[test]
fn the_number_of_threads_changes_nothing() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let mut learner = learner("cartpole", options(50), 4);
            let rows: Vec<Row> = (0..12).map(|_| learner.step().expect("finite")).collect();
            (rows, learner.state().clone())
        })
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(5));
    assert!(one.0[9].gap.is_some() && one.0[8].gap.is_none());
}

/// Measuring more often changes no other number.
#[test]
fn measuring_the_gap_does_not_touch_the_run() {
    let rows = |gap_every: u64| {
        let mut learner = learner("cartpole", Options { gap_every, ..options(50) }, 4);
        let rows = (0..12).map(|_| learner.step().expect("finite"));
        // without learned meta-parameters there is no other use for J'
        rows.map(|row| Row { gap: None, ..row }).collect::<Vec<_>>()
    };
    assert_eq!(rows(0), rows(1));
    assert_eq!(rows(0), rows(5));
}

/// Mean of the returns that some updates brought.
fn mean_return(rows: &[Row]) -> f64 {
    let ended: Vec<f64> = rows.iter().filter_map(|r| r.achieved).collect();
    ended.iter().sum::<f64>() / ended.len() as f64
}

#[test]
fn cart_pole_is_learned() {
    let mut learner = learner("cartpole", options(400), 1);
    let rows: Vec<_> = (0..400).map(|_| learner.step().expect("finite")).collect();
    let [first, last] = [mean_return(&rows[..40]), mean_return(&rows[360..])];
    println!("cart-pole: return {first:.1}, then {last:.1}; gamma {:.4}", rows[399].gamma);
    assert!(last > 2.5 * first, "{first} {last}");
}

/// gamma and lambda go to those of the outer loss, a learned cost to its start: the outer loss has factors of its own, zero here.
#[test]
fn falling_back_keeps_the_critic_learning() {
    let plain = options(400);
    let mut tunables = plain.tunables;
    *tunables.get_mut(Tunable::ValueCost) = Setting::meta(0.5);
    let rail = Rail { fallback: Some(Fallback { patience: 1, decay: 0.1 }), ..Rail::default() };
    let mut learner = learner("cartpole", Options { tunables, rail, gap_every: 1, ..plain }, 1);
    let rows: Vec<Row> = std::iter::repeat_with(|| learner.step().expect("finite")).take(100).collect();
    let after = learner.state().standing.rail.fell_after;
    let first = rows.iter().find(|row| row.fallen_back);
    assert!(after.is_some() && after == first.map(|row| row.update), "{after:?}");
    let fell = rows.iter().all(|row| row.fallen_back == (Some(row.update) >= after));
    let eta = learner.eta();
    assert!(fell && (eta.gamma - 0.99).abs() < 1e-9 && (eta.lambda - 1.0).abs() < 1e-5, "{eta:?}");
    assert!((eta.value_cost - 0.5).abs() < 1e-9, "{eta:?}");
    let before = learner.state().standing.logits.clone();
    assert_eq!(learner.step().expect("finite").logits, before, "for good");
}

/// Actors that run ahead learn too; what they lag is told, and the meta-gradient stays that of the update it makes.
///
/// Which parameters acted depends on timing, so learning is judged over several runs on one and the same cart-pole.
#[test]
fn actors_may_run_ahead() {
    let driver = Driver::Impala(Ahead { threads: 2, queue: 2 });
    let nominal = ["gravity=9.8", "cart_mass=1", "pole_mass=0.1", "half_length=0.5", "force=10", "reverse=0"];
    let set = nominal.map(|s| format!("family.{s}")).to_vec();
    let mut returns = Vec::new();
    for seed in 1..=4 {
        let mut learner = learner_with(&set, "cartpole", Options { driver, ..options(400) }, seed);
        let rows: Vec<Row> = (0..400).map(|_| learner.step().expect("finite")).collect();
        let lag = rows.iter().map(|r| r.policy_lag).sum::<f64>() / 400.0;
        let clipped = rows.iter().map(|r| r.clip_fraction).sum::<f64>() / 400.0;
        assert!((0.5..=4.0).contains(&lag) && clipped > 0.0, "{lag} {clipped}");
        let pairs = [&rows[..20], &rows[380..]].map(mean_return);
        println!("mean lag {lag:.2}, ratios clipped {clipped:.3}, return {:.1}, then {:.1}", pairs[0], pairs[1]);
        returns.push(pairs);
    }
    let [first, last] = [0, 1].map(|k| returns.iter().map(|r| r[k]).sum::<f64>() / returns.len() as f64);
    assert!(last > 2.0 * first, "{first} {last}");
    let mut learner = learner("cartpole", Options { driver, ..options(400) }, 1);
    (0..20).for_each(|_| drop(learner.step().expect("finite")));
    let (_, checked) = learner.checked_step().expect("finite");
    for c in &checked {
        assert!(
            (c.exact - c.difference).abs() < 1e-6 * checked[0].difference.abs().max(checked[1].difference.abs()),
            "{c:?}"
        );
    }
    let snapshot = learner.snapshot().expect("a state");
    let update = learner.done();
    learner.restore(&snapshot).expect("its own state");
    assert_eq!(learner.done(), update);
    drop(learner.step().expect("finite"));
    drop(learner); // joins its threads
}
