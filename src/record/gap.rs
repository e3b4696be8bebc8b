//! `gap.jsonl`: the stationarity gap measured along a run (`train --gap-every N`), one JSON object per measurement.

use super::Fault;
use super::tail::{Format, Tail};
use crate::math::gap::Gap;
use serde::{Deserialize, Serialize};
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
    /// Environment steps the measurement itself spent (not part of the run's budget).
    pub measure_steps: u64,
    /// Wall time of the measurement.
    pub seconds: f64,
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
