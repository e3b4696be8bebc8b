//! Thousands of damaged configurations and MDP files: refused or accepted, never a panic.

use rand::{RngExt, SeedableRng};
use std::path::Path;
use stillpoint::config::tree::Format;
use stillpoint::config::{self, Overrides, shipped};
use tasks::env::Rng;

/// Pieces that parsers trip over.
const PIECES: [&str; 24] = [
    "nan",
    "inf",
    "-1",
    "0",
    "1e309",
    "9223372036854775807",
    "18446744073709551616",
    "\"",
    "'''",
    "[",
    "]]",
    "{",
    "}",
    "=",
    "\n",
    "\u{0}",
    "é",
    "null",
    "1979-05-27",
    "[[family.tasks]]",
    "-0.0",
    "true",
    "#",
    ".",
];

/// One damaged copy of `text`: bytes dropped, doubled or replaced, or a piece put in.
fn damage(text: &str, rng: &mut Rng) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..=chars.len());
        let end = (at + rng.random_range(1..8)).min(chars.len());
        match rng.random_range(0..4) {
            0 => drop(chars.drain(at..end)),
            1 => {
                let copy: Vec<char> = chars[at..end].to_vec();
                chars.splice(at..at, copy);
            }
            2 => drop(chars.splice(at..end, PIECES[rng.random_range(0..PIECES.len())].chars())),
            _ => drop(chars.splice(at..at, PIECES[rng.random_range(0..PIECES.len())].chars())),
        }
    }
    chars.into_iter().collect()
}

/// `text` with the value of one line replaced.
fn revalue(text: &str, rng: &mut Rng) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let at = rng.random_range(0..lines.len());
    let piece = PIECES[rng.random_range(0..PIECES.len())];
    let changed = lines[at].split_once('=').map(|(key, _)| format!("{key}= {piece}"));
    let mut lines: Vec<String> = lines.into_iter().map(str::to_string).collect();
    if let Some(changed) = changed {
        lines[at] = changed;
    }
    lines.join("\n")
}

#[test]
fn damaged_configurations_never_panic() {
    let mut rng = Rng::seed_from_u64(1);
    let texts: Vec<&str> = shipped::TRAIN.files.iter().map(|(_, text)| *text).collect();
    let (mut accepted, mut refused) = (0, 0);
    for i in 0..4000 {
        let text = texts[i % texts.len()];
        let text = if i % 2 == 0 { damage(text, &mut rng) } else { revalue(text, &mut rng) };
        let overrides = Overrides { smoke: i % 3 == 0, ..Overrides::default() };
        match config::parse(&text, "damaged", Format::Either, Path::new("."), &overrides) {
            Ok(loaded) => {
                let resolved = config::resolved(&loaded.plan);
                let again = config::parse(&resolved, "resolved", Format::Toml, Path::new("/"), &Overrides::default());
                let again = again.unwrap_or_else(|e| panic!("{e}\n{text}\n{resolved}"));
                assert_eq!(again.plan, loaded.plan, "{text}");
                accepted += 1;
            }
            Err(e) => {
                assert!(!e.message.is_empty(), "{text}");
                refused += 1;
            }
        }
    }
    assert!(accepted > 100 && refused > 100, "{accepted} accepted, {refused} refused: the damage is lopsided");
}

#[test]
fn damaged_mdp_files_never_panic() {
    let good = r#"{"gamma": 0.9, "horizon": 2, "tasks": [{"weight": 1, "start": [0.5, 0.5], "reward": [[0, 1], [1, 0]],
        "transition": [[[0.25, 0.75], [1, 0]], [[0, 1], [0.5, 0.5]]]}]}"#;
    assert!(tasks::registry::parse_mdps(good).is_ok());
    let mut rng = Rng::seed_from_u64(2);
    let refused = (0..4000).filter(|_| tasks::registry::parse_mdps(&damage(good, &mut rng)).is_err()).count();
    assert!((400..4000).contains(&refused), "{refused} of 4000 refused");
}
