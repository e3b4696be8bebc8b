//! CartPole-v1: a pole balanced on a cart by pushes of constant size.

use super::{Knob, knob};
use crate::env::{Space, Transition};

/// Seconds per decision.
const TAU: f64 = 0.02;
/// The cart fails beyond this distance (m).
const X_LIMIT: f64 = 2.4;
/// The pole fails beyond this angle (rad): 12 degrees.
const ANGLE_LIMIT: f64 = 12.0 * 2.0 * std::f64::consts::PI / 360.0;

/// Physics of the cart and pole.
#[derive(Clone, Debug, PartialEq)]
pub struct CartPole {
    gravity: f64,
    cart_mass: f64,
    pole_mass: f64,
    half_length: f64,
    force: f64,
}

pub(super) const KNOBS: &[Knob] = &[
    knob("gravity", 9.8, [5.0, 15.0], [0.0, 100.0], "m/s^2"),
    knob("cart_mass", 1.0, [0.5, 2.0], [0.01, 100.0], "kg"),
    knob("pole_mass", 0.1, [0.05, 0.5], [0.001, 100.0], "kg"),
    knob("half_length", 0.5, [0.25, 1.0], [0.01, 100.0], "m"),
    knob("force", 10.0, [5.0, 15.0], [0.0, 1000.0], "N"),
];

impl CartPole {
    /// From values in the order of the knobs.
    pub(super) fn new(v: &[f64]) -> Self {
        CartPole { gravity: v[0], cart_mass: v[1], pole_mass: v[2], half_length: v[3], force: v[4] }
    }

    /// Cart position and velocity, pole angle and angular velocity; positions are bounded by twice the failure limits.
    pub(super) fn observation_space(&self) -> Space {
        let high = vec![2.0 * X_LIMIT, f64::INFINITY, 2.0 * ANGLE_LIMIT, f64::INFINITY];
        Space::Box { low: high.iter().map(|h| -h).collect(), high }
    }

    /// One explicit Euler step under `push` times the force; reward 1, the failing step included.
    pub(super) fn step(&self, state: &mut [f64], push: f64) -> Transition {
        let (x, x_dot, theta, theta_dot) = (state[0], state[1], state[2], state[3]);
        let (sin, cos) = theta.sin_cos();
        let total = self.cart_mass + self.pole_mass;
        let moment = self.pole_mass * self.half_length;
        let temp = (push * self.force + moment * (theta_dot * theta_dot) * sin) / total;
        let inertia = self.half_length * (4.0 / 3.0 - self.pole_mass * (cos * cos) / total);
        let theta_acc = (self.gravity * sin - cos * temp) / inertia;
        let x_acc = temp - moment * theta_acc * cos / total;
        state[0] = x + TAU * x_dot;
        state[1] = x_dot + TAU * x_acc;
        state[2] = theta + TAU * theta_dot;
        state[3] = theta_dot + TAU * theta_acc;
        let terminated = state[0].abs() > X_LIMIT || state[2].abs() > ANGLE_LIMIT;
        Transition { reward: 1.0, terminated }
    }
}
