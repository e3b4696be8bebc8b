//! The three matrix products of a network, each through the library's kernel or, for very narrow shapes, our own loops.

use super::kernels::{thin_dots, thin_inner, thin_outer};
use crate::math::real::Real;

/// Up to this many columns a product is a few scaled rows or dot products and packing for the library does not pay.
const THIN: usize = 8;

/// `c (+)= a b` with a `[m, k]`, b `[k, n]`, c `[m, n]`, all row-major.
pub(super) fn nn<F: Real>(
    [m, k, n]: [usize; 3],
    a: &[F],
    b: &[F],
    c: &mut [F],
    accumulate: bool,
    scratch: &mut Vec<F>,
) {
    if k <= THIN {
        thin_inner(k, &a[..m * k], b, n, &mut c[..m * n], accumulate);
    } else if n <= THIN {
        transpose(k, n, b, scratch);
        thin_dots(k, &a[..m * k], scratch, n, &mut c[..m * n], accumulate);
    } else {
        library([m, k, n], a, [k, 1], b, [n, 1], c, accumulate);
    }
}

/// `c (+)= a b^T` with a `[m, k]`, b `[n, k]`, c `[m, n]`, all row-major.
pub(super) fn nt<F: Real>(
    [m, k, n]: [usize; 3],
    a: &[F],
    b: &[F],
    c: &mut [F],
    accumulate: bool,
    scratch: &mut Vec<F>,
) {
    if k <= THIN {
        transpose(n, k, b, scratch);
        thin_inner(k, &a[..m * k], scratch, n, &mut c[..m * n], accumulate);
    } else if n <= THIN {
        thin_dots(k, &a[..m * k], b, n, &mut c[..m * n], accumulate);
    } else {
        library([m, k, n], a, [k, 1], b, [1, k], c, accumulate);
    }
}

/// `c += a^T b` with a `[m, k]`, b `[m, n]`, c `[k, n]`, all row-major.
pub(super) fn tn_add<F: Real>([m, k, n]: [usize; 3], a: &[F], b: &[F], c: &mut [F], scratch: &mut Vec<F>) {
    if k <= THIN {
        thin_outer(k, &a[..m * k], &b[..m * n], n, c);
    } else if n <= THIN {
        scratch.clear();
        scratch.resize(k * n, F::zero());
        thin_outer(n, &b[..m * n], &a[..m * k], k, scratch);
        for i in 0..k {
            for j in 0..n {
                c[i * n + j] += scratch[j * k + i];
            }
        }
    } else {
        library([k, m, n], a, [1, k], b, [n, 1], c, true);
    }
}

/// `out <- b^T` with b `[rows, cols]`.
fn transpose<F: Real>(rows: usize, cols: usize, b: &[F], out: &mut Vec<F>) {
    out.clear();
    for j in 0..cols {
        out.extend((0..rows).map(|i| b[i * cols + j]));
    }
}

/// `c (+)= a b` with a `[m, k]` and b `[k, n]` of any strides `[row, column]`, c row-major.
fn library<F: Real>(
    [m, k, n]: [usize; 3],
    a: &[F],
    a_strides: [usize; 2],
    b: &[F],
    b_strides: [usize; 2],
    c: &mut [F],
    accumulate: bool,
) {
    if m == 0 || n == 0 || k == 0 {
        if !accumulate {
            c[..m * n].fill(F::zero());
        }
        return;
    }
    assert!((m - 1) * a_strides[0] + (k - 1) * a_strides[1] < a.len(), "left factor too short");
    assert!((k - 1) * b_strides[0] + (n - 1) * b_strides[1] < b.len(), "right factor too short");
    assert!(m * n <= c.len(), "product too short");
    // SAFETY: the assertions bound every element the strides reach, `c` is exclusive, and F is f32 or f64.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            accumulate,
            a.as_ptr(),
            a_strides[1] as isize,
            a_strides[0] as isize,
            b.as_ptr(),
            b_strides[1] as isize,
            b_strides[0] as isize,
            F::one(),
            F::one(),
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(n: usize, seed: usize) -> Vec<f64> {
        (0..n).map(|i| (((i * 7919 + seed * 104_729) % 1009) as f64) / 504.5 - 1.0).collect()
    }

    #[test]
    fn products_match_the_triple_loop() {
        let mut scratch = Vec::new();
        for m in [1, 3, 20, 37] {
            for k in [1, 2, 5, 8, 9, 33] {
                for n in [1, 2, 7, 8, 9, 40] {
                    let (a, b, c0) = (fill(m * k, 1), fill(k * n, 2), fill(m * n, 3));
                    let bt: Vec<f64> = (0..n * k).map(|i| b[(i % k) * n + i / k]).collect();
                    let at: Vec<f64> = (0..m * k).map(|i| a[(i % m) * k + i / m]).collect();
                    for accumulate in [false, true] {
                        let mut exact = if accumulate { c0.clone() } else { vec![0.0; m * n] };
                        for i in 0..m {
                            for j in 0..n {
                                exact[i * n + j] += (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum::<f64>();
                            }
                        }
                        let check = |c: &[f64]| {
                            c.iter().zip(&exact).for_each(|(c, e)| assert!((c - e).abs() < 1e-12, "{m} {k} {n}"));
                        };
                        let mut c = c0.clone();
                        nn([m, k, n], &a, &b, &mut c, accumulate, &mut scratch);
                        check(&c);
                        let mut c = c0.clone();
                        nt([m, k, n], &a, &bt, &mut c, accumulate, &mut scratch);
                        check(&c);
                        if accumulate {
                            let mut c = c0.clone();
                            tn_add([k, m, n], &at, &b, &mut c, &mut scratch);
                            check(&c);
                        }
                    }
                }
            }
        }
    }
}
