//! Reverse form of the targets: derivatives of a weighted sum in every step's own gamma and lambda.

use super::{Knobs, Steps, Target, importance, n_step_window};
use crate::math::dual::Dual;
use crate::math::real::Real;

/// Derivatives of `S = sum_t wY_t Y_t + wA_t A_t` in the parameters of each step, `[T][B]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Adjoint<F> {
    /// `dS / dgamma_t`.
    pub gamma: Vec<F>,
    /// `dS / dlambda_t`; zero for n-step returns.
    pub lambda: Vec<F>,
}

/// `dS/dgamma_t` and `dS/dlambda_t` for weights `on_value` (wY) and `on_advantage` (wA), in one pass forwards in time:
///
/// `xbar_t = wY_t + Gam_{t-1} (lambda_{t-1} c_{t-1} xbar_{t-1} + k_{t-1} rpg_{t-1} wA_{t-1})`,
/// `dS/dgamma_t = nd_t [ xbar_t (rho_t v_{t+1} + lambda_t c_t x_{t+1}) + wA_t rpg_t (v_{t+1} + k_t x_{t+1}) ]`,
/// `dS/dlambda_t = Gam_t x_{t+1} (c_t xbar_t + [mix] rpg_t wA_t)`.
///
/// Derivatives that the inputs carry are ignored. Source: eligibility traces, specification metagrad-atari 2.1.
///
/// # Panics
/// If a length does not fit.
pub fn adjoint<F: Real>(
    target: &Target,
    knobs: &Knobs<'_, F>,
    steps: &Steps<'_, F>,
    on_value: &[F],
    on_advantage: &[F],
) -> Adjoint<F> {
    let n = steps.rewards.len();
    assert_eq!([on_value.len(), on_advantage.len()], [n; 2], "one weight per step");
    if let Target::NStep { n } = *target {
        return n_step_adjoint(n, knobs, steps, on_value, on_advantage);
    }
    let excess: Vec<F> =
        super::targets(target, knobs, steps).value.iter().zip(steps.values).map(|(y, v)| (*y - *v).re).collect();
    let mut bar = on_value.to_vec();
    let mut out = Adjoint { gamma: vec![F::zero(); n], lambda: vec![F::zero(); n] };
    for i in 0..n {
        let leak = Dual::constant(knobs.leak.re);
        let (weight, mix) = importance(target, leak, steps.ratio.map(|r| r[i]));
        let (lambda, next, nd) = (knobs.lambda.at(i).re, steps.next_value(i).re, steps.not_done[i]);
        let (rho, c, scored) = (weight.rho.re, weight.c.re, weight.pg.re * on_advantage[i]);
        let discount = knobs.gamma.at(i).re * nd;
        let k = if mix { lambda } else { F::one() };
        let continued = steps.continuation(i);
        let later = continued.map_or(F::zero(), |j| excess[j]);
        out.gamma[i] = nd * (bar[i] * (rho * next + lambda * c * later) + scored * (next + k * later));
        out.lambda[i] = discount * later * (c * bar[i] + if mix { scored } else { F::zero() });
        if let Some(j) = continued {
            let carried = discount * (lambda * c * bar[i] + k * scored);
            bar[j] += carried;
        }
    }
    out
}

fn n_step_adjoint<F: Real>(
    n: usize,
    knobs: &Knobs<'_, F>,
    steps: &Steps<'_, F>,
    on_value: &[F],
    on_advantage: &[F],
) -> Adjoint<F> {
    let count = steps.rewards.len();
    let mut out = Adjoint { gamma: vec![F::zero(); count], lambda: vec![F::zero(); count] };
    for i in 0..count {
        let window = n_step_window(n, steps, i);
        let discount = |j: usize| knobs.gamma.at(j).re * steps.not_done[j];
        // returns that follow each step of the window, last first
        let mut tail = steps.next_value(*window.last().expect("at least one step")).re;
        let mut tails = Vec::with_capacity(window.len());
        for &j in window.iter().rev() {
            tails.push(tail);
            tail = steps.rewards[j] + discount(j) * tail;
        }
        let mut weight = on_value[i] + on_advantage[i];
        for (&j, tail) in window.iter().zip(tails.iter().rev()) {
            out.gamma[j] += weight * steps.not_done[j] * *tail;
            weight *= discount(j);
        }
    }
    out
}
