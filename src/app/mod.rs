//! Drivers: wiring, and the one iteration loop.

pub mod bias;
pub mod check;
pub mod clock;
pub mod compare;
pub mod completions;
pub mod evaluate;
pub mod failure;
pub mod gradient;
pub mod gradient_report;
pub mod interrupt;
pub mod learnt;
mod lifetime;
pub mod lola;
pub mod online;
pub mod progress;
pub mod report;
mod runs;
pub mod saved;
pub mod setup;
pub mod stationarity;
pub mod tasks;
pub mod train;
pub mod trajectories;
pub mod watch;
