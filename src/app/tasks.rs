//! `tasks`: the families that can be trained on, and every constant of one.

use super::failure::Failure;
use crate::config::explain;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use tasks::env::Space;
use tasks::family::{Family, FamilyError};
use tasks::registry::{self, Entry};

/// What the command line asks of `tasks`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// One family instead of the list.
    pub show: Option<String>,
    /// JSON instead of text.
    pub json: bool,
    /// No messages.
    pub quiet: bool,
}

/// Runs the command.
///
/// # Errors
/// An unknown name, or a stdout that cannot be written.
pub fn run(request: Request) -> Result<(), Failure> {
    let text = match &request.show {
        None if request.json => list_json(),
        None => list(),
        Some(name) => {
            let names: Vec<&str> = registry::entries().iter().map(|e| e.name).collect();
            let Some(entry) = registry::entries().iter().find(|e| e.name == name) else {
                let hint = explain::suggestion(name, &names);
                return Err(Failure::Usage(format!("--show: no family is called `{name}`; {hint}")));
            };
            let family = registry::build(entry.name, &Map::new());
            if request.json { show_json(entry, family) } else { show(entry, family) }
        }
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

fn list() -> String {
    let width = registry::entries().iter().map(|e| e.name.len()).max().unwrap_or(0);
    registry::entries().iter().map(|e| format!("{:width$}  {}\n", e.name, e.summary)).collect()
}

fn list_json() -> String {
    let entries: Vec<Value> =
        registry::entries().iter().map(|e| json!({"name": e.name, "summary": e.summary, "keys": e.keys})).collect();
    format!("{}\n", Value::from(entries))
}

fn space(space: &Space) -> String {
    match space {
        Space::Discrete(n) => format!("one of {n}"),
        Space::Box { low, high } => {
            let same = low.iter().all(|x| x == &low[0]) && high.iter().all(|x| x == &high[0]);
            match (low.first(), high.first()) {
                (Some(a), Some(b)) if same => format!("{} numbers in [{a}, {b}]", low.len()),
                _ => format!("{} numbers, low {low:?}, high {high:?}", low.len()),
            }
        }
    }
}

/// Name, spaces, horizon, discount and the family's own constants, as label and value.
fn rows(entry: &Entry, family: &dyn Family) -> Vec<(String, String)> {
    let mut rows = vec![
        ("observation".to_string(), space(&family.observation_space())),
        ("action".into(), space(&family.action_space())),
        ("horizon".into(), format!("{} decisions", family.horizon())),
        ("gamma".into(), family.gamma().to_string()),
    ];
    for row in family.constants() {
        if rows.iter().all(|(label, _)| *label != row.0) {
            rows.push(row);
        }
    }
    rows.push(("parameters".into(), if entry.keys.is_empty() { "none".into() } else { entry.keys.join(", ") }));
    rows
}

fn show(entry: &Entry, family: Result<Box<dyn Family>, FamilyError>) -> String {
    let mut text = format!("{}: {}\n", entry.name, entry.summary);
    match family {
        Ok(family) => {
            let rows = rows(entry, &*family);
            let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
            for (label, value) in rows {
                let _ = writeln!(text, "  {label:width$}  {value}");
            }
        }
        Err(_) => {
            let _ = writeln!(text, "  its constants are those of your file or parameters: {}", entry.keys.join(", "));
        }
    }
    text
}

fn show_json(entry: &Entry, family: Result<Box<dyn Family>, FamilyError>) -> String {
    let constants: Map<String, Value> = match family {
        Ok(family) => rows(entry, &*family).into_iter().map(|(k, v)| (k, Value::from(v))).collect(),
        Err(_) => Map::new(),
    };
    let value = json!({"name": entry.name, "summary": entry.summary, "keys": entry.keys, "constants": constants});
    format!("{value}\n")
}
