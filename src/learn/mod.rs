//! Learners: state, options and `step() -> Row`. They never loop over iterations and never write.

pub mod kstep;
pub mod lola;
pub mod meta;
pub mod online;
pub mod options;
pub mod sample;
mod update;
pub mod updates;
