//! The convergence theorem of the specification's 2.4: its right-hand side, and the two regimes that reach a given epsilon.

use super::Constants;
use serde::{Deserialize, Serialize};

/// The right-hand side of the convergence theorem (2.4), which bounds `(1/K) sum_{k<K} E|grad V(theta_k)|^2`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// 2 Delta / (beta K): what is left of the start.
    pub start: f64,
    /// L_V beta G_V^2 / B: what the noise keeps.
    pub noise: f64,
    /// Their sum.
    pub total: f64,
    /// 1 / L_V.
    pub largest_beta: f64,
    /// Whether 0 < beta <= 1 / L_V. If not, the theorem does not apply and `total` bounds nothing.
    pub applies: bool,
}

/// `2 Delta / (beta K) + L_V beta G_V^2 / B` for constant step size beta, B i.i.d. tasks per iteration and K iterations.
///
/// `delta` is (a bound on) sup V - V(theta_0), [`Constants::largest_delta`] if unknown. Holds for estimators that are unbiased
/// for grad V_zeta and have the second moment of the plain SG-MRL estimator (no baseline).
pub fn right_hand_side(constants: &Constants, delta: f64, beta: f64, tasks: usize, iterations: u64) -> Bound {
    let start = 2.0 * delta / (beta * iterations as f64);
    let noise = constants.l_v * beta * constants.g_v * constants.g_v / tasks as f64;
    let largest_beta = constants.largest_beta();
    Bound { start, noise, total: start + noise, largest_beta, applies: beta > 0.0 && beta <= largest_beta }
}

/// Step size, batch and iterations after which the theorem promises E|grad V(theta)| <= epsilon at a uniformly random iterate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regime {
    /// epsilon.
    pub epsilon: f64,
    /// Outer step size beta.
    pub beta: f64,
    /// Tasks per iteration B.
    pub tasks: u64,
    /// Iterations K, at least one; `u64::MAX` where it does not fit.
    pub iterations: u64,
}

impl Regime {
    /// K B (zeta n + n_o), saturating.
    pub fn trajectories(&self, constants: &Constants, outer_batch: usize) -> u64 {
        self.iterations.saturating_mul(constants.trajectories_per_iteration(self.tasks, outer_batch))
    }
}

/// Smallest whole number of at least `x` and 1.
fn at_least_one(x: f64) -> u64 {
    (x.ceil() as u64).max(1)
}

/// Large batch: beta = 1 / L_V, B >= 2 G_V^2 / epsilon^2, K >= 4 Delta L_V / epsilon^2 = O(epsilon^-2). Needs epsilon > 0.
pub fn large_batch(constants: &Constants, delta: f64, epsilon: f64) -> Regime {
    let square = epsilon * epsilon;
    Regime {
        epsilon,
        beta: constants.largest_beta(),
        tasks: at_least_one(2.0 * constants.g_v * constants.g_v / square),
        iterations: at_least_one(4.0 * delta * constants.l_v / square),
    }
}

/// Any batch of B tasks: beta = min{1 / L_V, epsilon^2 B / (2 L_V G_V^2)}, K >= 4 Delta / (beta epsilon^2) = O(epsilon^-4).
/// Needs epsilon > 0 and B >= 1.
pub fn any_batch(constants: &Constants, delta: f64, epsilon: f64, tasks: usize) -> Regime {
    let square = epsilon * epsilon;
    let noise_limited = square * tasks as f64 / (2.0 * constants.l_v * constants.g_v * constants.g_v);
    let beta = constants.largest_beta().min(noise_limited);
    Regime { epsilon, beta, tasks: tasks as u64, iterations: at_least_one(4.0 * delta / (beta * square)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::theory::{PolicyClass, Setting};

    fn example(reward: f64) -> Constants {
        let setting = Setting { reward, horizon: 2, gamma: 0.9, alpha: 1.0, inner_steps: 1, inner_batch: 2 };
        Constants::of(&PolicyClass::softmax(2), &setting)
    }

    #[test]
    fn each_regime_meets_its_epsilon_and_has_its_order() {
        let c = example(0.994523);
        for epsilon in [1.0, 0.1, 0.01] {
            for regime in [large_batch(&c, 1.3, epsilon), any_batch(&c, 1.3, epsilon, 3)] {
                let bound = right_hand_side(&c, 1.3, regime.beta, regime.tasks as usize, regime.iterations);
                assert!(bound.applies && bound.total <= epsilon * epsilon * (1.0 + 1e-12), "{regime:?} {bound:?}");
            }
        }
        let ratio = |f: &dyn Fn(f64) -> Regime| f(0.001).iterations as f64 / f(0.01).iterations as f64;
        assert!((ratio(&|e| large_batch(&c, 1.3, e)) / 1e2 - 1.0).abs() < 1e-3);
        assert!((ratio(&|e| any_batch(&c, 1.3, e, 3)) / 1e4 - 1.0).abs() < 1e-3);
        assert_eq!(any_batch(&c, 1.3, 0.1, 3).trajectories(&c, 5), any_batch(&c, 1.3, 0.1, 3).iterations * 21);
    }

    #[test]
    fn too_large_a_step_is_said_to_be_outside_the_theorem() {
        let c = example(0.994523);
        let at = |beta: f64| right_hand_side(&c, c.largest_delta(), beta, 1, 100).applies;
        assert!(at(c.largest_beta()) && !at(c.largest_beta() * 1.0001) && !at(0.0));
    }

    #[test]
    fn a_family_without_rewards_is_stationary_everywhere() {
        let c = example(0.0);
        assert_eq!((c.l_v, c.g_v), (0.0, 0.0));
        assert_eq!(large_batch(&c, 0.0, 0.1).iterations, 1);
        assert_eq!(any_batch(&c, 0.0, 0.1, 1).iterations, 1);
    }
}
