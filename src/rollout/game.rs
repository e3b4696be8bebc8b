//! Plays of an iterated game, and the policies they were played with.

use crate::policy::memory_one::{Logits, Places, defects};
use crate::rng::Rng;
use tasks::games::{self, PLACES};

/// Episodes of one pair of policies.
#[derive(Clone, Debug, PartialEq)]
pub struct Plays {
    /// Place of every round, episode after episode, flat `[episodes, horizon]`.
    pub places: Vec<u8>,
    /// Rounds per episode.
    pub horizon: usize,
    /// pi_1 pi_2 of the policies that played, by place: what importance ratios are taken to.
    pub behaviour: [f64; PLACES],
}

impl Plays {
    /// Plays `episodes` of `horizon` rounds with these logits.
    ///
    /// # Panics
    /// If the horizon is zero.
    pub fn collect(logits: &Logits, episodes: usize, horizon: usize, rng: &mut Rng) -> Plays {
        assert!(horizon > 0, "an episode has at least one round");
        let mut places = Vec::new();
        games::play(&defects(logits), episodes, horizon, rng, &mut places);
        Plays { places, horizon, behaviour: Places::of(logits).probability }
    }

    /// Number of episodes.
    pub fn episodes(&self) -> usize {
        self.places.len() / self.horizon
    }
}
