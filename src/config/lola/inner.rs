//! The section `[inner]` of a configuration of `lola`: where the halves of a look-ahead step come from.

use super::raw::{self, Curvature};
use super::{EPISODES, MAX, MAX_COUNT};
use crate::config::Fault;
use crate::config::checks::{self, Checked};
use crate::estimator::choice::Jacobian;
use crate::learn::lola::{Inner, Source};

/// Most look-ahead steps.
const MAX_STEPS: usize = 100;

fn source(given: Option<raw::Source>) -> Source {
    match given {
        None | Some(raw::Source::Sampled) => Source::Sampled,
        Some(raw::Source::Exact) => Source::Exact,
        Some(raw::Source::Buffer) => Source::Buffer,
    }
}

/// What nobody asks for where it has no effect.
fn plain(steps: usize) -> Inner {
    Inner {
        steps,
        alpha: 0.3,
        value: Source::Sampled,
        jacobian: Source::Sampled,
        value_episodes: EPISODES,
        jacobian_episodes: EPISODES,
        is_shared: true,
        curvature: Jacobian::Dice,
        buffer: 0,
    }
}

/// The validated section. With no steps the learners are naive and the rest is passed over.
pub(super) fn read(raw: &raw::Inner) -> Checked<Inner> {
    let steps = checks::within("inner.steps", raw.steps.unwrap_or(1) as f64, 0.0, MAX_STEPS as f64)? as usize;
    let mut inner = plain(steps);
    if steps == 0 {
        return Ok(inner);
    }
    inner.alpha = checks::positive("inner.alpha", raw.alpha.unwrap_or(0.3), MAX)?;
    (inner.value, inner.jacobian) = (source(raw.value), source(raw.jacobian));
    let is_exact = [inner.value == Source::Exact, inner.jacobian == Source::Exact];
    checks::idle("inner.value_episodes", is_exact[0] && raw.value_episodes.is_some(), "`inner.value` is `exact`")?;
    checks::idle(
        "inner.jacobian_episodes",
        is_exact[1] && raw.jacobian_episodes.is_some(),
        "`inner.jacobian` is `exact`",
    )?;
    checks::idle("inner.curvature", is_exact[1] && raw.curvature.is_some(), "`inner.jacobian` is `exact`")?;
    let count = |key: &str, n: Option<usize>, default: usize| checks::count(key, n.unwrap_or(default), MAX_COUNT);
    if !is_exact[0] {
        inner.value_episodes = count("inner.value_episodes", raw.value_episodes, EPISODES)?;
    }
    if is_exact == [false, false] {
        shared(raw, &mut inner)?;
    } else {
        checks::idle("inner.shared", raw.shared.is_some(), "one half of the look-ahead is exact")?;
    }
    let has_own = is_exact[0] || !inner.is_shared;
    if !is_exact[1] && has_own {
        inner.jacobian_episodes = count("inner.jacobian_episodes", raw.jacobian_episodes, EPISODES)?;
    }
    inner.curvature = match raw.curvature {
        None | Some(Curvature::Dice) => Jacobian::Dice,
        Some(Curvature::LoadedDice) => Jacobian::LoadedDice,
        Some(Curvature::Lvc) => Jacobian::Lvc,
        Some(Curvature::LogProb) => Jacobian::LogProb,
    };
    buffer(raw, &mut inner)?;
    Ok(inner)
}

/// Whether both halves see the same new episodes.
fn shared(raw: &raw::Inner, inner: &mut Inner) -> Checked<()> {
    inner.is_shared = raw.shared.unwrap_or(true);
    if !inner.is_shared && (inner.value, inner.jacobian) == (Source::Buffer, Source::Buffer) {
        let why = "must be true where `inner.value` and `inner.jacobian` are both `buffer`: there is one buffer";
        return Err(Fault::new("inner.shared", why));
    }
    if inner.is_shared {
        let both = inner.value_episodes;
        if let Some(other) = raw.jacobian_episodes.filter(|n| *n != both) {
            let why = format!(
                "must be `inner.value_episodes` ({both}) where both see the same episodes, found {other}; or set `inner.shared` to false"
            );
            return Err(Fault::new("inner.jacobian_episodes", why));
        }
        inner.jacobian_episodes = both;
    }
    Ok(())
}

/// The episodes that are kept.
fn buffer(raw: &raw::Inner, inner: &mut Inner) -> Checked<()> {
    let Some(added) = inner.added() else {
        return checks::idle(
            "inner.buffer",
            raw.buffer.is_some(),
            "neither `inner.value` nor `inner.jacobian` is `buffer`",
        );
    };
    let kept = checks::count("inner.buffer", raw.buffer.unwrap_or(8 * added), MAX_COUNT)?;
    if kept < added {
        let why = format!("must hold at least the {added} episodes that a look-ahead step plays, found {kept}");
        return Err(Fault::new("inner.buffer", why));
    }
    if !kept.is_multiple_of(added) {
        let why = format!("must be a multiple of the {added} episodes that a look-ahead step plays, found {kept}");
        return Err(Fault::new("inner.buffer", why));
    }
    inner.buffer = kept;
    Ok(())
}

/// The section with every key that has an effect.
pub(super) fn section(inner: &Inner) -> raw::Inner {
    if inner.steps == 0 {
        return raw::Inner { steps: Some(0), ..raw::Inner::default() };
    }
    let source = |source| match source {
        Source::Exact => raw::Source::Exact,
        Source::Sampled => raw::Source::Sampled,
        Source::Buffer => raw::Source::Buffer,
    };
    let [value, jacobian] = [inner.value, inner.jacobian].map(|s| s != Source::Exact);
    let curvature = match inner.curvature {
        Jacobian::LoadedDice => Curvature::LoadedDice,
        Jacobian::Lvc => Curvature::Lvc,
        Jacobian::LogProb | Jacobian::None => Curvature::LogProb,
        Jacobian::Dice | Jacobian::PolicyHessian => Curvature::Dice,
    };
    raw::Inner {
        steps: Some(inner.steps),
        alpha: Some(inner.alpha),
        value: Some(source(inner.value)),
        jacobian: Some(source(inner.jacobian)),
        value_episodes: value.then_some(inner.value_episodes),
        jacobian_episodes: jacobian.then_some(inner.jacobian_episodes),
        shared: (value && jacobian).then_some(inner.is_shared),
        curvature: jacobian.then_some(curvature),
        buffer: inner.added().map(|_| inner.buffer),
    }
}
