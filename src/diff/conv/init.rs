//! Initial parameters of a convolutional network.

use super::super::init::Init;
use super::head::Head;
use super::network::ConvNet;
use crate::math::real::Real;
use crate::rng::Rng;
use rand::RngExt;
use std::ops::Range;

/// How a network starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ConvInit {
    /// Orthogonal with gain sqrt 2, heads with gains of their own; zero biases (as Stable-Baselines3 and CleanRL do).
    Orthogonal {
        /// Number of outputs that are the policy's; the others are values.
        policy: usize,
        /// Gain of the policy's outputs: usually 0.01.
        policy_gain: f64,
        /// Gain of the values: usually 1.
        value_gain: f64,
    },
    /// Weights and biases uniform on ±1 / sqrt(inputs of a unit): PyTorch's default.
    FanIn,
    /// Glorot uniform weights, zero biases.
    Glorot,
}

impl ConvNet {
    /// Initial parameters. The hidden layer is one matrix over features and embedding; the embedding itself starts by
    /// Glorot's rule where the others are orthogonal.
    pub fn init<F: Real>(&self, init: ConvInit, rng: &mut Rng) -> Vec<F> {
        let mut theta = vec![F::zero(); self.last().out_bias.end];
        for layer in &self.plan.layers {
            let window = layer.weight.len() / layer.channels[1];
            let reach = layer.kernel * layer.kernel * layer.channels[1];
            init.fill([window, layer.channels[1]], reach, &mut theta[layer.weight.clone()], rng);
            init.fill_bias(window, &mut theta[layer.bias.clone()], rng);
        }
        let size = self.embedding.size;
        if self.branch.is_some() {
            self.fill_hidden(init, &self.head, 0, &mut theta, rng);
        }
        self.fill_hidden(init, self.last(), size, &mut theta, rng);
        if size > 0 {
            let [embed, _] = self.embedding.parts();
            let linear = if init == ConvInit::FanIn { init } else { ConvInit::Glorot };
            linear.fill([self.embedding.conditioning, size], size, &mut theta[embed], rng);
        }
        match (&self.branch, init) {
            (Some(values), ConvInit::Orthogonal { policy_gain, value_gain, .. }) => {
                init.fill_outputs(&self.head, &[(0..self.head.outputs, policy_gain)], &mut theta, rng);
                init.fill_outputs(values, &[(0..values.outputs, value_gain)], &mut theta, rng);
            }
            (None, ConvInit::Orthogonal { policy, policy_gain, value_gain }) => {
                let (policy, outputs) = (policy.min(self.head.outputs), self.head.outputs);
                let parts = [(0..policy, policy_gain), (policy..outputs, value_gain)];
                init.fill_outputs(&self.head, &parts, &mut theta, rng);
            }
            (branch, _) => {
                for head in [Some(&self.head), branch.as_ref()].into_iter().flatten() {
                    init.fill_outputs(head, &[], &mut theta, rng);
                }
            }
        }
        theta
    }

    /// The hidden layer of a head, one matrix over its features and `size` numbers of the embedding.
    fn fill_hidden<F: Real>(&self, init: ConvInit, head: &Head, size: usize, theta: &mut [F], rng: &mut Rng) {
        let Head { inputs, hidden, weight, bias, .. } = head;
        let mut both = vec![F::zero(); (inputs + size) * hidden];
        init.fill([inputs + size, *hidden], *hidden, &mut both, rng);
        let (x, e) = both.split_at(weight.len());
        theta[weight.clone()].copy_from_slice(x);
        if size > 0 {
            theta[self.embedding.parts()[1].clone()].copy_from_slice(e);
        }
        init.fill_bias(inputs + size, &mut theta[bias.clone()], rng);
    }
}

impl ConvInit {
    /// Writes a `[inputs, outputs]` weight of a layer each of whose inputs reaches `reach` numbers of the output.
    fn fill<F: Real>(self, [inputs, outputs]: [usize; 2], reach: usize, weight: &mut [F], rng: &mut Rng) {
        match self {
            ConvInit::Orthogonal { .. } => {
                Init::Orthogonal { gain: std::f64::consts::SQRT_2 }.fill(inputs, outputs, weight, rng);
            }
            ConvInit::FanIn => uniform(1.0 / (inputs as f64).sqrt(), weight, rng),
            ConvInit::Glorot => uniform((6.0 / (inputs + reach) as f64).sqrt(), weight, rng),
        }
    }

    /// Writes the outputs of a head; orthogonal columns have gains of their own.
    fn fill_outputs<F: Real>(self, head: &Head, parts: &[(Range<usize>, f64)], theta: &mut [F], rng: &mut Rng) {
        let Head { hidden, outputs, out_weight, out_bias, .. } = head;
        if parts.is_empty() {
            self.fill([*hidden, *outputs], *outputs, &mut theta[out_weight.clone()], rng);
            self.fill_bias(*hidden, &mut theta[out_bias.clone()], rng);
        }
        for (columns, gain) in parts {
            let mut part = vec![F::zero(); hidden * columns.len()];
            Init::Orthogonal { gain: *gain }.fill(*hidden, columns.len(), &mut part, rng);
            let rows = theta[out_weight.clone()].chunks_exact_mut(*outputs);
            for (row, part) in rows.zip(part.chunks_exact(columns.len().max(1))) {
                row[columns.clone()].copy_from_slice(part);
            }
        }
    }

    /// Writes the bias of a layer of this many inputs.
    fn fill_bias<F: Real>(self, inputs: usize, bias: &mut [F], rng: &mut Rng) {
        if self == ConvInit::FanIn {
            uniform(1.0 / (inputs as f64).sqrt(), bias, rng);
        }
    }
}

/// Draws uniform on ±`limit`.
fn uniform<F: Real>(limit: f64, to: &mut [F], rng: &mut Rng) {
    for x in to {
        *x = F::of(limit * (2.0 * rng.random::<f64>() - 1.0));
    }
}
