//! Source text for the tests that read it: which files there are, and code without comments and strings.

use std::path::{Path, PathBuf};

/// Root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `dir` (relative to the root), sorted, as (path relative to the root, text). Binary files are left out.
pub fn files(dir: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(dir)];
    while let Some(dir) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        for path in entries.filter_map(|e| e.ok().map(|e| e.path())) {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
            if path.is_dir() {
                if !["target", "corpus", "artifacts", "__pycache__"].contains(&name) && !name.starts_with(".venv") {
                    open.push(path);
                }
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                found.push((path.strip_prefix(root()).expect("below the root").to_path_buf(), text));
            }
        }
    }
    found.sort();
    found
}

/// Rust files below `dir`.
pub fn rust_files(dir: &str) -> Vec<(PathBuf, String)> {
    files(dir).into_iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "rs")).collect()
}

/// `text` with comments and the contents of string and character literals blanked; line breaks stay.
pub fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    let blank = |out: &mut String, c: char| out.push(if c == '\n' { '\n' } else { ' ' });
    while i < chars.len() {
        let rest = &chars[i..];
        let before = if i == 0 { ' ' } else { chars[i - 1] };
        let end = if rest.starts_with(&['/', '/']) {
            i + rest.iter().position(|&c| c == '\n').unwrap_or(rest.len())
        } else if rest.starts_with(&['/', '*']) {
            i + block_comment(rest)
        } else if rest[0] == 'r' && !before.is_alphanumeric() && before != '_' && raw_string(rest) > 0 {
            i + raw_string(rest)
        } else if rest[0] == '"' {
            i + quoted(rest, '"')
        } else if rest[0] == '\'' && is_char_literal(rest) {
            i + quoted(rest, '\'')
        } else {
            out.push(rest[0]);
            i += 1;
            continue;
        };
        chars[i..end].iter().for_each(|&c| blank(&mut out, c));
        i = end;
    }
    out
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut i) = (0, 0);
    while i < rest.len() {
        if rest[i..].starts_with(&['/', '*']) {
            (depth, i) = (depth + 1, i + 2);
        } else if rest[i..].starts_with(&['*', '/']) {
            (depth, i) = (depth - 1, i + 2);
            if depth == 0 {
                return i;
            }
        } else {
            i += 1;
        }
    }
    rest.len()
}

/// Length of the raw string that starts here, or 0.
fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = 2 + hashes;
    (body..rest.len()).find(|&i| rest[i..].starts_with(&close)).map_or(rest.len(), |i| i + close.len())
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut i = 1;
    while i < rest.len() && rest[i] != quote {
        i += if rest[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(rest.len())
}

/// `'a'` and `'\n'` are literals, `'a` is a lifetime.
fn is_char_literal(rest: &[char]) -> bool {
    rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\'')
}

#[test]
fn comments_and_strings_are_blanked_and_lines_kept() {
    let text = "a // use crate::x\n/* b /* c */ d\n */ e \"crate::y\\\" z\" r#\"q\"w\"# '\"' 'x f<'a>(s: &'a str)";
    let bare = code(text);
    assert_eq!(bare.matches('\n').count(), text.matches('\n').count());
    assert_eq!(bare.split_whitespace().collect::<Vec<_>>(), ["a", "e", "'x", "f<'a>(s:", "&'a", "str)"]);
}
