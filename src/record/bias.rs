//! The directory of a study of `bias`: one row per point of the study.
//!
//! ```text
//! DIR/run.json        as that of `train`; `iteration` counts points
//! DIR/config.toml     resolved study
//! DIR/metrics.jsonl   one [`Row`] per point, in the study's order; its keys that contain `seconds` depend on the machine
//! ```

use super::lines::Lines;
use super::run::{self, Info, Session, Status};
use super::tail::{Format, Tail};
use super::{Fault, file, rows};
use crate::measure::bias::OnMdp;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One point of a study.
///
/// Standard errors are those of the sampling, on these MDPs; `mdps` shows how the MDPs differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Number of the point, from 1.
    pub point: u64,
    /// `maml-rl` or `lirpg`.
    pub problem: String,
    /// Inner step size.
    pub alpha: f64,
    /// Inner steps K.
    pub steps: u64,
    /// Trajectories of every estimated part; `null` if all is exact.
    pub trajectories: Option<u64>,
    /// Parts in the order inner, Jacobian, outer: `e`xact or estimated (`l`).
    pub tag: String,
    /// Estimator of the inner gradient, or `exact`.
    pub inner: String,
    /// Estimator of the inner Jacobian, or `exact`.
    pub jacobian: String,
    /// Estimator of the outer gradient, or `exact`.
    pub outer: String,
    /// Error put into the exact Hessian.
    pub hessian_error: Option<f64>,
    /// Trajectories in the buffer that inner parts draw on, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub buffer: Option<u64>,
    /// Distance in logits of neighbouring policies in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub drift: Option<f64>,
    /// `plain`, `self-normalised` or `clipped`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub correction: Option<String>,
    /// Estimates m per MDP.
    pub repeats: u64,
    /// Mean correlation of an estimate with the exact gradient.
    pub corr: f64,
    /// Standard error of `corr`.
    pub corr_error: f64,
    /// Sum over entries of the standard deviation over estimates, mean over MDPs (the reference's name).
    pub var: f64,
    /// Mean over entries of the variance over estimates, mean over MDPs.
    pub entry_variance: f64,
    /// Mean squared entry of mean estimate minus exact gradient, noise included (the reference's name).
    pub grad_mse: f64,
    /// ||mean - exact||^2 - tr(Cov) / m, mean over MDPs: unbiased for the squared bias, possibly negative.
    pub bias_squared: f64,
    /// Standard error of `bias_squared`.
    pub bias_squared_error: f64,
    /// Mean over MDPs of the signed root of the squared bias over the gradient's norm.
    pub rel_bias: f64,
    /// Standard error of `rel_bias`.
    pub rel_bias_error: f64,
    /// Mean over MDPs of the squared bias over the squared norm: unbiased.
    pub rel_bias_squared: f64,
    /// Standard error of `rel_bias_squared`.
    pub rel_bias_squared_error: f64,
    /// Whether `rel_bias_squared` is further than 1.96 standard errors from zero.
    pub resolved: bool,
    /// Mean squared distance to the exact path after each inner step, mean over MDPs (the reference's name).
    pub inner_error: Vec<f64>,
    /// Trajectories sampled for this point, all MDPs and repeats.
    pub sampled: u64,
    /// Each MDP's own numbers.
    pub mdps: Vec<OnMdp>,
}

impl Row {
    /// The pooled numbers of `mdps`; what was asked is the caller's to fill in.
    pub fn pooled(mdps: Vec<OnMdp>) -> Row {
        let n = mdps.len() as f64;
        let mean = |f: &dyn Fn(&OnMdp) -> f64| mdps.iter().map(f).sum::<f64>() / n;
        let error = |f: &dyn Fn(&OnMdp) -> f64| mdps.iter().map(|m| f(m).powi(2)).sum::<f64>().sqrt() / n;
        let rel_bias_squared = mean(&|m| m.bias.bias_squared / m.bias.norm_squared);
        let rel_bias_squared_error = error(&|m| m.bias.bias_squared_error / m.bias.norm_squared);
        let steps = mdps.first().map_or(0, |m| m.inner_error.len());
        Row {
            corr: mean(&|m| m.bias.corr),
            corr_error: error(&|m| m.bias.corr_error),
            var: mean(&|m| m.bias.var),
            entry_variance: mean(&|m| m.bias.entry_variance),
            grad_mse: mean(&|m| m.bias.grad_mse),
            bias_squared: mean(&|m| m.bias.bias_squared),
            bias_squared_error: error(&|m| m.bias.bias_squared_error),
            rel_bias: mean(&|m| m.bias.relative()),
            rel_bias_error: error(&|m| m.bias.relative_error()),
            rel_bias_squared,
            rel_bias_squared_error,
            resolved: rel_bias_squared.abs() > 1.96 * rel_bias_squared_error,
            inner_error: (0..steps).map(|i| mean(&|m| m.inner_error[i])).collect(),
            mdps,
            ..Row::default()
        }
    }
}

/// A row with where it ends in the file and the seconds of the study by then.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// The row.
    pub row: Row,
    /// Wall time of the study so far, summed over its sessions.
    pub seconds_since_start: f64,
    end: u64,
}

fn parse(text: &str, _: usize, end: u64) -> Result<Logged, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let seconds_since_start = value["seconds_since_start"].as_f64().unwrap_or(0.0);
    let row = serde_json::from_value(value).map_err(|e| e.to_string())?;
    Ok(Logged { row, seconds_since_start, end })
}

fn check(logged: &Logged, number: usize) -> Result<(), String> {
    match logged.row.point {
        i if i == number as u64 => Ok(()),
        i => Err(format!("`point` must be {number} here, found {i}")),
    }
}

/// Every row of the study in `dir`, without a torn last line.
///
/// # Errors
/// The file is unreadable, or a line that is not the last is no row.
pub fn read(dir: &Path) -> Result<Vec<Logged>, Fault> {
    follow(dir).all()
}

/// The rows of the study in `dir` as they come.
pub fn follow(dir: &Path) -> Tail<Logged> {
    Tail::new(dir.join(rows::NAME), Format { what: "a row of a study of `bias`", parse, check })
}

/// A study that is being written.
pub struct Run {
    session: Session,
    lines: Lines,
    elapsed: f64,
}

impl Run {
    /// Starts a study in a claimed directory.
    ///
    /// # Errors
    /// The system refuses.
    pub fn start(session: Session, config: &str) -> Result<Run, Fault> {
        Info::new(Status::Starting, 0, None).write(session.dir())?;
        file::replace_durably(&session.dir().join(run::CONFIG), config.as_bytes())?;
        let lines = Lines::create(&session.dir().join(rows::NAME))?;
        Info::new(Status::Running, 0, None).write(session.dir())?;
        Ok(Run { session, lines, elapsed: 0.0 })
    }

    /// A study to go on with, and its rows so far.
    ///
    /// # Errors
    /// A row is damaged, or the system refuses.
    pub fn resume(session: Session) -> Result<(Run, Vec<Row>), Fault> {
        let logged = read(session.dir())?;
        let (length, elapsed) = logged.last().map_or((0, 0.0), |l| (l.end, l.seconds_since_start));
        let run = Run::reopen(session, length, elapsed, logged.len() as u64)?;
        Ok((run, logged.into_iter().map(|l| l.row).collect()))
    }

    /// Goes on behind the first `length` bytes of rows, of which there are `count`.
    pub(super) fn reopen(session: Session, length: u64, elapsed: f64, count: u64) -> Result<Run, Fault> {
        let lines = Lines::reopen(&session.dir().join(rows::NAME), length)?;
        Info::new(Status::Running, count, None).write(session.dir())?;
        Ok(Run { session, lines, elapsed })
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        self.session.dir()
    }

    /// Seconds of the sessions before this one.
    pub fn elapsed(&self) -> f64 {
        self.elapsed
    }

    /// Writes one row with its machine-dependent numbers, and makes it durable.
    ///
    /// # Errors
    /// The system refuses.
    pub fn append<R: Serialize>(&mut self, row: &R, seconds: &[(&str, f64)]) -> Result<(), Fault> {
        self.lines.append(row, seconds)?;
        self.lines.sync()
    }

    /// Writes down how the session ended and gives up the lock.
    ///
    /// # Errors
    /// The system refuses.
    pub fn close(self, status: Status, points: u64) -> Result<(), Fault> {
        Info::new(status, points, None).write(self.session.dir())
    }
}
