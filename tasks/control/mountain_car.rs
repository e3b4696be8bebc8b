//! MountainCar-v0 and MountainCarContinuous-v0: an engine too weak for the hill must swing the car up.

use super::{Knob, knob};
use crate::env::{Space, Transition};

const POSITION: [f64; 2] = [-1.2, 0.6];
const MAX_SPEED: f64 = 0.07;
/// Goal position with discrete actions.
const GOAL: f64 = 0.5;
/// Goal position with continuous actions.
const GOAL_CONTINUOUS: f64 = 0.45;

/// Physics with discrete actions.
#[derive(Clone, Debug, PartialEq)]
pub struct MountainCar {
    gravity: f64,
    force: f64,
}

/// Physics with continuous actions.
#[derive(Clone, Debug, PartialEq)]
pub struct MountainCarContinuous {
    gravity: f64,
    power: f64,
}

pub(super) const KNOBS: &[Knob] = &[
    knob("gravity", 0.0025, [0.002, 0.003], [0.0, 1.0], "per decision^2"),
    knob("force", 0.001, [0.0008, 0.0015], [0.0, 1.0], "per decision^2"),
];

pub(super) const CONTINUOUS_KNOBS: &[Knob] = &[
    knob("gravity", 0.0025, [0.002, 0.003], [0.0, 1.0], "per decision^2"),
    knob("power", 0.0015, [0.001, 0.002], [0.0, 1.0], "per decision^2"),
];

/// Position and velocity.
fn observation_space() -> Space {
    Space::Box { low: vec![POSITION[0], -MAX_SPEED], high: vec![POSITION[1], MAX_SPEED] }
}

/// Moves the car under an acceleration; the left wall is inelastic. True if it is at `goal` without rolling back.
fn roll(state: &mut [f64], acceleration: f64, goal: f64) -> bool {
    let mut velocity = (state[1] + acceleration).clamp(-MAX_SPEED, MAX_SPEED);
    let position = (state[0] + velocity).clamp(POSITION[0], POSITION[1]);
    if position == POSITION[0] && velocity < 0.0 {
        velocity = 0.0;
    }
    state[0] = position;
    state[1] = velocity;
    position >= goal && velocity >= 0.0
}

impl MountainCar {
    /// From values in the order of the knobs.
    pub(super) fn new(v: &[f64]) -> Self {
        MountainCar { gravity: v[0], force: v[1] }
    }

    pub(super) fn observation_space(&self) -> Space {
        observation_space()
    }

    /// One step under `push` in -1, 0, 1 times the force; reward -1, the last step included.
    pub(super) fn step(&self, state: &mut [f64], push: f64) -> Transition {
        let terminated = roll(state, push * self.force - (3.0 * state[0]).cos() * self.gravity, GOAL);
        Transition { reward: -1.0, terminated }
    }
}

impl MountainCarContinuous {
    /// From values in the order of the knobs.
    pub(super) fn new(v: &[f64]) -> Self {
        MountainCarContinuous { gravity: v[0], power: v[1] }
    }

    pub(super) fn observation_space(&self) -> Space {
        observation_space()
    }

    /// One step under clip(a, -1, 1) times the power; reward 100 at the goal, less 0.1 a^2 of the *unclipped* action.
    pub(super) fn step(&self, state: &mut [f64], a: f64) -> Transition {
        let acceleration = a.clamp(-1.0, 1.0) * self.power - self.gravity * (3.0 * state[0]).cos();
        let terminated = roll(state, acceleration, GOAL_CONTINUOUS);
        Transition { reward: if terminated { 100.0 } else { 0.0 } - 0.1 * a * a, terminated }
    }
}
