//! The sections of a configuration of `online` that mean a given learner.

use super::{Control, Problem, raw};
use crate::config::plan::FamilyChoice;
use crate::estimator::online::{Mode, OuterReturn, Rail, Reduction, Setting, Tunable};
use crate::learn::online::actor_critic::{ConvShape, Driver, Options as ActorCritic, OuterOptions};
use crate::learn::online::{Options, Task};
use crate::math::targets::{Bootstrap, Target, VTrace};
use crate::optim::{Differential, Optimiser, RmsPropDialect};

/// The sections of the actor-critic.
pub(super) fn control(control: &Control) -> raw::Raw {
    let Control { problem, options } = control;
    let (embedding, network) = match problem {
        Problem::Family(_, n) => {
            (n.embedding, raw::Network { hidden: Some(n.hidden.clone()), ..raw::Network::default() })
        }
        Problem::Atari(_, n) => (n.embedding, convolutions(n)),
    };
    let of = |tunable: Tunable| -> Option<raw::Setting> { Some(setting_section(options.tunables.get(tunable))) };
    let ahead = if let Driver::Impala(ahead) = options.driver { Some(ahead) } else { None };
    let is_vtrace = matches!(options.target, Target::VTrace(_));
    let is_seen = embedding > 0;
    let is_learned = !options.tunables.learned().is_empty();
    let OuterOptions { eta, kl, separate_critic, batch, sees_reference } = options.outer;
    let critic = if separate_critic { raw::Critic::Separate } else { raw::Critic::Shared };
    let condition = if sees_reference { raw::Condition::Reference } else { raw::Condition::Current };
    raw::Raw {
        family: if let Problem::Family(family, _) = problem { Some(table(family)) } else { None },
        atari: if let Problem::Atari(atari, _) = problem { Some(super::atari::section(atari)) } else { None },
        actors: Some(raw::Actors {
            count: Some(options.actors),
            length: Some(options.length),
            groups: Some(options.groups),
            driver: Some(if ahead.is_some() { raw::Driver::Impala } else { raw::Driver::Synchronous }),
            threads: ahead.map(|a| a.threads),
            queue: ahead.map(|a| a.queue),
        }),
        network: Some(raw::Network {
            embedding: Some(embedding),
            stop_gradient: is_seen.then_some(options.stop_gradient),
            ..network
        }),
        inner: inner(options, is_learned),
        gamma: setting_section(options.tunables.get(Tunable::Gamma)),
        lambda: of(Tunable::Lambda),
        policy_cost: of(Tunable::PolicyCost),
        value_cost: of(Tunable::ValueCost),
        entropy_cost: of(Tunable::EntropyCost),
        leak: of(Tunable::Leak).filter(|_| is_vtrace),
        outer: Some(raw::Outer {
            critic: Some(critic),
            gamma: Some(eta.gamma),
            lambda: Some(eta.lambda),
            batch: Some(batch),
            value_cost: Some(eta.value_cost),
            entropy_cost: Some(eta.entropy_cost),
            kl_cost: Some(kl),
            condition: is_seen.then_some(condition),
        }),
        gap: Some(raw::Gap { every: Some(options.gap_every) }),
        meta: is_learned.then(|| super::reach::section(options.reach, meta_section(options.meta, &options.rail))),
        ..raw::Raw::default()
    }
}

/// Section `[family]`.
fn table(family: &FamilyChoice) -> toml::Table {
    let mut table = toml::Table::new();
    table.insert("name".into(), toml::Value::String(family.name.clone()));
    for (key, value) in &family.params {
        if let Ok(value) = toml::Value::try_from(value) {
            table.insert(key.clone(), value); // parameters came from a tree without nulls
        }
    }
    table
}

/// What section `[network]` says of a convolutional network.
fn convolutions(network: &ConvShape) -> raw::Network {
    raw::Network {
        architecture: Some(network.architecture.into()),
        condition: (network.embedding > 0).then_some(match network.value_branch {
            true => raw::Conditioned::Value,
            false => raw::Conditioned::Torso,
        }),
        init: Some(network.init.into()),
        ..raw::Network::default()
    }
}

/// Section `[inner]` of the actor-critic.
fn inner(options: &ActorCritic, is_learned: bool) -> raw::Inner {
    let optimiser = options.rule.optimiser;
    let common = raw::Inner {
        beta: Some(optimiser.rate()),
        clip_norm: options.rule.clip,
        anneal: Some(options.anneal),
        loss: Some(match options.reduction {
            Reduction::Mean => raw::Loss::Mean,
            Reduction::Sum => raw::Loss::Sum,
        }),
        differential: is_learned.then_some(match options.differential {
            Differential::Exact => raw::Differential::Exact,
            Differential::Frozen => raw::Differential::Frozen,
        }),
        ..raw::Inner::default()
    };
    let with_target = match options.target {
        Target::Lambda => raw::Inner { target: Some(raw::Target::Lambda), ..common },
        Target::NStep { n } => raw::Inner { target: Some(raw::Target::NStep), n: Some(n), ..common },
        Target::VTrace(VTrace { rho_bar, c_bar, pg_rho_bar, bootstrap }) => raw::Inner {
            target: Some(raw::Target::Vtrace),
            rho_bar: Some(rho_bar),
            c_bar: Some(c_bar),
            pg_rho_bar: Some(pg_rho_bar),
            bootstrap: Some(match bootstrap {
                Bootstrap::Mix => raw::Bootstrap::Mix,
                Bootstrap::Vs => raw::Bootstrap::Vs,
            }),
            ..common
        },
    };
    match optimiser {
        Optimiser::Sgd { .. } => raw::Inner { optimiser: Some(raw::InnerOptimiser::Sgd), ..with_target },
        Optimiser::Adam { beta1, beta2, epsilon, .. } => raw::Inner {
            optimiser: Some(raw::InnerOptimiser::Adam),
            beta1: Some(beta1),
            beta2: Some(beta2),
            epsilon: Some(epsilon),
            ..with_target
        },
        Optimiser::RmsProp { decay, epsilon, dialect, initial, .. } => raw::Inner {
            optimiser: Some(match dialect {
                RmsPropDialect::TensorFlow => raw::InnerOptimiser::RmspropTf,
                RmsPropDialect::PyTorch => raw::InnerOptimiser::RmspropPytorch,
            }),
            decay: Some(decay),
            epsilon: Some(epsilon),
            ms_init: Some(initial),
            ..with_target
        },
    }
}

/// The sections of a small task.
pub(super) fn small(options: &Options) -> raw::Raw {
    let is_chain = options.task.chain().is_some();
    let is_learned = [options.gamma.mode, options.lambda.mode].contains(&Mode::Meta);
    let (name, delays, rewards) = match &options.task {
        Task::SignalNoise => (raw::TaskName::SignalNoise, None, None),
        Task::NegatedPairs => (raw::TaskName::NegatedPairs, None, None),
        Task::Arms { delays, rewards } => (raw::TaskName::Arms, Some(delays.clone()), Some(rewards.clone())),
    };
    let critic = match options.outer {
        OuterReturn::Unbiased => raw::Critic::Unbiased,
        OuterReturn::InnerCritic => raw::Critic::Inner,
    };
    let entropy = (!is_chain).then_some(options.entropy);
    raw::Raw {
        task: Some(raw::Task { name: Some(name), delays, rewards }),
        inner: raw::Inner { alpha: Some(options.alpha), entropy, ..raw::Inner::default() },
        gamma: setting_section(&options.gamma),
        lambda: is_chain.then(|| setting_section(&options.lambda)),
        outer: (!is_chain && is_learned).then_some(raw::Outer { critic: Some(critic), ..raw::Outer::default() }),
        meta: is_learned.then(|| meta_section(options.meta, &options.rail)),
        ..raw::Raw::default()
    }
}

fn setting_section(setting: &Setting) -> raw::Setting {
    let (mode, end) = match setting.mode {
        Mode::Fixed => (raw::Mode::Fixed, None),
        Mode::Scheduled { end } => (raw::Mode::Scheduled, Some(end)),
        Mode::Meta => (raw::Mode::Meta, None),
    };
    raw::Setting {
        mode: Some(mode),
        initial: Some(setting.initial),
        end,
        low: Some(setting.low),
        high: Some(setting.high),
    }
}

fn meta_section(optimiser: Optimiser, rail: &Rail) -> raw::Meta {
    let common = raw::Meta {
        beta: Some(optimiser.rate()),
        limit: Some(rail.limit),
        clamp: rail.clamp,
        warm_up: Some(rail.warm_up),
        patience: rail.fallback.map(|f| f.patience),
        patience_decay: rail.fallback.map(|f| f.decay),
        ..raw::Meta::default()
    };
    match optimiser {
        Optimiser::Adam { beta1, beta2, epsilon, .. } => raw::Meta {
            optimiser: Some(raw::Optimiser::Adam),
            beta1: Some(beta1),
            beta2: Some(beta2),
            epsilon: Some(epsilon),
            ..common
        },
        _ => raw::Meta { optimiser: Some(raw::Optimiser::Sgd), ..common },
    }
}
