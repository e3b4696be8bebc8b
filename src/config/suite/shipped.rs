//! Embedded suites, so that `compare NAME` works from any directory.

use crate::config::{Error, explain};

macro_rules! suites {
    ($($name:literal),+ $(,)?) => {
        /// Every shipped suite: name and text.
        pub const SUITES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../configs/compare/", $name, ".toml")))),+];
    };
}

suites!("analytic", "atari-meta", "bandits", "classic-control", "navigation", "online-cartpole", "tabular");

/// Text of the suite `name`.
pub fn text(name: &str) -> Option<&'static str> {
    SUITES.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// Names of all shipped suites.
pub fn names() -> Vec<&'static str> {
    SUITES.iter().map(|(name, _)| *name).collect()
}

/// The error for a SUITE that is neither a file nor shipped.
pub(super) fn missing(name: &str) -> Error {
    let names = names();
    let what = if std::path::Path::new(name).is_dir() {
        "is a directory; a suite is a TOML file or the name of a shipped one (an interrupted one goes on with --resume --out)"
    } else {
        "is neither a file nor a shipped suite"
    };
    let message = format!("{what}; {}", explain::suggestion(name, &names));
    Error { source: if name.is_empty() { "SUITE \"\"".into() } else { name.to_string() }, key: String::new(), message }
}
