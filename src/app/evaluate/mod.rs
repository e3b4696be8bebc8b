//! `evaluate`: returns after 0..K adaptation steps on fresh tasks, and whether adaptation helps.

mod movie;
pub(super) mod online;

use super::failure::Failure;
use super::{saved, trajectories};
use crate::config;
use crate::config::plan::Precision;
use crate::config::{Loaded, Overrides};
use crate::exact::model::Model;
use crate::learn::meta::State;
use crate::math::bootstrap;
use crate::math::real::Real;
use crate::math::summary::Estimate;
use crate::measure::adaptation::{self, EvaluationPlan};
use crate::policy::Policy;
use crate::record;
use crate::rng::{Address, Purpose, Rng};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use tasks::env::Env as _;

/// Episodes that measure the return after each adaptation step.
const EPISODES: usize = 20;

/// Most tasks (over all seeds), adaptation steps and shots.
const LIMITS: [(&str, usize); 3] = [("--tasks times --seeds", 1_000_000), ("--steps", 1_000), ("--shots", 100_000)];

/// What the command line asks of `evaluate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Run directory.
    pub run: PathBuf,
    /// Adaptation steps.
    pub steps: Option<usize>,
    /// Episodes per adaptation step, one evaluation each.
    pub shots: Vec<usize>,
    /// Fresh tasks; 40 by default.
    pub tasks: Option<usize>,
    /// Evaluation seeds; 1 by default.
    pub seeds: Option<usize>,
    /// Episodes that are played (runs of `online`); 30 by default.
    pub count: Option<usize>,
    /// Where to draw the first episode (Atari).
    pub gif: Option<PathBuf>,
    /// Where to write trajectories.
    pub episodes: Option<PathBuf>,
    /// Where to draw paths.
    pub plot: Option<PathBuf>,
    /// JSON instead of a table.
    pub json: bool,
    /// No messages.
    pub quiet: bool,
}

impl Request {
    /// Flags that only a run of `train` understands, and whether they were given.
    fn flags_of_training_runs(&self) -> [(&'static str, bool); 6] {
        [
            ("--steps", self.steps.is_some()),
            ("--shots", !self.shots.is_empty()),
            ("--tasks", self.tasks.is_some()),
            ("--seeds", self.seeds.is_some()),
            ("--episodes", self.episodes.is_some()),
            ("--plot", self.plot.is_some()),
        ]
    }

    fn tasks(&self) -> usize {
        self.tasks.unwrap_or(40)
    }

    fn seeds(&self) -> usize {
        self.seeds.unwrap_or(1)
    }
}

/// Everything that is printed; with `--json` this is the object.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Report {
    run: String,
    family: String,
    estimator: String,
    /// Outer iterations behind the parameters.
    iteration: u64,
    /// Tasks per seed.
    tasks: usize,
    seeds: usize,
    episodes_per_task: usize,
    /// Confidence of every interval; units are tasks.
    confidence: f64,
    evaluations: Vec<Evaluation>,
    references: References,
}

/// Undiscounted returns for one number of shots.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Evaluation {
    /// Episodes per adaptation step.
    shots: usize,
    /// Return after 0, 1, ..., K steps.
    returns: Vec<Estimate>,
    /// Last minus first, paired by task.
    gain: Estimate,
    /// `yes`, `no` or `cannot tell`.
    adaptation_helps: &'static str,
}

/// What the returns are to be held against, on the same tasks.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct References {
    /// Uniformly random actions (Gaussian policies: standard normal).
    random: Estimate,
    /// The initialisation itself.
    unadapted: Estimate,
    /// Best possible, knowing the task (tabular families only).
    optimal: Option<Estimate>,
}

/// Runs the command.
///
/// # Errors
/// A directory that is not a run or has no usable checkpoint, limits exceeded, or files that cannot be written.
pub fn run(request: Request) -> Result<(), Failure> {
    let opened = record::open(&request.run)?;
    if config::online::is_online(&opened.config) {
        return online::run(&request, &opened);
    }
    if config::lola::is_lola(&opened.config) {
        let dir = request.run.display();
        return Err(Failure::Usage(format!(
            "{dir}: is a run of `lola`, whose rows say what is played; draw them with: stillpoint report {dir}"
        )));
    }
    for (flag, is_given) in [("--count", request.count.is_some()), ("--gif", request.gif.is_some())] {
        if is_given {
            return Err(Failure::Usage(format!(
                "{flag} is for runs of `online`; {} is one of `train`",
                request.run.display()
            )));
        }
    }
    let mut loaded = saved::plan(&opened, &Overrides::default())?;
    let options = &mut loaded.plan.options; // adapt as training did
    options.inner.advantage = options.outer.estimator.inner_advantage(&options.inner.advantage);
    match loaded.plan.precision {
        Precision::F32 => with::<f32>(&request, &opened, &loaded),
        Precision::F64 => with::<f64>(&request, &opened, &loaded),
    }
}

/// Trained parameters on their family, and what was asked.
pub(super) struct Subject<'a, F> {
    pub(super) loaded: &'a Loaded,
    pub(super) policy: Policy,
    pub(super) state: State<F>,
    pub(super) steps: usize,
    pub(super) tasks: usize,
}

impl<F: Real> Subject<'_, F> {
    /// Plan of one evaluation.
    pub(super) fn plan(&self, steps: usize, shots: usize, seed: usize) -> EvaluationPlan {
        EvaluationPlan { steps, shots, episodes: EPISODES, tasks: self.tasks, seed: seed as u64 }
    }

    /// Mean returns of every task of every seed after 0..=steps adaptation steps from `theta`: `[steps + 1][tasks * seeds]`.
    fn returns(&self, theta: &[F], steps: usize, shots: usize, seeds: usize) -> Vec<Vec<f64>> {
        let mut columns = vec![Vec::new(); steps + 1];
        for seed in 0..seeds {
            let inner = &self.loaded.plan.options.inner;
            let plan = self.plan(steps, shots, seed);
            for task in adaptation::evaluate(&*self.loaded.family, &self.policy, theta, &self.state.alpha, inner, &plan)
            {
                columns.iter_mut().zip(task.returns).for_each(|(column, x)| column.push(x));
            }
        }
        columns
    }
}

fn with<F: Real>(request: &Request, opened: &record::run::Opened, loaded: &Loaded) -> Result<(), Failure> {
    let inner = &loaded.plan.options.inner;
    let steps = request.steps.unwrap_or(inner.steps);
    let shots = if request.shots.is_empty() { vec![inner.episodes] } else { request.shots.clone() };
    let most = shots.iter().copied().max().unwrap_or(0);
    for ((flag, limit), asked) in LIMITS.iter().zip([request.tasks().saturating_mul(request.seeds()), steps, most]) {
        if asked == 0 || asked > *limit {
            return Err(Failure::Usage(format!("{flag}: must be from 1 to {limit}, found {asked}")));
        }
    }
    for path in [&request.plot, &request.episodes].into_iter().flatten() {
        trajectories::check_writable(path)?;
    }
    let policy = saved::policy(loaded)?;
    let (state, remarks) = opened.newest::<F>(&policy.tensors())?;
    if !request.quiet {
        remarks.iter().for_each(|r| drop(writeln!(std::io::stderr(), "passed over: {r}")));
    }
    let subject = Subject { loaded, policy, state, steps, tasks: request.tasks() };
    if let Some(path) = &request.plot {
        trajectories::plot(&subject, shots[0], path)?;
    }
    if let Some(path) = &request.episodes {
        trajectories::dump(&subject, shots[0], path)?;
    }
    let report = report(&subject, request, &shots);
    let text = if request.json { json(&report)? } else { table(&report) };
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

fn report<F: Real>(subject: &Subject<'_, F>, request: &Request, shots: &[usize]) -> Report {
    let (plan, theta) = (&subject.loaded.plan, &subject.state.theta);
    // One stream per interval, so that asking for more shots does not move the intervals of the others.
    let stream = |k: usize, t: usize| Address::new(0, Purpose::Statistics).step(k).task(t).stream();
    let interval = |values: &[f64], mut rng: Rng| bootstrap::interval(values, bootstrap::RESAMPLES, &mut rng);
    let evaluations: Vec<Evaluation> = shots
        .iter()
        .map(|&n| {
            let columns = subject.returns(theta, subject.steps, n, request.seeds());
            let (first, last) = (&columns[0], &columns[subject.steps]);
            let gain = bootstrap::paired(first, last, bootstrap::RESAMPLES, &mut stream(n, 1));
            Evaluation {
                shots: n,
                returns: columns.iter().map(|c| interval(c, stream(0, 0))).collect(),
                gain,
                adaptation_helps: verdict(&gain),
            }
        })
        .collect();
    let random = subject.returns(&vec![F::zero(); theta.len()], 0, shots[0], request.seeds());
    let references = References {
        random: interval(&random[0], stream(0, 2)),
        unadapted: evaluations[0].returns[0],
        optimal: optima(subject, request.seeds()).map(|values| interval(&values, stream(0, 3))),
    };
    Report {
        run: request.run.display().to_string(),
        family: plan.family.name.clone(),
        estimator: plan.options.outer.estimator.name.clone(),
        iteration: subject.state.iteration,
        tasks: request.tasks(),
        seeds: request.seeds(),
        episodes_per_task: EPISODES,
        confidence: 0.95,
        evaluations,
        references,
    }
}

/// Best undiscounted return of each task, if every task is tabular.
fn optima<F: Real>(subject: &Subject<'_, F>, seeds: usize) -> Option<Vec<f64>> {
    let one = |seed: usize, i: usize| {
        let task = adaptation::task(&*subject.loaded.family, seed as u64, i);
        let mdp = task.tabular()?;
        Some(Model { mdp, gamma: 1.0 }.best())
    };
    (0..seeds).flat_map(|s| (0..subject.tasks).map(move |i| (s, i))).map(|(s, i)| one(s, i)).collect()
}

fn verdict(gain: &Estimate) -> &'static str {
    match (gain.low, gain.high) {
        (Some(low), _) if low > 0.0 => "yes",
        (_, Some(high)) if high < 0.0 => "no",
        _ => "cannot tell",
    }
}

fn json(report: &Report) -> Result<String, Failure> {
    let text =
        serde_json::to_string(report).map_err(|e| Failure::Internal(format!("the report has no JSON form: {e}")))?;
    Ok(text + "\n")
}

fn table(report: &Report) -> String {
    let Report { run, family, estimator, iteration, tasks, seeds, evaluations, references, .. } = report;
    let of_seeds = if *seeds == 1 { String::new() } else { format!(" for each of {seeds} seeds") };
    let mut text = format!(
        "{run}: {family} with {estimator} after {iteration} iterations, {tasks} fresh tasks{of_seeds}\n\n{:<34}{:>10}   95 % interval over tasks\n",
        "undiscounted return", "mean"
    );
    let mut line = |label: &str, x: &Estimate| {
        let ends = match (x.low, x.high) {
            (Some(low), Some(high)) => format!("[{low:.3}, {high:.3}]"),
            _ => "none: one task".into(),
        };
        let _ = writeln!(text, "{label:<34}{:>10.3}   {ends}", x.mean);
    };
    line("random actions", &references.random);
    for e in evaluations {
        for (k, x) in e.returns.iter().enumerate() {
            let label = match k {
                0 if evaluations.len() > 1 => format!("not adapted (shots {})", e.shots),
                0 => "not adapted".into(),
                1 => format!("after 1 step of {} episodes", e.shots),
                _ => format!("after {k} steps of {} episodes", e.shots),
            };
            line(&label, x);
        }
    }
    if let Some(optimal) = &references.optimal {
        line("optimal, knowing the task", optimal);
    }
    text.push('\n');
    for e in evaluations {
        let gain = super::learnt::shown(&e.gain);
        let words = match e.adaptation_helps {
            "yes" => "yes, by",
            "no" => "no, it changes the return by",
            _ => "cannot tell: it changes the return by",
        };
        let with = if evaluations.len() > 1 { format!(" with {} shots", e.shots) } else { String::new() };
        let _ = writeln!(text, "does adaptation help{with}? {words} {gain}, paired by task");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_follow_the_interval() {
        let gain = |low, high| Estimate { mean: 0.0, low, high };
        assert_eq!(verdict(&gain(Some(0.1), Some(0.2))), "yes");
        assert_eq!(verdict(&gain(Some(-0.2), Some(-0.1))), "no");
        assert_eq!(verdict(&gain(Some(-0.2), Some(0.1))), "cannot tell");
        assert_eq!(verdict(&gain(None, None)), "cannot tell");
    }
}
