//! Synchronous advantage actor-critic whose meta-parameters move with every update, on one task of a family.

use super::Diverged;
use crate::diff::{Activation, At, ConditionedMlp, Free, Init, Network};
use crate::estimator::online::{
    Auxiliary, Eta, Inner, Objective, Outer, Rail, RailState, Reduction, Step, Tunable, Tunables, Unroll, Verdict,
    outer_gradient,
};
use crate::math::targets::{Target, VTrace};
use crate::optim::{self, Differential, Moving, Optimiser, Rule};
use crate::policy::actor_critic::{ActionHead, Heads};
use crate::rng::{Address, Purpose, Rng};
use crate::rollout::actors::{Actors, encoded_width};
use serde::{Deserialize, Serialize};
use tasks::env::{Env, Space};
use tasks::task::Task;

/// What is learned, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Actors B.
    pub actors: usize,
    /// Steps T of an unroll.
    pub length: usize,
    /// Widths of the hidden layers (tanh).
    pub hidden: Vec<usize>,
    /// Size of the embedding of gamma and lambda; 0: the network does not see them.
    pub embedding: usize,
    /// Inner update of the mean loss over T B steps.
    pub rule: Rule,
    /// Which meta-parameters are fixed, scheduled or learned.
    pub tunables: Tunables,
    /// gamma' and lambda' of the outer loss, which is the policy gradient alone.
    pub reference: [f64; 2],
    /// A second value head is regressed on the targets of eta' and used by the outer loss only.
    pub separate_critic: bool,
    /// Optimiser of the logits.
    pub meta: Optimiser,
    /// What happens to bad meta-gradients.
    pub rail: Rail,
    /// Updates of the whole run.
    pub updates: u64,
}

/// Everything that changes from update to update. The data of the next inner step follow from it: see [`Learner::restore`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Updates done.
    pub update: u64,
    /// Parameters of the network.
    pub theta: Vec<f64>,
    /// Moments of the inner optimiser.
    pub inner: optim::State<f64>,
    /// Logits of the learned meta-parameters.
    pub logits: Vec<f64>,
    /// Moments of the meta-optimiser.
    pub moments: optim::State<f64>,
    /// What the safety rail has seen.
    pub rail: RailState,
    /// gamma and lambda that the actors saw when the waiting unroll was collected.
    pub seen: [f64; 2],
    /// The actors before the waiting unroll.
    pub actors: Actors,
}

/// What one update reports. Meta-parameters are those of the update, logits those after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Update, from 1.
    pub update: u64,
    /// Discount.
    pub gamma: f64,
    /// Trace parameter.
    pub lambda: f64,
    /// Factor of the policy-gradient term.
    pub policy_cost: f64,
    /// Factor of the value term.
    pub value_cost: f64,
    /// Factor of the entropy.
    pub entropy_cost: f64,
    /// Logits of the learned meta-parameters.
    pub logits: Vec<f64>,
    /// Mean undiscounted return of the episodes that ended in the later unroll, if any.
    #[serde(rename = "return")]
    pub achieved: Option<f64>,
    /// Outer loss J' after the inner step.
    pub outer_loss: f64,
    /// Norm of the inner gradient before clipping.
    pub gradient_norm: f64,
    /// Whether the inner gradient was clipped.
    pub clipped: bool,
    /// Mean of pi / mu over the inner unroll.
    pub ratio_mean: f64,
    /// Norm of the meta-gradient in logits, before the rail.
    pub meta_gradient_norm: f64,
    /// Meta-gradients skipped so far.
    pub skipped: u64,
    /// Environment steps so far.
    pub frames: u64,
}

super::updates!(Learner, State, Row);

type Net = Free<ConditionedMlp>;
type Data = Unroll<f64, f64>;

/// A learner on one task.
pub struct Learner {
    task: Task,
    options: Options,
    seed: u64,
    net: Net,
    heads: Heads,
    state: State,
    /// The unroll of the next inner step.
    waiting: Data,
    /// The actors behind it.
    behind: Actors,
}

/// What the network is conditioned on.
const CONDITION: [Tunable; 2] = [Tunable::Gamma, Tunable::Lambda];

/// One meta-gradient beside its central difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checked {
    /// Of which meta-parameter.
    pub tunable: Tunable,
    /// Derivative of -J' by its value, by the formula.
    pub exact: f64,
    /// The same by a central difference through the whole update.
    pub difference: f64,
}

/// One inner step and what follows from it, before anything is committed.
struct Move {
    step: Step<f64>,
    theta: Vec<f64>,
    inner: optim::State<f64>,
    norm: f64,
    later: Data,
    returns: Vec<f64>,
    behind: Actors,
    loss: f64,
    ascent: Vec<f64>,
    by_value: Vec<f64>,
}

impl Learner {
    /// A fresh learner on `task`.
    pub fn new(task: Task, options: Options, seed: u64) -> Learner {
        let policy = match task.action_space() {
            Space::Discrete(actions) => ActionHead::Softmax { actions },
            Space::Box { low, .. } => ActionHead::Gaussian { width: low.len() },
        };
        let count = if let ActionHead::Gaussian { width } = policy { width } else { 0 };
        let heads = Heads { policy, values: 1 + usize::from(options.separate_critic) };
        let mut sizes = vec![encoded_width(&task.observation_space())];
        sizes.extend(&options.hidden);
        sizes.push(heads.width() - count);
        let net = ConditionedMlp::new(sizes, Activation::Tanh, CONDITION.len(), options.embedding);
        let mut theta = net.init::<f64>(Init::GlorotUniform, &mut Address::new(seed, Purpose::Init).stream());
        theta.resize(theta.len() + count, 0.0);
        let net = Free { net, count, place: policy.outputs() - count };
        let logits = options.tunables.start();
        let eta = options.tunables.eta(&logits, 0.0);
        let mut rngs = generators(seed, 0, options.actors);
        let actors = Actors::start(&task, &mut rngs);
        let state = State {
            update: 0,
            inner: options.rule.optimiser.start(theta.len()),
            moments: options.meta.start(logits.len()),
            rail: options.rail.start(),
            seen: [eta.gamma, eta.lambda],
            theta,
            logits,
            actors: actors.clone(),
        };
        let waiting = empty();
        let mut learner = Learner { task, options, seed, net, heads, state, waiting, behind: actors };
        learner.refill();
        learner
    }

    /// Goes on from `state`: the waiting unroll is collected again, from the same streams.
    pub fn restore(&mut self, state: State) {
        self.state = state;
        self.refill();
    }

    /// Whether `state` is one of this learner's.
    pub fn fits(&self, state: &State) -> bool {
        let sizes = |s: &State| {
            let inner = [s.inner.first.len(), s.inner.second.len(), s.moments.first.len(), s.moments.second.len()];
            (s.theta.len(), s.logits.len(), inner, s.actors.states.len(), s.actors.ages.len(), s.actors.returns.len())
        };
        sizes(state) == sizes(&self.state)
    }

    /// Where it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    fn refill(&mut self) {
        let mut behind = self.state.actors.clone();
        let (data, _) = self.collect(&self.state.theta, &self.state.seen, self.state.update, &mut behind);
        (self.waiting, self.behind) = (data, behind);
    }

    /// Values of the meta-parameters of the next update.
    pub fn eta(&self) -> Eta {
        let progress = self.state.update as f64 / self.options.updates.max(1) as f64;
        self.options.tunables.eta(&self.state.logits, progress)
    }

    /// The unroll number `index` of the run, and the returns of episodes that ended in it.
    fn collect(&self, theta: &[f64], seen: &[f64], index: u64, actors: &mut Actors) -> (Data, Vec<f64>) {
        let mut rngs = generators(self.seed, index + 1, self.options.actors);
        let network = (&self.net, &self.heads);
        let found = actors.advance(&self.task, network, [theta, self.condition(seen)], self.options.length, &mut rngs);
        let mut data = Unroll {
            batch: self.options.actors,
            obs: found.obs,
            actions: found.actions,
            rewards: found.rewards,
            not_done: found.not_done,
            successors: Some(found.successors),
            behaviour: Vec::new(),
        };
        let mut tape = Default::default();
        self.net.forward(At { theta, obs: &data.obs, condition: self.condition(seen) }, &mut tape);
        let distribution = self.heads.distribution(self.net.output(&tape));
        data.behaviour = self.heads.log_prob(&distribution, &data.actions);
        (data, found.finished)
    }

    /// What the network sees of gamma and lambda: nothing without an embedding.
    fn condition<'a>(&self, seen: &'a [f64]) -> &'a [f64] {
        &seen[..Network::<f64>::conditioning(&self.net)]
    }

    fn inner(&self) -> Inner<'_, Net> {
        let [gamma, lambda] = self.options.reference;
        let auxiliary = Auxiliary { eta: Eta { value_cost: 0.5, ..Eta::reference(gamma, lambda) }, head: 1 };
        let objective = Objective {
            target: Target::VTrace(VTrace::default()),
            reduction: Reduction::Mean,
            critic: 0,
            auxiliary: self.options.separate_critic.then_some(auxiliary),
        };
        Inner { net: &self.net, heads: self.heads, objective, rule: self.options.rule }
    }

    /// The inner step at `eta`, with the network seeing `seen`: gradient, parameters and moments after it, norm of the gradient.
    fn advance(&self, eta: &Eta, seen: &[f64]) -> (Step<f64>, Vec<f64>, optim::State<f64>, f64) {
        let at = At { theta: &self.state.theta, obs: &self.waiting.obs, condition: self.condition(seen) };
        let step = self.inner().step(at, &self.waiting, eta, &mut Default::default());
        let (mut theta, mut inner, mut gradient) =
            (self.state.theta.clone(), self.state.inner.clone(), step.gradient.clone());
        let norm = self.options.rule.apply(&mut inner, &mut gradient, &mut theta);
        (step, theta, inner, norm)
    }

    /// One inner step on the waiting unroll, a later unroll, and the meta-gradient by values of the learned parameters.
    fn compute(&self) -> Move {
        let eta = self.eta();
        let seen = [eta.gamma, eta.lambda];
        let (step, theta, inner, norm) = self.advance(&eta, &seen);
        let mut behind = self.behind.clone();
        let (later, returns) = self.collect(&theta, &seen, self.state.update + 1, &mut behind);
        let [gamma, lambda] = self.options.reference;
        let objective =
            Objective { critic: usize::from(self.options.separate_critic), auxiliary: None, ..self.inner().objective };
        let outer = Outer { objective, eta: Eta::reference(gamma, lambda) };
        let mut tape = Default::default();
        let at = At { theta: &theta, obs: &later.obs, condition: self.condition(&seen) };
        let found = outer_gradient(&self.net, &self.heads, &outer, at, &later, None, &mut tape);
        let learned = self.options.tunables.learned();
        let mut cotangent = Moving::of(found.ascent.clone(), &self.state.inner);
        let w = self.options.rule.pull_back(&self.state.inner, &step.gradient, Differential::Exact, &mut cotangent);
        let at = At { theta: &self.state.theta, obs: &self.waiting.obs, condition: self.condition(&seen) };
        self.net.forward(at, &mut tape);
        let by_value = if learned.is_empty() {
            Vec::new()
        } else {
            self.inner().along(at, &self.waiting, &eta, &learned, &step.evaluation, &w, &mut tape).total
        };
        Move { step, theta, inner, norm, later, returns, behind, loss: found.loss, ascent: found.ascent, by_value }
    }

    /// One inner step, its meta-gradient on later data, and one step of the meta-parameters.
    ///
    /// # Errors
    /// A number was not finite; the state is that before the update.
    pub fn step(&mut self) -> Result<Row, Diverged> {
        let (eta, update) = (self.eta(), self.state.update + 1);
        let found = self.compute();
        if found.theta.iter().any(|x| !x.is_finite()) {
            return Err(Diverged { update });
        }
        let mut ascent = self.options.tunables.by_logits(&self.state.logits, &found.by_value);
        let meta_gradient_norm = optim::norm(&ascent);
        let state = &mut self.state;
        if let Verdict::Apply { factor } = self.options.rail.judge(&mut state.rail, &mut ascent) {
            self.options.meta.scaled(factor).ascend(&mut state.moments, &ascent, &mut state.logits);
        }
        let ratios = found.step.evaluation.log_prob.iter().zip(&self.waiting.behaviour).map(|(l, m)| (l - m).exp());
        let ratio_mean = ratios.sum::<f64>() / self.waiting.steps() as f64;
        let ended = found.returns.len() as f64;
        (state.theta, state.inner, state.update) = (found.theta, found.inner, update);
        (state.seen, state.actors) = ([eta.gamma, eta.lambda], std::mem::replace(&mut self.behind, found.behind));
        self.waiting = found.later;
        Ok(Row {
            update,
            gamma: eta.gamma,
            lambda: eta.lambda,
            policy_cost: eta.policy_cost,
            value_cost: eta.value_cost,
            entropy_cost: eta.entropy_cost,
            logits: state.logits.clone(),
            achieved: (ended > 0.0).then(|| found.returns.iter().sum::<f64>() / ended),
            outer_loss: found.loss,
            gradient_norm: found.norm,
            clipped: self.options.rule.clip.is_some_and(|limit| found.norm > limit),
            ratio_mean,
            meta_gradient_norm,
            skipped: state.rail.not_finite + state.rail.exploded,
            frames: self.behind.frames,
        })
    }

    /// The meta-gradient of the next update beside central differences of `u . theta'(eta)`, u the outer gradient; nothing changes.
    pub fn check_gradient(&self) -> Vec<Checked> {
        let (eta, found) = (self.eta(), self.compute());
        let seen = [eta.gamma, eta.lambda]; // no derivative through the embedding
        let along = |tunable: Tunable, h: f64| -> f64 {
            let mut moved = eta;
            *moved.get_mut(tunable) += h;
            self.advance(&moved, &seen).1.iter().zip(&found.ascent).map(|(x, u)| x * u).sum()
        };
        let h = 1e-5; // Adam's step bends sharply where a gradient's coordinate is near zero
        let one = |(tunable, exact): (Tunable, &f64)| {
            let wide = along(tunable, 2.0 * h) - along(tunable, -2.0 * h);
            let narrow = along(tunable, h) - along(tunable, -h);
            Checked { tunable, exact: *exact, difference: (8.0 * narrow - wide) / (12.0 * h) }
        };
        self.options.tunables.learned().into_iter().zip(&found.by_value).map(one).collect()
    }
}

/// The actors' streams of one unroll.
fn generators(seed: u64, index: u64, actors: usize) -> Vec<Rng> {
    (0..actors).map(|b| Address::new(seed, Purpose::Online).iteration(index).task(b).stream()).collect()
}

fn empty() -> Data {
    Unroll {
        batch: 1,
        obs: Vec::new(),
        actions: crate::batch::Actions::Discrete(Vec::new()),
        rewards: Vec::new(),
        not_done: Vec::new(),
        successors: None,
        behaviour: Vec::new(),
    }
}
