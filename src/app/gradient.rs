//! `gradient`: every estimator against the exact gradient of V_zeta, by enumeration or by sampling with a test.

use super::failure::Failure;
use super::gradient_report::{Finding, Report};
use crate::config::{self, Overrides, explain};
use crate::estimator::choice::{Estimator, LeaveGroupOutForm, NAMES};
use crate::exact::expectation::{self, THEORY_OUTER, theory_inner};
use crate::exact::objective::{Exact, Problem, shown_count};
use crate::learn::options::{Inner, Outer, Update};
use crate::math::hypothesis;
use crate::measure::gradient::Sampler;
use crate::optim::Optimiser;
use crate::policy::{Policy, TabularSoftmax};
use crate::rng::{Address, Purpose};
use rand_distr::{Distribution, StandardNormal};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use tasks::family::Family;

/// Most (inner batches, outer batch, task) combinations that are enumerated unless `--limit` says otherwise.
pub const LIMIT: u64 = 2_000_000;

/// Significance level of the sampled test.
pub const ALPHA: f64 = 0.01;

/// How expectations are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every batch, with its probability.
    Enumerate,
    /// Monte Carlo.
    Sample,
}

/// What the command line asks of `gradient`.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// MDP file.
    pub mdps: Option<PathBuf>,
    /// Configuration of a finite tabular family; gives family, gamma and alpha.
    pub config: Option<String>,
    /// FILE, `zeros` or `random:SEED`.
    pub theta: String,
    /// Inner step size; the configuration's, or 1, if not given.
    pub alpha: Option<f64>,
    /// Inner steps zeta.
    pub inner_steps: usize,
    /// Episodes per inner batch.
    pub inner_batch: usize,
    /// Episodes per outer batch.
    pub outer_batch: usize,
    /// Estimator names; the usual three (two for several inner steps) if empty.
    pub estimators: Vec<String>,
    /// Enumerate or sample.
    pub mode: Mode,
    /// Samples in `sample` mode.
    pub samples: usize,
    /// Seed in `sample` mode.
    pub seed: u64,
    /// Groups of `sgmrl-lgo`; one episode each if not given.
    pub groups: Option<usize>,
    /// Most combinations to enumerate.
    pub limit: Option<u64>,
    /// JSON instead of a table.
    pub json: bool,
    /// No messages.
    pub quiet: bool,
}

/// Runs the command.
///
/// # Errors
/// Bad input, a family that cannot be enumerated, or more batches than the limit allows.
pub fn run(mut request: Request) -> Result<(), Failure> {
    if request.estimators.is_empty() {
        let usual = ["sgmrl", "sgmrl-lgo", "maml"].into_iter();
        let usual = usual.filter(|name| request.inner_steps == 1 || *name != "sgmrl-lgo");
        request.estimators = usual.map(str::to_string).collect();
    }
    let (family, gamma, alpha) = family(&request)?;
    let report = report(&request, family.as_ref(), gamma, alpha)?;
    if !request.quiet && !request.json {
        for note in &report.notes {
            let _ = writeln!(std::io::stderr(), "note: {note}"); // a closed stderr must not change the result
        }
    }
    let text = if request.json { format!("{}\n", report.json()) } else { report.table() };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// The family to look at, the discount and the inner step size.
fn family(request: &Request) -> Result<(Box<dyn Family>, f64, f64), Failure> {
    match (&request.mdps, &request.config) {
        (Some(file), None) => {
            let text = config::read_text(file)?;
            let family =
                tasks::registry::parse_mdps(&text).map_err(|e| Failure::Usage(format!("{}: {e}", file.display())))?;
            let gamma = family.gamma();
            Ok((Box::new(family), gamma, request.alpha.unwrap_or(1.0)))
        }
        (None, Some(name)) => {
            let loaded = config::load(Some(name), &Overrides::default())?;
            let options = &loaded.plan.options;
            let alpha = request.alpha.unwrap_or(options.inner.alpha);
            Ok((loaded.family, options.gamma, alpha))
        }
        _ => Err(Failure::Usage("give one of --mdps FILE and CONFIG: the MDPs to take the gradient on".into())),
    }
}

/// Computes everything the command prints.
///
/// # Errors
/// As [`run`].
pub fn report(request: &Request, family: &dyn Family, gamma: f64, alpha: f64) -> Result<Report, Failure> {
    let problem = problem(request, family, gamma, alpha)?;
    let (states, actions) = (problem.tasks[0].1.states, problem.tasks[0].1.actions);
    let theta = theta(&request.theta, states, actions)?;
    let estimators = estimators(request)?;
    let limit = request.limit.unwrap_or(LIMIT);
    if request.mode == Mode::Enumerate {
        let count = expectation::combinations(&problem, request.outer_batch, &estimators);
        refuse_above(limit, count, "combinations of inner batches, outer batch and task")?;
    }
    // each inner batch of V is visited once per parameter
    let visits = problem.inner_batches().saturating_mul(theta.len() as u64);
    refuse_above(limit, visits, "visits of inner batches behind the exact gradient")?;
    let exact = problem.v_zeta_gradient(&theta);
    let deterministic = problem.exact_inner_gradient(&theta);
    let found = match request.mode {
        Mode::Enumerate => enumerate(request, &problem, &theta, &estimators, &exact),
        Mode::Sample => sample(request, family, &problem, &theta, &estimators, &exact)?,
    };
    let estimators = request.estimators.iter().cloned().zip(found).collect();
    let notes = notes(request);
    Ok(Report { alpha, request: request.clone(), theta, exact, deterministic, estimators, notes })
}

fn problem(request: &Request, family: &dyn Family, gamma: f64, alpha: f64) -> Result<Problem, Failure> {
    let Some(tasks) = family.finite() else {
        return Err(Failure::Usage(format!(
            "family `{}` is not a finite list of MDPs, so V has no exact gradient to compare with; give --mdps FILE, or a \
             configuration of `tabular`, `analytic`, or `garnet` with `tasks` of 1 or more",
            family.name()
        )));
    };
    if tasks.iter().any(|(_, mdp)| mdp.reward_noise != 0.0) {
        return Err(Failure::Usage(format!(
            "family `{}` has noisy rewards, which cannot be enumerated",
            family.name()
        )));
    }
    Ok(Problem::new(tasks, gamma, alpha, request.inner_steps, request.inner_batch))
}

fn refuse_above(limit: u64, count: u64, what: &str) -> Result<(), Failure> {
    if count <= limit {
        return Ok(());
    }
    let count = shown_count(count);
    Err(Failure::Usage(format!(
        "{count} {what}, the limit is {limit}: fewer --inner-batch, --inner-steps or --outer-batch, a shorter horizon, \
         --mode sample (where only the outer batches are too many), or a higher --limit"
    )))
}

/// Reads `zeros`, `random:SEED` or a JSON file, flat `[S A]` or nested `[S][A]`.
pub(super) fn theta(text: &str, states: usize, actions: usize) -> Result<Vec<f64>, Failure> {
    let dim = states * actions;
    if text == "zeros" {
        return Ok(vec![0.0; dim]);
    }
    if let Some(seed) = text.strip_prefix("random:") {
        let seed: u64 = seed
            .parse()
            .map_err(|_| Failure::Usage(format!("--theta {text}: random:SEED takes a whole number, 0 or more")))?;
        let mut rng = Address::new(seed, Purpose::Init).stream();
        return Ok((0..dim).map(|_| StandardNormal.sample(&mut rng)).collect());
    }
    let fail = |why: String| {
        Failure::Usage(format!(
            "--theta {text}: {why}; allowed: `zeros`, `random:SEED`, or a JSON file with {dim} finite numbers in one array \
             (row-major) or {states} rows of {actions}"
        ))
    };
    let contents = config::read_text(Path::new(text)).map_err(|e| fail(e.message))?;
    let value: serde_json::Value = serde_json::from_str(&contents).map_err(|e| fail(format!("not JSON: {e}")))?;
    let rows = value.as_array().ok_or_else(|| fail("not an array".into()))?;
    let nested = rows.iter().all(serde_json::Value::is_array);
    if nested && (rows.len() != states || rows.iter().any(|r| r.as_array().is_none_or(|r| r.len() != actions))) {
        return Err(fail("rows of another shape".into()));
    }
    let flat: Vec<&serde_json::Value> =
        if nested { rows.iter().filter_map(|r| r.as_array()).flatten().collect() } else { rows.iter().collect() };
    let numbers: Option<Vec<f64>> = flat.iter().map(|v| v.as_f64().filter(|x| x.is_finite())).collect();
    let numbers = numbers.ok_or_else(|| fail("an entry is not a finite number".into()))?;
    if numbers.len() != dim { Err(fail(format!("{} numbers", numbers.len()))) } else { Ok(numbers) }
}

fn estimators(request: &Request) -> Result<Vec<Estimator>, Failure> {
    let groups = request.groups.unwrap_or(request.inner_batch);
    named(
        &request.estimators,
        groups,
        LeaveGroupOutForm::Importance,
        [request.inner_steps, request.inner_batch, request.outer_batch],
    )
}

/// The estimators called `asked`, checked for inner steps, inner and outer episodes.
///
/// # Errors
/// An unknown, repeated or unfit name.
pub(super) fn named(
    asked: &[String],
    groups: usize,
    form: LeaveGroupOutForm,
    [steps, episodes, outer]: [usize; 3],
) -> Result<Vec<Estimator>, Failure> {
    let names: Vec<&str> = NAMES.iter().map(|n| n.0).collect();
    if asked.is_empty() {
        return Err(Failure::Usage(format!("--estimators: at least one of {}", names.join(", "))));
    }
    let mut found: Vec<Estimator> = Vec::new();
    for name in asked {
        let Some(estimator) = Estimator::named(name, groups, form) else {
            let suggestion = explain::suggestion(name, &names);
            return Err(Failure::Usage(format!("--estimators: no estimator is called `{name}`; {suggestion}")));
        };
        if found.contains(&estimator) {
            return Err(Failure::Usage(format!("--estimators: `{name}` is named twice")));
        }
        estimator.check(steps, episodes, outer).map_err(|why| Failure::Usage(format!("--estimators: {why}")))?;
        found.push(estimator);
    }
    Ok(found)
}

fn enumerate(
    request: &Request,
    problem: &Problem,
    theta: &[f64],
    estimators: &[Estimator],
    exact: &Exact,
) -> Vec<Finding> {
    let found = expectation::enumerate(problem, theta, request.outer_batch, estimators, &exact.gradient);
    let finding = |e: expectation::Expectation| {
        let stderr = vec![0.0; e.mean.len()];
        Finding { mean: e.mean, stderr, variance_trace: e.variance_trace, test: None }
    };
    found.into_iter().map(finding).collect()
}

fn sample(
    request: &Request,
    family: &dyn Family,
    problem: &Problem,
    theta: &[f64],
    estimators: &[Estimator],
    exact: &Exact,
) -> Result<Vec<Finding>, Failure> {
    let needed = theta.len() + 2;
    if request.samples < needed {
        let text =
            format!("--samples {}: at least {needed} are needed to test {} components", request.samples, theta.len());
        return Err(Failure::Usage(text));
    }
    let mdp = &problem.tasks[0].1;
    let policy = Policy::Tabular(TabularSoftmax::new(mdp.states, mdp.actions));
    let inner = Inner {
        steps: problem.steps,
        episodes: problem.batch,
        alpha: problem.alpha,
        learn_alpha: false,
        advantage: theory_inner(problem.gamma),
    };
    let outer = Outer {
        tasks: 1,
        episodes: request.outer_batch,
        estimator: estimators[0].clone(),
        advantage: THEORY_OUTER,
        update: Update::Gradient,
        optimiser: Optimiser::Sgd { beta: 0.0 },
        clip: None,
    };
    let (inner, outer, policy) = (&inner, &outer, &policy);
    let sampler = Sampler { family, policy, theta, gamma: problem.gamma, inner, outer, seed: request.seed };
    let finding = |estimator: &Estimator| {
        let moments = sampler.moments(estimator, request.samples, &exact.gradient);
        Finding {
            mean: moments.mean(),
            stderr: moments.standard_error(),
            variance_trace: moments.variance_trace(),
            test: Some(hypothesis::mean_is(&moments, &exact.gradient)),
        }
    };
    Ok(estimators.iter().map(finding).collect())
}

/// Remarks on estimators that coincide with another here.
fn notes(request: &Request) -> Vec<String> {
    let asked = |name: &str| request.estimators.iter().any(|e| e == name);
    let mut notes = Vec::new();
    if asked("sgmrl-loo") && request.inner_batch == 1 {
        notes.push("with one inner episode there is no other to leave in: `sgmrl-loo` equals `sgmrl`".to_string());
    }
    if asked("sgmrl-tasks") {
        notes.push("the one-task estimator has no other tasks: `sgmrl-tasks` equals `sgmrl` here".to_string());
    }
    if asked("sgmrl-lgo") {
        let groups = request.groups.unwrap_or(request.inner_batch);
        let many = |n: usize| if n == 1 { "" } else { "s" };
        notes.push(format!(
            "`sgmrl-lgo` is the importance-weighted form; {groups} group{} of the {} inner episode{} {} left out in turn",
            many(groups),
            request.inner_batch,
            many(request.inner_batch),
            if groups == 1 { "is" } else { "are" }
        ));
    }
    notes
}
