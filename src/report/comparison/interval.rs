//! Intervals of mean differences: over independent groups, and over families whose runs share their seeds.

use crate::math::returns;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean over independent groups with its two-sided interval; `None` without groups or if one has fewer than two values.
///
/// Groups count equally: `1/G sum_g m_g` with standard error `1/G sqrt(sum_g s_g^2 / n_g)` and Student's t with the degrees
/// of freedom of Welch and Satterthwaite; for one group that is Student's interval. `level` is the probability outside of the
/// interval. Values must be independent between groups too: for families of a suite see [`mean_over_families`].
pub fn mean_over_groups(groups: &[Vec<f64>], level: f64) -> (f64, Option<[f64; 2]>) {
    let count = groups.len() as f64;
    let estimates: Vec<f64> = groups.iter().map(|d| returns::mean(d)).collect();
    let mean = estimates.iter().sum::<f64>() / count;
    if groups.is_empty() || groups.iter().any(|d| d.len() < 2) {
        return (mean, None);
    }
    let variance = |(d, m): (&Vec<f64>, &f64)| {
        let n = d.len() as f64;
        d.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / (n - 1.0) / n
    };
    let variances: Vec<f64> = groups.iter().zip(&estimates).map(variance).collect();
    let total: f64 = variances.iter().sum();
    if total == 0.0 {
        return (mean, Some([mean; 2]));
    }
    let freedom = total * total / variances.iter().zip(groups).map(|(v, d)| v * v / (d.len() - 1) as f64).sum::<f64>();
    let quantile =
        StudentsT::new(0.0, 1.0, freedom.max(1.0)).map_or(f64::INFINITY, |t| t.inverse_cdf(1.0 - level / 2.0));
    let half = quantile * total.sqrt() / count;
    (mean, Some([mean - half, mean + half]))
}

/// A mean over families of differences `(seed, d)` with its two-sided interval, and the seeds it rests on.
///
/// Streams are addressed by the seed and not by the family, so runs of one seed share initial weights and tasks on every family
/// and what the seed does may be the same everywhere. Seeds are therefore the units: `D_s = 1/F sum_f d_fs` over the seeds that
/// every family has, and Student's t over the `D_s`, which holds whatever the correlation between families. With fewer than two
/// such seeds there is no interval, and without any the mean is that over families of their means. `level` is the probability
/// outside of the interval.
pub fn mean_over_families(differences: &[Vec<(u64, f64)>], level: f64) -> (f64, Option<[f64; 2]>, usize) {
    let at = |family: &[(u64, f64)], seed: u64| family.iter().find(|(s, _)| *s == seed).map(|(_, d)| *d);
    let over_families = |seed: u64| {
        let all: Option<Vec<f64>> = differences.iter().map(|family| at(family, seed)).collect();
        all.map(|all| returns::mean(&all))
    };
    let first = differences.first().map_or(&[][..], Vec::as_slice);
    let seeds: Vec<f64> = first.iter().filter_map(|(seed, _)| over_families(*seed)).collect();
    if seeds.is_empty() {
        let means = differences.iter().map(|f| returns::mean(&f.iter().map(|(_, d)| *d).collect::<Vec<_>>()));
        return (returns::mean(&means.collect::<Vec<_>>()), None, 0);
    }
    let (mean, interval) = mean_over_groups(std::slice::from_ref(&seeds), level);
    (mean, interval, seeds.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Address, Purpose};
    use rand_distr::{Distribution, Normal, StandardNormal};

    const REPLICATIONS: usize = 4000;

    /// Whether 95 % is within 4 binomial standard errors (alpha < 1e-4).
    fn is_nominal(covered: usize) -> bool {
        let rate = covered as f64 / REPLICATIONS as f64;
        (rate - 0.95).abs() < 4.0 * (0.95f64 * 0.05 / REPLICATIONS as f64).sqrt()
    }

    fn holds(interval: Option<[f64; 2]>, truth: f64) -> bool {
        interval.is_some_and(|[low, high]| low <= truth && truth <= high)
    }

    /// 95 % intervals of a mean over three independent groups of 5 values, and the negative control that half of those at
    /// level 0.5 hold the truth.
    #[test]
    fn intervals_over_independent_groups_cover() {
        let mut rng = Address::new(5, Purpose::Statistics).stream();
        let (mut covered, mut narrow) = (0, 0);
        for _ in 0..REPLICATIONS {
            let group = |rng: &mut _, sd: f64| -> Vec<f64> {
                let normal = Normal::new(0.3, sd).expect("positive");
                (0..5).map(|_| normal.sample(rng)).collect()
            };
            let draws: Vec<Vec<f64>> = [1.0, 0.8, 1.2].iter().map(|sd| group(&mut rng, *sd)).collect();
            covered += usize::from(holds(mean_over_groups(&draws, 0.05).1, 0.3));
            narrow += usize::from(holds(mean_over_groups(&draws, 0.5).1, 0.3));
        }
        assert!(is_nominal(covered), "{covered}");
        assert!((narrow as f64) < 0.6 * REPLICATIONS as f64, "half of them");
    }

    /// Three families whose differences share what the seed does: the interval over seeds covers at its rate; the one that takes
    /// families as independent (negative control) holds the truth far less often.
    #[test]
    fn intervals_cover_where_families_share_seeds() {
        let mut rng = Address::new(6, Purpose::Statistics).stream();
        let (mut covered, mut independent) = (0, 0);
        for _ in 0..REPLICATIONS {
            let normal = |rng: &mut _| -> f64 { StandardNormal.sample(rng) };
            let shared: Vec<f64> = (0..5).map(|_| normal(&mut rng)).collect();
            let family = |rng: &mut _, sd: f64| -> Vec<(u64, f64)> {
                (1..).zip(&shared).map(|(s, z)| (s, 0.3 + z + sd * normal(rng))).collect()
            };
            let draws: Vec<Vec<(u64, f64)>> = [0.3, 0.2, 0.5].iter().map(|sd| family(&mut rng, *sd)).collect();
            let (mean, interval, seeds) = mean_over_families(&draws, 0.05);
            assert_eq!(seeds, 5);
            covered += usize::from(holds(interval, 0.3));
            let apart: Vec<Vec<f64>> = draws.iter().map(|f| f.iter().map(|(_, d)| *d).collect()).collect();
            let (same, narrow) = mean_over_groups(&apart, 0.05);
            assert!((mean - same).abs() < 1e-12);
            independent += usize::from(holds(narrow, 0.3));
        }
        assert!(is_nominal(covered), "{covered}");
        assert!((independent as f64) < 0.85 * REPLICATIONS as f64, "{independent}");
    }

    #[test]
    fn only_seeds_that_all_families_have_count() {
        let families = [vec![(1, 1.0), (2, 3.0), (3, 100.0)], vec![(2, 5.0), (1, 1.0), (4, 100.0)]];
        let (mean, interval, seeds) = mean_over_families(&families, 0.05);
        assert_eq!((mean, seeds), (2.5, 2));
        assert_eq!(interval, mean_over_groups(&[vec![1.0, 4.0]], 0.05).1);
        assert_eq!(mean_over_families(&[vec![(1, 1.0)], vec![(1, 3.0)]], 0.05), (2.0, None, 1));
        assert_eq!(mean_over_families(&[vec![(1, 1.0)], vec![(2, 3.0)]], 0.05), (2.0, None, 0));
        assert!(mean_over_families(&[], 0.05).1.is_none());
    }

    #[test]
    fn no_noise_and_too_few_values() {
        assert_eq!(mean_over_groups(&[vec![1.0, 1.0], vec![3.0, 3.0]], 0.05), (2.0, Some([2.0, 2.0])));
        assert_eq!(mean_over_groups(&[vec![1.0, 1.0], vec![3.0]], 0.05), (2.0, None));
        assert!(mean_over_groups(&[], 0.05).1.is_none());
    }
}
