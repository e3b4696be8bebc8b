//! Value targets and advantages of an unroll, as functions of (gamma, lambda, leak): lambda-, n-step and V-trace returns.
//!
//! Arrays are time-major `[T][B]`, flat; value arrays have the bootstrap rows behind. With `Gam_t = gamma_t nd_t`, one
//! recursion backwards in time serves the lambda-return (and GAE, which is its excess) and V-trace:
//!
//! `x_t = rho_t (r_t + Gam_t v_{t+1} - v_t) + Gam_t lambda_t c_t x_{t+1}`, `Y_t = v_t + x_t`,
//! `A_t = rpg_t (r_t + Gam_t (v_{t+1} + k_t x_{t+1}) - v_t)`
//!
//! with `rho = c = rpg = 1`, `k = lambda` for the lambda-return, and importance weights for V-trace. Everything is computed
//! in [`Dual`] numbers: whatever direction the inputs carry (gamma, lambda, leak, or values and ratios that move with the
//! parameters), the outputs carry its derivative. [`adjoint()`] is the reverse form for per-step parameters.
//! Source: Xu et al. 2018, Espeholt et al. 2018, Zahavy et al. 2020 (leak); specification metagrad-atari 1.2, 1.4, 2.1.

mod adjoint;

pub use adjoint::{Adjoint, adjoint};

use super::dual::Dual;
use super::real::Real;

/// How targets are made from rewards and values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// lambda-return; its advantages `Y - v` are those of GAE.
    Lambda,
    /// n-step return, `m = min(n, T - t)` steps.
    NStep {
        /// Steps before bootstrapping, at least 1.
        n: usize,
    },
    /// V-trace with lambda.
    VTrace(VTrace),
}

/// Limits of the importance weights of V-trace and the bootstrap of its policy gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VTrace {
    /// Limit of the weight of a temporal difference.
    pub rho_bar: f64,
    /// Limit of the trace weight.
    pub c_bar: f64,
    /// Limit of the weight of an advantage.
    pub pg_rho_bar: f64,
    /// What an advantage bootstraps from.
    pub bootstrap: Bootstrap,
}

/// What V-trace advantages bootstrap from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bootstrap {
    /// `vs_{t+1}` (scalable_agent, where lambda is 1).
    Vs,
    /// `lambda vs_{t+1} + (1 - lambda) v_{t+1}` (rlax): on-policy, this is the lambda-return advantage.
    Mix,
}

impl Default for VTrace {
    fn default() -> VTrace {
        VTrace { rho_bar: 1.0, c_bar: 1.0, pg_rho_bar: 1.0, bootstrap: Bootstrap::Mix }
    }
}

/// One value for the whole unroll, or one per step `[T][B]`: that of the state being entered.
#[derive(Clone, Copy, Debug)]
pub enum Param<'a, F> {
    /// The same at every step.
    Global(Dual<F>),
    /// One per step.
    PerStep(&'a [Dual<F>]),
}

impl<F: Real> Param<'_, F> {
    fn at(&self, i: usize) -> Dual<F> {
        match self {
            Param::Global(p) => *p,
            Param::PerStep(p) => p[i],
        }
    }
}

/// What the targets are functions of.
#[derive(Clone, Copy, Debug)]
pub struct Knobs<'a, F> {
    /// Discount.
    pub gamma: Param<'a, F>,
    /// Trace parameter; not used by n-step returns.
    pub lambda: Param<'a, F>,
    /// alpha of leaky V-trace: weights are `alpha min(bar, ratio) + (1 - alpha) ratio`; 1 is V-trace.
    pub leak: Dual<F>,
}

/// The unroll: n = T B steps, and values for at least n + B rows.
#[derive(Clone, Copy, Debug)]
pub struct Steps<'a, F> {
    /// Trajectories B.
    pub batch: usize,
    /// Rewards `[T][B]`.
    pub rewards: &'a [F],
    /// 0 where the environment terminated with this step, else 1 `[T][B]`.
    pub not_done: &'a [F],
    /// Row of the value that a step bootstraps from; `None`: the next row of its trajectory, `i + B`, for every step. Another
    /// row marks a truncation: the return is cut there and bootstraps from that value (the final observation's).
    pub successors: Option<&'a [u32]>,
    /// State values `[rows]`: those of the unroll, of its bootstrap row, and of final observations.
    pub values: &'a [Dual<F>],
    /// `pi(a) / mu(a)` `[T][B]`; needed by V-trace only.
    pub ratio: Option<&'a [Dual<F>]>,
}

impl<F: Real> Steps<'_, F> {
    /// Value that step `i` bootstraps from.
    fn next_value(&self, i: usize) -> Dual<F> {
        self.values[self.successors.map_or(i + self.batch, |s| s[i] as usize)]
    }

    /// The step whose return continues that of step `i`: none at the end of the unroll and at a truncation.
    fn continuation(&self, i: usize) -> Option<usize> {
        let next = i + self.batch;
        let cut = self.successors.is_some_and(|s| s[i] as usize != next);
        (next < self.rewards.len() && !cut).then_some(next)
    }

    fn check(&self) {
        let n = self.rewards.len();
        assert!(self.batch > 0 && n.is_multiple_of(self.batch), "whole time steps");
        assert_eq!(self.not_done.len(), n, "one mask per step");
        assert!(self.values.len() >= n + self.batch, "values of all steps and a bootstrap row");
        assert!(self.successors.is_none_or(|s| s.len() == n), "one successor per step");
        assert!(self.ratio.is_none_or(|r| r.len() == n), "one ratio per step");
    }
}

/// Value targets and advantages with their derivatives along the direction of the inputs, `[T][B]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets<F> {
    /// Y: what values are regressed on.
    pub value: Vec<Dual<F>>,
    /// A: the weight of the score.
    pub advantage: Vec<Dual<F>>,
}

/// Importance weights of one step: of its temporal difference (rho), its trace (c, without lambda), its advantage (rpg).
#[derive(Clone, Copy)]
struct Importance<F> {
    rho: Dual<F>,
    c: Dual<F>,
    pg: Dual<F>,
}

/// Importance weights of step `i`, and whether advantages bootstrap from the mixture.
fn importance<F: Real>(target: &Target, leak: Dual<F>, ratio: Option<Dual<F>>) -> (Importance<F>, bool) {
    let one = Dual::constant(F::one());
    match (target, ratio) {
        (Target::VTrace(v), Some(ratio)) => {
            let leaky = |bar: f64| leak * ratio.at_most(F::of(bar)) + (one - leak) * ratio;
            let weights =
                Importance { rho: leaky(v.rho_bar), c: leaky(v.c_bar), pg: ratio.at_most(F::of(v.pg_rho_bar)) };
            (weights, v.bootstrap == Bootstrap::Mix)
        }
        (Target::VTrace(_), None) => panic!("V-trace needs importance ratios"),
        _ => (Importance { rho: one, c: one, pg: one }, true),
    }
}

/// Targets and advantages of an unroll (see the module's equations), with derivatives.
///
/// Lambda-return: `Y_t = r_t + Gam_t ((1 - lambda) v_{t+1} + lambda Y_{t+1})`, `A = Y - v`. n-step: `K^m_t = r_t +
/// Gam_t K^{m-1}_{t+1}`, `K^0 = v`. Terminations cut without bootstrap, truncations with it.
///
/// # Panics
/// If a length does not fit, V-trace has no ratios, or n is zero.
pub fn targets<F: Real>(target: &Target, knobs: &Knobs<'_, F>, steps: &Steps<'_, F>) -> Targets<F> {
    steps.check();
    if let Target::NStep { n } = *target {
        return n_step(n, knobs, steps);
    }
    let n = steps.rewards.len();
    let zero = Dual::constant(F::zero());
    let (mut excess, mut advantage) = (vec![zero; n], vec![zero; n]);
    for i in (0..n).rev() {
        let (weight, mix) = importance(target, knobs.leak, steps.ratio.map(|r| r[i]));
        let (gamma, lambda) = (knobs.gamma.at(i).scale(steps.not_done[i]), knobs.lambda.at(i));
        let (reward, v, next) = (Dual::constant(steps.rewards[i]), steps.values[i], steps.next_value(i));
        let later = steps.continuation(i).map_or(zero, |j| excess[j]);
        let traced = lambda * later;
        excess[i] = weight.rho * (reward + gamma * next - v) + gamma * weight.c * traced;
        advantage[i] = weight.pg * (reward + gamma * (next + if mix { traced } else { later }) - v);
    }
    let value = excess.iter().zip(steps.values).map(|(x, v)| *x + *v).collect();
    Targets { value, advantage }
}

fn n_step<F: Real>(n: usize, knobs: &Knobs<'_, F>, steps: &Steps<'_, F>) -> Targets<F> {
    let returns = (0..steps.rewards.len()).map(|i| {
        let window = n_step_window(n, steps, i);
        let tail = steps.next_value(*window.last().expect("at least one step"));
        window
            .iter()
            .rev()
            .fold(tail, |k, &j| Dual::constant(steps.rewards[j]) + knobs.gamma.at(j).scale(steps.not_done[j]) * k)
    });
    let value: Vec<Dual<F>> = returns.collect();
    let advantage = value.iter().zip(steps.values).map(|(y, v)| *y - *v).collect();
    Targets { value, advantage }
}

/// The steps whose rewards the n-step return of step `i` contains.
fn n_step_window<F: Real>(n: usize, steps: &Steps<'_, F>, i: usize) -> Vec<usize> {
    assert!(n > 0, "an n-step return needs at least one step");
    std::iter::successors(Some(i), |&j| steps.continuation(j)).take(n).collect()
}

#[cfg(test)]
mod tests;
