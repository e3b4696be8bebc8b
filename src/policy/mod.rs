//! stub
use crate::batch::Actions;
use crate::diff::{Tape, Workspace};
use crate::math::real::Real;
use crate::rng::Rng;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Tabular,
    Mlp,
}
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    pub kind: Kind,
    pub hidden: Vec<usize>,
    pub activation: crate::diff::Activation,
    pub init: crate::diff::Init,
    pub log_std: f64,
    pub min_log_std: Option<f64>,
    pub value_head: bool,
}
pub struct Weights<'a, F> {
    pub log_prob: &'a [F],
    pub entropy: Option<&'a [F]>,
    pub value: Option<&'a [F]>,
}
pub struct TabularSoftmax {
    pub states: usize,
}
pub enum Policy {
    Tabular(TabularSoftmax),
    Other,
}
impl Policy {
    pub fn obs_width(&self) -> usize {
        todo!()
    }
    pub fn encode<F: Real>(&self, raw: &[f64], out: &mut [F]) {
        todo!()
    }
    pub fn init<F: Real>(&self, rng: &mut Rng) -> Vec<F> {
        todo!()
    }
    pub fn empty_actions<F>(&self) -> Actions<F> {
        todo!()
    }
    pub fn forward<F: Real>(&self, theta: &[F], obs: &[F], rows: usize, tape: &mut Tape<F>) {}
    pub fn sample<F: Real>(
        &self,
        theta: &[F],
        tape: &Tape<F>,
        rows: std::ops::Range<usize>,
        rngs: &mut [Rng],
        actions: &mut Actions<F>,
    ) {
    }
    pub fn log_prob<F: Real>(&self, theta: &[F], tape: &Tape<F>, actions: &Actions<F>, out: &mut Vec<F>) {}
    pub fn entropy<F: Real>(&self, theta: &[F], tape: &Tape<F>, out: &mut Vec<F>) {}
    pub fn grad<F: Real>(
        &self,
        theta: &[F],
        obs: &[F],
        actions: &Actions<F>,
        tape: &Tape<F>,
        weights: &Weights<F>,
        out: &mut [F],
        ws: &mut Workspace<F>,
    ) {
    }
    pub fn multi_grad<F: Real>(
        &self,
        theta: &[F],
        obs: &[F],
        actions: &Actions<F>,
        tape: &Tape<F>,
        weights: &[Vec<F>],
        out: &mut [Vec<F>],
        ws: &mut Workspace<F>,
    ) {
    }
    pub fn hvp<F: Real>(
        &self,
        theta: &[F],
        direction: &[F],
        obs: &[F],
        actions: &Actions<F>,
        tape: &Tape<F>,
        weights: &[F],
        tangent_weights: &mut dyn FnMut(&[F], &mut [F]),
        out: &mut [F],
        ws: &mut Workspace<F>,
    ) {
    }
}
