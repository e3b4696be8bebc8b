//! The emulator's source archive: known by its checksum, kept for the next build, unpacked beside it.

use super::{Remarks, download, failed};
use crate::app::failure::Failure;
use flate2::read::GzDecoder;
use std::fs;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use tasks::checksum::sha256;

/// Name of the archive.
pub const NAME: &str = "ale_py-0.12.1.tar.gz";

/// Its SHA-256.
const SHA256: &str = "c503d574c5983e1063b451201ccb779d935919c0f6bf116fb0f4f8aa4c86d249";

/// Where the ROMs lie in it.
const ROMS: &str = "src/ale/python/roms";

/// Replaces `path` by `bytes`, never leaving half of them under its name.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    crate::record::file::replace(path, bytes).map_err(|e| Failure::Internal(e.to_string()))
}

/// Copies the user's archive into `dir`.
pub fn adopt(from: &Path, dir: &Path) -> Result<(), Failure> {
    let bytes =
        fs::read(from).map_err(|e| Failure::Usage(format!("--from: {}: cannot be read: {e}", from.display())))?;
    let found = sha256(&bytes);
    if found != SHA256 {
        let why = format!("not {NAME}: its SHA-256 is {found}, expected {SHA256}");
        return Err(Failure::Usage(format!("--from: {}: {why}", from.display())));
    }
    replace(&dir.join(NAME), &bytes)
}

/// The archive in `dir`, downloaded if it is not there or damaged.
pub fn have(dir: &Path, remarks: &Remarks) -> Result<PathBuf, Failure> {
    let path = dir.join(NAME);
    let there = |path: &Path| fs::read(path).is_ok_and(|b| sha256(&b) == SHA256);
    if !there(&path) {
        remarks.say("Downloading ALE 0.12.1: emulator and 108 ROMs, 11 MB, licensed under GPL-2.0 ...");
        let temporary = dir.join("download.tmp");
        let file = download::into(&temporary)?;
        if !there(&file) {
            return Err(Failure::Internal(format!("{}: the download is damaged; try again", file.display())));
        }
        fs::rename(&file, &path).map_err(|e| failed(&path, "cannot be written", &e))?;
        let _ = fs::remove_dir_all(&temporary); // left-overs are removed before the next download as well
    }
    Ok(path)
}

fn open(archive: &Path) -> Result<tar::Archive<GzDecoder<BufReader<fs::File>>>, Failure> {
    let file = fs::File::open(archive).map_err(|e| failed(archive, "cannot be read", &e))?;
    Ok(tar::Archive::new(GzDecoder::new(BufReader::new(file))))
}

/// Path of an entry below the archive's one directory.
fn below<R: std::io::Read>(entry: &tar::Entry<'_, R>) -> Option<PathBuf> {
    let path = entry.path().ok()?;
    let mut parts = path.components();
    parts.next()?;
    let rest = parts.as_path();
    let plain = rest.components().all(|c| matches!(c, std::path::Component::Normal(_)));
    (plain && entry.header().entry_type().is_file()).then(|| rest.to_path_buf())
}

/// Unpacks the emulator's C++ source into a fresh directory in `dir` and returns that.
pub fn unpack(archive: &Path, dir: &Path) -> Result<PathBuf, Failure> {
    let target = dir.join("source.tmp");
    if target.exists() {
        fs::remove_dir_all(&target).map_err(|e| failed(&target, "cannot be removed", &e))?;
    }
    let damaged = |e: std::io::Error| failed(archive, "cannot be unpacked", &e);
    for entry in open(archive)?.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let Some(path) = below(&entry) else { continue };
        let source = path.starts_with("src/ale") && !path.starts_with("src/ale/python");
        if source || path == Path::new("LICENSE.md") {
            let path = target.join(path);
            let parent = path.parent().unwrap_or(&target);
            fs::create_dir_all(parent).map_err(|e| failed(parent, "cannot be created", &e))?;
            let mut file = fs::File::create(&path).map_err(|e| failed(&path, "cannot be written", &e))?;
            std::io::copy(&mut entry, &mut file).map_err(|e| failed(&path, "cannot be written", &e))?;
        }
    }
    Ok(target)
}

/// Hands every ROM in the archive to `take`: file name and content.
pub fn roms(archive: &Path, mut take: impl FnMut(&str, &[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
    let damaged = |e: std::io::Error| failed(archive, "cannot be unpacked", &e);
    for entry in open(archive)?.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let Some(path) = below(&entry).filter(|p| p.starts_with(ROMS)) else { continue };
        if path.extension().is_some_and(|e| e == "bin") {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(damaged)?;
            take(&path.file_name().unwrap_or_default().to_string_lossy(), &bytes)?;
        }
    }
    Ok(())
}
