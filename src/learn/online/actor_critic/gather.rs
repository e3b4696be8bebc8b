//! One unroll of one group of actors, as both drivers collect it.

use super::generators;
use crate::diff::Network;
use crate::estimator::online::{Evaluation, Unroll};
use crate::math::real::Real;
use crate::policy::actor_critic::Heads;
use crate::rollout::actors::Group;
use crate::rollout::world::World;

/// What a group brought, under the policy that acted.
pub(super) struct Gathered<F, O> {
    pub unroll: Unroll<F, O>,
    pub evaluation: Evaluation<F>,
    /// Returns of the episodes that ended.
    pub finished: Vec<f64>,
    pub frames: u64,
}

/// Which unroll: steps of each actor, seed of the run, number of the unroll in it.
#[derive(Clone, Copy)]
pub(super) struct Which {
    pub length: usize,
    pub seed: u64,
    pub index: u64,
}

/// Group number `number` acts at these parameters and conditioning vector; `obs` is memory to be used again, and the tape ends as
/// that of one forward pass.
///
/// # Errors
/// An environment failed, in words.
pub(super) fn gather<F: Real, W: World, N: Network<F, Obs = W::Obs>>(
    (number, group): (usize, &mut Group<W>),
    (net, heads): (&N, &Heads),
    parameters: [&[F]; 2],
    Which { length, seed, index }: Which,
    obs: Vec<W::Obs>,
    tape: &mut N::Tape,
) -> Result<Gathered<F, W::Obs>, String> {
    let batch = group.worlds.len();
    let mut rngs = generators(seed, index + 1, number * batch..(number + 1) * batch);
    let stretch = group.advance((net, heads), parameters, length, &mut rngs, obs, tape)?;
    let evaluation = Evaluation::of(heads, net.output(tape), &stretch.actions);
    let unroll = Unroll {
        batch,
        obs: stretch.obs,
        actions: stretch.actions,
        rewards: stretch.rewards,
        not_done: stretch.not_done,
        successors: Some(stretch.successors),
        behaviour: evaluation.log_prob.clone(),
    };
    Ok(Gathered { unroll, evaluation, finished: stretch.finished, frames: stretch.frames })
}
