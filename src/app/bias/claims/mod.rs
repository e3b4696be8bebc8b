//! `bias --claims`: what Liu et al. (2022) claim or their scripts imply, each with a verdict at a stated confidence and its number.

mod evidence;
mod hessian;
mod inner;
mod lola;
mod whole;

use super::Request;
use crate::app::failure::Failure;
use crate::app::interrupt::Interrupt;
use crate::math::judgement::{Judgement, Part, Verdict, all_positive};
use crate::math::returns::mean;
use evidence::Evidence;
use serde::Serialize;
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write as _;

/// One claim and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Claim {
    /// Number in the list of claims.
    pub number: u32,
    /// What is claimed.
    pub claim: &'static str,
    /// The verdict.
    pub verdict: Verdict,
    /// The numbers behind it.
    pub evidence: String,
    /// Where it is open: repeats per MDP (seeds, in the claims on LOLA) that would resolve it if the estimates stay as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_repeats: Option<u64>,
}

impl Claim {
    fn judged(number: u32, claim: &'static str, judgement: Judgement, repeats: u64, evidence: String) -> Claim {
        let needs_repeats = judgement.factor.map(|f| (f * repeats as f64).ceil().min(1e15) as u64);
        Claim { number, claim, verdict: judgement.verdict, evidence, needs_repeats }
    }

    /// A claim that is true or false without sampling.
    fn exact(number: u32, claim: &'static str, holds: bool, evidence: String) -> Claim {
        let verdict = if holds { Verdict::Holds } else { Verdict::DoesNotHold };
        Claim { number, claim, verdict, evidence, needs_repeats: None }
    }
}

/// Every difference of neighbours in `values` (value, standard error), said to rise.
fn rising(values: &[(f64, f64)]) -> Vec<Part> {
    values.windows(2).map(|pair| Part::difference(pair[1], pair[0])).collect()
}

/// The same, said to fall.
fn falling(values: &[(f64, f64)]) -> Vec<Part> {
    values.windows(2).map(|pair| Part::difference(pair[0], pair[1])).collect()
}

/// Mean over MDPs or seeds with its standard error over them.
fn over_units(values: &[f64]) -> Part {
    let (centre, n) = (mean(values), values.len() as f64);
    let variance = values.iter().map(|x| (x - centre).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    Part { value: centre, error: (variance / n).sqrt() }
}

/// `0.152 0.086 0.044`.
fn list(values: &[(f64, f64)]) -> String {
    let shown: Vec<String> = values.iter().map(|(x, _)| format!("{x:.3}")).collect();
    shown.join(" ")
}

/// Runs the command.
///
/// # Errors
/// An option that has no use here, or interruption.
pub(super) fn run(request: &Request) -> Result<(), Failure> {
    let confidence = request.confidence.unwrap_or(0.95);
    if !(0.5 < confidence && confidence < 1.0) {
        return Err(Failure::Usage(format!("--confidence must be above 0.5 and below 1, found {confidence}")));
    }
    let interrupt = Interrupt::listen(request.quiet)?;
    let seed = request.seed.unwrap_or(1);
    let evidence = Evidence { seed, smoke: request.smoke, quiet: request.quiet, interrupt: &interrupt };
    let mut claims = inner::claims(&evidence, confidence)?;
    claims.extend(hessian::claims(&evidence, confidence)?);
    claims.extend(whole::claims(&evidence, confidence)?);
    claims.extend(lola::claims(&evidence, confidence)?);
    claims.sort_by_key(|claim| claim.number);
    let text = if request.json {
        format!(
            "{}\n",
            json!({"program": "stillpoint", "version": env!("CARGO_PKG_VERSION"), "confidence": confidence, "seed": seed,
                   "smoke": request.smoke, "claims": claims})
        )
    } else {
        table(&claims, confidence, request.smoke)
    };
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

fn table(claims: &[Claim], confidence: f64, smoke: bool) -> String {
    let mut out =
        format!("Claims on meta-gradients (Liu et al. 2022), each at {} % confidence\n\n", confidence * 100.0);
    if smoke {
        out += "--smoke: too few repeats to say much\n\n";
    }
    for claim in claims {
        let _ = writeln!(out, "{:>2}  {:<13}  {}", claim.number, claim.verdict.name(), claim.claim);
        let _ = writeln!(out, "{:19}{}", "", claim.evidence);
        if let Some(n) = claim.needs_repeats {
            let unit = if (17..=19).contains(&claim.number) { "seeds" } else { "repeats per MDP" };
            let _ = writeln!(out, "{:19}would need about {n} {unit}, if the estimates stay as they are", "");
        }
    }
    out += "\nTen fixed MDPs (LOLA: ten seeds, value tables fitted to rewards as published); sampling errors are those of the repeats on\nthem. A claim of several parts holds if each part passes a one-sided test\n\
            at this level, and does not if one fails after Bonferroni's correction. Bias: root of the debiased square over the gradient's norm.\n";
    out
}

/// Judges all parts at once.
fn judge(number: u32, claim: &'static str, parts: &[Part], confidence: f64, repeats: u64, evidence: String) -> Claim {
    Claim::judged(number, claim, all_positive(parts, confidence), repeats, evidence)
}
