//! Classic control with randomised physics: Gymnasium's five problems, whose nominal physics they reproduce.

mod acrobot;
mod cartpole;
mod family;
mod mountain_car;
mod pendulum;

pub use acrobot::Acrobot;
pub use cartpole::CartPole;
pub(crate) use family::{PRESETS, build, keys};
pub use mountain_car::{MountainCar, MountainCarContinuous};
pub use pendulum::Pendulum;

use crate::env::{Action, Env, Rng, Space, Transition};
use rand::RngExt;

/// One physical constant that may be randomised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knob {
    /// Parameter key.
    pub key: &'static str,
    /// Gymnasium's value.
    pub nominal: f64,
    /// Default range of the randomised family.
    pub range: [f64; 2],
    /// Values accepted.
    pub allowed: [f64; 2],
    /// Unit, possibly empty.
    pub unit: &'static str,
}

const fn knob(key: &'static str, nominal: f64, range: [f64; 2], allowed: [f64; 2], unit: &'static str) -> Knob {
    Knob { key, nominal, range, allowed, unit }
}

/// The equations of one problem.
#[derive(Clone, Debug, PartialEq)]
pub enum Plant {
    /// CartPole-v1.
    CartPole(CartPole),
    /// Acrobot-v1.
    Acrobot(Acrobot),
    /// MountainCar-v0.
    MountainCar(MountainCar),
    /// MountainCarContinuous-v0.
    MountainCarContinuous(MountainCarContinuous),
    /// Pendulum-v1.
    Pendulum(Pendulum),
}

macro_rules! plant {
    ($plant:expr, $p:ident => $body:expr) => {
        match $plant {
            Plant::CartPole($p) => $body,
            Plant::Acrobot($p) => $body,
            Plant::MountainCar($p) => $body,
            Plant::MountainCarContinuous($p) => $body,
            Plant::Pendulum($p) => $body,
        }
    };
}

/// One control task: drawn physics and the wiring of its actuator.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    plant: Plant,
    /// Drawn constants by name, the wiring included.
    drawn: Vec<(&'static str, f64)>,
    /// +1, or -1 if the actuator is wired the wrong way round.
    direction: f64,
    /// Environment action per unit of policy output; continuous actions only.
    action_scale: f64,
    /// Bound of the environment action over the family; continuous actions only.
    bound: f64,
    horizon: usize,
}

impl Env for Control {
    fn observation_space(&self) -> Space {
        plant!(&self.plant, p => p.observation_space())
    }

    fn action_space(&self) -> Space {
        let continuous = |bound: f64| Space::Box { low: vec![-bound], high: vec![bound] };
        match self.plant {
            Plant::CartPole(_) => Space::Discrete(2),
            Plant::Acrobot(_) | Plant::MountainCar(_) => Space::Discrete(3),
            Plant::MountainCarContinuous(_) | Plant::Pendulum(_) => continuous(self.bound / self.action_scale),
        }
    }

    fn horizon(&self) -> usize {
        self.horizon
    }

    fn state_dim(&self) -> usize {
        match self.plant {
            Plant::CartPole(_) | Plant::Acrobot(_) => 4,
            _ => 2,
        }
    }

    fn reset(&self, state: &mut [f64], rng: &mut Rng) {
        let mut within = |low: f64, high: f64| low + (high - low) * rng.random::<f64>();
        match self.plant {
            Plant::CartPole(_) => state.fill_with(|| within(-0.05, 0.05)),
            Plant::Acrobot(_) => state.fill_with(|| within(-0.1, 0.1)),
            Plant::MountainCar(_) | Plant::MountainCarContinuous(_) => {
                state[0] = within(-0.6, -0.4);
                state[1] = 0.0;
            }
            Plant::Pendulum(_) => {
                state[0] = within(-std::f64::consts::PI, std::f64::consts::PI);
                state[1] = within(-1.0, 1.0);
            }
        }
    }

    fn step(&self, state: &mut [f64], action: Action<'_>, _: &mut Rng) -> Transition {
        match (&self.plant, action) {
            (Plant::CartPole(p), Action::Discrete(a)) => {
                p.step(state, self.direction * if a == 1 { 1.0 } else { -1.0 })
            }
            (Plant::Acrobot(p), Action::Discrete(a)) => p.step(state, self.direction * (a as f64 - 1.0)),
            (Plant::MountainCar(p), Action::Discrete(a)) => p.step(state, self.direction * (a as f64 - 1.0)),
            (Plant::MountainCarContinuous(p), Action::Continuous(u)) => {
                p.step(state, self.direction * self.action_scale * u[0])
            }
            (Plant::Pendulum(p), Action::Continuous(u)) => p.step(state, self.direction * self.action_scale * u[0]),
            _ => panic!("the action is of another kind than the action space"),
        }
    }

    fn observe(&self, state: &[f64], obs: &mut [f64]) {
        match self.plant {
            Plant::Acrobot(_) => acrobot::observe(state, obs),
            Plant::Pendulum(_) => pendulum::observe(state, obs),
            _ => obs.copy_from_slice(state),
        }
    }

    fn parameters(&self) -> Vec<(String, f64)> {
        self.drawn.iter().map(|(k, v)| (k.to_string(), *v)).collect()
    }
}

#[cfg(test)]
mod tests;
