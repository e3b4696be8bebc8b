//! Derivatives of a network: VJP, many weighted VJPs at once, JVP, and gradient with HVP in one reverse pass.

use super::kernels::{add_rows, bias_activation_tangent, scale_rows, through_activation, through_activation_tangent};
use super::matmul;
use super::mlp::{Layer, Mlp};
use super::tape::{Tape, Workspace, sized};
use crate::math::real::Real;
use std::ops::Range;

impl Mlp {
    /// Adds `J^T d` to `out`: the parameter gradient of `sum_i d_i . y_i` for output cotangents `d` `[rows, outputs]`.
    ///
    /// `input` holds the rows of the tape, in order. Cost: twice the forward pass.
    ///
    /// # Panics
    /// If a length does not fit the tape.
    pub fn vjp<F: Real>(
        &self,
        theta: &[F],
        input: &[F],
        tape: &Tape<F>,
        cotangents: &[F],
        out: &mut [F],
        ws: &mut Workspace<F>,
    ) {
        self.check(theta, input, tape, cotangents);
        self.sweep(theta, tape, cotangents, ws, |layer, block, d, ws| {
            let h = layer_input(input, tape, layer.0, &block, layer.1.inputs);
            add_gradient(&layer.1, block.len(), h, d, out, &mut ws.narrow);
        });
    }

    /// Adds `sum_i w_i J_i^T d_i` to `out[m]` for each weight vector `w = weights[m]` over rows.
    ///
    /// The cotangents travel down once; only the last products `h^T (w * d)` are repeated per weight vector.
    ///
    /// # Panics
    /// If a length does not fit the tape.
    pub fn vjp_many<F: Real>(
        &self,
        theta: &[F],
        input: &[F],
        tape: &Tape<F>,
        cotangents: &[F],
        weights: &[Vec<F>],
        out: &mut [Vec<F>],
        ws: &mut Workspace<F>,
    ) {
        self.check(theta, input, tape, cotangents);
        assert_eq!(weights.len(), out.len(), "one output per weight vector");
        self.sweep(theta, tape, cotangents, ws, |layer, block, d, ws| {
            let h = layer_input(input, tape, layer.0, &block, layer.1.inputs);
            let Workspace { blocks, narrow, .. } = ws;
            let scaled = sized(&mut blocks[2], d.len());
            for (w, out) in weights.iter().zip(out.iter_mut()) {
                scale_rows(&w[block.clone()], d, scaled);
                add_gradient(&layer.1, block.len(), h, scaled, out, narrow);
            }
        });
    }

    /// Tangents of all activations along `direction`, left in the workspace; returns those of the output `[rows, outputs]`.
    ///
    /// # Panics
    /// If a length does not fit the tape.
    pub fn jvp<'w, F: Real>(
        &self,
        theta: &[F],
        direction: &[F],
        input: &[F],
        tape: &Tape<F>,
        ws: &'w mut Workspace<F>,
    ) -> &'w [F] {
        assert_eq!(direction.len(), self.n_params(), "direction");
        self.check(theta, input, tape, tape.output());
        let Workspace { tangents, narrow, .. } = ws;
        tangents.rows = 0;
        tangents.grow(self.sizes[1..].iter().copied(), tape.rows);
        for block in self.row_blocks(tape.rows) {
            for (l, layer) in self.layers().enumerate() {
                let shape = [block.len(), layer.inputs, layer.outputs];
                let (below, here) = tangents.layers.split_at_mut(l);
                let outputs = block.start * layer.outputs..block.end * layer.outputs;
                let z_dot = &mut here[0][outputs.clone()];
                let h = layer_input(input, tape, l, &block, layer.inputs);
                matmul::nn(shape, h, &direction[layer.weight.clone()], z_dot, false, narrow);
                if let Some(h_dot) = below.last() {
                    let h_dot = &h_dot[block.start * layer.inputs..];
                    matmul::nn(shape, h_dot, &theta[layer.weight.clone()], z_dot, true, narrow);
                }
                let h = &tape.layers[l][outputs];
                bias_activation_tangent(z_dot, &direction[layer.bias], h, self.activation_of(l));
            }
        }
        tangents.output()
    }

    /// One reverse pass through the tangent-carrying forward pass: gradient and Hessian–vector product together.
    ///
    /// For output cotangents `d` and their tangents `d_dot`, adds `J^T d` to `grad` (if asked for) and
    /// `d/de [J(theta + e v)^T d(e)]` at e = 0 to `hv`, where `d(e) = d + e d_dot`. [`Mlp::jvp`] along the same direction must
    /// have been the workspace's last pass.
    ///
    /// # Panics
    /// If a length does not fit the tape, or the workspace holds tangents of another batch.
    pub fn reverse_tangent<F: Real>(
        &self,
        theta: &[F],
        direction: &[F],
        input: &[F],
        tape: &Tape<F>,
        cotangents: [&[F]; 2],
        mut grad: Option<&mut [F]>,
        hv: &mut [F],
        ws: &mut Workspace<F>,
    ) {
        self.check(theta, input, tape, cotangents[0]);
        self.check(direction, input, tape, cotangents[1]);
        let Workspace { tangents, blocks: [d, d_dot, e, e_dot], narrow, .. } = ws;
        assert_eq!(tangents.rows, tape.rows, "tangents of another batch: call `jvp` first");
        let widest = self.block_rows() * self.sizes.iter().copied().max().unwrap_or(0);
        for buffer in [&mut *d, d_dot, e, e_dot] {
            sized(buffer, widest);
        }
        for block in self.row_blocks(tape.rows) {
            let rows = block.len();
            let outputs = block.start * self.outputs()..block.end * self.outputs();
            d[..outputs.len()].copy_from_slice(&cotangents[0][outputs.clone()]);
            d_dot[..outputs.len()].copy_from_slice(&cotangents[1][outputs]);
            for (l, layer) in self.layers().enumerate().rev() {
                let h = layer_input(input, tape, l, &block, layer.inputs);
                if let Some(grad) = &mut grad {
                    add_gradient(&layer, rows, h, d, grad, narrow);
                }
                add_gradient(&layer, rows, h, d_dot, hv, narrow);
                if l == 0 {
                    break;
                }
                let inputs = block.start * layer.inputs..block.end * layer.inputs;
                let h_dot = &tangents.layers[l - 1][inputs.clone()];
                let weight = layer.weight.clone();
                matmul::tn_add([rows, layer.inputs, layer.outputs], h_dot, d, &mut hv[weight.clone()], narrow);
                let back = [rows, layer.outputs, layer.inputs];
                matmul::nt(back, d, &theta[weight.clone()], e, false, narrow);
                matmul::nt(back, d_dot, &theta[weight.clone()], e_dot, false, narrow);
                matmul::nt(back, d, &direction[weight], e_dot, true, narrow);
                let (e_rows, e_dot_rows) = (&mut e[..inputs.len()], &mut e_dot[..inputs.len()]);
                through_activation_tangent(e_rows, e_dot_rows, h, h_dot, self.activation);
                std::mem::swap(d, e);
                std::mem::swap(d_dot, e_dot);
            }
        }
    }

    /// Carries cotangents from the output down and shows each layer's to `visit(layer, rows, cotangents, ws)`.
    fn sweep<F: Real>(
        &self,
        theta: &[F],
        tape: &Tape<F>,
        cotangents: &[F],
        ws: &mut Workspace<F>,
        mut visit: impl FnMut((usize, Layer), Range<usize>, &[F], &mut Workspace<F>),
    ) {
        let [mut d, mut e] = [std::mem::take(&mut ws.blocks[0]), std::mem::take(&mut ws.blocks[1])];
        let widest = self.block_rows() * self.sizes.iter().copied().max().unwrap_or(0);
        sized(&mut d, widest);
        sized(&mut e, widest);
        for block in self.row_blocks(tape.rows) {
            let rows = block.len();
            let outputs = block.start * self.outputs()..block.end * self.outputs();
            d[..outputs.len()].copy_from_slice(&cotangents[outputs]);
            for (l, layer) in self.layers().enumerate().rev() {
                visit((l, layer.clone()), block.clone(), &d[..rows * layer.outputs], ws);
                if l == 0 {
                    break;
                }
                let shape = [rows, layer.outputs, layer.inputs];
                matmul::nt(shape, &d, &theta[layer.weight], &mut e, false, &mut ws.narrow);
                let inputs = block.start * layer.inputs..block.end * layer.inputs;
                through_activation(&mut e[..inputs.len()], &tape.layers[l - 1][inputs], self.activation);
                std::mem::swap(&mut d, &mut e);
            }
        }
        ws.blocks[0] = d;
        ws.blocks[1] = e;
    }

    /// Consecutive ranges of rows, each small enough for the cache.
    fn row_blocks(&self, rows: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let block = self.block_rows();
        (0..rows.div_ceil(block)).map(move |b| b * block..rows.min((b + 1) * block))
    }

    fn check<F: Real>(&self, theta: &[F], input: &[F], tape: &Tape<F>, cotangents: &[F]) {
        assert_eq!(theta.len(), self.n_params(), "parameters");
        assert_eq!(input.len(), tape.rows * self.inputs(), "network input of all rows of the tape");
        assert_eq!(cotangents.len(), tape.rows * self.outputs(), "output cotangents");
        assert!(tape.rows == 0 || tape.widths == self.sizes[1..], "tape of another network");
    }
}

/// Input rows of layer `l`: the network's input or the activations below.
fn layer_input<'a, F: Real>(
    input: &'a [F],
    tape: &'a Tape<F>,
    l: usize,
    block: &Range<usize>,
    inputs: usize,
) -> &'a [F] {
    let source = if l == 0 { input } else { &tape.layers[l - 1] };
    &source[block.start * inputs..block.end * inputs]
}

/// Adds the layer's parameter gradient: `h^T d` to the weight, column sums of `d` to the bias.
fn add_gradient<F: Real>(layer: &Layer, rows: usize, h: &[F], d: &[F], out: &mut [F], narrow: &mut Vec<F>) {
    matmul::tn_add([rows, layer.inputs, layer.outputs], h, d, &mut out[layer.weight.clone()], narrow);
    add_rows(&d[..rows * layer.outputs], &mut out[layer.bias.clone()]);
}
