//! The phases of one update: each works on the groups in parallel and leaves its results in order.

use super::gather::{Gathered, Which, gather};
use super::options::Driver;
use super::pool::{Delivery, Pool, Published};
use super::{Learner, Slot, Work};
use crate::diff::{At, Network};
use crate::estimator::online::{Contribution, Eta, Evaluation, Inner, OuterKl, Tunable, add_outer_gradient};
use crate::math::real::{Real, inner_product};
use crate::math::targets::Targets;
use crate::optim::{self, Rule};
use crate::policy::actor_critic::Heads;
use crate::rollout::world::{Element, World};
use rayon::prelude::*;
use std::ops::Range;

/// Coordinates that one thread sums at a time.
const CHUNK: usize = 1 << 15;

/// `out = factor (x_1 + ... + x_m)`, in order for every coordinate.
pub(super) fn sum_of<F: Real>(vectors: &[Vec<F>], factor: f64, out: &mut [F]) {
    let factor = F::of(factor);
    out.par_chunks_mut(CHUNK).enumerate().for_each(|(k, out)| {
        let at = k * CHUNK..k * CHUNK + out.len();
        out.copy_from_slice(&vectors[0][at.clone()]);
        for vector in &vectors[1..] {
            out.iter_mut().zip(&vector[at.clone()]).for_each(|(o, x)| *o += *x);
        }
        out.iter_mut().for_each(|o| *o *= factor);
    });
}

impl<F: Real + Element, W: World + 'static, N: Network<F, Obs = W::Obs> + Send + 'static> Learner<F, W, N> {
    /// What the inner step ascends, and how at this point of the run.
    pub(super) fn inner<'a>(&self, net: &'a N, rule: Rule) -> Inner<'a, N> {
        Inner { net, heads: self.heads, objective: self.options.objective(), rule }
    }

    /// The data after the inner step, with their forward pass at `work.theta`, into `next`: the next unroll of the synchronous
    /// actors, or what the actors that run ahead have queued.
    pub(super) fn collect(&mut self, index: u64, seen: [f64; 2]) -> Result<(), String> {
        let Driver::Impala(ahead) = self.options.driver else { return self.act(index, seen) };
        let condition = self.condition(seen);
        let (theta, update) = (self.work.theta.clone(), index);
        let published = Published { theta, condition: condition.clone(), update };
        match &self.pool {
            Some(pool) => pool.publish(published),
            None => {
                let groups = std::mem::take(&mut self.groups);
                let first = Which { length: self.options.length, seed: self.seed, index };
                self.pool = Some(Pool::start((&self.net, self.heads), groups, published, ahead, first));
            }
        }
        let delivered = self.pool.as_ref().map_or(Ok(Vec::new()), Pool::take)?;
        let (net, heads, theta) = (&*self.net, &self.heads, &self.work.theta);
        let mut old = std::mem::take(&mut self.next);
        let tapes: Vec<N::Tape> = delivered.iter().map(|_| old.pop().map(|s| s.tape).unwrap_or_default()).collect();
        let jobs = delivered.into_par_iter().zip(tapes);
        self.next = jobs
            .map(|(Delivery { unroll, finished, frames, update: acted }, mut tape)| {
                let at = At { theta, obs: &unroll.obs, condition: &condition };
                let evaluation = Evaluation::at((net, heads), at, &unroll.actions, &mut tape);
                Slot { unroll, tape, evaluation, finished, frames, lag: (update - acted) as f64 }
            })
            .collect();
        Ok(())
    }

    /// Unroll number `index` of the run, by synchronous actors with the parameters in `work.theta`, into `next`.
    pub(super) fn act(&mut self, index: u64, seen: [f64; 2]) -> Result<(), String> {
        let condition = self.condition(seen);
        let which = Which { length: self.options.length, seed: self.seed, index };
        let Learner { net, heads, groups, next, work, .. } = self;
        let (net, heads, theta) = (&**net, &*heads, &work.theta);
        let mut old = std::mem::take(next);
        let old: Vec<Option<_>> = (0..groups.len()).map(|_| old.pop()).collect();
        let jobs = groups.par_iter_mut().zip(old).enumerate();
        let found: Result<Vec<_>, String> = jobs
            .map(|(g, (group, old))| {
                let (obs, mut tape) = old.map_or((Vec::new(), N::Tape::default()), |s| (s.unroll.obs, s.tape));
                let found = gather((g, group), (net, heads), [theta, &condition], which, obs, &mut tape)?;
                let Gathered { unroll, evaluation, finished, frames } = found;
                Ok(Slot { unroll, tape, evaluation, finished, frames, lag: 0.0 })
            })
            .collect();
        *next = found?;
        Ok(())
    }

    /// Inner gradient at `eta` on the waiting unroll into `work`: of the groups, and of all. Returns the means of the policy's
    /// entropy and of the squared error of the values. The forward pass is that of the actors, or made `again`.
    pub(super) fn inner_gradient(&mut self, eta: &Eta, seen: [f64; 2], again: bool) -> [f64; 2] {
        let condition = self.condition(seen);
        let inner = self.inner(&self.net, self.options.rule);
        let theta = &self.state.theta;
        let jobs = self.now.par_iter_mut().zip(&mut self.work.gradients).map(|(slot, gradient)| {
            let Slot { unroll, tape, evaluation, .. } = slot;
            let at = At { theta, obs: &unroll.obs, condition: &condition };
            if again {
                *evaluation = Evaluation::at((inner.net, &inner.heads), at, &unroll.actions, tape);
            }
            gradient.fill(F::zero());
            let targets = inner.add_gradient(at, unroll, eta, evaluation, gradient, tape);
            quality(&inner.heads, evaluation, &targets)
        });
        let found: Vec<[f64; 2]> = jobs.collect();
        let Work { gradients, total, .. } = &mut self.work;
        sum_of(gradients, self.options.share(gradients.len()), total);
        [0, 1].map(|k| found.iter().map(|q| q[k]).sum::<f64>() / found.len() as f64)
    }

    /// `work.theta`, `work.inner` = the state after the step along `work.total`, `work.clipped` = what it took; returns the norm before
    /// clipping, or nothing if a number is not finite.
    ///
    /// These vectors are larger than the caches: each is passed over once.
    pub(super) fn inner_step(&mut self, rule: Rule) -> Option<f64> {
        let (state, work) = (&self.state, &mut self.work);
        let squares: Vec<f64> = work.total.par_chunks(CHUNK).map(|g| inner_product(g, g)).collect();
        let norm = squares.iter().sum::<f64>().sqrt();
        let scale = F::of(rule.clip.map_or(1.0, |limit| optim::clip_factor(norm, limit)));
        work.inner.steps = state.inner.steps + 1;
        let step = work.inner.steps;
        let Work { inner: optim::State { first, second, .. }, clipped, theta, total, .. } = work;
        let (mut first, mut second) = (first.chunks_mut(CHUNK), second.chunks_mut(CHUNK));
        let moments: Vec<[&mut [F]; 2]> = theta
            .chunks(CHUNK)
            .map(|_| [first.next().unwrap_or_default(), second.next().unwrap_or_default()])
            .collect();
        let parts = theta.par_chunks_mut(CHUNK).zip(clipped.par_chunks_mut(CHUNK)).zip(moments).enumerate();
        let is_finite: Vec<bool> = parts
            .map(|(k, ((theta, clipped), [first, second]))| {
                let start = k * CHUNK;
                let of = |from: &[F], to: &mut [F]| to.copy_from_slice(&from[start..start + to.len()]);
                for (c, g) in clipped.iter_mut().zip(&total[start..]) {
                    *c = scale * *g;
                }
                of(&state.theta, theta);
                if !first.is_empty() {
                    of(&state.inner.first, first);
                }
                if !second.is_empty() {
                    of(&state.inner.second, second);
                }
                rule.optimiser.ascend_part(step, [first, second], clipped, theta);
                theta.iter().fold(true, |all, x| all & x.is_finite())
            })
            .collect();
        (norm.is_finite() && !is_finite.contains(&false)).then_some(norm)
    }

    /// Outer gradients of some groups on the later unroll, at `work.theta`, into `work.ascents`; returns J' of these groups.
    pub(super) fn outer_gradient(&mut self, groups: Range<usize>, current: [f64; 2]) -> f64 {
        let options = &self.options;
        let outer = options.outer();
        let reference = [options.outer.eta.gamma, options.outer.eta.lambda];
        let seen = self.condition(if options.outer.sees_reference { reference } else { current });
        // the old policy is that before the window
        let (old_theta, old_seen) =
            self.past.first().map_or((&self.state.theta, self.state.standing.seen), |past| (&past.theta, past.seen));
        let before = self.condition(old_seen);
        let (net, heads, theta) = (&*self.net, &self.heads, &self.work.theta);
        let (kl_cost, again) = (options.outer.kl, options.outer.sees_reference);
        let count = groups.len();
        let jobs = self.next[groups.clone()].par_iter_mut().zip(&mut self.work.ascents[groups]);
        let losses: Vec<f64> = jobs
            .map(|(slot, ascent)| {
                let Slot { unroll, tape, evaluation, .. } = slot;
                let at = At { theta, obs: &unroll.obs, condition: &seen };
                let mut other = N::Tape::default();
                let old = (kl_cost > 0.0).then(|| {
                    net.forward(At { theta: old_theta, obs: &unroll.obs, condition: &before }, &mut other);
                    heads.distribution(net.output(&other))
                });
                let kl = old.as_ref().map(|old| OuterKl { cost: kl_cost, old });
                ascent.fill(F::zero());
                if !again {
                    return add_outer_gradient(net, heads, &outer, at, unroll, evaluation, kl, ascent, tape);
                }
                // the acting pass saw the current eta: it stays for the next inner step
                let evaluation = Evaluation::at((net, heads), at, &unroll.actions, &mut other);
                add_outer_gradient(net, heads, &outer, at, unroll, &evaluation, kl, ascent, &mut other)
            })
            .collect();
        losses.iter().sum::<f64>() * self.options.share(count)
    }

    /// `w . dg/deta` of every group on the waiting unroll, w the pull-back of the outer gradient through the step (`w` on entry);
    /// summed over the updates of a window.
    pub(super) fn derivatives(&mut self, eta: &Eta, seen: [f64; 2], rule: Rule, mut w: Vec<F>) -> Vec<Vec<f64>> {
        if !self.past.is_empty() {
            return self.through_window(eta, seen, rule, w);
        }
        let learned = self.options.tunables.learned();
        let Work { total, clipped, .. } = &self.work;
        rule.pull_back_in_place(&self.state.inner, [total, clipped], self.options.differential, &mut w);
        let condition = self.condition(seen);
        let inner = self.inner(&self.net, rule);
        let theta = &self.state.theta;
        let through = !self.options.stop_gradient && !condition.is_empty();
        let jobs = self.now.par_iter_mut();
        jobs.map(|slot| {
            let Slot { unroll, tape, evaluation, .. } = slot;
            let at = At { theta, obs: &unroll.obs, condition: &condition };
            let Contribution { mut total, .. } = inner.along(at, unroll, eta, &learned, evaluation, &w, tape);
            if through {
                let extra = inner.through_embedding(at, unroll, eta, evaluation, &w, tape);
                for (t, x) in super::CONDITION.iter().zip(extra) {
                    if let Some(k) = position(&learned, *t) {
                        total[k] += x;
                    }
                }
            }
            total
        })
        .collect()
    }
}

fn position(tunables: &[Tunable], one: Tunable) -> Option<usize> {
    tunables.iter().position(|t| *t == one)
}

/// Mean entropy and mean squared value error of an inner step.
fn quality<F: Real>(heads: &Heads, evaluation: &Evaluation<F>, targets: &Targets<F>) -> [f64; 2] {
    let n = targets.value.len();
    let entropy: f64 = heads.entropy(&evaluation.distribution, n).iter().map(|h| h.f64()).sum();
    let residuals = targets.value.iter().zip(&evaluation.values[0]).map(|(y, v)| (y.re - *v).f64());
    [entropy / n as f64, residuals.map(|r| r * r).sum::<f64>() / n as f64]
}
