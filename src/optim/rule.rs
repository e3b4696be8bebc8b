//! One update rule: clip the gradient's norm, then step; applied by every learner, with its differential.

use super::{Differential, Moving, Optimiser, State, clip};
use crate::math::real::{Real, inner_product};

/// Clipping and optimiser.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Optimiser; ascends.
    pub optimiser: Optimiser,
    /// Limit of the Euclidean norm of the gradient.
    pub clip: Option<f64>,
}

impl Rule {
    /// Clips `gradient` in place and takes one ascent step; returns the norm before clipping.
    pub fn apply<F: Real>(&self, state: &mut State<F>, gradient: &mut [F], theta: &mut [F]) -> f64 {
        let norm = match self.clip {
            Some(limit) => clip(gradient, limit),
            None => super::norm(gradient),
        };
        self.optimiser.ascend(state, gradient, theta);
        norm
    }

    fn clipped<F: Real>(&self, gradient: &[F]) -> Vec<F> {
        let mut used = gradient.to_vec();
        if let Some(limit) = self.clip {
            clip(&mut used, limit);
        }
        used
    }

    /// Cotangents through the whole rule: `w = C^T (D u)`, the cotangent of the **raw** `gradient`, for cotangents of parameters
    /// and moments after the step, which become those before it (see [`Optimiser::pull_back`]).
    pub fn pull_back<F: Real>(
        &self,
        before: &State<F>,
        gradient: &[F],
        mode: Differential,
        cotangent: &mut Moving<F>,
    ) -> Vec<F> {
        let mut w = self.optimiser.pull_back(before, &self.clipped(gradient), mode, cotangent);
        if let Some(limit) = self.clip {
            clip_differential(gradient, limit, mode, &mut w);
        }
        w
    }

    /// [`Rule::pull_back`] where the moments after the step have no cotangents (trace decay 0): `u` becomes `w = C^T (D u)` in place.
    /// `clipped` is the gradient as [`Rule::apply`] has left it.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn pull_back_in_place<F: Real>(
        &self,
        before: &State<F>,
        [gradient, clipped]: [&[F]; 2],
        mode: Differential,
        u: &mut [F],
    ) {
        self.optimiser.scale(before, clipped, mode, u);
        if let Some(limit) = self.clip {
            clip_differential(gradient, limit, mode, u);
        }
    }

    /// Tangents through the whole rule, for the **raw** `gradient` and its tangent `along` (see [`Optimiser::push_forward`]).
    pub fn push_forward<F: Real>(
        &self,
        before: &State<F>,
        gradient: &[F],
        mut along: Vec<F>,
        mode: Differential,
        tangent: &mut Moving<F>,
    ) {
        if let Some(limit) = self.clip {
            clip_differential(gradient, limit, mode, &mut along);
        }
        self.optimiser.push_forward(before, &self.clipped(gradient), &along, mode, tangent);
    }
}

/// Applies the Jacobian of norm clipping at `gradient` to `direction` in place; it is symmetric, so this is its transpose too.
///
/// With n = |g| above `limit`: `(limit / n) (w - g (g . w) / n^2)`, without the projection if frozen; else the identity.
/// Source: specification metagrad-atari 2.3.
pub fn clip_differential<F: Real>(gradient: &[F], limit: f64, mode: Differential, direction: &mut [F]) {
    let norm = super::norm(gradient);
    if norm <= limit {
        return;
    }
    let product = inner_product(gradient, direction);
    let along = if mode == Differential::Exact { F::of(product / (norm * norm)) } else { F::zero() };
    let scale = F::of(super::clip_factor(norm, limit));
    for (w, g) in direction.iter_mut().zip(gradient) {
        *w = scale * (*w - along * *g);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::RmsPropDialect;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const N: usize = 5;

    fn rules() -> Vec<Rule> {
        let rms = |dialect: RmsPropDialect| Optimiser::RmsProp {
            beta: 0.3,
            decay: 0.9,
            epsilon: 0.01,
            dialect,
            initial: dialect.initial(),
        };
        let all = [
            Optimiser::Sgd { beta: 0.3 },
            Optimiser::Adam { beta: 0.3, beta1: 0.8, beta2: 0.9, epsilon: 1e-3 },
            rms(RmsPropDialect::TensorFlow),
            rms(RmsPropDialect::PyTorch),
        ];
        all.iter().flat_map(|&optimiser| [None, Some(0.7)].map(|clip| Rule { optimiser, clip })).collect()
    }

    fn draw(rng: &mut ChaCha8Rng) -> Vec<f64> {
        (0..N).map(|_| rng.random::<f64>() - 0.5).collect()
    }

    /// Parameters and moments after one step, laid end to end.
    fn after(rule: &Rule, start: &[f64], gradient: &[f64], state: &State<f64>) -> Vec<f64> {
        let (mut theta, mut g, mut state) = (start.to_vec(), gradient.to_vec(), state.clone());
        rule.apply(&mut state, &mut g, &mut theta);
        [theta, state.first, state.second].concat()
    }

    fn add(a: &[f64], b: &[f64], h: f64) -> Vec<f64> {
        a.iter().zip(b).map(|(a, b)| a + h * b).collect()
    }

    #[test]
    fn differentials_are_those_of_the_step() {
        let rng = &mut ChaCha8Rng::seed_from_u64(1);
        for rule in rules() {
            let mut state = rule.optimiser.start::<f64>(N);
            state.second.iter_mut().for_each(|s| *s = 0.1 + rng.random::<f64>());
            state.steps = 3;
            let [theta, gradient, along] = [(); 3].map(|()| draw(rng));
            let gradient = add(&gradient, &gradient, 3.0); // longer than the limit
            let mut tangent = Moving::of(draw(rng), &state);
            tangent.first.iter_mut().chain(&mut tangent.second).for_each(|x| *x = rng.random::<f64>() - 0.5);
            let moved = |h: f64| {
                let mut state = state.clone();
                state.first = add(&state.first, &tangent.first, h);
                state.second = add(&state.second, &tangent.second, h);
                after(&rule, &add(&theta, &tangent.theta, h), &add(&gradient, &along, h), &state)
            };
            let h = 1e-6;
            let expected: Vec<f64> = moved(h).iter().zip(moved(-h)).map(|(a, b)| (a - b) / (2.0 * h)).collect();
            let before = tangent.clone();
            rule.push_forward(&state, &gradient, along.clone(), Differential::Exact, &mut tangent);
            let flat = |m: &Moving<f64>| [m.theta.clone(), m.first.clone(), m.second.clone()].concat();
            let worst = |a: &[f64]| a.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst(&flat(&tangent)) < 1e-8, "{rule:?}: {}", worst(&flat(&tangent)));
            let mut frozen = before.clone();
            rule.push_forward(&state, &gradient, along.clone(), Differential::Frozen, &mut frozen);
            let plain = rule == Rule { optimiser: Optimiser::Sgd { beta: 0.3 }, clip: None };
            assert_eq!(worst(&flat(&frozen)) < 1e-4, plain, "the control: {rule:?}");
            // the transpose: <out, J in> = <J^T out, in>
            let mut cotangent = Moving::of(draw(rng), &state);
            cotangent.first.iter_mut().chain(&mut cotangent.second).for_each(|x| *x = rng.random::<f64>() - 0.5);
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let forward = dot(&flat(&cotangent), &flat(&tangent));
            for mode in [Differential::Exact, Differential::Frozen] {
                let mut plain = Moving::of(cotangent.theta.clone(), &state);
                let expected = rule.pull_back(&state, &gradient, mode, &mut plain);
                let mut found = cotangent.theta.clone();
                rule.pull_back_in_place(&state, [&gradient, &rule.clipped(&gradient)], mode, &mut found);
                let error = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(error < 1e-15, "{rule:?} {mode:?}: {error}");
            }
            let bar = rule.pull_back(&state, &gradient, Differential::Exact, &mut cotangent);
            let reverse = dot(&flat(&cotangent), &flat(&before)) + dot(&bar, &along);
            assert!((forward - reverse).abs() < 1e-12, "{rule:?}: {forward} {reverse}");
        }
    }

    /// Frozen denominators: the step's own factor and nothing else.
    #[test]
    fn frozen_steps_keep_the_first_factor() {
        let dialect = RmsPropDialect::TensorFlow;
        let rms = Optimiser::RmsProp { beta: 0.3, decay: 0.9, epsilon: 0.01, dialect, initial: 1.0 };
        let rule = Rule { optimiser: rms, clip: Some(2.0) };
        let state = rms.start::<f64>(2);
        let mut cotangent = Moving::of(vec![1.0, -2.0], &state);
        let w = rule.pull_back(&state, &[3.0, 4.0], Differential::Frozen, &mut cotangent);
        for (w, (g, u)) in w.iter().zip([(1.2f64, 1.0), (1.6, -2.0)]) {
            let expected = 2.0 / 5.0 * 0.3 / (0.9 + 0.1 * g * g + 0.01).sqrt() * u;
            assert!((w - expected).abs() < 1e-14, "{w} {expected}");
        }
    }

    fn preconditioner(optimiser: Optimiser, state: &State<f64>) -> f64 {
        let mut p = [0.0];
        optimiser.preconditioner(state, 0..1, &mut p);
        p[0]
    }

    #[test]
    fn preconditioners_are_the_optimisers_scalings() {
        let rms = |dialect| Optimiser::RmsProp { beta: 1.0, decay: 0.5, epsilon: 0.5, dialect, initial: 4.0 };
        for (dialect, scaling) in [(RmsPropDialect::TensorFlow, 4.5f64.sqrt()), (RmsPropDialect::PyTorch, 2.5)] {
            let optimiser = rms(dialect);
            let found = preconditioner(optimiser, &optimiser.start::<f64>(1));
            assert!((found * scaling - 1.0).abs() < 1e-14, "{dialect:?}");
        }
        let adam = Optimiser::Adam { beta: 1.0, beta1: 0.9, beta2: 0.75, epsilon: 0.5 };
        let state = State { steps: 1, first: vec![0.0f64], second: vec![1.0] };
        assert!((preconditioner(adam, &state) - 1.0 / 2.5).abs() < 1e-14);
        let plain = Optimiser::Sgd { beta: 1.0 };
        assert_eq!(preconditioner(plain, &plain.start::<f64>(1)), 1.0);
    }

    /// Zero gradients from a fresh state: every derivative is finite (the known NaN of differentiable Adam).
    #[test]
    fn nothing_is_divided_by_zero() {
        for rule in rules() {
            let state = rule.optimiser.start::<f64>(N);
            let mut cotangent = Moving::of(vec![1.0; N], &state);
            let w = rule.pull_back(&state, &[0.0; N], Differential::Exact, &mut cotangent);
            assert!(w.iter().chain(&cotangent.first).chain(&cotangent.second).all(|x| x.is_finite()), "{rule:?}");
        }
    }
}
