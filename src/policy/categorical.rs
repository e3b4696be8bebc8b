//! The softmax head: log-probability and entropy of logits, their derivatives and second derivatives.
//!
//! Rows hold `stride` outputs of which the first `n` are logits y. With p = softmax(y), log p = y - logsumexp(y):
//! d log p_a / dy = e_a - p and dH / dy_j = -p_j (log p_j + H).

use crate::diff::exp_in_place;
use crate::math::real::Real;

/// Shape of the rows of logits: `n` logits in rows of `stride` outputs.
#[derive(Clone, Copy)]
pub(super) struct Logits<'a, F> {
    pub outputs: &'a [F],
    pub stride: usize,
    pub n: usize,
}

impl<'a, F: Real> Logits<'a, F> {
    fn rows(self) -> impl Iterator<Item = &'a [F]> {
        self.outputs.chunks_exact(self.stride.max(1)).map(move |row| &row[..self.n])
    }

    /// `out[r, :] = exp(y_r - max y_r)`.
    fn exponentials(self, out: &mut Vec<F>) {
        out.clear();
        for y in self.rows() {
            let max = maximum(y);
            out.extend(y.iter().map(|y| *y - max));
        }
        exp_in_place(out);
    }

    /// `out[r] = log p_{a_r}`.
    pub fn log_prob(self, actions: &[u32], out: &mut Vec<F>) {
        self.exponentials(out);
        for (r, (y, a)) in self.rows().zip(actions).enumerate() {
            let sum: F = out[r * self.n..][..self.n].iter().copied().sum();
            out[r] = y[*a as usize] - maximum(y) - sum.ln();
        }
        out.truncate(actions.len());
    }

    /// `out[r] = H_r = -sum_j p_j log p_j`, nats.
    pub fn entropy(self, out: &mut Vec<F>) {
        self.exponentials(out);
        let mut rows = 0;
        for (r, y) in self.rows().enumerate() {
            let (mut sum, mut dot) = (F::zero(), F::zero());
            let max = maximum(y);
            for (e, y) in out[r * self.n..][..self.n].iter().zip(y) {
                sum += *e;
                dot += *e * (*y - max);
            }
            out[r] = sum.ln() - dot / sum;
            rows += 1;
        }
        out.truncate(rows);
    }

    /// `p[r, :]` and `log_p[r, :]`.
    pub fn softmax(self, p: &mut Vec<F>, log_p: &mut Vec<F>) {
        self.exponentials(p);
        log_p.clear();
        for (p, y) in p.chunks_exact_mut(self.n).zip(self.rows()) {
            let sum: F = p.iter().copied().sum();
            let shift = maximum(y) + sum.ln();
            p.iter_mut().for_each(|p| *p /= sum);
            log_p.extend(y.iter().map(|y| *y - shift));
        }
    }
}

fn maximum<F: Real>(y: &[F]) -> F {
    y.iter().fold(F::neg_infinity(), |m, y| if *y > m { *y } else { m })
}

/// Entropy of one row from its probabilities.
fn row_entropy<F: Real>(p: &[F], log_p: &[F]) -> F {
    -p.iter().zip(log_p).map(|(p, l)| *p * *l).sum::<F>()
}

/// One row of the softmax: probabilities, their logarithms, and the action taken.
#[derive(Clone, Copy)]
pub(super) struct Row<'a, F> {
    pub p: &'a [F],
    pub log_p: &'a [F],
    pub action: u32,
}

impl<F: Real> Row<'_, F> {
    /// `d = w d(log p_a)/dy + e dH/dy`.
    pub fn cotangent(self, w: F, e: Option<F>, d: &mut [F]) {
        d.iter_mut().zip(self.p).for_each(|(d, p)| *d = -w * *p);
        d[self.action as usize] += w;
        if let Some(e) = e {
            let entropy = row_entropy(self.p, self.log_p);
            for j in 0..self.p.len() {
                d[j] -= e * self.p[j] * (self.log_p[j] + entropy);
            }
        }
    }

    /// Tangents of log p_a and H along `y_dot`.
    pub fn tangent(self, y_dot: &[F]) -> [F; 2] {
        let mean = self.mean(y_dot);
        let entropy = row_entropy(self.p, self.log_p);
        let mut entropy_dot = F::zero();
        for j in 0..self.p.len() {
            entropy_dot -= self.p[j] * (self.log_p[j] + entropy) * y_dot[j];
        }
        [y_dot[self.action as usize] - mean, entropy_dot]
    }

    /// Tangent of [`Row::cotangent`] along `y_dot` for weights with tangents `w_dot`, `e_dot`.
    pub fn cotangent_tangent(self, y_dot: &[F], [w, w_dot]: [F; 2], e: Option<[F; 2]>, d_dot: &mut [F]) {
        let mean = self.mean(y_dot);
        for j in 0..self.p.len() {
            d_dot[j] = -self.p[j] * (w * (y_dot[j] - mean) + w_dot);
        }
        d_dot[self.action as usize] += w_dot;
        if let Some([e, e_dot]) = e {
            let entropy = row_entropy(self.p, self.log_p);
            let [_, entropy_dot] = self.tangent(y_dot);
            for j in 0..self.p.len() {
                let log_p_dot = y_dot[j] - mean;
                let surprise = self.log_p[j] + entropy;
                d_dot[j] -= self.p[j] * (e * (log_p_dot * surprise + log_p_dot + entropy_dot) + e_dot * surprise);
            }
        }
    }

    fn mean(self, y_dot: &[F]) -> F {
        self.p.iter().zip(y_dot).map(|(p, y)| *p * *y).sum()
    }
}
