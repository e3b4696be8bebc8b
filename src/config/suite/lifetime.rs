//! Runs of `online` in a suite: their configurations, and how many updates their budget is worth.

use super::read::{Checked, from_file, inline, points};
use super::{Arm, Cell, Family, Suite, merged};
use crate::config::online::{self, Choice, Control, Plan, Problem};
use crate::config::{Error, Fault, Overrides, explain, tree};
use crate::diff::Network;
use crate::estimator::online::Tunable;
use crate::learn::online::actor_critic::{Driver, convolutions};
use ::tasks::atari::protocol::Protocol;
use std::path::Path;
use toml::{Table, Value};

/// Keys that the suite itself sets, or that have no use in it.
pub(super) const OWN_KEYS: [&str; 5] = ["name", "seed", "updates", "twin", "average"];

/// Frames after which a game of a shrunk suite ends.
const SHORT: i64 = 1000;

/// Why small tasks are refused.
pub(super) const SMALL: &str =
    "the small tasks of section [task] have no environment steps to spend: a suite compares actor-critics";

/// Sections of the task.
pub(super) const TASK: [&str; 3] = ["atari", "family", "task"];

/// The configuration of `online` called `name` (an embedded one, or a file in `base`) or `config`; empty without either.
pub(super) fn configuration(at: &str, name: Option<&str>, config: Option<&Table>, base: &Path) -> Checked<Table> {
    let key = format!("{at}.online");
    let mut base = base.to_path_buf();
    let mut table = match (name, config) {
        (Some(_), Some(_)) => return Err(Fault::new(key, "and `config` are two starting points: give one of them")),
        (None, config) => config.cloned().unwrap_or_default(),
        (Some(name), None) if name.ends_with(".toml") || name.ends_with(".json") => {
            let path = base.join(name);
            base = path.parent().unwrap_or(Path::new(".")).to_path_buf();
            from_file(&key, &path)?
        }
        (Some(name), None) => {
            let Some(text) = online::shipped::text(name) else {
                let suggestion = explain::suggestion(name, &online::shipped::names());
                let why = format!("no configuration of `online` is called `{name}` (a file ends in .toml or .json)");
                return Err(Fault::new(key, format!("{why}; {suggestion}")));
            };
            tree::parse(text, tree::Format::Toml).map_err(|m| Fault::new(&key, m))?
        }
    };
    online::expand(&mut table);
    tree::normalise(&mut table, &base).map_err(|f| Fault::new(format!("{at}.config.{}", f.key), f.message))?;
    OWN_KEYS.iter().for_each(|own| drop(table.remove(*own)));
    Ok(table)
}

/// The plan of a run of `arm` on `family`, of any length.
///
/// An arm that learns nothing leaves aside what belongs to learning (`[meta]`, `inner.differential`): it is there for the arms that do.
pub(super) fn plan(
    source: &str,
    family: &Family,
    arm: &Arm,
    setting: &[(String, f64)],
    seed: u64,
    shrink: bool,
) -> Result<Plan, Error> {
    let source = format!("{source}: arm `{}` on family `{}`", arm.name, family.name);
    let error = |key: &str, message: String| Error { source: source.clone(), key: key.to_string(), message };
    let mut table = merged(family, arm, setting, &TASK, &error)?;
    if shrink && let Some(Value::Table(atari)) = table.get_mut("atari") {
        atari.insert("max_frames".into(), Value::Integer(SHORT));
    }
    if !Tunable::ALL.iter().any(|t| is_learned(&table, t.name())) {
        table.remove("meta");
        if let Some(Value::Table(inner)) = table.get_mut("inner") {
            inner.remove("differential");
        }
    }
    let text = toml::to_string(&table).map_err(|e| error("", format!("cannot be written as TOML: {e}")))?;
    let overrides = Overrides { seed: Some(seed), ..Overrides::default() };
    let mut plan = online::parse(&text, &source, tree::Format::Toml, &overrides)?;
    plan.name = format!("{}-{}", family.name, arm.name);
    Ok(plan)
}

fn is_learned(table: &Table, section: &str) -> bool {
    table.get(section).and_then(|s| s.get("mode")).and_then(Value::as_str) == Some("meta")
}

/// The actor-critic of a plan.
///
/// # Errors
/// It is a small task, which has no environment steps to spend, or it has threads of its own.
pub(super) fn control(plan: &Plan) -> Result<&Control, String> {
    match &plan.learner {
        Choice::ActorCritic(control) if control.options.driver != Driver::Synchronous => {
            Err("`actors.driver` must be `synchronous` in a suite, which gives each run one thread".into())
        }
        Choice::ActorCritic(control) => Ok(control),
        Choice::Small(_) => Err(SMALL.into()),
    }
}

/// Environment steps of one update.
pub(super) fn steps(control: &Control) -> u64 {
    (control.options.actors * control.options.length) as u64
}

/// Parameters of a network of convolutions with all 18 actions; none for a perceptron, which costs little beside its environment.
pub(super) fn parameters(control: &Control) -> u64 {
    match &control.problem {
        Problem::Atari(atari, shape) => {
            let (net, _) = convolutions(&atari.protocol, 18, *shape, control.options.outer.separate_critic);
            Network::<f32>::n_params(&net) as u64
        }
        Problem::Family(..) => 0,
    }
}

/// Unrolls that a run of one update gathers: what it learns from, and what follows.
pub(super) const LEAST: u64 = 2;

/// `plan` with as many updates as `budget` environment steps hold; the unroll behind the last update counts.
pub(super) fn within(mut plan: Plan, budget: u64) -> Plan {
    if let Choice::ActorCritic(control) = &mut plan.learner {
        control.options.updates = (budget / steps(control)).max(LEAST) - 1;
        plan.average = plan.average.min(control.options.updates);
    }
    plan
}

/// Returns that count as 0 and 1 unless the suite says otherwise: random play and humans, where whole games are played as theirs were:
/// under no-op starts and without sticky actions.
pub(super) fn references(plan: &Plan) -> Option<[f64; 2]> {
    let Problem::Atari(atari, _) = &control(plan).ok()?.problem else { return None };
    let (played, published) = (&atari.protocol, Protocol::xu2018());
    let key = |p: &Protocol| (p.noop_max, p.sticky.to_bits(), p.max_frames);
    if key(played) != key(&published) {
        return None;
    }
    let reference = atari.game.benchmark.as_ref()?.noop;
    (reference.random < reference.human).then_some([reference.random, reference.human])
}

/// Loads the configuration of every cell and setting, so that nothing can be refused later.
pub(super) fn cells(suite: &mut Suite) -> Result<(), Error> {
    let seed = suite.reporting[0];
    for (f, family) in suite.families.iter_mut().enumerate() {
        for (a, arm) in suite.arms.iter().enumerate().filter(|(_, arm)| arm.families.contains(&f)) {
            let mut cell =
                Cell { family: f, arm: a, settings: points(&arm.grid), steps_per_iteration: Vec::new(), parameters: 0 };
            for setting in &cell.settings {
                let found = plan(&suite.source, family, arm, setting, seed, suite.shrink)?;
                let control = control(&found).map_err(|message| Error {
                    source: suite.source.clone(),
                    key: format!("families[{f}]"),
                    message,
                })?;
                cell.steps_per_iteration.push(steps(control));
                cell.parameters = cell.parameters.max(parameters(control));
                family.score = family.score.or_else(|| references(&found));
                if let Problem::Family(choice, _) = &control.problem {
                    inline(&mut family.config, choice);
                }
            }
            suite.cells.push(cell);
        }
    }
    Ok(())
}
