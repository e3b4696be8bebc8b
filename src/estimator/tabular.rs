//! Surrogate objectives of fixed-length trajectories under a tabular softmax policy: gradient, implied Hessian and mixed products.
//!
//! Theirs are the weights and the curvature that every estimator here has ([`crate::estimator::kstep`]); only the policy's part is written
//! out, because a table needs no network, tape or batch.

use super::choice::Jacobian;
use super::kstep::add_curvature;
use crate::math::returns::{gae, reward_to_go};
use crate::rollout::walks::Walks;

/// How a part of the meta-gradient is estimated from trajectories (gradient-bias spec 1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surrogate {
    /// `sum_t gamma^t W_t r_t`, W_t the product of the ratios up to t: no baseline, unbiased at every order up to the horizon.
    Dice,
    /// `sum_t gamma^t A_t (W_t - W_{t-1})`: a baseline at every order.
    Loaded,
    /// `sum_t gamma^t A_t rho_t`: drops cross-time terms of the Hessian.
    Lvc,
    /// `sum_t gamma^t A_t log pi_t`: the Hessian of naive automatic differentiation.
    Maml,
}

impl Surrogate {
    /// All of them, by name.
    pub const ALL: [(&'static str, Surrogate); 4] =
        [("dice", Surrogate::Dice), ("loaded", Surrogate::Loaded), ("lvc", Surrogate::Lvc), ("maml", Surrogate::Maml)];

    /// Name in configurations and records.
    pub fn name(self) -> &'static str {
        Surrogate::ALL.iter().find(|(_, s)| *s == self).map_or("", |(name, _)| name)
    }

    /// The same as `train` calls it.
    pub fn jacobian(self) -> Jacobian {
        match self {
            Surrogate::Dice => Jacobian::Dice,
            Surrogate::Loaded => Jacobian::LoadedDice,
            Surrogate::Lvc => Jacobian::Lvc,
            Surrogate::Maml => Jacobian::LogProb,
        }
    }

    /// Whether it uses a value function as baseline and bootstrap.
    pub fn has_baseline(self) -> bool {
        self != Surrogate::Dice
    }
}

/// What is done to the products of ratios that weigh trajectories of other policies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Correction {
    /// Nothing: unbiased, with the variance of the products.
    Plain,
    /// Divided by their mean over the buffer at the same time, taken as a constant: biased, consistent.
    SelfNormalised,
    /// At most this much, the clipped factor taken as a constant: biased towards the other policies.
    Clipped(f64),
}

impl Correction {
    /// Name in configurations and records.
    pub fn name(self) -> &'static str {
        match self {
            Correction::Plain => "plain",
            Correction::SelfNormalised => "self-normalised",
            Correction::Clipped(_) => "clipped",
        }
    }
}

/// Trajectories with the weights of their scores.
#[derive(Clone, Debug, Default)]
pub struct Sampled {
    /// The trajectories.
    pub walks: Walks,
    /// w_t of each decision, flat `[n, T]`; the mean over trajectories is divided in.
    pub weights: Vec<f64>,
    /// pi(a | s) they were drawn under, `[S, A]`.
    pub pi: Vec<f64>,
}

/// Shape and discount that all trajectories share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Number of actions A.
    pub actions: usize,
    /// Decisions T.
    pub horizon: usize,
    /// Discount gamma.
    pub gamma: f64,
    /// Lambda of the advantages: 1 is the n-step return to the end minus the baseline.
    pub lambda: f64,
}

impl Shape {
    /// Fills the weights: absolute-discounted reward-to-go for DiCE; else `gamma^t A_t` with `values` `[S]` as baseline and as
    /// bootstrap after the last decision.
    pub fn weigh(&self, surrogate: Surrogate, reward: &[f64], values: &[f64], sampled: &mut Sampled) {
        let Sampled { walks, weights, .. } = sampled;
        weights.clear();
        weights.extend(walks.pairs.iter().map(|&k| reward[k as usize]));
        let scale = 1.0 / walks.last.len().max(1) as f64;
        let mut along = vec![0.0; self.horizon + 1];
        for (e, &last) in walks.last.iter().enumerate() {
            let rows = walks.rows(e, self.horizon);
            let w = &mut weights[rows.clone()];
            if surrogate.has_baseline() {
                along.iter_mut().zip(&walks.pairs[rows]).for_each(|(v, &k)| *v = values[k as usize / self.actions]);
                along[self.horizon] = values[last as usize];
                gae(w, &along, self.gamma, self.lambda);
                let mut discount = scale;
                for w in w {
                    *w *= discount;
                    discount *= self.gamma;
                }
            } else {
                reward_to_go(w, self.gamma);
                w.iter_mut().for_each(|w| *w *= scale);
            }
        }
    }

    /// Fills the weights of off-policy DiCE: trajectory e was drawn under `behaviour(e)` `[S, A]`, and
    /// `w_k = sum_{t >= k} gamma^t W_t r_t` with W_t the corrected product of the ratios pi / behaviour up to t.
    pub fn weigh_off_policy<'a>(
        &self,
        correction: Correction,
        reward: &[f64],
        behaviour: impl Fn(usize) -> &'a [f64],
        sampled: &mut Sampled,
    ) {
        let Sampled { walks, weights, pi } = sampled;
        weights.clear();
        for e in 0..walks.last.len() {
            let (mut product, mu) = (1.0, behaviour(e));
            weights.extend(walks.pairs[walks.rows(e, self.horizon)].iter().map(|&k| {
                product *= pi[k as usize] / mu[k as usize];
                product
            }));
        }
        let n = walks.last.len().max(1) as f64;
        match correction {
            Correction::Plain => {}
            Correction::Clipped(most) => weights.iter_mut().for_each(|w| *w = w.min(most)),
            Correction::SelfNormalised => {
                for t in 0..self.horizon {
                    let mean = weights.iter().skip(t).step_by(self.horizon).sum::<f64>() / n;
                    weights.iter_mut().skip(t).step_by(self.horizon).for_each(|w| *w /= mean);
                }
            }
        }
        weights.iter_mut().zip(&walks.pairs).for_each(|(w, &k)| *w *= reward[k as usize] / n);
        weights.chunks_exact_mut(self.horizon).for_each(|w| reward_to_go(w, self.gamma));
    }

    /// Adds `sum_t c_t grad log pi_t` to `out` `[S, A]`: a pair's sum less the policy's share of its state's.
    fn add_scores(&self, sampled: &Sampled, coefficients: &[f64], out: &mut [f64]) {
        let mut sums = vec![0.0; out.len()];
        sampled.walks.pairs.iter().zip(coefficients).for_each(|(&k, c)| sums[k as usize] += c);
        let rows = sums.chunks_exact(self.actions).zip(sampled.pi.chunks_exact(self.actions));
        for ((sums, pi), out) in rows.zip(out.chunks_exact_mut(self.actions)) {
            let total: f64 = sums.iter().sum();
            out.iter_mut().zip(sums).zip(pi).for_each(|((o, x), p)| *o += x - p * total);
        }
    }

    /// Gradient of the surrogate, `[S, A]`: the same for `lvc`, `loaded` and `maml`.
    pub fn gradient(&self, sampled: &Sampled) -> Vec<f64> {
        let mut out = vec![0.0; sampled.pi.len()];
        self.add_scores(sampled, &sampled.weights, &mut out);
        out
    }

    /// `direction_sa - sum_b pi_sb direction_sb`: the tangent of log pi(a | s).
    fn tangent(&self, pi: &[f64], direction: &[f64]) -> Vec<f64> {
        let mut out = direction.to_vec();
        for (out, pi) in out.chunks_exact_mut(self.actions).zip(pi.chunks_exact(self.actions)) {
            let mean: f64 = out.iter().zip(pi).map(|(x, p)| x * p).sum();
            out.iter_mut().for_each(|x| *x -= mean);
        }
        out
    }

    /// Adds the Hessian that the surrogate implies, times `direction`, to `out` `[S, A]`.
    pub fn add_hessian_product(&self, surrogate: Surrogate, sampled: &Sampled, direction: &[f64], out: &mut [f64]) {
        let Sampled { walks, weights, pi } = sampled;
        let tangent = self.tangent(pi, direction);
        let along: Vec<f64> = walks.pairs.iter().map(|&k| tangent[k as usize]).collect();
        let mut coefficients = vec![0.0; along.len()];
        for e in 0..walks.last.len() {
            let rows = walks.rows(e, self.horizon);
            add_curvature(surrogate.jacobian(), rows, weights, &along, &mut coefficients);
        }
        self.add_scores(sampled, &coefficients, out);
        // hess log pi(a | s) = -(diag pi - pi pi^T), whatever the action
        let mut visits = vec![0.0; pi.len() / self.actions];
        walks.pairs.iter().zip(weights).for_each(|(&k, w)| visits[k as usize / self.actions] += w);
        for (k, out) in out.iter_mut().enumerate() {
            *out -= visits[k / self.actions] * pi[k] * tangent[k];
        }
    }

    /// Cotangents of the rewards `[S, A]` and of the values `[S]` for `sum_t gamma^t A_t d log pi_t`, the tangents along `direction`:
    /// the transposed mixed derivative of the surrogate in what the advantages are made of, times `direction`.
    pub fn mixed_product(&self, sampled: &Sampled, direction: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let Sampled { walks, pi, .. } = sampled;
        let tangent = self.tangent(pi, direction);
        let (mut reward, mut values) = (vec![0.0; pi.len()], vec![0.0; pi.len() / self.actions]);
        let scale = 1.0 / walks.last.len().max(1) as f64;
        for (e, &last) in walks.last.iter().enumerate() {
            // A_t = sum_k (gamma lambda)^k delta_{t+k}, so delta_t has the cotangent u_t = gamma^t l_t + gamma lambda u_{t-1}
            let (mut discount, mut u) = (scale, 0.0);
            let pairs = &walks.pairs[walks.rows(e, self.horizon)];
            for (t, &k) in pairs.iter().enumerate() {
                let k = k as usize;
                let next = pairs.get(t + 1).map_or(last as usize, |&k| k as usize / self.actions);
                u = discount * tangent[k] + self.gamma * self.lambda * u;
                reward[k] += u;
                values[next] += self.gamma * u;
                values[k / self.actions] -= u;
                discount *= self.gamma;
            }
        }
        (reward, values)
    }
}
