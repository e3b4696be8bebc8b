//! Episodes of one task under one parameter vector: observations, actions, rewards and who they belong to.

use crate::math::real::Real;

/// Actions of a batch, one entry (or one row of `width`) per batch row.
#[derive(Clone, Debug, PartialEq)]
pub enum Actions<F> {
    /// Indices.
    Discrete(Vec<u32>),
    /// Flat `[rows, width]`.
    Continuous {
        /// Coordinates, row-major.
        values: Vec<F>,
        /// Coordinates per action.
        width: usize,
    },
}

impl<F: Real> Actions<F> {
    /// Number of actions held.
    pub fn len(&self) -> usize {
        match self {
            Actions::Discrete(a) => a.len(),
            Actions::Continuous { values, width } => values.len() / width,
        }
    }

    /// Whether no action is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// `n` episodes, stored **time-major**: first the rows of step 0 of every episode, then step 1 of those still running, ...
///
/// One row is one decision. Episodes that end early simply have fewer rows; none is dropped.
#[derive(Clone, Debug)]
pub struct Batch<F> {
    /// Encoded observations, flat `[rows, obs_width]` (what the policy's network reads; for tabular policies the state index).
    pub obs: Vec<F>,
    /// Numbers per encoded observation.
    pub obs_width: usize,
    /// Actions, one per row.
    pub actions: Actions<F>,
    /// Rewards, one per row.
    pub rewards: Vec<f64>,
    /// Row indices of each episode in time order: `rows[offset[e]..offset[e + 1]]`.
    pub rows: Vec<u32>,
    /// Start of each episode in `rows`, length `n + 1`.
    pub offset: Vec<usize>,
    /// Whether the MDP ended the episode (as opposed to the time limit).
    pub terminated: Vec<bool>,
    /// Encoded observation after the last step of each episode, flat `[n, obs_width]` (bootstrap at time-outs).
    pub last_obs: Vec<F>,
}

impl<F: Real> Batch<F> {
    /// Number of episodes n.
    pub fn episodes(&self) -> usize {
        self.offset.len() - 1
    }

    /// Number of decisions over all episodes.
    pub fn steps(&self) -> usize {
        self.rewards.len()
    }

    /// Rows of episode `e` in time order.
    pub fn episode(&self, e: usize) -> &[u32] {
        &self.rows[self.offset[e]..self.offset[e + 1]]
    }

    /// Encoded observation of a row.
    pub fn obs_row(&self, row: usize) -> &[F] {
        &self.obs[row * self.obs_width..(row + 1) * self.obs_width]
    }
}
