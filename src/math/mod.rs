//! Pure mathematics: returns, advantages, statistics; values in, values out.

pub mod advantage;
pub mod hypothesis;
pub mod real;
