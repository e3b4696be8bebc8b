//! Families of Markov decision processes: what a task is and how one is drawn, nothing of learning.

pub mod env;
pub mod family;
pub mod tabular;
pub mod task;
