//! Every constant of the protocols under which Atari results are reported, explicit.

use super::error::AtariError;
use super::picture::Grey;
use super::resize::Resize;

/// What the loss of a life does. A game that is over always ends the episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifeLoss {
    /// Nothing (Machado et al. 2018).
    Ignored,
    /// The learner sees termination (discount 0), the game goes on without reset (dqn_zoo).
    Terminal,
    /// The learner sees termination and resets; the game goes on after one no-op step, and is started anew only when it
    /// is over (baselines' episodic life). The last life is lost when the game is over.
    Episode,
}

/// What the learner sees of the points of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RewardRule {
    /// Their sum over the frames, clipped to [-1, 1] (dqn_zoo).
    Clip,
    /// The sign of their sum (baselines, EnvPool). Points are whole numbers, so it agrees with `Clip`.
    Sign,
    /// Their sum.
    Raw,
}

/// What fills the stack of pictures at the start of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Black pictures before the first one (dqn_zoo, ALE's vector environment).
    Zeros,
    /// The first picture again and again (baselines, Gymnasium).
    Repeat,
}

/// A protocol: emulator, preprocessing and episodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Protocol {
    /// Frames per step, all with the same action.
    pub frame_skip: usize,
    /// A picture is the maximum over the last this many of the step's frames: 1 or 2.
    pub max_over: usize,
    /// Probability per frame that the emulator holds the last frame's action.
    pub sticky: f32,
    /// All 18 actions instead of the game's minimal set.
    pub full_actions: bool,
    /// Each game starts with uniformly 1..=this many frames of no-op; 0 for none.
    pub noop_max: u32,
    /// Each episode starts with one step of FIRE and one of the action after it, in games that have them (baselines).
    pub fire_on_reset: bool,
    /// What the loss of a life does.
    pub life_loss: LifeLoss,
    /// Colours to grey.
    pub grey: Grey,
    /// How pictures are shrunk.
    pub resize: Resize,
    /// Side of a picture in pixels.
    pub size: usize,
    /// Pictures in an observation, the newest last.
    pub stack: usize,
    /// What fills the stack at first.
    pub padding: Padding,
    /// Points to reward.
    pub reward: RewardRule,
    /// Frames of one game, counted from its start with the no-ops, after which it is truncated; 0 for no limit.
    pub max_frames: u32,
}

/// Names of the presets.
pub const PRESETS: [&str; 3] = ["xu2018", "machado2018", "theoretical-gmrl"];

impl Protocol {
    /// The paper's protocol as far as it is known: IMPALA's and dqn_zoo's constants (Xu, van Hasselt and Silver 2018).
    pub fn xu2018() -> Protocol {
        Protocol {
            frame_skip: 4,
            max_over: 2,
            sticky: 0.0,
            full_actions: false,
            noop_max: 30,
            fire_on_reset: false,
            life_loss: LifeLoss::Terminal,
            grey: Grey::Luminance,
            resize: Resize::Bilinear,
            size: 84,
            stack: 4,
            padding: Padding::Zeros,
            reward: RewardRule::Clip,
            max_frames: 108_000,
        }
    }

    /// Machado et al. 2018: sticky actions, all actions, no life signal, no no-op starts.
    pub fn machado2018() -> Protocol {
        Protocol {
            sticky: 0.25,
            full_actions: true,
            noop_max: 0,
            life_loss: LifeLoss::Ignored,
            grey: Grey::Ale,
            resize: Resize::Area,
            ..Protocol::xu2018()
        }
    }

    /// Liu et al. 2022 on Atari (baselines' wrappers): episodic life, FIRE, sign of the points, stack zeroed at the end.
    pub fn theoretical_gmrl() -> Protocol {
        Protocol {
            fire_on_reset: true,
            life_loss: LifeLoss::Episode,
            grey: Grey::Rounded,
            resize: Resize::Area,
            reward: RewardRule::Sign,
            ..Protocol::xu2018()
        }
    }

    /// The preset called `name`; `None` if there is none (see [`PRESETS`]).
    pub fn preset(name: &str) -> Option<Protocol> {
        match name {
            "xu2018" => Some(Protocol::xu2018()),
            "machado2018" => Some(Protocol::machado2018()),
            "theoretical-gmrl" => Some(Protocol::theoretical_gmrl()),
            _ => None,
        }
    }

    /// Bytes of one observation `[stack, size, size]`.
    pub fn observation_len(&self) -> usize {
        self.stack * self.size * self.size
    }

    /// Refuses what contradicts itself.
    ///
    /// # Errors
    /// [`AtariError::Usage`] with the constant and what it may be.
    pub fn check(&self) -> Result<(), AtariError> {
        let refuse = |text: String| Err(AtariError::Usage(text));
        if self.frame_skip == 0 || self.frame_skip > 60 {
            return refuse(format!("frame_skip = {}: 1 to 60 frames are allowed", self.frame_skip));
        }
        if !(1..=2).contains(&self.max_over) || self.max_over > self.frame_skip {
            return refuse(format!("max_over = {}: 1 or 2, and at most frame_skip, is allowed", self.max_over));
        }
        if !(0.0..1.0).contains(&self.sticky) {
            return refuse(format!("sticky = {}: a probability below 1 is allowed", self.sticky));
        }
        if self.size == 0 || self.size > 160 {
            return refuse(format!("size = {}: 1 to 160 pixels are allowed", self.size));
        }
        if self.stack == 0 || self.stack > 64 {
            return refuse(format!("stack = {}: 1 to 64 pictures are allowed", self.stack));
        }
        if self.max_frames != 0 && self.max_frames <= self.noop_max {
            return refuse(format!(
                "max_frames = {}: more than noop_max, or 0 for no limit, is allowed",
                self.max_frames
            ));
        }
        Ok(())
    }

    /// Every constant as label and value, in words.
    pub fn constants(&self) -> Vec<(&'static str, String)> {
        let life = match self.life_loss {
            LifeLoss::Ignored => "ignored",
            LifeLoss::Terminal => "termination for learning (discount 0), the game goes on without reset",
            LifeLoss::Episode => "ends the episode; the game is reset only when it is over",
        };
        let grey = match self.grey {
            Grey::Ale => "ALE's grey of each frame, then the maximum",
            Grey::Luminance => "maximum of each of R, G, B, then 0.299 R + 0.587 G + 0.114 B, cut to a whole number",
            Grey::Rounded => "maximum of each of R, G, B, then 0.299 R + 0.587 G + 0.114 B, rounded (OpenCV)",
        };
        let resize = match self.resize {
            Resize::Area => "area average (OpenCV INTER_AREA)",
            Resize::Bilinear => "bilinear (Pillow BILINEAR)",
        };
        let padding = match self.padding {
            Padding::Zeros => "zeros",
            Padding::Repeat => "the first picture repeated",
        };
        let reward = match self.reward {
            RewardRule::Clip => "sum over the frames, clipped to [-1, 1]",
            RewardRule::Sign => "sign of the sum over the frames",
            RewardRule::Raw => "sum over the frames",
        };
        let noops = match self.noop_max {
            0 => "none".into(),
            n => format!("uniformly 1 to {n} frames at the start of a game"),
        };
        let cap = match self.max_frames {
            0 => "none".into(),
            n => format!("{n} frames ({:.0} min), as truncation", f64::from(n) / 3600.0),
        };
        let sticky = match self.sticky {
            0.0 => "none".into(),
            p => format!("the last action is repeated with probability {p} per frame"),
        };
        vec![
            ("frame skip", format!("{} frames of 1/60 s per step", self.frame_skip)),
            ("maximum over", format!("the last {} frames of a step", self.max_over)),
            ("grey", grey.into()),
            ("resize", format!("{resize} to {0} x {0}", self.size)),
            ("stack", format!("{} pictures, padded with {padding}", self.stack)),
            ("reward", reward.into()),
            ("life loss", life.into()),
            ("actions", if self.full_actions { "all 18" } else { "the game's minimal set" }.into()),
            ("sticky actions", sticky),
            ("no-ops", noops),
            ("FIRE on reset", if self.fire_on_reset { "yes" } else { "no" }.into()),
            ("episode cap", cap),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_consistent_and_say_all() {
        for name in PRESETS {
            let protocol = Protocol::preset(name).expect(name);
            protocol.check().expect(name);
            assert_eq!(protocol.observation_len(), 4 * 84 * 84);
            assert!(protocol.constants().iter().any(|(k, v)| *k == "episode cap" && v.contains("108000")));
        }
        assert_eq!(Protocol::preset("nature"), None);
    }

    #[test]
    fn contradictions_are_refused() {
        let refused = |change: fn(&mut Protocol), key: &str| {
            let mut protocol = Protocol::xu2018();
            change(&mut protocol);
            let message = protocol.check().expect_err(key).to_string();
            assert!(message.starts_with(key), "{message}");
        };
        refused(|p| p.frame_skip = 0, "frame_skip");
        refused(|p| p.frame_skip = 1, "max_over");
        refused(|p| p.sticky = 1.0, "sticky");
        refused(|p| p.sticky = f32::NAN, "sticky");
        refused(|p| p.size = 161, "size");
        refused(|p| p.stack = 0, "stack");
        refused(|p| p.max_frames = 30, "max_frames");
    }
}
