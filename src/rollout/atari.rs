//! An Atari game as the environment of one actor.

use super::world::{Moment, World};
use crate::rng::Rng;
use tasks::atari::env::AtariEnv;
use tasks::env::Action;

/// A game under a protocol. An episode, for the log, is a whole game: its return is the points scored, whatever the learner sees of lives.
pub struct AtariWorld {
    env: AtariEnv,
    /// Points of the running game.
    score: f64,
    /// Last observation of the game that was truncated.
    last: Vec<u8>,
}

impl AtariWorld {
    /// Starts the first game.
    ///
    /// # Errors
    /// The emulator's, in words.
    pub fn start(mut env: AtariEnv, rng: &mut Rng) -> Result<AtariWorld, String> {
        let quiet = env.reset(rng).map_err(|e| e.to_string())?;
        Ok(AtariWorld { env, score: f64::from(quiet.points), last: Vec::new() })
    }

    /// The game.
    pub fn env(&self) -> &AtariEnv {
        &self.env
    }

    fn append(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + self.env.protocol().observation_len(), 0);
        self.env.observe(&mut out[start..]);
    }
}

impl World for AtariWorld {
    type Obs = u8;

    fn observe(&self, out: &mut Vec<u8>) {
        self.append(out);
    }

    fn step(&mut self, action: Action<'_>, rng: &mut Rng) -> Result<Moment, String> {
        let Action::Discrete(action) = action else { return Err("a game takes discrete actions".into()) };
        let step = self.env.step(action).map_err(|e| e.to_string())?;
        self.score += f64::from(step.raw_reward);
        if step.truncated {
            let mut last = std::mem::take(&mut self.last);
            last.clear();
            self.append(&mut last);
            self.last = last;
        }
        let mut finished = (step.game_over || step.truncated).then(|| std::mem::take(&mut self.score));
        if self.env.needs_reset() {
            let quiet = self.env.reset(rng).map_err(|e| e.to_string())?;
            if let (None, Some(points)) = (finished, quiet.finished) {
                finished = Some(std::mem::take(&mut self.score) + f64::from(points)); // the last life was lost in the reset
            }
            self.score += f64::from(quiet.points);
        }
        Ok(Moment {
            reward: f64::from(step.reward),
            terminated: step.terminated,
            truncated: step.truncated,
            finished,
            frames: u64::from(step.frames),
        })
    }

    fn observe_final(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.last);
    }

    fn save(&mut self) -> Result<Vec<u8>, String> {
        let mut bytes = self.score.to_le_bytes().to_vec();
        bytes.extend(self.env.save().map_err(|e| e.to_string())?);
        Ok(bytes)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        let (score, env) = bytes.split_first_chunk::<8>().ok_or("truncated")?;
        self.env.restore(env).map_err(|e| e.to_string())?;
        self.score = f64::from_le_bytes(*score);
        Ok(())
    }
}
