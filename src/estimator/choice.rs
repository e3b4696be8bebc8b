//! Which estimator: the inner Jacobian on one axis, the sampling term on the other, and their published names.

use crate::math::advantage::{Advantage, AdvantageKind};

/// How the Jacobian of one inner step, I + alpha d(gradient)/d(theta), is estimated from the inner batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jacobian {
    /// Second derivative of the log-probability surrogate: exact for the map at fixed data (spec 1.3).
    LogProb,
    /// Low-variance curvature: adds `R^h s_h s_h^T` per step (ProMP); drops cross-time terms.
    Lvc,
    /// DiCE: second derivative of the per-decision importance-weighted return, no baseline.
    Dice,
    /// Loaded DiCE: as DiCE with advantages in place of returns.
    LoadedDice,
    /// The policy-Hessian estimator `u = grad nu grad log q^T + hess nu` as the Jacobian of the gradient (rows: its
    /// components); pulled back transposed, `v + alpha mean(u)^T v`. Symmetric in expectation only.
    PolicyHessian,
    /// Identity: first-order.
    None,
}

/// The inner surrogate whose gradient is the adaptation step when an update repeats the adaptation at *other* parameters on the
/// data it has (TRPO's constraint and line search, ProMP's epochs), and how far that repetition is differentiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InnerSurrogate {
    /// `sum_i w_i log pi(a_i | s_i)` with the data's weights (cbfinn's MAML, pytorch-maml-rl).
    LogProb,
    /// `sum_i w_i pi(a_i | s_i) / pi_old(a_i | s_i)`: its curvature at the old parameters is that of LVC (ProMP).
    Ratio,
    /// As `LogProb`, with the identity for its Jacobian (first-order MAML).
    FirstOrder,
}

impl Jacobian {
    /// What is repeated at other parameters. DiCE and the policy-Hessian estimator estimate another derivative of the same
    /// step at the old parameters; the step itself, which is what is repeated, is the gradient of the log-probability surrogate.
    pub fn surrogate(self) -> InnerSurrogate {
        match self {
            Jacobian::Lvc => InnerSurrogate::Ratio,
            Jacobian::None => InnerSurrogate::FirstOrder,
            Jacobian::LogProb | Jacobian::Dice | Jacobian::LoadedDice | Jacobian::PolicyHessian => {
                InnerSurrogate::LogProb
            }
        }
    }
}

/// How the dependence of the inner batch's distribution on theta is accounted for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampling {
    /// Not at all (MAML).
    None,
    /// SG-MRL: mean outer return times the sum of scores of every inner batch.
    Score,
    /// SG-MRL with the mean pre-adaptation return of the *other* inner trajectories subtracted.
    LeaveOneOut,
    /// SG-MRL with the mean outer return of the other tasks subtracted.
    OtherTasks,
    /// Differences J(theta+) - J(theta+ without the group), spec 1.8.1. Needs one inner step.
    LeaveGroupOut {
        /// Number of groups m, `1..=n`; groups are contiguous and as equal as can be.
        groups: usize,
        /// How the difference is estimated.
        form: LeaveGroupOutForm,
    },
    /// Diagnostic: the score of the first inner batch only.
    FirstBatch,
    /// Diagnostic and E-MAML: the score averaged over the n T inner steps instead of summed.
    MeanScore,
    /// As in the published SG-MRL code: mean *processed* outer advantage times the first batch's score sum.
    PublishedSgmrl,
    /// As in ProMP's E-MAML: mean reward standardised across the meta-batch times the first batch's mean log-likelihood.
    PublishedEmaml,
}

/// The two unbiased forms of the leave-group-out coefficient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveGroupOutForm {
    /// Per-decision importance weights on the outer batch: no extra environment steps, heavy tails at large alpha / n.
    Importance,
    /// Each group's share of the outer episodes is run again without the group, with common random numbers.
    Resimulated,
}

/// Scale and content of the outer policy-gradient part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OuterPart {
    /// `(1/n_o) sum_tau sum_h (R^h - gamma^h b(s_h)) score`: unbiased.
    Raw,
    /// Diagnostic: `gamma^h` dropped in outer part and inner step alike (biased for discounted J).
    NoDiscount,
    /// As published: the preset's processed advantages, averaged over time steps (biased, another scale).
    Published,
}

/// A meta-gradient estimator: name and the choices on both axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimator {
    /// Name on the command line and in every record.
    pub name: String,
    /// Inner Jacobian.
    pub jacobian: Jacobian,
    /// Sampling term.
    pub sampling: Sampling,
    /// Outer part.
    pub outer: OuterPart,
}

/// Every estimator name with the objective it is unbiased for (or what it is biased by), for help and errors.
pub const NAMES: [(&str, &str); 15] = [
    ("sgmrl", "unbiased for V_zeta; variance grows with the inner batch"),
    ("sgmrl-loo", "unbiased for V_zeta; leave-one-out baseline in the sampling term"),
    ("sgmrl-tasks", "unbiased for V_zeta; the other tasks' return as baseline"),
    ("sgmrl-lgo", "unbiased for V_1; leave-group-out sampling term (the default)"),
    ("maml", "biased for V_zeta: no sampling term"),
    ("fomaml", "biased for V_zeta: identity Jacobian, no sampling term"),
    ("lvc", "biased for V_zeta: low-variance curvature, no sampling term"),
    ("dice", "biased for V_zeta at finite n, consistent for the exact-inner objective"),
    ("loaded-dice", "as dice, with the inner advantages"),
    ("policy-hessian", "biased for V_zeta at finite n, consistent for the exact-inner objective"),
    ("emaml", "biased for V_zeta: score averaged over n T steps"),
    ("sgmrl-first", "diagnostic, biased for zeta >= 2: score of the first batch only"),
    ("sgmrl-nodisc", "diagnostic, biased: gamma^h dropped in the inner step and in the outer part"),
    (
        "published-sgmrl",
        "biased: as in the published SG-MRL code; its sampling term is zero under normalised advantages",
    ),
    ("published-emaml", "biased: as in ProMP's E-MAML"),
];

impl Estimator {
    /// The estimator called `name`, with `groups` and `form` used by `sgmrl-lgo` only.
    pub fn named(name: &str, groups: usize, form: LeaveGroupOutForm) -> Option<Estimator> {
        use OuterPart::{NoDiscount, Published, Raw};
        let (jacobian, sampling, outer) = match name {
            "sgmrl" => (Jacobian::LogProb, Sampling::Score, Raw),
            "sgmrl-loo" => (Jacobian::LogProb, Sampling::LeaveOneOut, Raw),
            "sgmrl-tasks" => (Jacobian::LogProb, Sampling::OtherTasks, Raw),
            "sgmrl-lgo" => (Jacobian::LogProb, Sampling::LeaveGroupOut { groups, form }, Raw),
            "maml" => (Jacobian::LogProb, Sampling::None, Raw),
            "fomaml" => (Jacobian::None, Sampling::None, Raw),
            "lvc" => (Jacobian::Lvc, Sampling::None, Raw),
            "dice" => (Jacobian::Dice, Sampling::None, Raw),
            "loaded-dice" => (Jacobian::LoadedDice, Sampling::None, Raw),
            "policy-hessian" => (Jacobian::PolicyHessian, Sampling::None, Raw),
            "emaml" => (Jacobian::LogProb, Sampling::MeanScore, Raw),
            "sgmrl-first" => (Jacobian::LogProb, Sampling::FirstBatch, Raw),
            "sgmrl-nodisc" => (Jacobian::LogProb, Sampling::Score, NoDiscount),
            "published-sgmrl" => (Jacobian::LogProb, Sampling::PublishedSgmrl, Published),
            "published-emaml" => (Jacobian::LogProb, Sampling::PublishedEmaml, Published),
            _ => return None,
        };
        Some(Estimator { name: name.to_string(), jacobian, sampling, outer })
    }

    /// The inner processing this estimator runs: the preset's, except that `sgmrl-nodisc` drops `gamma^h` there too
    /// (reward-to-go relative to its step is GAE with lambda one and no baseline).
    pub fn inner_advantage(&self, preset: &Advantage) -> Advantage {
        match (self.outer, preset.kind) {
            (OuterPart::NoDiscount, AdvantageKind::Return) => {
                Advantage { kind: AdvantageKind::Gae { lambda: 1.0 }, ..*preset }
            }
            _ => *preset,
        }
    }

    /// Whether the estimate is unbiased for grad V_zeta under the theory's advantages (spec 1.4, 1.6, 1.8): the inner map's own
    /// Jacobian, the score of every inner batch with an allowed coefficient, and a raw outer part.
    pub fn unbiased(&self) -> bool {
        let sampling = matches!(
            self.sampling,
            Sampling::Score | Sampling::LeaveOneOut | Sampling::OtherTasks | Sampling::LeaveGroupOut { .. }
        );
        self.jacobian == Jacobian::LogProb && sampling && self.outer == OuterPart::Raw
    }

    /// Whether the gradient of one task needs the outer returns of the whole meta-batch.
    pub fn needs_meta_batch(&self) -> bool {
        matches!(self.sampling, Sampling::OtherTasks | Sampling::PublishedEmaml)
    }

    /// Why this estimator cannot be used with `steps` inner steps of `episodes` episodes and `outer` outer episodes.
    pub fn check(&self, steps: usize, episodes: usize, outer: usize) -> Result<(), String> {
        let Sampling::LeaveGroupOut { groups, form } = self.sampling else { return Ok(()) };
        if steps != 1 {
            return Err(format!(
                "`{}` needs one inner step, got {steps}: leaving a group out of an early batch would change how the later batches \
                 are sampled, and no unbiased extension is known; for more steps use `sgmrl-loo`, `sgmrl-tasks` or `sgmrl`",
                self.name
            ));
        }
        if groups == 0 || groups > episodes {
            return Err(format!("`groups` must be in 1..={episodes} (the inner batch's episodes), got {groups}"));
        }
        if form == LeaveGroupOutForm::Resimulated && groups > outer {
            return Err(format!(
                "`groups` must be in 1..={outer} (each group needs an outer episode to re-simulate), got {groups}"
            ));
        }
        Ok(())
    }
}
