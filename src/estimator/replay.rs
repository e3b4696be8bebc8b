//! The adaptation repeated at other parameters on the data it already has, and products with its Jacobian.

use super::choice::InnerSurrogate;
use super::inner::{InnerStep, adapt};
use super::kstep::through_steps;
use crate::batch::Batch;
use crate::diff::{Tape, Workspace};
use crate::math::real::Real;
use crate::policy::{Policy, Weights};

/// One inner step at fixed data, wherever it is looked at: the surrogate's gradient there has these weights.
#[derive(Clone, Copy)]
pub struct At<'a, F> {
    /// Parameters before the step.
    pub theta: &'a [F],
    /// The inner batch.
    pub batch: &'a Batch<F>,
    /// Forward passes of the batch at `theta`.
    pub tape: &'a Tape<F>,
    /// Weights of the scores at `theta`.
    pub weights: &'a [F],
}

impl<F> InnerStep<F> {
    /// This step where it was taken.
    pub fn at(&self) -> At<'_, F> {
        At { theta: &self.theta, batch: &self.batch, tape: &self.tape, weights: &self.weights }
    }
}

/// The adaptation `theta_{t+1} = theta_t + alpha * g_t(theta_t)` from other parameters, `g_t` the gradient of the surrogate on the
/// inner batch D_t that was drawn at the old ones.
pub struct Replay<'a, F> {
    inner: &'a [InnerStep<F>],
    /// Parameters before each step, and the adapted ones last: zeta + 1 vectors.
    pub thetas: Vec<Vec<F>>,
    tapes: Vec<Tape<F>>,
    weights: Vec<Vec<F>>,
}

impl<'a, F: Real> Replay<'a, F> {
    /// Repeats the steps `inner` from `theta`; costs one gradient for each.
    ///
    /// At the parameters that the steps were taken at it repeats them exactly. `alpha` is the per-parameter inner step.
    pub fn new(
        policy: &Policy,
        surrogate: InnerSurrogate,
        alpha: &[F],
        inner: &'a [InnerStep<F>],
        theta: &[F],
        ws: &mut Workspace<F>,
    ) -> Replay<'a, F> {
        let mut replay = Replay { inner, thetas: vec![theta.to_vec()], tapes: Vec::new(), weights: Vec::new() };
        for (t, step) in inner.iter().enumerate() {
            let theta = &replay.thetas[t];
            let mut tape = Tape::default();
            policy.forward(theta, &step.batch.obs, step.batch.steps(), &mut tape);
            let mut weights = step.weights.clone();
            if surrogate == InnerSurrogate::Ratio {
                let ratios = log_ratios(policy, [&step.theta, theta], &step.batch, [&step.tape, &tape]);
                weights.iter_mut().zip(ratios).for_each(|(w, l)| *w *= F::of(l.exp()));
            }
            let mut gradient = vec![F::zero(); theta.len()];
            let terms = Weights::log_prob(&weights);
            policy.grad(theta, &step.batch.obs, &step.batch.actions, &tape, &terms, &mut gradient, ws);
            replay.thetas.push(adapt(theta, alpha, &gradient));
            replay.tapes.push(tape);
            replay.weights.push(weights);
        }
        replay
    }

    /// Adapted parameters.
    pub fn phi(&self) -> &[F] {
        &self.thetas[self.inner.len()]
    }

    /// Forward passes of inner batch `t` at `thetas[t]`.
    pub fn tape(&self, t: usize) -> &Tape<F> {
        &self.tapes[t]
    }

    /// The repeated steps, for products with the Jacobian.
    pub fn steps(&self) -> Vec<At<'_, F>> {
        let at = |(t, step): (usize, &'a InnerStep<F>)| At {
            theta: &self.thetas[t],
            batch: &step.batch,
            tape: &self.tapes[t],
            weights: &self.weights[t],
        };
        self.inner.iter().enumerate().map(at).collect()
    }
}

/// `log pi_new(a_i | s_i) - log pi_old(a_i | s_i)` for every row of `batch`; parameters and tapes are `[old, new]`.
pub fn log_ratios<F: Real>(policy: &Policy, theta: [&[F]; 2], batch: &Batch<F>, tapes: [&Tape<F>; 2]) -> Vec<f64> {
    let [old, new] = [0, 1].map(|k| {
        let mut out = Vec::new();
        policy.log_prob(theta[k], tapes[k], &batch.actions, &mut out);
        out
    });
    new.iter().zip(&old).map(|(a, b)| a.f64() - b.f64()).collect()
}

/// Hessian of the surrogate at a step times `direction`: zero if only first order is wanted.
fn curvature<F: Real>(
    policy: &Policy,
    surrogate: InnerSurrogate,
    step: &At<'_, F>,
    direction: &[F],
    ws: &mut Workspace<F>,
) -> Vec<F> {
    let mut out = vec![F::zero(); direction.len()];
    if surrogate == InnerSurrogate::FirstOrder {
        return out;
    }
    let At { theta, batch, tape, weights } = *step;
    let mut moving = |tangent: &[F], w_dot: &mut [F]| {
        if surrogate == InnerSurrogate::Ratio {
            w_dot.iter_mut().zip(tangent).zip(weights).for_each(|((o, &l), &w)| *o = w * l);
        }
    };
    policy.hvp(theta, direction, &batch.obs, &batch.actions, tape, weights, &mut moving, &mut out, ws);
    out
}

/// `v <- M v` with `M = d phi / d theta` of the adaptation at fixed data: `v_{t+1} = v_t + alpha * (H_t v_t)`.
pub fn push_forward<F: Real>(
    policy: &Policy,
    surrogate: InnerSurrogate,
    alpha: &[F],
    steps: &[At<'_, F>],
    v: &mut [F],
    ws: &mut Workspace<F>,
) {
    for step in steps {
        let h = curvature(policy, surrogate, step, v, ws);
        v.iter_mut().zip(alpha).zip(h).for_each(|((v, &a), h)| *v += a * h);
    }
}

/// `v <- M^T v`, with `between(t, v)` called after step `t` has been passed (`v` is then a cotangent of `theta_t`).
pub fn pull_back<F: Real>(
    policy: &Policy,
    surrogate: InnerSurrogate,
    alpha: &[F],
    steps: &[At<'_, F>],
    v: &mut [F],
    ws: &mut Workspace<F>,
    mut between: impl FnMut(usize, &mut [F], &mut Workspace<F>),
) {
    through_steps(alpha, steps.len(), v, |t, direction, v| {
        let h = curvature(policy, surrogate, &steps[t], direction, ws);
        v.iter_mut().zip(h).for_each(|(v, h)| *v += h);
        between(t, v, ws);
    });
}
