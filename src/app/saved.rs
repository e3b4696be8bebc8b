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

/// The plan a run of `train` was started with.
///
/// # Errors
/// It is a run of `online`, or its resolved configuration is not valid (any more).
pub fn plan(opened: &Opened, overrides: &Overrides) -> Result<Loaded, Failure> {
    if config::online::is_online(&opened.config) {
        let dir = opened.dir.display();
        return Err(Failure::Usage(format!(
            "{dir}: is a run of `online`, one task for one lifetime: there is no adaptation to fresh tasks to train or to evaluate; \
             `stillpoint report {dir}` and `watch {dir}` show it, `stillpoint online --resume --out {dir}` goes on"
        )));
    }
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

/// Leaves by dotted key. A list of tables with names (of the arms of a suite, say) is keyed by name.
fn flatten(prefix: &str, value: &toml::Value, out: &mut Vec<(String, toml::Value)>) {
    let below = |key: &str| if prefix.is_empty() { key.to_string() } else { format!("{prefix}.{key}") };
    match value {
        toml::Value::Table(table) => table.iter().for_each(|(key, value)| flatten(&below(key), value, out)),
        toml::Value::Array(list) if !list.is_empty() && list.iter().all(|item| name(item).is_some()) => {
            list.iter().for_each(|item| flatten(&below(name(item).unwrap_or_default()), item, out));
        }
        other => out.push((prefix.to_string(), other.clone())),
    }
}

fn name(item: &toml::Value) -> Option<&str> {
    item.get("name")?.as_str()
}

fn flat(text: &str) -> Vec<(String, toml::Value)> {
    let mut out = Vec::new();
    if let Ok(table) = text.parse::<toml::Table>() {
        flatten("", &toml::Value::Table(table), &mut out);
    }
    out
}

/// Keys in which two resolved configurations (or suites) differ: (key, first, second), `unset` where one has no such key.
pub fn differences(first: &str, second: &str) -> Vec<(String, String, String)> {
    let (a, b) = (flat(first), flat(second));
    let of = |side: &[(String, toml::Value)], key: &str| side.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
    let mut keys: Vec<&String> = a.iter().chain(&b).map(|(k, _)| k).collect();
    keys.sort();
    keys.dedup();
    let rows = keys.into_iter().map(|k| (k, of(&a, k), of(&b, k))).filter(|(_, x, y)| x != y);
    let shown = |v: Option<toml::Value>| v.map_or("unset".to_string(), |v| config::tree::shown(&v));
    rows.map(|(k, x, y)| (k.clone(), shown(x), shown(y))).collect()
}

/// The first few differences in words, for the message of a refusal.
pub fn in_words(differences: &[(String, String, String)]) -> String {
    let one = |(key, old, new): &(String, String, String)| format!("`{key}` is {old}, asked for {new}");
    let shown: Vec<String> = differences.iter().take(5).map(one).collect();
    let more = if differences.len() > 5 { format!(" and {} more", differences.len() - 5) } else { String::new() };
    shown.join("; ") + &more
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

    #[test]
    fn long_lists_are_compared_and_named_tables_are_keyed_by_name() {
        let list = |last: u32| format!("seeds = [{}{last}]\n", "12345678, ".repeat(9));
        let found = differences(&list(1), &list(2));
        assert_eq!(found.len(), 1, "though both are too long to show");
        let found = differences("[[arms]]\nname = \"a\"\nx = 1\n", "[[arms]]\nname = \"a\"\nx = 2\n");
        assert_eq!(in_words(&found), "`arms.a.x` is 1, asked for 2");
    }
}
