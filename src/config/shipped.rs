//! Embedded configuration files, so that `COMMAND NAME` works from any directory.

use super::tree::Format;
use super::{Error, explain};
use std::path::{Path, PathBuf};

/// The files of one command.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// Name and text of each.
    pub files: &'static [(&'static str, &'static str)],
    /// The argument, as the command's usage writes it.
    argument: &'static str,
    /// What else the argument may be, said of a directory.
    instead: &'static str,
    /// What the files are.
    kind: &'static str,
    /// What stands before and after the name where a message blames one of them.
    blamed: [&'static str; 2],
}

/// A configuration that was found.
pub(super) struct Found {
    pub text: String,
    /// Its name in messages.
    pub source: String,
    pub format: Format,
    /// Where files that it names are looked for.
    pub base: PathBuf,
}

impl Found {
    /// The file at `path`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(path: &Path) -> Result<Found, Error> {
        let base = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (text, format) = (super::read_text(path)?, Format::of(path));
        Ok(Found { text, source: path.display().to_string(), format, base: base.to_path_buf() })
    }
}

macro_rules! files {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/configs/", $folder, "/", $name, ".toml")))),+]
    };
}

/// Presets of `train`.
pub const TRAIN: Shipped = Shipped {
    files: files!(
        "train":
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
    ),
    argument: "CONFIG",
    instead: "a configuration is a TOML or JSON file or the name of a preset",
    kind: "preset",
    blamed: ["preset ", ""],
};

/// Configurations of a command beside `train`.
const fn configurations(files: &'static [(&'static str, &'static str)], kind: &'static str) -> Shipped {
    Shipped {
        files,
        argument: "CONFIG",
        instead: "a configuration is a TOML or JSON file or the name of a shipped one",
        kind,
        blamed: ["configuration ", ""],
    }
}

/// Configurations of `online`.
pub const ONLINE: Shipped = configurations(
    files!(
        "online":
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
        "theoretical-gmrl",
    ),
    "shipped configuration of `online`",
);

/// Configurations of `lola`.
pub const LOLA: Shipped = configurations(
    files!(
        "lola":
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
    ),
    "shipped configuration of `lola`",
);

/// Studies of `bias`.
pub const BIAS: Shipped = Shipped {
    files: files!(
        "bias":
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
        "step-ablation",
    ),
    argument: "STUDY",
    instead: "a study is a TOML or JSON file or the name of a shipped one",
    kind: "shipped study of `bias`",
    blamed: ["study ", ""],
};

/// Suites of `compare`.
pub const COMPARE: Shipped = Shipped {
    files: files!(
        "compare":
        "analytic",
        "atari-meta",
        "bandits",
        "classic-control",
        "navigation",
        "online-cartpole",
        "tabular",
    ),
    argument: "SUITE",
    instead: "a suite is a TOML file or the name of a shipped one (an interrupted one goes on with --resume --out)",
    kind: "shipped suite",
    blamed: ["configs/compare/", ".toml"],
};

impl Shipped {
    /// Text of the file `name`.
    pub fn text(&self, name: &str) -> Option<&'static str> {
        self.files.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
    }

    /// All names.
    pub fn names(&self) -> Vec<&'static str> {
        self.files.iter().map(|(name, _)| *name).collect()
    }

    /// The file at the path `name`, or else the shipped one.
    ///
    /// # Errors
    /// There is neither, or the file cannot be read.
    pub(super) fn find(&self, name: &str) -> Result<Found, Error> {
        self.find_as(name, self.text(name), |name| self.missing(name))
    }

    /// The same where the caller knows other names too: `text` is that of the shipped one, if `name` means one.
    ///
    /// # Errors
    /// `missing`, or the file cannot be read.
    pub(super) fn find_as(
        &self,
        name: &str,
        text: Option<&str>,
        missing: impl FnOnce(&str) -> Error,
    ) -> Result<Found, Error> {
        let path = Path::new(name);
        if path.exists() && !path.is_dir() {
            return Found::read(path);
        }
        let text = text.ok_or_else(|| missing(name))?;
        let [before, after] = self.blamed;
        let source = format!("{before}{name}{after}");
        Ok(Found { text: text.to_string(), source, format: Format::Toml, base: PathBuf::from(".") })
    }

    /// The error for an argument that is neither a file nor the name of one of these.
    pub(crate) fn missing(&self, name: &str) -> Error {
        self.refused(name, &format!("; {}", explain::suggestion(name, &self.names())))
    }

    /// The same with a hint of the caller's.
    pub(super) fn refused(&self, name: &str, hint: &str) -> Error {
        let Shipped { argument, instead, kind, .. } = self;
        let what = if Path::new(name).is_dir() {
            format!("is a directory; {instead}")
        } else {
            format!("is neither a file nor a {kind}")
        };
        let source = if name.is_empty() { format!("{argument} \"\"") } else { name.to_string() };
        Error { source, key: String::new(), message: format!("{what}{hint}") }
    }
}
