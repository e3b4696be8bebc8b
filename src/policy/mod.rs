//! Policies: parameters and observation to an action distribution, log-probability and score.
//!
//! Parameters are arguments, never modes. All of them are one flat vector; [`Policy::tensors`] names its parts.

mod build;
mod derivative;
mod head;

pub use build::{Kind, Spec, TensorSpec};
pub use derivative::{RowTangents, WeightTangents};

use crate::batch::Actions;
use crate::diff::{Init, Mlp, Tape};
use crate::math::real::Real;
use crate::rng::Rng;
use head::{entropy_of_logits, log_softmax_at, softmax};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use std::ops::Range;
use tasks::env::Space;

/// One logit per (state, action), flat `[S, A]`: pi(a|s) = exp(theta_sa) / sum_b exp(theta_sb).
#[derive(Clone, Debug, PartialEq)]
pub struct TabularSoftmax {
    /// Number of states S.
    pub states: usize,
    /// Number of actions A.
    pub actions: usize,
}

/// A network that reads an observation (one-hot for state indices) and, optionally, also predicts its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Trunk {
    /// The network; its last output is the value if there is a value head.
    pub mlp: Mlp,
    /// How the weights start.
    pub init: Init,
    /// Whether observations are state indices, read as one-hot codes.
    pub one_hot: bool,
    /// Whether the last output is a value.
    pub value_head: bool,
}

/// Softmax over the outputs of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct MlpCategorical {
    /// The network.
    pub trunk: Trunk,
    /// Number of actions.
    pub actions: usize,
}

/// Independent normals: means from a network, log standard deviations as parameters of their own behind the network's.
#[derive(Clone, Debug, PartialEq)]
pub struct MlpGaussian {
    /// The network.
    pub trunk: Trunk,
    /// Coordinates per action.
    pub width: usize,
    /// Log standard deviation at the start.
    pub log_std: f64,
    /// Floor of the log standard deviation, applied the same before and after adaptation; no gradient flows below it.
    pub min_log_std: Option<f64>,
}

/// A policy.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// Tabular softmax.
    Tabular(TabularSoftmax),
    /// Network with a softmax.
    Categorical(MlpCategorical),
    /// Network with a diagonal normal.
    Gaussian(MlpGaussian),
}

/// Coefficients of a weighted sum over batch rows, `sum_i w_i log pi_i + e_i H_i + u_i V_i`.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a, F> {
    /// Of the log-probabilities, one per row.
    pub log_prob: &'a [F],
    /// Of the entropies, one per row.
    pub entropy: Option<&'a [F]>,
    /// Of the values, one per row (needs a value head).
    pub value: Option<&'a [F]>,
}

impl Policy {
    fn trunk(&self) -> Option<&Trunk> {
        match self {
            Policy::Tabular(_) => None,
            Policy::Categorical(p) => Some(&p.trunk),
            Policy::Gaussian(p) => Some(&p.trunk),
        }
    }

    /// Parameters of the network alone (0 for tables); log standard deviations follow.
    fn network_params(&self) -> usize {
        self.trunk().map_or(0, |t| t.mlp.n_params())
    }

    /// Numbers that describe the action distribution of one row (logits or means).
    fn head_width(&self) -> usize {
        match self {
            Policy::Tabular(p) => p.actions,
            Policy::Categorical(p) => p.actions,
            Policy::Gaussian(p) => p.width,
        }
    }

    /// Length of the flat parameter vector.
    pub fn n_params(&self) -> usize {
        match self {
            Policy::Tabular(p) => p.states * p.actions,
            Policy::Categorical(p) => p.trunk.mlp.n_params(),
            Policy::Gaussian(p) => p.trunk.mlp.n_params() + p.width,
        }
    }

    /// Numbers per encoded observation.
    pub fn obs_width(&self) -> usize {
        self.trunk().map_or(1, |t| t.mlp.inputs())
    }

    /// Whether the policy also predicts values.
    pub fn has_value(&self) -> bool {
        self.trunk().is_some_and(|t| t.value_head)
    }

    /// Writes what the policy reads (`obs_width` numbers) for a raw observation: the index itself, its one-hot code, or a copy.
    pub fn encode<F: Real>(&self, raw: &[f64], out: &mut [F]) {
        if self.trunk().is_some_and(|t| t.one_hot) {
            out.fill(F::zero());
            out[raw[0] as usize] = F::one();
        } else {
            out.iter_mut().zip(raw).for_each(|(o, &x)| *o = F::of(x));
        }
    }

    /// Initial parameters: tables are zero (uniform), networks by their initialiser, log standard deviations as told.
    pub fn init<F: Real>(&self, rng: &mut Rng) -> Vec<F> {
        let mut theta = self.trunk().map_or(Vec::new(), |t| t.mlp.init(t.init, rng));
        let rest = if let Policy::Gaussian(p) = self { F::of(p.log_std) } else { F::zero() };
        theta.resize(self.n_params(), rest);
        theta
    }

    /// An empty list of this policy's kind of actions.
    pub fn empty_actions<F: Real>(&self) -> Actions<F> {
        match self {
            Policy::Gaussian(p) => Actions::Continuous { values: Vec::new(), width: p.width },
            _ => Actions::Discrete(Vec::new()),
        }
    }

    /// Appends `rows` rows to the tape: the forward pass of encoded observations `[rows, obs_width]` at `theta`.
    pub fn forward<F: Real>(&self, theta: &[F], obs: &[F], rows: usize, tape: &mut Tape<F>) {
        match self {
            Policy::Tabular(p) => {
                let first = tape.grow([p.actions].into_iter(), rows);
                let out = &mut tape.layers[0][first * p.actions..];
                for (row, s) in out.chunks_exact_mut(p.actions).zip(obs) {
                    row.copy_from_slice(&theta[s.f64() as usize * p.actions..][..p.actions]);
                }
            }
            Policy::Categorical(MlpCategorical { trunk, .. }) | Policy::Gaussian(MlpGaussian { trunk, .. }) => {
                trunk.mlp.forward(&theta[..trunk.mlp.n_params()], obs, rows, tape);
            }
        }
    }

    /// Effective log standard deviation of coordinate `i` and whether its gradient flows.
    fn log_std<F: Real>(&self, theta: &[F], i: usize) -> (F, bool) {
        let parameter = theta[self.network_params() + i];
        match self {
            Policy::Gaussian(MlpGaussian { min_log_std: Some(floor), .. }) if parameter.f64() < *floor => {
                (F::of(*floor), false)
            }
            _ => (parameter, true),
        }
    }

    /// Appends one action for each row of `rows`; `rngs[i]` serves the i-th of them. A discrete action takes one uniform
    /// (inverse CDF), a continuous one a standard normal per coordinate: equal streams couple different parameters.
    pub fn sample<F: Real>(
        &self,
        theta: &[F],
        tape: &Tape<F>,
        rows: Range<usize>,
        rngs: &mut [Rng],
        actions: &mut Actions<F>,
    ) {
        let width = self.head_width();
        match actions {
            Actions::Discrete(chosen) => {
                let mut p = vec![F::zero(); width];
                for (row, rng) in rows.zip(rngs) {
                    softmax(&tape.output_row(row)[..width], &mut p);
                    chosen.push(inverse_cdf(&p, rng.random::<f64>()));
                }
            }
            Actions::Continuous { values, .. } => {
                let std: Vec<F> = (0..width).map(|i| self.log_std(theta, i).0.exp()).collect();
                for (row, rng) in rows.zip(rngs) {
                    for (&mean, &std) in tape.output_row(row).iter().zip(&std) {
                        let noise: f64 = StandardNormal.sample(rng);
                        values.push(mean + std * F::of(noise));
                    }
                }
            }
        }
    }

    /// Mode of the action distribution of each row (most probable action, or the mean), appended.
    pub fn mode<F: Real>(&self, tape: &Tape<F>, rows: Range<usize>, actions: &mut Actions<F>) {
        let width = self.head_width();
        for row in rows {
            let z = &tape.output_row(row)[..width];
            match actions {
                Actions::Discrete(chosen) => {
                    let best = (0..width).fold(0, |best, i| if z[i] > z[best] { i } else { best });
                    chosen.push(best as u32);
                }
                Actions::Continuous { values, .. } => values.extend_from_slice(z),
            }
        }
    }

    /// Log-probability (density) of every row's action, written over `out`.
    pub fn log_prob<F: Real>(&self, theta: &[F], tape: &Tape<F>, actions: &Actions<F>, out: &mut Vec<F>) {
        let width = self.head_width();
        out.clear();
        match actions {
            Actions::Discrete(a) => out.extend(a.iter().enumerate().map(|(row, &a)| {
                let z = &tape.output_row(row)[..width];
                log_softmax_at(z, a as usize)
            })),
            Actions::Continuous { values, .. } => {
                let log_std: Vec<F> = (0..width).map(|i| self.log_std(theta, i).0).collect();
                let inverse: Vec<F> = log_std.iter().map(|&s| (-s).exp()).collect();
                let constant = log_std.iter().map(|&s| -s - F::of(head::HALF_LOG_TWO_PI)).sum::<F>();
                for (row, action) in values.chunks_exact(width).enumerate() {
                    let z = tape.output_row(row);
                    let square = |i: usize| {
                        let u = (action[i] - z[i]) * inverse[i];
                        u * u
                    };
                    out.push(constant - F::of(0.5) * (0..width).map(square).sum::<F>());
                }
            }
        }
    }

    /// Entropy of every row's action distribution, nats, written over `out`.
    pub fn entropy<F: Real>(&self, theta: &[F], tape: &Tape<F>, out: &mut Vec<F>) {
        let width = self.head_width();
        out.clear();
        if let Policy::Gaussian(_) = self {
            let each = |i| self.log_std(theta, i).0 + F::of(0.5 + head::HALF_LOG_TWO_PI);
            let entropy = (0..width).map(each).sum::<F>();
            out.resize(tape.rows(), entropy);
        } else {
            out.extend((0..tape.rows()).map(|row| entropy_of_logits(&tape.output_row(row)[..width])));
        }
    }

    /// Predicted value of every row, written over `out`.
    ///
    /// # Panics
    /// Without a value head.
    pub fn value<F: Real>(&self, tape: &Tape<F>, out: &mut Vec<F>) {
        assert!(self.has_value(), "this policy has no value head");
        out.clear();
        out.extend((0..tape.rows()).map(|row| tape.output_row(row)[self.head_width()]));
    }
}

/// Index at which the cumulated probabilities pass `u`; the last possible one if rounding leaves `u` beyond the sum.
fn inverse_cdf<F: Real>(p: &[F], mut u: f64) -> u32 {
    for (i, &p_i) in p.iter().enumerate() {
        if u < p_i.f64() {
            return i as u32;
        }
        u -= p_i.f64();
    }
    p.iter().rposition(|&p_i| p_i > F::zero()).unwrap_or(0) as u32
}

/// Observation encodings a policy can read.
fn input_width(observation: &Space) -> (usize, bool) {
    match observation {
        Space::Discrete(n) => (*n, true),
        Space::Box { low, .. } => (low.len(), false),
    }
}
