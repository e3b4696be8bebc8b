//! From a policy's description and a task's spaces to the policy.

use super::{MlpCategorical, MlpGaussian, Policy, TabularSoftmax, Trunk};
use crate::diff::{Activation, Init, Mlp};
use tasks::env::Space;

/// Which family of policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One logit per state and action.
    Tabular,
    /// Multilayer perceptron: softmax on discrete actions, Gaussian on continuous ones.
    Mlp,
}

/// What the user says about a policy; the spaces of the task settle the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Table or network.
    pub kind: Kind,
    /// Widths of the hidden layers; empty for a linear network.
    pub hidden: Vec<usize>,
    /// Nonlinearity of the hidden layers.
    pub activation: Activation,
    /// Initial weights.
    pub init: Init,
    /// Initial log standard deviation (Gaussian only).
    pub log_std: f64,
    /// Lower limit of the log standard deviation (Gaussian only).
    pub min_log_std: Option<f64>,
    /// Adds a linear value output on the shared trunk (networks only).
    pub value_head: bool,
}

impl Spec {
    /// A table.
    pub fn tabular() -> Spec {
        Spec { kind: Kind::Tabular, hidden: Vec::new(), ..Spec::mlp() }
    }

    /// The network of the SG-MRL paper: two hidden tanh layers of 100, Glorot uniform, standard deviation 1, no value head.
    pub fn mlp() -> Spec {
        Spec {
            kind: Kind::Mlp,
            hidden: vec![100, 100],
            activation: Activation::Tanh,
            init: Init::GlorotUniform,
            log_std: 0.0,
            min_log_std: None,
            value_head: false,
        }
    }
}

impl Policy {
    /// The policy for these spaces.
    ///
    /// Networks read discrete observations as one-hot rows. Tables need discrete observations and actions.
    ///
    /// # Errors
    /// A sentence that names what does not fit and what is allowed.
    pub fn build(spec: &Spec, observation: &Space, action: &Space) -> Result<Policy, String> {
        let describe = |space: &Space| match space {
            Space::Discrete(n) => format!("{n} discrete values"),
            Space::Box { low, .. } => format!("a box of {} coordinates", low.len()),
        };
        for (name, space) in [("observation", observation), ("action", action)] {
            if matches!(space, Space::Discrete(0)) || space.width() == 0 {
                return Err(format!("the {name} space is empty; it needs at least one value or coordinate"));
            }
        }
        if spec.kind == Kind::Tabular {
            let (Space::Discrete(states), Space::Discrete(actions)) = (observation, action) else {
                return Err(format!(
                    "policy kind `tabular` needs discrete observations and actions, but this task has {} as observation and \
                     {} as action; allowed here: `mlp`",
                    describe(observation),
                    describe(action)
                ));
            };
            if spec.value_head {
                return Err("`value_head` needs policy kind `mlp`; a table has no trunk to share".into());
            }
            return Ok(Policy::Tabular(TabularSoftmax::new(*states, *actions)));
        }
        if spec.hidden.contains(&0) {
            return Err(format!("`hidden` is {:?}; every hidden layer needs at least one unit", spec.hidden));
        }
        let (inputs, one_hot) = match observation {
            Space::Discrete(n) => (*n, true),
            Space::Box { low, .. } => (low.len(), false),
        };
        let outputs = match action {
            Space::Discrete(n) => *n,
            Space::Box { low, .. } => low.len(),
        };
        let mut sizes = vec![inputs];
        sizes.extend(&spec.hidden);
        sizes.push(outputs + usize::from(spec.value_head));
        let mlp = Mlp::new(sizes, spec.activation);
        let trunk = Trunk { mlp, init: spec.init, one_hot, value_head: spec.value_head };
        let space = action.clone();
        Ok(match action {
            Space::Discrete(_) => Policy::Categorical(MlpCategorical { trunk, actions: outputs, space }),
            Space::Box { .. } => {
                let (log_std, min_log_std) = (spec.log_std, spec.min_log_std);
                Policy::Gaussian(MlpGaussian { trunk, width: outputs, log_std, min_log_std, space })
            }
        })
    }
}
