//! The only code that steps an environment: episodes of one task in lockstep, so that the network sees a batch.

pub mod actors;
pub mod atari;
pub mod game;
pub mod walks;
pub mod world;

use crate::batch::{Actions, Batch};
use crate::diff::Tape;
use crate::math::real::Real;
use crate::policy::Policy;
use crate::rng::{Address, Rng};
use std::ops::Range;
use tasks::env::{Action, Env};

/// Scratch of one rollout: explicit states and generators of the episodes still running.
struct Lockstep {
    /// Episode index of each running slot, ascending.
    active: Vec<usize>,
    /// States, flat `[slots, state_dim]`.
    states: Vec<f64>,
    /// One generator per slot.
    rngs: Vec<Rng>,
}

impl Lockstep {
    fn start<E: Env>(task: &E, episodes: &Range<usize>, at: Address) -> Lockstep {
        let width = task.state_dim();
        let mut states = vec![0.0; episodes.len() * width];
        let mut rngs: Vec<Rng> = episodes.clone().map(|e| at.episode(e).stream()).collect();
        for (slot, rng) in rngs.iter_mut().enumerate() {
            task.reset(&mut states[slot * width..(slot + 1) * width], rng);
        }
        Lockstep { active: (0..episodes.len()).collect(), states, rngs }
    }

    /// Drops the slots whose flag is set, keeping the order of the others.
    fn retain(&mut self, done: &[bool], width: usize) {
        let mut kept = 0;
        for slot in 0..done.len() {
            if !done[slot] {
                self.active.swap(kept, slot);
                self.rngs.swap(kept, slot);
                self.states.copy_within(slot * width..(slot + 1) * width, kept * width);
                kept += 1;
            }
        }
        self.active.truncate(kept);
        self.rngs.truncate(kept);
        self.states.truncate(kept * width);
    }
}

/// Runs the episodes `episodes` of `task` under `policy` at `theta`; episode e draws from the stream `at.episode(e)` only.
///
/// Appends the forward passes of all rows to `tape` (cleared first), so that gradients at `theta` need no forward of their own.
/// Episodes that terminate leave the lockstep; the others go on to the horizon. Two calls that share `at` and `episodes`
/// under different parameters use common random numbers.
pub fn collect<F: Real, E: Env>(
    task: &E,
    policy: &Policy,
    theta: &[F],
    episodes: Range<usize>,
    at: Address,
    tape: &mut Tape<F>,
) -> Batch<F> {
    let (n, horizon, state_dim, obs_width) = (episodes.len(), task.horizon(), task.state_dim(), policy.obs_width());
    let mut raw_obs = vec![0.0; task.observation_space().width()];
    let mut lockstep = Lockstep::start(task, &episodes, at);
    let mut obs: Vec<F> = Vec::with_capacity(n * horizon * obs_width);
    let mut actions = policy.empty_actions::<F>();
    let mut rewards = Vec::with_capacity(n * horizon);
    let mut owner: Vec<u32> = Vec::with_capacity(n * horizon);
    let mut terminated = vec![false; n];
    let mut last_obs = vec![F::zero(); n * obs_width];
    let (mut action_buffer, mut done) = (Vec::new(), Vec::new());
    tape.clear();
    for _ in 0..horizon {
        let (start, running) = (rewards.len(), lockstep.active.len());
        if running == 0 {
            break;
        }
        obs.resize((start + running) * obs_width, F::zero());
        for slot in 0..running {
            task.observe(&lockstep.states[slot * state_dim..(slot + 1) * state_dim], &mut raw_obs);
            policy.encode(&raw_obs, &mut obs[(start + slot) * obs_width..(start + slot + 1) * obs_width]);
        }
        policy.forward(theta, &obs[start * obs_width..], running, tape);
        policy.sample(theta, tape, start..start + running, &mut lockstep.rngs, &mut actions);
        done.clear();
        for slot in 0..running {
            let episode = lockstep.active[slot];
            let state = &mut lockstep.states[slot * state_dim..(slot + 1) * state_dim];
            let action = action_at(&actions, start + slot, &mut action_buffer);
            let transition = task.step(state, action, &mut lockstep.rngs[slot]);
            rewards.push(transition.reward);
            owner.push(episode as u32);
            done.push(transition.terminated);
            terminated[episode] = transition.terminated;
            task.observe(state, &mut raw_obs);
            policy.encode(&raw_obs, &mut last_obs[episode * obs_width..(episode + 1) * obs_width]);
        }
        if done.contains(&true) {
            lockstep.retain(&done, state_dim);
        }
    }
    let (rows, offset) = rows_by_episode(&owner, n);
    Batch { obs, obs_width, actions, rewards, rows, offset, terminated, last_obs }
}

/// The action of a row as the environment takes it.
pub(crate) fn action_at<'a, F: Real>(actions: &Actions<F>, row: usize, buffer: &'a mut Vec<f64>) -> Action<'a> {
    match actions {
        Actions::Discrete(a) => Action::Discrete(a[row] as usize),
        Actions::Continuous { values, width } => {
            buffer.clear();
            buffer.extend(values[row * width..(row + 1) * width].iter().map(|x| x.f64()));
            Action::Continuous(buffer)
        }
    }
}

/// Turns "row belongs to episode" into the rows of each episode in time order.
pub fn rows_by_episode(owner: &[u32], episodes: usize) -> (Vec<u32>, Vec<usize>) {
    let mut offset = vec![0; episodes + 1];
    for &e in owner {
        offset[e as usize + 1] += 1;
    }
    for e in 0..episodes {
        offset[e + 1] += offset[e];
    }
    let mut next = offset.clone();
    let mut rows = vec![0; owner.len()];
    for (row, &e) in owner.iter().enumerate() {
        rows[next[e as usize]] = row as u32;
        next[e as usize] += 1;
    }
    (rows, offset)
}
