//! Compiles the emulator's sources and our shim into one shared library, with the C++ compiler alone.

use super::{Remarks, failed};
use crate::app::failure::Failure;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tasks::atari::home::ALE_VERSION;
use tasks::atari::library::SHIM;

/// Flags of every file. Nothing of this machine's processor: a home directory may be shared with others.
const FLAGS: [&str; 5] = ["-std=c++17", "-O3", "-fPIC", "-DNDEBUG", "-w"];

/// A compiler with its own first arguments, e.g. `ccache g++`.
struct Compiler(Vec<String>);

impl Compiler {
    /// `$CXX`, else `c++`; extra flags from `$CXXFLAGS` and `$LDFLAGS`.
    fn of_user() -> Compiler {
        let words = |name: &str| std::env::var(name).unwrap_or_default();
        let named: Vec<String> = words("CXX").split_whitespace().map(str::to_string).collect();
        let mut all = if named.is_empty() { vec!["c++".to_string()] } else { named };
        for name in ["CXXFLAGS", "LDFLAGS"] {
            all.extend(words(name).split_whitespace().map(str::to_string));
        }
        Compiler(all)
    }

    /// Runs it; on failure, the first lines that it says.
    fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<(), String> {
        let mut command = Command::new(&self.0[0]);
        command.args(&self.0[1..]).args(args).stdin(Stdio::null());
        let output = command.output().map_err(|e| format!("{}: {e}", self.0[0]))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(said.lines().filter(|l| !l.trim().is_empty()).take(8).collect::<Vec<_>>().join("\n  "))
    }

    fn name(&self) -> String {
        self.0.join(" ")
    }
}

/// Refuses, in words, a machine that lacks the compiler or zlib.
fn check(compiler: &Compiler, dir: &Path) -> Result<(), Failure> {
    if cfg!(windows) {
        return Err(Failure::Usage("setup atari: the emulator is built on Linux and macOS only; use WSL".into()));
    }
    let probe = |name: &str, text: &str| -> Result<Result<(), String>, Failure> {
        let (source, library) = (dir.join(format!("{name}.cpp")), dir.join(format!("{name}.so")));
        fs::write(&source, text).map_err(|e| failed(&source, "cannot be written", &e))?;
        let args: Vec<&OsStr> = vec![
            "-std=c++17".as_ref(),
            "-fPIC".as_ref(),
            "-shared".as_ref(),
            source.as_ref(),
            "-o".as_ref(),
            library.as_ref(),
        ];
        let zlib = text.contains("zlib").then_some(OsStr::new("-lz"));
        Ok(compiler.run(args.into_iter().chain(zlib)))
    };
    if let Err(why) = probe("probe", "#include <filesystem>\nint x() { return 1; }\n")? {
        return Err(Failure::Usage(format!(
            "a C++17 compiler is needed and `{}` does not work:\n  {why}\nInstall one (Debian and Ubuntu: g++; Fedora: \
             gcc-c++; macOS: xcode-select --install; without root: conda install -c conda-forge cxx-compiler zlib) or \
             name it in CXX, and run `stillpoint setup atari` again.",
            compiler.name()
        )));
    }
    if let Err(why) = probe("zlib", "#include <zlib.h>\nconst char* x() { return zlibVersion(); }\n")? {
        return Err(Failure::Usage(format!(
            "zlib with its headers is needed:\n  {why}\nInstall it (Debian and Ubuntu: zlib1g-dev; Fedora: zlib-devel; \
             without root: conda install -c conda-forge zlib, then CXXFLAGS=-I$CONDA_PREFIX/include \
             LDFLAGS=-L$CONDA_PREFIX/lib) and run `stillpoint setup atari` again."
        )));
    }
    Ok(())
}

/// Files with one of `extensions` directly in `dir`, sorted.
fn listed(dir: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |e: std::io::Error| failed(dir, "cannot be listed", &e);
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|e| extensions.iter().any(|x| e == *x)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Writes what the archive leaves to CMake, and returns every file to compile.
fn sources(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let ale = root.join("src").join("ale");
    let write = |path: PathBuf, text: &str| -> Result<PathBuf, Failure> {
        fs::write(&path, text).map_err(|e| failed(&path, "cannot be written", &e))?;
        Ok(path)
    };
    let template = ale.join("version.hpp.in");
    let text = fs::read_to_string(&template).map_err(|e| failed(&template, "cannot be read", &e))?;
    let text = text.replace("@ALE_VERSION@", ALE_VERSION).replace("@ALE_VERSION_GIT_SHA@", "sdist");
    write(root.join("version.hpp"), &text)?;
    // the hundred small files of game rules share their headers: as one file they compile in seconds
    let games: String = listed(&ale.join("games").join("supported"), &["cpp"])?
        .iter()
        .map(|p| format!("#include \"ale/games/supported/{}\"\n", p.file_name().unwrap_or_default().to_string_lossy()))
        .collect();
    let mut files = vec![write(root.join("games.cpp"), &games)?, write(root.join("shim.cpp"), SHIM)?];
    for dir in ["emucore", "environment", "common", "games"] {
        files.extend(listed(&ale.join(dir), &["cpp", "cxx"])?);
    }
    files.push(ale.join("ale_interface.cpp"));
    files.retain(|f| !f.ends_with("phosphor_blend.cpp")); // the shim says why
    Ok(files)
}

/// Compiles every file, one per core at a time; the objects in order, or the first error.
fn objects(compiler: &Compiler, root: &Path, files: &[PathBuf], jobs: usize) -> Result<Vec<PathBuf>, Failure> {
    let object = |i: usize| root.join(format!("{i}.o"));
    let (next, error) = (AtomicUsize::new(0), Mutex::new(None::<String>));
    let include = root.join("src");
    let work = || {
        while let Some((i, file)) = files.get(next.load(Ordering::Relaxed)).and_then(|_| {
            let i = next.fetch_add(1, Ordering::Relaxed);
            files.get(i).map(|f| (i, f))
        }) {
            let mut args: Vec<&OsStr> = FLAGS.iter().map(OsStr::new).collect();
            let object = object(i);
            args.extend([OsStr::new("-I"), root.as_ref(), OsStr::new("-I"), include.as_ref()]);
            args.extend([OsStr::new("-c"), file.as_ref(), OsStr::new("-o"), object.as_ref()]);
            if let Err(why) = compiler.run(args) {
                let mut first = error.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                first.get_or_insert_with(|| format!("{} does not compile:\n  {why}", file.display()));
                next.store(files.len(), Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| (0..jobs).for_each(|_| drop(scope.spawn(work))));
    match error.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(why) => Err(Failure::Internal(why)),
        None => Ok((0..files.len()).map(object).collect()),
    }
}

/// Builds `library` from the unpacked archive at `root`; returns compiler and flags.
///
/// # Errors
/// A missing compiler or zlib, in words; what the compiler says.
pub fn compile(root: &Path, library: &Path, remarks: &Remarks) -> Result<String, Failure> {
    let compiler = Compiler::of_user();
    check(&compiler, root)?;
    let files = sources(root)?;
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    remarks.say(&format!("Compiling {} files with `{}`, {jobs} at a time ...", files.len(), compiler.name()));
    let objects = objects(&compiler, root, &files, jobs)?;
    let built = root.join("library");
    let mut args: Vec<&OsStr> = vec!["-shared".as_ref(), "-o".as_ref(), built.as_ref()];
    args.extend(objects.iter().map(|p| p.as_os_str()));
    args.push("-lz".as_ref());
    compiler.run(args).map_err(|why| Failure::Internal(format!("the emulator does not link:\n  {why}")))?;
    fs::rename(&built, library).map_err(|e| failed(library, "cannot be written", &e))?;
    Ok(format!("{} {}", compiler.name(), FLAGS.join(" ")))
}
