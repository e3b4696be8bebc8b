//! Atari games for the actors of an online run.

use crate::app::failure::Failure;
use crate::config::Error;
use crate::config::online::{Atari, Choice, Plan, Problem};
use crate::rng::{Address, Purpose};
use ::tasks::atari::env::AtariEnv;
use ::tasks::atari::home;
use ::tasks::atari::library::Library;
use rand::Rng as _;
use std::path::PathBuf;

/// The key that names a game, and so its ROM.
const KEY: &str = "atari.game";

/// The emulator.
///
/// # Errors
/// It is not installed, damaged, or of another version.
pub fn library() -> Result<Library, Failure> {
    Library::of_user().map_err(|e| Failure::Usage(e.to_string()))
}

/// Who asked for the game, for messages: the last of the changes `set` that names one, else `source`.
pub fn asked(source: &str, set: &[String]) -> String {
    let names_it =
        |change: &&String| change.split_once('=').is_some_and(|(key, _)| ["atari", KEY].contains(&key.trim()));
    set.iter().rev().find(names_it).map_or_else(|| source.to_string(), |change| format!("--set {change}"))
}

/// The ROM of the game, found to be the right one; `source` is who asked for it.
///
/// # Errors
/// It is missing or wrong: names `source`, key and file.
pub fn rom(library: &Library, atari: &Atari, source: &str) -> Result<PathBuf, Failure> {
    let path = library.home().rom(atari.game);
    match home::verify(&path, atari.game) {
        Ok(()) => Ok(path),
        Err(e) => {
            let message = format!("{}: {e}", atari.game.name);
            Err(Error { source: source.to_string(), key: KEY.into(), message }.into())
        }
    }
}

/// Whether all that `plan` plays on is installed; `source` is who asked for it. Plans without a game need nothing.
///
/// # Errors
/// As [`library`] and [`rom`].
pub fn ready(plan: &Plan, source: &str) -> Result<(), Failure> {
    if let Choice::ActorCritic(control) = &plan.learner
        && let Problem::Atari(atari, _) = &control.problem
    {
        rom(&library()?, atari, source)?;
    }
    Ok(())
}

/// One game per actor, not started yet, each with a random stream of its own for sticky actions.
///
/// # Errors
/// As [`library`]; the game cannot be started.
pub fn start(atari: &Atari, actors: usize, seed: u64) -> Result<Vec<AtariEnv>, Failure> {
    let library = library()?;
    let mut rng = Address::new(seed, Purpose::Task).stream();
    let mut one = |_| {
        let game = AtariEnv::new(&library, atari.game, atari.protocol.clone(), rng.next_u32());
        game.map_err(|e| Failure::Usage(format!("key `{KEY}`: {}: {e}", atari.game.name)))
    };
    (0..actors).map(&mut one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_change_that_names_a_game_asked_for_it() {
        let of = |set: &[&str]| asked("a.toml", &set.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(of(&[]), "a.toml");
        assert_eq!(of(&["updates=3", "atari.sticky=0.25", "name=atari"]), "a.toml");
        assert_eq!(of(&["atari=pong", "atari.game = qbert", "updates=3"]), "--set atari.game = qbert");
        assert_eq!(of(&["atari.game=qbert", "atari=pong"]), "--set atari=pong");
    }
}
