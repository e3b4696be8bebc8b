//! The actor-critic as a snapshot, and back: parameters, moments, waiting unrolls, window, trace, environments.
//!
//! Actors that run ahead keep their environments: they are not part of the snapshot. Their episodes begin anew, from
//! the start states of a fresh run.

use super::options::Driver;
use super::window::Past;
use super::{Learner, Slot, Standing};
use crate::batch::Actions;
use crate::diff::{At, Network};
use crate::estimator::online::{Evaluation, Unroll};
use crate::learn::online::Snapshot;
use crate::math::real::Real;
use crate::optim::{self, Moving};
use crate::rollout::world::{Element, World};
use serde::{Deserialize, Serialize};

/// The small part of the file.
#[derive(Serialize, Deserialize)]
struct Values {
    /// Updates done; `record` reads it too.
    update: u64,
    standing: Standing,
    /// Steps that the inner optimiser has taken.
    optimiser_steps: u64,
    /// Lag of each waiting unroll.
    lags: Vec<f64>,
    /// Updates of the current window.
    #[serde(default)]
    past: Vec<PastValues>,
}

/// The small part of an update of the window.
#[derive(Serialize, Deserialize)]
struct PastValues {
    /// gamma and lambda that the network saw.
    seen: [f64; 2],
    /// Steps that the inner optimiser had taken.
    optimiser_steps: u64,
}

/// Adds an unroll under the name `prefix`.
fn put_unroll<F: Real + Element, O: Element>(out: &mut Snapshot, prefix: &str, unroll: &Unroll<F, O>) {
    let name = |part: &str| format!("{prefix}.{part}");
    out.put(name("obs"), &unroll.obs);
    match &unroll.actions {
        Actions::Discrete(a) => out.put(name("actions"), a),
        Actions::Continuous { values, .. } => out.put(name("actions"), values),
    }
    out.put(name("rewards"), &unroll.rewards);
    out.put(name("not_done"), &unroll.not_done);
    out.put(name("successors"), unroll.successors.as_deref().unwrap_or_default());
    out.put(name("behaviour"), &unroll.behaviour);
}

/// The unroll called `prefix`, of the same shape as `like`, of observations of `width` elements.
fn get_unroll<F: Real + Element, O: Element>(
    snapshot: &Snapshot,
    prefix: &str,
    like: &Unroll<F, O>,
    width: usize,
) -> Result<Unroll<F, O>, String> {
    let (steps, name) = (like.steps(), |part: &str| format!("{prefix}.{part}"));
    let actions = match &like.actions {
        Actions::Discrete(_) => Actions::Discrete(snapshot.get(&name("actions"), Some(steps))?),
        Actions::Continuous { width, .. } => {
            let values = snapshot.get(&name("actions"), Some(steps * width))?;
            Actions::Continuous { values, width: *width }
        }
    };
    let obs: Vec<O> = snapshot.get(&name("obs"), None)?;
    let successors: Vec<u32> = snapshot.get(&name("successors"), Some(steps))?;
    let rows = obs.len() / width;
    let fits = rows * width == obs.len() && rows >= steps + like.batch;
    if !fits || successors.iter().any(|s| *s as usize >= rows) {
        return Err(format!("the observations of {prefix} do not fit its steps"));
    }
    Ok(Unroll {
        batch: like.batch,
        obs,
        actions,
        rewards: snapshot.get(&name("rewards"), Some(steps))?,
        not_done: snapshot.get(&name("not_done"), Some(steps))?,
        successors: Some(successors),
        behaviour: snapshot.get(&name("behaviour"), Some(steps))?,
    })
}

/// Adds vectors of parameters and moments under the name `prefix`.
fn put_moving<F: Element>(out: &mut Snapshot, prefix: &str, parts: [&[F]; 3]) {
    for (part, values) in ["theta", "first", "second"].into_iter().zip(parts) {
        out.put(format!("{prefix}.{part}"), values);
    }
}

/// Those called `prefix`, as long as those of `like`.
fn get_moving<F: Real + Element>(snapshot: &Snapshot, prefix: &str, like: &Moving<F>) -> Result<Moving<F>, String> {
    let part = |part: &str, like: &[F]| snapshot.get(&format!("{prefix}.{part}"), Some(like.len()));
    Ok(Moving {
        theta: part("theta", &like.theta)?,
        first: part("first", &like.first)?,
        second: part("second", &like.second)?,
    })
}

/// Parameters and standing in a snapshot: what is needed to act.
///
/// # Errors
/// It is not one of such a learner with this many parameters, in words.
pub fn trained<F: Real + Element>(snapshot: &Snapshot, parameters: usize) -> Result<(Vec<F>, Standing), String> {
    let Values { standing, .. } = snapshot.values()?;
    Ok((snapshot.get("theta", Some(parameters))?, standing))
}

impl<F: Real + Element, W: World + 'static, N: Network<F, Obs = W::Obs> + Send + 'static> Learner<F, W, N> {
    /// Everything that the next updates depend on.
    pub(super) fn save(&mut self) -> Result<Snapshot, String> {
        let standing = self.state.standing.clone();
        let lags = self.now.iter().map(|slot| slot.lag).collect();
        let optimiser_steps = self.state.inner.steps;
        let past = self.past.iter();
        let past = past.map(|p| PastValues { seen: p.seen, optimiser_steps: p.inner.steps }).collect();
        let mut out = Snapshot::of(&Values { update: standing.update, standing, optimiser_steps, lags, past })?;
        out.put("theta", &self.state.theta);
        out.put("optimiser.first", &self.state.inner.first);
        out.put("optimiser.second", &self.state.inner.second);
        for (g, slot) in self.now.iter().enumerate() {
            put_unroll(&mut out, &format!("unroll.{g}"), &slot.unroll);
        }
        for (k, z) in self.state.trace.iter().enumerate() {
            put_moving(&mut out, &format!("trace.{k}"), [&z.theta, &z.first, &z.second]);
        }
        for (k, past) in self.past.iter().enumerate() {
            put_moving(&mut out, &format!("past.{k}"), [&past.theta, &past.inner.first, &past.inner.second]);
            out.put(format!("past.{k}.gradient"), &past.gradient);
            for (g, unroll) in past.unrolls.iter().enumerate() {
                put_unroll(&mut out, &format!("past.{k}.unroll.{g}"), unroll);
            }
        }
        for (b, world) in self.groups.iter_mut().flat_map(|group| &mut group.worlds).enumerate() {
            out.put(format!("world.{b}"), &world.save()?);
        }
        Ok(out)
    }

    /// Goes on from a snapshot of such a learner. Nothing changes if it does not fit, but for the environments.
    pub(super) fn go_on(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        let Values { standing, optimiser_steps, lags, past, .. } = snapshot.values()?;
        let mut state = self.state.clone();
        let sizes = |s: &Standing| [s.logits.len(), s.moments.first.len(), s.moments.second.len()];
        if sizes(&standing) != sizes(&state.standing) || lags.len() != self.now.len() {
            return Err("other meta-parameters, meta-optimiser or groups than the configuration's".into());
        }
        state.theta = snapshot.get("theta", Some(state.theta.len()))?;
        state.inner.first = snapshot.get("optimiser.first", Some(state.inner.first.len()))?;
        state.inner.second = snapshot.get("optimiser.second", Some(state.inner.second.len()))?;
        state.inner.steps = optimiser_steps;
        state.standing = standing;
        let width = self.net.obs_width();
        let group =
            |(g, slot): (usize, &Slot<_, _, _>)| get_unroll(snapshot, &format!("unroll.{g}"), &slot.unroll, width);
        let unrolls: Vec<_> = self.now.iter().enumerate().map(group).collect::<Result<_, _>>()?;
        for (k, z) in state.trace.iter_mut().enumerate() {
            *z = get_moving(snapshot, &format!("trace.{k}"), z)?;
        }
        let past = self.kept(snapshot, past, state.standing.update)?;
        for (b, world) in self.groups.iter_mut().flat_map(|group| &mut group.worlds).enumerate() {
            if matches!(self.options.driver, Driver::Impala(_)) {
                break; // they were in the actors' hands: episodes begin anew
            }
            let bytes: Vec<u8> = snapshot.get(&format!("world.{b}"), None)?;
            world.restore(&bytes).map_err(|why| format!("tensor `world.{b}`: {why}"))?;
        }
        (self.state, self.past) = (state, past);
        let condition = self.condition(self.state.standing.seen);
        for ((slot, unroll), lag) in self.now.iter_mut().zip(unrolls).zip(lags) {
            let (batch, steps) = (unroll.batch, unroll.steps());
            let rows = unroll.obs.len() / self.net.obs_width();
            let at = At { theta: &self.state.theta, obs: &unroll.obs, condition: &condition };
            // in the same parts as the actors' passes, so that nothing is rounded differently
            for start in (0..steps).step_by(batch) {
                self.net.forward_rows(at, start..start + batch, &mut slot.tape);
            }
            self.net.forward_rows(at, steps..rows, &mut slot.tape);
            slot.evaluation = Evaluation::of(&self.heads, self.net.output(&slot.tape), &unroll.actions);
            (slot.unroll, slot.lag, slot.finished, slot.frames) = (unroll, lag, Vec::new(), 0);
        }
        Ok(())
    }

    /// The updates of the window that is not over yet after this many updates.
    fn kept(&self, snapshot: &Snapshot, values: Vec<PastValues>, done: u64) -> Result<Vec<Past<F, W::Obs>>, String> {
        let (width, window) = (self.net.obs_width(), self.options.window());
        if values.len() as u64 != done % window as u64 {
            let found = values.len();
            return Err(format!("{found} updates of a window are kept, which is not one of {window} (`meta.window`)"));
        }
        let like = Moving::of(self.state.theta.clone(), &self.state.inner);
        let one = |(k, PastValues { seen, optimiser_steps }): (usize, PastValues)| {
            let Moving { theta, first, second } = get_moving(snapshot, &format!("past.{k}"), &like)?;
            let gradient = snapshot.get(&format!("past.{k}.gradient"), Some(theta.len()))?;
            let unroll = |(g, slot): (usize, &Slot<_, _, _>)| {
                get_unroll(snapshot, &format!("past.{k}.unroll.{g}"), &slot.unroll, width)
            };
            let unrolls = self.now.iter().enumerate().map(unroll).collect::<Result<_, _>>()?;
            Ok(Past { theta, inner: optim::State { steps: optimiser_steps, first, second }, gradient, seen, unrolls })
        };
        values.into_iter().enumerate().map(one).collect()
    }
}
