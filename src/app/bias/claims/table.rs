//! What `bias --claims` prints: two lines per claim, or one JSON object.

use super::Claim;
use crate::app::failure::Failure;
use crate::config::claims::Plan;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The object.
pub(super) fn json(claims: &[Claim], plan: &Plan) -> Result<String, Failure> {
    let claims: Vec<Value> = claims
        .iter()
        .map(|claim| serde_json::to_value(claim).map_err(|e| Failure::Internal(e.to_string())))
        .collect::<Result<_, _>>()?;
    let object = json!({
        "program": "stillpoint",
        "version": env!("CARGO_PKG_VERSION"),
        "confidence": plan.confidence,
        "seed": plan.seed,
        "smoke": plan.smoke,
        "claims": claims,
    });
    Ok(format!("{object}\n"))
}

/// The table.
pub(super) fn text(claims: &[Claim], plan: &Plan) -> String {
    let mut out =
        format!("Claims on meta-gradients (Liu et al. 2022), each at {} % confidence\n\n", plan.confidence * 100.0);
    if plan.smoke {
        out += "--smoke: too few repeats to say much\n\n";
    }
    for claim in claims {
        let _ = writeln!(out, "{:>2}  {:<13}  {}", claim.number, claim.verdict.name(), claim.claim);
        let _ = writeln!(out, "{:19}{}", "", claim.evidence);
        if let Some(n) = claim.needs_repeats {
            let _ = writeln!(out, "{:19}would need about {n} {}, if the estimates stay as they are", "", claim.unit());
        }
    }
    out += "\nTen fixed MDPs (LOLA: ten seeds, value tables fitted to rewards as published); sampling errors are those of the repeats on\nthem. A claim of several parts holds if each part passes a one-sided test\n\
            at this level, and does not if one fails after Bonferroni's correction. Bias: root of the debiased square over the gradient's norm.\n";
    out
}
