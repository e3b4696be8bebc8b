//! Whether a process is at work in a run directory.

use super::lock;
use std::fs::{File, TryLockError};
use std::path::Path;

/// Whether a process holds the run in `dir`; `None` where the system cannot tell.
///
/// Takes the lock, shared, for an instant if it is free; whoever wants the run looks twice before giving up.
pub fn is_live(dir: &Path) -> Option<bool> {
    let file = match File::open(dir.join(lock::NAME)) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Some(false),
        other => other.ok()?,
    };
    match file.try_lock_shared() {
        Ok(()) => Some(false),
        Err(TryLockError::WouldBlock) => Some(true),
        Err(TryLockError::Error(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::run;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn the_lock_tells() {
        let dir = tempfile::tempdir().expect("scratch");
        assert_eq!(is_live(dir.path()), Some(false));
        let session = run::claim(dir.path(), false).expect("free");
        assert_eq!(is_live(dir.path()), Some(true));
        drop(session);
        assert_eq!(is_live(dir.path()), Some(false));
    }

    #[test]
    fn looking_does_not_keep_a_run_from_starting() {
        let dir = tempfile::tempdir().expect("scratch");
        drop(run::claim(dir.path(), false).expect("free"));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    is_live(dir.path());
                    std::thread::sleep(std::time::Duration::from_micros(200));
                }
            });
            let refused = (0..300).filter(|_| run::claim(dir.path(), false).is_err()).count();
            done.store(true, Ordering::Relaxed);
            assert_eq!(refused, 0);
        });
    }
}
