//! Where the emulator library and the ROMs live, and whether a ROM is the right one.

use super::error::AtariError;
use super::games::Game;
use md5::{Digest as _, Md5};
use std::path::{Path, PathBuf};

/// Version of the emulator that is installed and whose behaviour the fixtures pin.
pub const ALE_VERSION: &str = "0.12.1";

/// Environment variable that names another data directory.
pub const DATA_VARIABLE: &str = "STILLPOINT_DATA";

/// The user's data directory: `$STILLPOINT_DATA`, else `$XDG_DATA_HOME/stillpoint`, else `~/.local/share/stillpoint`.
pub fn data_directory() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(dir) = set(DATA_VARIABLE) {
        return dir;
    }
    let base = set("XDG_DATA_HOME").filter(|p| p.is_absolute());
    let home = || set("HOME").or_else(|| set("USERPROFILE")).unwrap_or_default().join(".local").join("share");
    base.unwrap_or_else(home).join("stillpoint")
}

/// One installation of the emulator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    /// The installation below `data`.
    pub fn below(data: &Path) -> Home {
        Home(data.join(format!("ale-{ALE_VERSION}")))
    }

    /// The installation of this user.
    pub fn of_user() -> Home {
        Home::below(&data_directory())
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// The emulator with our shim, as a shared library.
    pub fn library(&self) -> PathBuf {
        self.0.join(format!("{}stillpoint_ale{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX))
    }

    /// What the library is, see [`super::manifest::Manifest`].
    pub fn manifest(&self) -> PathBuf {
        self.0.join("manifest.json")
    }

    /// The ROMs.
    pub fn roms(&self) -> PathBuf {
        self.0.join("roms")
    }

    /// The ROM of `game`.
    pub fn rom(&self, game: &Game) -> PathBuf {
        self.roms().join(game.rom_file())
    }
}

/// MD5 in lower-case hexadecimal.
pub fn md5(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Reads the ROM at `path` and holds it against the table.
///
/// # Errors
/// [`AtariError::RomMissing`] and [`AtariError::RomWrong`], which name the file.
pub fn verify(path: &Path, game: &Game) -> Result<(), AtariError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(AtariError::RomMissing(path.to_path_buf())),
        Err(e) => return Err(AtariError::Usage(format!("{}: cannot be read: {e}", path.display()))),
    };
    let found = md5(&bytes);
    if found == game.md5 { Ok(()) } else { Err(AtariError::rom_wrong(path, found, game.md5)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atari::games;

    #[test]
    fn md5_of_known_texts() {
        assert_eq!(md5(b""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(md5(b"abc"), "900150983cd24fb0d6963f7d28e17f72");
    }

    #[test]
    fn a_wrong_rom_is_named() {
        let dir = std::env::temp_dir().join(format!("stillpoint-rom-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("writable");
        let (path, pong) = (dir.join("pong.bin"), games::find("pong").expect("there"));
        assert!(matches!(verify(&path, pong), Err(AtariError::RomMissing(_))));
        std::fs::write(&path, b"abc").expect("writable");
        let message = verify(&path, pong).expect_err("not Pong").to_string();
        assert!(message.contains("pong.bin") && message.contains("900150983cd24fb0d6963f7d28e17f72"), "{message}");
        std::fs::remove_dir_all(&dir).expect("ours");
    }
}
