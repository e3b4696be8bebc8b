//! Rows of any online run as a reader sees them: every key but the update may be absent, and unknown ones are passed over.

use super::online::in_place;
use super::rows;
use super::tail::{Format, Tail};
use crate::learn::online::Values;
use crate::learn::online::actor_critic::GapRow;
use serde::Deserialize;
use std::path::Path;

/// One row; what a key means is said where the learner reports it ([`crate::learn::online`]).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Seen {
    /// Update, from 1.
    pub update: u64,
    /// Environment steps so far.
    pub steps: Option<u64>,
    /// Frames of the simulators so far; 0 for exact gradients.
    pub frames: u64,
    /// Discount.
    pub gamma: Option<Values>,
    /// Trace parameter.
    pub lambda: Option<Values>,
    /// Factor of the policy-gradient term.
    pub policy_cost: Option<f64>,
    /// Factor of the value term.
    pub value_cost: Option<f64>,
    /// Factor of the entropy.
    pub entropy_cost: Option<f64>,
    /// alpha of leaky V-trace.
    pub leak: Option<f64>,
    /// Logits of what is learned.
    pub logits: Vec<f64>,
    /// Mean return of the episodes that ended in the update.
    #[serde(rename = "return")]
    pub achieved: Option<f64>,
    /// Mean return of the last 100 episodes.
    pub return_100: Option<f64>,
    /// Episodes that have ended so far.
    pub episodes: Option<u64>,
    /// Entropy of the policy, nats.
    pub entropy: Option<f64>,
    /// Mean squared error of the values.
    pub value_error: Option<f64>,
    /// Outer loss.
    pub outer_loss: Option<f64>,
    /// Norm of the inner gradient before clipping.
    pub gradient_norm: Option<f64>,
    /// Whether it was clipped.
    pub clipped: Option<bool>,
    /// Mean of pi / mu.
    pub ratio_mean: Option<f64>,
    /// Share of steps whose pi / mu is above V-trace's limit.
    pub clip_fraction: Option<f64>,
    /// Updates between acting and learning parameters.
    pub policy_lag: Option<f64>,
    /// Norm of the meta-gradient in logits.
    pub meta_gradient_norm: Option<f64>,
    /// Norm of the change of the logits.
    pub logit_change: Option<f64>,
    /// Norm of the change of the values or of the arms' logits (small tasks).
    pub update_norm: Option<f64>,
    /// Meta-gradients skipped so far.
    pub skipped: u64,
    /// Whether what is learned has returned to its reference for good.
    pub fallen_back: bool,
    /// The gap, where it was measured.
    pub gap: Option<GapRow>,
    /// Wall time of the update.
    pub seconds: Option<f64>,
    /// Processor time of the update.
    pub cpu_seconds: Option<f64>,
    /// Wall time of the run so far.
    pub seconds_since_start: f64,
}

/// `metrics.jsonl` of the online run in `dir`, to be read in portions, also while it grows.
pub fn follow(dir: &Path) -> Tail<Seen> {
    let parse = |text: &str, _, _| serde_json::from_str::<Seen>(text).map_err(|e| e.to_string());
    let check = |row: &Seen, number: usize| in_place(row.update, number);
    Tail::new(dir.join(rows::NAME), Format { what: "a row of an online run", parse, check })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_all_learners_are_read_and_torn_ones_are_left() {
        let dir = tempfile::tempdir().expect("scratch");
        let text = "{\"update\":1,\"gamma\":[0.5,0.25],\"lambda\":1.0,\"return\":2.0,\"frames\":10,\"new_key\":{}}\n\
                    {\"update\":2,\"gamma\":0.5,\"return\":null,\"frames\":20,\"fallen_back\":true,\"seconds_since_start\":1.5}\n{\"update\":3,";
        std::fs::write(dir.path().join(rows::NAME), text).expect("writable");
        let rows = follow(dir.path()).all().expect("two rows");
        assert_eq!(rows.len(), 2);
        assert_eq!([rows[0].fallen_back, rows[1].fallen_back], [false, true]);
        assert_eq!(rows[0].gamma, Some(Values::PerState(vec![0.5, 0.25])));
        assert_eq!((rows[0].achieved, rows[1].achieved, rows[1].seconds_since_start), (Some(2.0), None, 1.5));
        std::fs::write(dir.path().join(rows::NAME), "{\"update\":2}\n{\"update\":3}\n").expect("writable");
        assert!(follow(dir.path()).all().expect_err("no first row").to_string().contains("must be 1"));
    }
}
