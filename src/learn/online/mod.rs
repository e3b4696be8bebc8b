//! Learners of `online`: one task, one lifetime, meta-parameters that move with every update.

pub mod actor_critic;
mod arms;
mod chain;
mod snapshot;

pub use super::updates::{Failed, Updates};
pub use snapshot::Snapshot;

use crate::estimator::online::{Mode, OuterReturn, Rail, RailState, Setting, Verdict};
use crate::optim::{self, Optimiser};
use serde::{Deserialize, Serialize};

/// A small task of one lifetime.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Ten states in a row: leaving s1, s3, ... pays +0.1, leaving s2, s4, ... pays N(0, 1). TD(lambda) prediction with a table.
    SignalNoise,
    /// Nine states in a row that pay N(0, 1), minus that, N(0, 1), minus that, ..., N(0, 1). TD(lambda) prediction with a table.
    NegatedPairs,
    /// One choice among arms that pay after a delay; exact policy gradients, no randomness.
    Arms {
        /// Steps until an arm pays, at least 1.
        delays: Vec<f64>,
        /// What it pays.
        rewards: Vec<f64>,
    },
}

impl Task {
    /// Number of states in a row; `None` where there is but one.
    pub fn chain(&self) -> Option<usize> {
        match self {
            Task::SignalNoise => Some(chain::SIGNAL_NOISE),
            Task::NegatedPairs => Some(chain::NEGATED_PAIRS),
            Task::Arms { .. } => None,
        }
    }
}

/// What is learned, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The task.
    pub task: Task,
    /// Inner step size.
    pub alpha: f64,
    /// Factor of the entropy (arms only).
    pub entropy: f64,
    /// Discount: on a chain one per state.
    pub gamma: Setting,
    /// Trace parameter: on a chain one per state; arms have none.
    pub lambda: Setting,
    /// Where the outer advantage comes from (arms only).
    pub outer: OuterReturn,
    /// Optimiser of the logits.
    pub meta: Optimiser,
    /// What happens to bad meta-gradients.
    pub rail: Rail,
    /// Updates of the whole run: the length of schedules.
    pub updates: u64,
}

/// Which meta-parameter is learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// gamma.
    Gamma,
    /// lambda.
    Lambda,
    /// None: all are fixed or scheduled.
    Nothing,
}

impl Options {
    /// Which meta-parameter is learned; gamma if both were asked for, which the configuration refuses.
    pub fn learned(&self) -> Learned {
        match (self.gamma.mode, self.lambda.mode) {
            (Mode::Meta, _) => Learned::Gamma,
            (_, Mode::Meta) => Learned::Lambda,
            _ => Learned::Nothing,
        }
    }

    /// Setting of the learned one.
    fn moving(&self) -> Option<Setting> {
        match self.learned() {
            Learned::Gamma => Some(self.gamma),
            Learned::Lambda => Some(self.lambda),
            Learned::Nothing => None,
        }
    }
}

/// Everything that changes from update to update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Updates done.
    pub update: u64,
    /// Values of the states, or logits of the arms.
    pub theta: Vec<f64>,
    /// Logits x of the learned meta-parameter: one per state of a chain, else one; empty if none is learned.
    pub logits: Vec<f64>,
    /// The meta-optimiser's moments.
    pub moments: optim::State<f64>,
    /// What the safety rail has seen.
    pub rail: RailState,
}

/// A meta-parameter: one number for all states, or one for each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Values {
    /// The same everywhere.
    Global(f64),
    /// One per state.
    PerState(Vec<f64>),
}

/// What one update reports. Meta-parameters are those the update was made with; logits are those after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Update, from 1.
    pub update: u64,
    /// Discount.
    pub gamma: Values,
    /// Trace parameter (chains only).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lambda: Option<Values>,
    /// Logits of the learned meta-parameter after the update.
    pub logits: Vec<f64>,
    /// Undiscounted return: of the episode, or what the policy expects after the update (arms).
    #[serde(rename = "return")]
    pub achieved: f64,
    /// Outer loss J' after the inner step: sum of squared errors of the values on the next episode (chains only).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outer_loss: Option<f64>,
    /// Norm of dJ'/dx, before the rail.
    pub meta_gradient_norm: Option<f64>,
    /// Norm of the change of the values or of the arms' logits.
    pub update_norm: f64,
    /// Meta-gradients skipped so far: not finite, or exploded.
    pub skipped: u64,
    /// Environment steps so far; those of an exact gradient are none.
    pub frames: u64,
}

/// What a task tells of one inner step.
struct Inner {
    theta: Vec<f64>,
    /// dJ'/deta, one entry per logit.
    d_eta: Vec<f64>,
    achieved: f64,
    outer_loss: Option<f64>,
    frames: u64,
}

/// A learner whose meta-gradients are watched.
pub trait Guarded: Updates {
    /// What the safety rail has seen.
    fn rail(&self) -> &RailState;
}

impl Guarded for Learner {
    fn rail(&self) -> &RailState {
        &self.state.rail
    }
}

impl Updates for Learner {
    type Row = Row;

    fn done(&self) -> u64 {
        self.state.update
    }

    fn snapshot(&mut self) -> Result<Snapshot, String> {
        Snapshot::of(&self.state)
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        let state: State = snapshot.values()?;
        let sizes = |s: &State| [s.theta.len(), s.logits.len(), s.moments.first.len(), s.moments.second.len()];
        if sizes(&state) != sizes(&self.state) {
            return Err("the state of another task".into());
        }
        self.state = state;
        Ok(())
    }

    fn update(&mut self) -> Result<Row, Failed> {
        self.step()
    }
}

/// A learner on one small task.
#[derive(Clone, Debug)]
pub struct Learner {
    options: Options,
    seed: u64,
    state: State,
}

impl Learner {
    /// A fresh learner: values and logits of arms are zero.
    pub fn new(options: Options, seed: u64) -> Learner {
        let parameters = match &options.task {
            Task::Arms { delays, .. } => delays.len(),
            chain => chain.chain().unwrap_or(1),
        };
        let count = options.task.chain().unwrap_or(1);
        let logits = options.moving().map_or(Vec::new(), |setting| vec![setting.logit(setting.initial); count]);
        let moments = options.meta.start(logits.len());
        let state = State { update: 0, theta: vec![0.0; parameters], logits, moments, rail: options.rail.start() };
        Learner { options, seed, state }
    }

    /// Where it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What it was asked to do.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Value of a setting that is not learned, at this point of the run.
    fn given(&self, setting: &Setting) -> f64 {
        let progress = self.state.update as f64 / self.options.updates.max(1) as f64;
        match setting.mode {
            Mode::Fixed | Mode::Meta => setting.initial,
            Mode::Scheduled { end } => setting.initial + (end - setting.initial) * progress.clamp(0.0, 1.0),
        }
    }

    /// Current values: those of the learned setting's logits, else the given one.
    fn values(&self, setting: &Setting, is_learned: bool) -> Values {
        match (is_learned, self.options.task.chain()) {
            (true, Some(_)) => Values::PerState(self.state.logits.iter().map(|x| setting.value(*x)).collect()),
            (true, None) => Values::Global(setting.value(self.state.logits[0])),
            (false, _) => Values::Global(self.given(setting)),
        }
    }

    /// gamma and lambda of the next update.
    pub fn eta(&self) -> [Values; 2] {
        let learned = self.options.learned();
        [
            self.values(&self.options.gamma, learned == Learned::Gamma),
            self.values(&self.options.lambda, learned == Learned::Lambda),
        ]
    }

    /// One inner step, its meta-gradient, and one step of the meta-parameters.
    ///
    /// # Errors
    /// A number was not finite; the state is that before the update.
    pub fn step(&mut self) -> Result<Row, Failed> {
        let update = self.state.update + 1;
        let [gamma, lambda] = self.eta();
        let inner = match &self.options.task {
            Task::Arms { delays, rewards } => arms::step(self, delays, rewards, &gamma),
            chain => chain::step(self, chain, &gamma, &lambda),
        };
        if inner.theta.iter().any(|x| !x.is_finite()) {
            return Err(Failed::Diverged { update });
        }
        let meta_gradient_norm = self.meta_step(&inner.d_eta);
        let moved: f64 = inner.theta.iter().zip(&self.state.theta).map(|(a, b)| (a - b) * (a - b)).sum();
        self.state.theta = inner.theta;
        self.state.update = update;
        Ok(Row {
            update,
            gamma,
            lambda: self.options.task.chain().map(|_| lambda),
            logits: self.state.logits.clone(),
            achieved: inner.achieved,
            outer_loss: inner.outer_loss,
            meta_gradient_norm: meta_gradient_norm.is_finite().then_some(meta_gradient_norm),
            update_norm: moved.sqrt(),
            skipped: self.state.rail.not_finite + self.state.rail.exploded,
            frames: inner.frames,
        })
    }

    /// Moves the logits down J', unless the rail objects; returns the norm of the meta-gradient in logits.
    fn meta_step(&mut self, d_eta: &[f64]) -> f64 {
        let Some(setting) = self.options.moving() else { return 0.0 };
        let slopes = self.state.logits.iter().map(|x| setting.slope(*x));
        let mut ascent: Vec<f64> = d_eta.iter().zip(slopes).map(|(d, slope)| -d * slope).collect();
        let norm = optim::norm(&ascent);
        if let Verdict::Apply { factor } = self.options.rail.judge(&mut self.state.rail, &mut ascent) {
            let meta = self.options.meta.scaled(factor);
            meta.ascend(&mut self.state.moments, &ascent, &mut self.state.logits);
        }
        norm
    }
}
