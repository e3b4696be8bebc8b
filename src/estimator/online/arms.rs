//! A meta-gradient without randomness: one choice among arms that pay after a delay, with exact policy gradients.

use crate::math::real::Real;

/// Where the outer advantage comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OuterReturn {
    /// The true return, gamma' = 1.
    Unbiased,
    /// The critic of the inner gamma: the outer-critic bias of Bonnet et al. 2022.
    InnerCritic,
}

/// Arm i pays `rewards[i]` after `delays[i]` steps; the inner objective is `sum_i pi_i r_i gamma^(d_i - 1)` with an entropy bonus.
///
/// Source: the control test of specification metagrad-atari 1.8, after the discounting chain of bsuite.
#[derive(Clone, Debug, PartialEq)]
pub struct Arms {
    /// Steps until an arm pays, at least 1.
    pub delays: Vec<f64>,
    /// What it pays.
    pub rewards: Vec<f64>,
    /// Step size of the logits.
    pub alpha: f64,
    /// Factor of the entropy.
    pub entropy: f64,
}

impl Arms {
    fn policy<F: Real>(theta: &[F]) -> Vec<F> {
        let max = theta.iter().fold(F::neg_infinity(), |m, y| if *y > m { *y } else { m });
        let e: Vec<F> = theta.iter().map(|y| (*y - max).exp()).collect();
        let sum: F = e.iter().copied().sum();
        e.into_iter().map(|e| e / sum).collect()
    }

    /// `p_i (q_i - p . q)`: the exact policy gradient for returns q.
    fn policy_gradient<F: Real>(p: &[F], q: &[F]) -> Vec<F> {
        let mean: F = p.iter().zip(q).map(|(p, q)| *p * *q).sum();
        p.iter().zip(q).map(|(p, q)| *p * (*q - mean)).collect()
    }

    /// Discounted returns of the arms and their derivatives in gamma.
    fn returns<F: Real>(&self, gamma: F) -> [Vec<F>; 2] {
        let power = |d: f64| if d < 0.0 { F::zero() } else { gamma.powf(F::of(d)) };
        let arms = || self.rewards.iter().zip(&self.delays);
        [
            arms().map(|(r, d)| F::of(*r) * power(d - 1.0)).collect(),
            arms().map(|(r, d)| F::of(r * (d - 1.0)) * power(d - 2.0)).collect(),
        ]
    }

    /// Expected undiscounted return of a policy.
    pub fn true_return<F: Real>(&self, theta: &[F]) -> F {
        Self::policy(theta).iter().zip(&self.rewards).map(|(p, r)| *p * F::of(*r)).sum()
    }

    /// One gradient step on the logits, in place, and `dJ'/dgamma` of it.
    pub fn step<F: Real>(&self, theta: &mut [F], gamma: F, outer: OuterReturn) -> F {
        let p = Self::policy(theta);
        let [q, q_dot] = self.returns(gamma);
        let entropy: F = -p.iter().map(|p| *p * p.ln()).sum::<F>();
        let alpha = F::of(self.alpha);
        for ((x, g), p) in theta.iter_mut().zip(Self::policy_gradient(&p, &q)).zip(&p) {
            *x += alpha * (g - F::of(self.entropy) * *p * (p.ln() + entropy));
        }
        let outer = match outer {
            OuterReturn::Unbiased => self.rewards.iter().map(|r| F::of(*r)).collect(),
            OuterReturn::InnerCritic => q,
        };
        let u = Self::policy_gradient(&Self::policy(theta), &outer);
        -alpha * Self::policy_gradient(&p, &q_dot).iter().zip(u).map(|(d, u)| *d * u).sum::<F>()
    }
}
