//! A family of your own on one screen: a drifting dial that must be turned to a hidden angle.

use std::sync::Arc;
use stillpoint::config;
use stillpoint::learn::meta::Learner;
use stillpoint::policy::Policy;
use tasks::env::{Action, Env, Rng, Space, Transition};
use tasks::family::Family;
use tasks::task::Task;

/// One task: turn the dial to `target`. The reward is minus the distance.
struct Dial {
    target: f64,
}

impl Env for Dial {
    fn observation_space(&self) -> Space {
        Space::unbounded(1)
    }
    fn action_space(&self) -> Space {
        Space::unbounded(1)
    }
    fn horizon(&self) -> usize {
        20
    }
    fn state_dim(&self) -> usize {
        1
    }
    fn reset(&self, state: &mut [f64], _rng: &mut Rng) {
        state[0] = 0.0;
    }
    fn step(&self, state: &mut [f64], action: Action<'_>, _rng: &mut Rng) -> Transition {
        let Action::Continuous(turn) = action else { panic!("the dial turns by a continuous action") };
        state[0] = (state[0] + 0.1 * turn[0].clamp(-1.0, 1.0)).clamp(-1.0, 1.0);
        Transition { reward: -(state[0] - self.target).abs(), terminated: false }
    }
    fn observe(&self, state: &[f64], obs: &mut [f64]) {
        obs.copy_from_slice(state);
    }
}

/// The family: the target is uniform on [-1, 1).
struct Dials;

impl Family for Dials {
    fn name(&self) -> &str {
        "dials"
    }
    fn sample(&self, rng: &mut Rng) -> Task {
        Task::Custom(Arc::new(Dial { target: rand::RngExt::random_range(rng, -1.0..1.0) }))
    }
    fn observation_space(&self) -> Space {
        Space::unbounded(1)
    }
    fn action_space(&self) -> Space {
        Space::unbounded(1)
    }
    fn horizon(&self) -> usize {
        20
    }
    fn gamma(&self) -> f64 {
        0.99
    }
    fn constants(&self) -> Vec<(String, String)> {
        vec![("target".into(), "uniform on [-1, 1)".into())]
    }
}

fn main() {
    tasks::conformance::check(&Dials, 0).expect("the family keeps the contract");
    let plan = config::load(Some("navigation/sgmrl"), &config::Overrides::default()).expect("a preset").plan;
    let policy = Policy::build(&plan.policy, &Dials.observation_space(), &Dials.action_space()).expect("it fits");
    let mut learner = Learner::<f32>::new(Arc::new(Dials), policy, plan.options, 1);
    for _ in 0..30 {
        let row = learner.step().expect("it does not diverge");
        println!("{:3}  return {:7.2} -> {:7.2}", row.iteration, row.returns[0].mean, row.returns[1].mean);
    }
}
