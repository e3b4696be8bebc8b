//! A point in the plane and a goal it must find out: one data-driven environment for every published variant.

mod family;
mod presets;

pub(crate) use family::{build, keys};
pub use presets::{PRESETS, preset};

use crate::env::{Action, Env, Rng, Space, Transition};
use rand::RngExt;

/// A point or a displacement in the plane.
pub type Point = [f64; 2];

/// The four corners of ProMP's point environments.
pub const CORNERS: [Point; 4] = [[-2.0, -2.0], [2.0, -2.0], [-2.0, 2.0], [2.0, 2.0]];

/// Where episodes start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// At (0, 0).
    Origin,
    /// U[-h, h]^2.
    Square(f64),
}

/// How goals are drawn, one per task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goals {
    /// U[-h, h]^2.
    Square(f64),
    /// One of these, uniformly.
    OneOf(&'static [Point]),
}

/// What is done to the policy's output u before the environment sees an action; b is the action bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wrapper {
    /// a = u.
    None,
    /// a = -b + (u + k)(2b)/(2k), clipped to +-b: u in [-k, k] spans the whole range.
    Affine(f64),
}

/// What happens to the position beside adding the action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Motion {
    /// s' = s + a.
    Free,
    /// s' = clip(s + a, -h, h).
    Clipped(f64),
    /// v' = v + a, s' = s + v', with start velocity U[-h, h]^2; v is observed.
    Momentum(f64),
    /// s' = s + a, but a step out of the ring of radius 1 (2) that lands further than 1 from that ring's gap is
    /// projected back onto the ring. Gaps are drawn per task in uniform directions, at distance 1 and 2.
    Walls,
}

/// Reward r(s, a, s'), computed before any wall projects s'; d = |s' - goal|_2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reward {
    /// -d.
    Distance,
    /// -d^2.
    DistanceSquared,
    /// 0 if |s'|_1 < radius or another corner is nearer to s' than the goal, else |s - goal| - d.
    CornerProgress(f64),
    /// max(radius - d, 0).
    Proximity(f64),
}

/// When the episode ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Done {
    /// At the horizon only.
    Never,
    /// When both |s' - goal| coordinates are strictly below this.
    NearGoal(f64),
    /// When both |s'| coordinates are strictly below this: ProMP's `point_env_2d_v2` forgets the goal here.
    NearOrigin(f64),
}

/// Every constant of one variant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spec {
    /// Registry name.
    pub name: &'static str,
    /// One line for listings.
    pub summary: &'static str,
    /// Start distribution.
    pub start: Start,
    /// Goal distribution.
    pub goals: Goals,
    /// Wrapper of the code base around the environment.
    pub wrapper: Wrapper,
    /// Action bound b: each coordinate of the action is clipped to [-b, b] inside the environment.
    pub bound: f64,
    /// Motion.
    pub motion: Motion,
    /// Default reward.
    pub reward: Reward,
    /// Rewards that the parameter `reward` may select, by name, the default first; empty if there is no choice.
    pub rewards: &'static [(&'static str, Reward)],
    /// Termination.
    pub done: Done,
    /// Decisions per episode.
    pub horizon: usize,
    /// Discount of the code base's settings.
    pub gamma: f64,
    /// Code base and class.
    pub source: &'static str,
}

/// One navigation task.
#[derive(Clone, Debug, PartialEq)]
pub struct Navigation {
    /// Constants shared by the family.
    pub spec: Spec,
    /// This task's goal.
    pub goal: Point,
    /// This task's gaps in the rings of radius 1 and 2; used by `Motion::Walls` only.
    pub gaps: [Point; 2],
}

fn norm([x, y]: Point) -> f64 {
    (x * x + y * y).sqrt()
}

fn minus(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1]]
}

fn square(half: f64, rng: &mut Rng) -> Point {
    // lb + (ub - lb) u, coordinate by coordinate.
    let mut coordinate = || -half + 2.0 * half * rng.random::<f64>();
    [coordinate(), coordinate()]
}

impl Spec {
    /// The displacement that the policy output `u` (two numbers) causes.
    pub fn displacement(&self, u: &[f64]) -> Point {
        let b = self.bound;
        let one = |u: f64| {
            let a = match self.wrapper {
                Wrapper::None => u,
                Wrapper::Affine(k) => -b + (u + k) * (2.0 * b) / (2.0 * k),
            };
            a.clamp(-b, b)
        };
        [one(u[0]), one(u[1])]
    }
}

impl Navigation {
    fn reward(&self, s: Point, next: Point) -> f64 {
        let d = norm(minus(next, self.goal));
        match self.spec.reward {
            Reward::Distance => -d,
            Reward::DistanceSquared => -d * d,
            Reward::Proximity(radius) => (radius - d).max(0.0),
            Reward::CornerProgress(radius) => {
                let nearest = CORNERS.iter().map(|&c| norm(minus(next, c))).fold(f64::INFINITY, f64::min);
                if next[0].abs() + next[1].abs() < radius || d > nearest { 0.0 } else { norm(minus(s, self.goal)) - d }
            }
        }
    }

    fn done(&self, next: Point) -> bool {
        let near = |p: Point, tolerance: f64| p[0].abs() < tolerance && p[1].abs() < tolerance;
        match self.spec.done {
            Done::Never => false,
            Done::NearGoal(tolerance) => near(minus(next, self.goal), tolerance),
            Done::NearOrigin(tolerance) => near(next, tolerance),
        }
    }

    /// Where a step from `s` to `next` ends when there are walls.
    fn walls(&self, s: Point, next: Point) -> Point {
        let (before, after) = (norm(s), norm(next));
        // The published code divides by |s'|/radius + 1e-6, so the projection lies just inside the ring.
        let ring = |radius: f64, gap: Point| {
            if norm(minus(next, gap)) > 1.0 {
                let scale = after / radius + 1e-6;
                [next[0] / scale, next[1] / scale]
            } else {
                next
            }
        };
        if before < 1.0 && after > 1.0 {
            ring(1.0, self.gaps[0])
        } else if before < 2.0 && after > 2.0 {
            ring(2.0, self.gaps[1])
        } else {
            next
        }
    }
}

impl Env for Navigation {
    fn observation_space(&self) -> Space {
        match self.spec.motion {
            Motion::Clipped(h) => Space::Box { low: vec![-h; 2], high: vec![h; 2] },
            _ => Space::unbounded(self.state_dim()),
        }
    }

    fn action_space(&self) -> Space {
        let bound = match self.spec.wrapper {
            Wrapper::None => self.spec.bound,
            Wrapper::Affine(k) => k,
        };
        Space::Box { low: vec![-bound; 2], high: vec![bound; 2] }
    }

    fn horizon(&self) -> usize {
        self.spec.horizon
    }

    fn state_dim(&self) -> usize {
        if matches!(self.spec.motion, Motion::Momentum(_)) { 4 } else { 2 }
    }

    fn reset(&self, state: &mut [f64], rng: &mut Rng) {
        let start = match self.spec.start {
            Start::Origin => [0.0; 2],
            Start::Square(h) => square(h, rng),
        };
        state[..2].copy_from_slice(&start);
        if let Motion::Momentum(h) = self.spec.motion {
            state[2..4].copy_from_slice(&square(h, rng));
        }
    }

    fn step(&self, state: &mut [f64], action: Action<'_>, _: &mut Rng) -> Transition {
        let Action::Continuous(u) = action else { panic!("navigation takes continuous actions") };
        let s = [state[0], state[1]];
        let mut move_by = self.spec.displacement(u);
        if let Motion::Momentum(_) = self.spec.motion {
            state[2] += move_by[0];
            state[3] += move_by[1];
            move_by = [state[2], state[3]];
        }
        let mut next = [s[0] + move_by[0], s[1] + move_by[1]];
        if let Motion::Clipped(h) = self.spec.motion {
            next = next.map(|x| x.clamp(-h, h));
        }
        let transition = Transition { reward: self.reward(s, next), terminated: self.done(next) };
        if self.spec.motion == Motion::Walls {
            next = self.walls(s, next);
        }
        state[..2].copy_from_slice(&next);
        transition
    }

    fn observe(&self, state: &[f64], obs: &mut [f64]) {
        obs.copy_from_slice(state);
    }

    fn position(&self, state: &[f64]) -> Option<[f64; 2]> {
        Some([state[0], state[1]])
    }

    fn goal(&self) -> Option<[f64; 2]> {
        Some(self.goal)
    }

    fn parameters(&self) -> Vec<(String, f64)> {
        let mut named = vec![("goal_x".to_string(), self.goal[0]), ("goal_y".into(), self.goal[1])];
        if self.spec.motion == Motion::Walls {
            for (i, gap) in self.gaps.iter().enumerate() {
                named.push((format!("gap_{}_x", i + 1), gap[0]));
                named.push((format!("gap_{}_y", i + 1), gap[1]));
            }
        }
        named
    }
}

#[cfg(test)]
mod tests;
