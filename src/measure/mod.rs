//! Looks at a learner from outside, on its own random streams, so that probing cannot perturb training.

pub mod adaptation;
pub mod bias;
pub mod gap;
pub mod gradient;
pub mod play;
pub mod smoothness;
