//! Elementwise and thin-matrix kernels: bias with activation, derivative products, sums over rows, narrow products.

use super::lanes::{self, kernel};
use super::mlp::Activation;
use crate::math::real::Real;
use pulp::Simd;

kernel! {
    /// `x <- tanh x`.
    #[cfg(test)]
    pub(crate) fn tanh_in_place<'a, F, S>(x: &'a mut [F]) {
        for x in x {
            *x = lanes::tanh::<S, F>(*x);
        }
    }
}

kernel! {
    /// `x <- e^x` for x <= 0.
    pub(crate) fn exp_in_place<'a, F, S>(x: &'a mut [F]) {
        for x in x {
            *x = lanes::exp::<S, F>(*x);
        }
    }
}

kernel! {
    /// `z[r, :] <- f(z[r, :] + bias)`; `None` is the identity.
    pub(super) fn bias_activation<'a, F, S>(z: &'a mut [F], bias: &'a [F], f: Option<Activation>) {
        for z in z.chunks_exact_mut(bias.len()) {
            match f {
                None => z.iter_mut().zip(bias).for_each(|(z, b)| *z += *b),
                Some(Activation::Tanh) => z.iter_mut().zip(bias).for_each(|(z, b)| *z = lanes::tanh::<S, F>(*z + *b)),
                Some(Activation::Relu) => z.iter_mut().zip(bias).for_each(|(z, b)| *z = positive(*z + *b)),
            }
        }
    }
}

kernel! {
    /// Tangent of [`bias_activation`]: `z_dot[r, :] <- f'(z) * (z_dot[r, :] + bias_dot)` where `h = f(z)`.
    pub(super) fn bias_activation_tangent<'a, F, S>(z_dot: &'a mut [F], bias_dot: &'a [F], h: &'a [F], f: Option<Activation>) {
        let width = bias_dot.len();
        for (z_dot, h) in z_dot.chunks_exact_mut(width).zip(h.chunks_exact(width)) {
            for ((z_dot, h), b) in z_dot.iter_mut().zip(h).zip(bias_dot) {
                *z_dot = match f {
                    None => *z_dot + *b,
                    Some(f) => slope(f, *h) * (*z_dot + *b),
                };
            }
        }
    }
}

kernel! {
    /// `e <- e * f'(z)` where `h = f(z)`.
    pub(super) fn through_activation<'a, F, S>(e: &'a mut [F], h: &'a [F], f: Activation) {
        for (e, h) in e.iter_mut().zip(h) {
            *e *= slope(f, *h);
        }
    }
}

kernel! {
    /// [`through_activation`] and its tangent: `e_dot <- e_dot f'(z) + e f''(z) z_dot`, then `e <- e f'(z)`.
    pub(super) fn through_activation_tangent<'a, F, S>(
        e: &'a mut [F], e_dot: &'a mut [F], h: &'a [F], h_dot: &'a [F], f: Activation,
    ) {
        let quadruples = e.iter_mut().zip(e_dot.iter_mut()).zip(h).zip(h_dot);
        match f {
            Activation::Tanh => quadruples.for_each(|(((e, e_dot), h), h_dot)| {
                let g = slope(Activation::Tanh, *h);
                *e_dot = *e_dot * g - (*h + *h) * *h_dot * *e;
                *e *= g;
            }),
            Activation::Relu => quadruples.for_each(|(((e, e_dot), h), _)| {
                let g = slope(Activation::Relu, *h);
                *e_dot *= g;
                *e *= g;
            }),
        }
    }
}

kernel! {
    /// `out[r, :] = w[r] * x[r, :]`.
    pub(super) fn scale_rows<'a, F, S>(w: &'a [F], x: &'a [F], out: &'a mut [F]) {
        let width = x.len() / w.len().max(1);
        if width > 0 {
            for ((out, x), w) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(w) {
                out.iter_mut().zip(x).for_each(|(out, x)| *out = *w * *x);
            }
        }
    }
}

kernel! {
    /// `out += sum_r x[r, :]`.
    pub(super) fn add_rows<'a, F, S>(x: &'a [F], out: &'a mut [F]) {
        let width = out.len();
        let mut fours = x.chunks_exact(4 * width);
        for rows in &mut fours {
            let (x0, rest) = rows.split_at(width);
            let (x1, rest) = rest.split_at(width);
            let (x2, x3) = rest.split_at(width);
            for j in 0..width {
                out[j] += (x0[j] + x1[j]) + (x2[j] + x3[j]);
            }
        }
        for x in fours.remainder().chunks_exact(width) {
            out.iter_mut().zip(x).for_each(|(out, x)| *out += *x);
        }
    }
}

kernel! {
    /// `out[r, :] (+)= sum_k a[r, k] w[k, :]` for few k: a sum of scaled rows.
    pub(super) fn thin_inner<'a, F, S>(k: usize, a: &'a [F], w: &'a [F], n: usize, out: &'a mut [F], accumulate: bool) {
        let mut first = 0;
        while first < k {
            let keep = accumulate || first > 0;
            match k - first {
                1 => scaled_rows::<S, F, 1>(k, first, a, w, n, out, keep),
                2 => scaled_rows::<S, F, 2>(k, first, a, w, n, out, keep),
                3 => scaled_rows::<S, F, 3>(k, first, a, w, n, out, keep),
                _ => scaled_rows::<S, F, 4>(k, first, a, w, n, out, keep),
            }
            first += 4;
        }
    }
}

#[inline(always)]
fn scaled_rows<S: Simd, F: Real, const K: usize>(
    k: usize,
    first: usize,
    a: &[F],
    w: &[F],
    n: usize,
    out: &mut [F],
    keep: bool,
) {
    let w: [&[F]; K] = std::array::from_fn(|i| &w[(first + i) * n..][..n]);
    for (out, a) in out.chunks_exact_mut(n).zip(a.chunks_exact(k)) {
        let a: [F; K] = std::array::from_fn(|i| a[first + i]);
        for j in 0..n {
            let mut sum = if keep { out[j] } else { F::zero() };
            for i in 0..K {
                sum = lanes::fma::<S, F>(a[i], w[i][j], sum);
            }
            out[j] = sum;
        }
    }
}

kernel! {
    /// `out[k, :] += sum_r a[r, k] b[r, :]` for few k.
    pub(super) fn thin_outer<'a, F, S>(k: usize, a: &'a [F], b: &'a [F], n: usize, out: &'a mut [F]) {
        for i in 0..k {
            let out = &mut out[i * n..][..n];
            let mut fours = b.chunks_exact(4 * n);
            let mut row = 0;
            for rows in &mut fours {
                let (b0, rest) = rows.split_at(n);
                let (b1, rest) = rest.split_at(n);
                let (b2, b3) = rest.split_at(n);
                let a: [F; 4] = std::array::from_fn(|r| a[(row + r) * k + i]);
                for j in 0..n {
                    let sum = lanes::fma::<S, F>(a[1], b1[j], lanes::fma::<S, F>(a[0], b0[j], out[j]));
                    out[j] = lanes::fma::<S, F>(a[3], b3[j], lanes::fma::<S, F>(a[2], b2[j], sum));
                }
                row += 4;
            }
            for b in fours.remainder().chunks_exact(n) {
                let a = a[row * k + i];
                out.iter_mut().zip(b).for_each(|(out, b)| *out = lanes::fma::<S, F>(a, *b, *out));
                row += 1;
            }
        }
    }
}

kernel! {
    /// `out[r, i] (+)= sum_k a[r, k] w[i, k]` for few i: dot products of long rows.
    pub(super) fn thin_dots<'a, F, S>(k: usize, a: &'a [F], w: &'a [F], n: usize, out: &'a mut [F], accumulate: bool) {
        const LANES: usize = 16;
        for (out, a) in out.chunks_exact_mut(n).zip(a.chunks_exact(k)) {
            for i in 0..n {
                let w = &w[i * k..][..k];
                let mut sums = [F::zero(); LANES];
                let (mut xs, mut ws) = (a.chunks_exact(LANES), w.chunks_exact(LANES));
                for (x, w) in (&mut xs).zip(&mut ws) {
                    for l in 0..LANES {
                        sums[l] = lanes::fma::<S, F>(x[l], w[l], sums[l]);
                    }
                }
                let mut half = LANES / 2;
                while half > 0 {
                    for l in 0..half {
                        sums[l] += sums[l + half];
                    }
                    half /= 2;
                }
                let mut sum = sums[0];
                for (x, w) in xs.remainder().iter().zip(ws.remainder()) {
                    sum = lanes::fma::<S, F>(*x, *w, sum);
                }
                out[i] = if accumulate { out[i] + sum } else { sum };
            }
        }
    }
}

/// ReLU that keeps NaN.
#[inline(always)]
fn positive<F: Real>(x: F) -> F {
    if x < F::zero() { F::zero() } else { x }
}

/// f'(z) from h = f(z): `1 - h^2` for tanh, `[h > 0]` for ReLU.
#[inline(always)]
fn slope<F: Real>(f: Activation, h: F) -> F {
    match f {
        Activation::Tanh => F::one() - h * h,
        Activation::Relu => {
            if h > F::zero() {
                F::one()
            } else {
                F::zero()
            }
        }
    }
}
