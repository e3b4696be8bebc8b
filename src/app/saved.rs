//! A run directory in the drivers' terms: its plan, the names of its tensors, and how two configurations differ.

use super::failure::Failure;
use crate::config::{self, Loaded, Overrides};
use crate::policy::Policy;
use crate::record::Fault;
use crate::record::run::Opened;
use std::path::Path;

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        match fault {
            Fault::Unusable(message) => Failure::Usage(message),
            Fault::Io(message) => Failure::Internal(message),
        }
    }
}

/// The plan a run was started with.
///
/// # Errors
/// Its resolved configuration is not valid (any more).
pub fn plan(opened: &Opened, overrides: &Overrides) -> Result<Loaded, Failure> {
    let source = opened.config_path().display().to_string();
    Ok(config::parse(&opened.config, &source, config::tree::Format::Toml, Path::new("."), overrides)?)
}

/// The policy of a plan.
///
/// # Errors
/// It does not fit the family's spaces.
pub fn policy(loaded: &Loaded) -> Result<Policy, Failure> {
    let spaces = (loaded.family.observation_space(), loaded.family.action_space());
    let policy = Policy::build(&loaded.plan.policy, &spaces.0, &spaces.1);
    policy.map_err(|why| Failure::Usage(format!("{}: section `policy`: {why}", loaded.source)))
}

fn flatten(prefix: &str, value: &toml::Value, out: &mut Vec<(String, String)>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&path, value, out);
            }
        }
        other => out.push((prefix.to_string(), config::tree::shown(other))),
    }
}

fn flat(text: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    if let Ok(table) = text.parse::<toml::Table>() {
        flatten("", &toml::Value::Table(table), &mut out);
    }
    out
}

/// Keys in which two resolved configurations differ: (key, first, second), `unset` where one has no such key.
pub fn differences(first: &str, second: &str) -> Vec<(String, String, String)> {
    let (a, b) = (flat(first), flat(second));
    let of = |side: &[(String, String)], key: &str| {
        side.iter().find(|(k, _)| k == key).map_or("unset".to_string(), |(_, v)| v.clone())
    };
    let mut keys: Vec<&String> = a.iter().chain(&b).map(|(k, _)| k).collect();
    keys.sort();
    keys.dedup();
    let rows = keys.into_iter().map(|k| (k.clone(), of(&a, k), of(&b, k)));
    rows.filter(|(_, x, y)| x != y).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named_by_dotted_key() {
        let found = differences("a = 1\n[b]\nc = 2\nd = 3\n", "a = 1\n[b]\nc = 5\ne = 4\n");
        let named: Vec<String> = found.iter().map(|(k, x, y)| format!("{k}: {x} {y}")).collect();
        assert_eq!(named, ["b.c: 2 5", "b.d: 3 unset", "b.e: unset 4"]);
    }
}
