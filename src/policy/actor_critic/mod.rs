//! Actor and critic on one network: action distribution and value heads, from output rows to log-probabilities and back.
//!
//! An output row is `[action outputs ; values (heads)]`. The objects ascended are weighted sums over steps i,
//! `sum_i w_i log pi(a_i) + e H_i + sum_h u_hi v_hi`, whose weights may move along a direction: then they are [`Dual`] numbers,
//! and so are the cotangents of the outputs.

mod row;

use super::sample::inverse_cdf;
use crate::batch::Actions;
use crate::diff::exp_in_place;
use crate::math::dual::Dual;
use crate::math::real::Real;
use crate::rng::Rng;
use rand::RngExt;
use rand_distr::{Distribution as _, StandardNormal};
use row::{Taken, divergence};

/// What the first outputs of a row parametrise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionHead {
    /// One logit per action.
    Softmax {
        /// Number of actions.
        actions: usize,
    },
    /// Independent normals: means, then log standard deviations.
    Gaussian {
        /// Coordinates of an action.
        width: usize,
    },
}

/// Layout of the outputs of an actor-critic network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// The policy.
    pub policy: ActionHead,
    /// Value heads: the learner's critic, and a second one for the outer loss if it has its own.
    pub values: usize,
}

/// Action distributions of all output rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution<F> {
    /// Probabilities and their logarithms `[rows, actions]`.
    Softmax {
        /// Probabilities.
        p: Vec<F>,
        /// Their logarithms.
        log_p: Vec<F>,
        /// Number of actions.
        actions: usize,
    },
    /// Means and log standard deviations `[rows, width]`.
    Gaussian {
        /// Means.
        mean: Vec<F>,
        /// Log standard deviations.
        log_std: Vec<F>,
        /// Coordinates of an action.
        width: usize,
    },
}

/// Weights of the steps, with their derivatives along the direction in hand.
#[derive(Clone, Debug, PartialEq)]
pub struct StepWeights<F> {
    /// w: of `log pi(a_i)`, one per step.
    pub log_prob: Vec<Dual<F>>,
    /// e: of the entropy, the same for every step.
    pub entropy: Dual<F>,
    /// u: of the values, per head and step; heads without weights are empty.
    pub values: Vec<Vec<Dual<F>>>,
}

/// Derivatives per row along a direction.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTangents<F> {
    /// Of `log pi(a_i)`, one per step.
    pub log_prob: Vec<F>,
    /// Of the entropy, one per step.
    pub entropy: Vec<F>,
    /// Of the values, per head and row (bootstrap rows too).
    pub values: Vec<Vec<F>>,
}

impl ActionHead {
    /// Outputs it reads per row.
    pub fn outputs(self) -> usize {
        match self {
            ActionHead::Softmax { actions } => actions,
            ActionHead::Gaussian { width } => 2 * width,
        }
    }
}

impl Heads {
    /// Numbers per output row.
    pub fn width(&self) -> usize {
        self.policy.outputs() + self.values
    }

    /// Action distributions of all rows.
    pub fn distribution<F: Real>(&self, outputs: &[F]) -> Distribution<F> {
        let rows = || outputs.chunks_exact(self.width());
        match self.policy {
            ActionHead::Softmax { actions } => {
                let mut log_p: Vec<F> = Vec::with_capacity(outputs.len());
                for y in rows().map(|row| &row[..actions]) {
                    let max = y.iter().fold(F::neg_infinity(), |m, y| if *y > m { *y } else { m });
                    log_p.extend(y.iter().map(|y| *y - max));
                }
                let mut p = log_p.clone();
                exp_in_place(&mut p);
                for (p, l) in p.chunks_exact_mut(actions).zip(log_p.chunks_exact_mut(actions)) {
                    let sum: F = p.iter().copied().sum();
                    let shift = sum.ln();
                    p.iter_mut().for_each(|p| *p /= sum);
                    l.iter_mut().for_each(|l| *l -= shift);
                }
                Distribution::Softmax { p, log_p, actions }
            }
            ActionHead::Gaussian { width } => Distribution::Gaussian {
                mean: rows().flat_map(|row| &row[..width]).copied().collect(),
                log_std: rows().flat_map(|row| &row[width..2 * width]).copied().collect(),
                width,
            },
        }
    }

    /// Appends one action per output row; `rngs[i]` belongs to row i. The draws used do not depend on the outputs: one uniform
    /// number through the inverse CDF, or one normal number per coordinate, as [`super::Policy::sample`].
    ///
    /// # Panics
    /// If `rngs` is not as long as the rows, or `actions` is of the other kind.
    pub fn sample<F: Real>(&self, outputs: &[F], rngs: &mut [Rng], actions: &mut Actions<F>) {
        assert_eq!(outputs.len(), rngs.len() * self.width(), "one generator per row");
        for (row, rng) in outputs.chunks_exact(self.width()).zip(rngs) {
            match (self.policy, &mut *actions) {
                (ActionHead::Softmax { actions: n }, Actions::Discrete(indices)) => {
                    indices.push(inverse_cdf(&row[..n], rng.random::<f64>()));
                }
                (ActionHead::Gaussian { width }, Actions::Continuous { values, .. }) => {
                    for j in 0..width {
                        let noise: f64 = StandardNormal.sample(rng);
                        values.push(row[j] + row[width + j].exp() * F::of(noise));
                    }
                }
                _ => panic!("actions of the other kind"),
            }
        }
    }

    /// Values of one head, all rows.
    pub fn values<F: Real>(&self, outputs: &[F], head: usize) -> Vec<F> {
        assert!(head < self.values, "value head {head} of {}", self.values);
        outputs.iter().skip(self.policy.outputs() + head).step_by(self.width()).copied().collect()
    }

    /// `log pi(a_i)` of the first rows, one per action.
    pub fn log_prob<F: Real>(&self, distribution: &Distribution<F>, actions: &Actions<F>) -> Vec<F> {
        (0..actions.len()).map(|i| Taken::of(distribution, i, actions).log_prob()).collect()
    }

    /// Entropy of the first `rows` rows, nats (differential for densities).
    pub fn entropy<F: Real>(&self, distribution: &Distribution<F>, rows: usize) -> Vec<F> {
        match distribution {
            Distribution::Softmax { p, log_p, actions } => {
                let terms = p.chunks_exact(*actions).zip(log_p.chunks_exact(*actions)).take(rows);
                terms.map(|(p, l)| -p.iter().zip(l).map(|(p, l)| *p * *l).sum::<F>()).collect()
            }
            Distribution::Gaussian { log_std, width, .. } => {
                let constant = F::of(0.5 * (1.0 + (2.0 * std::f64::consts::PI).ln()));
                log_std.chunks_exact(*width).take(rows).map(|s| s.iter().map(|s| *s + constant).sum()).collect()
            }
        }
    }

    /// Cotangents `[rows, width]` of the weighted sum by the outputs; rows behind the steps get zeros.
    pub fn cotangents<F: Real>(
        &self,
        distribution: &Distribution<F>,
        actions: &Actions<F>,
        weights: &StepWeights<F>,
        rows: usize,
    ) -> Vec<F> {
        let n = self.policy.outputs();
        let mut d = vec![F::zero(); rows * self.width()];
        for (i, row) in d.chunks_exact_mut(self.width()).take(actions.len()).enumerate() {
            let taken = Taken::of(distribution, i, actions);
            taken.cotangent(weights.log_prob[i].re, weights.entropy.re, &mut row[..n]);
            for (u, out) in weights.values.iter().zip(&mut row[n..]) {
                *out = u.get(i).map_or(F::zero(), |u| u.re);
            }
        }
        d
    }

    /// Derivatives of log-probability, entropy and values for output tangents `[rows, width]`.
    pub fn tangents<F: Real>(
        &self,
        distribution: &Distribution<F>,
        actions: &Actions<F>,
        y_dot: &[F],
    ) -> StepTangents<F> {
        let n = actions.len();
        let (mut log_prob, mut entropy) = (Vec::with_capacity(n), Vec::with_capacity(n));
        for (i, row) in y_dot.chunks_exact(self.width()).take(n).enumerate() {
            let [l, h] = Taken::of(distribution, i, actions).tangent(&row[..self.policy.outputs()]);
            log_prob.push(l);
            entropy.push(h);
        }
        let values = (0..self.values).map(|head| self.values(y_dot, head)).collect();
        StepTangents { log_prob, entropy, values }
    }

    /// Tangents of [`Heads::cotangents`] for output tangents and the weights' own.
    pub fn cotangent_tangents<F: Real>(
        &self,
        distribution: &Distribution<F>,
        actions: &Actions<F>,
        weights: &StepWeights<F>,
        y_dot: &[F],
    ) -> Vec<F> {
        let n = self.policy.outputs();
        let mut d = vec![F::zero(); y_dot.len()];
        let rows = d.chunks_exact_mut(self.width()).zip(y_dot.chunks_exact(self.width()));
        for (i, (row, y_dot)) in rows.take(actions.len()).enumerate() {
            let [w, e] = [weights.log_prob[i], weights.entropy].map(|x| [x.re, x.du]);
            Taken::of(distribution, i, actions).cotangent_tangent(&y_dot[..n], w, e, &mut row[..n]);
            for (u, out) in weights.values.iter().zip(&mut row[n..]) {
                *out = u.get(i).map_or(F::zero(), |u| u.du);
            }
        }
        d
    }

    /// `KL(new || old)` of the first `steps` rows, nats, and its cotangents `[rows, width]` by the outputs of `new`.
    ///
    /// # Panics
    /// If the distributions are of different kinds.
    pub fn kl<F: Real>(
        &self,
        new: &Distribution<F>,
        old: &Distribution<F>,
        steps: usize,
        rows: usize,
    ) -> (Vec<F>, Vec<F>) {
        let mut d = vec![F::zero(); rows * self.width()];
        let out = d.chunks_exact_mut(self.width()).take(steps).enumerate();
        let kl = out.map(|(i, row)| divergence(new, old, i, &mut row[..self.policy.outputs()])).collect();
        (kl, d)
    }
}
