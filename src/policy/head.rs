//! Action distributions of one row: probabilities, derivatives with respect to the network's output, and their tangents.

use crate::diff::exp_in_place;
use crate::math::real::Real;

/// log(2 pi) / 2.
pub(super) const HALF_LOG_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// Softmax of `z`, stable, written to `p`.
pub(super) fn softmax<F: Real>(z: &[F], p: &mut [F]) {
    let top = z.iter().copied().fold(F::neg_infinity(), F::max);
    p.iter_mut().zip(z).for_each(|(p, &z)| *p = z - top);
    exp_in_place(p);
    let total: F = p.iter().copied().sum();
    p.iter_mut().for_each(|p| *p /= total);
}

/// log(sum exp(z)), stable.
fn log_sum_exp<F: Real>(z: &[F]) -> F {
    let top = z.iter().copied().fold(F::neg_infinity(), F::max);
    top + z.iter().map(|&z| (z - top).exp()).sum::<F>().ln()
}

/// Log-probability of action `a` under the softmax of `z`.
pub(super) fn log_softmax_at<F: Real>(z: &[F], a: usize) -> F {
    z[a] - log_sum_exp(z)
}

/// Entropy of the softmax of `z`, nats.
pub(super) fn entropy_of_logits<F: Real>(z: &[F]) -> F {
    let total = log_sum_exp(z);
    z.iter().map(|&z| (total - z) * (z - total).exp()).sum()
}

/// Coefficients of log-probability and entropy in one row, each with its tangent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RowWeights<F> {
    pub(super) log_prob: [F; 2],
    pub(super) entropy: [F; 2],
}

/// A categorical row: probabilities, log-probabilities and entropy, ready to be differentiated.
pub(super) struct Categorical<'a, F> {
    p: &'a [F],
    log_p: &'a [F],
    entropy: F,
    action: usize,
}

impl<'a, F: Real> Categorical<'a, F> {
    /// The row with logits `z` and the action taken; `scratch` holds `2 k` numbers.
    pub(super) fn new(z: &[F], action: usize, scratch: &'a mut [F]) -> Self {
        let (p, log_p) = scratch.split_at_mut(z.len());
        let total = log_sum_exp(z);
        let mut entropy = F::zero();
        log_p.iter_mut().zip(z).for_each(|(l, &z)| *l = z - total);
        p.copy_from_slice(log_p);
        exp_in_place(p);
        p.iter().zip(log_p.iter()).for_each(|(&p, &l)| entropy -= p * l);
        Categorical { p, log_p, entropy, action }
    }

    fn score(&self, i: usize) -> F {
        if i == self.action { F::one() - self.p[i] } else { -self.p[i] }
    }

    /// dH/dz_i = -p_i (log p_i + H).
    fn entropy_slope(&self, i: usize) -> F {
        -self.p[i] * (self.log_p[i] + self.entropy)
    }

    /// Adds `w d(log pi)/dz + e dH/dz` to `d`.
    pub(super) fn cotangent(&self, w: &RowWeights<F>, d: &mut [F]) {
        for (i, d) in d.iter_mut().enumerate() {
            *d += w.log_prob[0] * self.score(i);
            if w.entropy[0] != F::zero() {
                *d += w.entropy[0] * self.entropy_slope(i);
            }
        }
    }

    fn mean_tangent(&self, z_dot: &[F]) -> F {
        self.p.iter().zip(z_dot).map(|(&p, &z)| p * z).sum()
    }

    /// Tangents of log-probability and entropy along `z_dot`.
    pub(super) fn tangents(&self, z_dot: &[F]) -> [F; 2] {
        let entropy = z_dot.iter().enumerate().map(|(i, &z)| self.entropy_slope(i) * z).sum();
        [z_dot[self.action] - self.mean_tangent(z_dot), entropy]
    }

    /// Adds the tangent of [`Categorical::cotangent`] along `z_dot` to `d_dot`.
    pub(super) fn cotangent_tangent(&self, w: &RowWeights<F>, z_dot: &[F], d_dot: &mut [F]) {
        let mean = self.mean_tangent(z_dot);
        let with_entropy = w.entropy != [F::zero(); 2];
        let entropy_dot = if with_entropy { self.tangents(z_dot)[1] } else { F::zero() };
        for (i, d_dot) in d_dot.iter_mut().enumerate() {
            let log_p_dot = z_dot[i] - mean;
            let p_dot = self.p[i] * log_p_dot;
            *d_dot += w.log_prob[1] * self.score(i) - w.log_prob[0] * p_dot;
            if with_entropy {
                let slope_dot = -p_dot * (self.log_p[i] + self.entropy) - self.p[i] * (log_p_dot + entropy_dot);
                *d_dot += w.entropy[1] * self.entropy_slope(i) + w.entropy[0] * slope_dot;
            }
        }
    }
}
