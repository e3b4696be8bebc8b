//! DiCE for iterated games of two: gradient and Hessian-vector product of a player's sampled objective in the logits of both players.
//!
//! The objective of player i (specification gradient-bias 3.2; 1.4 off-policy) is the mean over episodes of
//! `sum_t gamma^t W_t r_t + sum_t gamma^t (1 - rho_t) V_i(s_t)`, with `rho_t = pi_1 pi_2 / (mu_1 mu_2)` at round t and
//! `W_t = prod_{k <= t} rho_k`; on-policy the ratios are one and carry derivatives only. The weight of the score
//! `grad log pi_1 + grad log pi_2` of round t is therefore `G_t - gamma^t rho_t V_i(s_t)`, `G_t = sum_{k >= t} gamma^k W_k r_k`.

use super::choice::Jacobian;
use super::kstep::add_curvature;
use crate::policy::memory_one::{Logits, Places};
use crate::rollout::game::Plays;
use tasks::games::{Game, OUTCOMES, PLACES, STATES, seen};

/// Objective of one player, as far as a batch does not tell.
#[derive(Clone, Debug)]
pub struct Objective<'a> {
    /// What is paid.
    pub game: &'a Game,
    /// Whose: 0 or 1.
    pub player: usize,
    /// gamma^t for t below the horizon.
    pub discounts: &'a [f64],
    /// Value table of the player, by state in its own view: the baseline.
    pub values: [f64; STATES],
}

/// 1, gamma, gamma^2, ...
pub fn discounts(gamma: f64, horizon: usize) -> Vec<f64> {
    std::iter::successors(Some(1.0), |d| Some(d * gamma)).take(horizon).collect()
}

/// Numbers of one episode at a time: what is returned, the baseline's part, the tangent, and the coefficients of the scores.
#[derive(Clone, Debug, Default)]
struct Scratch {
    to_go: Vec<f64>,
    baseline: Vec<f64>,
    tangent: Vec<f64>,
    out: Vec<f64>,
}

impl Objective<'_> {
    /// V_i at every place, and what is paid there.
    fn tables(&self) -> ([f64; PLACES], [f64; PLACES]) {
        let value = |place: usize| self.values[seen(self.player, place / OUTCOMES)];
        let paid = |place: usize| self.game.payoffs[self.player][place % OUTCOMES];
        (std::array::from_fn(value), std::array::from_fn(paid))
    }

    /// G_t and -gamma^t rho_t V(s_t) of one episode.
    fn weigh(
        &self,
        episode: &[u8],
        ratio: Option<&[f64; PLACES]>,
        tables: &([f64; PLACES], [f64; PLACES]),
        s: &mut Scratch,
    ) {
        let (value, paid) = tables;
        s.to_go.clear();
        s.baseline.clear();
        let mut weight = 1.0; // W_t
        for (&place, discount) in episode.iter().zip(self.discounts) {
            let place = usize::from(place);
            let rho = ratio.map_or(1.0, |r| r[place]);
            weight *= rho;
            s.to_go.push(discount * weight * paid[place]);
            s.baseline.push(-discount * rho * value[place]);
        }
        let mut total = 0.0;
        for g in s.to_go.iter_mut().rev() {
            total += *g;
            *g = total;
        }
    }

    /// pi_1 pi_2 / (mu_1 mu_2) at every place; `None` where it is one everywhere.
    fn ratio(at: &Places, plays: &Plays) -> Option<[f64; PLACES]> {
        let mu = Places::when(&plays.behaviour).probability;
        let ratio = |place: usize| at.probability[place] / mu[place]; // places that were played have mu > 0
        (at.probability != mu).then(|| std::array::from_fn(ratio))
    }

    /// Gradient of the objective on all episodes of `batches`, with respect to the logits of both players.
    ///
    /// Unbiased for the gradient of the value over the horizon, whatever the value table (first-order baseline).
    ///
    /// # Panics
    /// If there is no episode, or one is longer than the discounts.
    pub fn gradient<'p>(&self, at: &Places, batches: impl Iterator<Item = &'p Plays>) -> Logits {
        let (tables, mut scratch) = (self.tables(), Scratch::default());
        let mut sums = [0.0; PLACES]; // of weights by place
        let mut episodes = 0;
        for plays in batches {
            assert!(plays.horizon <= self.discounts.len(), "one discount per round");
            episodes += plays.episodes();
            let ratio = Self::ratio(at, plays);
            for episode in plays.places.chunks_exact(plays.horizon) {
                self.weigh(episode, ratio.as_ref(), &tables, &mut scratch);
                for ((&place, g), b) in episode.iter().zip(&scratch.to_go).zip(&scratch.baseline) {
                    sums[usize::from(place)] += g + b;
                }
            }
        }
        assert!(episodes > 0, "no episode to estimate from");
        gathered(at, &sums, episodes)
    }

    /// Product of the second derivative that `jacobian` implies with a direction in the logits of `mover`, for both players' logits.
    ///
    /// DiCE: `G_t` counts as the weight of a product of ratios, the baseline as that of one ratio (unbiased). Loaded DiCE: both
    /// as products (unbiased, less variance). LVC: both as one ratio (biased: no cross-time terms). Log-prob: none (biased).
    ///
    /// # Panics
    /// As [`Objective::gradient`].
    pub fn curvature<'p>(
        &self,
        jacobian: Jacobian,
        at: &Places,
        batches: impl Iterator<Item = &'p Plays>,
        mover: usize,
        direction: &[f64],
    ) -> Logits {
        let (tables, mut s) = (self.tables(), Scratch::default());
        let tangent = |place: usize| at.score[mover][place] * direction[seen(mover, place / OUTCOMES)];
        let tangents: [f64; PLACES] = std::array::from_fn(tangent);
        let (mut sums, mut weights) = ([0.0; PLACES], [0.0; PLACES]);
        let mut episodes = 0;
        for plays in batches {
            assert!(plays.horizon <= self.discounts.len(), "one discount per round");
            episodes += plays.episodes();
            let ratio = Self::ratio(at, plays);
            for episode in plays.places.chunks_exact(plays.horizon) {
                self.weigh(episode, ratio.as_ref(), &tables, &mut s);
                s.curve(jacobian, episode, &tangents);
                for (t, &place) in episode.iter().enumerate() {
                    sums[usize::from(place)] += s.out[t];
                    weights[usize::from(place)] += s.to_go[t] + s.baseline[t];
                }
            }
        }
        assert!(episodes > 0, "no episode to estimate from");
        let mut product = gathered(at, &sums, episodes);
        for (place, w) in weights.iter().enumerate() {
            let state = seen(mover, place / OUTCOMES);
            product[mover][state] += w * at.curvature[mover][state] * direction[state] / episodes as f64;
        }
        product
    }
}

impl Scratch {
    /// The coefficients of the scores that the second derivative adds.
    fn curve(&mut self, jacobian: Jacobian, episode: &[u8], tangents: &[f64; PLACES]) {
        let n = episode.len();
        self.tangent.clear();
        self.tangent.extend(episode.iter().map(|place| tangents[usize::from(*place)]));
        self.out.clear();
        self.out.resize(n, 0.0);
        if jacobian == Jacobian::Dice {
            add_curvature(Jacobian::Dice, 0..n, &self.to_go, &self.tangent, &mut self.out);
            add_curvature(Jacobian::Lvc, 0..n, &self.baseline, &self.tangent, &mut self.out);
            return;
        }
        self.to_go.iter_mut().zip(&mut self.baseline).for_each(|(g, b)| *g += std::mem::take(b));
        add_curvature(jacobian, 0..n, &self.to_go, &self.tangent, &mut self.out);
    }
}

/// Coefficients of the scores, by place, as a vector in the logits of both players, averaged over episodes.
fn gathered(at: &Places, sums: &[f64; PLACES], episodes: usize) -> Logits {
    let mut out = [[0.0; STATES]; 2];
    for (place, sum) in sums.iter().enumerate() {
        for player in [0, 1] {
            out[player][seen(player, place / OUTCOMES)] += sum * at.score[player][place];
        }
    }
    out.map(|row| row.map(|x| x / episodes as f64))
}

/// What a value table is fitted to: per state of `player`, how often it was seen and the sum of its targets.
///
/// The target of round t is `sum_{k >= t} gamma^(k-t) r_k` if `to_go`, else `r_t`.
pub fn targets(game: &Game, player: usize, gamma: f64, to_go: bool, plays: &Plays) -> [[f64; 2]; STATES] {
    let mut found = [[0.0; 2]; STATES];
    let decay = if to_go { gamma } else { 0.0 };
    for episode in plays.places.chunks_exact(plays.horizon) {
        let mut target = 0.0;
        for &place in episode.iter().rev() {
            let place = usize::from(place);
            target = game.payoffs[player][place % OUTCOMES] + decay * target;
            let at = &mut found[seen(player, place / OUTCOMES)];
            at[0] += 1.0;
            at[1] += target;
        }
    }
    found
}
