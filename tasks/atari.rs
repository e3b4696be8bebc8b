//! Atari 2600 games: the emulator behind a trait, the table of games, the preprocessing and the protocols of the literature.
//!
//! The emulator is ALE, which `stillpoint setup atari` compiles on the user's machine; this crate only loads it at run
//! time ([`library`]), so that all else works without it. [`env::AtariEnv`] is what a learner plays.

#[cfg(feature = "ale-sys")]
pub mod ale06;
pub mod emulator;
pub mod env;
pub mod error;
pub mod games;
pub mod home;
pub mod library;
pub mod manifest;
pub mod picture;
pub mod protocol;
pub mod resize;
mod snapshot;

pub use emulator::{Emulator, Frame};
pub use env::{AtariEnv, AtariStep};
pub use error::AtariError;
pub use games::Game;
pub use library::Library;
pub use protocol::Protocol;
