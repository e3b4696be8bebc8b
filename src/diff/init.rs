//! Initial weights of a layer.

use crate::math::real::{Real, inner_product};
use crate::rng::Rng;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

/// How weights start; biases start at zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Uniform on ±sqrt(6 / (in + out)) (Glorot and Bengio 2010).
    GlorotUniform,
    /// Rows or columns (whichever are fewer) orthonormal, times `gain` (Saxe et al. 2014).
    Orthogonal {
        /// Factor on the orthonormal matrix.
        gain: f64,
    },
}

impl Init {
    /// Writes a `[inputs, outputs]` weight matrix, row-major. The draws do not depend on `F`.
    pub fn fill<F: Real>(&self, inputs: usize, outputs: usize, weight: &mut [F], rng: &mut Rng) {
        match *self {
            Init::GlorotUniform => {
                let limit = (6.0 / (inputs + outputs) as f64).sqrt();
                for w in weight {
                    *w = F::of(limit * (2.0 * rng.random::<f64>() - 1.0));
                }
            }
            Init::Orthogonal { gain } => {
                let (long, short) = (inputs.max(outputs), inputs.min(outputs));
                let basis = orthonormal(short, long, rng);
                for i in 0..inputs {
                    for j in 0..outputs {
                        let q = if inputs >= outputs { basis[j * long + i] } else { basis[i * long + j] };
                        weight[i * outputs + j] = F::of(gain * q);
                    }
                }
            }
        }
    }
}

/// `rows` orthonormal vectors of length `n >= rows`, flat: normal draws, then Gram–Schmidt applied twice.
fn orthonormal(rows: usize, n: usize, rng: &mut Rng) -> Vec<f64> {
    let mut q: Vec<f64> = Vec::with_capacity(rows * n);
    for i in 0..rows {
        let mut v: Vec<f64> = (0..n).map(|_| StandardNormal.sample(rng)).collect();
        for _ in 0..2 {
            for k in 0..i {
                let u = &q[k * n..(k + 1) * n];
                let dot = inner_product(u, &v); // hundreds of vectors of thousands of numbers, in a dense head
                v.iter_mut().zip(u).for_each(|(v, u)| *v -= dot * u);
            }
        }
        let norm = v.iter().map(|v| v * v).sum::<f64>().sqrt();
        q.extend(v.iter().map(|v| v / norm));
    }
    q
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Address, Purpose};

    #[test]
    fn orthogonal_is_orthonormal_times_gain() {
        let mut rng = Address::new(1, Purpose::Init).stream();
        for (inputs, outputs) in [(7, 3), (3, 7), (5, 5), (1, 4)] {
            let mut w = vec![0.0f64; inputs * outputs];
            Init::Orthogonal { gain: 1.5 }.fill(inputs, outputs, &mut w, &mut rng);
            let at = |i: usize, j: usize| if inputs >= outputs { w[i * outputs + j] } else { w[j * outputs + i] };
            for a in 0..inputs.min(outputs) {
                for b in 0..inputs.min(outputs) {
                    let dot: f64 = (0..inputs.max(outputs)).map(|i| at(i, a) * at(i, b)).sum();
                    let expected = if a == b { 2.25 } else { 0.0 };
                    assert!((dot - expected).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn glorot_fills_its_interval() {
        let mut rng = Address::new(2, Purpose::Init).stream();
        let mut w = vec![0.0f64; 4000];
        Init::GlorotUniform.fill(40, 100, &mut w, &mut rng);
        let limit = (6.0f64 / 140.0).sqrt();
        let largest = w.iter().fold(0.0f64, |m, w| m.max(w.abs()));
        assert!(largest <= limit && largest > 0.99 * limit);
        let mean = w.iter().sum::<f64>() / 4000.0;
        assert!(mean.abs() < 4.0 * limit / (3.0f64 * 4000.0).sqrt());
    }
}
