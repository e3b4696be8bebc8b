//! Section `[atari]`: a game and a protocol, every constant of which may be changed.

use super::raw;
use crate::config::Fault;
use crate::config::checks::Checked;
use crate::config::explain;
use ::tasks::atari::error::AtariError;
use ::tasks::atari::games::{self, Game};
use ::tasks::atari::protocol::{PRESETS, Protocol};

/// A game under a protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct Atari {
    /// The game.
    pub game: &'static Game,
    /// Name of the protocol that the constants started from.
    pub preset: String,
    /// The protocol.
    pub protocol: Protocol,
}

/// What the section means.
pub(super) fn atari(raw: &raw::Atari) -> Checked<Atari> {
    let Some(name) = &raw.game else {
        return Err(Fault::new("atari.game", "is needed: the name of a game, such as pong; `tasks` lists them"));
    };
    let game = games::find(name).map_err(|e| Fault::new("atari.game", e.to_string()))?;
    let preset = raw.protocol.clone().unwrap_or_else(|| PRESETS[0].into());
    let Some(mut protocol) = Protocol::preset(&preset) else {
        let hint = explain::suggestion(&preset, &PRESETS);
        return Err(Fault::new("atari.protocol", format!("unknown value `{preset}`; {hint}")));
    };
    apply(raw, &mut protocol);
    protocol.check().map_err(|e| match e {
        AtariError::Usage(text) => {
            let key = text.split_whitespace().next().unwrap_or("protocol");
            Fault::new(format!("atari.{key}"), text.split_once(' ').map_or(text.clone(), |(_, rest)| rest.to_string()))
        }
        other => Fault::new("atari", other.to_string()),
    })?;
    Ok(Atari { game, preset, protocol })
}

/// Changes the constants that are given.
fn apply(raw: &raw::Atari, p: &mut Protocol) {
    fn set<T>(to: &mut T, from: Option<impl Into<T>>) {
        if let Some(x) = from {
            *to = x.into();
        }
    }
    set(&mut p.frame_skip, raw.frame_skip);
    set(&mut p.max_over, raw.max_over);
    set(&mut p.sticky, raw.sticky);
    set(&mut p.full_actions, raw.full_actions);
    set(&mut p.noop_max, raw.noop_max);
    set(&mut p.fire_on_reset, raw.fire_on_reset);
    set(&mut p.size, raw.size);
    set(&mut p.stack, raw.stack);
    set(&mut p.max_frames, raw.max_frames);
    set(&mut p.life_loss, raw.life_loss);
    set(&mut p.grey, raw.grey);
    set(&mut p.resize, raw.resize);
    set(&mut p.padding, raw.padding);
    set(&mut p.reward, raw.reward);
}

/// The section that means this game and protocol.
pub(super) fn section(atari: &Atari) -> raw::Atari {
    let p = &atari.protocol;
    raw::Atari {
        game: Some(atari.game.name.to_string()),
        protocol: Some(atari.preset.clone()),
        frame_skip: Some(p.frame_skip),
        max_over: Some(p.max_over),
        sticky: Some(p.sticky),
        full_actions: Some(p.full_actions),
        noop_max: Some(p.noop_max),
        fire_on_reset: Some(p.fire_on_reset),
        size: Some(p.size),
        stack: Some(p.stack),
        max_frames: Some(p.max_frames),
        life_loss: Some(p.life_loss.into()),
        grey: Some(p.grey.into()),
        resize: Some(p.resize.into()),
        padding: Some(p.padding.into()),
        reward: Some(p.reward.into()),
    }
}
