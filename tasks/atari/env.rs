//! One Atari game as a learner plays it: frame skip, pictures, stack, rewards, lives and episodes of a [`Protocol`].

use super::emulator::{Emulator, Frame, Ram};
use super::error::AtariError;
use super::games::Game;
use super::library::Library;
use super::picture::Picture;
use super::protocol::{LifeLoss, Padding, Protocol, RewardRule};
use super::snapshot::{Reader, Writer};
use rand::RngExt as _;

/// What one step brought.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AtariStep {
    /// Reward after the protocol's rule.
    pub reward: f32,
    /// Points scored over the step's frames.
    pub raw_reward: i32,
    /// A life was lost in this step.
    pub life_lost: bool,
    /// For learning, the episode ends here: nothing follows. With [`LifeLoss::Terminal`] the game may go on: step on.
    pub terminated: bool,
    /// The frame limit was reached: the value of what would have followed counts.
    pub truncated: bool,
    /// The game itself is over.
    pub game_over: bool,
    /// Frames that were emulated; fewer than the frame skip where the game ended.
    pub frames: u32,
}

/// Numbers of the game in progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    /// Frames since the game's start.
    frames: u32,
    lives: i32,
    /// The life counter has stood still from one frame to the next: Amidar shows 0 lives at its start, Demon Attack 1.
    settled: bool,
    /// The game has ended, by itself or by the limit.
    ended: bool,
    /// A reset is due.
    stopped: bool,
}

/// A game under a protocol. Same seed, same streams handed to [`AtariEnv::reset`], same actions: same everything.
pub struct AtariEnv {
    emulator: Box<dyn Emulator>,
    protocol: Protocol,
    actions: Vec<u8>,
    picture: Picture,
    /// Ring of the last pictures.
    stack: Vec<u8>,
    /// Position of the oldest.
    oldest: usize,
    progress: Progress,
}

const NOOP: u8 = 0;
const FIRE: u8 = 1;

/// What the steps of a reset scored, which nobody chose and the learner does not see. The no-op frames that begin a game are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quiet {
    /// Points until the end of the game that was running, if it ended in the reset.
    pub finished: Option<i32>,
    /// Points of the game that is running now.
    pub points: i32,
}

impl AtariEnv {
    /// Starts `game` on the loaded library; `seed` is that of the emulator's own (sticky) random stream.
    ///
    /// # Errors
    /// A protocol that contradicts itself, a ROM that is missing or wrong, an emulator that refuses.
    pub fn new(library: &Library, game: &Game, protocol: Protocol, seed: u32) -> Result<AtariEnv, AtariError> {
        protocol.check()?;
        let emulator = library.start(game, protocol.sticky, seed)?;
        AtariEnv::on(Box::new(emulator), protocol)
    }

    /// The same on any emulator, which must have been made with the protocol's sticky probability.
    ///
    /// # Errors
    /// A protocol that contradicts itself or the emulator's screen.
    pub fn on(emulator: Box<dyn Emulator>, protocol: Protocol) -> Result<AtariEnv, AtariError> {
        protocol.check()?;
        let (size, new) = (emulator.size(), protocol.size);
        if size.0 > 320 || size.0 < new || size.1 < new {
            let why = format!("size = {new}: the screen is {} by {} and cannot be shrunk to it", size.0, size.1);
            return Err(AtariError::Usage(why));
        }
        let actions = if protocol.full_actions { emulator.all_actions() } else { emulator.minimal_actions() }.to_vec();
        Ok(AtariEnv {
            picture: Picture::new(protocol.grey, protocol.resize, size, new, emulator.palette()),
            stack: vec![0; protocol.observation_len()],
            oldest: 0,
            progress: Progress { ended: true, stopped: true, ..Progress::default() },
            actions,
            emulator,
            protocol,
        })
    }

    /// Number of actions; `step` takes 0 up to this.
    pub fn actions(&self) -> usize {
        self.actions.len()
    }

    /// The protocol it runs under.
    pub fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// Lives left as the game counts them.
    pub fn lives(&self) -> i32 {
        self.progress.lives
    }

    /// Frames since the start of the game, no-ops included.
    pub fn frames(&self) -> u32 {
        self.progress.frames
    }

    /// Whether [`AtariEnv::reset`] must come next.
    pub fn needs_reset(&self) -> bool {
        self.progress.stopped
    }

    /// The console's memory.
    ///
    /// # Errors
    /// The emulator's.
    pub fn ram(&mut self) -> Result<Ram, AtariError> {
        self.emulator.ram()
    }

    /// Palette indices of the screen at full size, for pictures that people look at.
    pub fn screen(&self) -> &[u8] {
        self.emulator.screen()
    }

    /// Colours 0xRRGGBB by palette index.
    pub fn palette(&self) -> &[u32; 256] {
        self.emulator.palette()
    }

    /// Width and height of [`AtariEnv::screen`].
    pub fn screen_size(&self) -> (usize, usize) {
        self.emulator.size()
    }

    /// Starts an episode: a new game with its no-ops, drawn from `rng`; or, with [`LifeLoss::Episode`] and a game that is
    /// not over, the same game after one no-op step. Draws one number per new game if the protocol has no-ops. What its FIRE steps
    /// and the no-op step scored is no reward, but belongs to the games that they are of.
    ///
    /// # Errors
    /// The emulator's.
    pub fn reset(&mut self, rng: &mut impl rand::Rng) -> Result<Quiet, AtariError> {
        let mut quiet = Quiet::default();
        if self.progress.ended || self.protocol.life_loss != LifeLoss::Episode {
            self.new_game(rng)?;
        } else {
            self.quiet_step(NOOP, rng, &mut quiet)?;
        }
        if self.protocol.fire_on_reset && self.actions.len() >= 3 && self.actions[1] == FIRE {
            self.quiet_step(FIRE, rng, &mut quiet)?;
            self.quiet_step(self.actions[2], rng, &mut quiet)?;
        }
        self.progress.stopped = false;
        match self.protocol.padding {
            Padding::Zeros => self.stack.fill(0),
            Padding::Repeat => {
                let picture = self.picture.last();
                self.stack.chunks_exact_mut(picture.len()).for_each(|p| p.copy_from_slice(picture));
            }
        }
        self.push();
        Ok(quiet)
    }

    fn new_game(&mut self, rng: &mut impl rand::Rng) -> Result<(), AtariError> {
        let frame = self.emulator.reset()?;
        self.progress = Progress { lives: frame.lives, ..Progress::default() };
        if self.protocol.noop_max > 0 {
            for _ in 0..rng.random_range(1..=self.protocol.noop_max) {
                if self.frame(NOOP)?.0.over {
                    let frame = self.emulator.reset()?;
                    self.progress = Progress { lives: frame.lives, ..Progress::default() };
                }
            }
        }
        let screen = self.emulator.screen();
        self.picture.take(0, screen);
        self.picture.take(1, screen);
        self.picture.draw();
        Ok(())
    }

    /// A step whose reward nobody sees; starts a new game where it ends one.
    fn quiet_step(&mut self, action: u8, rng: &mut impl rand::Rng, quiet: &mut Quiet) -> Result<(), AtariError> {
        quiet.points += self.frames_of_step(action)?.raw_reward;
        if !self.progress.ended {
            return Ok(());
        }
        let points = std::mem::take(&mut quiet.points);
        quiet.finished.get_or_insert(points);
        self.new_game(rng)
    }

    /// One frame, and whether a life was lost in it.
    fn frame(&mut self, action: u8) -> Result<(Frame, bool), AtariError> {
        let frame = self.emulator.act(action)?;
        let p = &mut self.progress;
        p.frames += 1;
        let lost = p.settled && frame.lives < p.lives;
        p.settled |= frame.lives == p.lives;
        p.lives = frame.lives;
        Ok((frame, lost))
    }

    /// The frames of one step, with the picture drawn.
    fn frames_of_step(&mut self, action: u8) -> Result<AtariStep, AtariError> {
        let Protocol { frame_skip, max_over, max_frames, .. } = self.protocol;
        let mut step = AtariStep::default();
        for t in 0..frame_skip {
            let (frame, lost) = self.frame(action)?;
            step.frames += 1;
            step.raw_reward += frame.reward;
            step.life_lost |= lost;
            step.game_over = frame.over;
            step.truncated = !frame.over && max_frames > 0 && self.progress.frames >= max_frames;
            if step.game_over || step.truncated {
                // As Gymnasium, which takes no screen of the frame that ends a game: what it shows then is older.
                if max_over == 2 && t + 1 == frame_skip {
                    self.picture.draw_over();
                }
                self.progress.ended = true;
                return Ok(step);
            }
            if t + max_over >= frame_skip {
                self.picture.take(t + 2 - frame_skip, self.emulator.screen());
            }
        }
        if max_over == 1 {
            self.picture.take(0, self.emulator.screen());
        }
        self.picture.draw();
        Ok(step)
    }

    /// Takes action number `action` of the action set.
    ///
    /// # Errors
    /// An action that is not there, a step where a reset is due, the emulator's errors.
    pub fn step(&mut self, action: usize) -> Result<AtariStep, AtariError> {
        if self.progress.stopped {
            return Err(AtariError::Usage("a step after the end of an episode: reset first".into()));
        }
        let Some(&action) = self.actions.get(action) else {
            return Err(AtariError::Usage(format!("there is no action {action}: the game has {}", self.actions.len())));
        };
        let mut step = self.frames_of_step(action)?;
        step.reward = match self.protocol.reward {
            RewardRule::Clip => step.raw_reward.clamp(-1, 1) as f32,
            RewardRule::Sign => step.raw_reward.signum() as f32,
            RewardRule::Raw => step.raw_reward as f32,
        };
        let life = match self.protocol.life_loss {
            LifeLoss::Ignored => false,
            LifeLoss::Terminal => step.life_lost,
            // in some games the counter shows 0 for a while before the game is over
            LifeLoss::Episode => step.life_lost && self.progress.lives > 0,
        };
        step.terminated = step.game_over || life;
        step.truncated &= !step.terminated;
        self.progress.stopped = self.progress.ended || (life && self.protocol.life_loss == LifeLoss::Episode);
        self.push();
        Ok(step)
    }

    /// Puts the last picture on the stack, in place of the oldest.
    fn push(&mut self) {
        let picture = self.picture.last();
        self.stack[self.oldest * picture.len()..][..picture.len()].copy_from_slice(picture);
        self.oldest = (self.oldest + 1) % self.protocol.stack;
    }

    /// Writes the stack `[stack, size, size]`, oldest picture first.
    ///
    /// # Panics
    /// If `out` is not [`Protocol::observation_len`] long.
    pub fn observe(&self, out: &mut [u8]) {
        let (newer, older) = self.stack.split_at(self.oldest * self.protocol.size * self.protocol.size);
        assert_eq!(out.len(), self.stack.len(), "bytes of an observation");
        out[..older.len()].copy_from_slice(older);
        out[older.len()..].copy_from_slice(newer);
    }

    /// Everything that the future depends on, as bytes: emulator with its random stream, pictures, counters.
    ///
    /// # Errors
    /// The emulator's.
    pub fn save(&mut self) -> Result<Vec<u8>, AtariError> {
        let p = self.progress;
        let mut w = Writer::default();
        for x in [u64::from(p.frames), p.lives as u32 as u64, p.settled.into(), p.ended.into(), p.stopped.into()] {
            w.number(x);
        }
        w.number(self.oldest as u64);
        w.block(&self.stack);
        w.block(self.picture.grey());
        w.block(&self.emulator.save()?);
        Ok(w.finish())
    }

    /// Continues from [`AtariEnv::save`] of the same game and protocol.
    ///
    /// # Errors
    /// [`AtariError::State`] for bytes that are damaged or of another game or protocol, and then nothing has changed;
    /// the emulator's errors, after which it must be dropped.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), AtariError> {
        let mut r = Reader::new(bytes)?;
        let numbers: Vec<u64> = (0..6).map(|_| r.number()).collect::<Result<_, _>>()?;
        let stack = r.exactly(self.stack.len(), "the stack")?;
        let grey = r.exactly(self.picture.grey().len(), "the screen")?;
        self.emulator.restore(r.block()?)?;
        self.progress = Progress {
            frames: numbers[0] as u32,
            lives: numbers[1] as u32 as i32,
            settled: numbers[2] != 0,
            ended: numbers[3] != 0,
            stopped: numbers[4] != 0,
        };
        self.oldest = numbers[5] as usize % self.protocol.stack;
        self.stack.copy_from_slice(stack);
        self.picture.set_grey(grey);
        Ok(())
    }
}

#[cfg(test)]
#[path = "env_tests.rs"]
mod tests;
