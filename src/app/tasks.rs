//! `tasks`: the families that can be trained on, and every constant of one.

use super::failure::Failure;
use crate::config::explain;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use tasks::atari::games::{self, Game};
use tasks::atari::protocol::{PRESETS, Protocol};
use tasks::env::Space;
use tasks::family::{Family, FamilyError};
use tasks::registry::{self, Entry};

/// What the command line asks of `tasks`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// One family instead of the list.
    pub show: Option<String>,
    /// JSON instead of text.
    pub json: bool,
    /// No messages.
    pub quiet: bool,
}

/// Runs the command.
///
/// # Errors
/// An unknown name, or a stdout that cannot be written.
pub fn run(request: Request) -> Result<(), Failure> {
    let text = match &request.show {
        None if request.json => list_json(),
        None => list(),
        Some(name) if name == GROUP || name.starts_with("atari/") => atari(name, request.json)?,
        Some(name) => {
            let names: Vec<&str> = registry::entries().iter().map(|e| e.name).collect();
            let Some(entry) = registry::entries().iter().find(|e| e.name == name) else {
                let hint = explain::suggestion(name, &names);
                return Err(Failure::Usage(format!("--show: no family is called `{name}`; {hint}")));
            };
            let family = registry::build(entry.name, &Map::new());
            if request.json { show_json(entry, family) } else { show(entry, family) }
        }
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

/// Name under which the list names all Atari games at once.
const GROUP: &str = "atari";

const GROUP_SUMMARY: &str = "57 Atari games, after `stillpoint setup atari`: atari/pong, ... (--show atari lists them)";

fn list() -> String {
    let width = registry::entries().iter().map(|e| e.name.len()).max().unwrap_or(0);
    let mut text: String = registry::entries().iter().map(|e| format!("{:width$}  {}\n", e.name, e.summary)).collect();
    let _ = writeln!(text, "{GROUP:width$}  {GROUP_SUMMARY}");
    text
}

fn list_json() -> String {
    let mut entries: Vec<Value> =
        registry::entries().iter().map(|e| json!({"name": e.name, "summary": e.summary, "keys": e.keys})).collect();
    entries.extend(
        games::benchmark().map(|g| json!({"name": format!("atari/{}", g.name), "summary": "Atari game", "keys": []})),
    );
    format!("{}\n", Value::from(entries))
}

fn space(space: &Space) -> String {
    match space {
        Space::Discrete(n) => format!("one of {n}"),
        Space::Box { low, high } => {
            let same = low.iter().all(|x| x == &low[0]) && high.iter().all(|x| x == &high[0]);
            match (low.first(), high.first()) {
                (Some(a), Some(b)) if same => format!("{} numbers in [{a}, {b}]", low.len()),
                _ => format!("{} numbers, low {low:?}, high {high:?}", low.len()),
            }
        }
    }
}

/// Name, spaces, horizon, discount and the family's own constants, as label and value.
fn rows(entry: &Entry, family: &dyn Family) -> Vec<(String, String)> {
    let mut rows = vec![
        ("observation".to_string(), space(&family.observation_space())),
        ("action".into(), space(&family.action_space())),
        ("horizon".into(), format!("{} decisions", family.horizon())),
        ("gamma".into(), family.gamma().to_string()),
    ];
    for row in family.constants() {
        if rows.iter().all(|(label, _)| *label != row.0) {
            rows.push(row);
        }
    }
    rows.push(("parameters".into(), if entry.keys.is_empty() { "none".into() } else { entry.keys.join(", ") }));
    rows
}

fn show(entry: &Entry, family: Result<Box<dyn Family>, FamilyError>) -> String {
    let mut text = format!("{}: {}\n", entry.name, entry.summary);
    match family {
        Ok(family) => {
            let rows = rows(entry, &*family);
            let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
            for (label, value) in rows {
                let _ = writeln!(text, "  {label:width$}  {value}");
            }
        }
        Err(_) => {
            let _ = writeln!(text, "  its constants are those of your file or parameters: {}", entry.keys.join(", "));
        }
    }
    text
}

fn show_json(entry: &Entry, family: Result<Box<dyn Family>, FamilyError>) -> String {
    let constants: Map<String, Value> = match family {
        Ok(family) => rows(entry, &*family).into_iter().map(|(k, v)| (k, Value::from(v))).collect(),
        Err(_) => Map::new(),
    };
    let value = json!({"name": entry.name, "summary": entry.summary, "keys": entry.keys, "constants": constants});
    format!("{value}\n")
}

/// `--show atari` and `--show atari/GAME`. The constants are the protocols'; the emulator is not needed.
fn atari(name: &str, as_json: bool) -> Result<String, Failure> {
    let Some(name) = name.strip_prefix("atari/") else {
        let names: Vec<String> = games::benchmark().map(|g| format!("atari/{}", g.name)).collect();
        return Ok(if as_json { format!("{}\n", json!(names)) } else { names.join("\n") + "\n" });
    };
    let game = games::find(name).map_err(|e| Failure::Usage(format!("--show: {e}")))?;
    Ok(if as_json { atari_json(game) } else { atari_text(game) })
}

/// What is known of the game itself, as label and value.
fn game_rows(game: &Game) -> Vec<(&'static str, String)> {
    let mut rows = vec![("ROM", format!("{}, MD5 {}", game.rom_file(), game.md5))];
    match &game.benchmark {
        None => rows.push(("benchmark", "not one of the 57 games: no reference scores".into())),
        Some(b) => {
            let reference = |r: games::Reference| format!("random {}, human {}", r.random, r.human);
            rows.push(("observation", "4 x 84 x 84 bytes (see the protocols)".into()));
            rows.push(("actions", format!("{} of 18: ALE's {:?}", b.minimal_actions.len(), b.minimal_actions)));
            rows.push(("no-op starts", reference(b.noop)));
            rows.push((
                "human starts",
                format!("{} (cannot be repeated: the starts were never published)", reference(b.human_starts)),
            ));
        }
    }
    rows
}

fn atari_text(game: &Game) -> String {
    let protocols: Vec<_> =
        PRESETS.iter().filter_map(|name| Protocol::preset(name).map(|p| (name, p.constants()))).collect();
    let labels = protocols.iter().flat_map(|(_, rows)| rows.iter().map(|(label, _)| label.len()));
    let width = labels.max().unwrap_or(0);
    let mut text = format!("atari/{}: Atari game on ALE, after `stillpoint setup atari`\n", game.name);
    for (label, value) in game_rows(game) {
        let _ = writeln!(text, "  {label:width$}  {value}");
    }
    for (name, rows) in protocols {
        let _ = writeln!(text, "protocol {name}");
        for (label, value) in rows {
            let _ = writeln!(text, "  {label:width$}  {value}");
        }
    }
    text
}

fn atari_json(game: &Game) -> String {
    let object = |rows: Vec<(&'static str, String)>| -> Value {
        rows.into_iter().map(|(k, v)| (k.to_string(), Value::from(v))).collect::<Map<_, _>>().into()
    };
    let protocols: Map<String, Value> = PRESETS
        .iter()
        .filter_map(|name| Protocol::preset(name).map(|p| (name.to_string(), object(p.constants()))))
        .collect();
    let value =
        json!({"name": format!("atari/{}", game.name), "game": object(game_rows(game)), "protocols": protocols});
    format!("{value}\n")
}
