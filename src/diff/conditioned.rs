//! A multilayer perceptron whose first layer also sees an embedding of a conditioning vector.
//!
//! Every pass is one of [`Mlp`] with the first bias moved by the embedding (module `embedding`), and a chain rule of vector size.

use super::embedding::{Embedding, EmbeddingScratch};
use super::init::Init;
use super::mlp::{Activation, Mlp};
use super::network::{Along, At, Gradient, Network};
use super::tape::{Tape, Workspace};
use crate::math::real::Real;
use crate::rng::Rng;
use std::ops::Range;

/// Perceptron with an optional embedded conditioning vector (Xu et al. 2018, section 1.3 of specification metagrad-atari).
///
/// The flat parameter vector holds `W_e` `[conditioning, embedding]`, `W_1e` `[embedding, hidden]` (row-major), then the
/// parameters of the [`Mlp`] over the observation. Without embedding it is the [`Mlp`].
#[derive(Clone, Debug, PartialEq)]
pub struct ConditionedMlp {
    mlp: Mlp,
    embedding: Embedding,
}

/// Activations, tangents and scratch memory of a [`ConditionedMlp`].
#[derive(Clone, Debug, Default)]
pub struct ConditionedTape<F> {
    activations: Tape<F>,
    ws: Workspace<F>,
    /// Parameters of the perceptron with the embedding in its first bias, and their tangents.
    effective: [Vec<F>; 2],
    /// Gradients by those.
    gradients: [Vec<F>; 2],
    embedding: EmbeddingScratch<F>,
}

impl ConditionedMlp {
    /// Network of these widths (input, hidden ..., output), with an embedding of size `embedding` of `conditioning` numbers; no
    /// conditioning if either is 0.
    ///
    /// # Panics
    /// If fewer than two widths are given or one is zero.
    pub fn new(sizes: Vec<usize>, activation: Activation, conditioning: usize, embedding: usize) -> ConditionedMlp {
        let mlp = Mlp::new(sizes, activation);
        let embedding = Embedding::new(conditioning, embedding, mlp.sizes[1]);
        ConditionedMlp { mlp, embedding }
    }

    /// Initial parameters: weights by `init` (the first layer as one matrix over `[x ; e]`), zero biases.
    pub fn init<F: Real>(&self, init: Init, rng: &mut Rng) -> Vec<F> {
        let mut theta = vec![F::zero(); Network::<F>::n_params(self)];
        let [embed, first, rest] = self.parts();
        let start = rest.start;
        theta[rest].copy_from_slice(&self.mlp.init::<F>(init, rng));
        let size = self.embedding.size;
        if size > 0 {
            init.fill(self.embedding.conditioning, size, &mut theta[embed], rng);
            let layer = self.mlp.layer(0);
            let mut both = vec![F::zero(); (layer.inputs + size) * layer.outputs];
            init.fill(layer.inputs + size, layer.outputs, &mut both, rng);
            let (x, e) = both.split_at(layer.weight.len());
            theta[start + layer.weight.start..start + layer.weight.end].copy_from_slice(x);
            theta[first].copy_from_slice(e);
        }
        theta
    }

    /// Places of `W_e`, `W_1e` and the perceptron in the flat vector.
    pub fn parts(&self) -> [Range<usize>; 3] {
        let [embed, first] = self.embedding.parts();
        let start = first.end;
        [embed, first, start..start + self.mlp.n_params()]
    }

    fn check<F: Real>(&self, at: At<'_, F, F>) {
        assert_eq!(at.theta.len(), Network::<F>::n_params(self), "parameters");
        assert!(at.obs.len().is_multiple_of(self.mlp.inputs()), "whole observations");
        assert!(self.embedding.size == 0 || at.condition.len() == self.embedding.conditioning, "conditioning vector");
    }

    fn first_bias(&self) -> Range<usize> {
        self.mlp.layer(0).bias
    }

    fn rows<'a, F>(&self, obs: &'a [F], rows: Range<usize>) -> &'a [F] {
        &obs[rows.start * self.mlp.inputs()..rows.end * self.mlp.inputs()]
    }
}

impl<F: Real> Network<F> for ConditionedMlp {
    type Obs = F;
    type Tape = ConditionedTape<F>;

    fn n_params(&self) -> usize {
        self.parts()[2].end
    }

    fn obs_width(&self) -> usize {
        self.mlp.inputs()
    }

    fn outputs(&self) -> usize {
        self.mlp.outputs()
    }

    fn conditioning(&self) -> usize {
        self.embedding.conditioning
    }

    fn forward(&self, at: At<'_, F, F>, tape: &mut ConditionedTape<F>) {
        self.forward_rows(at, 0..at.obs.len() / self.mlp.inputs(), tape);
    }

    fn forward_rows(&self, at: At<'_, F, F>, rows: Range<usize>, tape: &mut ConditionedTape<F>) {
        self.check(at);
        if rows.start == 0 {
            let effective = &mut tape.effective[0];
            effective.clear();
            effective.extend_from_slice(&at.theta[self.parts()[2].clone()]);
            let bias = &mut effective[self.first_bias()];
            self.embedding.shift(at.theta, at.condition, bias, &mut tape.embedding);
            tape.activations.clear();
        }
        assert_eq!(tape.activations.rows(), rows.start, "rows follow those on the tape");
        let n = rows.len();
        self.mlp.forward(&tape.effective[0], self.rows(at.obs, rows), n, &mut tape.activations);
    }

    fn output<'t>(&self, tape: &'t ConditionedTape<F>) -> &'t [F] {
        tape.activations.output()
    }

    fn vjp(&self, at: At<'_, F, F>, cotangents: &[F], out: Gradient<'_, F>, tape: &mut ConditionedTape<F>) {
        self.check(at);
        let ConditionedTape { activations, ws, effective: [effective, _], gradients: [g, _], embedding } = tape;
        g.clear();
        g.resize(self.mlp.n_params(), F::zero());
        let obs = self.rows(at.obs, 0..activations.rows());
        self.mlp.vjp(effective, obs, activations, cotangents, g, ws);
        out.theta[self.parts()[2].clone()].iter_mut().zip(&*g).for_each(|(o, g)| *o += *g);
        self.embedding.vjp(at.theta, at.condition, &g[self.first_bias()], out, embedding);
    }

    fn jvp(&self, at: At<'_, F, F>, along: Along<'_, F>, tape: &mut ConditionedTape<F>) {
        self.check(at);
        let ConditionedTape { activations, ws, effective: [effective, direction], embedding, .. } = tape;
        direction.clear();
        direction.resize(self.mlp.n_params(), F::zero());
        if let Some(dot) = along.theta {
            direction.copy_from_slice(&dot[self.parts()[2].clone()]);
        }
        self.embedding.shift_tangent(at.theta, at.condition, along, &mut direction[self.first_bias()], embedding);
        let obs = self.rows(at.obs, 0..activations.rows());
        self.mlp.jvp(effective, direction, obs, activations, ws);
    }

    fn tangent<'t>(&self, tape: &'t ConditionedTape<F>) -> &'t [F] {
        tape.ws.tangents.output()
    }

    fn vjp_tangent(
        &self,
        at: At<'_, F, F>,
        along: Along<'_, F>,
        cotangents: [&[F]; 2],
        out: Gradient<'_, F>,
        tape: &mut ConditionedTape<F>,
    ) {
        self.check(at);
        let ConditionedTape { activations, ws, effective: [effective, direction], gradients, embedding } = tape;
        for g in gradients.iter_mut() {
            g.clear();
            g.resize(self.mlp.n_params(), F::zero());
        }
        let [g, g_dot] = gradients;
        let obs = self.rows(at.obs, 0..activations.rows());
        self.mlp.reverse_tangent(effective, direction, obs, activations, cotangents, Some(g), g_dot, ws);
        out.theta[self.parts()[2].clone()].iter_mut().zip(&*g_dot).for_each(|(o, g)| *o += *g);
        let biases = [&g[self.first_bias()], &g_dot[self.first_bias()]];
        self.embedding.vjp_tangent(at.theta, at.condition, along, biases, out, embedding);
    }
}
