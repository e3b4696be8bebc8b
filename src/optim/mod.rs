//! Gradient to parameters: outer optimisers (ascent) and gradient clipping, over flat vectors.

mod conjugate_gradient;
mod differential;
mod rule;

pub use conjugate_gradient::{Solution, conjugate_gradient};
pub use differential::{Differential, Moving};
pub use rule::{Rule, clip_differential};

use crate::math::real::{Real, inner_product};
use serde::{Deserialize, Serialize};

/// Outer optimiser. All ascend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimiser {
    /// `theta += beta g`, constant beta (the theory).
    Sgd {
        /// Step size.
        beta: f64,
    },
    /// Adam (Kingma & Ba 2015) with bias correction.
    Adam {
        /// Step size.
        beta: f64,
        /// First-moment decay (0.9).
        beta1: f64,
        /// Second-moment decay (0.999).
        beta2: f64,
        /// Added to the root of the second moment (1e-8).
        epsilon: f64,
    },
    /// RMSProp in one of its two dialects.
    RmsProp {
        /// Step size.
        beta: f64,
        /// Decay of the mean square.
        decay: f64,
        /// Added inside or outside of the root, as the dialect says.
        epsilon: f64,
        /// Where epsilon goes.
        dialect: RmsPropDialect,
        /// First mean square: [`RmsPropDialect::initial`] in the libraries.
        initial: f64,
    },
}

/// The two RMSProps in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RmsPropDialect {
    /// `g / sqrt(ms + epsilon)`, mean square starts at one.
    TensorFlow,
    /// `g / (sqrt(ms) + epsilon)`, mean square starts at zero.
    PyTorch,
}

impl RmsPropDialect {
    /// Mean square that the library starts from.
    pub fn initial(self) -> f64 {
        match self {
            RmsPropDialect::TensorFlow => 1.0,
            RmsPropDialect::PyTorch => 0.0,
        }
    }
}

/// Moments an optimiser carries between steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State<F> {
    /// Steps taken.
    pub steps: u64,
    /// First moment (Adam), else empty.
    pub first: Vec<F>,
    /// Second moment (Adam, RMSProp), else empty.
    pub second: Vec<F>,
}

impl Optimiser {
    /// Fresh state for `n` parameters.
    pub fn start<F: Real>(&self, n: usize) -> State<F> {
        let (first, second) = match self {
            Optimiser::Sgd { .. } => (Vec::new(), Vec::new()),
            Optimiser::Adam { .. } => (vec![F::zero(); n], vec![F::zero(); n]),
            Optimiser::RmsProp { initial, .. } => (Vec::new(), vec![F::of(*initial); n]),
        };
        State { steps: 0, first, second }
    }

    /// Step size.
    pub fn rate(&self) -> f64 {
        match *self {
            Optimiser::Sgd { beta } | Optimiser::Adam { beta, .. } | Optimiser::RmsProp { beta, .. } => beta,
        }
    }

    /// The same optimiser with its step size multiplied: schedules and warm-up.
    pub fn scaled(mut self, factor: f64) -> Optimiser {
        match &mut self {
            Optimiser::Sgd { beta } | Optimiser::Adam { beta, .. } | Optimiser::RmsProp { beta, .. } => *beta *= factor,
        }
        self
    }

    /// One ascent step in place. `gradient`, `theta` and the state's moments have the same length.
    pub fn ascend<F: Real>(&self, state: &mut State<F>, gradient: &[F], theta: &mut [F]) {
        state.steps += 1;
        self.ascend_part(state.steps, [&mut state.first, &mut state.second], gradient, theta);
    }

    /// Step number `step` (from 1) of some coordinates: no coordinate depends on another. Moments are first and second, empty where the
    /// optimiser has none.
    ///
    /// # Panics
    /// If gradient and parameters differ in length.
    pub fn ascend_part<F: Real>(&self, step: u64, [first, second]: [&mut [F]; 2], gradient: &[F], theta: &mut [F]) {
        assert_eq!(gradient.len(), theta.len());
        match *self {
            Optimiser::Sgd { beta } => {
                let beta = F::of(beta);
                for (x, &g) in theta.iter_mut().zip(gradient) {
                    *x += beta * g;
                }
            }
            Optimiser::Adam { beta, beta1, beta2, epsilon } => {
                let k = step as f64;
                let rate = F::of(beta * (1.0 - beta2.powf(k)).sqrt() / (1.0 - beta1.powf(k)));
                let eps = F::of(epsilon * (1.0 - beta2.powf(k)).sqrt());
                let (b1, b2) = (F::of(beta1), F::of(beta2));
                // rounded once: in f32, 1 - f32(0.999) would be off by 5e-5
                let (c1, c2) = (F::of(1.0 - beta1), F::of(1.0 - beta2));
                let moments = first.iter_mut().zip(second);
                for ((x, &g), (m, s)) in theta.iter_mut().zip(gradient).zip(moments) {
                    *m = b1 * *m + c1 * g;
                    *s = b2 * *s + c2 * g * g;
                    *x += rate * *m / (s.sqrt() + eps);
                }
            }
            Optimiser::RmsProp { beta, decay, epsilon, dialect, .. } => {
                let (beta, eps) = (F::of(beta), F::of(epsilon));
                let (decay, rest) = (F::of(decay), F::of(1.0 - decay));
                for ((x, &g), s) in theta.iter_mut().zip(gradient).zip(second) {
                    *s = decay * *s + rest * g * g;
                    *x += match dialect {
                        RmsPropDialect::TensorFlow => beta * g / (*s + eps).sqrt(),
                        RmsPropDialect::PyTorch => beta * g / (s.sqrt() + eps),
                    };
                }
            }
        }
    }
}

/// Euclidean norm, accumulated in f64.
pub fn norm<F: Real>(x: &[F]) -> f64 {
    inner_product(x, x).sqrt()
}

/// Scales `gradient` so that its norm is at most `limit`; returns the norm before.
pub fn clip<F: Real>(gradient: &mut [F], limit: f64) -> f64 {
    let before = norm(gradient);
    if before > limit {
        let scale = F::of(clip_factor(before, limit));
        gradient.iter_mut().for_each(|g| *g *= scale);
    }
    before
}

/// What a vector of this norm is multiplied by so that its norm is at most `limit`.
pub fn clip_factor(norm: f64, limit: f64) -> f64 {
    if norm > limit { limit / norm } else { 1.0 }
}

/// Elementwise mean of vectors of one length, accumulated in order and in f64: the same however the vectors were computed.
pub fn mean_of<'a, F: Real>(vectors: impl ExactSizeIterator<Item = &'a [F]>) -> Vec<F> {
    let count = vectors.len() as f64;
    let mut total: Vec<f64> = Vec::new();
    for vector in vectors {
        total.resize(vector.len(), 0.0);
        total.iter_mut().zip(vector).for_each(|(t, &x)| *t += x.f64());
    }
    total.iter().map(|&t| F::of(t / count)).collect()
}
