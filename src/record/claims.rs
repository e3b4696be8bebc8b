//! Rows of a table of claims (`bias --claims --out DIR`): one per claim, in the order of judging (see [`super::durable`];
//! `config.toml` has seed and confidence).

use super::durable::Record;
use crate::math::judgement::Verdict;
use serde::{Deserialize, Serialize};

/// One claim and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Number in the list of claims.
    pub number: u32,
    /// What is claimed.
    pub claim: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Confidence of the verdict.
    pub confidence: f64,
    /// Of the inequalities that make up the claim, the one that decides: above zero it speaks for the claim. `null` where nothing is
    /// sampled.
    pub margin: Option<f64>,
    /// Its interval, `[low, high]`: the claim holds just where `low` is above zero, and does not just where `high` is below.
    pub margin_interval: Option<[f64; 2]>,
    /// Inequalities that make up the claim.
    pub parts: u64,
    /// Repeats per MDP behind it (seeds, in the claims on LOLA); `null` where nothing is sampled.
    pub repeats: Option<u64>,
    /// Where it is open: repeats (or seeds) that would resolve it if the estimates stay as they are.
    pub needs_repeats: Option<u64>,
    /// The numbers behind it, in words.
    pub evidence: String,
}

impl Row {
    /// What `repeats` counts.
    pub fn unit(&self) -> &'static str {
        if (17..=19).contains(&self.number) { "seeds" } else { "repeats per MDP" }
    }
}

impl Record for Row {
    const WHAT: &'static str = "a row of a table of claims";
}
