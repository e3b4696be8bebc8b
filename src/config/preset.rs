//! Presets of `train`: short names, summaries, and what a name that is none may have meant.

use super::shipped::{self, TRAIN};
use super::{Error, explain};

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
    TRAIN.text(name)
}

/// Names of all presets.
pub fn names() -> Vec<&'static str> {
    TRAIN.names()
}

/// First comment line of a preset: what it is for.
pub fn summary(text: &str) -> &str {
    text.lines().next().unwrap_or("").trim_start_matches('#').trim()
}

/// The error for a CONFIG that is neither a file nor a preset.
pub(crate) fn missing(name: &str) -> Error {
    let foreign = [
        (shipped::ONLINE.text(name), super::online::FOREIGN),
        (shipped::LOLA.text(name), super::lola::FOREIGN),
        (shipped::BIAS.text(name), super::bias::FOREIGN),
    ];
    if let Some((_, why)) = foreign.iter().find(|(text, _)| text.is_some()) {
        return Error { source: name.to_string(), key: String::new(), message: (*why).into() };
    }
    let names = TRAIN.names();
    let near =
        explain::nearest(name, names.iter().copied()).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
    TRAIN.refused(name, &format!("{near}\npresets: {}", names.join(", ")))
}
