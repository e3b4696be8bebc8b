//! Vector loops: run-time choice of the CPU's vector width, and branch-free `exp`, `expm1` and `tanh` that vectorise.

use crate::math::real::Real;
use pulp::Simd;

/// Defines functions whose body is compiled once per vector extension (AVX-512, AVX2, baseline, NEON) and chosen at run time.
///
/// The body sees a type `$s: Simd`, to be handed to [`fma`]; loops over slices in it autovectorise.
macro_rules! kernel {
    ($(#[$meta:meta])* $vis:vis fn $name:ident<$lt:lifetime, $f:ident, $s:ident>($($arg:ident: $ty:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        $vis fn $name<$lt, $f: crate::math::real::Real>($($arg: $ty),*) {
            struct Op<$lt, $f> {
                $($arg: $ty,)*
                marker: std::marker::PhantomData<&$lt $f>,
            }
            impl<$lt, $f: crate::math::real::Real> pulp::WithSimd for Op<$lt, $f> {
                type Output = ();
                #[inline(always)]
                fn with_simd<$s: pulp::Simd>(self, _: $s) {
                    let Op { $($arg,)* marker: _ } = self;
                    $body
                }
            }
            pulp::Arch::new().dispatch(Op { $($arg,)* marker: std::marker::PhantomData })
        }
    };
}
pub(super) use kernel;

/// `a * b + c`, fused where the target has the instruction (never through the slow software routine).
#[inline(always)]
pub(super) fn fma<S: Simd, F: Real>(a: F, b: F, c: F) -> F {
    if S::IS_SCALAR && cfg!(target_arch = "x86_64") { a * b + c } else { a.mul_add(b, c) }
}

/// Splits `x = n ln 2 + r` and returns `(2^n, r)`, for |n| inside the normal exponents.
#[inline(always)]
fn reduce<S: Simd, F: Real>(x: F) -> (F, F) {
    // Adding 1.5 * 2^mantissa rounds to the nearest integer and leaves it in the low bits.
    let (magic, high, low) = if size_of::<F>() == 4 {
        (12_582_912.0, 0.693_359_375, -2.121_944_400_546_905_8e-4)
    } else {
        (6_755_399_441_055_744.0, 0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10)
    };
    let shifted = fma::<S, F>(x, F::of(std::f64::consts::LOG2_E), F::of(magic));
    let n = shifted - F::of(magic);
    let r = fma::<S, F>(n, F::of(-low), fma::<S, F>(n, F::of(-high), x));
    // `F` is f32 or f64, so the conversions below are the identity and vanish.
    let scale = if size_of::<F>() == 4 {
        F::of(f64::from(f32::from_bits(((shifted.f64() as f32).to_bits() << 23).wrapping_add(127 << 23))))
    } else {
        F::of(f64::from_bits((shifted.f64().to_bits() << 52).wrapping_add(1023 << 52)))
    };
    (scale, r)
}

/// `e^r - 1` for |r| <= ln(2) / 2 by its Taylor polynomial (truncated below half an ulp).
#[inline(always)]
fn expm1_reduced<S: Simd, F: Real>(r: F) -> F {
    const INVERSE_FACTORIALS: [f64; 12] = [
        1.0 / 6_227_020_800.0,
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
    ];
    let first = if size_of::<F>() == 4 { 6 } else { 0 };
    let mut q = F::of(INVERSE_FACTORIALS[first]);
    for i in first + 1..INVERSE_FACTORIALS.len() {
        q = fma::<S, F>(q, r, F::of(INVERSE_FACTORIALS[i]));
    }
    fma::<S, F>(q * r, r, r)
}

/// `x` limited to `[low, high]`; NaN stays NaN, so that divergence is seen.
#[inline(always)]
fn clamp<F: Real>(x: F, low: F, high: F) -> F {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// `e^x` for x <= 0 (a few ulp; flushed towards the smallest normal number far below zero).
#[inline(always)]
pub(super) fn exp<S: Simd, F: Real>(x: F) -> F {
    let low = if size_of::<F>() == 4 { -87.0 } else { -708.0 };
    let (scale, r) = reduce::<S, F>(clamp(x, F::of(low), F::of(-low)));
    fma::<S, F>(scale, expm1_reduced::<S, F>(r), scale)
}

/// `tanh x = m / (m + 2)` with `m = e^{2x} - 1`: relative error of a few ulp everywhere, also near zero.
#[inline(always)]
pub(super) fn tanh<S: Simd, F: Real>(x: F) -> F {
    let limit = if size_of::<F>() == 4 { 9.1 } else { 19.1 };
    let x = clamp(x, F::of(-limit), F::of(limit));
    let (scale, r) = reduce::<S, F>(x + x);
    let m = fma::<S, F>(scale, expm1_reduced::<S, F>(r), scale - F::one());
    m / (m + F::of(2.0))
}

#[cfg(test)]
mod tests {
    use super::super::kernels::{exp_in_place, tanh_in_place};
    use crate::math::real::Real;

    fn worst<F: Real>(apply: impl Fn(&mut [F]), exact: impl Fn(f64) -> f64, points: &[f64]) -> f64 {
        let x: Vec<F> = points.iter().map(|&p| F::of(p)).collect();
        let mut y = x.clone();
        apply(&mut y);
        x.iter().zip(&y).fold(0.0, |worst, (x, y)| {
            let exact = exact(x.f64());
            worst.max((y.f64() - exact).abs() / (exact.abs() * F::epsilon().f64()).max(F::min_positive_value().f64()))
        })
    }

    fn grid(low: f64, high: f64) -> Vec<f64> {
        (0..=200_000).map(|i| low + (high - low) * f64::from(i) / 200_000.0).collect()
    }

    #[test]
    fn tanh_within_ulps() {
        let mut points = grid(-25.0, 25.0);
        points.extend(grid(-1.0, 1.0));
        points.extend((0..120).flat_map(|i| [10f64.powf(-0.25 * f64::from(i)), -(10f64.powf(-0.25 * f64::from(i)))]));
        let single = worst::<f32>(tanh_in_place, f64::tanh, &points);
        let double = worst::<f64>(tanh_in_place, f64::tanh, &points);
        assert!(single < 4.0 && double < 5.0, "{single} {double} ulp");
    }

    #[test]
    fn exp_within_ulps() {
        let single = worst::<f32>(exp_in_place, f64::exp, &grid(-87.0, 0.0));
        let double = worst::<f64>(exp_in_place, f64::exp, &grid(-700.0, 0.0));
        assert!(single < 2.0 && double < 2.0, "{single} {double} ulp");
    }

    #[test]
    fn limits_and_nan() {
        let mut x = vec![f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 0.0, -0.0];
        tanh_in_place(&mut x);
        assert_eq!(&x[..2], &[1.0, -1.0]);
        assert!(x[2].is_nan());
        assert_eq!(&x[3..], &[0.0, 0.0]);
        let mut x = vec![0.0, f64::NAN, f64::NEG_INFINITY];
        exp_in_place(&mut x);
        assert_eq!(x[0], 1.0);
        assert!(x[1].is_nan());
        assert!(x[2] < 1e-300);
    }
}
