//! What lies under the heads: table look-ups and network passes behind one set of methods.

use super::{Policy, TabularSoftmax};
use crate::diff::{Init, Mlp, Tape, Workspace};
use crate::math::real::Real;

/// A network, how observations enter it, and whether its last output is a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Trunk {
    /// The network; its parameters come first in `theta`.
    pub mlp: Mlp,
    /// Initial weights.
    pub init: Init,
    /// Discrete observations enter as one-hot rows.
    pub one_hot: bool,
    /// The last output is the value.
    pub value_head: bool,
}

impl TabularSoftmax {
    /// Range of the logits of the state an observation names.
    fn row<F: Real>(&self, obs: F) -> std::ops::Range<usize> {
        let state = obs.f64() as usize;
        assert!(state < self.states, "state {state} of {}", self.states);
        state * self.actions..(state + 1) * self.actions
    }

    /// Appends `table[state]` for each observation.
    fn gather<F: Real>(&self, table: &[F], obs: &[F], tape: &mut Tape<F>) {
        let first = tape.grow(std::iter::once(self.actions), obs.len());
        let rows = tape.layers[0][first * self.actions..].chunks_exact_mut(self.actions);
        for (out, s) in rows.zip(obs) {
            out.copy_from_slice(&table[self.row(*s)]);
        }
    }

    /// Adds `weight(i) * rows[i]` to the logits of each observation's state.
    fn scatter<F: Real>(&self, obs: &[F], rows: &[F], weight: impl Fn(usize) -> F, out: &mut [F]) {
        for (i, (row, s)) in rows.chunks_exact(self.actions).zip(obs).enumerate() {
            let w = weight(i);
            out[self.row(*s)].iter_mut().zip(row).for_each(|(o, r)| *o += w * *r);
        }
    }
}

impl Policy {
    /// Appends `rows` encoded observations `[rows, obs_width]` to the tape: logits or means (and values) under `theta`.
    ///
    /// # Panics
    /// If a length does not fit, or the tape holds rows of another policy.
    pub fn forward<F: Real>(&self, theta: &[F], obs: &[F], rows: usize, tape: &mut Tape<F>) {
        assert_eq!(theta.len(), self.n_params(), "parameters");
        assert_eq!(obs.len(), rows * self.obs_width(), "encoded observations");
        match self {
            Policy::Tabular(p) => p.gather(theta, obs, tape),
            _ => self.with_mlp(|mlp| mlp.forward(&theta[..mlp.n_params()], obs, rows, tape)),
        }
    }

    /// Adds `J^T d` to `out` for the output cotangents in the workspace.
    pub(super) fn network_vjp<F: Real>(
        &self,
        theta: &[F],
        obs: &[F],
        tape: &Tape<F>,
        out: &mut [F],
        ws: &mut Workspace<F>,
    ) {
        let d = std::mem::take(&mut ws.cotangents[0]);
        match self {
            Policy::Tabular(p) => p.scatter(obs, &d, |_| F::one(), out),
            _ => self.with_mlp(|mlp| {
                let n = mlp.n_params();
                mlp.vjp(&theta[..n], obs, tape, &d, &mut out[..n], ws);
            }),
        }
        ws.cotangents[0] = d;
    }

    /// Adds `sum_i w_i J_i^T d_i` to `out[m]` for each `w = weights[m]`.
    pub(super) fn network_vjp_many<F: Real>(
        &self,
        theta: &[F],
        obs: &[F],
        tape: &Tape<F>,
        weights: &[Vec<F>],
        out: &mut [Vec<F>],
        ws: &mut Workspace<F>,
    ) {
        let d = std::mem::take(&mut ws.cotangents[0]);
        match self {
            Policy::Tabular(p) => {
                for (w, out) in weights.iter().zip(out) {
                    p.scatter(obs, &d, |i| w[i], out);
                }
            }
            _ => self.with_mlp(|mlp| mlp.vjp_many(&theta[..mlp.n_params()], obs, tape, &d, weights, out, ws)),
        }
        ws.cotangents[0] = d;
    }

    /// Output tangents along `direction`, left in `ws.tangents`.
    pub(super) fn network_jvp<F: Real>(
        &self,
        theta: &[F],
        direction: &[F],
        obs: &[F],
        tape: &Tape<F>,
        ws: &mut Workspace<F>,
    ) {
        match self {
            Policy::Tabular(p) => {
                ws.tangents.clear();
                p.gather(direction, obs, &mut ws.tangents);
            }
            _ => self.with_mlp(|mlp| {
                let n = mlp.n_params();
                mlp.jvp(&theta[..n], &direction[..n], obs, tape, ws);
            }),
        }
    }

    /// Adds gradient and HVP for the output cotangents and their tangents in the workspace; after [`Policy::network_jvp`].
    pub(super) fn network_reverse<F: Real>(
        &self,
        theta: &[F],
        direction: &[F],
        obs: &[F],
        tape: &Tape<F>,
        grad: Option<&mut [F]>,
        hv: &mut [F],
        ws: &mut Workspace<F>,
    ) {
        let cotangents = std::mem::take(&mut ws.cotangents);
        let [d, d_dot] = &cotangents;
        match self {
            Policy::Tabular(p) => {
                if let Some(grad) = grad {
                    p.scatter(obs, d, |_| F::one(), grad);
                }
                p.scatter(obs, d_dot, |_| F::one(), hv);
            }
            _ => self.with_mlp(|mlp| {
                let n = mlp.n_params();
                let grad = grad.map(|grad| &mut grad[..n]);
                mlp.reverse_tangent(&theta[..n], &direction[..n], obs, tape, [d, d_dot], grad, &mut hv[..n], ws);
            }),
        }
        ws.cotangents = cotangents;
    }

    /// Calls `f` with the network of a policy that has one.
    fn with_mlp<R>(&self, f: impl FnOnce(&Mlp) -> R) -> R {
        f(&self.trunk().expect("tables are handled before").mlp)
    }
}
