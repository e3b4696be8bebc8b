//! Runs to study: hitting times over seeds, the theorem beside the measured mean, biases and smoothness.

use super::runs::{Followed, covers, every, gauge};
use super::setup::Setup;
use super::{DynamicsKind, Request};
use crate::app::failure::Failure;
use crate::estimator::choice::Estimator;
use crate::exact::objective::Problem;
use crate::exact::{dynamics as along, floor as maml};
use crate::math::summary::Estimate;
use crate::math::theory::{any_batch, large_batch, right_hand_side};
use crate::measure::gap::{GapPlan, Gauge};
use crate::measure::smoothness::{consecutive, empirical_smoothness};
use crate::optim::norm;
use crate::record::stationarity::{BiasReport, BoundReport, EstimatorRuns, Hitting, SeedRun, Study};
use serde_json::{Value, json};

/// Everything that was found, as it is recorded and printed.
pub fn study(setup: &Setup, request: &Request, found: &[Vec<Followed>]) -> Study {
    let interrupted = found.iter().flatten().any(|f| f.run.outcome == "interrupted");
    let mut notes = setup.notes.clone();
    // dear where gradients are sampled, and who interrupts does not want to wait
    let (smoothness, remark) = if interrupted { (None, None) } else { smoothness(setup, request, found) };
    notes.extend(remark);
    let runs = setup.estimators.iter().zip(found).map(|(e, found)| estimator_runs(setup, request, e, found));
    let (constants, assumption) = match &setup.theory {
        Ok((constants, _)) => (serde_json::to_value(constants).ok(), None),
        Err(why) => (None, Some(why.clone())),
    };
    Study {
        program: "stillpoint".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        status: if interrupted { "interrupted" } else { "finished" }.into(),
        source: setup.source.clone(),
        dynamics: dynamics(request).into(),
        setting: setting(setup, request),
        constants,
        assumption,
        empirical_smoothness: smoothness,
        runs: runs.collect(),
        floor: None,
        rates: None,
        notes,
    }
}

/// Name in the record.
fn dynamics(request: &Request) -> &'static str {
    match request.dynamics {
        DynamicsKind::Expected => "expected",
        DynamicsKind::Sampled => "sampled",
    }
}

fn setting(setup: &Setup, request: &Request) -> Value {
    let (inner, outer) = (&setup.options.inner, &setup.options.outer);
    json!({
        "family": setup.family.name(),
        "gamma": setup.options.gamma,
        "alpha": inner.alpha,
        "inner_steps": inner.steps,
        "inner_batch": inner.episodes,
        "tasks_per_batch": outer.tasks,
        "outer_batch": outer.episodes,
        "beta": setup.beta(),
        "iterations": request.iterations,
        "gap_every": every(request),
        "seeds": if request.dynamics == DynamicsKind::Expected { 1 } else { request.seeds },
        "start": request.theta.clone().unwrap_or_else(|| "default".into()),
    })
}

fn estimator_runs(setup: &Setup, request: &Request, estimator: &Estimator, found: &[Followed]) -> EstimatorRuns {
    let first = &found[0];
    let covered = covers(setup, request.dynamics, estimator).is_none();
    EstimatorRuns {
        estimator: estimator.name.clone(),
        method: first.method,
        r#final: first.run.r#final.clone(),
        hitting: request.epsilon.iter().enumerate().map(|(i, &e)| hitting(setup, covered, e, i, found)).collect(),
        bound: bound(setup, request, estimator, found),
        bias: bias(setup, estimator, &first.run.r#final.theta),
        seeds: found.iter().map(|f| f.run.clone()).collect(),
    }
}

/// Median over seeds, where never counts as later than every number, beside what the theorem asks for if it covers the ascent.
fn hitting(setup: &Setup, covered: bool, epsilon: f64, index: usize, found: &[Followed]) -> Hitting {
    let seeds: Vec<Option<u64>> = found.iter().map(|f| f.hits[index]).collect();
    let mut sorted = seeds.clone();
    sorted.sort_by_key(|hit| hit.unwrap_or(u64::MAX));
    let regimes = setup.theory.as_ref().ok().filter(|_| covered).map(|(constants, delta)| {
        (large_batch(constants, *delta, epsilon), any_batch(constants, *delta, epsilon, setup.options.outer.tasks))
    });
    Hitting {
        epsilon,
        iteration: sorted[sorted.len() / 2],
        seeds,
        large_batch: regimes.map(|r| r.0),
        any_batch: regimes.map(|r| r.1),
    }
}

/// Mean of gap^2 over iterations, for its expectation: of several seeds with a t-interval over them, of one without an interval,
/// however well its gaps are known, unless the dynamics are expected (`dynamics` of the study), of which there is one path only.
pub fn average(dynamics: &str, seeds: &[SeedRun]) -> Estimate {
    match seeds {
        [one] if dynamics == "expected" => one.average_gap_squared,
        [one] => Estimate { low: None, high: None, ..one.average_gap_squared },
        many => Estimate::of(&many.iter().map(|s| s.average_gap_squared.mean).collect::<Vec<_>>()),
    }
}

fn bound(setup: &Setup, request: &Request, estimator: &Estimator, found: &[Followed]) -> Option<BoundReport> {
    let (constants, delta) = setup.theory.as_ref().ok()?;
    let iterations = found.iter().map(|f| f.run.iterations).min().unwrap_or(0).max(1);
    let mut bound = right_hand_side(constants, *delta, setup.beta(), setup.options.outer.tasks, iterations);
    if request.dynamics == DynamicsKind::Expected {
        (bound.noise, bound.total) = (0.0, bound.start); // the expectation is followed without noise
    }
    if !bound.total.is_finite() {
        return None;
    }
    let measured = average(dynamics(request), &found.iter().map(|f| f.run.clone()).collect::<Vec<_>>());
    let mut remark = covers(setup, request.dynamics, estimator);
    if remark.is_none() && !bound.applies {
        remark = Some(format!("beta = {} is above 1/L_V = {:.3e}", setup.beta(), bound.largest_beta));
    }
    bound.applies &= remark.is_none();
    let resolved = measured.low.is_some_and(|low| low > 0.0) && measured.mean > 0.0;
    let slack = (resolved && bound.applies).then(|| bound.total / measured.mean);
    Some(BoundReport { bound, delta: *delta, measured, slack, remark })
}

/// Exact bias of a biased estimator at `theta`.
fn bias(setup: &Setup, estimator: &Estimator, theta: &[f64]) -> Option<BiasReport> {
    let problem = setup.problem.as_ref().filter(|_| !estimator.unbiased())?;
    let episodes = setup.options.outer.episodes;
    if along::visits_per_step(problem, episodes, estimator) > super::setup::LIMIT {
        return None;
    }
    let gradient = problem.v_zeta_gradient(theta).gradient;
    let drift = along::expectation(problem, theta, episodes, estimator);
    let difference: Vec<f64> = gradient.iter().zip(&drift).map(|(g, d)| g - d).collect();
    let bound = (estimator.name == "maml").then(|| problem.constants().maml_bias_bound).flatten();
    Some(BiasReport { bias: norm(&difference), drift: norm(&drift), bound })
}

/// Largest slope of grad V seen between a dozen points of the first estimator's first run.
fn smoothness(setup: &Setup, request: &Request, found: &[Vec<Followed>]) -> (Option<f64>, Option<String>) {
    let (gamma, inner) = (setup.options.gamma, &setup.options.inner);
    let plan = GapPlan { limit: super::setup::LIMIT, ..GapPlan::default() };
    let gauge = match request.dynamics {
        DynamicsKind::Expected => {
            Gauge::new(setup.family.as_ref(), &setup.policy, gamma, inner, plan, request.seed).ok()
        }
        // as dear as the measurements that were asked for
        DynamicsKind::Sampled => gauge(setup, &Request { method: None, ..request.clone() }, request.seed).ok(),
    };
    let Some(gauge) = gauge else { return (None, None) };
    let exact = gauge.method() == crate::math::gap::Method::Enumerated;
    let remark = "the empirical smoothness is a lower bound from a dozen points, by gradients that are sampled with common \
                  random numbers: sampling noise adds to it";
    let alpha = vec![inner.alpha; setup.theta.len()];
    let mut gradient = |theta: &[f64]| gauge.gradient(theta, &alpha, 0);
    (empirical_smoothness(&mut gradient, consecutive(&found[0][0].thetas)), (!exact).then(|| remark.into()))
}

/// The problem and the inner batch sizes of the table of MAML's bias; asked before anything runs.
///
/// # Errors
/// The family cannot be enumerated.
pub fn check_floor(setup: &Setup) -> Result<(&Problem, Vec<usize>), Failure> {
    let Some(problem) = &setup.problem else {
        let why = setup.theory.as_ref().err().cloned().unwrap_or_default();
        return Err(Failure::Usage(format!("--floor enumerates: {why}")));
    };
    let affordable = |n: &usize| {
        let mut larger = problem.clone();
        larger.batch = *n;
        larger.inner_batches().saturating_mul(larger.dim() as u64) <= super::setup::LIMIT / 100
    };
    let mut batches = vec![1, 2, 4, 8, problem.batch];
    batches.sort_unstable();
    batches.dedup();
    batches.retain(affordable);
    if batches.is_empty() {
        let why =
            "--floor: too many inner batches to enumerate, even at n = 1: fewer --inner-steps or a shorter horizon";
        return Err(Failure::Usage(why.into()));
    }
    Ok((problem, batches))
}

/// MAML's bias at the start over a grid of alpha, n and reward offset.
///
/// # Errors
/// The family cannot be enumerated.
pub fn floor(setup: &Setup) -> Result<Value, Failure> {
    let (problem, batches) = check_floor(setup)?;
    let alphas: Vec<f64> = [0.25, 0.5, 1.0, 2.0].iter().map(|f| f * problem.alpha).collect();
    let offsets = [-1.0, -0.5, 0.0, 0.5, 1.0, 2.0];
    let cells = maml::maml_floors(problem, &setup.theta, &alphas, &batches, &offsets);
    Ok(json!({
        "theta": setup.theta,
        "what": "bias of MAML |grad V - E[MAML]| at theta, and its bound alpha eta_g^2 sqrt(T v_op)",
        "cells": serde_json::to_value(&cells).map_err(|e| Failure::Internal(e.to_string()))?,
    }))
}
