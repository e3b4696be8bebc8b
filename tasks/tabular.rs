//! Finite MDPs: tables of start probabilities, rewards and transitions.

use crate::env::{Action, Env, Rng, Space, Transition};
use rand::RngExt;

/// A finite-horizon tabular MDP. All tables are flat and row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tabular {
    /// Number of states S.
    pub states: usize,
    /// Number of actions A.
    pub actions: usize,
    /// Decisions per episode T.
    pub horizon: usize,
    /// Start distribution mu, `[S]`.
    pub start: Vec<f64>,
    /// Expected reward r(s, a), `[S, A]`.
    pub reward: Vec<f64>,
    /// Transition kernel P(s' | s, a), `[S, A, S]`.
    pub transition: Vec<f64>,
    /// Standard deviation of Gaussian noise added to every sampled reward; 0 for the exact theory.
    pub reward_noise: f64,
}

/// Index drawn from the probabilities `p` by one uniform (inverse CDF), so that common random numbers couple.
pub fn categorical(p: &[f64], rng: &mut Rng) -> usize {
    let mut u: f64 = rng.random();
    for (i, &p_i) in p.iter().enumerate() {
        if u < p_i {
            return i;
        }
        u -= p_i;
    }
    p.iter().rposition(|&p_i| p_i > 0.0).unwrap_or(0)
}

impl Env for Tabular {
    fn observation_space(&self) -> Space {
        Space::Discrete(self.states)
    }

    fn action_space(&self) -> Space {
        Space::Discrete(self.actions)
    }

    fn horizon(&self) -> usize {
        self.horizon
    }

    fn state_dim(&self) -> usize {
        1
    }

    fn reset(&self, state: &mut [f64], rng: &mut Rng) {
        state[0] = categorical(&self.start, rng) as f64;
    }

    fn step(&self, state: &mut [f64], action: Action<'_>, rng: &mut Rng) -> Transition {
        let Action::Discrete(a) = action else { panic!("a tabular task takes discrete actions") };
        let row = state[0] as usize * self.actions + a;
        let mut reward = self.reward[row];
        if self.reward_noise > 0.0 {
            let z: f64 = rand_distr::Distribution::sample(&rand_distr::StandardNormal, rng);
            reward += self.reward_noise * z;
        }
        state[0] = categorical(&self.transition[row * self.states..(row + 1) * self.states], rng) as f64;
        Transition { reward, terminated: false }
    }

    fn observe(&self, state: &[f64], obs: &mut [f64]) {
        obs[0] = state[0];
    }

    fn tabular(&self) -> Option<&Tabular> {
        Some(self)
    }
}
