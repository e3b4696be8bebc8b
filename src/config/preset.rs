//! Embedded preset files, so that every preset works from any directory.

use super::{Error, explain};

macro_rules! presets {
    ($($name:literal),+ $(,)?) => {
        /// Every preset: name and text.
        pub const PRESETS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../configs/train/", $name, ".toml")))),+];
    };
}

presets!(
    "acrobot",
    "analytic",
    "analytic/a",
    "analytic/b",
    "analytic/c",
    "bandit/bernoulli-10",
    "bandit/bernoulli-5",
    "bandit/bernoulli-50",
    "bandit/gaussian",
    "cartpole",
    "dirichlet-mdp",
    "garnet",
    "gmrl-mdps",
    "liu-mdp",
    "mountain-car",
    "mountain-car-continuous",
    "navigation/learn2learn",
    "navigation/maml",
    "navigation/maml-2goal",
    "navigation/promp-corner",
    "navigation/promp-corner-goals",
    "navigation/promp-momentum",
    "navigation/promp-point",
    "navigation/promp-v2-bug",
    "navigation/promp-walls",
    "navigation/published-sgmrl",
    "navigation/pytorch-maml-rl",
    "navigation/sgmrl",
    "navigation/sgmrl-2-steps",
    "navigation/sgmrl-3-steps",
    "pendulum",
    "probe/action",
    "probe/adaptation",
    "probe/discount",
    "probe/observation",
    "probe/reward",
    "tabular",
);

/// Short names: each code base with its own learner, optimiser and settings on its navigation task.
pub const SHORT: &[(&str, &str)] = &[
    ("learn2learn", "navigation/learn2learn"),
    ("maml-rl", "navigation/maml"),
    ("promp", "navigation/promp-corner"),
    ("pytorch-maml-rl", "navigation/pytorch-maml-rl"),
    ("sgmrl", "navigation/published-sgmrl"),
];

/// Text of the preset `name`, which may be a short name.
pub fn text(name: &str) -> Option<&'static str> {
    let name = SHORT.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| long);
    PRESETS.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// Names of all presets.
pub fn names() -> Vec<&'static str> {
    PRESETS.iter().map(|(name, _)| *name).collect()
}

/// First comment line of a preset: what it is for.
pub fn summary(text: &str) -> &str {
    text.lines().next().unwrap_or("").trim_start_matches('#').trim()
}

/// The error for a CONFIG that is neither a file nor a preset.
pub(crate) fn missing(name: &str) -> Error {
    let foreign = [
        (super::online::shipped::text(name), super::online::FOREIGN),
        (super::lola::shipped::text(name), super::lola::FOREIGN),
        (super::bias::shipped::text(name), super::bias::FOREIGN),
    ];
    if let Some((_, why)) = foreign.iter().find(|(text, _)| text.is_some()) {
        return Error { source: name.to_string(), key: String::new(), message: (*why).into() };
    }
    let names = names();
    let what = if std::path::Path::new(name).is_dir() {
        "is a directory; a configuration is a TOML or JSON file or the name of a preset"
    } else {
        "is neither a file nor a preset"
    };
    let near =
        explain::nearest(name, names.iter().copied()).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
    let message = format!("{what}{near}\npresets: {}", names.join(", "));
    Error { source: if name.is_empty() { "CONFIG \"\"".into() } else { name.to_string() }, key: String::new(), message }
}
