//! Elementwise work on images: bytes to numbers, ReLU, max-pooling, and their derivatives.

use super::super::lanes::kernel;
use super::plan::{BLOCK, Grid};
use crate::math::real::Real;

kernel! {
    /// Writes bytes `[channels, height, width]` as numbers in [0, 1], pixel by pixel.
    pub(super) fn from_bytes<'a, F, S>(bytes: &'a [u8], grid: Grid, to: &'a mut [F]) {
        let scale = F::one() / F::of(255.0);
        let plane = grid.height * grid.width;
        for (y, range) in grid.rows().enumerate() {
            let row = &mut to[range];
            let from = y * grid.width;
            if grid.channels == 4 {
                let planes: [&[u8]; 4] = std::array::from_fn(|c| &bytes[c * plane + from..][..grid.width]);
                interleave(planes, row, scale);
                continue;
            }
            for c in 0..grid.channels {
                let plane = &bytes[c * plane + from..][..grid.width];
                for (pixel, byte) in row.chunks_exact_mut(grid.stride).zip(plane) {
                    pixel[c] = F::of(f64::from(*byte)) * scale;
                }
            }
        }
    }
}

/// Four planes pixel by pixel: a pixel's bytes as one word first, because both loops vectorise then.
#[inline(always)]
fn interleave<F: Real>(planes: [&[u8]; 4], row: &mut [F], scale: F) {
    const CHUNK: usize = 128;
    let mut pixels = [[0u8; 4]; CHUNK];
    for (k, row) in row.chunks_mut(4 * CHUNK).enumerate() {
        let n = row.len() / 4;
        let [a, b, c, d] = planes.map(|p| &p[k * CHUNK..k * CHUNK + n]);
        for i in 0..n {
            let [a, b, c, d] = [a[i], b[i], c[i], d[i]].map(u32::from);
            pixels[i] = (a | b << 8 | c << 16 | d << 24).to_le_bytes();
        }
        for (to, byte) in row.iter_mut().zip(pixels.as_flattened()) {
            *to = F::of(f64::from(*byte)) * scale;
        }
    }
}

kernel! {
    /// `to <- max(0, from)`, NaN kept.
    pub(super) fn rectify<'a, F, S>(from: &'a [F], a: Grid, to: &'a mut [F], b: Grid) {
        for (i, o) in a.rows().zip(b.rows()) {
            to[o].iter_mut().zip(&from[i]).for_each(|(o, i)| *o = if *i < F::zero() { F::zero() } else { *i });
        }
    }
}

kernel! {
    /// `to <- from` where the mask is positive, otherwise 0.
    pub(super) fn masked<'a, F, S>(from: &'a [F], a: Grid, mask: &'a [F], m: Grid, to: &'a mut [F], b: Grid) {
        for ((i, k), o) in a.rows().zip(m.rows()).zip(b.rows()) {
            for ((o, i), m) in to[o].iter_mut().zip(&from[i]).zip(&mask[k]) {
                *o = if *m > F::zero() { *i } else { F::zero() };
            }
        }
    }
}

/// Rows or columns 2 i - 1, 2 i, 2 i + 1 of the window of output `i` that exist among `n`, numbered 0, 1, 2.
#[inline(always)]
fn window(i: usize, n: usize) -> std::ops::Range<usize> {
    usize::from(i == 0)..(n + 1 - 2 * i).min(3)
}

/// Whether x is larger than the largest so far, or the first NaN.
///
/// In this form the loop over channels vectorises; with `is_nan` it does not, and pooling costs a fifth of a pass.
#[inline(always)]
#[allow(clippy::neg_cmp_op_on_partial_ord, clippy::eq_op)]
fn exceeds<F: Real>(x: F, best: F) -> bool {
    !(x <= best) && best == best
}

kernel! {
    /// 3 x 3 max-pooling of stride 2, padded by 1: maxima, and which of the nine (row-major) each is.
    ///
    /// Of equal numbers the first is taken; NaN wins.
    pub(super) fn pool<'a, F, S>(from: &'a [F], a: Grid, to: &'a mut [F], b: Grid, picks: &'a mut [u8]) {
        let mut blocks = picks.chunks_exact_mut(BLOCK);
        for y in 0..b.height {
            for x in 0..b.width {
                for c in (0..b.stride).step_by(BLOCK) {
                    let mut best = [F::neg_infinity(); BLOCK];
                    let mut which = [u8::MAX; BLOCK];
                    for v in window(y, a.height) {
                        for h in window(x, a.width) {
                            let place = a.at(2 * y + v, 2 * x + h) - a.row() - a.stride + c;
                            let here = &from[place..place + BLOCK];
                            let number = (3 * v + h) as u8;
                            for l in 0..BLOCK {
                                let take = exceeds(here[l], best[l]);
                                best[l] = if take { here[l] } else { best[l] };
                                which[l] = if take { number } else { which[l] };
                            }
                        }
                    }
                    let place = b.at(y, x) + c;
                    to[place..place + BLOCK].copy_from_slice(&best);
                    if let Some(block) = blocks.next() {
                        // Nothing exceeds minus infinity: take the middle, which always exists.
                        for l in 0..BLOCK {
                            block[l] = if which[l] > 8 { 4 } else { which[l] };
                        }
                    }
                }
            }
        }
    }
}

/// Distances of the nine from the first.
fn offsets(a: Grid) -> [usize; 9] {
    std::array::from_fn(|i| (i / 3) * a.row() + (i % 3) * a.stride)
}

/// Tangent of [`pool`]: what the picks had.
pub(super) fn pool_tangent<F: Real>(from: &[F], a: Grid, to: &mut [F], b: Grid, picks: &[u8]) {
    let offsets = offsets(a);
    let mut blocks = picks.chunks_exact(b.stride);
    for y in 0..b.height {
        for x in 0..b.width {
            // The window's first pixel may lie outside; its picks never do.
            let first = a.at(2 * y, 2 * x);
            let place = b.at(y, x);
            let picks = blocks.next().unwrap_or(&[]);
            for (c, (to, pick)) in to[place..place + b.stride].iter_mut().zip(picks).enumerate() {
                *to = from[first + offsets[usize::from(*pick)] + c - a.row() - a.stride];
            }
        }
    }
}

/// Transpose of [`pool_tangent`]: cotangents `d` of the maxima go to the picks, all else in `to` is zero.
pub(super) fn pool_back<F: Real>(d: &[F], b: Grid, to: &mut [F], a: Grid, picks: &[u8]) {
    to.fill(F::zero());
    let offsets = offsets(a);
    let mut blocks = picks.chunks_exact(b.stride);
    for y in 0..b.height {
        for x in 0..b.width {
            let first = a.at(2 * y, 2 * x);
            let place = b.at(y, x);
            let picks = blocks.next().unwrap_or(&[]);
            for (c, (d, pick)) in d[place..place + b.stride].iter().zip(picks).enumerate() {
                to[first + offsets[usize::from(*pick)] + c - a.row() - a.stride] += *d;
            }
        }
    }
}
