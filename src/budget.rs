//! What a run has spent: environment steps, episodes, gradients and Hessian-vector products.

use serde::{Deserialize, Serialize};

/// Counts, added up where they are spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Environment steps (decisions), re-simulated ones included.
    pub environment_steps: u64,
    /// Episodes, re-simulated ones included.
    pub episodes: u64,
    /// Gradients of a batch surrogate.
    pub gradients: u64,
    /// Hessian-vector products of a batch surrogate.
    pub hvps: u64,
}

impl std::ops::AddAssign for Budget {
    fn add_assign(&mut self, other: Budget) {
        self.environment_steps += other.environment_steps;
        self.episodes += other.episodes;
        self.gradients += other.gradients;
        self.hvps += other.hvps;
    }
}
