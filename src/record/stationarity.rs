//! The directory of `stationarity`: rows as they are measured, and what they amount to.
//!
//! ```text
//! DIR/stationarity.jsonl   one [`Row`] per measurement, per estimator and seed
//! DIR/stationarity.json    the [`Study`]: setting, constants, and per estimator the end, hitting times and the bound
//! DIR/stillpoint.lock      locked while a study is being written
//! ```

use super::lock::{self, Lock};
use super::{Fault, file};
use crate::math::gap::{Gap, Method};
use crate::math::summary::Estimate;
use crate::math::theory::{Bound, Regime};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Name of the study's file.
pub const STUDY: &str = "stationarity.json";
/// Name of the rows' file.
pub const ROWS: &str = "stationarity.jsonl";

/// One measurement along a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Estimator whose ascent this is.
    pub estimator: String,
    /// Seed of the run (sampled dynamics).
    pub seed: u64,
    /// Outer iterations done.
    pub iteration: u64,
    /// V_zeta(theta): exact where the gap is, else an unbiased estimate.
    pub value: f64,
    /// The gap of V_zeta at theta.
    #[serde(flatten)]
    pub gap: Gap,
    /// Mean of `gap_squared` over the iterations before this one, linear between measurements; at the start `gap_squared`.
    pub average_gap_squared: f64,
    /// Right-hand side of the theorem after this many iterations, where it applies to the run.
    pub bound: Option<f64>,
}

/// Where a run stands at its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Final {
    /// Parameters, flat row-major.
    pub theta: Vec<f64>,
    /// V_zeta(theta).
    pub value: f64,
    /// |grad V_zeta(theta)|; `null`: below resolution.
    pub gap: Option<f64>,
    /// Unbiased estimate of its square.
    pub gap_squared: f64,
    /// 95 % interval of the square.
    pub gap_squared_interval: [f64; 2],
}

/// One run of one seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedRun {
    /// Seed.
    pub seed: u64,
    /// Outer iterations done.
    pub iterations: u64,
    /// `finished`, `diverged` or `interrupted`.
    pub outcome: String,
    /// Where it ended.
    pub r#final: Final,
    /// Mean gap^2 over the iterations before the last, linear between measurements, with the 95 % interval that those of the
    /// measurements leave open of this run's own mean (a point where they are exact): not an interval over runs.
    pub average_gap_squared: Estimate,
    /// Environment steps of training.
    pub environment_steps: u64,
    /// Environment steps of measuring.
    pub measure_steps: u64,
}

/// When the gap was first at or below epsilon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hitting {
    /// epsilon.
    pub epsilon: f64,
    /// Median over seeds of the first measured iteration whose exact gap, or whose interval's upper limit ([`Gap::upper`]), is
    /// at most epsilon; `null` if half of the seeds or more never got there. Each sampled look may err, and the errors
    /// accumulate over looks: the time may be too early more often than one interval misses.
    pub iteration: Option<u64>,
    /// The same for every seed.
    pub seeds: Vec<Option<u64>>,
    /// What the theorem asks for with large batches.
    pub large_batch: Option<Regime>,
    /// What the theorem asks for with the run's B.
    pub any_batch: Option<Regime>,
}

/// The theorem beside the measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoundReport {
    /// Both terms at the run's beta, B and K, and whether the theorem applies.
    #[serde(flatten)]
    pub bound: Bound,
    /// Delta that was used: an upper bound of sup V - V(theta_0).
    pub delta: f64,
    /// Measured mean of gap^2 over iterations and seeds; without an interval where there is one sampled run.
    pub measured: Estimate,
    /// Right-hand side over measured mean; `null` where the mean's interval contains zero or there is none.
    pub slack: Option<f64>,
    /// Why the theorem does not cover this run, if it does not.
    pub remark: Option<String>,
}

/// MAML's bias at an estimator's end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BiasReport {
    /// |grad V - E\[estimator\]| at the final theta.
    pub bias: f64,
    /// |E\[estimator\]| there: zero at a rest point.
    pub drift: f64,
    /// alpha eta_g^2 sqrt(T v_op), MAML with one inner step only.
    pub bound: Option<f64>,
}

/// All runs of one estimator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EstimatorRuns {
    /// Estimator.
    pub estimator: String,
    /// How the gap was measured.
    pub method: Method,
    /// End of the first seed.
    pub r#final: Final,
    /// Hitting times per epsilon.
    pub hitting: Vec<Hitting>,
    /// The theorem beside the measurement; `null` where there are no constants.
    pub bound: Option<BoundReport>,
    /// Exact bias at the first seed's end, where it can be enumerated.
    pub bias: Option<BiasReport>,
    /// Every seed.
    pub seeds: Vec<SeedRun>,
}

/// The whole study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// Always `stillpoint`.
    pub program: String,
    /// Version that wrote it.
    pub version: String,
    /// `finished` or `interrupted`.
    pub status: String,
    /// Configuration, preset or MDP file.
    pub source: String,
    /// `expected` or `sampled`.
    pub dynamics: String,
    /// gamma, alpha, inner_steps, inner_batch, tasks_per_batch, outer_batch, beta, iterations, gap_every.
    pub setting: Value,
    /// The theory's constants under the specification's symbols; `null` where its assumptions are not met.
    pub constants: Option<Value>,
    /// Why there are no constants.
    pub assumption: Option<String>,
    /// Largest |grad V(x) - grad V(y)| / |x - y| seen between a dozen points of the first estimator's first run:
    /// a lower bound of the smoothness.
    pub empirical_smoothness: Option<f64>,
    /// One entry per estimator.
    pub runs: Vec<EstimatorRuns>,
    /// Table of MAML's bias over alpha, n and reward offset, if asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub floor: Option<Value>,
    /// Log-log slopes of the mean gap^2, if asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rates: Option<Value>,
    /// Remarks.
    pub notes: Vec<String>,
}

/// A directory that a study is being written to.
pub struct Writer {
    dir: PathBuf,
    rows: File,
    _lock: Lock,
}

impl Writer {
    /// Makes `dir`, which must be missing, empty or (with `force`) hold nothing but a former study.
    ///
    /// # Errors
    /// It holds something else, another process writes to it, or the system refuses.
    pub fn create(dir: &Path, force: bool) -> Result<Writer, Fault> {
        if dir.is_file() {
            return Err(Fault::Unusable(format!("{}: is a file; a study needs a directory", dir.display())));
        }
        usable(dir, force)?; // before anything is written
        std::fs::create_dir_all(dir).map_err(|e| file::io(dir, "cannot be made", &e))?;
        let lock = lock::take(dir, "writing a study")?;
        usable(dir, force)?; // another process may have been first
        file::remove(&dir.join(STUDY))?;
        let path = dir.join(ROWS);
        let rows = File::create(&path).map_err(|e| file::io(&path, "cannot be created", &e))?;
        Ok(Writer { dir: dir.to_path_buf(), rows, _lock: lock })
    }

    /// Appends rows, in whatever order they come.
    pub fn append(&mut self, rows: &[Row]) -> Result<(), Fault> {
        let path = self.dir.join(ROWS);
        let text = lines(&path, rows)?;
        self.rows.write_all(text.as_bytes()).map_err(|e| file::io(&path, "cannot be written", &e))
    }

    /// Replaces all rows by `rows`, once nothing more is appended: the order of the file does not depend on the threads.
    pub fn put_in_order(&mut self, rows: &[&Row]) -> Result<(), Fault> {
        let path = self.dir.join(ROWS);
        file::replace_durably(&path, lines(&path, rows.iter().copied())?.as_bytes())
    }

    /// Writes the study.
    pub fn finish(&mut self, study: &Study) -> Result<(), Fault> {
        let path = self.dir.join(STUDY);
        let text = serde_json::to_string_pretty(study).map_err(|e| Fault::Io(format!("{}: {e}", path.display())))?;
        file::replace_durably(&path, format!("{text}\n").as_bytes())
    }
}

/// One line per row.
fn lines<'a>(path: &Path, rows: impl IntoIterator<Item = &'a Row>) -> Result<String, Fault> {
    let mut text = String::new();
    for row in rows {
        text += &serde_json::to_string(row).map_err(|e| Fault::Io(format!("{}: {e}", path.display())))?;
        text.push('\n');
    }
    Ok(text)
}

/// Refuses a directory with anything but a former study, and with one unless `force`.
fn usable(dir: &Path, force: bool) -> Result<(), Fault> {
    let names = file::names(dir)?;
    if let Some(name) = names.iter().find(|n| !is_ours(n)) {
        let text = format!("{}: holds {name}, which is not of a study; choose another --out", dir.display());
        return Err(Fault::Unusable(text));
    }
    if names.iter().any(|n| n != lock::NAME) && !force {
        return Err(Fault::Unusable(format!("{}: holds a study; --force replaces it", dir.display())));
    }
    Ok(())
}

fn is_ours(name: &str) -> bool {
    let plain = name.strip_suffix(file::TEMPORARY).unwrap_or(name);
    [STUDY, ROWS, "report", lock::NAME].contains(&plain)
}

/// The study in `dir`, and its rows without a torn last line. The study is `None` while it is being made.
///
/// # Errors
/// Neither file is there, or one is not what its name says.
pub fn read(dir: &Path) -> Result<(Option<Study>, Vec<Row>), Fault> {
    let bad = |path: &Path, why: String| Fault::Unusable(format!("{}: {why}", path.display()));
    let text = |path: &Path| match std::fs::read_to_string(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some).map_err(|e| file::io(path, "cannot be read", &e)),
    };
    let (study_path, rows_path) = (dir.join(STUDY), dir.join(ROWS));
    let study = match text(&study_path)? {
        Some(text) => Some(serde_json::from_str(&text).map_err(|e| bad(&study_path, format!("not a study: {e}")))?),
        None => None,
    };
    let lines = match text(&rows_path)? {
        Some(lines) => lines,
        None if study.is_some() => String::new(), // a study alone still says where its runs ended
        None => return Err(bad(&rows_path, "no such file; is this the directory of a study?".into())),
    };
    let mut rows = Vec::new();
    let count = lines.lines().count();
    for (i, line) in lines.lines().enumerate() {
        match serde_json::from_str(line) {
            Ok(row) => rows.push(row),
            Err(_) if i + 1 == count => break,
            Err(e) => return Err(bad(&rows_path, format!("line {} is not a measurement: {e}", i + 1))),
        }
    }
    Ok((study, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_writer_at_a_time() {
        let dir = tempfile::tempdir().expect("scratch");
        let first = Writer::create(dir.path(), false).expect("empty");
        let second = Writer::create(dir.path(), true).err();
        assert!(matches!(&second, Some(Fault::Unusable(why)) if why.contains("another process is writing a study")));
        drop(first);
        assert!(Writer::create(dir.path(), false).is_err_and(|e| e.to_string().contains("--force")));
        Writer::create(dir.path(), true).expect("nobody writes any more");
    }
}
