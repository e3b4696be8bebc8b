//! A multilayer perceptron whose first layer also sees an embedding of a conditioning vector.
//!
//! With `e = c W_e` (no bias) the first layer is `f([x ; e] W_1 + b_1) = f(x W_1x + b_1')`, `b_1' = b_1 + e W_1e`: all rows share
//! c, so the embedding acts as a bias. Every pass is therefore one of [`Mlp`] with that bias, and a chain rule of vector size.

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
    conditioning: usize,
    embedding: usize,
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
}

impl ConditionedMlp {
    /// Network of these widths (input, hidden ..., output), with an embedding of size `embedding` of `conditioning` numbers; no
    /// conditioning if either is 0.
    ///
    /// # Panics
    /// If fewer than two widths are given or one is zero.
    pub fn new(sizes: Vec<usize>, activation: Activation, conditioning: usize, embedding: usize) -> ConditionedMlp {
        let [conditioning, embedding] = if conditioning * embedding == 0 { [0; 2] } else { [conditioning, embedding] };
        ConditionedMlp { mlp: Mlp::new(sizes, activation), conditioning, embedding }
    }

    /// Initial parameters: weights by `init` (the first layer as one matrix over `[x ; e]`), zero biases.
    pub fn init<F: Real>(&self, init: Init, rng: &mut Rng) -> Vec<F> {
        let mut theta = vec![F::zero(); Network::<F>::n_params(self)];
        let [embed, first, rest] = self.parts();
        let start = rest.start;
        theta[rest].copy_from_slice(&self.mlp.init::<F>(init, rng));
        if self.embedding > 0 {
            init.fill(self.conditioning, self.embedding, &mut theta[embed], rng);
            let layer = self.mlp.layer(0);
            let mut both = vec![F::zero(); (layer.inputs + self.embedding) * layer.outputs];
            init.fill(layer.inputs + self.embedding, layer.outputs, &mut both, rng);
            let (x, e) = both.split_at(layer.weight.len());
            theta[start + layer.weight.start..start + layer.weight.end].copy_from_slice(x);
            theta[first].copy_from_slice(e);
        }
        theta
    }

    /// Places of `W_e`, `W_1e` and the perceptron in the flat vector.
    pub fn parts(&self) -> [Range<usize>; 3] {
        let embed = self.conditioning * self.embedding;
        let first = embed + self.embedding * self.mlp.sizes[1];
        [0..embed, embed..first, first..first + self.mlp.n_params()]
    }

    /// `x M` for a row-major `[x.len(), columns]` matrix, added to `out`.
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

    /// `e = c W_e` and its tangent along a direction.
    fn embed<F: Real>(&self, at: At<'_, F, F>, along: Along<'_, F>) -> [Vec<F>; 2] {
        let [embed, ..] = self.parts();
        let (mut e, mut e_dot) = (vec![F::zero(); self.embedding], vec![F::zero(); self.embedding]);
        Self::through(at.condition, &at.theta[embed.clone()], &mut e);
        if let Some(dot) = along.theta {
            Self::through(at.condition, &dot[embed.clone()], &mut e_dot);
        }
        if let Some(dot) = along.condition {
            Self::through(dot, &at.theta[embed], &mut e_dot);
        }
        [e, e_dot]
    }

    fn check<F: Real>(&self, at: At<'_, F, F>) {
        assert_eq!(at.theta.len(), Network::<F>::n_params(self), "parameters");
        assert!(at.obs.len().is_multiple_of(self.mlp.inputs()), "whole observations");
        assert!(self.conditioning == 0 || at.condition.len() == self.conditioning, "conditioning vector");
    }

    fn first_bias(&self) -> Range<usize> {
        self.mlp.layer(0).bias
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
        self.conditioning
    }

    fn forward(&self, at: At<'_, F, F>, tape: &mut ConditionedTape<F>) {
        self.check(at);
        let [_, first, rest] = self.parts();
        let effective = &mut tape.effective[0];
        effective.clear();
        effective.extend_from_slice(&at.theta[rest]);
        let [e, _] = self.embed(at, Along { theta: None, condition: None });
        Self::through(&e, &at.theta[first], &mut effective[self.first_bias()]);
        tape.activations.clear();
        self.mlp.forward(effective, at.obs, at.obs.len() / self.mlp.inputs(), &mut tape.activations);
    }

    fn output<'t>(&self, tape: &'t ConditionedTape<F>) -> &'t [F] {
        tape.activations.output()
    }

    fn vjp(&self, at: At<'_, F, F>, cotangents: &[F], out: Gradient<'_, F>, tape: &mut ConditionedTape<F>) {
        self.check(at);
        let ConditionedTape { activations, ws, effective: [effective, _], gradients: [g, _] } = tape;
        g.clear();
        g.resize(self.mlp.n_params(), F::zero());
        self.mlp.vjp(effective, at.obs, activations, cotangents, g, ws);
        let [embed, first, rest] = self.parts();
        out.theta[rest].iter_mut().zip(&*g).for_each(|(o, g)| *o += *g);
        let [e, _] = self.embed(at, Along { theta: None, condition: None });
        let db = &g[self.first_bias()];
        let mut de = vec![F::zero(); self.embedding];
        Self::back(&at.theta[first.clone()], db, &mut de);
        Self::outer(&e, db, &mut out.theta[first]);
        Self::outer(at.condition, &de, &mut out.theta[embed.clone()]);
        Self::back(&at.theta[embed], &de, out.condition);
    }

    fn jvp(&self, at: At<'_, F, F>, along: Along<'_, F>, tape: &mut ConditionedTape<F>) {
        self.check(at);
        let [_, first, rest] = self.parts();
        let ConditionedTape { activations, ws, effective: [effective, direction], .. } = tape;
        direction.clear();
        direction.resize(self.mlp.n_params(), F::zero());
        let [e, e_dot] = self.embed(at, along);
        let bias = self.first_bias();
        if let Some(dot) = along.theta {
            direction.copy_from_slice(&dot[rest]);
            Self::through(&e, &dot[first.clone()], &mut direction[bias.clone()]);
        }
        Self::through(&e_dot, &at.theta[first], &mut direction[bias]);
        self.mlp.jvp(effective, direction, at.obs, activations, ws);
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
        let ConditionedTape { activations, ws, effective: [effective, direction], gradients } = tape;
        for g in gradients.iter_mut() {
            g.clear();
            g.resize(self.mlp.n_params(), F::zero());
        }
        let [g, g_dot] = gradients;
        self.mlp.reverse_tangent(effective, direction, at.obs, activations, cotangents, Some(g), g_dot, ws);
        let [embed, first, rest] = self.parts();
        out.theta[rest].iter_mut().zip(&*g_dot).for_each(|(o, g)| *o += *g);
        let [e, e_dot] = self.embed(at, along);
        let (db, db_dot) = (&g[self.first_bias()], &g_dot[self.first_bias()]);
        let (mut de, mut de_dot) = (vec![F::zero(); self.embedding], vec![F::zero(); self.embedding]);
        Self::back(&at.theta[first.clone()], db, &mut de);
        Self::back(&at.theta[first.clone()], db_dot, &mut de_dot);
        if let Some(dot) = along.theta {
            Self::back(&dot[first.clone()], db, &mut de_dot);
            Self::back(&dot[embed.clone()], &de, out.condition);
        }
        Self::outer(&e_dot, db, &mut out.theta[first.clone()]);
        Self::outer(&e, db_dot, &mut out.theta[first]);
        if let Some(dot) = along.condition {
            Self::outer(dot, &de, &mut out.theta[embed.clone()]);
        }
        Self::outer(at.condition, &de_dot, &mut out.theta[embed.clone()]);
        Self::back(&at.theta[embed], &de_dot, out.condition);
    }
}
