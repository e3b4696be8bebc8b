//! Embedded studies of `bias`, so that `bias NAME` works from any directory.

use crate::config::{Error, explain};

macro_rules! studies {
    ($($name:literal),+ $(,)?) => {
        /// Every shipped study: name and text.
        pub const STUDIES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../configs/bias/", $name, ".toml")))),+];
    };
}

studies!(
    "comp-lr",
    "comp-sample",
    "comp-step-num",
    "decompose",
    "hessian-bias",
    "hessian-bias-steps",
    "hessian-samples",
    "hessian-steps",
    "lirpg-step",
    "lr",
    "off-policy",
    "step-ablation"
);

/// Text of the study `name`.
pub fn text(name: &str) -> Option<&'static str> {
    STUDIES.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// Names of all shipped studies.
pub fn names() -> Vec<&'static str> {
    STUDIES.iter().map(|(name, _)| *name).collect()
}

/// The error for a STUDY that is neither a file nor shipped.
pub(super) fn missing(name: &str) -> Error {
    let what = if std::path::Path::new(name).is_dir() {
        "is a directory; a study is a TOML or JSON file or the name of a shipped one"
    } else {
        "is neither a file nor a shipped study of `bias`"
    };
    let message = format!("{what}; {}", explain::suggestion(name, &names()));
    Error { source: if name.is_empty() { "STUDY \"\"".into() } else { name.to_string() }, key: String::new(), message }
}
