//! One choice among arms that pay after a delay: exact inner steps.

use super::{Inner, Learned, Learner, Values};
use crate::estimator::online::Arms;

/// One exact gradient step on the arms' logits.
pub(super) fn step(learner: &Learner, delays: &[f64], rewards: &[f64], gamma: &Values) -> Inner {
    let options = &learner.options;
    let arms =
        Arms { delays: delays.to_vec(), rewards: rewards.to_vec(), alpha: options.alpha, entropy: options.entropy };
    let gamma = match gamma {
        Values::Global(x) => *x,
        Values::PerState(_) => unreachable!("arms have one state"),
    };
    let mut theta = learner.state.theta.clone();
    let slope = arms.step(&mut theta, gamma, options.outer);
    let d_eta = if options.learned() == Learned::Gamma { vec![slope] } else { Vec::new() };
    Inner { achieved: arms.true_return(&theta), theta, d_eta, outer_loss: None, frames: 0 }
}
