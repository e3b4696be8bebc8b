//! The eligibility trace of the meta-parameters: how all updates so far, older ones less, have moved parameters and moments.

use super::phases::sum_of;
use super::{CONDITION, Learner, Options};
use crate::diff::{At, Network};
use crate::estimator::online::{Eta, Surrogate, Trace};
use crate::math::real::{Real, inner_product};
use crate::optim::{Moving, Rule};
use crate::rollout::world::{Element, World};
use rayon::prelude::*;

/// z = 0 for every learned meta-parameter of a learner with `n` parameters; none without a trace.
pub(super) fn start<F: Real>(options: &Options, n: usize) -> Vec<Moving<F>> {
    let count = options.decay().map_or(0, |_| options.tunables.learned().len());
    let state = options.rule.optimiser.start(n);
    (0..count).map(|_| Moving::of(vec![F::zero(); n], &state)).collect()
}

impl<F: Real + Element, W: World + 'static, N: Network<F, Obs = W::Obs> + Send + 'static> Learner<F, W, N> {
    /// `work.trace = mu (dstate'/dstate) state.trace + dstate'/deta` for the inner step on the waiting unroll; returns the
    /// meta-gradient `u . z'`.
    pub(super) fn push_trace(&mut self, decay: f64, eta: &Eta, seen: [f64; 2], rule: Rule, u: &[F]) -> Vec<f64> {
        let condition = self.condition(seen);
        let embedding = match self.options.stop_gradient {
            true => Vec::new(),
            false => CONDITION[..condition.len()].to_vec(),
        };
        let (differential, surrogate) = (self.options.differential, Surrogate::LogProb); // of the step itself
        let trace = Trace { decay, differential, surrogate, targets: true, embedding };
        let inner = self.inner(&self.net, rule);
        let theta = &self.state.theta;
        self.work.trace.clone_from(&self.state.trace);
        for (tunable, z) in self.options.tunables.learned().into_iter().zip(&mut self.work.trace) {
            z.scale(F::of(decay));
            let direction = &z.theta;
            self.now.par_iter_mut().zip(&mut self.work.products).for_each(|(slot, product)| {
                product.fill(F::zero());
                let (unroll, evaluation) = (&slot.unroll, &slot.evaluation);
                let at = At { theta, obs: &unroll.obs, condition: &condition };
                inner.add_trace_tangent(
                    &trace,
                    at,
                    unroll,
                    eta,
                    tunable,
                    evaluation,
                    direction,
                    product,
                    &mut slot.tape,
                );
            });
            let mut along = vec![F::zero(); theta.len()];
            sum_of(&self.work.products, self.options.share(self.now.len()), &mut along);
            rule.push_forward(&self.state.inner, &self.work.total, along, differential, z);
        }
        self.along_trace(u)
    }

    /// `u . z'`, z' the trace after the step.
    pub(super) fn along_trace(&self, u: &[F]) -> Vec<f64> {
        self.work.trace.iter().map(|z| inner_product(&z.theta, u)).collect()
    }
}
