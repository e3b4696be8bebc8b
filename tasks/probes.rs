//! Five probe families, each solvable only with one ability, so that a failing learner names its broken part.
//!
//! In the spirit of Andy Jones' probe environments ("Debugging RL, without the agonizing pain", 2021), for
//! meta-learners that take policy gradients and have no value network. Run them in this order: a learner that fails
//! one and passes those before it lacks that ability.

use crate::env::{Action, Env, Rng, Space, Transition};
use crate::family::{Family, FamilyError};
use crate::mdps::{Built, TabularFamily};
use crate::params::Params;
use crate::tabular::Tabular;
use crate::task::Task;
use std::sync::Arc;

/// When a learner passes a probe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// Least mean return after adaptation that passes.
    pub pass: f64,
    /// Best return without the ability.
    pub without: f64,
    /// Best return possible.
    pub best: f64,
    /// The return is discounted by the family's gamma (only `probe/discount`; elsewhere there is one decision).
    pub discounted: bool,
}

/// One probe.
struct Probe {
    name: &'static str,
    summary: &'static str,
    threshold: Threshold,
    needs: &'static str,
}

const fn probe(
    name: &'static str,
    summary: &'static str,
    needs: &'static str,
    [pass, without, best]: [f64; 3],
) -> Probe {
    Probe { name, summary, threshold: Threshold { pass, without, best, discounted: false }, needs }
}

static PROBES: [Probe; 5] = [
    probe(
        "probe/reward",
        "one state, two actions, one task: action 1 pays 1, action 0 nothing",
        "following the sign of the reward; without it (uniform policy) 0.5",
        [0.9, 0.5, 1.0],
    ),
    probe(
        "probe/observation",
        "two observations, two actions: the action equal to the observation pays 1",
        "reading the observation; a policy that ignores it gets 0.5",
        [0.9, 0.5, 1.0],
    ),
    Probe {
        name: "probe/discount",
        summary: "a reward now or a larger one two decisions later, gamma 0.8: the start decides which is right",
        threshold: Threshold { pass: 0.72, without: 0.64, best: 0.77, discounted: true },
        needs: "credit over time, discounted by gamma; always waiting (no discount) gets 0.64, never waiting 0.55",
    },
    probe(
        "probe/action",
        "one decision on the plane: 1 - mean square distance of the action to (1.5, -1)",
        "moving and narrowing a continuous policy, coordinate by coordinate; the right mean with std 1 gets 0",
        [0.25, 0.0, 1.0],
    ),
    probe(
        "probe/adaptation",
        "two actions, two tasks with opposite rewards +1 and -1",
        "adapting to the task; no policy that is the same in both tasks gets more than 0",
        [0.3, 0.0, 1.0],
    ),
];

/// Names and summaries of the probes.
pub(crate) fn listing() -> impl Iterator<Item = (&'static str, &'static str)> {
    PROBES.iter().map(|p| (p.name, p.summary))
}

/// The pass mark of the probe `name`; `None` for any other family.
pub fn threshold(name: &str) -> Option<Threshold> {
    PROBES.iter().find(|p| p.name == name).map(|p| p.threshold)
}

/// What `constants()` says of the pass mark.
fn mark(probe: &Probe) -> Vec<(String, String)> {
    let Threshold { pass, without, best, discounted } = probe.threshold;
    let kind = if discounted { "mean discounted return" } else { "mean return" };
    vec![
        ("needs".into(), probe.needs.into()),
        (
            "pass threshold".into(),
            format!("{kind} after adaptation >= {pass} (without the ability {without}, best {best})"),
        ),
    ]
}

/// MDP whose action in state s moves to `next[s][a]` for sure.
fn deterministic(horizon: usize, start: &[f64], reward: &[[f64; 2]], next: &[[usize; 2]]) -> Tabular {
    let states = start.len();
    let mut transition = vec![0.0; states * 2 * states];
    for (s, row) in next.iter().enumerate() {
        for (a, &to) in row.iter().enumerate() {
            transition[(s * 2 + a) * states + to] = 1.0;
        }
    }
    Tabular {
        states,
        actions: 2,
        horizon,
        start: start.to_vec(),
        reward: reward.concat(),
        transition,
        reward_noise: 0.0,
    }
}

/// States: 0 and 1 start (half each), 2 and 3 wait, 4 is over. Action 0 takes the reward now: 0.2 from state 0, 0.9
/// from state 1. Action 1 waits for 1 two decisions later, worth 0.8^2 = 0.64 at the start: right from 0, wrong from 1.
fn discount() -> Tabular {
    let reward = [[0.2, 0.0], [0.9, 0.0], [0.0, 0.0], [1.0, 1.0], [0.0, 0.0]];
    deterministic(3, &[0.5, 0.5, 0.0, 0.0, 0.0], &reward, &[[4, 2], [4, 2], [3, 3], [4, 4], [4, 4]])
}

/// Keys of the probes: none, their thresholds hold for their own constants.
pub(crate) const KEYS: &[&str] = &[];

/// Builds the probe `name`.
pub(crate) fn build(name: &'static str, _: &Params) -> Built {
    let Some(probe) = PROBES.iter().find(|p| p.name == name) else {
        return Err(FamilyError::new("", format!("no probe is called `{name}`")));
    };
    let bandit = |r: [f64; 2]| deterministic(1, &[1.0], &[r], &[[0, 0]]);
    let (gamma, tasks) = match name {
        "probe/reward" => (1.0, vec![bandit([0.0, 1.0])]),
        "probe/observation" => {
            let reward = [[1.0, 0.0], [0.0, 1.0]];
            (1.0, vec![deterministic(1, &[0.5, 0.5], &reward, &[[0, 0], [1, 1]])])
        }
        "probe/discount" => (0.8, vec![discount()]),
        "probe/adaptation" => (1.0, vec![bandit([1.0, -1.0]), bandit([-1.0, 1.0])]),
        _ => return Ok(Box::new(Targets { probe })),
    };
    let family = TabularFamily::new(name, gamma, vec![1.0; tasks.len()], tasks)?;
    Ok(Box::new(family.with_constants(mark(probe))))
}

/// Reward 1 - mean_i (u_i - target_i)^2 for one continuous action, without bounds or wrapper; the observation is 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    target: [f64; 2],
}

const TARGET: Target = Target { target: [1.5, -1.0] };

impl Env for Target {
    fn observation_space(&self) -> Space {
        Space::Box { low: vec![0.0], high: vec![1.0] }
    }

    fn action_space(&self) -> Space {
        Space::unbounded(2)
    }

    fn horizon(&self) -> usize {
        1
    }

    fn state_dim(&self) -> usize {
        1
    }

    fn reset(&self, state: &mut [f64], _: &mut Rng) {
        state[0] = 1.0;
    }

    fn step(&self, _: &mut [f64], action: Action<'_>, _: &mut Rng) -> Transition {
        let Action::Continuous(u) = action else { panic!("probe/action takes continuous actions") };
        let distance: f64 = u.iter().zip(&self.target).map(|(u, t)| (u - t) * (u - t)).sum();
        Transition { reward: 1.0 - distance / 2.0, terminated: true }
    }

    fn observe(&self, state: &[f64], obs: &mut [f64]) {
        obs[0] = state[0];
    }
}

struct Targets {
    probe: &'static Probe,
}

impl Family for Targets {
    fn name(&self) -> &str {
        self.probe.name
    }

    fn sample(&self, _: &mut Rng) -> Task {
        Task::Target(Arc::new(TARGET))
    }

    fn observation_space(&self) -> Space {
        TARGET.observation_space()
    }

    fn action_space(&self) -> Space {
        TARGET.action_space()
    }

    fn horizon(&self) -> usize {
        1
    }

    fn gamma(&self) -> f64 {
        1.0
    }

    fn constants(&self) -> Vec<(String, String)> {
        let fixed = [
            ("tasks", "1"),
            ("target", "(1.5, -1)"),
            ("observation", "constant 1"),
            ("action wrapper", "none, no bounds"),
            ("reward", "1 - mean_i (u_i - target_i)^2"),
            ("termination", "after the first decision"),
            ("horizon", "1 decision"),
            ("gamma", "1"),
        ];
        let mut rows: Vec<_> = fixed.map(|(k, v)| (k.to_string(), v.to_string())).into();
        rows.extend(mark(self.probe));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{build, entries};
    use rand::SeedableRng;
    use serde_json::Map;

    /// Discounted return of the policy `act` (state -> action) on a deterministic-transition task, from the tables.
    fn value(task: &Tabular, gamma: f64, act: &dyn Fn(usize) -> usize) -> f64 {
        let mut v = vec![0.0; task.states];
        for _ in 0..task.horizon {
            v = (0..task.states)
                .map(|s| {
                    let row = s * task.actions + act(s);
                    let next = &task.transition[row * task.states..(row + 1) * task.states];
                    task.reward[row] + gamma * next.iter().zip(&v).map(|(p, v)| p * v).sum::<f64>()
                })
                .collect();
        }
        task.start.iter().zip(&v).map(|(p, v)| p * v).sum()
    }

    fn finite(name: &str, act: &dyn Fn(usize) -> usize) -> f64 {
        let family = build(name, &Map::new()).expect(name);
        let tasks = family.finite().expect("tabular");
        tasks.iter().map(|(w, t)| w * value(t, family.gamma(), act)).sum()
    }

    #[test]
    fn thresholds_lie_between_blindness_and_the_optimum() {
        for (name, _) in listing() {
            let t = threshold(name).expect("every probe has one");
            assert!(t.without < t.pass && t.pass < t.best, "{name}: {t:?}");
            let constants = build(name, &Map::new()).expect(name).constants();
            let shown = &constants.iter().find(|(k, _)| k == "pass threshold").expect("printed").1;
            assert!(shown.contains(&t.pass.to_string()), "{shown}");
        }
        assert_eq!(threshold("navigation/sgmrl"), None);
        let probes = entries().iter().filter(|e| e.name.starts_with("probe/"));
        assert_eq!(probes.filter_map(|e| threshold(e.name)).count(), 5);
    }

    #[test]
    fn reward_and_observation_pay_what_they_say() {
        assert_eq!(finite("probe/reward", &|_| 1), 1.0);
        assert_eq!(finite("probe/reward", &|_| 0), 0.0);
        assert_eq!(finite("probe/observation", &|s| s), 1.0);
        for blind in [0, 1] {
            assert_eq!(finite("probe/observation", &|_| blind), 0.5);
        }
    }

    #[test]
    fn only_the_right_discount_passes_the_discount_probe() {
        let t = threshold("probe/discount").expect("a probe");
        let right = finite("probe/discount", &|s| usize::from(s == 0));
        assert!((right - t.best).abs() < 1e-12, "{right}");
        let waits = finite("probe/discount", &|_| 1);
        assert!((waits - t.without).abs() < 1e-12, "{waits}");
        for wrong in [finite("probe/discount", &|_| 0), finite("probe/discount", &|s| usize::from(s == 1)), waits] {
            assert!(wrong < t.pass, "{wrong}");
        }
        // An undiscounted learner would prefer waiting everywhere.
        let family = build("probe/discount", &Map::new()).expect("a probe");
        let task = family.finite().expect("tabular")[0].1.clone();
        assert!(value(&task, 1.0, &|_| 1) > value(&task, 1.0, &|s| usize::from(s == 0)));
    }

    #[test]
    fn no_fixed_policy_passes_the_adaptation_probe() {
        for action in [0, 1] {
            assert_eq!(finite("probe/adaptation", &|_| action), 0.0);
        }
        // One exact policy-gradient step of size 1 from the uniform softmax already reaches tanh(1/2) = 0.46.
        assert!(0.5f64.tanh() > threshold("probe/adaptation").expect("a probe").pass);
    }

    #[test]
    fn the_action_probe_tells_the_coordinates_apart() {
        let mut rng = Rng::seed_from_u64(0);
        let task = build("probe/action", &Map::new()).expect("a probe").sample(&mut rng);
        let mut reward = |u: [f64; 2]| task.step(&mut [1.0], Action::Continuous(&u), &mut rng).reward;
        assert_eq!(reward([1.5, -1.0]), 1.0);
        assert_eq!(reward([-1.0, 1.5]), -5.25);
        assert_eq!(reward([2.5, 0.0]), 0.0);
    }
}
