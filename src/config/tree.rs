//! Text to one tree of values, whatever the format, with errors that name the line.

use super::Fault;
use std::path::Path;
use toml::{Table, Value};

/// How a configuration is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// TOML.
    Toml,
    /// JSON.
    Json,
    /// JSON if the text starts with `{`, else TOML.
    Either,
}

impl Format {
    /// Format by extension.
    pub fn of(path: &Path) -> Format {
        match path.extension().and_then(|e| e.to_str()) {
            Some("toml") => Format::Toml,
            Some("json") => Format::Json,
            _ => Format::Either,
        }
    }
}

/// Parses `text` into a table.
///
/// # Errors
/// Says in which format it was read, the line and the reason.
pub fn parse(text: &str, format: Format) -> Result<Table, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let json = match format {
        Format::Json => true,
        Format::Toml => false,
        Format::Either => text.trim_start().starts_with('{'),
    };
    if !json {
        return text.parse::<Table>().map_err(|e| {
            let line = e.span().map_or(1, |s| 1 + text[..s.start.min(text.len())].matches('\n').count());
            format!("not valid TOML, line {line}: {}", e.message().trim().replace('\n', "; "))
        });
    }
    let value: serde_json::Value = serde_json::from_str(text).map_err(|e| format!("not valid JSON: {e}"))?;
    let serde_json::Value::Object(map) = value else {
        return Err("a configuration is a JSON object, {\"name\": ...}".into());
    };
    let mut table = Table::new();
    for (key, value) in map {
        let value = from_json(&key, value).map_err(|f| format!("key `{}`: {}", f.key, f.message))?;
        table.insert(key, value);
    }
    Ok(table)
}

fn from_json(key: &str, value: serde_json::Value) -> Result<Value, Fault> {
    use serde_json::Value as Json;
    Ok(match value {
        Json::Null => return Err(Fault::new(key, "null is not a value; leave the key out to get its default")),
        Json::Bool(b) => Value::Boolean(b),
        Json::String(s) => Value::String(s),
        Json::Number(n) => match (n.as_i64(), n.as_u64(), n.as_f64()) {
            (Some(i), _, _) => Value::Integer(i),
            (None, Some(_), _) => {
                return Err(Fault::new(key, format!("{n} is too large; whole numbers end at 2^63 - 1")));
            }
            (_, _, Some(x)) => Value::Float(x),
            _ => return Err(Fault::new(key, format!("{n} is not a number this program can hold"))),
        },
        Json::Array(list) => Value::Array(
            list.into_iter()
                .enumerate()
                .map(|(i, v)| from_json(&format!("{key}[{i}]"), v))
                .collect::<Result<_, _>>()?,
        ),
        Json::Object(map) => {
            let mut table = Table::new();
            for (k, v) in map {
                let v = from_json(&format!("{key}.{k}"), v)?;
                table.insert(k, v);
            }
            Value::Table(table)
        }
    })
}

/// A TOML value as the JSON value that families read.
pub(crate) fn to_json(key: &str, value: &Value) -> Result<serde_json::Value, Fault> {
    use serde_json::Value as Json;
    Ok(match value {
        Value::String(s) => Json::String(s.clone()),
        Value::Integer(i) => Json::from(*i),
        Value::Boolean(b) => Json::Bool(*b),
        Value::Float(x) => serde_json::Number::from_f64(*x)
            .map(Json::Number)
            .ok_or_else(|| Fault::new(key, format!("a finite number is needed, found {x}")))?,
        Value::Datetime(d) => return Err(Fault::new(key, format!("dates are not used here, found {d}"))),
        Value::Array(list) => Json::Array(
            list.iter().enumerate().map(|(i, v)| to_json(&format!("{key}[{i}]"), v)).collect::<Result<_, _>>()?,
        ),
        Value::Table(table) => {
            let mut map = serde_json::Map::new();
            for (k, v) in table {
                map.insert(k.clone(), to_json(&format!("{key}.{k}"), v)?);
            }
            Json::Object(map)
        }
    })
}

/// Brings the shorthands `family = "NAME"` and a top-level `file` to their full form, makes `family.file` absolute,
/// and refuses a section that is not a table.
pub(crate) fn normalise(table: &mut Table, base: &Path) -> Result<(), Fault> {
    if let Some(Value::String(name)) = table.get("family") {
        let mut family = Table::new();
        family.insert("name".into(), Value::String(name.clone()));
        table.insert("family".into(), Value::Table(family));
    }
    for section in ["family", "policy", "inner", "outer"] {
        match table.get(section) {
            None | Some(Value::Table(_)) => {}
            Some(other) => {
                return Err(Fault::new(section, format!("expected a table [{section}], found {}", shown(other))));
            }
        }
    }
    if let Some(file) = table.remove("file") {
        let family = table.entry("family").or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(family) = family
            && family.insert("file".into(), file).is_some()
        {
            return Err(Fault::new("file", "also given as `family.file`; give it once"));
        }
    }
    if let Some(Value::Table(family)) = table.get_mut("family")
        && let Some(Value::String(file)) = family.get_mut("file")
        && !file.is_empty()
    {
        let joined = base.join(&*file);
        let absolute = std::path::absolute(&joined).unwrap_or(joined);
        *file = absolute.to_string_lossy().into_owned();
    }
    Ok(())
}

/// A value for a message: itself if short, else what it is.
pub(crate) fn shown(value: &Value) -> String {
    let text = value.to_string();
    let text = text.trim();
    if text.chars().count() <= 40 && !text.contains('\n') {
        text.to_string()
    } else {
        format!("a {}", value.type_str())
    }
}
