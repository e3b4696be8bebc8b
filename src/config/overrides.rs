//! Flags that change a configuration before it is validated, and the blame when such a flag is wrong.

use super::{Error, Fault};
use toml::{Table, Value};

/// What the command line changes in a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--set key=value`, in order.
    pub set: Vec<String>,
    /// `--seed`.
    pub seed: Option<u64>,
    /// `--iterations`.
    pub iterations: Option<u64>,
    /// `--gap-every`.
    pub gap_every: Option<u64>,
    /// Flags of a command that stand for keys, in order; they win over `set`.
    pub flags: Vec<Flag>,
    /// `--smoke`: shrink every size that no other flag sets.
    pub smoke: bool,
}

/// A flag of a command that stands for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The flag as it was given, for messages: `--outer-batch 1`.
    pub flag: String,
    /// Dotted key.
    pub key: &'static str,
    /// Value as TOML, or a string.
    pub value: String,
}

/// Most parts of a dotted key.
const MAX_DEPTH: usize = 16;

struct Change {
    key: String,
    value: Value,
    flag: String,
}

/// Where each value came from, so that a message names the file or the flag at fault.
pub(crate) struct Origin {
    source: String,
    changes: Vec<Change>,
}

impl Origin {
    pub(crate) fn new(source: &str, overrides: &Overrides) -> Result<Origin, Error> {
        let mut changes = Vec::new();
        for text in &overrides.set {
            changes.push(change(text)?);
        }
        let flags = [
            ("seed", "seed", overrides.seed),
            ("iterations", "iterations", overrides.iterations),
            ("gap-every", "gap.every", overrides.gap_every),
        ];
        for (flag, key, value) in flags {
            let Some(n) = value else { continue };
            let flag_text = format!("--{flag} {n}");
            let Ok(i) = i64::try_from(n) else {
                let message = "whole numbers end at 2^63 - 1".to_string();
                return Err(Error { source: flag_text, key: key.into(), message });
            };
            changes.push(Change { key: key.into(), value: Value::Integer(i), flag: flag_text });
        }
        let flag = |f: &Flag| Change { key: f.key.into(), value: value_of(&f.value), flag: f.flag.clone() };
        changes.extend(overrides.flags.iter().map(flag));
        Ok(Origin { source: source.to_string(), changes })
    }

    /// An error that no key is to blame for.
    pub(crate) fn whole(&self, message: String) -> Error {
        Error { source: self.source.clone(), key: String::new(), message }
    }

    /// The error for `fault`, blamed on the flag that set its key, else on the file.
    pub(crate) fn error(&self, fault: Fault) -> Error {
        let inside = |key: &str, of: &str| key.strip_prefix(of).is_some_and(|rest| rest.starts_with(['.', '[']));
        let blamed = self.changes.iter().rev().find(|c| {
            fault.key == c.key
                || inside(&fault.key, &c.key)
                || inside(&c.key, &fault.key)
                || (c.key == "family" && fault.key == "family.name")
                || (c.key == "file" && fault.key == "family.file")
        });
        let source = blamed.map_or(&self.source, |c| &c.flag).clone();
        Error { source, key: fault.key, message: fault.message }
    }

    /// Whether a flag changes such a key.
    pub(crate) fn changes(&self, is_such: impl Fn(&str) -> bool) -> bool {
        self.changes.iter().any(|c| is_such(&c.key))
    }

    /// Writes the changes into the tree.
    pub(crate) fn apply(&self, table: &mut Table) -> Result<(), Error> {
        for c in &self.changes {
            insert(table, &c.key, &c.value).map_err(|message| Error {
                source: c.flag.clone(),
                key: c.key.clone(),
                message,
            })?;
        }
        Ok(())
    }
}

fn change(text: &str) -> Result<Change, Error> {
    let flag = format!("--set {text}");
    let fail = |message: &str| Error { source: flag.clone(), key: String::new(), message: message.into() };
    let Some((key, value)) = text.split_once('=') else {
        return Err(fail("expected key=value, for example --set inner.alpha=0.05"));
    };
    let key = key.trim();
    if key.is_empty() || key.split('.').any(|part| part.trim().is_empty()) {
        return Err(fail("the key is empty; expected key=value, for example --set inner.alpha=0.05"));
    }
    if key.split('.').count() > MAX_DEPTH {
        return Err(fail(&format!("the key has more than {MAX_DEPTH} parts")));
    }
    Ok(Change { key: key.to_string(), value: value_of(value.trim()), flag })
}

/// `text` as a TOML value, else as a string.
fn value_of(text: &str) -> Value {
    match format!("x = {text}").parse::<Table>() {
        Ok(mut table) if table.len() == 1 && !text.contains('\n') => {
            table.remove("x").unwrap_or_else(|| Value::String(text.into()))
        }
        _ => Value::String(text.to_string()),
    }
}

/// Sets a dotted key.
pub(crate) fn insert(table: &mut Table, key: &str, value: &Value) -> Result<(), String> {
    let mut at = table;
    let mut parts = key.split('.').map(str::trim).peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            at.insert(part.to_string(), value.clone());
            return Ok(());
        }
        let next = at.entry(part).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(inner) = next else { return Err(format!("`{part}` is not a table, so it has no keys")) };
        at = inner;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_toml_or_else_strings() {
        assert_eq!(value_of("0.5"), Value::Float(0.5));
        assert_eq!(value_of("[8, 8]"), Value::Array(vec![Value::Integer(8); 2]));
        assert_eq!(value_of("maml"), Value::String("maml".into()));
        assert_eq!(value_of("\"7\""), Value::String("7".into()));
        assert_eq!(value_of("1\ny = 2"), Value::String("1\ny = 2".into()));
        assert_eq!(value_of(""), Value::String(String::new()));
    }

    #[test]
    fn the_last_flag_that_set_a_key_is_blamed() {
        let overrides =
            Overrides { set: vec!["inner.alpha=1".into(), "inner.alpha=-1".into()], ..Overrides::default() };
        let origin = Origin::new("file.toml", &overrides).expect("well-formed");
        assert_eq!(origin.error(Fault::new("inner.alpha", "")).source, "--set inner.alpha=-1");
        assert_eq!(origin.error(Fault::new("inner.alphas", "")).source, "file.toml");
    }
}
