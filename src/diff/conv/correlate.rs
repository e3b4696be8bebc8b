//! The kernel of convolutions, their transposes and dense layers: weights times a moving window, a block of outputs in registers.
//!
//! Output `(i, j)` is `init + sum_{t, r} x[start + i row + j pixel + t tap_row + r] w[(t run + r) channels ..]` with all channels of
//! the output side by side: each step broadcasts one number of the window into a few vectors of weights. No image is unfolded.
//! Every output is summed in the order (t, r) whatever the tile it is in, so that it does not depend on its neighbours.

use super::simd::{self, Kernel, Lanes, Level};
use crate::math::real::Real;

/// Places in a buffer: the first, and the steps from one output pixel and output row to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Walk {
    pub start: usize,
    pub pixel: usize,
    pub row: usize,
}

impl Walk {
    /// One past the last place reached over `[rows, cols]`.
    pub fn end(&self, [rows, cols]: [usize; 2]) -> usize {
        self.start + (rows - 1) * self.row + (cols - 1) * self.pixel + 1
    }
}

/// Geometry of one correlation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    /// Output rows and columns.
    pub size: [usize; 2],
    /// Top left of the window.
    pub x: Walk,
    /// Rows of the window.
    pub taps: usize,
    /// From one row of the window to the next.
    pub tap_row: usize,
    /// Consecutive numbers in a row of the window.
    pub run: usize,
    /// Output pixels.
    pub out: Walk,
    /// Pixels of the mask.
    pub mask: Walk,
    /// Output channels: a multiple of [`super::plan::BLOCK`].
    pub channels: usize,
}

/// What becomes of the sums.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finish<'a, F> {
    /// Added to every pixel, `[channels]`.
    pub bias: Option<&'a [F]>,
    /// Adds what the output held, before the mask.
    pub onto: bool,
    /// Zero where the mask is not positive.
    pub mask: Option<&'a [F]>,
    /// Adds what the output held, after the mask.
    pub accumulate: bool,
    /// Replaces negative results by 0.
    pub relu: bool,
}

impl<F> Default for Finish<'_, F> {
    fn default() -> Self {
        Finish { bias: None, onto: false, mask: None, accumulate: false, relu: false }
    }
}

/// `out <- finish(sums of w over the window of x)`, `w` `[taps * run, channels]`.
///
/// # Panics
/// If a buffer is too short for the window.
pub(super) fn correlate<F: Real>(level: Level, g: &Window, x: &[F], w: &[F], finish: Finish<'_, F>, out: &mut [F]) {
    if g.size.contains(&0) || g.channels == 0 {
        return;
    }
    assert!(g.taps > 0 && g.channels.is_multiple_of(super::plan::BLOCK), "whole blocks of channels");
    assert!(g.x.end(g.size) - 1 + (g.taps - 1) * g.tap_row + g.run <= x.len(), "window leaves its image");
    assert!(g.taps * g.run * g.channels <= w.len(), "too few weights");
    assert!(g.out.end(g.size) - 1 + g.channels <= out.len(), "output too short");
    assert!(finish.bias.is_none_or(|b| b.len() >= g.channels), "too few biases");
    assert!(finish.mask.is_none_or(|m| g.mask.end(g.size) - 1 + g.channels <= m.len()), "mask too short");
    let call = Call {
        g: *g,
        x: x[g.x.start..].as_ptr(),
        w: w.as_ptr(),
        bias: finish.bias.map_or(std::ptr::null(), <[F]>::as_ptr),
        mask: finish.mask.map_or(std::ptr::null(), |m| m[g.mask.start..].as_ptr()),
        out: out[g.out.start..].as_mut_ptr(),
        onto: finish.onto,
        accumulate: finish.accumulate,
        floor: if finish.relu { F::zero() } else { F::neg_infinity() },
    };
    // SAFETY: levels are only ever made from those available, and the assertions bound every place that is reached.
    unsafe { simd::dispatch(level, call) }
}

/// [`correlate`] with pointers to the first places.
#[derive(Clone, Copy)]
struct Call<F> {
    g: Window,
    x: *const F,
    w: *const F,
    bias: *const F,
    mask: *const F,
    out: *mut F,
    onto: bool,
    accumulate: bool,
    floor: F,
}

impl<F: Real> Kernel<F> for Call<F> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let mut c = 0;
        while c < self.g.channels {
            // SAFETY: `c` stays below the channels, the rest is the caller's promise.
            unsafe {
                if c + 2 * L::N <= self.g.channels {
                    strides::<F, L, 2>(&self, c);
                    c += 2 * L::N;
                } else {
                    strides::<F, L, 1>(&self, c);
                    c += L::N;
                }
            }
        }
    }
}

/// [`rows`] with the pixel stride as a constant where it is a frequent one: then one register addresses a wide tile.
///
/// # Safety
/// As [`Kernel::run`].
#[inline(always)]
unsafe fn strides<F: Real, L: Lanes, const V: usize>(call: &Call<F>, c: usize) {
    // SAFETY: as this function.
    unsafe {
        match call.g.x.pixel {
            4 if L::N == 16 && V == 1 => rows::<F, L, V, 4>(call, c),
            16 if L::N == 16 => rows::<F, L, V, 16>(call, c),
            32 if L::N == 16 => rows::<F, L, V, 32>(call, c),
            64 if L::N == 16 && V == 2 => rows::<F, L, V, 64>(call, c),
            _ => rows::<F, L, V, 0>(call, c),
        }
    }
}

/// All pixels, `V` vectors of channels from `c` on; `S` is the pixel stride or 0 if it is another.
///
/// # Safety
/// As [`Kernel::run`].
#[inline(always)]
unsafe fn rows<F: Real, L: Lanes, const V: usize, const S: usize>(call: &Call<F>, c: usize) {
    let g = &call.g;
    for i in 0..g.size[0] {
        let mut j = 0;
        while j < g.size[1] {
            // SAFETY: tiles end inside the row.
            j = unsafe { step::<F, L, V, S>(call, c, i, j) };
        }
    }
}

/// The widest tile that fits at column `j`. Returns the column after it.
///
/// # Safety
/// As [`Kernel::run`].
#[inline(always)]
unsafe fn step<F: Real, L: Lanes, const V: usize, const S: usize>(
    call: &Call<F>,
    c: usize,
    i: usize,
    j: usize,
) -> usize {
    let left = call.g.size[1] - j;
    macro_rules! widths {
        ($($p:literal),*) => {$(
            if left >= $p {
                // SAFETY: as this function.
                unsafe { tile::<F, L, $p, V, S>(call, c, i, j) };
                return j + $p;
            }
        )*};
    }
    if L::WIDE && S > 0 && V == 2 {
        if left == 9 || left == 20 || left == 10 {
            widths!(10, 9);
        }
        if left == 21 || left == 22 || left == 11 {
            widths!(11);
        }
        widths!(14, 10, 7, 4, 2, 1);
    } else if L::WIDE && S > 0 {
        if left == 20 {
            widths!(10);
        }
        widths!(21, 10, 5, 2, 1);
    } else if L::WIDE {
        if left == 8 || left == 16 {
            widths!(8);
        }
        widths!(10, 5, 2, 1);
    } else {
        widths!(6, 3, 1);
    }
    j
}

/// `P` pixels of row `i` from column `j` on, `V` vectors of channels from `c` on.
///
/// # Safety
/// As [`Kernel::run`].
#[inline(always)]
unsafe fn tile<F: Real, L: Lanes, const P: usize, const V: usize, const S: usize>(
    call: &Call<F>,
    c: usize,
    i: usize,
    j: usize,
) {
    let g = &call.g;
    let pixel = if S > 0 { S } else { g.x.pixel };
    // SAFETY: the assertions of `correlate` bound all places; F is L::E.
    unsafe {
        let x = call.x.cast::<L::E>().add(i * g.x.row + j * pixel);
        let mut w = call.w.cast::<L::E>().add(c);
        let mut sums = [[L::splat(L::E::of(0.0)); V]; P];
        for t in 0..g.taps {
            let row = x.add(t * g.tap_row);
            for r in 0..g.run {
                let weights: [L; V] = std::array::from_fn(|v| L::load(w.add(v * L::N)));
                simd::unrolled!(p < P, {
                    let x = L::splat(*row.add(p * pixel + r));
                    for v in 0..V {
                        sums[p][v] = sums[p][v].fma(x, weights[v]);
                    }
                });
                // Past the last place this pointer may leave its buffer, unread.
                w = w.wrapping_add(g.channels);
            }
        }
        // Out of the registers first: the loops of `finish` are not worth unrolling.
        let mut held = std::mem::MaybeUninit::<[[L; V]; P]>::uninit();
        let to = held.as_mut_ptr().cast::<[L; V]>();
        simd::unrolled!(p < P, {
            to.add(p).write(sums[p]);
        });
        finish::<F, L, V>(call, to, P, c, i, j);
    }
}

/// Bias, addition, mask, ReLU and the write of `n` pixels.
///
/// # Safety
/// As [`Kernel::run`]; `sums` holds `n` pixels.
#[inline(always)]
unsafe fn finish<F: Real, L: Lanes, const V: usize>(
    call: &Call<F>,
    sums: *const [L; V],
    n: usize,
    c: usize,
    i: usize,
    j: usize,
) {
    let g = &call.g;
    // SAFETY: as `tile`.
    unsafe {
        let zero = L::splat(L::E::of(0.0));
        let floor = L::splat(L::E::of(call.floor.f64()));
        let out = call.out.cast::<L::E>().add(i * g.out.row + j * g.out.pixel + c);
        for v in 0..V {
            let bias = if call.bias.is_null() { zero } else { L::load(call.bias.cast::<L::E>().add(c + v * L::N)) };
            for p in 0..n {
                let mut y = (*sums.add(p))[v].add(bias);
                let out = out.add(p * g.out.pixel + v * L::N);
                if call.onto {
                    y = y.add(L::load(out));
                }
                if !call.mask.is_null() {
                    let mask = call.mask.cast::<L::E>().add(i * g.mask.row + (j + p) * g.mask.pixel + c + v * L::N);
                    y = y.where_positive(L::load(mask));
                }
                if call.accumulate {
                    y = y.add(L::load(out));
                }
                y.at_least(floor).store(out);
            }
        }
    }
}
