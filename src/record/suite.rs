//! A suite directory: one small file per finished run, written whole, so that a killed suite loses only the runs in flight.
//!
//! ```text
//! DIR/suite.toml                        resolved suite: every arm, family, grid and seed
//! DIR/suite.json                        status, version, machine, runs planned
//! DIR/runs/FAMILY/ARM/SETTING/SEED.json one [`RunRecord`] per run that ended (finished, diverged or failed);
//!                                       a SETTING longer than 255 bytes is cut and ends in a hash of all of it
//! DIR/runs/FAMILY/ARM/SETTING/SEED/     a run of `online` whole, as its own command leaves it ([`super::online`]), beside its record
//! DIR/stillpoint.lock                   locked by the live process
//! ```

use crate::budget::Budget;
use crate::math::gap::Gap;
use serde::{Deserialize, Serialize};

/// Why a run was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// To choose the setting of its arm on its family; never reported as a result.
    Tuning,
    /// On a held-out seed, with the setting chosen on the tuning seeds (analytic suites may report the whole grid too).
    Reporting,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Its budget is spent.
    Finished,
    /// A number stopped being finite; the points end there.
    Diverged,
    /// It could not be run at all (the reason says why).
    Failed,
}

/// One evaluation along a run, on tasks that all arms share.
///
/// Of a run of `online`, which does not adapt to tasks, `before` and `after` are the same: the mean return of whole episodes at the
/// first and the last point, between them of the run's own episodes since the point before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Training environment steps spent so far (evaluation is not counted).
    pub environment_steps: u64,
    /// Outer iterations done.
    pub iteration: u64,
    /// Mean undiscounted return before adaptation, over the evaluation tasks.
    pub before: f64,
    /// Mean undiscounted return after the arm's adaptation steps, over the evaluation tasks.
    pub after: f64,
    /// Exact V_zeta, where the family can be enumerated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<f64>,
    /// Stationarity gap, where the suite asks for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gap: Option<Gap>,
}

/// One run of a suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Family, by its name in the suite.
    pub family: String,
    /// Arm, by its name in the suite.
    pub arm: String,
    /// Grid keys and values, in the suite's order, e.g. `outer.beta` 0.01. Empty if the arm has no grid.
    pub setting: Vec<(String, f64)>,
    /// Seed of the run: task draws and initialisation are shared by all arms with the same seed.
    pub seed: u64,
    /// Tuning or reporting.
    pub phase: Phase,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it diverged or failed, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Evaluations in order of steps: before training, along the budget, and at its end.
    pub points: Vec<Point>,
    /// Outer iterations done.
    pub iterations: u64,
    /// Spent on training.
    pub budget: Budget,
    /// Environment steps spent on evaluating and on measuring the gap, outside of the budget.
    pub measure_steps: u64,
    /// Wall time of the run, seconds.
    pub seconds: f64,
    /// CPU time of the run, seconds (runs share the machine but not threads).
    pub cpu_seconds: f64,
}

impl RunRecord {
    /// Whether this can be the record of a run: its points are in order of steps, and a finished run has one.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        if self.outcome == Outcome::Finished && self.points.is_empty() {
            return Err("a finished run needs an evaluation in `points`, found none".into());
        }
        if let Some(i) = self.points.iter().position(|p| !p.before.is_finite() || !p.after.is_finite()) {
            return Err(format!("points[{i}]: `before` and `after` must be finite"));
        }
        let back = |p: &[Point]| p[1].environment_steps < p[0].environment_steps;
        match self.points.windows(2).position(back) {
            None => Ok(()),
            Some(i) => {
                let [a, b] = [i, i + 1].map(|i| self.points[i].environment_steps);
                Err(format!("points[{}].environment_steps must not fall, found {b} after {a}", i + 1))
            }
        }
    }
}
