//! Linear equations over any scalar, dual numbers included.

use super::dual::Scalar;

/// Solves `A x = b` by Gaussian elimination, `a` `[n, n]` row-major: `b` becomes x, `a` is used up.
///
/// Without pivoting: the matrix must be diagonally dominant, by rows or by columns, as I - gamma P and its transpose are.
#[inline] // so that small fixed sizes unroll
pub(super) fn solve<S: Scalar>(a: &mut [S], b: &mut [S]) {
    let n = b.len();
    assert_eq!(a.len(), n * n, "square");
    for i in 0..n {
        for j in i + 1..n {
            let factor = a[j * n + i] / a[i * n + i];
            for k in i + 1..n {
                let x = factor * a[i * n + k];
                a[j * n + k] = a[j * n + k] - x;
            }
            b[j] = b[j] - factor * b[i];
        }
    }
    for i in (0..n).rev() {
        let mut x = b[i];
        for k in i + 1..n {
            x = x - a[i * n + k] * b[k];
        }
        b[i] = x / a[i * n + i];
    }
}
