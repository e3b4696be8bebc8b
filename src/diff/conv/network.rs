//! A convolutional network over a flat parameter vector: sizes, initial parameters, passes.

use super::super::embedding::{Embedding, EmbeddingScratch};
use super::super::network::{Along, At, Gradient, Network};
use super::super::tape::zeroed;
use super::head::{Head, HeadTape};
use super::plan::{Frame, Plan, Stage};
use super::simd::Level;
use super::torso::Images;
use crate::math::real::Real;
use std::ops::Range;

/// The torsos of the literature, each with the width of its hidden layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// 32 of 8 x 8 stride 4, 64 of 4 x 4 stride 2, 64 of 3 x 3; 512 (Mnih et al. 2015).
    Nature,
    /// 16 of 8 x 8 stride 4, 32 of 4 x 4 stride 2; 256 (Espeholt et al. 2018, figure 3 left, without LSTM).
    ImpalaShallow,
    /// Sections of 16, 32, 32 channels; 256 (Espeholt et al. 2018, figure 3 right, without LSTM).
    ImpalaDeep,
}

impl Architecture {
    /// Stages of the torso, and width of the hidden layer.
    pub fn stages(self) -> (Vec<Stage>, usize) {
        let conv = |channels, kernel, stride| Stage::Conv { channels, kernel, stride };
        match self {
            Architecture::Nature => (vec![conv(32, 8, 4), conv(64, 4, 2), conv(64, 3, 1)], 512),
            Architecture::ImpalaShallow => (vec![conv(16, 8, 4), conv(32, 4, 2)], 256),
            Architecture::ImpalaDeep => ([16, 32, 32].map(|channels| Stage::Section { channels }).to_vec(), 256),
        }
    }
}

/// A torso of convolutions, a hidden layer with ReLU and linear heads, conditioned if wanted.
///
/// The flat parameter vector holds `W_e` `[conditioning, embedding]`, `W_1e` `[embedding, hidden]` (absent without conditioning),
/// then for each convolution in order of evaluation its weight `[row, column, in, out]` and bias `[out]`, then the hidden layer's
/// weight `[features, hidden]` and bias, then the heads' `[hidden, outputs]` and bias. Features are `[row, column, channel]`.
/// An observation is `[channel, row, column]` of bytes, divided by 255 inside.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvNet {
    pub(super) plan: Plan,
    pub(super) head: Head,
    pub(super) embedding: Embedding,
    level: Level,
}

/// Activations, tangents and scratch memory of a [`ConvNet`].
#[derive(Clone, Debug, Default)]
pub struct ConvTape<F> {
    /// What the memory is laid out for.
    plan: Option<Plan>,
    images: Images<F>,
    head: HeadTape<F>,
    embedding: EmbeddingScratch<F>,
}

impl ConvNet {
    /// Network of a known architecture with linear heads of `outputs` numbers in all and an embedding of size `embedding` of
    /// `conditioning` numbers; no conditioning if either is 0.
    ///
    /// # Panics
    /// If the frame is smaller than a kernel.
    pub fn new(
        architecture: Architecture,
        frame: Frame,
        outputs: usize,
        conditioning: usize,
        embedding: usize,
    ) -> ConvNet {
        let (stages, hidden) = architecture.stages();
        ConvNet::of_stages(frame, &stages, hidden, outputs, conditioning, embedding)
    }

    /// Network of any stages.
    ///
    /// # Panics
    /// If an image is smaller than a kernel, a kernel smaller than its stride, or a size is zero.
    pub fn of_stages(
        frame: Frame,
        stages: &[Stage],
        hidden: usize,
        outputs: usize,
        conditioning: usize,
        embedding: usize,
    ) -> ConvNet {
        assert!(hidden > 0 && outputs > 0, "hidden units and outputs");
        let embedding = Embedding::new(conditioning, embedding, hidden);
        let plan = Plan::new(frame, stages, embedding.n_params());
        let grid = plan.buffers[plan.last()].grid;
        let head = Head::new(plan.params.end, grid.height * grid.width * grid.channels, hidden, outputs);
        ConvNet { plan, head, embedding, level: Level::best() }
    }

    /// Size of an observation.
    pub fn frame(&self) -> Frame {
        self.plan.frame
    }

    /// Parameters of convolutions and hidden layer: what the literature counts (neither heads nor embedding).
    pub fn torso_params(&self) -> usize {
        self.plan.params.len() + self.head.weight.len() + self.head.bias.len()
    }

    /// Multiply-adds per observation of convolutions and hidden layer (neither heads nor embedding, biases nor pooling).
    pub fn multiply_adds(&self) -> usize {
        self.plan.multiply_adds() + self.head.weight.len()
    }

    /// Numbers that a tape keeps per observation.
    pub fn kept_per_row(&self) -> usize {
        let stored = self.plan.buffers.iter().filter(|buffer| buffer.stored);
        stored.map(|buffer| buffer.grid.len()).sum::<usize>() + 3 * self.head.inputs + 4 * self.head.hidden
    }

    /// Places of weight `[row, column, in, out]` and bias of each convolution, in order of evaluation, with the weight's sizes.
    pub fn convolutions(&self) -> impl Iterator<Item = ([usize; 4], Range<usize>, Range<usize>)> + '_ {
        let layers = self.plan.layers.iter();
        layers.map(|l| ([l.kernel, l.kernel, l.channels[0], l.channels[1]], l.weight.clone(), l.bias.clone()))
    }

    /// Places of weight and bias of the hidden layer and of the heads.
    pub fn dense(&self) -> [Range<usize>; 4] {
        let Head { weight, bias, out_weight, out_bias, .. } = self.head.clone();
        [weight, bias, out_weight, out_bias]
    }

    /// Places of `W_e` and `W_1e`.
    pub fn embedding(&self) -> [Range<usize>; 2] {
        self.embedding.parts()
    }

    fn check<F: Real>(&self, at: At<'_, F, u8>, rows: usize) {
        assert_eq!(at.theta.len(), self.head.out_bias.end, "parameters");
        assert!(at.obs.len() >= rows * self.plan.frame.len(), "observations of all rows");
        assert!(self.embedding.size == 0 || at.condition.len() == self.embedding.conditioning, "conditioning vector");
    }

    fn image<'a>(&self, obs: &'a [u8], row: usize) -> &'a [u8] {
        let len = self.plan.frame.len();
        &obs[row * len..(row + 1) * len]
    }

    /// Empties a tape that is laid out for another network.
    fn claim<F: Real>(&self, tape: &mut ConvTape<F>) {
        if tape.plan.as_ref() != Some(&self.plan) {
            *tape = ConvTape { plan: Some(self.plan.clone()), ..ConvTape::default() };
        }
    }
}

impl<F: Real> Network<F> for ConvNet {
    type Obs = u8;
    type Tape = ConvTape<F>;

    fn n_params(&self) -> usize {
        self.head.out_bias.end
    }

    fn obs_width(&self) -> usize {
        self.plan.frame.len()
    }

    fn outputs(&self) -> usize {
        self.head.outputs
    }

    fn conditioning(&self) -> usize {
        self.embedding.conditioning
    }

    fn forward(&self, at: At<'_, F, u8>, tape: &mut ConvTape<F>) {
        assert!(at.obs.len().is_multiple_of(self.plan.frame.len()), "whole observations");
        self.forward_rows(at, 0..at.obs.len() / self.plan.frame.len(), tape);
    }

    /// The bits of a row do not depend on how the rows are cut.
    fn forward_rows(&self, at: At<'_, F, u8>, rows: Range<usize>, tape: &mut ConvTape<F>) {
        self.check(at, rows.end);
        self.claim(tape);
        let ConvTape { images, head, embedding, .. } = tape;
        assert!(rows.start == 0 || rows.start == head.rows, "rows follow those on the tape");
        images.prepare(&self.plan, at.theta);
        images.grow(&self.plan, rows.end);
        self.head.grow(rows.end, head);
        head.bias[0].clear();
        head.bias[0].extend_from_slice(&at.theta[self.head.bias.clone()]);
        self.embedding.shift(at.theta, at.condition, &mut head.bias[0], embedding);
        for row in rows.clone() {
            let flat = &mut head.flat[row * self.head.inputs..(row + 1) * self.head.inputs];
            images.forward(&self.plan, self.level, row, self.image(at.obs, row), flat);
        }
        self.head.forward(self.level, at.theta, rows, head);
    }

    fn reserve(&self, rows: usize, tape: &mut ConvTape<F>) {
        self.claim(tape);
        tape.images.reserve(&self.plan, rows);
        self.head.reserve(rows, &mut tape.head);
    }

    fn output<'t>(&self, tape: &'t ConvTape<F>) -> &'t [F] {
        &tape.head.output
    }

    fn vjp(&self, at: At<'_, F, u8>, cotangents: &[F], out: Gradient<'_, F>, tape: &mut ConvTape<F>) {
        let ConvTape { images, head, embedding, .. } = tape;
        self.check(at, head.rows);
        assert_eq!(cotangents.len(), head.rows * self.head.outputs, "cotangents of all rows");
        // rows behind the last one that matters (those that an unroll bootstraps from) cost nothing
        let used = cotangents.iter().rposition(|d| *d != F::zero()).map_or(0, |i| i / self.head.outputs + 1);
        self.head.reverse(at.theta, &cotangents[..used * self.head.outputs], out.theta, head);
        images.prepare_reverse(&self.plan, false, false);
        let n = self.head.inputs;
        for row in 0..used {
            let part = row * n..(row + 1) * n;
            let (flat, d) = (&head.flat[part.clone()], &head.back_flat[0][part]);
            images.reverse(&self.plan, self.level, row, self.image(at.obs, row), flat, d);
        }
        images.finish_reverse(&self.plan, out.theta);
        let bias = &mut out.theta[self.head.bias.clone()];
        bias.iter_mut().zip(&head.bias_gradient[0]).for_each(|(o, g)| *o += *g);
        self.embedding.vjp(at.theta, at.condition, &head.bias_gradient[0], out, embedding);
    }

    fn jvp(&self, at: At<'_, F, u8>, along: Along<'_, F>, tape: &mut ConvTape<F>) {
        let rows = tape.head.rows;
        self.jvp_rows(at, along, rows, tape);
    }

    fn jvp_rows(&self, at: At<'_, F, u8>, along: Along<'_, F>, rows: usize, tape: &mut ConvTape<F>) {
        let ConvTape { images, head, embedding, .. } = tape;
        self.check(at, head.rows);
        assert!(rows <= head.rows, "rows on the tape");
        let n = self.head.inputs;
        let bias = zeroed(&mut head.bias[1], self.head.hidden);
        if let Some(dot) = along.theta {
            bias.copy_from_slice(&dot[self.head.bias.clone()]);
            images.prepare_tangent(&self.plan, dot);
            zeroed(&mut head.flat_dot, rows * n);
            for row in 0..rows {
                let part = row * n..(row + 1) * n;
                let (flat, flat_dot) = (&head.flat[part.clone()], &mut head.flat_dot[part]);
                images.tangent(&self.plan, self.level, row, self.image(at.obs, row), flat, flat_dot);
            }
        }
        self.embedding.shift_tangent(at.theta, at.condition, along, bias, embedding);
        self.head.tangent(self.level, at.theta, along.theta, rows, head);
    }

    fn tangent<'t>(&self, tape: &'t ConvTape<F>) -> &'t [F] {
        &tape.head.output_dot
    }

    /// Exact wherever no unit is on a kink. The tangents inside the torso are computed again, image by image, rather than kept.
    fn vjp_tangent(
        &self,
        at: At<'_, F, u8>,
        along: Along<'_, F>,
        cotangents: [&[F]; 2],
        out: Gradient<'_, F>,
        tape: &mut ConvTape<F>,
    ) {
        let ConvTape { images, head, embedding, .. } = tape;
        self.check(at, head.rows);
        self.head.reverse_tangent(at.theta, along.theta, cotangents, out.theta, head);
        let (n, moving) = (self.head.inputs, along.theta.is_some());
        images.prepare_reverse(&self.plan, true, moving);
        for row in 0..head.rows {
            let part = row * n..(row + 1) * n;
            let (image, flat) = (self.image(at.obs, row), &head.flat[part.clone()]);
            if moving {
                images.tangent(&self.plan, self.level, row, image, flat, &mut head.flat_dot[part.clone()]);
            }
            let d = [&head.back_flat[0][part.clone()], &head.back_flat[1][part]];
            images.reverse_tangent(&self.plan, self.level, row, image, flat, d, moving);
        }
        images.finish_reverse(&self.plan, out.theta);
        let [db, db_dot] = &head.bias_gradient;
        let bias = &mut out.theta[self.head.bias.clone()];
        bias.iter_mut().zip(db_dot).for_each(|(o, g)| *o += *g);
        self.embedding.vjp_tangent(at.theta, at.condition, along, [db, db_dot], out, embedding);
    }
}
