//! Gradients and Hessian–vector products of weighted sums of log-probabilities, entropies and values.
//!
//! Everything reduces to cotangents of the network's outputs (and of the log standard deviations), one row at a time, and one
//! reverse pass of the network; a Hessian–vector product carries the tangents of both along.

use super::head::{Categorical, RowWeights};
use super::{Policy, Weights};
use crate::batch::Actions;
use crate::diff::{Tape, Workspace};
use crate::math::real::Real;

/// Tangents of every row along a parameter direction.
#[derive(Clone, Copy, Debug)]
pub struct RowTangents<'a, F> {
    /// d log pi / d epsilon.
    pub log_prob: &'a [F],
    /// d H / d epsilon.
    pub entropy: &'a [F],
    /// d V / d epsilon (empty without a value head).
    pub value: &'a [F],
}

/// Tangents of the weights, to be filled in by the caller; zero at first.
#[derive(Debug)]
pub struct WeightTangents<'a, F> {
    /// Of the log-probabilities' weights.
    pub log_prob: &'a mut [F],
    /// Of the entropies' weights.
    pub entropy: &'a mut [F],
    /// Of the values' weights.
    pub value: &'a mut [F],
}

/// Buffers of one derivative, borrowed from the workspace for its duration.
struct Buffers<F> {
    d: Vec<F>,
    d_dot: Vec<F>,
    z_dot: Vec<F>,
    scratch: Vec<F>,
    tangents: [Vec<F>; 3],
    weight_tangents: [Vec<F>; 3],
}

impl<F: Real> Buffers<F> {
    fn take(ws: &mut Workspace<F>) -> Buffers<F> {
        let [d, d_dot] = std::mem::take(&mut ws.cotangents);
        let [z_dot, scratch] = std::mem::take(&mut ws.head);
        Buffers {
            d,
            d_dot,
            z_dot,
            scratch,
            tangents: std::mem::take(&mut ws.row_tangents),
            weight_tangents: std::mem::take(&mut ws.weight_tangents),
        }
    }

    fn give_back(self, ws: &mut Workspace<F>) {
        ws.cotangents = [self.d, self.d_dot];
        ws.head = [self.z_dot, self.scratch];
        ws.row_tangents = self.tangents;
        ws.weight_tangents = self.weight_tangents;
    }
}

fn zeroed<F: Real>(buffer: &mut Vec<F>, len: usize) {
    buffer.clear();
    buffer.resize(len, F::zero());
}

fn at<F: Real>(weights: Option<&[F]>, row: usize) -> F {
    weights.map_or(F::zero(), |w| w[row])
}

/// Inverse variance and whether the gradient of the log standard deviation flows, per action coordinate.
fn scales<F: Real>(policy: &Policy, theta: &[F]) -> Vec<(F, bool)> {
    let scale = |i| {
        let (log_std, flows) = policy.log_std(theta, i);
        ((-(log_std + log_std)).exp(), flows)
    };
    (0..policy.head_width()).map(scale).collect()
}

impl Policy {
    /// Adds `sum_i w_i grad log pi_i + e_i grad H_i + u_i grad V_i` to `out`.
    ///
    /// `tape` holds the forward passes of `obs` at `theta`; `actions` and the weights have one entry per row.
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
        let mut b = Buffers::take(ws);
        zeroed(&mut b.d, tape.output().len());
        self.cotangents(theta, actions, tape, weights, &mut b, out);
        self.reverse(theta, obs, tape, &b.d, out, ws);
        b.give_back(ws);
    }

    /// Adds `sum_i w_i grad log pi_i` to `out[m]` for each weight vector `w = weights[m]`; the cotangents travel down once.
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
        let Some(trunk) = self.trunk() else {
            for (w, out) in weights.iter().zip(out) {
                self.grad(theta, obs, actions, tape, &Weights { log_prob: w, entropy: None, value: None }, out, ws);
            }
            return;
        };
        let n = trunk.mlp.n_params();
        let mut b = Buffers::take(ws);
        zeroed(&mut b.d, tape.output().len());
        let ones = vec![F::one(); tape.rows()];
        let unit = Weights { log_prob: &ones, entropy: None, value: None };
        self.cotangents(theta, actions, tape, &unit, &mut b, &mut vec![F::zero(); theta.len()]);
        if let Actions::Continuous { values, width } = actions {
            let scales = scales(self, theta);
            for (w, out) in weights.iter().zip(out.iter_mut()) {
                for (row, &w) in w.iter().enumerate() {
                    for i in 0..*width {
                        let e = values[row * width + i] - tape.output_row(row)[i];
                        if scales[i].1 {
                            out[n + i] += w * (e * e * scales[i].0 - F::one());
                        }
                    }
                }
            }
        }
        let mut network: Vec<Vec<F>> = out.iter().map(|out| out[..n].to_vec()).collect();
        trunk.mlp.vjp_many(&theta[..n], obs, tape, &b.d, weights, &mut network, ws);
        for (out, network) in out.iter_mut().zip(&network) {
            out[..n].copy_from_slice(network);
        }
        b.give_back(ws);
    }

    /// Adds `sum_i [w_i hess(log pi_i) v + w_dot_i grad(log pi_i)]` to `out`, in one reverse pass.
    ///
    /// `tangent_weights(l_dot, w_dot)` is shown `l_dot_i = d log pi_i / d epsilon` along the direction v and fills in `w_dot`
    /// (zero at first): zeros give the plain Hessian–vector product; anything else adds a sum of scores at no extra cost.
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
        let weights = Weights { log_prob: weights, entropy: None, value: None };
        let mut fill = |rows: RowTangents<'_, F>, w: WeightTangents<'_, F>| tangent_weights(rows.log_prob, w.log_prob);
        self.grad_hvp(theta, direction, obs, actions, tape, &weights, &mut fill, None, out, ws);
    }

    /// Gradient and Hessian–vector product of `sum_i w_i log pi_i + e_i H_i + u_i V_i` in one pass.
    ///
    /// Adds the gradient to `grad` (if asked for) and `d/d epsilon` of the gradient along `direction` to `hv`, where the weights
    /// move with the tangents that `tangent_weights` fills in. Same shapes as [`Policy::grad`].
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
        hv: &mut [F],
        ws: &mut Workspace<F>,
    ) {
        let mut b = Buffers::take(ws);
        self.output_tangents(theta, direction, obs, tape, &mut b.z_dot, ws);
        let rows = tape.rows();
        b.tangents.iter_mut().chain(&mut b.weight_tangents).for_each(|t| zeroed(t, rows));
        self.row_tangents(theta, direction, actions, tape, &mut b);
        let [log_prob, entropy, value] = &b.tangents;
        let [w_dot, e_dot, u_dot] = &mut b.weight_tangents;
        let value: &[F] = if self.has_value() { value } else { &[] };
        tangent_weights(
            RowTangents { log_prob, entropy, value },
            WeightTangents { log_prob: w_dot, entropy: e_dot, value: u_dot },
        );
        zeroed(&mut b.d, tape.output().len());
        zeroed(&mut b.d_dot, tape.output().len());
        let mut unused = Vec::new();
        let slopes: &mut [F] = match &mut grad {
            Some(grad) => grad,
            None => {
                unused.resize(theta.len(), F::zero());
                &mut unused
            }
        };
        self.cotangents(theta, actions, tape, weights, &mut b, slopes);
        self.cotangent_tangents(theta, direction, actions, tape, weights, &mut b, hv);
        match self.trunk() {
            None => {
                if let Some(grad) = grad {
                    self.reverse(theta, obs, tape, &b.d, grad, ws);
                }
                self.reverse(theta, obs, tape, &b.d_dot, hv, ws);
            }
            Some(trunk) => {
                let n = trunk.mlp.n_params();
                let grad = grad.map(|grad| &mut grad[..n]);
                let cotangents = [&b.d[..], &b.d_dot[..]];
                trunk.mlp.reverse_tangent(&theta[..n], &direction[..n], obs, tape, cotangents, grad, &mut hv[..n], ws);
            }
        }
        b.give_back(ws);
    }

    /// Carries output cotangents to the parameters behind them: network weights or table rows.
    fn reverse<F: Real>(&self, theta: &[F], obs: &[F], tape: &Tape<F>, d: &[F], out: &mut [F], ws: &mut Workspace<F>) {
        match (self, self.trunk()) {
            (Policy::Tabular(p), _) => {
                for (d, s) in d.chunks_exact(p.actions).zip(obs) {
                    let row = &mut out[s.f64() as usize * p.actions..][..p.actions];
                    row.iter_mut().zip(d).for_each(|(o, &d)| *o += d);
                }
            }
            (_, Some(trunk)) => {
                let n = trunk.mlp.n_params();
                trunk.mlp.vjp(&theta[..n], obs, tape, d, &mut out[..n], ws);
            }
            (_, None) => unreachable!("only tables have no network"),
        }
    }

    /// Tangents of the outputs along `direction`, `[rows, outputs]`.
    fn output_tangents<F: Real>(
        &self,
        theta: &[F],
        direction: &[F],
        obs: &[F],
        tape: &Tape<F>,
        z_dot: &mut Vec<F>,
        ws: &mut Workspace<F>,
    ) {
        z_dot.clear();
        match self.trunk() {
            None => {
                let k = self.head_width();
                obs.iter().for_each(|s| z_dot.extend_from_slice(&direction[s.f64() as usize * k..][..k]));
            }
            Some(trunk) => {
                let n = trunk.mlp.n_params();
                z_dot.extend_from_slice(trunk.mlp.jvp(&theta[..n], &direction[..n], obs, tape, ws));
            }
        }
    }

    /// Tangents of log-probability, entropy and value of every row.
    fn row_tangents<F: Real>(
        &self,
        theta: &[F],
        direction: &[F],
        actions: &Actions<F>,
        tape: &Tape<F>,
        b: &mut Buffers<F>,
    ) {
        let (k, outputs, n) = (self.head_width(), tape.output_width(), self.network_params());
        let [log_prob, entropy, value] = &mut b.tangents;
        match actions {
            Actions::Discrete(taken) => {
                b.scratch.resize(2 * k, F::zero());
                for (row, z_dot) in b.z_dot.chunks_exact(outputs).enumerate() {
                    let z = &tape.output_row(row)[..k];
                    let row_head = Categorical::new(z, taken[row] as usize, &mut b.scratch);
                    [log_prob[row], entropy[row]] = row_head.tangents(&z_dot[..k]);
                }
            }
            Actions::Continuous { values, .. } => {
                let scales = scales(self, theta);
                let flow = |i: usize| if scales[i].1 { direction[n + i] } else { F::zero() };
                let s_dot: Vec<F> = (0..k).map(flow).collect();
                entropy.fill(s_dot.iter().copied().sum());
                for (row, z_dot) in b.z_dot.chunks_exact(outputs).enumerate() {
                    let (z, action) = (tape.output_row(row), &values[row * k..(row + 1) * k]);
                    log_prob[row] = (0..k)
                        .map(|i| {
                            let e = action[i] - z[i];
                            e * scales[i].0 * z_dot[i] + (e * e * scales[i].0 - F::one()) * s_dot[i]
                        })
                        .sum();
                }
            }
        }
        if self.has_value() {
            value.iter_mut().zip(b.z_dot.chunks_exact(outputs)).for_each(|(v, z_dot)| *v = z_dot[k]);
        }
    }

    /// Fills `b.d` with the weighted cotangents of the outputs and adds the gradient of the log standard deviations to `out`.
    fn cotangents<F: Real>(
        &self,
        theta: &[F],
        actions: &Actions<F>,
        tape: &Tape<F>,
        weights: &Weights<'_, F>,
        b: &mut Buffers<F>,
        out: &mut [F],
    ) {
        let (k, outputs, n) = (self.head_width(), tape.output_width(), self.network_params());
        assert_eq!(weights.log_prob.len(), tape.rows(), "one weight per row");
        assert!(weights.value.is_none() || self.has_value(), "weights on values need a value head");
        match actions {
            Actions::Discrete(taken) => {
                b.scratch.resize(2 * k, F::zero());
                for (row, d) in b.d.chunks_exact_mut(outputs).enumerate() {
                    let row_head = Categorical::new(&tape.output_row(row)[..k], taken[row] as usize, &mut b.scratch);
                    let (w, e) = (weights.log_prob[row], at(weights.entropy, row));
                    let w = RowWeights { log_prob: [w, F::zero()], entropy: [e, F::zero()] };
                    row_head.cotangent(&w, &mut d[..k]);
                }
            }
            Actions::Continuous { values, .. } => {
                let scales = scales(self, theta);
                for (row, d) in b.d.chunks_exact_mut(outputs).enumerate() {
                    let (z, action) = (tape.output_row(row), &values[row * k..(row + 1) * k]);
                    let (w, h) = (weights.log_prob[row], at(weights.entropy, row));
                    for i in 0..k {
                        let (inverse, flows) = scales[i];
                        let e = action[i] - z[i];
                        d[i] = w * e * inverse;
                        if flows {
                            out[n + i] += w * (e * e * inverse - F::one()) + h;
                        }
                    }
                }
            }
        }
        if let Some(value) = weights.value {
            b.d.chunks_exact_mut(outputs).zip(value).for_each(|(d, &u)| d[k] = u);
        }
    }

    /// Fills `b.d_dot` with the tangents of the weighted cotangents and adds those of the log standard deviations to `hv`.
    fn cotangent_tangents<F: Real>(
        &self,
        theta: &[F],
        direction: &[F],
        actions: &Actions<F>,
        tape: &Tape<F>,
        weights: &Weights<'_, F>,
        b: &mut Buffers<F>,
        hv: &mut [F],
    ) {
        let (k, outputs, n) = (self.head_width(), tape.output_width(), self.network_params());
        let [w_dot, e_dot, u_dot] = &b.weight_tangents;
        let rows = b.d_dot.chunks_exact_mut(outputs).zip(b.z_dot.chunks_exact(outputs)).enumerate();
        match actions {
            Actions::Discrete(taken) => {
                for (row, (d_dot, z_dot)) in rows {
                    let row_head = Categorical::new(&tape.output_row(row)[..k], taken[row] as usize, &mut b.scratch);
                    let w = RowWeights {
                        log_prob: [weights.log_prob[row], w_dot[row]],
                        entropy: [at(weights.entropy, row), e_dot[row]],
                    };
                    row_head.cotangent_tangent(&w, &z_dot[..k], &mut d_dot[..k]);
                }
            }
            Actions::Continuous { values, .. } => {
                let (scales, two) = (scales(self, theta), F::of(2.0));
                for (row, (d_dot, z_dot)) in rows {
                    let (z, action) = (tape.output_row(row), &values[row * k..(row + 1) * k]);
                    let (w, w_dot) = (weights.log_prob[row], w_dot[row]);
                    for i in 0..k {
                        let (inverse, flows) = scales[i];
                        let s_dot = if flows { direction[n + i] } else { F::zero() };
                        let e = action[i] - z[i];
                        d_dot[i] = w_dot * e * inverse - w * inverse * (z_dot[i] + two * e * s_dot);
                        if flows {
                            let slope_dot = -two * e * inverse * (z_dot[i] + e * s_dot);
                            hv[n + i] += w_dot * (e * e * inverse - F::one()) + w * slope_dot + e_dot[row];
                        }
                    }
                }
            }
        }
        if self.has_value() {
            b.d_dot.chunks_exact_mut(outputs).zip(u_dot).for_each(|(d_dot, &u)| d_dot[k] = u);
        }
    }
}
