//! What the actor-critic is asked to do.

use super::pool::Ahead;
use crate::estimator::online::{Auxiliary, Eta, Objective, Outer, Rail, Reduction, Surrogate, Tunable, Tunables};
use crate::math::targets::Target;
use crate::optim::{Differential, Optimiser, Rule};

/// What the network is conditioned on, or on the first of them alone.
pub const CONDITION: [Tunable; 2] = [Tunable::Gamma, Tunable::Lambda];

/// Factor of the loss of a separate outer critic: the heads share a torso, but not their output weights.
const AUXILIARY_COST: f64 = 0.5;

/// Measurements of the gap are averaged over blocks of at least this many updates.
pub const BLOCK_UPDATES: u64 = 50;

/// Blocks that an interval is made of at most.
pub const BLOCKS: usize = 20;

/// What is learned, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Actors B.
    pub actors: usize,
    /// Groups of actors: a group acts and is differentiated as one batch, and the gap is measured between groups.
    pub groups: usize,
    /// Steps T of an unroll.
    pub length: usize,
    /// Who steps the actors.
    pub driver: Driver,
    /// How targets are made.
    pub target: Target,
    /// What the loss divides by.
    pub reduction: Reduction,
    /// Inner update.
    pub rule: Rule,
    /// The inner step size falls linearly to zero over the run.
    pub anneal: bool,
    /// Which meta-parameters are fixed, scheduled or learned.
    pub tunables: Tunables,
    /// Outer loss.
    pub outer: OuterOptions,
    /// No derivative flows to gamma and lambda through the network's input (Xu et al. 2018).
    pub stop_gradient: bool,
    /// What of clipping and optimiser is differentiated.
    pub differential: Differential,
    /// Through how many updates.
    pub reach: Reach,
    /// Optimiser of the logits.
    pub meta: Optimiser,
    /// What happens to bad meta-gradients.
    pub rail: Rail,
    /// Updates of the whole run.
    pub updates: u64,
    /// Updates between two measurements of the gap; 0 for none.
    pub gap_every: u64,
}

/// How many inner updates a meta-gradient differentiates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reach {
    /// K updates with the same logits, then one meta-gradient through all of them, exact for targets that do not depend on theta
    /// (specification gradient-bias 4). One update is Xu et al. 2018 with mu = 0.
    Window {
        /// K, at least 1.
        steps: usize,
        /// The second derivative that the policy term is given; has no effect for K = 1.
        surrogate: Surrogate,
    },
    /// A meta-gradient in every update, through all updates before it: the trace `z' = mu (dtheta'/dtheta) z + dtheta'/deta` of
    /// the whole map, targets included (specification metagrad-atari 2.5).
    Trace {
        /// mu in (0, 1].
        decay: f64,
    },
}

impl Reach {
    /// The update itself.
    pub const ONE: Reach = Reach::Window { steps: 1, surrogate: Surrogate::LogProb };
}

/// Who steps the actors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// The learner, between two updates (A2C): on-policy, exact to resume, the same for any number of threads.
    Synchronous,
    /// Threads that run ahead of the learner (IMPALA): off-policy, faster with several cores, not reproducible.
    Impala(Ahead),
}

/// The outer loss J'.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OuterOptions {
    /// gamma', lambda' and the factors of the terms; policy gradient alone by default ([`Eta::reference`]).
    pub eta: Eta,
    /// Factor of `KL(pi_theta' || pi_theta)`.
    pub kl: f64,
    /// A second value head is regressed on the targets of eta' and used by the outer loss only.
    pub separate_critic: bool,
    /// Trajectories of the later unroll that it reads, whole groups.
    pub batch: usize,
    /// The network sees gamma' and lambda' in the outer loss, instead of the current values.
    pub sees_reference: bool,
}

impl Options {
    /// Actors of one group.
    pub fn group_size(&self) -> usize {
        self.actors / self.groups
    }

    /// Groups that the outer loss reads.
    pub fn outer_groups(&self) -> usize {
        self.outer.batch / self.group_size()
    }

    /// Steps of one group in an unroll.
    pub fn group_steps(&self) -> usize {
        self.group_size() * self.length
    }

    /// The inner update at this point of the run.
    pub fn rule_at(&self, update: u64) -> Rule {
        let left = 1.0 - update as f64 / self.updates.max(1) as f64;
        let factor = if self.anneal { left.clamp(0.0, 1.0) } else { 1.0 };
        Rule { optimiser: self.rule.optimiser.scaled(factor), ..self.rule }
    }

    /// Updates of a window; 1 where nothing is learned.
    pub fn window(&self) -> usize {
        match self.reach {
            Reach::Window { steps, .. } if !self.tunables.learned().is_empty() => steps,
            _ => 1,
        }
    }

    /// mu, if there is a trace.
    pub fn decay(&self) -> Option<f64> {
        match self.reach {
            Reach::Trace { decay } if !self.tunables.learned().is_empty() => Some(decay),
            _ => None,
        }
    }

    /// Logits that the safety rail falls back to: gamma and lambda of the outer loss; the other learned meta-parameters as they were at
    /// the start, since J' has factors of its own.
    pub fn fallen_logits(&self) -> Vec<f64> {
        let start = self.tunables.eta(&self.tunables.start(), 0.0);
        self.tunables.fall_back(&Eta { gamma: self.outer.eta.gamma, lambda: self.outer.eta.lambda, ..start })
    }

    /// Whether the gap is measured in this update, the last of a window: the first such after every `gap_every` updates.
    pub fn is_measured(&self, update: u64) -> bool {
        let before = update.saturating_sub(self.window() as u64);
        self.gap_every > 0 && update / self.gap_every > before / self.gap_every
    }

    /// The inner objective.
    pub fn objective(&self) -> Objective {
        let eta = Eta { value_cost: AUXILIARY_COST, ..self.outer.eta };
        Objective {
            target: self.target,
            reduction: self.reduction,
            critic: 0,
            auxiliary: self.outer.separate_critic.then_some(Auxiliary { eta, head: 1 }),
        }
    }

    /// The outer objective.
    pub fn outer(&self) -> Outer {
        let critic = usize::from(self.outer.separate_critic);
        Outer { objective: Objective { critic, auxiliary: None, ..self.objective() }, eta: self.outer.eta }
    }

    /// Factor by which per-group sums of the loss become the whole's: 1, or 1 / groups for means.
    pub fn share(&self, groups: usize) -> f64 {
        match self.reduction {
            Reduction::Sum => 1.0,
            Reduction::Mean => 1.0 / groups as f64,
        }
    }

    /// Factor by which a group's gradient becomes a mean over its transitions.
    pub fn per_transition(&self) -> f64 {
        match self.reduction {
            Reduction::Sum => 1.0 / self.group_steps() as f64,
            Reduction::Mean => 1.0,
        }
    }
}
