//! Means with intervals over independent units.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean with its two-sided 95 % interval (Student t over independent units).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Mean.
    pub mean: f64,
    /// Lower end; `null` in JSON with fewer than two units.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// 97.5 % quantile of Student's t with `df` degrees of freedom; infinite for none.
pub fn t975(df: usize) -> f64 {
    if df == 0 {
        return f64::INFINITY;
    }
    StudentsT::new(0.0, 1.0, df as f64).expect("positive degrees of freedom").inverse_cdf(0.975)
}

impl Estimate {
    /// Mean and 95 % t-interval of independent values.
    pub fn of(values: &[f64]) -> Estimate {
        let n = values.len();
        let mean = crate::math::returns::mean(values);
        if n < 2 {
            return Estimate { mean, low: None, high: None };
        }
        let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1) as f64;
        let half = t975(n - 1) * (variance / n as f64).sqrt();
        Estimate { mean, low: Some(mean - half), high: Some(mean + half) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t_quantiles_match_tables() {
        for (df, expected) in [(1, 12.706), (4, 2.776), (5, 2.571), (9, 2.262), (19, 2.093), (100, 1.984)] {
            assert!((t975(df) - expected).abs() < 1e-3, "df {df}: {}", t975(df));
        }
    }

    #[test]
    fn intervals_cover_the_mean_at_their_rate() {
        use rand::{RngExt, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(11);
        let replications = 4000;
        let covered = (0..replications)
            .filter(|_| {
                let x: Vec<f64> = (0..20).map(|_| (0..12).map(|_| rng.random::<f64>() - 0.5).sum()).collect();
                let e = Estimate::of(&x);
                e.low.unwrap() <= 0.0 && 0.0 <= e.high.unwrap()
            })
            .count();
        // binomial: 95 % +- 4 standard errors (alpha < 1e-4)
        let rate = covered as f64 / replications as f64;
        assert!((rate - 0.95).abs() < 4.0 * (0.95f64 * 0.05 / replications as f64).sqrt(), "covered {rate}");
    }
}
