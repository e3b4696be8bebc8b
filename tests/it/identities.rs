//! Estimators that must coincide do, and the published debiasing term is dead where ours is alive.

use std::sync::Arc;
use stillpoint::config::{self, Overrides};
use stillpoint::learn::meta::{Learner, Row};
use stillpoint::policy::Policy;

/// First rows of a preset trained in double precision with changes.
fn rows(preset: &str, set: &[&str], count: usize) -> Vec<Row> {
    let set = set.iter().chain(&["precision=f64"]).map(|s| (*s).to_string()).collect();
    let loaded = config::load(Some(preset), &Overrides { set, ..Overrides::default() }).expect("a valid preset");
    let spaces = (loaded.family.observation_space(), loaded.family.action_space());
    let policy = Policy::build(&loaded.plan.policy, &spaces.0, &spaces.1).expect("it fits");
    let mut learner = Learner::<f64>::new(Arc::from(loaded.family), policy, loaded.plan.options, loaded.plan.seed);
    (0..count).map(|_| learner.step().expect("it does not diverge")).collect()
}

const SMALL: [&str; 4] = ["outer.tasks=4", "inner.episodes=6", "outer.episodes=6", "policy.hidden=[8]"];

fn with<'a>(extra: &[&'a str]) -> Vec<&'a str> {
    SMALL.iter().chain(extra).copied().collect()
}

#[test]
fn the_published_term_is_zero_under_its_own_configuration_and_ours_is_not() {
    let coefficient = |estimator: &str| {
        let set = format!("outer.estimator={estimator}");
        rows("navigation/sgmrl", &with(&[&set]), 1)[0].sampling_coefficient
    };
    assert!(coefficient("published-sgmrl") < 1e-9, "normalised advantages have mean zero");
    assert!(coefficient("sgmrl") > 1.0);
    assert!(coefficient("sgmrl-lgo") > 1e-3);
    assert_eq!(coefficient("maml"), 0.0);
    // without normalisation the published coefficient is not zero: it is the configuration that kills it
    let raw = with(&["outer.estimator=published-sgmrl", "inner.normalise=false"]);
    assert!(rows("navigation/sgmrl", &raw, 1)[0].sampling_coefficient > 1e-6);
}

#[test]
fn without_a_baseline_loaded_dice_is_dice() {
    let raw = ["inner.advantage=return", "inner.baseline=none", "inner.normalise=false", "inner.alpha=0.01"];
    let norms = |estimator: &str, raw: &[&str]| {
        let set = format!("outer.estimator={estimator}");
        let rows = rows("navigation/sgmrl", &[&with(&[&set])[..], raw].concat(), 2);
        rows.iter().map(|r| r.gradient_norm).collect::<Vec<_>>()
    };
    for (a, b) in norms("dice", &raw).iter().zip(norms("loaded-dice", &raw)) {
        assert!((a - b).abs() < 1e-9 * b, "{a} against {b}");
    }
    assert_ne!(norms("dice", &[]), norms("loaded-dice", &[]), "with a baseline they differ");
}

#[test]
fn with_one_inner_episode_leave_one_out_is_sgmrl() {
    let first = |estimator: &str, episodes: &str| {
        let set = format!("outer.estimator={estimator}");
        rows("navigation/sgmrl", &["outer.tasks=3", "outer.episodes=4", "policy.hidden=[8]", episodes, &set], 1)[0]
            .clone()
    };
    assert_eq!(first("sgmrl-loo", "inner.episodes=1"), first("sgmrl", "inner.episodes=1"));
    assert_ne!(first("sgmrl-loo", "inner.episodes=2"), first("sgmrl", "inner.episodes=2"));
}

#[test]
fn learned_step_sizes_move_and_several_steps_run() {
    let set = ["inner.learn_alpha=true", "inner.steps=2", "outer.estimator=sgmrl-loo"];
    let rows = rows("navigation/sgmrl", &with(&set), 2);
    assert_eq!(rows[1].returns.len(), 3);
    assert!(rows[1].update_norm > 0.0);
}
