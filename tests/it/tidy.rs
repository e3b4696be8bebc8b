//! House rules that a compiler does not check: headers, lengths, purity of the lower layers, no traces of a machine.

use crate::source;
use std::path::Path;

const MAX_FILE: usize = 500;
const MAX_FUNCTION: usize = 70;

/// Layers that compute values from values: they neither print nor look at a clock or ambient randomness.
const PURE: [&str; 13] = [
    "src/math",
    "src/budget",
    "src/rng",
    "src/batch",
    "src/diff",
    "src/policy",
    "src/rollout",
    "src/optim",
    "src/estimator",
    "src/exact",
    "src/learn",
    "src/measure",
    "tasks",
];

const IMPURE: [&str; 9] =
    ["println!", "print!", "eprintln!", "eprint!", "dbg!", "Instant::now", "SystemTime", "thread_rng", "rand::rng()"];

/// Lines from each `fn` to its closing brace: (name, line of `fn`, length).
fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        if code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + 3..];
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() {
            continue; // a function pointer type
        }
        let (mut nesting, mut braces) = (0i32, 0i32);
        for (i, c) in rest.char_indices() {
            match c {
                '(' | '[' => nesting += 1,
                ')' | ']' => nesting -= 1,
                ';' if nesting == 0 && braces == 0 => break, // a declaration without body
                '{' if nesting == 0 || braces > 0 => braces += 1,
                '}' if braces > 0 => {
                    braces -= 1;
                    if braces == 0 {
                        let line = 1 + code[..at].matches('\n').count();
                        found.push((name, line, 1 + rest[..i].matches('\n').count()));
                        break;
                    }
                }
                _ => {}
            }
        }
    }
    found
}

/// Everything untidy about one Rust file.
fn violations(path: &Path, text: &str) -> Vec<String> {
    let shown = path.display();
    let mut wrong = Vec::new();
    let header = text.lines().next().unwrap_or("");
    if !header.starts_with("//! ") {
        wrong.push(format!("{shown}: does not open with a `//!` sentence"));
    }
    let lines = text.lines().count();
    if lines > MAX_FILE {
        wrong.push(format!("{shown}: {lines} lines, the limit is {MAX_FILE}"));
    }
    let code = source::code(text);
    for (name, line, length) in functions(&code) {
        if length > MAX_FUNCTION {
            wrong.push(format!("{shown}:{line}: `{name}` has {length} lines, the limit is {MAX_FUNCTION}"));
        }
    }
    let place = path.to_string_lossy().replace('\\', "/");
    let inside = |layer: &str| place.strip_prefix(layer).is_some_and(|rest| rest.starts_with('/') || rest == ".rs");
    if PURE.iter().any(|layer| inside(layer)) {
        for word in IMPURE.iter().filter(|word| contains_word(&code, word)) {
            wrong.push(format!("{shown}: `{word}` in a pure layer"));
        }
    }
    wrong
}

fn contains_word(code: &str, word: &str) -> bool {
    code.match_indices(word)
        .any(|(at, _)| !code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_'))
}

#[test]
fn sources_are_tidy() {
    let mut files: Vec<_> = ["src", "tasks", "tests", "benches", "examples", "fuzz"]
        .iter()
        .flat_map(|dir| source::rust_files(dir))
        .collect();
    files.push(("build.rs".into(), std::fs::read_to_string(source::root().join("build.rs")).expect("build.rs")));
    assert!(files.len() > 20, "sources were not found");
    let wrong: Vec<String> = files.iter().flat_map(|(path, text)| violations(path, text)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_remembers_the_machine_it_was_written_on() {
    // In two parts, so that this file does not contain what it looks for.
    let traces = [concat!("/wo", "rk/"), concat!("arti", "factory"), concat!("/ro", "ot/"), concat!("pypi.", "org:")];
    let mut files: Vec<_> =
        ["src", "tasks", "tests", "configs", "benches", "examples", "fuzz", ".ci", "docs", "results"]
            .iter()
            .flat_map(|dir| source::files(dir))
            .collect();
    for name in ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Cargo.toml", "Cargo.lock", "build.rs"] {
        if let Ok(text) = std::fs::read_to_string(source::root().join(name)) {
            files.push((name.into(), text));
        }
    }
    for (path, text) in files {
        for trace in traces {
            assert!(!text.contains(trace), "{} contains `{trace}`", path.display());
        }
    }
}

#[test]
fn control_untidy_sources_are_found() {
    let found = |path: &str, text: &str| violations(Path::new(path), text);
    let body = "    let x = 1;\n".repeat(70);
    let long_function = format!("//! A file.\n\npub fn long(x: [u8; 3]) {{\n{body}}}\n");
    assert_eq!(found("src/app/x.rs", &long_function).len(), 1);
    let body = "    let x = 1;\n".repeat(68);
    assert!(found("src/app/x.rs", &format!("//! A file.\n\nfn fits() {{\n{body}}}\n")).is_empty());
    assert_eq!(found("src/app/x.rs", &format!("//! A file.\n{}", "\n".repeat(500))).len(), 1);
    assert_eq!(found("src/app/x.rs", "fn f() {}\n").len(), 1);
    assert_eq!(found("src/math/x.rs", "//! A file.\nfn f() { println!(); }\n").len(), 1);
    assert_eq!(found("tasks/x.rs", "//! A file.\nfn f() { let t = std::time::Instant::now(); }\n").len(), 1);
    assert_eq!(found("src/rng.rs", "//! A file.\nfn f() { let r = rand::rng(); }\n").len(), 1);
    assert!(found("src/math/x.rs", "//! A file.\n// println! is not used\nfn f() {}\n").is_empty());
    assert!(found("src/app/x.rs", "//! A file.\nfn f() { println!(); }\n").is_empty());
}
