//! Section `[inner]` of the actor-critic: optimiser, loss, targets.

use super::{MAX, raw};
use crate::config::Fault;
use crate::config::checks::{self, Checked};
use crate::estimator::online::Reduction;
use crate::math::targets::{Bootstrap, Target, VTrace};
use crate::optim::{Differential, Optimiser, RmsPropDialect, Rule};

/// Defaults that depend on the task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defaults {
    pub optimiser: raw::InnerOptimiser,
    pub beta: f64,
    pub epsilon: f64,
    pub clip_norm: Option<f64>,
    pub loss: raw::Loss,
    pub anneal: bool,
}

/// Clipping and optimiser.
pub(super) fn rule(raw: &raw::Inner, defaults: &Defaults) -> Checked<Rule> {
    let beta = checks::positive("inner.beta", raw.beta.unwrap_or(defaults.beta), MAX)?;
    let kind = raw.optimiser.unwrap_or(defaults.optimiser);
    let is_default = kind == defaults.optimiser;
    let epsilon = |other: f64| {
        let default = if is_default { defaults.epsilon } else { other };
        checks::positive("inner.epsilon", raw.epsilon.unwrap_or(default), MAX)
    };
    let only = |keys: &[(&str, bool)], why: &str| -> Checked<()> {
        keys.iter().try_for_each(|(leaf, is_given)| checks::idle(&format!("inner.{leaf}"), *is_given, why))
    };
    let adams = [("beta1", raw.beta1.is_some()), ("beta2", raw.beta2.is_some())];
    let rms = [("decay", raw.decay.is_some()), ("ms_init", raw.ms_init.is_some())];
    let optimiser = match kind {
        raw::InnerOptimiser::Adam => {
            only(&rms, "only RMSProp has it")?;
            Optimiser::Adam {
                beta,
                beta1: checks::decay("inner.beta1", raw.beta1.unwrap_or(0.9))?,
                beta2: checks::decay("inner.beta2", raw.beta2.unwrap_or(0.999))?,
                epsilon: epsilon(1e-8)?,
            }
        }
        raw::InnerOptimiser::Sgd => {
            only(&adams, "only Adam has it")?;
            only(&rms, "only RMSProp has it")?;
            only(&[("epsilon", raw.epsilon.is_some())], "plain gradient steps have none")?;
            Optimiser::Sgd { beta }
        }
        raw::InnerOptimiser::RmspropTf | raw::InnerOptimiser::RmspropPytorch => {
            only(&adams, "only Adam has it")?;
            let dialect = match kind {
                raw::InnerOptimiser::RmspropTf => RmsPropDialect::TensorFlow,
                _ => RmsPropDialect::PyTorch,
            };
            Optimiser::RmsProp {
                beta,
                decay: checks::decay("inner.decay", raw.decay.unwrap_or(0.99))?,
                epsilon: epsilon(if dialect == RmsPropDialect::TensorFlow { 0.1 } else { 1e-5 })?,
                dialect,
                initial: checks::within("inner.ms_init", raw.ms_init.unwrap_or(dialect.initial()), 0.0, MAX)?,
            }
        }
    };
    let clip = match raw.clip_norm.or(defaults.clip_norm) {
        Some(x) => Some(checks::positive("inner.clip_norm", x, f64::MAX)?),
        None => None,
    };
    Ok(Rule { optimiser, clip })
}

/// What the loss divides by.
pub(super) fn reduction(raw: &raw::Inner, defaults: &Defaults) -> Reduction {
    match raw.loss.unwrap_or(defaults.loss) {
        raw::Loss::Mean => Reduction::Mean,
        raw::Loss::Sum => Reduction::Sum,
    }
}

/// What the meta-gradient differentiates.
pub(super) fn differential(raw: &raw::Inner) -> Differential {
    match raw.differential {
        None | Some(raw::Differential::Exact) => Differential::Exact,
        Some(raw::Differential::Frozen) => Differential::Frozen,
    }
}

/// How targets are made from unrolls of `length` steps.
pub(super) fn target(raw: &raw::Inner, length: usize) -> Checked<Target> {
    let vtrace = [
        ("inner.rho_bar", raw.rho_bar.is_some()),
        ("inner.c_bar", raw.c_bar.is_some()),
        ("inner.pg_rho_bar", raw.pg_rho_bar.is_some()),
        ("inner.bootstrap", raw.bootstrap.is_some()),
    ];
    let kind = raw.target.unwrap_or(raw::Target::Vtrace);
    if kind != raw::Target::Vtrace {
        vtrace.iter().try_for_each(|(key, is_given)| checks::idle(key, *is_given, "only V-trace has it"))?;
    }
    if kind != raw::Target::NStep {
        checks::idle("inner.n", raw.n.is_some(), "only n-step returns have it")?;
    }
    match kind {
        raw::Target::Lambda => Ok(Target::Lambda),
        raw::Target::NStep => Ok(Target::NStep { n: checks::count("inner.n", raw.n.unwrap_or(length), length)? }),
        raw::Target::Vtrace => {
            let limit = |key: &str, x: Option<f64>| checks::positive(key, x.unwrap_or(1.0), f64::MAX);
            let found = VTrace {
                rho_bar: limit("inner.rho_bar", raw.rho_bar)?,
                c_bar: limit("inner.c_bar", raw.c_bar)?,
                pg_rho_bar: limit("inner.pg_rho_bar", raw.pg_rho_bar)?,
                bootstrap: match raw.bootstrap {
                    None | Some(raw::Bootstrap::Mix) => Bootstrap::Mix,
                    Some(raw::Bootstrap::Vs) => Bootstrap::Vs,
                },
            };
            if found.c_bar > found.rho_bar {
                let why = format!("must be at most `inner.rho_bar` = {}, found {}", found.rho_bar, found.c_bar);
                return Err(Fault::new("inner.c_bar", why));
            }
            Ok(Target::VTrace(found))
        }
    }
}
