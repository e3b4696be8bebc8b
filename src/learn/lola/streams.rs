//! Which random stream a batch of LOLA is played from.

use crate::rng::{Address, Purpose, Rng};

/// Streams of one update of one seed: those that it learns from, or those of a repetition that only measures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streams {
    seed: u64,
    update: u64,
    repetition: Option<usize>,
}

/// Measured look-ahead steps are addressed as repetition times this plus step.
const STRIDE: usize = 1 << 10;

impl Streams {
    pub fn of(seed: u64, update: u64) -> Streams {
        Streams { seed, update, repetition: None }
    }

    pub fn repetition(self, k: usize) -> Streams {
        Streams { repetition: Some(k), ..self }
    }

    fn at(self, purpose: Purpose, ego: usize) -> Address {
        let purpose = if self.repetition.is_some() { Purpose::Measure } else { purpose };
        Address::new(self.seed, purpose).iteration(self.update).task(ego)
    }

    /// Look-ahead step of `ego`, for its value (kind 0) or its Jacobian (kind 1).
    pub fn inner(self, ego: usize, step: usize, kind: usize) -> Rng {
        let step = self.repetition.unwrap_or(0) * STRIDE + step;
        self.at(Purpose::Inner, ego).step(step).episode(kind).stream()
    }

    /// Outer episodes of `ego`.
    pub fn outer(self, ego: usize) -> Rng {
        self.at(Purpose::Outer, ego).step(self.repetition.unwrap_or(0) * STRIDE).episode(2).stream()
    }

    /// The k-th batch of a buffer that is played again to measure.
    pub fn kept(self, ego: usize, k: usize) -> Rng {
        self.at(Purpose::Measure, ego).step(self.repetition.unwrap_or(0) * STRIDE).episode(3 + k).stream()
    }

    /// Episodes of the score.
    pub fn score(self) -> Rng {
        Address::new(self.seed, Purpose::Evaluate).iteration(self.update).stream()
    }
}

/// Initial logits.
pub(super) fn init(seed: u64) -> Rng {
    Address::new(seed, Purpose::Init).stream()
}

/// The k-th batch that a buffer is filled with before the first update.
pub(super) fn fill(seed: u64, k: usize) -> Rng {
    Address::new(seed, Purpose::Init).episode(1 + k).stream()
}
