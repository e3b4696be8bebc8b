//! How per-step weights of a policy gradient are made from rewards: options, and what each does to the objective.

/// Content of the advantages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AdvantageKind {
    /// Reward-to-go `R^h = sum_{t>=h} gamma^t r_t` (absolute discount), minus the baseline if there is one.
    Return,
    /// Generalised advantage estimation with this lambda, `gamma^(t-h)` weights (relative discount).
    Gae {
        /// Lambda in [0, 1].
        lambda: f64,
    },
}

/// State-value baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Baseline {
    /// Zero.
    None,
    /// Linear in (clip(o, +-10), o^2, t/100, (t/100)^2, (t/100)^3, 1), ridge-regressed on the returns of the same batch.
    Linear {
        /// Ridge coefficient (1e-5 in ProMP and SGMRL).
        ridge: f64,
    },
}

/// What the weighted scores are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// The number of trajectories (the theory).
    Trajectories,
    /// The number of time steps (the code bases).
    Steps,
}

/// Inner advantages. Anything here only changes *which* adaptation map is optimised; the estimators stay valid (spec 1.9).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Advantage {
    /// Content.
    pub kind: AdvantageKind,
    /// Baseline, refitted per task and batch.
    pub baseline: Baseline,
    /// Discount.
    pub gamma: f64,
    /// Shift and scale to mean 0 and standard deviation 1 over the batch.
    pub normalise: bool,
    /// Divisor.
    pub average: Average,
    /// Bootstrap with the baseline where the time limit (not the MDP) ended the episode.
    pub bootstrap: bool,
}

/// Baseline of the raw outer part: fitted where it cannot correlate with the episode it is applied to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OuterBaseline {
    /// Zero.
    None,
    /// Linear, fitted on the last inner batch (before adaptation).
    Inner {
        /// Ridge coefficient.
        ridge: f64,
    },
    /// Linear, for each outer episode fitted on the *other* outer episodes.
    CrossFit {
        /// Ridge coefficient.
        ridge: f64,
    },
}

/// Advantages of the outer part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OuterAdvantage {
    /// Raw absolute-discounted reward-to-go minus an allowed baseline: unbiased.
    Raw(OuterBaseline),
    /// The given processing (GAE, same-batch baseline, normalisation): biased, as in the code bases.
    Processed(Advantage),
}
