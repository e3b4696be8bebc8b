//! Expected dynamics: gradient ascent along the exact expectation of an estimator, one step at a time, without sampling noise.

use super::expectation::{affine_in_outer, combinations, enumerate, means};
use super::objective::Problem;
use crate::estimator::choice::Estimator;
use crate::optim::norm;

/// A point of the trajectory and what is known there.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Steps taken so far; 0 at the start.
    pub iteration: u64,
    /// Parameters, flat `[S, A]`.
    pub theta: Vec<f64>,
    /// V_zeta(theta).
    pub value: f64,
    /// grad V_zeta(theta), whatever the estimator.
    pub gradient: Vec<f64>,
    /// |grad V_zeta(theta)|, the stationarity gap.
    pub gap: f64,
    /// E\[estimator\] at theta: the direction the next step takes. Zero at a rest point, whether that is stationary or not.
    pub drift: Vec<f64>,
}

/// A parameter stopped being finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diverged {
    /// The step that would have been reached.
    pub iteration: u64,
}

/// theta_{k+1} = theta_k + beta E\[estimator\](theta_k).
#[derive(Clone, Debug)]
pub struct Dynamics {
    problem: Problem,
    estimator: Estimator,
    outer_batch: usize,
    beta: f64,
    here: Step,
}

impl Dynamics {
    /// Stands at `theta`, where everything is already measured.
    ///
    /// `outer_batch` is looked at only by estimators that are neither unbiased nor [`affine_in_outer`].
    ///
    /// # Panics
    /// As [`enumerate`], and if `theta` does not fit the problem.
    pub fn new(problem: Problem, estimator: Estimator, outer_batch: usize, theta: Vec<f64>, beta: f64) -> Dynamics {
        assert_eq!(theta.len(), problem.dim(), "one logit per state and action");
        let here = measure(&problem, &estimator, outer_batch, theta, 0);
        Dynamics { problem, estimator, outer_batch, beta, here }
    }

    /// Where it stands.
    pub fn here(&self) -> &Step {
        &self.here
    }

    /// Takes one step and returns where it leads.
    ///
    /// # Errors
    /// If a parameter would stop being finite; it then stays where it was.
    pub fn step(&mut self) -> Result<&Step, Diverged> {
        let theta: Vec<f64> = self.here.theta.iter().zip(&self.here.drift).map(|(x, d)| x + self.beta * d).collect();
        let iteration = self.here.iteration + 1;
        if !theta.iter().all(|x| x.is_finite()) {
            return Err(Diverged { iteration });
        }
        self.here = measure(&self.problem, &self.estimator, self.outer_batch, theta, iteration);
        Ok(&self.here)
    }

    /// Steps until |drift| <= `tolerance` or `limit` steps have been taken in all; whether it came to rest.
    ///
    /// # Errors
    /// As [`Dynamics::step`].
    pub fn settle(&mut self, tolerance: f64, limit: u64) -> Result<bool, Diverged> {
        while norm(&self.here.drift) > tolerance {
            if self.here.iteration >= limit {
                return Ok(false);
            }
            self.step()?;
        }
        Ok(true)
    }
}

fn measure(problem: &Problem, estimator: &Estimator, outer_batch: usize, theta: Vec<f64>, iteration: u64) -> Step {
    let exact = problem.v_zeta_gradient(&theta);
    let drift = if estimator.unbiased() {
        exact.gradient.clone() // equal to its enumerated expectation (tested)
    } else {
        expectation(problem, &theta, outer_batch, estimator)
    };
    let gap = norm(&exact.gradient);
    Step { iteration, theta, value: exact.value, gradient: exact.gradient, gap, drift }
}

/// E\[estimator\] at theta by enumeration, the outer expectation in closed form where the estimator allows it.
pub fn expectation(problem: &Problem, theta: &[f64], outer_batch: usize, estimator: &Estimator) -> Vec<f64> {
    let one = std::slice::from_ref(estimator);
    if affine_in_outer(estimator) {
        means(problem, theta, one).remove(0)
    } else {
        enumerate(problem, theta, outer_batch, one, &vec![0.0; theta.len()]).remove(0).mean
    }
}

/// Batches that one step of [`Dynamics`] visits, saturating: for limits and estimates of cost.
pub fn visits_per_step(problem: &Problem, outer_batch: usize, estimator: &Estimator) -> u64 {
    let gradient = problem.inner_batches().saturating_mul(problem.dim() as u64);
    gradient.saturating_add(if estimator.unbiased() {
        0
    } else if affine_in_outer(estimator) {
        problem.inner_batches()
    } else {
        combinations(problem, outer_batch, std::slice::from_ref(estimator))
    })
}
