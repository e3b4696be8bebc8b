//! Two players of an iterated game with two actions: logits per state of each player, and what follows from them at every place of a play.

use tasks::games::{OUTCOMES, PLACES, STATES, action, seen};

/// Logits of both players, `[player][state]` in the player's own view: P(action 0 | s) = sigmoid(theta_s).
pub type Logits = [[f64; STATES]; 2];

/// 1 / (1 + exp(-x)), without overflow.
pub fn sigmoid(x: f64) -> f64 {
    let small = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) }
}

/// P(action 0) of both players, `[player][state]` in the player's own view.
pub fn defects(logits: &Logits) -> [[f64; STATES]; 2] {
    logits.map(|row| row.map(sigmoid))
}

/// Both players at every place (state of the first player, outcome).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Places {
    /// Probability of the outcome in its state, pi_1 pi_2.
    pub probability: [f64; PLACES],
    /// d log pi_p / d theta_p, the only entry of the score that is not zero, `[player][place]`: 1 - P(D) where D was played, else -P(D).
    pub score: [[f64; PLACES]; 2],
    /// d^2 log pi_p / d theta_p^2 = -P(D)(1 - P(D)), the same for both actions, `[player][state]` in the player's own view.
    pub curvature: [[f64; STATES]; 2],
}

impl Places {
    /// What `logits` say.
    pub fn of(logits: &Logits) -> Places {
        Places::when(&defects(logits))
    }

    /// The same when the players defect with these probabilities, `[player][state]` in the player's own view.
    pub fn when(p: &[[f64; STATES]; 2]) -> Places {
        let (mut probability, mut score) = ([1.0; PLACES], [[0.0; PLACES]; 2]);
        for place in 0..PLACES {
            let (state, outcome) = (place / OUTCOMES, place % OUTCOMES);
            for player in [0, 1] {
                let d = p[player][seen(player, state)];
                let is_d = action(player, outcome) == 0;
                probability[place] *= if is_d { d } else { 1.0 - d };
                score[player][place] = if is_d { 1.0 - d } else { -d };
            }
        }
        Places { probability, score, curvature: p.map(|row| row.map(|d| -d * (1.0 - d))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_and_curvature_are_derivatives() {
        let logits = [[0.3, -1.0, 2.0, 0.0, -0.4], [1.1, 0.2, -0.6, 0.7, -2.0]];
        let at = Places::of(&logits);
        for state in 0..STATES {
            let total: f64 = (0..OUTCOMES).map(|o| at.probability[state * OUTCOMES + o]).sum();
            assert!((total - 1.0).abs() < 1e-15);
        }
        let h = 1e-4;
        for (place, player) in (0..PLACES).flat_map(|p| [(p, 0), (p, 1)]) {
            let own = seen(player, place / OUTCOMES);
            let moved = |step: f64| {
                let mut logits = logits;
                logits[player][own] += step;
                Places::of(&logits).probability[place].ln()
            };
            let first = (moved(h) - moved(-h)) / (2.0 * h);
            let second = (moved(h) - 2.0 * moved(0.0) + moved(-h)) / (h * h);
            assert!((at.score[player][place] - first).abs() < 1e-8, "{place} {player}");
            assert!((at.curvature[player][own] - second).abs() < 1e-6, "{place} {player}");
        }
    }

    #[test]
    fn extreme_logits_stay_finite() {
        assert_eq!([sigmoid(-800.0), sigmoid(800.0)], [0.0, 1.0]);
        let at = Places::of(&[[800.0; STATES], [-800.0; STATES]]);
        assert!(at.probability.iter().chain(at.score.iter().flatten()).all(|x| x.is_finite()));
    }
}
