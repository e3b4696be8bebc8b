//! Drivers: wiring, and the one iteration loop.

pub mod check;
pub mod completions;
pub mod evaluate;
pub mod failure;
pub mod gradient;
pub mod tasks;
pub mod train;
