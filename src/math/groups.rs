//! Squared norms of mean gradients from groups of one batch: U-statistic, half products, crossed bilinear form, noise, averages.
//!
//! Groups (of actors, never of time steps) are independent given the history. Source: specification metagrad-atari 4.2, 4.3.

use super::real::{Real, inner_product};
use super::returns::mean;
use super::summary::Estimate;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Inner product.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Elementwise mean of vectors of one length.
fn centre(vectors: &[Vec<f64>]) -> Vec<f64> {
    let mut sum = vec![0.0; vectors.first().map_or(0, Vec::len)];
    for v in vectors {
        sum.iter_mut().zip(v).for_each(|(s, v)| *s += v);
    }
    sum.iter().map(|s| s / vectors.len() as f64).collect()
}

/// `|E g|^2` and the noise of the mean, from m groups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SquaredNorm {
    /// `(|sum g|^2 - sum |g|^2) / (m (m - 1))`: unbiased, may be negative, never clamped.
    pub squared: f64,
    /// `tr(Sigma) / B = sum |g - gbar|^2 / (m (m - 1))`: the variance of the mean of all groups.
    pub noise: f64,
}

impl SquaredNorm {
    /// From the mean gradients of m >= 2 groups of equal size.
    ///
    /// # Panics
    /// With fewer than two groups.
    pub fn of_groups(groups: &[Vec<f64>]) -> SquaredNorm {
        let groups: Vec<&[f64]> = groups.iter().map(Vec::as_slice).collect();
        Products::of(&groups).squared_norm()
    }
}

/// Inner products among m vectors: all that a squared norm with its noise and interval needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Products {
    /// `|g_1 + ... + g_m|^2`.
    pub of_sum: f64,
    /// `|g_i|^2`.
    pub squares: Vec<f64>,
    /// `<g_1, g_2>, <g_3, g_4>, ...`: disjoint pairs, so independent of one another.
    pub pairs: Vec<f64>,
}

/// Writes the diagonal of a metric, p of the coordinates it is asked for.
pub type Metric<'a> = dyn Fn(Range<usize>, &mut [f64]) + 'a;

/// Coordinates that are widened to `f64` at a time.
const BLOCK: usize = 512;

impl Products {
    /// Of vectors of one length, in f64.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn of<F: Real>(vectors: &[&[F]]) -> Products {
        Products::blocks(vectors, None)
    }

    /// The same under `<g, h> = sum_i p_i g_i h_i`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn in_metric<F: Real>(vectors: &[&[F]], metric: &Metric<'_>) -> Products {
        Products::blocks(vectors, Some(metric))
    }

    fn blocks<F: Real>(vectors: &[&[F]], metric: Option<&Metric<'_>>) -> Products {
        let (m, n) = (vectors.len(), vectors.first().map_or(0, |v| v.len()));
        assert!(vectors.iter().all(|v| v.len() == n), "one length");
        let mut found = Products { of_sum: 0.0, squares: vec![0.0; m], pairs: vec![0.0; m / 2] };
        let mut wide = vec![[0.0; BLOCK]; m];
        let (mut sum, mut scaled, mut weights) = ([0.0; BLOCK], [0.0; BLOCK], [1.0; BLOCK]);
        for start in (0..n).step_by(BLOCK) {
            let size = BLOCK.min(n - start);
            if let Some(metric) = metric {
                metric(start..start + size, &mut weights[..size]);
            }
            sum[..size].fill(0.0);
            for (vector, wide) in vectors.iter().zip(&mut wide) {
                let wide = &mut wide[..size];
                wide.iter_mut().zip(&vector[start..]).for_each(|(w, x)| *w = x.f64());
                sum.iter_mut().zip(&*wide).for_each(|(s, w)| *s += w);
            }
            let mut product = |a: &[f64; BLOCK], b: &[f64; BLOCK]| {
                if metric.is_none() {
                    return inner_product(&a[..size], &b[..size]);
                }
                scaled[..size].iter_mut().zip(a).zip(&weights).for_each(|((s, a), p)| *s = p * a);
                inner_product(&scaled[..size], &b[..size])
            };
            found.of_sum += product(&sum, &sum);
            for (square, g) in found.squares.iter_mut().zip(&wide) {
                *square += product(g, g);
            }
            for (sum, pair) in found.pairs.iter_mut().zip(wide.chunks_exact(2)) {
                *sum += product(&pair[0], &pair[1]);
            }
        }
        found
    }

    /// The U-statistic and its noise.
    ///
    /// # Panics
    /// With fewer than two groups.
    pub fn squared_norm(&self) -> SquaredNorm {
        let m = self.squares.len() as f64;
        assert!(self.squares.len() >= 2, "one group says nothing about noise");
        let squares: f64 = self.squares.iter().sum();
        SquaredNorm {
            squared: (self.of_sum - squares) / (m * (m - 1.0)),
            noise: ((squares - self.of_sum / m) / (m - 1.0) / m).max(0.0),
        }
    }

    /// Everything times a factor: the vectors times its root.
    pub fn scaled(mut self, factor: f64) -> Products {
        self.of_sum *= factor;
        self.squares.iter_mut().chain(&mut self.pairs).for_each(|x| *x *= factor);
        self
    }
}

/// `<mean of the first half, mean of the second half>`: unbiased for `|E g|^2`, with more variance than the U-statistic.
///
/// # Panics
/// With fewer than two groups.
pub fn half_product(groups: &[Vec<f64>]) -> f64 {
    assert!(groups.len() >= 2, "two halves");
    let (a, b) = groups.split_at(groups.len() / 2);
    dot(&centre(a), &centre(b))
}

/// Gradient noise scale `tr(Sigma) / |G|^2` (McCandlish et al. 2018) in units of samples, for batches of `samples`.
///
/// Average numerator and denominator separately (see [`Ema`]) before dividing; `None` where the denominator is not positive.
pub fn noise_scale(noise: f64, squared: f64, samples: f64) -> Option<f64> {
    (squared > 0.0).then(|| noise * samples / squared)
}

/// Meta-gradient contributions `h[x][y]` of inner half x along the outer direction of half y.
#[derive(Clone, Debug, PartialEq)]
pub struct Crossed {
    /// `(<h_AA, h_BB> + <h_AB, h_BA>) / 2`: unbiased for `|E h|^2` given theta'.
    pub squared: f64,
    /// `(h_AA + h_AB + h_BA + h_BB) / 4`: the meta-gradient of the update.
    pub mean: Vec<f64>,
    /// Variance of `mean`: `|mean|^2 - squared` in expectation.
    pub noise: f64,
}

/// The crossed estimate of a bilinear meta-gradient `h = M(tau)^T u(tau')`: both samples are halved, so that neither biases it.
///
/// Each `h[x][y]` is the **mean** over its half (twice its part of a sum over the whole batch).
pub fn crossed(h: &[[Vec<f64>; 2]; 2]) -> Crossed {
    let squared = 0.5 * (dot(&h[0][0], &h[1][1]) + dot(&h[0][1], &h[1][0]));
    let mean = centre(&[h[0][0].clone(), h[0][1].clone(), h[1][0].clone(), h[1][1].clone()]);
    let noise = dot(&mean, &mean) - squared;
    Crossed { squared, mean, noise }
}

/// Mean of an autocorrelated series with a 95 % t-interval over non-overlapping batch means.
///
/// Blocks of `length` values from the end of the series, at most `blocks` of them (4.3: length >= 50, 20 blocks); values before
/// them and an incomplete block are left out. Without interval while there are fewer than two blocks.
///
/// # Panics
/// If `length` is zero.
pub fn batch_means(series: &[f64], length: usize, blocks: usize) -> Estimate {
    assert!(length > 0, "blocks of at least one value");
    let whole = (series.len() / length).min(blocks);
    if whole == 0 {
        return Estimate { mean: mean(series), low: None, high: None };
    }
    let tail = &series[series.len() - whole * length..];
    Estimate::of(&tail.chunks_exact(length).map(mean).collect::<Vec<_>>())
}

/// Exponential moving average with bias correction `1 / (1 - decay^k)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ema {
    /// Weight of the past.
    pub decay: f64,
    /// Uncorrected sum.
    pub sum: f64,
    /// Sum of the weights.
    pub weight: f64,
}

impl Ema {
    /// Nothing seen yet.
    pub fn new(decay: f64) -> Ema {
        Ema { decay, sum: 0.0, weight: 0.0 }
    }

    /// Takes in one value.
    pub fn push(&mut self, x: f64) {
        self.sum = self.decay * self.sum + (1.0 - self.decay) * x;
        self.weight = self.decay * self.weight + (1.0 - self.decay);
    }

    /// The average; `None` before the first value.
    pub fn value(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    fn normal(rng: &mut ChaCha8Rng) -> f64 {
        StandardNormal.sample(rng)
    }

    #[test]
    fn it_is_mccandlish_with_small_batches_of_one_group() {
        let rng = &mut ChaCha8Rng::seed_from_u64(1);
        let g: Vec<Vec<f64>> = (0..8).map(|_| (0..5).map(|_| normal(rng)).collect()).collect();
        let big = dot(&centre(&g), &centre(&g));
        let small = g.iter().map(|g| dot(g, g)).sum::<f64>() / 8.0;
        let found = SquaredNorm::of_groups(&g);
        let slices: Vec<&[f64]> = g.iter().map(Vec::as_slice).collect();
        let halved = Products::in_metric(&slices, &|_, p| p.fill(0.25));
        assert_eq!(halved.scaled(4.0).squared_norm(), Products::of(&slices).squared_norm());
        assert_eq!(Products::of(&slices).pairs.len(), 4);
        assert!((Products::of(&slices).pairs[1] - dot(&g[2], &g[3])).abs() < 1e-13);
        assert!((found.squared - (8.0 * big - small) / 7.0).abs() < 1e-13);
        assert!((found.noise - (small - big) / (1.0 - 1.0 / 8.0) / 8.0).abs() < 1e-13);
    }

    /// Unbiased for `|M u|^2` with |z| < 4 over 20,000 draws (alpha 6e-5); splitting only the outer sample is not.
    #[test]
    fn the_crossed_product_is_unbiased_and_half_of_it_is_not() {
        let rng = &mut ChaCha8Rng::seed_from_u64(2);
        let truth = [0.5 * 0.6, 0.5 * -0.3];
        let (mut crossed_values, mut control) = (Vec::new(), Vec::new());
        for _ in 0..20_000 {
            // M ~ N(0.5, 1), u ~ N((0.6, -0.3), 1) per half; h = M u
            let m = [0.5 + normal(rng), 0.5 + normal(rng)];
            let u = [0.6, 0.6, -0.3, -0.3].map(|c| c + normal(rng));
            let h = |x: usize, y: usize| vec![m[x] * u[y], m[x] * u[2 + y]];
            crossed_values.push(crossed(&[[h(0, 0), h(0, 1)], [h(1, 0), h(1, 1)]]).squared);
            let both = 0.5 * (m[0] + m[1]);
            control.push(both * both * (u[0] * u[1] + u[2] * u[3]));
        }
        let z = |x: &[f64]| {
            let e = Estimate::of(x);
            (e.mean - dot(&truth, &truth)) / ((e.high.unwrap() - e.mean) / 1.96)
        };
        assert!(z(&crossed_values).abs() < 4.0, "z {}", z(&crossed_values));
        assert!(z(&control) > 8.0, "z {}", z(&control));
    }

    /// AR(1) with correlation 0.9: intervals over blocks of 100 cover (binomial, alpha < 1e-4); over single values they do not.
    #[test]
    fn batch_means_cover_an_autocorrelated_mean() {
        let rng = &mut ChaCha8Rng::seed_from_u64(3);
        let (mut covered, mut naive) = (0, 0);
        for _ in 0..1000 {
            let mut x = normal(rng) / (1.0f64 - 0.81).sqrt();
            let series: Vec<f64> = (0..2000)
                .map(|_| {
                    x = 0.9 * x + normal(rng);
                    x
                })
                .collect();
            let inside = |e: Estimate| usize::from(e.low.unwrap() <= 0.0 && 0.0 <= e.high.unwrap());
            covered += inside(batch_means(&series, 100, 20));
            naive += inside(batch_means(&series, 1, 2000));
        }
        assert!((900..=980).contains(&covered), "covered {covered}");
        assert!(naive < 600, "the control covered {naive}");
    }

    #[test]
    fn the_average_is_corrected_for_its_start() {
        let mut ema = Ema::new(0.99);
        assert_eq!(ema.value(), None);
        for _ in 0..3 {
            ema.push(2.0);
        }
        assert!((ema.value().unwrap() - 2.0).abs() < 1e-12);
        assert_eq!(noise_scale(3.0, 1.5, 10.0), Some(20.0));
        assert_eq!(noise_scale(3.0, -1.5, 10.0), None);
    }
}
