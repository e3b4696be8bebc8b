//! A convolutional network over a flat parameter vector: sizes, initial parameters, passes.

use super::super::embedding::{Embedding, EmbeddingScratch};
use super::super::network::{Along, At, Gradient, Network};
use super::super::tape::zeroed;
use super::branch::{Both, BranchTape};
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
/// If the values have a branch ([`ConvNet::with_branch`]), the heads are the policy's; then follow the weight `[hidden, hidden]` and bias of
/// the branch, and the values' `[hidden, values]` and bias. Outputs are the policy's, then values.
/// An observation is `[channel, row, column]` of bytes, divided by 255 inside.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvNet {
    pub(super) plan: Plan,
    pub(super) head: Head,
    pub(super) branch: Option<Head>,
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
    branch: BranchTape<F>,
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
        ConvNet { plan, head, branch: None, embedding, level: Level::best() }
    }

    /// The same network where the last `values` outputs see the embedding and the others do not: they come from a second hidden
    /// layer with ReLU, as wide as the first, over the first and the embedding (specification gradient-bias 4).
    ///
    /// # Panics
    /// If the outputs are not more than that, or the values none.
    pub fn with_branch(self, values: usize) -> ConvNet {
        let Head { hidden, outputs, weight, inputs, .. } = self.head;
        assert!((1..outputs).contains(&values), "{values} values of {outputs} outputs");
        let head = Head::new(weight.start, inputs, hidden, outputs - values);
        let branch = Some(Head::new(head.out_bias.end, hidden, hidden, values));
        ConvNet { head, branch, ..self }
    }

    /// Both heads, if there are two.
    fn both(&self) -> Option<Both<'_>> {
        self.branch.as_ref().map(|values| Both { policy: &self.head, values })
    }

    /// The head that ends the parameter vector, whose hidden layer sees the embedding.
    pub(super) fn last(&self) -> &Head {
        self.branch.as_ref().unwrap_or(&self.head)
    }

    fn width(&self) -> usize {
        self.head.outputs + self.branch.as_ref().map_or(0, |values| values.outputs)
    }

    /// Size of an observation.
    pub fn frame(&self) -> Frame {
        self.plan.frame
    }

    /// Parameters of convolutions and hidden layer: what the literature counts (neither heads nor embedding nor branch).
    pub fn torso_params(&self) -> usize {
        self.plan.params.len() + self.head.weight.len() + self.head.bias.len()
    }

    /// Multiply-adds per observation of convolutions and hidden layer (neither heads nor embedding nor branch, biases nor pooling).
    pub fn multiply_adds(&self) -> usize {
        self.plan.multiply_adds() + self.head.weight.len()
    }

    /// Numbers that a tape keeps per observation.
    pub fn kept_per_row(&self) -> usize {
        let stored = self.plan.buffers.iter().filter(|buffer| buffer.stored);
        let branch = self.branch.as_ref().map_or(0, |values| 3 * values.inputs + 4 * values.hidden);
        stored.map(|buffer| buffer.grid.len()).sum::<usize>() + 3 * self.head.inputs + 4 * self.head.hidden + branch
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

    /// Those of the branch of the values, if there is one.
    pub fn branch(&self) -> Option<[Range<usize>; 4]> {
        let Head { weight, bias, out_weight, out_bias, .. } = self.branch.clone()?;
        Some([weight, bias, out_weight, out_bias])
    }

    /// Places of `W_e` and `W_1e`.
    pub fn embedding(&self) -> [Range<usize>; 2] {
        self.embedding.parts()
    }

    fn check<F: Real>(&self, at: At<'_, F, u8>, rows: usize) {
        assert_eq!(at.theta.len(), self.last().out_bias.end, "parameters");
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
        self.last().out_bias.end
    }

    fn obs_width(&self) -> usize {
        self.plan.frame.len()
    }

    fn outputs(&self) -> usize {
        self.width()
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
        let ConvTape { images, head, branch, embedding, .. } = tape;
        assert!(rows.start == 0 || rows.start == head.rows, "rows follow those on the tape");
        images.prepare(&self.plan, at.theta);
        images.grow(&self.plan, rows.end);
        self.head.grow(rows.end, head);
        head.bias[0].clear();
        head.bias[0].extend_from_slice(&at.theta[self.head.bias.clone()]);
        let bias = if let Some(values) = &self.branch {
            branch.head.bias[0].clear();
            branch.head.bias[0].extend_from_slice(&at.theta[values.bias.clone()]);
            &mut branch.head.bias[0]
        } else {
            &mut head.bias[0]
        };
        self.embedding.shift(at.theta, at.condition, bias, embedding);
        for row in rows.clone() {
            let flat = &mut head.flat[row * self.head.inputs..(row + 1) * self.head.inputs];
            images.forward(&self.plan, self.level, row, self.image(at.obs, row), flat);
        }
        self.head.forward(self.level, at.theta, rows.clone(), head);
        if let Some(both) = self.both() {
            both.forward(self.level, at.theta, rows, head, branch);
        }
    }

    fn reserve(&self, rows: usize, tape: &mut ConvTape<F>) {
        self.claim(tape);
        tape.images.reserve(&self.plan, rows);
        self.head.reserve(rows, &mut tape.head);
        if let Some(values) = &self.branch {
            values.reserve(rows, &mut tape.branch.head);
        }
    }

    fn output<'t>(&self, tape: &'t ConvTape<F>) -> &'t [F] {
        if self.branch.is_some() { &tape.branch.output } else { &tape.head.output }
    }

    fn vjp(&self, at: At<'_, F, u8>, cotangents: &[F], out: Gradient<'_, F>, tape: &mut ConvTape<F>) {
        let ConvTape { images, head, branch, embedding, .. } = tape;
        let width = self.width();
        self.check(at, head.rows);
        assert_eq!(cotangents.len(), head.rows * width, "cotangents of all rows");
        // rows behind the last one that matters (those that an unroll bootstraps from) cost nothing
        let used = cotangents.iter().rposition(|d| *d != F::zero()).map_or(0, |i| i / width + 1);
        let cotangents = &cotangents[..used * width];
        match self.both() {
            Some(both) => both.reverse(self.level, at.theta, cotangents, out.theta, head, branch),
            None => self.head.reverse(self.level, at.theta, cotangents, None, out.theta, head),
        }
        images.prepare_reverse(&self.plan, false, false);
        let n = self.head.inputs;
        for row in 0..used {
            let part = row * n..(row + 1) * n;
            let (flat, d) = (&head.flat[part.clone()], &head.back_flat[0][part]);
            images.reverse(&self.plan, self.level, row, self.image(at.obs, row), flat, d);
        }
        images.finish_reverse(&self.plan, out.theta);
        add(&mut out.theta[self.head.bias.clone()], &head.bias_gradient[0]);
        let mut db = &head.bias_gradient[0];
        if let Some(values) = &self.branch {
            db = &branch.head.bias_gradient[0];
            add(&mut out.theta[values.bias.clone()], db);
        }
        self.embedding.vjp(at.theta, at.condition, db, out, embedding);
    }

    fn jvp(&self, at: At<'_, F, u8>, along: Along<'_, F>, tape: &mut ConvTape<F>) {
        let rows = tape.head.rows;
        self.jvp_rows(at, along, rows, tape);
    }

    fn jvp_rows(&self, at: At<'_, F, u8>, along: Along<'_, F>, rows: usize, tape: &mut ConvTape<F>) {
        let ConvTape { images, head, branch, embedding, .. } = tape;
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
        if self.branch.is_none() {
            self.embedding.shift_tangent(at.theta, at.condition, along, bias, embedding);
        }
        self.head.tangent(self.level, along.theta, rows, head);
        if let Some(both) = self.both() {
            let bias = zeroed(&mut branch.head.bias[1], both.values.hidden);
            if let Some(dot) = along.theta {
                bias.copy_from_slice(&dot[both.values.bias.clone()]);
            }
            self.embedding.shift_tangent(at.theta, at.condition, along, bias, embedding);
            both.tangent(self.level, along.theta, rows, head, branch);
        }
    }

    fn tangent<'t>(&self, tape: &'t ConvTape<F>) -> &'t [F] {
        if self.branch.is_some() { &tape.branch.output_dot } else { &tape.head.output_dot }
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
        let ConvTape { images, head, branch, embedding, .. } = tape;
        self.check(at, head.rows);
        match self.both() {
            Some(both) => both.reverse_tangent(self.level, at.theta, along.theta, cotangents, out.theta, head, branch),
            None => self.head.reverse_tangent(self.level, at.theta, along.theta, cotangents, None, out.theta, head),
        }
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
        add(&mut out.theta[self.head.bias.clone()], &head.bias_gradient[1]);
        let mut gradients = &head.bias_gradient;
        if let Some(values) = &self.branch {
            gradients = &branch.head.bias_gradient;
            add(&mut out.theta[values.bias.clone()], &gradients[1]);
        }
        let [db, db_dot] = gradients;
        self.embedding.vjp_tangent(at.theta, at.condition, along, [db, db_dot], out, embedding);
    }
}

/// `to += from`.
fn add<F: Real>(to: &mut [F], from: &[F]) {
    to.iter_mut().zip(from).for_each(|(t, f)| *t += *f);
}
