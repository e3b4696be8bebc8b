//! Cotangents of a dense layer's inputs: every row of weights against every row of cotangents, where it lies.
//!
//! A product with a transposed matrix is usually computed on a packed copy. Of a weight matrix of millions and a few dozen rows the copy
//! would cost more than the product, so here vectors run along the sum instead, and each pair's partial sums are added up at its end.

use super::super::matmul;
use super::simd::{self, Kernel, Lanes, Level};
use crate::math::real::Real;

/// Terms per pair must come in multiples of this: whole vectors of every level.
const WHOLE: usize = 16;

/// `dx (+)= d w^T` with d `[rows, outputs]`, w `[inputs, outputs]`, dx `[rows, inputs]`, all row-major.
///
/// An element is summed in the same order wherever it is, so that a row's result does not depend on the number of rows.
pub(super) fn back<F: Real>(
    level: Level,
    [rows, outputs, inputs]: [usize; 3],
    d: &[F],
    w: &[F],
    dx: &mut [F],
    accumulate: bool,
    scratch: &mut Vec<F>,
) {
    if !outputs.is_multiple_of(WHOLE) || outputs == 0 {
        matmul::nt([rows, outputs, inputs], d, w, dx, accumulate, scratch);
        return;
    }
    assert!(d.len() >= rows * outputs && w.len() >= inputs * outputs && dx.len() >= rows * inputs, "too short");
    let call = Call { rows, outputs, inputs, d: d.as_ptr(), w: w.as_ptr(), dx: dx.as_mut_ptr(), accumulate };
    // SAFETY: levels are only ever made from those available, and the assertion bounds every place that is reached.
    unsafe { simd::dispatch(level, call) }
}

#[derive(Clone, Copy)]
struct Call<F> {
    rows: usize,
    outputs: usize,
    inputs: usize,
    d: *const F,
    w: *const F,
    dx: *mut F,
    accumulate: bool,
}

impl<F: Real> Kernel<F> for Call<F> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let mut i = 0;
        while i < self.inputs {
            let left = self.inputs - i;
            // SAFETY: tiles end at the last input; the rest is the caller's promise.
            i += unsafe {
                match (L::WIDE, left) {
                    (true, 6..) => rows::<F, L, 4, 6>(&self, i),
                    (false, 5..) => rows::<F, L, 2, 5>(&self, i),
                    _ => rows::<F, L, 2, 1>(&self, i),
                }
            };
        }
    }
}

/// All rows of cotangents, `R` at a time, against `C` rows of weights from `i` on, which stay in the first-level cache. Returns `C`.
///
/// # Safety
/// As [`Kernel::run`].
#[inline(always)]
unsafe fn rows<F: Real, L: Lanes, const R: usize, const C: usize>(call: &Call<F>, i: usize) -> usize {
    let mut row = 0;
    while row < call.rows {
        // SAFETY: tiles end at the last row.
        row += unsafe {
            if row + R <= call.rows { tile::<F, L, R, C>(call, row, i) } else { tile::<F, L, 1, C>(call, row, i) }
        };
    }
    C
}

/// `R` rows of cotangents from `row` on against `C` rows of weights from `i` on. Returns `R`.
///
/// # Safety
/// As [`Kernel::run`].
#[inline(always)]
unsafe fn tile<F: Real, L: Lanes, const R: usize, const C: usize>(call: &Call<F>, row: usize, i: usize) -> usize {
    let n = call.outputs;
    // SAFETY: the assertion of `back` bounds all places; F is L::E.
    unsafe {
        let d = call.d.cast::<L::E>().add(row * n);
        let w = call.w.cast::<L::E>().add(i * n);
        let mut sums = [[L::splat(L::E::of(0.0)); C]; R];
        for j in (0..n).step_by(L::N) {
            let weights: [L; C] = std::array::from_fn(|c| L::load(w.add(c * n + j)));
            simd::unrolled!(r < R, {
                let d = L::load(d.add(r * n + j));
                for c in 0..C {
                    sums[r][c] = sums[r][c].fma(d, weights[c]);
                }
            });
        }
        let mut held = std::mem::MaybeUninit::<[[L; C]; R]>::uninit();
        let to = held.as_mut_ptr().cast::<[L; C]>();
        simd::unrolled!(r < R, {
            to.add(r).write(sums[r]);
        });
        for r in 0..R {
            let out = call.dx.cast::<L::E>().add((row + r) * call.inputs + i);
            for c in 0..C {
                let before = if call.accumulate { *out.add(c) } else { L::E::of(0.0) };
                *out.add(c) = before + (*to.add(r))[c].sum();
            }
        }
    }
    R
}
