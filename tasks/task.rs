//! One sampled task: a closed set of built-in environments, open at one door for the user's own.

use crate::bandit::Bandit;
use crate::control::Control;
use crate::env::{Action, Env, Rng, Space, Transition};
use crate::navigation::Navigation;
use crate::probes::Target;
use crate::tabular::Tabular;
use std::sync::Arc;

/// A task drawn from a family. Built-in kinds are dispatched by `match`; `Custom` is the door for other crates.
#[derive(Clone)]
pub enum Task {
    /// Finite MDP.
    Tabular(Arc<Tabular>),
    /// Multi-armed bandit.
    Bandit(Arc<Bandit>),
    /// Point in the plane.
    Navigation(Arc<Navigation>),
    /// Classic control.
    Control(Arc<Control>),
    /// One continuous decision (`probe/action`).
    Target(Arc<Target>),
    /// Any other implementation of [`Env`].
    Custom(Arc<dyn Env>),
}

macro_rules! each {
    ($task:expr, $env:ident => $body:expr) => {
        match $task {
            Task::Tabular($env) => $body,
            Task::Bandit($env) => $body,
            Task::Navigation($env) => $body,
            Task::Control($env) => $body,
            Task::Target($env) => $body,
            Task::Custom($env) => $body,
        }
    };
}

impl Env for Task {
    fn observation_space(&self) -> Space {
        each!(self, e => e.observation_space())
    }
    fn action_space(&self) -> Space {
        each!(self, e => e.action_space())
    }
    fn horizon(&self) -> usize {
        each!(self, e => e.horizon())
    }
    fn state_dim(&self) -> usize {
        each!(self, e => e.state_dim())
    }
    fn reset(&self, state: &mut [f64], rng: &mut Rng) {
        each!(self, e => e.reset(state, rng))
    }
    fn step(&self, state: &mut [f64], action: Action<'_>, rng: &mut Rng) -> Transition {
        each!(self, e => e.step(state, action, rng))
    }
    fn observe(&self, state: &[f64], obs: &mut [f64]) {
        each!(self, e => e.observe(state, obs))
    }
    fn tabular(&self) -> Option<&Tabular> {
        each!(self, e => e.tabular())
    }
    fn position(&self, state: &[f64]) -> Option<[f64; 2]> {
        each!(self, e => e.position(state))
    }
    fn goal(&self) -> Option<[f64; 2]> {
        each!(self, e => e.goal())
    }
    fn parameters(&self) -> Vec<(String, f64)> {
        each!(self, e => e.parameters())
    }
}
