//! The enumerated expectation and variance of estimators: `train`'s own function on every batch, weighted by its probability.

use super::model::Model;
use super::multiset;
use super::objective::{Problem, power};
use super::trajectory::{self, Trajectory};
use crate::batch::{Actions, Batch};
use crate::diff::{Tape, Workspace};
use crate::estimator::choice::{Estimator, OuterPart, Sampling};
use crate::estimator::inner::{self, InnerStep};
use crate::estimator::meta::{self, Omitted, TaskSample};
use crate::estimator::outer::{self, OuterSummary};
use crate::math::advantage::{Advantage, AdvantageKind, Average, Baseline, OuterAdvantage, OuterBaseline};
use crate::math::returns::Returns;
use crate::policy::{Policy, TabularSoftmax};
use rayon::prelude::*;
use tasks::tabular::Tabular;

/// The theory's inner advantages: raw reward-to-go with the absolute discount, mean over trajectories.
pub fn theory_inner(gamma: f64) -> Advantage {
    Advantage {
        kind: AdvantageKind::Return,
        baseline: Baseline::None,
        gamma,
        normalise: false,
        average: Average::Trajectories,
        bootstrap: false,
    }
}

/// The theory's outer advantages: raw, no baseline.
pub const THEORY_OUTER: OuterAdvantage = OuterAdvantage::Raw(OuterBaseline::None);

/// First two moments of the one-task estimator (task by weight, one D_in, one D_o).
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Mean, flat `[S, A]`.
    pub mean: Vec<f64>,
    /// Trace of the covariance.
    pub variance_trace: f64,
}

/// Weighted sums of one estimator relative to an origin c.
#[derive(Clone)]
struct Sums {
    weight: f64,
    /// sum w (x - c).
    first: Vec<f64>,
    /// sum w |x - c|^2.
    second: f64,
}

impl Sums {
    fn new(dim: usize) -> Sums {
        Sums { weight: 0.0, first: vec![0.0; dim], second: 0.0 }
    }

    fn push(&mut self, weight: f64, x: &[f64], origin: &[f64]) {
        self.weight += weight;
        let mut square = 0.0;
        for ((s, x), c) in self.first.iter_mut().zip(x).zip(origin) {
            *s += weight * (x - c);
            square += (x - c) * (x - c);
        }
        self.second += weight * square;
    }

    fn add(&mut self, factor: f64, other: &Sums) {
        self.weight += factor * other.weight;
        self.first.iter_mut().zip(&other.first).for_each(|(a, b)| *a += factor * b);
        self.second += factor * other.second;
    }

    fn finish(&self, origin: &[f64]) -> Expectation {
        let mean = self.first.iter().zip(origin).map(|(s, c)| c + s / self.weight).collect();
        let off: f64 = self.first.iter().map(|s| (s / self.weight).powi(2)).sum();
        Expectation { mean, variance_trace: (self.second / self.weight - off).max(0.0) }
    }
}

/// Whether the estimate depends on the order of the inner trajectories: groups of several, but not all, are contiguous.
fn looks_at_order(estimators: &[Estimator], batch: usize) -> bool {
    groups(estimators).is_some_and(|m| m > 1 && m < batch)
}

/// Number of groups left out.
///
/// # Panics
/// If two estimators disagree.
fn groups(estimators: &[Estimator]) -> Option<usize> {
    let mut all = estimators.iter().filter_map(|e| match e.sampling {
        Sampling::LeaveGroupOut { groups, .. } => Some(groups),
        _ => None,
    });
    let first = all.next();
    assert!(all.all(|m| Some(m) == first), "one number of groups per enumeration");
    first
}

/// Number of (inner batches, outer batch, task) combinations that [`enumerate`] visits, saturating.
pub fn combinations(problem: &Problem, outer_batch: usize, estimators: &[Estimator]) -> u64 {
    let ordered = looks_at_order(estimators, problem.batch);
    let per_task = |mdp: &Tabular| {
        let (m, n) = (trajectory::count(mdp), problem.batch as u64);
        let inner = if ordered { multiset::count_ordered(m, n) } else { multiset::count(m, n) };
        power(inner, problem.steps).saturating_mul(multiset::count(m, outer_batch as u64))
    };
    problem.tasks.iter().map(|(_, mdp)| per_task(mdp)).fold(0, u64::saturating_add)
}

/// Mean and variance of every estimator, in order, by calling it on every batch with the batch's probability.
///
/// Batches are multisets with multinomial weights (ordered draws where an estimator looks at the order). Work is cut by task
/// and first trajectory and added in that order, so the result does not depend on the number of threads. `origin` is where
/// second moments are taken about: anything near the means, such as the exact gradient.
///
/// # Panics
/// If an estimator re-simulates (it would sample), or the rewards are noisy.
pub fn enumerate(
    problem: &Problem,
    theta: &[f64],
    outer_batch: usize,
    estimators: &[Estimator],
    origin: &[f64],
) -> Vec<Expectation> {
    moments(problem, theta, Some(outer_batch), estimators, origin)
}

/// Whether the estimate is affine in the outer gradient and the outer return, so that its expectation over outer batches is
/// its value at their expectations. The importance-weighted and the processed (published) forms look at the batch itself.
pub fn affine_in_outer(estimator: &Estimator) -> bool {
    let looks_inside = matches!(
        estimator.sampling,
        Sampling::LeaveGroupOut { .. } | Sampling::PublishedSgmrl | Sampling::PublishedEmaml
    );
    estimator.outer == OuterPart::Raw && !looks_inside
}

/// Mean of every estimator, in order: as [`enumerate`], with grad J and J at the adapted parameters in place of the outer
/// batches, which saves a factor of the number of outer batches.
///
/// # Panics
/// As [`enumerate`], or if an estimator is not [`affine_in_outer`].
pub fn means(problem: &Problem, theta: &[f64], estimators: &[Estimator]) -> Vec<Vec<f64>> {
    assert!(estimators.iter().all(affine_in_outer), "the outer expectation of these estimators needs outer batches");
    let found = moments(problem, theta, None, estimators, &vec![0.0; theta.len()]);
    found.into_iter().map(|e| e.mean).collect()
}

/// [`enumerate`]; without an outer batch size the outer expectation is exact, and the variance is over inner batches alone.
fn moments(
    problem: &Problem,
    theta: &[f64],
    outer_batch: Option<usize>,
    estimators: &[Estimator],
    origin: &[f64],
) -> Vec<Expectation> {
    assert!(problem.tasks.iter().all(|(_, mdp)| mdp.reward_noise == 0.0), "noisy rewards cannot be enumerated");
    let mut expectations = vec![None; estimators.len()];
    // estimators that share an inner step share the walk over its batches
    while let Some(first) = expectations.iter().position(Option::is_none) {
        let advantage = estimators[first].inner_advantage(&theory_inner(problem.gamma));
        let same = |i: &usize| {
            expectations[*i].is_none() && estimators[*i].inner_advantage(&theory_inner(problem.gamma)) == advantage
        };
        let indices: Vec<usize> = (0..estimators.len()).filter(same).collect();
        let some: Vec<Estimator> = indices.iter().map(|&i| estimators[i].clone()).collect();
        let found = enumerate_sharing(problem, theta, outer_batch, &some, advantage, origin);
        indices.into_iter().zip(found).for_each(|(i, e)| expectations[i] = Some(e));
    }
    expectations.into_iter().flatten().collect()
}

/// [`moments`] for estimators with the same inner step.
fn enumerate_sharing(
    problem: &Problem,
    theta: &[f64],
    outer_batch: Option<usize>,
    estimators: &[Estimator],
    advantage: Advantage,
    origin: &[f64],
) -> Vec<Expectation> {
    let mut total = vec![Sums::new(theta.len()); estimators.len()];
    for (i, (weight, mdp)) in problem.tasks.iter().enumerate() {
        let walk = Walk {
            problem,
            mdp,
            all: problem.model(i).trajectories(),
            policy: Policy::Tabular(TabularSoftmax::new(mdp.states, mdp.actions)),
            advantage,
            alpha: vec![problem.alpha; theta.len()],
            outer_batch,
            estimators,
            groups: groups(estimators),
            ordered: looks_at_order(estimators, problem.batch),
            origin,
        };
        let parts: Vec<Vec<Sums>> = (0..walk.all.len()).into_par_iter().map(|first| walk.from(theta, first)).collect();
        for part in &parts {
            total.iter_mut().zip(part).for_each(|(sum, part)| sum.add(*weight, part));
        }
    }
    total.iter().map(|sums| sums.finish(origin)).collect()
}

/// A batch that holds the given trajectories as its episodes, in order. Bootstrap observations are not part of the theory:
/// `last_obs` repeats the last state.
pub fn batch(all: &[Trajectory], items: &[usize], mdp: &Tabular) -> Batch<f64> {
    let (n, horizon) = (items.len(), mdp.horizon);
    let pair = |row: usize| all[items[row % n]].pairs[row / n];
    let pairs: Vec<usize> = (0..n * horizon).map(pair).collect();
    Batch {
        obs: pairs.iter().map(|&k| (k / mdp.actions) as f64).collect(),
        obs_width: 1,
        actions: Actions::Discrete(pairs.iter().map(|&k| (k % mdp.actions) as u32).collect()),
        rewards: pairs.iter().map(|&k| mdp.reward[k]).collect(),
        rows: (0..n).flat_map(|e| (0..horizon).map(move |h| (h * n + e) as u32)).collect(),
        offset: (0..=n).map(|e| e * horizon).collect(),
        terminated: vec![false; n],
        last_obs: (0..n).map(|e| (pair((horizon - 1) * n + e) / mdp.actions) as f64).collect(),
    }
}

/// The enumeration of one task.
struct Walk<'a> {
    problem: &'a Problem,
    mdp: &'a Tabular,
    all: Vec<Trajectory>,
    policy: Policy,
    advantage: Advantage,
    alpha: Vec<f64>,
    /// Outer trajectories; `None`: exact outer expectation.
    outer_batch: Option<usize>,
    estimators: &'a [Estimator],
    groups: Option<usize>,
    ordered: bool,
    origin: &'a [f64],
}

/// An outer summary with the outer part it is for.
type Summarised = (OuterPart, OuterSummary<f64>);

/// What a walk carries: the inner steps so far, scratch and the sums.
struct Carried {
    steps: Vec<InnerStep<f64>>,
    workspace: Workspace<f64>,
    tape: Tape<f64>,
    sums: Vec<Sums>,
}

impl Walk<'_> {
    /// All batches whose first inner batch starts with trajectory `first`.
    fn from(&self, theta: &[f64], first: usize) -> Vec<Sums> {
        let mut carried = Carried {
            steps: Vec::new(),
            workspace: Workspace::default(),
            tape: Tape::default(),
            sums: vec![Sums::new(theta.len()); self.estimators.len()],
        };
        self.inner(theta, 1.0, first..first + 1, &mut carried);
        carried.sums
    }

    /// Extends the path by every inner batch at `theta`.
    fn inner(&self, theta: &[f64], weight: f64, first: std::ops::Range<usize>, carried: &mut Carried) {
        let m = self.all.len();
        if carried.steps.len() == self.problem.steps {
            return self.outer(theta, weight, carried);
        }
        let q = trajectory::probabilities(&self.all, theta, self.mdp.actions);
        let mut visit = |items: &[usize], coefficient: f64| {
            let weight = items.iter().fold(weight * coefficient, |w, &j| w * q[j]);
            if weight == 0.0 {
                return;
            }
            let data = batch(&self.all, items, self.mdp);
            let mut tape = Tape::default();
            self.policy.forward(theta, &data.obs, data.steps(), &mut tape);
            let step = inner::step(&self.policy, theta.to_vec(), data, tape, &self.advantage, &mut carried.workspace);
            let phi = inner::adapt(theta, &self.alpha, &step.gradient);
            carried.steps.push(step);
            self.inner(&phi, weight, 0..m, carried);
            carried.steps.pop();
        };
        if self.ordered {
            multiset::ordered_from(m, self.problem.batch, first, &mut visit);
        } else {
            multiset::for_each_from(m, self.problem.batch, first, &mut visit);
        }
    }

    /// Adds the estimates on every outer batch at `phi`, or their exact expectation over outer batches.
    fn outer(&self, phi: &[f64], weight: f64, carried: &mut Carried) {
        let m = self.all.len();
        let q = trajectory::probabilities(&self.all, phi, self.mdp.actions);
        let mut sample = TaskSample {
            inner: std::mem::take(&mut carried.steps),
            phi: phi.to_vec(),
            outer: batch(&self.all, &[0], self.mdp),
            outer_tape: std::mem::take(&mut carried.tape),
            omitted: Vec::new(),
        };
        if let Some(groups) = self.groups {
            let ws = &mut carried.workspace;
            let adapted =
                inner::adapt_without_groups(&self.policy, &sample.inner[0], &self.alpha, &self.advantage, groups, ws);
            sample.omitted = adapted.into_iter().map(|phi| Omitted { phi, resimulated: None }).collect();
        }
        if let Some(outer_batch) = self.outer_batch {
            multiset::for_each_from(m, outer_batch, 0..m, &mut |items, coefficient| {
                let weight = items.iter().fold(weight * coefficient, |w, &j| w * q[j]);
                if weight > 0.0 {
                    sample.outer = batch(&self.all, items, self.mdp);
                    sample.outer_tape.clear();
                    self.policy.forward(phi, &sample.outer.obs, sample.outer.steps(), &mut sample.outer_tape);
                    let summaries = self.summaries(&sample, &mut carried.workspace);
                    self.estimates(&sample, &summaries, weight, carried);
                }
            });
        } else {
            self.estimates(&sample, &[(OuterPart::Raw, self.expected_summary(phi))], weight, carried);
        }
        carried.steps = sample.inner;
        carried.tape = sample.outer_tape;
    }

    /// Calls every estimator on one sample.
    fn estimates(&self, sample: &TaskSample<f64>, summaries: &[Summarised], weight: f64, carried: &mut Carried) {
        for (estimator, sums) in self.estimators.iter().zip(&mut carried.sums) {
            let (_, summary) = summaries.iter().find(|(part, _)| *part == estimator.outer).expect("one of each part");
            let alone = meta::meta_batch(&[summary])[0];
            let gradient = meta::pull_back(
                &self.policy,
                estimator,
                &self.advantage,
                self.problem.gamma,
                &self.alpha,
                sample,
                summary,
                &alone,
                &mut carried.workspace,
            );
            sums.push(weight, &gradient.theta, self.origin);
        }
    }

    /// What the outer batch says to each kind of outer part in use.
    fn summaries(&self, sample: &TaskSample<f64>, ws: &mut Workspace<f64>) -> Vec<Summarised> {
        let mut summaries: Vec<Summarised> = Vec::new();
        for estimator in self.estimators {
            if summaries.iter().all(|(part, _)| *part != estimator.outer) {
                summaries.push((estimator.outer, self.summary(estimator.outer, sample, ws)));
            }
        }
        summaries
    }

    /// Expectation over outer batches of what [`affine_in_outer`] estimators look at: grad J and J at `phi`.
    fn expected_summary(&self, phi: &[f64]) -> OuterSummary<f64> {
        let model = Model { mdp: self.mdp, gamma: self.problem.gamma };
        OuterSummary {
            gradient: model.gradient(phi),
            returns: Returns(vec![model.value(phi)]),
            raw: Vec::new(),
            weights: Vec::new(),
            mean_advantage: 0.0,
            reward_moments: [0.0; 3],
        }
    }

    fn summary(&self, part: OuterPart, sample: &TaskSample<f64>, ws: &mut Workspace<f64>) -> OuterSummary<f64> {
        let last = sample.inner.last().expect("at least one inner step");
        outer::summarise(
            &self.policy,
            part,
            &THEORY_OUTER,
            &self.advantage,
            self.problem.gamma,
            last,
            &sample.phi,
            &sample.outer,
            &sample.outer_tape,
            ws,
        )
    }
}
