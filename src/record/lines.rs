//! The file of a run's rows while it is written: one JSON object per line, appended whole.

use super::{Fault, file};
use serde::Serialize;
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// A file of rows.
pub(super) struct Lines {
    path: PathBuf,
    file: File,
}

impl Lines {
    /// An empty file.
    pub fn create(path: &Path) -> Result<Lines, Fault> {
        let file = File::create(path).map_err(|e| file::io(path, "cannot be created", &e))?;
        Ok(Lines { path: path.to_path_buf(), file })
    }

    /// The file with what is behind its first `length` bytes cut off.
    pub fn reopen(path: &Path, length: u64) -> Result<Lines, Fault> {
        let cut = || -> std::io::Result<File> {
            let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
            file.set_len(length)?;
            file.seek(SeekFrom::Start(length))?;
            Ok(file)
        };
        let file = cut().map_err(|e| file::io(path, "cannot be written", &e))?;
        Ok(Lines { path: path.to_path_buf(), file })
    }

    /// Writes one row with its machine-dependent numbers.
    pub fn append<R: Serialize>(&mut self, row: &R, seconds: &[(&str, f64)]) -> Result<(), Fault> {
        let broken = |e: serde_json::Error| Fault::Io(format!("{}: {e}", self.path.display()));
        let mut value = serde_json::to_value(row).map_err(broken)?;
        if let Value::Object(map) = &mut value {
            seconds.iter().for_each(|(key, x)| drop(map.insert((*key).into(), Value::from(*x))));
        }
        let line = format!("{value}\n");
        self.file.write_all(line.as_bytes()).map_err(|e| file::io(&self.path, "cannot be written", &e))
    }

    /// Makes what was written durable.
    pub fn sync(&self) -> Result<(), Fault> {
        self.file.sync_data().map_err(|e| file::io(&self.path, "cannot be synced", &e))
    }
}
