//! Multilayer perceptron over a flat parameter vector: layout, initial parameters, forward pass.

use super::init::Init;
use super::kernels::bias_activation;
use super::matmul;
use super::tape::Tape;
use crate::math::real::Real;
use crate::rng::Rng;
use std::ops::Range;

/// Numbers of one layer's block of rows, so that a block and its derivatives stay in the second-level cache.
const BLOCK: usize = 25_600;

/// Nonlinearity of the hidden layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Hyperbolic tangent, accurate to a few ulp.
    Tanh,
    /// max(0, x); its derivative at 0 is taken as 0.
    Relu,
}

/// Fully connected network `h_l = f(h_{l-1} W_l + b_l)`, linear in the last layer.
///
/// The flat parameter vector holds, layer by layer, `W_l` row-major `[in, out]` and then `b_l` `[out]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mlp {
    /// Widths: input, hidden layers, output; at least two numbers.
    pub sizes: Vec<usize>,
    /// Nonlinearity of the hidden layers.
    pub activation: Activation,
}

/// Where one layer lives in the flat parameter vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Inputs (rows of the weight).
    pub inputs: usize,
    /// Outputs (columns of the weight).
    pub outputs: usize,
    /// Weight `[inputs, outputs]`, row-major.
    pub weight: Range<usize>,
    /// Bias `[outputs]`.
    pub bias: Range<usize>,
}

impl Mlp {
    /// Network of these widths.
    ///
    /// # Panics
    /// If fewer than two widths are given or one is zero.
    pub fn new(sizes: Vec<usize>, activation: Activation) -> Mlp {
        assert!(sizes.len() >= 2 && !sizes.contains(&0), "widths must be input, hidden ..., output, all positive");
        Mlp { sizes, activation }
    }

    /// Number of layers with parameters (hidden layers + 1).
    pub fn depth(&self) -> usize {
        self.sizes.len() - 1
    }

    /// Input width.
    pub fn inputs(&self) -> usize {
        self.sizes[0]
    }

    /// Output width.
    pub fn outputs(&self) -> usize {
        self.sizes[self.depth()]
    }

    /// Layers in order, with their places in the flat parameter vector.
    pub fn layers(&self) -> impl DoubleEndedIterator<Item = Layer> + ExactSizeIterator + use<'_> {
        (0..self.depth()).map(|l| self.layer(l))
    }

    /// Layer `l`.
    pub fn layer(&self, l: usize) -> Layer {
        let start: usize = self.sizes.windows(2).take(l).map(|w| (w[0] + 1) * w[1]).sum();
        let (inputs, outputs) = (self.sizes[l], self.sizes[l + 1]);
        let end = start + inputs * outputs;
        Layer { inputs, outputs, weight: start..end, bias: end..end + outputs }
    }

    /// Length of the flat parameter vector.
    pub fn n_params(&self) -> usize {
        self.sizes.windows(2).map(|w| (w[0] + 1) * w[1]).sum()
    }

    /// Initial parameters: weights by `init`, zero biases.
    pub fn init<F: Real>(&self, init: Init, rng: &mut Rng) -> Vec<F> {
        let mut theta = vec![F::zero(); self.n_params()];
        for layer in self.layers() {
            init.fill(layer.inputs, layer.outputs, &mut theta[layer.weight], rng);
        }
        theta
    }

    /// Appends `rows` rows to the tape: all activations for `input` `[rows, inputs]`.
    ///
    /// # Panics
    /// If `theta` or `input` has the wrong length, or the tape holds rows of another network.
    pub fn forward<F: Real>(&self, theta: &[F], input: &[F], rows: usize, tape: &mut Tape<F>) {
        assert_eq!(theta.len(), self.n_params(), "parameters");
        assert_eq!(input.len(), rows * self.inputs(), "network input");
        let start = tape.grow(self.sizes[1..].iter().copied(), rows);
        let block = self.block_rows();
        let mut first = 0;
        while first < rows {
            let n = block.min(rows - first);
            for (l, layer) in self.layers().enumerate() {
                let (below, here) = tape.layers.split_at_mut(l);
                let input = match below.last() {
                    None => &input[first * layer.inputs..],
                    Some(h) => &h[(start + first) * layer.inputs..],
                };
                let z = &mut here[0][(start + first) * layer.outputs..][..n * layer.outputs];
                let shape = [n, layer.inputs, layer.outputs];
                matmul::nn(shape, input, &theta[layer.weight], z, false, &mut tape.narrow);
                bias_activation(z, &theta[layer.bias], self.activation_of(l));
            }
            first += n;
        }
    }

    /// Nonlinearity after layer `l`; the last layer has none.
    pub(super) fn activation_of(&self, l: usize) -> Option<Activation> {
        (l + 1 < self.depth()).then_some(self.activation)
    }

    /// Rows worked on at a time.
    pub(super) fn block_rows(&self) -> usize {
        let widest = self.sizes.iter().copied().max().unwrap_or(1);
        (BLOCK / widest).clamp(16, 1024)
    }
}
