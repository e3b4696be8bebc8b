//! What decides a table of claims (`bias --claims`): seed, confidence and whether it is of toy size.

use super::{Error, Fault, checks, explain, tree};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// Claims in the table.
pub const CLAIMS: usize = 21;

/// Name of the list of claims.
const LIST: &str = "liu-2022";

/// How the claims are judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Seed of everything that is sampled.
    pub seed: u64,
    /// Confidence of each verdict, above 0.5 and below 1.
    pub confidence: f64,
    /// Too few repeats to say much.
    pub smoke: bool,
}

/// The same as written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    claims: String,
    seed: u64,
    confidence: f64,
    smoke: bool,
}

fn checked(plan: Plan) -> Result<Plan, Fault> {
    checks::seed("seed", plan.seed)?;
    if !(0.5 < plan.confidence && plan.confidence < 1.0) {
        return Err(Fault::new("confidence", format!("must be above 0.5 and below 1, found {}", plan.confidence)));
    }
    Ok(plan)
}

impl Plan {
    /// A plan from flags of the command line.
    ///
    /// # Errors
    /// Names the flag and what is allowed.
    pub fn from_flags(seed: Option<u64>, confidence: Option<f64>, smoke: bool) -> Result<Plan, String> {
        let plan = Plan { seed: seed.unwrap_or(1), confidence: confidence.unwrap_or(0.95), smoke };
        checked(plan).map_err(|fault| format!("--{} {}", fault.key, fault.message))
    }

    /// TOML text that [`parse`] reads as an equal plan.
    pub fn resolved(&self) -> String {
        let Plan { seed, confidence, smoke } = *self;
        let text = toml::to_string(&Raw { claims: LIST.into(), seed, confidence, smoke }).unwrap_or_default();
        format!("# Table of claims, as `stillpoint bias --claims` judges it.\n{text}")
    }
}

/// Parses the `config.toml` of a table; `source` names it in messages.
///
/// # Errors
/// Names the file, the key and what is allowed.
pub fn parse(text: &str, source: &str) -> Result<Plan, Error> {
    let fail = |fault: Fault| Error { source: source.into(), key: fault.key, message: fault.message };
    let table = tree::parse(text, tree::Format::Toml).map_err(|message| fail(Fault::new("", message)))?;
    let read: Result<Raw, _> = serde_path_to_error::deserialize(Value::Table(table));
    let raw = read.map_err(|e| fail(explain::fault(&e.path().to_string(), &e.inner().to_string())))?;
    if raw.claims != LIST {
        return Err(fail(Fault::new("claims", format!("must be \"{LIST}\", found \"{}\"", raw.claims))));
    }
    checked(Plan { seed: raw.seed, confidence: raw.confidence, smoke: raw.smoke }).map_err(fail)
}

/// Whether `text` is the `config.toml` of a table of claims.
pub fn is_claims(text: &str) -> bool {
    tree::parse(text, tree::Format::Toml).is_ok_and(|table| is_own(&table))
}

/// Whether a tree is that of a table of claims.
pub(super) fn is_own(table: &Table) -> bool {
    table.contains_key("claims")
}

/// What to say where the directory of a table is given to another command.
pub(super) const FOREIGN: &str = "is that of a table of claims, which trains nothing; `stillpoint bias --claims` judges them, `report` draws its directory";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let plan = Plan::from_flags(Some(7), Some(0.9), true).expect("allowed");
        assert_eq!(parse(&plan.resolved(), "config.toml"), Ok(plan));
        assert!(is_claims(&plan.resolved()));
    }

    #[test]
    fn what_cannot_be_is_named() {
        assert!(Plan::from_flags(None, Some(0.5), false).expect_err("too low").starts_with("--confidence must be"));
        assert!(Plan::from_flags(Some(u64::MAX), None, false).expect_err("too large").starts_with("--seed must be"));
        let message = |text: &str| parse(text, "c.toml").expect_err("bad").to_string();
        let whole = Plan::from_flags(None, None, false).expect("allowed").resolved();
        assert!(message(&whole.replace("0.95", "2")).contains("`confidence`"));
        assert!(message(&whole.replace("seed", "sede")).contains("`sede`"));
        assert!(message(&whole.replace(LIST, "mine")).contains("`claims`"));
    }
}
