//! Kullback–Leibler divergence between two parameter vectors of one policy, its gradient, and Fisher–vector products.
//!
//! Per row with old and new outputs: softmax `KL = sum_j p_j (log p_j - log q_j)`; Gaussian, per coordinate with log standard
//! deviations s, s' and means m, m', `KL = s' - s + (e^{2s} + (m - m')^2) e^{-2s'} / 2 - 1/2`. At equal parameters the gradient
//! is zero and the Hessian is the Fisher matrix.

use super::Policy;
use crate::diff::tape::sized;
use crate::diff::{Tape, Workspace};
use crate::math::real::Real;

impl Policy {
    /// Mean over the rows of `KL(pi_old(. | s_i) || pi_new(. | s_i))`, nats, summed in `f64`; 0 without rows.
    ///
    /// `theta` and `tapes` are `[old, new]`; both tapes hold the same observations in the same order. Source: closed forms.
    ///
    /// # Panics
    /// If the tapes have different shapes.
    pub fn mean_kl<F: Real>(&self, theta: [&[F]; 2], tapes: [&Tape<F>; 2]) -> f64 {
        let (rows, width, n) = (tapes[0].rows(), tapes[0].output_width(), self.action_outputs());
        assert_eq!([tapes[1].rows(), tapes[1].output_width()], [rows, width], "tapes of the same observations");
        let pairs = tapes[0].output().chunks_exact(width.max(1)).zip(tapes[1].output().chunks_exact(width.max(1)));
        let total: f64 = match self {
            Policy::Gaussian(p) => (0..n)
                .map(|j| {
                    let [old, new] = theta.map(|theta| p.coordinate(theta, j).log_std.f64());
                    let (variance, precision) = ((2.0 * old).exp(), (-2.0 * new).exp());
                    let constant = new - old - 0.5 + 0.5 * variance * precision;
                    let squares: f64 = pairs.clone().map(|(a, b)| (a[j].f64() - b[j].f64()).powi(2)).sum();
                    rows as f64 * constant + 0.5 * precision * squares
                })
                .sum(),
            _ => pairs.map(|(a, b)| categorical_kl(&a[..n], &b[..n])).sum(),
        };
        if rows == 0 { 0.0 } else { total / rows as f64 }
    }

    /// Adds `weight * sum_i grad_new KL(pi_old(. | s_i) || pi_new(. | s_i))` to `out`.
    ///
    /// `theta` and `tapes` are `[old, new]`, `obs` the rows of both tapes.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn kl_grad<F: Real>(
        &self,
        theta: [&[F]; 2],
        obs: &[F],
        tapes: [&Tape<F>; 2],
        weight: F,
        out: &mut [F],
        ws: &mut Workspace<F>,
    ) {
        let [old, new] = tapes;
        let (rows, width, n) = (new.rows(), new.output_width(), self.action_outputs());
        assert_eq!([old.rows(), old.output_width()], [rows, width], "tapes of the same observations");
        let Workspace { cotangents: [d, _], head: [p, log_p], .. } = ws;
        let d = sized(d, rows * width);
        d.fill(F::zero());
        match self {
            Policy::Gaussian(gaussian) => {
                for j in 0..n {
                    let [before, after] = theta.map(|theta| gaussian.coordinate(theta, j));
                    let variance = (before.log_std + before.log_std).exp();
                    let mut sum = F::zero();
                    for r in 0..rows {
                        let shift = new.output()[r * width + j] - old.output()[r * width + j];
                        d[r * width + j] = weight * shift * after.precision;
                        sum += F::one() - (variance + shift * shift) * after.precision;
                    }
                    out[gaussian.trunk.mlp.n_params() + j] += after.log_std_tangent(weight * sum);
                }
            }
            _ => {
                for (tape, sign) in [(new, weight), (old, -weight)] {
                    self.logits(tape).softmax(p, log_p);
                    for (d, p) in d.chunks_exact_mut(width.max(1)).zip(p.chunks_exact(n)) {
                        d.iter_mut().zip(p).for_each(|(d, p)| *d += sign * *p);
                    }
                }
            }
        }
        self.network_vjp(theta[1], obs, new, out, ws);
    }

    /// Adds `weight * sum_i F_i v` to `out`, `F_i` the exact Fisher matrix of `pi(. | s_i)` at `theta` and `v = direction`.
    ///
    /// One tangent pass forwards and one pass back: `J^T G J v` with `G` the Fisher matrix of the head's outputs,
    /// `diag(p) - p p^T` (softmax) or `e^{-2s}` and 2 (Gaussian mean and log standard deviation). Martens 2020, section 9.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn fisher_product<F: Real>(
        &self,
        theta: &[F],
        direction: &[F],
        obs: &[F],
        tape: &Tape<F>,
        weight: F,
        out: &mut [F],
        ws: &mut Workspace<F>,
    ) {
        assert_eq!([direction.len(), out.len()], [self.n_params(); 2], "direction and product");
        self.network_jvp(theta, direction, obs, tape, ws);
        let (rows, width, n) = (tape.rows(), tape.output_width(), self.action_outputs());
        let Workspace { tangents, cotangents: [d, _], head: [p, log_p], .. } = ws;
        let d = sized(d, rows * width);
        d.fill(F::zero());
        let y_dot = tangents.output();
        match self {
            Policy::Gaussian(gaussian) => {
                for j in 0..n {
                    let (coordinate, parameter) = (gaussian.coordinate(theta, j), gaussian.trunk.mlp.n_params() + j);
                    for r in 0..rows {
                        d[r * width + j] = weight * coordinate.precision * y_dot[r * width + j];
                    }
                    let per_row = coordinate.log_std_tangent(F::of(2.0) * weight * direction[parameter]);
                    out[parameter] += F::of(rows as f64) * per_row;
                }
            }
            _ => {
                self.logits(tape).softmax(p, log_p);
                let rows = d.chunks_exact_mut(width.max(1)).zip(y_dot.chunks_exact(width.max(1)));
                for ((d, y), p) in rows.zip(p.chunks_exact(n)) {
                    let mean: F = p.iter().zip(y).map(|(p, y)| *p * *y).sum();
                    for j in 0..n {
                        d[j] = weight * p[j] * (y[j] - mean);
                    }
                }
            }
        }
        self.network_vjp(theta, obs, tape, out, ws);
    }
}

/// `sum_j p_j (log p_j - log q_j)` of two rows of logits.
fn categorical_kl<F: Real>(old: &[F], new: &[F]) -> f64 {
    let log_sum = |y: &[F]| {
        let max = y.iter().fold(f64::NEG_INFINITY, |m, y| m.max(y.f64()));
        max + y.iter().map(|y| (y.f64() - max).exp()).sum::<f64>().ln()
    };
    let (a, b) = (log_sum(old), log_sum(new));
    old.iter().zip(new).map(|(y, z)| (y.f64() - a).exp() * ((y.f64() - a) - (z.f64() - b))).sum()
}
