//! The MAML floor: how far MAML's expected gradient is from the gradient of the objective it is used for.

use super::expectation::means;
use super::objective::Problem;
use crate::estimator::choice::{Estimator, Jacobian, OuterPart, Sampling};
use crate::optim::norm;
use serde::Serialize;

/// Bias of MAML at one theta, for one reward offset.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Floor {
    /// Constant added to every reward.
    pub offset: f64,
    /// |grad V_zeta(theta) - E\[MAML\]|.
    pub bias: f64,
    /// alpha eta_g^2 sqrt(T v_op) with R = max |r + offset| >= `bias`, whatever n; zeta = 1 only.
    pub bound: Option<f64>,
    /// |grad V_zeta(theta)|: where E\[MAML\] = 0 it equals `bias`, which is why MAML's gap stops there.
    pub gap: f64,
    /// |E\[MAML\]|: zero at MAML's rest points.
    pub drift: f64,
}

/// MAML as in the theory: the inner map's Jacobian, no sampling term, raw outer part.
fn maml() -> Estimator {
    Estimator { name: "maml".into(), jacobian: Jacobian::LogProb, sampling: Sampling::None, outer: OuterPart::Raw }
}

/// The same problem with `offset` added to every reward of every task: J shifts by a constant and its gradient stays, but raw
/// inner steps see other rewards, so V_zeta and above all the bias of MAML change (spec 1.7).
pub fn with_offset(problem: &Problem, offset: f64) -> Problem {
    let tasks = problem.tasks.iter().map(|(w, mdp)| (*w, mdp.clone().with_reward_offset(offset))).collect();
    Problem { tasks, ..problem.clone() }
}

/// Bias, bound and gap of MAML at `theta` on `problem` with `offset` added to every reward.
///
/// # Panics
/// If the rewards are noisy, there is no task, or `theta` does not fit.
pub fn maml_floor(problem: &Problem, theta: &[f64], offset: f64) -> Floor {
    let problem = with_offset(problem, offset);
    let gradient = problem.v_zeta_gradient(theta).gradient;
    let mean = means(&problem, theta, &[maml()]).remove(0);
    let bias: Vec<f64> = gradient.iter().zip(&mean).map(|(a, b)| a - b).collect();
    let bound = problem.constants().maml_bias_bound;
    Floor { offset, bias: norm(&bias), bound, gap: norm(&gradient), drift: norm(&mean) }
}

/// One cell of a table over step sizes, batch sizes and offsets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// Inner step size.
    pub alpha: f64,
    /// Trajectories per inner batch.
    pub n: usize,
    /// What was found.
    #[serde(flatten)]
    pub floor: Floor,
}

/// [`maml_floor`] at one theta for every combination, alpha outermost and the offset innermost.
pub fn maml_floors(problem: &Problem, theta: &[f64], alphas: &[f64], batches: &[usize], offsets: &[f64]) -> Vec<Cell> {
    let mut cells = Vec::with_capacity(alphas.len() * batches.len() * offsets.len());
    for &alpha in alphas {
        for &n in batches {
            let problem = Problem { alpha, batch: n, ..problem.clone() };
            cells.extend(offsets.iter().map(|&c| Cell { alpha, n, floor: maml_floor(&problem, theta, c) }));
        }
    }
    cells
}
