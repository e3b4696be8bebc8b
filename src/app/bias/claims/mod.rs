//! `bias --claims`: what Liu et al. (2022) claim or their scripts imply, each with a verdict at a stated confidence and its number.

mod evidence;
mod hessian;
mod inner;
mod lola;
mod table;
mod whole;

use super::Request;
use crate::app::clock::Clock;
use crate::app::failure::Failure;
use crate::app::interrupt::Interrupt;
use crate::config::claims::Plan;
use crate::math::judgement::{Judgement, Part, Verdict, all_positive, decisive};
use crate::math::returns::mean;
use crate::record::claims::Row as Claim;
use crate::record::durable::Run;
use crate::record::run::{self, Opened, Session, Status};
use evidence::Evidence;
use std::io::Write as _;

/// What is said where nothing is kept.
const STOPPED: &str = "interrupted; no verdicts (`--out DIR` keeps them as they are found)";

/// Claims that are judged by the same evidence.
struct Group {
    numbers: &'static [u32],
    judge: fn(&Evidence<'_>, f64) -> Result<Vec<Claim>, Failure>,
}

/// Every claim, in the order of judging.
const GROUPS: [Group; 13] = [
    Group { numbers: &[1, 2], judge: inner::samples },
    Group { numbers: &[3], judge: inner::alphas },
    Group { numbers: &[4, 5, 6], judge: inner::steps },
    Group { numbers: &[7, 9, 13], judge: hessian::samples },
    Group { numbers: &[8], judge: hessian::naive_is_zero },
    Group { numbers: &[10, 11], judge: hessian::steps },
    Group { numbers: &[12], judge: hessian::polynomial },
    Group { numbers: &[14, 15], judge: whole::parts },
    Group { numbers: &[16], judge: whole::lirpg },
    Group { numbers: &[20], judge: whole::recycled },
    Group { numbers: &[17], judge: lola::tit_for_tat },
    Group { numbers: &[18, 19], judge: lola::sampled },
    Group { numbers: &[21], judge: lola::atari },
];

/// Judges all parts at once.
fn judge(number: u32, claim: &str, parts: &[Part], confidence: f64, repeats: u64, evidence: String) -> Claim {
    let Judgement { verdict, factor } = all_positive(parts, confidence);
    let found = decisive(parts, confidence);
    Claim {
        number,
        claim: claim.into(),
        verdict,
        confidence,
        margin: found.map(|(part, _)| part.value),
        margin_interval: found.map(|(_, interval)| interval),
        parts: parts.len() as u64,
        repeats: Some(repeats),
        needs_repeats: factor.map(|f| needed(f, repeats)),
        evidence,
    }
}

/// A claim that is true or false without sampling.
fn exact(number: u32, claim: &str, holds: bool, confidence: f64, evidence: String) -> Claim {
    Claim {
        number,
        claim: claim.into(),
        verdict: if holds { Verdict::Holds } else { Verdict::DoesNotHold },
        confidence,
        margin: None,
        margin_interval: None,
        parts: 1,
        repeats: None,
        needs_repeats: None,
        evidence,
    }
}

/// `factor` times as many repeats.
fn needed(factor: f64, repeats: u64) -> u64 {
    (factor * repeats as f64).ceil().min(1e15) as u64
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

/// Runs the command from the first claim on.
///
/// # Errors
/// An option that has no use here, a directory that cannot be used, or interruption.
pub(super) fn begin(request: &Request, interrupt: &Interrupt) -> Result<(), Failure> {
    let plan = Plan::from_flags(request.seed, request.confidence, request.smoke).map_err(Failure::Usage)?;
    let run = match &request.out {
        Some(dir) => Some(Run::start(run::claim(dir, request.force)?, &plan.resolved())?),
        None if request.force => {
            return Err(Failure::Usage("--force replaces the table in --out DIR, which is not given".into()));
        }
        None => None,
    };
    follow(request, interrupt, &plan, run, Vec::new())
}

/// Goes on with the table of a directory.
///
/// # Errors
/// As [`begin`].
pub(super) fn resume(
    request: &Request,
    interrupt: &Interrupt,
    session: Session,
    opened: &Opened,
) -> Result<(), Failure> {
    let plan = crate::config::claims::parse(&opened.config, &opened.config_path().display().to_string())?;
    let (run, claims) = Run::resume(session)?;
    follow(request, interrupt, &plan, Some(run), claims)
}

/// Judges the claims that are missing, each written as it is found, and prints all.
fn follow(
    request: &Request,
    interrupt: &Interrupt,
    plan: &Plan,
    mut run: Option<Run>,
    mut claims: Vec<Claim>,
) -> Result<(), Failure> {
    let evidence = Evidence { seed: plan.seed, smoke: plan.smoke, quiet: request.quiet, interrupt };
    let clock = Clock::start(run.as_ref().map_or(0.0, Run::elapsed));
    for group in &GROUPS {
        let is_open = |claims: &[Claim], number: u32| claims.iter().all(|claim| claim.number != number);
        if !group.numbers.iter().any(|&number| is_open(&claims, number)) {
            continue;
        }
        let lap = clock.lap();
        let found = match (group.judge)(&evidence, plan.confidence) {
            Ok(found) => found,
            Err(failure) => return Err(stop(run, claims.len(), failure)),
        };
        for claim in found.into_iter().filter(|claim| is_open(&claims, claim.number)).collect::<Vec<_>>() {
            if let Some(run) = &mut run {
                run.append(&claim, &clock.columns(&lap))?;
            }
            evidence.tell(&format!("claim {} {}", claim.number, claim.verdict.name()));
            claims.push(claim);
        }
    }
    if let Some(run) = run {
        run.close(Status::Finished, claims.len() as u64)?;
    }
    claims.sort_by_key(|claim| claim.number);
    let text = if request.json { table::json(&claims, plan)? } else { table::text(&claims, plan) };
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

/// Writes down how the judging ended, and says how to go on.
fn stop(run: Option<Run>, done: usize, failure: Failure) -> Failure {
    let Some(run) = run else { return failure };
    let dir = run.dir().display().to_string();
    let total = crate::config::claims::CLAIMS;
    match (run.close(Status::Interrupted, done as u64), failure) {
        (Err(fault), _) => fault.into(),
        (Ok(()), Failure::Interrupted(_)) => Failure::Interrupted(format!(
            "interrupted after {done} of {total} claims, which are kept; go on with: stillpoint bias --resume --out {dir}"
        )),
        (Ok(()), other) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_claim_belongs_to_one_group() {
        let mut numbers: Vec<u32> = GROUPS.iter().flat_map(|group| group.numbers).copied().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=crate::config::claims::CLAIMS as u32).collect::<Vec<_>>());
    }
}
