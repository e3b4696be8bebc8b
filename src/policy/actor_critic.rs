//! Actor and critic on one network: softmax policy and value heads, from output rows to log-probabilities and back.
//!
//! An output row is `[logits (actions) ; values (heads)]`. The objects ascended are weighted sums over steps i,
//! `sum_i w_i log pi(a_i) + e H_i + sum_h u_hi v_hi`, whose weights may move along a direction: then they are
//! [`Dual`] numbers, and so are the cotangents of the outputs.

use super::categorical::Row;
use crate::diff::exp_in_place;
use crate::math::dual::Dual;
use crate::math::real::Real;

/// Layout of the outputs of an actor-critic network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Number of actions.
    pub actions: usize,
    /// Value heads: the learner's critic, and a second one for the outer loss if it has its own.
    pub values: usize,
}

/// Softmax of all output rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution<F> {
    /// Probabilities `[rows, actions]`.
    pub p: Vec<F>,
    /// Their logarithms.
    pub log_p: Vec<F>,
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

impl Heads {
    /// Numbers per output row.
    pub fn width(&self) -> usize {
        self.actions + self.values
    }

    /// Action distributions of all rows.
    pub fn distribution<F: Real>(&self, outputs: &[F]) -> Distribution<F> {
        let mut p = Vec::with_capacity(outputs.len());
        let mut log_p = Vec::with_capacity(outputs.len());
        for row in outputs.chunks_exact(self.width()) {
            let y = &row[..self.actions];
            let max = y.iter().fold(F::neg_infinity(), |m, y| if *y > m { *y } else { m });
            log_p.extend(y.iter().map(|y| *y - max));
        }
        p.extend_from_slice(&log_p);
        exp_in_place(&mut p);
        for (p, l) in p.chunks_exact_mut(self.actions).zip(log_p.chunks_exact_mut(self.actions)) {
            let sum: F = p.iter().copied().sum();
            let shift = sum.ln();
            p.iter_mut().for_each(|p| *p /= sum);
            l.iter_mut().for_each(|l| *l -= shift);
        }
        Distribution { p, log_p }
    }

    /// Values of one head, all rows.
    pub fn values<F: Real>(&self, outputs: &[F], head: usize) -> Vec<F> {
        assert!(head < self.values, "value head {head} of {}", self.values);
        outputs.iter().skip(self.actions + head).step_by(self.width()).copied().collect()
    }

    fn row<'a, F>(&self, dist: &'a Distribution<F>, i: usize, action: u32) -> Row<'a, F> {
        let at = i * self.actions..(i + 1) * self.actions;
        Row { p: &dist.p[at.clone()], log_p: &dist.log_p[at], action }
    }

    /// `log pi(a_i)` of the first rows, one per action.
    pub fn log_prob<F: Real>(&self, dist: &Distribution<F>, actions: &[u32]) -> Vec<F> {
        actions.iter().enumerate().map(|(i, a)| dist.log_p[i * self.actions + *a as usize]).collect()
    }

    /// Entropy of the first `rows` rows, nats.
    pub fn entropy<F: Real>(&self, dist: &Distribution<F>, rows: usize) -> Vec<F> {
        let n = rows * self.actions;
        let terms = dist.p[..n].chunks_exact(self.actions).zip(dist.log_p[..n].chunks_exact(self.actions));
        terms.map(|(p, l)| -p.iter().zip(l).map(|(p, l)| *p * *l).sum::<F>()).collect()
    }

    /// Cotangents `[rows, width]` of the weighted sum by the outputs; rows behind the steps get zeros.
    pub fn cotangents<F: Real>(
        &self,
        dist: &Distribution<F>,
        actions: &[u32],
        weights: &StepWeights<F>,
        rows: usize,
    ) -> Vec<F> {
        let mut d = vec![F::zero(); rows * self.width()];
        for (i, row) in d.chunks_exact_mut(self.width()).take(actions.len()).enumerate() {
            let softmax = self.row(dist, i, actions[i]);
            softmax.cotangent(weights.log_prob[i].re, Some(weights.entropy.re), &mut row[..self.actions]);
            for (u, out) in weights.values.iter().zip(&mut row[self.actions..]) {
                *out = u.get(i).map_or(F::zero(), |u| u.re);
            }
        }
        d
    }

    /// Derivatives of log-probability, entropy and values for output tangents `[rows, width]`.
    pub fn tangents<F: Real>(&self, dist: &Distribution<F>, actions: &[u32], y_dot: &[F]) -> StepTangents<F> {
        let (mut log_prob, mut entropy) = (Vec::with_capacity(actions.len()), Vec::with_capacity(actions.len()));
        for (i, row) in y_dot.chunks_exact(self.width()).take(actions.len()).enumerate() {
            let [l, h] = self.row(dist, i, actions[i]).tangent(&row[..self.actions]);
            log_prob.push(l);
            entropy.push(h);
        }
        let values = (0..self.values).map(|head| self.values(y_dot, head)).collect();
        StepTangents { log_prob, entropy, values }
    }

    /// Tangents of [`Heads::cotangents`] for output tangents and the weights' own.
    pub fn cotangent_tangents<F: Real>(
        &self,
        dist: &Distribution<F>,
        actions: &[u32],
        weights: &StepWeights<F>,
        y_dot: &[F],
    ) -> Vec<F> {
        let mut d = vec![F::zero(); y_dot.len()];
        let rows = d.chunks_exact_mut(self.width()).zip(y_dot.chunks_exact(self.width()));
        for (i, (row, y_dot)) in rows.take(actions.len()).enumerate() {
            let (w, e) = (weights.log_prob[i], weights.entropy);
            let softmax = self.row(dist, i, actions[i]);
            let (w, e) = ([w.re, w.du], Some([e.re, e.du]));
            softmax.cotangent_tangent(&y_dot[..self.actions], w, e, &mut row[..self.actions]);
            for (u, out) in weights.values.iter().zip(&mut row[self.actions..]) {
                *out = u.get(i).map_or(F::zero(), |u| u.du);
            }
        }
        d
    }

    /// `KL(new || old)` of the first `steps` rows, nats, and its cotangents `[rows, width]` by the outputs of `new`:
    /// `dKL/dy_j = p_j (log p_j - log q_j - KL)`.
    pub fn kl<F: Real>(&self, new: &Distribution<F>, old: &Distribution<F>, steps: usize) -> (Vec<F>, Vec<F>) {
        let rows = new.p.len() / self.actions;
        assert_eq!(new.p.len(), old.p.len(), "the same rows");
        let (mut kl, mut d) = (Vec::with_capacity(steps), vec![F::zero(); rows * self.width()]);
        for (i, out) in d.chunks_exact_mut(self.width()).take(steps).enumerate() {
            let (p, q) = (self.row(new, i, 0), self.row(old, i, 0));
            let terms = || p.p.iter().zip(p.log_p.iter().zip(q.log_p));
            let divergence: F = terms().map(|(p, (l, m))| *p * (*l - *m)).sum();
            for (out, (p, (l, m))) in out.iter_mut().zip(terms()) {
                *out = *p * (*l - *m - divergence);
            }
            kl.push(divergence);
        }
        (kl, d)
    }
}
