//! Embedded configurations of `lola`, so that `lola NAME` works from any directory.

use crate::config::{Error, explain};

macro_rules! configurations {
    ($($name:literal),+ $(,)?) => {
        /// Every shipped configuration: name and text.
        pub const CONFIGURATIONS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../configs/lola/", $name, ".toml")))),+];
    };
}

configurations!(
    "chicken",
    "ipd-exact",
    "ipd-exact-random",
    "ipd-inner-1024",
    "ipd-inner-exact",
    "ipd-jacobian-1024",
    "ipd-jacobian-exact",
    "ipd-jacobian-off-policy",
    "ipd-off-policy",
    "ipd-sampled",
    "ipd-separate",
    "ipd-value-1024",
    "ipd-value-exact",
    "ipd-value-off-policy",
    "matching-pennies",
    "stag-hunt",
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
        "is neither a file nor a shipped configuration of `lola`"
    };
    let message = format!("{what}; {}", explain::suggestion(name, &names()));
    Error { source: if name.is_empty() { "CONFIG \"\"".into() } else { name.to_string() }, key: String::new(), message }
}
