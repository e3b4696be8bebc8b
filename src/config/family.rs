//! Section `[family]`: a registry name and that family's own parameters.

use super::checks::Checked;
use super::plan::FamilyChoice;
use super::{Fault, explain, tree};
use tasks::family::Family;
use tasks::registry;

/// Family of an empty configuration.
pub(crate) const DEFAULT: &str = "navigation/sgmrl";

/// Names of all families, comma-separated, with the nearest to `name` first if there is one.
pub(crate) fn unknown(name: &str) -> String {
    let names: Vec<&str> = registry::entries().iter().map(|e| e.name).collect();
    format!("no family is called `{name}`; {}", explain::suggestion(name, &names))
}

/// Builds the family that `section` asks for.
pub(crate) fn build(section: &toml::Table) -> Checked<(FamilyChoice, Box<dyn Family>)> {
    let name = match section.get("name") {
        Some(toml::Value::String(name)) => name.clone(),
        Some(other) => {
            return Err(Fault::new("family.name", format!("expected a string, found {}", tree::shown(other))));
        }
        None if section.is_empty() => DEFAULT.to_string(),
        None => {
            let names: Vec<&str> = registry::entries().iter().map(|e| e.name).collect();
            return Err(Fault::new("family.name", format!("missing; allowed: {}", names.join(", "))));
        }
    };
    let Some(entry) = registry::entries().iter().find(|e| e.name == name) else {
        return Err(Fault::new("family.name", unknown(&name)));
    };
    let mut params = serde_json::Map::new();
    for (key, value) in section.iter().filter(|(key, _)| *key != "name") {
        let dotted = format!("family.{key}");
        if !entry.keys.contains(&key.as_str()) {
            return Err(Fault::new(
                dotted,
                format!("unknown key of `{name}`; {}", explain::suggestion(key, entry.keys)),
            ));
        }
        params.insert(key.clone(), tree::to_json(&dotted, value)?);
    }
    let family = registry::build(&name, &params).map_err(|e| {
        // Cells of a table that stands in its own file are not keys of this configuration.
        let key = if e.key.is_empty() { "family".to_string() } else { format!("family.{}", e.key) };
        Fault::new(key, e.message)
    })?;
    Ok((FamilyChoice { name, params }, family))
}
