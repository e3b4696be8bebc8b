//! Records the commit the program is built from, for `--version`; "unknown" outside of a checkout.

use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let commit = checkout(&root).or_else(|| packaged(&root)).unwrap_or_else(|| "unknown".into());
    println!("cargo:rustc-env=STILLPOINT_COMMIT={}", &commit[..commit.len().min(12)]);
}

/// Tells cargo to look at `path` again; a path that does not exist would rebuild every time.
fn watch(path: &Path) {
    if path.exists() {
        println!("cargo:rerun-if-changed={}", path.display());
    }
}

fn is_commit(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Commit that HEAD of the checkout at `root` points to. Follows the `.git` file of a worktree.
fn checkout(root: &Path) -> Option<String> {
    let mut git = root.join(".git");
    if git.is_file() {
        let text = fs::read_to_string(&git).ok()?;
        git = root.join(text.strip_prefix("gitdir:")?.trim());
    }
    let common = match fs::read_to_string(git.join("commondir")) {
        Ok(text) => git.join(text.trim()),
        Err(_) => git.clone(),
    };
    watch(&git.join("HEAD"));
    watch(&git.join("logs/HEAD")); // grows with every commit, even if the reference itself was packed
    let head = fs::read_to_string(git.join("HEAD")).ok()?;
    let head = head.trim();
    let Some(reference) = head.strip_prefix("ref:").map(str::trim) else {
        return is_commit(head).then(|| head.to_string());
    };
    watch(&common.join(reference));
    watch(&common.join("packed-refs"));
    if let Ok(text) = fs::read_to_string(common.join(reference)) {
        return is_commit(text.trim()).then(|| text.trim().to_string());
    }
    let packed = fs::read_to_string(common.join("packed-refs")).ok()?;
    let line = packed.lines().find(|l| l.split_whitespace().nth(1) == Some(reference))?;
    line.split_whitespace().next().filter(|c| is_commit(c)).map(str::to_string)
}

/// Commit that `cargo package` wrote beside the manifest.
fn packaged(root: &Path) -> Option<String> {
    let text = fs::read_to_string(root.join(".cargo_vcs_info.json")).ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    let commit = rest.split('"').nth(1)?;
    is_commit(commit).then(|| commit.to_string())
}
