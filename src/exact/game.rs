//! Iterated games of two players in closed form: values, gradients and second-derivative products, over an infinite or a finite horizon.

use super::dual::{Dual, Scalar};
use super::linear;
use crate::policy::memory_one::{Logits, Places};
use tasks::games::{Game, OUTCOMES, STATES, action, seen};

/// A value of one player per outcome.
type PerOutcome<S> = [S; OUTCOMES];

/// What both players do, and the chain of outcomes that follows.
struct Chain<S> {
    /// P(D) of both players by the first player's state.
    defects: [[S; STATES]; 2],
    /// Distribution of the outcome, by the first player's state; row 0 is the start, row o + 1 follows outcome o.
    outcome: [PerOutcome<S>; STATES],
}

fn zero<S: Scalar>() -> S {
    S::constant(0.0)
}

/// 1 / (1 + exp(-x)), without overflow.
fn sigmoid<S: Scalar>(x: S) -> S {
    let one = S::constant(1.0);
    if x.value() >= 0.0 {
        one / (one + (-x).exp())
    } else {
        let e = x.exp();
        e / (one + e)
    }
}

impl<S: Scalar> Chain<S> {
    fn of(logits: &[[S; STATES]; 2]) -> Chain<S> {
        let one = S::constant(1.0);
        let own = logits.map(|row| row.map(sigmoid));
        let defects: [[S; STATES]; 2] = std::array::from_fn(|p| std::array::from_fn(|s| own[p][seen(p, s)]));
        let chance = |p: usize, s: usize, o: usize| if action(p, o) == 0 { defects[p][s] } else { one - defects[p][s] };
        let outcome = std::array::from_fn(|s| std::array::from_fn(|o| chance(0, s, o) * chance(1, s, o)));
        Chain { defects, outcome }
    }

    /// `sum_s flow_s d x_s . v` for every logit, where x_s is the distribution of the outcome in state s.
    fn pulled(&self, flow: &[S; STATES], v: &PerOutcome<S>, out: &mut [[S; STATES]; 2]) {
        let one = S::constant(1.0);
        for s in 0..STATES {
            for p in [0, 1] {
                let d = self.defects[p][s];
                let other = self.defects[1 - p][s];
                let mut gain = zero::<S>(); // of D over C
                for o in 0..OUTCOMES {
                    let chance = if action(1 - p, o) == 0 { other } else { one - other };
                    gain += if action(p, o) == 0 { chance * v[o] } else { -(chance * v[o]) };
                }
                out[p][seen(p, s)] += flow[s] * d * (one - d) * gain;
            }
        }
    }
}

/// A game with a discount below one.
#[derive(Clone, Copy, Debug)]
pub struct Exact<'a> {
    /// What is paid.
    pub game: &'a Game,
    /// gamma in (0, 1).
    pub gamma: f64,
}

impl Exact<'_> {
    /// x of `A x = b`, A = I - gamma P or its transpose.
    fn solve<S: Scalar>(&self, chain: &Chain<S>, transposed: bool, mut b: PerOutcome<S>) -> PerOutcome<S> {
        let mut a: [S; OUTCOMES * OUTCOMES] = std::array::from_fn(|k| {
            let (i, j) = (k / OUTCOMES, k % OUTCOMES);
            let (from, to) = if transposed { (j, i) } else { (i, j) };
            S::constant(f64::from(u8::from(i == j))) - chain.outcome[from + 1][to].scale(self.gamma)
        });
        linear::solve(&mut a, &mut b);
        b
    }

    fn paid<S: Scalar>(&self, player: usize) -> PerOutcome<S> {
        self.game.payoffs[player].map(S::constant)
    }

    /// v_i(o) = r_i(o) + gamma sum_o' P(o' | o) v_i(o'): what follows an outcome, with what it pays.
    fn following<S: Scalar>(&self, chain: &Chain<S>, player: usize) -> PerOutcome<S> {
        self.solve(chain, false, self.paid(player))
    }

    /// V_i = p_0^T (I - gamma P)^{-1} r_i = E sum_t gamma^t r_i,t over an infinite horizon, not divided by 1 / (1 - gamma).
    pub fn value<S: Scalar>(&self, logits: &[[S; STATES]; 2], player: usize) -> S {
        let chain = Chain::of(logits);
        let v = self.following(&chain, player);
        let mut sum = zero::<S>();
        (0..OUTCOMES).for_each(|o| sum += chain.outcome[0][o] * v[o]);
        sum
    }

    /// dV_i / dtheta = sum_s d_s dx_s/dtheta . v_i, d_0 = 1 and d_{o+1} = gamma times the discounted number of times o is played.
    pub fn gradient<S: Scalar>(&self, logits: &[[S; STATES]; 2], player: usize) -> [[S; STATES]; 2] {
        let chain = Chain::of(logits);
        let v = self.following(&chain, player);
        let visits = self.solve(&chain, true, chain.outcome[0]);
        let flow = std::array::from_fn(|s| if s == 0 { S::constant(1.0) } else { visits[s - 1].scale(self.gamma) });
        let mut out = [[zero::<S>(); STATES]; 2];
        chain.pulled(&flow, &v, &mut out);
        out
    }

    /// Product of the Hessian of V_i with a direction in the logits of `mover`, for both players' logits: one dual sweep of the gradient.
    pub fn curvature(&self, logits: &Logits, player: usize, mover: usize, direction: &[f64]) -> Logits {
        self.gradient(&lifted(logits, mover, direction), player).map(|row| row.map(|x| x.eps[0]))
    }

    /// E sum_{t < T} gamma^t r_i,t, by a forward pass over the distribution of outcomes.
    pub fn finite_value<S: Scalar>(&self, logits: &[[S; STATES]; 2], player: usize, horizon: usize) -> S {
        let chain = Chain::of(logits);
        let (mut at, mut sum, mut discount) = (chain.outcome[0], zero::<S>(), 1.0);
        for _ in 0..horizon {
            for o in 0..OUTCOMES {
                sum += at[o].scale(discount * self.game.payoffs[player][o]);
            }
            at = next(&chain, &at);
            discount *= self.gamma;
        }
        sum
    }

    /// Gradient of [`Exact::finite_value`].
    pub fn finite_gradient<S: Scalar>(
        &self,
        logits: &[[S; STATES]; 2],
        player: usize,
        horizon: usize,
    ) -> [[S; STATES]; 2] {
        let chain = Chain::of(logits);
        let paid: PerOutcome<S> = self.paid(player);
        let mut ahead = vec![paid; horizon.max(1)]; // v with 1, 2, ... rounds to go
        for t in 1..horizon {
            let v = ahead[t - 1];
            for o in 0..OUTCOMES {
                let mut sum = zero::<S>();
                (0..OUTCOMES).for_each(|j| sum += chain.outcome[o + 1][j] * v[j]);
                ahead[t][o] = paid[o] + sum.scale(self.gamma);
            }
        }
        let mut out = [[zero::<S>(); STATES]; 2];
        let (mut at, mut discount) = (chain.outcome[0], 1.0);
        for t in 0..horizon {
            let mut flow = [zero::<S>(); STATES];
            if t == 0 {
                flow[0] = S::constant(1.0);
            } else {
                (0..OUTCOMES).for_each(|o| flow[o + 1] = at[o].scale(discount));
                at = next(&chain, &at);
            }
            chain.pulled(&flow, &ahead[horizon - 1 - t], &mut out);
            discount *= self.gamma;
        }
        out
    }

    /// As [`Exact::curvature`], of the value over a finite horizon.
    pub fn finite_curvature(
        &self,
        logits: &Logits,
        player: usize,
        horizon: usize,
        mover: usize,
        direction: &[f64],
    ) -> Logits {
        let product = self.finite_gradient(&lifted(logits, mover, direction), player, horizon);
        product.map(|row| row.map(|x| x.eps[0]))
    }
}

/// The distribution of the next outcome.
fn next<S: Scalar>(chain: &Chain<S>, at: &PerOutcome<S>) -> PerOutcome<S> {
    let mut out = [zero::<S>(); OUTCOMES];
    for o in 0..OUTCOMES {
        (0..OUTCOMES).for_each(|j| out[j] += at[o] * chain.outcome[o + 1][j]);
    }
    out
}

fn lifted(logits: &Logits, mover: usize, direction: &[f64]) -> [[Dual<1>; STATES]; 2] {
    std::array::from_fn(|p| {
        std::array::from_fn(|s| Dual { re: logits[p][s], eps: [if p == mover { direction[s] } else { 0.0 }] })
    })
}

/// Expected reward per round of both players over `horizon` rounds, not discounted: what the mean over infinitely many episodes shows.
pub fn reward_per_step(game: &Game, logits: &Logits, horizon: usize) -> [f64; 2] {
    let undiscounted = Exact { game, gamma: 1.0 };
    [0, 1].map(|player| undiscounted.finite_value(logits, player, horizon) / horizon as f64)
}

/// Every play of `horizon` rounds with its probability: 4^T of them.
pub fn plays(logits: &Logits, horizon: usize) -> Vec<(f64, Vec<u8>)> {
    let at = Places::of(logits);
    let mut all = vec![(1.0, Vec::new())];
    for _ in 0..horizon {
        let longer = |(p, play): (f64, Vec<u8>)| {
            let state = play.last().map_or(0, |place: &u8| usize::from(*place) % OUTCOMES + 1);
            (0..OUTCOMES).map(move |o| {
                let place = state * OUTCOMES + o;
                let mut play = play.clone();
                play.push(place as u8);
                (p * at.probability[place], play)
            })
        };
        all = all.into_iter().flat_map(longer).collect();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Logits = [[0.3, -1.0, 0.8, 0.1, -0.4], [1.1, 0.2, -0.6, 0.7, -0.9]];
    const H: f64 = 1e-5;

    fn moved(player: usize, state: usize, by: f64) -> Logits {
        let mut logits = AT;
        logits[player][state] += by;
        logits
    }

    fn close(a: f64, b: f64, what: &str) {
        assert!((a - b).abs() < 1e-6 * b.abs().max(1.0), "{what}: {a} {b}");
    }

    #[test]
    fn pure_policies_have_their_known_values() {
        let game = Game::named("ipd").expect("shipped");
        let exact = Exact { game: &game, gamma: 0.96 };
        for (logit, value) in [(-40.0, -25.0), (40.0, -50.0)] {
            close(exact.value(&[[logit; STATES]; 2], 0), value, "all the same");
        }
        close(exact.value(&[[0.0; STATES]; 2], 1), -37.5, "random play");
        close(reward_per_step(&game, &[[0.0; STATES]; 2], 100)[0], -1.5, "random play");
    }

    #[test]
    fn derivatives_match_finite_differences() {
        for name in ["ipd", "matching-pennies", "chicken"] {
            let game = Game::named(name).expect("shipped");
            let exact = Exact { game: &game, gamma: 0.9 };
            for player in [0, 1] {
                let (g, g3) = (exact.gradient(&AT, player), exact.finite_gradient(&AT, player, 3));
                for (p, s) in (0..10).map(|k| (k / 5, k % 5)) {
                    let [up, down] = [H, -H].map(|h| moved(p, s, h));
                    let slope = (exact.value(&up, player) - exact.value(&down, player)) / (2.0 * H);
                    close(g[p][s], slope, name);
                    let slope = (exact.finite_value(&up, player, 3) - exact.finite_value(&down, player, 3)) / (2.0 * H);
                    close(g3[p][s], slope, name);
                    let mut direction = [0.0; STATES];
                    direction[s] = 1.0;
                    let hv = exact.curvature(&AT, player, p, &direction);
                    let hv3 = exact.finite_curvature(&AT, player, 3, p, &direction);
                    let [gu, gd] = [&up, &down].map(|at| exact.gradient(at, player));
                    let [fu, fd] = [&up, &down].map(|at| exact.finite_gradient(at, player, 3));
                    for (q, r) in (0..10).map(|k| (k / 5, k % 5)) {
                        close(hv[q][r], (gu[q][r] - gd[q][r]) / (2.0 * H), "second");
                        close(hv3[q][r], (fu[q][r] - fd[q][r]) / (2.0 * H), "second, finite");
                    }
                }
            }
        }
    }

    #[test]
    fn long_horizons_tend_to_the_infinite_one() {
        let game = Game::named("stag-hunt").expect("shipped");
        let exact = Exact { game: &game, gamma: 0.8 };
        close(exact.finite_value(&AT, 1, 200), exact.value(&AT, 1), "value");
        let total: f64 = plays(&AT, 3).iter().map(|(p, _)| p).sum();
        close(total, 1.0, "probabilities");
        let paid = |play: &[u8]| -> f64 {
            let each = play.iter().zip([1.0, 0.8, 0.8 * 0.8]);
            each.map(|(place, d)| d * game.payoffs[1][usize::from(*place) % OUTCOMES]).sum()
        };
        let mean: f64 = plays(&AT, 3).iter().map(|(p, play)| p * paid(play)).sum();
        close(mean, exact.finite_value(&AT, 1, 3), "enumeration");
    }
}
