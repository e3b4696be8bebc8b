//! The meta-gradient beside central differences through everything that it differentiates.

use super::phases::sum_of;
use super::step::Move;
use super::{Learner, Row};
use crate::diff::{At, Network};
use crate::estimator::online::{Eta, Evaluation, Tunable, Unroll};
use crate::learn::online::Failed;
use crate::math::real::{Real, inner_product};
use crate::optim::{self, Rule};
use crate::rollout::world::{Element, World};
use rayon::prelude::*;

/// Step of the differences: Adam's step bends sharply where a gradient's coordinate is near zero.
const STEP: f64 = 1e-5;
/// The same through several updates, where parameters move further and more units cross a kink.
const FAR_STEP: f64 = 1e-7;
/// Furthest that the start may move along a trace: behind RMSProp and Adam traces may be very long.
const FAR_MOVE: f64 = 1e-8;

/// One meta-gradient beside its central difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checked {
    /// Of which meta-parameter.
    pub tunable: Tunable,
    /// Derivative of -J' by its value, by the formula.
    pub exact: f64,
    /// The same by a central difference through the whole update or window.
    pub difference: f64,
}

/// One update of a window as it was made, with the evaluations of its groups.
struct Taken<'a, F, O> {
    condition: Vec<F>,
    unrolls: Vec<&'a Unroll<F, O>>,
    nominal: Vec<Evaluation<F>>,
    eta: Eta,
    rule: Rule,
}

impl<F: Real + Element, W: World + 'static, N: Network<F, Obs = W::Obs> + Send + 'static> Learner<F, W, N> {
    /// [`Learner::step`] with the meta-gradient held against central differences of `u . theta'(eta)`, u the outer gradient:
    ///
    /// through the inner update; with a trace through the update from a start that moves by mu z; with a window through all its
    /// updates, each that of the surrogate (targets from the parameters as they were). Nothing is checked within a window.
    ///
    /// # Errors
    /// As [`Learner::step`].
    pub fn checked_step(&mut self) -> Result<(Row, Vec<Checked>), Failed> {
        let found = self.compute()?;
        let checked = self.differences(&found);
        Ok((self.commit(found), checked))
    }

    /// Whether the next update ends a window, so that it has a meta-gradient.
    pub fn ends_window(&self) -> bool {
        self.past.len() + 1 == self.options.window()
    }

    /// Only working memory changes.
    fn differences(&mut self, found: &Move) -> Vec<Checked> {
        let learned = self.options.tunables.learned();
        let Some(by_value) = found.by_value.as_ref().filter(|_| !learned.is_empty()) else { return Vec::new() };
        let u = self.mean_ascent(0..self.options.outer_groups());
        let kept = (self.work.theta.clone(), self.work.inner.clone(), self.work.total.clone());
        let mut checked = Vec::new();
        for (k, (tunable, exact)) in learned.into_iter().zip(by_value).enumerate() {
            let derivative = if self.past.is_empty() {
                let step = self.options.decay().map_or(STEP, |decay| {
                    let size = decay * optim::norm(&self.state.trace[k].theta);
                    FAR_STEP.min(FAR_MOVE / size.max(f64::MIN_POSITIVE))
                });
                central(step, |h| {
                    self.moved_step(found, (k, tunable), h);
                    difference(&self.work.theta, &kept.0, &u)
                })
            } else {
                let taken = self.taken(found);
                central(FAR_STEP, |h| difference(&self.end_of_window(&taken, tunable, h), &kept.0, &u))
            };
            checked.push(Checked { tunable, exact: *exact, difference: derivative });
        }
        (self.work.theta, self.work.inner, self.work.total) = kept;
        checked
    }

    /// The inner update where meta-parameter number `k` is moved by h, and the start by h mu z if there is a trace, into `work`.
    fn moved_step(&mut self, found: &Move, (k, tunable): (usize, Tunable), h: f64) {
        let mut moved = found.eta;
        *moved.get_mut(tunable) += h;
        let seen = if self.options.stop_gradient { found.seen } else { [moved.gamma, moved.lambda] };
        let Some(decay) = self.options.decay() else {
            self.inner_gradient(&moved, seen, !self.options.stop_gradient);
            self.inner_step(found.rule);
            return;
        };
        let (theta, inner) = (self.state.theta.clone(), self.state.inner.clone());
        let z = &self.state.trace[k];
        let parts = [
            (&mut self.state.theta, &z.theta),
            (&mut self.state.inner.first, &z.first),
            (&mut self.state.inner.second, &z.second),
        ];
        for (x, z) in parts {
            x.iter_mut().zip(z).for_each(|(x, z)| *x += F::of(h * decay) * *z);
        }
        let squares = &mut self.state.inner.second;
        squares.iter_mut().for_each(|s| *s = s.max(F::zero())); // a mean square near 0 may not be moved below
        self.inner_gradient(&moved, seen, true);
        self.inner_step(found.rule);
        (self.state.theta, self.state.inner) = (theta, inner);
    }

    /// The updates of the window that ends with this one.
    fn taken(&self, found: &Move) -> Vec<Taken<'_, F, W::Obs>> {
        let (net, heads) = (&*self.net, &self.heads);
        let evaluations = |theta: &[F], condition: &[F], unrolls: &[&Unroll<F, W::Obs>]| -> Vec<Evaluation<F>> {
            let one = |unroll: &&Unroll<F, W::Obs>| {
                let at = At { theta, obs: &unroll.obs, condition };
                Evaluation::at((net, heads), at, &unroll.actions, &mut N::Tape::default())
            };
            unrolls.par_iter().map(one).collect()
        };
        let past = self.past.iter().enumerate().map(|(k, past)| {
            let done = self.done_before(k);
            let unrolls: Vec<_> = past.unrolls.iter().collect();
            let condition = self.condition(past.seen);
            let nominal = evaluations(&past.theta, &condition, &unrolls);
            Taken { condition, unrolls, nominal, eta: self.eta_at(done), rule: self.options.rule_at(done) }
        });
        let unrolls: Vec<_> = self.now.iter().map(|slot| &slot.unroll).collect();
        let condition = self.condition(found.seen);
        let nominal = evaluations(&self.state.theta, &condition, &unrolls);
        past.chain([Taken { condition, unrolls, nominal, eta: found.eta, rule: found.rule }]).collect()
    }

    /// Parameters at the end of the window where a meta-parameter is moved by h, every update being that of its surrogate.
    fn end_of_window(&self, taken: &[Taken<'_, F, W::Obs>], tunable: Tunable, h: f64) -> Vec<F> {
        let (mut theta, mut state) = (self.past[0].theta.clone(), self.past[0].inner.clone());
        let surrogate = self.surrogate();
        for Taken { condition, unrolls, nominal, eta, rule, .. } in taken {
            let mut eta = *eta;
            *eta.get_mut(tunable) += h;
            let inner = self.inner(&self.net, *rule);
            let gradients = unrolls.par_iter().zip(nominal).map(|(unroll, nominal)| {
                let at = At { theta: &theta, obs: &unroll.obs, condition };
                let mut tape = N::Tape::default();
                let here = Evaluation::at((inner.net, &inner.heads), at, &unroll.actions, &mut tape);
                let mut gradient = vec![F::zero(); theta.len()];
                let evaluations = [nominal, &here];
                inner.add_surrogate_gradient(at, unroll, &eta, evaluations, surrogate, &mut gradient, &mut tape);
                gradient
            });
            let gradients: Vec<Vec<F>> = gradients.collect();
            let mut total = vec![F::zero(); theta.len()];
            sum_of(&gradients, self.options.share(gradients.len()), &mut total);
            rule.apply(&mut state, &mut total, &mut theta);
        }
        theta
    }
}

/// `u . (x - y)`: little of it is lost where x is near y.
fn difference<F: Real>(x: &[F], y: &[F], u: &[F]) -> f64 {
    let moved: Vec<F> = x.iter().zip(y).map(|(x, y)| *x - *y).collect();
    inner_product(&moved, u)
}

/// Derivative at 0 by a central difference of fourth order.
fn central(step: f64, mut along: impl FnMut(f64) -> f64) -> f64 {
    let wide = along(2.0 * step) - along(-2.0 * step);
    let narrow = along(step) - along(-step);
    (8.0 * narrow - wide) / (12.0 * step)
}
