//! Acrobot-v1: two links, a torque at the joint between them, swing the tip above the bar.

use super::{Knob, knob};
use crate::env::{Space, Transition};
use std::f64::consts::{FRAC_PI_2, PI, TAU};

/// Seconds per decision, one RK4 step.
const DT: f64 = 0.2;
/// Angular velocity bounds (rad/s).
const MAX_VELOCITY: [f64; 2] = [4.0 * PI, 9.0 * PI];

/// Physics of the two links. As in Gymnasium, the centres of mass do not move with the length of link 1, and the length
/// of link 2 does not enter the dynamics.
#[derive(Clone, Debug, PartialEq)]
pub struct Acrobot {
    gravity: f64,
    length_1: f64,
    mass_1: f64,
    mass_2: f64,
    centre_1: f64,
    centre_2: f64,
    inertia: f64,
    torque: f64,
}

pub(super) const KNOBS: &[Knob] = &[
    knob("gravity", 9.8, [7.8, 11.8], [0.0, 100.0], "m/s^2"),
    knob("length_1", 1.0, [0.75, 1.25], [0.01, 10.0], "m"),
    knob("mass_1", 1.0, [0.75, 1.25], [0.01, 100.0], "kg"),
    knob("mass_2", 1.0, [0.75, 1.25], [0.01, 100.0], "kg"),
    knob("centre_1", 0.5, [0.5, 0.5], [0.01, 10.0], "m"),
    knob("centre_2", 0.5, [0.5, 0.5], [0.01, 10.0], "m"),
    knob("inertia", 1.0, [0.75, 1.25], [0.01, 100.0], "kg m^2, each link"),
    knob("torque", 1.0, [0.8, 1.5], [0.0, 100.0], "N m"),
];

/// cos and sin of both angles, then both angular velocities.
pub(super) fn observe(state: &[f64], obs: &mut [f64]) {
    let (sin_1, cos_1) = state[0].sin_cos();
    let (sin_2, cos_2) = state[1].sin_cos();
    obs.copy_from_slice(&[cos_1, sin_1, cos_2, sin_2, state[2], state[3]]);
}

fn wrap(angle: f64) -> f64 {
    angle - TAU * (angle / TAU).round()
}

impl Acrobot {
    /// From values in the order of the knobs.
    pub(super) fn new(v: &[f64]) -> Self {
        Acrobot {
            gravity: v[0],
            length_1: v[1],
            mass_1: v[2],
            mass_2: v[3],
            centre_1: v[4],
            centre_2: v[5],
            inertia: v[6],
            torque: v[7],
        }
    }

    pub(super) fn observation_space(&self) -> Space {
        let high = vec![1.0, 1.0, 1.0, 1.0, MAX_VELOCITY[0], MAX_VELOCITY[1]];
        Space::Box { low: high.iter().map(|h| -h).collect(), high }
    }

    /// Time derivative of (theta_1, theta_2, and their velocities); the variant of Sutton & Barto's book.
    fn derivative(&self, s: [f64; 4], torque: f64) -> [f64; 4] {
        let [theta_1, theta_2, dtheta_1, dtheta_2] = s;
        let (m_1, m_2, l_1, c_1, c_2) = (self.mass_1, self.mass_2, self.length_1, self.centre_1, self.centre_2);
        let (g, inertia) = (self.gravity, self.inertia);
        let (sin_2, cos_2) = theta_2.sin_cos();
        let d_1 = m_1 * c_1 * c_1 + m_2 * (l_1 * l_1 + c_2 * c_2 + 2.0 * l_1 * c_2 * cos_2) + inertia + inertia;
        let d_2 = m_2 * (c_2 * c_2 + l_1 * c_2 * cos_2) + inertia;
        let phi_2 = m_2 * c_2 * g * (theta_1 + theta_2 - FRAC_PI_2).cos();
        let phi_1 = -m_2 * l_1 * c_2 * dtheta_2 * dtheta_2 * sin_2
            - 2.0 * m_2 * l_1 * c_2 * dtheta_2 * dtheta_1 * sin_2
            + (m_1 * c_1 + m_2 * l_1) * g * (theta_1 - FRAC_PI_2).cos()
            + phi_2;
        let drive = torque + d_2 / d_1 * phi_1 - m_2 * l_1 * c_2 * dtheta_1 * dtheta_1 * sin_2 - phi_2;
        let ddtheta_2 = drive / (m_2 * c_2 * c_2 + inertia - d_2 * d_2 / d_1);
        let ddtheta_1 = -(d_2 * ddtheta_2 + phi_1) / d_1;
        [dtheta_1, dtheta_2, ddtheta_1, ddtheta_2]
    }

    /// One RK4 step under `push` times the torque; reward -1, or 0 when the tip is one link above the bar.
    pub(super) fn step(&self, state: &mut [f64], push: f64) -> Transition {
        let torque = push * self.torque;
        let s = [state[0], state[1], state[2], state[3]];
        let plus = |k: [f64; 4], h: f64| std::array::from_fn(|i| s[i] + h * k[i]);
        let k_1 = self.derivative(s, torque);
        let k_2 = self.derivative(plus(k_1, DT / 2.0), torque);
        let k_3 = self.derivative(plus(k_2, DT / 2.0), torque);
        let k_4 = self.derivative(plus(k_3, DT), torque);
        for i in 0..4 {
            state[i] = s[i] + DT / 6.0 * (k_1[i] + 2.0 * k_2[i] + 2.0 * k_3[i] + k_4[i]);
        }
        for i in 0..2 {
            state[i] = wrap(state[i]);
            state[i + 2] = state[i + 2].clamp(-MAX_VELOCITY[i], MAX_VELOCITY[i]);
        }
        let terminated = -state[0].cos() - (state[1] + state[0]).cos() > 1.0;
        Transition { reward: if terminated { 0.0 } else { -1.0 }, terminated }
    }
}
