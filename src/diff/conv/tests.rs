//! The kernels on random shapes: every vector width against the sums written out, and pooling against its definition.

use super::back::back;
use super::correlate::{Finish, Walk, Window, correlate};
use super::dense::{Panels, Source, dense};
use super::outer::outer;
use super::pixels::{from_bytes, pool, pool_back, pool_tangent};
use super::plan::{BLOCK, Grid};
use super::simd::Level;
use crate::math::real::Real;
use crate::rng::{Address, Purpose, Rng};
use rand::RngExt;

fn draw<F: Real>(rng: &mut Rng, n: usize) -> Vec<F> {
    (0..n).map(|_| F::of(2.0 * rng.random::<f64>() - 1.0)).collect()
}

/// A window over an image that fits it exactly, with sizes around those of the tiles.
fn window(rng: &mut Rng) -> (Window, usize) {
    let size = [rng.random_range(1..4), rng.random_range(1..26)];
    let (taps, stride) = (rng.random_range(1..4), rng.random_range(1..3));
    let inputs = [1, 3, 4, 16, 32, 64][rng.random_range(0..6)];
    let width = (size[1] - 1) * stride + taps;
    let row = width * inputs;
    let channels = BLOCK * rng.random_range(1..5);
    let x = Walk { start: 0, pixel: stride * inputs, row: stride * row };
    let out = Walk { start: 5, pixel: channels + 2, row: size[1] * (channels + 2) + 1 };
    let mask = Walk { start: 1, pixel: channels, row: size[1] * channels };
    let height = (size[0] - 1) * stride + taps;
    (Window { size, x, taps, tap_row: row, run: taps * inputs, out, mask, channels }, height * row)
}

fn close<F: Real>(a: &[F], b: &[f64], terms: usize) -> bool {
    let limit = 4.0 * F::epsilon().f64() * (terms as f64).max(4.0);
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a.f64() - b).abs() <= limit * b.abs().max(1.0))
}

/// Calls `f` with each pixel, channel, and its places in output and mask.
fn each_output(g: &Window, mut f: impl FnMut([usize; 2], usize, usize, usize)) {
    for i in 0..g.size[0] {
        for j in 0..g.size[1] {
            for c in 0..g.channels {
                let place = |w: &Walk| w.start + i * w.row + j * w.pixel + c;
                f([i, j], c, place(&g.out), place(&g.mask));
            }
        }
    }
}

fn correlations<F: Real>(rng: &mut Rng) {
    for round in 0..60 {
        let (g, len) = window(rng);
        let (x, w) = (draw::<F>(rng, len), draw::<F>(rng, g.taps * g.run * g.channels));
        let n = g.out.end(g.size) - 1 + g.channels;
        let (before, bias) = (draw::<F>(rng, n), draw::<F>(rng, g.channels));
        let mask = draw::<F>(rng, g.mask.end(g.size) - 1 + g.channels);
        let finish = Finish {
            bias: (round % 2 == 0).then_some(&bias[..]),
            onto: round % 3 == 0,
            mask: (round % 5 < 2).then_some(&mask[..]),
            accumulate: round % 4 == 1,
            relu: round % 7 < 3,
        };
        let mut exact: Vec<f64> = before.iter().map(|b| b.f64()).collect();
        each_output(&g, |[i, j], c, out, m| {
            let mut sum = finish.bias.map_or(0.0, |b| b[c].f64()) + if finish.onto { before[out].f64() } else { 0.0 };
            for t in 0..g.taps {
                for r in 0..g.run {
                    let x = x[g.x.start + i * g.x.row + j * g.x.pixel + t * g.tap_row + r];
                    sum += x.f64() * w[(t * g.run + r) * g.channels + c].f64();
                }
            }
            if finish.mask.is_some_and(|mask| mask[m].f64() <= 0.0) {
                sum = 0.0;
            }
            let sum = if finish.accumulate { sum + before[out].f64() } else { sum };
            exact[out] = if finish.relu { sum.max(0.0) } else { sum };
        });
        for level in Level::available() {
            let mut out = before.clone();
            correlate(level, &g, &x, &w, finish, &mut out);
            assert!(close(&out, &exact, g.taps * g.run), "{level:?} {g:?}");
        }
    }
}

fn outer_products<F: Real>(rng: &mut Rng) {
    for _ in 0..40 {
        let (g, len) = window(rng);
        let (x, d) = (draw::<F>(rng, len), draw::<F>(rng, g.out.end(g.size) - 1 + g.channels));
        let (w, b) = (draw::<F>(rng, g.taps * g.run * g.channels), draw::<F>(rng, g.channels));
        let mut exact_w: Vec<f64> = w.iter().map(|w| w.f64()).collect();
        let mut exact_b: Vec<f64> = b.iter().map(|b| b.f64()).collect();
        each_output(&g, |[i, j], c, out, _| {
            exact_b[c] += d[out].f64();
            for t in 0..g.taps {
                for r in 0..g.run {
                    let x = x[g.x.start + i * g.x.row + j * g.x.pixel + t * g.tap_row + r];
                    exact_w[(t * g.run + r) * g.channels + c] += x.f64() * d[out].f64();
                }
            }
        });
        for level in Level::available() {
            let (mut w, mut b) = (w.clone(), b.clone());
            outer(level, &g, &x, &d, &mut w, Some(&mut b));
            let terms = g.size[0] * g.size[1];
            assert!(close(&w, &exact_w, terms) && close(&b, &exact_b, terms), "{level:?} {g:?}");
        }
    }
}

#[test]
fn kernels_match_their_sums_at_every_width() {
    let mut rng = Address::new(7, Purpose::Init).stream();
    assert!(Level::available().contains(&Level::best()));
    correlations::<f32>(&mut rng);
    correlations::<f64>(&mut rng);
    outer_products::<f32>(&mut rng);
    outer_products::<f64>(&mut rng);
}

#[test]
fn dense_layers_match_their_sums_at_every_width() {
    let mut rng = Address::new(8, Purpose::Init).stream();
    for [rows, inputs, outputs] in [[1, 1, 1], [11, 130, 7], [23, 300, 33], [5, 17, 64], [12, 128, 47]] {
        let (x, w) = (draw::<f32>(&mut rng, rows * inputs), draw::<f32>(&mut rng, inputs * outputs));
        let (bias, before) = (draw::<f32>(&mut rng, outputs), draw::<f32>(&mut rng, rows * outputs));
        let mask = draw::<f32>(&mut rng, rows * outputs);
        for (onto, masked, relu) in [(false, false, true), (true, true, false)] {
            let finish = Finish { bias: Some(&bias), onto, mask: masked.then_some(&mask), accumulate: false, relu };
            let exact = (0..rows * outputs).map(|o| {
                let (i, j) = (o / outputs, o % outputs);
                let sum =
                    (0..inputs).map(|k| f64::from(x[i * inputs + k]) * f64::from(w[k * outputs + j])).sum::<f64>();
                let sum = sum + f64::from(bias[j]) + if onto { f64::from(before[o]) } else { 0.0 };
                if (masked && mask[o] <= 0.0) || (relu && sum < 0.0) { 0.0 } else { sum }
            });
            let exact: Vec<f64> = exact.collect();
            for level in Level::available() {
                let mut memory = Panels::default();
                let mut run = |source| {
                    let mut out = before.clone();
                    dense(level, [rows, inputs, outputs], &x, source, finish, &mut out, &mut memory);
                    out
                };
                let out = run(Source::Matrix(&w));
                assert!(close(&out, &exact, inputs), "{level:?} {rows} {inputs} {outputs}");
                assert_eq!([run(Source::Kept(&w)), run(Source::Panels)], [out.clone(), out]);
            }
        }
    }
}

fn cotangents_of_inputs<F: Real>(rng: &mut Rng) {
    for [rows, outputs, inputs] in [[1, 16, 1], [4, 32, 6], [7, 48, 23], [5, 64, 5], [3, 7, 20], [2, 20, 9]] {
        let (d, w) = (draw::<F>(rng, rows * outputs), draw::<F>(rng, inputs * outputs));
        let before = draw::<F>(rng, rows * inputs);
        for accumulate in [false, true] {
            let exact = (0..rows * inputs).map(|o| {
                let (r, i) = (o / inputs, o % inputs);
                let sum = (0..outputs).map(|j| d[r * outputs + j].f64() * w[i * outputs + j].f64()).sum::<f64>();
                sum + if accumulate { before[o].f64() } else { 0.0 }
            });
            let exact: Vec<f64> = exact.collect();
            for level in Level::available() {
                let mut out = before.clone();
                back(level, [rows, outputs, inputs], &d, &w, &mut out, accumulate, &mut Vec::new());
                assert!(close(&out, &exact, outputs), "{level:?} {rows} {outputs} {inputs}");
                let mut last = before[(rows - 1) * inputs..].to_vec();
                back(
                    level,
                    [1, outputs, inputs],
                    &d[(rows - 1) * outputs..],
                    &w,
                    &mut last,
                    accumulate,
                    &mut Vec::new(),
                );
                let is_same = last == out[(rows - 1) * inputs..];
                assert!(is_same || !outputs.is_multiple_of(16), "a row depends on the number of rows: {level:?}");
            }
        }
    }
}

#[test]
fn cotangents_of_inputs_match_their_sums_at_every_width() {
    let mut rng = Address::new(10, Purpose::Init).stream();
    cotangents_of_inputs::<f32>(&mut rng);
    cotangents_of_inputs::<f64>(&mut rng);
}

#[test]
fn nan_is_not_hidden() {
    let g = Window {
        size: [1, 1],
        x: Walk { start: 0, pixel: 1, row: 1 },
        taps: 1,
        tap_row: 1,
        run: 1,
        out: Walk { start: 0, pixel: BLOCK, row: BLOCK },
        mask: Walk::default(),
        channels: BLOCK,
    };
    for level in Level::available() {
        let mut out = vec![0.0f32; BLOCK];
        correlate(level, &g, &[f32::NAN], &[1.0; BLOCK], Finish { relu: true, ..Finish::default() }, &mut out);
        assert!(out.iter().all(|y| y.is_nan()), "{level:?}");
    }
}

#[test]
fn pooling_takes_the_first_of_the_largest() {
    let mut rng = Address::new(9, Purpose::Init).stream();
    for (height, width, low) in [(1, 1, 0), (2, 5, 1), (7, 4, 2), (9, 8, 0)] {
        let a = Grid { height, width, channels: 3, stride: BLOCK, low, high: low };
        let b = Grid { height: height.div_ceil(2), width: width.div_ceil(2), low: 1, ..a };
        // Few distinct values, so that there are ties.
        let x: Vec<f64> = (0..a.len()).map(|_| f64::from(rng.random_range(0..4)) - 2.0).collect();
        let (mut y, mut picks) = (vec![0.0; b.len()], vec![0; b.height * b.width * b.stride]);
        pool(&x, a, &mut y, b, &mut picks);
        let d = draw::<f64>(&mut rng, b.len());
        let (mut through, mut back) = (vec![0.0; b.len()], vec![9.0; a.len()]);
        pool_tangent(&x, a, &mut through, b, &picks);
        pool_back(&d, b, &mut back, a, &picks);
        let mut exact = vec![0.0; a.len()];
        for i in 0..b.height {
            for j in 0..b.width {
                for c in 0..b.stride {
                    let mut best: Option<usize> = None;
                    for v in (2 * i).max(1) - 1..(2 * i + 2).min(height) {
                        for h in (2 * j).max(1) - 1..(2 * j + 2).min(width) {
                            let place = a.at(v, h) + c;
                            best = if best.is_none_or(|b| x[place] > x[b]) { Some(place) } else { best };
                        }
                    }
                    let best = best.expect("a window holds its centre");
                    assert_eq!([y[b.at(i, j) + c], through[b.at(i, j) + c]], [x[best]; 2]);
                    exact[best] += d[b.at(i, j) + c];
                }
            }
        }
        assert!(back.iter().zip(&exact).all(|(a, b)| (a - b).abs() < 1e-12));
    }
}

#[test]
fn bytes_become_numbers_pixel_by_pixel() {
    for (channels, height, width) in [(4, 3, 21), (4, 2, 300), (3, 2, 7), (1, 1, 1)] {
        let grid = Grid { height, width, channels, stride: channels, low: 1, high: 1 };
        let bytes: Vec<u8> = (0..channels * height * width).map(|i| (i * 37 % 256) as u8).collect();
        let mut x = vec![0.0f64; grid.len()];
        from_bytes(&bytes, grid, &mut x);
        for (i, byte) in bytes.iter().enumerate() {
            let (c, y, column) = (i / (height * width), i / width % height, i % width);
            assert!((x[grid.at(y, column) + c] - f64::from(*byte) / 255.0).abs() < 1e-15);
        }
        let border: f64 = x[..grid.row()].iter().sum();
        assert_eq!(border, 0.0);
    }
}
