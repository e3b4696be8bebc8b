//! Times Atari games with preprocessing and random actions, and prints one JSON line that `benches/peers/compare.py` reads.
//!
//! `cargo run --release --example atari_throughput -- [--game NAME] [--envs N] [--threads N] [--steps N] [--protocol NAME]`

mod support;

use rand::{RngExt as _, SeedableRng as _};
use std::time::Instant;
use support::{cpu_seconds, peak_rss_mb};
use tasks::atari::protocol::LifeLoss;
use tasks::atari::{AtariEnv, Library, Protocol, games};
use tasks::env::Rng;

/// One thread's share: steps every environment in turn into its part of the batch; returns frames, games over and points.
fn drive(envs: &mut [AtariEnv], batch: &mut [u8], steps: usize, seed: u64) -> (u64, u64, i64) {
    let mut rng = Rng::seed_from_u64(seed);
    let (mut frames, mut games, mut points) = (0, 0, 0);
    for _ in 0..steps {
        for (env, observation) in envs.iter_mut().zip(batch.chunks_exact_mut(4 * 84 * 84)) {
            let step = env.step(rng.random_range(0..env.actions())).expect("a step");
            frames += u64::from(step.frames);
            points += i64::from(step.raw_reward);
            if env.needs_reset() {
                env.reset(&mut rng).expect("a reset");
                games += 1;
            }
            env.observe(observation);
        }
    }
    (frames, games, points)
}

fn main() {
    let (mut game, mut count, mut threads, mut steps) = ("pong".to_string(), 8usize, 1usize, 500usize);
    let mut protocol = "like-the-peers".to_string();
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{flag} needs a value"));
        match flag.as_str() {
            "--game" => game = value,
            "--envs" => count = value.parse().expect("--envs takes a number"),
            "--threads" => threads = value.parse().expect("--threads takes a number"),
            "--steps" => steps = value.parse().expect("--steps takes a number"),
            "--protocol" => protocol = value,
            other => panic!("unknown flag {other}: use --game, --envs, --threads, --steps, --protocol"),
        }
    }
    let rules = Protocol::preset(&protocol).unwrap_or_else(|| Protocol {
        // what the peers are asked for: ALE's grey, area average, no-op starts, episodes that end with the game
        sticky: 0.0,
        full_actions: false,
        noop_max: 30,
        life_loss: LifeLoss::Ignored,
        ..Protocol::machado2018()
    });
    let library = Library::of_user().unwrap_or_else(|e| panic!("{e}"));
    let found = games::find(&game).unwrap_or_else(|e| panic!("{e}"));
    let mut rng = Rng::seed_from_u64(1);
    let make = |seed: usize| AtariEnv::new(&library, found, rules.clone(), seed as u32).expect("it starts");
    let mut envs: Vec<AtariEnv> = (0..count).map(make).collect();
    for env in &mut envs {
        env.reset(&mut rng).expect("a reset");
    }
    let mut batch = vec![0u8; count * 4 * 84 * 84];
    let share = count.div_ceil(threads);
    let (mut totals, mut wall, mut cpu) = ((0, 0, 0), 0.0, 0.0);
    for (measured, steps) in [(false, steps / 10), (true, steps)] {
        let (start, before) = (Instant::now(), cpu_seconds());
        let sums: Vec<_> = std::thread::scope(|scope| {
            let parts = envs.chunks_mut(share).zip(batch.chunks_mut(share * 4 * 84 * 84));
            let spawn = |(i, (envs, batch)): (usize, (_, _))| scope.spawn(move || drive(envs, batch, steps, i as u64));
            let handles: Vec<_> = parts.enumerate().map(spawn).collect();
            handles.into_iter().map(|h| h.join().expect("no panic")).collect()
        });
        if measured {
            (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - before);
            totals = sums.iter().fold((0, 0, 0), |t, s| (t.0 + s.0, t.1 + s.1, t.2 + s.2));
        }
    }
    println!(
        "{}",
        serde_json::json!({
            "program": "stillpoint", "game": game, "protocol": protocol, "envs": count, "threads": threads,
            "frames": totals.0, "games": totals.1, "points": totals.2,
            "frames_per_cpu_second": totals.0 as f64 / cpu, "frames_per_second": totals.0 as f64 / wall,
            "cpu_seconds": cpu, "wall_seconds": wall, "peak_rss_mb": peak_rss_mb(),
        })
    );
}
