//! Advantage actor-critic whose meta-parameters move with every update, on one task for one lifetime.
//!
//! One learner step (specification metagrad-atari 1.6), whatever the source of the data:
//!
//! 1. the inner step at the current eta on the waiting unroll tau, `theta' = theta + f(clip(g))`;
//! 2. the actors go on with theta': the later unroll tau';
//! 3. u = the outer gradient on (part of) tau' at theta', pulled back through optimiser and clipping to w;
//! 4. one forward-mode pass at theta on tau along w gives the derivative by every meta-parameter; their logits move;
//! 5. tau' waits for the next update.
//!
//! With a window of K updates ([`Reach::Window`]) steps 3 and 4 follow every K-th update, backwards through all K; logits stay
//! as they are between. The later unroll of a window is the first of the next one. With a trace ([`Reach::Trace`]) step 4
//! carries derivatives forwards instead.
//!
//! Actors act in groups. A group is one batch of the network and one unit of parallel work, and sums over groups are taken in
//! order, so results do not depend on the number of threads (driver `Synchronous`; with actors that run ahead they depend on
//! timing). The pass that acts is the forward pass of both gradients: the network therefore sees the eta that its data were
//! collected with, which lags one update behind the eta of the targets; only a window of several updates computes the values of
//! its first unroll again, with the new eta.

mod build;
mod check;
mod gather;
mod gauge;
mod options;
mod phases;
mod pool;
mod row;
mod saved;
mod step;
mod trace;
mod window;

pub use build::{
    AtariLearner, ConvShape, FamilyLearner, MlpShape, Weights, convolutions, on_atari, on_family, perceptron,
};
pub use check::Checked;
pub use gauge::{GapRow, Gauge, Reading};
pub use options::{BLOCK_UPDATES, BLOCKS, CONDITION, Driver, Options, OuterOptions, Reach};
pub use pool::Ahead;
pub use row::Row;
pub use saved::trained;

use super::Failed;
use crate::diff::Network;
use crate::estimator::online::{Eta, Evaluation, RailState, Unroll};
use crate::math::real::Real;
use crate::optim::{self, Moving};
use crate::policy::actor_critic::Heads;
use crate::rng::{Address, Purpose, Rng};
use crate::rollout::actors::Group;
use crate::rollout::world::{Element, World};
use pool::Pool;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;
use window::Past;

/// Episodes that `return_100` averages over.
const RECENT: usize = 100;

/// Everything that changes from update to update, but for the waiting unroll and the environments.
#[derive(Clone, Debug, PartialEq)]
pub struct State<F> {
    /// Parameters of the network.
    pub theta: Vec<F>,
    /// Moments of the inner optimiser.
    pub inner: optim::State<F>,
    /// z of every learned meta-parameter, by its value; empty without a trace.
    pub trace: Vec<Moving<F>>,
    /// All the rest.
    pub standing: Standing,
}

/// The small part of a learner's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Updates done.
    pub update: u64,
    /// Logits of the learned meta-parameters.
    pub logits: Vec<f64>,
    /// Moments of the meta-optimiser.
    pub moments: optim::State<f64>,
    /// What the safety rail has seen.
    pub rail: RailState,
    /// gamma and lambda that the actors saw when the waiting unroll was collected.
    pub seen: [f64; 2],
    /// Environment steps so far.
    pub steps: u64,
    /// Frames so far.
    pub frames: u64,
    /// Episodes that have ended.
    pub episodes: u64,
    /// Returns of the last of them.
    pub recent: VecDeque<f64>,
    /// Measurements of the gap.
    pub gauge: Gauge,
}

/// The data of one group, and the forward pass on them.
struct Slot<F, O, T> {
    unroll: Unroll<F, O>,
    tape: T,
    evaluation: Evaluation<F>,
    /// Returns of the episodes that ended.
    finished: Vec<f64>,
    frames: u64,
    /// Updates since the parameters that acted.
    lag: f64,
}

/// Vectors as long as the parameters, kept from update to update.
struct Work<F> {
    /// Inner gradients of the groups.
    gradients: Vec<Vec<F>>,
    /// Outer gradients of the groups.
    ascents: Vec<Vec<F>>,
    /// Inner gradient of the whole batch, before clipping.
    total: Vec<F>,
    /// The same, clipped.
    clipped: Vec<F>,
    /// Parameters and moments after the step.
    theta: Vec<F>,
    inner: optim::State<F>,
    /// The trace after the step.
    trace: Vec<Moving<F>>,
    /// Products of the groups with Jacobians of the step; none where no meta-gradient reaches beyond one update.
    products: Vec<Vec<F>>,
}

/// A learner on one task.
pub struct Learner<F: Real + Element, W: World, N: Network<F, Obs = W::Obs>> {
    options: Options,
    seed: u64,
    net: Arc<N>,
    heads: Heads,
    state: State<F>,
    /// Actors that the learner steps itself; none once they run ahead.
    groups: Vec<Group<W>>,
    /// Actors that run ahead.
    pool: Option<Pool<F, W::Obs>>,
    /// The unrolls of the next inner step.
    now: Vec<Slot<F, W::Obs, N::Tape>>,
    /// Those after it, or memory for them.
    next: Vec<Slot<F, W::Obs, N::Tape>>,
    /// Updates of the current window.
    past: Vec<Past<F, W::Obs>>,
    /// Memory to compute their activations again.
    tapes: Vec<N::Tape>,
    work: Work<F>,
}

impl<F: Real + Element, W: World + 'static, N: Network<F, Obs = W::Obs> + Send + 'static> Learner<F, W, N> {
    /// A fresh learner: a network with the layout `heads` at its initial parameters, and one environment per actor.
    ///
    /// # Errors
    /// An environment failed while the first unroll was collected, in words.
    ///
    /// # Panics
    /// If the actors do not fall into groups of equal size, or a length does not fit.
    pub fn new(
        options: Options,
        (net, heads): (N, Heads),
        theta: Vec<F>,
        worlds: Vec<W>,
        seed: u64,
    ) -> Result<Learner<F, W, N>, String> {
        assert_eq!(worlds.len(), options.actors, "one environment per actor");
        assert!(options.actors.is_multiple_of(options.groups), "groups of equal size");
        assert_eq!((theta.len(), heads.width()), (net.n_params(), net.outputs()), "parameters and outputs");
        let logits = options.tunables.start();
        let eta = options.tunables.eta(&logits, 0.0);
        let n = theta.len();
        let zeros = || vec![F::zero(); n];
        let groups = options.groups;
        let reaches = options.window() > 1 || options.decay().is_some();
        let trace = trace::start(&options, n);
        let work = Work {
            gradients: (0..groups).map(|_| zeros()).collect(),
            ascents: (0..groups).map(|_| zeros()).collect(),
            total: zeros(),
            clipped: zeros(),
            theta: zeros(),
            inner: options.rule.optimiser.start(n),
            trace: trace.clone(),
            products: (0..if reaches { groups } else { 0 }).map(|_| zeros()).collect(),
        };
        let standing = Standing {
            update: 0,
            moments: options.meta.start(logits.len()),
            rail: options.rail.start(),
            seen: [eta.gamma, eta.lambda],
            logits,
            steps: 0,
            frames: 0,
            episodes: 0,
            recent: VecDeque::new(),
            gauge: Gauge::new(options.gap_every.max(options.window() as u64)),
        };
        let state = State { theta, inner: options.rule.optimiser.start(n), trace, standing };
        let mut worlds = worlds.into_iter();
        let size = options.group_size();
        let groups = (0..groups).map(|_| Group { worlds: worlds.by_ref().take(size).collect() }).collect();
        let (now, next, past, tapes) = Default::default();
        let (net, pool) = (Arc::new(net), None);
        let mut learner = Learner { options, seed, net, heads, state, groups, pool, now, next, past, tapes, work };
        learner.work.theta.clone_from(&learner.state.theta);
        learner.act(0, [eta.gamma, eta.lambda])?;
        std::mem::swap(&mut learner.now, &mut learner.next);
        learner.count();
        Ok(learner)
    }

    /// Where it stands.
    pub fn state(&self) -> &State<F> {
        &self.state
    }

    /// What it was asked to do.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Values of the meta-parameters of the next update.
    pub fn eta(&self) -> Eta {
        self.eta_at(self.state.standing.update)
    }

    /// The same after `done` updates, with the logits as they are.
    fn eta_at(&self, done: u64) -> Eta {
        self.options.tunables.eta(&self.state.standing.logits, done as f64 / self.options.updates.max(1) as f64)
    }

    /// What the network sees of gamma and lambda: nothing without an embedding.
    fn condition(&self, seen: [f64; 2]) -> Vec<F> {
        seen[..self.net.conditioning()].iter().map(|x| F::of(*x)).collect()
    }

    /// Takes the steps and episodes of the waiting unroll into the counts.
    fn count(&mut self) {
        let standing = &mut self.state.standing;
        for slot in &self.now {
            standing.steps += slot.unroll.steps() as u64;
            standing.frames += slot.frames;
            standing.episodes += slot.finished.len() as u64;
            standing.recent.extend(slot.finished.iter().copied());
        }
        let extra = standing.recent.len().saturating_sub(RECENT);
        standing.recent.drain(..extra);
    }
}

/// The actors' streams of one unroll.
fn generators(seed: u64, index: u64, actors: std::ops::Range<usize>) -> Vec<Rng> {
    actors.map(|b| Address::new(seed, Purpose::Online).iteration(index).task(b).stream()).collect()
}

impl<F: Real + Element, W: World + 'static, N: Network<F, Obs = W::Obs> + Send + 'static> super::Updates
    for Learner<F, W, N>
{
    type Row = Row;

    fn done(&self) -> u64 {
        self.state.standing.update
    }

    fn snapshot(&mut self) -> Result<super::Snapshot, String> {
        self.save()
    }

    fn restore(&mut self, snapshot: &super::Snapshot) -> Result<(), String> {
        self.go_on(snapshot)
    }

    fn update(&mut self) -> Result<Row, Failed> {
        self.step()
    }
}

impl<F: Real + Element, W: World + 'static, N: Network<F, Obs = W::Obs> + Send + 'static> super::Guarded
    for Learner<F, W, N>
{
    fn rail(&self) -> &RailState {
        &self.state.standing.rail
    }
}
