//! Families of Markov decision processes: what a task is and how one is drawn, nothing of learning.
//!
//! A [`family::Family`] is a distribution over [`task::Task`]s; a task is an [`env::Env`]: immutable dynamics over a
//! state that the caller owns, with the random stream as an argument. [`registry`] builds the families this crate
//! brings; a family of your own implements both traits, wraps its tasks in [`task::Task::Custom`], and should pass
//! [`conformance::check`].
//!
//! ```
//! use rand::SeedableRng;
//! use tasks::env::{Action, Env, Rng};
//!
//! let family = tasks::registry::build("navigation/sgmrl", &serde_json::Map::new())?;
//! let mut rng = Rng::seed_from_u64(0);
//! let task = family.sample(&mut rng);
//! let mut state = vec![0.0; task.state_dim()];
//! task.reset(&mut state, &mut rng);
//! let transition = task.step(&mut state, Action::Continuous(&[1.0, 0.0]), &mut rng);
//! assert!((state[0] - 0.01).abs() < 1e-12, "the scale-10 wrapper turns 1 into 0.01");
//! assert!(transition.reward < 0.0);
//! # Ok::<(), tasks::family::FamilyError>(())
//! ```

pub mod analytic;
pub mod atari;
pub mod bandit;
pub mod checksum;
pub mod conformance;
pub mod control;
pub mod dirichlet;
pub mod env;
pub mod family;
pub mod games;
mod gmrl;
pub mod mdps;
mod mdps_json;
pub mod navigation;
pub mod params;
pub mod probes;
pub mod random_mdp;
pub mod registry;
pub mod tabular;
pub mod task;
