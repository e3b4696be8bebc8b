//! Dirichlet draws that stay normalised for concentrations far below one.

use crate::env::Rng;
use rand::RngExt;
use rand_distr::{Distribution, Gamma, Open01};

/// Writes p ~ Dirichlet(alpha, ..., alpha) into `p`.
///
/// p = softmax(ln G_1, ..., ln G_n) with G_i ~ Gamma(alpha, 1). At alpha = 0.001 ln G is of the order of -1000: nearly
/// half of the variates underflow to zero, and a row in which all do is 0/0. The logarithm does not underflow: if
/// G' ~ Gamma(alpha + 1) and u ~ U(0, 1) then G' u^(1/alpha) ~ Gamma(alpha), so ln G = ln G' + ln(u)/alpha is drawn
/// directly (Marsaglia & Tsang 2000, section 6), and the softmax subtracts the largest before taking exponentials.
///
/// # Panics
/// If `alpha` is not a finite number of at least 1e-100.
pub fn symmetric(alpha: f64, p: &mut [f64], rng: &mut Rng) {
    assert!(alpha >= 1e-100 && alpha.is_finite(), "a Dirichlet concentration is finite and at least 1e-100");
    let boosted = Gamma::new(alpha + 1.0, 1.0).expect("alpha + 1 is a valid shape");
    let mut largest = f64::NEG_INFINITY;
    for p_i in p.iter_mut() {
        let g: f64 = boosted.sample(rng);
        let u: f64 = rng.sample(Open01);
        *p_i = g.ln() + u.ln() / alpha;
        largest = largest.max(*p_i);
    }
    let mut total = 0.0;
    for p_i in p.iter_mut() {
        *p_i = (*p_i - largest).exp();
        total += *p_i;
    }
    for p_i in p.iter_mut() {
        *p_i /= total;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// Moments of a symmetric Dirichlet against n = 20 000 draws. Each mean is a sample mean of n independent terms in
    /// [0, 1], so |error| <= z sd/sqrt(n); z = 4.5 and 20 comparisons make alpha < 20 * 7e-6 = 1.4e-4.
    fn moments_match(alpha: f64, size: usize, seed: u64) {
        let (n, mut rng) = (20_000, Rng::seed_from_u64(seed));
        let (mut p, mut sum, mut square) = (vec![0.0; size], vec![0.0; size], 0.0);
        for _ in 0..n {
            symmetric(alpha, &mut p, &mut rng);
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!(p.iter().all(|&x| x.is_finite() && (0.0..=1.0).contains(&x)));
            for i in 0..size {
                sum[i] += p[i];
            }
            square += p.iter().map(|x| x * x).sum::<f64>();
        }
        let k = size as f64;
        let mean = 1.0 / k;
        let second = (alpha + 1.0) / (k * (k * alpha + 1.0));
        let sd = (second - mean * mean).sqrt();
        for s in &sum {
            let error = (s / n as f64 - mean).abs();
            assert!(error < 4.5 * sd / (n as f64).sqrt(), "mean off by {error} at alpha {alpha}");
        }
        let error = (square / n as f64 - k * second).abs();
        assert!(error < 4.5 * 0.5 / (n as f64).sqrt(), "E |p|^2 off by {error} at alpha {alpha}");
    }

    #[test]
    fn moments_over_concentrations() {
        moments_match(1.0, 10, 1);
        moments_match(0.1, 5, 2);
        moments_match(5.0, 4, 3);
        moments_match(0.001, 20, 4);
    }

    #[test]
    fn tiny_concentrations_put_nearly_all_mass_on_one_outcome() {
        // E max p >= E |p|^2 = (alpha + 1)/(20 alpha + 1) = 0.981, less 0.006 for 4.5 standard errors.
        let mut rng = Rng::seed_from_u64(5);
        let (mut p, mut mass) = (vec![0.0; 20], 0.0);
        for _ in 0..2_000 {
            symmetric(0.001, &mut p, &mut rng);
            mass += p.iter().copied().fold(0.0, f64::max);
        }
        assert!((0.975..1.0).contains(&(mass / 2_000.0)), "{}", mass / 2_000.0);
        // Here every naive variate underflows.
        for alpha in [1e-12, 1e-100] {
            symmetric(alpha, &mut p, &mut rng);
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{p:?}");
        }
    }
}
