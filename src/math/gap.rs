//! The squared stationarity gap |grad V|^2 from independent unbiased gradients: a U-statistic with an interval from disjoint pairs.

use super::groups::{Products, SquaredNorm};
use super::returns::mean;
use super::summary::{Estimate, t975};
use serde::{Deserialize, Serialize};

/// How a gap was obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Every inner batch with its probability: exact, the interval is a point.
    Enumerated,
    /// Sampled inner batches, exact outer expectation given each.
    RaoBlackwell,
    /// Sampled inner and outer batches.
    UStatistic,
}

impl Method {
    /// Name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Method::Enumerated => "enumerated",
            Method::RaoBlackwell => "rao-blackwell",
            Method::UStatistic => "u-statistic",
        }
    }
}

/// One measurement of the gap at one theta.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// How it was obtained.
    pub method: Method,
    /// Unbiased estimate of |grad V(theta)|^2; may be negative, never clamped.
    pub gap_squared: f64,
    /// Two-sided 95 % interval of it.
    pub gap_squared_interval: [f64; 2],
    /// Its root; `null` where the interval contains zero: below resolution.
    pub gap: Option<f64>,
    /// Independent groups the estimate is made of; 0 if enumerated.
    pub groups: u64,
    /// Trace of the covariance of the mean of all groups: the noise the estimate had to subtract; 0 if enumerated.
    pub noise: f64,
}

impl Gap {
    /// The gap of a gradient that is known exactly.
    pub fn exact(gradient: &[f64]) -> Gap {
        let squared: f64 = gradient.iter().map(|g| g * g).sum();
        Gap {
            method: Method::Enumerated,
            gap_squared: squared,
            gap_squared_interval: [squared; 2],
            gap: Some(squared.sqrt()),
            groups: 0,
            noise: 0.0,
        }
    }

    /// From m >= 4 independent gradients g_i with the same mean G = grad V(theta).
    ///
    /// The estimate is the U-statistic (|sum g|^2 - sum |g|^2) / (m (m - 1)), unbiased for |G|^2. The interval is Student's t
    /// over the floor(m / 2) products <g_1, g_2>, <g_3, g_4>, ... of disjoint pairs, which are independent and each unbiased;
    /// the jackknife of the U-statistic is not valid where G = 0, because the statistic is degenerate there. Where the products
    /// are skewed to the right (rare large gradients) the upper end is Hall's. `gap` is `None` unless the lower end is positive.
    ///
    /// # Panics
    /// With fewer than four gradients.
    pub fn of_groups(method: Method, gradients: &[Vec<f64>]) -> Gap {
        let m = gradients.len();
        assert!(m >= 4, "{m} gradients give no interval");
        let gradients: Vec<&[f64]> = gradients.iter().map(Vec::as_slice).collect();
        Gap::of_products(method, &Products::of(&gradients))
    }

    /// [`Gap::of_groups`] from the inner products of the gradients.
    pub fn of_products(method: Method, products: &Products) -> Gap {
        let SquaredNorm { squared, noise } = products.squared_norm();
        let interval = pairs_interval(&products.pairs).unwrap_or([f64::NEG_INFINITY, f64::INFINITY]);
        Gap {
            method,
            gap_squared: squared,
            gap_squared_interval: interval,
            gap: (interval[0] > 0.0 && squared > 0.0).then(|| squared.sqrt()),
            groups: products.squares.len() as u64,
            noise,
        }
    }

    /// Upper limit of the gap: the root of [`upper_squared`].
    pub fn upper(&self) -> f64 {
        upper_squared(self.gap_squared_interval).sqrt()
    }
}

/// 95 % interval of gap^2 from the products of disjoint pairs: Student's t, with Hall's upper end where that is larger. `None` with
/// fewer than two pairs.
pub fn pairs_interval(products: &[f64]) -> Option<[f64; 2]> {
    let Estimate { low, high, .. } = Estimate::of(products);
    Some([low?, high?.max(hall_upper(products))])
}

/// Upper limit of gap^2 by its interval: `max(high, (high - low) / 2)`, never below what the measurement can resolve.
///
/// An unlucky interval may lie below zero as a whole; its upper end taken at its word would claim a gap of zero.
pub fn upper_squared([low, high]: [f64; 2]) -> f64 {
    high.max((high - low) / 2.0)
}

/// Upper end of the two-sided 95 % interval for a mean from skewed values, by the transformation of Hall (1992, JRSS B 54, 221-228):
/// `mean - s / sqrt(n) T`, `T = 3 sqrt(n) / k ((1 + k (t / sqrt(n) - k / (6 n)))^(1/3) - 1)` with the skewness k and
/// `t = -t975(n - 1)`. Minus infinity where the values are all equal.
fn hall_upper(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let centre = mean(values);
    let moment = |power: i32| values.iter().map(|x| (x - centre).powi(power)).sum::<f64>() / n;
    let (second, third) = (moment(2), moment(3));
    if second <= 0.0 {
        return f64::NEG_INFINITY;
    }
    let k = third / second.powf(1.5);
    let t = -t975(values.len() - 1);
    let inner = k * (t / n.sqrt() - k / (6.0 * n));
    let transformed = if k.abs() < 1e-6 { t } else { 3.0 * n.sqrt() / k * ((1.0 + inner).cbrt() - 1.0) };
    centre - (second / (n - 1.0)).sqrt() * transformed
}

/// Sums of iterations that the two ends of a stretch of `e` iterations stand for: k, ..., k + e - 1, linear in between, is
/// `(e + 1) / 2` times the first and `(e - 1) / 2` times the second.
pub fn stretch(e: u64) -> [f64; 2] {
    [(e as f64 + 1.0) / 2.0, (e as f64 - 1.0) / 2.0]
}

/// Mean of gap^2 over the iterations from the first measurement to the one before the last, gap^2 being linear between
/// measurements at the growing `iterations`; of a single measurement that one.
///
/// This is exact if every iteration is measured (the last has weight zero then). Taking each measurement for all iterations up to the
/// next would be too large wherever the gap falls; what is left is the curvature between measurements.
///
/// The interval is what the measurements' own intervals imply by the same weights (spec metagrad-atari 4.3): their errors are
/// martingale differences, so their variances add. Half an interval that was widened for skewness counts as if it were all noise,
/// so this errs on the wide side. It is an interval for the mean along this one path of parameters, not for its expectation.
pub fn running_average(iterations: &[u64], gaps: &[Gap]) -> Estimate {
    let mut weights = vec![0.0; gaps.len()];
    for (k, pair) in iterations.windows(2).enumerate() {
        let [before, after] = stretch(pair[1] - pair[0]);
        weights[k] += before;
        weights[k + 1] += after;
    }
    if let [only] = weights.as_mut_slice() {
        *only = 1.0;
    }
    let total: f64 = weights.iter().sum();
    // the half-width of an interval over p pairs is t975(p - 1) standard errors
    let error = |g: &Gap| {
        let half = (g.gap_squared_interval[1] - g.gap_squared_interval[0]) / 2.0;
        if half == 0.0 { 0.0 } else { half / t975((g.groups as usize / 2).saturating_sub(1)) }
    };
    let centre = weights.iter().zip(gaps).map(|(w, g)| w * g.gap_squared).sum::<f64>() / total;
    let variance: f64 = weights.iter().zip(gaps).map(|(w, g)| (w * error(g)).powi(2)).sum();
    let half = 1.96 * variance.sqrt() / total;
    Estimate { mean: centre, low: Some(centre - half), high: Some(centre + half) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt as _, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    fn draw(rng: &mut ChaCha8Rng, mean: f64, d: usize, m: usize) -> Vec<Vec<f64>> {
        let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
        (0..m).map(|_| (0..d).map(|k| if k == 0 { mean + normal(rng) } else { normal(rng) }).collect()).collect()
    }

    #[test]
    fn the_statistic_equals_the_sum_over_pairs() {
        let g = draw(&mut ChaCha8Rng::seed_from_u64(1), 0.3, 3, 7);
        let mut sum = 0.0;
        for i in 0..7 {
            for j in 0..7 {
                if i != j {
                    sum += (0..3).map(|k| g[i][k] * g[j][k]).sum::<f64>();
                }
            }
        }
        assert!((Gap::of_groups(Method::UStatistic, &g).gap_squared - sum / 42.0).abs() < 1e-14);
    }

    /// Unbiased at zero, where clamping at zero would not be: 4000 replications, |z| < 4 (alpha 1e-4), and the negative control.
    #[test]
    fn it_is_unbiased_and_clamping_is_not() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let values: Vec<f64> =
            (0..4000).map(|_| Gap::of_groups(Method::UStatistic, &draw(&mut rng, 0.0, 4, 16)).gap_squared).collect();
        let z = |x: &[f64]| {
            let e = Estimate::of(x);
            e.mean / ((e.high.unwrap() - e.mean) / 1.96)
        };
        assert!(z(&values).abs() < 4.0);
        let clamped: Vec<f64> = values.iter().map(|v| v.max(0.0)).collect();
        assert!(z(&clamped) > 10.0);
        assert!(values.iter().any(|v| *v < 0.0));
    }

    /// Rare large gradients: 2000 replications of 40 groups of 10. The pairs' t-interval alone, the negative control, misses too
    /// often above; alpha is below 1e-4 for both (standard error of a coverage of 0.95: 0.005).
    #[test]
    fn skewed_gradients_are_covered_too() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let group = |rng: &mut ChaCha8Rng| -> Vec<f64> {
            let event = |rng: &mut ChaCha8Rng| if rng.random_bool(0.05) { 20.0 } else { 0.0 };
            (0..2).map(|_| (0..10).map(|_| event(rng)).sum::<f64>() / 10.0).collect()
        };
        let (mut held, mut plain) = (0, 0);
        for _ in 0..2000 {
            let groups: Vec<Vec<f64>> = (0..40).map(|_| group(&mut rng)).collect();
            let [low, high] = Gap::of_groups(Method::UStatistic, &groups).gap_squared_interval;
            held += usize::from(low <= 2.0 && 2.0 <= high);
            let products: Vec<f64> = groups.chunks_exact(2).map(|p| p[0][0] * p[1][0] + p[0][1] * p[1][1]).collect();
            let t = Estimate::of(&products);
            plain += usize::from(t.low.unwrap() <= 2.0 && 2.0 <= t.high.unwrap());
        }
        assert!((1880..=1980).contains(&held), "{held}");
        assert!(plain < 1860, "{plain}");
    }

    /// 4000 replications at G = 0: some 2 % of the intervals lie below zero as a whole, and none of them claims a gap of zero.
    #[test]
    fn an_unlucky_interval_claims_no_gap_below_its_resolution() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let all: Vec<Gap> =
            (0..4000).map(|_| Gap::of_groups(Method::UStatistic, &draw(&mut rng, 0.0, 4, 16))).collect();
        let unlucky: Vec<&Gap> = all.iter().filter(|g| g.gap_squared_interval[1] < 0.0).collect();
        assert!((20..200).contains(&unlucky.len()), "{}", unlucky.len());
        for gap in unlucky {
            let [low, high] = gap.gap_squared_interval;
            assert!(gap.upper() > 0.0 && (gap.upper().powi(2) - (high - low) / 2.0).abs() < 1e-12, "{gap:?}");
        }
        let usual = all.iter().find(|g| g.gap_squared_interval[0] > 0.0).expect("some lie above");
        assert_eq!(usual.upper(), usual.gap_squared_interval[1].sqrt());
        assert_eq!(Gap::exact(&[3.0, -4.0]).upper(), 5.0);
    }

    /// A gap that falls by 5 % per iteration, measured at every tenth: the trapezoids are within 3 % of the mean over all
    /// iterations, and taking measurements for the iterations up to the next, the negative control, is 20 % off and more.
    #[test]
    fn few_measurements_of_a_falling_gap_have_the_mean_of_all() {
        let gap = |k: &u64| Gap::exact(&[0.95f64.powi(*k as i32).sqrt()]);
        let average = |at: &[u64]| running_average(at, &at.iter().map(gap).collect::<Vec<_>>());
        let all: Vec<u64> = (0..=100).collect();
        let few: Vec<u64> = (0..=10).map(|i| 10 * i).collect();
        let truth = (1.0 - 0.95f64.powi(100)) / 0.05 / 100.0;
        assert!((average(&all).mean - truth).abs() < 1e-12);
        assert!((average(&few).mean / truth - 1.0).abs() < 0.03, "{} {truth}", average(&few).mean);
        let plain = few[..10].iter().map(|k| gap(k).gap_squared).sum::<f64>() / 10.0;
        assert!(plain / truth > 1.2, "{plain} {truth}");
        assert_eq!(average(&[0, 10, 25]).low, Some(average(&[0, 10, 25]).mean), "exact gaps leave nothing open");
        assert_eq!(average(&[7]).mean, gap(&7).gap_squared);
    }

    /// Unequal stretches: 1 and 4 iterations are (1) + (2.5, 1.5) of 5, and the variances go by the squares of the weights.
    #[test]
    fn the_interval_has_the_weights_of_the_mean() {
        let one = |squared: f64, half: f64| Gap {
            gap_squared_interval: [squared - half * t975(19), squared + half * t975(19)],
            groups: 40,
            ..Gap::exact(&[squared.sqrt()])
        };
        let found = running_average(&[0, 1, 5], &[one(4.0, 1.0), one(2.0, 2.0), one(1.0, 3.0)]);
        assert!((found.mean - (4.0 + 5.0 + 1.5) / 5.0).abs() < 1e-12);
        let error = (1.0f64 + 25.0 + 4.5 * 4.5).sqrt() / 5.0;
        assert!((found.high.expect("one") - found.mean - 1.96 * error).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn below_resolution_has_no_root() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        assert_eq!(Gap::of_groups(Method::UStatistic, &draw(&mut rng, 0.0, 4, 16)).gap, None);
        let far = Gap::of_groups(Method::UStatistic, &draw(&mut rng, 9.0, 4, 64));
        assert!(far.gap.is_some_and(|g| (g - 9.0).abs() < 1.0), "{far:?}");
        assert_eq!(Gap::exact(&[3.0, -4.0]).gap, Some(5.0));
    }
}
