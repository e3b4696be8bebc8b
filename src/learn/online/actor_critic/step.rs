//! One update of the actor-critic: the phases in their order, and what is reported and committed.

use super::gauge::{GapRow, Measured};
use super::phases::sum_of;
use super::{Learner, Row};
use crate::diff::Network;
use crate::estimator::online::{Eta, Verdict};
use crate::learn::online::Failed;
use crate::math::groups::{Crossed, Products, crossed};
use crate::math::real::Real;
use crate::math::targets::Target;
use crate::optim::{self, Moving, Rule};
use crate::rollout::world::{Element, World};
use std::ops::Range;

/// One inner step and what follows from it, before anything is committed; vectors are in the learner's working memory.
pub(super) struct Move {
    pub eta: Eta,
    pub rule: Rule,
    /// gamma and lambda that the network saw in the inner step.
    pub seen: [f64; 2],
    norm: f64,
    quality: [f64; 2],
    loss: Option<f64>,
    /// Derivatives of -J' by the values of the learned meta-parameters; none within a window.
    pub by_value: Option<Vec<f64>>,
    gap: Option<Measured>,
}

impl<F: Real + Element, W: World + 'static, N: Network<F, Obs = W::Obs> + Send + 'static> Learner<F, W, N> {
    /// One inner step, its meta-gradient on later data, and one step of the meta-parameters.
    ///
    /// # Errors
    /// A number was not finite (the state is that before the update), or an environment failed.
    pub fn step(&mut self) -> Result<Row, Failed> {
        let found = self.compute()?;
        Ok(self.commit(found))
    }

    /// Phases 1 to 4.
    pub(super) fn compute(&mut self) -> Result<Move, Failed> {
        let (eta, update) = (self.eta(), self.state.standing.update + 1);
        let rule = self.options.rule_at(self.state.standing.update);
        let current = [eta.gamma, eta.lambda];
        let is_single = self.options.window() == 1;
        let seen = if self.options.stop_gradient && is_single { self.state.standing.seen } else { current };
        let is_stale = self.condition(seen) != self.condition(self.state.standing.seen);
        let quality = self.inner_gradient(&eta, seen, !self.options.stop_gradient || is_stale);
        let norm = self.inner_step(rule).ok_or(Failed::Diverged { update })?;
        self.collect(update, current).map_err(|why| Failed::Environment { update, why })?;
        let has_metric = self.state.inner.steps > 0 || self.state.inner.second.is_empty(); // fresh moments measure nothing
        let is_end = self.ends_window();
        let is_measured = has_metric && is_end && self.options.is_measured(update);
        let is_learned = !self.options.tunables.learned().is_empty();
        let groups = match (is_measured, is_learned && is_end) {
            (true, _) => self.options.groups,
            (false, true) => self.options.outer_groups(),
            (false, false) => 0,
        };
        let mut loss = None;
        if groups > 0 {
            let count = self.options.outer_groups();
            loss = Some(self.outer_gradient(0..count, current));
            if groups > count {
                self.outer_gradient(count..groups, current);
            }
        }
        let by_value = is_end.then(|| if is_learned { self.meta_gradient(&eta, seen, rule) } else { Vec::new() });
        let gap = is_measured.then(|| self.measure(&eta, seen, rule));
        Ok(Move { eta, rule, seen, norm, quality, loss, by_value, gap })
    }

    /// Derivatives of -J' by the values of what is learned, from the outer gradients.
    fn meta_gradient(&mut self, eta: &Eta, seen: [f64; 2], rule: Rule) -> Vec<f64> {
        let u = self.mean_ascent(0..self.options.outer_groups());
        match self.options.decay() {
            Some(decay) => self.push_trace(decay, eta, seen, rule, &u),
            None => {
                let parts = self.derivatives(eta, seen, rule, u);
                self.mean_part(&parts)
            }
        }
    }

    /// The whole batch's derivatives from those of the groups.
    fn mean_part(&self, parts: &[Vec<f64>]) -> Vec<f64> {
        let share = self.options.share(parts.len());
        let of = |k: usize| parts.iter().map(|p| p[k]).sum::<f64>() * share;
        (0..self.state.standing.logits.len()).map(of).collect()
    }

    /// Outer gradient of some groups together.
    pub(super) fn mean_ascent(&self, groups: Range<usize>) -> Vec<F> {
        let mut u = vec![F::zero(); self.state.theta.len()];
        sum_of(&self.work.ascents[groups.clone()], self.options.share(groups.len()), &mut u);
        u
    }

    /// Inner products for the gap log. The meta-gradient is crossed between halves of the groups: what their data bring directly;
    /// Jacobians of the later updates of a window, and the trace of earlier ones, are common to both, as theta' is.
    fn measure(&mut self, eta: &Eta, seen: [f64; 2], rule: Rule) -> Measured {
        let factor = self.options.per_transition().powi(2);
        let gradients = slices(&self.work.gradients);
        let inner = Products::of(&gradients).scaled(factor);
        let moments = &self.state.inner;
        let metric = |at: Range<usize>, p: &mut [f64]| rule.optimiser.preconditioner(moments, at, p);
        let is_plain = moments.second.is_empty();
        let preconditioned =
            if is_plain { inner.clone() } else { Products::in_metric(&gradients, &metric).scaled(factor) };
        let out = Products::of(&slices(&self.work.ascents)).scaled(factor);
        let tunables = self.options.tunables;
        let half = self.options.groups / 2;
        let meta = (!tunables.learned().is_empty()).then(|| {
            let mut h: [[Vec<f64>; 2]; 2] = Default::default();
            let scale = 2.0 * self.options.share(2 * half);
            for y in 0..2 {
                let mut u = self.mean_ascent(y * half..(y + 1) * half);
                let per_transition = F::of(self.options.per_transition() / self.options.share(half) / half as f64);
                u.iter_mut().for_each(|x| *x *= per_transition);
                let traced = self.along_trace(&u);
                let parts = self.derivatives(eta, seen, rule, u);
                let direct = self.mean_part(&parts);
                let earlier: Vec<f64> = traced.iter().zip(&direct).map(|(t, d)| t - d).collect();
                for x in 0..2 {
                    let of = |k: usize| {
                        let own = parts[x * half..(x + 1) * half].iter().map(|p| p[k]).sum::<f64>() * scale;
                        own + earlier.get(k).unwrap_or(&0.0)
                    };
                    h[x][y] = (0..tunables.learned().len()).map(of).collect();
                }
            }
            let logits = &self.state.standing.logits;
            let in_logits = h.each_ref().map(|row| row.each_ref().map(|h| tunables.by_logits(logits, h)));
            [crossed(&in_logits), crossed(&h)] as [Crossed; 2]
        });
        let transitions = (self.options.actors * self.options.length) as f64;
        Measured { inner, preconditioned, out, meta, transitions }
    }

    /// Moves the logits along the derivatives by the values, unless the rail objects; returns the norm of those by the logits.
    fn move_logits(&mut self, by_value: &[f64]) -> f64 {
        let standing = &mut self.state.standing;
        let mut ascent = self.options.tunables.by_logits(&standing.logits, by_value);
        let norm = optim::norm(&ascent);
        match self.options.rail.judge(&mut standing.rail, &mut ascent) {
            Verdict::Apply { factor } => {
                self.options.meta.scaled(factor).ascend(&mut standing.moments, &ascent, &mut standing.logits);
            }
            Verdict::NotFinite | Verdict::Exploded => {
                self.work.trace.iter_mut().for_each(Moving::reset); // it would never recover
            }
            Verdict::FallenBack => {}
        }
        norm
    }

    /// Moves the logits, takes over the new parameters and the later unroll, and reports.
    pub(super) fn commit(&mut self, found: Move) -> Row {
        let Move { eta, seen, norm, quality, loss, by_value, gap, .. } = found;
        let [ratio_mean, clip_fraction, policy_lag] = self.ratios();
        let before = self.state.standing.logits.clone();
        let meta_gradient_norm = by_value.as_ref().map(|h| self.move_logits(h));
        let standing = &mut self.state.standing;
        let gap: Option<GapRow> = gap.filter(Measured::is_finite).map(|found| standing.gauge.take(&found));
        if let Some(row) = &gap
            && self.options.rail.watch(&mut standing.rail, standing.update + 1, row.out.squared)
        {
            standing.logits = self.options.fallen_logits();
        }
        let change: Vec<f64> = standing.logits.iter().zip(&before).map(|(a, b)| a - b).collect();
        standing.update += 1;
        standing.seen = [eta.gamma, eta.lambda];
        std::mem::swap(&mut self.state.theta, &mut self.work.theta);
        std::mem::swap(&mut self.state.inner, &mut self.work.inner);
        std::mem::swap(&mut self.state.trace, &mut self.work.trace);
        std::mem::swap(&mut self.now, &mut self.next);
        match by_value {
            None => self.keep(seen),
            Some(_) => self.past.clear(),
        }
        self.count();
        let ended: Vec<f64> = self.now.iter().flat_map(|slot| &slot.finished).copied().collect();
        let average = |x: &mut dyn ExactSizeIterator<Item = f64>| {
            let n = x.len() as f64;
            (n > 0.0).then(|| x.sum::<f64>() / n)
        };
        let standing = &self.state.standing;
        Row {
            update: standing.update,
            steps: standing.steps,
            frames: standing.frames,
            gamma: eta.gamma,
            lambda: eta.lambda,
            policy_cost: eta.policy_cost,
            value_cost: eta.value_cost,
            entropy_cost: eta.entropy_cost,
            leak: eta.leak,
            logits: standing.logits.clone(),
            achieved: average(&mut ended.into_iter()),
            return_100: average(&mut standing.recent.iter().copied()),
            episodes: standing.episodes,
            entropy: quality[0],
            value_error: quality[1],
            outer_loss: loss,
            gradient_norm: norm,
            clipped: self.options.rule.clip.is_some_and(|limit| norm > limit),
            ratio_mean,
            clip_fraction,
            policy_lag,
            meta_gradient_norm: meta_gradient_norm.filter(|norm| norm.is_finite()),
            logit_change: optim::norm(&change),
            skipped: standing.rail.not_finite + standing.rail.exploded,
            fallen_back: standing.rail.fallen_back,
            gap,
        }
    }

    /// Mean of pi / mu over the waiting unroll, share of steps above V-trace's limit, mean lag.
    fn ratios(&self) -> [f64; 3] {
        let limit = if let Target::VTrace(v) = self.options.target { v.rho_bar } else { f64::INFINITY };
        let (mut sum, mut above, mut lag, mut n) = (0.0, 0.0, 0.0, 0.0);
        for slot in &self.now {
            for (l, m) in slot.evaluation.log_prob.iter().zip(&slot.unroll.behaviour) {
                let ratio = (*l - *m).f64().exp();
                sum += ratio;
                above += f64::from(u8::from(ratio > limit));
                n += 1.0;
            }
            lag += slot.lag;
        }
        [sum / n, above / n, lag / self.now.len() as f64]
    }
}

fn slices<F>(vectors: &[Vec<F>]) -> Vec<&[F]> {
    vectors.iter().map(Vec::as_slice).collect()
}
