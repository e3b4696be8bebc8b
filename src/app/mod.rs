//! Drivers: wiring, and the one iteration loop.

pub mod failure;
