//! A configuration of whichever command: found and read once, told apart by its keys.

use super::shipped::{BIAS, Found, LOLA, ONLINE, Shipped};
use super::{DEFAULT_PRESET, Error, Loaded, Overrides, bias, claims, lola, online, preset, tree};
use std::path::Path;

/// File of a run directory that holds its resolved configuration.
pub const RESOLVED: &str = "config.toml";

/// What a configuration asks for.
pub enum Any {
    /// A run of `train`.
    Train(Box<Loaded>),
    /// A run of `online`.
    Online(Box<online::Plan>),
    /// A run of `lola`.
    Lola(Box<lola::Plan>),
    /// A study of `bias`.
    Bias(Box<bias::Plan>),
}

#[derive(Clone, Copy)]
enum Command {
    Train,
    Online,
    Lola,
    Bias,
}

/// The commands beside `train` with their shipped files; `online/NAME` tells one of `online` from a preset of `train` with the same name.
const BESIDE: [(Command, &Shipped, &str, &str); 3] = [
    (Command::Online, &ONLINE, "online/", "configuration"),
    (Command::Lola, &LOLA, "lola/", "configuration"),
    (Command::Bias, &BIAS, "bias/", "study"),
];

impl Command {
    /// The command that a text is for; `train` gets what is for none, and says what is wrong with it.
    fn of(text: &str, format: tree::Format) -> Command {
        match tree::parse(text, format) {
            Ok(table) if online::is_own(&table) => Command::Online,
            Ok(table) if lola::is_own(&table) => Command::Lola,
            Ok(table) if bias::is_own(&table) => Command::Bias,
            _ => Command::Train,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Command::Train => "train",
            Command::Online => "online",
            Command::Lola => "lola",
            Command::Bias => "bias",
        }
    }

    fn parse(self, found: &Found, overrides: &Overrides) -> Result<Any, Error> {
        let Found { text, source, format, base } = found;
        Ok(match self {
            Command::Train => Any::Train(Box::new(super::parse(text, source, *format, base, overrides)?)),
            Command::Online => Any::Online(Box::new(online::parse(text, source, *format, overrides)?)),
            Command::Lola => Any::Lola(Box::new(lola::parse(text, source, *format, overrides)?)),
            Command::Bias => Any::Bias(Box::new(bias::parse(text, source, *format, base, overrides)?)),
        })
    }
}

/// The command whose run has this resolved configuration; `train` if it is that of none.
pub fn command(resolved: &str) -> &'static str {
    match claims::is_claims(resolved) {
        true => Command::Bias.name(),
        false => Command::of(resolved, tree::Format::Toml).name(),
    }
}

/// What `target` asks for, and where it was found. It is a file, a run directory, the name of a preset of `train` (the default one if
/// `None`), or that of what another command ships, with or without `online/`, `lola/`, `bias/` before it.
///
/// # Errors
/// There is no such thing, or the command it is for would refuse it.
pub fn load(target: Option<&str>, overrides: &Overrides) -> Result<(Any, String), Error> {
    let name = target.unwrap_or(DEFAULT_PRESET);
    let path = Path::new(name);
    if path.exists() {
        let found = if path.is_dir() { of_run(path)? } else { Found::read(path)? };
        return Ok((Command::of(&found.text, found.format).parse(&found, overrides)?, found.source));
    }
    let beside = BESIDE.iter().find_map(|&(command, shipped, prefix, kind)| {
        let own = name.strip_prefix(prefix).or_else(|| preset::text(name).is_none().then_some(name))?;
        shipped.text(own).map(|_| (command, shipped, own, kind, prefix.trim_end_matches('/')))
    });
    match beside {
        Some((command, shipped, own, kind, of)) => {
            let any = command.parse(&shipped.find(own)?, overrides)?;
            Ok((any, format!("{kind} {own} of `{of}`")))
        }
        None => {
            let loaded = super::load(target, overrides)?;
            let source = loaded.source.clone();
            Ok((Any::Train(Box::new(loaded)), source))
        }
    }
}

/// The resolved configuration of a run directory.
fn of_run(dir: &Path) -> Result<Found, Error> {
    let file = dir.join(RESOLVED);
    if !file.is_file() {
        let message = format!("is not a run directory: it has no {RESOLVED}");
        return Err(Error { source: dir.display().to_string(), key: String::new(), message });
    }
    Found::read(&file)
}

#[cfg(test)]
mod tests {
    use super::super::shipped::TRAIN;
    use super::*;

    fn of(name: &str) -> &'static str {
        match load(Some(name), &Overrides::default()) {
            Ok((Any::Train(_), _)) => "train",
            Ok((Any::Online(_), _)) => "online",
            Ok((Any::Lola(_), _)) => "lola",
            Ok((Any::Bias(_), _)) => "bias",
            Err(why) => panic!("{name}: {why}"),
        }
    }

    #[test]
    fn a_name_is_that_of_a_preset_of_train_first_and_of_the_command_before_it() {
        for (name, _) in TRAIN.files {
            assert_eq!(of(name), "train", "{name}");
        }
        for (_, shipped, prefix, _) in BESIDE {
            for (name, _) in shipped.files {
                let command = prefix.trim_end_matches('/');
                assert_eq!(of(&format!("{prefix}{name}")), command, "{name}");
                assert_eq!(of(name), if TRAIN.text(name).is_some() { "train" } else { command }, "{name}");
            }
        }
    }
}
