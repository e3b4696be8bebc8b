//! One run of a suite: trains until its budget could be exceeded and evaluates along the way, on one thread.

use super::progress::Progress;
use super::schedule::Job;
use crate::app::clock::thread_cpu;
use crate::app::interrupt::Interrupt;
use crate::app::saved;
use crate::budget::Budget;
use crate::config::Loaded;
use crate::config::plan::Precision;
use crate::config::suite::{Evaluate, Suite};
use crate::exact::objective::Problem;
use crate::learn::meta::{Diverged, Learner};
use crate::math::gap::Gap;
use crate::math::real::Real;
use crate::math::returns::mean;
use crate::measure::adaptation::{self, EvaluationPlan};
use crate::measure::gap::{GapPlan, Gauge, enumerable};
use crate::record::suite::{Outcome, Point, RunRecord};
use std::sync::Arc;
use std::time::Instant;
use tasks::family::Family;

/// Most adapted parameter vectors that an exact V may visit at one point (about 0.1 s).
const EXACT_LIMIT: u64 = 100_000;

/// The run of `job`, or `None` if it was interrupted. Everything in the record but its seconds is a function of suite and job.
pub(super) fn run(suite: &Suite, job: &Job, interrupt: &Interrupt, progress: &Progress) -> Option<RunRecord> {
    let cell = &suite.cells[job.cell];
    let (begun, cpu) = (Instant::now(), thread_cpu());
    let mut record = blank(suite, job);
    let loaded = suite.plan(cell.family, cell.arm, &cell.settings[job.setting], job.seed);
    let ended = match loaded {
        Err(error) => Err(error.to_string()),
        Ok(loaded) => match loaded.plan.precision {
            Precision::F32 => train::<f32>(suite, job, loaded, interrupt, progress, &mut record),
            Precision::F64 => train::<f64>(suite, job, loaded, interrupt, progress, &mut record),
        },
    };
    match ended {
        Ok(End::Interrupted) => return None,
        Ok(End::Finished) => record.outcome = Outcome::Finished,
        Ok(End::Diverged(why)) => (record.outcome, record.reason) = (Outcome::Diverged, Some(why)),
        Err(why) => record.reason = Some(why),
    }
    record.seconds = begun.elapsed().as_secs_f64();
    record.cpu_seconds = thread_cpu().zip(cpu).map_or(record.seconds, |(now, before)| now - before);
    Some(record)
}

/// A record of a run that has done nothing yet, and failed unless something better is said.
pub(super) fn blank(suite: &Suite, job: &Job) -> RunRecord {
    let cell = &suite.cells[job.cell];
    RunRecord {
        family: suite.families[cell.family].name.clone(),
        arm: suite.arms[cell.arm].name.clone(),
        setting: cell.settings[job.setting].clone(),
        seed: job.seed,
        phase: job.phase,
        outcome: Outcome::Failed,
        reason: None,
        points: Vec::new(),
        iterations: 0,
        budget: Budget::default(),
        measure_steps: 0,
        seconds: 0.0,
        cpu_seconds: 0.0,
    }
}

enum End {
    Finished,
    Diverged(String),
    Interrupted,
}

/// Trains and evaluates. An iteration is begun only if even at full episode length it stays within the budget.
fn train<F: Real>(
    suite: &Suite,
    job: &Job,
    loaded: Loaded,
    interrupt: &Interrupt,
    progress: &Progress,
    record: &mut RunRecord,
) -> Result<End, String> {
    let cell = &suite.cells[job.cell];
    let (budget, most) = (suite.families[cell.family].budget, cell.steps_per_iteration[job.setting]);
    let policy = saved::policy(&loaded).map_err(|e| e.to_string())?;
    let (plan, family): (_, Arc<dyn Family>) = (loaded.plan, Arc::from(loaded.family));
    let mut learner = Learner::<F>::new(family.clone(), policy.clone(), plan.options, plan.seed);
    let options = learner.options().clone(); // the learner's own: its estimator may have changed the inner processing
    let (gamma, inner, evaluate) = (options.gamma, &options.inner, suite.evaluate);
    let problem = || enumerable(&*family, &policy, gamma, inner).ok().filter(|p| p.inner_batches() <= EXACT_LIMIT);
    let gauge = || Gauge::new(&*family, &policy, gamma, inner, GapPlan::default(), job.seed);
    let probe = Probe {
        family: &*family,
        problem: if evaluate.exact { problem() } else { None },
        gauge: if evaluate.gap { Some(gauge()?) } else { None },
        evaluate,
        seed: job.seed,
    };
    let mut meter = progress.run(cell, budget);
    let points = suite.evaluate.points as u64;
    // the k-th evaluation is due when k / points of the budget are spent; u128: budgets are large
    let due = |spent: u64| (u128::from(spent) * u128::from(points) / u128::from(budget)) as u64;
    let mut taken = 0;
    loop {
        let spent = learner.state().budget.environment_steps;
        record.iterations = learner.state().iteration;
        record.budget = learner.state().budget;
        let last = spent + most > budget;
        if record.points.is_empty() || due(spent) > taken || last {
            taken = due(spent);
            match probe.point(&learner, &mut record.measure_steps) {
                Ok(point) => record.points.push(point),
                Err(why) => return Ok(End::Diverged(why)),
            }
        }
        if last {
            return Ok(End::Finished);
        }
        if interrupt.requested() {
            return Ok(End::Interrupted);
        }
        if let Err(Diverged { iteration, what }) = learner.step() {
            return Ok(End::Diverged(format!("{what} was not finite in iteration {iteration}")));
        }
        meter.spent(learner.state().budget.environment_steps);
    }
}

/// What looks at the learner of one run, on streams that no arm changes.
struct Probe<'a> {
    family: &'a dyn Family,
    /// The run's adaptation, if V is wanted and can be enumerated with few enough batches.
    problem: Option<Problem>,
    /// The gap of V_zeta by the best feasible method, if the suite asks for it.
    gauge: Option<Gauge<'a>>,
    evaluate: Evaluate,
    seed: u64,
}

impl Probe<'_> {
    /// One evaluation; adds the environment steps it took to `spent`. An error says what was not finite.
    fn point<F: Real>(&self, learner: &Learner<F>, spent: &mut u64) -> Result<Point, String> {
        let (state, inner) = (learner.state(), &learner.options().inner);
        let plan = EvaluationPlan {
            steps: inner.steps,
            shots: inner.episodes,
            episodes: self.evaluate.episodes,
            tasks: self.evaluate.tasks,
            seed: self.seed,
        };
        let tasks = adaptation::evaluate(self.family, learner.policy(), &state.theta, &state.alpha, inner, &plan);
        *spent += tasks.iter().map(|t| t.environment_steps).sum::<u64>();
        let column = |k: usize| mean(&tasks.iter().map(|t| t.returns[k]).collect::<Vec<_>>());
        let (before, after) = (column(0), column(inner.steps));
        let theta: Vec<f64> = state.theta.iter().map(|x| x.f64()).collect();
        let value = self.problem.as_ref().map(|p| p.v_zeta::<f64>(&theta));
        if [before, after, value.unwrap_or(0.0)].iter().any(|x| !x.is_finite()) {
            return Err(format!("a return of the evaluation was not finite after iteration {}", state.iteration));
        }
        let gap = self.gap(learner, spent);
        if gap.as_ref().is_some_and(|g| !g.gap_squared.is_finite()) {
            return Err(format!("the gap was not finite after iteration {}", state.iteration));
        }
        Ok(Point {
            environment_steps: state.budget.environment_steps,
            iteration: state.iteration,
            before,
            after,
            value,
            gap,
        })
    }

    /// The gap at theta; its samples are added to `spent`.
    fn gap<F: Real>(&self, learner: &Learner<F>, spent: &mut u64) -> Option<Gap> {
        let state = learner.state();
        let measured = self.gauge.as_ref()?.measure(&state.theta, &state.alpha, state.iteration);
        *spent += measured.environment_steps;
        Some(measured.gap)
    }
}
