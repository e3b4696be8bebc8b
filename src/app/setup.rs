//! `setup atari`: gets the emulator's source, builds it with our shim, installs the ROMs, all in the user's data directory.

mod archive;
mod build;
mod download;
mod roms;
mod status;

use super::failure::Failure;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use tasks::atari::home::{self, Home};
use tasks::atari::library::{self, Library};
use tasks::atari::manifest::Manifest;
use tasks::checksum::sha256;

/// What the command line asks of `setup atari`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The source archive, for machines without network.
    pub from: Option<PathBuf>,
    /// A directory with the user's own ROMs.
    pub roms: Option<PathBuf>,
    /// Only say what is installed.
    pub status: bool,
    /// No remarks.
    pub quiet: bool,
}

/// Remarks on stderr.
struct Remarks {
    quiet: bool,
}

impl Remarks {
    fn say(&self, text: &str) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }
}

/// Runs the command.
///
/// # Errors
/// A file that is not what it should be, a compiler or an interpreter that is not there (usage); a download, a compilation or a disk that
/// fails (internal).
pub fn run(request: Request) -> Result<(), Failure> {
    let home = Home::of_user();
    if request.status {
        return status::print(&home);
    }
    let remarks = Remarks { quiet: request.quiet };
    let dir = home.directory();
    std::fs::create_dir_all(dir).map_err(|e| failed(dir, "cannot be created", &e))?;
    let _lock = lock(dir)?;
    let own = request.roms.as_deref().map(roms::own).transpose()?;
    if let Some(from) = &request.from {
        archive::adopt(from, dir)?;
    }
    let built = is_built(&home);
    let complete = own.is_none() && roms::wrong(&home).is_empty();
    if built && complete {
        remarks.say("Everything is in place.");
        return status::print(&home);
    }
    let archive = archive::have(dir, &remarks)?;
    if !built {
        build(&home, &archive, &remarks)?;
    }
    roms::install(&home, &archive, own.unwrap_or_default(), &remarks)?;
    status::print(&home)
}

/// One set-up at a time; the lock dies with the process.
fn lock(dir: &Path) -> Result<File, Failure> {
    let path = dir.join("setup.lock");
    let open = OpenOptions::new().create(true).append(true).open(&path);
    let file = open.map_err(|e| failed(&path, "cannot be opened", &e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Failure::Usage(format!("{}: another `stillpoint setup` is at work here; wait for it", dir.display())))
        }
        Err(TryLockError::Error(e)) => Err(failed(&path, "cannot be locked", &e)),
    }
}

/// `PATH: what: OS error`, as an internal failure.
fn failed(path: &Path, what: &str, error: &std::io::Error) -> Failure {
    Failure::Internal(format!("{}: {what}: {error}", path.display()))
}

/// `1 ROM`, `2 ROMs`.
fn counted(n: usize) -> String {
    format!("{n} ROM{}", if n == 1 { "" } else { "s" })
}

/// Whether the library that is there is the one that this program would build, whole and loadable.
fn is_built(home: &Home) -> bool {
    Manifest::read(home).is_ok_and(|m| m.shim == sha256(library::SHIM.as_bytes())) && Library::open(home).is_ok()
}

/// Compiles the emulator. The manifest is written when all else is in place: stopped before, the next set-up builds again.
fn build(home: &Home, archive: &Path, remarks: &Remarks) -> Result<(), Failure> {
    let dir = home.directory();
    let source = archive::unpack(archive, dir)?;
    let compiler = build::compile(&source, &home.library(), remarks)?;
    let library = std::fs::read(home.library()).map_err(|e| failed(&home.library(), "cannot be read", &e))?;
    let manifest = Manifest {
        ale: home::ALE_VERSION.into(),
        abi: library::ABI,
        shim: sha256(library::SHIM.as_bytes()),
        compiler,
        library: sha256(&library),
    };
    let licence = source.join("LICENSE.md");
    if let Ok(text) = std::fs::read(&licence) {
        archive::replace(&dir.join("LICENSE.md"), &text)?;
    }
    std::fs::remove_dir_all(&source).map_err(|e| failed(&source, "cannot be removed", &e))?;
    let text = serde_json::to_string_pretty(&manifest).map_err(|e| Failure::Internal(e.to_string()))?;
    archive::replace(&home.manifest(), format!("{text}\n").as_bytes())?;
    Library::open(home).map(drop).map_err(|e| Failure::Internal(e.to_string()))
}
