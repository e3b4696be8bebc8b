//! ROMs: known by their MD5, taken from the user's directory first and from the archive where that has none.

use super::{Remarks, archive, counted, failed};
use crate::app::failure::Failure;
use std::fs;
use std::path::Path;
use tasks::atari::error::AtariError;
use tasks::atari::games::{self, Game};
use tasks::atari::home::{self, Home};

/// Larger files are no ROMs of this console.
const LARGEST: u64 = 1 << 20;

/// A game and its ROM.
pub type Rom = (&'static Game, Vec<u8>);

/// Games whose ROM in `home` is missing or not the right one, with the reason.
pub fn wrong(home: &Home) -> Vec<(&'static Game, AtariError)> {
    games::all().iter().filter_map(|g| home::verify(&home.rom(g), g).err().map(|e| (g, e))).collect()
}

/// The ROMs in the user's directory, whatever their names.
///
/// # Errors
/// A directory that cannot be read or has none; a file that bears a game's name and is another file.
pub fn own(dir: &Path) -> Result<Vec<Rom>, Failure> {
    let usage = |path: &Path, why: String| Failure::Usage(format!("--roms: {}: {why}", path.display()));
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(|e| usage(dir, format!("cannot be read: {e}")))? {
        let path = entry.map_err(|e| usage(dir, format!("cannot be read: {e}")))?.path();
        if !fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() <= LARGEST) {
            continue;
        }
        let bytes = fs::read(&path).map_err(|e| usage(&path, format!("cannot be read: {e}")))?;
        let md5 = home::md5(&bytes);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(game) = games::all().iter().find(|g| g.md5 == md5) {
            found.push((game, bytes));
        } else if let Some(game) = games::all().iter().find(|g| g.rom_file() == name) {
            return Err(usage(&path, format!("not the ROM of {} (MD5 {md5}, expected {})", game.name, game.md5)));
        }
    }
    if found.is_empty() {
        return Err(usage(dir, "no ROM of a known game is in it (they are recognised by their MD5)".into()));
    }
    Ok(found)
}

/// Puts every ROM in its place.
///
/// # Errors
/// A disk that fails; an archive whose ROMs are not those of the table.
pub fn install(home: &Home, archive: &Path, own: Vec<Rom>, remarks: &Remarks) -> Result<(), Failure> {
    let dir = home.roms();
    fs::create_dir_all(&dir).map_err(|e| failed(&dir, "cannot be created", &e))?;
    let given = own.len();
    for (game, bytes) in own {
        archive::replace(&home.rom(game), &bytes)?;
    }
    let missing = wrong(home);
    if !missing.is_empty() {
        archive::roms(archive, |file, bytes| match missing.iter().find(|(g, _)| g.rom_file() == file) {
            Some((game, _)) => archive::replace(&home.rom(game), bytes),
            None => Ok(()),
        })?;
    }
    if given > 0 {
        let (is, comes) = (if given == 1 { "is" } else { "are" }, if missing.len() == 1 { "comes" } else { "come" });
        remarks.say(&format!("{} {is} yours, {} {comes} from the archive.", counted(given), missing.len()));
    }
    match wrong(home).first() {
        None => Ok(()),
        Some((_, why)) => Err(Failure::Internal(why.to_string())),
    }
}
