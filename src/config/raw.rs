//! The configuration file as written: every key optional, nothing checked but names and types.

use super::{Fault, explain};
use serde::{Deserialize, Serialize};

/// A whole configuration file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Raw {
    /// Name of the run.
    pub name: Option<String>,
    /// Seed of every random stream.
    pub seed: Option<u64>,
    /// Outer iterations in total.
    pub iterations: Option<u64>,
    /// Scalar type.
    pub precision: Option<Precision>,
    /// Discount of the objective; the family's own by default.
    pub gamma: Option<f64>,
    /// `name` and the parameters of that family.
    pub family: toml::Table,
    /// Policy.
    pub policy: Policy,
    /// Inner loop.
    pub inner: Inner,
    /// Outer loop.
    pub outer: Outer,
    /// Stationarity gap during training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
}

/// Section `[gap]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gap {
    /// Outer iterations between measurements; none without it.
    pub every: Option<u64>,
    /// How it is measured.
    pub method: Option<GapMethod>,
    /// Independent groups of tasks.
    pub groups: Option<usize>,
    /// Tasks per group.
    pub tasks: Option<usize>,
    /// Outer episodes per task (U-statistic).
    pub episodes: Option<usize>,
}

/// Section `[policy]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Parametrisation; `tabular` by default where observations and actions are both discrete.
    pub kind: Option<PolicyKind>,
    /// Width of each hidden layer.
    pub hidden: Option<Vec<usize>>,
    /// Non-linearity.
    pub activation: Option<Activation>,
    /// Initial weights.
    pub init: Option<Init>,
    /// Factor of orthogonal initial weights.
    pub init_gain: Option<f64>,
    /// Initial log standard deviation of Gaussian actions.
    pub log_std: Option<f64>,
    /// Lower limit of the log standard deviation.
    pub min_log_std: Option<f64>,
}

/// Section `[inner]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inner {
    /// Adaptation steps zeta.
    pub steps: Option<usize>,
    /// Episodes n per inner batch.
    pub episodes: Option<usize>,
    /// Step size.
    pub alpha: Option<f64>,
    /// One learned step size per parameter.
    pub learn_alpha: Option<bool>,
    /// Content of the advantages.
    pub advantage: Option<InnerAdvantage>,
    /// Lambda of GAE.
    pub lambda: Option<f64>,
    /// State-value baseline.
    pub baseline: Option<InnerBaseline>,
    /// Ridge coefficient of the baseline.
    pub ridge: Option<f64>,
    /// Shift and scale to mean 0, standard deviation 1.
    pub normalise: Option<bool>,
    /// Divisor of the weighted scores.
    pub average: Option<Average>,
    /// Bootstrap at time-outs.
    pub bootstrap: Option<bool>,
    /// Discount of the inner advantages; the objective's by default.
    pub gamma: Option<f64>,
}

/// Section `[outer]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outer {
    /// Name of the estimator.
    pub estimator: Option<String>,
    /// Tasks B per meta-batch.
    pub tasks: Option<usize>,
    /// Episodes per outer batch.
    pub episodes: Option<usize>,
    /// Groups of the leave-group-out estimator.
    pub groups: Option<usize>,
    /// Form of the leave-group-out estimator.
    pub form: Option<Form>,
    /// Weights of the outer part.
    pub advantage: Option<OuterAdvantage>,
    /// Baseline of the outer part.
    pub baseline: Option<OuterBaseline>,
    /// Ridge coefficient of that baseline.
    pub ridge: Option<f64>,
    /// Lambda of GAE.
    pub lambda: Option<f64>,
    /// Normalise processed outer advantages.
    pub normalise: Option<bool>,
    /// Divisor of processed outer scores.
    pub average: Option<Average>,
    /// Bootstrap at time-outs.
    pub bootstrap: Option<bool>,
    /// Optimiser.
    pub optimiser: Option<Optimiser>,
    /// Step size.
    pub beta: Option<f64>,
    /// First-moment decay of Adam.
    pub beta1: Option<f64>,
    /// Second-moment decay of Adam.
    pub beta2: Option<f64>,
    /// Mean-square decay of RMSProp.
    pub decay: Option<f64>,
    /// Stabiliser of Adam and RMSProp.
    pub epsilon: Option<f64>,
    /// Largest norm of the meta-gradient.
    pub clip_norm: Option<f64>,
    /// Trust region of TRPO.
    pub kl: Option<f64>,
    /// Products of TRPO's conjugate gradient.
    pub cg_steps: Option<usize>,
    /// Damping of TRPO's Fisher matrix.
    pub damping: Option<f64>,
    /// Candidates of TRPO's line search.
    pub backtracks: Option<usize>,
    /// Factor between two candidates.
    pub backtrack_ratio: Option<f64>,
    /// Optimiser steps of ProMP per iteration.
    pub epochs: Option<usize>,
    /// Clip range of ProMP's ratios.
    pub clip: Option<f64>,
    /// Coefficient of ProMP's inner KL penalty.
    pub inner_kl: Option<f64>,
}

macro_rules! names {
    ($(#[$doc:meta])* $kind:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $kind {
            $($(#[$variant_doc])* #[serde(rename = $name)] $variant,)+
        }
    };
}

names!(
    /// Scalar types.
    Precision {
        /// Single.
        F32 = "f32",
        /// Double.
        F64 = "f64",
    }
);
names!(
    /// Parametrisations.
    PolicyKind {
        /// Perceptron.
        Mlp = "mlp",
        /// Softmax table.
        Tabular = "tabular",
    }
);
names!(
    /// Non-linearities.
    Activation {
        /// Hyperbolic tangent.
        Tanh = "tanh",
        /// Rectifier.
        Relu = "relu",
    }
);
names!(
    /// Initialisers.
    Init {
        /// Glorot uniform.
        GlorotUniform = "glorot-uniform",
        /// Orthogonal.
        Orthogonal = "orthogonal",
    }
);
names!(
    /// Inner advantages.
    InnerAdvantage {
        /// Reward-to-go with absolute discount.
        Return = "return",
        /// Generalised advantage estimation.
        Gae = "gae",
    }
);
names!(
    /// Inner baselines.
    InnerBaseline {
        /// Zero.
        None = "none",
        /// Time-dependent linear.
        Linear = "linear",
    }
);
names!(
    /// Divisors.
    Average {
        /// Number of trajectories.
        Trajectories = "trajectories",
        /// Number of time steps.
        Steps = "steps",
    }
);
names!(
    /// Forms of leave-group-out.
    Form {
        /// Importance-weighted.
        Importance = "importance",
        /// Re-simulated.
        Resimulated = "resimulated",
    }
);
names!(
    /// Outer advantages.
    OuterAdvantage {
        /// Unbiased.
        Raw = "raw",
        /// Processed reward-to-go.
        Return = "return",
        /// Processed GAE.
        Gae = "gae",
    }
);
names!(
    /// Outer baselines: the last three belong to `raw`, `linear` to processed advantages.
    OuterBaseline {
        /// Zero.
        None = "none",
        /// Linear, fitted on the last inner batch.
        Inner = "inner",
        /// Linear, fitted on the other outer episodes.
        CrossFit = "cross-fit",
        /// Linear, fitted on the same batch (processed advantages only).
        Linear = "linear",
    }
);
names!(
    /// Ways to measure the gap.
    GapMethod {
        /// The best feasible one.
        Auto = "auto",
        /// All inner batches.
        Enumerated = "enumerated",
        /// Sampled inner batches, exact outer expectation.
        RaoBlackwell = "rao-blackwell",
        /// Samples only.
        UStatistic = "u-statistic",
    }
);
names!(
    /// Outer optimisers.
    Optimiser {
        /// Adam.
        Adam = "adam",
        /// Plain ascent.
        Sgd = "sgd",
        /// RMSProp, TensorFlow's dialect.
        RmsPropTf = "rmsprop-tf",
        /// RMSProp, PyTorch's dialect.
        RmsPropTorch = "rmsprop-torch",
        /// Trust region.
        Trpo = "trpo",
        /// Clipped ratios, several epochs of Adam.
        Promp = "promp",
    }
);

impl Raw {
    /// Reads the mirror from a parsed tree.
    ///
    /// # Errors
    /// Unknown keys and wrong types, with the dotted key and what is allowed.
    pub(crate) fn from_table(table: toml::Table) -> Result<Raw, Fault> {
        serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|e| {
            let path = e.path().to_string();
            explain::fault(&path, e.inner().message())
        })
    }
}
