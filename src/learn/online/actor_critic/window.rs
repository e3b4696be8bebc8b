//! A window of several inner updates: what is kept of each, and the meta-gradient backwards through all of them.

use super::phases::sum_of;
use super::{Learner, Reach};
use crate::diff::{At, Network};
use crate::estimator::online::{Eta, Evaluation, Surrogate, Unroll};
use crate::math::real::Real;
use crate::optim::{self, Moving, Rule};
use crate::rollout::world::{Element, World};
use rayon::prelude::*;

/// An update of the window that is over. Its step size and meta-parameters follow from its number; its activations are computed
/// again when they are needed.
pub(super) struct Past<F, O> {
    /// Parameters and moments before the step.
    pub theta: Vec<F>,
    pub inner: optim::State<F>,
    /// Gradient of the whole batch before clipping.
    pub gradient: Vec<F>,
    /// gamma and lambda that the network saw.
    pub seen: [f64; 2],
    /// Data of the groups.
    pub unrolls: Vec<Unroll<F, O>>,
}

impl<F: Real + Element, W: World + 'static, N: Network<F, Obs = W::Obs> + Send + 'static> Learner<F, W, N> {
    /// Updates that were done before update `k` of the window.
    pub(super) fn done_before(&self, k: usize) -> u64 {
        self.state.standing.update - (self.past.len() - k) as u64
    }

    /// The second derivative that the policy term is given.
    pub(super) fn surrogate(&self) -> Surrogate {
        match self.options.reach {
            Reach::Window { surrogate, .. } => surrogate,
            Reach::Trace { .. } => Surrogate::LogProb,
        }
    }

    /// Takes the update that has just been committed into the window.
    pub(super) fn keep(&mut self, seen: [f64; 2]) {
        self.past.push(Past {
            theta: self.work.theta.clone(),
            inner: self.work.inner.clone(),
            gradient: self.work.total.clone(),
            seen,
            unrolls: self.next.iter().map(|slot| slot.unroll.clone()).collect(),
        });
    }

    /// `u . dtheta_K/deta`, for every group the part that its own data bring directly: backwards through the current step and
    /// those before it, as [`crate::estimator::online::Inner::window`]. Jacobians of later steps are of all groups together.
    pub(super) fn through_window(&mut self, eta: &Eta, seen: [f64; 2], rule: Rule, u: Vec<F>) -> Vec<Vec<f64>> {
        let (learned, surrogate) = (self.options.tunables.learned(), self.surrogate());
        let mode = self.options.differential;
        let share = self.options.share(self.now.len());
        let mut cotangent = Moving::of(u, &self.state.inner);
        let w = rule.pull_back(&self.state.inner, &self.work.total, mode, &mut cotangent);
        let condition = self.condition(seen);
        let inner = self.inner(&self.net, rule);
        let theta = &self.state.theta;
        let jobs = self.now.par_iter_mut().zip(&mut self.work.products).map(|(slot, product)| {
            product.fill(F::zero());
            let at = At { theta, obs: &slot.unroll.obs, condition: &condition };
            let hessian = Some((surrogate, product.as_mut_slice()));
            inner.back_through(at, &slot.unroll, eta, &learned, &slot.evaluation, &w, hessian, &mut slot.tape)
        });
        let mut parts: Vec<Vec<f64>> = jobs.collect();
        add_sum(&self.work.products, share, &mut cotangent.theta);
        self.tapes.resize_with(self.now.len(), N::Tape::default);
        for k in (0..self.past.len()).rev() {
            let done = self.done_before(k);
            let (eta, rule, past) = (self.eta_at(done), self.options.rule_at(done), &self.past[k]);
            let w = rule.pull_back(&past.inner, &past.gradient, mode, &mut cotangent);
            let condition = self.condition(past.seen);
            let inner = self.inner(&self.net, rule);
            let jobs = past.unrolls.par_iter().zip(&mut self.tapes).zip(&mut self.work.products);
            let jobs = jobs.zip(&mut parts);
            jobs.for_each(|(((unroll, tape), product), part)| {
                let at = At { theta: &past.theta, obs: &unroll.obs, condition: &condition };
                let evaluation = Evaluation::at((inner.net, &inner.heads), at, &unroll.actions, tape);
                product.fill(F::zero());
                let hessian = (k > 0).then_some((surrogate, product.as_mut_slice()));
                let more = inner.back_through(at, unroll, &eta, &learned, &evaluation, &w, hessian, tape);
                part.iter_mut().zip(more).for_each(|(p, m)| *p += m);
            });
            if k > 0 {
                add_sum(&self.work.products, share, &mut cotangent.theta);
            }
        }
        parts
    }
}

/// `out += factor (x_1 + ... + x_m)`.
fn add_sum<F: Real>(vectors: &[Vec<F>], factor: f64, out: &mut [F]) {
    let mut sum = vec![F::zero(); out.len()];
    sum_of(vectors, factor, &mut sum);
    out.iter_mut().zip(&sum).for_each(|(o, x)| *o += *x);
}
