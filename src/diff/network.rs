//! What a learner asks of a network: outputs, VJP, JVP, and the VJP of a moving point, over one flat parameter vector.
//!
//! Networks may be conditioned on a short vector (the meta-parameters of the online learner, through an embedding): it is an
//! input that all rows share, so it can be differentiated too.

use crate::math::real::Real;
use std::ops::Range;

/// Where a network is evaluated: parameters, rows of observations, conditioning vector.
#[derive(Clone, Copy, Debug)]
pub struct At<'a, F, O> {
    /// Parameters, flat.
    pub theta: &'a [F],
    /// Observations `[rows, obs_width]`.
    pub obs: &'a [O],
    /// Conditioning vector, shared by all rows; empty for an unconditioned network.
    pub condition: &'a [F],
}

/// A direction in parameters and conditioning vector; `None` does not move.
#[derive(Clone, Copy, Debug)]
pub struct Along<'a, F> {
    /// Of the parameters.
    pub theta: Option<&'a [F]>,
    /// Of the conditioning vector.
    pub condition: Option<&'a [F]>,
}

/// Where cotangents of parameters and conditioning vector are added.
#[derive(Debug)]
pub struct Gradient<'a, F> {
    /// Of the parameters.
    pub theta: &'a mut [F],
    /// Of the conditioning vector.
    pub condition: &'a mut [F],
}

/// A network over a flat parameter vector.
///
/// A tape belongs to the last [`Network::forward`] and holds everything the derivative passes need, including their scratch
/// memory, so that nothing is allocated once it is warm. All passes must get the same [`At`] as that forward pass (of its
/// observations, more than the rows on the tape may be given).
pub trait Network<F: Real>: Sync {
    /// Element of an observation (numbers, or bytes of an image).
    type Obs: Copy + Send + Sync;
    /// Activations, tangents and scratch memory.
    type Tape: Default + Send;

    /// Length of the flat parameter vector.
    fn n_params(&self) -> usize;
    /// Elements per observation.
    fn obs_width(&self) -> usize;
    /// Numbers per output row.
    fn outputs(&self) -> usize;
    /// Length of the conditioning vector; 0 if there is none.
    fn conditioning(&self) -> usize;

    /// Evaluates all rows, replacing what the tape held.
    fn forward(&self, at: At<'_, F, Self::Obs>, tape: &mut Self::Tape);

    /// Evaluates these rows of `at.obs` only and keeps what the tape holds of the rows before them: on-policy, the acting passes
    /// of an unroll are already the forward pass of the update.
    ///
    /// `at.obs` holds `rows.end` observations at least; `rows.start` is 0, which starts the tape anew, or the number of rows on
    /// the tape, evaluated at the same parameters and conditioning vector. Afterwards the tape is that of [`Network::forward`] on
    /// the first `rows.end` rows, up to rounding where a product's kernel depends on the number of rows, and the derivative
    /// passes may follow. The provided implementation evaluates all those rows again.
    fn forward_rows(&self, at: At<'_, F, Self::Obs>, rows: Range<usize>, tape: &mut Self::Tape) {
        let obs = &at.obs[..rows.end * self.obs_width()];
        self.forward(At { theta: at.theta, obs, condition: at.condition }, tape);
    }
    /// Makes room for this many rows in all, so that [`Network::forward_rows`] need not move what the tape holds.
    fn reserve(&self, rows: usize, tape: &mut Self::Tape) {
        let _ = (rows, tape);
    }
    /// Outputs of all rows on the tape `[rows, outputs]`.
    fn output<'t>(&self, tape: &'t Self::Tape) -> &'t [F];

    /// Adds `J^T d` to `out` for output cotangents `d` `[rows, outputs]`.
    fn vjp(&self, at: At<'_, F, Self::Obs>, cotangents: &[F], out: Gradient<'_, F>, tape: &mut Self::Tape);

    /// Tangents along a direction, left in the tape.
    fn jvp(&self, at: At<'_, F, Self::Obs>, along: Along<'_, F>, tape: &mut Self::Tape);
    /// [`Network::jvp`] where only the first `rows` rows matter; [`Network::tangent`] then holds those at least. The other passes along this
    /// direction need the whole. The provided implementation is [`Network::jvp`].
    fn jvp_rows(&self, at: At<'_, F, Self::Obs>, along: Along<'_, F>, rows: usize, tape: &mut Self::Tape) {
        let _ = rows;
        self.jvp(at, along, tape);
    }
    /// Output tangents of the last [`Network::jvp`] `[rows, outputs]`.
    fn tangent<'t>(&self, tape: &'t Self::Tape) -> &'t [F];

    /// Adds to `out` the derivative along the direction of `J^T d`, where the cotangents move too: `d/de J(e)^T (d + e d_dot)`.
    ///
    /// `cotangents` are `[d, d_dot]`; the last [`Network::jvp`] must have been along the same direction. With `d_dot = 0` and
    /// cotangents of a scalar, this is a Hessian–vector product. The provided implementation is [`central_difference`];
    /// networks should override it by their exact pass.
    fn vjp_tangent(
        &self,
        at: At<'_, F, Self::Obs>,
        along: Along<'_, F>,
        cotangents: [&[F]; 2],
        out: Gradient<'_, F>,
        tape: &mut Self::Tape,
    ) {
        let _ = tape;
        central_difference(self, at, along, cotangents, out);
    }
}

/// [`Network::vjp_tangent`] by a central difference of two VJPs, for networks without an exact one.
///
/// The step is `e^(1/3) max(1, |theta|) / |direction|` with the rounding unit e: about ten correct digits in `f64`, four in
/// `f32`. Cost: two forward and two backward passes.
pub fn central_difference<F: Real, N: Network<F> + ?Sized>(
    net: &N,
    at: At<'_, F, N::Obs>,
    along: Along<'_, F>,
    cotangents: [&[F]; 2],
    out: Gradient<'_, F>,
) {
    let norm = |x: &[F]| x.iter().map(|x| x.f64() * x.f64()).sum::<f64>().sqrt();
    let size = along.theta.map_or(0.0, norm).hypot(along.condition.map_or(0.0, norm)).max(norm(cotangents[1]));
    if size == 0.0 {
        return;
    }
    let h = F::epsilon().f64().cbrt() * norm(at.theta).max(1.0) / size;
    let moved = |x: &[F], dot: Option<&[F]>, h: f64| -> Vec<F> {
        let mut x = x.to_vec();
        if let Some(dot) = dot {
            x.iter_mut().zip(dot).for_each(|(x, d)| *x += F::of(h) * *d);
        }
        x
    };
    let mut tape = N::Tape::default();
    for sign in [1.0, -1.0] {
        let theta = moved(at.theta, along.theta, sign * h);
        let condition = moved(at.condition, along.condition, sign * h);
        let d = moved(cotangents[0], Some(cotangents[1]), sign * h);
        let there = At { theta: &theta, obs: at.obs, condition: &condition };
        let (mut by_theta, mut by_condition) = (vec![F::zero(); theta.len()], vec![F::zero(); condition.len()]);
        net.forward(there, &mut tape);
        net.vjp(there, &d, Gradient { theta: &mut by_theta, condition: &mut by_condition }, &mut tape);
        let scale = F::of(sign / (2.0 * h));
        out.theta.iter_mut().zip(&by_theta).for_each(|(o, g)| *o += scale * *g);
        out.condition.iter_mut().zip(&by_condition).for_each(|(o, g)| *o += scale * *g);
    }
}
