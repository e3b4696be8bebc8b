//! Trains on the five one-ability probes: the first that fails names the broken part of the learner.

use std::sync::Arc;
use stillpoint::estimator::choice::{Estimator, LeaveGroupOutForm};
use stillpoint::exact::expectation::theory_inner;
use stillpoint::learn::meta::{Inner, Learner, Options, Outer, Update};
use stillpoint::math::advantage::{OuterAdvantage, OuterBaseline};
use stillpoint::math::returns::mean;
use stillpoint::optim::Optimiser;
use stillpoint::policy::{Policy, Spec};
use tasks::env::Space;
use tasks::family::Family;

fn options(estimator: &str, gamma: f64) -> Options {
    let advantage = theory_inner(gamma);
    Options {
        gamma,
        inner: Inner { steps: 1, episodes: 8, alpha: 1.0, learn_alpha: false, advantage },
        outer: Outer {
            tasks: 8,
            episodes: 16,
            estimator: Estimator::named(estimator, 4, LeaveGroupOutForm::Importance).expect("a known name"),
            advantage: OuterAdvantage::Raw(OuterBaseline::CrossFit { ridge: 1e-5 }),
            update: Update::Gradient,
            optimiser: Optimiser::Adam { beta: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
            clip: None,
        },
    }
}

/// Mean post-adaptation return (discounted if the probe says so) of the last 20 of 150 iterations.
fn train(name: &str, estimator: &str) -> f64 {
    let family: Arc<dyn Family> = tasks::registry::build(name, &Default::default()).expect("a probe").into();
    let discounted = tasks::probes::threshold(name).expect("a probe").discounted;
    let tabular =
        matches!((family.observation_space(), family.action_space()), (Space::Discrete(_), Space::Discrete(_)));
    let spec = if tabular { Spec::tabular() } else { Spec { hidden: vec![16], ..Spec::mlp() } };
    let policy = Policy::build(&spec, &family.observation_space(), &family.action_space()).expect("it fits");
    let mut options = options(estimator, family.gamma());
    if !tabular {
        options.inner.alpha = 0.1;
    }
    let mut learner = Learner::<f64>::new(family, policy, options, 5);
    let rows: Vec<_> = (0..150).map(|_| learner.step().expect("a probe does not diverge")).collect();
    let score = |row: &stillpoint::learn::meta::Row| if discounted { row.value.mean } else { row.returns[1].mean };
    mean(&rows[130..].iter().map(score).collect::<Vec<_>>())
}

#[test]
fn every_ability_is_there() {
    for name in ["probe/reward", "probe/observation", "probe/discount", "probe/action", "probe/adaptation"] {
        for estimator in ["sgmrl-lgo", "maml"] {
            let threshold = tasks::probes::threshold(name).expect("a probe");
            let score = train(name, estimator);
            assert!(score >= threshold.pass, "{estimator} fails {name}: {score:.3} < {}", threshold.pass);
        }
    }
}

/// Negative control: without a usable inner step the adaptation probe cannot be passed.
#[test]
fn without_adaptation_the_adaptation_probe_fails() {
    let family: Arc<dyn Family> =
        tasks::registry::build("probe/adaptation", &Default::default()).expect("a probe").into();
    let policy = Policy::build(&Spec::tabular(), &family.observation_space(), &family.action_space()).expect("it fits");
    let mut options = options("maml", family.gamma());
    options.inner.alpha = 0.0;
    let mut learner = Learner::<f64>::new(family, policy, options, 5);
    let rows: Vec<_> = (0..60).map(|_| learner.step().expect("a probe does not diverge")).collect();
    let score = mean(&rows[40..].iter().map(|row| row.returns[1].mean).collect::<Vec<_>>());
    assert!(score < tasks::probes::threshold("probe/adaptation").expect("a probe").pass, "{score}");
}
