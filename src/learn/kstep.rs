//! One sampled meta-gradient of the K-step problem on a tabular MDP; inner value, inner Jacobian and outer part each exact or estimated.

use crate::estimator::kstep::through_steps;
use crate::estimator::tabular::{Correction, Sampled, Shape, Surrogate};
use crate::exact::discounted::{Discounted, Solved};
use crate::exact::kstep::{Chain, Instance};
use crate::exact::model::softmax;
use crate::rng::{Address, Rng};
use crate::rollout::walks::Dynamics;
use rand_distr::{Distribution, StandardNormal};
use tasks::tabular::Tabular;

/// Where one part of the meta-gradient comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part {
    /// Closed form.
    Exact,
    /// A surrogate of fresh trajectories.
    Estimated {
        /// Which.
        surrogate: Surrogate,
        /// Trajectories.
        n: usize,
    },
    /// Off-policy DiCE on `n` fresh trajectories and as many of each of the last `batches - 1` policies, which were on the way here.
    Recycled {
        /// Trajectories of each policy.
        n: usize,
        /// Policies, the current one included.
        batches: usize,
        /// Distance of neighbouring policies in logits: phi_{-j} = -j drift u, u the direction of the exact meta-gradient.
        drift: f64,
        /// What is done to the products of ratios.
        correction: Correction,
    },
}

/// The three parts (gradient-bias spec 1.3, "combined estimator").
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parts {
    /// Value of each inner step: where theta goes.
    pub inner: Part,
    /// Jacobian of each inner step, from its own trajectories at the same parameters.
    pub jacobian: Part,
    /// Gradient of the outer objective at theta_K.
    pub outer: Part,
}

/// An error put into the exact Hessian: that of `mean_sa theta_sa^2 (size + spread eps)`, eps ~ N(0, 1) fresh at every step and entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HessianError {
    /// c.
    pub size: f64,
    /// Standard deviation of what is added to c.
    pub spread: f64,
}

/// What is estimated, and how.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// The problem.
    pub chain: Chain,
    /// Where its parts come from.
    pub parts: Parts,
    /// Standard deviation of the baseline's error per state in units of ||V||_2 / S; redrawn for every batch.
    pub noise: f64,
    /// Lambda of the inner advantages.
    pub lambda: f64,
    /// Error of the exact Hessian, if one is put in.
    pub error: Option<HessianError>,
}

/// One estimate.
#[derive(Clone, Debug, PartialEq)]
pub struct Draw {
    /// Estimate of grad J^K(0), `[S, A]`.
    pub gradient: Vec<f64>,
    /// theta_1 .. theta_K it went through.
    pub thetas: Vec<Vec<f64>>,
}

/// What a batch is for; each has its own streams, the baseline's errors theirs.
#[derive(Clone, Copy)]
enum Role {
    Inner = 0,
    Jacobian = 1,
    Outer = 2,
}

/// Streams per inner step: three roles, trajectories and errors each, and the error of the Hessian.
const STREAMS: usize = 8;

/// Where the streams of older policies begin, two for each.
const HISTORY: usize = 1 << 20;

/// One MDP, ready to be sampled and solved.
#[derive(Clone, Debug)]
pub struct Task {
    /// Closed forms.
    pub model: Discounted,
    /// Trajectories.
    pub dynamics: Dynamics,
    /// The policy at theta = 0, where every path begins: solved once.
    start: Solved,
}

/// The policy at one point of the path.
struct Point {
    pi: Vec<f64>,
    /// Only where something exact is needed of it.
    solved: Option<Solved>,
    /// V of the policy, where a baseline is.
    values: Vec<f64>,
}

/// Where a batch is drawn.
struct Here<'a> {
    theta: &'a [f64],
    point: &'a Point,
    shape: &'a Shape,
    ascent: &'a [f64],
}

/// What the way back needs of a step.
enum Link {
    Exact(Solved),
    Estimated(Surrogate, Sampled, Point),
}

/// Off-policy trajectories, how many per policy and what becomes of the ratios.
struct Buffer<'a> {
    n: usize,
    correction: Correction,
    /// theta of every policy, the current one first.
    thetas: Vec<Vec<f64>>,
    shape: &'a Shape,
}

impl Task {
    /// The closed forms of `mdp` without its horizon, and its dynamics with it.
    pub fn new(mdp: &Tabular, gamma: f64) -> Task {
        let model = Discounted::new(mdp, gamma);
        let start = model.solve(&vec![0.0; model.reward.len()]);
        Task { model, dynamics: Dynamics::new(mdp), start }
    }

    fn shape(&self, lambda: f64) -> Shape {
        let Dynamics { actions, horizon, .. } = self.dynamics;
        Shape { actions, horizon, gamma: self.model.gamma, lambda }
    }

    fn point(&self, theta: &[f64], solve: bool, baseline: bool) -> Point {
        if solve {
            let solved = self.model.solve(theta);
            return Point { pi: solved.pi.clone(), values: solved.v.clone(), solved: Some(solved) };
        }
        let pi = softmax(theta, self.model.actions);
        let values = if baseline { self.model.values(&pi) } else { Vec::new() };
        Point { pi, values, solved: None }
    }

    /// `n` trajectories at a point with their weights.
    fn batch(&self, surrogate: Surrogate, n: usize, point: &Point, shape: &Shape, noise: f64, at: Address) -> Sampled {
        let mut sampled = Sampled { pi: point.pi.clone(), ..Sampled::default() };
        self.dynamics.sample(&point.pi, n, &mut at.stream(), &mut sampled.walks);
        let values = match surrogate.has_baseline() {
            true => with_errors(&point.values, noise, &mut at.step(at.step as usize + 1).stream()),
            false => Vec::new(),
        };
        shape.weigh(surrogate, &self.model.reward, &values, &mut sampled);
        sampled
    }
}

impl Buffer<'_> {
    /// The trajectories with their weights under the current policy. Those of the current policy are the ones that on-policy DiCE draws.
    fn batch(&self, task: &Task, at: Address) -> Sampled {
        let policies: Vec<Vec<f64>> = self.thetas.iter().map(|theta| softmax(theta, task.model.actions)).collect();
        let mut sampled = Sampled { pi: policies[0].clone(), ..Sampled::default() };
        for (j, pi) in policies.iter().enumerate() {
            let at = if j == 0 { at } else { at.step(HISTORY + STREAMS * j + at.step as usize) };
            task.dynamics.extend(pi, self.n, &mut at.stream(), &mut sampled.walks);
        }
        let behaviour = |e: usize| policies[e / self.n].as_slice();
        self.shape.weigh_off_policy(self.correction, &task.model.reward, behaviour, &mut sampled);
        sampled
    }
}

/// `values + N(0, 1) noise ||values||_2 / S` per state.
fn with_errors(values: &[f64], noise: f64, rng: &mut Rng) -> Vec<f64> {
    let scale = noise * values.iter().map(|v| v * v).sum::<f64>().sqrt() / values.len() as f64;
    let error = |rng: &mut Rng| -> f64 { StandardNormal.sample(rng) };
    values.iter().map(|v| v + scale * error(rng)).collect()
}

/// Whether a part has a baseline.
fn has_baseline(part: Part) -> bool {
    matches!(part, Part::Estimated { surrogate, .. } if surrogate.has_baseline())
}

impl Sampling {
    /// The batch of one part at a point, with the surrogate that it is differentiated by.
    fn batch(&self, task: &Task, part: Part, at: &Here<'_>, address: Address) -> Option<(Surrogate, Sampled)> {
        match part {
            Part::Exact => None,
            Part::Estimated { surrogate, n } => {
                Some((surrogate, task.batch(surrogate, n, at.point, at.shape, self.noise, address)))
            }
            Part::Recycled { n, batches, drift, correction } => {
                let norm = at.ascent.iter().map(|g| g * g).sum::<f64>().sqrt();
                let moved = |j: usize| {
                    let back = j as f64 * drift / norm;
                    at.theta.iter().zip(at.ascent).map(|(x, g)| x - back * g).collect()
                };
                let thetas = (0..batches).map(moved).collect();
                let buffer = Buffer { n, correction, thetas, shape: at.shape };
                Some((Surrogate::Dice, buffer.batch(task, address)))
            }
        }
    }

    /// One estimate of the gradient at phi = 0, theta_0 = 0; every batch has its own stream below `at`. `ascent` is the exact meta-gradient
    /// there: the direction the policies of a buffer have come from.
    pub fn draw(&self, task: &Task, ascent: &[f64], at: Address) -> Draw {
        let Sampling { chain, parts, .. } = self;
        let shape = task.shape(self.lambda);
        let address = |i: usize, role: Role| at.step(STREAMS * i + 2 * role as usize);
        let mut theta = vec![0.0; task.model.reward.len()];
        let (mut thetas, mut links) = (Vec::new(), Vec::new());
        let is_lirpg = chain.instance == Instance::Lirpg;
        for i in 0..chain.steps {
            let is_exact = parts.inner == Part::Exact || parts.jacobian == Part::Exact || is_lirpg;
            let point = match i {
                0 => {
                    Point { pi: task.start.pi.clone(), values: task.start.v.clone(), solved: Some(task.start.clone()) }
                }
                _ => task.point(&theta, is_exact, has_baseline(parts.inner) || has_baseline(parts.jacobian)),
            };
            let here = Here { theta: &theta, point: &point, shape: &shape, ascent };
            let inner = self.batch(task, parts.inner, &here, address(i, Role::Inner));
            let gradient = match (inner, &point.solved) {
                (Some((_, batch)), _) => shape.gradient(&batch),
                (None, Some(solved)) => task.model.gradient(solved),
                (None, None) => unreachable!("solved above"),
            };
            let jacobian = self.batch(task, parts.jacobian, &here, address(i, Role::Jacobian));
            theta.iter_mut().zip(gradient).for_each(|(x, g)| *x += chain.alpha * g);
            thetas.push(theta.clone());
            links.push(match (jacobian, point) {
                (Some((surrogate, batch)), point) => Link::Estimated(surrogate, batch, point),
                (None, Point { solved: Some(solved), .. }) => Link::Exact(solved),
                (None, _) => unreachable!("solved above"),
            });
        }
        let outer = address(chain.steps, Role::Outer);
        let mut v = self.outer(task, &theta, ascent, outer);
        let mut phi = vec![0.0; v.len()];
        through_steps(&vec![chain.alpha; v.len()], chain.steps, &mut v, |i, direction, v| {
            self.pull_back(task, &shape, &links[i], direction, v, &mut phi, at.step(STREAMS * i + 6));
        });
        Draw { gradient: if is_lirpg { phi } else { v }, thetas }
    }

    /// Gradient of the outer objective at theta_K; its advantages are n-step returns to the end.
    fn outer(&self, task: &Task, theta: &[f64], ascent: &[f64], at: Address) -> Vec<f64> {
        let (shape, part) = (task.shape(1.0), self.parts.outer);
        let point = task.point(theta, part == Part::Exact, has_baseline(part));
        match (self.batch(task, part, &Here { theta, point: &point, shape: &shape, ascent }, at), &point.solved) {
            (Some((_, batch)), _) => shape.gradient(&batch),
            (None, Some(solved)) => task.model.gradient(solved),
            (None, None) => unreachable!("solved above"),
        }
    }

    /// Adds `H_i direction` to `v` and, where phi is a reward, `M_i^T direction` to `phi`.
    fn pull_back(
        &self,
        task: &Task,
        shape: &Shape,
        link: &Link,
        direction: &[f64],
        v: &mut [f64],
        phi: &mut [f64],
        at: Address,
    ) {
        let is_lirpg = self.chain.instance == Instance::Lirpg;
        let add = |out: &mut [f64], x: Vec<f64>| out.iter_mut().zip(x).for_each(|(o, x)| *o += x);
        match link {
            Link::Exact(solved) => {
                add(v, task.model.hessian_product(solved, direction));
                if is_lirpg {
                    add(phi, task.model.reward_product(solved, direction));
                }
            }
            Link::Estimated(surrogate, batch, point) => {
                shape.add_hessian_product(*surrogate, batch, direction, v);
                if let (true, Some(solved)) = (is_lirpg, &point.solved) {
                    let (reward, values) = shape.mixed_product(batch, direction);
                    let values = task.model.pull_back_values(solved, &values); // V is exact, and known as a function of the reward
                    add(phi, reward);
                    add(phi, (0..v.len()).map(|k| values[k / shape.actions] * point.pi[k]).collect());
                }
            }
        }
        if let Some(error) = self.error {
            let mut rng = at.stream();
            let n = v.len() as f64;
            for (v, d) in v.iter_mut().zip(direction) {
                let eps: f64 = StandardNormal.sample(&mut rng);
                *v += 2.0 * (error.size + error.spread * eps) / n * d;
            }
        }
    }
}
