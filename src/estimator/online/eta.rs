//! The meta-parameters of the actor-critic loss.

use crate::math::dual::Dual;
use crate::math::real::Real;

/// A scalar of the inner loss that can be tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tunable {
    /// Discount gamma.
    Gamma,
    /// Trace parameter lambda.
    Lambda,
    /// Factor of the policy-gradient term.
    PolicyCost,
    /// Factor of the value term `(Y - v)^2 / 2`.
    ValueCost,
    /// Factor of the entropy.
    EntropyCost,
    /// alpha of leaky V-trace.
    Leak,
}

impl Tunable {
    /// All, in the order of [`Eta`]'s fields.
    pub const ALL: [Tunable; 6] =
        [Tunable::Gamma, Tunable::Lambda, Tunable::PolicyCost, Tunable::ValueCost, Tunable::EntropyCost, Tunable::Leak];

    /// Name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Tunable::Gamma => "gamma",
            Tunable::Lambda => "lambda",
            Tunable::PolicyCost => "policy_cost",
            Tunable::ValueCost => "value_cost",
            Tunable::EntropyCost => "entropy_cost",
            Tunable::Leak => "leak",
        }
    }
}

/// One value of every meta-parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Eta {
    /// Discount.
    pub gamma: f64,
    /// Trace parameter.
    pub lambda: f64,
    /// Factor of the policy-gradient term.
    pub policy_cost: f64,
    /// Factor of the value term `(Y - v)^2 / 2`.
    pub value_cost: f64,
    /// Factor of the entropy.
    pub entropy_cost: f64,
    /// alpha of leaky V-trace; 1 is V-trace.
    pub leak: f64,
}

impl Eta {
    /// Policy gradient only, at this discount and trace parameter: the outer loss of Xu et al. 2018.
    pub fn reference(gamma: f64, lambda: f64) -> Eta {
        Eta { gamma, lambda, policy_cost: 1.0, value_cost: 0.0, entropy_cost: 0.0, leak: 1.0 }
    }

    /// Value of one meta-parameter.
    pub fn get(&self, tunable: Tunable) -> f64 {
        match tunable {
            Tunable::Gamma => self.gamma,
            Tunable::Lambda => self.lambda,
            Tunable::PolicyCost => self.policy_cost,
            Tunable::ValueCost => self.value_cost,
            Tunable::EntropyCost => self.entropy_cost,
            Tunable::Leak => self.leak,
        }
    }

    /// Place of one meta-parameter.
    pub fn get_mut(&mut self, tunable: Tunable) -> &mut f64 {
        match tunable {
            Tunable::Gamma => &mut self.gamma,
            Tunable::Lambda => &mut self.lambda,
            Tunable::PolicyCost => &mut self.policy_cost,
            Tunable::ValueCost => &mut self.value_cost,
            Tunable::EntropyCost => &mut self.entropy_cost,
            Tunable::Leak => &mut self.leak,
        }
    }

    /// These meta-parameters as a conditioning vector.
    pub fn condition<F: Real>(&self, tunables: &[Tunable]) -> Vec<F> {
        tunables.iter().map(|t| F::of(self.get(*t))).collect()
    }

    /// One value as a dual number that moves if it is `moving`.
    pub(super) fn dual<F: Real>(&self, tunable: Tunable, moving: Option<Tunable>) -> Dual<F> {
        let du = if moving == Some(tunable) { F::one() } else { F::zero() };
        Dual::new(F::of(self.get(tunable)), du)
    }
}
