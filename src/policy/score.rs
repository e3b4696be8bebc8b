//! Weighted sums of scores: gradient, many gradients at once, and Hessian–vector products in one reverse pass.

use super::categorical::Row;
use super::{MlpGaussian, Policy};
use crate::batch::Actions;
use crate::diff::tape::{sized, zeroed};
use crate::diff::{Tape, Workspace};
use crate::math::real::Real;

/// Weights per row of log-probability (w), entropy (e) and value (u).
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a, F> {
    /// w, one per row.
    pub log_prob: &'a [F],
    /// e, one per row.
    pub entropy: Option<&'a [F]>,
    /// u, one per row; needs a value head.
    pub value: Option<&'a [F]>,
}

impl<'a, F> Weights<'a, F> {
    /// Weights of log-probabilities only.
    pub fn log_prob(log_prob: &'a [F]) -> Weights<'a, F> {
        Weights { log_prob, entropy: None, value: None }
    }
}

/// Directional derivatives per row along `v`: d/de at `theta + e v`.
#[derive(Clone, Copy, Debug)]
pub struct RowTangents<'a, F> {
    /// Of `log pi(a_i | s_i)`.
    pub log_prob: &'a [F],
    /// Of the entropy.
    pub entropy: &'a [F],
    /// Of the value (zeros without a value head).
    pub value: &'a [F],
}

/// Where the caller writes d w_i / de, d e_i / de, d u_i / de; zero on entry.
#[derive(Debug)]
pub struct WeightTangents<'a, F> {
    /// Of the log-probability weights.
    pub log_prob: &'a mut [F],
    /// Of the entropy weights; read only if entropy weights were given.
    pub entropy: &'a mut [F],
    /// Of the value weights; read only if value weights were given.
    pub value: &'a mut [F],
}

impl Policy {
    /// Adds `sum_i w_i grad log pi_i + e_i grad H_i + u_i grad V_i` to `out`.
    ///
    /// `obs` and `actions` are the rows of the tape, in order; the tape must have been written under this `theta`.
    ///
    /// # Panics
    /// If a length does not fit the tape, or value weights are given without a value head.
    pub fn grad<F: Real>(
        &self,
        theta: &[F],
        obs: &[F],
        actions: &Actions<F>,
        tape: &Tape<F>,
        weights: &Weights<'_, F>,
        out: &mut [F],
        ws: &mut Workspace<F>,
    ) {
        self.check(theta, obs, actions, tape, weights);
        assert_eq!(out.len(), self.n_params(), "gradient");
        self.cotangents(theta, actions, tape, weights, Some(out), ws);
        self.network_vjp(theta, obs, tape, out, ws);
    }

    /// Adds `sum_i weights[m][i] grad log pi_i` to `out[m]` for every m, for one backward pass with unit weights.
    ///
    /// # Panics
    /// If a length does not fit.
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
        assert_eq!(weights.len(), out.len(), "one output per weight vector");
        let mut ones = std::mem::take(&mut ws.weight_tangents[0]);
        ones.clear();
        ones.resize(tape.rows(), F::one());
        self.check(theta, obs, actions, tape, &Weights::log_prob(&ones));
        for (w, out) in weights.iter().zip(out.iter_mut()) {
            assert_eq!([w.len(), out.len()], [tape.rows(), self.n_params()], "weights per row, gradient per parameter");
            if let (Policy::Gaussian(p), Actions::Continuous { values, .. }) = (self, actions) {
                p.add_log_std(theta, tape, values, &Weights::log_prob(w), out);
            }
        }
        self.cotangents(theta, actions, tape, &Weights::log_prob(&ones), None, ws);
        self.network_vjp_many(theta, obs, tape, weights, out, ws);
        ws.weight_tangents[0] = ones;
    }

    /// `out[i] = d/de log pi_{theta + e v}(a_i | s_i)` for `v = direction`, one per row of the tape.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn jvp<F: Real>(
        &self,
        theta: &[F],
        direction: &[F],
        obs: &[F],
        actions: &Actions<F>,
        tape: &Tape<F>,
        out: &mut Vec<F>,
        ws: &mut Workspace<F>,
    ) {
        assert_eq!(actions.len(), tape.rows(), "one action per row of the tape");
        self.row_tangents(theta, direction, obs, actions, tape, ws);
        out.clone_from(&ws.row_tangents[0]);
    }

    /// Hessian–vector product of a weighted sum of log-probabilities whose weights may move, in one reverse pass.
    ///
    /// With `l_i = log pi_i` and `ldot_i` its derivative along `v = direction`, calls `tangent_weights(ldot, wdot)` (`wdot` is
    /// zero on entry) and adds `sum_i [ w_i hess(l_i) v + wdot_i grad(l_i) ]` to `out`.
    ///
    /// # Panics
    /// If a length does not fit the tape.
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
        let mut callback = |rows: RowTangents<'_, F>, w: WeightTangents<'_, F>| {
            tangent_weights(rows.log_prob, w.log_prob);
        };
        let weights = Weights::log_prob(weights);
        self.grad_hvp(theta, direction, obs, actions, tape, &weights, &mut callback, None, out, ws);
    }

    /// Gradient (if asked for) and derivative along `direction` of the gradient, for all weights, in one reverse pass.
    ///
    /// Adds `sum_i w_i grad l_i + e_i grad H_i + u_i grad V_i` to `grad`, and to `out` its derivative along `v`:
    /// `sum_i w_i hess(l_i) v + wdot_i grad l_i + e_i hess(H_i) v + edot_i grad H_i + u_i hess(V_i) v + udot_i grad V_i`, with
    /// the weights' tangents as `tangent_weights` fills them.
    ///
    /// # Panics
    /// If a length does not fit the tape, or value weights are given without a value head.
    pub fn grad_hvp<F: Real>(
        &self,
        theta: &[F],
        direction: &[F],
        obs: &[F],
        actions: &Actions<F>,
        tape: &Tape<F>,
        weights: &Weights<'_, F>,
        tangent_weights: &mut dyn FnMut(RowTangents<'_, F>, WeightTangents<'_, F>),
        mut grad: Option<&mut [F]>,
        out: &mut [F],
        ws: &mut Workspace<F>,
    ) {
        self.check(theta, obs, actions, tape, weights);
        assert_eq!([direction.len(), out.len()], [self.n_params(); 2], "direction and HVP");
        self.row_tangents(theta, direction, obs, actions, tape, ws);
        let [w, e, u] = &mut ws.weight_tangents;
        let tangents = WeightTangents {
            log_prob: zeroed(w, tape.rows()),
            entropy: zeroed(e, tape.rows()),
            value: zeroed(u, tape.rows()),
        };
        let [log_prob, entropy, value] = &ws.row_tangents;
        tangent_weights(RowTangents { log_prob, entropy, value }, tangents);
        self.cotangents(theta, actions, tape, weights, grad.as_deref_mut(), ws);
        self.cotangent_tangents(theta, direction, actions, tape, weights, out, ws);
        self.network_reverse(theta, direction, obs, tape, grad, out, ws);
    }

    /// Fills `ws.cotangents[0]` with d(objective)/d(outputs) `[rows, outputs]`; adds the log-std gradient to `out`.
    fn cotangents<F: Real>(
        &self,
        theta: &[F],
        actions: &Actions<F>,
        tape: &Tape<F>,
        weights: &Weights<'_, F>,
        out: Option<&mut [F]>,
        ws: &mut Workspace<F>,
    ) {
        let (width, n) = (tape.output_width(), self.action_outputs());
        let Workspace { cotangents: [cotangents, _], head: [p, log_p], .. } = ws;
        let d = sized(cotangents, tape.rows() * width);
        match (self, actions) {
            (Policy::Gaussian(gaussian), Actions::Continuous { values, .. }) => {
                for j in 0..n {
                    let coordinate = gaussian.coordinate(theta, j);
                    for r in 0..tape.rows() {
                        let z = values[r * n + j] - tape.output()[r * width + j];
                        d[r * width + j] = weights.log_prob[r] * coordinate.score(z)[0];
                    }
                }
                if let Some(out) = out {
                    gaussian.add_log_std(theta, tape, values, weights, out);
                }
            }
            (_, Actions::Discrete(indices)) => {
                self.logits(tape).softmax(p, log_p);
                for (r, d) in d.chunks_exact_mut(width.max(1)).enumerate() {
                    let row = Row { p: &p[r * n..][..n], log_p: &log_p[r * n..][..n], action: indices[r] };
                    row.cotangent(weights.log_prob[r], weights.entropy.map(|e| e[r]), &mut d[..n]);
                }
            }
            _ => unreachable!("checked"),
        }
        if width > n {
            fill_column(d, width, weights.value);
        }
    }

    /// Output tangents into `ws.tangents`, then `ws.row_tangents`: log-probability, entropy, value.
    fn row_tangents<F: Real>(
        &self,
        theta: &[F],
        direction: &[F],
        obs: &[F],
        actions: &Actions<F>,
        tape: &Tape<F>,
        ws: &mut Workspace<F>,
    ) {
        self.network_jvp(theta, direction, obs, tape, ws);
        let (width, n) = (tape.output_width(), self.action_outputs());
        let Workspace { tangents, head: [p, log_p], row_tangents, .. } = ws;
        let y_dot = tangents.output();
        let [l_dot, h_dot, v_dot] = row_tangents.each_mut().map(|b| zeroed(b, tape.rows()));
        match (self, actions) {
            (Policy::Gaussian(gaussian), Actions::Continuous { values, .. }) => {
                for j in 0..n {
                    let coordinate = gaussian.coordinate(theta, j);
                    let s = coordinate.log_std_tangent(direction[gaussian.trunk.mlp.n_params() + j]);
                    h_dot.iter_mut().for_each(|h| *h += s);
                    for r in 0..tape.rows() {
                        let [mean, log_std] = coordinate.score(values[r * n + j] - tape.output()[r * width + j]);
                        l_dot[r] += mean * y_dot[r * width + j] + log_std * s;
                    }
                }
            }
            (_, Actions::Discrete(indices)) => {
                self.logits(tape).softmax(p, log_p);
                for r in 0..tape.rows() {
                    let row = Row { p: &p[r * n..][..n], log_p: &log_p[r * n..][..n], action: indices[r] };
                    [l_dot[r], h_dot[r]] = row.tangent(&y_dot[r * width..][..n]);
                }
            }
            _ => panic!("actions of the other kind"),
        }
        if width > n {
            v_dot.iter_mut().zip(y_dot.iter().skip(n).step_by(width)).for_each(|(v, y)| *v = *y);
        }
    }

    /// Fills `ws.cotangents[1]` with the tangents of the cotangents; adds the log-std part of the HVP to `out`.
    fn cotangent_tangents<F: Real>(
        &self,
        theta: &[F],
        direction: &[F],
        actions: &Actions<F>,
        tape: &Tape<F>,
        weights: &Weights<'_, F>,
        out: &mut [F],
        ws: &mut Workspace<F>,
    ) {
        let (width, n) = (tape.output_width(), self.action_outputs());
        let Workspace { cotangents: [_, cotangents], head: [p, log_p], weight_tangents, tangents, .. } = ws;
        let [w_dot, e_dot, u_dot] = weight_tangents;
        let d_dot = sized(cotangents, tape.rows() * width);
        let y_dot = tangents.output();
        match (self, actions) {
            (Policy::Gaussian(gaussian), Actions::Continuous { values, .. }) => {
                for j in 0..n {
                    let coordinate = gaussian.coordinate(theta, j);
                    let parameter = gaussian.trunk.mlp.n_params() + j;
                    let s = coordinate.log_std_tangent(direction[parameter]);
                    let mut sum = F::zero();
                    for r in 0..tape.rows() {
                        let z = values[r * n + j] - tape.output()[r * width + j];
                        let [mean, log_std] = coordinate.score(z);
                        let [mean_dot, log_std_dot] = coordinate.score_tangent(z, y_dot[r * width + j], s);
                        d_dot[r * width + j] = weights.log_prob[r] * mean_dot + w_dot[r] * mean;
                        sum += weights.log_prob[r] * log_std_dot + w_dot[r] * log_std;
                    }
                    if weights.entropy.is_some() {
                        sum += e_dot.iter().copied().sum();
                    }
                    out[parameter] += coordinate.log_std_tangent(sum);
                }
            }
            (_, Actions::Discrete(indices)) => {
                for (r, d_dot) in d_dot.chunks_exact_mut(width.max(1)).enumerate() {
                    let row = Row { p: &p[r * n..][..n], log_p: &log_p[r * n..][..n], action: indices[r] };
                    let w = [weights.log_prob[r], w_dot[r]];
                    let e = weights.entropy.map(|e| [e[r], e_dot[r]]);
                    row.cotangent_tangent(&y_dot[r * width..][..n], w, e, &mut d_dot[..n]);
                }
            }
            _ => unreachable!("checked"),
        }
        if width > n {
            fill_column(d_dot, width, weights.value.map(|_| u_dot.as_slice()));
        }
    }

    fn check<F: Real>(&self, theta: &[F], obs: &[F], actions: &Actions<F>, tape: &Tape<F>, weights: &Weights<'_, F>) {
        let rows = tape.rows();
        assert_eq!(theta.len(), self.n_params(), "parameters");
        assert_eq!(obs.len(), rows * self.obs_width(), "encoded observations of all rows of the tape");
        assert_eq!(actions.len(), rows, "one action per row of the tape");
        let continuous = matches!(actions, Actions::Continuous { .. });
        assert_eq!(continuous, matches!(self, Policy::Gaussian(_)), "actions of the other kind");
        assert_eq!(weights.log_prob.len(), rows, "log-probability weights");
        assert!(weights.entropy.is_none_or(|e| e.len() == rows), "entropy weights");
        assert!(weights.value.is_none_or(|u| u.len() == rows && self.has_value()), "value weights need a value head");
    }
}

impl MlpGaussian {
    /// Adds the gradient with respect to the log-std parameters.
    fn add_log_std<F: Real>(&self, theta: &[F], tape: &Tape<F>, values: &[F], weights: &Weights<'_, F>, out: &mut [F]) {
        let width = tape.output_width();
        for j in 0..self.width {
            let coordinate = self.coordinate(theta, j);
            let mut sum: F = weights.entropy.map_or(F::zero(), |e| e.iter().copied().sum());
            for (r, w) in weights.log_prob.iter().enumerate() {
                sum += *w * coordinate.score(values[r * self.width + j] - tape.output()[r * width + j])[1];
            }
            out[self.trunk.mlp.n_params() + j] += coordinate.log_std_tangent(sum);
        }
    }
}

/// Sets the last column of rows of `width` numbers; zeros where nothing is given.
fn fill_column<F: Real>(rows: &mut [F], width: usize, column: Option<&[F]>) {
    for (r, row) in rows.chunks_exact_mut(width).enumerate() {
        row[width - 1] = column.map_or(F::zero(), |column| column[r]);
    }
}
