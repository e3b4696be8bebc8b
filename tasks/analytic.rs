//! The two-task, two-action family on which MAML converges to a point that is not stationary.

use crate::family::FamilyError;
use crate::mdps::{Built, TabularFamily};
use crate::params::{self, Params};
use crate::tabular::Tabular;

/// Keys of the analytic families.
pub(crate) const KEYS: &[&str] = &["rewards", "gamma"];

/// Rewards `[task][action]` of the published rows.
fn preset(name: &str) -> [[f64; 2]; 2] {
    match name {
        "analytic/b" => [[2.0, 1.0], [1.0, 1.8]],
        "analytic/c" => [[3.0, 2.0], [2.0, 2.5]],
        _ => [[1.0, 0.0], [0.0, 0.5]],
    }
}

fn rewards(name: &str, p: &Params) -> Result<[[f64; 2]; 2], FamilyError> {
    let mut out = preset(name);
    let Some(value) = p.get("rewards") else { return Ok(out) };
    let shape = |key: &str, n: usize, what: &str| {
        FamilyError::new(key, format!("expected 2 entries, one per {what}, found {n}"))
    };
    let rows = params::list("rewards", value)?;
    if rows.len() != 2 {
        return Err(shape("rewards", rows.len(), "task"));
    }
    for (i, row) in rows.iter().enumerate() {
        let key = format!("rewards[{i}]");
        let row = params::list(&key, row)?;
        if row.len() != 2 {
            return Err(shape(&key, row.len(), "action"));
        }
        for (a, r) in row.iter().enumerate() {
            out[i][a] = params::finite(&format!("{key}[{a}]"), r)?;
        }
    }
    Ok(out)
}

/// Builds `analytic` and its presets: one state, one decision, two actions, two equiprobable tasks.
pub(crate) fn build(name: &'static str, p: &Params) -> Built {
    let table = rewards(name, p)?;
    let task = |row: [f64; 2]| Tabular {
        states: 1,
        actions: 2,
        horizon: 1,
        start: vec![1.0],
        reward: row.to_vec(),
        transition: vec![1.0; 2],
        reward_noise: 0.0,
    };
    let family = TabularFamily::new(name, p.gamma(1.0)?, vec![1.0; 2], table.map(task).to_vec())?;
    let best = (0..2).map(|a| (table[0][a] + table[1][a]) / 2.0).fold(f64::NEG_INFINITY, f64::max);
    let rows = vec![
        ("rewards of task 1".to_string(), format!("{:?}", table[0])),
        ("rewards of task 2".to_string(), format!("{:?}", table[1])),
        ("best fixed policy".to_string(), format!("return {best}")),
    ];
    Ok(Box::new(family.with_constants(rows)))
}

#[cfg(test)]
mod tests {
    use crate::registry::build;
    use serde_json::{Map, json};

    #[test]
    fn presets_are_the_three_published_rows() {
        let rows = [
            ("analytic", [1.0, 0.0, 0.0, 0.5], "return 0.5"),
            ("analytic/a", [1.0, 0.0, 0.0, 0.5], "return 0.5"),
            ("analytic/b", [2.0, 1.0, 1.0, 1.8], "return 1.5"),
            ("analytic/c", [3.0, 2.0, 2.0, 2.5], "return 2.5"),
        ];
        for (name, expected, best) in rows {
            let family = build(name, &Map::new()).expect(name);
            let finite = family.finite().expect("finite");
            assert_eq!([finite[0].0, finite[1].0], [0.5, 0.5]);
            assert_eq!([&finite[0].1.reward[..], &finite[1].1.reward[..]].concat(), expected);
            assert_eq!((family.horizon(), finite[0].1.states), (1, 1));
            assert!(family.constants().iter().any(|(_, v)| v == best), "{name}");
        }
    }

    #[test]
    fn wrong_rewards_name_their_cell() {
        for (bad, key) in [
            (json!(1), "rewards"),
            (json!([[1, 0]]), "rewards"),
            (json!([[1, 0], [1]]), "rewards[1]"),
            (json!([[1, 0], [1, "x"]]), "rewards[1][1]"),
        ] {
            let map = json!({"rewards": bad}).as_object().expect("object").clone();
            assert_eq!(build("analytic", &map).err().expect("an error").key, key);
        }
    }
}
