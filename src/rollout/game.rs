//! Plays of an iterated game, and the policies they were played with.

use crate::rng::Rng;
use tasks::games::{self, STATES};

/// Episodes of one pair of policies.
#[derive(Clone, Debug, PartialEq)]
pub struct Plays {
    /// Place of every round, episode after episode, flat `[episodes, horizon]`.
    pub places: Vec<u8>,
    /// Rounds per episode.
    pub horizon: usize,
    /// P(action 0) of the policies that played, `[player][state]` in the player's own view: what importance ratios are taken to.
    pub behaviour: [[f64; STATES]; 2],
}

impl Plays {
    /// Plays `episodes` of `horizon` rounds with these probabilities of action 0.
    ///
    /// # Panics
    /// If the horizon is zero.
    pub fn collect(behaviour: &[[f64; STATES]; 2], episodes: usize, horizon: usize, rng: &mut Rng) -> Plays {
        assert!(horizon > 0, "an episode has at least one round");
        let mut places = Vec::new();
        games::play(behaviour, episodes, horizon, rng, &mut places);
        Plays { places, horizon, behaviour: *behaviour }
    }

    /// Number of episodes.
    pub fn episodes(&self) -> usize {
        self.places.len() / self.horizon
    }
}
