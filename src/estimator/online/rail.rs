//! The safety rail: meta-gradients that are not finite or explode are counted and skipped; clamp, warm-up and fall-back.

use crate::math::groups::Ema;
use serde::{Deserialize, Serialize};

/// What the rail allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rail {
    /// Largest norm of a meta-gradient in logits; above it counts as exploded and is skipped. Infinite: no limit.
    pub limit: f64,
    /// Largest size of one coordinate; larger ones are clamped.
    pub clamp: Option<f64>,
    /// Updates over which the meta learning rate rises linearly to its value.
    pub warm_up: u64,
    /// When to give up and return to the reference eta'.
    pub fallback: Option<Fallback>,
}

/// Gives up when the outer gap has not fallen for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fallback {
    /// Measurements without a new minimum of the averaged S_out.
    pub patience: u64,
    /// Decay of that average.
    pub decay: f64,
}

/// What the rail has seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RailState {
    /// Meta-gradients judged.
    pub seen: u64,
    /// Skipped because a coordinate was NaN or infinite.
    pub not_finite: u64,
    /// Skipped because the norm was above the limit.
    pub exploded: u64,
    /// Applied with at least one coordinate clamped.
    pub clamped: u64,
    /// Whether the run has returned to the reference for good.
    pub fallen_back: bool,
    /// The update after which it did; states of versions that did not keep it have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fell_after: Option<u64>,
    /// Average of S_out.
    pub average: Ema,
    /// Its minimum so far.
    pub lowest: Option<f64>,
    /// Measurements since that minimum.
    pub since_lowest: u64,
}

/// What to do with a meta-gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// Apply it, with the meta learning rate times this factor.
    Apply {
        /// In (0, 1].
        factor: f64,
    },
    /// Skip: NaN or infinite.
    NotFinite,
    /// Skip: too long.
    Exploded,
    /// Skip: the run has fallen back to the reference.
    FallenBack,
}

impl Default for Rail {
    fn default() -> Rail {
        Rail { limit: 1e6, clamp: None, warm_up: 0, fallback: None }
    }
}

impl Rail {
    /// Nothing seen yet.
    pub fn start(&self) -> RailState {
        RailState {
            seen: 0,
            not_finite: 0,
            exploded: 0,
            clamped: 0,
            fallen_back: false,
            fell_after: None,
            average: Ema::new(self.fallback.map_or(0.0, |f| f.decay)),
            lowest: None,
            since_lowest: 0,
        }
    }

    /// Judges a meta-gradient in logits, and clamps it in place.
    pub fn judge(&self, state: &mut RailState, gradient: &mut [f64]) -> Verdict {
        if state.fallen_back {
            return Verdict::FallenBack;
        }
        state.seen += 1;
        if gradient.iter().any(|g| !g.is_finite()) {
            state.not_finite += 1;
            return Verdict::NotFinite;
        }
        if gradient.iter().map(|g| g * g).sum::<f64>().sqrt() > self.limit {
            state.exploded += 1;
            return Verdict::Exploded;
        }
        if let Some(limit) = self.clamp
            && gradient.iter().any(|g| g.abs() > limit)
        {
            state.clamped += 1;
            gradient.iter_mut().for_each(|g| *g = g.clamp(-limit, limit));
        }
        Verdict::Apply { factor: (state.seen as f64 / self.warm_up.max(1) as f64).min(1.0) }
    }

    /// Takes in the measurement of S_out at an update; true once, when the run should return to the reference eta'.
    ///
    /// The measurement is unbiased for a squared norm and may be negative. While its average is not above zero the gap is below what can
    /// be told: that is neither a minimum, which nothing could fall below, nor a failure to fall. Nor is anything while the meta learning
    /// rate warms up.
    pub fn watch(&self, state: &mut RailState, update: u64, s_out: f64) -> bool {
        let Some(Fallback { patience, .. }) = self.fallback.filter(|_| !state.fallen_back && s_out.is_finite()) else {
            return false;
        };
        state.average.push(s_out);
        let average = state.average.value().unwrap_or(s_out);
        if average <= 0.0 || state.seen < self.warm_up {
            return false;
        }
        if state.lowest.is_none_or(|lowest| average < lowest) {
            state.lowest = Some(average);
            state.since_lowest = 0;
        } else {
            state.since_lowest += 1;
        }
        state.fallen_back = state.since_lowest >= patience;
        state.fell_after = state.fallen_back.then_some(update);
        state.fallen_back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_gradients_are_counted_and_skipped() {
        let rail = Rail { limit: 10.0, clamp: Some(2.0), warm_up: 4, fallback: None };
        let mut state = rail.start();
        assert_eq!(rail.judge(&mut state, &mut [f64::NAN, 0.0]), Verdict::NotFinite);
        assert_eq!(rail.judge(&mut state, &mut [f64::INFINITY]), Verdict::NotFinite);
        assert_eq!(rail.judge(&mut state, &mut [8.0, 8.0]), Verdict::Exploded);
        let mut gradient = [3.0, -1.0];
        assert_eq!(rail.judge(&mut state, &mut gradient), Verdict::Apply { factor: 1.0 });
        assert_eq!(gradient, [2.0, -1.0]);
        assert_eq!([state.seen, state.not_finite, state.exploded, state.clamped], [4, 2, 1, 1]);
        assert_eq!(rail.judge(&mut rail.start(), &mut [0.1]), Verdict::Apply { factor: 0.25 });
    }

    #[test]
    fn it_falls_back_once_the_outer_gap_stops_falling() {
        let rail = Rail { fallback: Some(Fallback { patience: 5, decay: 0.5 }), ..Rail::default() };
        let mut state = rail.start();
        let falling: Vec<bool> = (0..20).map(|k| rail.watch(&mut state, k, 1.0 / (1.0 + k as f64))).collect();
        assert!(!falling.contains(&true) && state.fell_after.is_none());
        let flat: Vec<bool> = (20..40).map(|k| rail.watch(&mut state, k, 0.5)).collect();
        assert_eq!(flat.iter().filter(|b| **b).count(), 1, "once");
        assert!(flat[4] && state.fallen_back);
        assert_eq!(state.fell_after, Some(24), "the first one counts");
        assert_eq!(rail.judge(&mut state, &mut [0.1]), Verdict::FallenBack);
        let mut below = rail.start();
        assert!((0..100).all(|k| !rail.watch(&mut below, k, -1.0)), "below resolution: nothing is known");
        assert!((100..110).any(|k| rail.watch(&mut below, k, 1.0)), "a negative average was no minimum, a flat one is");
        assert_eq!(below.lowest.map(|x| x > 0.0), Some(true));
        let slow = Rail { warm_up: 50, ..rail };
        let mut warming = slow.start();
        assert!((0..49).all(|k| {
            slow.judge(&mut warming, &mut [0.1]);
            !slow.watch(&mut warming, k, 0.5)
        }));
        assert!((49..60).any(|k| {
            slow.judge(&mut warming, &mut [0.1]);
            slow.watch(&mut warming, k, 0.5)
        }));
        let mut off = Rail::default().start();
        assert!((0..100).all(|k| !Rail::default().watch(&mut off, k, 1.0)));
    }
}
