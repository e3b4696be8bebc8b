//! Layers: a module imports only from layers below its own, and every module has a layer.

use crate::source;
use std::path::Path;

/// Layers, lowest first (docs: the design's data flow). `main` is the binary.
const LAYERS: [&str; 19] = [
    "math",
    "budget",
    "rng",
    "batch",
    "diff",
    "policy",
    "rollout",
    "optim",
    "estimator",
    "exact",
    "learn",
    "measure",
    "config",
    "record",
    "report",
    "app",
    "cli",
    "main",
    "lib",
];

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|l| *l == name)
}

/// Module path of a file below `src`: `config/plan.rs` is `[config, plan]`, `config/mod.rs` is `[config]`.
fn module_path(path: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        path.with_extension("").iter().map(|p| p.to_string_lossy().into_owned()).filter(|p| p != "src").collect();
    if parts.last().is_some_and(|p| p == "mod") {
        parts.pop();
    }
    parts
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// First-level names reached by the path that continues with `rest`: one name, or those of a `{...}` group.
fn heads(rest: &str) -> Vec<String> {
    let rest = rest.trim_start();
    let Some(group) = rest.strip_prefix('{') else { return vec![identifier(rest).to_string()] };
    let (mut depth, mut names, mut current) = (0, Vec::new(), String::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(std::mem::take(&mut current)),
            c if depth == 0 => current.push(c),
            _ => {}
        }
    }
    names.push(current);
    names.iter().map(|n| identifier(n.trim()).to_string()).filter(|n| !n.is_empty()).collect()
}

/// Everything wrong with the imports of one file.
fn violations(path: &Path, text: &str) -> Vec<String> {
    let module = module_path(path);
    let own = &module[0];
    let Some(rank) = layer(own) else { return vec![format!("{}: `{own}` has no layer", path.display())] };
    if own == "lib" {
        return Vec::new();
    }
    let code = source::code(text);
    let mut wrong = Vec::new();
    let mut check = |name: &str| {
        if let Some(other) = layer(name)
            && other > rank
        {
            wrong.push(format!("{}: `{own}` imports `{name}`, which is above it", path.display()));
        }
    };
    for start in ["crate::", "stillpoint::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if !before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                heads(&code[at + start.len()..]).iter().for_each(|name| check(name));
            }
        }
    }
    // A chain of `super` as long as the module path reaches the crate root.
    let chain = "super::".repeat(module.len());
    for (at, _) in code.match_indices(&chain) {
        heads(&code[at + chain.len()..]).iter().for_each(|name| check(name));
    }
    wrong
}

#[test]
fn every_import_points_down() {
    let files = source::rust_files("src");
    assert!(files.len() > 10, "src was not found");
    let wrong: Vec<String> = files.iter().flat_map(|(path, text)| violations(path, text)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn control_upward_imports_are_found() {
    let found = |path: &str, text: &str| violations(Path::new(path), text).len();
    assert_eq!(found("src/math/stats.rs", "use crate::learn::meta::Row;"), 1);
    assert_eq!(found("src/math/stats.rs", "use crate::{math::real, policy::{Spec, Kind}, app};"), 2);
    assert_eq!(found("src/math/stats.rs", "fn f(x: crate::policy::Spec) {}"), 1);
    assert_eq!(found("src/math/stats.rs", "use super::super::policy::Spec;"), 1);
    assert_eq!(found("src/budget.rs", "use super::config::plan::Plan;"), 1);
    assert_eq!(found("src/novelty.rs", ""), 1);
    assert_eq!(
        found("src/policy/mod.rs", "use crate::math::real::Real; // not crate::learn\nuse super::diff::Init;"),
        0
    );
    assert_eq!(found("src/lib.rs", "pub mod app;"), 0);
}
