//! The rows that claims are judged by: points of shipped studies, measured with as many repeats as the claim needs.

use crate::app::bias::{Known, one};
use crate::app::failure::Failure;
use crate::app::interrupt::Interrupt;
use crate::app::runs;
use crate::config::Overrides;
use crate::config::bias::{self as config};
use crate::measure::bias::tasks;
use crate::record::bias::Row;

/// How evidence is gathered.
pub(super) struct Evidence<'a> {
    pub seed: u64,
    pub smoke: bool,
    pub quiet: bool,
    pub interrupt: &'a Interrupt,
}

/// Repeats under `--smoke`.
const SMOKE: u64 = 8;

/// Measured rows of one study.
pub(super) struct Rows {
    pub rows: Vec<Row>,
    pub repeats: u64,
}

impl Evidence<'_> {
    /// Says what is going on.
    pub fn tell(&self, what: &str) {
        runs::remark(self.quiet, what);
    }

    /// The points of the shipped study `name` with changes `set`.
    pub fn study(&self, name: &str, repeats: u64, set: &[&str]) -> Result<Rows, Failure> {
        let repeats = if self.smoke { SMOKE } else { repeats };
        let mut set: Vec<String> = set.iter().map(|s| (*s).to_string()).collect();
        set.push(format!("repeats={repeats}"));
        let plan = config::load(name, &Overrides { set, seed: Some(self.seed), ..Overrides::default() })?;
        self.tell(&format!("measuring {name}: {} points", plan.points.len()));
        let tasks = tasks(&plan.mdps, plan.gamma);
        let mut known = Known::default();
        let mut rows = Vec::new();
        for (i, point) in plan.points.iter().enumerate() {
            let oracles = known.oracles(&plan, point, &tasks);
            match one(&plan, point, i as u64 + 1, &tasks, oracles, &|| self.interrupt.requested()) {
                Some(row) => rows.push(row),
                None => return Err(Failure::Interrupted(super::STOPPED.into())),
            }
        }
        Ok(Rows { rows, repeats })
    }
}

impl Rows {
    /// The rows of one estimator and tag, in the study's order.
    pub fn of(&self, tag: &str, estimator: &str) -> Vec<&Row> {
        let is = |row: &&Row| {
            let named = [&row.inner, &row.jacobian, &row.outer];
            row.tag == tag && named.iter().all(|n| *n == estimator || *n == "exact")
        };
        self.rows.iter().filter(is).collect()
    }
}

/// Squared relative bias with its standard error.
pub(super) fn squared(row: &Row) -> (f64, f64) {
    (row.rel_bias_squared, row.rel_bias_squared_error)
}

/// Relative bias with its standard error.
pub(super) fn relative(row: &Row) -> (f64, f64) {
    (row.rel_bias, row.rel_bias_error)
}

/// Correlation with its standard error.
pub(super) fn correlation(row: &Row) -> (f64, f64) {
    (row.corr, row.corr_error)
}

/// One number of each row.
pub(super) fn each(rows: &[&Row], of: fn(&Row) -> (f64, f64)) -> Vec<(f64, f64)> {
    rows.iter().map(|row| of(row)).collect()
}
