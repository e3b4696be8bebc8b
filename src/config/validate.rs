//! Raw mirror to plan: defaults, ranges and the rules that tie keys together.

use super::checks::{self, Checked};
use super::cost::{self, MAX_MEMORY};
use super::plan::{Plan, Precision};
use super::{Fault, explain, family, raw, update};
use crate::diff::{Activation, Init};
use crate::estimator::choice::{Estimator, LeaveGroupOutForm, NAMES, OuterPart, Sampling};
use crate::learn::meta::{Inner, Options, Outer};
use crate::math::advantage::{Advantage, AdvantageKind, Average, Baseline, OuterAdvantage, OuterBaseline};
use crate::policy;
use tasks::env::Space;
use tasks::family::Family;

/// Most outer iterations.
const MAX_ITERATIONS: u64 = 1_000_000_000_000;
/// Most episodes per batch, and most tasks.
const MAX_EPISODES: usize = 1_000_000;
/// Most inner steps.
const MAX_INNER_STEPS: usize = 1_000;
/// Most hidden layers, and widest.
const MAX_LAYERS: usize = 64;
/// Widest hidden layer.
const MAX_WIDTH: usize = 65_536;
/// Most leave-group-out groups when none are asked for.
const DEFAULT_GROUPS: usize = 10;
/// Largest step size, ridge or clip.
pub(super) const MAX_RATE: f64 = 1e9;

/// Remarks for the user, one line each.
pub(super) type Notes = Vec<String>;

/// The plan that `raw` means, the family it trains on and remarks.
pub(crate) fn plan(raw: raw::Raw) -> Checked<(Plan, Box<dyn Family>, Notes)> {
    let mut notes = Notes::new();
    let (choice, family) = family::build(&raw.family)?;
    let name = match raw.name {
        Some(name) => checks::run_name("name", name)?,
        None => choice.name.replace('/', "-"),
    };
    let seed = checks::seed("seed", raw.seed.unwrap_or(1))?;
    let iterations = raw.iterations.unwrap_or(500);
    if !(1..=MAX_ITERATIONS).contains(&iterations) {
        let message = format!("must be a whole number from 1 to {MAX_ITERATIONS}, found {iterations}");
        return Err(Fault::new("iterations", message));
    }
    let gamma = checks::discount("gamma", raw.gamma.unwrap_or_else(|| family.gamma()))?;
    let policy = policy_spec(&raw.policy, &*family, &mut notes)?;
    let inner = inner(&raw.inner, gamma, &mut notes)?;
    let outer = outer(&raw.outer, &inner, gamma, &mut notes)?;
    let precision = match raw.precision.unwrap_or(raw::Precision::F32) {
        raw::Precision::F32 => Precision::F32,
        raw::Precision::F64 => Precision::F64,
    };
    let gap = super::gap::choice(&raw.gap.unwrap_or_default(), outer.episodes, &mut notes)?;
    let options = Options { gamma, inner, outer };
    let plan = Plan { name, seed, iterations, precision, family: choice, policy, options, gap };
    memory(&plan, &*family)?;
    Ok((plan, family, notes))
}

/// Refuses a plan that would exhaust memory, blaming its largest size.
pub(crate) fn memory(plan: &Plan, family: &dyn Family) -> Checked<()> {
    let cost = cost::cost(plan, family);
    if cost.memory <= MAX_MEMORY {
        return Ok(());
    }
    let (inner, outer) = (&plan.options.inner, &plan.options.outer);
    let sizes = [
        ("policy.hidden", (cost.parameters as f64).sqrt()),
        ("inner.episodes", (inner.episodes * inner.steps) as f64),
        ("outer.episodes", outer.episodes as f64),
        ("outer.tasks", outer.tasks as f64),
    ];
    let (key, _) = sizes.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or(sizes[0]);
    let gib = |bytes: u64| bytes as f64 / (1u64 << 30) as f64;
    let message = format!(
        "the run would need about {:.0} GiB of memory and the limit is {:.0} GiB; make `policy.hidden`, `inner.episodes`, \
         `outer.episodes` or `outer.tasks` smaller",
        gib(cost.memory),
        gib(MAX_MEMORY)
    );
    Err(Fault::new(key, message))
}

/// Notes the keys that were given but have no effect, `why`.
pub(super) fn without_effect(notes: &mut Notes, keys: &[(&str, bool)], why: &str) {
    for (key, _) in keys.iter().filter(|(_, given)| *given) {
        notes.push(format!("`{key}` has no effect: {why}"));
    }
}

fn policy_spec(raw: &raw::Policy, family: &dyn Family, notes: &mut Notes) -> Checked<policy::Spec> {
    let discrete = |space: &Space| matches!(space, Space::Discrete(_));
    let (observation, action) = (family.observation_space(), family.action_space());
    let table = discrete(&observation) && discrete(&action);
    let kind = raw.kind.unwrap_or(if table { raw::PolicyKind::Tabular } else { raw::PolicyKind::Mlp });
    let mut spec = policy::Spec {
        kind: policy::Kind::Tabular,
        hidden: Vec::new(),
        activation: Activation::Tanh,
        init: Init::GlorotUniform,
        log_std: 0.0,
        min_log_std: None,
        value_head: false,
    };
    if kind == raw::PolicyKind::Tabular {
        if !table {
            let message = format!(
                "`tabular` needs discrete observations and actions, which `{}` does not have; allowed: mlp",
                family.name()
            );
            return Err(Fault::new("policy.kind", message));
        }
        let given = [
            ("policy.hidden", raw.hidden.is_some()),
            ("policy.activation", raw.activation.is_some()),
            ("policy.init", raw.init.is_some()),
            ("policy.init_gain", raw.init_gain.is_some()),
            ("policy.log_std", raw.log_std.is_some()),
            ("policy.min_log_std", raw.min_log_std.is_some()),
        ];
        without_effect(notes, &given, "the policy is tabular");
        return Ok(spec);
    }
    spec.kind = policy::Kind::Mlp;
    spec.hidden = raw.hidden.clone().unwrap_or_else(|| vec![100, 100]);
    if spec.hidden.len() > MAX_LAYERS {
        let message = format!("must have at most {MAX_LAYERS} layers, found {}", spec.hidden.len());
        return Err(Fault::new("policy.hidden", message));
    }
    for (i, &width) in spec.hidden.iter().enumerate() {
        checks::count(&format!("policy.hidden[{i}]"), width, MAX_WIDTH)?;
    }
    perceptron(raw, &mut spec, notes)?;
    if discrete(&action) {
        let given = [("policy.log_std", raw.log_std.is_some()), ("policy.min_log_std", raw.min_log_std.is_some())];
        without_effect(notes, &given, "actions are discrete");
    }
    Ok(spec)
}

/// Everything of a perceptron but its shape.
fn perceptron(raw: &raw::Policy, spec: &mut policy::Spec, notes: &mut Notes) -> Checked<()> {
    spec.activation = match raw.activation.unwrap_or(raw::Activation::Tanh) {
        raw::Activation::Tanh => Activation::Tanh,
        raw::Activation::Relu => Activation::Relu,
    };
    spec.init = match raw.init.unwrap_or(raw::Init::GlorotUniform) {
        raw::Init::GlorotUniform => Init::GlorotUniform,
        raw::Init::Orthogonal => {
            Init::Orthogonal { gain: checks::positive("policy.init_gain", raw.init_gain.unwrap_or(1.0), 1e3)? }
        }
    };
    let glorot = spec.init == Init::GlorotUniform;
    without_effect(notes, &[("policy.init_gain", glorot && raw.init_gain.is_some())], "only `orthogonal` has a gain");
    spec.log_std = checks::within("policy.log_std", raw.log_std.unwrap_or(0.0), -20.0, 20.0)?;
    spec.min_log_std = raw.min_log_std.map(|x| checks::within("policy.min_log_std", x, -20.0, 20.0)).transpose()?;
    if let Some(min) = spec.min_log_std.filter(|&min| min > spec.log_std) {
        let message = format!("must not exceed `policy.log_std` ({}), found {min}", spec.log_std);
        return Err(Fault::new("policy.min_log_std", message));
    }
    Ok(())
}

fn ridge(key: &str, given: Option<f64>) -> Checked<f64> {
    checks::positive(key, given.unwrap_or(1e-5), MAX_RATE)
}

fn average(given: Option<raw::Average>) -> Average {
    match given.unwrap_or(raw::Average::Steps) {
        raw::Average::Trajectories => Average::Trajectories,
        raw::Average::Steps => Average::Steps,
    }
}

fn inner(raw: &raw::Inner, gamma: f64, notes: &mut Notes) -> Checked<Inner> {
    let steps = checks::count("inner.steps", raw.steps.unwrap_or(1), MAX_INNER_STEPS)?;
    let episodes = checks::count("inner.episodes", raw.episodes.unwrap_or(20), MAX_EPISODES)?;
    let alpha = checks::within("inner.alpha", raw.alpha.unwrap_or(0.1), 0.0, MAX_RATE)?;
    let kind = match raw.advantage.unwrap_or(raw::InnerAdvantage::Gae) {
        raw::InnerAdvantage::Return => AdvantageKind::Return,
        raw::InnerAdvantage::Gae => {
            AdvantageKind::Gae { lambda: checks::within("inner.lambda", raw.lambda.unwrap_or(0.997), 0.0, 1.0)? }
        }
    };
    let returns = kind == AdvantageKind::Return;
    without_effect(
        notes,
        &[("inner.lambda", returns && raw.lambda.is_some())],
        "only `advantage = \"gae\"` has a lambda",
    );
    let baseline = match raw.baseline.unwrap_or(raw::InnerBaseline::Linear) {
        raw::InnerBaseline::None => Baseline::None,
        raw::InnerBaseline::Linear => Baseline::Linear { ridge: ridge("inner.ridge", raw.ridge)? },
    };
    let none = baseline == Baseline::None;
    without_effect(notes, &[("inner.ridge", none && raw.ridge.is_some())], "there is no baseline");
    let bootstrap = raw.bootstrap.unwrap_or(false);
    if bootstrap && none {
        return Err(Fault::new("inner.bootstrap", "needs `inner.baseline = \"linear\"` to bootstrap with"));
    }
    let advantage = Advantage {
        kind,
        baseline,
        gamma: checks::discount("inner.gamma", raw.gamma.unwrap_or(gamma))?,
        normalise: raw.normalise.unwrap_or(true),
        average: average(raw.average),
        bootstrap,
    };
    Ok(Inner { steps, episodes, alpha, learn_alpha: raw.learn_alpha.unwrap_or(false), advantage })
}

fn outer(raw: &raw::Outer, inner: &Inner, gamma: f64, notes: &mut Notes) -> Checked<Outer> {
    let tasks = checks::count("outer.tasks", raw.tasks.unwrap_or(20), MAX_EPISODES)?;
    let episodes = checks::count("outer.episodes", raw.episodes.unwrap_or(20), MAX_EPISODES)?;
    let estimator = estimator(raw, inner, tasks, episodes, notes)?;
    let advantage = outer_advantage(raw, inner, &estimator, episodes, gamma, notes)?;
    let (update, optimiser, clip) = update::update(raw, inner, &estimator, notes)?;
    Ok(Outer { tasks, episodes, estimator, advantage, update, optimiser, clip })
}

fn estimator(raw: &raw::Outer, inner: &Inner, tasks: usize, episodes: usize, notes: &mut Notes) -> Checked<Estimator> {
    let default = match raw.optimiser {
        Some(raw::Optimiser::Promp) => "lvc",
        _ if inner.steps == 1 => "sgmrl-lgo",
        _ => "sgmrl-loo",
    };
    let name = raw.estimator.as_deref().unwrap_or(default);
    let form = match raw.form.unwrap_or(raw::Form::Importance) {
        raw::Form::Importance => LeaveGroupOutForm::Importance,
        raw::Form::Resimulated => LeaveGroupOutForm::Resimulated,
    };
    let most = if form == LeaveGroupOutForm::Resimulated { inner.episodes.min(episodes) } else { inner.episodes };
    let groups = raw.groups.unwrap_or(DEFAULT_GROUPS.min(most));
    let Some(estimator) = Estimator::named(name, groups, form) else {
        let names = NAMES.map(|(name, _)| name);
        let message = format!("unknown estimator `{name}`; {}", explain::suggestion(name, &names));
        return Err(Fault::new("outer.estimator", message));
    };
    estimator.check(inner.steps, inner.episodes, episodes).map_err(|message| {
        let key = if message.starts_with("`groups`") { "outer.groups" } else { "outer.estimator" };
        Fault::new(key, message)
    })?;
    if !matches!(estimator.sampling, Sampling::LeaveGroupOut { .. }) {
        let given = [("outer.groups", raw.groups.is_some()), ("outer.form", raw.form.is_some())];
        without_effect(notes, &given, &format!("`{name}` leaves no group out"));
    }
    if estimator.sampling == Sampling::LeaveOneOut && inner.episodes == 1 {
        notes.push("with one inner episode `sgmrl-loo` has no other episode to subtract and equals `sgmrl`".into());
    }
    if estimator.sampling == Sampling::OtherTasks && tasks == 1 {
        notes.push("with one task `sgmrl-tasks` has no other task to subtract and equals `sgmrl`".into());
    }
    let Advantage { kind, baseline, normalise, .. } = inner.advantage;
    if name == "loaded-dice" && baseline == Baseline::None && kind == AdvantageKind::Return && !normalise {
        notes.push("on raw rewards-to-go without a baseline `loaded-dice` equals `dice`".into());
    }
    Ok(estimator)
}

fn outer_advantage(
    raw: &raw::Outer,
    inner: &Inner,
    estimator: &Estimator,
    episodes: usize,
    gamma: f64,
    notes: &mut Notes,
) -> Checked<OuterAdvantage> {
    let kind = raw.advantage.unwrap_or(raw::OuterAdvantage::Raw);
    if estimator.outer == OuterPart::Published {
        let why = format!("`{}` processes outer rewards as the inner ones", estimator.name);
        let given = [("outer.advantage", raw.advantage.is_some()), ("outer.baseline", raw.baseline.is_some())];
        without_effect(notes, &given, &why);
        return Ok(OuterAdvantage::Processed(inner.advantage));
    }
    if kind == raw::OuterAdvantage::Raw {
        return raw_advantage(raw, episodes, notes);
    }
    let kind = match kind {
        raw::OuterAdvantage::Gae => {
            let same = if let AdvantageKind::Gae { lambda } = inner.advantage.kind { lambda } else { 0.997 };
            AdvantageKind::Gae { lambda: checks::within("outer.lambda", raw.lambda.unwrap_or(same), 0.0, 1.0)? }
        }
        _ => AdvantageKind::Return,
    };
    let baseline = match raw.baseline.unwrap_or(raw::OuterBaseline::Linear) {
        raw::OuterBaseline::None => Baseline::None,
        raw::OuterBaseline::Linear => Baseline::Linear { ridge: ridge("outer.ridge", raw.ridge)? },
        raw::OuterBaseline::Inner | raw::OuterBaseline::CrossFit => {
            let message = "`inner` and `cross-fit` belong to `outer.advantage = \"raw\"`; allowed here: none, linear";
            return Err(Fault::new("outer.baseline", message));
        }
    };
    let bootstrap = raw.bootstrap.unwrap_or(false);
    if bootstrap && baseline == Baseline::None {
        return Err(Fault::new("outer.bootstrap", "needs `outer.baseline = \"linear\"` to bootstrap with"));
    }
    notes.push("processed outer advantages are biased: the gradient is not that of V_zeta".into());
    let normalise = raw.normalise.unwrap_or(false);
    Ok(OuterAdvantage::Processed(Advantage {
        kind,
        baseline,
        gamma,
        normalise,
        average: average(raw.average.or(Some(raw::Average::Trajectories))),
        bootstrap,
    }))
}

fn raw_advantage(raw: &raw::Outer, episodes: usize, notes: &mut Notes) -> Checked<OuterAdvantage> {
    for (key, set) in [("normalise", raw.normalise == Some(true)), ("bootstrap", raw.bootstrap == Some(true))] {
        if set {
            let message = "would bias the raw outer part; allowed: false, or `outer.advantage = \"gae\"` or \"return\"";
            return Err(Fault::new(format!("outer.{key}"), message));
        }
    }
    let given = [("outer.lambda", raw.lambda.is_some()), ("outer.average", raw.average.is_some())];
    without_effect(notes, &given, "the outer part is raw");
    let default = if episodes > 1 { raw::OuterBaseline::CrossFit } else { raw::OuterBaseline::Inner };
    let baseline = match raw.baseline.unwrap_or(default) {
        raw::OuterBaseline::None => OuterBaseline::None,
        raw::OuterBaseline::Inner => OuterBaseline::Inner { ridge: ridge("outer.ridge", raw.ridge)? },
        raw::OuterBaseline::CrossFit if episodes < 2 => {
            let message = "`cross-fit` needs at least two outer episodes; allowed with one: none, inner";
            return Err(Fault::new("outer.baseline", message));
        }
        raw::OuterBaseline::CrossFit => OuterBaseline::CrossFit { ridge: ridge("outer.ridge", raw.ridge)? },
        raw::OuterBaseline::Linear => {
            let message = "`linear` is fitted on the same batch and would bias the raw outer part; allowed: none, inner, cross-fit";
            return Err(Fault::new("outer.baseline", message));
        }
    };
    let none = baseline == OuterBaseline::None;
    without_effect(notes, &[("outer.ridge", none && raw.ridge.is_some())], "there is no baseline");
    Ok(OuterAdvantage::Raw(baseline))
}
