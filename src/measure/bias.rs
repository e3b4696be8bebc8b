//! Bias and variance of sampled meta-gradients on a set of MDPs against the exact meta-gradient of each.

use crate::exact::kstep::{Chain, Oracle};
use crate::learn::kstep::{Draw, Sampling, Task};
use crate::math::bias::Bias;
use crate::rng::{Address, Purpose};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tasks::tabular::Tabular;

/// One MDP's numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnMdp {
    /// Bias, variance and correlation of the meta-gradient.
    #[serde(flatten)]
    pub bias: Bias,
    /// Mean over estimates and entries of (theta_i - theta*_i)^2, after each inner step.
    pub inner_error: Vec<f64>,
}

/// What is measured: problem, estimator, repeats.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Problem and estimator.
    pub sampling: Sampling,
    /// Estimates m per MDP.
    pub repeats: usize,
    /// Seed of the trajectories.
    pub seed: u64,
}

/// MDPs without their horizon as closed forms, and with it as dynamics.
pub fn tasks(mdps: &[Tabular], gamma: f64) -> Vec<Task> {
    mdps.iter().map(|mdp| Task::new(mdp, gamma)).collect()
}

/// Exact objective and gradient on every MDP.
pub fn oracles(tasks: &[Task], chain: &Chain) -> Vec<Oracle> {
    tasks.par_iter().map(|task| chain.oracle(&task.model)).collect()
}

/// Estimates per piece of work, after each of which `stop` is asked.
const PORTION: usize = 32;

/// Every MDP's numbers, or `None` once `stop` says so. Streams are addressed by MDP and repeat alone: whatever the estimator, the step size
/// or the number of steps, the same random numbers are used, and the number of threads changes nothing.
pub fn measure(
    setting: &Setting,
    tasks: &[Task],
    oracles: &[Oracle],
    stop: &(dyn Fn() -> bool + Sync),
) -> Option<Vec<OnMdp>> {
    let starts = (0..setting.repeats).step_by(PORTION);
    let work: Vec<(usize, usize)> = (0..tasks.len()).flat_map(|i| starts.clone().map(move |j| (i, j))).collect();
    let portions: Option<Vec<Vec<Draw>>> = work
        .par_iter()
        .map(|&(i, first)| {
            let at = Address::new(setting.seed, Purpose::Bias).task(i);
            let repeats = first..(first + PORTION).min(setting.repeats);
            (!stop()).then(|| {
                repeats
                    .map(|j| setting.sampling.draw(&tasks[i], &oracles[i].gradient, at.iteration(j as u64)))
                    .collect()
            })
        })
        .collect();
    let draws: Vec<Draw> = portions?.into_iter().flatten().collect();
    Some(draws.par_chunks(setting.repeats).zip(oracles).map(|(draws, oracle)| on_mdp(draws, oracle)).collect())
}

fn on_mdp(draws: &[Draw], oracle: &Oracle) -> OnMdp {
    let inner_error = (0..oracle.thetas.len())
        .map(|i| {
            let exact = &oracle.thetas[i];
            let squares = draws.iter().flat_map(|d| d.thetas[i].iter().zip(exact).map(|(a, b)| (a - b) * (a - b)));
            squares.sum::<f64>() / (draws.len() * exact.len()) as f64
        })
        .collect();
    let gradients: Vec<Vec<f64>> = draws.iter().map(|d| d.gradient.clone()).collect();
    OnMdp { bias: Bias::of(&gradients, &oracle.gradient), inner_error }
}
