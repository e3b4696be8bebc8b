//! One update of the actor-critic: the phases in their order, and what is reported and committed.

use super::gauge::{GapRow, Measured};
use super::phases::sum_of;
use super::{Learner, Row};
use crate::diff::Network;
use crate::estimator::online::{Eta, Tunable, Verdict};
use crate::learn::online::Failed;
use crate::math::groups::{Crossed, Products, crossed};
use crate::math::real::Real;
use crate::math::targets::Target;
use crate::optim::{self, Rule};
use crate::rollout::world::{Element, World};

/// One meta-gradient beside its central difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checked {
    /// Of which meta-parameter.
    pub tunable: Tunable,
    /// Derivative of -J' by its value, by the formula.
    pub exact: f64,
    /// The same by a central difference through the whole update.
    pub difference: f64,
}

/// One inner step and what follows from it, before anything is committed; vectors are in the learner's working memory.
pub(super) struct Move {
    pub eta: Eta,
    rule: Rule,
    /// gamma and lambda that the network saw in the inner step.
    seen: [f64; 2],
    norm: f64,
    quality: [f64; 2],
    loss: Option<f64>,
    /// Derivatives of -J' by the values of the learned meta-parameters.
    pub by_value: Vec<f64>,
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

    /// [`Learner::step`] with the meta-gradient held against central differences of `u . theta'(eta)`, u the outer gradient.
    ///
    /// # Errors
    /// As [`Learner::step`].
    pub fn checked_step(&mut self) -> Result<(Row, Vec<Checked>), Failed> {
        let found = self.compute()?;
        let checked = self.differences(&found);
        Ok((self.commit(found), checked))
    }

    /// Phases 1 to 4.
    fn compute(&mut self) -> Result<Move, Failed> {
        let (eta, update) = (self.eta(), self.state.standing.update + 1);
        let rule = self.options.rule_at(self.state.standing.update);
        let current = [eta.gamma, eta.lambda];
        let seen = if self.options.stop_gradient { self.state.standing.seen } else { current };
        let quality = self.inner_gradient(&eta, seen);
        let norm = self.inner_step(rule);
        let is_finite = |part: &[F]| part.iter().fold(true, |all, x| all & x.is_finite());
        if !norm.is_finite() || !self.work.theta.chunks(1024).all(is_finite) {
            return Err(Failed::Diverged { update });
        }
        self.collect(update, current).map_err(|why| Failed::Environment { update, why })?;
        let has_metric = self.state.inner.steps > 0 || self.state.inner.second.is_empty(); // fresh moments measure nothing
        let is_measured = has_metric && self.options.gap_every > 0 && update.is_multiple_of(self.options.gap_every);
        let learned = self.options.tunables.learned();
        let groups = match (is_measured, learned.is_empty()) {
            (true, _) => self.options.groups,
            (false, true) => 0,
            (false, false) => self.options.outer_groups(),
        };
        let (mut loss, mut by_value) = (None, Vec::new());
        if groups > 0 {
            let count = self.options.outer_groups();
            loss = Some(self.outer_gradient(0..count, current));
            if groups > count {
                self.outer_gradient(count..groups, current);
            }
        }
        if !learned.is_empty() {
            let u = self.mean_ascent(0..self.options.outer_groups());
            let parts = self.derivatives(&eta, seen, rule, u);
            let share = self.options.share(parts.len());
            by_value = (0..learned.len()).map(|k| parts.iter().map(|p| p[k]).sum::<f64>() * share).collect();
        }
        let gap = is_measured.then(|| self.measure(&eta, seen, rule));
        Ok(Move { eta, rule, seen, norm, quality, loss, by_value, gap })
    }

    /// `work.theta`, `work.inner` = the state after the step along `work.total`; returns the norm before clipping.
    fn inner_step(&mut self, rule: Rule) -> f64 {
        let work = &mut self.work;
        work.clipped.copy_from_slice(&work.total);
        work.theta.copy_from_slice(&self.state.theta);
        work.inner.clone_from(&self.state.inner);
        rule.apply(&mut work.inner, &mut work.clipped, &mut work.theta)
    }

    /// Outer gradient of some groups together.
    fn mean_ascent(&self, groups: std::ops::Range<usize>) -> Vec<F> {
        let mut u = vec![F::zero(); self.state.theta.len()];
        sum_of(&self.work.ascents[groups.clone()], self.options.share(groups.len()), &mut u);
        u
    }

    /// Inner products for the gap log. The meta-gradient is crossed between halves of the groups.
    fn measure(&mut self, eta: &Eta, seen: [f64; 2], rule: Rule) -> Measured {
        let factor = self.options.per_transition().powi(2);
        let of = |vectors: &[Vec<F>], root: Option<&[f64]>| {
            let vectors: Vec<&[F]> = vectors.iter().map(Vec::as_slice).collect();
            Products::of(&vectors, root).scaled(factor)
        };
        let root = rule.optimiser.root_preconditioner(&self.state.inner);
        let inner = of(&self.work.gradients, None);
        let preconditioned =
            if root.is_empty() { inner.clone() } else { of(&self.work.gradients, Some(root.as_slice())) };
        let out = of(&self.work.ascents, None);
        let tunables = self.options.tunables;
        let half = self.options.groups / 2;
        let meta = (!tunables.learned().is_empty()).then(|| {
            let mut h: [[Vec<f64>; 2]; 2] = Default::default();
            let scale = 2.0 * self.options.share(2 * half);
            for y in 0..2 {
                let mut u = self.mean_ascent(y * half..(y + 1) * half);
                let per_transition = F::of(self.options.per_transition() / self.options.share(half) / half as f64);
                u.iter_mut().for_each(|x| *x *= per_transition);
                let parts = self.derivatives(eta, seen, rule, u);
                for x in 0..2 {
                    let of = |k: usize| parts[x * half..(x + 1) * half].iter().map(|p| p[k]).sum::<f64>() * scale;
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

    /// Moves the logits, takes over the new parameters and the later unroll, and reports.
    fn commit(&mut self, found: Move) -> Row {
        let Move { eta, norm, quality, loss, by_value, gap, .. } = found;
        let [ratio_mean, clip_fraction, policy_lag] = self.ratios();
        let standing = &mut self.state.standing;
        let mut ascent = self.options.tunables.by_logits(&standing.logits, &by_value);
        let meta_gradient_norm = optim::norm(&ascent);
        let before = standing.logits.clone();
        if let Verdict::Apply { factor } = self.options.rail.judge(&mut standing.rail, &mut ascent) {
            self.options.meta.scaled(factor).ascend(&mut standing.moments, &ascent, &mut standing.logits);
        }
        let gap: Option<GapRow> = gap.filter(Measured::is_finite).map(|found| standing.gauge.take(&found));
        if let Some(row) = &gap
            && self.options.rail.watch(&mut standing.rail, row.out.squared)
        {
            // gamma and lambda of the reference, the other learned ones as they were at the start: J' has factors of its own
            let mut back = self.options.tunables.eta(&self.options.tunables.start(), 0.0);
            (back.gamma, back.lambda) = (self.options.outer.eta.gamma, self.options.outer.eta.lambda);
            standing.logits = self.options.tunables.fall_back(&back);
        }
        let change: Vec<f64> = standing.logits.iter().zip(&before).map(|(a, b)| a - b).collect();
        standing.update += 1;
        standing.seen = [eta.gamma, eta.lambda];
        std::mem::swap(&mut self.state.theta, &mut self.work.theta);
        std::mem::swap(&mut self.state.inner, &mut self.work.inner);
        std::mem::swap(&mut self.now, &mut self.next);
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
            meta_gradient_norm: meta_gradient_norm.is_finite().then_some(meta_gradient_norm),
            logit_change: optim::norm(&change),
            skipped: standing.rail.not_finite + standing.rail.exploded,
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

    /// Central differences of fourth order through the whole inner update; only working memory changes.
    fn differences(&mut self, found: &Move) -> Vec<Checked> {
        let learned = self.options.tunables.learned();
        if learned.is_empty() {
            return Vec::new();
        }
        let u = self.mean_ascent(0..self.options.outer_groups());
        let kept = (self.work.theta.clone(), self.work.inner.clone(), self.work.total.clone());
        let mut checked = Vec::new();
        for (tunable, exact) in learned.into_iter().zip(&found.by_value) {
            let mut along = |h: f64| -> f64 {
                let mut moved = found.eta;
                *moved.get_mut(tunable) += h;
                let seen = if self.options.stop_gradient { found.seen } else { [moved.gamma, moved.lambda] };
                self.inner_gradient(&moved, seen);
                self.inner_step(found.rule);
                self.work.theta.iter().zip(&u).map(|(x, u)| x.f64() * u.f64()).sum()
            };
            let h = 1e-5; // Adam's step bends sharply where a gradient's coordinate is near zero
            let wide = along(2.0 * h) - along(-2.0 * h);
            let narrow = along(h) - along(-h);
            checked.push(Checked { tunable, exact: *exact, difference: (8.0 * narrow - wide) / (12.0 * h) });
        }
        (self.work.theta, self.work.inner, self.work.total) = kept;
        checked
    }
}
