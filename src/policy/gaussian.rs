//! The Gaussian head: log-probability and entropy of means and log standard deviations, and their derivatives.
//!
//! Per coordinate with z = a - mean and s = max(log_std, min): l = -z^2 e^{-2s} / 2 - s - log(2 pi) / 2 and
//! H = s + log(2 pi e) / 2. Coordinates are independent, so every routine handles one coordinate of all rows at a time.

use super::{MlpGaussian, Policy};
use crate::math::real::Real;

/// log(2 pi).
const LOG_TWO_PI: f64 = 1.837_877_066_409_345_6;

/// One coordinate: its log standard deviation, its precision, and whether the parameter is free (not below its limit).
#[derive(Clone, Copy)]
pub(super) struct Coordinate<F> {
    pub log_std: F,
    pub precision: F,
    pub free: bool,
}

impl MlpGaussian {
    /// Coordinate `d` under `theta`.
    pub(super) fn coordinate<F: Real>(&self, theta: &[F], d: usize) -> Coordinate<F> {
        let parameter = theta[self.trunk.mlp.n_params() + d];
        let limit = self.min_log_std.map(F::of);
        // NaN is not below the limit, so it stays visible.
        let free = limit.is_none_or(|limit| parameter >= limit || parameter.is_nan());
        let log_std = if free { parameter } else { limit.unwrap_or(parameter) };
        Coordinate { log_std, precision: (-(log_std + log_std)).exp(), free }
    }
}

impl<F: Real> Coordinate<F> {
    /// `l` for `z = a - mean`.
    pub fn log_prob(self, z: F) -> F {
        -F::of(0.5) * (z * z * self.precision + F::of(LOG_TWO_PI)) - self.log_std
    }

    /// `H`, nats.
    pub fn entropy(self) -> F {
        self.log_std + F::of(0.5 * (1.0 + LOG_TWO_PI))
    }

    /// `dl/dmean` and `dl/ds`.
    pub fn score(self, z: F) -> [F; 2] {
        let scaled = z * self.precision;
        [scaled, z * scaled - F::one()]
    }

    /// Tangents of [`Coordinate::score`] along mean tangent `m` and log-std tangent `s`.
    pub fn score_tangent(self, z: F, m: F, s: F) -> [F; 2] {
        let two = F::of(2.0);
        let scaled = z * self.precision;
        [-(m * self.precision) - two * s * scaled, -two * scaled * (m + s * z)]
    }

    /// Tangent of the effective log standard deviation for a parameter tangent: 0 where clamped.
    pub fn log_std_tangent(self, parameter: F) -> F {
        if self.free { parameter } else { F::zero() }
    }
}

impl Policy {
    /// Standard deviations per action coordinate under `theta` (empty for discrete policies).
    pub fn std<F: Real>(&self, theta: &[F]) -> Vec<F> {
        match self {
            Policy::Gaussian(p) => (0..p.width).map(|d| p.coordinate(theta, d).log_std.exp()).collect(),
            _ => Vec::new(),
        }
    }
}
