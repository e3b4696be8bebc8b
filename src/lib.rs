//! Meta-reinforcement learning that says how far each run is from a stationary point.

pub mod batch;
pub mod diff;
pub mod math;
pub mod policy;
pub mod rng;
