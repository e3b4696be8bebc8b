//! Multi-armed bandits: one decision per episode, arm means drawn per task.

use crate::env::{Action, Env, Rng, Space, Transition};
use crate::family::Family;
use crate::mdps::Built;
use crate::params::Params;
use crate::tabular::Tabular;
use crate::task::Task;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use std::sync::Arc;

/// How a pull turns the arm's mean into a reward.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Payout {
    /// 1 with probability p_i, else 0.
    Bernoulli,
    /// N(p_i, std^2).
    Gaussian {
        /// Standard deviation of a pull.
        std: f64,
    },
}

/// One bandit. Its `tabular()` is the one-state MDP of mean rewards, for the exact theory; sampled rewards are noisy.
#[derive(Clone, Debug, PartialEq)]
pub struct Bandit {
    payout: Payout,
    means: Tabular,
}

impl Env for Bandit {
    fn observation_space(&self) -> Space {
        Space::Discrete(1)
    }

    fn action_space(&self) -> Space {
        Space::Discrete(self.means.actions)
    }

    fn horizon(&self) -> usize {
        1
    }

    fn state_dim(&self) -> usize {
        1
    }

    fn reset(&self, state: &mut [f64], _: &mut Rng) {
        state[0] = 0.0;
    }

    fn step(&self, _: &mut [f64], action: Action<'_>, rng: &mut Rng) -> Transition {
        let Action::Discrete(arm) = action else { panic!("a bandit takes discrete actions") };
        let mean = self.means.reward[arm];
        let reward = match self.payout {
            Payout::Bernoulli => {
                let u: f64 = rng.random();
                if u < mean { 1.0 } else { 0.0 }
            }
            Payout::Gaussian { std } => {
                let z: f64 = StandardNormal.sample(rng);
                mean + std * z
            }
        };
        Transition { reward, terminated: true }
    }

    fn observe(&self, _: &[f64], obs: &mut [f64]) {
        obs[0] = 0.0;
    }

    fn tabular(&self) -> Option<&Tabular> {
        Some(&self.means)
    }

    fn parameters(&self) -> Vec<(String, f64)> {
        self.means.reward.iter().enumerate().map(|(i, &p)| (format!("p_{i}"), p)).collect()
    }
}

/// Bandits with means p_i ~ U[0, 1).
#[derive(Clone, Debug)]
pub struct Bandits {
    name: &'static str,
    arms: usize,
    payout: Payout,
    gamma: f64,
}

/// Keys of the Bernoulli bandits.
pub(crate) const BERNOULLI_KEYS: &[&str] = &["k", "gamma"];
/// Keys of the Gaussian bandit.
pub(crate) const GAUSSIAN_KEYS: &[&str] = &["k", "std", "gamma"];

const MAX_ARMS: usize = 1_000_000;

/// Builds `bandit/bernoulli-K`, whose name gives the default number of arms.
pub(crate) fn bernoulli(name: &'static str, p: &Params) -> Built {
    let default = name.rsplit('-').next().and_then(|k| k.parse().ok()).unwrap_or(5);
    let arms = p.count("k", default, 1, MAX_ARMS)?;
    Ok(Box::new(Bandits { name, arms, payout: Payout::Bernoulli, gamma: p.gamma(0.95)? }))
}

/// Builds `bandit/gaussian`.
pub(crate) fn gaussian(name: &'static str, p: &Params) -> Built {
    let arms = p.count("k", 5, 1, MAX_ARMS)?;
    let payout = Payout::Gaussian { std: p.number("std", 1.0, 0.0, 1e6)? };
    Ok(Box::new(Bandits { name, arms, payout, gamma: p.gamma(0.95)? }))
}

impl Family for Bandits {
    fn name(&self) -> &str {
        self.name
    }

    fn sample(&self, rng: &mut Rng) -> Task {
        let means = Tabular {
            states: 1,
            actions: self.arms,
            horizon: 1,
            start: vec![1.0],
            reward: (0..self.arms).map(|_| rng.random()).collect(),
            transition: vec![1.0; self.arms],
            reward_noise: 0.0,
        };
        Task::Bandit(Arc::new(Bandit { payout: self.payout, means }))
    }

    fn observation_space(&self) -> Space {
        Space::Discrete(1)
    }

    fn action_space(&self) -> Space {
        Space::Discrete(self.arms)
    }

    fn horizon(&self) -> usize {
        1
    }

    fn gamma(&self) -> f64 {
        self.gamma
    }

    fn constants(&self) -> Vec<(String, String)> {
        let reward = match self.payout {
            Payout::Bernoulli => "Bernoulli(p_i): 0 or 1".to_string(),
            Payout::Gaussian { std } => format!("N(p_i, {std}^2)"),
        };
        [
            ("tasks", "a fresh task at every draw: p_i ~ U[0, 1) for every arm".to_string()),
            ("arms", self.arms.to_string()),
            ("observation", "constant".into()),
            ("reward", reward),
            ("termination", "after the first decision".into()),
            ("horizon", "1 decision".into()),
            ("gamma", self.gamma.to_string()),
            ("source", "Duan et al. (2016), RL^2; pytorch-maml-rl".into()),
        ]
        .map(|(k, v)| (k.to_string(), v))
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::build;
    use rand::SeedableRng;
    use serde_json::{Map, json};

    fn mean_pull(task: &Task, arm: usize, n: usize, rng: &mut Rng) -> f64 {
        let mut state = [0.0];
        (0..n).map(|_| task.step(&mut state, Action::Discrete(arm), rng).reward).sum::<f64>() / n as f64
    }

    #[test]
    fn pulls_average_to_the_tabular_means() {
        // Bernoulli sd <= 0.5, Gaussian sd 1: 20 000 pulls, 4.5 sd, 5 arms each: alpha < 7e-5.
        for (name, bound) in [("bandit/bernoulli-5", 0.016), ("bandit/gaussian", 0.032)] {
            let mut rng = Rng::seed_from_u64(0);
            let task = build(name, &Map::new()).expect(name).sample(&mut rng);
            for arm in 0..5 {
                let mean = task.tabular().expect("means").reward[arm];
                assert!((mean_pull(&task, arm, 20_000, &mut rng) - mean).abs() < bound, "{name} arm {arm}");
            }
        }
    }

    #[test]
    fn names_give_the_number_of_arms() {
        for k in [5, 10, 50] {
            let family = build(&format!("bandit/bernoulli-{k}"), &Map::new()).expect("registered");
            assert_eq!((family.action_space(), family.gamma()), (Space::Discrete(k), 0.95));
        }
        let two = json!({"k": 2}).as_object().expect("object").clone();
        assert_eq!(build("bandit/gaussian", &two).expect("k is a key").action_space(), Space::Discrete(2));
        let none = json!({"k": 0}).as_object().expect("object").clone();
        assert_eq!(build("bandit/gaussian", &none).err().expect("no arms").key, "k");
    }

    #[test]
    fn a_bernoulli_pull_pays_zero_or_one_and_ends_the_episode() {
        let mut rng = Rng::seed_from_u64(1);
        let task = build("bandit/bernoulli-10", &Map::new()).expect("registered").sample(&mut rng);
        for _ in 0..100 {
            let t = task.step(&mut [0.0], Action::Discrete(3), &mut rng);
            assert!(t.terminated && (t.reward == 0.0 || t.reward == 1.0));
        }
    }
}
