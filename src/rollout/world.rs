//! What one actor acts in: an environment that begins a new episode by itself and can be saved between two steps.

use crate::math::real::Real;
use crate::rng::Rng;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tasks::env::{Action, Env, Space};
use tasks::task::Task;

/// What one step brought. An episode that ended is followed by the start of the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// Reward as the learner sees it (clipped, if the protocol clips).
    pub reward: f64,
    /// For the learner, nothing follows: targets do not bootstrap over this step.
    pub terminated: bool,
    /// The episode was cut here: targets bootstrap from [`World::observe_final`].
    pub truncated: bool,
    /// Undiscounted, unclipped return of the episode that ended with this step, if one did.
    pub finished: Option<f64>,
    /// Frames of the simulator that the step took.
    pub frames: u64,
}

/// The environment of one actor.
pub trait World: Send {
    /// Element of an observation.
    type Obs: Element;

    /// Appends the current observation.
    fn observe(&self, out: &mut Vec<Self::Obs>);

    /// Takes one step; where an episode ends, begins the next one.
    ///
    /// # Errors
    /// The simulator failed, in words.
    fn step(&mut self, action: Action<'_>, rng: &mut Rng) -> Result<Moment, String>;

    /// Appends the last observation of the episode that the latest step truncated.
    fn observe_final(&self, out: &mut Vec<Self::Obs>);

    /// Everything that the next steps depend on, as bytes.
    ///
    /// # Errors
    /// The simulator failed, in words.
    fn save(&mut self) -> Result<Vec<u8>, String>;

    /// Goes on from what [`World::save`] gave.
    ///
    /// # Errors
    /// The bytes are not those of such a world.
    fn restore(&mut self, bytes: &[u8]) -> Result<(), String>;
}

/// Numbers of one kind, as they are kept in files.
#[derive(Clone, Debug, PartialEq)]
pub enum Tensor {
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
    /// Indices.
    U32(Vec<u32>),
    /// Bytes.
    U8(Vec<u8>),
}

/// A number that observations and parameters are made of.
pub trait Element: Copy + Default + Send + Sync + 'static {
    /// Many of them, to be kept.
    fn to_tensor(values: &[Self]) -> Tensor;
    /// The other way; `None` if they are of another kind.
    fn of_tensor(tensor: &Tensor) -> Option<Vec<Self>>;
}

macro_rules! element {
    ($type:ty, $variant:ident) => {
        impl Element for $type {
            fn to_tensor(values: &[$type]) -> Tensor {
                Tensor::$variant(values.to_vec())
            }
            fn of_tensor(tensor: &Tensor) -> Option<Vec<$type>> {
                if let Tensor::$variant(values) = tensor { Some(values.clone()) } else { None }
            }
        }
    };
}
element!(f32, F32);
element!(f64, F64);
element!(u32, U32);
element!(u8, U8);

/// Numbers per encoded observation: one-hot if it is discrete.
pub fn encoded_width(space: &Space) -> usize {
    match space {
        Space::Discrete(n) => *n,
        other => other.width(),
    }
}

/// One task of a family; discrete observations are one-hot.
#[derive(Clone)]
pub struct FamilyWorld<F> {
    task: Arc<Task>,
    now: Now,
    /// Last observation of the episode that was truncated.
    last: Vec<F>,
}

/// Where an actor stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Now {
    /// Explicit state.
    state: Vec<f64>,
    /// Decisions of the running episode.
    age: usize,
    /// Its undiscounted return so far.
    achieved: f64,
}

impl<F: Real> FamilyWorld<F> {
    /// At a start state.
    pub fn start(task: Arc<Task>, rng: &mut Rng) -> FamilyWorld<F> {
        let mut state = vec![0.0; task.state_dim()];
        task.reset(&mut state, rng);
        FamilyWorld { task, now: Now { state, age: 0, achieved: 0.0 }, last: Vec::new() }
    }

    fn encode(&self, out: &mut Vec<F>) {
        let space = self.task.observation_space();
        let mut raw = vec![0.0; space.width()];
        self.task.observe(&self.now.state, &mut raw);
        match space {
            Space::Discrete(n) => out.extend((0..n).map(|i| if i == raw[0] as usize { F::one() } else { F::zero() })),
            Space::Box { .. } => out.extend(raw.into_iter().map(F::of)),
        }
    }
}

impl<F: Real + Element> World for FamilyWorld<F> {
    type Obs = F;

    fn observe(&self, out: &mut Vec<F>) {
        self.encode(out);
    }

    fn step(&mut self, action: Action<'_>, rng: &mut Rng) -> Result<Moment, String> {
        let found = self.task.step(&mut self.now.state, action, rng);
        self.now.achieved += found.reward;
        self.now.age += 1;
        let truncated = !found.terminated && self.now.age >= self.task.horizon();
        if truncated {
            let mut last = std::mem::take(&mut self.last);
            last.clear();
            self.encode(&mut last);
            self.last = last;
        }
        let ended = found.terminated || truncated;
        let finished = ended.then_some(self.now.achieved);
        if ended {
            (self.now.age, self.now.achieved) = (0, 0.0);
            self.task.reset(&mut self.now.state, rng);
        }
        Ok(Moment { reward: found.reward, terminated: found.terminated, truncated, finished, frames: 1 })
    }

    fn observe_final(&self, out: &mut Vec<F>) {
        out.extend_from_slice(&self.last);
    }

    fn save(&mut self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(&self.now).map_err(|e| e.to_string())
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), String> {
        let now: Now = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if now.state.len() != self.now.state.len() {
            return Err(format!("a state of {} numbers where this task has {}", now.state.len(), self.now.state.len()));
        }
        self.now = now;
        Ok(())
    }
}
