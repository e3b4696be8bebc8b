//! Embedded configurations of `online`, so that `online NAME` works from any directory.

use crate::config::{Error, explain};

macro_rules! configurations {
    ($($name:literal),+ $(,)?) => {
        /// Every shipped configuration: name and text.
        pub const CONFIGURATIONS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../configs/online/", $name, ".toml")))),+];
    };
}

configurations!(
    "atari-breakout",
    "atari-pong",
    "atari-xu2018",
    "cartpole",
    "five-arm-biased-critic",
    "five-arm-control",
    "five-arm-fixed",
    "navigation",
    "negated-pairs",
    "signal-noise",
    "theoretical-gmrl"
);

/// Text of the configuration `name`.
pub fn text(name: &str) -> Option<&'static str> {
    CONFIGURATIONS.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// Names of all shipped configurations.
pub fn names() -> Vec<&'static str> {
    CONFIGURATIONS.iter().map(|(name, _)| *name).collect()
}

/// The error for a CONFIG that is neither a file nor shipped.
pub(super) fn missing(name: &str) -> Error {
    let what = if std::path::Path::new(name).is_dir() {
        "is a directory; a configuration is a TOML or JSON file or the name of a shipped one"
    } else {
        "is neither a file nor a shipped configuration of `online`"
    };
    let message = format!("{what}; {}", explain::suggestion(name, &names()));
    Error { source: if name.is_empty() { "CONFIG \"\"".into() } else { name.to_string() }, key: String::new(), message }
}
