//! Learners on one task of a family: a perceptron, in double precision.

use super::{CONDITION, Learner, Options, generators};
use crate::diff::{Activation, ConditionedMlp, Free, Init, Network};
use crate::policy::actor_critic::{ActionHead, Heads};
use crate::rng::{Address, Purpose};
use crate::rollout::world::{FamilyWorld, encoded_width};
use std::sync::Arc;
use tasks::env::{Env, Space};
use tasks::task::Task;

/// A learner on one task of a family.
pub type FamilyLearner = Learner<f64, FamilyWorld<f64>, Free<ConditionedMlp>>;

/// A perceptron with tanh layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MlpShape {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Size of the embedding of gamma and lambda; 0: the network does not see them.
    pub embedding: usize,
}

/// A fresh learner on `task`: Glorot's weights; Gaussian policies have free log standard deviations.
///
/// # Errors
/// The environment failed, in words.
pub fn on_family(task: Task, shape: &MlpShape, options: Options, seed: u64) -> Result<FamilyLearner, String> {
    let policy = match task.action_space() {
        Space::Discrete(actions) => ActionHead::Softmax { actions },
        Space::Box { low, .. } => ActionHead::Gaussian { width: low.len() },
    };
    let count = if let ActionHead::Gaussian { width } = policy { width } else { 0 };
    let heads = Heads { policy, values: 1 + usize::from(options.outer.separate_critic) };
    let mut sizes = vec![encoded_width(&task.observation_space())];
    sizes.extend(&shape.hidden);
    sizes.push(heads.width() - count);
    let net = ConditionedMlp::new(sizes, Activation::Tanh, CONDITION.len(), shape.embedding);
    let mut theta = net.init::<f64>(Init::GlorotUniform, &mut Address::new(seed, Purpose::Init).stream());
    theta.resize(Network::<f64>::n_params(&net) + count, 0.0);
    let net = Free { net, count, place: policy.outputs() - count };
    let task = Arc::new(task);
    let mut rngs = generators(seed, 0, 0..options.actors);
    let worlds = rngs.iter_mut().map(|rng| FamilyWorld::start(task.clone(), rng)).collect();
    Learner::new(options, (net, heads), theta, worlds, seed)
}
