//! `check` of a configuration of `lola`: what a run would be, without running it.

use super::grouped;
use crate::config::any::RESOLVED;
use crate::config::lola::Plan;
use crate::learn::lola::{Options, Source, Target};

fn look_ahead(options: &Options) -> String {
    let inner = &options.inner;
    if inner.steps == 0 {
        return "none: naive learners".into();
    }
    let source = |source, episodes: usize| match source {
        Source::Exact => "exact".to_string(),
        Source::Sampled => format!("{episodes} episodes"),
        Source::Buffer => format!("the last {} episodes, {episodes} of them new", inner.buffer),
    };
    let both = inner.value != Source::Exact && inner.jacobian != Source::Exact;
    let shared = if both && inner.is_shared { ", the same new ones" } else { "" };
    format!(
        "{} step(s) of {}: value from {}, Jacobian from {}{shared}",
        inner.steps,
        inner.alpha,
        source(inner.value, inner.value_episodes),
        source(inner.jacobian, inner.jacobian_episodes)
    )
}

/// What a run would be.
pub(super) fn report(plan: &Plan, source: &str) -> String {
    let options = &plan.options;
    let [first, second] = options.game.payoffs.map(|row| row.map(|x| x.to_string()).join(", "));
    let outer = options.outer.map_or("exact".into(), |n| format!("{n} episodes"));
    let values = match options.target {
        _ if !options.has_critic() => "none",
        Target::Return => "discounted reward to go",
        _ => "reward of the round, as in the published code",
    };
    let per_update = options.episodes();
    let total = (per_update * options.seeds) as u64 * options.updates;
    let lines = [
        ("valid", source.to_string()),
        ("game", format!("{}, DD DC CD CC pay {first} and {second}", options.game.name)),
        ("episodes", format!("{} rounds, gamma {}", options.horizon, options.gamma)),
        ("look-ahead", look_ahead(options)),
        ("outer", outer),
        ("baseline", values.to_string()),
        ("updates", format!("{} of {} pair(s), control {}", options.updates, options.seeds, options.has_control)),
        ("plays", format!("{per_update} episodes per update and pair, {} in total", grouped(total))),
        ("writes", format!("runs/{}-{}-N/: {RESOLVED}, metrics.jsonl, state", plan.name, plan.seed)),
    ];
    lines.iter().map(|(label, text)| format!("{label:<12} {text}\n")).collect()
}
