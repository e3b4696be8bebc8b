//! The lock file of a directory that a live process writes to: it dies with the process, however that ends.

use super::{Fault, file};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

/// Name of the lock file.
pub const NAME: &str = "stillpoint.lock";

/// A locked directory; unlocked when dropped.
pub struct Lock {
    _file: File,
}

/// Locks `dir`; `doing` says in a message what a process does that has it already.
///
/// # Errors
/// Another process has it, or the system refuses.
pub(super) fn take(dir: &Path, doing: &str) -> Result<Lock, Fault> {
    let path = dir.join(NAME);
    let handle = OpenOptions::new().create(true).append(true).open(&path);
    let handle = handle.map_err(|e| file::io(&path, "cannot be opened", &e))?;
    match handle.try_lock() {
        Ok(()) => Ok(Lock { _file: handle }),
        Err(TryLockError::WouldBlock) => Err(Fault::Unusable(format!(
            "{}: another process is {doing} in this directory; wait for it or choose another --out",
            dir.display()
        ))),
        Err(TryLockError::Error(e)) => Err(file::io(&path, "cannot be locked", &e)),
    }
}
