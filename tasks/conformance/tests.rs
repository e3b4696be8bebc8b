//! Every registered family conforms; families with one fault each do not.

use super::{check, check_coupling};
use crate::env::{Action, Env, Rng, Space, Transition};
use crate::family::Family;
use crate::registry::{build, entries};
use crate::tabular::Tabular;
use crate::task::Task;
use rand::RngExt;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Iterates over the registry itself, so that nothing can be registered without being checked.
#[test]
fn every_registered_family_conforms() {
    for entry in entries() {
        let family = build(entry.name, &entry.example()).unwrap_or_else(|e| panic!("{}: {e}", entry.name));
        if entry.name != "tabular" {
            assert_eq!(family.name(), entry.name);
        }
        for seed in 0..3 {
            check(family.as_ref(), seed).unwrap_or_else(|e| panic!("{}: {e}", entry.name));
            check_coupling(family.as_ref(), seed).unwrap_or_else(|e| panic!("{}: {e}", entry.name));
        }
    }
}

#[test]
fn finite_generated_sets_conform() {
    for name in ["garnet", "dirichlet-mdp", "liu-mdp"] {
        let params = json!({"tasks": 5, "seed": 3}).as_object().expect("object").clone();
        let family = build(name, &params).expect(name);
        assert_eq!(family.finite().map(|t| t.len()), Some(5));
        check(family.as_ref(), 0).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

/// What is wrong with a family.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    HiddenState,
    NotFinite,
    OutsideSpace,
    LeakyReset,
    UnwrittenObservation,
    ChangingHorizon,
    Silent,
    BadGamma,
    Coupling,
}

struct Faulty {
    fault: Fault,
    hidden: AtomicU64,
    horizon: usize,
}

impl Env for Faulty {
    fn observation_space(&self) -> Space {
        Space::Box { low: vec![0.0; 2], high: vec![1.0; 2] }
    }
    fn action_space(&self) -> Space {
        Space::Discrete(2)
    }
    fn horizon(&self) -> usize {
        self.horizon
    }
    fn state_dim(&self) -> usize {
        1
    }
    fn reset(&self, state: &mut [f64], rng: &mut Rng) {
        let u = rng.random();
        if self.fault != Fault::LeakyReset || state[0].is_nan() {
            state[0] = u;
        }
    }
    fn step(&self, state: &mut [f64], action: Action<'_>, rng: &mut Rng) -> Transition {
        let count = self.hidden.fetch_add(1, Ordering::Relaxed);
        state[0] = rng.random();
        if self.fault == Fault::Coupling && action == Action::Discrete(1) {
            state[0] = rng.random();
        }
        let reward = match self.fault {
            Fault::HiddenState => count as f64,
            Fault::NotFinite => f64::NAN,
            _ => state[0],
        };
        Transition { reward, terminated: false }
    }
    fn observe(&self, state: &[f64], obs: &mut [f64]) {
        obs[0] = if self.fault == Fault::OutsideSpace { state[0] + 1.0 } else { state[0] };
        if self.fault != Fault::UnwrittenObservation {
            obs[1] = 0.5;
        }
    }
}

impl Family for Fault {
    fn name(&self) -> &str {
        "faulty"
    }
    fn sample(&self, rng: &mut Rng) -> Task {
        let extra = if *self == Fault::ChangingHorizon { rng.random_range(0..3) } else { 0 };
        Task::Custom(Arc::new(Faulty { fault: *self, hidden: AtomicU64::new(0), horizon: 5 + extra }))
    }
    fn observation_space(&self) -> Space {
        Space::Box { low: vec![0.0; 2], high: vec![1.0; 2] }
    }
    fn action_space(&self) -> Space {
        Space::Discrete(2)
    }
    fn horizon(&self) -> usize {
        5
    }
    fn gamma(&self) -> f64 {
        if *self == Fault::BadGamma { 1.1 } else { 1.0 }
    }
    fn constants(&self) -> Vec<(String, String)> {
        if *self == Fault::Silent { Vec::new() } else { vec![("fault".into(), format!("{self:?}"))] }
    }
}

#[test]
fn each_fault_is_found() {
    assert_eq!(check(&Fault::None, 0), Ok(()));
    assert_eq!(check_coupling(&Fault::None, 0), Ok(()));
    for (fault, words) in [
        (Fault::HiddenState, "depends on more than"),
        (Fault::NotFinite, "not finite"),
        (Fault::OutsideSpace, "outside"),
        (Fault::LeakyReset, "reset() depends"),
        (Fault::UnwrittenObservation, "outside"),
        (Fault::ChangingHorizon, "horizon"),
        (Fault::Silent, "constants() is empty"),
        (Fault::BadGamma, "gamma"),
    ] {
        let error = check(&fault, 0).expect_err("a faulty family");
        assert!(error.contains(words), "{fault:?}: {error}");
    }
    assert!(check_coupling(&Fault::Coupling, 0).is_err());
}

/// Finite family whose weights, or tables, are not what it says.
struct Lying {
    tasks: Vec<Arc<Tabular>>,
    weights: [f64; 2],
}

impl Family for Lying {
    fn name(&self) -> &str {
        "lying"
    }
    fn sample(&self, rng: &mut Rng) -> Task {
        Task::Tabular(self.tasks[rng.random_range(0..2)].clone())
    }
    fn finite(&self) -> Option<Vec<(f64, &Tabular)>> {
        Some(self.weights.iter().copied().zip(self.tasks.iter().map(|t| &**t)).collect())
    }
    fn observation_space(&self) -> Space {
        Space::Discrete(1)
    }
    fn action_space(&self) -> Space {
        Space::Discrete(1)
    }
    fn horizon(&self) -> usize {
        1
    }
    fn gamma(&self) -> f64 {
        1.0
    }
    fn constants(&self) -> Vec<(String, String)> {
        vec![("tasks".into(), "2".into())]
    }
}

#[test]
fn wrong_weights_and_wrong_tables_are_found() {
    let table = |reward: f64, p: f64| {
        Arc::new(Tabular {
            states: 1,
            actions: 1,
            horizon: 1,
            start: vec![1.0],
            reward: vec![reward],
            transition: vec![p],
            reward_noise: 0.0,
        })
    };
    let lying = |weights, p| Lying { tasks: vec![table(0.0, p), table(1.0, p)], weights };
    assert_eq!(check(&lying([0.5, 0.5], 1.0), 0), Ok(()));
    assert!(check(&lying([0.6, 0.4], 1.0), 0).unwrap_err().contains("draws"));
    assert!(check(&lying([0.5, 0.6], 1.0), 0).unwrap_err().contains("sum to"));
    assert!(check(&lying([0.5, 0.5], 0.9), 0).unwrap_err().contains("distribution"));
}
