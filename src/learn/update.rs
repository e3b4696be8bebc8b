//! Updates that look at the samples again: the trust-region step of MAML-TRPO and the epochs of ProMP.

use super::options::{Promp, Trpo};
use crate::budget::Budget;
use crate::diff::Workspace;
use crate::estimator::choice::InnerSurrogate;
use crate::estimator::surrogate::{Adaptation, Shift, TaskData};
use crate::math::real::Real;
use crate::math::returns::mean;
use crate::optim::{self, Rule, conjugate_gradient, mean_of};
use rayon::prelude::*;

/// What an update reports and spent; columns that do not apply are empty.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moved {
    /// Mean KL between the adapted policies before and after, nats.
    pub kl: Option<f64>,
    /// Times the step was shortened.
    pub backtracks: Option<u64>,
    /// Fraction of outer decisions outside of the clip range.
    pub clip_fraction: Option<f64>,
    /// Mean KL of the policies on the inner batches, nats.
    pub inner_kl: Option<f64>,
    /// Spent on the update.
    pub budget: Budget,
}

/// Mean shift over the tasks at `theta`; tasks in parallel, summed in order.
fn shift<F: Real>(map: &Adaptation<'_, F>, tasks: &[TaskData<F>], theta: &[F], clip: f64) -> Shift {
    let one = |ws: &mut Workspace<F>, task: &TaskData<F>| map.shift(task, theta, clip, ws);
    let all: Vec<Shift> = tasks.par_iter().map_init(Workspace::default, one).collect();
    let column = |f: fn(&Shift) -> f64| mean(&all.iter().map(f).collect::<Vec<_>>());
    Shift {
        improvement: column(|s| s.improvement),
        kl: column(|s| s.kl),
        inner_kl: column(|s| s.inner_kl),
        clipped: column(|s| s.clipped),
    }
}

/// Gradients that repeating the adaptation of every task takes.
fn repetition<F>(tasks: &[TaskData<F>]) -> u64 {
    tasks.iter().map(|task| task.sample.inner.len() as u64).sum()
}

/// Hessian-vector products of one Jacobian product over all tasks.
fn jacobian_cost<F>(map: &Adaptation<'_, F>, tasks: &[TaskData<F>]) -> u64 {
    if map.surrogate == InnerSurrogate::FirstOrder { 0 } else { repetition(tasks) }
}

/// The trust-region update: moves `theta` along `x = (H + damping)^{-1} g` by `sqrt(2 kl / x^T (H + damping) x)`, shortened until the
/// surrogate improves and the mean KL is at most `kl`; if no candidate does, `theta` stays.
///
/// `H` is the Hessian of the mean KL between the adapted policies ([`Adaptation::fisher_product`]), `gradient` the meta-gradient.
pub(super) fn trpo<F: Real>(
    map: &Adaptation<'_, F>,
    options: &Trpo,
    gradient: &[F],
    tasks: &[TaskData<F>],
    theta: &mut Vec<F>,
) -> Moved {
    let product = |v: &[f64]| -> Vec<f64> {
        let v: Vec<F> = v.iter().map(|&v| F::of(v)).collect();
        let one = |ws: &mut Workspace<F>, task: &TaskData<F>| map.fisher_product(task, &v, ws);
        let all: Vec<Vec<F>> = tasks.par_iter().map_init(Workspace::default, one).collect();
        let mean = mean_of(all.iter().map(Vec::as_slice));
        mean.iter().zip(&v).map(|(h, v)| h.f64() + options.damping * v.f64()).collect()
    };
    let b: Vec<f64> = gradient.iter().map(|g| g.f64()).collect();
    let solution = conjugate_gradient(product, &b, options.cg_steps);
    let per_product = 2 * jacobian_cost(map, tasks) + tasks.len() as u64;
    let mut moved = Moved { kl: Some(0.0), backtracks: Some(options.backtracks as u64), ..Moved::default() };
    moved.budget.hvps = per_product * solution.products as u64;
    if solution.curvature <= 0.0 {
        return moved;
    }
    let mut length = (2.0 * options.kl / solution.curvature).sqrt();
    for k in 0..options.backtracks {
        let candidate: Vec<F> = theta.iter().zip(&solution.x).map(|(&t, x)| t + F::of(length * x)).collect();
        let shift = shift(map, tasks, &candidate, f64::INFINITY);
        moved.budget.gradients += repetition(tasks);
        if shift.improvement > 0.0 && shift.kl <= options.kl {
            *theta = candidate;
            return Moved { kl: Some(shift.kl), backtracks: Some(k as u64), ..moved };
        }
        length *= options.backtrack_ratio;
    }
    moved
}

/// Update rule and its state.
pub(super) struct Ascent<'a, F> {
    pub rule: Rule,
    pub state: &'a mut optim::State<F>,
}

/// The proximal update: `epochs` optimiser steps on ProMP's objective over the same samples.
///
/// `gradient` is the meta-gradient at `theta`, which is the first epoch's: ratios are one and divergences flat there.
pub(super) fn promp<F: Real>(
    map: &Adaptation<'_, F>,
    options: &Promp,
    mut gradient: Vec<F>,
    tasks: &[TaskData<F>],
    ascent: Ascent<'_, F>,
    theta: &mut [F],
) -> Moved {
    let mut moved = Moved::default();
    for epoch in 0..options.epochs {
        if epoch > 0 {
            let one = |ws: &mut Workspace<F>, task: &TaskData<F>| {
                map.promp_gradient(task, theta, options.clip, options.inner_kl, ws)
            };
            let all: Vec<Vec<F>> = tasks.par_iter().map_init(Workspace::default, one).collect();
            gradient = mean_of(all.iter().map(Vec::as_slice));
            // the repeated adaptation, the outer gradient, and that of the divergence of each inner batch
            moved.budget.gradients += 2 * repetition(tasks) + tasks.len() as u64;
            moved.budget.hvps += jacobian_cost(map, tasks);
        }
        ascent.rule.apply(ascent.state, &mut gradient, theta);
    }
    let shift = shift(map, tasks, theta, options.clip);
    moved.budget.gradients += repetition(tasks);
    Moved { kl: Some(shift.kl), clip_fraction: Some(shift.clipped), inner_kl: Some(shift.inner_kl), ..moved }
}
