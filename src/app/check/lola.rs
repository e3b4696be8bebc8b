//! `check` of a configuration of `lola`: what a run would be, without running it.

use super::{Failure, RESOLVED, grouped};
use crate::config::lola::{self as config, Plan};
use crate::config::shipped;
use crate::config::{self as files, Overrides};
use crate::learn::lola::{Options, Source, Target};
use std::path::Path;

/// What tells a shipped configuration of `lola` from others with the same name.
const PREFIX: &str = "lola/";

/// The plan of `target` and where it came from, if it is a configuration of `lola`, a run of it, or the name of a shipped one.
///
/// # Errors
/// A configuration that `lola` would refuse.
pub(super) fn load(target: Option<&str>, overrides: &Overrides) -> Result<Option<(Plan, String)>, Failure> {
    let Some(target) = target else { return Ok(None) };
    let path = Path::new(target);
    let file = if path.is_dir() { path.join(RESOLVED) } else { path.to_path_buf() };
    if file.is_file() {
        let (text, source) = (files::read_text(&file)?, file.display().to_string());
        let format = files::tree::Format::of(&file);
        return Ok(match config::is_lola_in(&text, format) {
            true => Some((config::parse(&text, &source, format, overrides)?, source)),
            false => None,
        });
    }
    let name = target.strip_prefix(PREFIX).unwrap_or(target);
    match shipped::LOLA.text(name) {
        None => Ok(None),
        Some(_) => Ok(Some((config::load(name, overrides)?, format!("configuration {name} of `lola`")))),
    }
}

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
pub(super) fn report((plan, source): &(Plan, String)) -> String {
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
        ("valid", source.clone()),
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
