//! Rates: how the mean of gap^2 falls with K and with B, as log-log slopes over seeds, beside the theorem's orders.

use super::setup::Setup;
use super::{DynamicsKind, Request, runs};
use crate::app::failure::Failure;
use crate::app::interrupt::Interrupt;
use crate::estimator::choice::{Estimator, LeaveGroupOutForm};
use crate::exact::expectation::THEORY_OUTER;
use crate::math::gap::Method;
use crate::math::summary::Estimate;
use crate::optim::Optimiser;
use rayon::prelude::*;
use serde_json::{Value, json};

/// One cell: K iterations of B tasks with step beta.
#[derive(Clone, Copy)]
struct Cell {
    iterations: u64,
    tasks: usize,
    beta: f64,
}

/// A family of cells, what varies, and the exponent that the theorem's right-hand side has in it.
struct Sweep {
    name: &'static str,
    versus: &'static str,
    order: f64,
    cells: Vec<Cell>,
}

/// K doubles three times up to the request's; B likewise.
fn sweeps(iterations: u64, tasks: usize, beta: f64) -> [Sweep; 3] {
    let powers = [8u32, 4, 2, 1];
    let k = |p: u32| (iterations / u64::from(p)).max(1);
    let b = |p: u32| (tasks / p as usize).max(1);
    let large = powers.map(|p| Cell { iterations: k(p), tasks: b(p), beta });
    let any = powers.map(|p| Cell { iterations: k(p), tasks, beta: beta * f64::from(p).sqrt() });
    let batch = powers.map(|p| Cell { iterations, tasks: b(p), beta });
    [
        Sweep { name: "large batch: beta fixed, B grows with K", versus: "K", order: -1.0, cells: large.to_vec() },
        Sweep { name: "any batch: B fixed, beta falls as K^-1/2", versus: "K", order: -0.5, cells: any.to_vec() },
        Sweep { name: "noise term: beta and K fixed", versus: "B", order: -1.0, cells: batch.to_vec() },
    ]
}

/// Least-squares slope of log y against log x.
fn slope(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len() as f64;
    let (u, v): (Vec<f64>, Vec<f64>) = (x.iter().map(|x| x.ln()).collect(), y.iter().map(|y| y.ln()).collect());
    let (mu, mv) = (u.iter().sum::<f64>() / n, v.iter().sum::<f64>() / n);
    let cross: f64 = u.iter().zip(&v).map(|(u, v)| (u - mu) * (v - mv)).sum();
    cross / u.iter().map(|u| (u - mu) * (u - mu)).sum::<f64>()
}

/// Whether rates can be measured; asked before anything runs.
///
/// # Errors
/// There are too few seeds for an interval, the sizes leave nothing to vary, or the gap is not exact here.
pub fn check(setup: &Setup, request: &Request) -> Result<(), Failure> {
    let tasks = setup.options.outer.tasks;
    if request.seeds < 5 {
        let given = request.seeds;
        return Err(Failure::Usage(format!("--rates: intervals over seeds need --seeds 5 or more (is {given})")));
    }
    if request.iterations < 16 || tasks < 8 {
        return Err(Failure::Usage(format!(
            "--rates: K and B are halved three times, so --iterations must be 16 or more (is {}) and --tasks-per-batch 8 or \
             more (is {tasks})",
            request.iterations
        )));
    }
    let enumerated = Request { dynamics: DynamicsKind::Sampled, method: Some(Method::Enumerated), ..request.clone() };
    match runs::gauge(setup, &enumerated, request.seed) {
        Ok(_) => Ok(()),
        Err(why) => Err(Failure::Usage(format!("--rates needs the exact gap: {why}"))),
    }
}

/// What a reader must know about the step sizes that were swept.
pub fn remark(setup: &Setup, request: &Request) -> Option<String> {
    let (constants, _) = setup.theory.as_ref().ok()?;
    let sweeps = sweeps(request.iterations, setup.options.outer.tasks, setup.beta());
    let top = sweeps.iter().flat_map(|s| &s.cells).map(|c| c.beta).fold(0.0, f64::max);
    let limit = constants.largest_beta();
    (top > limit).then(|| {
        format!("--rates goes up to beta = {top:.3e}; above 1/L_V = {limit:.3e} the theorem promises no order")
    })
}

/// Slopes of plain SG-MRL's mean gap^2, each with a t-interval over seeds; `None` if interrupted.
///
/// # Errors
/// The start is not finite.
pub fn rates(setup: &Setup, request: &Request, seeds: &[u64], interrupt: &Interrupt) -> Result<Option<Value>, Failure> {
    let tasks = setup.options.outer.tasks;
    let mut found = Vec::new();
    for sweep in sweeps(request.iterations, tasks, setup.beta()) {
        let per_seed: Vec<Vec<f64>> = seeds
            .par_iter()
            .map(|&seed| sweep.cells.iter().map(|cell| average(setup, request, cell, seed, interrupt)).collect())
            .collect::<Result<_, Failure>>()?;
        if interrupt.requested() {
            return Ok(None);
        }
        let x: Vec<f64> = (sweep.cells.iter())
            .map(|c| if sweep.versus == "K" { c.iterations as f64 } else { c.tasks as f64 })
            .collect();
        let slopes: Vec<f64> = per_seed.iter().map(|y| slope(&x, y)).collect();
        let column = |i: usize| Estimate::of(&per_seed.iter().map(|y| y[i]).collect::<Vec<_>>());
        let points: Vec<Value> = (sweep.cells.iter().enumerate())
            .map(|(i, c)| json!({"K": c.iterations, "B": c.tasks, "beta": c.beta, "average_gap_squared": column(i)}))
            .collect();
        found.push(json!({
            "regime": sweep.name, "versus": sweep.versus, "slope": Estimate::of(&slopes), "theorem_order": sweep.order,
            "seeds": seeds.len(), "points": points,
        }));
    }
    Ok(Some(Value::Array(found)))
}

/// Mean over k < K of gap^2 along one run, linear between exact gaps at 64 of them.
fn average(setup: &Setup, request: &Request, cell: &Cell, seed: u64, interrupt: &Interrupt) -> Result<f64, Failure> {
    let mut options = setup.options.clone();
    options.outer.tasks = cell.tasks;
    options.outer.advantage = THEORY_OUTER; // plain SG-MRL, whatever the other arms do to their outer returns
    options.outer.optimiser = Optimiser::Sgd { beta: cell.beta };
    let setup = Setup {
        source: setup.source.clone(),
        family: setup.family.clone(),
        policy: setup.policy.clone(),
        options,
        estimators: Vec::new(),
        theta: setup.theta.clone(),
        problem: setup.problem.clone(),
        theory: setup.theory.clone(),
        notes: Vec::new(),
    };
    let request = Request {
        dynamics: DynamicsKind::Sampled,
        iterations: cell.iterations,
        epsilon: Vec::new(),
        gap_every: Some((cell.iterations / 64).max(1)),
        method: Some(Method::Enumerated),
        ..request.clone()
    };
    let estimator = Estimator::named("sgmrl", 1, LeaveGroupOutForm::Importance).expect("a name of ours");
    let followed = runs::sampled(&setup, &request, &estimator, seed, interrupt, &|_| Ok(()))?;
    Ok(followed.run.average_gap_squared.mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_of_a_power_is_its_exponent() {
        let x = [1.0, 2.0, 4.0, 8.0];
        assert!((slope(&x, &x.map(|x: f64| 3.0 * x.powf(-0.5))) + 0.5).abs() < 1e-12);
    }

    #[test]
    fn sweeps_end_at_what_was_asked_for() {
        for sweep in sweeps(800, 64, 0.1) {
            let last = sweep.cells.last().expect("four");
            assert_eq!((last.iterations, last.tasks, last.beta), (800, 64, 0.1));
        }
    }
}
