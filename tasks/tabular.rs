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

impl Tabular {
    /// The same MDP with `c` added to every reward: J changes by `c sum_{h<T} gamma^h`, grad J not at all, whereas the inner
    /// steps of raw policy gradients do change.
    pub fn with_reward_offset(mut self, c: f64) -> Tabular {
        self.reward.iter_mut().for_each(|r| *r += c);
        self
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn two_states(reward_noise: f64) -> Tabular {
        Tabular {
            states: 2,
            actions: 2,
            horizon: 3,
            start: vec![0.25, 0.75],
            reward: vec![1.0, 2.0, 3.0, 4.0],
            transition: vec![0.5, 0.5, 1.0, 0.0, 0.0, 1.0, 0.1, 0.9],
            reward_noise,
        }
    }

    #[test]
    fn outcomes_follow_the_tables() {
        let (task, mut rng, n) = (two_states(0.0), Rng::seed_from_u64(0), 20_000);
        let mut state = [0.0];
        let (mut starts, mut moves) = (0.0, 0.0);
        for _ in 0..n {
            task.reset(&mut state, &mut rng);
            starts += state[0];
            state[0] = 1.0;
            let t = task.step(&mut state, Action::Discrete(1), &mut rng);
            assert!(t.reward == 4.0 && !t.terminated);
            moves += state[0];
        }
        // Binomial: sd <= 0.0031 as a share; 4.5 sd, alpha < 2e-5 for both.
        assert!((starts / f64::from(n) - 0.75).abs() < 0.014, "{starts}");
        assert!((moves / f64::from(n) - 0.9).abs() < 0.0096, "{moves}");
    }

    #[test]
    fn reward_noise_has_the_mean_and_spread_it_says() {
        let (task, mut rng, n) = (two_states(2.0), Rng::seed_from_u64(1), 20_000);
        let (mut sum, mut square) = (0.0, 0.0);
        for _ in 0..n {
            let r = task.step(&mut [0.0], Action::Discrete(0), &mut rng).reward - 1.0;
            sum += r;
            square += r * r;
        }
        // Mean: sd 2/sqrt n = 0.0141. Mean square: sd 4 sqrt(2/n) = 0.04. 4.5 sd, alpha < 2e-5 for both.
        assert!((sum / f64::from(n)).abs() < 0.064, "{sum}");
        assert!((square / f64::from(n) - 4.0).abs() < 0.18, "{square}");
    }

    #[test]
    fn rounding_never_leads_to_an_impossible_outcome() {
        let mut rng = Rng::seed_from_u64(2);
        for _ in 0..10_000 {
            // Sums to slightly less than one, with an impossible outcome at the end.
            assert_eq!(categorical(&[0.0, 1.0 - 1e-10, 0.0], &mut rng), 1);
        }
    }
}
