//! The optimisers' own Jacobians, exact: how parameters and moments after a step move with gradient and moments before it.
//!
//! Optimisers act on each coordinate alone, so a 3 x 3 matrix per coordinate says everything. [`Optimiser::push_forward`]
//! applies it to tangents, [`Optimiser::pull_back`] its transpose to cotangents; with zero moments' cotangents the latter is
//! the diagonal D of specification metagrad-atari 2.3.

use super::{Optimiser, RmsPropDialect, State};
use crate::math::real::Real;
use std::ops::Range;

/// What of a step is differentiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Differential {
    /// Everything.
    Exact,
    /// Denominators (roots of mean squares, the clipping factor) count as constants.
    Frozen,
}

/// Tangents or cotangents of parameters and optimiser moments; moments that the optimiser lacks are empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Moving<F> {
    /// Of the parameters.
    pub theta: Vec<F>,
    /// Of the first moment.
    pub first: Vec<F>,
    /// Of the second moment.
    pub second: Vec<F>,
}

impl<F: Real> Moving<F> {
    /// These parameters' tangents (or cotangents), and zero for the moments of `state`.
    pub fn of(theta: Vec<F>, state: &State<F>) -> Moving<F> {
        Moving { theta, first: vec![F::zero(); state.first.len()], second: vec![F::zero(); state.second.len()] }
    }

    /// Makes everything zero.
    pub fn reset(&mut self) {
        for part in [&mut self.theta, &mut self.first, &mut self.second] {
            part.fill(F::zero());
        }
    }

    /// Multiplies everything.
    pub fn scale(&mut self, factor: F) {
        for part in [&mut self.theta, &mut self.first, &mut self.second] {
            part.iter_mut().for_each(|x| *x *= factor);
        }
    }
}

/// Derivatives of one coordinate's step: moments after by gradient and moment before, and the increment by gradient (moments
/// fixed) and by the moments after.
#[derive(Clone, Copy)]
struct Local<F> {
    first_by_gradient: F,
    first_by_first: F,
    second_by_gradient: F,
    second_by_second: F,
    by_gradient: F,
    by_first: F,
    by_second: F,
}

impl<F: Real> Local<F> {
    fn plain(by_gradient: F) -> Local<F> {
        let zero = F::zero();
        Local {
            first_by_gradient: zero,
            first_by_first: zero,
            second_by_gradient: zero,
            second_by_second: zero,
            by_gradient,
            by_first: zero,
            by_second: zero,
        }
    }
}

impl Optimiser {
    /// Local derivatives at gradient `g` and moments `[m, s]` before step number `k`.
    fn local<F: Real>(&self, k: f64, g: F, [m, s]: [F; 2], mode: Differential) -> Local<F> {
        let (two, one) = (F::of(2.0), F::one());
        let moving = if mode == Differential::Exact { one } else { F::zero() };
        // d sqrt(s) / d s; where s is 0, so is the gradient, and the products it enters vanish
        let half_inverse = |root: F| if root > F::zero() { moving / (two * root) } else { F::zero() };
        match *self {
            Optimiser::Sgd { beta } => Local::plain(F::of(beta)),
            Optimiser::Adam { beta, beta1, beta2, epsilon } => {
                let correction = (1.0 - beta2.powf(k)).sqrt();
                let (rate, eps) = (F::of(beta * correction / (1.0 - beta1.powf(k))), F::of(epsilon * correction));
                let (b1, b2) = (F::of(beta1), F::of(beta2));
                let (c1, c2) = (F::of(1.0 - beta1), F::of(1.0 - beta2));
                let (m, s) = (b1 * m + c1 * g, b2 * s + c2 * g * g);
                let root = s.sqrt();
                Local {
                    first_by_gradient: c1,
                    first_by_first: b1,
                    second_by_gradient: two * c2 * g,
                    second_by_second: b2,
                    by_gradient: F::zero(),
                    by_first: rate / (root + eps),
                    by_second: -rate * m / ((root + eps) * (root + eps)) * half_inverse(root),
                }
            }
            Optimiser::RmsProp { beta, decay, epsilon, dialect, .. } => {
                let (beta, eps) = (F::of(beta), F::of(epsilon));
                let (decay, rest) = (F::of(decay), F::of(1.0 - decay));
                let s = decay * s + rest * g * g;
                let (by_gradient, by_second) = match dialect {
                    RmsPropDialect::TensorFlow => {
                        let d = beta / (s + eps).sqrt();
                        (d, -moving * g * d / (two * (s + eps)))
                    }
                    RmsPropDialect::PyTorch => {
                        let (root, d) = (s.sqrt(), beta / (s.sqrt() + eps));
                        (d, -g * d / (root + eps) * half_inverse(root))
                    }
                };
                Local {
                    second_by_gradient: two * rest * g,
                    second_by_second: decay,
                    by_second,
                    ..Local::plain(by_gradient)
                }
            }
        }
    }

    /// Multiplies `u` by the diagonal D of specification metagrad-atari 2.3: [`Optimiser::pull_back`] with zero cotangents of the
    /// moments after the step.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn scale<F: Real>(&self, before: &State<F>, gradient: &[F], mode: Differential, u: &mut [F]) {
        assert_eq!(u.len(), gradient.len(), "cotangents");
        match *self {
            Optimiser::Sgd { beta } => u.iter_mut().for_each(|u| *u *= F::of(beta)),
            Optimiser::Adam { .. } => {
                let k = (before.steps + 1) as f64;
                for (i, u) in u.iter_mut().enumerate() {
                    let l = self.local(k, gradient[i], moments(before, i), mode);
                    *u *= l.first_by_gradient * l.by_first + l.second_by_gradient * l.by_second + l.by_gradient;
                }
            }
            Optimiser::RmsProp { beta, decay, epsilon, dialect, .. } => {
                let (beta, eps, one) = (F::of(beta), F::of(epsilon), F::one());
                let (decay, rest) = (F::of(decay), F::of(1.0 - decay));
                let moving = if mode == Differential::Exact { one } else { F::zero() };
                for ((u, &g), &s) in u.iter_mut().zip(gradient).zip(&before.second) {
                    let part = rest * g * g;
                    let s = decay * s + part;
                    // where the mean square is 0, so is the gradient
                    let (scale, own) = match dialect {
                        RmsPropDialect::TensorFlow => (beta / (s + eps).sqrt(), part / (s + eps)),
                        RmsPropDialect::PyTorch => {
                            let root = s.sqrt();
                            let slope = root * (root + eps);
                            let slope = if slope > F::zero() { slope } else { one };
                            (beta / (root + eps), part / slope)
                        }
                    };
                    *u *= scale * (one - moving * own);
                }
            }
        }
    }

    /// P of some coordinates, the optimiser's scaling of a gradient under the moments `before` that gradient entered them: `g^T P g` is
    /// the preconditioned squared norm. Taken before the batch, it is independent of it. One for plain ascent. Source: specification
    /// metagrad-atari 4.1.
    ///
    /// # Panics
    /// If the state does not hold these coordinates.
    pub fn preconditioner<F: Real>(&self, before: &State<F>, coordinates: Range<usize>, p: &mut [f64]) {
        let k = before.steps.max(1) as f64;
        let correction = if let Optimiser::Adam { beta2, .. } = self { 1.0 / (1.0 - beta2.powf(k)) } else { 1.0 };
        match *self {
            Optimiser::Sgd { .. } => p.fill(1.0),
            Optimiser::RmsProp { epsilon, dialect: RmsPropDialect::TensorFlow, .. } => {
                p.iter_mut().zip(&before.second[coordinates]).for_each(|(p, s)| *p = 1.0 / (s.f64() + epsilon).sqrt());
            }
            Optimiser::Adam { epsilon, .. } | Optimiser::RmsProp { epsilon, dialect: RmsPropDialect::PyTorch, .. } => {
                p.iter_mut()
                    .zip(&before.second[coordinates])
                    .for_each(|(p, s)| *p = 1.0 / ((s.f64() * correction).sqrt() + epsilon));
            }
        }
    }

    /// Carries tangents through the step that starts from the moments `before` with `gradient`, whose own tangent is `along`:
    /// on return, `tangent` holds those of the parameters and moments after the step.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn push_forward<F: Real>(
        &self,
        before: &State<F>,
        gradient: &[F],
        along: &[F],
        mode: Differential,
        tangent: &mut Moving<F>,
    ) {
        assert_eq!([along.len(), tangent.theta.len()], [gradient.len(); 2], "tangents");
        let k = (before.steps + 1) as f64;
        for i in 0..gradient.len() {
            let local = self.local(k, gradient[i], moments(before, i), mode);
            let mut step = local.by_gradient * along[i];
            if let Some(m) = tangent.first.get_mut(i) {
                *m = local.first_by_first * *m + local.first_by_gradient * along[i];
                step += local.by_first * *m;
            }
            if let Some(s) = tangent.second.get_mut(i) {
                *s = local.second_by_second * *s + local.second_by_gradient * along[i];
                step += local.by_second * *s;
            }
            tangent.theta[i] += step;
        }
    }

    /// Carries cotangents back through the same step: on entry `cotangent` is of the parameters and moments after it, on return
    /// of those before it (the parameters' as far as they do not act through the gradient); returns the gradient's.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn pull_back<F: Real>(
        &self,
        before: &State<F>,
        gradient: &[F],
        mode: Differential,
        cotangent: &mut Moving<F>,
    ) -> Vec<F> {
        assert_eq!(cotangent.theta.len(), gradient.len(), "cotangents");
        let k = (before.steps + 1) as f64;
        let mut out = Vec::with_capacity(gradient.len());
        for i in 0..gradient.len() {
            let local = self.local(k, gradient[i], moments(before, i), mode);
            let step = cotangent.theta[i];
            let mut bar = local.by_gradient * step;
            if let Some(m) = cotangent.first.get_mut(i) {
                let after = *m + local.by_first * step;
                bar += local.first_by_gradient * after;
                *m = local.first_by_first * after;
            }
            if let Some(s) = cotangent.second.get_mut(i) {
                let after = *s + local.by_second * step;
                bar += local.second_by_gradient * after;
                *s = local.second_by_second * after;
            }
            out.push(bar);
        }
        out
    }
}

fn moments<F: Real>(state: &State<F>, i: usize) -> [F; 2] {
    let at = |x: &[F]| x.get(i).copied().unwrap_or(F::zero());
    [at(&state.first), at(&state.second)]
}
