//! One meta-gradient of LOLA: the other player's steps ahead, the outer gradient at their end, and the walk back through them.

use super::options::{Options, Source, Target};
use super::streams::Streams;
use crate::estimator::game::{Objective, discounts};
use crate::estimator::kstep::through_steps;
use crate::exact::game::Exact;
use crate::policy::memory_one::{Logits, Places, defects};
use crate::rollout::game::Plays;
use std::collections::VecDeque;
use std::sync::Arc;
use tasks::games::STATES;

/// Options, and what follows from them once and for all.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub options: Options,
    pub discounts: Vec<f64>,
}

/// Kept episodes, oldest first, in the batches that they were played in.
pub(super) type Buffer = VecDeque<Arc<Plays>>;

/// One look-ahead step, kept for the walk back.
struct Step {
    at: Logits,
    places: Places,
    /// What the Jacobian is estimated from; `None` for the closed form.
    plays: Option<Vec<Arc<Plays>>>,
}

/// What a player thinks that the other will have become.
struct Ahead {
    steps: Vec<Step>,
    /// Logits of both after the steps; the player's own are as they were.
    end: Logits,
}

/// One estimate of a player's meta-gradient.
pub(super) struct Found {
    /// As the options say.
    pub used: [f64; STATES],
    /// With the same look-ahead, and the exact outer gradient.
    pub outer_exact: [f64; STATES],
    /// Episodes against the other as it will be.
    pub plays: Option<Plays>,
    /// Episodes played.
    pub episodes: usize,
}

/// Logits, value tables and the player whose meta-gradient is asked for.
#[derive(Clone, Copy)]
pub(super) struct Point<'a> {
    pub logits: &'a Logits,
    pub values: &'a [[f64; STATES]; 2],
    pub ego: usize,
}

impl Context {
    pub fn new(options: Options) -> Context {
        let discounts = discounts(options.gamma, options.horizon);
        Context { options, discounts }
    }

    fn exact(&self) -> Exact<'_> {
        Exact { game: &self.options.game, gamma: self.options.gamma }
    }

    fn objective(&self, player: usize, values: &[[f64; STATES]; 2]) -> Objective<'_> {
        Objective { game: &self.options.game, player, discounts: &self.discounts, values: values[player] }
    }

    fn play(&self, logits: &Logits, episodes: usize, mut rng: crate::rng::Rng) -> Plays {
        Plays::collect(&defects(logits), episodes, self.options.horizon, &mut rng)
    }

    /// Episodes that one look-ahead step learns from, for its value and for its Jacobian; new ones enter the buffer first.
    fn episodes(
        &self,
        at: &Logits,
        buffer: &mut Buffer,
        (streams, ego, step): (Streams, usize, usize),
    ) -> [Option<Vec<Arc<Plays>>>; 2] {
        let inner = &self.options.inner;
        let fresh = |kind: usize, episodes: usize| Arc::new(self.play(at, episodes, streams.inner(ego, step, kind)));
        let of_value = (inner.value != Source::Exact).then(|| fresh(0, inner.value_episodes));
        let of_jacobian = match (inner.jacobian, &of_value) {
            (Source::Exact, _) => None,
            (_, Some(shared)) if inner.is_shared => Some(Arc::clone(shared)),
            _ => Some(fresh(1, inner.jacobian_episodes)),
        };
        let added = match (inner.value, inner.jacobian) {
            (Source::Buffer, _) => &of_value,
            (_, Source::Buffer) => &of_jacobian,
            _ => &None,
        };
        if let Some(added) = added {
            buffer.pop_front();
            buffer.push_back(Arc::clone(added));
        }
        let given = |source: Source, fresh: Option<Arc<Plays>>| match source {
            Source::Exact => None,
            Source::Sampled => fresh.map(|plays| vec![plays]),
            Source::Buffer => Some(buffer.iter().cloned().collect()),
        };
        [given(inner.value, of_value), given(inner.jacobian, of_jacobian)]
    }

    /// `theta^{i+1} = theta^i + alpha grad_theta J(phi, theta^i)` of the other player, K times.
    fn ahead(&self, point: Point<'_>, mut sampled: Option<(&mut Buffer, Streams)>) -> Ahead {
        let (inner, other) = (&self.options.inner, 1 - point.ego);
        let mut ahead = Ahead { steps: Vec::with_capacity(inner.steps), end: *point.logits };
        for i in 0..inner.steps {
            let at = ahead.end;
            let places = Places::of(&at);
            let [value, plays] = match &mut sampled {
                None => [None, None],
                Some((buffer, streams)) => self.episodes(&at, buffer, (*streams, point.ego, i)),
            };
            let gradient = match &value {
                None => self.exact().gradient(&at, other),
                Some(plays) => self.objective(other, point.values).gradient(&places, plays.iter().map(Arc::as_ref)),
            };
            ahead.end[other].iter_mut().zip(gradient[other]).for_each(|(x, g)| *x += inner.alpha * g);
            ahead.steps.push(Step { at, places, plays });
        }
        ahead
    }

    /// `dJ/dphi + (d theta^K / d phi)^T dJ/dtheta` for the outer gradient of both players' logits at the end.
    fn back(&self, point: Point<'_>, ahead: &Ahead, outer: &Logits) -> [f64; STATES] {
        let (inner, other) = (&self.options.inner, 1 - point.ego);
        let (mut own, mut v) = (outer[point.ego], outer[other]);
        through_steps(&[inner.alpha; STATES], ahead.steps.len(), &mut v, |i, direction, v| {
            let Step { at, places, plays } = &ahead.steps[i];
            let product = match plays {
                None => self.exact().curvature(at, other, other, direction),
                Some(plays) => {
                    let objective = self.objective(other, point.values);
                    objective.curvature(inner.curvature, places, plays.iter().map(Arc::as_ref), other, direction)
                }
            };
            v.iter_mut().zip(product[other]).for_each(|(v, h)| *v += h);
            own.iter_mut().zip(product[point.ego]).for_each(|(g, m)| *g += m);
        });
        own
    }

    /// The meta-gradient with everything exact.
    pub fn exact_meta(&self, point: Point<'_>) -> [f64; STATES] {
        let ahead = self.ahead(point, None);
        self.back(point, &ahead, &self.exact().gradient(&ahead.end, point.ego))
    }

    /// One estimate as the options say; episodes that it plays enter the buffer where they are to be kept.
    pub fn meta(&self, point: Point<'_>, buffer: &mut Buffer, streams: Streams) -> Found {
        let options = &self.options;
        let ahead = self.ahead(point, Some((buffer, streams)));
        let outer_exact = self.back(point, &ahead, &self.exact().gradient(&ahead.end, point.ego));
        let fit = options.has_critic().then_some(super::options::FIT);
        let plays = options.outer.or(fit).map(|n| self.play(&ahead.end, n, streams.outer(point.ego)));
        let used = match (options.outer, &plays) {
            (Some(_), Some(plays)) => {
                let objective = self.objective(point.ego, point.values);
                let gradient = objective.gradient(&Places::of(&ahead.end), std::iter::once(plays));
                self.back(point, &ahead, &gradient)
            }
            _ => outer_exact,
        };
        let outer = plays.as_ref().map_or(0, Plays::episodes);
        Found { used, outer_exact, episodes: options.inner.steps * options.inner.played() + outer, plays }
    }

    /// Whether value tables are fitted to returns; `None` if not at all.
    pub fn to_go(&self) -> Option<bool> {
        self.options.has_critic().then_some(self.options.target == Target::Return)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimator::choice::Jacobian;
    use crate::learn::lola::options::{Inner, Probe};
    use crate::optim::Optimiser;
    use tasks::games::Game;

    const AT: Logits = [[0.3, -1.0, 0.8, 0.1, -0.4], [1.1, 0.2, -0.6, 0.7, -0.9]];

    fn context(steps: usize, source: Source) -> Context {
        let inner = Inner {
            steps,
            alpha: 0.3,
            value: source,
            jacobian: source,
            value_episodes: 4000,
            jacobian_episodes: 4000,
            is_shared: false,
            curvature: Jacobian::LoadedDice,
            buffer: 0,
        };
        let sgd = Optimiser::Sgd { beta: 0.1 };
        let game = Game::named("ipd").expect("shipped");
        Context::new(Options {
            game,
            gamma: 0.8,
            horizon: 40,
            updates: 1,
            seeds: 1,
            init: 0.0,
            inner,
            outer: Some(4000),
            optimiser: sgd,
            target: Target::None,
            critic: sgd,
            score: 0,
            probe: Probe { every: 0, repetitions: 2 },
            has_control: false,
        })
    }

    /// V_i(theta_i, theta_j^K), by the closed forms alone.
    fn outer(context: &Context, logits: &Logits, ego: usize) -> f64 {
        let mut at = *logits;
        for _ in 0..context.options.inner.steps {
            let gradient = context.exact().gradient(&at, 1 - ego)[1 - ego];
            at[1 - ego].iter_mut().zip(gradient).for_each(|(x, g)| *x += 0.3 * g);
        }
        context.exact().value(&at, ego)
    }

    #[test]
    fn the_exact_meta_gradient_is_the_derivative_of_the_objective() {
        for (steps, ego) in [(0, 0), (1, 0), (1, 1), (2, 0), (3, 1)] {
            let context = context(steps, Source::Exact);
            let found = context.exact_meta(Point { logits: &AT, values: &[[0.0; STATES]; 2], ego });
            for s in 0..STATES {
                let moved = |h: f64| {
                    let mut logits = AT;
                    logits[ego][s] += h;
                    outer(&context, &logits, ego)
                };
                let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!((found[s] - slope).abs() < 1e-6 * slope.abs().max(1.0), "K = {steps}: {} {slope}", found[s]);
            }
        }
    }

    /// A smoke test of signs and blocks: with thousands of episodes the estimate points where the exact gradient does.
    #[test]
    fn many_episodes_come_close() {
        for (steps, ego) in [(1, 0), (2, 1)] {
            let context = context(steps, Source::Sampled);
            let point = Point { logits: &AT, values: &[[0.0; STATES]; 2], ego };
            let found = context.meta(point, &mut Buffer::new(), Streams::of(1, 1));
            let exact = context.exact_meta(point);
            let dot = |a: &[f64; STATES], b: &[f64; STATES]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            for estimate in [found.used, found.outer_exact] {
                let cosine = dot(&estimate, &exact) / (dot(&estimate, &estimate) * dot(&exact, &exact)).sqrt();
                assert!(cosine > 0.97, "K = {steps}: {cosine}, {estimate:?} {exact:?}");
            }
            assert_eq!(found.episodes, 4000 * (2 * steps + 1));
        }
    }
}
