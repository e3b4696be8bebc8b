//! `metrics.jsonl`: one JSON object per outer iteration, appended whole, read back tolerant of a torn last line.
//!
//! Every column is a function of configuration and seed, except the numbers whose key contains `seconds`.
//!
//! | column | meaning | unit |
//! |---|---|---|
//! | `iteration` | outer iteration, from 1 | |
//! | `returns[k]` | undiscounted return after k adaptation steps, mean over tasks with 95 % interval (`mean`, `low`, `high`; the ends are `null` with one task) | reward |
//! | `value` | discounted return after adaptation: the sampled objective V_zeta, with 95 % interval | reward |
//! | `gain` | last minus first of `returns`, paired by task, with 95 % interval | reward |
//! | `episode_length` | mean decisions per episode before and after adaptation | steps |
//! | `gradient_norm` | norm of the meta-gradient (mean over tasks), before clipping | |
//! | `gradient_noise` | square root of the trace of the covariance of that mean: its standard error (`null` with one task) | |
//! | `outer_gradient_norm` | norm of the mean outer gradient, before it is pulled back through the adaptation | |
//! | `sampling_coefficient` | root mean square of the coefficients of the inner scores; 0: no sampling term (MAML) | |
//! | `inner_gradient_norm` | mean norm of the first inner gradient | |
//! | `update_norm` | norm of the change of the parameters | |
//! | `entropy` | mean entropy of the policy before adaptation | nats |
//! | `effective_sample_size` | of the leave-group-out weights, as a fraction of the outer episodes (importance form only) | |
//! | `kl` | TRPO, ProMP: mean KL between the adapted policies before and after the update, on the outer observations | nats |
//! | `backtracks` | TRPO: times the step was shortened; the option `outer.backtracks` (with `kl` and `update_norm` 0) when no candidate was accepted | |
//! | `clip_fraction` | ProMP: fraction of the outer decisions whose ratio is outside of the clip range after the update | |
//! | `inner_kl` | ProMP: mean KL between the policies before and after the update on the inner observations | nats |
//! | `budget.environment_steps` | decisions so far, re-simulated ones included | steps |
//! | `budget.episodes` | episodes so far, re-simulated ones included | |
//! | `budget.gradients`, `budget.hvps` | gradients and Hessian-vector products of a batch surrogate so far | |
//! | `seconds` | wall time of this iteration, without writing it down | s |
//! | `cpu_seconds` | processor time of this iteration, all threads | s |
//! | `seconds_since_start` | wall time of the run so far, summed over its sessions | s |

use super::tail::{Format, Tail};
use super::{Fault, file};
use crate::learn::meta::Row;
use serde_json::{Map, Value};
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Name of the file in the run directory.
pub const NAME: &str = "metrics.jsonl";

/// One row as read back.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// What the learner reported.
    pub row: Row,
    /// The machine-dependent numbers: keys that contain `seconds`.
    pub seconds: Vec<(String, f64)>,
    /// Where the line ends in the file, newline included.
    end: u64,
}

impl Logged {
    /// The machine-dependent number called `key`, 0 if the row has none.
    pub fn seconds(&self, key: &str) -> f64 {
        self.seconds.iter().find(|(k, _)| k == key).map_or(0.0, |(_, x)| *x)
    }
}

fn line(row: &Row, seconds: &[(&str, f64)]) -> Result<String, serde_json::Error> {
    let mut value = serde_json::to_value(row)?;
    if let Value::Object(map) = &mut value {
        for (key, x) in seconds {
            debug_assert!(key.contains("seconds") && key.bytes().all(|b| b == b'_' || b.is_ascii_lowercase()));
            map.insert((*key).into(), Value::from(*x));
        }
    }
    Ok(format!("{value}\n"))
}

fn parse(text: &str) -> Result<(Row, Vec<(String, f64)>), String> {
    let map: Map<String, Value> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let seconds = map.iter().filter(|(k, _)| k.contains("seconds"));
    let seconds = seconds.filter_map(|(k, v)| Some((k.clone(), v.as_f64()?))).collect();
    let row = serde_json::from_value(Value::Object(map)).map_err(|e| e.to_string())?;
    Ok((row, seconds))
}

/// `metrics.jsonl` of the run in `dir`, to be followed while it grows.
pub fn follow(dir: &Path) -> Tail<Logged> {
    let parse = |text: &str, _, end| {
        let (row, seconds) = parse(text)?;
        Ok(Logged { row, seconds, end })
    };
    let check = |logged: &Logged, number: usize| match logged.row.iteration {
        i if i == number as u64 => Ok(()),
        i => Err(format!("`iteration` must be {number} here, found {i}")),
    };
    Tail::new(dir.join(NAME), Format { what: "a row of a run", parse, check })
}

/// Rows of the run in `dir`, in order, without a torn last line.
///
/// # Errors
/// The file is missing or unreadable, or a line that is not the last is no row, or iterations do not count 1, 2, 3, ...
pub fn read(dir: &Path) -> Result<Vec<Logged>, Fault> {
    let path = dir.join(NAME);
    if matches!(std::fs::metadata(&path), Err(e) if e.kind() == std::io::ErrorKind::NotFound) {
        return Err(Fault::Unusable(format!("{}: no such file; is this a run directory?", path.display())));
    }
    follow(dir).all()
}

/// `metrics.jsonl` open for appending.
pub struct Writer {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Writer {
    /// An empty file.
    pub fn create(dir: &Path) -> Result<Writer, Fault> {
        let path = dir.join(NAME);
        let file = File::create(&path).map_err(|e| file::io(&path, "cannot be created", &e))?;
        Ok(Writer { path, file, length: 0 })
    }

    /// The existing file, cut behind `rows` (what lies behind them belongs to no checkpoint).
    pub fn reopen(dir: &Path, rows: &[Logged]) -> Result<Writer, Fault> {
        let path = dir.join(NAME);
        let length = rows.last().map_or(0, |r| r.end);
        let cut = || -> std::io::Result<File> {
            let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
            file.set_len(length)?;
            file.seek(SeekFrom::Start(length))?;
            file.sync_all()?;
            Ok(file)
        };
        let file = cut().map_err(|e| file::io(&path, "cannot be written", &e))?;
        Ok(Writer { path, file, length })
    }

    /// Appends one row. After an error the file still ends with the row before, if the system lets us cut it.
    pub fn append(&mut self, row: &Row, seconds: &[(&str, f64)]) -> Result<(), Fault> {
        let line = line(row, seconds).map_err(|e| Fault::Io(format!("{}: {e}", self.path.display())))?;
        if let Err(e) = self.file.write_all(line.as_bytes()) {
            let _ = self.file.set_len(self.length);
            return Err(file::io(&self.path, "cannot be written", &e));
        }
        self.length += line.len() as u64;
        Ok(())
    }

    /// Makes the rows so far durable.
    pub fn sync(&mut self) -> Result<(), Fault> {
        self.file.sync_data().map_err(|e| file::io(&self.path, "cannot be synced", &e))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::math::summary::Estimate;

    /// A row with recognisable numbers.
    pub(crate) fn row(iteration: u64) -> Row {
        let x = Estimate { mean: 0.1 * iteration as f64, low: None, high: Some(1.0) };
        Row {
            iteration,
            returns: vec![x, x],
            value: x,
            gain: x,
            episode_length: vec![100.0, 100.0],
            gradient_norm: 1.0 / 3.0,
            gradient_noise: Some(0.2),
            outer_gradient_norm: 0.3,
            sampling_coefficient: 0.4,
            inner_gradient_norm: 0.5,
            update_norm: 0.6,
            entropy: 1.5,
            effective_sample_size: None,
            kl: None,
            backtracks: None,
            clip_fraction: None,
            inner_kl: None,
            budget: Budget { environment_steps: 100 * iteration, ..Budget::default() },
        }
    }

    fn written(n: u64) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("scratch");
        let mut writer = Writer::create(dir.path()).expect("writable");
        for i in 1..=n {
            writer.append(&row(i), &[("seconds", 0.25)]).expect("writable");
        }
        let path = dir.path().join(NAME);
        (dir, path)
    }

    #[test]
    fn rows_come_back_as_they_were_written() {
        let (dir, _) = written(3);
        let rows = read(dir.path()).expect("whole");
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[2].row, row(3));
        assert_eq!(rows[2].seconds("seconds"), 0.25);
    }

    #[test]
    fn a_torn_last_line_is_dropped_and_cut() {
        for torn in ["{\"iteration\":4,\"retu", "\0\0\0\0\n", "{}\n"] {
            let (dir, path) = written(3);
            let whole = std::fs::read(&path).expect("there");
            OpenOptions::new().append(true).open(&path).expect("there").write_all(torn.as_bytes()).expect("writable");
            let rows = read(dir.path()).expect("only the last line is torn");
            assert_eq!(rows.len(), 3);
            Writer::reopen(dir.path(), &rows).expect("writable");
            assert_eq!(std::fs::read(&path).expect("there"), whole);
        }
    }

    #[test]
    fn reopening_drops_rows_behind_the_checkpoint() {
        let (dir, path) = written(5);
        let rows = read(dir.path()).expect("whole");
        let mut writer = Writer::reopen(dir.path(), &rows[..2]).expect("writable");
        writer.append(&row(3), &[("seconds", 0.25)]).expect("writable");
        drop(writer);
        let (_other, three) = written(3);
        assert_eq!(std::fs::read(path).expect("there"), std::fs::read(three).expect("there"));
    }

    #[test]
    fn a_bad_line_in_the_middle_is_named() {
        let (dir, path) = written(3);
        let text = std::fs::read_to_string(&path).expect("there").replacen("\"iteration\":2", "\"iteration\":7", 1);
        std::fs::write(&path, text).expect("writable");
        let message = read(dir.path()).expect_err("7 is not 2").to_string();
        assert!(message.contains("line 2") && message.contains(NAME), "{message}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_a_message() {
        let file = OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        let mut writer = Writer { path: "/dev/full".into(), file, length: 0 };
        let fault = writer.append(&row(1), &[]).expect_err("always full");
        assert!(matches!(&fault, Fault::Io(m) if m.contains("/dev/full") && m.contains("No space left")), "{fault}");
    }
}
