//! The outer gradient: that of -J' on later data at the updated parameters, with a fixed reference eta'.

use super::eta::Eta;
use super::objective::{Evaluation, Objective};
use super::unroll::Unroll;
use crate::diff::{At, Gradient, Network};
use crate::math::real::Real;
use crate::policy::actor_critic::{Distribution, Heads};

/// The outer loss: policy gradient by default ([`Eta::reference`]), with optional value, entropy and divergence terms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outer {
    /// Targets, reduction, and the critic: the learner's or a separate one.
    pub objective: Objective,
    /// eta' and the factors of the terms.
    pub eta: Eta,
}

/// A penalty on `KL(new || old)`.
#[derive(Clone, Copy, Debug)]
pub struct OuterKl<'a, F> {
    /// Its factor.
    pub cost: f64,
    /// The old policy on the rows of the outer unroll.
    pub old: &'a Distribution<F>,
}

/// J' and the direction that descends it.
#[derive(Clone, Debug, PartialEq)]
pub struct OuterGradient<F> {
    /// `J' = (1/N) sum [ -cp A' log pi + (b/2) (Y' - v)^2 - c H + kl KL(new || old) ]`.
    pub loss: f64,
    /// `-dJ'/dtheta'`, with A' and Y' constant.
    pub ascent: Vec<F>,
    /// Policy and values on the outer unroll.
    pub evaluation: Evaluation<F>,
}

/// J' and its gradient on an unroll sampled after the inner step. The conditioning vector in `at` is the caller's choice (the
/// current eta by default, or eta'). The tape stays at this point.
///
/// # Panics
/// If a length does not fit.
pub fn outer_gradient<F: Real, N: Network<F>>(
    net: &N,
    heads: &Heads,
    outer: &Outer,
    at: At<'_, F, N::Obs>,
    unroll: &Unroll<F, N::Obs>,
    kl: Option<OuterKl<'_, F>>,
    tape: &mut N::Tape,
) -> OuterGradient<F> {
    let evaluation = Evaluation::at((net, heads), at, &unroll.actions, tape);
    let mut ascent = vec![F::zero(); at.theta.len()];
    let loss = add_outer_gradient(net, heads, outer, at, unroll, &evaluation, kl, &mut ascent, tape);
    OuterGradient { loss, ascent, evaluation }
}

/// [`outer_gradient`] where the tape holds the forward pass already: adds `-dJ'/dtheta'` to `ascent` and returns J'.
///
/// # Panics
/// If a length does not fit.
pub fn add_outer_gradient<F: Real, N: Network<F>>(
    net: &N,
    heads: &Heads,
    outer: &Outer,
    at: At<'_, F, N::Obs>,
    unroll: &Unroll<F, N::Obs>,
    evaluation: &Evaluation<F>,
    kl: Option<OuterKl<'_, F>>,
    ascent: &mut [F],
    tape: &mut N::Tape,
) -> f64 {
    let (rows, steps) = (net.output(tape).len() / heads.width(), unroll.steps());
    let (weights, targets) = outer.objective.weights(&outer.eta, None, unroll, evaluation, None);
    let mut d = heads.cotangents(&evaluation.distribution, &unroll.actions, &weights, rows);
    let n = outer.objective.reduction.divisor(steps);
    let entropy = heads.entropy(&evaluation.distribution, steps);
    let values = &evaluation.values[outer.objective.critic];
    let Eta { policy_cost, value_cost, entropy_cost, .. } = outer.eta;
    let mut loss = 0.0;
    for i in 0..steps {
        let residual = (targets.value[i].re - values[i]).f64();
        loss -= policy_cost * targets.advantage[i].re.f64() * evaluation.log_prob[i].f64();
        loss += 0.5 * value_cost * residual * residual - entropy_cost * entropy[i].f64();
    }
    if let Some(OuterKl { cost, old }) = kl {
        let (divergence, by_outputs) = heads.kl(&evaluation.distribution, old, steps, rows);
        loss += cost * divergence.iter().map(|k| k.f64()).sum::<f64>();
        let scale = F::of(-cost / n);
        d.iter_mut().zip(by_outputs).for_each(|(d, k)| *d += scale * k);
    }
    let mut condition = vec![F::zero(); at.condition.len()];
    net.vjp(at, &d, Gradient { theta: ascent, condition: &mut condition }, tape);
    loss / n
}
