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

/// What is built and how; written last, so that its presence means that the library beside it is whole.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Manifest {
    /// Emulator version.
    ale: String,
    /// Interface version of the shim.
    abi: i32,
    /// SHA-256 of the shim's source.
    shim: String,
    /// Compiler and flags.
    compiler: String,
    /// SHA-256 of the library.
    library: String,
}

const MANIFEST: &str = "manifest.json";

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
/// A file that is not what it should be (usage); a download, a compiler or a disk that fails (internal).
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

fn manifest(home: &Home) -> Option<Manifest> {
    serde_json::from_slice(&std::fs::read(home.directory().join(MANIFEST)).ok()?).ok()
}

/// Whether the library that is there is the one that this program would build, whole and loadable.
fn is_built(home: &Home) -> bool {
    let whole = |m: &Manifest| std::fs::read(home.library()).is_ok_and(|b| archive::sha256(&b) == m.library);
    manifest(home)
        .is_some_and(|m| m.abi == library::ABI && m.shim == archive::sha256(library::SHIM.as_bytes()) && whole(&m))
        && Library::open(home).is_ok()
}

fn build(home: &Home, archive: &Path, remarks: &Remarks) -> Result<(), Failure> {
    let dir = home.directory();
    let source = archive::unpack(archive, dir)?;
    let compiler = build::compile(&source, &home.library(), remarks)?;
    let library = std::fs::read(home.library()).map_err(|e| failed(&home.library(), "cannot be read", &e))?;
    let manifest = Manifest {
        ale: home::ALE_VERSION.into(),
        abi: library::ABI,
        shim: archive::sha256(library::SHIM.as_bytes()),
        compiler,
        library: archive::sha256(&library),
    };
    let text = serde_json::to_string_pretty(&manifest).map_err(|e| Failure::Internal(e.to_string()))?;
    archive::replace(&dir.join(MANIFEST), format!("{text}\n").as_bytes())?;
    let licence = source.join("LICENSE.md");
    if let Ok(text) = std::fs::read(&licence) {
        archive::replace(&dir.join("LICENSE.md"), &text)?;
    }
    std::fs::remove_dir_all(&source).map_err(|e| failed(&source, "cannot be removed", &e))?;
    Library::open(home).map(drop).map_err(|e| Failure::Internal(e.to_string()))
}
