//! The constants of every published navigation variant, one row each.

use super::{CORNERS, Done, Goals, Motion, Point, Reward, Spec, Start, Wrapper};

/// The two goals of `PointEnvRand2Goal`.
const TWO_GOALS: [Point; 2] = [[-0.5, 0.0], [0.5, 0.0]];

/// The only goal of ProMP's `point_env_2d`.
const ORIGIN: [Point; 1] = [[0.0, 0.0]];

/// Fields most rows share: those of cbfinn's `PointEnvRandGoal`.
const BASE: Spec = Spec {
    name: "navigation/maml",
    summary: "MAML (cbfinn) point environment, goals in a square; actions in [-1, 1]",
    start: Start::Origin,
    goals: Goals::Square(0.5),
    wrapper: Wrapper::Affine(1.0),
    bound: 0.1,
    motion: Motion::Free,
    reward: Reward::Distance,
    rewards: &[],
    done: Done::NearGoal(0.01),
    horizon: 100,
    gamma: 0.99,
    source: "cbfinn/maml_rl PointEnvRandGoal",
};

/// Fields the corner variants of ProMP share.
const CORNER: Spec = Spec {
    start: Start::Square(0.2),
    goals: Goals::OneOf(&CORNERS),
    wrapper: Wrapper::Affine(10.0),
    bound: 0.2,
    done: Done::Never,
    ..BASE
};

/// All variants.
pub static PRESETS: &[Spec] = &[
    Spec {
        name: "navigation/sgmrl",
        summary: "2D navigation of the SG-MRL paper: goals in a square, position clipped, actions scaled by 1/100",
        wrapper: Wrapper::Affine(10.0),
        motion: Motion::Clipped(0.5),
        source: "kristian-georgiev/SGMRL point_env_2d_v2",
        ..BASE
    },
    BASE,
    Spec {
        name: "navigation/maml-2goal",
        summary: "MAML (cbfinn) point environment with two goals, left and right",
        goals: Goals::OneOf(&TWO_GOALS),
        source: "cbfinn/maml_rl PointEnvRand2Goal",
        ..BASE
    },
    Spec {
        name: "navigation/pytorch-maml-rl",
        summary: "2DNavigation-v0 of pytorch-maml-rl: raw actions clipped to +-0.1",
        wrapper: Wrapper::None,
        source: "tristandeleu/pytorch-maml-rl 2DNavigation-v0",
        ..BASE
    },
    Spec {
        name: "navigation/learn2learn",
        summary: "Particles2D-v1 of learn2learn: actions in [-1, 1], discount 0.95",
        gamma: 0.95,
        source: "learnables/learn2learn Particles2D-v1 with cherry's ActionSpaceScaler",
        ..BASE
    },
    Spec {
        name: "navigation/promp-point",
        summary: "ProMP point_env_2d: a single task (goal at the origin), starts in a square",
        start: Start::Square(2.0),
        goals: Goals::OneOf(&ORIGIN),
        wrapper: Wrapper::Affine(10.0),
        source: "jonasrothfuss/ProMP point_env_2d",
        ..BASE
    },
    Spec {
        name: "navigation/promp-corner-goals",
        summary: "ProMP corner_goals_point_env_2d: despite its name a single task, identical to navigation/promp-point",
        start: Start::Square(2.0),
        goals: Goals::OneOf(&ORIGIN),
        wrapper: Wrapper::Affine(10.0),
        source: "jonasrothfuss/ProMP corner_goals_point_env_2d",
        ..BASE
    },
    Spec {
        name: "navigation/promp-v2-bug",
        summary: "ProMP point_env_2d_v2 with its bug: episodes end near the origin, where they start, not at the goal",
        goals: Goals::Square(2.0),
        wrapper: Wrapper::Affine(10.0),
        done: Done::NearOrigin(0.01),
        source: "jonasrothfuss/ProMP point_env_2d_v2",
        ..BASE
    },
    Spec {
        name: "navigation/promp-corner",
        summary: "ProMP MetaPointEnvCorner: one of four corners; reward sparse (default), dense or dense_squared",
        reward: Reward::CornerProgress(0.5),
        rewards: &[
            ("sparse", Reward::CornerProgress(0.5)),
            ("dense", Reward::Distance),
            ("dense_squared", Reward::DistanceSquared),
        ],
        source: "jonasrothfuss/ProMP MetaPointEnvCorner",
        ..CORNER
    },
    Spec {
        name: "navigation/promp-momentum",
        summary: "ProMP MetaPointEnvMomentum: actions accelerate; reward sparse (default), dense or dense_squared",
        bound: 0.1,
        motion: Motion::Momentum(0.1),
        reward: Reward::Proximity(2.0),
        rewards: &[
            ("sparse", Reward::Proximity(2.0)),
            ("dense", Reward::Distance),
            ("dense_squared", Reward::DistanceSquared),
        ],
        source: "jonasrothfuss/ProMP MetaPointEnvMomentum",
        ..CORNER
    },
    Spec {
        name: "navigation/promp-walls",
        summary: "ProMP MetaPointEnvWalls: two ring walls with a gap each; reward dense (default) or dense_squared",
        motion: Motion::Walls,
        rewards: &[("dense", Reward::Distance), ("dense_squared", Reward::DistanceSquared)],
        source: "jonasrothfuss/ProMP MetaPointEnvWalls (its sparse reward returns nothing outside radius 2: left out)",
        ..CORNER
    },
];

/// The variant called `name`.
pub fn preset(name: &str) -> Option<&'static Spec> {
    PRESETS.iter().find(|p| p.name == name)
}
