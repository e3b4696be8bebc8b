//! Verdicts on claims that are made of several inequalities, each known with a standard error; and slopes of power laws.

use super::bootstrap::{RESAMPLES, quantile};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

/// What the evidence says of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Every part is true at the stated confidence.
    #[serde(rename = "holds")]
    Holds,
    /// Some part is false at the stated confidence.
    #[serde(rename = "does not hold")]
    DoesNotHold,
    /// Neither.
    #[serde(rename = "not resolved")]
    NotResolved,
}

impl Verdict {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::DoesNotHold => "does not hold",
            Verdict::NotResolved => "not resolved",
        }
    }
}

/// A quantity that a claim says is positive, with its standard error (0: exact).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Estimate.
    pub value: f64,
    /// Standard error.
    pub error: f64,
}

impl Part {
    /// `a - b` of independent estimates `(value, error)`.
    pub fn difference(a: (f64, f64), b: (f64, f64)) -> Part {
        Part { value: a.0 - b.0, error: a.1.hypot(b.1) }
    }

    /// In standard errors; of an exact one the sign is certain.
    fn z(self) -> f64 {
        if self.error > 0.0 {
            self.value / self.error
        } else if self.value == 0.0 {
            0.0
        } else {
            self.value.signum() * f64::INFINITY
        }
    }
}

/// A verdict with the factor by which the sample must grow to bring one, at the present estimates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Where it is open: multiple of the repeats that would resolve it if the estimates stay as they are.
    pub factor: Option<f64>,
}

/// Judges "every part is positive" at `confidence`.
///
/// It holds if each part is above zero by its own one-sided test (the intersection of true parts needs no correction: Berger 1982), and it
/// does not if some part is below zero by a test corrected for their number (Bonferroni).
///
/// # Panics
/// Without a part.
pub fn all_positive(parts: &[Part], confidence: f64) -> Judgement {
    assert!(!parts.is_empty(), "a claim has a part");
    let [one, any] = critical(parts.len(), confidence);
    let z: Vec<f64> = parts.iter().map(|p| p.z()).collect();
    if z.iter().all(|&z| z > one) {
        return Judgement { verdict: Verdict::Holds, factor: None };
    }
    if z.iter().any(|&z| z < -any) {
        return Judgement { verdict: Verdict::DoesNotHold, factor: None };
    }
    let needed = |z: f64| if z > 0.0 { (one / z).powi(2) } else { (any / z).powi(2) };
    let open = z.iter().filter(|&&z| z <= one).map(|&z| needed(z));
    Judgement { verdict: Verdict::NotResolved, factor: Some(open.fold(1.0, f64::max)) }
}

/// Standard errors by which a part must be above zero for itself, and below zero among `parts` for any of them.
fn critical(parts: usize, confidence: f64) -> [f64; 2] {
    let normal = Normal::standard();
    [normal.inverse_cdf(confidence), normal.inverse_cdf(1.0 - (1.0 - confidence) / parts as f64)]
}

/// The part with the fewest standard errors, which decides, and its interval `[v - z_c e, v + z_b e]`: z_c of the one-sided test at
/// `confidence`, z_b of the same after Bonferroni's correction. So [`all_positive`] holds just where the lower end is above zero, and does
/// not just where the upper end is below. None if the decisive part has no number; ends that coincide where it is exact.
pub fn decisive(parts: &[Part], confidence: f64) -> Option<(Part, [f64; 2])> {
    let part = *parts.iter().min_by(|a, b| a.z().total_cmp(&b.z()))?;
    let [one, any] = critical(parts.len(), confidence);
    let interval = [part.value - one * part.error, part.value + any * part.error];
    interval.iter().all(|x| x.is_finite()).then_some((part, interval))
}

/// Least-squares slope of `log y` over `log x`; NaN if a value is not positive.
pub fn power(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len() as f64;
    let (lx, ly): (Vec<f64>, Vec<f64>) = (x.iter().map(|x| x.ln()).collect(), y.iter().map(|y| y.ln()).collect());
    let (mx, my) = (lx.iter().sum::<f64>() / n, ly.iter().sum::<f64>() / n);
    let products = lx.iter().zip(&ly).map(|(a, b)| (a - mx) * (b - my)).sum::<f64>();
    products / lx.iter().map(|a| (a - mx).powi(2)).sum::<f64>()
}

/// [`power`] of the root of the mean over units of `squares[i][unit]` against `x[i]`, with the percentile interval over units at
/// `confidence`, and the share of resamples that had no slope because noise made a mean negative.
pub fn power_interval(x: &[f64], squares: &[Vec<f64>], confidence: f64, rng: &mut impl Rng) -> (f64, [f64; 2], f64) {
    let units = squares.first().map_or(0, Vec::len);
    let slope = |drawn: &[usize]| {
        let root = |of: &Vec<f64>| (drawn.iter().map(|&i| of[i]).sum::<f64>() / drawn.len() as f64).sqrt();
        power(x, &squares.iter().map(root).collect::<Vec<f64>>())
    };
    let all: Vec<usize> = (0..units).collect();
    let mut slopes: Vec<f64> = (0..RESAMPLES)
        .map(|_| slope(&all.iter().map(|_| rng.random_range(0..units)).collect::<Vec<usize>>()))
        .filter(|s| s.is_finite())
        .collect();
    let lost = 1.0 - slopes.len() as f64 / RESAMPLES as f64;
    slopes.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    let ends = match slopes.is_empty() {
        true => [f64::NAN; 2],
        false => [quantile(&slopes, tail), quantile(&slopes, 1.0 - tail)],
    };
    (slope(&all), ends, lost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    fn part(value: f64, error: f64) -> Part {
        Part { value, error }
    }

    #[test]
    fn by_hand() {
        let judge = |parts: &[Part]| all_positive(parts, 0.95);
        assert_eq!(judge(&[part(2.0, 1.0), part(1.0, 0.0)]).verdict, Verdict::Holds);
        assert_eq!(judge(&[part(2.0, 1.0), part(-3.0, 1.0)]).verdict, Verdict::DoesNotHold);
        assert_eq!(judge(&[part(0.0, 0.0)]).verdict, Verdict::NotResolved, "a tie is not a difference");
        let open = judge(&[part(0.8224, 1.0), part(9.0, 1.0)]);
        assert_eq!(open.verdict, Verdict::NotResolved);
        assert!(
            (open.factor.expect("open") - 4.0).abs() < 0.01,
            "twice as many standard errors need four times the sample"
        );
    }

    /// Of true claims on the edge (one part is zero) at most 5 % are called false, and of false ones at most 5 % are called true:
    /// 10^4 replications, 4 standard errors of slack; at half the confidence (the control) both would be exceeded.
    #[test]
    fn verdicts_err_at_their_rate() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut rate = |centres: [f64; 3], verdict: Verdict, confidence: f64| {
            let n = 10_000;
            let hits = (0..n).filter(|_| {
                let parts = centres.map(|c| {
                    let z: f64 = StandardNormal.sample(&mut rng);
                    part(c + z, 1.0)
                });
                all_positive(&parts, confidence).verdict == verdict
            });
            hits.count() as f64 / f64::from(n)
        };
        assert!(rate([0.0; 3], Verdict::DoesNotHold, 0.95) < 0.05 + 0.009);
        assert!(rate([0.0, 9.0, 9.0], Verdict::Holds, 0.95) < 0.05 + 0.009);
        assert!(rate([0.0, 9.0, 9.0], Verdict::Holds, 0.5) > 0.4);
        assert!(rate([3.0, 4.0, 4.0], Verdict::Holds, 0.95) > 0.8, "there is power");
    }

    /// The interval of the decisive part says what the verdict says, on random parts of which some are exact.
    #[test]
    fn the_decisive_interval_agrees_with_the_verdict() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut seen = [0; 3];
        for i in 0..3000 {
            let parts: Vec<Part> = (0..1 + i % 4)
                .map(|k| {
                    let z: f64 = StandardNormal.sample(&mut rng);
                    part(1.5 + 2.0 * z, f64::from(u8::from(k != 3)))
                })
                .collect();
            let (found, [low, high]) = decisive(&parts, 0.95).expect("finite");
            assert!(parts.contains(&found) && low <= found.value && found.value <= high);
            let said = match (low > 0.0, high < 0.0) {
                (true, _) => Verdict::Holds,
                (_, true) => Verdict::DoesNotHold,
                _ => Verdict::NotResolved,
            };
            seen[said as usize] += 1;
            assert_eq!(said, all_positive(&parts, 0.95).verdict, "{parts:?}");
        }
        assert!(seen.iter().all(|&n| n > 300), "{seen:?}");
        assert_eq!(decisive(&[part(f64::NAN, 1.0)], 0.95), None);
    }

    #[test]
    fn powers_are_found() {
        let x = [2.0, 8.0, 32.0];
        assert!((power(&x, &x.map(|x| 3.0 * x.powf(-0.7))) + 0.7).abs() < 1e-12);
        let squares: Vec<Vec<f64>> =
            x.iter().map(|x| (1..=10).map(|u| f64::from(u) * x.powf(-1.4)).collect()).collect();
        let (slope, [low, high], lost) = power_interval(&x, &squares, 0.95, &mut ChaCha8Rng::seed_from_u64(2));
        assert!(
            (slope + 0.7).abs() < 1e-12 && (low - slope).abs() < 1e-9 && (high - slope).abs() < 1e-9 && lost == 0.0
        );
    }
}
