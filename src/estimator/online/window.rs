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
            self.net.forward(at, tape);
            let evaluation = Evaluation::of(&self.heads, self.net.output(tape), &unroll.actions);
            let along = Along { theta: Some(&w), condition: None };
            let dots = self.tangents(at, along, unroll, &evaluation, tape);
            let part = self.contract(unroll, eta, tunables, &evaluation, &dots);
            total.iter_mut().zip(&part.total).for_each(|(t, p)| *t += p);
            if k > 0 {
                let out = &mut cotangent.theta;
                self.curvature(at, along, unroll, eta, &evaluation, &dots, surrogate, out, tape);
            }
        }
        total
    }
}
