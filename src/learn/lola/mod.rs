//! LOLA: two players of an iterated game, each of which differentiates through the other's learning; many seeds beside each other.
//!
//! An instance of the K-step problem of specification gradient-bias 1.1: phi is a player's own logits, theta the other's, J_in the
//! other's return, J_out the player's own against the other as it will have become. Seed k of a run with seed s draws from streams
//! of s + k alone: neither the number of seeds nor that of threads changes it.

mod ahead;
mod options;
mod seed;
mod streams;

pub use options::{FIT, Inner, Options, Probe, Source, Target};
pub use seed::State;

use crate::learn::online::Snapshot;
use crate::learn::updates::{Failed, Updates};
use crate::math::summary::Estimate;
use crate::rollout::game::Plays;
use ahead::Context;
use rayon::prelude::*;
use seed::{Seed, Split as SeedSplit, Told};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tasks::games::STATES;

/// P(action 0) of both players, `[player][state]` in the player's own view.
pub type Defects = [[f64; STATES]; 2];

/// What a group of pairs plays like after an update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Reward per round, mean over seeds and players, with its interval over seeds.
    pub reward_per_step: Estimate,
    /// The same by seed and player.
    pub rewards: Vec<[f64; 2]>,
    /// P(action 0) by seed, player and state.
    pub defect: Vec<Defects>,
}

/// Squared bias and variance of a single estimate of the meta-gradient, summed over logits and players; means over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// Unbiased for the squared bias, so it may be negative; not resolved where the interval contains zero.
    pub bias_squared: Estimate,
    /// Trace of the covariance.
    pub variance: Estimate,
}

/// What repetitions at the same parameters tell of the meta-gradient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// Squared norm of the exact meta-gradient, both players.
    pub exact_squared: Estimate,
    /// Of the estimate that is used.
    pub used: Split,
    /// Of the estimate with the same look-ahead and an exact outer gradient: only what the look-ahead adds.
    pub outer_exact: Split,
}

/// What one update reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Update, from 1.
    pub update: u64,
    /// After the update.
    #[serde(flatten)]
    pub standing: Standing,
    /// Pearson's correlation of the used meta-gradient with the exact one, mean over players, with its interval over seeds.
    pub correlation: Option<Estimate>,
    /// The same of the estimate with an exact outer gradient.
    pub correlation_outer_exact: Option<Estimate>,
    /// Bias and variance, where they were measured.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub probe: Option<Probed>,
    /// Episodes played so far, all seeds, without those that only measure.
    pub episodes: u64,
    /// Naive learners of the same seeds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub control: Option<Standing>,
}

/// The learners of all seeds.
#[derive(Clone, Debug)]
pub struct Learner {
    context: Context,
    naive: Context,
    seeds: Vec<Seed>,
    /// Empty without control.
    control: Vec<Seed>,
    done: u64,
}

/// The small part of a snapshot.
#[derive(Serialize, Deserialize)]
struct Values {
    /// Updates done; `record` reads it too.
    update: u64,
    seeds: Vec<State>,
    control: Vec<State>,
}

impl Learner {
    /// Fresh learners; seed k draws from the streams of `seed + k`.
    pub fn new(options: Options, seed: u64) -> Learner {
        let has_control = options.has_control && options.inner.steps > 0;
        let context = Context::new(options);
        let naive = Context::new(context.options.naive());
        let all = |context: &Context, n: usize| -> Vec<Seed> {
            (0..n).into_par_iter().map(|k| Seed::new(context, seed.wrapping_add(k as u64))).collect()
        };
        let count = context.options.seeds;
        let (seeds, control) = (all(&context, count), all(&naive, if has_control { count } else { 0 }));
        Learner { context, naive, seeds, control, done: 0 }
    }

    /// What was asked for.
    pub fn options(&self) -> &Options {
        &self.context.options
    }

    /// Where each seed stands.
    pub fn states(&self) -> impl Iterator<Item = &State> {
        self.seeds.iter().map(|seed| &seed.state)
    }
}

impl Updates for Learner {
    type Row = Row;

    fn done(&self) -> u64 {
        self.done
    }

    /// One update of every seed, in parallel.
    fn update(&mut self) -> Result<Row, Failed> {
        let update = self.done + 1;
        let before = (self.seeds.clone(), self.control.clone());
        let all = |context: &Context, seeds: &mut [Seed]| -> Vec<Told> {
            seeds.par_iter_mut().map(|seed| seed.step(context, update)).collect()
        };
        let told = all(&self.context, &mut self.seeds);
        let control = all(&self.naive, &mut self.control);
        if told.iter().chain(&control).any(|t| !t.is_finite) {
            (self.seeds, self.control) = before;
            return Err(Failed::Diverged { update });
        }
        self.done = update;
        let over = |of: fn(&Told) -> Option<f64>| {
            let all: Vec<f64> = told.iter().filter_map(of).collect();
            (!all.is_empty()).then(|| Estimate::of(&all))
        };
        Ok(Row {
            update,
            standing: standing(&told),
            correlation: over(|t| t.correlation),
            correlation_outer_exact: over(|t| t.correlation_outer_exact),
            probe: probed(&told),
            episodes: self.seeds.iter().map(|seed| seed.state.episodes).sum(),
            control: (!control.is_empty()).then(|| standing(&control)),
        })
    }

    fn snapshot(&mut self) -> Result<Snapshot, String> {
        let states = |seeds: &[Seed]| seeds.iter().map(|seed| seed.state.clone()).collect();
        let values = Values { update: self.done, seeds: states(&self.seeds), control: states(&self.control) };
        let mut snapshot = Snapshot::of(&values)?;
        for (k, seed) in self.seeds.iter().enumerate().filter(|(_, seed)| !seed.buffer.is_empty()) {
            let places: Vec<u8> = seed.buffer.iter().flat_map(|plays| plays.places.iter().copied()).collect();
            let behaviour: Vec<f64> =
                seed.buffer.iter().flat_map(|plays| plays.behaviour.iter().flatten().copied()).collect();
            snapshot.put(format!("{k}.places"), &places);
            snapshot.put(format!("{k}.behaviour"), &behaviour);
        }
        Ok(snapshot)
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        let values: Values = snapshot.values()?;
        if [values.seeds.len(), values.control.len()] != [self.seeds.len(), self.control.len()] {
            return Err("the state of another number of seeds".into());
        }
        for (k, seed) in self.seeds.iter_mut().enumerate().filter(|(_, seed)| !seed.buffer.is_empty()) {
            let length: usize = seed.buffer.iter().map(|plays| plays.places.len()).sum();
            let places = snapshot.get::<u8>(&format!("{k}.places"), Some(length))?;
            let behaviour = snapshot.get::<f64>(&format!("{k}.behaviour"), Some(2 * STATES * seed.buffer.len()))?;
            let (mut rest, mut policies) = (places.as_slice(), behaviour.chunks_exact(STATES));
            for plays in &mut seed.buffer {
                let (own, others) = rest.split_at(plays.places.len());
                rest = others;
                let mut row = || -> [f64; STATES] {
                    let row = policies.next().unwrap_or_default();
                    std::array::from_fn(|s| row.get(s).copied().unwrap_or(0.5))
                };
                let behaviour = [row(), row()];
                *plays = Arc::new(Plays { places: own.to_vec(), behaviour, horizon: plays.horizon });
            }
        }
        let put = |seeds: &mut [Seed], states: Vec<State>| seeds.iter_mut().zip(states).for_each(|(s, x)| s.state = x);
        put(&mut self.seeds, values.seeds);
        put(&mut self.control, values.control);
        self.done = values.update;
        Ok(())
    }
}

fn standing(told: &[Told]) -> Standing {
    let rewards: Vec<[f64; 2]> = told.iter().map(|t| t.rewards).collect();
    let means: Vec<f64> = rewards.iter().map(|[a, b]| 0.5 * (a + b)).collect();
    let defect = told.iter().map(|t| t.defects).collect();
    Standing { reward_per_step: Estimate::of(&means), rewards, defect }
}

fn probed(told: &[Told]) -> Option<Probed> {
    let all: Vec<seed::Probed> = told.iter().filter_map(|t| t.probed).collect();
    let over = |of: &dyn Fn(&seed::Probed) -> f64| Estimate::of(&all.iter().map(of).collect::<Vec<f64>>());
    let split = |of: fn(&seed::Probed) -> SeedSplit| Split {
        bias_squared: over(&|p| of(p).bias_squared),
        variance: over(&|p| of(p).variance),
    };
    (!all.is_empty()).then(|| Probed {
        exact_squared: over(&|p| p.exact_squared),
        used: split(|p| p.used),
        outer_exact: split(|p| p.outer_exact),
    })
}
