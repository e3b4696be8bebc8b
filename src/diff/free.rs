//! A network with outputs that do not depend on the observation: free parameters appended to every row.

use super::network::{Along, At, Gradient, Network};
use crate::math::real::Real;
use std::ops::Range;

/// Appends `count` parameters to every output row of a network: state-independent log standard deviations, for example.
///
/// An output row is the first `place` outputs of the network, the free parameters, the network's other outputs. The flat
/// parameter vector holds the network's parameters, then the free ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Free<N> {
    /// The network.
    pub net: N,
    /// Free parameters.
    pub count: usize,
    /// Outputs of the network before them.
    pub place: usize,
}

/// Tape of the network, and the extended rows.
#[derive(Clone, Debug, Default)]
pub struct FreeTape<T, F> {
    inner: T,
    output: Vec<F>,
    tangent: Vec<F>,
}

impl<N> Free<N> {
    /// Appends rows of the network with `free` inserted.
    fn extend<F: Real>(&self, rows: &[F], width: usize, free: &[F], out: &mut Vec<F>) {
        for row in rows.chunks_exact(width) {
            out.extend_from_slice(&row[..self.place]);
            out.extend_from_slice(free);
            out.extend_from_slice(&row[self.place..]);
        }
    }

    /// The network's part of cotangents; those of the free parameters are summed over rows into `free`.
    fn strip<F: Real>(&self, rows: &[F], width: usize, free: &mut [F]) -> Vec<F> {
        let mut out = Vec::with_capacity(rows.len());
        for row in rows.chunks_exact(width + self.count) {
            let (before, rest) = row.split_at(self.place);
            let (own, after) = rest.split_at(self.count);
            out.extend_from_slice(before);
            out.extend_from_slice(after);
            free.iter_mut().zip(own).for_each(|(f, d)| *f += *d);
        }
        out
    }
}

impl<F: Real, N: Network<F>> Network<F> for Free<N> {
    type Obs = N::Obs;
    type Tape = FreeTape<N::Tape, F>;

    fn n_params(&self) -> usize {
        self.net.n_params() + self.count
    }

    fn obs_width(&self) -> usize {
        self.net.obs_width()
    }

    fn outputs(&self) -> usize {
        self.net.outputs() + self.count
    }

    fn conditioning(&self) -> usize {
        self.net.conditioning()
    }

    fn forward(&self, at: At<'_, F, N::Obs>, tape: &mut Self::Tape) {
        self.forward_rows(at, 0..at.obs.len() / self.net.obs_width(), tape);
    }

    fn forward_rows(&self, at: At<'_, F, N::Obs>, rows: Range<usize>, tape: &mut Self::Tape) {
        let (theta, free) = at.theta.split_at(self.net.n_params());
        self.net.forward_rows(At { theta, ..at }, rows.clone(), &mut tape.inner);
        let FreeTape { inner, output, .. } = tape;
        output.truncate(rows.start * self.outputs());
        let fresh = &self.net.output(inner)[rows.start * self.net.outputs()..];
        self.extend(fresh, self.net.outputs(), free, output);
    }

    fn reserve(&self, rows: usize, tape: &mut Self::Tape) {
        self.net.reserve(rows, &mut tape.inner);
    }

    fn output<'t>(&self, tape: &'t Self::Tape) -> &'t [F] {
        &tape.output
    }

    fn vjp(&self, at: At<'_, F, N::Obs>, cotangents: &[F], out: Gradient<'_, F>, tape: &mut Self::Tape) {
        let n = self.net.n_params();
        let (theta, free) = out.theta.split_at_mut(n);
        let d = self.strip(cotangents, self.net.outputs(), free);
        let gradient = Gradient { theta, condition: out.condition };
        self.net.vjp(At { theta: &at.theta[..n], ..at }, &d, gradient, &mut tape.inner);
    }

    fn jvp(&self, at: At<'_, F, N::Obs>, along: Along<'_, F>, tape: &mut Self::Tape) {
        let n = self.net.n_params();
        let inside = Along { theta: along.theta.map(|x| &x[..n]), ..along };
        self.net.jvp(At { theta: &at.theta[..n], ..at }, inside, &mut tape.inner);
        let still = vec![F::zero(); self.count];
        let free = along.theta.map_or(still.as_slice(), |x| &x[n..]);
        let FreeTape { inner, tangent, .. } = tape;
        tangent.clear();
        self.extend(self.net.tangent(inner), self.net.outputs(), free, tangent);
    }

    fn tangent<'t>(&self, tape: &'t Self::Tape) -> &'t [F] {
        &tape.tangent
    }

    fn vjp_tangent(
        &self,
        at: At<'_, F, N::Obs>,
        along: Along<'_, F>,
        cotangents: [&[F]; 2],
        out: Gradient<'_, F>,
        tape: &mut Self::Tape,
    ) {
        let n = self.net.n_params();
        let (theta, free) = out.theta.split_at_mut(n);
        let d = self.strip(cotangents[0], self.net.outputs(), &mut vec![F::zero(); self.count]);
        let d_dot = self.strip(cotangents[1], self.net.outputs(), free);
        let inside = Along { theta: along.theta.map(|x| &x[..n]), ..along };
        let gradient = Gradient { theta, condition: out.condition };
        self.net.vjp_tangent(At { theta: &at.theta[..n], ..at }, inside, [&d, &d_dot], gradient, &mut tape.inner);
    }
}
