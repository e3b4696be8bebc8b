//! The passes of a torso, image by image, so that everything but the stored activations stays in the second-level cache.

use super::super::tape::{sized, zeroed};
use super::correlate::{Finish, correlate};
use super::outer::outer;
use super::pixels::{from_bytes, masked, pool, pool_back, pool_tangent, rectify};
use super::plan::{Conv, Grid, Holds, Mode, Plan, Step};
use super::simd::Level;
use super::weights;
use crate::math::real::Real;
use std::mem::take;
use std::ops::Range;

/// Activations of all images, and scratch memory of one.
#[derive(Clone, Debug, Default)]
pub(super) struct Images<F> {
    /// Per buffer: all images if the derivative passes read it, otherwise one.
    values: Vec<Vec<F>>,
    /// Per pooling: which of the nine each maximum is.
    picks: Vec<Vec<u8>>,
    /// Per buffer, one image.
    tangents: Vec<Vec<F>>,
    /// Per buffer, one image: cotangents, and their tangents.
    cotangents: [Vec<Vec<F>>; 2],
    /// Padded weights, and their tangents.
    weights: [Vec<F>; 2],
    /// The same transposed.
    transposed: [Vec<F>; 2],
    /// Padded gradients by the weights.
    gradient: Vec<F>,
}

/// Buffer `index` of an image: the part of its memory.
fn part(plan: &Plan, index: usize, row: usize) -> Range<usize> {
    let buffer = &plan.buffers[index];
    let start = if buffer.stored { row * buffer.grid.len() } else { 0 };
    start..start + buffer.grid.len()
}

fn weight<'a, F>(layer: &Conv, packed: &'a [F]) -> &'a [F] {
    &packed[layer.packed.clone()]
}

fn bias<'a, F>(layer: &Conv, packed: &'a [F]) -> Option<&'a [F]> {
    Some(&packed[layer.packed_bias.clone()])
}

impl<F: Real> Images<F> {
    /// Memory for `rows` images in all, with zero borders. What it holds stays.
    pub fn grow(&mut self, plan: &Plan, rows: usize) {
        self.values.resize(plan.buffers.len(), Vec::new());
        self.picks.resize(plan.pools.len(), Vec::new());
        for (values, buffer) in self.values.iter_mut().zip(&plan.buffers) {
            let len = buffer.grid.len() * if buffer.stored { rows } else { 1 };
            if values.len() < len {
                values.resize(len, F::zero());
            }
        }
        for (picks, len) in self.picks.iter_mut().zip(&plan.pools) {
            if picks.len() < rows * len {
                picks.resize(rows * len, 0);
            }
        }
    }

    /// Memory for `rows` images in all, so that [`Images::grow`] up to there moves nothing.
    pub fn reserve(&mut self, plan: &Plan, rows: usize) {
        self.grow(plan, 0);
        for (values, buffer) in self.values.iter_mut().zip(&plan.buffers) {
            let len = buffer.grid.len() * if buffer.stored { rows } else { 1 };
            values.reserve(len.saturating_sub(values.len()));
        }
        for (picks, len) in self.picks.iter_mut().zip(&plan.pools) {
            picks.reserve((rows * len).saturating_sub(picks.len()));
        }
    }

    /// Takes the parameters for the forward passes that follow.
    pub fn prepare(&mut self, plan: &Plan, theta: &[F]) {
        weights::pack(plan, theta, &mut self.weights[0]);
    }

    /// Evaluates image `row`; its features `[height, width, channels]` after ReLU go to `flat`.
    pub fn forward(&mut self, plan: &Plan, level: Level, row: usize, bytes: &[u8], flat: &mut [F]) {
        let Images { values, picks, weights: [w, _], .. } = self;
        from_bytes(bytes, plan.buffers[0].grid, &mut values[0]);
        for step in &plan.steps {
            match *step {
                Step::Convolve(l) => {
                    let layer = &plan.layers[l];
                    let mut out = take(&mut values[layer.to]);
                    let (onto, relu) = (layer.mode == Mode::Add, layer.mode == Mode::Relu);
                    let finish = Finish { bias: bias(layer, w), onto, relu, ..Finish::default() };
                    let x = &values[layer.from][part(plan, layer.from, row)];
                    correlate(level, &layer.forward, x, weight(layer, w), finish, &mut out[part(plan, layer.to, row)]);
                    values[layer.to] = out;
                }
                Step::Rectify { from, to } => {
                    let mut out = take(&mut values[to]);
                    let x = &values[from][part(plan, from, row)];
                    rectify(x, plan.buffers[from].grid, &mut out[part(plan, to, row)], plan.buffers[to].grid);
                    values[to] = out;
                }
                Step::Pool { from, to, picks: p } => {
                    let mut out = take(&mut values[to]);
                    let n = plan.pools[p];
                    let x = &values[from][part(plan, from, row)];
                    let picks = &mut picks[p][row * n..(row + 1) * n];
                    pool(x, plan.buffers[from].grid, &mut out[part(plan, to, row)], plan.buffers[to].grid, picks);
                    values[to] = out;
                }
            }
        }
        let last = plan.last();
        let grid = plan.buffers[last].grid;
        flatten(&values[last][part(plan, last, row)], grid, flat);
        if plan.buffers[last].holds != Holds::Rectified {
            flat.iter_mut().for_each(|h| *h = if *h < F::zero() { F::zero() } else { *h });
        }
    }

    /// Takes a direction of the parameters for the tangent passes that follow.
    pub fn prepare_tangent(&mut self, plan: &Plan, direction: &[F]) {
        weights::pack(plan, direction, &mut self.weights[1]);
        self.tangents.resize(plan.buffers.len(), Vec::new());
        for (t, b) in self.tangents.iter_mut().zip(&plan.buffers) {
            sized(t, b.grid.len());
        }
    }

    /// Tangents of image `row` along the direction of [`Images::prepare_tangent`]; those of the features go to `flat_dot`.
    pub fn tangent(&mut self, plan: &Plan, level: Level, row: usize, bytes: &[u8], flat: &[F], flat_dot: &mut [F]) {
        let Images { values, picks, tangents, weights: [w, w_dot], .. } = self;
        from_bytes(bytes, plan.buffers[0].grid, &mut values[0]);
        for step in &plan.steps {
            match *step {
                Step::Convolve(l) => {
                    let layer = &plan.layers[l];
                    let input = plan.buffers[layer.from].holds == Holds::Input;
                    let mut out = take(&mut tangents[layer.to]);
                    let x = &values[layer.from][part(plan, layer.from, row)];
                    let mask = (layer.mode == Mode::Relu).then(|| &values[layer.to][part(plan, layer.to, row)]);
                    let first = Finish { bias: bias(layer, w_dot), onto: layer.mode == Mode::Add, ..Finish::default() };
                    let first = if input { Finish { mask, ..first } } else { first };
                    correlate(level, &layer.forward, x, weight(layer, w_dot), first, &mut out);
                    if !input {
                        let second = Finish { onto: true, mask, ..Finish::default() };
                        correlate(level, &layer.forward, &tangents[layer.from], weight(layer, w), second, &mut out);
                    }
                    tangents[layer.to] = out;
                }
                Step::Rectify { from, to } => {
                    let mut out = take(&mut tangents[to]);
                    let [a, b] = [plan.buffers[from].grid, plan.buffers[to].grid];
                    masked(&tangents[from], a, &values[to][part(plan, to, row)], b, &mut out, b);
                    tangents[to] = out;
                }
                Step::Pool { from, to, picks: p } => {
                    let mut out = take(&mut tangents[to]);
                    let picks = &picks[p][row * plan.pools[p]..(row + 1) * plan.pools[p]];
                    pool_tangent(&tangents[from], plan.buffers[from].grid, &mut out, plan.buffers[to].grid, picks);
                    tangents[to] = out;
                }
            }
        }
        flatten(&tangents[plan.last()], plan.buffers[plan.last()].grid, flat_dot);
        flat_dot.iter_mut().zip(flat).for_each(|(d, h)| *d = if *h > F::zero() { *d } else { F::zero() });
    }

    /// Starts the reverse passes that follow: zero gradients, transposed weights (and their tangents, if the parameters move).
    pub fn prepare_reverse(&mut self, plan: &Plan, dual: bool, moving: bool) {
        zeroed(&mut self.gradient, plan.packed);
        let count = if moving { 2 } else { 1 };
        for (w, t) in self.weights.iter().zip(&mut self.transposed).take(count) {
            weights::transpose(plan, w, t);
        }
        for cotangents in self.cotangents.iter_mut().take(if dual { 2 } else { 1 }) {
            cotangents.resize(plan.buffers.len(), Vec::new());
            for (d, b) in cotangents.iter_mut().zip(&plan.buffers) {
                sized(d, b.back.len());
            }
        }
    }

    /// Adds the gradient of image `row` from the cotangent `d` of its features.
    pub fn reverse(&mut self, plan: &Plan, level: Level, row: usize, bytes: &[u8], flat: &[F], d: &[F]) {
        let Images { values, picks, cotangents: [cotangents, _], transposed: [wt, _], gradient, .. } = self;
        from_bytes(bytes, plan.buffers[0].grid, &mut values[0]);
        unflatten(flat, d, &mut cotangents[plan.last()], plan.buffers[plan.last()].back);
        for step in plan.steps.iter().rev() {
            match *step {
                Step::Convolve(l) => {
                    let layer = &plan.layers[l];
                    let x = &values[layer.from][part(plan, layer.from, row)];
                    add_gradient(level, layer, x, &cotangents[layer.to], gradient, true);
                    back(plan, level, layer, row, values, wt, [None, None], cotangents);
                }
                Step::Rectify { .. } => {}
                Step::Pool { from, to, picks: p } => pool_reverse(plan, row, [from, to, p], &picks[p], cotangents),
            }
        }
    }

    /// Adds the tangent of the gradient of image `row`, from the cotangent of its features and its tangent, after
    /// [`Images::tangent`] of the same image if the parameters move.
    pub fn reverse_tangent(
        &mut self,
        plan: &Plan,
        level: Level,
        row: usize,
        bytes: &[u8],
        flat: &[F],
        [d, d_dot]: [&[F]; 2],
        moving: bool,
    ) {
        let Images { values, picks, tangents, cotangents, transposed: [wt, wt_dot], gradient, .. } = self;
        let [cotangents, dots] = cotangents;
        from_bytes(bytes, plan.buffers[0].grid, &mut values[0]);
        unflatten(flat, d, &mut cotangents[plan.last()], plan.buffers[plan.last()].back);
        unflatten(flat, d_dot, &mut dots[plan.last()], plan.buffers[plan.last()].back);
        for step in plan.steps.iter().rev() {
            match *step {
                Step::Convolve(l) => {
                    let layer = &plan.layers[l];
                    let x = &values[layer.from][part(plan, layer.from, row)];
                    add_gradient(level, layer, x, &dots[layer.to], gradient, true);
                    if moving && plan.buffers[layer.from].holds != Holds::Input {
                        add_gradient(level, layer, &tangents[layer.from], &cotangents[layer.to], gradient, false);
                    }
                    let also = if moving {
                        [Some(wt_dot.as_slice()), Some(cotangents[layer.to].as_slice())]
                    } else {
                        [None; 2]
                    };
                    back(plan, level, layer, row, values, wt, also, dots);
                    back(plan, level, layer, row, values, wt, [None, None], cotangents);
                }
                Step::Rectify { .. } => {}
                Step::Pool { from, to, picks: p } => {
                    pool_reverse(plan, row, [from, to, p], &picks[p], cotangents);
                    pool_reverse(plan, row, [from, to, p], &picks[p], dots);
                }
            }
        }
    }

    /// Adds the gradients gathered since [`Images::prepare_reverse`].
    pub fn finish_reverse(&self, plan: &Plan, out: &mut [F]) {
        weights::unpack_add(plan, &self.gradient, out);
    }
}

/// Gradient by a layer's weights, and by its bias too.
fn add_gradient<F: Real>(level: Level, layer: &Conv, x: &[F], d: &[F], gradient: &mut [F], with_bias: bool) {
    let (w, b) = gradient[layer.packed.start..layer.packed_bias.end].split_at_mut(layer.packed.len());
    outer(level, &layer.back, x, d, w, with_bias.then_some(b));
}

/// Cotangents of a layer's input from those of its output; `also` are further weights and cotangents, whose result is added.
fn back<F: Real>(
    plan: &Plan,
    level: Level,
    layer: &Conv,
    row: usize,
    values: &[Vec<F>],
    transposed: &[F],
    also: [Option<&[F]>; 2],
    cotangents: &mut [Vec<F>],
) {
    let Some((target, accumulate, mask)) = plan.target(layer) else { return };
    let mut out = take(&mut cotangents[target]);
    let mask = mask.map(|m| &values[m][part(plan, m, row)]);
    for phase in &layer.phases {
        let place = layer.packed.start + phase.place;
        let finish = Finish { mask, accumulate, ..Finish::default() };
        correlate(level, &phase.window, &cotangents[layer.to], &transposed[place..], finish, &mut out);
        if let [Some(w), Some(d)] = also {
            correlate(level, &phase.window, d, &w[place..], Finish { accumulate: true, ..finish }, &mut out);
        }
    }
    cotangents[target] = out;
}

fn pool_reverse<F: Real>(plan: &Plan, row: usize, [from, to, p]: [usize; 3], picks: &[u8], cotangents: &mut [Vec<F>]) {
    let mut out = take(&mut cotangents[from]);
    let picks = &picks[row * plan.pools[p]..(row + 1) * plan.pools[p]];
    pool_back(&cotangents[to], plan.buffers[to].back, &mut out, plan.buffers[from].back, picks);
    cotangents[from] = out;
}

/// `[height, width, channels]` without border and padding.
fn flatten<F: Real>(x: &[F], grid: Grid, flat: &mut [F]) {
    let mut pixels = flat.chunks_exact_mut(grid.channels);
    for range in grid.rows() {
        for (pixel, to) in x[range].chunks_exact(grid.stride).zip(&mut pixels) {
            to.copy_from_slice(&pixel[..grid.channels]);
        }
    }
}

/// Transpose of [`flatten`] through the ReLU that gave `flat`.
fn unflatten<F: Real>(flat: &[F], d: &[F], x: &mut [F], grid: Grid) {
    let mut pixels = flat.chunks_exact(grid.channels).zip(d.chunks_exact(grid.channels));
    for range in grid.rows() {
        for (pixel, (h, d)) in x[range].chunks_exact_mut(grid.stride).zip(&mut pixels) {
            for c in 0..grid.channels {
                pixel[c] = if h[c] > F::zero() { d[c] } else { F::zero() };
            }
        }
    }
}
