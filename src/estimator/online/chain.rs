//! TD(lambda) with a tabular value and one gamma or lambda per state: the prediction examples of Xu et al. 2018.

use crate::math::dual::Dual;
use crate::math::real::Real;
use crate::math::returns::relative_reward_to_go;
use crate::math::targets::{Knobs, Param, Steps, Target, adjoint, targets};

/// Which parameter has a value per state; the other is fixed for all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Learned {
    /// gamma(s), with this lambda.
    Gamma {
        /// lambda everywhere.
        lambda: f64,
    },
    /// lambda(s), with this gamma.
    Lambda {
        /// gamma everywhere.
        gamma: f64,
    },
}

/// Online TD(lambda) on episodes that visit states and terminate: `v' = v + alpha sum_t (G_t - v(s_t)) e_{s_t}`.
///
/// The parameter of the state being **entered** applies:
/// `G_t = r_t + gamma(s_{t+1}) [ (1 - lambda(s_{t+1})) v(s_{t+1}) + lambda(s_{t+1}) G_{t+1} ]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chain {
    /// Step size of the values.
    pub alpha: f64,
    /// What is learned.
    pub learned: Learned,
}

/// One update and its meta-gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainStep<F> {
    /// Values after the update.
    pub values: Vec<F>,
    /// `dJ'/deta(s)`, `J' = sum_t (G'_t - v'(s'_t))^2` with the undiscounted full returns of the next episode.
    pub d_eta: Vec<F>,
}

impl Chain {
    /// The update on one episode and its meta-gradient on the next. `states[t]` is left by step t, which pays `rewards[t]`; both
    /// episodes end after their last step. `eta` has one parameter per state.
    ///
    /// # Panics
    /// If a state is unknown or lengths differ.
    pub fn step<F: Real>(
        &self,
        values: &[F],
        eta: &[F],
        [states, next_states]: [&[usize]; 2],
        [rewards, next_rewards]: [&[f64]; 2],
    ) -> ChainStep<F> {
        assert_eq!([states.len(), next_states.len()], [rewards.len(), next_rewards.len()], "one state per reward");
        let n = states.len();
        let alpha = F::of(self.alpha);
        let mut not_done = vec![F::one(); n];
        not_done[n - 1] = F::zero();
        let rewards: Vec<F> = rewards.iter().map(|r| F::of(*r)).collect();
        let seen: Vec<Dual<F>> = states.iter().chain([&states[0]]).map(|s| Dual::constant(values[*s])).collect();
        let entered: Vec<Dual<F>> = states[1..].iter().chain([&states[0]]).map(|s| Dual::constant(eta[*s])).collect();
        let constant = |x: f64| Param::Global(Dual::constant(F::of(x)));
        let (gamma, lambda) = match self.learned {
            Learned::Gamma { lambda } => (Param::PerStep(&entered), constant(lambda)),
            Learned::Lambda { gamma } => (constant(gamma), Param::PerStep(&entered)),
        };
        let knobs = Knobs { gamma, lambda, leak: Dual::constant(F::one()) };
        let steps =
            Steps { batch: 1, rewards: &rewards, not_done: &not_done, successors: None, values: &seen, ratio: None };
        let mut after = values.to_vec();
        for (s, a) in states.iter().zip(targets(&Target::Lambda, &knobs, &steps).advantage) {
            after[*s] += alpha * a.re;
        }
        let mut full = next_rewards.to_vec();
        relative_reward_to_go(&mut full, 1.0);
        let mut by_value = vec![F::zero(); values.len()];
        for (s, g) in next_states.iter().zip(full) {
            by_value[*s] += F::of(2.0) * (after[*s] - F::of(g));
        }
        let on_returns: Vec<F> = states.iter().map(|s| alpha * by_value[*s]).collect();
        let reverse = adjoint(&Target::Lambda, &knobs, &steps, &on_returns, &vec![F::zero(); n]);
        let by_step = match self.learned {
            Learned::Gamma { .. } => reverse.gamma,
            Learned::Lambda { .. } => reverse.lambda,
        };
        let mut d_eta = vec![F::zero(); eta.len()];
        states[1..].iter().zip(by_step).for_each(|(s, d)| d_eta[*s] += d);
        ChainStep { values: after, d_eta }
    }
}
