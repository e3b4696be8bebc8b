//! One row of an action distribution: log-probability, entropy, divergence, and their derivatives by the network's outputs.

use super::Distribution;
use crate::batch::Actions;
use crate::math::real::Real;
use crate::policy::categorical::Row;
use crate::policy::gaussian::Coordinate;

/// A row with the action taken there.
#[derive(Clone, Copy)]
pub(super) enum Taken<'a, F> {
    /// Softmax.
    Softmax(Row<'a, F>),
    /// Independent normals: means, log standard deviations, and the action's distance from the means by [`Taken::residual`].
    Gaussian { mean: &'a [F], log_std: &'a [F], action: &'a [F] },
}

fn coordinate<F: Real>(log_std: F) -> Coordinate<F> {
    Coordinate { log_std, precision: (-(log_std + log_std)).exp(), free: true }
}

impl<'a, F: Real> Taken<'a, F> {
    /// Row `i` of a distribution with the i-th action.
    ///
    /// # Panics
    /// If the actions are of the other kind.
    pub fn of(distribution: &'a Distribution<F>, i: usize, actions: &'a Actions<F>) -> Taken<'a, F> {
        match (distribution, actions) {
            (Distribution::Softmax { p, log_p, actions: n }, Actions::Discrete(a)) => {
                let at = i * n..(i + 1) * n;
                Taken::Softmax(Row { p: &p[at.clone()], log_p: &log_p[at], action: a[i] })
            }
            (Distribution::Gaussian { mean, log_std, width }, Actions::Continuous { values, .. }) => {
                let at = i * width..(i + 1) * width;
                Taken::Gaussian { mean: &mean[at.clone()], log_std: &log_std[at.clone()], action: &values[at] }
            }
            _ => panic!("actions of the other kind"),
        }
    }

    /// `log pi(a)`.
    pub fn log_prob(self) -> F {
        match self {
            Taken::Softmax(row) => row.log_p[row.action as usize],
            Taken::Gaussian { mean, log_std, action } => {
                (0..mean.len()).map(|j| coordinate(log_std[j]).log_prob(action[j] - mean[j])).sum()
            }
        }
    }

    /// `d = w dlog pi(a)/dy + e dH/dy`.
    pub fn cotangent(self, w: F, e: F, d: &mut [F]) {
        match self {
            Taken::Softmax(row) => row.cotangent(w, Some(e), d),
            Taken::Gaussian { mean, log_std, action } => {
                let (d_mean, d_std) = d.split_at_mut(mean.len());
                for j in 0..mean.len() {
                    let [by_mean, by_std] = coordinate(log_std[j]).score(action[j] - mean[j]);
                    d_mean[j] = w * by_mean;
                    d_std[j] = w * by_std + e;
                }
            }
        }
    }

    /// Tangents of `log pi(a)` and H along output tangents.
    pub fn tangent(self, y_dot: &[F]) -> [F; 2] {
        match self {
            Taken::Softmax(row) => row.tangent(y_dot),
            Taken::Gaussian { mean, log_std, action } => {
                let (m_dot, s_dot) = y_dot.split_at(mean.len());
                let along = |j: usize| {
                    let [by_mean, by_std] = coordinate(log_std[j]).score(action[j] - mean[j]);
                    by_mean * m_dot[j] + by_std * s_dot[j]
                };
                [(0..mean.len()).map(along).sum(), s_dot.iter().copied().sum()]
            }
        }
    }

    /// Tangent of [`Taken::cotangent`] along output tangents, for weights with tangents.
    pub fn cotangent_tangent(self, y_dot: &[F], [w, w_dot]: [F; 2], [e, e_dot]: [F; 2], d_dot: &mut [F]) {
        match self {
            Taken::Softmax(row) => row.cotangent_tangent(y_dot, [w, w_dot], Some([e, e_dot]), d_dot),
            Taken::Gaussian { mean, log_std, action } => {
                let (m_dot, s_dot) = y_dot.split_at(mean.len());
                let (d_mean, d_std) = d_dot.split_at_mut(mean.len());
                for j in 0..mean.len() {
                    let (coordinate, z) = (coordinate(log_std[j]), action[j] - mean[j]);
                    let [by_mean, by_std] = coordinate.score(z);
                    let [mean_moves, std_moves] = coordinate.score_tangent(z, m_dot[j], s_dot[j]);
                    d_mean[j] = w * mean_moves + w_dot * by_mean;
                    d_std[j] = w * std_moves + w_dot * by_std + e_dot;
                }
            }
        }
    }
}

/// `KL(new || old)` of row `i`, and its derivative by the outputs of `new` into `d`.
///
/// Softmax: `sum_j p_j (log p_j - log q_j)`, `dKL/dy_j = p_j (log p_j - log q_j - KL)`. Gaussian, per coordinate with s, m:
/// `s_old - s + (e^{2s} + (m - m_old)^2) e^{-2 s_old} / 2 - 1/2`.
///
/// # Panics
/// If the distributions are of different kinds.
pub(super) fn divergence<F: Real>(new: &Distribution<F>, old: &Distribution<F>, i: usize, d: &mut [F]) -> F {
    match (new, old) {
        (Distribution::Softmax { p, log_p, actions }, Distribution::Softmax { log_p: log_q, .. }) => {
            let at = i * actions..(i + 1) * actions;
            let terms = || p[at.clone()].iter().zip(log_p[at.clone()].iter().zip(&log_q[at.clone()]));
            let kl: F = terms().map(|(p, (l, m))| *p * (*l - *m)).sum();
            for (d, (p, (l, m))) in d.iter_mut().zip(terms()) {
                *d = *p * (*l - *m - kl);
            }
            kl
        }
        (
            Distribution::Gaussian { mean, log_std, width },
            Distribution::Gaussian { mean: old_mean, log_std: old_std, .. },
        ) => {
            let (d_mean, d_std) = d.split_at_mut(*width);
            let mut kl = F::zero();
            for j in 0..*width {
                let k = i * width + j;
                let (shift, s, before) = (mean[k] - old_mean[k], log_std[k], coordinate(old_std[k]));
                let spread = (s + s).exp() * before.precision;
                kl += before.log_std - s + F::of(0.5) * (spread + shift * shift * before.precision - F::one());
                d_mean[j] = shift * before.precision;
                d_std[j] = spread - F::one();
            }
            kl
        }
        _ => panic!("distributions of different kinds"),
    }
}
