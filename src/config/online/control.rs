//! The actor-critic's part of a configuration of `online`: sections `[family]`, `[actors]`, `[network]`, costs, outer loss.

use super::{Choice, MAX, idle, meta, meta_section, raw, setting, setting_section};
use crate::config::checks::{self, Checked};
use crate::config::plan::FamilyChoice;
use crate::config::{Fault, family};
use crate::estimator::online::{Eta, Setting, Tunable, Tunables};
use crate::learn::online::actor_critic::Options;
use crate::optim::{Optimiser, Rule};

/// Most actors, steps of an unroll, and both together.
const MAX_STEPS: usize = 100_000;
/// Widest hidden layer and embedding.
const MAX_WIDTH: usize = 4096;
/// Most weights between hidden layers, and most hidden activations of an unroll.
const MAX_WEIGHTS: usize = 50_000_000;
/// Largest factor of a loss term.
const MAX_COST: f64 = 1000.0;

/// The learner that `raw` means.
pub(super) fn choice(raw: &raw::Raw, family: &toml::Table, updates: u64) -> Checked<Choice> {
    let why = "it belongs to the small tasks of section [task]";
    idle("inner.alpha", raw.inner.alpha.is_some(), why)?;
    idle("inner.entropy", raw.inner.entropy.is_some(), why)?;
    let (family, _) = family::build(family)?;
    let actors = raw.actors.clone().unwrap_or_default();
    let count = checks::count("actors.count", actors.count.unwrap_or(16), MAX_STEPS)?;
    let length = checks::count("actors.length", actors.length.unwrap_or(20), MAX_STEPS / count)?;
    let network = raw.network.clone().unwrap_or_default();
    let hidden = network.hidden.unwrap_or_else(|| vec![32]);
    checks::count("network.hidden", hidden.len(), 16)?;
    for (i, width) in hidden.iter().enumerate() {
        checks::count(&format!("network.hidden[{i}]"), *width, MAX_WIDTH)?;
    }
    let weights: usize = hidden.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let activations = count * length * hidden.iter().sum::<usize>();
    if weights > MAX_WEIGHTS || activations > MAX_WEIGHTS {
        let message = format!(
            "too large for memory: {weights} weights between hidden layers and {activations} activations of an unroll; at most \
             {MAX_WEIGHTS} of each"
        );
        return Err(Fault::new("network.hidden", message));
    }
    let embedding = network.embedding.unwrap_or(4);
    checks::within("network.embedding", embedding as f64, 0.0, MAX_WIDTH as f64)?;
    let one = |section: &str, raw: &Option<raw::Setting>, default: f64, most: f64| {
        setting(section, &raw.clone().unwrap_or_default(), default, most)
    };
    let mut tunables = Tunables::fixed(&Eta::reference(0.95, 0.95));
    *tunables.get_mut(Tunable::Gamma) = setting("gamma", &raw.gamma, 0.95, 1.0)?;
    *tunables.get_mut(Tunable::Lambda) = one("lambda", &raw.lambda, 0.95, 1.0)?;
    *tunables.get_mut(Tunable::PolicyCost) = one("policy_cost", &raw.policy_cost, 1.0, MAX_COST)?;
    *tunables.get_mut(Tunable::ValueCost) = one("value_cost", &raw.value_cost, 0.5, MAX_COST)?;
    *tunables.get_mut(Tunable::EntropyCost) = one("entropy_cost", &raw.entropy_cost, 0.01, MAX_COST)?;
    if tunables.learned().is_empty() {
        idle("meta", raw.meta.is_some(), "no meta-parameter is learned: no `mode` is `meta`")?;
    }
    let outer = raw.outer.clone().unwrap_or_default();
    let (optimiser, rail) = meta(&raw.meta.clone().unwrap_or_default())?;
    let beta = checks::positive("inner.beta", raw.inner.beta.unwrap_or(5e-3), MAX)?;
    let options = Options {
        actors: count,
        length,
        hidden,
        embedding,
        rule: Rule {
            optimiser: Optimiser::Adam { beta, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
            clip: raw.inner.clip_norm.map(|x| checks::positive("inner.clip_norm", x, MAX)).transpose()?,
        },
        tunables,
        reference: [
            checks::within("outer.gamma", outer.gamma.unwrap_or(0.99), 0.0, 1.0)?,
            checks::within("outer.lambda", outer.lambda.unwrap_or(1.0), 0.0, 1.0)?,
        ],
        separate_critic: match outer.critic {
            None | Some(raw::Critic::Shared) => false,
            Some(raw::Critic::Separate) => true,
            Some(_) => return Err(Fault::new("outer.critic", "must be `shared` or `separate` with a family")),
        },
        meta: optimiser,
        rail,
        updates,
    };
    Ok(Choice::ActorCritic(family, Box::new(options)))
}

/// The sections that mean this learner.
pub(super) fn section(family: &FamilyChoice, options: &Options) -> raw::Raw {
    let mut table = toml::Table::new();
    table.insert("name".into(), toml::Value::String(family.name.clone()));
    for (key, value) in &family.params {
        if let Ok(value) = toml::Value::try_from(value) {
            table.insert(key.clone(), value); // parameters came from a tree without nulls
        }
    }
    let of = |tunable: Tunable| -> Option<raw::Setting> {
        let found: &Setting = options.tunables.get(tunable);
        Some(setting_section(found))
    };
    let critic = if options.separate_critic { raw::Critic::Separate } else { raw::Critic::Shared };
    let is_learned = !options.tunables.learned().is_empty();
    raw::Raw {
        family: Some(table),
        actors: Some(raw::Actors { count: Some(options.actors), length: Some(options.length) }),
        network: Some(raw::Network { hidden: Some(options.hidden.clone()), embedding: Some(options.embedding) }),
        inner: raw::Inner {
            beta: Some(options.rule.optimiser.rate()),
            clip_norm: options.rule.clip,
            ..raw::Inner::default()
        },
        gamma: setting_section(options.tunables.get(Tunable::Gamma)),
        lambda: of(Tunable::Lambda),
        policy_cost: of(Tunable::PolicyCost),
        value_cost: of(Tunable::ValueCost),
        entropy_cost: of(Tunable::EntropyCost),
        outer: Some(raw::Outer {
            critic: Some(critic),
            gamma: Some(options.reference[0]),
            lambda: Some(options.reference[1]),
        }),
        meta: is_learned.then(|| meta_section(options.meta, &options.rail)),
        ..raw::Raw::default()
    }
}
