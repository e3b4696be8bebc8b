//! Navigation as a family: draws goals and gaps, applies parameter overrides, prints every constant.

use super::{Done, Goals, Motion, Navigation, Point, Reward, Spec, Start, Wrapper, norm, preset, square};
use crate::env::{Env, Rng, Space};
use crate::family::{Family, FamilyError};
use crate::mdps::{Built, decisions};
use crate::params::Params;
use crate::task::Task;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use std::sync::Arc;

/// Keys of a variant: `reward` only where there is a choice.
pub(crate) fn keys(spec: &Spec) -> &'static [&'static str] {
    if spec.rewards.is_empty() { &["horizon", "gamma"] } else { &["reward", "horizon", "gamma"] }
}

/// Builds the variant `name` with optional overrides.
pub(crate) fn build(name: &'static str, p: &Params) -> Built {
    let Some(base) = preset(name) else { return Err(FamilyError::new("", format!("no navigation preset `{name}`"))) };
    let mut spec = Spec { horizon: p.horizon(base.horizon)?, gamma: p.gamma(base.gamma)?, ..*base };
    if !spec.rewards.is_empty() {
        // The first reward of the list is the default, as a test checks.
        let names: Vec<&str> = spec.rewards.iter().map(|(n, _)| *n).collect();
        spec.reward = spec.rewards[p.choice("reward", 0, &names)?].1;
    }
    Ok(Box::new(NavigationFamily { spec }))
}

struct NavigationFamily {
    spec: Spec,
}

/// Uniform direction of length `radius`.
fn direction(radius: f64, rng: &mut Rng) -> Point {
    let gaussian: Point = [StandardNormal.sample(rng), StandardNormal.sample(rng)];
    let scale = radius / norm(gaussian).max(f64::MIN_POSITIVE);
    gaussian.map(|x| x * scale)
}

impl NavigationFamily {
    fn prototype(&self) -> Navigation {
        Navigation { spec: self.spec, goal: [0.0; 2], gaps: [[0.0; 2]; 2] }
    }
}

impl Family for NavigationFamily {
    fn name(&self) -> &str {
        self.spec.name
    }

    fn sample(&self, rng: &mut Rng) -> Task {
        let goal = match self.spec.goals {
            Goals::Square(h) => square(h, rng),
            Goals::OneOf(points) => points[rng.random_range(0..points.len())],
        };
        let gaps = match self.spec.motion {
            Motion::Walls => [direction(1.0, rng), direction(2.0, rng)],
            _ => [[0.0; 2]; 2],
        };
        Task::Navigation(Arc::new(Navigation { spec: self.spec, goal, gaps }))
    }

    fn observation_space(&self) -> Space {
        self.prototype().observation_space()
    }

    fn action_space(&self) -> Space {
        self.prototype().action_space()
    }

    fn horizon(&self) -> usize {
        self.spec.horizon
    }

    fn gamma(&self) -> f64 {
        self.spec.gamma
    }

    fn constants(&self) -> Vec<(String, String)> {
        let spec = &self.spec;
        let [motion, observation, state_clip] = motion(spec.motion);
        [
            ("start", start(spec.start)),
            ("goal", goals(spec.goals)),
            ("action wrapper", wrapper(spec.wrapper, spec.bound)),
            ("action clip", format!("each coordinate to [-{0}, {0}]", spec.bound)),
            ("motion", motion),
            ("state clip", state_clip),
            ("observation", observation),
            ("reward", reward(spec.reward)),
            ("termination", done(spec.done)),
            ("horizon", decisions(spec.horizon)),
            ("gamma", spec.gamma.to_string()),
            ("source", spec.source.into()),
        ]
        .map(|(k, v)| (k.to_string(), v))
        .into()
    }
}

fn start(start: Start) -> String {
    match start {
        Start::Origin => "(0, 0)".into(),
        Start::Square(h) => format!("U[-{h}, {h}]^2"),
    }
}

fn goals(goals: Goals) -> String {
    match goals {
        Goals::Square(h) => format!("U[-{h}, {h}]^2, one per task"),
        Goals::OneOf([p]) => format!("({}, {}), a single task", p[0], p[1]),
        Goals::OneOf(points) => {
            let named: Vec<String> = points.iter().map(|p| format!("({}, {})", p[0], p[1])).collect();
            format!("uniform over {}, one per task", named.join(", "))
        }
    }
}

fn wrapper(wrapper: Wrapper, bound: f64) -> String {
    match wrapper {
        Wrapper::None => "none: the policy output u is the action".into(),
        Wrapper::Affine(k) => {
            format!("a = -{bound} + (u + {k}) {} / {}, clipped: {} u", 2.0 * bound, 2.0 * k, bound / k)
        }
    }
}

/// Motion, observation and state clip in words.
fn motion(motion: Motion) -> [String; 3] {
    let (position, none) = ("position (x, y)".to_string(), "none".to_string());
    match motion {
        Motion::Free => ["s' = s + a".into(), position, none],
        Motion::Clipped(h) => ["s' = clip(s + a)".into(), position, format!("each coordinate to [-{h}, {h}]")],
        Motion::Momentum(h) => [
            format!("v' = v + a, s' = s + v', start velocity U[-{h}, {h}]^2"),
            "position and velocity (x, y, vx, vy)".into(),
            none,
        ],
        Motion::Walls => [
            "s' = s + a; a step out of radius 1 (2) landing further than 1 from gap 1 (2) is projected onto the ring; \
             gaps per task, uniform directions at distance 1 (2)"
                .into(),
            position,
            none,
        ],
    }
}

fn reward(reward: Reward) -> String {
    match reward {
        Reward::Distance => "-|s' - goal|_2".into(),
        Reward::DistanceSquared => "-|s' - goal|_2^2".into(),
        Reward::CornerProgress(r) => {
            format!(
                "sparse: |s - goal| - |s' - goal| if |s'|_1 >= {r} and the goal is the corner nearest to s', else 0"
            )
        }
        Reward::Proximity(r) => format!("sparse: max({r} - |s' - goal|_2, 0)"),
    }
}

fn done(done: Done) -> String {
    match done {
        Done::Never => "never".into(),
        Done::NearGoal(t) => format!("both |s' - goal| coordinates < {t}"),
        Done::NearOrigin(t) => {
            format!("both |s'| coordinates < {t}: near the origin, not the goal (bug of the source)")
        }
    }
}
