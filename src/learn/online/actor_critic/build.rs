//! Learners on one task of a family (a perceptron, in double precision) and on an Atari game (convolutions, in single precision).

use super::{CONDITION, Learner, Options, generators};
use crate::diff::conv::{Architecture, ConvInit, ConvNet, Frame};
use crate::diff::{Activation, ConditionedMlp, Free, Init, Network};
use crate::math::real::Real;
use crate::policy::actor_critic::{ActionHead, Heads};
use crate::rng::{Address, Purpose};
use crate::rollout::atari::AtariWorld;
use crate::rollout::world::{Element, FamilyWorld, encoded_width};
use std::sync::Arc;
use tasks::atari::env::AtariEnv;
use tasks::atari::protocol::Protocol;
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

/// Network and layout for `task`; Gaussian policies have free log standard deviations.
pub fn perceptron(task: &Task, shape: &MlpShape, separate_critic: bool) -> (Free<ConditionedMlp>, Heads) {
    let policy = match task.action_space() {
        Space::Discrete(actions) => ActionHead::Softmax { actions },
        Space::Box { low, .. } => ActionHead::Gaussian { width: low.len() },
    };
    let count = if let ActionHead::Gaussian { width } = policy { width } else { 0 };
    let heads = Heads { policy, values: 1 + usize::from(separate_critic) };
    let mut sizes = vec![encoded_width(&task.observation_space())];
    sizes.extend(&shape.hidden);
    sizes.push(heads.width() - count);
    let net = ConditionedMlp::new(sizes, Activation::Tanh, CONDITION.len(), shape.embedding);
    (Free { net, count, place: policy.outputs() - count }, heads)
}

/// A fresh learner on `task`: Glorot's weights, free parameters zero.
///
/// # Errors
/// The environment failed, in words.
pub fn on_family(task: Task, shape: &MlpShape, options: Options, seed: u64) -> Result<FamilyLearner, String> {
    let (net, heads) = perceptron(&task, shape, options.outer.separate_critic);
    let mut theta = net.net.init::<f64>(Init::GlorotUniform, &mut Address::new(seed, Purpose::Init).stream());
    theta.resize(Network::<f64>::n_params(&net), 0.0);
    let task = Arc::new(task);
    let mut rngs = generators(seed, 0, 0..options.actors);
    let worlds = rngs.iter_mut().map(|rng| FamilyWorld::start(task.clone(), rng)).collect();
    Learner::new(options, (net, heads), theta, worlds, seed)
}

/// A learner on an Atari game.
pub type AtariLearner<F> = Learner<F, AtariWorld, ConvNet>;

/// A convolutional network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConvShape {
    /// Torso and hidden layer.
    pub architecture: Architecture,
    /// Size of the embedding of gamma and lambda; 0: the network does not see them.
    pub embedding: usize,
    /// Only the values see the embedding, and of gamma alone, through a hidden layer of their own (specification gradient-bias 4).
    pub value_branch: bool,
    /// Initial weights.
    pub init: Weights,
}

/// Initial weights of a convolutional network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// Orthogonal; the policy's outputs with gain 0.01 (Stable-Baselines3, CleanRL).
    Orthogonal,
    /// PyTorch's default: uniform by fan-in.
    FanIn,
}

/// Network and layout for a game with this many actions.
pub fn convolutions(protocol: &Protocol, actions: usize, shape: ConvShape, separate_critic: bool) -> (ConvNet, Heads) {
    let frame = Frame { channels: protocol.stack, height: protocol.size, width: protocol.size };
    let heads = Heads { policy: ActionHead::Softmax { actions }, values: 1 + usize::from(separate_critic) };
    let conditioning = if shape.value_branch { 1 } else { CONDITION.len() };
    let net = ConvNet::new(shape.architecture, frame, heads.width(), conditioning, shape.embedding);
    (if shape.value_branch { net.with_branch(heads.values) } else { net }, heads)
}

/// A fresh learner on games that have not been started; they have the same protocol and actions.
///
/// # Errors
/// The emulator failed, in words.
///
/// # Panics
/// If there is not one game per actor.
pub fn on_atari<F: Real + Element>(
    games: Vec<AtariEnv>,
    shape: ConvShape,
    options: Options,
    seed: u64,
) -> Result<AtariLearner<F>, String> {
    let (actions, protocol) = (games[0].actions(), games[0].protocol());
    let (net, heads) = convolutions(protocol, actions, shape, options.outer.separate_critic);
    let init = match shape.init {
        Weights::Orthogonal => ConvInit::Orthogonal { policy: actions, policy_gain: 0.01, value_gain: 1.0 },
        Weights::FanIn => ConvInit::FanIn,
    };
    let theta = net.init(init, &mut Address::new(seed, Purpose::Init).stream());
    let mut rngs = generators(seed, 0, 0..options.actors);
    let worlds: Result<Vec<_>, String> =
        games.into_iter().zip(&mut rngs).map(|(game, rng)| AtariWorld::start(game, rng)).collect();
    Learner::new(options, (net, heads), theta, worlds?, seed)
}
