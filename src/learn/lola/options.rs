//! What LOLA learners are asked to do.

use crate::estimator::choice::Jacobian;
use crate::optim::Optimiser;
use tasks::games::Game;

/// Where one half of a look-ahead step comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The closed form.
    Exact,
    /// Episodes played for it.
    Sampled,
    /// All episodes that are kept, each with the ratios to the policies that played it; new ones are added before.
    Buffer,
}

/// What the value tables are fitted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The discounted reward from the round to the end of the episode: what a baseline is meant to be.
    Return,
    /// The reward of the round: as in the published code.
    Reward,
    /// Nothing: tables stay zero, no baseline.
    None,
}

/// The look-ahead: how a player thinks that the other will learn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inner {
    /// Steps K; 0 makes naive learners.
    pub steps: usize,
    /// Step size of the other player, plain gradient ascent.
    pub alpha: f64,
    /// Where the step itself comes from.
    pub value: Source,
    /// Where its Jacobian comes from.
    pub jacobian: Source,
    /// Episodes played for the value.
    pub value_episodes: usize,
    /// Episodes played for the Jacobian.
    pub jacobian_episodes: usize,
    /// Value and Jacobian see the same new episodes.
    pub is_shared: bool,
    /// Second derivative of the sampled objective.
    pub curvature: Jacobian,
    /// Episodes that are kept; without effect if nothing comes from the buffer.
    pub buffer: usize,
}

impl Inner {
    /// Whether value and Jacobian are exact, or not there.
    pub fn is_exact(&self) -> bool {
        self.steps == 0 || (self.value, self.jacobian) == (Source::Exact, Source::Exact)
    }

    /// Episodes that enter the buffer at a time; `None` if nothing comes from it.
    pub fn added(&self) -> Option<usize> {
        match (self.value, self.jacobian) {
            _ if self.steps == 0 => None,
            (Source::Buffer, _) => Some(self.value_episodes),
            (Source::Sampled, Source::Buffer) if self.is_shared => Some(self.value_episodes),
            (_, Source::Buffer) => Some(self.jacobian_episodes),
            _ => None,
        }
    }

    /// Episodes that one look-ahead step plays.
    pub fn played(&self) -> usize {
        let value = if self.value == Source::Exact { 0 } else { self.value_episodes };
        let has_own = self.jacobian != Source::Exact && !(self.is_shared && value > 0);
        value + if has_own { self.jacobian_episodes } else { 0 }
    }
}

/// How often bias and variance of the meta-gradient are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Updates between two measurements; 0 for none.
    pub every: u64,
    /// Independent meta-gradients at the same parameters, at least 2.
    pub repetitions: usize,
}

/// What is learned, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The game.
    pub game: Game,
    /// Discount in (0, 1).
    pub gamma: f64,
    /// Rounds of an episode.
    pub horizon: usize,
    /// Updates of the whole run.
    pub updates: u64,
    /// Independent runs beside each other.
    pub seeds: usize,
    /// Standard deviation of the initial logits; 0 starts from random play.
    pub init: f64,
    /// The look-ahead.
    pub inner: Inner,
    /// Episodes of the outer gradient; `None` for the closed form.
    pub outer: Option<usize>,
    /// Optimiser of each player's logits.
    pub optimiser: Optimiser,
    /// What the value tables are fitted to.
    pub target: Target,
    /// Their optimiser.
    pub critic: Optimiser,
    /// Episodes of the score; 0 for its expectation over the horizon.
    pub score: usize,
    /// Bias and variance.
    pub probe: Probe,
    /// Naive learners of the same seeds run beside.
    pub has_control: bool,
}

impl Options {
    /// Whether nothing is sampled but initial logits and score.
    pub fn is_exact(&self) -> bool {
        self.outer.is_none() && self.inner.is_exact()
    }

    /// Whether value tables have a use.
    pub fn has_critic(&self) -> bool {
        self.target != Target::None && !self.is_exact()
    }

    /// Episodes that one update of one seed plays, without probes, control and what fills a buffer at the start.
    pub fn episodes(&self) -> usize {
        let fit = if self.has_critic() { Some(FIT) } else { None };
        2 * (self.inner.steps * self.inner.played() + self.outer.or(fit).unwrap_or(0)) + self.score
    }

    /// The control: the same learners, but neither looks ahead.
    pub fn naive(&self) -> Options {
        let inner = Inner { steps: 0, ..self.inner };
        Options { inner, probe: Probe { every: 0, ..self.probe }, has_control: false, ..self.clone() }
    }
}

/// Episodes that value tables are fitted on where the outer gradient is exact.
pub const FIT: usize = 128;
