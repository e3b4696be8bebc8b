//! A group of actors in lockstep that go on from update to update: the network sees all of them as one batch.

use super::action_at;
use super::world::{Moment, World};
use crate::batch::Actions;
use crate::diff::{At, Network};
use crate::math::real::Real;
use crate::policy::actor_critic::{ActionHead, Heads};
use crate::rng::Rng;

/// T steps of all actors of a group, time-major; observation rows: steps, one bootstrap row per actor, final rows of truncated
/// episodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch<F, O> {
    /// Encoded observations `[rows, width]`.
    pub obs: Vec<O>,
    /// Actions `[T][B]`.
    pub actions: Actions<F>,
    /// Rewards `[T][B]`.
    pub rewards: Vec<F>,
    /// 0 where the task terminated with this step, else 1.
    pub not_done: Vec<F>,
    /// Observation row that each step bootstraps from.
    pub successors: Vec<u32>,
    /// Undiscounted returns of the episodes that ended.
    pub finished: Vec<f64>,
    /// Frames of the simulators.
    pub frames: u64,
}

/// Actors that act together.
pub struct Group<W> {
    /// Their environments.
    pub worlds: Vec<W>,
}

impl<W: World> Group<W> {
    /// `length` steps of every actor under the network at `theta`; actor b draws from `rngs[b]` only. The tape ends as that of one
    /// forward pass over all rows.
    ///
    /// An episode that is cut is truncated: its last step bootstraps from its final observation. `obs` is memory to be used
    /// again.
    ///
    /// # Errors
    /// An environment failed, in words.
    pub fn advance<F: Real, N: Network<F, Obs = W::Obs>>(
        &mut self,
        (net, heads): (&N, &Heads),
        [theta, condition]: [&[F]; 2],
        length: usize,
        rngs: &mut [Rng],
        mut obs: Vec<W::Obs>,
        tape: &mut N::Tape,
    ) -> Result<Stretch<F, W::Obs>, String> {
        let batch = self.worlds.len();
        let (n, width) = (length * batch, net.obs_width());
        let mut actions = match heads.policy {
            ActionHead::Softmax { .. } => Actions::Discrete(Vec::with_capacity(n)),
            ActionHead::Gaussian { width } => Actions::Continuous { values: Vec::new(), width },
        };
        obs.clear();
        net.reserve(n + batch, tape);
        let (mut finals, mut finished) = (Vec::new(), Vec::new());
        let (mut rewards, mut not_done) = (Vec::with_capacity(n), Vec::with_capacity(n));
        let mut successors: Vec<u32> = (batch as u32..(n + batch) as u32).collect();
        let (mut cut, mut buffer, mut frames) = (0, Vec::new(), 0);
        for t in 0..length {
            let rows = t * batch..(t + 1) * batch;
            self.worlds.iter().for_each(|world| world.observe(&mut obs));
            net.forward_rows(At { theta, obs: &obs, condition }, rows.clone(), tape);
            let outputs = &net.output(tape)[rows.start * heads.width()..];
            heads.sample(outputs, rngs, &mut actions);
            for (b, (world, rng)) in self.worlds.iter_mut().zip(rngs.iter_mut()).enumerate() {
                let Moment { reward, terminated, truncated, finished: ended, frames: taken } =
                    world.step(action_at(&actions, t * batch + b, &mut buffer), rng)?;
                rewards.push(F::of(reward));
                not_done.push(if terminated { F::zero() } else { F::one() });
                frames += taken;
                if truncated {
                    successors[t * batch + b] = (n + batch + cut) as u32;
                    cut += 1;
                    world.observe_final(&mut finals);
                }
                finished.extend(ended);
            }
        }
        self.worlds.iter().for_each(|world| world.observe(&mut obs));
        obs.extend_from_slice(&finals);
        net.forward_rows(At { theta, obs: &obs, condition }, n..obs.len() / width, tape);
        Ok(Stretch { obs, actions, rewards, not_done, successors, finished, frames })
    }
}
