//! `online --check-gradient`: the meta-gradient beside finite differences through the whole update.

use super::{Failure, Request, games};
use crate::config::Overrides;
use crate::config::online::{self as config, Choice, Problem};
use crate::diff::Network;
use crate::learn::online::Failed;
use crate::learn::online::actor_critic::{Driver, Learner};
use crate::math::real::Real;
use crate::math::targets::Target;
use crate::optim::Differential;
use crate::rollout::world::{Element, World};
use std::io::Write as _;

/// The gradient is checked in this update, or at the end of the window that it is in.
const CHECK_AFTER: u64 = 5;

/// Prints the meta-gradient after a few updates beside central differences through the whole update.
pub(super) fn run(request: Request) -> Result<(), Failure> {
    let Request { config, set, seed, smoke, .. } = request;
    let Some(name) = config else { return Err(Failure::Usage("a configuration is needed".into())) };
    let asked = games::asked(&name, &set);
    let plan = config::load(&name, &Overrides { set, seed, smoke, ..Overrides::default() })?;
    let Choice::ActorCritic(control) = &plan.learner else {
        let text = "--check-gradient is for the actor-critic: a configuration with a section [family]";
        return Err(Failure::Usage(format!("{name}: {text}")));
    };
    if control.options.tunables.learned().is_empty() {
        return Err(Failure::Usage(format!("{name}: no meta-parameter is learned, so there is no meta-gradient")));
    }
    games::ready(&plan, &asked)?;
    let text = match &control.problem {
        Problem::Family(f, net) => checked(super::on_family((f, net), &control.options, plan.seed)?, plan.updates())?,
        // in double precision: differences in single precision would tell nothing
        Problem::Atari(a, net) => {
            checked(super::on_atari::<f64>((a, net), &control.options, plan.seed)?, plan.updates())?
        }
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// A few updates, and a check of the last.
fn checked<F, W, N>(mut learner: Learner<F, W, N>, updates: u64) -> Result<String, Failure>
where
    F: Real + Element,
    W: World + 'static,
    N: Network<F, Obs = W::Obs> + Send + 'static,
{
    let window = learner.options().window() as u64; // at most `updates`
    let target = (CHECK_AFTER.div_ceil(window) * window).min(updates / window * window);
    for _ in 1..target {
        learner.step().map_err(unfinished)?;
    }
    let (row, found) = learner.checked_step().map_err(unfinished)?;
    let size = found.iter().fold(0.0, |m: f64, c| m.max(c.difference.abs()));
    let options = learner.options();
    let through = match (options.decay(), options.window()) {
        (Some(decay), _) => format!(", through the trace of all updates before it, mu = {decay}"),
        (None, 1) => String::new(),
        (None, k) => format!(", through the {k} updates of its window, each that of its surrogate"),
    };
    let mut text = format!("meta-gradient of -J' in update {}{through}\n", row.update);
    text += &format!("  {:13} {:>14} {:>18}\n", "by", "formula", "finite difference");
    for c in &found {
        text += &format!("  {:13} {:>14.6e} {:>18.6e}\n", c.tunable.name(), c.exact, c.difference);
    }
    let error = found.iter().fold(0.0, |m: f64, c| m.max((c.exact - c.difference).abs())) / size;
    if found.iter().any(|c| !(c.exact.is_finite() && c.difference.is_finite())) {
        text += "not every number is finite: the update itself is near divergence\n";
        return Ok(text);
    }
    if size == 0.0 {
        text += "every derivative is zero: what is learned has no effect with these targets\n";
        return Ok(text);
    }
    text += &format!("largest error {error:.1e} of the largest entry\n");
    if options.differential == Differential::Frozen {
        text += "`inner.differential` is `frozen`: norm and denominators are constants of the formula, not of the difference\n";
    }
    let is_on_policy = options.driver == Driver::Synchronous;
    if let Target::VTrace(v) = options.target
        && options.decay().is_some()
        && is_on_policy
        && [v.rho_bar, v.c_bar, v.pg_rho_bar].contains(&1.0)
    {
        text += "on-policy ratios are 1, where V-trace's limits of 1 have a kink: formula and difference take different sides of it; limits \
                 above 1, or `inner.target` = `lambda`, have none\n";
    }
    Ok(text)
}

/// Why a check came to nothing.
fn unfinished(failed: Failed) -> Failure {
    match failed {
        Failed::Diverged { update } => {
            Failure::Diverged(format!("diverged: a parameter was not finite in update {update}"))
        }
        Failed::Environment { update, why } => {
            Failure::Internal(format!("update {update}: the environment failed: {why}"))
        }
    }
}
