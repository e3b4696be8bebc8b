//! Families of Markov decision processes: what a task is and how one is drawn, nothing of learning.

pub mod analytic;
pub mod bandit;
pub mod conformance;
pub mod control;
pub mod dirichlet;
pub mod env;
pub mod family;
pub mod mdps;
mod mdps_json;
pub mod navigation;
pub mod params;
pub mod probes;
pub mod random_mdp;
pub mod registry;
pub mod tabular;
pub mod task;
