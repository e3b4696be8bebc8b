//! Files that are either the old version or the new one, whatever happens in between.

use super::Fault;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Suffix of files that are being written. Whatever carries it may be deleted.
pub const TEMPORARY: &str = ".tmp";

/// `PATH: what: OS error`.
pub(crate) fn io(path: &Path, what: &str, error: &std::io::Error) -> Fault {
    let hint = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            " (what was saved before is intact: free some space, then go on with --resume)"
        }
        _ => "",
    };
    Fault::Io(format!("{}: {what}: {error}{hint}", path.display()))
}

fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!("{name}{TEMPORARY}"))
}

/// Makes the names in `dir` durable. Without effect where directories cannot be synced.
pub(crate) fn sync_directory(dir: &Path) -> Result<(), Fault> {
    #[cfg(unix)]
    File::open(dir).and_then(|d| d.sync_all()).map_err(|e| io(dir, "cannot be synced", &e))?;
    let _ = dir;
    Ok(())
}

/// Replaces `path` by `bytes`: temporary file beside it, fsync, rename. The name is durable after [`sync_directory`].
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let temp = temporary(path);
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&temp)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temp, path)
    };
    write().map_err(|e| {
        let _ = std::fs::remove_file(&temp); // best effort: the message about the first error matters more
        io(path, "cannot be written", &e)
    })
}

/// [`replace`] and [`sync_directory`].
pub(crate) fn replace_durably(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    replace(path, bytes)?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

/// Names in `dir`, sorted; empty if there is no such directory.
pub(crate) fn names(dir: &Path) -> Result<Vec<String>, Fault> {
    let entries = match std::fs::read_dir(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|e| io(dir, "cannot be listed", &e))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| io(dir, "cannot be listed", &e))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Makes the first free `parent/STEM-N`, N = 1, 2, ...
pub(crate) fn fresh(parent: &Path, stem: &str) -> Result<PathBuf, Fault> {
    std::fs::create_dir_all(parent).map_err(|e| io(parent, "cannot be made", &e))?;
    for n in 1u64.. {
        let dir = parent.join(format!("{stem}-{n}"));
        match std::fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(io(&dir, "cannot be made", &e)),
        }
    }
    Err(Fault::Io(format!("{}: no free name is left", parent.display())))
}

/// The names of files that are in the way, the first three of them.
pub(crate) fn few(names: &[String]) -> String {
    match names {
        [a, b, c, _, ..] => format!("{a}, {b}, {c}, ..."),
        few => few.join(", "),
    }
}

/// Removes a file that may be gone already.
pub(crate) fn remove(path: &Path) -> Result<(), Fault> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(io(path, "cannot be removed", &e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_version() {
        let dir = tempfile::tempdir().expect("scratch");
        let path = dir.path().join("a.json");
        replace_durably(&path, b"old").expect("writable");
        std::fs::create_dir(temporary(&path)).expect("an obstacle where the temporary file goes");
        let fault = replace(&path, b"new").expect_err("the obstacle");
        assert!(matches!(&fault, Fault::Io(m) if m.contains("a.json") && m.contains("cannot be written")), "{fault}");
        assert_eq!(std::fs::read(&path).expect("still there"), b"old");
    }

    #[test]
    fn a_full_disk_is_explained() {
        let fault = io(Path::new("x"), "cannot be written", &std::io::ErrorKind::StorageFull.into());
        assert!(fault.to_string().contains("--resume"));
    }
}
