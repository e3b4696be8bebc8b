//! Dense layers on many rows: panels of the weight matrix through the kernel of the convolutions.

use super::super::tape::sized;
use super::correlate::{Finish, Walk, Window, correlate};
use super::plan::BLOCK;
use super::simd::Level;
use crate::math::real::Real;

/// Rows of a panel of weights: with the columns below it fits the first-level cache beside the inputs.
const DEPTH: usize = 128;
/// Columns of a panel.
const COLUMNS: usize = 32;

/// The weights of a layer as [`dense`] reads them, and scratch memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Panels<F> {
    panels: Vec<F>,
    edge: Vec<F>,
}

/// The weights of a call of [`dense`].
#[derive(Clone, Copy)]
pub(super) enum Source<'a, F> {
    /// `[inputs, outputs]`, row-major.
    Matrix(&'a [F]),
    /// The same, whose panels stay.
    Kept(&'a [F]),
    /// The panels that stayed from the last call, which had these sizes.
    Panels,
}

/// `out <- finish(x w)` with x `[rows, inputs]`, w `[inputs, outputs]`, out and mask `[rows, outputs]`, all row-major.
///
/// Laying out a large matrix costs more than its product with a few rows: who has several batches for one matrix does it once.
/// A row's result does not depend on the number of rows: each is summed in order within [`DEPTH`] inputs, then over those.
pub(super) fn dense<F: Real>(
    level: Level,
    [rows, inputs, outputs]: [usize; 3],
    x: &[F],
    w: Source<'_, F>,
    finish: Finish<'_, F>,
    out: &mut [F],
    memory: &mut Panels<F>,
) {
    debug_assert!(!finish.accumulate, "sums are masked as a whole");
    let Panels { panels, edge } = memory;
    let stripe = DEPTH * outputs.next_multiple_of(BLOCK);
    let (stripes, step) = if let Source::Matrix(_) = w { (1, 0) } else { (inputs.div_ceil(DEPTH), stripe) };
    let all = sized(panels, stripes * stripe);
    for (number, k) in (0..inputs).step_by(DEPTH).enumerate() {
        let depth = DEPTH.min(inputs - k);
        let panels = &mut all[number * step..][..stripe];
        // the weights of these inputs lie together: reading them in order is what a few rows spend most of their time on
        if let Source::Matrix(w) | Source::Kept(w) = w {
            pack(&w[k * outputs..][..depth * outputs], outputs, panels);
        }
        let last = k + depth == inputs;
        let window = |start: usize, pixel: usize, channels: usize| Window {
            size: [1, rows],
            x: Walk { start: k, pixel: inputs, row: 0 },
            taps: 1,
            tap_row: 0,
            run: depth,
            out: Walk { start, pixel, row: 0 },
            mask: Walk { start, pixel, row: 0 },
            channels,
        };
        for first in (0..outputs).step_by(COLUMNS) {
            let width = COLUMNS.min(outputs - first);
            let padded = width.next_multiple_of(BLOCK);
            let panel = &panels[first * DEPTH..];
            if width == padded {
                let part = Finish {
                    bias: finish.bias.filter(|_| k == 0).map(|b| &b[first..]),
                    onto: finish.onto || k > 0,
                    mask: finish.mask.filter(|_| last),
                    accumulate: false,
                    relu: finish.relu && last,
                };
                correlate(level, &window(first, outputs, padded), x, panel, part, out);
            } else {
                let edge = sized(edge, rows * padded);
                let part = Finish { onto: k > 0, ..Finish::default() };
                correlate(level, &window(0, padded, padded), x, panel, part, edge);
            }
        }
    }
    let (first, width) = (outputs / COLUMNS * COLUMNS, outputs % COLUMNS);
    let padded = width.next_multiple_of(BLOCK);
    if width < padded {
        edge_columns([first, width, padded], outputs, edge, finish, out);
    }
}

/// Lays weights `[depth, outputs]` out in panels `[COLUMNS, DEPTH]` apart, each `[depth, width]` with width a multiple of [`BLOCK`].
fn pack<F: Real>(w: &[F], outputs: usize, panels: &mut [F]) {
    for (k, row) in w.chunks_exact(outputs).enumerate() {
        for (c, from) in row.chunks(COLUMNS).enumerate() {
            let padded = from.len().next_multiple_of(BLOCK);
            let to = &mut panels[c * COLUMNS * DEPTH + k * padded..][..padded];
            if let (Ok(to), Ok(from)) = (<&mut [F; COLUMNS]>::try_from(&mut *to), <&[F; COLUMNS]>::try_from(from)) {
                *to = *from; // of known size: moved in registers
                continue;
            }
            to[..from.len()].copy_from_slice(from);
            to[from.len()..].fill(F::zero());
        }
    }
}

/// Finishes the last columns where they do not fill a vector.
fn edge_columns<F: Real>(
    [first, width, padded]: [usize; 3],
    outputs: usize,
    sums: &[F],
    finish: Finish<'_, F>,
    out: &mut [F],
) {
    for (row, (sums, out)) in sums.chunks_exact(padded).zip(out.chunks_exact_mut(outputs)).enumerate() {
        for j in first..first + width {
            let mut y = sums[j - first] + finish.bias.map_or(F::zero(), |b| b[j]);
            if finish.onto {
                y += out[j];
            }
            let keep = finish.mask.is_none_or(|m| m[row * outputs + j] > F::zero()) && !(finish.relu && y < F::zero());
            out[j] = if keep { y } else { F::zero() };
        }
    }
}
