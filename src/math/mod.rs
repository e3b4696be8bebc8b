//! Pure mathematics: returns, advantages, statistics; values in, values out.

pub mod real;
