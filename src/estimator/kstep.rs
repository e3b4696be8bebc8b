//! What every chain of inner steps shares: one pass back over the steps, and the curvature that an estimator of it implies.
//!
//! `theta_{i+1} = theta_i + alpha grad_theta J_in(phi, theta_i)`, i < K, maximises `J_out(phi, theta_K)` over phi. The initialisation of
//! MAML, the intrinsic reward of LIRPG and the own policy of LOLA are such phi; theta is the policy, in LOLA the opponent's.

use super::choice::Jacobian;
use crate::math::real::Real;

/// Pulls `v`, a cotangent of `theta_K`, back to `theta_0` through `theta_{i+1} = theta_i + alpha g_i(phi, theta_i)`.
///
/// `step(i, direction, v)` adds `H_i^T direction` to `v` for `direction = alpha v`, i from K - 1 down to 0, and keeps what else it wants:
/// `M_i^T direction`, with `M_i = d g_i / d phi`, is the step's part of the gradient with respect to phi.
///
/// # Panics
/// If `alpha` and `v` differ in length.
pub fn through_steps<F: Real>(alpha: &[F], steps: usize, v: &mut [F], mut step: impl FnMut(usize, &[F], &mut [F])) {
    assert_eq!(alpha.len(), v.len(), "one step size per parameter");
    let mut direction = vec![F::zero(); v.len()];
    for i in (0..steps).rev() {
        direction.iter_mut().zip(alpha).zip(v.iter()).for_each(|((d, &a), &v)| *d = a * v);
        step(i, &direction, v);
    }
}

/// Adds to `out` the coefficients of the scores that the inner Jacobian adds to the Hessian-vector product, for one episode.
///
/// `rows` are the episode's rows in time order, `tangent` holds `d log pi / d epsilon` of every row along the direction and `w` the weights
/// of the surrogate that is differentiated twice (SG-MRL spec 1.5, gradient-bias 1.3). The whole product is `sum_t out_t grad log pi_t +
/// w_t hess log pi_t direction`.
pub fn add_curvature<F: Real>(
    jacobian: Jacobian,
    rows: impl DoubleEndedIterator<Item = usize> + Clone,
    w: &[F],
    tangent: &[F],
    out: &mut [F],
) {
    match jacobian {
        Jacobian::None | Jacobian::LogProb => {}
        Jacobian::Lvc => rows.for_each(|row| out[row] += w[row] * tangent[row]),
        Jacobian::PolicyHessian => {
            let total: F = rows.clone().map(|row| w[row] * tangent[row]).sum();
            rows.for_each(|row| out[row] += total);
        }
        Jacobian::Dice | Jacobian::LoadedDice => {
            let mut past = F::zero();
            for row in rows.clone() {
                past += tangent[row];
                out[row] += w[row] * past;
            }
            let mut future = F::zero();
            for row in rows.rev() {
                out[row] += future;
                future += w[row] * tangent[row];
            }
        }
    }
}
