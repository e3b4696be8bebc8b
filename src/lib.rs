//! Meta-reinforcement learning that says how far each run is from a stationary point.

pub mod app;
pub mod batch;
pub mod budget;
pub mod cli;
pub mod config;
pub mod diff;
pub mod estimator;
pub mod exact;
pub mod learn;
pub mod math;
pub mod measure;
pub mod optim;
pub mod policy;
pub mod record;
pub mod report;
pub mod rng;
pub mod rollout;
