//! Directories of durable rows as a report reads them.

use crate::config;
use crate::record::durable::{self, Record};
use crate::record::run::Info;
use crate::record::{self as records, Fault};
use std::path::Path;

/// Such a directory as far as it is there: what was asked (`P`) and what came (`R`).
#[derive(Clone, Debug, PartialEq)]
pub struct Rows<P, R> {
    /// Its directory, as given.
    pub path: String,
    /// Where it stands.
    pub info: Info,
    /// What was asked, as text.
    pub config: String,
    /// The same, or why it cannot be read any more.
    pub plan: Result<P, String>,
    /// Its rows.
    pub rows: Vec<R>,
    /// Wall time by the last row, seconds.
    pub seconds: f64,
}

impl<P, R: Record> Rows<P, R> {
    /// Reads `dir` without a torn last row; `parse` takes the configuration's text and its name in messages.
    ///
    /// # Errors
    /// It is half a directory, or a row that is not the last is damaged.
    pub(super) fn of(
        dir: &Path,
        parse: impl FnOnce(&str, &str) -> Result<P, config::Error>,
    ) -> Result<Rows<P, R>, Fault> {
        let opened = records::open(dir)?;
        let plan = parse(&opened.config, &opened.config_path().display().to_string()).map_err(|e| e.to_string());
        let logged = durable::read(dir)?;
        let seconds = logged.last().map_or(0.0, |l: &durable::Logged<R>| l.seconds_since_start);
        let rows = logged.into_iter().map(|l| l.row).collect();
        Ok(Rows { path: dir.display().to_string(), info: opened.info, config: opened.config, plan, rows, seconds })
    }
}
