//! Conjugate gradients: the solution of a positive semi-definite system that is known by its products only.

/// Residual at which the iteration ends, as a fraction of `||b||^2`.
const RESIDUAL: f64 = 1e-20;

/// Approximate solution `x` of `A x = b` and the curvature `x^T A x` along it, by at most `steps` products with `A`.
///
/// `product(v)` returns `A v` for a symmetric positive semi-definite `A`. Ends early when the squared residual is below 1e-20 of
/// `||b||^2` or when a direction has no curvature (`p^T A p <= 0` or not finite): the solution so far is returned, zeros at worst.
/// The curvature costs no further product: `x^T A x = x^T (b - r)` with the residual `r`. Hestenes and Stiefel 1952.
pub fn conjugate_gradient(mut product: impl FnMut(&[f64]) -> Vec<f64>, b: &[f64], steps: usize) -> Solution {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (mut x, mut r, mut p) = (vec![0.0; b.len()], b.to_vec(), b.to_vec());
    let (start, mut products) = (dot(b, b), 0);
    let mut squares = start;
    while products < steps && squares > RESIDUAL * start {
        let a_p = product(&p);
        products += 1;
        let curvature = dot(&p, &a_p);
        if !(curvature > 0.0 && curvature.is_finite()) {
            break;
        }
        let step = squares / curvature;
        x.iter_mut().zip(&p).for_each(|(x, p)| *x += step * p);
        r.iter_mut().zip(&a_p).for_each(|(r, a)| *r -= step * a);
        let next = dot(&r, &r);
        p.iter_mut().zip(&r).for_each(|(p, r)| *p = r + next / squares * *p);
        squares = next;
    }
    let curvature = x.iter().zip(b.iter().zip(&r)).map(|(x, (b, r))| x * (b - r)).sum();
    Solution { x, curvature, products }
}

/// What [`conjugate_gradient`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// The approximate solution.
    pub x: Vec<f64>,
    /// `x^T A x`.
    pub curvature: f64,
    /// Products with `A` spent.
    pub products: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `A = B B^T + I` of size n with B from a fixed irrational pattern, row-major.
    fn system(n: usize) -> Vec<f64> {
        let b = |i: usize, j: usize| ((i * n + j) as f64 * 0.7548776662466927).sin();
        let entry =
            |i: usize, j: usize| (0..n).map(|k| b(i, k) * b(j, k)).sum::<f64>() + if i == j { 1.0 } else { 0.0 };
        (0..n * n).map(|at| entry(at / n, at % n)).collect()
    }

    fn times(a: &[f64], v: &[f64]) -> Vec<f64> {
        a.chunks_exact(v.len()).map(|row| row.iter().zip(v).map(|(a, v)| a * v).sum()).collect()
    }

    #[test]
    fn solves_a_positive_definite_system_in_as_many_steps_as_dimensions() {
        let n = 12;
        let a = system(n);
        let expected: Vec<f64> = (0..n).map(|i| (i as f64 * 1.3).cos()).collect();
        let b = times(&a, &expected);
        let found = conjugate_gradient(|v| times(&a, v), &b, n + 3);
        for (x, e) in found.x.iter().zip(&expected) {
            assert!((x - e).abs() < 1e-8, "{x} against {e}");
        }
        let curvature: f64 = expected.iter().zip(&b).map(|(x, b)| x * b).sum();
        assert!((found.curvature / curvature - 1.0).abs() < 1e-8);
    }

    /// Negative control: two steps cannot solve it, and what they report is still the curvature of what they return.
    #[test]
    fn too_few_steps_leave_a_residual_and_report_their_own_curvature() {
        let a = system(12);
        let b: Vec<f64> = (0..12).map(|i| (i as f64 * 0.9).sin()).collect();
        let found = conjugate_gradient(|v| times(&a, v), &b, 2);
        assert_eq!(found.products, 2);
        let a_x = times(&a, &found.x);
        let residual: f64 = a_x.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum();
        assert!(residual > 1e-3, "{residual}");
        let curvature: f64 = found.x.iter().zip(&a_x).map(|(x, a)| x * a).sum();
        assert!((found.curvature / curvature - 1.0).abs() < 1e-10);
    }

    #[test]
    fn nothing_to_solve_and_no_curvature_give_zeros() {
        assert_eq!(
            conjugate_gradient(<[f64]>::to_vec, &[0.0, 0.0], 5),
            Solution { x: vec![0.0; 2], curvature: 0.0, products: 0 }
        );
        assert_eq!(conjugate_gradient(|v| vec![0.0; v.len()], &[1.0, 2.0], 5).x, [0.0, 0.0]);
        assert_eq!(conjugate_gradient(|v| vec![f64::NAN; v.len()], &[1.0, 2.0], 5).x, [0.0, 0.0]);
    }
}
