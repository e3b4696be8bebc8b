//! The K-step problem with exact inner steps, J_out(phi, theta_K), and its gradient by dual numbers: the bias lab's named objective.
//!
//! Shares no derivative with what it judges: the recursion itself is differentiated.

use super::discounted::Discounted;
use super::dual::{self, Dual, Scalar};

/// What phi is (gradient-bias spec 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instance {
    /// phi is the initial policy: `theta_0 = phi`.
    Maml,
    /// phi is an intrinsic reward `[S, A]` added to that of the inner steps; `theta_0` does not depend on it.
    Lirpg,
}

/// `theta_{i+1} = theta_i + alpha grad_theta J_in(phi, theta_i)` for `steps` steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chain {
    /// What phi is.
    pub instance: Instance,
    /// Inner step size.
    pub alpha: f64,
    /// Inner steps K.
    pub steps: usize,
}

/// The objective at phi = 0, theta_0 = 0, as the experiments have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Oracle {
    /// J^K(phi).
    pub value: f64,
    /// grad J^K(phi), `[S, A]`.
    pub gradient: Vec<f64>,
    /// theta_1 .. theta_K.
    pub thetas: Vec<Vec<f64>>,
}

impl Chain {
    /// theta_0 .. theta_K from `phi`, theta_0 being `phi` or zero.
    pub fn path<S: Scalar>(&self, model: &Discounted, phi: &[S]) -> Vec<Vec<S>> {
        let constants: Vec<S> = model.reward.iter().map(|&r| S::constant(r)).collect();
        let (mut theta, reward) = match self.instance {
            Instance::Maml => (phi.to_vec(), constants),
            Instance::Lirpg => {
                (vec![S::constant(0.0); phi.len()], constants.iter().zip(phi).map(|(&r, &b)| r + b).collect())
            }
        };
        let mut path = vec![theta.clone()];
        for _ in 0..self.steps {
            let (_, gradient) = model.value_and_gradient(&theta, &reward);
            theta.iter_mut().zip(gradient).for_each(|(x, g)| *x += g.scale(self.alpha));
            path.push(theta.clone());
        }
        path
    }

    /// J_out(phi, theta_K): the return with the MDP's own reward after K exact inner steps.
    pub fn value<S: Scalar>(&self, model: &Discounted, phi: &[S]) -> S {
        let reward: Vec<S> = model.reward.iter().map(|&r| S::constant(r)).collect();
        let path = self.path(model, phi);
        model.value_and_gradient(&path[self.steps], &reward).0
    }

    /// Value, gradient and path at phi = 0.
    pub fn oracle(&self, model: &Discounted) -> Oracle {
        let phi = vec![0.0; model.reward.len()];
        let (value, gradient) = dual::gradient(&phi, |phi: &[Dual<4>]| self.value(model, phi));
        Oracle { value, gradient, thetas: self.path(model, &phi).split_off(1) }
    }
}
