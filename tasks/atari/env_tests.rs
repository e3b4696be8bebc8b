//! Rules of the protocols, on a toy emulator whose every frame is known.

use super::*;
use crate::atari::picture::Grey;
use crate::atari::resize::Resize;
use rand::SeedableRng as _;

/// A game by script: frame `t` shows colour `2 (t mod 128)`, pays `t` points with FIRE, and has the lives of the script.
struct Toy {
    t: u32,
    script: &'static [i32],
    over_at: u32,
    resets: i32,
    screen: Vec<u8>,
    palette: [u32; 256],
    played: Vec<u8>,
}

impl Toy {
    fn frame(&mut self, reward: i32) -> Frame {
        self.screen.fill((self.t % 128 * 2) as u8);
        let lives = self.script[(self.t as usize).min(self.script.len() - 1)];
        Frame { reward, lives, over: self.t >= self.over_at }
    }
}

impl Emulator for Toy {
    fn reset(&mut self) -> Result<Frame, AtariError> {
        (self.t, self.resets) = (0, self.resets + 1);
        Ok(self.frame(0))
    }
    fn act(&mut self, action: u8) -> Result<Frame, AtariError> {
        self.t += 1;
        self.played.push(action);
        let points = if action == FIRE { self.t as i32 } else { 0 };
        Ok(self.frame(points))
    }
    fn seed(&mut self, _: u32) -> Result<(), AtariError> {
        Ok(())
    }
    fn minimal_actions(&self) -> &[u8] {
        &[0, 1, 4]
    }
    fn all_actions(&self) -> &[u8] {
        &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]
    }
    fn size(&self) -> (usize, usize) {
        (160, 210)
    }
    fn screen(&self) -> &[u8] {
        &self.screen
    }
    fn palette(&self) -> &[u32; 256] {
        &self.palette
    }
    /// Frame, games and the last four actions: what the tests look at.
    fn ram(&mut self) -> Result<Ram, AtariError> {
        let mut ram = [0; 128];
        (ram[0], ram[1]) = (self.t as u8, self.resets as u8);
        self.played.iter().rev().take(20).enumerate().for_each(|(i, &a)| ram[2 + i] = a);
        Ok(ram)
    }
    fn save(&mut self) -> Result<Vec<u8>, AtariError> {
        Ok([self.t.to_le_bytes(), self.resets.to_le_bytes()].concat())
    }
    fn restore(&mut self, state: &[u8]) -> Result<(), AtariError> {
        let number = |i: usize| u32::from_le_bytes(state[i..i + 4].try_into().expect("4 bytes"));
        (self.t, self.resets) = (number(0), number(4) as i32);
        self.frame(0);
        Ok(())
    }
}

/// Greys 0, 1, 2, ... by frame.
fn toy(script: &'static [i32], over_at: u32, protocol: Protocol) -> AtariEnv {
    let mut palette = [0; 256];
    (0..128).for_each(|i| palette[2 * i + 1] = i as u32);
    let screen = vec![0; 160 * 210];
    let toy = Toy { t: 0, script, over_at, resets: 0, screen, palette, played: Vec::new() };
    AtariEnv::on(Box::new(toy), protocol).expect("a protocol")
}

fn plain() -> Protocol {
    Protocol { noop_max: 0, grey: Grey::Ale, resize: Resize::Area, ..Protocol::xu2018() }
}

fn rng() -> crate::env::Rng {
    crate::env::Rng::seed_from_u64(4)
}

/// Grey of each picture of the stack, oldest first.
fn stack(env: &AtariEnv) -> Vec<u8> {
    let mut out = vec![0; env.protocol().observation_len()];
    env.observe(&mut out);
    out.chunks_exact(84 * 84)
        .map(|p| {
            assert!(p.iter().all(|v| *v == p[0]), "one colour");
            p[0]
        })
        .collect()
}

#[test]
fn pictures_are_the_maximum_of_the_last_two_frames_and_stack_up() {
    for (padding, first) in [(Padding::Zeros, [0, 0, 0, 0]), (Padding::Repeat, [0, 0, 0, 0])] {
        let mut env = toy(&[3], 1000, Protocol { padding, ..plain() });
        env.reset(&mut rng()).expect("it resets");
        assert_eq!(stack(&env), first);
        for expected in [[0, 0, 0, 4], [0, 0, 4, 8], [0, 4, 8, 12], [4, 8, 12, 16], [8, 12, 16, 20]] {
            env.step(0).expect("a step");
            assert_eq!(stack(&env), expected);
        }
    }
    let mut env = toy(&[3], 1000, Protocol { fire_on_reset: true, padding: Padding::Repeat, ..plain() });
    env.reset(&mut rng()).expect("it resets");
    assert_eq!(stack(&env), [8; 4], "FIRE and the next action, a step each");
    assert_eq!(env.ram().expect("RAM")[2..10], [4, 4, 4, 4, 1, 1, 1, 1]);
}

#[test]
fn rewards_are_summed_then_clipped() {
    for (rule, expected) in [(RewardRule::Clip, 1.0), (RewardRule::Sign, 1.0), (RewardRule::Raw, 10.0)] {
        let mut env = toy(&[3], 1000, Protocol { reward: rule, ..plain() });
        env.reset(&mut rng()).expect("it resets");
        let step = env.step(1).expect("a step");
        assert_eq!((step.reward, step.raw_reward, step.frames), (expected, 1 + 2 + 3 + 4, 4));
        assert_eq!(env.step(0).expect("a step").reward, 0.0);
    }
}

/// The counter starts at 0, settles at 3, falls at frame 10, shows 0 from frame 18 on, and the game ends at frame 24.
const LIVES: &[i32] = &[0, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0];

fn ends(life_loss: LifeLoss) -> Vec<(u32, bool, bool, bool)> {
    let mut env = toy(LIVES, 24, Protocol { life_loss, ..plain() });
    env.reset(&mut rng()).expect("it resets");
    let mut seen = Vec::new();
    loop {
        let step = env.step(0).expect("a step");
        if step.terminated || step.life_lost {
            seen.push((env.frames(), step.life_lost, step.terminated, env.needs_reset()));
        }
        if step.game_over {
            return seen;
        }
        if env.needs_reset() {
            env.reset(&mut rng()).expect("it resets");
            assert_eq!(env.ram().expect("RAM")[1], 1, "still the first game");
        }
    }
}

#[test]
fn life_loss_by_protocol() {
    let [fall, zero, over] = [(12, true), (20, true), (24, false)];
    let with = |(t, lost): (u32, bool), ends: bool, reset: bool| (t, lost, ends, reset);
    let ignored = [with(fall, false, false), with(zero, false, false), with(over, true, true)];
    assert_eq!(ends(LifeLoss::Ignored), ignored);
    let terminal = [with(fall, true, false), with(zero, true, false), with(over, true, true)];
    assert_eq!(ends(LifeLoss::Terminal), terminal);
    // after the first loss one no-op step is played; the counter's 0 is not an end, the game's is
    let episode = [with(fall, true, true), with(zero, false, false), with(over, true, true)];
    assert_eq!(ends(LifeLoss::Episode), episode);
}

#[test]
fn points_of_a_reset_belong_to_their_games() {
    let protocol = Protocol { life_loss: LifeLoss::Episode, fire_on_reset: true, ..plain() };
    let lost_at = |over_at| {
        let mut env = toy(&[2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1], over_at, protocol.clone());
        // FIRE pays 1 + 2 + 3 + 4; the third action pays nothing
        assert_eq!(env.reset(&mut rng()), Ok(Quiet { finished: None, points: 10 }));
        assert!(!env.step(0).expect("a step").terminated);
        assert!(env.step(0).expect("frames 13 to 16").terminated && env.needs_reset());
        (env.reset(&mut rng()).expect("it resets"), env.frames())
    };
    // a no-op, then FIRE in frames 21 to 24
    assert_eq!(lost_at(1000), (Quiet { finished: None, points: 21 + 22 + 23 + 24 }, 28));
    // the game ends in frame 22: what follows is another's
    assert_eq!(lost_at(22), (Quiet { finished: Some(21 + 22), points: 0 }, 4));
    // it ends in the no-op: the other game gets FIRE in frames 1 to 4
    assert_eq!(lost_at(18), (Quiet { finished: Some(0), points: 10 }, 8));
}

#[test]
fn the_cap_truncates_and_does_not_terminate() {
    let mut env = toy(&[3], 1000, Protocol { max_frames: 10, ..plain() });
    env.reset(&mut rng()).expect("it resets");
    let steps: Vec<AtariStep> = (0..3).map(|_| env.step(0).expect("a step")).collect();
    assert_eq!(steps.iter().map(|s| (s.frames, s.truncated)).collect::<Vec<_>>(), [(4, false), (4, false), (2, true)]);
    assert!(!steps[2].terminated && !steps[2].game_over && env.needs_reset());
    assert!(env.step(0).is_err(), "a reset is due");
    env.reset(&mut rng()).expect("it resets");
    assert_eq!((env.frames(), env.ram().expect("RAM")[1]), (0, 2));
    // a game that ends at the cap has ended
    let mut env = toy(&[3], 10, Protocol { max_frames: 10, ..plain() });
    env.reset(&mut rng()).expect("it resets");
    let last = (0..3).map(|_| env.step(0).expect("a step")).last().expect("three");
    assert!(last.terminated && last.game_over && !last.truncated);
}

#[test]
fn no_ops_are_uniform_from_1() {
    let mut env = toy(&[3], 1000, Protocol { noop_max: 5, ..plain() });
    let mut rng = rng();
    let mut counts = [0; 7];
    for _ in 0..500 {
        env.reset(&mut rng).expect("it resets");
        counts[env.frames() as usize] += 1;
    }
    assert_eq!((counts[0], counts[6]), (0, 0));
    assert!(counts[1..6].iter().all(|&c| (60..140).contains(&c)), "{counts:?}");
}

#[test]
fn a_state_brings_back_stack_and_counters() {
    let protocol = Protocol { life_loss: LifeLoss::Terminal, ..plain() };
    let mut env = toy(LIVES, 1000, protocol.clone());
    env.reset(&mut rng()).expect("it resets");
    for _ in 0..2 {
        env.step(0).expect("a step");
    }
    let state = env.save().expect("a state");
    let mut other = toy(LIVES, 1000, protocol.clone());
    other.restore(&state).expect("the same protocol");
    assert_eq!(stack(&other), stack(&env));
    for _ in 0..4 {
        assert_eq!(other.step(0), env.step(0));
        assert_eq!(stack(&other), stack(&env));
    }
    let mut narrow = toy(LIVES, 1000, Protocol { stack: 2, ..protocol });
    let message = narrow.restore(&state).expect_err("another protocol").to_string();
    assert!(message.contains("another game or protocol"), "{message}");
}

#[test]
fn misuse_is_an_error() {
    let mut env = toy(&[3], 1000, plain());
    assert!(env.step(0).expect_err("no game yet").to_string().contains("reset first"));
    env.reset(&mut rng()).expect("it resets");
    assert!(env.step(3).expect_err("three actions").to_string().contains("no action 3"));
    fn movable<T: Send>(_: &T) {}
    movable(&env);
}
