//! A branch of the values: a second hidden layer over the first and the embedding, so that the policy's outputs see no conditioning.
//!
//! It is a [`Head`] whose features are the hidden layer of the first one.

use super::super::tape::sized;
use super::head::{Head, HeadTape};
use super::simd::Level;
use crate::math::real::Real;
use std::ops::Range;

/// Activations of the branch, outputs of both together, cotangents of each.
#[derive(Clone, Debug, Default)]
pub(super) struct BranchTape<F> {
    pub head: HeadTape<F>,
    /// Outputs `[rows, policy + values]`.
    pub output: Vec<F>,
    pub output_dot: Vec<F>,
    /// Cotangents of policy outputs and of values, and their tangents.
    parts: [[Vec<F>; 2]; 2],
}

/// Writes rows `[.., policy]` and `[.., values]` side by side.
fn join<F: Real>([policy, values]: [&[F]; 2], [p, v]: [usize; 2], out: &mut [F]) {
    let rows = out.chunks_exact_mut(p + v).zip(policy.chunks_exact(p)).zip(values.chunks_exact(v));
    for ((row, policy), values) in rows {
        row[..p].copy_from_slice(policy);
        row[p..].copy_from_slice(values);
    }
}

/// Undoes [`join`].
fn split<F: Real>(d: &[F], [p, v]: [usize; 2], [policy, values]: &mut [Vec<F>; 2]) {
    let rows = d.len() / (p + v);
    let (policy, values) = (sized(policy, rows * p), sized(values, rows * v));
    for ((row, policy), values) in d.chunks_exact(p + v).zip(policy.chunks_exact_mut(p)).zip(values.chunks_exact_mut(v))
    {
        policy.copy_from_slice(&row[..p]);
        values.copy_from_slice(&row[p..]);
    }
}

/// The first head, which gives the policy's outputs, and the branch on it.
#[derive(Clone, Copy)]
pub(super) struct Both<'a> {
    pub policy: &'a Head,
    pub values: &'a Head,
}

impl Both<'_> {
    fn widths(&self) -> [usize; 2] {
        [self.policy.outputs, self.values.outputs]
    }

    /// The branch on these rows of the first head, whose pass is done; the bias of the branch is in its tape.
    pub fn forward<F: Real>(
        &self,
        level: Level,
        theta: &[F],
        rows: Range<usize>,
        first: &HeadTape<F>,
        tape: &mut BranchTape<F>,
    ) {
        let (hidden, [p, v]) = (self.policy.hidden, self.widths());
        self.values.grow(rows.end, &mut tape.head);
        let features = rows.start * hidden..rows.end * hidden;
        tape.head.flat[features.clone()].copy_from_slice(&first.hidden[features]);
        self.values.forward(level, theta, rows.clone(), &mut tape.head);
        let out = &mut sized(&mut tape.output, rows.end * (p + v))[rows.start * (p + v)..];
        let outputs = [&first.output[rows.start * p..], &tape.head.output[rows.start * v..]];
        join(outputs, [p, v], out);
    }

    /// Its tangents of the first `rows` rows, after those of the first head.
    pub fn tangent<F: Real>(
        &self,
        level: Level,
        dot: Option<&[F]>,
        rows: usize,
        first: &HeadTape<F>,
        tape: &mut BranchTape<F>,
    ) {
        let (n, [p, v]) = (rows * self.policy.hidden, self.widths());
        sized(&mut tape.head.flat_dot, n).copy_from_slice(&first.hidden_dot[..n]);
        self.values.tangent(level, dot, rows, &mut tape.head);
        join([&first.output_dot, &tape.head.output_dot], [p, v], sized(&mut tape.output_dot, rows * (p + v)));
    }

    /// [`Head::reverse`] of both.
    pub fn reverse<F: Real>(
        &self,
        level: Level,
        theta: &[F],
        d: &[F],
        out: &mut [F],
        first: &mut HeadTape<F>,
        tape: &mut BranchTape<F>,
    ) {
        let BranchTape { head, parts: [parts, _], .. } = tape;
        split(d, self.widths(), parts);
        self.values.reverse(level, theta, &parts[1], None, out, head);
        self.policy.reverse(level, theta, &parts[0], Some(&head.back_flat[0]), out, first);
    }

    /// [`Head::reverse_tangent`] of both.
    pub fn reverse_tangent<F: Real>(
        &self,
        level: Level,
        theta: &[F],
        dot: Option<&[F]>,
        [d, d_dot]: [&[F]; 2],
        out: &mut [F],
        first: &mut HeadTape<F>,
        tape: &mut BranchTape<F>,
    ) {
        let BranchTape { head, parts: [parts, dots], .. } = tape;
        split(d, self.widths(), parts);
        split(d_dot, self.widths(), dots);
        self.values.reverse_tangent(level, theta, dot, [&parts[1], &dots[1]], None, out, head);
        let more = Some([head.back_flat[0].as_slice(), head.back_flat[1].as_slice()]);
        self.policy.reverse_tangent(level, theta, dot, [&parts[0], &dots[0]], more, out, first);
    }
}
