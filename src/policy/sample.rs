//! Drawing actions, the deterministic action, and per-row log-probability, entropy, value and probabilities.

use super::categorical::Logits;
use super::{MlpGaussian, Policy};
use crate::batch::Actions;
use crate::diff::Tape;
use crate::math::real::Real;
use crate::rng::Rng;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use std::ops::Range;

impl Policy {
    /// Appends one action per tape row in `rows`; `rngs[i]` belongs to the i-th row of the range.
    ///
    /// Discrete: one uniform draw through the inverse CDF. Gaussian: one standard normal draw per coordinate. The draws used
    /// do not depend on `theta` or `F`, so that two policies with equal generators stay coupled (common random numbers).
    ///
    /// # Panics
    /// If `rngs` is not as long as `rows`, or `actions` is of the other kind.
    pub fn sample<F: Real>(
        &self,
        theta: &[F],
        tape: &Tape<F>,
        rows: Range<usize>,
        rngs: &mut [Rng],
        actions: &mut Actions<F>,
    ) {
        assert_eq!(rngs.len(), rows.len(), "one generator per row");
        match (self, actions) {
            (Policy::Gaussian(p), Actions::Continuous { values, .. }) => {
                p.append(theta, tape, rows, values, |i| StandardNormal.sample(&mut rngs[i]));
            }
            (_, Actions::Discrete(indices)) => {
                for (row, rng) in rows.zip(rngs) {
                    let logits = &tape.output_row(row)[..self.action_outputs()];
                    indices.push(inverse_cdf(logits, rng.random::<f64>()));
                }
            }
            _ => panic!("actions of the other kind"),
        }
    }

    /// Appends the deterministic action per tape row in `rows`: the most probable index (the first of equals) or the mean.
    ///
    /// # Panics
    /// If `actions` is of the other kind.
    pub fn mean_action<F: Real>(&self, theta: &[F], tape: &Tape<F>, rows: Range<usize>, actions: &mut Actions<F>) {
        match (self, actions) {
            (Policy::Gaussian(p), Actions::Continuous { values, .. }) => p.append(theta, tape, rows, values, |_| 0.0),
            (_, Actions::Discrete(indices)) => {
                for row in rows {
                    let logits = &tape.output_row(row)[..self.action_outputs()];
                    let best = (1..logits.len()).fold(0, |best, j| if logits[j] > logits[best] { j } else { best });
                    indices.push(best as u32);
                }
            }
            _ => panic!("actions of the other kind"),
        }
    }

    /// `out[i] = log pi(a_i | s_i)` for every row of the tape; densities include the normalising constant.
    ///
    /// # Panics
    /// If there is not one action of the right kind per row.
    pub fn log_prob<F: Real>(&self, theta: &[F], tape: &Tape<F>, actions: &Actions<F>, out: &mut Vec<F>) {
        assert_eq!(actions.len(), tape.rows(), "one action per row of the tape");
        match (self, actions) {
            (Policy::Gaussian(p), Actions::Continuous { values, .. }) => {
                out.clear();
                out.resize(tape.rows(), F::zero());
                for d in 0..p.width {
                    let coordinate = p.coordinate(theta, d);
                    let means = tape.output().iter().skip(d).step_by(tape.output_width().max(1));
                    for ((out, mean), a) in out.iter_mut().zip(means).zip(values.iter().skip(d).step_by(p.width)) {
                        *out += coordinate.log_prob(*a - *mean);
                    }
                }
            }
            (_, Actions::Discrete(indices)) => self.logits(tape).log_prob(indices, out),
            _ => panic!("actions of the other kind"),
        }
    }

    /// `out[i] = H(pi(. | s_i))` in nats (differential entropy for densities) for every row of the tape.
    pub fn entropy<F: Real>(&self, theta: &[F], tape: &Tape<F>, out: &mut Vec<F>) {
        match self {
            Policy::Gaussian(p) => {
                let entropy: F = (0..p.width).map(|d| p.coordinate(theta, d).entropy()).sum();
                out.clear();
                out.resize(tape.rows(), entropy);
            }
            _ => self.logits(tape).entropy(out),
        }
    }

    /// `out[i] = V(s_i)` for every row of the tape.
    ///
    /// # Panics
    /// If the policy has no value head.
    pub fn value<F: Real>(&self, tape: &Tape<F>, out: &mut Vec<F>) {
        assert!(self.has_value(), "policy without a value head");
        out.clear();
        out.extend(tape.output().iter().skip(self.action_outputs()).step_by(tape.output_width().max(1)));
    }

    /// `out[i, :] = pi(. | s_i)`, flat `[rows, actions]`, for every row of the tape.
    ///
    /// # Panics
    /// If actions are continuous.
    pub fn probabilities<F: Real>(&self, tape: &Tape<F>, out: &mut Vec<F>) {
        assert!(!matches!(self, Policy::Gaussian(_)), "a density has no table of probabilities");
        self.logits(tape).softmax(out, &mut Vec::new());
    }

    /// The logits of every row of the tape.
    pub(super) fn logits<'a, F: Real>(&self, tape: &'a Tape<F>) -> Logits<'a, F> {
        Logits { outputs: tape.output(), stride: tape.output_width(), n: self.action_outputs() }
    }
}

impl MlpGaussian {
    /// Appends `mean + std * noise(i)` per row and coordinate; each row's coordinates are drawn in order.
    fn append<F: Real>(
        &self,
        theta: &[F],
        tape: &Tape<F>,
        rows: Range<usize>,
        values: &mut Vec<F>,
        mut noise: impl FnMut(usize) -> f64,
    ) {
        let first = values.len();
        values.resize(first + rows.len() * self.width, F::zero());
        for d in 0..self.width {
            let std = self.coordinate(theta, d).log_std.exp();
            for (i, row) in rows.clone().enumerate() {
                values[first + i * self.width + d] = tape.output_row(row)[d] + std * F::of(noise(i));
            }
        }
    }
}

/// The first index whose cumulative softmax probability exceeds `u` in [0, 1).
pub(super) fn inverse_cdf<F: Real>(logits: &[F], u: f64) -> u32 {
    let max = logits.iter().fold(f64::NEG_INFINITY, |m, y| m.max(y.f64()));
    let weight = |y: &F| (y.f64() - max).exp();
    let mut left = u * logits.iter().map(weight).sum::<f64>();
    for (j, y) in logits.iter().enumerate() {
        left -= weight(y);
        if left < 0.0 {
            return j as u32;
        }
    }
    // Rounding, or NaN logits: the last action that has any weight.
    (0..logits.len()).rfind(|&j| weight(&logits[j]) > 0.0).unwrap_or(0) as u32
}
