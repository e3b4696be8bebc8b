//! K inner steps with the same meta-parameters, differentiated backwards through all of them.

use super::eta::{Eta, Tunable};
use super::objective::{Evaluation, Inner, Surrogate};
use super::unroll::Unroll;
use crate::diff::{Along, At, Network};
use crate::math::real::Real;
use crate::optim::{Differential, Moving, State};

/// One inner step as it was taken. The activations are computed again when they are needed: a window costs the memory of K
/// parameter vectors, optimiser states, gradients and batches, and one forward pass more per step.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a, F, O> {
    /// Parameters, observations and conditioning vector before the step.
    pub at: At<'a, F, O>,
    /// Optimiser state before the step.
    pub before: &'a State<F>,
    /// The gradient before clipping.
    pub gradient: &'a [F],
    /// The batch.
    pub unroll: &'a Unroll<F, O>,
}

impl<N> Inner<'_, N> {
    /// `u . dtheta_K/deta` for each tunable, `u` = the outer gradient at theta_K: exact through K steps of clipping and
    /// optimiser (moments included; those before the window are constants), for targets that do not depend on theta.
    ///
    /// Backwards, with cotangents of theta and moments: `w_k = C^T D (...)`, the meta-gradient grows by
    /// `w_k . dg_k/deta`, and theta's cotangent by `H_k w_k`, H the Hessian that `surrogate` gives the step. K forward-mode
    /// passes and K - 1 Hessian-vector products, whatever the number of tunables. For K = 1 it is [`Inner::along`], and the
    /// surrogate does not matter. Biased for the gradient of E[-J'] as gradient-bias 1.2 says. Through the conditioning vector
    /// nothing flows. Source: specification gradient-bias 4; Liu et al. 2022.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn window<F: Real>(
        &self,
        steps: &[Recorded<'_, F, N::Obs>],
        eta: &Eta,
        tunables: &[Tunable],
        mode: Differential,
        surrogate: Surrogate,
        u: &[F],
        tape: &mut N::Tape,
    ) -> Vec<f64>
    where
        N: Network<F>,
    {
        let mut total = vec![0.0; tunables.len()];
        let Some(last) = steps.last() else { return total };
        let mut cotangent = Moving::of(u.to_vec(), last.before);
        for (k, step) in steps.iter().enumerate().rev() {
            let Recorded { at, before, gradient, unroll } = *step;
            let w = self.rule.pull_back(before, gradient, mode, &mut cotangent);
            let evaluation = Evaluation::at((self.net, &self.heads), at, &unroll.actions, tape);
            let hessian = (k > 0).then_some((surrogate, cotangent.theta.as_mut_slice()));
            let part = self.back_through(at, unroll, eta, tunables, &evaluation, &w, hessian, tape);
            total.iter_mut().zip(&part).for_each(|(t, p)| *t += p);
        }
        total
    }
    /// One batch of one step of a window: `w . dg/deta_k` for each tunable; adds `H w` to what `hessian` holds, H the Hessian that
    /// its surrogate gives the step, where steps before it want the cotangent of theta.
    ///
    /// `evaluation` is that of [`Inner::step`], and the tape must still be there. A learner with its batch in groups calls this for
    /// each and adds up.
    pub fn back_through<F: Real>(
        &self,
        at: At<'_, F, N::Obs>,
        unroll: &Unroll<F, N::Obs>,
        eta: &Eta,
        tunables: &[Tunable],
        evaluation: &Evaluation<F>,
        w: &[F],
        hessian: Option<(Surrogate, &mut [F])>,
        tape: &mut N::Tape,
    ) -> Vec<f64>
    where
        N: Network<F>,
    {
        let Some((surrogate, out)) = hessian else {
            return self.along(at, unroll, eta, tunables, evaluation, w, tape).total;
        };
        let along = Along { theta: Some(w), condition: None };
        let dots = self.tangents(at, along, unroll, evaluation, tape);
        self.curvature(at, along, unroll, eta, evaluation, &dots, surrogate, out, tape);
        self.contract(unroll, eta, tunables, evaluation, &dots).total
    }

    /// Adds the gradient, at the point of the tape, of the surrogate whose Hessian [`Inner::back_through`] uses: targets at `eta`
    /// from the evaluation `nominal`, whatever the parameters; `here` is the evaluation on the tape. Where the two points are one
    /// it is [`Inner::add_gradient`]. Central differences through a window follow it.
    pub fn add_surrogate_gradient<F: Real>(
        &self,
        at: At<'_, F, N::Obs>,
        unroll: &Unroll<F, N::Obs>,
        eta: &Eta,
        [nominal, here]: [&Evaluation<F>; 2],
        surrogate: Surrogate,
        gradient: &mut [F],
        tape: &mut N::Tape,
    ) where
        N: Network<F>,
    {
        let (mut weights, _) = self.objective.weights(eta, None, unroll, nominal, None);
        if surrogate == Surrogate::Lvc {
            for (w, (here, nominal)) in weights.log_prob.iter_mut().zip(here.log_prob.iter().zip(&nominal.log_prob)) {
                w.re *= (*here - *nominal).exp();
            }
        }
        let scale = 1.0 / self.objective.reduction.divisor(unroll.steps());
        let second = self.objective.auxiliary.map(|a| (a.head, a.eta.value_cost));
        for (head, cost) in [Some((self.objective.critic, eta.value_cost)), second].into_iter().flatten() {
            let moved = nominal.values[head].iter().zip(&here.values[head]);
            weights.values[head].iter_mut().zip(moved).for_each(|(u, (v, w))| u.re += F::of(cost * scale) * (*v - *w));
        }
        self.add_weighted(at, unroll, &weights, here, gradient, tape);
    }
}
