//! Validation of the JSON form of finite families, with errors that name the exact cell.

use crate::family::FamilyError;
use crate::mdps::TabularFamily;
use crate::params::{self, MAX_HORIZON};
use crate::tabular::Tabular;
use serde_json::{Map, Value};

/// How far a row of probabilities may be from summing to one.
const TOLERANCE: f64 = 1e-9;

type Read<T> = Result<T, FamilyError>;

fn known(prefix: &str, map: &Map<String, Value>, keys: &[&str]) -> Read<()> {
    match map.keys().find(|k| !keys.contains(&k.as_str())) {
        Some(k) => {
            Err(FamilyError::new(format!("{prefix}{k}"), format!("unknown key; allowed keys: {}", keys.join(", "))))
        }
        None => Ok(()),
    }
}

fn required<'v>(prefix: &str, map: &'v Map<String, Value>, key: &str) -> Read<&'v Value> {
    map.get(key).ok_or_else(|| FamilyError::new(format!("{prefix}{key}"), "missing"))
}

/// List of `len` entries (any positive length if `None`); `what` says what an entry stands for.
fn sized<'v>(key: &str, value: &'v Value, len: Option<usize>, what: &str) -> Read<&'v [Value]> {
    let entries = params::list(key, value)?;
    match len {
        None if entries.is_empty() => Err(FamilyError::new(key, format!("empty; one entry per {what} is needed"))),
        Some(n) if entries.len() != n => {
            Err(FamilyError::new(key, format!("expected {n} entries, one per {what}, found {}", entries.len())))
        }
        _ => Ok(entries),
    }
}

/// Probabilities over `len` outcomes, appended to `out`.
fn distribution(key: &str, value: &Value, len: Option<usize>, what: &str, out: &mut Vec<f64>) -> Read<()> {
    let mut total = 0.0;
    for (i, entry) in sized(key, value, len, what)?.iter().enumerate() {
        let p = params::finite(&format!("{key}[{i}]"), entry)?;
        if p < 0.0 {
            return Err(FamilyError::new(format!("{key}[{i}]"), format!("a probability is not negative, found {p}")));
        }
        total += p;
        out.push(p);
    }
    if (total - 1.0).abs() > TOLERANCE {
        return Err(FamilyError::new(key, format!("probabilities sum to {total}, not to 1 within {TOLERANCE}")));
    }
    Ok(())
}

fn task(index: usize, value: &Value, horizon: usize) -> Read<(f64, Tabular)> {
    let here = format!("tasks[{index}]");
    let Some(map) = value.as_object() else { return Err(params::mismatch(&here, "a table", value)) };
    let at = format!("{here}.");
    known(&at, map, &["weight", "start", "reward", "transition"])?;
    let weight = match map.get("weight") {
        None => 1.0,
        Some(w) => params::finite(&format!("{at}weight"), w)?,
    };
    if weight <= 0.0 {
        return Err(FamilyError::new(format!("{at}weight"), format!("a weight is positive, found {weight}")));
    }
    let mut start = Vec::new();
    distribution(&format!("{at}start"), required(&at, map, "start")?, None, "state", &mut start)?;
    let states = start.len();
    let key = format!("{at}reward");
    let mut reward = Vec::new();
    let mut actions = None;
    for (s, row) in sized(&key, required(&at, map, "reward")?, Some(states), "state")?.iter().enumerate() {
        let key = format!("{key}[{s}]");
        let row = sized(&key, row, actions, "action")?;
        actions = Some(row.len());
        for (a, r) in row.iter().enumerate() {
            reward.push(params::finite(&format!("{key}[{a}]"), r)?);
        }
    }
    let key = format!("{at}transition");
    let mut transition = Vec::new();
    for (s, rows) in sized(&key, required(&at, map, "transition")?, Some(states), "state")?.iter().enumerate() {
        let key = format!("{key}[{s}]");
        for (a, row) in sized(&key, rows, actions, "action")?.iter().enumerate() {
            distribution(&format!("{key}[{a}]"), row, Some(states), "next state", &mut transition)?;
        }
    }
    let actions = actions.unwrap_or(1);
    Ok((weight, Tabular { states, actions, horizon, start, reward, transition, reward_noise: 0.0 }))
}

/// The `tabular` family from its parsed JSON object.
pub(crate) fn family(map: &Map<String, Value>) -> Read<TabularFamily> {
    known("", map, &["gamma", "horizon", "tasks"])?;
    let gamma = params::gamma("gamma", required("", map, "gamma")?)?;
    let horizon = params::count("horizon", required("", map, "horizon")?, 1, MAX_HORIZON)?;
    let entries = sized("tasks", required("", map, "tasks")?, None, "task")?;
    let (mut weights, mut tasks): (Vec<f64>, Vec<Tabular>) = (Vec::new(), Vec::new());
    for (i, entry) in entries.iter().enumerate() {
        let (weight, task) = task(i, entry, horizon)?;
        if let Some(first) = tasks.first()
            && (first.states, first.actions) != (task.states, task.actions)
        {
            let message = format!(
                "{} states and {} actions, but tasks[0] has {} and {}: all tasks share both",
                task.states, task.actions, first.states, first.actions
            );
            return Err(FamilyError::new(format!("tasks[{i}]"), message));
        }
        weights.push(weight);
        tasks.push(task);
    }
    TabularFamily::new("tabular", gamma, weights, tasks)
}

#[cfg(test)]
mod tests {
    use crate::mdps::parse_mdps;
    use serde_json::{Value, json};

    fn valid() -> Value {
        json!({"gamma": 0.9, "horizon": 3, "tasks": [
            {"weight": 2, "start": [1, 0], "reward": [[1, 0], [0, 0.5]],
             "transition": [[[0.5, 0.5], [1, 0]], [[0, 1], [0.25, 0.75]]]},
            {"start": [0.5, 0.5], "reward": [[0, 0], [0, 1]],
             "transition": [[[0, 1], [1, 0]], [[0, 1], [1, 0]]]}]})
    }

    #[test]
    fn a_valid_file_is_read_as_written() {
        use crate::family::Family;
        let family = parse_mdps(&valid().to_string()).expect("valid");
        let finite = family.finite().expect("finite");
        assert!((finite[0].0 - 2.0 / 3.0).abs() < 1e-15);
        assert_eq!(finite[0].1.transition, [0.5, 0.5, 1.0, 0.0, 0.0, 1.0, 0.25, 0.75]);
        assert_eq!(finite[0].1.reward, [1.0, 0.0, 0.0, 0.5]);
        assert_eq!((family.gamma(), family.horizon()), (0.9, 3));
    }

    #[test]
    fn every_error_names_its_cell() {
        let cases: &[(&str, Value, &str)] = &[
            ("/gamma", json!(0), "gamma"),
            ("/gamma", json!(1.01), "gamma"),
            ("/gamma", json!("x"), "gamma"),
            ("/horizon", json!(0), "horizon"),
            ("/horizon", json!(1.5), "horizon"),
            ("/tasks", json!([]), "tasks"),
            ("/tasks", json!({}), "tasks"),
            ("/tasks/0", json!(1), "tasks[0]"),
            ("/tasks/0/weight", json!(0), "tasks[0].weight"),
            ("/tasks/0/weight", json!(-1), "tasks[0].weight"),
            ("/tasks/1/start", json!([]), "tasks[1].start"),
            ("/tasks/1/start", json!([0.5, 0.6]), "tasks[1].start"),
            ("/tasks/1/start/0", json!(null), "tasks[1].start[0]"),
            ("/tasks/1/start/0", json!(-0.5), "tasks[1].start[0]"),
            ("/tasks/0/reward", json!([[1, 0]]), "tasks[0].reward"),
            ("/tasks/0/reward/1", json!([1]), "tasks[0].reward[1]"),
            ("/tasks/0/reward/0", json!([]), "tasks[0].reward[0]"),
            ("/tasks/0/reward/1/0", json!("a"), "tasks[0].reward[1][0]"),
            ("/tasks/0/transition/1", json!([[1, 0]]), "tasks[0].transition[1]"),
            ("/tasks/0/transition/1/0", json!([0.5, 0.4]), "tasks[0].transition[1][0]"),
            ("/tasks/0/transition/1/0", json!([0, 1, 0]), "tasks[0].transition[1][0]"),
            ("/tasks/0/transition/1/0/1", json!(-1), "tasks[0].transition[1][0][1]"),
        ];
        for (pointer, bad, key) in cases {
            let mut text = valid();
            *text.pointer_mut(pointer).expect("a path of the valid file") = bad.clone();
            let e = parse_mdps(&text.to_string()).expect_err(pointer);
            assert_eq!(&e.key, key, "{pointer} = {bad}: {e}");
        }
    }

    #[test]
    fn missing_and_unknown_keys_are_named() {
        for key in ["gamma", "horizon", "tasks"] {
            let mut text = valid();
            text.as_object_mut().expect("object").remove(key);
            assert_eq!(parse_mdps(&text.to_string()).unwrap_err().key, key);
        }
        for key in ["start", "reward", "transition"] {
            let mut text = valid();
            text["tasks"][1].as_object_mut().expect("object").remove(key);
            assert_eq!(parse_mdps(&text.to_string()).unwrap_err().key, format!("tasks[1].{key}"));
        }
        let mut text = valid();
        text["tasks"][0]["rewards"] = json!([]);
        let e = parse_mdps(&text.to_string()).unwrap_err();
        assert_eq!(e.key, "tasks[0].rewards");
        assert!(e.message.contains("weight, start, reward, transition"), "{e}");
    }

    #[test]
    fn rows_are_never_silently_renormalised() {
        let mut text = valid();
        text["tasks"][0]["start"] = json!([1.0 + 5e-10, 0]);
        let family = parse_mdps(&text.to_string()).expect("within the tolerance");
        assert_eq!(family.tasks()[0].start[0], 1.0 + 5e-10);
        text["tasks"][0]["start"] = json!([1.0 + 2e-9, 0]);
        assert!(parse_mdps(&text.to_string()).is_err());
    }

    #[test]
    fn tasks_share_states_and_actions() {
        let mut text = valid();
        text["tasks"][1] = json!({"start": [1], "reward": [[0]], "transition": [[[1]]]});
        assert_eq!(parse_mdps(&text.to_string()).unwrap_err().key, "tasks[1]");
    }

    #[test]
    fn junk_is_an_error_not_a_panic() {
        for text in ["", "[]", "{", "nan", "{\"gamma\":1e999}", "3", "{\"gamma\":NaN}"] {
            assert!(parse_mdps(text).is_err(), "{text}");
        }
    }
}
