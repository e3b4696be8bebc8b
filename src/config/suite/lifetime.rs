//! Runs of `online` in a suite: their configurations, and how many updates their budget is worth.

use super::read::inline;
use super::{Arm, Family, merged, text};
use crate::config::online::{self, Choice, Control, Plan, Problem};
use crate::config::{Error, Overrides, tree};
use crate::learn::online::actor_critic::Driver;
use toml::Value;

/// Keys that the suite itself sets, or that have no use in it.
pub(super) const OWN_KEYS: [&str; 5] = ["name", "seed", "updates", "twin", "average"];

/// Frames after which a game of a shrunk suite ends.
const SHORT: i64 = 1000;

/// Why small tasks are refused.
pub(super) const SMALL: &str =
    "the small tasks of section [task] have no environment steps to spend: a suite compares actor-critics";

/// Sections of the task.
pub(super) const TASK: [&str; 3] = ["atari", "family", "task"];

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
    let (source, mut table) = merged(source, family, arm, setting, &TASK)?;
    if shrink && let Some(Value::Table(atari)) = table.get_mut("atari") {
        atari.insert("max_frames".into(), Value::Integer(SHORT));
    }
    online::drop_idle(&mut table);
    let overrides = Overrides { seed: Some(seed), ..Overrides::default() };
    let mut plan = online::parse(&text(&source, &table)?, &source, tree::Format::Toml, &overrides)?;
    plan.name = format!("{}-{}", family.name, arm.name);
    Ok(plan)
}

/// The actor-critic of a plan.
///
/// # Errors
/// It is a small task, which has no environment steps to spend, or it has threads of its own.
fn control(plan: &Plan) -> Result<&Control, String> {
    match &plan.learner {
        Choice::ActorCritic(control) if control.options.driver != Driver::Synchronous => {
            Err("`actors.driver` must be `synchronous` in a suite, which gives each run one thread".into())
        }
        Choice::ActorCritic(control) => Ok(control),
        Choice::Small(_) => Err(SMALL.into()),
    }
}

/// Environment steps of one update.
fn steps(control: &Control) -> u64 {
    (control.options.actors * control.options.length) as u64
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

/// Returns that count as 0 and 1 unless the suite says otherwise: random play and humans, where games are played as theirs were.
fn references(control: &Control) -> Option<[f64; 2]> {
    let Problem::Atari(atari, _) = &control.problem else { return None };
    atari.references().ok().map(|known| [known.random, known.human])
}

/// Environment steps of an update of `plan`, and parameters. The scale of its task and a file of its family are written into the family.
///
/// # Errors
/// As [`control`].
pub(super) fn update(plan: &Plan, family: &mut Family) -> Result<(u64, u64), String> {
    let control = control(plan)?;
    family.score = family.score.or_else(|| references(control));
    if let Problem::Family(choice, _) = &control.problem {
        inline(&mut family.config, choice);
    }
    Ok((steps(control), control.problem.parameters() as u64))
}
