//! `gap.jsonl`: the stationarity gap measured along a run (`train --gap-every N`), one JSON object per measurement.

use super::tail::{Format, Tail};
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

/// `gap.jsonl` of the run in `dir`, to be followed while it grows.
pub fn follow(dir: &Path) -> Tail<GapRow> {
    let parse = |text: &str, _, _| serde_json::from_str(text).map_err(|e| e.to_string());
    Tail::new(dir.join(NAME), Format { what: "a measured gap", parse, check: |_, _| Ok(()) })
}

/// Measurements of the run in `dir`, in order, without a torn last line; none if the run did not measure.
///
/// # Errors
/// The file is unreadable, or a line that is not the last is no measurement.
pub fn read(dir: &Path) -> Result<Vec<GapRow>, Fault> {
    follow(dir).all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_are_read_back_without_a_torn_last_line() {
        let dir = tempfile::tempdir().expect("scratch");
        assert_eq!(read(dir.path()).expect("no file is no measurement"), []);
        let row = |iteration| GapRow {
            iteration,
            environment_steps: 10 * iteration,
            gap: Gap { gap: None, gap_squared: -0.25, ..Gap::exact(&[0.5]) },
            value: 0.0,
            measure_steps: 7,
            seconds: 0.5,
        };
        let line = |i| serde_json::to_string(&row(i)).expect("JSON") + "\n";
        let write = |text: String| std::fs::write(dir.path().join(NAME), text).expect("writable");
        for torn in ["{\"iteration\":4", "\0\0\n", "{}\n"] {
            write(line(0) + &line(5) + torn);
            assert_eq!(read(dir.path()).expect("only the last line is torn"), [row(0), row(5)]);
        }
        write(line(0) + "{}\n" + &line(5));
        let message = read(dir.path()).expect_err("a bad line in the middle").to_string();
        assert!(message.contains(NAME) && message.contains("line 2"), "{message}");
    }
}
