//! Atari against ale-py, Gymnasium, OpenCV and Pillow, and states that are exact. Needs the emulator, else says that it was skipped.

use rand::{RngExt as _, SeedableRng as _};
use rayon::prelude::*;
use serde_json::Value;
use std::io::Write as _;
use std::sync::OnceLock;
use tasks::atari::emulator::Emulator;
use tasks::atari::home::md5;
use tasks::atari::picture::{Grey, Picture};
use tasks::atari::protocol::{LifeLoss, Padding, Protocol, RewardRule};
use tasks::atari::resize::Resize;
use tasks::atari::{AtariEnv, Library, games};
use tasks::env::Rng;

const FIXTURE: &str = include_str!("../fixtures/atari/parity.json");

/// The installed emulator; without it, says past the test harness' capture that `test` was skipped and why.
pub fn library(test: &str) -> Option<&'static Library> {
    static LIBRARY: OnceLock<Result<Library, String>> = OnceLock::new();
    match LIBRARY.get_or_init(|| Library::of_user().map_err(|e| e.to_string())) {
        Ok(library) => Some(library),
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "\nSKIPPED, NOT TESTED: Atari, {test}: {why}\n");
            None
        }
    }
}

fn cases(section: &str) -> Vec<Value> {
    let document: Value = serde_json::from_str(FIXTURE).expect("JSON");
    document[section].as_array().expect("a list").clone()
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{key} of {case}"))
}

fn number(case: &Value, key: &str) -> i64 {
    case[key].as_i64().unwrap_or_else(|| panic!("{key} of {case}"))
}

/// The generator of `generate.py`.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// MD5 of every `size` records, held against those of the fixture as they come.
struct Chunks<'a> {
    case: &'a Value,
    bytes: Vec<u8>,
    records: usize,
}

impl<'a> Chunks<'a> {
    fn new(case: &'a Value) -> Chunks<'a> {
        Chunks { case, bytes: Vec::new(), records: 0 }
    }

    fn add(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|p| self.bytes.extend(*p));
    }

    fn end(&mut self) {
        self.records += 1;
        let size = number(self.case, "chunk") as usize;
        if self.records.is_multiple_of(size) {
            let chunk = self.records / size - 1;
            let ours = &md5(&self.bytes)[..8];
            let game = text(self.case, "game");
            assert_eq!(self.case["md5"][chunk], ours, "{game}: records {} to {}", chunk * size, self.records);
            self.bytes.clear();
        }
    }
}

#[test]
fn points_lives_memory_and_screens_are_those_of_ale_py() {
    let Some(library) = library("parity of the emulator") else { return };
    let cases = cases("emulator");
    let mut seen: Vec<_> = cases.iter().map(|c| (text(c, "game"), c["sticky"].as_f64() == Some(0.0))).collect();
    seen.sort();
    seen.dedup();
    assert!(seen.len() >= 12 && cases.iter().all(|c| number(c, "actions") >= 2000));
    cases.par_iter().for_each(|case| {
        let game = games::find(text(case, "game")).expect("a game");
        let sticky = case["sticky"].as_f64().expect("a number") as f32;
        let seed = number(case, "seed");
        let mut ale = library.start(game, sticky, seed as u32).expect("it starts");
        ale.reset().expect("it resets");
        let minimal = ale.minimal_actions().to_vec();
        assert_eq!(game.benchmark.as_ref().expect("one of the 57").minimal_actions, minimal);
        let (mut rng, mut chunks, mut total) = (Lcg(seed as u64), Chunks::new(case), 0);
        for _ in 0..number(case, "actions") {
            let (action, hold) = (minimal[rng.below(minimal.len())], 1 + rng.below(4));
            for _ in 0..hold {
                let frame = ale.act(action).expect("a frame");
                total += i64::from(frame.reward);
                chunks.add(&[&frame.reward.to_le_bytes(), &frame.lives.to_le_bytes()]);
                chunks.add(&[&i32::from(frame.over).to_le_bytes(), &ale.ram().expect("RAM")]);
                if frame.over {
                    ale.reset().expect("it resets");
                }
            }
            chunks.add(&[ale.screen()]);
            chunks.end();
        }
        assert_eq!(total, number(case, "total"));
    });
}

/// The protocol that Gymnasium's wrappers amount to.
fn gymnasium(case: &Value) -> Protocol {
    Protocol {
        sticky: case["sticky"].as_f64().expect("a number") as f32,
        full_actions: false,
        padding: Padding::Repeat,
        reward: RewardRule::Raw,
        max_frames: number(case, "cap") as u32,
        ..Protocol::machado2018()
    }
}

#[test]
fn observations_are_those_of_gymnasium() {
    let Some(library) = library("parity with Gymnasium") else { return };
    cases("observations").par_iter().for_each(|case| {
        let game = games::find(text(case, "game")).expect("a game");
        let mut env = AtariEnv::new(library, game, gymnasium(case), number(case, "seed") as u32).expect("it starts");
        let (mut unused, mut rng) = (Rng::seed_from_u64(0), Lcg(number(case, "actions_seed") as u64));
        env.reset(&mut unused).expect("it resets");
        let mut observation = vec![0; 4 * 84 * 84];
        env.observe(&mut observation);
        assert_eq!(&md5(&observation)[..8], text(case, "first"), "{} at reset", game.name);
        let (mut chunks, mut ends) = (Chunks::new(case), Vec::new());
        for t in 0..number(case, "steps") {
            let step = env.step(rng.below(env.actions())).expect("a step");
            env.observe(&mut observation);
            chunks.add(&[&observation, &step.raw_reward.to_le_bytes()]);
            chunks.add(&[&i32::from(step.terminated).to_le_bytes(), &i32::from(step.truncated).to_le_bytes()]);
            chunks.end();
            assert_eq!(env.needs_reset(), step.terminated || step.truncated);
            if env.needs_reset() {
                ends.push(serde_json::json!([t, if step.terminated { "terminated" } else { "truncated" }]));
                env.reset(&mut unused).expect("it resets");
                env.observe(&mut observation);
                chunks.add(&[&observation]);
            }
        }
        assert_eq!(case["ends"], Value::from(ends), "{}", game.name);
    });
}

/// Digit for digit, which is more than the one grey level that was asked for.
#[test]
fn pictures_are_those_of_pillow_and_opencv() {
    let Some(library) = library("parity with Pillow and OpenCV") else { return };
    cases("pictures").par_iter().for_each(|case| {
        let game = games::find(text(case, "game")).expect("a game");
        let seed = number(case, "seed");
        let mut ale = library.start(game, 0.0, seed as u32).expect("it starts");
        ale.reset().expect("it resets");
        let (grey, resize) = match text(case, "kind") {
            "dqn_zoo" => (Grey::Luminance, Resize::Bilinear),
            _ => (Grey::Rounded, Resize::Area),
        };
        let mut picture = Picture::new(grey, resize, ale.size(), 84, ale.palette());
        let minimal = ale.minimal_actions().to_vec();
        let (mut rng, mut chunks) = (Lcg(seed as u64), Chunks::new(case));
        for _ in 0..number(case, "steps") {
            let action = minimal[rng.below(minimal.len())];
            let mut over = false;
            for t in 0..4 {
                over = ale.act(action).expect("a frame").over;
                if over {
                    break;
                }
                if t >= 2 {
                    picture.take(t - 2, ale.screen());
                }
            }
            if over {
                ale.reset().expect("it resets");
            } else {
                chunks.add(&[picture.draw()]);
                chunks.end();
            }
        }
    });
}

/// Amidar shows 0 lives at its start and 11 a frame later, Demon Attack 1 and 4: neither is a loss nor hides one.
#[test]
fn lives_are_lost_where_the_counter_falls() {
    let Some(library) = library("lives") else { return };
    cases("lives").par_iter().for_each(|case| {
        let game = games::find(text(case, "game")).expect("a game");
        let protocol = Protocol {
            frame_skip: 1,
            max_over: 1,
            noop_max: 0,
            max_frames: 0,
            life_loss: LifeLoss::Terminal,
            ..Protocol::xu2018()
        };
        let seed = number(case, "seed");
        let mut env = AtariEnv::new(library, game, protocol, seed as u32).expect("it starts");
        let (mut unused, mut rng) = (Rng::seed_from_u64(0), Lcg(seed as u64));
        env.reset(&mut unused).expect("it resets");
        let (mut at_reset, mut lost, mut action) = (vec![env.lives()], Vec::new(), 0);
        for t in 1..=number(case, "frames") {
            if t % 4 == 1 {
                action = rng.below(env.actions());
            }
            let step = env.step(action).expect("a frame");
            assert_eq!(step.terminated, step.life_lost || step.game_over);
            assert_eq!(env.needs_reset(), step.game_over, "a life is not the game");
            if step.life_lost {
                lost.push(t);
            }
            if env.needs_reset() {
                env.reset(&mut unused).expect("it resets");
                at_reset.push(env.lives());
            }
        }
        assert_eq!(case["at_reset"], Value::from(at_reset), "{}", game.name);
        assert_eq!(case["lost"], Value::from(lost), "{}", game.name);
    });
}

/// One episode's worth of everything that can be seen, `steps` random steps long.
fn play(env: &mut AtariEnv, rng: &mut Rng, steps: usize) -> Vec<u8> {
    let mut seen = Vec::new();
    let mut observation = vec![0; env.protocol().observation_len()];
    for _ in 0..steps {
        let step = env.step(rng.random_range(0..env.actions())).expect("a step");
        env.observe(&mut observation);
        let flags = [step.life_lost, step.terminated, step.truncated, step.game_over].map(u8::from);
        seen.extend(step.raw_reward.to_le_bytes());
        seen.extend(flags);
        seen.extend(env.ram().expect("RAM"));
        seen.extend(md5(&observation).bytes());
        seen.extend(md5(env.screen()).bytes());
        if env.needs_reset() {
            env.reset(rng).expect("it resets");
        }
    }
    seen
}

/// All 57 games play 1000 random steps, and continue exactly, in another process' stead, from a state saved half-way.
#[test]
fn all_games_play_and_continue_from_a_saved_state() {
    let Some(library) = library("all 57 games") else { return };
    let benchmark: Vec<_> = games::benchmark().collect();
    benchmark.par_iter().for_each(|game| {
        let presets = ["xu2018", "machado2018", "theoretical-gmrl"];
        let protocol = Protocol {
            sticky: 0.25,
            frame_skip: 2,
            ..Protocol::preset(presets[game.name.len() % 3]).expect("a preset")
        };
        let mut env = AtariEnv::new(library, game, protocol.clone(), 5).expect(game.name);
        let mut rng = Rng::seed_from_u64(game.name.len() as u64);
        env.reset(&mut rng).expect(game.name);
        for _ in 0..900 {
            env.step(rng.random_range(0..env.actions())).expect(game.name);
            if env.needs_reset() {
                env.reset(&mut rng).expect(game.name);
            }
        }
        let (state, mut again) = (env.save().expect(game.name), rng.clone());
        let expected = play(&mut env, &mut rng, 100);
        let mut fresh = AtariEnv::new(library, game, protocol, 77).expect(game.name);
        fresh.reset(&mut Rng::seed_from_u64(1)).expect(game.name);
        fresh.restore(&state).expect(game.name);
        assert_eq!(fresh.save().expect(game.name), state, "{}: saved again", game.name);
        assert!(play(&mut fresh, &mut again, 100) == expected, "{} goes on differently", game.name);
        let minimal = &game.benchmark.as_ref().expect("one of the 57").minimal_actions;
        assert!(env.protocol().full_actions || env.actions() == minimal.len(), "{}", game.name);
    });
}

#[test]
fn damaged_states_are_refused_and_change_nothing() {
    let Some(library) = library("damaged states") else { return };
    let make = |name: &str| {
        let game = games::find(name).expect("a game");
        let mut env = AtariEnv::new(library, game, Protocol::xu2018(), 1).expect("it starts");
        env.reset(&mut Rng::seed_from_u64(3)).expect("it resets");
        env
    };
    let (mut env, mut twin) = (make("breakout"), make("breakout"));
    let state = env.save().expect("a state");
    for damaged in [&state[..state.len() - 1], &state[..20], &[], b"anything at all, long enough to look at"] {
        assert!(env.restore(damaged).is_err());
    }
    let mut flipped = state.clone();
    *flipped.last_mut().expect("bytes") ^= 1;
    assert!(env.restore(&flipped).expect_err("damaged").to_string().contains("damaged"));
    let seeds = || Rng::seed_from_u64(9);
    assert!(play(&mut env, &mut seeds(), 50) == play(&mut twin, &mut seeds(), 50));
    // the emulator's own refusal is an exception in C++: it must arrive as an error, and the next game must start
    let game = games::find("pong").expect("a game");
    let mut ale = library.start(game, 0.0, 1).expect("it starts");
    for wrong in [&[][..], &[0; 100], &[255; 70_000], &[0; 80_000]] {
        assert!(ale.restore(wrong).is_err());
    }
    assert!(ale.act(18).is_err());
    let mut ale = library.start(game, 0.0, 1).expect("it starts");
    ale.reset().expect("it resets");
    ale.act(0).expect("it plays");
}
