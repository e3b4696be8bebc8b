//! Section `[outer]`, how the meta-gradient is used: the optimiser, TRPO or ProMP, and which keys each of them reads.

use super::checks::{self, Checked};
use super::validate::{MAX_RATE, Notes, without_effect};
use super::{Fault, raw};
use crate::estimator::choice::{Estimator, Jacobian};
use crate::learn::meta::{Inner, Promp, Trpo, Update};
use crate::optim::{Optimiser, RmsPropDialect};

/// Most conjugate-gradient products, candidates of a line search, and epochs.
const MAX_REPEATS: usize = 1_000;

/// The update, its optimiser and the limit of the meta-gradient's norm.
pub(super) fn update(
    raw: &raw::Outer,
    inner: &Inner,
    estimator: &Estimator,
    notes: &mut Notes,
) -> Checked<(Update, Optimiser, Option<f64>)> {
    let kind = raw.optimiser.unwrap_or(raw::Optimiser::Adam);
    let clip = raw.clip_norm.map(|x| checks::positive("outer.clip_norm", x, MAX_RATE)).transpose()?;
    idle_keys(raw, kind, notes);
    if matches!(kind, raw::Optimiser::Trpo | raw::Optimiser::Promp) && inner.learn_alpha {
        let message = "`trpo` and `promp` move theta only; allowed with them: false";
        return Err(Fault::new("inner.learn_alpha", message));
    }
    match kind {
        // The step is taken as it is; no optimiser keeps a state.
        raw::Optimiser::Trpo => Ok((Update::Trpo(trpo(raw, estimator, notes)?), Optimiser::Sgd { beta: 1.0 }, None)),
        raw::Optimiser::Promp => {
            if estimator.jacobian != Jacobian::Lvc {
                let message = format!(
                    "`promp` differentiates the likelihood-ratio surrogate, whose estimator is `lvc`; allowed with it: lvc, \
                     found {}",
                    estimator.name
                );
                return Err(Fault::new("outer.estimator", message));
            }
            Ok((Update::Promp(promp(raw)?), optimiser(raw, raw::Optimiser::Adam)?, clip))
        }
        first_order => Ok((Update::Gradient, optimiser(raw, first_order)?, clip)),
    }
}

/// Notes the keys that this optimiser does not read.
fn idle_keys(raw: &raw::Outer, kind: raw::Optimiser, notes: &mut Notes) {
    use raw::Optimiser::{Adam, Promp, RmsPropTf, RmsPropTorch, Sgd, Trpo};
    let keys: [(&str, bool, &[raw::Optimiser]); 14] = [
        ("outer.beta", raw.beta.is_some(), &[Adam, Sgd, RmsPropTf, RmsPropTorch, Promp]),
        ("outer.beta1", raw.beta1.is_some(), &[Adam, Promp]),
        ("outer.beta2", raw.beta2.is_some(), &[Adam, Promp]),
        ("outer.decay", raw.decay.is_some(), &[RmsPropTf, RmsPropTorch]),
        ("outer.epsilon", raw.epsilon.is_some(), &[Adam, RmsPropTf, RmsPropTorch, Promp]),
        ("outer.clip_norm", raw.clip_norm.is_some(), &[Adam, Sgd, RmsPropTf, RmsPropTorch, Promp]),
        ("outer.kl", raw.kl.is_some(), &[Trpo]),
        ("outer.cg_steps", raw.cg_steps.is_some(), &[Trpo]),
        ("outer.damping", raw.damping.is_some(), &[Trpo]),
        ("outer.backtracks", raw.backtracks.is_some(), &[Trpo]),
        ("outer.backtrack_ratio", raw.backtrack_ratio.is_some(), &[Trpo]),
        ("outer.epochs", raw.epochs.is_some(), &[Promp]),
        ("outer.clip", raw.clip.is_some(), &[Promp]),
        ("outer.inner_kl", raw.inner_kl.is_some(), &[Promp]),
    ];
    let given = keys.map(|(key, given, readers)| (key, given && !readers.contains(&kind)));
    without_effect(notes, &given, "the optimiser does not use it");
}

fn trpo(raw: &raw::Outer, estimator: &Estimator, notes: &mut Notes) -> Checked<Trpo> {
    if matches!(estimator.jacobian, Jacobian::Dice | Jacobian::LoadedDice | Jacobian::PolicyHessian) {
        notes.push(format!(
            "`trpo` measures its trust region through the log-probability adaptation; only the gradient is that of `{}`",
            estimator.name
        ));
    }
    Ok(Trpo {
        kl: checks::positive("outer.kl", raw.kl.unwrap_or(0.01), MAX_RATE)?,
        cg_steps: checks::count("outer.cg_steps", raw.cg_steps.unwrap_or(10), MAX_REPEATS)?,
        damping: checks::within("outer.damping", raw.damping.unwrap_or(1e-5), 0.0, MAX_RATE)?,
        backtracks: checks::count("outer.backtracks", raw.backtracks.unwrap_or(15), MAX_REPEATS)?,
        backtrack_ratio: checks::factor("outer.backtrack_ratio", raw.backtrack_ratio.unwrap_or(0.8))?,
    })
}

fn promp(raw: &raw::Outer) -> Checked<Promp> {
    Ok(Promp {
        epochs: checks::count("outer.epochs", raw.epochs.unwrap_or(5), MAX_REPEATS)?,
        clip: checks::positive("outer.clip", raw.clip.unwrap_or(0.3), MAX_RATE)?,
        inner_kl: checks::within("outer.inner_kl", raw.inner_kl.unwrap_or(5e-4), 0.0, MAX_RATE)?,
    })
}

fn optimiser(raw: &raw::Outer, kind: raw::Optimiser) -> Checked<Optimiser> {
    let rate = if kind == raw::Optimiser::Sgd { 0.01 } else { 1e-3 };
    let beta = checks::within("outer.beta", raw.beta.unwrap_or(rate), 0.0, MAX_RATE)?;
    let rms = |decay: f64, epsilon: f64, dialect: RmsPropDialect| -> Checked<Optimiser> {
        Ok(Optimiser::RmsProp {
            beta,
            decay: checks::decay("outer.decay", raw.decay.unwrap_or(decay))?,
            epsilon: checks::positive("outer.epsilon", raw.epsilon.unwrap_or(epsilon), 1.0)?,
            dialect,
            initial: dialect.initial(),
        })
    };
    match kind {
        raw::Optimiser::Sgd => Ok(Optimiser::Sgd { beta }),
        raw::Optimiser::RmsPropTf => rms(0.9, 1e-10, RmsPropDialect::TensorFlow),
        raw::Optimiser::RmsPropTorch => rms(0.99, 1e-8, RmsPropDialect::PyTorch),
        raw::Optimiser::Adam | raw::Optimiser::Trpo | raw::Optimiser::Promp => Ok(Optimiser::Adam {
            beta,
            beta1: checks::decay("outer.beta1", raw.beta1.unwrap_or(0.9))?,
            beta2: checks::decay("outer.beta2", raw.beta2.unwrap_or(0.999))?,
            epsilon: checks::positive("outer.epsilon", raw.epsilon.unwrap_or(1e-8), 1.0)?,
        }),
    }
}
