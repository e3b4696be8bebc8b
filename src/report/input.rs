//! What a path given to `report` holds, read as far as it is there.

use super::bias_study::{self, BiasDir};
use super::claims::{self, ClaimsDir};
use super::lola::{self, LolaRun};
use super::online::{self, OnlineRun};
use super::stationarity::StudyDir;
use super::train::TrainRun;
use crate::record::suite_dir::{self, SuiteDir};
use crate::record::{Fault, rows, stationarity};
use serde_json::Value;
use std::path::Path;

/// One input of a report.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Directory of `compare`.
    Suite(Box<SuiteDir>),
    /// Directory of `train`.
    Train(Box<TrainRun>),
    /// Directory of `online`.
    Online(Box<OnlineRun>),
    /// Directory of `lola`.
    Lola(Box<LolaRun>),
    /// Directory of `stationarity`.
    Stationarity(Box<StudyDir>),
    /// Directory of `bias`.
    Bias(Box<BiasDir>),
    /// Directory of `bias --claims`.
    Claims(Box<ClaimsDir>),
    /// File of `gradient --json`, by its path.
    Gradient(String, Box<Value>),
}

fn bad(path: &Path, why: &str) -> Fault {
    Fault::Unusable(format!("{}: {why}", path.display()))
}

fn text(path: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(path).map_err(|e| bad(path, &format!("cannot be read: {e}")))
}

/// Reads what lies at `path`.
///
/// # Errors
/// Nothing is there, or it is nothing a report can be made of; names the path and what is expected.
pub fn read(path: &Path) -> Result<Input, Fault> {
    if path.is_file() {
        return gradient(path);
    }
    let has = |name: &str| path.join(name).exists();
    if has(suite_dir::INFO) || has(suite_dir::CONFIG) {
        return Ok(Input::Suite(Box::new(suite_dir::read(path)?)));
    }
    if has(stationarity::STUDY) || has(stationarity::ROWS) {
        return Ok(Input::Stationarity(Box::new(StudyDir::read(path)?)));
    }
    if has("run.json") || has(rows::NAME) {
        if lola::is_run(path) {
            return Ok(Input::Lola(Box::new(LolaRun::read(path)?)));
        }
        if bias_study::is_study(path) {
            return Ok(Input::Bias(Box::new(BiasDir::read(path)?)));
        }
        if claims::is_table(path) {
            return Ok(Input::Claims(Box::new(ClaimsDir::read(path)?)));
        }
        if online::is_run(path) {
            return Ok(Input::Online(Box::new(OnlineRun::read(path)?)));
        }
        return Ok(Input::Train(Box::new(TrainRun::read(path)?)));
    }
    match path.is_dir() {
        true => Err(bad(
            path,
            "nothing to report on: expected the directory of a run or of a study of `bias` (run.json), of a suite (suite.json) or of a stationarity \
             study (stationarity.json), or a file made by `gradient --json`",
        )),
        false => Err(bad(path, "no such directory; expected that of a run, a suite or a stationarity study")),
    }
}

fn gradient(path: &Path) -> Result<Input, Fault> {
    let expected =
        "is not what `gradient --json` prints; expected such a file, or the directory of a run, a suite or a study";
    let value: Value = serde_json::from_str(&text(path)?).map_err(|e| bad(path, &format!("{expected} ({e})")))?;
    let findings = value.get("estimators").and_then(Value::as_object);
    match findings.is_some_and(|f| f.values().any(|e| e.get("bias_norm").is_some())) {
        true => Ok(Input::Gradient(path.display().to_string(), Box::new(value))),
        false => Err(bad(path, expected)),
    }
}
