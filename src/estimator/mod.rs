//! Batch to gradient: the inner step, and every meta-gradient as two independent choices. Never samples.

pub mod choice;
pub mod game;
pub mod inner;
pub mod kstep;
pub mod meta;
pub mod online;
pub mod outer;
pub mod replay;
pub mod surrogate;
pub mod tabular;
