//! The only module that knows the configuration format: raw file to validated plan.
//!
//! `CONFIG -> tree -> (smoke, --set, --seed, --iterations) -> raw mirror -> plan`. A file may be TOML or JSON; the name of a
//! preset stands for the embedded file of that name.

pub mod any;
pub mod bias;
mod checks;
pub mod claims;
pub mod cost;
pub mod explain;
mod family;
pub mod gap;
pub mod lola;
pub mod online;
pub mod outline;
mod overrides;
pub mod plan;
pub mod preset;
pub mod raw;
mod resolve;
pub mod shipped;
mod smoke;
pub mod suite;
pub mod tree;
mod update;
mod validate;

pub use overrides::{Flag, Overrides};
pub use resolve::resolved;
pub(crate) use validate::memory;

use plan::Plan;
use std::io::Read as _;
use std::path::Path;

/// Preset used when no configuration is named.
pub const DEFAULT_PRESET: &str = "navigation/sgmrl";

/// Largest configuration file that is read, bytes.
pub const MAX_BYTES: u64 = 256 << 20;

/// Why a configuration is refused: where, which key, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// File, preset, or flag at fault.
    pub source: String,
    /// Dotted key, or empty if no single key is to blame.
    pub key: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.key.is_empty() {
            write!(f, "{}: {}", self.source, self.message)
        } else {
            write!(f, "{}: key `{}`: {}", self.source, self.key, self.message)
        }
    }
}

impl std::error::Error for Error {}

/// A key and what is wrong with it, before it is known which file or flag set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) key: String,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(key: impl Into<String>, message: impl Into<String>) -> Fault {
        Fault { key: key.into(), message: message.into() }
    }
}

/// A plan, the family it trains on, and what the user should know about it.
pub struct Loaded {
    /// The plan.
    pub plan: Plan,
    /// The family of `plan.family`, already built.
    pub family: Box<dyn tasks::family::Family>,
    /// Keys without effect and similar remarks, one line each.
    pub notes: Vec<String>,
    /// File or preset the configuration came from, for messages.
    pub source: String,
}

/// Loads CONFIG (a path, or the name of a preset; the default preset if `None`) with `overrides`.
///
/// # Errors
/// Names the file or flag, the key and what is allowed.
pub fn load(config: Option<&str>, overrides: &Overrides) -> Result<Loaded, Error> {
    let name = config.unwrap_or(DEFAULT_PRESET);
    let found = shipped::TRAIN.find_as(name, preset::text(name), preset::missing)?;
    parse(&found.text, &found.source, found.format, &found.base, overrides)
}

/// Parses and validates configuration `text`; `source` names it in messages and `base` is where a relative `file` is looked for.
///
/// # Errors
/// As [`load`].
pub fn parse(
    text: &str,
    source: &str,
    format: tree::Format,
    base: &Path,
    overrides: &Overrides,
) -> Result<Loaded, Error> {
    let origin = overrides::Origin::new(source, overrides)?;
    let mut table = tree::parse(text, format).map_err(|message| origin.whole(message))?;
    if online::is_own(&table) {
        return Err(origin.whole(online::FOREIGN.into()));
    }
    if bias::is_own(&table) {
        return Err(origin.whole(bias::FOREIGN.into()));
    }
    if claims::is_own(&table) {
        return Err(origin.whole(claims::FOREIGN.into()));
    }
    if lola::is_own(&table) {
        return Err(origin.whole(lola::FOREIGN.into()));
    }
    tree::normalise(&mut table, base).map_err(|f| origin.error(f))?;
    let added_hidden = overrides.smoke && smoke::shrink(&mut table);
    origin.apply(&mut table)?;
    tree::normalise(&mut table, Path::new(".")).map_err(|f| origin.error(f))?;
    let raw = raw::Raw::from_table(table).map_err(|f| origin.error(f))?;
    let (plan, family, mut notes) = validate::plan(raw).map_err(|f| origin.error(f))?;
    notes.retain(|note| !(added_hidden && note.starts_with("`policy.hidden`")));
    Ok(Loaded { plan, family, notes, source: source.to_string() })
}

/// Whole text of a file that is meant to hold a configuration.
///
/// # Errors
/// Unreadable, not UTF-8, or larger than [`MAX_BYTES`].
pub fn read_text(path: &Path) -> Result<String, Error> {
    let fail = |message: String| Error { source: path.display().to_string(), key: String::new(), message };
    let file = std::fs::File::open(path).map_err(|e| fail(format!("cannot be read: {e}")))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| fail(format!("cannot be read: {e}")))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(fail(format!("larger than {} MiB, the most a configuration may be", MAX_BYTES >> 20)));
    }
    String::from_utf8(bytes).map_err(|e| {
        fail(format!("not text: byte {} is not UTF-8; a configuration is TOML or JSON", e.utf8_error().valid_up_to()))
    })
}
