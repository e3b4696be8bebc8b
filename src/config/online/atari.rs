//! Section `[atari]`: a game and a protocol, every constant of which may be changed.

use super::raw;
use crate::config::Fault;
use crate::config::checks::Checked;
use crate::config::explain;
use ::tasks::atari::error::AtariError;
use ::tasks::atari::games::{self, Game, Reference};
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

impl Atari {
    /// Scores of random play and humans that scores here may be held against: whole games of the benchmark, under no-op starts and
    /// without sticky actions, as theirs were.
    ///
    /// # Errors
    /// Why there are none, in words: the game is not of the benchmark, or the keys that differ.
    pub fn references(&self) -> Result<Reference, String> {
        let Some(benchmark) = &self.game.benchmark else {
            return Err(format!("{} is not one of the 57 games of the benchmark", self.game.name));
        };
        let key = |p: &Protocol| [p.noop_max.to_string(), p.sticky.to_string(), p.max_frames.to_string()];
        let (played, theirs) = (key(&self.protocol), key(&Protocol::xu2018()));
        let both = ["noop_max", "sticky", "max_frames"].into_iter().zip(played.iter().zip(&theirs));
        let differ: Vec<String> = both
            .filter(|(_, (ours, its))| ours != its)
            .map(|(name, (ours, its))| format!("`atari.{name}` is {ours}, theirs {its}"))
            .collect();
        match differ.is_empty() {
            true => Ok(benchmark.noop),
            false => Err(format!("random play and humans are known under other rules: {}", differ.join(", "))),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn game(name: &str, change: fn(&mut Protocol)) -> Atari {
        let mut protocol = Protocol::xu2018();
        change(&mut protocol);
        Atari { game: games::find(name).expect("known"), preset: PRESETS[0].into(), protocol }
    }

    #[test]
    fn references_are_for_games_that_are_played_as_theirs_were() {
        assert_eq!(game("pong", |_| {}).references(), Ok(Reference { random: -20.7, human: 14.6 }));
        assert!(game("pong", |p| *p = Protocol::theoretical_gmrl()).references().is_ok(), "whole games all the same");
        let why = |change| game("pong", change).references().expect_err("other rules");
        assert!(why(|p| p.max_frames = 400).ends_with(": `atari.max_frames` is 400, theirs 108000"));
        let other = why(|p| *p = Protocol::machado2018());
        assert!(other.ends_with(": `atari.noop_max` is 0, theirs 30, `atari.sticky` is 0.25, theirs 0"), "{other}");
        assert!(why(|p| p.sticky = 0.1).contains("`atari.sticky` is 0.1, theirs 0"));
        let unknown = games::all().iter().find(|g| g.benchmark.is_none()).expect("108 games, 57 of the benchmark");
        assert!(game(unknown.name, |_| {}).references().expect_err("unknown").contains("benchmark"));
    }

    #[test]
    fn humans_play_better_than_chance_in_every_game() {
        for known in games::benchmark() {
            let Reference { random, human } = game(known.name, |_| {}).references().expect("of the benchmark");
            assert!(random < human, "{}", known.name);
        }
    }
}
