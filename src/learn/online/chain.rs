//! The two chains of Xu et al. 2018: episodes, and TD(lambda) with one gamma or lambda per state.

use super::{Inner, Learned, Learner, Task, Values};
use crate::estimator::online::{self, Chain};
use crate::math::returns::relative_reward_to_go;
use crate::rng::{Address, Purpose};
use rand_distr::{Distribution as _, StandardNormal};

/// States of the chain of signal and noise.
pub(super) const SIGNAL_NOISE: usize = 10;
/// States of the chain of negated pairs.
pub(super) const NEGATED_PAIRS: usize = 9;

/// What leaving each state pays in one episode.
fn rewards(task: &Task, seed: u64, episode: u64) -> Vec<f64> {
    let mut rng = Address::new(seed, Purpose::Online).iteration(episode).stream();
    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
    match task {
        Task::SignalNoise => (0..SIGNAL_NOISE / 2).flat_map(|_| [0.1, normal()]).collect(),
        Task::NegatedPairs => {
            let mut paid: Vec<f64> = Vec::with_capacity(NEGATED_PAIRS);
            for _ in 0..NEGATED_PAIRS / 2 {
                let x = normal();
                paid.extend([x, -x]);
            }
            paid.push(normal());
            paid
        }
        Task::Arms { .. } => unreachable!("arms are no chain"),
    }
}

/// One update on an episode, judged on the next.
pub(super) fn step(learner: &Learner, task: &Task, gamma: &Values, lambda: &Values) -> Inner {
    let (options, state) = (&learner.options, &learner.state);
    let n = state.theta.len();
    let order: Vec<usize> = (0..n).collect();
    let global = |values: &Values| match values {
        Values::Global(x) => *x,
        Values::PerState(_) => unreachable!("one of the two has a value per state"),
    };
    let each = |values: &Values| match values {
        Values::Global(x) => vec![*x; n],
        Values::PerState(all) => all.clone(),
    };
    let (learned, eta) = match options.learned() {
        Learned::Lambda => (online::Learned::Lambda { gamma: global(gamma) }, each(lambda)),
        _ => (online::Learned::Gamma { lambda: global(lambda) }, each(gamma)),
    };
    let [now, next] = [state.update, state.update + 1].map(|k| rewards(task, learner.seed, k));
    let chain = Chain { alpha: options.alpha, learned };
    let found = chain.step(&state.theta, &eta, [&order, &order], [&now, &next]);
    let mut full = next;
    relative_reward_to_go(&mut full, 1.0);
    let outer_loss = full.iter().zip(&found.values).map(|(g, v)| (g - v) * (g - v)).sum();
    Inner {
        theta: found.values,
        d_eta: found.d_eta,
        achieved: now.iter().sum(),
        outer_loss: Some(outer_loss),
        frames: (state.update + 1) * n as u64,
    }
}
