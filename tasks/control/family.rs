//! Control problems as families: every physical constant is a number or a uniform range, drawn per task.

use super::{Control, Knob, Plant, acrobot, cartpole, mountain_car, pendulum};
use crate::env::{Env, Rng, Space};
use crate::family::{Family, FamilyError};
use crate::mdps::{Built, decisions};
use crate::params::Params;
use crate::task::Task;
use rand::RngExt;
use std::sync::Arc;

/// One problem: its knobs, its equations and its fixed constants in words.
struct Problem {
    name: &'static str,
    keys: &'static [&'static str],
    knobs: &'static [Knob],
    plant: fn(&[f64]) -> Plant,
    horizon: usize,
    /// Bound of the environment action, or the knob that is the bound; `None` for discrete actions.
    bound: Option<Bound>,
    fixed: &'static [(&'static str, &'static str)],
    source: &'static str,
}

#[derive(Clone, Copy)]
enum Bound {
    Fixed(f64),
    Knob(usize),
}

static PROBLEMS: [Problem; 5] = [
    Problem {
        name: "cartpole",
        keys: &["gravity", "cart_mass", "pole_mass", "half_length", "force", "reverse", "horizon", "gamma"],
        knobs: cartpole::KNOBS,
        plant: |v| Plant::CartPole(super::CartPole::new(v)),
        horizon: 500,
        bound: None,
        fixed: &[
            ("time step", "0.02 s, explicit Euler"),
            ("start", "U[-0.05, 0.05]^4"),
            ("observation", "x, x', angle, angle' (m, rad, s)"),
            ("action", "0 pushes left, 1 pushes right"),
            ("reward", "1 per step, the failing one included"),
            ("termination", "|x| > 2.4 m or |angle| > 12 degrees"),
        ],
        source: "Gymnasium CartPole-v1",
    },
    Problem {
        name: "acrobot",
        keys: &[
            "gravity", "length_1", "mass_1", "mass_2", "centre_1", "centre_2", "inertia", "torque", "reverse",
            "horizon", "gamma",
        ],
        knobs: acrobot::KNOBS,
        plant: |v| Plant::Acrobot(super::Acrobot::new(v)),
        horizon: 500,
        bound: None,
        fixed: &[
            ("time step", "0.2 s, one RK4 step"),
            ("velocity clip", "+-4 pi and +-9 pi rad/s"),
            ("start", "U[-0.1, 0.1]^4"),
            ("observation", "cos, sin of both angles, both angular velocities"),
            ("action", "torque -1, 0 or 1 times `torque` at the joint"),
            ("reward", "-1 per step, 0 on reaching the height"),
            ("termination", "-cos(angle 1) - cos(angle 1 + angle 2) > 1"),
        ],
        source: "Gymnasium Acrobot-v1 (book dynamics)",
    },
    Problem {
        name: "mountain-car",
        keys: &["gravity", "force", "reverse", "horizon", "gamma"],
        knobs: mountain_car::KNOBS,
        plant: |v| Plant::MountainCar(super::MountainCar::new(v)),
        horizon: 200,
        bound: None,
        fixed: &[
            ("state clip", "position [-1.2, 0.6], velocity +-0.07"),
            ("start", "position U[-0.6, -0.4], velocity 0"),
            ("observation", "position, velocity"),
            ("action", "push -1, 0 or 1 times `force`"),
            ("reward", "-1 per step"),
            ("termination", "position >= 0.5 and velocity >= 0"),
        ],
        source: "Gymnasium MountainCar-v0",
    },
    Problem {
        name: "mountain-car-continuous",
        keys: &["gravity", "power", "reverse", "action_scale", "horizon", "gamma"],
        knobs: mountain_car::CONTINUOUS_KNOBS,
        plant: |v| Plant::MountainCarContinuous(super::MountainCarContinuous::new(v)),
        horizon: 999,
        bound: Some(Bound::Fixed(1.0)),
        fixed: &[
            ("action clip", "[-1, 1]"),
            ("state clip", "position [-1.2, 0.6], velocity +-0.07"),
            ("start", "position U[-0.6, -0.4], velocity 0"),
            ("observation", "position, velocity"),
            ("reward", "100 at the goal, -0.1 a^2 per step (a before the clip)"),
            ("termination", "position >= 0.45 and velocity >= 0"),
        ],
        source: "Gymnasium MountainCarContinuous-v0",
    },
    Problem {
        name: "pendulum",
        keys: &["gravity", "mass", "length", "max_torque", "reverse", "action_scale", "horizon", "gamma"],
        knobs: pendulum::KNOBS,
        plant: |v| Plant::Pendulum(super::Pendulum::new(v)),
        horizon: 200,
        bound: Some(Bound::Knob(pendulum::MAX_TORQUE)),
        fixed: &[
            ("action clip", "+-max_torque"),
            ("time step", "0.05 s, semi-implicit Euler"),
            ("velocity clip", "+-8 rad/s"),
            ("start", "angle U[-pi, pi], velocity U[-1, 1] rad/s"),
            ("observation", "cos, sin of the angle (0 is upright), angular velocity"),
            ("reward", "-(angle^2 + 0.1 velocity^2 + 0.001 torque^2) before the step"),
            ("termination", "never"),
        ],
        source: "Gymnasium Pendulum-v1",
    },
];

/// Names and summaries of the families, with their keys.
pub(crate) static PRESETS: &[(&str, &str, usize)] = &[
    ("cartpole", "pole on a cart, random physics, actuator reversed in half of the tasks", 0),
    ("cartpole/nominal", "Gymnasium's CartPole-v1: one task", 0),
    ("acrobot", "two-link swing-up, random physics, actuator reversed in half of the tasks", 1),
    ("acrobot/nominal", "Gymnasium's Acrobot-v1: one task", 1),
    ("mountain-car", "car in a valley, random physics, actuator reversed in half of the tasks", 2),
    ("mountain-car/nominal", "Gymnasium's MountainCar-v0: one task", 2),
    ("mountain-car-continuous", "the same with a continuous engine, random physics, reversed in half of the tasks", 3),
    ("mountain-car-continuous/nominal", "Gymnasium's MountainCarContinuous-v0: one task", 3),
    ("pendulum", "pendulum swing-up, random physics, actuator reversed in half of the tasks", 4),
    ("pendulum/nominal", "Gymnasium's Pendulum-v1: one task", 4),
];

/// Keys of the problem with this index in `PRESETS`.
pub(crate) fn keys(problem: usize) -> &'static [&'static str] {
    PROBLEMS[problem].keys
}

struct ControlFamily {
    name: &'static str,
    problem: &'static Problem,
    ranges: Vec<[f64; 2]>,
    reverse: f64,
    action_scale: f64,
    horizon: usize,
    gamma: f64,
}

/// Builds a control family; `NAME/nominal` starts from Gymnasium's constants, `NAME` from random ones.
pub(crate) fn build(name: &'static str, p: &Params) -> Built {
    let nominal = name.strip_suffix("/nominal");
    let problem = PROBLEMS.iter().find(|q| q.name == nominal.unwrap_or(name));
    let Some(problem) = problem else { return Err(FamilyError::new("", format!("no control problem `{name}`"))) };
    let mut ranges = Vec::new();
    for k in problem.knobs {
        let default = if nominal.is_some() { [k.nominal; 2] } else { k.range };
        ranges.push(p.interval(k.key, default, k.allowed[0], k.allowed[1])?);
    }
    let reverse = p.number("reverse", if nominal.is_some() { 0.0 } else { 0.5 }, 0.0, 1.0)?;
    let action_scale = if problem.bound.is_some() { p.number("action_scale", 1.0, 1e-6, 1e6)? } else { 1.0 };
    let (horizon, gamma) = (p.horizon(problem.horizon)?, p.gamma(0.99)?);
    Ok(Box::new(ControlFamily { name, problem, ranges, reverse, action_scale, horizon, gamma }))
}

impl ControlFamily {
    fn task(&self, values: &[f64], direction: f64) -> Control {
        let mut drawn: Vec<_> = self.problem.knobs.iter().zip(values).map(|(k, v)| (k.key, *v)).collect();
        drawn.push(("direction", direction));
        let bound = match self.problem.bound {
            None => 0.0,
            Some(Bound::Fixed(b)) => b,
            Some(Bound::Knob(i)) => self.ranges[i][1],
        };
        let plant = (self.problem.plant)(values);
        Control { plant, drawn, direction, action_scale: self.action_scale, bound, horizon: self.horizon }
    }

    fn prototype(&self) -> Control {
        self.task(&self.ranges.iter().map(|r| r[0]).collect::<Vec<_>>(), 1.0)
    }
}

impl Family for ControlFamily {
    fn name(&self) -> &str {
        self.name
    }

    fn sample(&self, rng: &mut Rng) -> Task {
        let mut draw = |[low, high]: [f64; 2]| (low + (high - low) * rng.random::<f64>()).min(high);
        let values: Vec<f64> = self.ranges.iter().map(|&r| draw(r)).collect();
        let direction = if draw([0.0, 1.0]) < self.reverse { -1.0 } else { 1.0 };
        Task::Control(Arc::new(self.task(&values, direction)))
    }

    fn observation_space(&self) -> Space {
        self.prototype().observation_space()
    }

    fn action_space(&self) -> Space {
        self.prototype().action_space()
    }

    fn horizon(&self) -> usize {
        self.horizon
    }

    fn gamma(&self) -> f64 {
        self.gamma
    }

    fn constants(&self) -> Vec<(String, String)> {
        let mut rows = Vec::new();
        for (k, [low, high]) in self.problem.knobs.iter().zip(&self.ranges) {
            let value = if low == high { low.to_string() } else { format!("U[{low}, {high}]") };
            let note =
                if [*low, *high] == [k.nominal; 2] { String::new() } else { format!(" (nominal {})", k.nominal) };
            rows.push((k.key.to_string(), format!("{value} {}{note}", k.unit)));
        }
        rows.push(("reverse".into(), format!("actuator reversed with probability {} per task", self.reverse)));
        if self.problem.bound.is_some() {
            rows.push(("action wrapper".into(), format!("a = {} u, u the policy output", self.action_scale)));
        }
        rows.extend(self.problem.fixed.iter().map(|(k, v)| (k.to_string(), v.to_string())));
        rows.push(("horizon".into(), decisions(self.horizon)));
        rows.push(("gamma".into(), self.gamma.to_string()));
        rows.push(("source".into(), self.problem.source.into()));
        rows
    }
}
