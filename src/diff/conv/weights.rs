//! Weights as the kernels read them: channels padded to whole vectors, transposed for the way back; and gradients back again.

use super::super::tape::sized;
use super::plan::{Conv, Plan};
use crate::math::real::Real;

/// Copies all layers' weights and biases to their padded places.
pub(super) fn pack<F: Real>(plan: &Plan, theta: &[F], to: &mut Vec<F>) {
    // What is never written stays zero.
    let to = sized(to, plan.packed);
    for layer in &plan.layers {
        each_row(layer, |flat, packed| {
            to[packed..packed + layer.channels[1]].copy_from_slice(&theta[flat..flat + layer.channels[1]]);
        });
        to[layer.packed_bias.start..][..layer.channels[1]].copy_from_slice(&theta[layer.bias.clone()]);
    }
}

/// Adds padded gradients to the flat ones.
pub(super) fn unpack_add<F: Real>(plan: &Plan, packed: &[F], out: &mut [F]) {
    for layer in &plan.layers {
        let mut add = |flat: usize, from: usize| {
            let row = &packed[from..from + layer.channels[1]];
            out[flat..flat + layer.channels[1]].iter_mut().zip(row).for_each(|(o, g)| *o += *g);
        };
        each_row(layer, &mut add);
        add(layer.bias.start, layer.packed_bias.start);
    }
}

/// Places of each weight row (all output channels) in the flat vector and padded.
fn each_row<F: FnMut(usize, usize)>(layer: &Conv, mut f: F) {
    for tap in 0..layer.kernel * layer.kernel {
        for i in 0..layer.channels[0] {
            let flat = layer.weight.start + (tap * layer.channels[0] + i) * layer.channels[1];
            f(flat, layer.packed.start + (tap * layer.padded[0] + i) * layer.padded[1]);
        }
    }
}

/// Writes all layers' transposed weights, each at the place of its packed ones.
///
/// Phase by phase `[rows, columns, out, in]`, rows and columns of the kernel in reverse.
pub(super) fn transpose<F: Real>(plan: &Plan, packed: &[F], to: &mut Vec<F>) {
    let to = sized(to, plan.packed);
    for layer in &plan.layers {
        let [inputs, outputs] = layer.padded;
        let (kernel, stride) = (layer.kernel, layer.stride);
        for phase in &layer.phases {
            let mut at = layer.packed.start + phase.place;
            for v in (0..phase.taps[0]).rev() {
                for h in (0..phase.taps[1]).rev() {
                    let tap = (phase.first[0] + stride * v) * kernel + phase.first[1] + stride * h;
                    let from = &packed[layer.packed.start + tap * inputs * outputs..][..inputs * outputs];
                    let block = &mut to[at..at + inputs * outputs];
                    for (i, row) in from.chunks_exact(outputs).enumerate() {
                        row.iter().enumerate().for_each(|(o, w)| block[o * inputs + i] = *w);
                    }
                    at += inputs * outputs;
                }
            }
        }
    }
}
