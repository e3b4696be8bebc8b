//! Initial parameters of a convolutional network.

use super::super::init::Init;
use super::head::Head;
use super::network::ConvNet;
use crate::math::real::Real;
use crate::rng::Rng;
use rand::RngExt;

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
        let Head { inputs, hidden, outputs, weight, bias, out_weight, out_bias } = &self.head;
        let mut theta = vec![F::zero(); out_bias.end];
        for layer in &self.plan.layers {
            let window = layer.weight.len() / layer.channels[1];
            let reach = layer.kernel * layer.kernel * layer.channels[1];
            init.fill([window, layer.channels[1]], reach, &mut theta[layer.weight.clone()], rng);
            init.fill_bias(window, &mut theta[layer.bias.clone()], rng);
        }
        let size = self.embedding.size;
        let mut both = vec![F::zero(); (inputs + size) * hidden];
        init.fill([inputs + size, *hidden], *hidden, &mut both, rng);
        let (x, e) = both.split_at(weight.len());
        let [embed, first] = self.embedding.parts();
        theta[weight.clone()].copy_from_slice(x);
        theta[first].copy_from_slice(e);
        init.fill_bias(inputs + size, &mut theta[bias.clone()], rng);
        if size > 0 {
            let linear = if init == ConvInit::FanIn { init } else { ConvInit::Glorot };
            linear.fill([self.embedding.conditioning, size], size, &mut theta[embed], rng);
        }
        if let ConvInit::Orthogonal { policy, policy_gain, value_gain } = init {
            let policy = policy.min(*outputs);
            for (columns, gain) in [(0..policy, policy_gain), (policy..*outputs, value_gain)] {
                let mut part = vec![F::zero(); hidden * columns.len()];
                Init::Orthogonal { gain }.fill(*hidden, columns.len(), &mut part, rng);
                let rows = theta[out_weight.clone()].chunks_exact_mut(*outputs);
                for (row, part) in rows.zip(part.chunks_exact(columns.len().max(1))) {
                    row[columns.clone()].copy_from_slice(part);
                }
            }
        } else {
            init.fill([*hidden, *outputs], *outputs, &mut theta[out_weight.clone()], rng);
            init.fill_bias(*hidden, &mut theta[out_bias.clone()], rng);
        }
        theta
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
