//! The contract of one task: immutable dynamics, explicit state, randomness as an argument.

/// The random generator of the whole project: portable, keyed by 256 bits (see the trainer's `rng`).
pub type Rng = rand_chacha::ChaCha8Rng;

/// What an observation or an action is.
#[derive(Clone, Debug, PartialEq)]
pub enum Space {
    /// One of `n` values `0..n`; as an observation it is one number, the index.
    Discrete(usize),
    /// A vector with one bound per coordinate; bounds may be infinite.
    Box {
        /// Lower bounds.
        low: Vec<f64>,
        /// Upper bounds, same length.
        high: Vec<f64>,
    },
}

impl Space {
    /// Numbers needed to hold one element: 1 for `Discrete`, the dimension for `Box`.
    pub fn width(&self) -> usize {
        match self {
            Space::Discrete(_) => 1,
            Space::Box { low, .. } => low.len(),
        }
    }

    /// A box of `dim` coordinates without bounds.
    pub fn unbounded(dim: usize) -> Space {
        Space::Box { low: vec![f64::NEG_INFINITY; dim], high: vec![f64::INFINITY; dim] }
    }
}

/// One action, borrowed from the policy's output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action<'a> {
    /// Index of a discrete action.
    Discrete(usize),
    /// Policy output before any wrapper; the task applies its own scaling and clipping.
    Continuous(&'a [f64]),
}

/// What one decision brought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transition {
    /// Reward r(s, a, s').
    pub reward: f64,
    /// The MDP ended here. Reaching the horizon is *not* termination: the rollout records it as truncation.
    pub terminated: bool,
}

/// One MDP. Dynamics are immutable; the state is a caller-owned slice of `state_dim` numbers.
pub trait Env: Send + Sync {
    /// Observation space.
    fn observation_space(&self) -> Space;
    /// Action space as the policy sees it (before wrappers).
    fn action_space(&self) -> Space;
    /// Decisions per episode at most (T = H + 1); reaching it truncates the episode.
    fn horizon(&self) -> usize;
    /// Numbers in the explicit state.
    fn state_dim(&self) -> usize;
    /// Draws a start state.
    fn reset(&self, state: &mut [f64], rng: &mut Rng);
    /// Takes one decision in place. Draws the same number of random values whatever the action, wherever it can,
    /// so that two policies run with common random numbers stay coupled.
    fn step(&self, state: &mut [f64], action: Action<'_>, rng: &mut Rng) -> Transition;
    /// Writes the observation of `state` (`observation_space().width()` numbers).
    fn observe(&self, state: &[f64], obs: &mut [f64]);
    /// The exact finite MDP behind this task, if it has one.
    fn tabular(&self) -> Option<&crate::tabular::Tabular> {
        None
    }
    /// Position in the plane, for plots of paths (navigation only).
    fn position(&self, _state: &[f64]) -> Option<[f64; 2]> {
        None
    }
    /// Goal in the plane, for plots of paths.
    fn goal(&self) -> Option<[f64; 2]> {
        None
    }
    /// Named numbers that tell this task from the others of its family (goal coordinates, masses, ...).
    fn parameters(&self) -> Vec<(String, f64)> {
        Vec::new()
    }
}
