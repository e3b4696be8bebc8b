//! Section `[atari]` of a configuration of `online` as written.

use serde::{Deserialize, Serialize};

/// Section `[atari]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Atari {
    /// The game.
    pub game: Option<String>,
    /// Preset that the other keys change.
    pub protocol: Option<String>,
    /// Frames per step.
    pub frame_skip: Option<usize>,
    /// Last frames that a picture is the maximum of.
    pub max_over: Option<usize>,
    /// Probability of a sticky action per frame.
    pub sticky: Option<f32>,
    /// All 18 actions.
    pub full_actions: Option<bool>,
    /// Most no-op frames at the start of a game.
    pub noop_max: Option<u32>,
    /// Press FIRE at the start of an episode.
    pub fire_on_reset: Option<bool>,
    /// What the loss of a life does.
    pub life_loss: Option<LifeLoss>,
    /// Colours to grey.
    pub grey: Option<Grey>,
    /// How pictures are shrunk.
    pub resize: Option<Resize>,
    /// Side of a picture.
    pub size: Option<usize>,
    /// Pictures in an observation.
    pub stack: Option<usize>,
    /// What fills the stack at first.
    pub padding: Option<Padding>,
    /// Points to reward.
    pub reward: Option<Reward>,
    /// Frames after which a game is cut.
    pub max_frames: Option<u32>,
}

/// A choice of the file and what it means, in both directions.
macro_rules! choices {
    ($(#[$doc:meta])* $name:ident means $meaning:path { $($(#[$variant_doc:meta])* $variant:ident),+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl From<$name> for $meaning {
            fn from(choice: $name) -> Self {
                match choice { $($name::$variant => Self::$variant),+ }
            }
        }

        impl From<$meaning> for $name {
            fn from(meaning: $meaning) -> Self {
                use $meaning as Meaning;
                match meaning { $(Meaning::$variant => Self::$variant),+ }
            }
        }
    };
}
pub(super) use choices;

choices! {
    /// What the loss of a life does.
    LifeLoss means ::tasks::atari::protocol::LifeLoss {
        /// Nothing.
        Ignored,
        /// Termination for learning, without reset.
        Terminal,
        /// The end of an episode.
        Episode
    }
}
choices! {
    /// Colours to grey.
    Grey means ::tasks::atari::picture::Grey {
        /// ALE's grey, then the maximum.
        Ale,
        /// The maximum of colours, then luminance, cut.
        Luminance,
        /// The same, rounded.
        Rounded
    }
}
choices! {
    /// How pictures are shrunk.
    Resize means ::tasks::atari::resize::Resize {
        /// Area average.
        Area,
        /// Triangle filter.
        Bilinear
    }
}
choices! {
    /// What fills the stack at first.
    Padding means ::tasks::atari::protocol::Padding {
        /// Black.
        Zeros,
        /// The first picture.
        Repeat
    }
}
choices! {
    /// Points to reward.
    Reward means ::tasks::atari::protocol::RewardRule {
        /// Clipped to one.
        Clip,
        /// Their sign.
        Sign,
        /// Their sum.
        Raw
    }
}
