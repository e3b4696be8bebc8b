//! What can go wrong between a game's name and its next frame, in the user's words.

use std::path::{Path, PathBuf};

/// Why a game cannot be played, or not any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AtariError {
    /// No emulator library where one was looked for.
    NotInstalled(PathBuf),
    /// The library was built for another version of this program.
    WrongVersion {
        /// The library.
        path: PathBuf,
        /// Its interface version.
        found: i32,
        /// The version that this program speaks.
        wanted: i32,
    },
    /// A file of the installation is not the one that was installed.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The library is there and cannot be loaded.
    Unloadable {
        /// The library.
        path: PathBuf,
        /// What the system's loader says.
        why: String,
    },
    /// No game is called this; the text suggests one.
    UnknownGame(String),
    /// The ROM is not where it belongs.
    RomMissing(PathBuf),
    /// The file is not the ROM that the table of games names.
    RomWrong {
        /// The file.
        path: PathBuf,
        /// MD5 of what is there.
        found: String,
        /// MD5 of the ROM.
        wanted: &'static str,
    },
    /// The emulator refused: an exception inside the library, caught at its border.
    Emulator(String),
    /// A saved state that is damaged, or of another game, protocol or version.
    State(String),
    /// A protocol that contradicts itself, or an action or a call that is out of place.
    Usage(String),
}

impl AtariError {
    /// The file of the table was read and is not that ROM.
    pub(crate) fn rom_wrong(path: &Path, found: String, wanted: &'static str) -> AtariError {
        AtariError::RomWrong { path: path.to_path_buf(), found, wanted }
    }
}

impl std::fmt::Display for AtariError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AtariError::NotInstalled(path) => write!(
                f,
                "the Atari emulator is not installed ({} does not exist); `stillpoint setup atari` installs it",
                path.display()
            ),
            AtariError::WrongVersion { path, found, wanted } => write!(
                f,
                "{}: shim of another version (interface {found}, this program needs {wanted}); run `stillpoint setup atari` again",
                path.display()
            ),
            AtariError::Damaged { path, why } => {
                write!(f, "{}: the Atari emulator is damaged ({why}); run `stillpoint setup atari`", path.display())
            }
            AtariError::Unloadable { path, why } => {
                write!(f, "{}: cannot be loaded: {why}; `stillpoint setup atari` builds it anew", path.display())
            }
            AtariError::UnknownGame(message) => f.write_str(message),
            AtariError::RomMissing(path) => write!(
                f,
                "{}: ROM missing; `stillpoint setup atari` installs it, `--roms DIR` takes your own",
                path.display()
            ),
            AtariError::RomWrong { path, found, wanted } => write!(
                f,
                "{}: not the ROM of this game (MD5 {found}, expected {wanted}); `stillpoint setup atari` replaces it",
                path.display()
            ),
            AtariError::Emulator(why) => write!(f, "the Atari emulator failed: {why}"),
            AtariError::State(why) => write!(f, "Atari state: {why}"),
            AtariError::Usage(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for AtariError {}
