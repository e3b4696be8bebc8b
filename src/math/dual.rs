//! A number with its derivative along one direction: what the scalar recursions of the online learner are written in.
//!
//! The exact layer has dual numbers of its own on purpose: what checks the estimators shares no code with them.

use super::real::Real;
use std::ops::{Add, Mul, Neg, Sub};

/// `re + du e` with `e^2 = 0`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dual<F> {
    /// Value.
    pub re: F,
    /// Derivative along the direction in hand.
    pub du: F,
}

impl<F: Real> Dual<F> {
    /// A value with its derivative.
    pub fn new(re: F, du: F) -> Dual<F> {
        Dual { re, du }
    }

    /// A value that does not move.
    pub fn constant(re: F) -> Dual<F> {
        Dual { re, du: F::zero() }
    }

    /// `min(self, bar)`; the derivative is zero where the bar is active, and passes at equality.
    pub fn at_most(self, bar: F) -> Dual<F> {
        if self.re > bar { Dual::constant(bar) } else { self }
    }

    /// `exp(self)`.
    pub fn exp(self) -> Dual<F> {
        let e = self.re.exp();
        Dual::new(e, e * self.du)
    }

    /// Product with a constant.
    pub fn scale(self, c: F) -> Dual<F> {
        Dual::new(c * self.re, c * self.du)
    }
}

impl<F: Real> Add for Dual<F> {
    type Output = Dual<F>;
    fn add(self, other: Dual<F>) -> Dual<F> {
        Dual::new(self.re + other.re, self.du + other.du)
    }
}

impl<F: Real> Sub for Dual<F> {
    type Output = Dual<F>;
    fn sub(self, other: Dual<F>) -> Dual<F> {
        Dual::new(self.re - other.re, self.du - other.du)
    }
}

impl<F: Real> Mul for Dual<F> {
    type Output = Dual<F>;
    fn mul(self, other: Dual<F>) -> Dual<F> {
        Dual::new(self.re * other.re, self.du * other.re + self.re * other.du)
    }
}

impl<F: Real> Neg for Dual<F> {
    type Output = Dual<F>;
    fn neg(self) -> Dual<F> {
        Dual::new(-self.re, -self.du)
    }
}
