//! `stationarity`: how far an ascent ends from a stationary point of V_zeta, beside what the theory promises.

mod assertion;
mod rates;
mod runs;
mod setup;
mod summary;
mod table;

use super::failure::Failure;
use super::interrupt::Interrupt;
use crate::math::gap::Method;
use crate::record::stationarity::{Row, Study, Writer};
use assertion::Assertion;
use rayon::prelude::*;
use runs::{Followed, Keep};
use setup::Setup;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;

/// What is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DynamicsKind {
    /// The enumerated expectation of the estimator: no sampling noise.
    Expected,
    /// The estimator itself.
    Sampled,
}

/// What the command line asks of `stationarity`.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// MDP file.
    pub mdps: Option<PathBuf>,
    /// Configuration or preset.
    pub config: Option<String>,
    /// `key=value` changes of the configuration.
    pub set: Vec<String>,
    /// What is followed.
    pub dynamics: DynamicsKind,
    /// Inner step size.
    pub alpha: Option<f64>,
    /// Inner steps zeta.
    pub inner_steps: Option<usize>,
    /// Episodes per inner batch n.
    pub inner_batch: Option<usize>,
    /// Tasks per meta-batch B.
    pub tasks: Option<usize>,
    /// Episodes per outer batch.
    pub outer_batch: Option<usize>,
    /// Estimators.
    pub estimators: Vec<String>,
    /// Outer iterations K.
    pub iterations: u64,
    /// Outer step size.
    pub beta: Option<f64>,
    /// Start: FILE, `zeros`, `random:SEED` or `init`.
    pub theta: Option<String>,
    /// First seed.
    pub seed: u64,
    /// Number of seeds (sampled dynamics).
    pub seeds: u64,
    /// Thresholds whose hitting times are reported.
    pub epsilon: Vec<f64>,
    /// Iterations between measurements (sampled dynamics).
    pub gap_every: Option<u64>,
    /// How the gap is measured; the best feasible way if not given.
    pub method: Option<Method>,
    /// Groups of a sampled gap.
    pub gap_groups: Option<usize>,
    /// Tasks per group.
    pub gap_tasks: Option<usize>,
    /// Table of MAML's bias over alpha, n and reward offset.
    pub floor: bool,
    /// Slopes of the mean gap^2 over K and B.
    pub rates: bool,
    /// Checks on the end.
    pub assertions: Vec<String>,
    /// Where the record goes.
    pub out: Option<PathBuf>,
    /// Replace a former study.
    pub force: bool,
    /// JSON instead of a table.
    pub json: bool,
    /// No remarks.
    pub quiet: bool,
}

/// Runs the command.
///
/// # Errors
/// Bad input, an interruption, a disk that is full, or an assertion that does not hold.
pub fn run(request: Request) -> Result<(), Failure> {
    let parse = |text: &String| Assertion::parse(text, &request.estimators);
    let assertions = request.assertions.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let setup = Setup::new(&request)?;
    let seeds = seeds(&request)?;
    if request.rates {
        rates::check(&setup, &request)?;
    }
    if request.floor {
        summary::check_floor(&setup)?;
    }
    let interrupt = Interrupt::listen(request.quiet)?;
    let writer = match &request.out {
        Some(dir) => Some(Mutex::new(Writer::create(dir, request.force)?)),
        None => None,
    };
    // rows reach the file as they are measured, whoever measures them: a killed study keeps them
    let keep = |row: &Row| match &writer {
        Some(writer) => Ok(writer.lock().expect("no writer panics").append(std::slice::from_ref(row))?),
        None => Ok(()),
    };
    let remark = |text: &str| {
        if !request.quiet {
            let _ = writeln!(std::io::stderr(), "{text}"); // a closed stderr must not change the result
        }
    };
    let found = follow(&setup, &request, &seeds, &interrupt, &keep)?;
    let mut writer = writer.map(|writer| writer.into_inner().expect("no writer panics"));
    if let Some(writer) = &mut writer {
        let rows: Vec<&Row> = found.iter().flatten().flat_map(|followed| &followed.rows).collect();
        writer.put_in_order(&rows)?;
    }
    let mut study = summary::study(&setup, &request, &found);
    if let Some(writer) = &mut writer {
        writer.finish(&study)?; // what is computed is kept, whatever comes next
    }
    if study.status == "interrupted" {
        return Err(interrupted(&request));
    }
    if request.rates {
        remark("measuring rates");
        study.rates = rates::rates(&setup, &request, &seeds, &interrupt)?;
        study.notes.extend(rates::remark(&setup, &request));
    }
    if request.floor {
        study.floor = Some(summary::floor(&setup)?);
    }
    if interrupt.requested() {
        return Err(interrupted(&request));
    }
    if let Some(writer) = &mut writer {
        writer.finish(&study)?;
    }
    study.notes.iter().for_each(|note| remark(&format!("note: {note}")));
    print(&study, &request)?;
    conclude(&study, &assertions, &request)
}

fn interrupted(request: &Request) -> Failure {
    let kept = match &request.out {
        Some(dir) => format!("{0} keeps what was measured: stillpoint report {0}", dir.display()),
        None => "nothing was kept: give --out DIR to keep what is measured".into(),
    };
    Failure::Interrupted(format!("interrupted; {kept}"))
}

/// The seeds to run; expected dynamics have no use for more than one.
fn seeds(request: &Request) -> Result<Vec<u64>, Failure> {
    let last = request.seed.checked_add(request.seeds - 1);
    let last = last.ok_or_else(|| Failure::Usage(format!("--seed {}: no room for --seeds above it", request.seed)))?;
    Ok((request.seed..=last).collect())
}

/// Every estimator and seed, in order; runs share the machine.
fn follow(
    setup: &Setup,
    request: &Request,
    seeds: &[u64],
    interrupt: &Interrupt,
    keep: &Keep<'_>,
) -> Result<Vec<Vec<Followed>>, Failure> {
    let seeds = if request.dynamics == DynamicsKind::Expected { &seeds[..1] } else { seeds };
    let one = |estimator: &crate::estimator::choice::Estimator, seed: u64| match request.dynamics {
        DynamicsKind::Expected => runs::expected(setup, request, estimator, interrupt, keep),
        DynamicsKind::Sampled => runs::sampled(setup, request, estimator, seed, interrupt, keep),
    };
    setup
        .estimators
        .par_iter()
        .map(|estimator| seeds.par_iter().map(|&seed| one(estimator, seed)).collect::<Result<Vec<_>, _>>())
        .collect()
}

fn print(study: &Study, request: &Request) -> Result<(), Failure> {
    let text = if request.json {
        let text = serde_json::to_string(study).map_err(|e| Failure::Internal(e.to_string()))?;
        format!("{text}\n")
    } else {
        table::text(study, request.out.as_deref())
    };
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

/// Exit code: a divergence of every run of an estimator, or a check that does not hold.
fn conclude(study: &Study, assertions: &[Assertion], request: &Request) -> Result<(), Failure> {
    let checked: Vec<(bool, String)> = assertions.iter().map(|a| a.holds(study)).collect();
    if !request.quiet {
        for (holds, what) in &checked {
            let _ = writeln!(std::io::stderr(), "{}: {what}", if *holds { "holds" } else { "does not hold" });
        }
    }
    let failed: Vec<&str> = checked.iter().filter(|(holds, _)| !holds).map(|(_, what)| what.as_str()).collect();
    if !failed.is_empty() {
        return Err(Failure::Check(format!("assertion does not hold: {}", failed.join("; "))));
    }
    let lost = study.runs.iter().filter(|r| r.seeds.iter().all(|s| s.outcome == "diverged"));
    let lost: Vec<&str> = lost.map(|r| r.estimator.as_str()).collect();
    if !lost.is_empty() {
        return Err(Failure::Diverged(format!("diverged: {}; try a smaller --beta or --alpha", lost.join(", "))));
    }
    Ok(())
}
