//! The actor-critic as a snapshot, and back: parameters, moments, waiting unrolls, environments.
//!
//! Actors that run ahead keep their environments: they are not part of the snapshot. Their episodes begin anew, from
//! the start states of a fresh run.

use super::options::Driver;
use super::{Learner, Standing};
use crate::batch::Actions;
use crate::diff::{At, Network};
use crate::estimator::online::Evaluation;
use crate::learn::online::Snapshot;
use crate::math::real::Real;
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
        let mut out = Snapshot::of(&Values { update: standing.update, standing, optimiser_steps, lags })?;
        out.put("theta", &self.state.theta);
        out.put("optimiser.first", &self.state.inner.first);
        out.put("optimiser.second", &self.state.inner.second);
        for (g, slot) in self.now.iter().enumerate() {
            let unroll = &slot.unroll;
            let name = |part: &str| format!("unroll.{g}.{part}");
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
        for (b, world) in self.groups.iter_mut().flat_map(|group| &mut group.worlds).enumerate() {
            out.put(format!("world.{b}"), &world.save()?);
        }
        Ok(out)
    }

    /// Goes on from a snapshot of such a learner. Nothing changes if it does not fit, but for the environments.
    pub(super) fn go_on(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        let Values { standing, optimiser_steps, lags, .. } = snapshot.values()?;
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
        let mut unrolls = Vec::new();
        for (g, slot) in self.now.iter().enumerate() {
            let (steps, name) = (slot.unroll.steps(), |part: &str| format!("unroll.{g}.{part}"));
            let mut unroll = slot.unroll.clone();
            unroll.actions = match &unroll.actions {
                Actions::Discrete(_) => Actions::Discrete(snapshot.get(&name("actions"), Some(steps))?),
                Actions::Continuous { width, .. } => {
                    let values = snapshot.get(&name("actions"), Some(steps * width))?;
                    Actions::Continuous { values, width: *width }
                }
            };
            unroll.obs = snapshot.get(&name("obs"), None)?;
            unroll.rewards = snapshot.get(&name("rewards"), Some(steps))?;
            unroll.not_done = snapshot.get(&name("not_done"), Some(steps))?;
            let successors: Vec<u32> = snapshot.get(&name("successors"), Some(steps))?;
            unroll.behaviour = snapshot.get(&name("behaviour"), Some(steps))?;
            let rows = unroll.obs.len() / self.net.obs_width();
            let fits = rows * self.net.obs_width() == unroll.obs.len() && rows >= steps + unroll.batch;
            if !fits || successors.iter().any(|s| *s as usize >= rows) {
                return Err(format!("the observations of unroll {g} do not fit its steps"));
            }
            unroll.successors = Some(successors);
            unrolls.push(unroll);
        }
        for (b, world) in self.groups.iter_mut().flat_map(|group| &mut group.worlds).enumerate() {
            if matches!(self.options.driver, Driver::Impala(_)) {
                break; // they were in the actors' hands: episodes begin anew
            }
            let bytes: Vec<u8> = snapshot.get(&format!("world.{b}"), None)?;
            world.restore(&bytes).map_err(|why| format!("tensor `world.{b}`: {why}"))?;
        }
        self.state = state;
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
}
