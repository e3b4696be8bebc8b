//! Memory of a network: activations of all rows seen so far, and scratch space that is allocated once.

use crate::math::real::Real;

/// Outputs of every layer for all rows seen so far, per layer contiguous `[rows, width]`; rows are appended.
///
/// A rollout appends the rows of each step, and the gradient later reads them: no row is computed twice. Layer `l` holds
/// `h_l = f(h_{l-1} W_l + b_l)`; the last layer holds the linear output. The network's input is not stored.
#[derive(Clone, Debug, Default)]
pub struct Tape<F> {
    pub(crate) layers: Vec<Vec<F>>,
    pub(crate) widths: Vec<usize>,
    pub(crate) rows: usize,
    /// Small transposed weights of the forward pass.
    pub(crate) narrow: Vec<F>,
}

impl<F: Real> Tape<F> {
    /// Empty tape; it takes the shape of the first network that writes to it.
    pub fn new() -> Tape<F> {
        Tape { layers: Vec::new(), widths: Vec::new(), rows: 0, narrow: Vec::new() }
    }

    /// Forgets all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.layers.iter_mut().for_each(Vec::clear);
        self.rows = 0;
    }

    /// Rows held.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Outputs of the last layer, flat `[rows, output_width]`.
    pub fn output(&self) -> &[F] {
        self.layers.last().map_or(&[], Vec::as_slice)
    }

    /// Numbers per row of [`Tape::output`]; 0 before the first forward pass.
    pub fn output_width(&self) -> usize {
        self.widths.last().copied().unwrap_or(0)
    }

    /// Output of one row.
    pub fn output_row(&self, row: usize) -> &[F] {
        let width = self.output_width();
        &self.output()[row * width..(row + 1) * width]
    }

    /// Makes room for `rows` more rows of layers of these widths and returns the index of the first.
    ///
    /// # Panics
    /// If the tape holds rows of another network shape.
    pub(crate) fn grow(&mut self, widths: impl ExactSizeIterator<Item = usize> + Clone, rows: usize) -> usize {
        if !self.widths.iter().copied().eq(widths.clone()) {
            assert!(self.rows == 0, "tape holds {} rows of another network: clear it first", self.rows);
            self.widths.clear();
            self.widths.extend(widths.clone());
            self.layers.resize(widths.len(), Vec::new());
        }
        let first = self.rows;
        self.rows += rows;
        for (layer, width) in self.layers.iter_mut().zip(&self.widths) {
            layer.resize(self.rows * width, F::zero());
        }
        first
    }
}

/// Scratch memory of the derivative passes; reuse one per thread, then nothing is allocated once it is warm.
#[derive(Clone, Debug, Default)]
pub struct Workspace<F> {
    /// Tangents of every layer (filled by the tangent-carrying forward pass).
    pub(crate) tangents: Tape<F>,
    /// Cotangent blocks of the layer in hand and the one below, with their tangents.
    pub(crate) blocks: [Vec<F>; 4],
    /// Small transposed weights and narrow products.
    pub(crate) narrow: Vec<F>,
    /// Output cotangents `[rows, outputs]` and their tangents.
    pub(crate) cotangents: [Vec<F>; 2],
    /// Buffers of the policy heads, one number or one row per batch row.
    pub(crate) head: [Vec<F>; 2],
    /// Tangents of log-probability, entropy and value, one number per row each.
    pub(crate) row_tangents: [Vec<F>; 3],
    /// Tangents of the weights of log-probability, entropy and value, one number per row each.
    pub(crate) weight_tangents: [Vec<F>; 3],
}

impl<F: Real> Workspace<F> {
    /// Empty scratch memory.
    pub fn new() -> Workspace<F> {
        Workspace::default()
    }
}

/// Sets the length, keeping capacity; the contents are unspecified and about to be overwritten.
pub(crate) fn sized<F: Real>(buffer: &mut Vec<F>, len: usize) -> &mut [F] {
    buffer.resize(len, F::zero());
    &mut buffer[..]
}

/// `len` zeros, keeping capacity.
pub(crate) fn zeroed<F: Real>(buffer: &mut Vec<F>, len: usize) -> &mut [F] {
    buffer.clear();
    buffer.resize(len, F::zero());
    &mut buffer[..]
}
