//! One pair of players: a pure function of its own random streams.

use super::ahead::{Buffer, Context, Found, Point};
use super::streams::{self, Streams};
use crate::estimator::game::targets;
use crate::exact::game::reward_per_step;
use crate::math::bias::correlation;
use crate::optim;
use crate::policy::memory_one::{Logits, defects};
use crate::rollout::game::Plays;
use rand_distr::{Distribution as _, StandardNormal};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tasks::games::{self, OUTCOMES, STATES};

/// Everything small that changes from update to update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Logits of both players.
    pub logits: Logits,
    /// Value tables of both players, by state in the player's own view.
    pub values: [[f64; STATES]; 2],
    /// Moments of the players' optimisers.
    pub moments: [optim::State<f64>; 2],
    /// Moments of the tables' optimisers.
    pub critics: [optim::State<f64>; 2],
    /// Episodes played so far.
    pub episodes: u64,
}

/// Squared bias and variance of an estimate of the meta-gradient, summed over logits and players.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Split {
    /// Unbiased: `|mean - exact|^2 - variance / repetitions`; may be negative.
    pub bias_squared: f64,
    /// Trace of the covariance of a single estimate.
    pub variance: f64,
}

/// What repetitions at the same parameters tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Probed {
    pub exact_squared: f64,
    pub used: Split,
    pub outer_exact: Split,
}

/// What one update of one pair reports.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub rewards: [f64; 2],
    pub correlation: Option<f64>,
    pub correlation_outer_exact: Option<f64>,
    pub probed: Option<Probed>,
    pub defects: [[f64; STATES]; 2],
    pub is_finite: bool,
}

/// A pair of players.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seed {
    pub seed: u64,
    pub state: State,
    pub buffer: Buffer,
}

impl Seed {
    pub fn new(context: &Context, seed: u64) -> Seed {
        let options = &context.options;
        let mut rng = streams::init(seed);
        let mut logits = [[0.0; STATES]; 2];
        if options.init > 0.0 {
            let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
            logits.iter_mut().flatten().for_each(|x| *x = options.init * normal());
        }
        let mut episodes = 0;
        let mut buffer = Buffer::new();
        if let Some(added) = options.inner.added() {
            for k in 0..options.inner.buffer / added {
                let mut rng = streams::fill(seed, k);
                buffer.push_back(Arc::new(Plays::collect(&defects(&logits), added, options.horizon, &mut rng)));
                episodes += added as u64;
            }
        }
        let moments = || [0, 1].map(|_| options.optimiser.start(STATES));
        let critics = [0, 1].map(|_| options.critic.start(STATES));
        let state = State { logits, values: [[0.0; STATES]; 2], moments: moments(), critics, episodes };
        Seed { seed, state, buffer }
    }

    /// One update of both players at once: both meta-gradients are taken at the parameters before it.
    pub fn step(&mut self, context: &Context, update: u64) -> Told {
        let options = &context.options;
        let streams = Streams::of(self.seed, update);
        let probe = options.probe.every;
        let is_probed = probe > 0 && update.is_multiple_of(probe) && !options.is_exact();
        let probed = is_probed.then(|| self.probe(context, streams));
        let (logits, values) = (self.state.logits, self.state.values);
        let points = [0, 1].map(|ego| Point { logits: &logits, values: &values, ego });
        let found = points.map(|point| context.meta(point, &mut self.buffer, streams));
        let exact =
            points.map(|point| if options.is_exact() { found[point.ego].used } else { context.exact_meta(point) });
        for (player, f) in found.iter().enumerate() {
            options.optimiser.ascend(&mut self.state.moments[player], &f.used, &mut self.state.logits[player]);
            self.fit(context, player, f);
            self.state.episodes += f.episodes as u64;
        }
        let mean = |of: fn(&Found) -> &[f64; STATES]| {
            let both: Vec<f64> = (0..2).filter_map(|p| correlation(of(&found[p]), &exact[p])).collect();
            (!both.is_empty()).then(|| both.iter().sum::<f64>() / both.len() as f64)
        };
        Told {
            rewards: self.score(context, streams),
            correlation: mean(|f| &f.used),
            correlation_outer_exact: mean(|f| &f.outer_exact),
            probed,
            defects: defects(&self.state.logits),
            is_finite: self.state.logits.iter().flatten().all(|x| x.is_finite()),
        }
    }

    /// One step of a value table towards its targets: ascent on minus the mean squared error over all rounds.
    fn fit(&mut self, context: &Context, player: usize, found: &Found) {
        let (Some(plays), Some(to_go)) = (&found.plays, context.to_go()) else { return };
        let options = &context.options;
        let seen = targets(&options.game, player, options.gamma, to_go, plays);
        let values = &mut self.state.values[player];
        let rounds = plays.places.len() as f64;
        let ascent: [f64; STATES] = std::array::from_fn(|s| 2.0 * (seen[s][1] - seen[s][0] * values[s]) / rounds);
        options.critic.ascend(&mut self.state.critics[player], &ascent, values);
    }

    /// Mean reward per round of both players, of episodes or expected.
    fn score(&mut self, context: &Context, streams: Streams) -> [f64; 2] {
        let Context { options, .. } = context;
        if options.score == 0 {
            return reward_per_step(&options.game, &self.state.logits, options.horizon);
        }
        let mut places = Vec::new();
        let policies = defects(&self.state.logits);
        games::play(&policies, options.score, options.horizon, &mut streams.score(), &mut places);
        self.state.episodes += options.score as u64;
        [0, 1].map(|p| {
            let paid = |place: &u8| options.game.payoffs[p][usize::from(*place) % OUTCOMES];
            places.iter().map(paid).sum::<f64>() / places.len() as f64
        })
    }

    /// Repeats the meta-gradients at the same parameters on streams of their own.
    ///
    /// What is kept is played again by the policies that played it, so that the bias is that of the estimator given which policies
    /// came before, not that of one draw of history.
    fn probe(&self, context: &Context, streams: Streams) -> Probed {
        let mut sum = Probed::default();
        for ego in [0, 1] {
            let point = Point { logits: &self.state.logits, values: &self.state.values, ego };
            let exact = context.exact_meta(point);
            let repeat = |k: usize| {
                let streams = streams.repetition(k);
                let again = |(b, plays): (usize, &Arc<Plays>)| {
                    let mut rng = streams.kept(ego, b);
                    Arc::new(Plays::collect(&plays.behaviour, plays.episodes(), plays.horizon, &mut rng))
                };
                let mut buffer: Buffer = self.buffer.iter().enumerate().map(again).collect();
                context.meta(point, &mut buffer, streams)
            };
            let found: Vec<Found> = (0..context.options.probe.repetitions).map(repeat).collect();
            sum.exact_squared += exact.iter().map(|g| g * g).sum::<f64>();
            add(&mut sum.used, &exact, found.iter().map(|f| &f.used));
            add(&mut sum.outer_exact, &exact, found.iter().map(|f| &f.outer_exact));
        }
        sum
    }
}

/// Adds what `estimates` of `exact` tell.
fn add<'a>(
    split: &mut Split,
    exact: &[f64; STATES],
    estimates: impl ExactSizeIterator<Item = &'a [f64; STATES]> + Clone,
) {
    let n = estimates.len() as f64;
    for s in 0..STATES {
        let mean = estimates.clone().map(|g| g[s]).sum::<f64>() / n;
        let variance = estimates.clone().map(|g| (g[s] - mean) * (g[s] - mean)).sum::<f64>() / (n - 1.0);
        split.bias_squared += (mean - exact[s]) * (mean - exact[s]) - variance / n;
        split.variance += variance;
    }
}
