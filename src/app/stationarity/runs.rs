//! The runs of a study: ascent along an estimator, expected or sampled, with the gap measured along the way.

use super::setup::Setup;
use super::{DynamicsKind, Request};
use crate::app::failure::Failure;
use crate::app::interrupt::Interrupt;
use crate::estimator::choice::Estimator;
use crate::exact::dynamics::Dynamics;
use crate::learn::meta::{Learner, Options};
use crate::math::advantage::{OuterAdvantage, OuterBaseline};
use crate::math::gap::{Gap, Method, running_average, stretch};
use crate::math::theory::right_hand_side;
use crate::measure::gap::{GapPlan, Gauge, LIMIT};
use crate::record::stationarity::{Final, Row, SeedRun};

/// Rows written per run of expected dynamics at most, about.
const ROWS: u64 = 1000;

/// Takes a row as soon as it is measured.
pub type Keep<'a> = dyn Fn(&Row) -> Result<(), Failure> + Sync + 'a;

/// One run and everything measured along it.
pub struct Followed {
    /// Rows; those of expected dynamics thinned.
    pub rows: Vec<Row>,
    /// The end.
    pub run: SeedRun,
    /// How the gap was measured.
    pub method: Method,
    /// First measured iteration at or below each epsilon.
    pub hits: Vec<Option<u64>>,
    /// Parameters at up to a dozen evenly spaced measurements.
    pub thetas: Vec<Vec<f64>>,
}

/// What accumulates along a run.
struct Track<'a> {
    setup: &'a Setup,
    request: &'a Request,
    estimator: &'a Estimator,
    seed: u64,
    covered: bool,
    /// Iterations between measurements.
    every: u64,
    keep: &'a Keep<'a>,
    rows: Vec<Row>,
    /// Measured iterations, and their gaps.
    at: Vec<u64>,
    gaps: Vec<Gap>,
    /// Sum of gap^2 over the iterations before the last measurement, linear between measurements.
    sum: f64,
    hits: Vec<Option<u64>>,
    thetas: Vec<Vec<f64>>,
    last: Option<(u64, Final)>,
}

impl<'a> Track<'a> {
    fn new(
        setup: &'a Setup,
        request: &'a Request,
        estimator: &'a Estimator,
        [seed, every]: [u64; 2],
        keep: &'a Keep<'a>,
    ) -> Track<'a> {
        let hits = vec![None; request.epsilon.len()];
        let covered = covers(setup, request.dynamics, estimator).is_none();
        let (rows, at, gaps, thetas) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (sum, last) = (0.0, None);
        Track { setup, request, estimator, seed, covered, every, keep, rows, at, gaps, sum, hits, thetas, last }
    }

    /// Whether `iteration` is one of about `count` evenly spaced measurements.
    fn among(&self, count: u64, iteration: u64) -> bool {
        let measurements = self.request.iterations / self.every;
        (iteration / self.every).is_multiple_of((measurements / count).max(1))
    }

    /// Takes one measurement in; `last` says that the run ends here. False, and nothing is taken in, if it is not finite.
    ///
    /// # Errors
    /// The start is not finite: there is no run. Or the row cannot be kept.
    fn push(&mut self, iteration: u64, theta: &[f64], value: f64, gap: Gap, last: bool) -> Result<bool, Failure> {
        let [low, high] = gap.gap_squared_interval;
        if ![value, gap.gap_squared, low, high].iter().all(|x| x.is_finite()) {
            return match self.last {
                Some(_) => Ok(false),
                None => Err(Failure::Diverged(
                    "V or its gradient is not finite at the start: try a smaller --alpha or another --theta".into(),
                )),
            };
        }
        for (hit, epsilon) in self.hits.iter_mut().zip(&self.request.epsilon) {
            if hit.is_none() && gap.upper() <= *epsilon {
                *hit = Some(iteration);
            }
        }
        if let (Some(from), Some(before)) = (self.at.last(), self.gaps.last()) {
            let [first, second] = stretch(iteration - from);
            self.sum += first * before.gap_squared + second * gap.gap_squared;
        }
        self.at.push(iteration);
        self.gaps.push(gap);
        let average_gap_squared = if iteration == 0 { gap.gap_squared } else { self.sum / iteration as f64 };
        // sampled gaps are dear and as many as were asked for; expected dynamics measure at every iteration
        if self.request.dynamics == DynamicsKind::Sampled || self.among(ROWS, iteration) || last {
            let bound = self.covered.then(|| self.bound(iteration)).flatten();
            let row = Row {
                estimator: self.estimator.name.clone(),
                seed: self.seed,
                iteration,
                value,
                gap,
                average_gap_squared,
                bound,
            };
            (self.keep)(&row)?;
            self.rows.push(row);
        }
        if self.among(12, iteration) {
            self.thetas.push(theta.to_vec());
        }
        let end = Final {
            theta: theta.to_vec(),
            value,
            gap: gap.gap,
            gap_squared: gap.gap_squared,
            gap_squared_interval: gap.gap_squared_interval,
        };
        self.last = Some((iteration, end));
        Ok(true)
    }

    fn bound(&self, iteration: u64) -> Option<f64> {
        let (constants, delta) = self.setup.theory.as_ref().ok()?;
        let outer = &self.setup.options.outer;
        let mut bound = right_hand_side(constants, *delta, self.setup.beta(), outer.tasks, iteration);
        if self.request.dynamics == DynamicsKind::Expected {
            bound.total = bound.start;
        }
        (bound.applies && bound.total.is_finite()).then_some(bound.total) // not finite at the start
    }

    fn finish(self, method: Method, outcome: &str, spent: [u64; 2]) -> Followed {
        let (iterations, end) = self.last.expect("the start is measured");
        let run = SeedRun {
            seed: self.seed,
            iterations,
            outcome: outcome.into(),
            r#final: end,
            average_gap_squared: running_average(&self.at, &self.gaps),
            environment_steps: spent[0],
            measure_steps: spent[1],
        };
        Followed { rows: self.rows, run, method, hits: self.hits, thetas: self.thetas }
    }
}

/// Why the theorem does not cover an ascent along `estimator`, if it does not.
pub fn covers(setup: &Setup, dynamics: DynamicsKind, estimator: &Estimator) -> Option<String> {
    let name = &estimator.name;
    if !estimator.unbiased() {
        return Some(format!("`{name}` is biased for grad V, and the theorem is about unbiased estimates"));
    }
    if dynamics == DynamicsKind::Expected {
        return None;
    }
    match setup.options.outer.advantage {
        OuterAdvantage::Processed(_) => {
            Some("outer returns are processed (`outer.advantage`), which biases the estimate of grad V".into())
        }
        _ if name != "sgmrl" => Some(format!("G_V bounds the second moment of plain `sgmrl`, not of `{name}`")),
        OuterAdvantage::Raw(OuterBaseline::None) => None,
        OuterAdvantage::Raw(_) => Some("G_V bounds the second moment without an outer baseline".into()),
    }
}

/// How the gap is measured along sampled runs, or why it cannot be measured as asked.
pub fn gauge<'a>(setup: &'a Setup, request: &Request, seed: u64) -> Result<Gauge<'a>, String> {
    let plan = GapPlan {
        method: request.method,
        groups: request.gap_groups.unwrap_or(GapPlan::default().groups),
        tasks: request.gap_tasks.unwrap_or(GapPlan::default().tasks),
        limit: LIMIT,
        ..GapPlan::default()
    };
    // the objective is that of the setup for every arm, whatever an estimator does to its inner step
    let Options { gamma, inner, .. } = &setup.options;
    Gauge::new(setup.family.as_ref(), &setup.policy, *gamma, inner, plan, seed)
}

/// Ascends along the estimator's enumerated expectation.
///
/// # Errors
/// The start is not finite, or a row cannot be kept.
pub fn expected(
    setup: &Setup,
    request: &Request,
    estimator: &Estimator,
    interrupt: &Interrupt,
    keep: &Keep<'_>,
) -> Result<Followed, Failure> {
    let problem = setup.problem.clone().expect("checked: expected dynamics are finite");
    let mut track = Track::new(setup, request, estimator, [request.seed, 1], keep);
    let episodes = setup.options.outer.episodes;
    let mut dynamics = Dynamics::new(problem, estimator.clone(), episodes, setup.theta.clone(), setup.beta());
    let mut outcome = "finished";
    loop {
        let here = dynamics.here();
        let k = here.iteration;
        let stop = k == request.iterations || interrupt.requested();
        if !track.push(k, &here.theta, here.value, Gap::exact(&here.gradient), stop)? {
            outcome = "diverged";
            break;
        }
        if stop {
            outcome = if k < request.iterations { "interrupted" } else { outcome };
            break;
        }
        if dynamics.step().is_err() {
            outcome = "diverged";
            break;
        }
    }
    Ok(track.finish(Method::Enumerated, outcome, [0, 0]))
}

/// Iterations between measurements; expected dynamics measure at every one.
pub fn every(request: &Request) -> u64 {
    match request.dynamics {
        DynamicsKind::Expected => 1,
        DynamicsKind::Sampled => request.gap_every.unwrap_or((request.iterations / 100).max(1)),
    }
}

/// Ascends along the sampled estimator from a seed, measuring the gap on streams of its own.
///
/// # Errors
/// The gap cannot be measured as asked, the start is not finite, or a row cannot be kept.
pub fn sampled(
    setup: &Setup,
    request: &Request,
    estimator: &Estimator,
    seed: u64,
    interrupt: &Interrupt,
    keep: &Keep<'_>,
) -> Result<Followed, Failure> {
    let mut options: Options = setup.options.clone();
    options.outer.estimator = estimator.clone();
    let mut learner = Learner::<f64>::new(setup.family.clone(), setup.policy.clone(), options, seed);
    let mut state = learner.state().clone();
    state.theta.clone_from(&setup.theta);
    learner.restore(state);
    let gauge = gauge(setup, request, seed).map_err(Failure::Usage)?;
    let every = every(request);
    let mut track = Track::new(setup, request, estimator, [seed, every], keep);
    let (mut outcome, mut spent) = ("finished", 0);
    loop {
        let state = learner.state();
        let k = state.iteration;
        let stop = k == request.iterations || interrupt.requested();
        if k.is_multiple_of(every) || stop {
            let found = gauge.measure(&state.theta, &state.alpha, k);
            spent += found.environment_steps;
            if !track.push(k, &state.theta, found.value, found.gap, stop)? {
                outcome = "diverged";
                break;
            }
        }
        if stop {
            outcome = if k < request.iterations { "interrupted" } else { outcome };
            break;
        }
        if learner.step().is_err() {
            outcome = "diverged";
            break;
        }
    }
    Ok(track.finish(gauge.method(), outcome, [learner.state().budget.environment_steps, spent]))
}
