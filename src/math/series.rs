//! A long autocorrelated series seen one value at a time: running mean, and the mean of its last blocks with an interval.

use super::summary::Estimate;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Non-overlapping batch means of a series that is too long to keep (specification metagrad-atari 4.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Values per block.
    length: u64,
    /// Finished blocks that are kept at most.
    keep: usize,
    /// Means of the last finished blocks, oldest first.
    blocks: VecDeque<f64>,
    /// Sum and number of values in the block that is being filled.
    open: (f64, u64),
    /// Sum and number of all values.
    total: (f64, u64),
}

impl Series {
    /// Blocks of `length` values, of which the last `keep` count.
    ///
    /// # Panics
    /// If either is zero.
    pub fn new(length: u64, keep: usize) -> Series {
        assert!(length > 0 && keep > 0, "blocks of at least one value");
        Series { length, keep, blocks: VecDeque::new(), open: (0.0, 0), total: (0.0, 0) }
    }

    /// Takes in one value.
    pub fn push(&mut self, x: f64) {
        self.total = (self.total.0 + x, self.total.1 + 1);
        self.open = (self.open.0 + x, self.open.1 + 1);
        if self.open.1 == self.length {
            self.blocks.push_back(self.open.0 / self.length as f64);
            self.open = (0.0, 0);
            if self.blocks.len() > self.keep {
                self.blocks.pop_front();
            }
        }
    }

    /// Values seen.
    pub fn count(&self) -> u64 {
        self.total.1
    }

    /// Mean of all values so far: (1/K) sum of the estimates, the left side of theorems on the average squared gradient norm.
    pub fn running(&self) -> f64 {
        self.total.0 / self.total.1.max(1) as f64
    }

    /// Mean of the last finished blocks with a 95 % t-interval over them; of all values, without interval, while there are fewer
    /// than two blocks.
    pub fn recent(&self) -> Estimate {
        if self.blocks.len() < 2 {
            return Estimate { mean: self.running(), low: None, high: None };
        }
        Estimate::of(&self.blocks.iter().copied().collect::<Vec<_>>())
    }

    /// Finished blocks that [`Series::recent`] is made of.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::groups::batch_means;

    #[test]
    fn it_is_the_batch_means_of_the_series_it_saw() {
        let all: Vec<f64> = (0..60).map(|i| ((i * i) % 17) as f64).collect();
        let mut series = Series::new(5, 8);
        for (k, x) in all.iter().enumerate() {
            series.push(*x);
            let whole = (k + 1) / 5 * 5;
            if whole >= 10 {
                assert_eq!(series.recent(), batch_means(&all[..whole], 5, 8));
            }
            assert!((series.running() - all[..=k].iter().sum::<f64>() / (k + 1) as f64).abs() < 1e-12);
        }
        assert_eq!((series.count(), series.blocks()), (60, 8));
        let mut short = Series::new(50, 20);
        short.push(2.0);
        assert_eq!(short.recent(), Estimate { mean: 2.0, low: None, high: None });
    }
}
