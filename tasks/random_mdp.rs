//! Random tabular MDPs: Garnet, the Dirichlet MDPs of RL^2 and pytorch-maml-rl, and those of Liu et al.

use crate::dirichlet;
use crate::env::{Rng, Space};
use crate::family::{Family, FamilyError};
use crate::mdps::{Built, decisions};
use crate::params::Params;
use crate::tabular::Tabular;
use crate::task::Task;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use std::sync::Arc;

/// How the tables of one random MDP are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Generator {
    /// Archibald, McKinnon & Thomas (1995): `branching` successors per (s, a), probabilities from uniform cuts of
    /// [0, 1]; uniform start; each (s, a) is rewarded U[0, 1) with probability `density`, else 0.
    Garnet { branching: usize, density: f64 },
    /// Duan et al. (2016), pytorch-maml-rl `TabularMDP-v0`: P(.|s, a) ~ Dirichlet(alpha), r(s, a) ~ N(mean, std^2),
    /// Gaussian reward noise, start state 0.
    Dirichlet { alpha: f64, mean: f64, std: f64, noise: f64 },
    /// Liu et al. (2022): P(.|s, a) ~ Dirichlet(alpha), r(s, a) ~ U[0, 1), no noise, start state 0.
    Liu { alpha: f64 },
}

/// A family of random MDPs: a fixed set drawn once from `seed`, or a fresh task at every draw.
#[derive(Clone, Debug)]
pub struct RandomMdp {
    name: &'static str,
    generator: Generator,
    states: usize,
    actions: usize,
    horizon: usize,
    gamma: f64,
    seed: u64,
    fixed: Vec<Arc<Tabular>>,
}

/// Largest number of transition probabilities a family may hold (8 bytes each).
const MAX_CELLS: usize = 50_000_000;

/// Keys of `garnet`.
pub(crate) const GARNET_KEYS: &[&str] =
    &["states", "actions", "branching", "density", "horizon", "gamma", "tasks", "seed"];
/// Keys of `dirichlet-mdp`.
pub(crate) const DIRICHLET_KEYS: &[&str] = &[
    "states",
    "actions",
    "concentration",
    "reward_mean",
    "reward_std",
    "reward_noise",
    "horizon",
    "gamma",
    "tasks",
    "seed",
];
/// Keys of `liu-mdp`.
pub(crate) const LIU_KEYS: &[&str] = &["states", "actions", "concentration", "horizon", "gamma", "tasks", "seed"];

const HUGE: f64 = 1e6;

/// Builds `garnet`.
pub(crate) fn garnet(name: &'static str, p: &Params) -> Built {
    let states = p.count("states", 10, 1, MAX_CELLS)?;
    let branching = p.count("branching", 2.min(states), 1, states)?;
    let generator = Generator::Garnet { branching, density: p.number("density", 0.5, 0.0, 1.0)? };
    assemble(name, p, generator, states, [3, 10, 8], 0.95)
}

/// Builds `dirichlet-mdp`.
pub(crate) fn dirichlet(name: &'static str, p: &Params) -> Built {
    let generator = Generator::Dirichlet {
        alpha: p.number("concentration", 1.0, 1e-6, HUGE)?,
        mean: p.number("reward_mean", 1.0, -HUGE, HUGE)?,
        std: p.number("reward_std", 1.0, 0.0, HUGE)?,
        noise: p.number("reward_noise", 1.0, 0.0, HUGE)?,
    };
    let states = p.count("states", 10, 1, MAX_CELLS)?;
    assemble(name, p, generator, states, [5, 10, 0], 0.99)
}

/// Builds `liu-mdp`.
pub(crate) fn liu(name: &'static str, p: &Params) -> Built {
    let generator = Generator::Liu { alpha: p.number("concentration", 0.001, 1e-6, HUGE)? };
    let states = p.count("states", 20, 1, MAX_CELLS)?;
    assemble(name, p, generator, states, [5, 20, 0], 0.8)
}

/// `[actions, horizon, tasks]` are the defaults of the keys that every generator shares.
fn assemble(
    name: &'static str,
    p: &Params,
    generator: Generator,
    states: usize,
    [actions, horizon, tasks]: [usize; 3],
    gamma: f64,
) -> Built {
    let actions = p.count("actions", actions, 1, MAX_CELLS)?;
    let count = p.count("tasks", tasks, 0, MAX_CELLS)?;
    let cells = [states, states, actions, count.max(1)].into_iter().try_fold(1usize, usize::checked_mul);
    if cells.is_none_or(|n| n > MAX_CELLS) {
        let message = format!("states^2 x actions x tasks must not exceed {MAX_CELLS} table cells");
        return Err(FamilyError::new("states", message));
    }
    let (seed, horizon, gamma) = (p.seed(0)?, p.horizon(horizon)?, p.gamma(gamma)?);
    let mut family = RandomMdp { name, generator, states, actions, horizon, gamma, seed, fixed: Vec::new() };
    let mut rng = Rng::seed_from_u64(seed);
    family.fixed = (0..count).map(|_| Arc::new(family.generate(&mut rng))).collect();
    Ok(Box::new(family))
}

impl RandomMdp {
    /// Draws the tables of one MDP.
    fn generate(&self, rng: &mut Rng) -> Tabular {
        let (states, actions) = (self.states, self.actions);
        let mut transition = vec![0.0; states * actions * states];
        let mut reward = vec![0.0; states * actions];
        for row in transition.chunks_mut(states) {
            match self.generator {
                Generator::Garnet { branching, .. } => garnet_row(branching, row, rng),
                Generator::Dirichlet { alpha, .. } | Generator::Liu { alpha } => dirichlet::symmetric(alpha, row, rng),
            }
        }
        for r in &mut reward {
            *r = match self.generator {
                Generator::Garnet { density, .. } => {
                    let (keep, value): (f64, f64) = (rng.random(), rng.random());
                    if keep < density { value } else { 0.0 }
                }
                Generator::Dirichlet { mean, std, .. } => {
                    let z: f64 = StandardNormal.sample(rng);
                    mean + std * z
                }
                Generator::Liu { .. } => rng.random(),
            };
        }
        let start = match self.generator {
            Generator::Garnet { .. } => vec![1.0 / states as f64; states],
            _ => (0..states).map(|s| if s == 0 { 1.0 } else { 0.0 }).collect(),
        };
        let reward_noise = if let Generator::Dirichlet { noise, .. } = self.generator { noise } else { 0.0 };
        Tabular { states, actions, horizon: self.horizon, start, reward, transition, reward_noise }
    }
}

/// `branching` distinct successors (partial Fisher-Yates) with the gaps between sorted uniform cuts as probabilities.
fn garnet_row(branching: usize, row: &mut [f64], rng: &mut Rng) {
    let mut order: Vec<usize> = (0..row.len()).collect();
    for i in 0..branching {
        let j = rng.random_range(i..order.len());
        order.swap(i, j);
    }
    let mut cuts: Vec<f64> = (1..branching).map(|_| rng.random()).collect();
    cuts.sort_by(f64::total_cmp);
    cuts.push(1.0);
    let mut last = 0.0;
    for (&next, cut) in order.iter().zip(cuts) {
        row[next] = cut - last;
        last = cut;
    }
}

impl Family for RandomMdp {
    fn name(&self) -> &str {
        self.name
    }

    fn sample(&self, rng: &mut Rng) -> Task {
        match self.fixed.len() {
            0 => Task::Tabular(Arc::new(self.generate(rng))),
            n => Task::Tabular(self.fixed[rng.random_range(0..n)].clone()),
        }
    }

    fn finite(&self) -> Option<Vec<(f64, &Tabular)>> {
        let weight = 1.0 / self.fixed.len() as f64;
        (!self.fixed.is_empty()).then(|| self.fixed.iter().map(|t| (weight, &**t)).collect())
    }

    fn observation_space(&self) -> Space {
        Space::Discrete(self.states)
    }

    fn action_space(&self) -> Space {
        Space::Discrete(self.actions)
    }

    fn horizon(&self) -> usize {
        self.horizon
    }

    fn gamma(&self) -> f64 {
        self.gamma
    }

    fn constants(&self) -> Vec<(String, String)> {
        let tasks = match self.fixed.len() {
            0 => "a fresh task at every draw".to_string(),
            n => format!("{n}, equiprobable, drawn once from seed {}", self.seed),
        };
        let [start, transition, reward, noise, source] = match self.generator {
            Generator::Garnet { branching, density } => [
                "uniform over states".into(),
                format!("{branching} distinct successors per (s, a), probabilities from uniform cuts of [0, 1]"),
                format!("U[0, 1) with probability {density}, else 0"),
                "none".into(),
                "Archibald, McKinnon & Thomas (1995), On the generation of Markov decision processes".into(),
            ],
            Generator::Dirichlet { alpha, mean, std, noise } => [
                "state 0".into(),
                format!("Dirichlet({alpha}) per (s, a)"),
                format!("mean r(s, a) ~ N({mean}, {std}^2)"),
                format!("N(0, {noise}^2) at every step"),
                "Duan et al. (2016), RL^2; pytorch-maml-rl TabularMDP-v0".into(),
            ],
            Generator::Liu { alpha } => [
                "state 0".into(),
                format!("Dirichlet({alpha}) per (s, a), drawn in log space"),
                "r(s, a) ~ U[0, 1)".into(),
                "none".into(),
                "Liu et al. (2022), arXiv 2112.15400, tabular experiments".into(),
            ],
        };
        [
            ("tasks", tasks),
            ("states", self.states.to_string()),
            ("actions", self.actions.to_string()),
            ("observation", "the state's index".into()),
            ("start", start),
            ("transition", transition),
            ("reward", reward),
            ("reward noise", noise),
            ("termination", "never".into()),
            ("horizon", decisions(self.horizon)),
            ("gamma", self.gamma.to_string()),
            ("source", source),
        ]
        .map(|(k, v)| (k.to_string(), v))
        .into()
    }
}

#[cfg(test)]
mod tests {
    use crate::env::{Env, Rng};
    use crate::registry::build;
    use crate::tabular::Tabular;
    use rand::SeedableRng;
    use serde_json::{Map, Value, json};

    fn table(value: Value) -> Map<String, Value> {
        value.as_object().expect("object").clone()
    }

    fn one(name: &str, params: Value, seed: u64) -> Tabular {
        let family = build(name, &table(params)).expect(name);
        family.sample(&mut Rng::seed_from_u64(seed)).tabular().expect("tabular").clone()
    }

    #[test]
    fn garnet_rows_have_exactly_the_branching_asked_for() {
        for branching in [1, 2, 5, 7] {
            let t = one("garnet", json!({"states": 7, "branching": branching, "tasks": 0}), 3);
            for row in t.transition.chunks(7) {
                assert_eq!(row.iter().filter(|&&p| p > 0.0).count(), branching);
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn garnet_rewards_are_as_sparse_as_asked_for() {
        let t = one("garnet", json!({"states": 50, "actions": 20, "density": 0.1, "tasks": 0}), 0);
        let nonzero = t.reward.iter().filter(|&&r| r != 0.0).count() as f64;
        // Binomial(1000, 0.1): sd 9.5; 4.5 sd, alpha = 7e-6.
        assert!((nonzero - 100.0).abs() < 43.0, "{nonzero}");
        assert!(one("garnet", json!({"density": 0}), 0).reward.iter().all(|&r| r == 0.0));
    }

    #[test]
    fn a_fixed_set_depends_on_its_own_seed_only() {
        let set = |seed: u64| {
            let family = build("garnet", &table(json!({"tasks": 4, "seed": seed}))).expect("garnet");
            family.finite().expect("finite").into_iter().map(|(w, t)| (w, t.clone())).collect::<Vec<_>>()
        };
        assert_eq!(set(1), set(1));
        assert_ne!(set(1), set(2));
        assert_eq!(set(1)[0].0, 0.25);
        assert!(build("garnet", &table(json!({"tasks": 0}))).expect("garnet").finite().is_none());
    }

    #[test]
    fn dirichlet_mdp_is_pytorch_maml_rls() {
        let t = one("dirichlet-mdp", json!({}), 1);
        assert_eq!((t.states, t.actions, t.horizon, t.reward_noise), (10, 5, 10, 1.0));
        assert_eq!(t.start[0], 1.0);
        // Means ~ N(1, 1): over 200 tasks x 50 cells the mean has sd 0.01; 4.5 sd, alpha = 7e-6.
        let family = build("dirichlet-mdp", &Map::new()).expect("dirichlet-mdp");
        let mut rng = Rng::seed_from_u64(0);
        let total: f64 =
            (0..200).map(|_| family.sample(&mut rng).tabular().expect("tabular").reward.iter().sum::<f64>()).sum();
        assert!((total / 10_000.0 - 1.0).abs() < 0.045, "{}", total / 10_000.0);
    }

    #[test]
    fn liu_mdp_is_nearly_deterministic() {
        let t = one("liu-mdp", json!({}), 1);
        assert_eq!((t.states, t.actions, t.horizon, t.reward_noise), (20, 5, 20, 0.0));
        let largest: f64 = t.transition.chunks(20).map(|row| row.iter().copied().fold(0.0, f64::max)).sum();
        assert!(largest / 100.0 > 0.95, "{largest}");
        assert!(t.reward.iter().all(|r| (0.0..1.0).contains(r)));
        assert_eq!(build("liu-mdp", &Map::new()).expect("liu-mdp").gamma(), 0.8);
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for (params, key) in [
            (json!({"states": 0}), "states"),
            (json!({"states": 1000, "actions": 1000}), "states"),
            (json!({"states": -1}), "states"),
            (json!({"actions": 0}), "actions"),
            (json!({"branching": 11}), "branching"),
            (json!({"branching": 0}), "branching"),
            (json!({"density": 1.5}), "density"),
            (json!({"tasks": 50_000_001}), "tasks"),
        ] {
            assert_eq!(build("garnet", &table(params.clone())).err().expect("an error").key, key, "{params}");
        }
        assert_eq!(build("liu-mdp", &table(json!({"concentration": 0}))).err().expect("error").key, "concentration");
    }
}
