//! The inner objective: minus the actor-critic loss, as weights of log-probabilities, entropies and values; its gradient.

use super::eta::{Eta, Tunable};
use super::unroll::Unroll;
use crate::batch::Actions;
use crate::diff::{At, Gradient, Network};
use crate::math::dual::Dual;
use crate::math::real::Real;
use crate::math::targets::{Knobs, Param, Steps, Target, Targets, targets};
use crate::optim::Rule;
use crate::policy::actor_critic::{Distribution, Heads, StepTangents, StepWeights};

/// What the loss divides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// 1: summed over time and batch (IMPALA).
    Sum,
    /// The number of steps (A2C).
    Mean,
}

impl Reduction {
    /// N of the specification.
    pub fn divisor(self, steps: usize) -> f64 {
        match self {
            Reduction::Sum => 1.0,
            Reduction::Mean => steps as f64,
        }
    }
}

/// Which derivative a sampled policy-gradient step is given when it is differentiated again; its value is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surrogate {
    /// Of `A log pi`: naive automatic differentiation.
    LogProb,
    /// Of `A pi / stopgrad(pi)`: low-variance curvature, adds `A grad log pi grad log pi^T`.
    Lvc,
}

/// A second critic, regressed on the targets of a fixed reference: for outer losses that should not use the learner's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Auxiliary {
    /// gamma, lambda and leak of its targets, and the factor of its loss (`value_cost`).
    pub eta: Eta,
    /// Its value head.
    pub head: usize,
}

/// The actor-critic objective of an unroll, for given meta-parameters:
///
/// `(1/N) sum_i [ cp A_i log pi(a_i) - (b/2) (Y_i - v_i)^2 + c H_i ]` with A and Y constant for its gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// Kind of targets.
    pub target: Target,
    /// N.
    pub reduction: Reduction,
    /// Value head that targets and advantages use.
    pub critic: usize,
    /// Another critic to be regressed alongside.
    pub auxiliary: Option<Auxiliary>,
}

/// An actor-critic and the rule that updates it: the map theta -> theta' that meta-gradients differentiate.
#[derive(Clone, Copy, Debug)]
pub struct Inner<'a, N> {
    /// The network.
    pub net: &'a N,
    /// Layout of its outputs.
    pub heads: Heads,
    /// What it ascends.
    pub objective: Objective,
    /// How.
    pub rule: Rule,
}

/// Policy and values of an unroll under the parameters in hand.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation<F> {
    /// Action distributions of all rows.
    pub distribution: Distribution<F>,
    /// `log pi(a_i)` `[T][B]`.
    pub log_prob: Vec<F>,
    /// Values per head and row.
    pub values: Vec<Vec<F>>,
}

/// What one gradient leaves behind for the meta-gradient and the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Step<F> {
    /// Policy and values.
    pub evaluation: Evaluation<F>,
    /// Targets and advantages (values only).
    pub targets: Targets<F>,
    /// The ascent direction `g = -g_hat`, before clipping.
    pub gradient: Vec<F>,
}

/// How outputs move along a direction, and what of that is followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Motion<'a, F> {
    pub tangents: &'a StepTangents<F>,
    /// Targets and importance ratios follow (they are functions of theta); else they are constants.
    pub targets: bool,
    pub surrogate: Surrogate,
}

impl<F: Real> Evaluation<F> {
    /// Forward pass on an unroll and what it says; the tape stays at this point.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn at<N: Network<F>>(
        (net, heads): (&N, &Heads),
        at: At<'_, F, N::Obs>,
        actions: &Actions<F>,
        tape: &mut N::Tape,
    ) -> Evaluation<F> {
        net.forward(at, tape);
        Evaluation::of(heads, net.output(tape), actions)
    }

    /// Reads the outputs `[rows, width]` of an unroll.
    pub fn of(heads: &Heads, outputs: &[F], actions: &Actions<F>) -> Evaluation<F> {
        let distribution = heads.distribution(outputs);
        let log_prob = heads.log_prob(&distribution, actions);
        Evaluation { distribution, log_prob, values: (0..heads.values).map(|h| heads.values(outputs, h)).collect() }
    }

    /// `pi(a_i) / mu(a_i)` with the derivative of the log-probability where it is followed.
    fn ratio(&self, behaviour: &[F], motion: Option<&[F]>) -> Vec<Dual<F>> {
        let ratio = |(i, (l, m)): (usize, (&F, &F))| Dual::new(*l - *m, motion.map_or(F::zero(), |dot| dot[i])).exp();
        self.log_prob.iter().zip(behaviour).enumerate().map(ratio).collect()
    }
}

impl Objective {
    /// Targets and advantages of an unroll from value head `head`, moving with `moving` and with the outputs.
    fn targets<F: Real, O>(
        &self,
        eta: &Eta,
        moving: Option<Tunable>,
        head: usize,
        unroll: &Unroll<F, O>,
        evaluation: &Evaluation<F>,
        motion: Option<Motion<'_, F>>,
    ) -> Targets<F> {
        let followed = motion.filter(|m| m.targets).map(|m| m.tangents);
        let values = duals(&evaluation.values[head], followed.map(|t| t.values[head].as_slice()));
        let ratio = match self.target {
            Target::VTrace(_) => {
                assert_eq!(
                    unroll.behaviour.len(),
                    unroll.actions.len(),
                    "V-trace needs the behaviour's log-probabilities"
                );
                Some(evaluation.ratio(&unroll.behaviour, followed.map(|t| t.log_prob.as_slice())))
            }
            _ => None,
        };
        let knobs = Knobs {
            gamma: Param::Global(eta.dual(Tunable::Gamma, moving)),
            lambda: Param::Global(eta.dual(Tunable::Lambda, moving)),
            leak: eta.dual(Tunable::Leak, moving),
        };
        let steps = Steps {
            batch: unroll.batch,
            rewards: &unroll.rewards,
            not_done: &unroll.not_done,
            successors: unroll.successors.as_deref(),
            values: &values,
            ratio: ratio.as_deref(),
        };
        targets(&self.target, &knobs, &steps)
    }

    /// Weights of the steps: `w = cp A / N`, `e = c / N`, `u = b (Y - v) / N`, with their derivatives along the direction in
    /// which the meta-parameter `moving` grows and the outputs move as `motion` says.
    pub(super) fn weights<F: Real, O>(
        &self,
        eta: &Eta,
        moving: Option<Tunable>,
        unroll: &Unroll<F, O>,
        evaluation: &Evaluation<F>,
        motion: Option<Motion<'_, F>>,
    ) -> (StepWeights<F>, Targets<F>) {
        let steps = unroll.actions.len();
        let scale = F::of(1.0 / self.reduction.divisor(steps));
        let residual = |y: &Targets<F>, head: usize, cost: Dual<F>| -> Vec<Dual<F>> {
            let dot = motion.map(|m| &m.tangents.values[head][..steps]);
            let v = duals(&evaluation.values[head][..steps], dot);
            y.value.iter().zip(v).map(|(y, v)| cost * (*y - v).scale(scale)).collect()
        };
        let found = self.targets(eta, moving, self.critic, unroll, evaluation, motion);
        let cost = eta.dual(Tunable::PolicyCost, moving);
        let mut log_prob: Vec<Dual<F>> = found.advantage.iter().map(|a| cost * a.scale(scale)).collect();
        if let Some(Motion { tangents, surrogate: Surrogate::Lvc, .. }) = motion {
            log_prob.iter_mut().zip(&tangents.log_prob).for_each(|(w, dot)| w.du += w.re * *dot);
        }
        let mut values = vec![Vec::new(); evaluation.values.len()];
        values[self.critic] = residual(&found, self.critic, eta.dual(Tunable::ValueCost, moving));
        if let Some(Auxiliary { eta, head }) = &self.auxiliary {
            let other = self.targets(eta, None, *head, unroll, evaluation, motion);
            values[*head] = residual(&other, *head, eta.dual(Tunable::ValueCost, None));
        }
        let entropy = eta.dual(Tunable::EntropyCost, moving).scale(scale);
        (StepWeights { log_prob, entropy, values }, found)
    }
}

impl<N> Inner<'_, N> {
    /// Forward pass on an unroll, targets, and the gradient of the objective at `eta`; the tape stays at this point.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn step<F: Real>(
        &self,
        at: At<'_, F, N::Obs>,
        unroll: &Unroll<F, N::Obs>,
        eta: &Eta,
        tape: &mut N::Tape,
    ) -> Step<F>
    where
        N: Network<F>,
    {
        let evaluation = Evaluation::at((self.net, &self.heads), at, &unroll.actions, tape);
        let mut gradient = vec![F::zero(); at.theta.len()];
        let targets = self.add_gradient(at, unroll, eta, &evaluation, &mut gradient, tape);
        Step { evaluation, targets, gradient }
    }

    /// [`Inner::step`] where the tape holds the forward pass already (the pass that acted): adds the gradient to `gradient`.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn add_gradient<F: Real>(
        &self,
        at: At<'_, F, N::Obs>,
        unroll: &Unroll<F, N::Obs>,
        eta: &Eta,
        evaluation: &Evaluation<F>,
        gradient: &mut [F],
        tape: &mut N::Tape,
    ) -> Targets<F>
    where
        N: Network<F>,
    {
        let (weights, targets) = self.objective.weights(eta, None, unroll, evaluation, None);
        self.add_weighted(at, unroll, &weights, evaluation, gradient, tape);
        targets
    }

    /// Adds the gradient of the weighted log-probabilities, entropies and values at the point of the tape, where `here` is the evaluation.
    pub(super) fn add_weighted<F: Real>(
        &self,
        at: At<'_, F, N::Obs>,
        unroll: &Unroll<F, N::Obs>,
        weights: &StepWeights<F>,
        here: &Evaluation<F>,
        gradient: &mut [F],
        tape: &mut N::Tape,
    ) where
        N: Network<F>,
    {
        let rows = self.net.output(tape).len() / self.heads.width();
        let d = self.heads.cotangents(&here.distribution, &unroll.actions, weights, rows);
        let mut condition = vec![F::zero(); at.condition.len()];
        self.net.vjp(at, &d, Gradient { theta: gradient, condition: &mut condition }, tape);
    }
}

/// Values with their derivatives, or without.
fn duals<F: Real>(x: &[F], dot: Option<&[F]>) -> Vec<Dual<F>> {
    match dot {
        Some(dot) => x.iter().zip(dot).map(|(x, d)| Dual::new(*x, *d)).collect(),
        None => x.iter().map(|x| Dual::constant(*x)).collect(),
    }
}
