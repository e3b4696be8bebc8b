//! A configuration of `online` as written: every key optional, nothing checked but names and types.

pub use super::raw_atari::Atari;
use super::raw_atari::choices;
use crate::config::{Fault, explain};
use serde::{Deserialize, Serialize};

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Raw {
    /// Name of the run.
    pub name: Option<String>,
    /// Seed of every random stream.
    pub seed: Option<u64>,
    /// Updates in total.
    pub updates: Option<u64>,
    /// Last updates that the closing report averages over.
    pub average: Option<u64>,
    /// Also run the same seed with all meta-parameters fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twin: Option<bool>,
    /// A small task with a learner of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// `name` and the parameters of a family, for the actor-critic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<toml::Table>,
    /// An Atari game, for the actor-critic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub atari: Option<Atari>,
    /// Actors of the actor-critic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actors: Option<Actors>,
    /// Network of the actor-critic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Inner update.
    pub inner: Inner,
    /// Discount.
    pub gamma: Setting,
    /// Trace parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambda: Option<Setting>,
    /// Factor of the policy-gradient term.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_cost: Option<Setting>,
    /// Factor of the value term.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_cost: Option<Setting>,
    /// Factor of the entropy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entropy_cost: Option<Setting>,
    /// alpha of leaky V-trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leak: Option<Setting>,
    /// Outer loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outer: Option<Outer>,
    /// Gap log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
    /// Update of the meta-parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
}

/// Section `[task]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Task {
    /// Which.
    pub name: Option<TaskName>,
    /// Steps until each arm pays.
    pub delays: Option<Vec<f64>>,
    /// What it pays.
    pub rewards: Option<Vec<f64>>,
}

/// Tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskName {
    /// Chain of ten states.
    SignalNoise,
    /// Chain of nine states.
    NegatedPairs,
    /// One choice among arms.
    Arms,
}

/// Section `[inner]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inner {
    /// Step size.
    pub alpha: Option<f64>,
    /// Factor of the entropy.
    pub entropy: Option<f64>,
    /// Optimiser (actor-critic, as are all that follow).
    pub optimiser: Option<InnerOptimiser>,
    /// Step size.
    pub beta: Option<f64>,
    /// First-moment decay of Adam.
    pub beta1: Option<f64>,
    /// Second-moment decay of Adam.
    pub beta2: Option<f64>,
    /// Decay of RMSProp's mean square.
    pub decay: Option<f64>,
    /// Stabiliser of Adam and RMSProp.
    pub epsilon: Option<f64>,
    /// First mean square of RMSProp.
    pub ms_init: Option<f64>,
    /// Largest norm of the gradient.
    pub clip_norm: Option<f64>,
    /// The step size falls linearly to zero over the run.
    pub anneal: Option<bool>,
    /// What the loss divides by.
    pub loss: Option<Loss>,
    /// How targets are made.
    pub target: Option<Target>,
    /// Steps of the n-step return.
    pub n: Option<usize>,
    /// What V-trace advantages bootstrap from.
    pub bootstrap: Option<Bootstrap>,
    /// Limit of V-trace's weight of a temporal difference.
    pub rho_bar: Option<f64>,
    /// Limit of its trace weight.
    pub c_bar: Option<f64>,
    /// Limit of its weight of an advantage.
    pub pg_rho_bar: Option<f64>,
    /// What of clipping and optimiser the meta-gradient differentiates.
    pub differential: Option<Differential>,
}

/// Optimisers of the inner step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InnerOptimiser {
    /// Adam.
    Adam,
    /// RMSProp as in TensorFlow: epsilon inside the root, mean square from one.
    RmspropTf,
    /// RMSProp as in PyTorch: epsilon outside, from zero.
    RmspropPytorch,
    /// Plain gradient steps.
    Sgd,
}

/// What the loss divides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// The number of steps.
    Mean,
    /// Nothing.
    Sum,
}

/// Kinds of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// V-trace.
    Vtrace,
    /// lambda-return; its advantages are those of GAE.
    Lambda,
    /// n-step return.
    NStep,
}

/// Bootstraps of V-trace advantages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bootstrap {
    /// `lambda vs + (1 - lambda) v`.
    Mix,
    /// `vs`.
    Vs,
}

/// What is differentiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Differential {
    /// Everything.
    Exact,
    /// Norm and denominators are constants.
    Frozen,
}

/// Section `[actors]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Actors {
    /// Copies of the task.
    pub count: Option<usize>,
    /// Steps of each between two updates.
    pub length: Option<usize>,
    /// Groups that act and are differentiated as one batch each.
    pub groups: Option<usize>,
    /// Who steps them.
    pub driver: Option<Driver>,
    /// Threads that act (impala).
    pub threads: Option<usize>,
    /// Unrolls of a group that may wait (impala).
    pub queue: Option<usize>,
}

/// Who steps the actors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    /// The learner, between updates.
    Synchronous,
    /// Threads that run ahead.
    Impala,
}

/// Section `[network]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// Layers between observation and heads (Atari).
    pub architecture: Option<Architecture>,
    /// Initial weights (Atari).
    pub init: Option<Init>,
    /// Width of each hidden layer.
    pub hidden: Option<Vec<usize>>,
    /// Size of the embedding of gamma and lambda.
    pub embedding: Option<usize>,
    /// What the embedding enters (Atari).
    pub condition: Option<Conditioned>,
    /// No derivative flows to gamma and lambda through the embedding.
    pub stop_gradient: Option<bool>,
}

/// What sees the embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conditioned {
    /// The hidden layer that policy and values share.
    Torso,
    /// A second hidden layer, of the values alone.
    Value,
}

choices! {
    /// Networks for images.
    Architecture means crate::diff::conv::Architecture {
        /// Three convolutions (Mnih et al. 2015).
        Nature,
        /// Two convolutions (Espeholt et al. 2018).
        ImpalaShallow,
        /// Residual blocks (Espeholt et al. 2018).
        ImpalaDeep
    }
}

choices! {
    /// Initial weights.
    Init means crate::learn::online::actor_critic::Weights {
        /// Orthogonal, small for the policy.
        Orthogonal,
        /// Uniform by fan-in.
        FanIn
    }
}

/// Sections of meta-parameters: `[gamma]`, `[lambda]`, ....
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Setting {
    /// Where the value comes from.
    pub mode: Option<Mode>,
    /// Value at the start.
    pub initial: Option<f64>,
    /// Value at the end of a schedule.
    pub end: Option<f64>,
    /// Lower bound.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Its initial value.
    Fixed,
    /// Linear in the updates.
    Scheduled,
    /// The meta-gradient.
    Meta,
}

/// Section `[outer]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outer {
    /// Where the outer advantage comes from.
    pub critic: Option<Critic>,
    /// gamma' (actor-critic).
    pub gamma: Option<f64>,
    /// lambda' (actor-critic).
    pub lambda: Option<f64>,
    /// Trajectories that it reads (actor-critic).
    pub batch: Option<usize>,
    /// Factor of the value term (actor-critic).
    pub value_cost: Option<f64>,
    /// Factor of the entropy (actor-critic).
    pub entropy_cost: Option<f64>,
    /// Factor of the divergence from the policy before the step (actor-critic).
    pub kl_cost: Option<f64>,
    /// What the network sees (actor-critic).
    pub condition: Option<Condition>,
}

/// What the network sees in the outer loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// The current gamma and lambda.
    Current,
    /// gamma' and lambda'.
    Reference,
}

/// Section `[gap]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gap {
    /// Updates between two measurements; 0 for none.
    pub every: Option<u64>,
}

/// Sources of the outer advantage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Critic {
    /// The true return.
    Unbiased,
    /// The critic of the inner gamma.
    Inner,
    /// The learner's critic.
    Shared,
    /// A second value head, regressed on the targets of gamma' and lambda'.
    Separate,
}

/// Section `[meta]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Meta {
    /// Optimiser of the logits.
    pub optimiser: Option<Optimiser>,
    /// Step size.
    pub beta: Option<f64>,
    /// First-moment decay of Adam.
    pub beta1: Option<f64>,
    /// Second-moment decay of Adam.
    pub beta2: Option<f64>,
    /// Stabiliser of Adam.
    pub epsilon: Option<f64>,
    /// Longest meta-gradient that is applied.
    pub limit: Option<f64>,
    /// Largest coordinate; larger ones are clamped.
    pub clamp: Option<f64>,
    /// Updates over which the step size rises.
    pub warm_up: Option<u64>,
    /// Measurements of the outer gap without a new minimum after which the run falls back to gamma' and lambda'; 0 for never.
    pub patience: Option<u64>,
    /// Decay of the average that is watched.
    pub patience_decay: Option<f64>,
    /// Inner updates between two meta-updates, differentiated through.
    pub window: Option<usize>,
    /// The second derivative of the policy term in a window.
    pub surrogate: Option<Surrogate>,
    /// Decay of the trace of earlier updates.
    pub trace: Option<f64>,
}

choices! {
    /// Second derivatives of the policy term.
    Surrogate means crate::estimator::online::Surrogate {
        /// Of `A log pi`.
        LogProb,
        /// Of `A pi / stopgrad(pi)`: low-variance curvature.
        Lvc
    }
}

/// Optimisers of the logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimiser {
    /// Adam.
    Adam,
    /// Plain gradient steps.
    Sgd,
}

impl Raw {
    /// Reads the mirror from a parsed tree.
    ///
    /// # Errors
    /// Unknown keys and wrong types, with the dotted key and what is allowed.
    pub(super) fn from_table(table: toml::Table) -> Result<Raw, Fault> {
        serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|e| {
            let path = e.path().to_string();
            explain::fault(&path, e.inner().message())
        })
    }
}
