//! Atari games for the actors of an online run.

use crate::app::failure::Failure;
use crate::config::online::Atari;
use crate::rng::{Address, Purpose};
use ::tasks::atari::env::AtariEnv;
use ::tasks::atari::library::Library;
use rand::Rng as _;

/// One game per actor, not started yet, each with a random stream of its own for sticky actions.
pub fn start(atari: &Atari, actors: usize, seed: u64) -> Result<Vec<AtariEnv>, Failure> {
    let refuse = |e: ::tasks::atari::error::AtariError| Failure::Usage(e.to_string());
    let library = Library::of_user().map_err(refuse)?;
    let mut rng = Address::new(seed, Purpose::Task).stream();
    let one = |_| AtariEnv::new(&library, atari.game, atari.protocol.clone(), rng.next_u32()).map_err(refuse);
    (0..actors).map(one).collect()
}
