//! `gap.jsonl`: the stationarity gap measured along a run (`train --gap-every N`), one JSON object per measurement.

use crate::math::gap::Gap;
use serde::{Deserialize, Serialize};

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
