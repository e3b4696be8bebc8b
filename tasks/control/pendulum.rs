//! Pendulum-v1: a torque too weak to lift the pendulum must swing it up and hold it.

use super::{Knob, knob};
use crate::env::{Space, Transition};
use std::f64::consts::{PI, TAU};

/// Seconds per decision.
const DT: f64 = 0.05;
/// Angular velocity bound (rad/s).
const MAX_SPEED: f64 = 8.0;

/// Physics of the pendulum.
#[derive(Clone, Debug, PartialEq)]
pub struct Pendulum {
    gravity: f64,
    mass: f64,
    length: f64,
    max_torque: f64,
}

/// Index of the knob that bounds the action.
pub(super) const MAX_TORQUE: usize = 3;

pub(super) const KNOBS: &[Knob] = &[
    knob("gravity", 10.0, [6.0, 14.0], [0.0, 100.0], "m/s^2"),
    knob("mass", 1.0, [0.7, 1.3], [0.01, 100.0], "kg"),
    knob("length", 1.0, [0.7, 1.3], [0.01, 100.0], "m"),
    knob("max_torque", 2.0, [2.0, 2.0], [0.001, 1000.0], "N m"),
];

/// cos and sin of the angle (0 is upright), angular velocity.
pub(super) fn observe(state: &[f64], obs: &mut [f64]) {
    let (sin, cos) = state[0].sin_cos();
    obs.copy_from_slice(&[cos, sin, state[1]]);
}

impl Pendulum {
    /// From values in the order of the knobs.
    pub(super) fn new(v: &[f64]) -> Self {
        Pendulum { gravity: v[0], mass: v[1], length: v[2], max_torque: v[MAX_TORQUE] }
    }

    pub(super) fn observation_space(&self) -> Space {
        Space::Box { low: vec![-1.0, -1.0, -MAX_SPEED], high: vec![1.0, 1.0, MAX_SPEED] }
    }

    /// One semi-implicit Euler step under clip(a, -max_torque, max_torque);
    /// reward -(angle^2 + 0.1 velocity^2 + 0.001 torque^2) of the state before the step.
    pub(super) fn step(&self, state: &mut [f64], a: f64) -> Transition {
        let (theta, velocity) = (state[0], state[1]);
        let torque = a.clamp(-self.max_torque, self.max_torque);
        let angle = (theta + PI).rem_euclid(TAU) - PI;
        let cost = angle * angle + 0.1 * velocity * velocity + 0.001 * torque * torque;
        let (g, m, l) = (self.gravity, self.mass, self.length);
        let acceleration = 3.0 * g / (2.0 * l) * theta.sin() + 3.0 / (m * l * l) * torque;
        state[1] = (velocity + acceleration * DT).clamp(-MAX_SPEED, MAX_SPEED);
        state[0] = theta + state[1] * DT;
        Transition { reward: -cost, terminated: false }
    }
}
