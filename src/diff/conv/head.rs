//! The dense part of a convolutional network: a hidden layer with ReLU, whose bias the conditioning moves, and linear heads.

use super::super::kernels::add_rows;
use super::super::matmul;
use super::super::tape::{sized, zeroed};
use super::back::back;
use super::correlate::Finish;
use super::dense::{Panels, Source, dense};
use super::simd::Level;
use crate::math::real::Real;
use std::ops::Range;

/// Sizes, and places in the flat parameter vector.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Head {
    pub inputs: usize,
    pub hidden: usize,
    pub outputs: usize,
    /// `[inputs, hidden]`.
    pub weight: Range<usize>,
    pub bias: Range<usize>,
    /// `[hidden, outputs]`.
    pub out_weight: Range<usize>,
    pub out_bias: Range<usize>,
}

/// Activations of all rows, tangents, cotangents.
#[derive(Clone, Debug, Default)]
pub(super) struct HeadTape<F> {
    pub rows: usize,
    /// Features `[rows, inputs]`.
    pub flat: Vec<F>,
    pub hidden: Vec<F>,
    pub output: Vec<F>,
    /// Bias of the hidden layer as conditioned, and its tangent.
    pub bias: [Vec<F>; 2],
    pub flat_dot: Vec<F>,
    pub hidden_dot: Vec<F>,
    pub output_dot: Vec<F>,
    /// Cotangents of the hidden layer, then of the features, and their tangents.
    back_hidden: [Vec<F>; 2],
    pub back_flat: [Vec<F>; 2],
    /// Gradient by the hidden bias, and its tangent.
    pub bias_gradient: [Vec<F>; 2],
    /// Panels of the two weight matrices, kept from one pass over the same parameters to the next; of a direction's.
    panels: [Panels<F>; 2],
    moving: Panels<F>,
    narrow: Vec<F>,
}

impl Head {
    pub fn new(first: usize, inputs: usize, hidden: usize, outputs: usize) -> Head {
        let weight = first..first + inputs * hidden;
        let bias = weight.end..weight.end + hidden;
        let out_weight = bias.end..bias.end + hidden * outputs;
        let out_bias = out_weight.end..out_weight.end + outputs;
        Head { inputs, hidden, outputs, weight, bias, out_weight, out_bias }
    }

    /// Makes room for `rows` rows in all; what is held stays.
    pub fn grow<F: Real>(&self, rows: usize, tape: &mut HeadTape<F>) {
        sized(&mut tape.flat, rows * self.inputs);
        sized(&mut tape.hidden, rows * self.hidden);
        sized(&mut tape.output, rows * self.outputs);
        tape.rows = rows;
    }

    /// Reserves memory for `rows` rows in all.
    pub fn reserve<F: Real>(&self, rows: usize, tape: &mut HeadTape<F>) {
        let sizes = [self.inputs, self.hidden, self.outputs];
        for (v, n) in [&mut tape.flat, &mut tape.hidden, &mut tape.output].into_iter().zip(sizes) {
            v.reserve((rows * n).saturating_sub(v.len()));
        }
    }

    /// Hidden layer and outputs of these rows, with the parameters of the rows before them.
    pub fn forward<F: Real>(&self, level: Level, theta: &[F], rows: Range<usize>, tape: &mut HeadTape<F>) {
        let HeadTape { flat, hidden, output, bias: [bias, _], panels: [panels, out_panels], .. } = tape;
        let [weight, out_weight] = [&self.weight, &self.out_weight]
            .map(|place| if rows.start == 0 { Source::Kept(&theta[place.clone()]) } else { Source::Panels });
        let part = |n: usize| rows.start * n..rows.end * n;
        let hidden = &mut hidden[part(self.hidden)];
        let finish = Finish { bias: Some(bias), relu: true, ..Finish::default() };
        let shape = [rows.len(), self.inputs, self.hidden];
        dense(level, shape, &flat[part(self.inputs)], weight, finish, hidden, panels);
        let finish = Finish { bias: Some(&theta[self.out_bias.clone()]), ..Finish::default() };
        let shape = [rows.len(), self.hidden, self.outputs];
        dense(level, shape, hidden, out_weight, finish, &mut output[part(self.outputs)], out_panels);
    }

    /// Tangents of hidden layer and outputs from those of the features (if they have any), the parameters and the bias.
    ///
    /// Of the first `rows` rows.
    pub fn tangent<F: Real>(&self, level: Level, dot: Option<&[F]>, rows: usize, tape: &mut HeadTape<F>) {
        let HeadTape { flat, hidden, output_dot, bias: [_, bias_dot], flat_dot, hidden_dot, panels, moving, .. } = tape;
        let [panels, out_panels] = panels;
        let shape = [rows, self.inputs, self.hidden];
        let (flat, hidden) = (&flat[..rows * self.inputs], &hidden[..rows * self.hidden]);
        let all = sized(hidden_dot, rows * self.hidden);
        match dot {
            Some(dot) => {
                let first = Finish { bias: Some(bias_dot), ..Finish::default() };
                dense(level, shape, flat, Source::Matrix(&dot[self.weight.clone()]), first, all, moving);
                let second = Finish { onto: true, mask: Some(hidden), ..Finish::default() };
                dense(level, shape, flat_dot, Source::Panels, second, all, panels);
            }
            None => {
                for (row, hidden) in all.chunks_exact_mut(self.hidden).zip(hidden.chunks_exact(self.hidden)) {
                    for ((t, b), h) in row.iter_mut().zip(&*bias_dot).zip(hidden) {
                        *t = if *h > F::zero() { *b } else { F::zero() };
                    }
                }
            }
        }
        let shape = [rows, self.hidden, self.outputs];
        let out = sized(output_dot, rows * self.outputs);
        dense(level, shape, all, Source::Panels, Finish::default(), out, out_panels);
        if let Some(dot) = dot {
            let finish = Finish { bias: Some(&dot[self.out_bias.clone()]), onto: true, ..Finish::default() };
            dense(level, shape, hidden, Source::Matrix(&dot[self.out_weight.clone()]), finish, out, moving);
        }
    }

    /// Adds the gradients of the dense parameters (not the bias's: it stays in the tape) and leaves the features' cotangents. The
    /// cotangents `d` are of the first rows, as many as they fill; `more` are the hidden layer's, of what else reads it.
    pub fn reverse<F: Real>(
        &self,
        level: Level,
        theta: &[F],
        d: &[F],
        more: Option<&[F]>,
        out: &mut [F],
        tape: &mut HeadTape<F>,
    ) {
        let rows = &(d.len() / self.outputs);
        let HeadTape { flat, hidden, back_hidden: [dh, _], back_flat: [dx, _], bias_gradient: [db, _], narrow, .. } =
            tape;
        let (flat, hidden) = (&flat[..*rows * self.inputs], &hidden[..*rows * self.hidden]);
        let shape = [*rows, self.hidden, self.outputs];
        matmul::tn_add(shape, hidden, d, &mut out[self.out_weight.clone()], narrow);
        add_rows(d, &mut out[self.out_bias.clone()]);
        let dh = sized(dh, *rows * self.hidden);
        matmul::nt([*rows, self.outputs, self.hidden], d, &theta[self.out_weight.clone()], dh, false, narrow);
        add(dh, more);
        mask(dh, hidden);
        add_rows(dh, zeroed(db, self.hidden));
        matmul::tn_add([*rows, self.inputs, self.hidden], flat, dh, &mut out[self.weight.clone()], narrow);
        let dx = sized(dx, *rows * self.inputs);
        back(level, [*rows, self.hidden, self.inputs], dh, &theta[self.weight.clone()], dx, false, narrow);
    }

    /// Tangent of [`Head::reverse`], after [`Head::tangent`] in the same direction.
    pub fn reverse_tangent<F: Real>(
        &self,
        level: Level,
        theta: &[F],
        dot: Option<&[F]>,
        [d, d_dot]: [&[F]; 2],
        more: Option<[&[F]; 2]>,
        out: &mut [F],
        tape: &mut HeadTape<F>,
    ) {
        let HeadTape {
            rows,
            flat,
            hidden,
            flat_dot,
            hidden_dot,
            back_hidden: [dh, eh],
            back_flat: [dx, ex],
            bias_gradient: [db, eb],
            narrow,
            ..
        } = tape;
        let wide = [*rows, self.hidden, self.outputs];
        matmul::tn_add(wide, hidden_dot, d, &mut out[self.out_weight.clone()], narrow);
        matmul::tn_add(wide, hidden, d_dot, &mut out[self.out_weight.clone()], narrow);
        add_rows(d_dot, &mut out[self.out_bias.clone()]);
        let (dh, eh) = (sized(dh, *rows * self.hidden), sized(eh, *rows * self.hidden));
        let shape = [*rows, self.outputs, self.hidden];
        matmul::nt(shape, d, &theta[self.out_weight.clone()], dh, false, narrow);
        matmul::nt(shape, d_dot, &theta[self.out_weight.clone()], eh, false, narrow);
        if let Some(dot) = dot {
            matmul::nt(shape, d, &dot[self.out_weight.clone()], eh, true, narrow);
        }
        add(dh, more.map(|m| m[0]));
        add(eh, more.map(|m| m[1]));
        mask(dh, hidden);
        mask(eh, hidden);
        add_rows(dh, zeroed(db, self.hidden));
        add_rows(eh, zeroed(eb, self.hidden));
        let deep = [*rows, self.inputs, self.hidden];
        matmul::tn_add(deep, flat, eh, &mut out[self.weight.clone()], narrow);
        let (dx, ex) = (sized(dx, *rows * self.inputs), sized(ex, *rows * self.inputs));
        let shape = [*rows, self.hidden, self.inputs];
        back(level, shape, dh, &theta[self.weight.clone()], dx, false, narrow);
        back(level, shape, eh, &theta[self.weight.clone()], ex, false, narrow);
        if let Some(dot) = dot {
            matmul::tn_add(deep, flat_dot, dh, &mut out[self.weight.clone()], narrow);
            back(level, shape, dh, &dot[self.weight.clone()], ex, true, narrow);
        }
    }
}

/// Adds what there is.
fn add<F: Real>(d: &mut [F], more: Option<&[F]>) {
    if let Some(more) = more {
        d.iter_mut().zip(more).for_each(|(d, m)| *d += *m);
    }
}

/// Zero where the activation is.
fn mask<F: Real>(d: &mut [F], h: &[F]) {
    d.iter_mut().zip(h).for_each(|(d, h)| *d = if *h > F::zero() { *d } else { F::zero() });
}
