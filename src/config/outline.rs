//! What a resolved configuration is about, without building its family or policy.

use super::{Error, raw, tree};

/// The few facts that tell runs apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Name of the run.
    pub name: String,
    /// Family of tasks.
    pub family: String,
    /// Meta-gradient estimator.
    pub estimator: String,
    /// Seed of every random stream.
    pub seed: u64,
    /// Outer iterations (`online`: updates) in total.
    pub iterations: u64,
    /// It is a run of `online`.
    pub is_online: bool,
}

/// Reads the outline from the TOML `text` of a resolved configuration; `source` names it in messages.
///
/// # Errors
/// Not TOML, an unknown key or a wrong type, or a key of the outline is missing.
pub fn read(text: &str, source: &str) -> Result<Outline, Error> {
    let fail = |key: &str, message: String| Error { source: source.into(), key: key.into(), message };
    let table = tree::parse(text, tree::Format::Toml).map_err(|m| fail("", m))?;
    if super::online::is_own(&table) {
        return online(&table).map_err(|key| fail(key, "is missing; a resolved configuration has it".into()));
    }
    let foreign = [
        (super::lola::is_own(&table), super::lola::FOREIGN),
        (super::bias::is_own(&table), super::bias::FOREIGN),
        (super::claims::is_own(&table), super::claims::FOREIGN),
    ];
    if let Some((_, why)) = foreign.iter().find(|(is_own, _)| *is_own) {
        return Err(fail("", (*why).into()));
    }
    let raw = raw::Raw::from_table(table).map_err(|f| fail(&f.key, f.message))?;
    let missing = |key: &str| fail(key, "is missing; a resolved configuration has it".into());
    let family = raw.family.get("name").and_then(toml::Value::as_str);
    Ok(Outline {
        name: raw.name.ok_or_else(|| missing("name"))?,
        family: family.ok_or_else(|| missing("family.name"))?.to_string(),
        estimator: raw.outer.estimator.ok_or_else(|| missing("outer.estimator"))?,
        seed: raw.seed.ok_or_else(|| missing("seed"))?,
        iterations: raw.iterations.ok_or_else(|| missing("iterations"))?,
        is_online: false,
    })
}

/// The outline of a run of `online`: what it learns stands for the estimator. On failure the key that is missing.
fn online(table: &toml::Table) -> Result<Outline, &'static str> {
    let number = |key: &'static str| table.get(key).and_then(toml::Value::as_integer).ok_or(key);
    let below = |section: &str, key: &str| table.get(section)?.get(key)?.as_str();
    let learned = table.keys().filter(|section| below(section, "mode") == Some("meta"));
    let learned: Vec<&str> = learned.map(String::as_str).collect();
    let task = below("family", "name").or_else(|| below("task", "name")).or_else(|| below("atari", "game"));
    Ok(Outline {
        name: table.get("name").and_then(toml::Value::as_str).ok_or("name")?.to_string(),
        family: task.ok_or("task.name")?.to_string(),
        estimator: match learned.as_slice() {
            [] => "nothing learned".into(),
            all => format!("{} learned", all.join(" and ")),
        },
        seed: number("seed")? as u64,
        iterations: number("updates")? as u64,
        is_online: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Overrides};

    #[test]
    fn the_outline_is_that_of_the_plan() {
        for (name, _) in config::shipped::TRAIN.files {
            let Ok(loaded) = config::load(Some(name), &Overrides::default()) else { continue };
            let outline = read(&config::resolved(&loaded.plan), "config.toml").expect(name);
            let plan = loaded.plan;
            assert_eq!((outline.seed, outline.iterations), (plan.seed, plan.iterations));
            assert_eq!((outline.name, outline.family), (plan.name, plan.family.name));
            assert_eq!(outline.estimator, plan.options.outer.estimator.name);
        }
    }

    #[test]
    fn the_outline_of_online_is_that_of_the_plan() {
        for (name, _) in config::shipped::ONLINE.files {
            let plan = config::online::load(name, &Overrides::default()).expect(name);
            let outline = read(&config::online::resolved(&plan), "config.toml").expect(name);
            assert_eq!((outline.seed, outline.iterations, outline.is_online), (plan.seed, plan.updates(), true));
            assert_eq!(outline.name, plan.name);
        }
        let message = read("updates = 1\nseed = 1\n[gamma]\nmode = \"meta\"\n", "c.toml").expect_err("bad").to_string();
        assert!(message.contains("`name`"), "{message}");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let message = |text| read(text, "c.toml").expect_err("bad").to_string();
        assert!(message("seed = 1\nname = \"x\"\n").contains("`family.name`"));
        assert!(message("seed = \"one\"\n").contains("`seed`"));
        assert!(message("seed = ").contains("TOML"));
        assert!(message("repeats = 4\n").contains("study of `bias`"));
        assert!(message("claims = \"liu-2022\"\n").contains("table of claims"));
    }
}
