//! The embedding of a conditioning vector that a hidden layer sees beside its other inputs, and the chain rule through it.
//!
//! With `e = c W_e` (no bias) a layer is `f([x ; e] W + b) = f(x W_x + b')`, `b' = b + e W_1e`: all rows share c, so the embedding
//! acts as a bias. A network computes with that bias, and what follows from its gradient is arithmetic of vector size.

use super::network::{Along, Gradient};
use super::tape::zeroed;
use crate::math::real::Real;
use std::ops::Range;

/// An embedding at the start of a flat parameter vector: `W_e` `[conditioning, size]`, then `W_1e` `[size, width]`, row-major.
///
/// All sizes are 0 for an unconditioned network, and then every method does nothing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Embedding {
    pub conditioning: usize,
    pub size: usize,
    /// Width of the layer whose bias moves.
    pub width: usize,
}

/// `e` and its tangent, and their cotangents.
#[derive(Clone, Debug, Default)]
pub(super) struct EmbeddingScratch<F> {
    e: [Vec<F>; 2],
    d: [Vec<F>; 2],
}

/// `x M` for a row-major `[x.len(), out.len()]` matrix, added to `out`.
fn through<F: Real>(x: &[F], matrix: &[F], out: &mut [F]) {
    for (x, row) in x.iter().zip(matrix.chunks_exact(out.len().max(1))) {
        out.iter_mut().zip(row).for_each(|(o, m)| *o += *x * *m);
    }
}

/// `M d` for a row-major `[out.len(), d.len()]` matrix, added to `out`.
fn back<F: Real>(matrix: &[F], d: &[F], out: &mut [F]) {
    for (o, row) in out.iter_mut().zip(matrix.chunks_exact(d.len().max(1))) {
        *o += row.iter().zip(d).map(|(m, d)| *m * *d).sum::<F>();
    }
}

/// Adds `x d^T` to a row-major matrix.
fn outer<F: Real>(x: &[F], d: &[F], out: &mut [F]) {
    for (x, row) in x.iter().zip(out.chunks_exact_mut(d.len().max(1))) {
        row.iter_mut().zip(d).for_each(|(o, d)| *o += *x * *d);
    }
}

impl Embedding {
    /// No conditioning if either size is 0.
    pub fn new(conditioning: usize, size: usize, width: usize) -> Embedding {
        let [conditioning, size] = if conditioning * size == 0 { [0; 2] } else { [conditioning, size] };
        Embedding { conditioning, size, width }
    }

    /// Places of `W_e` and `W_1e`.
    pub fn parts(&self) -> [Range<usize>; 2] {
        let embed = self.conditioning * self.size;
        [0..embed, embed..embed + self.size * self.width]
    }

    /// Number of parameters.
    pub fn n_params(&self) -> usize {
        self.parts()[1].end
    }

    /// `e = c W_e`.
    pub fn embed<F: Real>(&self, theta: &[F], condition: &[F], scratch: &mut EmbeddingScratch<F>) {
        through(condition, &theta[self.parts()[0].clone()], zeroed(&mut scratch.e[0], self.size));
    }

    /// Tangent of [`Embedding::embed`].
    fn embed_tangent<F: Real>(
        &self,
        theta: &[F],
        condition: &[F],
        along: Along<'_, F>,
        scratch: &mut EmbeddingScratch<F>,
    ) {
        let [embed, _] = self.parts();
        let e_dot = zeroed(&mut scratch.e[1], self.size);
        if let Some(dot) = along.theta {
            through(condition, &dot[embed.clone()], e_dot);
        }
        if let Some(dot) = along.condition {
            through(dot, &theta[embed], e_dot);
        }
    }

    /// `bias += e W_1e`.
    pub fn shift<F: Real>(&self, theta: &[F], condition: &[F], bias: &mut [F], scratch: &mut EmbeddingScratch<F>) {
        self.embed(theta, condition, scratch);
        through(&scratch.e[0], &theta[self.parts()[1].clone()], bias);
    }

    /// Tangent of [`Embedding::shift`], added to that of the bias.
    pub fn shift_tangent<F: Real>(
        &self,
        theta: &[F],
        condition: &[F],
        along: Along<'_, F>,
        bias_dot: &mut [F],
        scratch: &mut EmbeddingScratch<F>,
    ) {
        let [_, first] = self.parts();
        self.embed(theta, condition, scratch);
        self.embed_tangent(theta, condition, along, scratch);
        if let Some(dot) = along.theta {
            through(&scratch.e[0], &dot[first.clone()], bias_dot);
        }
        through(&scratch.e[1], &theta[first], bias_dot);
    }

    /// Gradients by `W_e`, `W_1e` and the conditioning vector from that by the bias, `db`.
    pub fn vjp<F: Real>(
        &self,
        theta: &[F],
        condition: &[F],
        db: &[F],
        out: Gradient<'_, F>,
        scratch: &mut EmbeddingScratch<F>,
    ) {
        let [embed, first] = self.parts();
        self.embed(theta, condition, scratch);
        let EmbeddingScratch { e: [e, _], d: [de, _] } = scratch;
        back(&theta[first.clone()], db, zeroed(de, self.size));
        outer(e, db, &mut out.theta[first]);
        outer(condition, de, &mut out.theta[embed.clone()]);
        back(&theta[embed], de, out.condition);
    }

    /// Tangent of [`Embedding::vjp`], from the bias's gradient and its tangent.
    pub fn vjp_tangent<F: Real>(
        &self,
        theta: &[F],
        condition: &[F],
        along: Along<'_, F>,
        [db, db_dot]: [&[F]; 2],
        out: Gradient<'_, F>,
        scratch: &mut EmbeddingScratch<F>,
    ) {
        let [embed, first] = self.parts();
        self.embed(theta, condition, scratch);
        self.embed_tangent(theta, condition, along, scratch);
        let EmbeddingScratch { e: [e, e_dot], d: [de, de_dot] } = scratch;
        back(&theta[first.clone()], db, zeroed(de, self.size));
        back(&theta[first.clone()], db_dot, zeroed(de_dot, self.size));
        if let Some(dot) = along.theta {
            back(&dot[first.clone()], db, de_dot);
            back(&dot[embed.clone()], de, out.condition);
        }
        outer(e_dot, db, &mut out.theta[first.clone()]);
        outer(e, db_dot, &mut out.theta[first]);
        if let Some(dot) = along.condition {
            outer(dot, de, &mut out.theta[embed.clone()]);
        }
        outer(condition, de_dot, &mut out.theta[embed.clone()]);
        back(&theta[embed], de_dot, out.condition);
    }
}
