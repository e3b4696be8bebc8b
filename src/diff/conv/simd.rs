//! Vectors of the CPU behind one trait, and the run-time choice among them, for kernels that keep a block in registers.
//!
//! Loops that the compiler vectorises by itself live in [`super::super::lanes`]; the kernels here choose every register.

use crate::math::real::Real;

/// `for p in 0..P { body }` written out for P up to 24, so that arrays of registers stay in registers: the compiler does not unroll
/// loops of this size, and what is indexed in a loop is kept in memory.
macro_rules! unrolled {
    ($p:ident < $n:ident, $body:block) => {
        simd::unrolled!(@ $p $n $body 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23)
    };
    (@ $p:ident $n:ident $body:block $($i:literal)*) => {$(
        if $i < $n {
            let $p: usize = $i;
            $body
        }
    )*};
}
pub(super) use unrolled;

/// Which instructions the kernels use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::diff) enum Level {
    /// No more than the compiler's target has.
    Portable,
    /// 256-bit vectors with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512-bit vectors.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// Everything this CPU can run, best last.
    pub(in crate::diff) fn available() -> Vec<Level> {
        #[allow(unused_mut)]
        let mut levels = vec![Level::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                levels.push(Level::Avx2);
            }
            if ["avx512f", "avx512bw", "avx512vl", "avx512dq"].iter().all(|f| detected(f)) && levels.len() == 2 {
                levels.push(Level::Avx512);
            }
        }
        levels
    }

    /// The widest this CPU can run.
    pub(in crate::diff) fn best() -> Level {
        *Level::available().last().unwrap_or(&Level::Portable)
    }
}

#[cfg(target_arch = "x86_64")]
fn detected(feature: &str) -> bool {
    match feature {
        "avx512f" => is_x86_feature_detected!("avx512f"),
        "avx512bw" => is_x86_feature_detected!("avx512bw"),
        "avx512vl" => is_x86_feature_detected!("avx512vl"),
        _ => is_x86_feature_detected!("avx512dq"),
    }
}

/// One vector register of numbers.
///
/// # Safety
/// Every method needs the instructions of the type that implements it; pointers must be valid for [`Lanes::N`] elements.
pub(super) trait Lanes: Copy {
    /// Element.
    type E: Real;
    /// Elements per vector; divides [`super::plan::BLOCK`].
    const N: usize;
    /// Whether there are 32 registers rather than 16.
    const WIDE: bool;
    /// All elements equal.
    unsafe fn splat(x: Self::E) -> Self;
    /// Reads N elements.
    unsafe fn load(x: *const Self::E) -> Self;
    /// Writes N elements.
    unsafe fn store(self, x: *mut Self::E);
    /// `a * b + self`.
    unsafe fn fma(self, a: Self, b: Self) -> Self;
    /// Sum.
    unsafe fn add(self, other: Self) -> Self;
    /// Sum of the elements, in halves.
    unsafe fn sum(self) -> Self::E;
    /// Elements below `floor` replaced by it; NaN stays.
    unsafe fn at_least(self, floor: Self) -> Self;
    /// Elements where `mask > 0`, otherwise 0.
    unsafe fn where_positive(self, mask: Self) -> Self;
}

/// A kernel over vectors of one kind.
pub(super) trait Kernel<F> {
    /// Does the work.
    ///
    /// # Safety
    /// The CPU must have the instructions of `L`, and `L::E` must be `F`; the kernel's own pointers must be valid.
    unsafe fn run<L: Lanes>(self);
}

/// Runs a kernel with the vectors of a level.
///
/// # Safety
/// The level must be available on this CPU, and the kernel's own pointers valid.
#[inline(always)]
pub(super) unsafe fn dispatch<F: Real, K: Kernel<F>>(level: Level, kernel: K) {
    let single = size_of::<F>() == 4;
    // SAFETY: the level is available by the caller's promise, and F is f32 or f64, told apart by size.
    unsafe {
        match level {
            Level::Portable if single => kernel.run::<Portable<f32>>(),
            Level::Portable => kernel.run::<Portable<f64>>(),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 if single => x86::avx2::<F, x86::F32x8, K>(kernel),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => x86::avx2::<F, x86::F64x4, K>(kernel),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 if single => x86::avx512::<F, x86::F32x16, K>(kernel),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => x86::avx512::<F, x86::F64x8, K>(kernel),
        }
    }
}

/// Four numbers that the compiler puts in whatever the target has.
#[derive(Clone, Copy)]
pub(super) struct Portable<F>([F; 4]);

impl<F: Real> Lanes for Portable<F> {
    type E = F;
    const N: usize = 4;
    const WIDE: bool = false;
    #[inline(always)]
    unsafe fn splat(x: F) -> Self {
        Portable([x; 4])
    }
    #[inline(always)]
    unsafe fn load(x: *const F) -> Self {
        // SAFETY: valid for N elements by the trait's contract.
        Portable(unsafe { x.cast::<[F; 4]>().read() })
    }
    #[inline(always)]
    unsafe fn store(self, x: *mut F) {
        // SAFETY: valid for N elements by the trait's contract.
        unsafe { x.cast::<[F; 4]>().write(self.0) }
    }
    #[inline(always)]
    unsafe fn fma(self, a: Self, b: Self) -> Self {
        // Without the instruction, a fused product would be a slow call.
        Portable(std::array::from_fn(|i| {
            if cfg!(target_arch = "x86_64") { a.0[i] * b.0[i] + self.0[i] } else { a.0[i].mul_add(b.0[i], self.0[i]) }
        }))
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Portable(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
    #[inline(always)]
    unsafe fn sum(self) -> F {
        (self.0[0] + self.0[2]) + (self.0[1] + self.0[3])
    }
    #[inline(always)]
    unsafe fn at_least(self, floor: Self) -> Self {
        Portable(std::array::from_fn(|i| if self.0[i] < floor.0[i] { floor.0[i] } else { self.0[i] }))
    }
    #[inline(always)]
    unsafe fn where_positive(self, mask: Self) -> Self {
        Portable(std::array::from_fn(|i| if mask.0[i] > F::zero() { self.0[i] } else { F::zero() }))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Kernel, Lanes};
    use crate::math::real::Real;
    use std::arch::x86_64::*;

    /// # Safety
    /// As [`super::dispatch`].
    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn avx2<F: Real, L: Lanes, K: Kernel<F>>(kernel: K) {
        // SAFETY: this function has the instructions of the 256-bit vectors.
        unsafe { kernel.run::<L>() }
    }

    /// # Safety
    /// As [`super::dispatch`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]
    pub unsafe fn avx512<F: Real, L: Lanes, K: Kernel<F>>(kernel: K) {
        // SAFETY: this function has the instructions of the 512-bit vectors.
        unsafe { kernel.run::<L>() }
    }

    /// # Safety
    /// The CPU must have AVX2.
    #[inline(always)]
    unsafe fn sum_of_8(x: __m256) -> f32 {
        // SAFETY: the instructions are there by the caller's promise.
        unsafe {
            let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
        }
    }

    /// # Safety
    /// The CPU must have AVX2.
    #[inline(always)]
    unsafe fn sum_of_4(x: __m256d) -> f64 {
        // SAFETY: the instructions are there by the caller's promise.
        unsafe {
            let x = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd::<1>(x));
            _mm_cvtsd_f64(_mm_add_sd(x, _mm_unpackhi_pd(x, x)))
        }
    }

    macro_rules! lanes {
        ($name:ident, $vector:ty, $e:ty, $n:expr, $wide:expr, $splat:ident, $load:ident, $store:ident, $fma:ident, $add:ident, $sum:ident, $max:ident, |$x:ident, $m:ident| $keep:expr) => {
            #[derive(Clone, Copy)]
            pub struct $name($vector);
            // SAFETY (all methods): the trait's contract gives the instructions and valid pointers.
            impl Lanes for $name {
                type E = $e;
                const N: usize = $n;
                const WIDE: bool = $wide;
                #[inline(always)]
                unsafe fn splat(x: $e) -> Self {
                    $name(unsafe { $splat(x) })
                }
                #[inline(always)]
                unsafe fn load(x: *const $e) -> Self {
                    $name(unsafe { $load(x) })
                }
                #[inline(always)]
                unsafe fn store(self, x: *mut $e) {
                    unsafe { $store(x, self.0) }
                }
                #[inline(always)]
                unsafe fn fma(self, a: Self, b: Self) -> Self {
                    $name(unsafe { $fma(a.0, b.0, self.0) })
                }
                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    $name(unsafe { $add(self.0, other.0) })
                }
                #[inline(always)]
                unsafe fn sum(self) -> $e {
                    unsafe { $sum(self.0) }
                }
                #[inline(always)]
                unsafe fn at_least(self, floor: Self) -> Self {
                    // The instruction gives its second operand where one is NaN.
                    $name(unsafe { $max(floor.0, self.0) })
                }
                #[inline(always)]
                unsafe fn where_positive(self, mask: Self) -> Self {
                    let ($x, $m) = (self.0, mask.0);
                    $name(unsafe { $keep })
                }
            }
        };
    }

    lanes!(
        F32x16,
        __m512,
        f32,
        16,
        true,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_reduce_add_ps,
        _mm512_max_ps,
        |x, m| _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(m, _mm512_setzero_ps()), x)
    );
    lanes!(
        F64x8,
        __m512d,
        f64,
        8,
        true,
        _mm512_set1_pd,
        _mm512_loadu_pd,
        _mm512_storeu_pd,
        _mm512_fmadd_pd,
        _mm512_add_pd,
        _mm512_reduce_add_pd,
        _mm512_max_pd,
        |x, m| _mm512_maskz_mov_pd(_mm512_cmp_pd_mask::<_CMP_GT_OQ>(m, _mm512_setzero_pd()), x)
    );
    lanes!(
        F32x8,
        __m256,
        f32,
        8,
        false,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        sum_of_8,
        _mm256_max_ps,
        |x, m| _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(m, _mm256_setzero_ps()), x)
    );
    lanes!(
        F64x4,
        __m256d,
        f64,
        4,
        false,
        _mm256_set1_pd,
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        _mm256_fmadd_pd,
        _mm256_add_pd,
        sum_of_4,
        _mm256_max_pd,
        |x, m| _mm256_and_pd(_mm256_cmp_pd::<_CMP_GT_OQ>(m, _mm256_setzero_pd()), x)
    );
}
