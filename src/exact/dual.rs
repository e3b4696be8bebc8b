//! Forward-mode dual numbers with K tangents, and the scalar that exact formulas are generic over.

use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// What an exact formula may do with a number: ring operations, division and `exp`. Nothing else, so that nothing is
/// differentiated that is not analytic.
pub trait Scalar:
    Copy
    + Send
    + Sync
    + std::fmt::Debug
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
{
    /// A constant.
    fn constant(x: f64) -> Self;
    /// The value without its tangents.
    fn value(self) -> f64;
    /// Exponential.
    fn exp(self) -> Self;
    /// Product with a constant.
    fn scale(self, x: f64) -> Self;
}

impl Scalar for f64 {
    fn constant(x: f64) -> f64 {
        x
    }
    fn value(self) -> f64 {
        self
    }
    fn exp(self) -> f64 {
        f64::exp(self)
    }
    fn scale(self, x: f64) -> f64 {
        self * x
    }
}

/// `re + sum_k eps_k e_k` with `e_j e_k = 0`: a value and K directional derivatives of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dual<const K: usize> {
    /// Value.
    pub re: f64,
    /// Derivative along each of the K directions.
    pub eps: [f64; K],
}

impl<const K: usize> Dual<K> {
    fn map(self, re: f64, slope: f64) -> Self {
        Dual { re, eps: self.eps.map(|e| slope * e) }
    }

    fn zip(self, other: Self, re: f64, a: f64, b: f64) -> Self {
        let mut eps = [0.0; K];
        for k in 0..K {
            eps[k] = a * self.eps[k] + b * other.eps[k];
        }
        Dual { re, eps }
    }
}

impl<const K: usize> Add for Dual<K> {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        self.zip(o, self.re + o.re, 1.0, 1.0)
    }
}

impl<const K: usize> Sub for Dual<K> {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        self.zip(o, self.re - o.re, 1.0, -1.0)
    }
}

impl<const K: usize> Mul for Dual<K> {
    type Output = Self;
    fn mul(self, o: Self) -> Self {
        self.zip(o, self.re * o.re, o.re, self.re)
    }
}

impl<const K: usize> Div for Dual<K> {
    type Output = Self;
    fn div(self, o: Self) -> Self {
        let re = self.re / o.re;
        self.zip(o, re, 1.0 / o.re, -re / o.re)
    }
}

impl<const K: usize> Neg for Dual<K> {
    type Output = Self;
    fn neg(self) -> Self {
        self.map(-self.re, -1.0)
    }
}

impl<const K: usize> AddAssign for Dual<K> {
    fn add_assign(&mut self, o: Self) {
        *self = *self + o;
    }
}

impl<const K: usize> Scalar for Dual<K> {
    fn constant(x: f64) -> Self {
        Dual { re: x, eps: [0.0; K] }
    }
    fn value(self) -> f64 {
        self.re
    }
    fn exp(self) -> Self {
        let e = self.re.exp();
        self.map(e, e)
    }
    fn scale(self, x: f64) -> Self {
        self.map(self.re * x, x)
    }
}

/// Tangents carried per sweep of [`jacobian`].
const WIDTH: usize = 4;

/// Value f(x) `[m]` and Jacobian df_i/dx_j, flat `[m, len(x)]`, by forward-mode sweeps of four directions each.
pub fn jacobian(x: &[f64], f: impl Fn(&[Dual<WIDTH>]) -> Vec<Dual<WIDTH>>) -> (Vec<f64>, Vec<f64>) {
    let d = x.len();
    let mut value = Vec::new();
    let mut rows = Vec::new();
    for first in (0..d.max(1)).step_by(WIDTH) {
        let lifted: Vec<Dual<WIDTH>> = (x.iter().enumerate())
            .map(|(j, &x_j)| {
                let mut eps = [0.0; WIDTH];
                if (first..first + WIDTH).contains(&j) {
                    eps[j - first] = 1.0;
                }
                Dual { re: x_j, eps }
            })
            .collect();
        let out = f(&lifted);
        rows.resize(out.len() * d, 0.0);
        for (i, y) in out.iter().enumerate() {
            for j in first..d.min(first + WIDTH) {
                rows[i * d + j] = y.eps[j - first];
            }
        }
        value = out.iter().map(|y| y.re).collect();
    }
    (value, rows)
}

/// Value and gradient of a scalar function by forward-mode sweeps.
pub fn gradient(x: &[f64], f: impl Fn(&[Dual<WIDTH>]) -> Dual<WIDTH>) -> (f64, Vec<f64>) {
    let (value, rows) = jacobian(x, |x| vec![f(x)]);
    (value[0], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (x y + exp(x) / y) - (-x).
    fn f<S: Scalar>(x: &[S]) -> S {
        x[0] * x[1] + x[0].exp() / x[1] - (-x[0]) + (x[4] * x[4]).scale(0.5)
    }

    #[test]
    fn matches_hand_derivative() {
        let x = [0.3, -1.7, 0.0, 0.0, 2.0];
        let (value, gradient) = gradient(&x, |x| f(x));
        assert_eq!(value, f(&x));
        let e = x[0].exp();
        let expected = [x[1] + e / x[1] + 1.0, x[0] - e / (x[1] * x[1]), 0.0, 0.0, 2.0];
        for (g, e) in gradient.iter().zip(expected) {
            assert!((g - e).abs() < 1e-14, "{g} {e}");
        }
    }
}
