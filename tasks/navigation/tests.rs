//! Quirks of every navigation variant, with numbers worked out by hand from the published constants.

use super::{CORNERS, Navigation, Point, Wrapper, norm, preset};
use crate::env::{Action, Env, Rng, Space, Transition};
use crate::family::Family;
use crate::registry::build;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use serde_json::{Map, json};

fn env(name: &str, goal: Point) -> Navigation {
    Navigation { spec: *preset(name).expect(name), goal, gaps: [[1.0, 0.0], [0.0, 2.0]] }
}

/// One step from `s` with policy output `u`; returns the new state too.
fn step(env: &Navigation, s: &[f64], u: Point) -> (Vec<f64>, Transition) {
    let mut state = s.to_vec();
    let t = env.step(&mut state, Action::Continuous(&u), &mut Rng::seed_from_u64(0));
    (state, t)
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

fn family(name: &str) -> Box<dyn Family> {
    build(name, &Map::new()).expect(name)
}

#[test]
fn the_sgmrl_wrapper_divides_by_a_hundred_and_saturates_at_ten() {
    let e = env("navigation/sgmrl", [0.4, 0.3]);
    let (s, t) = step(&e, &[0.0, 0.0], [1.0, -2.0]);
    assert!(close(s[0], 0.01) && close(s[1], -0.02), "{s:?}");
    assert!(close(t.reward, -(0.39f64 * 0.39 + 0.32 * 0.32).sqrt()) && !t.terminated);
    let (s, _) = step(&e, &[0.0, 0.0], [10.0, 25.0]);
    assert!(close(s[0], 0.1) && close(s[1], 0.1), "{s:?}");
    assert_eq!(e.action_space(), Space::Box { low: vec![-10.0; 2], high: vec![10.0; 2] });
}

#[test]
fn the_sgmrl_position_is_clipped_before_the_reward() {
    let e = env("navigation/sgmrl", [0.5, 0.0]);
    let (s, t) = step(&e, &[0.45, -0.48], [10.0, -10.0]);
    assert_eq!(s, [0.5, -0.5]);
    assert!(close(t.reward, -0.5));
    let free = step(&env("navigation/maml", [0.5, 0.0]), &[0.45, -0.48], [1.0, -1.0]).0;
    assert!(close(free[0], 0.55) && close(free[1], -0.58), "{free:?}");
}

#[test]
fn a_goal_half_away_takes_five_saturated_steps() {
    let e = env("navigation/sgmrl", [0.5, 0.0]);
    let mut state = [0.0, 0.0];
    let ends: Vec<bool> = (0..5)
        .map(|_| e.step(&mut state, Action::Continuous(&[10.0, 0.0]), &mut Rng::seed_from_u64(0)).terminated)
        .collect();
    assert_eq!(ends, [false, false, false, false, true]);
}

#[test]
fn wrappers_of_the_code_bases_differ() {
    let moved = |name: &str, u: f64| step(&env(name, [0.4, 0.4]), &[0.0, 0.0], [u, 0.0]).0[0];
    for name in ["navigation/maml", "navigation/maml-2goal", "navigation/learn2learn"] {
        assert!(close(moved(name, 0.5), 0.05) && close(moved(name, 3.0), 0.1), "{name}");
    }
    assert!(close(moved("navigation/pytorch-maml-rl", 0.05), 0.05));
    assert!(close(moved("navigation/pytorch-maml-rl", 0.5), 0.1));
    for name in ["navigation/promp-point", "navigation/promp-corner-goals", "navigation/promp-v2-bug"] {
        assert!(close(moved(name, 1.0), 0.01) && close(moved(name, -70.0), -0.1), "{name}");
    }
    for name in ["navigation/promp-corner", "navigation/promp-walls"] {
        assert!(close(moved(name, 1.0), 0.02) && close(moved(name, 70.0), 0.2), "{name}");
    }
}

#[test]
fn termination_is_strict_on_both_coordinates() {
    // 0.25 and 0.375 are exact in binary; the bound 0.01 is compared on exact differences from 0.
    let e = env("navigation/pytorch-maml-rl", [0.0, 0.0]);
    assert!(!step(&e, &[0.01, 0.0], [0.0, 0.0]).1.terminated);
    assert!(step(&e, &[0.00999, -0.00999], [0.0, 0.0]).1.terminated);
    assert!(!step(&e, &[0.00999, 0.25], [0.0, 0.0]).1.terminated);
    let e = env("navigation/maml-2goal", [0.5, 0.0]);
    assert!(step(&e, &[0.45, 0.0], [0.5, 0.0]).1.terminated);
    assert!(!step(&e, &[0.0, 0.0], [0.0, 0.0]).1.terminated);
}

#[test]
fn the_bug_ends_about_47_percent_of_episodes_at_the_first_step() {
    let e = env("navigation/promp-v2-bug", [1.5, -1.0]);
    let (n, mut rng) = (20_000, Rng::seed_from_u64(7));
    let mut ended = 0.0;
    for _ in 0..n {
        let u = [StandardNormal.sample(&mut rng), StandardNormal.sample(&mut rng)];
        ended += f64::from(u8::from(step(&e, &[0.0, 0.0], u).1.terminated));
    }
    // P(|N| < 1)^2 = 0.4661; sd 0.0035; 4.5 sd, alpha = 7e-6.
    let rate: f64 = ended / f64::from(n);
    assert!((rate - 0.4661).abs() < 0.016, "{rate}");
    assert!(!step(&e, &[1.5, -1.0], [0.0, 0.0]).1.terminated, "at the goal it goes on");
    assert!(close(step(&e, &[1.5, 0.0], [0.0, 0.0]).1.reward, -1.0), "the reward does know the goal");
}

#[test]
fn the_sparse_corner_reward_is_progress_beyond_the_start_region() {
    let e = env("navigation/promp-corner", [2.0, 2.0]);
    // |s'|_1 = 0.4 + 0.05 < 0.5.
    assert_eq!(step(&e, &[0.2, 0.05], [10.0, 0.0]).1.reward, 0.0);
    // From (1, 1) by (0.2, 0.2): |s - g| = sqrt 2, |s' - g| = 0.8 sqrt 2.
    let progress = step(&e, &[1.0, 1.0], [10.0, 10.0]).1.reward;
    assert!(close(progress, 0.2 * 2f64.sqrt()), "{progress}");
    let regress = step(&e, &[1.0, 1.0], [-10.0, -10.0]).1.reward;
    assert!(close(regress, -0.2 * 2f64.sqrt()), "{regress}");
    // Nearer to (-2, 2): nothing, although it moves towards the goal.
    assert_eq!(step(&e, &[-1.0, 1.0], [10.0, 0.0]).1.reward, 0.0);
    // On the border between two corners the goal counts as nearest.
    assert!(step(&e, &[-0.2, 1.0], [10.0, 0.0]).1.reward > 0.0);
    assert!(!step(&e, &[2.0, 2.0], [0.0, 0.0]).1.terminated);
}

#[test]
fn corner_rewards_can_be_chosen_by_name() {
    let reward = |name: &str, reward: &str| {
        let map = json!({"reward": reward}).as_object().expect("object").clone();
        build(name, &map).map(|f| f.constants().into_iter().find(|(k, _)| k == "reward").expect("printed").1)
    };
    assert_eq!(reward("navigation/promp-corner", "dense").as_deref(), Ok("-|s' - goal|_2"));
    assert_eq!(reward("navigation/promp-corner", "dense_squared").as_deref(), Ok("-|s' - goal|_2^2"));
    assert_eq!(reward("navigation/promp-momentum", "sparse").as_deref(), Ok("sparse: max(2 - |s' - goal|_2, 0)"));
    assert_eq!(reward("navigation/promp-walls", "dense").as_deref(), Ok("-|s' - goal|_2"));
    assert_eq!(reward("navigation/promp-walls", "sparse").unwrap_err().key, "reward");
    assert_eq!(reward("navigation/sgmrl", "dense").unwrap_err().key, "reward");
    let mut squared = env("navigation/promp-corner", [2.0, 2.0]);
    squared.spec.reward = super::Reward::DistanceSquared;
    assert!(close(step(&squared, &[2.0, 1.0], [0.0, 0.0]).1.reward, -1.0));
}

#[test]
fn momentum_integrates_the_clipped_action() {
    let e = env("navigation/promp-momentum", [2.0, 2.0]);
    let (s, t) = step(&e, &[1.0, 1.0, 0.05, 0.0], [10.0, 5.0]);
    for (got, want) in s.iter().zip([1.15, 1.05, 0.15, 0.05]) {
        assert!(close(*got, want), "{s:?}");
    }
    assert!(close(t.reward, 2.0 - (0.85f64 * 0.85 + 0.95 * 0.95).sqrt()));
    assert_eq!(step(&e, &[-1.0, 0.0, 0.0, 0.0], [0.0, 0.0]).1.reward, 0.0);
    assert_eq!((e.state_dim(), e.observation_space().width()), (4, 4));
    let mut state = [9.0; 4];
    e.reset(&mut state, &mut Rng::seed_from_u64(0));
    assert!(norm([state[0], state[1]]) < 0.3 && norm([state[2], state[3]]) < 0.15);
    assert_eq!(e.position(&state), Some([state[0], state[1]]));
}

#[test]
fn walls_let_the_point_out_through_the_gaps_only() {
    let e = env("navigation/promp-walls", [2.0, 2.0]); // gaps at (1, 0) and (0, 2)
    let out = step(&e, &[0.9, 0.0], [10.0, 0.0]);
    assert!(close(out.0[0], 1.1), "through gap 1: {out:?}");
    // Away from gap 1: projected to just inside radius 1, but the reward is that of (-1.1, 0).
    let (s, t) = step(&e, &[-0.9, 0.0], [-10.0, 0.0]);
    assert!(close(s[0], -1.1 / (1.1 + 1e-6)) && close(s[1], 0.0), "{s:?}");
    assert!(close(t.reward, -(3.1f64 * 3.1 + 4.0).sqrt()), "{t:?}");
    let (s, _) = step(&e, &[0.0, 1.9], [0.0, 10.0]);
    assert!(close(s[1], 2.1), "through gap 2: {s:?}");
    let (s, _) = step(&e, &[1.9, 0.0], [10.0, 0.0]);
    assert!(close(s[0], 2.1 / (1.05 + 1e-6)), "{s:?}");
    assert_eq!(step(&e, &[2.5, 0.0], [-10.0, 0.0]).0, [2.3, 0.0], "walls do not hinder the way in");
    assert_eq!(e.parameters().len(), 6);
}

#[test]
fn goals_starts_and_gaps_follow_their_distributions() {
    let mut rng = Rng::seed_from_u64(3);
    let extremes = |name: &str, rng: &mut Rng| {
        let (f, mut goal, mut start) = (family(name), 0f64, 0f64);
        for _ in 0..400 {
            let task = f.sample(rng);
            let g = task.goal().expect("a goal");
            let mut state = vec![0.0; task.state_dim()];
            task.reset(&mut state, rng);
            goal = goal.max(g[0].abs()).max(g[1].abs());
            start = start.max(state[0].abs()).max(state[1].abs());
        }
        (goal, start)
    };
    // Of 800 uniform coordinates, P(none beyond 98 %) = 0.98^800 < 1e-7.
    let within = |x: f64, h: f64| x <= h && x >= 0.98 * h;
    for name in ["sgmrl", "maml", "pytorch-maml-rl", "learn2learn"] {
        let (goal, start) = extremes(&format!("navigation/{name}"), &mut rng);
        assert!(within(goal, 0.5) && start == 0.0, "{name}: {goal} {start}");
    }
    let (goal, start) = extremes("navigation/promp-v2-bug", &mut rng);
    assert!(within(goal, 2.0) && start == 0.0);
    for name in ["navigation/promp-point", "navigation/promp-corner-goals"] {
        let (goal, start) = extremes(name, &mut rng);
        assert!(goal == 0.0 && within(start, 2.0));
    }
    for name in ["navigation/promp-corner", "navigation/promp-momentum", "navigation/promp-walls"] {
        let (goal, start) = extremes(name, &mut rng);
        assert!(goal == 2.0 && within(start, 0.2));
    }
}

#[test]
fn discrete_goals_are_uniform_and_gaps_have_their_lengths() {
    let mut rng = Rng::seed_from_u64(11);
    let f = family("navigation/promp-walls");
    let mut counts = [0.0f64; 4];
    let mut sum = [0.0f64; 2];
    for _ in 0..4_000 {
        let task = f.sample(&mut rng);
        let g = task.goal().expect("a goal");
        counts[CORNERS.iter().position(|c| *c == g).expect("a corner")] += 1.0;
        let p: Vec<f64> = task.parameters().iter().map(|(_, v)| *v).collect();
        assert!(close(norm([p[2], p[3]]), 1.0) && close(norm([p[4], p[5]]), 2.0));
        sum = [sum[0] + p[2], sum[1] + p[3]];
    }
    // Binomial(4000, 1/4): sd 27.4; a direction's coordinate: sd sqrt(1/2), the sum 44.7. 4.5 sd, alpha < 5e-5.
    assert!(counts.iter().all(|c| (c - 1000.0).abs() < 124.0), "{counts:?}");
    assert!(sum.iter().all(|s| s.abs() < 202.0), "{sum:?}");
    let f = family("navigation/maml-2goal");
    for _ in 0..100 {
        let g = f.sample(&mut rng).goal().expect("a goal");
        assert!(g[0].abs() == 0.5 && g[1] == 0.0);
    }
}

#[test]
fn discounts_and_horizons_are_those_of_the_code_bases() {
    for spec in super::PRESETS {
        let expected = if spec.name == "navigation/learn2learn" { 0.95 } else { 0.99 };
        assert_eq!((spec.gamma, spec.horizon), (expected, 100), "{}", spec.name);
        assert!(spec.rewards.first().is_none_or(|(_, default)| *default == spec.reward), "{}", spec.name);
        assert!(matches!(spec.wrapper, Wrapper::None) == (spec.name == "navigation/pytorch-maml-rl"));
    }
}

#[test]
fn every_constant_is_printed() {
    let rows = family("navigation/sgmrl").constants();
    let keys: Vec<&str> = rows.iter().map(|(k, _)| k.as_str()).collect();
    let expected = [
        "start",
        "goal",
        "action wrapper",
        "action clip",
        "motion",
        "state clip",
        "observation",
        "reward",
        "termination",
        "horizon",
        "gamma",
        "source",
    ];
    assert_eq!(keys, expected);
    assert_eq!(rows[2].1, "a = -0.1 + (u + 10) 0.2 / 20, clipped: 0.01 u");
    assert_eq!(rows[5].1, "each coordinate to [-0.5, 0.5]");
}

#[test]
fn steps_draw_nothing() {
    let e = env("navigation/sgmrl", [0.1, 0.1]);
    let mut rng = Rng::seed_from_u64(1);
    let mut other = rng.clone();
    e.step(&mut [0.0, 0.0], Action::Continuous(&[1.0, 1.0]), &mut rng);
    assert_eq!(rng.random::<u64>(), other.random::<u64>());
}
