//! Actors that go on from update to update: several copies of one task in lockstep, episodes starting anew where they end.

use super::action_at;
use crate::batch::Actions;
use crate::diff::{At, Network};
use crate::math::real::Real;
use crate::policy::actor_critic::{ActionHead, Heads};
use crate::rng::Rng;
use serde::{Deserialize, Serialize};
use tasks::env::{Env, Space};

/// Where the actors stand between two unrolls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Actors {
    /// Explicit states `[actors, state_dim]`.
    pub states: Vec<f64>,
    /// Decisions of the running episode, per actor.
    pub ages: Vec<usize>,
    /// Undiscounted return of the running episode so far, per actor.
    pub returns: Vec<f64>,
    /// Decisions of all actors so far.
    pub frames: u64,
}

/// T steps of all actors, time-major; observation rows: steps, one bootstrap row per actor, final rows of truncated episodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch<F> {
    /// Encoded observations `[rows, width]`.
    pub obs: Vec<F>,
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
}

/// Numbers per encoded observation: one-hot if it is discrete.
pub fn encoded_width(space: &Space) -> usize {
    match space {
        Space::Discrete(n) => *n,
        other => other.width(),
    }
}

/// Appends the encoded observation of `state`.
fn observe<F: Real, E: Env>(task: &E, state: &[f64], obs: &mut Vec<F>) {
    let space = task.observation_space();
    let mut raw = vec![0.0; space.width()];
    task.observe(state, &mut raw);
    match space {
        Space::Discrete(n) => obs.extend((0..n).map(|i| if i == raw[0] as usize { F::one() } else { F::zero() })),
        Space::Box { .. } => obs.extend(raw.into_iter().map(F::of)),
    }
}

impl Actors {
    /// One actor per generator, at start states.
    pub fn start<E: Env>(task: &E, rngs: &mut [Rng]) -> Actors {
        let width = task.state_dim();
        let mut states = vec![0.0; rngs.len() * width];
        for (state, rng) in states.chunks_exact_mut(width.max(1)).zip(rngs.iter_mut()) {
            task.reset(state, rng);
        }
        Actors { states, ages: vec![0; rngs.len()], returns: vec![0.0; rngs.len()], frames: 0 }
    }

    /// `length` steps of every actor under the network at `theta`; actor b draws from `rngs[b]` only.
    ///
    /// An episode that reaches the horizon is truncated: its last step bootstraps from its final observation.
    pub fn advance<F: Real, E: Env, N: Network<F, Obs = F>>(
        &mut self,
        task: &E,
        (net, heads): (&N, &Heads),
        [theta, condition]: [&[F]; 2],
        length: usize,
        rngs: &mut [Rng],
    ) -> Stretch<F> {
        let (batch, width) = (rngs.len(), task.state_dim());
        let n = length * batch;
        let mut actions = match heads.policy {
            ActionHead::Softmax { .. } => Actions::Discrete(Vec::with_capacity(n)),
            ActionHead::Gaussian { width } => Actions::Continuous { values: Vec::new(), width },
        };
        let (mut obs, mut finals, mut finished) = (Vec::new(), Vec::<F>::new(), Vec::new());
        let (mut rewards, mut not_done) = (Vec::with_capacity(n), Vec::with_capacity(n));
        let mut successors: Vec<u32> = (batch as u32..(n + batch) as u32).collect();
        let (mut cut, mut buffer, mut tape) = (0, Vec::new(), N::Tape::default());
        for t in 0..length {
            let start = obs.len();
            self.states.chunks_exact(width).for_each(|state| observe(task, state, &mut obs));
            net.forward(At { theta, obs: &obs[start..], condition }, &mut tape);
            heads.sample(net.output(&tape), rngs, &mut actions);
            for (b, rng) in rngs.iter_mut().enumerate() {
                let state = &mut self.states[b * width..(b + 1) * width];
                let found = task.step(state, action_at(&actions, t * batch + b, &mut buffer), rng);
                rewards.push(F::of(found.reward));
                not_done.push(if found.terminated { F::zero() } else { F::one() });
                self.returns[b] += found.reward;
                self.ages[b] += 1;
                let is_truncated = !found.terminated && self.ages[b] >= task.horizon();
                if is_truncated {
                    successors[t * batch + b] = (n + batch + cut) as u32;
                    cut += 1;
                    observe(task, state, &mut finals);
                }
                if found.terminated || is_truncated {
                    finished.push(std::mem::take(&mut self.returns[b]));
                    self.ages[b] = 0;
                    task.reset(state, rng);
                }
            }
        }
        self.states.chunks_exact(width).for_each(|state| observe(task, state, &mut obs));
        obs.extend(finals);
        self.frames += n as u64;
        Stretch { obs, actions, rewards, not_done, successors, finished }
    }
}
