//! `check` of a configuration of `online`: what a run would be, without running it.

use super::{Failure, grouped};
use crate::app::online::{self, games};
use crate::config::any::RESOLVED;
use crate::config::online::{Atari, Choice, Control, Plan, Problem};
use crate::config::plan::FamilyChoice;
use crate::config::shipped;
use crate::diff::Network;
use crate::estimator::online::{Mode, Setting, Surrogate, Tunable};
use crate::learn::online::actor_critic::{ConvShape, MlpShape, Reach, convolutions, perceptron};
use crate::learn::online::{Options, Task};
use ::tasks::atari::error::AtariError;
use ::tasks::atari::library::Library;
use std::fmt::Write as _;

/// A remark on a preset of `train` that shares its name.
pub(super) fn namesake(target: Option<&str>) -> Option<String> {
    let name = target.filter(|name| shipped::ONLINE.text(name).is_some())?;
    Some(format!(
        "this is the preset of `train`; `stillpoint check online/{name}` checks the configuration of `online`"
    ))
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
/// The environments cannot be made; an emulator or a ROM that is installed is not as it should be.
pub(super) fn report(plan: &Plan, source: &str, asked: &str) -> Result<String, Failure> {
    let mut lines = Lines(String::new());
    lines.add("valid", source);
    match &plan.learner {
        Choice::Small(options) => small(&mut lines, options),
        Choice::ActorCritic(control) => actor_critic(&mut lines, control, (plan.seed, asked))?,
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

/// Sizes that memory depends on.
struct Sizes {
    parameters: u64,
    /// Bytes of a row: observation, activations, tangents.
    row: u64,
    /// Bytes of a number.
    number: u64,
}

/// Task and network of a family.
fn family(
    lines: &mut Lines,
    (family, network): (&FamilyChoice, &MlpShape),
    separate_critic: bool,
    seed: u64,
) -> Result<Sizes, Failure> {
    let built = ::tasks::registry::build(&family.name, &family.params);
    let built = built.map_err(|e| Failure::Internal(e.to_string()))?; // the configuration has built it before
    let (observation, action) = (built.observation_space(), built.action_space());
    lines.add(
        "task",
        format!("one of the family {}, horizon {}, drawn by the seed {seed}", family.name, built.horizon()),
    );
    let net = perceptron(&online::task(family, seed)?, network, separate_critic).0;
    let parameters = Network::<f64>::n_params(&net) as u64;
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
    let units: u64 = network.hidden.iter().map(|w| *w as u64).sum::<u64>() + network.embedding as u64;
    Ok(Sizes { parameters, row: 8 * (observation.width() as u64 + action.width() as u64 + 4 * units + 24), number: 8 })
}

/// Emulator and ROM. Without an emulator the configuration is as valid as with one: it may be meant for another machine.
fn installed(lines: &mut Lines, atari: &Atari, asked: &str) -> Result<(), Failure> {
    match Library::of_user() {
        Ok(library) => {
            lines.add("emulator", "installed");
            lines.add("ROM", games::rom(&library, atari, asked)?.display().to_string());
        }
        Err(why @ AtariError::NotInstalled(_)) => lines.add("emulator", format!("NOT installed: {why}")),
        Err(why) => return Err(Failure::Usage(why.to_string())),
    }
    Ok(())
}

/// Game, protocol and network.
fn game(
    lines: &mut Lines,
    (atari, network): (&Atari, &ConvShape),
    separate_critic: bool,
    asked: &str,
) -> Result<Sizes, Failure> {
    lines.add("task", format!("atari/{}, protocol {}", atari.game.name, atari.preset));
    for (label, value) in atari.protocol.constants() {
        lines.add("", format!("{label}: {value}"));
    }
    installed(lines, atari, asked)?;
    let minimal = atari.game.benchmark.as_ref().map(|b| b.minimal_actions.len());
    let actions = if atari.protocol.full_actions { 18 } else { minimal.unwrap_or(18) };
    let net = convolutions(&atari.protocol, actions, *network, separate_critic).0;
    let parameters = Network::<f32>::n_params(&net) as u64;
    let embedding = match (network.embedding, network.value_branch) {
        (0, _) => "of gamma and lambda none".to_string(),
        (n, false) => format!("of gamma and lambda {n}"),
        (n, true) => format!("of gamma {n} for a hidden layer of the values (network.condition value)"),
    };
    let name = format!("{:?}", network.architecture);
    lines.add(
        "network",
        format!(
            "{name}, embedding {embedding}, {} parameters, {} multiply-adds per observation, f32",
            grouped(parameters),
            grouped(net.multiply_adds() as u64)
        ),
    );
    Ok(Sizes { parameters, row: atari.protocol.observation_len() as u64 + net.kept_per_row() as u64 * 8, number: 4 })
}

/// When meta-parameters move, and what their gradient is taken through.
fn meta_step(reach: Reach) -> String {
    match reach {
        Reach::Window { steps: 1, .. } => {
            "after every update, through that update (meta.window 1, meta.trace 0)".into()
        }
        Reach::Window { steps, surrogate } => {
            let name = match surrogate {
                Surrogate::LogProb => "log-prob",
                Surrogate::Lvc => "lvc",
            };
            format!("after every {steps} updates, through all of them (meta.window {steps}, meta.surrogate {name})")
        }
        Reach::Trace { decay } => {
            format!("after every update, through all updates so far (meta.trace {decay})")
        }
    }
}

fn actor_critic(lines: &mut Lines, control: &Control, (seed, asked): (u64, &str)) -> Result<(), Failure> {
    let options = &control.options;
    let sizes = match &control.problem {
        Problem::Family(choice, network) => family(lines, (choice, network), options.outer.separate_critic, seed)?,
        Problem::Atari(atari, network) => game(lines, (atari, network), options.outer.separate_critic, asked)?,
    };
    let settings: Vec<String> = Tunable::ALL.iter().map(|t| shown(t.name(), options.tunables.get(*t))).collect();
    lines.add("meta", settings.join(", "));
    let transitions = (options.actors * options.length) as u64;
    if !options.tunables.learned().is_empty() {
        lines.add("meta-step", meta_step(options.reach));
    }
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
            n => {
                let when = if options.window() > 1 { ", at the next end of a window" } else { "" };
                let (groups, size) = (options.groups, options.group_size());
                format!("every {n} updates{when}, between {groups} groups of {size} actors")
            }
        },
    );
    // two unrolls with their activations; gradients of every group, moments, directions
    let mut vectors = 2 * options.groups as u64 + 10;
    let mut rows = 2 * transitions;
    let window = options.window() as u64;
    if window > 1 {
        // of every update before: parameters, moments, gradient, data; activations of one at a time; products of groups, cotangents
        vectors += 4 * (window - 1) + options.groups as u64 + 5;
        rows += transitions * window;
    }
    if options.decay().is_some() {
        vectors += 6 * options.tunables.learned().len() as u64 + options.groups as u64 + 2;
    }
    let bytes = rows * sizes.row + vectors * sizes.parameters * sizes.number + (16 << 20);
    lines.add("memory", format!("about {} MB", grouped(bytes.div_ceil(1_000_000))));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;
    use crate::config::any::{self, Any};

    fn said(target: &str) -> String {
        match any::load(Some(target), &Overrides::default()).expect("valid") {
            (Any::Online(plan), source) => report(&plan, &source, &source).expect("makes its environments"),
            _ => panic!("{target} is not of online"),
        }
    }

    #[test]
    fn every_shipped_configuration_is_explained() {
        for (name, _) in shipped::ONLINE.files {
            let text = said(&format!("online/{name}"));
            assert!(text.contains("valid") && text.contains("meta") && text.contains("writes"), "{name}: {text}");
        }
        let text = said("online/cartpole");
        assert!(text.contains("400 of 320 steps (16 actors x 20), 128 320 in total"), "{text}");
        assert!(text.contains("gamma 0.95 learned within (0, 1)") && text.contains("every 10 updates"), "{text}");
        assert!(text.contains("after every update, through that update (meta.window 1"), "{text}");
        let text = said("online/theoretical-gmrl");
        assert!(
            text.contains("after every 3 updates, through all of them (meta.window 3, meta.surrogate lvc)"),
            "{text}"
        );
    }
}
