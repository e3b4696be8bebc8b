//! Studies of `bias`: a grid of problems and estimators on a finite family of MDPs; raw mirror to validated plan and back.

mod points;
mod raw;

pub use points::{Label, Point};

use super::checks::{self, Checked};
use super::family;
use super::overrides::Origin;
use super::plan::FamilyChoice;
use super::{Error, Fault, Overrides, shipped, tree};
use crate::exact::kstep::Instance;
use std::path::Path;
use tasks::tabular::Tabular;
use toml::{Table, Value};

/// Most points of a study.
const MAX_POINTS: usize = 10_000;
/// Most estimates, steps or trajectories.
const MAX_COUNT: usize = 1_000_000;
/// Largest step size, error or noise.
const MAX: f64 = 1e6;
/// Numbers that one point may hold (8 bytes each).
const MAX_NUMBERS: usize = 500_000_000;
/// Most states: closed forms cost S^3.
const MAX_STATES: usize = 1000;
/// Estimates under `--smoke`.
const SMOKE_REPEATS: i64 = 4;
/// Values that `--smoke` leaves of a list, and the most that a number in it may be.
const SMOKE_LIST: (usize, i64) = (2, 4);

/// A validated study.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Name of the study.
    pub name: String,
    /// Seed of the trajectories.
    pub seed: u64,
    /// Estimates m per MDP and point.
    pub repeats: usize,
    /// What phi is.
    pub instance: Instance,
    /// Error of the baseline in units of ||V||_2 / S.
    pub noise: f64,
    /// Lambda of the inner advantages.
    pub lambda: f64,
    /// Spread of an error put into the Hessian.
    pub spread: f64,
    /// The family of MDPs.
    pub family: FamilyChoice,
    /// Its MDPs.
    pub mdps: Vec<Tabular>,
    /// Its discount.
    pub gamma: f64,
    /// Every point, in order: the last list changes fastest.
    pub points: Vec<Point>,
    /// The study as it is written down.
    text: String,
}

impl Plan {
    /// What phi is, by name.
    pub fn problem(&self) -> &'static str {
        if self.instance == Instance::Maml { "maml-rl" } else { "lirpg" }
    }

    /// TOML text that loads to an equal plan.
    pub fn resolved(&self) -> &str {
        &self.text
    }
}

/// Loads STUDY: a path, or the name of a shipped study.
///
/// # Errors
/// Names the file or flag, the key and what is allowed.
pub fn load(name: &str, overrides: &Overrides) -> Result<Plan, Error> {
    let found = shipped::BIAS.find(name)?;
    parse(&found.text, &found.source, found.format, &found.base, overrides)
}

/// Parses and validates `text`; `source` names it in messages, and `base` is where a relative `family.file` is looked for.
///
/// # Errors
/// As [`load`].
pub fn parse(
    text: &str,
    source: &str,
    format: tree::Format,
    base: &Path,
    overrides: &Overrides,
) -> Result<Plan, Error> {
    let origin = Origin::new(source, overrides)?;
    let mut table = tree::parse(text, format).map_err(|message| origin.whole(message))?;
    if table.contains_key("iterations") || table.contains_key("updates") {
        let why = "is a configuration of `train` or `online`; a study of `bias` counts `repeats`";
        return Err(origin.whole(why.into()));
    }
    tree::normalise(&mut table, base).map_err(|f| origin.error(f))?;
    if overrides.smoke {
        shrink(&mut table);
    }
    origin.apply(&mut table)?;
    tree::normalise(&mut table, Path::new(".")).map_err(|f| origin.error(f))?;
    raw::Raw::from_table(table).and_then(plan).map_err(|fault| origin.error(fault))
}

/// Sizes of `--smoke`: few estimates, two values of each list, small ones.
fn shrink(table: &mut Table) {
    table.insert("repeats".into(), Value::Integer(SMOKE_REPEATS));
    for key in ["alpha", "steps", "trajectories", "hessian_error", "buffer", "drift"] {
        if let Some(Value::Array(list)) = table.get_mut(key) {
            list.truncate(SMOKE_LIST.0);
        }
    }
    for key in ["steps", "trajectories"] {
        let cap = |value: &mut Value| {
            if let Value::Integer(n) = value {
                *n = (*n).min(SMOKE_LIST.1);
            }
        };
        match table.get_mut(key) {
            Some(Value::Array(list)) => {
                list.iter_mut().for_each(cap);
                list.dedup();
            }
            Some(value) => cap(value),
            None => {}
        }
    }
}

/// A list that is not empty.
fn some<T: Clone>(key: &str, given: Option<Vec<T>>, default: T) -> Checked<Vec<T>> {
    match given {
        Some(list) if list.is_empty() => Err(Fault::new(key, "is an empty list; give at least one value")),
        Some(list) => Ok(list),
        None => Ok(vec![default]),
    }
}

fn plan(mut raw: raw::Raw) -> Checked<Plan> {
    let name = checks::run_name("name", raw.name.clone().unwrap_or_else(|| "bias".into()))?;
    let seed = checks::seed("seed", raw.seed.unwrap_or(1))?;
    let repeats = raw.repeats.unwrap_or(400) as usize;
    if repeats < 2 {
        return Err(Fault::new("repeats", format!("must be at least 2, or there is no variance; found {repeats}")));
    }
    checks::count("repeats", repeats, MAX_COUNT)?;
    let instance = match raw.problem.unwrap_or(raw::Problem::MamlRl) {
        raw::Problem::MamlRl => Instance::Maml,
        raw::Problem::Lirpg => Instance::Lirpg,
    };
    if instance == Instance::Maml && raw.lambda.is_some() {
        let why = "has no effect: `maml-rl` has n-step returns to the end; only `lirpg` has a lambda; leave it out";
        return Err(Fault::new("lambda", why));
    }
    let lambda = checks::within("lambda", raw.lambda.unwrap_or(points::lambda(instance)), 0.0, 1.0)?;
    let noise = checks::within("noise", raw.noise.unwrap_or(1.0), 0.0, MAX)?;
    let (family, mdps, gamma) = mdps(&raw)?;
    let points = points::points(&mut raw, instance)?;
    size(&points, &mdps, repeats)?;
    let spread = checks::within("hessian_error_spread", raw.hessian_error_spread.unwrap_or(0.3), 0.0, MAX)?;
    let named = Table::from_iter([("name".to_string(), Value::String(family.name.clone()))]);
    let params = Table::try_from(&family.params).unwrap_or_default();
    raw = raw::Raw {
        name: Some(name.clone()),
        problem: Some(if instance == Instance::Maml { raw::Problem::MamlRl } else { raw::Problem::Lirpg }),
        seed: Some(seed),
        repeats: Some(repeats as u64),
        lambda: (instance == Instance::Lirpg).then_some(lambda),
        noise: Some(noise),
        hessian_error_spread: raw.hessian_error.is_some().then_some(spread),
        family: Some([named, params].into_iter().flatten().collect()),
        ..raw
    };
    let text = toml::to_string(&raw).map_err(|e| Fault::new("", format!("cannot be written as TOML: {e}")))?;
    let text = format!("# Resolved study: every key that has an effect, defaults included.\n{text}");
    Ok(Plan { name, seed, repeats, instance, noise, lambda, spread, family, mdps, gamma, points, text })
}

/// The family, its MDPs and its discount: what closed forms can be had of.
fn mdps(raw: &raw::Raw) -> Checked<(FamilyChoice, Vec<Tabular>, f64)> {
    let (choice, built) = family::build(&raw.family.clone().unwrap_or_else(default_family))?;
    let Some(finite) = built.finite() else {
        let why = format!(
            "`{}` is not a finite set of MDPs: closed forms need tables; e.g. gmrl-mdps, tabular, or liu-mdp with `tasks`",
            choice.name
        );
        return Err(Fault::new("family.name", why));
    };
    let mdps: Vec<Tabular> = finite.into_iter().map(|(_, mdp)| mdp.clone()).collect();
    let gamma = built.gamma();
    if gamma >= 1.0 {
        let why = format!("must be below 1: values are over an infinite horizon; found {gamma}");
        return Err(Fault::new("family.gamma", why));
    }
    if mdps.iter().any(|mdp| mdp.reward_noise > 0.0) {
        let why = "must be 0: the rewards of a study of `bias` are those of the tables";
        return Err(Fault::new("family.reward_noise", why));
    }
    if mdps[0].states > MAX_STATES {
        let why = format!("must be at most {MAX_STATES}: closed forms cost S^3; found {}", mdps[0].states);
        return Err(Fault::new("family.states", why));
    }
    Ok((choice, mdps, gamma))
}

/// Refuses more than time or memory allow.
fn size(points: &[Point], mdps: &[Tabular], repeats: usize) -> Checked<()> {
    if points.len() > MAX_POINTS {
        let why = format!("{} points, the product of all lists; at most {MAX_POINTS} are allowed", points.len());
        return Err(Fault::new("", why));
    }
    let most = points.iter().map(|p| p.steps).max().unwrap_or(1) + 1;
    let numbers = mdps[0].states * mdps[0].actions * mdps.len() * most;
    if repeats.saturating_mul(numbers) > MAX_NUMBERS {
        let why = format!(
            "repeats x MDPs x (steps + 1) x S x A must not exceed {MAX_NUMBERS} numbers; at most {} here",
            MAX_NUMBERS / numbers.max(1)
        );
        return Err(Fault::new("repeats", why));
    }
    Ok(())
}

fn default_family() -> Table {
    Table::from_iter([("name".to_string(), Value::String("gmrl-mdps".into()))])
}

/// Whether `text` is a study of `bias`, as resolved into a run directory or as shipped.
pub fn is_bias(text: &str) -> bool {
    tree::parse(text, tree::Format::Toml).is_ok_and(|table| is_own(&table))
}

/// Whether a tree is meant for `bias`: it counts repeats, which nothing else does.
pub(super) fn is_own(table: &Table) -> bool {
    table.contains_key("repeats")
}

/// What to say where a study of `bias` is given to another command.
pub(super) const FOREIGN: &str =
    "is a study of `bias`, which trains nothing; `stillpoint bias` runs it, `report` draws its directory";
