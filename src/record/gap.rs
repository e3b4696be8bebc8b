//! `gap.jsonl`: the stationarity gap measured along a run (`train --gap-every N`), one JSON object per measurement.

use super::{Fault, file};
use crate::math::gap::Gap;
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

/// Name of the file in the run directory.
pub const NAME: &str = "gap.jsonl";

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GapRow {
    /// Outer iterations done when it was taken (0: before training).
    pub iteration: u64,
    /// Training environment steps spent by then.
    pub environment_steps: u64,
    /// The gap of V_zeta at theta, with its interval and method.
    #[serde(flatten)]
    pub gap: Gap,
    /// V_zeta at theta: exact if enumerated, else an unbiased estimate on the same samples.
    pub value: f64,
    /// Environment steps the measurement itself spent (not part of the run's budget).
    pub measure_steps: u64,
    /// Wall time of the measurement.
    pub seconds: f64,
}

/// Rows of the run in `dir`, in order, without a torn last line; empty if the run measures no gap.
///
/// # Errors
/// The file is unreadable, or a line that is not the last is no row.
pub fn read(dir: &Path) -> Result<Vec<GapRow>, Fault> {
    let path = dir.join(NAME);
    let bytes = match std::fs::read(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|e| file::io(&path, "cannot be read", &e))?,
    };
    let lines: Vec<&[u8]> = bytes.split(|&b| b == b'\n').collect();
    let mut rows = Vec::new();
    for (i, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(row) => rows.push(row),
            Err(_) if i + 2 >= lines.len() => break, // torn: no newline behind it, or the file's last line
            Err(e) => {
                let text = format!("{}: line {} is not a gap measurement: {e}", path.display(), i + 1);
                return Err(Fault::Unusable(text));
            }
        }
    }
    Ok(rows)
}

/// Drops the rows behind `iteration` (and a torn line) and returns those that are left.
pub(crate) fn keep(dir: &Path, iteration: u64) -> Result<Vec<GapRow>, Fault> {
    let mut rows = read(dir)?;
    rows.retain(|row| row.iteration <= iteration);
    if dir.join(NAME).exists() {
        let lines: Result<Vec<String>, Fault> = rows.iter().map(|row| line(dir, row)).collect();
        file::replace_durably(&dir.join(NAME), lines?.concat().as_bytes())?;
    }
    Ok(rows)
}

fn line(dir: &Path, row: &GapRow) -> Result<String, Fault> {
    let text = serde_json::to_string(row);
    let text = text.map_err(|e| Fault::Io(format!("{}: {e}", dir.join(NAME).display())))?;
    Ok(format!("{text}\n"))
}

/// Appends one row.
pub(crate) fn append(dir: &Path, row: &GapRow) -> Result<(), Fault> {
    let (path, text) = (dir.join(NAME), line(dir, row)?);
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()
    };
    write().map_err(|e| file::io(&path, "cannot be written", &e))
}

/// Numbers for TensorBoard.
pub(crate) fn scalars(row: &GapRow) -> Vec<(String, f64)> {
    let [low, high] = row.gap.gap_squared_interval;
    let squared = [("gap/squared", row.gap.gap_squared), ("gap/squared_low", low), ("gap/squared_high", high)];
    squared.into_iter().chain([("gap/value", row.value)]).map(|(k, x)| (k.to_string(), x)).collect()
}
