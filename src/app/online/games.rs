//! Atari games for the actors of an online run.

use crate::app::failure::Failure;
use crate::config::online::Atari;
use crate::rng::{Address, Purpose};
use ::tasks::atari::env::AtariEnv;
use ::tasks::atari::library::Library;
use rand::Rng as _;

/// The emulator.
///
/// # Errors
/// It is not installed, or of another version.
pub fn library() -> Result<Library, Failure> {
    Library::of_user().map_err(|e| Failure::Usage(e.to_string()))
}

/// One game per actor, not started yet, each with a random stream of its own for sticky actions.
pub fn start(atari: &Atari, actors: usize, seed: u64) -> Result<Vec<AtariEnv>, Failure> {
    let library = library()?;
    let mut rng = Address::new(seed, Purpose::Task).stream();
    let mut one = |_| {
        let game = AtariEnv::new(&library, atari.game, atari.protocol.clone(), rng.next_u32());
        game.map_err(|e| Failure::Usage(e.to_string()))
    };
    (0..actors).map(&mut one).collect()
}
