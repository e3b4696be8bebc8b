//! What was built, and how: the file beside the emulator library by which a damaged one is known before it is loaded.

use super::error::AtariError;
use super::home::{ALE_VERSION, Home};
use super::library::ABI;
use crate::checksum::sha256;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::Path;

/// What the library of a [`Home`] is. Written last, so that its presence means that the library beside it is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Emulator version.
    pub ale: String,
    /// Interface version of the shim.
    pub abi: i32,
    /// SHA-256 of the shim's source.
    pub shim: String,
    /// Compiler and flags.
    pub compiler: String,
    /// SHA-256 of the library.
    pub library: String,
}

fn damaged(path: &Path, why: String) -> AtariError {
    AtariError::Damaged { path: path.to_path_buf(), why }
}

impl Manifest {
    /// The manifest of `home`.
    ///
    /// # Errors
    /// [`AtariError::Damaged`] if it is missing, unreadable or of another emulator; [`AtariError::WrongVersion`] if it is of another
    /// shim.
    pub fn read(home: &Home) -> Result<Manifest, AtariError> {
        let path = home.manifest();
        let bytes = std::fs::read(&path).map_err(|e| {
            let why = match e.kind() {
                ErrorKind::NotFound => "missing, so nothing says whether the library beside it is whole".to_string(),
                _ => format!("cannot be read: {e}"),
            };
            damaged(&path, why)
        })?;
        let read: Result<Manifest, serde_json::Error> = serde_json::from_slice(&bytes);
        let found = read.map_err(|e| damaged(&path, format!("not a manifest: {e}")))?;
        if found.ale != ALE_VERSION {
            return Err(damaged(&path, format!("of ALE {}, this program needs {ALE_VERSION}", found.ale)));
        }
        if found.abi != ABI {
            return Err(AtariError::WrongVersion { path, found: found.abi, wanted: ABI });
        }
        Ok(found)
    }

    /// The manifest of `home`, whose library is the file that it describes. A damaged file must not get as far as the system's loader,
    /// which maps it into memory: reading past the end of a truncated one kills the process.
    ///
    /// # Errors
    /// [`AtariError::NotInstalled`] without a library, [`AtariError::Unloadable`] if it cannot be read, [`AtariError::Damaged`] if it is
    /// another file; and as [`Manifest::read`].
    pub fn verify(home: &Home) -> Result<Manifest, AtariError> {
        let path = home.library();
        let library = std::fs::read(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => AtariError::NotInstalled(path.clone()),
            _ => AtariError::Unloadable { path: path.clone(), why: e.to_string() },
        })?;
        let manifest = Manifest::read(home)?;
        let found = sha256(&library);
        if found == manifest.library {
            return Ok(manifest);
        }
        let (length, built) = (library.len(), &manifest.library);
        Err(damaged(&path, format!("{length} bytes with SHA-256 {found}, built was one with {built}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_the_file_that_was_built_is_accepted() {
        let data = std::env::temp_dir().join(format!("stillpoint-manifest-{}", std::process::id()));
        let home = Home::below(&data);
        fs::create_dir_all(home.directory()).expect("writable");
        assert!(matches!(Manifest::verify(&home), Err(AtariError::NotInstalled(_))));
        let write = |path: &Path, bytes: &[u8]| fs::write(path, bytes).expect("writable");
        write(&home.library(), b"abc");
        let message = || Manifest::verify(&home).expect_err("damaged").to_string();
        assert!(message().contains("manifest.json") && message().contains("missing"), "{}", message());

        let (shim, compiler) = (String::new(), "c++".to_string());
        let whole = Manifest { ale: ALE_VERSION.into(), abi: ABI, shim, compiler, library: sha256(b"abc") };
        let describe =
            |manifest: &Manifest| write(&home.manifest(), &serde_json::to_vec(manifest).expect("serialisable"));
        describe(&whole);
        assert_eq!(Manifest::verify(&home), Ok(whole.clone()));
        for other in [&b"abd"[..], b"ab", b""] {
            write(&home.library(), other);
            assert!(message().contains("stillpoint_ale") && message().contains(&sha256(other)), "{}", message());
            assert!(message().contains("damaged") && message().contains("run `stillpoint setup atari`"));
        }
        write(&home.library(), b"abc");
        describe(&Manifest { ale: "0.11.0".into(), ..whole.clone() });
        assert!(message().contains("manifest.json") && message().contains("of ALE 0.11.0"), "{}", message());
        describe(&Manifest { abi: ABI + 1, ..whole });
        assert!(matches!(Manifest::verify(&home), Err(AtariError::WrongVersion { .. })));
        write(&home.manifest(), b"{\"ale\": \"0.12");
        assert!(message().contains("manifest.json") && message().contains("not a manifest"), "{}", message());
        fs::remove_dir_all(&data).expect("ours");
    }
}
