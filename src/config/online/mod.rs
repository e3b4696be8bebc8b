//! Configurations of `online`: raw mirror to validated plan, and back to a file in which every key is written out.

mod atari;
mod control;
mod inner;
mod raw;
mod raw_atari;
mod reach;
mod section;

use super::checks::{self, Checked};
use super::overrides::Origin;
pub use atari::Atari;

use super::{Error, Fault, Overrides, shipped, tree};
use crate::config::plan::FamilyChoice;
use crate::estimator::online::{Fallback, Mode, OuterReturn, Rail, Setting, Tunable};
use crate::learn::online::actor_critic::{self, Reach};
use crate::learn::online::{Options, Task};
use crate::optim::Optimiser;

/// Most updates.
const MAX_UPDATES: usize = 1_000_000_000;
/// Most arms.
const MAX_ARMS: usize = 10_000;
/// Largest step size, delay, reward or limit.
const MAX: f64 = 1e9;
/// Updates under `--smoke`.
const SMOKE: u64 = 20;

/// A validated configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Name of the run.
    pub name: String,
    /// Seed of every random stream.
    pub seed: u64,
    /// Last updates that the closing report averages over.
    pub average: u64,
    /// The same seed also runs with all meta-parameters fixed.
    pub has_twin: bool,
    /// What is learned, and how.
    pub learner: Choice,
}

/// Learner of a plan.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// A small task with a learner of its own.
    Small(Box<Options>),
    /// The actor-critic.
    ActorCritic(Box<Control>),
}

/// The actor-critic, its network and its task.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// The task, and the network for it.
    pub problem: Problem,
    /// What is learned, and how.
    pub options: actor_critic::Options,
}

/// A task with its network.
#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    /// One task of a family, a perceptron.
    Family(FamilyChoice, actor_critic::MlpShape),
    /// An Atari game, convolutions.
    Atari(Atari, actor_critic::ConvShape),
}

impl Plan {
    /// Updates of the whole run.
    pub fn updates(&self) -> u64 {
        match &self.learner {
            Choice::Small(options) => options.updates,
            Choice::ActorCritic(control) => control.options.updates,
        }
    }
}

impl Plan {
    /// The run that this one is to be compared with, if it was asked for: what is learned stays at its initial value.
    pub fn twin(&self) -> Option<Plan> {
        let mut twin = Plan { has_twin: false, ..self.clone() };
        let fix = |setting: &mut Setting| {
            if setting.mode == Mode::Meta {
                setting.mode = Mode::Fixed;
            }
        };
        match &mut twin.learner {
            Choice::Small(options) => [&mut options.gamma, &mut options.lambda].into_iter().for_each(fix),
            Choice::ActorCritic(control) => {
                control.options.tunables.0.iter_mut().for_each(fix);
                control.options.reach = Reach::ONE; // nothing to differentiate
            }
        }
        self.has_twin.then_some(twin)
    }

    /// Whether any meta-parameter is learned.
    fn learns(&self) -> bool {
        match &self.learner {
            Choice::Small(options) => [options.gamma.mode, options.lambda.mode].contains(&Mode::Meta),
            Choice::ActorCritic(control) => !control.options.tunables.learned().is_empty(),
        }
    }
}

/// Loads CONFIG: a path, or the name of a shipped configuration.
///
/// # Errors
/// Names the file or flag, the key and what is allowed.
pub fn load(name: &str, overrides: &Overrides) -> Result<Plan, Error> {
    let found = shipped::ONLINE.find(name)?;
    parse(&found.text, &found.source, found.format, overrides)
}

/// Parses and validates `text`; `source` names it in messages.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, source: &str, format: tree::Format, overrides: &Overrides) -> Result<Plan, Error> {
    let origin = Origin::new(source, overrides)?;
    let mut table = tree::parse(text, format).map_err(|message| origin.whole(message))?;
    if table.contains_key("iterations") {
        let why =
            "is a configuration of `train`: it counts outer `iterations`; a configuration of `online` counts `updates`";
        return Err(origin.whole(why.into()));
    }
    if super::lola::is_own(&table) {
        return Err(origin.whole(super::lola::FOREIGN.into()));
    }
    if overrides.smoke {
        table.insert("updates".into(), toml::Value::Integer(SMOKE as i64));
    }
    expand(&mut table); // so that a key of the section can be changed
    origin.apply(&mut table)?;
    expand(&mut table);
    let fixes = origin.changes(|key| key.ends_with(".mode")) && !origin.changes(|key| key.starts_with("meta"));
    if fixes && !origin.changes(|key| key == "inner.differential") {
        drop_idle(&mut table); // what the file says of learning, where a flag has fixed all that it learns
    }
    raw::Raw::from_table(table).and_then(plan).map_err(|fault| origin.error(fault))
}

/// Removes what says how to learn meta-parameters where none is learned.
pub(super) fn drop_idle(table: &mut toml::Table) {
    let is_learned = |t: &Tunable| {
        let mode = table.get(t.name()).and_then(|section| section.get("mode"));
        mode.and_then(toml::Value::as_str) == Some("meta")
    };
    if !Tunable::ALL.iter().any(is_learned) {
        table.remove("meta");
        if let Some(toml::Value::Table(inner)) = table.get_mut("inner") {
            inner.remove("differential");
        }
    }
}

/// `family = "NAME"` and `atari = "GAME"` are short for their sections.
pub(super) fn expand(table: &mut toml::Table) {
    for (section, key) in [("family", "name"), ("atari", "game")] {
        if let Some(toml::Value::String(name)) = table.get(section) {
            let short = toml::Table::from_iter([(key.to_string(), toml::Value::String(name.clone()))]);
            table.insert(section.into(), toml::Value::Table(short));
        }
    }
}

fn plan(raw: raw::Raw) -> Checked<Plan> {
    let updates = checks::count("updates", raw.updates.unwrap_or(5000) as usize, MAX_UPDATES)? as u64;
    let average = checks::count("average", raw.average.unwrap_or(1) as usize, MAX_UPDATES)? as u64;
    let seed = checks::seed("seed", raw.seed.unwrap_or(1))?;
    let name = match &raw.name {
        Some(name) => checks::run_name("name", name.clone())?,
        None => "online".into(),
    };
    let learner = match (&raw.task, &raw.family, &raw.atari) {
        (Some(_), Some(_), _) => return Err(Fault::new("family", "a run has either a `task` or a `family`")),
        (Some(_), _, Some(_)) => return Err(Fault::new("atari", "a run has either a `task` or an `atari` game")),
        (_, Some(_), Some(_)) => return Err(Fault::new("atari", "a run has either a `family` or an `atari` game")),
        (None, None, None) | (Some(_), None, None) => Choice::Small(Box::new(small(raw.clone(), updates)?)),
        _ => control::choice(&raw, updates)?,
    };
    let plan = Plan { name, seed, average: average.min(updates), has_twin: raw.twin.unwrap_or(false), learner };
    if plan.has_twin && !plan.learns() {
        return Err(Fault::new("twin", "has nothing to fix: no meta-parameter is learned; leave it out"));
    }
    Ok(plan)
}

/// The learner of a small task.
fn small(raw: raw::Raw, updates: u64) -> Checked<Options> {
    let given = raw.task.unwrap_or_default();
    let Some(task_name) = given.name else {
        let why =
            "is needed: signal-noise, negated-pairs or arms; or a section [family] or [atari] for the actor-critic";
        return Err(Fault::new("task.name", why));
    };
    let outer = raw.outer.clone().unwrap_or_default();
    let others = [
        ("actors", raw.actors.is_some()),
        ("network", raw.network.is_some()),
        ("policy_cost", raw.policy_cost.is_some()),
        ("value_cost", raw.value_cost.is_some()),
        ("entropy_cost", raw.entropy_cost.is_some()),
        ("leak", raw.leak.is_some()),
        ("gap", raw.gap.is_some()),
        ("inner", raw::Inner { alpha: None, entropy: None, ..raw.inner.clone() } != raw::Inner::default()),
        ("outer", raw::Outer { critic: None, ..outer } != raw::Outer::default()),
        ("meta.window", raw.meta.as_ref().is_some_and(|m| m.window.is_some() || m.surrogate.is_some())),
        ("meta.trace", raw.meta.as_ref().is_some_and(|m| m.trace.is_some())),
        ("meta.patience", raw.meta.as_ref().is_some_and(|m| m.patience.is_some() || m.patience_decay.is_some())),
    ];
    for (key, is_given) in others {
        checks::idle(key, is_given, "(part of) it belongs to the actor-critic, which needs a section [family]")?;
    }
    let is_chain = task_name != raw::TaskName::Arms;
    if is_chain {
        checks::idle("inner.entropy", raw.inner.entropy.is_some(), "a chain has no policy, so no entropy")?;
        checks::idle("outer", raw.outer.is_some(), "the outer loss of a chain is the error of its full returns")?;
    } else {
        checks::idle("lambda", raw.lambda.is_some(), "arms have exact returns, so no lambda")?;
    }
    let gamma = setting("gamma", &raw.gamma, 0.95, 1.0)?;
    let lambda = setting("lambda", &raw.lambda.unwrap_or_default(), 1.0, 1.0)?;
    let is_learned = [gamma.mode, lambda.mode].map(|mode| mode == Mode::Meta);
    if is_learned == [true, true] {
        let why = "must be `fixed` or `scheduled` while `gamma.mode` is `meta`: a chain learns one of the two";
        return Err(Fault::new("lambda.mode", why));
    }
    if is_learned == [false, false] {
        let why = "no meta-parameter is learned: set `gamma.mode` or `lambda.mode` to `meta`";
        checks::idle("meta", raw.meta.is_some(), why)?;
        let why = "the outer advantage has no use without a learned gamma";
        checks::idle("outer", raw.outer.is_some(), why)?;
    }
    let (meta, rail) = meta(&raw.meta.unwrap_or_default())?;
    Ok(Options {
        task: task(task_name, given)?,
        alpha: checks::positive("inner.alpha", raw.inner.alpha.unwrap_or(0.1), MAX)?,
        entropy: checks::within("inner.entropy", raw.inner.entropy.unwrap_or(0.0), 0.0, MAX)?,
        gamma,
        lambda,
        outer: match raw.outer.unwrap_or_default().critic {
            None | Some(raw::Critic::Unbiased) => OuterReturn::Unbiased,
            Some(raw::Critic::Inner) => OuterReturn::InnerCritic,
            Some(_) => return Err(Fault::new("outer.critic", "must be `unbiased` or `inner` with arms")),
        },
        meta,
        rail,
        updates,
    })
}

fn task(name: raw::TaskName, raw: raw::Task) -> Checked<Task> {
    if name != raw::TaskName::Arms {
        for (key, is_given) in [("task.delays", raw.delays.is_some()), ("task.rewards", raw.rewards.is_some())] {
            checks::idle(key, is_given, "only `arms` has it")?;
        }
    }
    match name {
        raw::TaskName::SignalNoise => Ok(Task::SignalNoise),
        raw::TaskName::NegatedPairs => Ok(Task::NegatedPairs),
        raw::TaskName::Arms => {
            let delays = raw.delays.unwrap_or_else(|| vec![1.0, 3.0, 10.0, 30.0, 100.0]);
            let rewards = raw.rewards.unwrap_or_else(|| vec![1.0, 1.0, 1.0, 1.1, 1.0]);
            checks::count("task.delays", delays.len(), MAX_ARMS)?;
            if rewards.len() != delays.len() {
                let message = format!("one per delay is needed: {}, found {}", delays.len(), rewards.len());
                return Err(Fault::new("task.rewards", message));
            }
            for (i, [delay, reward]) in delays.iter().zip(&rewards).map(|(d, r)| [*d, *r]).enumerate() {
                let key = format!("task.delays[{i}]");
                checks::within(&key, delay, 1.0, MAX)?;
                if delay.fract() != 0.0 {
                    return Err(Fault::new(key, format!("must be a whole number of steps, found {delay}")));
                }
                checks::within(&format!("task.rewards[{i}]"), reward, -MAX, MAX)?;
            }
            Ok(Task::Arms { delays, rewards })
        }
    }
}

fn setting(section: &str, raw: &raw::Setting, default: f64, most: f64) -> Checked<Setting> {
    let key = |leaf: &str| format!("{section}.{leaf}");
    let (low, high) = (raw.low.unwrap_or(0.0), raw.high.unwrap_or(1.0));
    checks::within(&key("low"), low, 0.0, most)?;
    checks::within(&key("high"), high, 0.0, most)?;
    let mode = match (raw.mode.unwrap_or(raw::Mode::Fixed), raw.end) {
        (raw::Mode::Scheduled, Some(end)) => Mode::Scheduled { end },
        (raw::Mode::Scheduled, None) => return Err(Fault::new(key("end"), "is needed where the mode is `scheduled`")),
        (mode, end) => {
            checks::idle(&key("end"), end.is_some(), "only a scheduled value has an end")?;
            if mode == raw::Mode::Meta { Mode::Meta } else { Mode::Fixed }
        }
    };
    let found = Setting { mode, initial: raw.initial.unwrap_or(default), low, high };
    let blamed = if low >= high {
        "low"
    } else if matches!(mode, Mode::Scheduled { end } if !(low..=high).contains(&end)) {
        "end"
    } else {
        "initial"
    };
    found.check().map_err(|why| Fault::new(key(blamed), why))?;
    Ok(found)
}

fn meta(raw: &raw::Meta) -> Checked<(Optimiser, Rail)> {
    let beta = checks::positive("meta.beta", raw.beta.unwrap_or(1e-3), MAX)?;
    let optimiser = match raw.optimiser.unwrap_or(raw::Optimiser::Adam) {
        raw::Optimiser::Adam => Optimiser::Adam {
            beta,
            beta1: checks::decay("meta.beta1", raw.beta1.unwrap_or(0.9))?,
            beta2: checks::decay("meta.beta2", raw.beta2.unwrap_or(0.999))?,
            epsilon: checks::positive("meta.epsilon", raw.epsilon.unwrap_or(1e-8), MAX)?,
        },
        raw::Optimiser::Sgd => {
            let given = [("beta1", raw.beta1), ("beta2", raw.beta2), ("epsilon", raw.epsilon)];
            for (leaf, value) in given {
                checks::idle(&format!("meta.{leaf}"), value.is_some(), "only Adam has it")?;
            }
            Optimiser::Sgd { beta }
        }
    };
    let rail = Rail {
        limit: checks::positive("meta.limit", raw.limit.unwrap_or(Rail::default().limit), f64::MAX)?,
        clamp: raw.clamp.map(|x| checks::positive("meta.clamp", x, f64::MAX)).transpose()?,
        warm_up: checks::within("meta.warm_up", raw.warm_up.unwrap_or(0) as f64, 0.0, MAX)? as u64,
        fallback: fallback(raw)?,
    };
    Ok((optimiser, rail))
}

fn fallback(raw: &raw::Meta) -> Checked<Option<Fallback>> {
    let patience = checks::within("meta.patience", raw.patience.unwrap_or(0) as f64, 0.0, MAX)? as u64;
    if patience == 0 {
        checks::idle("meta.patience_decay", raw.patience_decay.is_some(), "`meta.patience` is 0")?;
        return Ok(None);
    }
    let decay = checks::decay("meta.patience_decay", raw.patience_decay.unwrap_or(0.9))?;
    Ok(Some(Fallback { patience, decay }))
}

/// TOML text that loads to a plan equal to `plan`.
pub fn resolved(plan: &Plan) -> String {
    let raw = match &plan.learner {
        Choice::Small(options) => section::small(options),
        Choice::ActorCritic(control) => section::control(control),
    };
    let raw = raw::Raw {
        name: Some(plan.name.clone()),
        seed: Some(plan.seed),
        updates: Some(plan.updates()),
        average: Some(plan.average),
        twin: plan.has_twin.then_some(true),
        ..raw
    };
    match toml::to_string(&raw) {
        Ok(text) => format!("# Resolved configuration: every key that has an effect, defaults included.\n{text}"),
        Err(e) => unreachable!("a plan always has a TOML form: {e}"),
    }
}

/// Whether `text` is a configuration of `online`, as resolved into a run directory or as shipped.
pub fn is_online(text: &str) -> bool {
    tree::parse(text, tree::Format::Toml).is_ok_and(|table| is_own(&table))
}

/// Whether a tree is meant for `online`: it counts updates without a game, or has sections that nothing else has.
pub(super) fn is_own(table: &toml::Table) -> bool {
    let is_other = table.contains_key("iterations") || super::lola::is_own(table);
    !is_other && (table.contains_key("updates") || is_part(table))
}

fn has_section(table: &toml::Table) -> bool {
    ["gamma", "lambda", "actors", "task"].into_iter().any(|key| table.get(key).is_some_and(toml::Value::is_table))
}

/// Whether a tree without `updates`, as a suite holds it, is meant for `online`.
pub(super) fn is_part(table: &toml::Table) -> bool {
    table.contains_key("atari") || has_section(table)
}

/// What to say where a configuration of `online` is given to another command.
pub(super) const FOREIGN: &str = "is a configuration of `online`, which learns in the lifetime of one task and has no outer \
                                  iterations; `stillpoint online` runs it, `check` explains it";
