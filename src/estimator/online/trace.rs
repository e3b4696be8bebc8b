//! The trace z = dtheta/deta of the whole update map, carried forwards with a decay.

use super::eta::{Eta, Tunable};
use super::objective::{Evaluation, Inner, Motion, Surrogate};
use super::unroll::Unroll;
use crate::diff::{Along, At, Network};
use crate::math::real::Real;
use crate::optim::{Differential, Moving, State};

/// What is followed when a trace passes a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Decay mu in [0, 1]: 0 keeps the step's own derivative only, 1 forgets nothing.
    pub decay: f64,
    /// What of clipping and optimiser is differentiated.
    pub differential: Differential,
    /// The second derivative that the policy term is given.
    pub surrogate: Surrogate,
    /// Targets and importance ratios follow theta (the derivative of the whole map, section 2.5), or are constants.
    pub targets: bool,
    /// The meta-parameters in the conditioning vector, if derivatives flow through it; empty to stop them.
    pub embedding: Vec<Tunable>,
}

impl<N> Inner<'_, N> {
    /// `z' = mu (dstate'/dstate) z + dstate'/deta_k` for each tunable k, in place; the state is theta with the optimiser's moments.
    ///
    /// Exact: one forward-mode pass and one reverse pass over tangents per tunable ([`Network::vjp_tangent`]), no differences.
    /// `before` and `gradient` (raw) are the step's, `evaluation` is that of [`Inner::step`], and the tape must still be there.
    /// The meta-gradient is `u . z_k.theta`. Source: Xu et al. 2018, specification metagrad-atari 1.1 and 2.5.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn push_trace<F: Real>(
        &self,
        options: &Trace,
        at: At<'_, F, N::Obs>,
        unroll: &Unroll<F, N::Obs>,
        eta: &Eta,
        tunables: &[Tunable],
        evaluation: &Evaluation<F>,
        before: &State<F>,
        gradient: &[F],
        z: &mut [Moving<F>],
        tape: &mut N::Tape,
    ) where
        N: Network<F>,
    {
        assert_eq!(z.len(), tunables.len(), "one trace per tunable");
        for (tunable, z) in tunables.iter().zip(z) {
            z.scale(F::of(options.decay));
            let mut along = vec![F::zero(); at.theta.len()];
            self.add_trace_tangent(options, at, unroll, eta, *tunable, evaluation, &z.theta, &mut along, tape);
            self.rule.push_forward(before, gradient, along, options.differential, z);
        }
    }
    /// Adds `(dg/dtheta) z + dg/deta_k` to `out`: what one batch brings to [`Inner::push_trace`] for one tunable, z already decayed.
    ///
    /// `evaluation` is that of [`Inner::step`], and the tape must still be there.
    pub fn add_trace_tangent<F: Real>(
        &self,
        options: &Trace,
        at: At<'_, F, N::Obs>,
        unroll: &Unroll<F, N::Obs>,
        eta: &Eta,
        tunable: Tunable,
        evaluation: &Evaluation<F>,
        z: &[F],
        out: &mut [F],
        tape: &mut N::Tape,
    ) where
        N: Network<F>,
    {
        let one = |t: &Tunable| if *t == tunable { F::one() } else { F::zero() };
        let unit: Vec<F> = options.embedding.iter().map(one).collect();
        let direction = Along { theta: Some(z), condition: (!unit.is_empty()).then_some(unit.as_slice()) };
        let dots = self.tangents(at, direction, unroll, evaluation, tape);
        let motion = Motion { tangents: &dots, targets: options.targets, surrogate: options.surrogate };
        self.gradient_tangent(at, direction, unroll, eta, Some(tunable), evaluation, motion, out, tape);
    }
}
