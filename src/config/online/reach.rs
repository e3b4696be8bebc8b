//! How many inner updates a meta-gradient differentiates: `meta.window`, `meta.surrogate`, `meta.trace`.

use super::{Problem, raw};
use crate::config::Fault;
use crate::config::checks::{self, Checked};
use crate::diff::Network;
use crate::estimator::online::Surrogate;
use crate::learn::online::actor_critic::{Reach, convolutions};

/// Most numbers that a learner keeps between updates for its meta-gradients: parameters, moments and gradients.
const MAX_KEPT: usize = 500_000_000;
/// Most actions of a game.
const ACTIONS: usize = 18;

/// What the memory of a window or trace depends on.
pub(super) struct Sizes {
    /// Parameters of the network, about.
    pub parameters: usize,
    /// Steps of an unroll, all actors together, and the most that a learner may keep.
    pub steps: usize,
    pub most_steps: usize,
    /// Learned meta-parameters.
    pub learned: usize,
}

impl Problem {
    /// Parameters of the network, about: exact for a game with all actions and two critics; else of the dense layers, without embedding.
    pub fn parameters(&self) -> usize {
        match self {
            Problem::Atari(atari, network) => {
                let net = convolutions(&atari.protocol, ACTIONS, *network, true).0;
                Network::<f32>::n_params(&net)
            }
            Problem::Family(family, network) => {
                let built = ::tasks::registry::build(&family.name, &family.params).ok();
                let ends = built.map_or([1, 1], |f| [f.observation_space().width(), f.action_space().width() + 2]);
                let widths: Vec<usize> = [&ends[..1], &network.hidden, &ends[1..]].concat();
                widths.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum()
            }
        }
    }
}

/// What section `[meta]` says; a run has this many updates, and `stop_gradient` is the network's.
pub(super) fn reach(raw: &raw::Meta, sizes: &Sizes, updates: u64, stop_gradient: bool) -> Checked<Reach> {
    let decay = checks::within("meta.trace", raw.trace.unwrap_or(0.0), 0.0, 1.0)?;
    let steps = checks::count("meta.window", raw.window.unwrap_or(1), usize::try_from(updates).unwrap_or(usize::MAX))?;
    let Sizes { parameters, steps: unroll, most_steps, learned } = *sizes;
    if decay > 0.0 {
        if steps > 1 {
            let why = format!(
                "must be 0 with `meta.window` = {steps}: a window is differentiated backwards and then forgotten, a trace never"
            );
            return Err(Fault::new("meta.trace", why));
        }
        let why = "the trace follows the update itself, whose derivative is that of `log-prob`";
        checks::idle("meta.surrogate", raw.surrogate.is_some(), why)?;
        if learned.saturating_mul(3 * parameters) > MAX_KEPT {
            let why = format!(
                "needs too much memory: one vector of the network's {parameters} parameters and its optimiser's moments for each of \
                 {learned} meta-parameters; at most {MAX_KEPT} numbers"
            );
            return Err(Fault::new("meta.trace", why));
        }
        return Ok(Reach::Trace { decay });
    }
    if steps == 1 {
        checks::idle(
            "meta.surrogate",
            raw.surrogate.is_some(),
            "with `meta.window` = 1 no second derivative is taken",
        )?;
        return Ok(Reach::ONE);
    }
    if !stop_gradient {
        let why =
            format!("must be true with `meta.window` = {steps}: a window has no derivative through the embedding");
        return Err(Fault::new("network.stop_gradient", why));
    }
    let most = (most_steps / unroll).min(1 + MAX_KEPT / (4 * parameters.max(1))).max(1);
    if steps > most {
        let why = format!(
            "must be at most {most} here, found {steps}: every update of a window keeps an unroll of {unroll} steps (at most \
             {most_steps} together) and four vectors of {parameters} parameters (at most {MAX_KEPT} numbers)"
        );
        return Err(Fault::new("meta.window", why));
    }
    let surrogate = raw.surrogate.map_or(Surrogate::LogProb, Into::into);
    Ok(Reach::Window { steps, surrogate })
}

/// What `[meta]` says of it.
pub(super) fn section(reach: Reach, meta: raw::Meta) -> raw::Meta {
    match reach {
        Reach::Trace { decay } => raw::Meta { window: Some(1), trace: Some(decay), ..meta },
        Reach::Window { steps, surrogate } => raw::Meta {
            window: Some(steps),
            trace: Some(0.0),
            surrogate: (steps > 1).then_some(surrogate.into()),
            ..meta
        },
    }
}
