//! The kernel of weight gradients: products of a moving window with output cotangents, a block of weights in registers.
//!
//! Weight `(t, r)` of all channels gains `sum_{i, j} x[start + i row + j pixel + t tap_row + r] d[i, j, :]`: the adjoint of
//! [`super::correlate`] in its weights. The block stays in registers while all pixels of an image pass by.

use super::correlate::Window;
use super::simd::{self, Kernel, Lanes, Level};
use crate::math::real::Real;

/// `w += sum over pixels of window x cotangent` and `bias += sum of cotangents`, with the cotangents `d` at the places of `g.out`.
///
/// # Panics
/// If a buffer is too short for the window.
pub(super) fn outer<F: Real>(level: Level, g: &Window, x: &[F], d: &[F], w: &mut [F], bias: Option<&mut [F]>) {
    if g.size.contains(&0) || g.channels == 0 {
        return;
    }
    assert!(g.taps > 0 && g.channels.is_multiple_of(super::plan::BLOCK), "whole blocks of channels");
    assert!(g.x.end(g.size) - 1 + (g.taps - 1) * g.tap_row + g.run <= x.len(), "window leaves its image");
    assert!(g.taps * g.run * g.channels <= w.len(), "too few weights");
    assert!(g.out.end(g.size) - 1 + g.channels <= d.len(), "too few cotangents");
    assert!(bias.as_ref().is_none_or(|b| b.len() >= g.channels), "too few biases");
    let call = Call {
        g: *g,
        x: x[g.x.start..].as_ptr(),
        d: d[g.out.start..].as_ptr(),
        w: w.as_mut_ptr(),
        bias: bias.map_or(std::ptr::null_mut(), <[F]>::as_mut_ptr),
    };
    // SAFETY: levels are only ever made from those available, and the assertions bound every place that is reached.
    unsafe { simd::dispatch(level, call) }
}

/// [`outer`] with pointers to the first places.
#[derive(Clone, Copy)]
struct Call<F> {
    g: Window,
    x: *const F,
    d: *const F,
    w: *mut F,
    bias: *mut F,
}

impl<F: Real> Kernel<F> for Call<F> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let mut c = 0;
        while c < self.g.channels {
            // SAFETY: `c` stays below the channels, the rest is the caller's promise.
            unsafe {
                if c + 2 * L::N <= self.g.channels {
                    blocks::<F, L, 2>(&self, c);
                    c += 2 * L::N;
                } else {
                    blocks::<F, L, 1>(&self, c);
                    c += L::N;
                }
            }
        }
    }
}

/// All weights of `V` vectors of channels from `c` on, and their biases.
///
/// # Safety
/// As [`Kernel::run`].
#[inline(always)]
unsafe fn blocks<F: Real, L: Lanes, const V: usize>(call: &Call<F>, c: usize) {
    for t in 0..call.g.taps {
        let mut r = 0;
        while r < call.g.run {
            // SAFETY: blocks end inside the window's row.
            r = unsafe { step::<F, L, V>(call, c, t, r) };
        }
    }
    if !call.bias.is_null() {
        // SAFETY: as this function.
        unsafe { pixels::<F, L, V>(call, c) };
    }
}

/// The largest block that fits at place `r` of row `t` of the window. Returns the place after it.
///
/// # Safety
/// As [`Kernel::run`].
#[inline(always)]
unsafe fn step<F: Real, L: Lanes, const V: usize>(call: &Call<F>, c: usize, t: usize, r: usize) -> usize {
    let left = call.g.run - r;
    macro_rules! sizes {
        ($($n:literal),*) => {$(
            if left >= $n {
                // SAFETY: as this function.
                unsafe { block::<F, L, $n, V>(call, c, t, r) };
                return r + $n;
            }
        )*};
    }
    if L::WIDE && V == 2 {
        sizes!(12, 8, 4, 1);
    } else if L::WIDE {
        sizes!(24, 12, 4, 1);
    } else {
        sizes!(6, 4, 1);
    }
    r
}

/// `R` places of the window from `r` of row `t` on, `V` vectors of channels from `c` on, over all pixels.
///
/// # Safety
/// As [`Kernel::run`].
#[inline(always)]
unsafe fn block<F: Real, L: Lanes, const R: usize, const V: usize>(call: &Call<F>, c: usize, t: usize, r: usize) {
    let g = &call.g;
    // SAFETY: the assertions of `outer` bound all places; F is L::E.
    unsafe {
        let mut sums = [[L::splat(L::E::of(0.0)); V]; R];
        for i in 0..g.size[0] {
            let mut x = call.x.cast::<L::E>().add(i * g.x.row + t * g.tap_row + r);
            let mut d = call.d.cast::<L::E>().add(i * g.out.row + c);
            for _ in 0..g.size[1] {
                let cotangents: [L; V] = std::array::from_fn(|v| L::load(d.add(v * L::N)));
                simd::unrolled!(k < R, {
                    let x = L::splat(*x.add(k));
                    for v in 0..V {
                        sums[k][v] = sums[k][v].fma(x, cotangents[v]);
                    }
                });
                // Past the last pixel these pointers may leave their buffers, unread.
                x = x.wrapping_add(g.x.pixel);
                d = d.wrapping_add(g.out.pixel);
            }
        }
        let mut held = std::mem::MaybeUninit::<[[L; V]; R]>::uninit();
        let from = held.as_mut_ptr().cast::<[L; V]>();
        simd::unrolled!(k < R, {
            from.add(k).write(sums[k]);
        });
        for k in 0..R {
            let w = call.w.cast::<L::E>().add((t * g.run + r + k) * g.channels + c);
            for v in 0..V {
                let w = w.add(v * L::N);
                L::load(w).add((*from.add(k))[v]).store(w);
            }
        }
    }
}

/// `bias += sum of cotangents` of `V` vectors of channels from `c` on.
///
/// # Safety
/// As [`Kernel::run`].
#[inline(always)]
unsafe fn pixels<F: Real, L: Lanes, const V: usize>(call: &Call<F>, c: usize) {
    let g = &call.g;
    // SAFETY: as `block`.
    unsafe {
        let mut sums = [[L::splat(L::E::of(0.0)); V]; 2];
        for i in 0..g.size[0] {
            let row = call.d.cast::<L::E>().add(i * g.out.row + c);
            for j in 0..g.size[1] {
                for v in 0..V {
                    let sum = &mut sums[j % 2][v];
                    *sum = sum.add(L::load(row.add(j * g.out.pixel + v * L::N)));
                }
            }
        }
        for v in 0..V {
            let b = call.bias.cast::<L::E>().add(c + v * L::N);
            L::load(b).add(sums[0][v].add(sums[1][v])).store(b);
        }
    }
}
