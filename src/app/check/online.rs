//! `check` of a configuration of `online`: what a run would be, without running it.

use super::{Failure, RESOLVED, grouped};
use crate::config::online::{self as config, Choice, Control, Plan, shipped};
use crate::config::{self as files, Overrides, preset};
use crate::estimator::online::{Mode, Setting, Tunable};
use crate::learn::online::{Options, Task};
use std::fmt::Write as _;
use std::path::Path;

/// What tells a shipped configuration of `online` from a preset of `train` with the same name.
const PREFIX: &str = "online/";

/// A remark on a preset of `train` that shares its name.
pub(super) fn namesake(target: Option<&str>) -> Option<String> {
    let name = target.filter(|name| shipped::text(name).is_some())?;
    Some(format!(
        "this is the preset of `train`; `stillpoint check {PREFIX}{name}` checks the configuration of `online`"
    ))
}

/// A plan and where it came from.
pub(super) struct Found {
    plan: Plan,
    source: String,
}

/// The plan of `target`, if that is a configuration of `online`, a run of it, or the name of a shipped one.
///
/// # Errors
/// A configuration that `online` would refuse.
pub(super) fn load(target: Option<&str>, overrides: &Overrides) -> Result<Option<Found>, Failure> {
    let Some(target) = target else { return Ok(None) };
    let path = Path::new(target);
    let file = if path.is_dir() { path.join(RESOLVED) } else { path.to_path_buf() };
    if file.is_file() {
        let (text, source) = (files::read_text(&file)?, file.display().to_string());
        let format = files::tree::Format::of(&file);
        let is_own = config::is_online_in(&text, format);
        return Ok(match is_own {
            true => Some(Found { plan: config::parse(&text, &source, format, overrides)?, source }),
            false => None,
        });
    }
    let name = target.strip_prefix(PREFIX).unwrap_or(target);
    if (name == target && preset::text(target).is_some()) || shipped::text(name).is_none() {
        return Ok(None);
    }
    Ok(Some(Found { plan: config::load(name, overrides)?, source: format!("configuration {name} of `online`") }))
}

/// The lines of the report.
struct Lines(String);

impl Lines {
    fn add(&mut self, label: &str, value: impl AsRef<str>) {
        let _ = writeln!(self.0, "{label:<12} {}", value.as_ref());
    }
}

/// What a run would be.
///
/// # Errors
/// The environments cannot be made.
pub(super) fn report(found: &Found) -> Result<String, Failure> {
    let plan = &found.plan;
    let mut lines = Lines(String::new());
    lines.add("valid", &found.source);
    match &plan.learner {
        Choice::Small(options) => small(&mut lines, options),
        Choice::ActorCritic(control) => actor_critic(&mut lines, control, plan.seed)?,
    }
    let twin = if plan.has_twin { ", and its twin beside it" } else { "" };
    let run = format!("runs/{}-{}-N/", plan.name, plan.seed);
    lines.add("writes", format!("{run}: {RESOLVED}, metrics.jsonl, {}{twin}", crate::record::online::STATE));
    Ok(lines.0)
}

/// How a meta-parameter is set.
fn shown(name: &str, setting: &Setting) -> String {
    let Setting { mode, initial, low, high } = setting;
    match mode {
        Mode::Fixed => format!("{name} {initial} fixed"),
        Mode::Scheduled { end } => format!("{name} {initial} to {end} scheduled"),
        Mode::Meta => format!("{name} {initial} learned within ({low}, {high})"),
    }
}

fn small(lines: &mut Lines, options: &Options) {
    let (task, steps) = match &options.task {
        Task::SignalNoise => ("signal-noise, ten states in a row".to_string(), options.task.chain()),
        Task::NegatedPairs => ("negated-pairs, nine states in a row".to_string(), options.task.chain()),
        Task::Arms { delays, .. } => (format!("arms, {} of them, exact gradients", delays.len()), None),
    };
    lines.add("task", task);
    let mut settings = vec![shown("gamma", &options.gamma)];
    settings.extend(steps.map(|_| shown("lambda", &options.lambda)));
    lines.add("meta", settings.join(", "));
    let frames =
        steps.map(|n| format!(" of {n} steps, {} in total", grouped((n as u64).saturating_mul(options.updates))));
    lines.add("updates", format!("{}{}", grouped(options.updates), frames.unwrap_or_default()));
}

fn actor_critic(lines: &mut Lines, control: &Control, seed: u64) -> Result<(), Failure> {
    let Control { family, network, options } = control;
    let built = ::tasks::registry::build(&family.name, &family.params);
    let built = built.map_err(|e| Failure::Internal(e.to_string()))?; // the configuration has built it before
    let (observation, action) = (built.observation_space(), built.action_space());
    lines.add(
        "task",
        format!("one of the family {}, horizon {}, drawn by the seed {seed}", family.name, built.horizon()),
    );
    let learner = crate::app::online::actor_critic(control, seed)?;
    let parameters = learner.state().theta.len() as u64;
    let widths: Vec<String> = network.hidden.iter().map(ToString::to_string).collect();
    lines.add(
        "network",
        format!(
            "perceptron {}, embedding of gamma and lambda {}, {} parameters, f64",
            widths.join("x"),
            if network.embedding == 0 { "none".into() } else { network.embedding.to_string() },
            grouped(parameters)
        ),
    );
    let settings: Vec<String> = Tunable::ALL.iter().map(|t| shown(t.name(), options.tunables.get(*t))).collect();
    lines.add("meta", settings.join(", "));
    let transitions = (options.actors * options.length) as u64;
    lines.add(
        "updates",
        format!(
            "{} of {} steps ({} actors x {}), {} in total, one unroll ahead",
            grouped(options.updates),
            grouped(transitions),
            options.actors,
            options.length,
            grouped(transitions.saturating_mul(options.updates.saturating_add(1)))
        ),
    );
    lines.add(
        "gap",
        match options.gap_every {
            0 => "not measured".to_string(),
            n => format!("every {n} updates, between {} groups of {} actors", options.groups, options.group_size()),
        },
    );
    // two unrolls with their activations and two copies of them in derivatives; gradients of every group, moments, directions
    let units: u64 = network.hidden.iter().map(|w| *w as u64).sum::<u64>() + network.embedding as u64;
    let row = observation.width() as u64 + action.width() as u64 + 4 * units + 24;
    let vectors = 4 * options.groups as u64 + 8;
    let bytes = 2 * transitions * row * 8 + vectors * parameters * 8 + (16 << 20);
    lines.add("memory", format!("about {} MB", grouped(bytes.div_ceil(1_000_000))));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(target: &str) -> String {
        let found = load(Some(target), &Overrides::default()).expect("valid").expect("of online");
        report(&found).expect("makes its environments")
    }

    #[test]
    fn every_shipped_configuration_is_explained() {
        for (name, _) in shipped::CONFIGURATIONS {
            let text = said(&format!("online/{name}"));
            assert!(text.contains("valid") && text.contains("meta") && text.contains("writes"), "{name}: {text}");
        }
        let text = said("online/cartpole");
        assert!(text.contains("400 of 320 steps (16 actors x 20), 128 320 in total"), "{text}");
        assert!(text.contains("gamma 0.95 learned within (0, 1)") && text.contains("every 10 updates"), "{text}");
    }

    #[test]
    fn configurations_of_train_are_not_ours() {
        for (name, _) in preset::PRESETS {
            assert!(load(Some(name), &Overrides::default()).expect("passed over").is_none(), "{name}");
        }
    }
}
