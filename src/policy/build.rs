//! What a configuration says of a policy, the policy built from it, and the names of its tensors.

use super::{MlpCategorical, MlpGaussian, Policy, TabularSoftmax, Trunk, input_width};
use crate::diff::{Activation, Init, Mlp};
use tasks::env::Space;

/// Which kind of policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One logit per (state, action).
    Tabular,
    /// A network.
    Mlp,
}

/// A policy as a configuration describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Table or network.
    pub kind: Kind,
    /// Widths of the hidden layers (networks only).
    pub hidden: Vec<usize>,
    /// Nonlinearity of the hidden layers.
    pub activation: Activation,
    /// Initial weights; biases start at zero.
    pub init: Init,
    /// Initial log standard deviation of continuous actions.
    pub log_std: f64,
    /// Floor of the log standard deviation.
    pub min_log_std: Option<f64>,
    /// Whether the network also predicts a value.
    pub value_head: bool,
}

impl Spec {
    /// A table.
    pub fn tabular() -> Spec {
        Spec { kind: Kind::Tabular, hidden: Vec::new(), ..Spec::mlp() }
    }

    /// The network of the SG-MRL paper: 100 x 100 tanh, Glorot uniform, log standard deviation 0.
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

/// One named tensor inside the flat parameter vector, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// `logits` `[S, A]`; `mlp.L.weight` `[inputs, outputs]` (y = x W + b); `mlp.L.bias` `[outputs]`; `log_std` `[width]`.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Index of its first number in the flat vector.
    pub offset: usize,
}

impl Policy {
    /// Builds the policy that `spec` describes for these spaces.
    ///
    /// # Errors
    /// A table for spaces that are not both discrete, or a value head on a table.
    pub fn build(spec: &Spec, observation: &Space, action: &Space) -> Result<Policy, String> {
        if spec.kind == Kind::Tabular {
            let (Space::Discrete(states), Space::Discrete(actions)) = (observation, action) else {
                return Err("a tabular policy needs discrete observations and actions; use kind = \"mlp\" here".into());
            };
            if spec.value_head {
                return Err("a tabular policy has no value head; use kind = \"mlp\"".into());
            }
            return Ok(Policy::Tabular(TabularSoftmax { states: *states, actions: *actions }));
        }
        let (inputs, one_hot) = input_width(observation);
        let head = match action {
            Space::Discrete(n) => *n,
            Space::Box { low, .. } => low.len(),
        };
        let sizes = std::iter::once(inputs)
            .chain(spec.hidden.iter().copied())
            .chain([head + usize::from(spec.value_head)])
            .collect::<Vec<_>>();
        if sizes.contains(&0) {
            return Err("every layer needs at least one unit".into());
        }
        let trunk =
            Trunk { mlp: Mlp::new(sizes, spec.activation), init: spec.init, one_hot, value_head: spec.value_head };
        Ok(match action {
            Space::Discrete(_) => Policy::Categorical(MlpCategorical { trunk, actions: head }),
            Space::Box { .. } => {
                let (log_std, min_log_std) = (spec.log_std, spec.min_log_std);
                Policy::Gaussian(MlpGaussian { trunk, width: head, log_std, min_log_std })
            }
        })
    }

    /// The tensors inside the flat parameter vector, in order and without gaps.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        if let Policy::Tabular(p) = self {
            return vec![TensorSpec { name: "logits".into(), shape: vec![p.states, p.actions], offset: 0 }];
        }
        let mut tensors = Vec::new();
        for (l, layer) in self.trunk().into_iter().flat_map(|t| t.mlp.layers()).enumerate() {
            let shape = vec![layer.inputs, layer.outputs];
            tensors.push(TensorSpec { name: format!("mlp.{l}.weight"), shape, offset: layer.weight.start });
            tensors.push(TensorSpec {
                name: format!("mlp.{l}.bias"),
                shape: vec![layer.outputs],
                offset: layer.bias.start,
            });
        }
        if let Policy::Gaussian(p) = self {
            tensors.push(TensorSpec { name: "log_std".into(), shape: vec![p.width], offset: self.network_params() });
        }
        tensors
    }
}
