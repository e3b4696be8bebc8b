//! The directory of a table of claims (`bias --claims --out DIR`): one row per claim.
//!
//! ```text
//! DIR/run.json        as that of `train`; `iteration` counts claims
//! DIR/config.toml     seed, confidence
//! DIR/metrics.jsonl   one [`Row`] per claim, in the order of judging; its keys that contain `seconds` depend on the machine
//! ```

use super::bias::Run;
use super::run::Session;
use super::tail::{Format, Tail};
use super::{Fault, rows};
use crate::math::judgement::Verdict;
use serde::{Deserialize, Serialize};
use std::path::Path;

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

/// A row with where it ends in the file and the seconds of the judging by then.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// The row.
    pub row: Row,
    /// Wall time so far, summed over its sessions.
    pub seconds_since_start: f64,
    end: u64,
}

fn parse(text: &str, _: usize, end: u64) -> Result<Logged, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let seconds_since_start = value["seconds_since_start"].as_f64().unwrap_or(0.0);
    let row = serde_json::from_value(value).map_err(|e| e.to_string())?;
    Ok(Logged { row, seconds_since_start, end })
}

/// Claims stand in any order.
fn check(_: &Logged, _: usize) -> Result<(), String> {
    Ok(())
}

/// The rows of the table in `dir` as they come.
pub fn follow(dir: &Path) -> Tail<Logged> {
    Tail::new(dir.join(rows::NAME), Format { what: "a row of a table of claims", parse, check })
}

/// Every row of the table in `dir`, without a torn last line.
///
/// # Errors
/// The file is unreadable, or a line that is not the last is no row.
pub fn read(dir: &Path) -> Result<Vec<Logged>, Fault> {
    follow(dir).all()
}

/// A table to go on with, and its rows so far.
///
/// # Errors
/// A row is damaged, or the system refuses.
pub fn resume(session: Session) -> Result<(Run, Vec<Row>), Fault> {
    let logged = read(session.dir())?;
    let (length, elapsed) = logged.last().map_or((0, 0.0), |l| (l.end, l.seconds_since_start));
    let run = Run::reopen(session, length, elapsed, logged.len() as u64)?;
    Ok((run, logged.into_iter().map(|l| l.row).collect()))
}
