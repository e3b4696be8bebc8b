//! Downloads the emulator's source archive with the user's own pip, which knows where their packages come from.

use super::{archive, failed};
use crate::app::failure::Failure;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Before it saves a source archive, pip asks the package's build system for its name and version. The real one would
/// be installed first, with CMake and more; this one in its place answers from what is known.
const BACKEND: &str = r#"
import os


def prepare_metadata_for_build_wheel(directory, config_settings=None):
    name = "ale_py-0.12.1.dist-info"
    os.makedirs(os.path.join(directory, name), exist_ok=True)
    with open(os.path.join(directory, name, "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\nName: ale-py\nVersion: 0.12.1\n")
    return name
"#;

const BY_HAND: &str = "On another machine,\n  \
    python3 -m pip download ale-py==0.12.1 --no-deps --no-binary ale-py\n\
    fetches ale_py-0.12.1.tar.gz as well; then run `stillpoint setup atari --from ale_py-0.12.1.tar.gz` here.";

/// Names the Python interpreter to use.
const VARIABLE: &str = "STILLPOINT_PYTHON";

/// Why an interpreter is of no use, if it is not.
fn without_pip(python: &OsStr) -> Option<String> {
    let asked = Command::new(python).args(["-m", "pip", "--version"]).stdin(Stdio::null()).output();
    match asked {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("nothing").trim().to_string();
            Some(format!("`-m pip --version` fails with it: {last}"))
        }
        Err(e) => Some(format!("cannot be run: {e}")),
    }
}

/// The interpreter whose pip downloads: the one that the user names and no other, else whichever there is.
fn interpreter() -> Result<OsString, Failure> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|p| !p.is_empty()) {
        return match without_pip(&named) {
            None => Ok(named),
            Some(why) => Err(Failure::Usage(format!("{VARIABLE}: {}: {why}", named.display()))),
        };
    }
    let found = ["python3", "python"].map(OsString::from).into_iter().find(|p| without_pip(p).is_none());
    found.ok_or_else(|| {
        Failure::Usage(format!(
            "Python with pip is needed to download the emulator and was not found ({VARIABLE} names another \
             interpreter).\n{BY_HAND}"
        ))
    })
}

/// Downloads the archive into the fresh directory `into` and returns the file.
pub fn into(into: &Path) -> Result<PathBuf, Failure> {
    let python = interpreter()?;
    if into.exists() {
        fs::remove_dir_all(into).map_err(|e| failed(into, "cannot be removed", &e))?;
    }
    let backend = into.join("backend").join("scikit_build_core");
    fs::create_dir_all(&backend).map_err(|e| failed(&backend, "cannot be created", &e))?;
    for (name, text) in [("__init__.py", ""), ("build.py", BACKEND)] {
        let path = backend.join(name);
        fs::write(&path, text).map_err(|e| failed(&path, "cannot be written", &e))?;
    }
    let output = Command::new(&python)
        .args(["-m", "pip", "download", "ale-py==0.12.1", "--no-deps", "--no-binary", "ale-py"])
        .args(["--no-build-isolation", "--quiet", "--disable-pip-version-check", "--no-input", "--dest"])
        .arg(into)
        .env("PYTHONPATH", into.join("backend"))
        .stdin(Stdio::null())
        .output()
        .map_err(|e| Failure::Internal(format!("{}: cannot be run: {e}", python.display())))?;
    let file = into.join(archive::NAME);
    if output.status.success() && file.exists() {
        return Ok(file);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().map(str::trim_end).filter(|l| !l.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(3)..].join("\n  ");
    Err(Failure::Internal(format!("the emulator cannot be downloaded; pip says:\n  {last}\n{BY_HAND}")))
}
