//! How stationary the run is: squared norms of expected inner, outer and meta-gradients, from groups of actors.
//!
//! Everything is local: expectations are over the states that the current policy visits. Specification metagrad-atari 4.

use super::options::{BLOCK_UPDATES, BLOCKS};
use crate::math::gap::pairs_interval;
use crate::math::groups::{Crossed, Ema, Products, noise_scale};
use crate::math::series::Series;
use serde::{Deserialize, Serialize};

/// Decay of the averages behind the noise scale.
const DECAY: f64 = 0.99;

/// One squared norm, measured and averaged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// This measurement: unbiased, may be negative, never clamped.
    pub squared: f64,
    /// 95 % interval of this measurement from the products of disjoint pairs of groups; none with fewer than four groups.
    pub interval: Option<[f64; 2]>,
    /// tr(Sigma) / B: variance of the mean of all groups.
    pub noise: f64,
    /// Mean over the last blocks of updates.
    pub mean: f64,
    /// Lower end of its 95 % interval by batch means; none before two blocks are full.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Blocks behind the interval.
    pub blocks: usize,
    /// Mean of all measurements of the run.
    pub running: f64,
    /// Root of `mean`; none where its interval contains zero (below resolution) or does not exist yet.
    pub gap: Option<f64>,
}

/// All that is measured at one update. Gradients are per transition and before clipping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GapRow {
    /// S_in: expected inner gradient at theta_k.
    #[serde(rename = "in")]
    pub inner: Reading,
    /// S_in in the optimiser's metric `g^T P g`, P from the moments before this batch entered them.
    pub preconditioned: Reading,
    /// S_out: expected gradient of the fixed objective J' at theta_{k+1}, comparable over the run and between runs with one eta'.
    pub out: Reading,
    /// S_meta: expected meta-gradient in logits; none if nothing is learned.
    pub meta: Option<Reading>,
    /// S_meta by the values of the meta-parameters.
    pub meta_eta: Option<Reading>,
    /// Gradient noise scale of the inner gradient, transitions; none where the averaged S_in is not positive.
    pub b_simple: Option<f64>,
    /// That of the outer gradient.
    pub b_simple_out: Option<f64>,
}

/// The measured series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gauge {
    inner: Series,
    preconditioned: Series,
    out: Series,
    meta: Series,
    meta_eta: Series,
    /// Averages of S_in and its noise, of S_out and its noise.
    averages: [Ema; 4],
}

/// What one update is measured by.
pub struct Measured {
    /// Inner gradients of the groups.
    pub inner: Products,
    /// The same in the optimiser's metric.
    pub preconditioned: Products,
    /// Outer gradients of the groups.
    pub out: Products,
    /// Meta-gradient in logits and by values.
    pub meta: Option<[Crossed; 2]>,
    /// Transitions of the whole batch.
    pub transitions: f64,
}

impl Measured {
    /// Whether every number is finite: one that is not would spoil all averages after it.
    pub fn is_finite(&self) -> bool {
        let products = |p: &Products| p.of_sum.is_finite() && p.squares.iter().chain(&p.pairs).all(|x| x.is_finite());
        let crossed = |c: &Crossed| c.squared.is_finite() && c.noise.is_finite();
        [&self.inner, &self.preconditioned, &self.out].into_iter().all(products)
            && self.meta.iter().flatten().all(crossed)
    }
}

impl Gauge {
    /// Nothing measured yet; one measurement every `every` updates.
    pub fn new(every: u64) -> Gauge {
        let series = || Series::new(BLOCK_UPDATES.div_ceil(every.max(1)), BLOCKS);
        Gauge {
            inner: series(),
            preconditioned: series(),
            out: series(),
            meta: series(),
            meta_eta: series(),
            averages: [Ema::new(DECAY); 4],
        }
    }

    /// Takes in one measurement.
    pub fn take(&mut self, found: &Measured) -> GapRow {
        let [inner, out] = [&found.inner, &found.out].map(Products::squared_norm);
        for (ema, x) in self.averages.iter_mut().zip([inner.squared, inner.noise, out.squared, out.noise]) {
            ema.push(x);
        }
        let [s_in, n_in, s_out, n_out] = self.averages.map(|ema| ema.value().unwrap_or(0.0));
        let of = |series: &mut Series, products: &Products| {
            let norm = products.squared_norm();
            reading(series, norm.squared, norm.noise, pairs_interval(&products.pairs))
        };
        let crossed = |series: &mut Series, c: &Crossed| reading(series, c.squared, c.noise, None);
        GapRow {
            inner: of(&mut self.inner, &found.inner),
            preconditioned: of(&mut self.preconditioned, &found.preconditioned),
            out: of(&mut self.out, &found.out),
            meta: found.meta.as_ref().map(|m| crossed(&mut self.meta, &m[0])),
            meta_eta: found.meta.as_ref().map(|m| crossed(&mut self.meta_eta, &m[1])),
            b_simple: noise_scale(n_in, s_in, found.transitions),
            b_simple_out: noise_scale(n_out, s_out, found.transitions),
        }
    }
}

fn reading(series: &mut Series, squared: f64, noise: f64, interval: Option<[f64; 2]>) -> Reading {
    series.push(squared);
    let recent = series.recent();
    let resolved = recent.low.is_some_and(|low| low > 0.0);
    Reading {
        squared,
        interval,
        noise,
        mean: recent.mean,
        low: recent.low,
        high: recent.high,
        blocks: series.blocks(),
        running: series.running(),
        gap: resolved.then(|| recent.mean.sqrt()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_average_and_say_when_they_resolve_nothing() {
        let mut gauge = Gauge::new(25); // blocks of two measurements
        let mut last = None;
        for k in 0..8 {
            let wobble = 1.0 + 0.1 * f64::from(k % 3);
            let g = [[wobble, 0.0], [wobble, 1.0], [wobble, -1.0], [wobble, 0.0]];
            let out = [[wobble, 0.0], [-wobble, 0.0], [0.0, wobble], [0.0, -wobble]];
            let of = |g: &[[f64; 2]; 4]| Products::of(&g.each_ref().map(|g| g.as_slice()));
            let [inner, out] = [of(&g), of(&out)];
            let preconditioned = inner.clone().scaled(4.0);
            last = Some(gauge.take(&Measured { inner, preconditioned, out, meta: None, transitions: 8.0 }));
        }
        let row = last.expect("measured");
        assert_eq!((row.inner.blocks, row.meta.is_none()), (4, true));
        assert!((row.inner.running - row.preconditioned.running / 4.0).abs() < 1e-12);
        assert!(row.inner.gap.is_some_and(|g| (1.0..1.2).contains(&g)), "{row:?}");
        assert!(row.out.mean < 0.0 && row.out.gap.is_none(), "negative estimates are kept: {row:?}");
        assert!(row.inner.interval.is_some() && row.b_simple.is_some() && row.b_simple_out.is_none());
    }
}
