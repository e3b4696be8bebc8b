//! Shrinks every size of a configuration so that a run takes about a second.

use toml::{Table, Value};

/// Caps of the sizes in `[section] key`; an absent key is set to its cap.
const CAPS: [(&str, &str, i64); 4] =
    [("", "iterations", 3), ("inner", "episodes", 4), ("outer", "episodes", 4), ("outer", "tasks", 3)];

/// Widest hidden layer.
const WIDTH: i64 = 8;

/// Shrinks `table` in place. Values of a wrong type are left for validation to refuse.
/// Says whether it had to add `policy.hidden`, which is without effect if the policy turns out to be tabular.
pub(crate) fn shrink(table: &mut Table) -> bool {
    for (section, key, cap) in CAPS {
        let at = if section.is_empty() {
            &mut *table
        } else {
            let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(inner) = entry else { continue };
            inner
        };
        match at.get_mut(key) {
            Some(Value::Integer(n)) => *n = (*n).min(cap),
            Some(_) => {}
            None => {
                at.insert(key.into(), Value::Integer(cap));
            }
        }
    }
    if let Some(Value::Table(outer)) = table.get_mut("outer")
        && matches!(outer.get("groups"), Some(Value::Integer(n)) if *n > 0)
    {
        outer.remove("groups"); // the default follows the number of episodes
    }
    let policy = table.entry("policy").or_insert_with(|| Value::Table(Table::new()));
    let Value::Table(policy) = policy else { return false };
    let Some(hidden) = policy.get_mut("hidden") else {
        policy.insert("hidden".into(), Value::Array(vec![Value::Integer(WIDTH); 2]));
        return true;
    };
    if let Value::Array(widths) = hidden {
        for width in widths {
            if let Value::Integer(n) = width {
                *n = (*n).min(WIDTH);
            }
        }
    }
    false
}
