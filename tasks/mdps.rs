//! Finite families: a weighted list of tabular MDPs, given as JSON or by construction.

use crate::env::{Rng, Space};
use crate::family::{Family, FamilyError};
use crate::mdps_json;
use crate::params::Params;
use crate::tabular::{Tabular, categorical};
use crate::task::Task;
use serde_json::{Value, json};
use std::sync::Arc;

/// A finite set of tabular MDPs that share S, A, T and gamma, drawn by weight.
#[derive(Clone, Debug)]
pub struct TabularFamily {
    pub(crate) name: String,
    gamma: f64,
    weights: Vec<f64>,
    tasks: Vec<Arc<Tabular>>,
    extra: Vec<(String, String)>,
}

impl TabularFamily {
    /// Family `name` of `tasks`, drawn in proportion to `weights` (normalised here).
    ///
    /// # Errors
    /// If there is no task, lengths differ, a weight is not positive, or two tasks differ in S, A or T.
    pub fn new(name: &str, gamma: f64, weights: Vec<f64>, tasks: Vec<Tabular>) -> Result<Self, FamilyError> {
        let Some(first) = tasks.first() else { return Err(FamilyError::new("tasks", "at least one task is needed")) };
        let shape = (first.states, first.actions, first.horizon);
        if weights.len() != tasks.len() {
            return Err(FamilyError::new("tasks", "one weight per task is needed"));
        }
        for (i, (&w, task)) in weights.iter().zip(&tasks).enumerate() {
            if !(w > 0.0 && w.is_finite()) {
                return Err(FamilyError::new(format!("tasks[{i}].weight"), "a weight is positive and finite"));
            }
            if (task.states, task.actions, task.horizon) != shape {
                let message = "all tasks share the numbers of states and actions and the horizon";
                return Err(FamilyError::new(format!("tasks[{i}]"), message));
            }
        }
        // Scaled by the largest first, so that no sum of finite weights overflows.
        let largest = weights.iter().copied().fold(0.0, f64::max);
        let total: f64 = weights.iter().map(|w| w / largest).sum();
        let weights: Vec<f64> = weights.iter().map(|w| w / largest / total).collect();
        if let Some(i) = weights.iter().position(|w| *w == 0.0) {
            return Err(FamilyError::new(format!("tasks[{i}].weight"), "too small beside the largest weight"));
        }
        let tasks = tasks.into_iter().map(Arc::new).collect();
        Ok(TabularFamily { name: name.into(), gamma, weights, tasks, extra: Vec::new() })
    }

    /// Adds constants that `constants()` prints after its own.
    pub fn with_constants(mut self, extra: Vec<(String, String)>) -> Self {
        self.extra = extra;
        self
    }

    /// The tasks, in order.
    pub fn tasks(&self) -> &[Arc<Tabular>] {
        &self.tasks
    }

    /// The family as the JSON that [`parse_mdps`] reads back: tables exactly, weights up to rounding. Reward noise has
    /// no place in that format and is dropped.
    pub fn to_json(&self) -> Value {
        let task = |(weight, t): (&f64, &Arc<Tabular>)| {
            let rows: Vec<&[f64]> = t.transition.chunks(t.states).collect();
            json!({
                "weight": weight,
                "start": t.start,
                "reward": t.reward.chunks(t.actions).collect::<Vec<_>>(),
                "transition": rows.chunks(t.actions).collect::<Vec<_>>(),
            })
        };
        let tasks: Vec<Value> = self.weights.iter().zip(&self.tasks).map(task).collect();
        json!({"gamma": self.gamma, "horizon": self.tasks[0].horizon, "tasks": tasks})
    }
}

impl Family for TabularFamily {
    fn name(&self) -> &str {
        &self.name
    }

    fn sample(&self, rng: &mut Rng) -> Task {
        Task::Tabular(self.tasks[categorical(&self.weights, rng)].clone())
    }

    fn finite(&self) -> Option<Vec<(f64, &Tabular)>> {
        Some(self.weights.iter().copied().zip(self.tasks.iter().map(|t| &**t)).collect())
    }

    fn observation_space(&self) -> Space {
        Space::Discrete(self.tasks[0].states)
    }

    fn action_space(&self) -> Space {
        Space::Discrete(self.tasks[0].actions)
    }

    fn horizon(&self) -> usize {
        self.tasks[0].horizon
    }

    fn gamma(&self) -> f64 {
        self.gamma
    }

    fn constants(&self) -> Vec<(String, String)> {
        let first = &self.tasks[0];
        let mut rows = vec![
            ("tasks".to_string(), format!("{} (finite, drawn by weight)", self.tasks.len())),
            ("states".into(), first.states.to_string()),
            ("actions".into(), first.actions.to_string()),
            ("observation".into(), "the state's index".into()),
            ("horizon".into(), decisions(first.horizon)),
            ("gamma".into(), self.gamma.to_string()),
            ("termination".into(), "never (absorbing states are part of the tables)".into()),
        ];
        if first.reward_noise > 0.0 {
            rows.push(("reward noise".into(), format!("N(0, {}^2)", first.reward_noise)));
        }
        rows.extend(self.extra.iter().cloned());
        rows
    }
}

/// A horizon in words.
pub(crate) fn decisions(horizon: usize) -> String {
    if horizon == 1 { "1 decision".into() } else { format!("{horizon} decisions") }
}

/// Reads a finite family from JSON text `{"gamma": g, "horizon": T, "tasks": [task, ...]}` with tasks
/// `{"weight": w, "start": [S], "reward": [[S][A]], "transition": [[[S][A][S']]]}`.
///
/// `weight` defaults to 1 and weights are normalised; everything else is required. Rows of `start` and `transition`
/// must be non-negative and sum to 1 within 1e-9: nothing is renormalised.
///
/// # Errors
/// Names the exact key, e.g. `tasks[0].transition[1][0]`.
pub fn parse_mdps(text: &str) -> Result<TabularFamily, FamilyError> {
    let value: Value = serde_json::from_str(text).map_err(|e| FamilyError::new("", format!("not JSON: {e}")))?;
    let Some(map) = value.as_object() else { return Err(FamilyError::new("", "expected a JSON object")) };
    mdps_json::family(map)
}

/// Keys of the `tabular` family.
pub(crate) const KEYS: &[&str] = &["file", "gamma", "horizon", "tasks"];

/// Builds `tabular` from inline tables, or from the JSON file named by `file`.
pub(crate) fn build(_: &'static str, params: &Params) -> Built {
    let map = params.map();
    let Some(file) = params.get("file") else { return Ok(Box::new(mdps_json::family(map)?)) };
    let Some(path) = file.as_str() else { return Err(crate::params::mismatch("file", "a path", file)) };
    if let Some(other) = map.keys().find(|k| *k != "file") {
        return Err(FamilyError::new(other, "not allowed beside `file`, which holds the whole family"));
    }
    let text =
        std::fs::read_to_string(path).map_err(|e| FamilyError::new("file", format!("cannot read `{path}`: {e}")))?;
    let family = parse_mdps(&text).map_err(|e| FamilyError::new(e.key, format!("{} (in `{path}`)", e.message)))?;
    Ok(Box::new(family))
}

/// What every family's `build` returns.
pub(crate) type Built = Result<Box<dyn Family>, FamilyError>;

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn two() -> TabularFamily {
        let task = |r: f64| Tabular {
            states: 1,
            actions: 2,
            horizon: 1,
            start: vec![1.0],
            reward: vec![r, 0.1],
            transition: vec![1.0; 2],
            reward_noise: 0.0,
        };
        TabularFamily::new("two", 0.9, vec![1.0, 3.0], vec![task(1.0), task(2.0)]).expect("a valid family")
    }

    #[test]
    fn weights_are_normalised_and_drive_sampling() {
        let family = two();
        let finite = family.finite().expect("finite");
        assert_eq!((finite[0].0, finite[1].0), (0.25, 0.75));
        let mut rng = Rng::seed_from_u64(0);
        let hits = (0..4_000)
            .filter(|_| matches!(family.sample(&mut rng), Task::Tabular(t) if t.reward[0] == 2.0))
            .count() as f64;
        // Binomial(4000, 0.75): sd 27.4; 4 sd, alpha = 6e-5.
        assert!((hits - 3_000.0).abs() < 110.0, "{hits}");
    }

    #[test]
    fn json_round_trip_is_exact() {
        let family = two();
        let again = parse_mdps(&family.to_json().to_string()).expect("our own JSON");
        assert_eq!(again.tasks(), family.tasks());
        assert_eq!(again.weights, family.weights);
        assert_eq!(again.gamma, family.gamma);
    }

    #[test]
    fn generated_tables_survive_json_exactly() {
        let params = json!({"tasks": 3, "states": 7, "branching": 4}).as_object().expect("object").clone();
        let garnet = crate::registry::build("garnet", &params).expect("garnet");
        let tables: Vec<Tabular> = garnet.finite().expect("a fixed set").into_iter().map(|(_, t)| t.clone()).collect();
        let family = TabularFamily::new("copy", 0.95, vec![1.0; 3], tables).expect("one shape");
        let again = parse_mdps(&family.to_json().to_string()).expect("our own JSON");
        assert_eq!(again.tasks(), family.tasks());
    }

    #[test]
    fn bad_lists_are_refused() {
        let task = two().tasks()[0].as_ref().clone();
        assert_eq!(TabularFamily::new("x", 1.0, vec![], vec![]).unwrap_err().key, "tasks");
        let e = TabularFamily::new("x", 1.0, vec![1.0, -1.0], vec![task.clone(), task.clone()]).unwrap_err();
        assert_eq!(e.key, "tasks[1].weight");
        let e = TabularFamily::new("x", 1.0, vec![1e-300, 1e300], vec![task.clone(), task.clone()]).unwrap_err();
        assert_eq!(e.key, "tasks[0].weight");
        let other = Tabular { horizon: 2, ..task.clone() };
        assert_eq!(TabularFamily::new("x", 1.0, vec![1.0; 2], vec![task, other]).unwrap_err().key, "tasks[1]");
    }
}
