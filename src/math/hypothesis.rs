//! Is the mean of a random vector what it is claimed to be? Two tests that survive a singular covariance.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use statrs::distribution::{ContinuousCDF, FisherSnedecor, StudentsT};

/// Sum, and sum of products, of vectors relative to a fixed origin; merging two in a fixed order is reproducible.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Origin c that is subtracted from every vector, `[d]`.
    pub origin: Vec<f64>,
    /// Number of vectors.
    pub count: u64,
    /// sum (x - c), `[d]`.
    pub sum: Vec<f64>,
    /// sum (x - c)(x - c)^T, flat `[d, d]`.
    pub products: Vec<f64>,
}

impl Moments {
    /// Of no vector yet.
    pub fn new(origin: &[f64]) -> Moments {
        let d = origin.len();
        Moments { origin: origin.to_vec(), count: 0, sum: vec![0.0; d], products: vec![0.0; d * d] }
    }

    /// Adds one vector.
    pub fn push(&mut self, x: &[f64]) {
        let d = self.origin.len();
        let y: Vec<f64> = x.iter().zip(&self.origin).map(|(x, c)| x - c).collect();
        self.count += 1;
        for a in 0..d {
            self.sum[a] += y[a];
            for b in 0..d {
                self.products[a * d + b] += y[a] * y[b];
            }
        }
    }

    /// Adds all vectors of `other` (same origin).
    pub fn merge(&mut self, other: &Moments) {
        self.count += other.count;
        self.sum.iter_mut().zip(&other.sum).for_each(|(a, b)| *a += b);
        self.products.iter_mut().zip(&other.products).for_each(|(a, b)| *a += b);
    }

    /// Sample mean, `[d]`.
    pub fn mean(&self) -> Vec<f64> {
        let n = self.count as f64;
        self.sum.iter().zip(&self.origin).map(|(s, c)| c + s / n).collect()
    }

    /// Unbiased sample covariance, flat `[d, d]`. Needs two vectors.
    pub fn covariance(&self) -> Vec<f64> {
        let (d, n) = (self.origin.len(), self.count as f64);
        let entry = |k: usize| (self.products[k] - self.sum[k / d] * self.sum[k % d] / n) / (n - 1.0);
        (0..d * d).map(entry).collect()
    }

    /// Standard error of each component of the mean.
    pub fn standard_error(&self) -> Vec<f64> {
        let (d, cov) = (self.origin.len(), self.covariance());
        (0..d).map(|a| (cov[a * d + a].max(0.0) / self.count as f64).sqrt()).collect()
    }

    /// Trace of the sample covariance.
    pub fn variance_trace(&self) -> f64 {
        let (d, cov) = (self.origin.len(), self.covariance());
        (0..d).map(|a| cov[a * d + a].max(0.0)).sum()
    }
}

/// What the two tests say about "the mean is `claimed`".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Largest |t| over the components that vary.
    pub max_t: f64,
    /// Number of components that vary.
    pub components: usize,
    /// Two-sided p of `max_t`, Bonferroni-corrected over `components`.
    pub p_max_t: f64,
    /// Hotelling's T^2 = n d^T C^+ d with the pseudo-inverse of the covariance.
    pub t_squared: f64,
    /// Rank of the covariance.
    pub rank: usize,
    /// p of `t_squared`: (n - r) / (r (n - 1)) T^2 ~ F(r, n - r).
    pub p_t_squared: f64,
    /// Largest deviation along directions in which the sample does not vary at all; it must be zero to rounding.
    pub rigid: f64,
    /// p of both tests together: min(1, 2 min(p, p)), and 0 if `rigid` is not zero.
    pub p: f64,
}

/// Directions whose standard deviation is below this fraction of the scale count as constant: a covariance carries a relative
/// error near 1e-15, a standard deviation its square root.
const CONSTANT: f64 = 1e-7;

/// Tests "the mean is `claimed`" on `n > d` independent vectors (asymptotically valid; exact for normal ones).
///
/// Softmax gradients sum to zero over the actions of a state, so their covariance is singular: components are tested one by
/// one by Student's t with Bonferroni's correction, and jointly by Hotelling's T^2 on the range of the covariance. Where
/// nothing varies the mean must equal the claim to rounding.
///
/// # Panics
/// With fewer than d + 2 vectors.
pub fn mean_is(moments: &Moments, claimed: &[f64]) -> Verdict {
    let (d, n) = (claimed.len(), moments.count as f64);
    assert!(moments.count as usize >= d + 2, "{} vectors cannot test {d} components", moments.count);
    let off: Vec<f64> = moments.mean().iter().zip(claimed).map(|(m, c)| m - c).collect();
    let eigen = SymmetricEigen::new(DMatrix::from_row_slice(d, d, &moments.covariance()));
    let top = eigen.eigenvalues.iter().fold(0.0f64, |a, &b| a.max(b));
    let scale = top.sqrt().max(claimed.iter().fold(0.0, |a: f64, b| a.max(b.abs())));
    let mut rigid = 0.0f64;

    let (mut max_t, mut components) = (0.0f64, 0);
    for (&e, &off) in moments.standard_error().iter().zip(&off) {
        if e * n.sqrt() > CONSTANT * scale {
            components += 1;
            max_t = max_t.max((off / e).abs());
        } else {
            rigid = rigid.max(off.abs());
        }
    }
    let (mut t_squared, mut rank) = (0.0, 0);
    let off = DVector::from_vec(off);
    for (k, &lambda) in eigen.eigenvalues.iter().enumerate() {
        let along = eigen.eigenvectors.column(k).dot(&off);
        if lambda.max(0.0).sqrt() > CONSTANT * scale {
            rank += 1;
            t_squared += n * along * along / lambda;
        } else {
            rigid = rigid.max(along.abs());
        }
    }
    let p_max_t = if components == 0 { 1.0 } else { (2.0 * tail_t(max_t, n - 1.0) * components as f64).min(1.0) };
    let r = rank as f64;
    let p_t_squared = if rank == 0 { 1.0 } else { tail_f((n - r) / (r * (n - 1.0)) * t_squared, r, n - r) };
    let p = if rigid > CONSTANT * scale { 0.0 } else { (2.0 * p_max_t.min(p_t_squared)).min(1.0) };
    Verdict { max_t, components, p_max_t, t_squared, rank, p_t_squared, rigid, p }
}

/// P(T > t) of Student's t.
fn tail_t(t: f64, df: f64) -> f64 {
    StudentsT::new(0.0, 1.0, df).map_or(f64::NAN, |d| d.sf(t))
}

/// P(F > f) of Fisher's F.
fn tail_f(f: f64, numerator: f64, denominator: f64) -> f64 {
    FisherSnedecor::new(numerator, denominator).map_or(f64::NAN, |d| d.sf(f))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Vectors like a softmax gradient: (x, -x, y, -y, 7), two degrees of freedom in five components, centred uniforms.
    fn sample(rng: &mut ChaCha8Rng, n: usize, shift: f64) -> Moments {
        let mut moments = Moments::new(&[0.5, -0.5, 0.0, 0.0, 7.0]);
        for _ in 0..n {
            let x = 1.0 + shift + rng.random::<f64>();
            let y = x * rng.random::<f64>();
            moments.push(&[x, -x, y, -y, 7.0]);
        }
        moments
    }

    #[test]
    fn rejects_a_true_claim_at_its_rate_and_has_rank_two() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let trials = 2000;
        let mut rejected = [0; 3];
        for _ in 0..trials {
            let v = mean_is(&sample(&mut rng, 60, 0.0), &[1.5, -1.5, 0.75, -0.75, 7.0]);
            assert_eq!((v.components, v.rank), (4, 2));
            assert!(v.rigid < 1e-12);
            for (count, p) in rejected.iter_mut().zip([v.p_max_t, v.p_t_squared, v.p]) {
                *count += usize::from(p < 0.05);
            }
        }
        // Binomial with p 0.05: 100 +- 4 standard deviations of 9.7. Bonferroni over pairs that mirror each other halves the first.
        assert!((30..=90).contains(&rejected[0]), "{rejected:?}");
        assert!((61..=139).contains(&rejected[1]), "{rejected:?}");
        assert!((30..=130).contains(&rejected[2]), "{rejected:?}");
    }

    #[test]
    fn rejects_a_false_claim() {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let v = mean_is(&sample(&mut rng, 400, 0.2), &[1.5, -1.5, 0.75, -0.75, 7.0]);
        assert!(v.p_max_t < 1e-6 && v.p_t_squared < 1e-6 && v.p < 1e-6, "{v:?}");
    }

    #[test]
    fn compares_what_does_not_vary_exactly() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let moments = sample(&mut rng, 400, 0.0);
        assert!(mean_is(&moments, &[1.5, -1.5, 0.75, -0.75, 7.0]).p > 0.01);
        let constant = mean_is(&moments, &[1.5, -1.5, 0.75, -0.75, 7.0 + 1e-6]);
        assert_eq!(constant.p, 0.0, "{constant:?}");
        // Off the range of the covariance, though every component is within its error.
        let sum = mean_is(&moments, &[1.5 + 1e-4, -1.5, 0.75, -0.75, 7.0]);
        assert_eq!(sum.p, 0.0, "{sum:?}");
    }

    #[test]
    fn tails_match_tables() {
        assert!((tail_t(2.2281389, 10.0) - 0.025).abs() < 1e-7);
        assert!((tail_f(4.1028210, 2.0, 10.0) - 0.05).abs() < 1e-7);
    }

    #[test]
    fn merging_equals_pushing() {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let (a, b) = (sample(&mut rng, 5, 0.0), sample(&mut rng, 6, 0.0));
        let mut merged = a.clone();
        merged.merge(&b);
        assert_eq!(merged.count, 11);
        assert!((merged.mean()[4] - 7.0).abs() < 1e-15);
        assert!(merged.variance_trace() > 0.0);
    }
}
