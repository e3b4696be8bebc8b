//! What is installed, in which version, how much of it and where.

use super::{archive, counted, roms};
use crate::app::failure::Failure;
use std::fmt::Write as _;
use std::io::Write as _;
use tasks::atari::games;
use tasks::atari::home::Home;
use tasks::atari::library::{ABI, Library};
use tasks::atari::manifest::Manifest;

/// Prints it.
///
/// # Errors
/// Something is missing or wrong (usage); it is printed all the same.
pub fn print(home: &Home) -> Result<(), Failure> {
    let mut text = String::new();
    let library = Library::open(home);
    let emulator = match &library {
        Ok(library) => format!("ALE {} (licensed under GPL-2.0), interface {ABI}", library.version()),
        Err(e) => e.to_string(),
    };
    let wrong = roms::wrong(home);
    let (all, benchmark) = (games::all().len(), games::benchmark().count());
    let bad = wrong.iter().filter(|(g, _)| g.benchmark.is_some()).count();
    let _ = writeln!(text, "emulator   {emulator}");
    let _ = writeln!(text, "directory  {}", home.directory().display());
    let _ = writeln!(text, "library    {}", home.library().display());
    if let Ok(manifest) = Manifest::read(home) {
        let _ = writeln!(text, "built by   {}", manifest.compiler);
    }
    let _ = writeln!(
        text,
        "ROMs       {} of {all}, {} of {benchmark} of the benchmark, MD5s checked",
        all - wrong.len(),
        benchmark - bad
    );
    let source = home.directory().join(archive::NAME);
    if source.exists() {
        let _ = writeln!(text, "source     {}", source.display());
    }
    std::io::stdout().lock().write_all(text.as_bytes())?;
    match (library, wrong.first()) {
        (Ok(_), None) => Ok(()),
        (Err(why), _) => Err(Failure::Usage(why.to_string())),
        (Ok(_), Some((_, why))) if wrong.len() == all => Err(Failure::Usage(why.to_string())),
        (Ok(_), Some((_, why))) => {
            let verb = if wrong.len() == 1 { "is" } else { "are" };
            Err(Failure::Usage(format!("{} {verb} missing or wrong: {why}", counted(wrong.len()))))
        }
    }
}
