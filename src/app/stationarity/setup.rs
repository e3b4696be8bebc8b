//! What a study is about: the family, the adaptation, where it starts, and which theory covers it.

use super::{DynamicsKind, Request, runs};
use crate::app::failure::Failure;
use crate::app::{gradient, saved};
use crate::config::plan::{FamilyChoice, Plan, Precision};
use crate::config::{self, Flag, Loaded, Overrides};
use crate::estimator::choice::{Estimator, LeaveGroupOutForm, Sampling};
use crate::exact::dynamics;
use crate::exact::expectation::{THEORY_OUTER, theory_inner};
use crate::exact::objective::{Problem, shown_count};
use crate::learn::options::{Inner, Options, Outer, Update};
use crate::math::theory::Constants;
use crate::measure::gap::is_theory;
use crate::optim::Optimiser;
use crate::policy::{Policy, Spec, TabularSoftmax};
use crate::rng::{Address, Purpose};
use std::sync::Arc;
use tasks::env::Space;
use tasks::family::Family;

/// Most inner batches times parameters that one step of the expected dynamics may visit.
pub const LIMIT: u64 = 5_000_000;

/// Everything that the runs share.
pub struct Setup {
    /// Where the family came from, for messages and the record.
    pub source: String,
    /// Family.
    pub family: Arc<dyn Family>,
    /// Policy.
    pub policy: Policy,
    /// Options of the sampled learner; each run puts its estimator in.
    pub options: Options,
    /// Estimators.
    pub estimators: Vec<Estimator>,
    /// Start.
    pub theta: Vec<f64>,
    /// The finite problem, if there is one.
    pub problem: Option<Problem>,
    /// The theory's constants and Delta, or why they do not exist.
    pub theory: Result<(Constants, f64), String>,
    /// Remarks.
    pub notes: Vec<String>,
}

impl Setup {
    /// Reads and checks everything the request names.
    ///
    /// # Errors
    /// Bad input, named with what is allowed.
    pub fn new(request: &Request) -> Result<Setup, Failure> {
        let (source, family, policy, plan, notes) = base(request)?;
        let mut options = plan.options.clone();
        let (outer, inner) = (&mut options.outer, &options.inner);
        outer.update = Update::Gradient;
        outer.clip = None;
        let beta = request.beta.unwrap_or(match outer.optimiser {
            Optimiser::Sgd { beta } => beta,
            _ => 0.1,
        });
        outer.optimiser = Optimiser::Sgd { beta };
        let groups = inner.episodes.min(outer.episodes).min(10);
        let sizes = [inner.steps, inner.episodes, outer.episodes];
        let estimators = gradient::named(&request.estimators, groups, LeaveGroupOutForm::Resimulated, sizes)?;
        if request.dynamics == DynamicsKind::Sampled || request.rates {
            for estimator in &estimators {
                let outer = Outer { estimator: estimator.clone(), ..options.outer.clone() };
                let options = Options { outer, ..options.clone() };
                affordable(&Plan { options, precision: Precision::F64, ..plan.clone() }, family.as_ref())?;
            }
        }
        let problem = problem(family.as_ref(), &policy, &options);
        if request.dynamics == DynamicsKind::Expected {
            feasible(&problem, &estimators, options.outer.episodes)?;
        }
        let theta = start(request, &policy, family.as_ref())?;
        let problem = problem.map_err(|why| (why, ()));
        let theory = match &problem {
            Ok(problem) => known(problem, &theta),
            Err((why, ())) => Err(why.clone()),
        };
        let setup = Setup { source, family, policy, options, estimators, theta, problem: problem.ok(), theory, notes };
        if request.dynamics == DynamicsKind::Sampled {
            gap_flags(request)?;
            runs::gauge(&setup, request, request.seed).map_err(|why| {
                Failure::Usage(format!("--gap-method: {why}; without it the best feasible way is taken"))
            })?;
        }
        Ok(setup)
    }

    /// Outer step size.
    pub fn beta(&self) -> f64 {
        match self.options.outer.optimiser {
            Optimiser::Sgd { beta } => beta,
            _ => f64::NAN,
        }
    }
}

/// Refuses groups too few for an interval, and more samples than fit.
fn gap_flags(request: &Request) -> Result<(), Failure> {
    let sizes = config::gap::sizes(request.gap_groups, request.gap_tasks);
    sizes.map(|_| ()).map_err(|fault| {
        let flag = if fault.key == "gap.groups" { "--gap-groups" } else { "--gap-tasks" };
        Failure::Usage(format!("{flag}: {}", fault.message))
    })
}

/// Refuses a meta-batch that would exhaust memory, as `train` does.
fn affordable(plan: &Plan, family: &dyn Family) -> Result<(), Failure> {
    config::memory(plan, family).map_err(|fault| {
        let flag = match fault.key.as_str() {
            "inner.episodes" => "--inner-batch",
            "outer.episodes" => "--outer-batch",
            "outer.tasks" => "--tasks-per-batch",
            key => key,
        };
        Failure::Usage(format!("{flag}: {}", fault.message))
    })
}

type Base = (String, Arc<dyn Family>, Policy, Plan, Vec<String>);

/// Family, policy and plan with the sizes that the flags ask for.
fn base(request: &Request) -> Result<Base, Failure> {
    match (&request.mdps, &request.config) {
        (Some(file), None) => {
            let text = config::read_text(file)?;
            let family =
                tasks::registry::parse_mdps(&text).map_err(|e| Failure::Usage(format!("{}: {e}", file.display())))?;
            let (Space::Discrete(states), Space::Discrete(actions)) =
                (family.observation_space(), family.action_space())
            else {
                return Err(Failure::Usage(format!("{}: not a finite family", file.display())));
            };
            let gamma = family.gamma();
            let advantage = theory_inner(gamma);
            let inner = Inner {
                steps: request.inner_steps.unwrap_or(1),
                episodes: request.inner_batch.unwrap_or(1),
                alpha: request.alpha.unwrap_or(1.0),
                learn_alpha: false,
                advantage,
            };
            let outer = Outer {
                tasks: request.tasks.unwrap_or(20),
                episodes: request.outer_batch.unwrap_or(1),
                estimator: Estimator::named("sgmrl", 1, LeaveGroupOutForm::Importance).expect("a name of ours"),
                advantage: THEORY_OUTER,
                update: Update::Gradient,
                optimiser: Optimiser::Sgd { beta: 0.1 },
                clip: None,
            };
            let policy = Policy::Tabular(TabularSoftmax::new(states, actions));
            let source = file.display().to_string();
            let plan = Plan {
                name: "study".into(),
                seed: request.seed,
                iterations: request.iterations,
                precision: Precision::F64,
                family: FamilyChoice { name: family.name().into(), params: serde_json::Map::new() },
                policy: Spec::tabular(),
                options: Options { gamma, inner, outer },
                gap: None,
            };
            Ok((source, Arc::new(family), policy, plan, Vec::new()))
        }
        (None, Some(name)) => {
            let loaded = configured(name, request)?;
            let policy = saved::policy(&loaded)?;
            let mut notes = loaded.notes.clone();
            if loaded.plan.options.inner.learn_alpha {
                notes.push("`inner.learn_alpha` is not followed: alpha is fixed here".into());
            }
            let mut plan = loaded.plan;
            plan.options.inner.learn_alpha = false;
            Ok((loaded.source, Arc::from(loaded.family), policy, plan, notes))
        }
        _ => Err(Failure::Usage("give one of --mdps FILE and CONFIG: the family to study".into())),
    }
}

/// The configuration with the flags as its keys, so that what it forbids is forbidden to them too.
///
/// It must be valid without them as well. Its estimator is not followed: one that bounds the sizes (leave-group-out) gives way.
fn configured(name: &str, request: &Request) -> Result<Loaded, Failure> {
    let mut overrides = Overrides { set: request.set.clone(), ..Overrides::default() };
    let alone = config::load(Some(name), &overrides)?;
    let flag = |flag: &str, key: &'static str, value: Option<String>| {
        value.map(|value| Flag { flag: format!("{flag} {value}"), key, value })
    };
    let size = |n: Option<usize>| n.map(|n| n.to_string());
    let given = [
        flag("--alpha", "inner.alpha", request.alpha.map(|x| format!("{x:?}"))),
        flag("--inner-steps", "inner.steps", size(request.inner_steps)),
        flag("--inner-batch", "inner.episodes", size(request.inner_batch)),
        flag("--tasks-per-batch", "outer.tasks", size(request.tasks)),
        flag("--outer-batch", "outer.episodes", size(request.outer_batch)),
    ];
    overrides.flags.extend(given.into_iter().flatten());
    if overrides.flags.is_empty() {
        return Ok(alone);
    }
    if matches!(alone.plan.options.outer.estimator.sampling, Sampling::LeaveGroupOut { .. }) {
        let flag = format!("--estimators {}", request.estimators.join(","));
        overrides.flags.push(Flag { flag, key: "outer.estimator", value: "sgmrl".into() });
    }
    let loaded = config::load(Some(name), &overrides)?;
    Ok(Loaded { notes: alone.notes, ..loaded }) // not that a key of the estimator that gave way has no effect
}

/// The finite problem whose V the gap belongs to, or which assumption of the theory is not met.
fn problem(family: &dyn Family, policy: &Policy, options: &Options) -> Result<Problem, String> {
    if !matches!(policy, Policy::Tabular(_)) {
        return Err(
            "assumption not met: G, L and rho are known for softmax tables only, and the policy is a network".into()
        );
    }
    if !is_theory(&options.inner, options.gamma) {
        return Err(
            "assumption not met: the inner step is not the theory's (raw reward-to-go, mean over trajectories)".into(),
        );
    }
    let Some(tasks) = family.finite() else {
        return Err(format!("family `{}` is not a finite list of MDPs, so V cannot be enumerated", family.name()));
    };
    if tasks.iter().any(|(_, mdp)| mdp.reward_noise != 0.0) {
        return Err("assumption not met: rewards carry unbounded noise".into());
    }
    let Inner { alpha, steps, episodes, .. } = options.inner;
    Ok(Problem::new(tasks, options.gamma, alpha, steps, episodes))
}

/// Refuses expected dynamics that cannot be enumerated.
fn feasible(problem: &Result<Problem, String>, estimators: &[Estimator], outer: usize) -> Result<(), Failure> {
    let problem = match problem {
        Ok(problem) => problem,
        Err(why) => {
            return Err(Failure::Usage(format!("--dynamics expected: {why}; --dynamics sampled measures by samples")));
        }
    };
    for estimator in estimators {
        let visits = dynamics::visits_per_step(problem, outer, estimator);
        if visits > LIMIT {
            let count = shown_count(visits);
            return Err(Failure::Usage(format!(
                "--dynamics expected: one step of `{}` visits {count} inner batches times parameters, the limit is {LIMIT}; \
                 the number of inner batches grows as C(m + n - 1, n)^zeta with m = (S A)^T trajectories: fewer \
                 --inner-batch or --inner-steps, a shorter horizon, or --dynamics sampled",
                estimator.name
            )));
        }
    }
    Ok(())
}

/// Start: zeros for a table, initial weights for a network (whose zeros are a saddle), or what `--theta` says.
fn start(request: &Request, policy: &Policy, family: &dyn Family) -> Result<Vec<f64>, Failure> {
    let table = matches!(policy, Policy::Tabular(_));
    let text = request.theta.as_deref().unwrap_or(if table { "zeros" } else { "init" });
    if text == "init" {
        return Ok(policy.init(&mut Address::new(request.seed, Purpose::Init).stream()));
    }
    match (family.observation_space(), family.action_space()) {
        (Space::Discrete(states), Space::Discrete(actions)) if table => gradient::theta(text, states, actions),
        _ => gradient::theta(text, 1, policy.n_params()),
    }
}

/// The theory's constants and Delta, where they are numbers.
fn known(problem: &Problem, theta: &[f64]) -> Result<(Constants, f64), String> {
    let (constants, delta) = (problem.constants(), delta(problem, theta));
    match (constants.l_v * constants.g_v * constants.g_v).is_finite() && delta.is_finite() {
        true => Ok((constants, delta)),
        false => Err("the constants are too large for numbers".into()),
    }
}

/// sup V - V(theta_0) <= mean over tasks of the best return in hindsight, less V(theta_0).
fn delta(problem: &Problem, theta: &[f64]) -> f64 {
    let top: f64 = (0..problem.tasks.len()).map(|i| problem.tasks[i].0 * problem.model(i).best()).sum();
    let work = problem.inner_batches();
    // V(theta_0) >= -R_J where it cannot be enumerated
    let v = if work <= LIMIT { problem.v_zeta(theta) } else { -problem.constants().r_j };
    (top - v).max(0.0)
}
