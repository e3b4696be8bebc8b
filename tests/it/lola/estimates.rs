//! Sampled DiCE on a short game: expectations by enumeration of every play, and by sampling with a test.

use rand::SeedableRng;
use stillpoint::estimator::choice::Jacobian;
use stillpoint::estimator::game::{Objective, discounts};
use stillpoint::exact::game::{Exact, plays};
use stillpoint::math::hypothesis::{Moments, mean_is};
use stillpoint::policy::memory_one::{Logits, Places, defects};
use stillpoint::rollout::game::Plays;
use tasks::env::Rng;
use tasks::games::Game;

const GAMMA: f64 = 0.9;
const AT: Logits = [[0.3, -1.0, 0.8, 0.1, -0.4], [1.1, 0.2, -0.6, 0.7, -0.9]];
const BEFORE: Logits = [[-0.2, -0.5, 0.1, 0.6, 0.4], [0.5, 0.0, 0.4, -0.3, -1.2]];
const VALUES: [f64; 5] = [-3.0, -4.5, -1.0, -5.0, -2.0];
const DIRECTION: [f64; 5] = [0.7, -1.1, 0.4, 0.9, -0.3];

/// Gradient and product with [`DIRECTION`] in the logits of the second player, of an estimate on `batch`: 20 numbers.
fn estimate(objective: &Objective, jacobian: Jacobian, batch: &Plays) -> Vec<f64> {
    let at = Places::of(&AT);
    let gradient = objective.gradient(&at, std::iter::once(batch));
    let product = objective.curvature(jacobian, &at, std::iter::once(batch), 1, &DIRECTION);
    [gradient, product].iter().flatten().flatten().copied().collect()
}

/// The same, exact.
fn exact(game: &Game, player: usize, horizon: usize) -> Vec<f64> {
    let exact = Exact { game, gamma: GAMMA };
    let product = exact.finite_curvature(&AT, player, horizon, 1, &DIRECTION);
    [exact.finite_gradient(&AT, player, horizon), product].iter().flatten().flatten().copied().collect()
}

/// Expectation of the estimate from one episode of the policies `played`, over every play.
fn expected(objective: &Objective, jacobian: Jacobian, played: &Logits, horizon: usize) -> Vec<f64> {
    let mut sum = vec![0.0; 20];
    for (p, places) in plays(played, horizon) {
        let batch = Plays { places, horizon, behaviour: defects(played) };
        for (s, x) in sum.iter_mut().zip(estimate(objective, jacobian, &batch)) {
            *s += p * x;
        }
    }
    sum
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    let scale = b.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    a.iter().zip(b).fold(0.0f64, |m, (x, y)| m.max((x - y).abs())) / scale
}

/// First and second order, on-policy and off-policy, with a baseline, T = 1 to 3. LVC and log-prob are the controls: their
/// gradients agree, their second derivatives must not.
#[test]
fn expectations_over_every_play_are_the_derivatives() {
    for name in ["ipd", "matching-pennies", "chicken"] {
        let game = Game::named(name).expect("shipped");
        for (player, horizon) in [(0, 1), (1, 1), (0, 2), (1, 2), (0, 3), (1, 3)] {
            let discounts = discounts(GAMMA, horizon);
            let objective = Objective { game: &game, player, discounts: &discounts, values: VALUES };
            let truth = exact(&game, player, horizon);
            for played in [AT, BEFORE] {
                for jacobian in [Jacobian::Dice, Jacobian::LoadedDice] {
                    let error = distance(&expected(&objective, jacobian, &played, horizon), &truth);
                    assert!(error < 1e-12, "{name} {player} {horizon} {jacobian:?}: {error}");
                }
                for biased in [Jacobian::Lvc, Jacobian::LogProb] {
                    let found = expected(&objective, biased, &played, horizon);
                    assert!(distance(&found[..10], &truth[..10]) < 1e-12, "first order");
                    let error = distance(&found[10..], &truth[10..]);
                    let is_whole = biased == Jacobian::Lvc && horizon == 1; // one round has no cross-time terms
                    assert!(is_whole == (error < 1e-12) && (is_whole || error > 0.05), "{name} {biased:?}: {error}");
                }
            }
        }
    }
}

/// What a sampler and an estimator make of 4000 batches of four episodes, T = 3, against the exact derivatives.
fn sampled(jacobian: Jacobian, played: &Logits, seed: u64) -> f64 {
    let game = Game::named("ipd").expect("shipped");
    let discounts = discounts(GAMMA, 3);
    let objective = Objective { game: &game, player: 0, discounts: &discounts, values: VALUES };
    let truth = exact(&game, 0, 3);
    let mut rng = Rng::seed_from_u64(seed);
    let mut moments = Moments::new(&truth);
    for _ in 0..4000 {
        let batch = Plays::collect(&defects(played), 4, 3, &mut rng);
        moments.push(&estimate(&objective, jacobian, &batch));
    }
    mean_is(&moments, &truth).p
}

/// alpha = 0.001 for each of four tests with fixed seeds; the controls must be rejected.
#[test]
fn sampled_derivatives_have_the_enumerated_mean() {
    for (played, seed) in [(AT, 1), (BEFORE, 2)] {
        for jacobian in [Jacobian::Dice, Jacobian::LoadedDice] {
            let p = sampled(jacobian, &played, seed);
            assert!(p > 0.001, "{jacobian:?}: {p}");
        }
        for biased in [Jacobian::Lvc, Jacobian::LogProb] {
            let p = sampled(biased, &played, seed);
            assert!(p < 1e-6, "control {biased:?}: {p}");
        }
    }
}
