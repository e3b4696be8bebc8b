//! Time-dependent linear value baseline: features, per-episode normal equations and ridge solutions.

use nalgebra::{DMatrix, DVector};

/// Which numbers the linear baseline reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Features {
    /// A vector: clip(o, +-10) and its square, then t/100, (t/100)^2, (t/100)^3 and 1 (ProMP, SGMRL, rllab).
    Vector {
        /// Width of the observation.
        width: usize,
    },
    /// A state index: its one-hot code, then t/100, (t/100)^2, (t/100)^3 (the code already spans the constant).
    Index {
        /// Number of states.
        states: usize,
    },
}

impl Features {
    /// Number of features d.
    pub fn width(self) -> usize {
        match self {
            Features::Vector { width } => 2 * width + 4,
            Features::Index { states } => states + 3,
        }
    }

    /// Writes the features of observation `obs` at time `t` (decisions since the episode began).
    pub fn write(self, obs: impl Iterator<Item = f64>, t: usize, out: &mut [f64]) {
        let time = t as f64 / 100.0;
        match self {
            Features::Vector { width } => {
                for (i, o) in obs.enumerate() {
                    let o = o.clamp(-10.0, 10.0);
                    out[i] = o;
                    out[width + i] = o * o;
                }
                out[2 * width..].copy_from_slice(&[time, time * time, time * time * time, 1.0]);
            }
            Features::Index { states } => {
                out[..states].fill(0.0);
                for o in obs {
                    out[o as usize] = 1.0;
                }
                out[states..].copy_from_slice(&[time, time * time, time * time * time]);
            }
        }
    }
}

/// Normal equations `(F^T F, F^T y)` of some rows: they add and subtract, so leaving an episode out needs no second pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Normal {
    gram: DMatrix<f64>,
    moment: DVector<f64>,
}

impl Normal {
    /// No rows yet, `d` features.
    pub fn new(d: usize) -> Normal {
        Normal { gram: DMatrix::zeros(d, d), moment: DVector::zeros(d) }
    }

    /// Adds one row with target `y`.
    pub fn add_row(&mut self, features: &[f64], y: f64) {
        let d = features.len();
        let gram = self.gram.as_mut_slice();
        for (j, &f_j) in features.iter().enumerate() {
            if f_j != 0.0 {
                for (g, &f_i) in gram[j * d..(j + 1) * d].iter_mut().zip(features) {
                    *g += f_i * f_j;
                }
                self.moment[j] += f_j * y;
            }
        }
    }

    /// Adds the rows of another.
    pub fn add(&mut self, other: &Normal) {
        self.gram += &other.gram;
        self.moment += &other.moment;
    }

    /// Removes the rows of another.
    pub fn subtract(&mut self, other: &Normal) {
        self.gram -= &other.gram;
        self.moment -= &other.moment;
    }

    /// Coefficients of `argmin ||F c - y||^2 + ridge ||c||^2`; the ridge grows tenfold until the system is definite
    /// (as in ProMP's `LinearFeatureBaseline`), and zeros come back if five tries do not suffice.
    pub fn solve(&self, ridge: f64) -> Vec<f64> {
        let d = self.moment.len();
        let mut ridge = ridge;
        for _ in 0..5 {
            let mut system = self.gram.clone();
            for i in 0..d {
                system[(i, i)] += ridge;
            }
            if let Some(factor) = nalgebra::Cholesky::new(system) {
                let solution = factor.solve(&self.moment);
                if solution.iter().all(|c| c.is_finite()) {
                    return solution.as_slice().to_vec();
                }
            }
            ridge = (ridge * 10.0).max(1e-12);
        }
        vec![0.0; d]
    }
}

/// Prediction `c . f`.
pub fn predict(coefficients: &[f64], features: &[f64]) -> f64 {
    coefficients.iter().zip(features).map(|(c, f)| c * f).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<([f64; 2], f64)> {
        (0..40).map(|i| ([(i as f64 * 0.7).sin(), (i as f64 * 1.3).cos()], i as f64 * 0.1)).collect()
    }

    #[test]
    fn recovers_a_function_in_its_span() {
        let features = Features::Vector { width: 2 };
        let mut normal = Normal::new(features.width());
        let mut f = vec![0.0; features.width()];
        let target = |o: [f64; 2], t: f64| 0.5 - o[0] + 2.0 * o[1] * o[1] + 3.0 * (t / 100.0).powi(2);
        for (t, (o, _)) in rows().into_iter().enumerate() {
            features.write(o.into_iter(), t, &mut f);
            normal.add_row(&f, target(o, t as f64));
        }
        let c = normal.solve(1e-10);
        features.write([0.3, -0.4].into_iter(), 12, &mut f);
        assert!((predict(&c, &f) - target([0.3, -0.4], 12.0)).abs() < 1e-4);
    }

    #[test]
    fn leaving_rows_out_equals_never_adding_them() {
        let features = Features::Vector { width: 2 };
        let (mut all, mut some, mut out) = (Normal::new(8), Normal::new(8), Normal::new(8));
        let mut f = vec![0.0; 8];
        for (t, (o, y)) in rows().into_iter().enumerate() {
            features.write(o.into_iter(), t, &mut f);
            all.add_row(&f, y);
            if t % 3 == 0 { out.add_row(&f, y) } else { some.add_row(&f, y) }
        }
        all.subtract(&out);
        for (a, b) in all.solve(1e-3).iter().zip(some.solve(1e-3)) {
            assert!((a - b).abs() < 1e-9);
        }
    }

    #[test]
    fn a_state_index_gets_its_own_constant() {
        let features = Features::Index { states: 3 };
        let mut f = vec![9.0; 6];
        features.write([2.0].into_iter(), 50, &mut f);
        assert_eq!(f, [0.0, 0.0, 1.0, 0.5, 0.25, 0.125]);
    }
}
