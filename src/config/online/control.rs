//! The actor-critic's part of a configuration of `online`: task, actors, network, costs, outer loss.

use super::{Choice, Control, MAX, Problem, inner, meta, raw, reach, setting};
use crate::config::checks::{self, Checked};
use crate::config::{Fault, family};
use crate::diff::conv::Architecture;
use crate::estimator::online::{Eta, Mode, Tunable, Tunables};
use crate::learn::online::actor_critic::{Ahead, ConvShape, Driver, MlpShape, Options, OuterOptions, Weights};
use crate::math::targets::Target;

/// Most actors, steps of an unroll, and both together.
const MAX_STEPS: usize = 100_000;
/// Widest hidden layer and embedding.
const MAX_WIDTH: usize = 4096;
/// Most weights between hidden layers, and most hidden activations of an unroll.
const MAX_WEIGHTS: usize = 50_000_000;
/// Most steps of an unroll of a game, all actors together: an observation has 28 kB.
const MAX_PICTURES: usize = 20_000;
/// Smallest picture that the convolutions can take.
const MIN_PICTURE: usize = 36;
/// Most actor threads.
const MAX_THREADS: usize = 1024;
/// Most unrolls that wait per group.
const MAX_QUEUE: usize = 1024;
/// Updates between two measurements of the gap.
const GAP_EVERY: u64 = 10;
/// Largest factor of a loss term.
const MAX_COST: f64 = 1000.0;

/// Steps of an unroll of `count` actors, at most `longest`.
fn length(asked: Option<usize>, count: usize, longest: usize) -> Checked<usize> {
    let length = asked.unwrap_or(20);
    if (1..=longest).contains(&length) {
        return Ok(length);
    }
    let why = format!("must be a whole number from 1 to {longest} beside `actors.count` = {count}, found {length}");
    Err(Fault::new("actors.length", why))
}

/// Refuses tunables that a target has no use for.
fn fits(target: &Target, raw: &raw::Raw, tunables: &Tunables) -> Checked<()> {
    if !matches!(target, Target::VTrace(_)) {
        checks::idle("leak", raw.leak.is_some(), "only V-trace has it")?;
    }
    if matches!(target, Target::NStep { .. }) && tunables.get(Tunable::Lambda).mode != Mode::Fixed {
        let why = "must be `fixed` where `inner.target` is `n-step`: such returns have no lambda";
        return Err(Fault::new("lambda.mode", why));
    }
    Ok(())
}

/// The learner that `raw` means.
pub(super) fn choice(raw: &raw::Raw, updates: u64) -> Checked<Choice> {
    let why = "it belongs to the small tasks of section [task]";
    checks::idle("inner.alpha", raw.inner.alpha.is_some(), why)?;
    checks::idle("inner.entropy", raw.inner.entropy.is_some(), why)?;
    let is_atari = raw.atari.is_some();
    let defaults = if is_atari { ATARI } else { FAMILY };
    let actors = raw.actors.clone().unwrap_or_default();
    let most_steps = if is_atari { MAX_PICTURES } else { MAX_STEPS };
    let count = checks::count("actors.count", actors.count.unwrap_or(16), most_steps)?;
    let length = length(actors.length, count, most_steps / count)?;
    let groups = groups(actors.groups, count)?;
    let problem = problem(raw, count * length)?;
    let embedding = match &problem {
        Problem::Family(_, network) => network.embedding,
        Problem::Atari(_, network) => network.embedding,
    };
    let tunables = tunables(raw, is_atari)?;
    let target = inner::target(&raw.inner, length)?;
    fits(&target, raw, &tunables)?;
    let is_learned = !tunables.learned().is_empty();
    if !is_learned {
        checks::idle("meta", raw.meta.is_some(), "no meta-parameter is learned: no `mode` is `meta`")?;
        let given = raw.inner.differential.is_some();
        checks::idle("inner.differential", given, "no meta-parameter is learned: no `mode` is `meta`")?;
    }
    let section = raw.meta.clone().unwrap_or_default();
    let (meta, rail) = meta(&section)?;
    let stop_gradient = raw.network.as_ref().and_then(|n| n.stop_gradient).unwrap_or(true);
    let sizes = reach::Sizes {
        parameters: problem.parameters(),
        steps: count * length,
        most_steps,
        learned: tunables.learned().len(),
    };
    let reach = reach::reach(&section, &sizes, updates, stop_gradient)?;
    let default = if groups.is_multiple_of(2) { GAP_EVERY } else { 0 };
    let gap_every = raw.gap.as_ref().and_then(|gap| gap.every).unwrap_or(default);
    checks::within("gap.every", gap_every as f64, 0.0, MAX)?;
    if gap_every > 0 && !groups.is_multiple_of(2) {
        let many = if groups == 1 { "" } else { "s" };
        let why = format!(
            "must be 0 with {groups} group{many} of actors: the gap is measured between two halves of the groups"
        );
        return Err(Fault::new("gap.every", why));
    }
    if rail.fallback.is_some() && gap_every == 0 {
        checks::idle("meta.patience", true, "it watches the outer gap, which is not measured: `gap.every` is 0")?;
    }
    let options = Options {
        actors: count,
        groups,
        length,
        driver: driver(&actors, &target)?,
        target,
        reduction: inner::reduction(&raw.inner, &defaults),
        rule: inner::rule(&raw.inner, &defaults)?,
        anneal: raw.inner.anneal.unwrap_or(defaults.anneal),
        outer: outer(&raw.outer.clone().unwrap_or_default(), count, groups, embedding > 0)?,
        tunables,
        stop_gradient,
        differential: inner::differential(&raw.inner),
        reach,
        meta,
        rail,
        updates,
        gap_every,
    };
    Ok(Choice::ActorCritic(Box::new(Control { problem, options })))
}

/// Defaults of section `[inner]` with a family.
const FAMILY: inner::Defaults = inner::Defaults {
    optimiser: raw::InnerOptimiser::Adam,
    beta: 5e-3,
    epsilon: 1e-8,
    clip_norm: None,
    loss: raw::Loss::Mean,
    anneal: false,
};

/// Defaults of section `[inner]` with a game: specification metagrad-atari 1.5.
const ATARI: inner::Defaults = inner::Defaults {
    optimiser: raw::InnerOptimiser::RmspropTf,
    beta: 6e-4,
    epsilon: 0.1,
    clip_norm: Some(40.0),
    loss: raw::Loss::Sum,
    anneal: true,
};

/// The task and its network.
fn problem(raw: &raw::Raw, rows: usize) -> Checked<Problem> {
    let network = raw.network.clone().unwrap_or_default();
    let embedding = network.embedding.unwrap_or(if raw.atari.is_some() { 16 } else { 4 });
    checks::within("network.embedding", embedding as f64, 0.0, MAX_WIDTH as f64)?;
    if embedding == 0 {
        checks::idle("network.stop_gradient", network.stop_gradient.is_some(), "`network.embedding` is 0")?;
        checks::idle("network.condition", network.condition.is_some(), "`network.embedding` is 0")?;
    }
    if let Some(section) = &raw.atari {
        let atari = super::atari::atari(section)?;
        checks::idle("network.hidden", network.hidden.is_some(), "a game has convolutions (`network.architecture`)")?;
        let architecture = network.architecture.map_or(Architecture::Nature, Into::into);
        if atari.protocol.size < MIN_PICTURE {
            let why = format!("must be at least {MIN_PICTURE} for these networks, found {}", atari.protocol.size);
            return Err(Fault::new("atari.size", why));
        }
        let init = network.init.map_or(Weights::Orthogonal, Into::into);
        let value_branch = network.condition == Some(raw::Conditioned::Value);
        return Ok(Problem::Atari(atari, ConvShape { architecture, embedding, value_branch, init }));
    }
    let (family, _) = family::build(raw.family.as_ref().unwrap_or(&toml::Table::new()))?;
    let why = "only a game has convolutions; `network.hidden` holds the widths of tanh layers";
    checks::idle("network.architecture", network.architecture.is_some(), why)?;
    checks::idle(
        "network.condition",
        network.condition.is_some(),
        "the embedding of a perceptron enters its first layer",
    )?;
    checks::idle("network.init", network.init.is_some(), "tanh layers start with Glorot's weights")?;
    Ok(Problem::Family(family, MlpShape { hidden: hidden(network.hidden, rows)?, embedding }))
}

/// Groups of actors: as asked, else 4, 2 or 1, whichever divides the actors first.
fn groups(asked: Option<usize>, count: usize) -> Checked<usize> {
    let default = [4, 2].into_iter().find(|g| count.is_multiple_of(*g)).unwrap_or(1);
    let groups = checks::count("actors.groups", asked.unwrap_or(default), count)?;
    if count.is_multiple_of(groups) {
        return Ok(groups);
    }
    let divisors: Vec<String> = (1..=count).filter(|g| count.is_multiple_of(*g)).map(|g| g.to_string()).collect();
    let why = format!("must divide `actors.count` = {count}: {}; found {groups}", divisors.join(", "));
    Err(Fault::new("actors.groups", why))
}

/// Who steps the actors.
fn driver(actors: &raw::Actors, target: &Target) -> Checked<Driver> {
    if actors.driver != Some(raw::Driver::Impala) {
        for (key, is_given) in [("actors.threads", actors.threads.is_some()), ("actors.queue", actors.queue.is_some())]
        {
            checks::idle(key, is_given, "only actors that run ahead (`actors.driver` = `impala`) have it")?;
        }
        return Ok(Driver::Synchronous);
    }
    if !matches!(target, Target::VTrace(_)) {
        let why = "must be `synchronous` with these targets: only V-trace corrects for data of older policies";
        return Err(Fault::new("actors.driver", why));
    }
    Ok(Driver::Impala(Ahead {
        threads: checks::count("actors.threads", actors.threads.unwrap_or(2), MAX_THREADS)?,
        queue: checks::count("actors.queue", actors.queue.unwrap_or(1), MAX_QUEUE)?,
    }))
}

/// Widths of the perceptron.
fn hidden(asked: Option<Vec<usize>>, rows: usize) -> Checked<Vec<usize>> {
    let hidden = asked.unwrap_or_else(|| vec![32]);
    checks::count("network.hidden", hidden.len(), 16)?;
    for (i, width) in hidden.iter().enumerate() {
        checks::count(&format!("network.hidden[{i}]"), *width, MAX_WIDTH)?;
    }
    let weights: usize = hidden.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let activations = rows * hidden.iter().sum::<usize>();
    if weights > MAX_WEIGHTS || activations > MAX_WEIGHTS {
        let message = format!(
            "too large for memory: {weights} weights between hidden layers and {activations} activations of an unroll; at most \
             {MAX_WEIGHTS} of each"
        );
        return Err(Fault::new("network.hidden", message));
    }
    Ok(hidden)
}

/// All meta-parameters.
fn tunables(raw: &raw::Raw, is_atari: bool) -> Checked<Tunables> {
    let near = if is_atari { 0.99 } else { 0.95 };
    let one = |section: &str, raw: &Option<raw::Setting>, default: f64, most: f64| {
        setting(section, &raw.clone().unwrap_or_default(), default, most)
    };
    let mut tunables = Tunables::fixed(&Eta::reference(0.95, 0.95));
    *tunables.get_mut(Tunable::Gamma) = setting("gamma", &raw.gamma, near, 1.0)?;
    *tunables.get_mut(Tunable::Lambda) = one("lambda", &raw.lambda, near, 1.0)?;
    *tunables.get_mut(Tunable::PolicyCost) = one("policy_cost", &raw.policy_cost, 1.0, MAX_COST)?;
    *tunables.get_mut(Tunable::ValueCost) = one("value_cost", &raw.value_cost, 0.5, MAX_COST)?;
    *tunables.get_mut(Tunable::EntropyCost) = one("entropy_cost", &raw.entropy_cost, 0.01, MAX_COST)?;
    *tunables.get_mut(Tunable::Leak) = one("leak", &raw.leak, 1.0, 1.0)?;
    Ok(tunables)
}

/// Section `[outer]`.
fn outer(raw: &raw::Outer, count: usize, groups: usize, is_seen: bool) -> Checked<OuterOptions> {
    let batch = checks::count("outer.batch", raw.batch.unwrap_or(count), count)?;
    let size = count / groups;
    if !batch.is_multiple_of(size) {
        let why = format!("must be whole groups of {size} actors (`actors.count` / `actors.groups`), found {batch}");
        return Err(Fault::new("outer.batch", why));
    }
    if !is_seen {
        checks::idle("outer.condition", raw.condition.is_some(), "`network.embedding` is 0")?;
    }
    let cost = |key: &str, x: Option<f64>| checks::within(key, x.unwrap_or(0.0), 0.0, MAX_COST);
    let gamma = checks::within("outer.gamma", raw.gamma.unwrap_or(0.99), 0.0, 1.0)?;
    let lambda = checks::within("outer.lambda", raw.lambda.unwrap_or(1.0), 0.0, 1.0)?;
    Ok(OuterOptions {
        eta: Eta {
            value_cost: cost("outer.value_cost", raw.value_cost)?,
            entropy_cost: cost("outer.entropy_cost", raw.entropy_cost)?,
            ..Eta::reference(gamma, lambda)
        },
        kl: cost("outer.kl_cost", raw.kl_cost)?,
        separate_critic: match raw.critic {
            None | Some(raw::Critic::Shared) => false,
            Some(raw::Critic::Separate) => true,
            Some(_) => return Err(Fault::new("outer.critic", "must be `shared` or `separate` with a family")),
        },
        batch,
        sees_reference: raw.condition == Some(raw::Condition::Reference),
    })
}
