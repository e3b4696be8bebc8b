//! What TRPO and ProMP compute of one task at fixed data: Fisher products through the adaptation, surrogates and divergences.

use super::choice::InnerSurrogate;
use super::meta::TaskSample;
use super::replay::{Replay, log_ratios, pull_back, push_forward};
use crate::diff::{Tape, Workspace};
use crate::math::real::Real;
use crate::policy::{Policy, Weights};

/// One task's data with the weights that its meta-gradient was made with; everything below is a function of it and theta.
pub struct TaskData<F> {
    /// Batches, and the parameters they were drawn at.
    pub sample: TaskSample<F>,
    /// Weights of the outer scores.
    pub weights: Vec<F>,
    /// Coefficients of the inner episodes' scores, for each inner step (the sampling term).
    pub coefficients: Vec<Vec<f64>>,
}

/// The map that is repeated: policy, inner surrogate and per-parameter inner step size.
#[derive(Clone, Copy)]
pub struct Adaptation<'a, F> {
    /// Policy.
    pub policy: &'a Policy,
    /// Inner surrogate.
    pub surrogate: InnerSurrogate,
    /// Inner step size per parameter.
    pub alpha: &'a [F],
}

/// How a task looks at other parameters than those its data were drawn at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// Increase of the surrogate whose gradient at the old parameters is the meta-gradient.
    pub improvement: f64,
    /// Mean `KL(pi_phi_old || pi_phi)` over the outer observations, nats.
    pub kl: f64,
    /// Mean over the inner steps of the mean `KL(pi_old_t || pi_theta_t)` over their observations, nats.
    pub inner_kl: f64,
    /// Fraction of the outer decisions whose ratio is further than `clip` from one.
    pub clipped: f64,
}

impl<F: Real> Adaptation<'_, F> {
    /// Repeats the adaptation of `task` from `theta` and passes the outer observations through the adapted policy.
    fn replay<'d>(&self, task: &'d TaskData<F>, theta: &[F], ws: &mut Workspace<F>) -> (Replay<'d, F>, Tape<F>) {
        let replay = Replay::new(self.policy, self.surrogate, self.alpha, &task.sample.inner, theta, ws);
        let mut tape = Tape::default();
        self.policy.forward(replay.phi(), &task.sample.outer.obs, task.sample.outer.steps(), &mut tape);
        (replay, tape)
    }

    /// `M^T F M v` of one task at the old parameters: the Hessian of the mean `KL(pi_phi_old || pi_phi(theta))` over the outer
    /// observations, times `v`.
    ///
    /// `F` is the exact Fisher matrix at the adapted parameters, `M` the Jacobian of the adaptation at fixed data. Exact: the
    /// second derivative of `phi` is multiplied by the gradient of the divergence, which is zero there. Costs zeta products
    /// forwards, one with `F` and zeta back.
    pub fn fisher_product(&self, task: &TaskData<F>, v: &[F], ws: &mut Workspace<F>) -> Vec<F> {
        let sample = &task.sample;
        let steps: Vec<_> = sample.inner.iter().map(|step| step.at()).collect();
        let mut forward = v.to_vec();
        push_forward(self.policy, self.surrogate, self.alpha, &steps, &mut forward, ws);
        let mut out = vec![F::zero(); v.len()];
        let weight = F::of(1.0 / sample.outer.steps().max(1) as f64);
        let outer = &sample.outer;
        self.policy.fisher_product(&sample.phi, &forward, &outer.obs, &sample.outer_tape, weight, &mut out, ws);
        pull_back(self.policy, self.surrogate, self.alpha, &steps, &mut out, ws, |_, _, _| {});
        out
    }

    /// The surrogate's improvement and the divergences at `theta`.
    ///
    /// Surrogate: `sum_i w_i pi_phi(a_i | s_i) / pi_phi_old(a_i | s_i)` over the outer decisions plus, for estimators with a sampling
    /// term, `sum_t sum_j c_tj log q(tau_tj; theta_t)` over the inner episodes. Its gradient at the old parameters is the
    /// meta-gradient (spec 1.10); the difference is summed with `exp(x) - 1`, so that small steps keep their digits.
    pub fn shift(&self, task: &TaskData<F>, theta: &[F], clip: f64, ws: &mut Workspace<F>) -> Shift {
        let (sample, policy) = (&task.sample, self.policy);
        let (replay, tape) = self.replay(task, theta, ws);
        let outer = &sample.outer;
        let ratios = log_ratios(policy, [&sample.phi, replay.phi()], outer, [&sample.outer_tape, &tape]);
        let mut improvement: f64 = task.weights.iter().zip(&ratios).map(|(w, l)| w.f64() * l.exp_m1()).sum();
        let mut inner_kl = 0.0;
        for (t, (step, c)) in sample.inner.iter().zip(&task.coefficients).enumerate() {
            let (thetas, tapes) = ([&step.theta[..], &replay.thetas[t]], [&step.tape, replay.tape(t)]);
            inner_kl += policy.mean_kl(thetas, tapes) / sample.inner.len() as f64;
            if c.iter().any(|&c| c != 0.0) {
                let ratios = log_ratios(policy, thetas, &step.batch, tapes);
                let episode = |e: usize| step.batch.episode(e).iter().map(|&row| ratios[row as usize]).sum::<f64>();
                improvement += c.iter().enumerate().map(|(e, c)| c * episode(e)).sum::<f64>();
            }
        }
        let outside = ratios.iter().filter(|l| l.exp_m1().abs() > clip).count();
        Shift {
            improvement,
            kl: policy.mean_kl([&sample.phi, replay.phi()], [&sample.outer_tape, &tape]),
            inner_kl,
            clipped: outside as f64 / ratios.len().max(1) as f64,
        }
    }

    /// Gradient at `theta` of ProMP's objective for one task (Rothfuss et al. 2019, algorithm 1):
    /// `sum_i min(r_i w_i, clip(r_i, 1 - clip, 1 + clip) w_i) - (inner_kl / zeta) sum_t KL(pi_old_t || pi_theta_t)`.
    ///
    /// `r_i = pi_phi(theta)(a_i | s_i) / pi_phi_old(a_i | s_i)` on the outer batch, the divergences are means over the observations of
    /// each inner batch. At the old parameters it is the plain gradient: every ratio is one and every divergence is flat.
    pub fn promp_gradient(
        &self,
        task: &TaskData<F>,
        theta: &[F],
        clip: f64,
        inner_kl: f64,
        ws: &mut Workspace<F>,
    ) -> Vec<F> {
        let (sample, policy) = (&task.sample, self.policy);
        let (replay, tape) = self.replay(task, theta, ws);
        let outer = &sample.outer;
        let ratios = log_ratios(policy, [&sample.phi, replay.phi()], outer, [&sample.outer_tape, &tape]);
        let weights: Vec<F> =
            task.weights.iter().zip(&ratios).map(|(&w, &l)| clipped_weight(w, l.exp(), clip)).collect();
        let mut v = vec![F::zero(); theta.len()];
        let terms = Weights::log_prob(&weights);
        policy.grad(replay.phi(), &outer.obs, &outer.actions, &tape, &terms, &mut v, ws);
        pull_back(policy, self.surrogate, self.alpha, &replay.steps(), &mut v, ws, |t, v, ws| {
            let step = &sample.inner[t];
            let weight = -inner_kl / (sample.inner.len() * step.batch.steps().max(1)) as f64;
            let (thetas, tapes) = ([&step.theta[..], &replay.thetas[t]], [&step.tape, replay.tape(t)]);
            policy.kl_grad(thetas, &step.batch.obs, tapes, F::of(weight), v, ws);
        });
        v
    }
}

/// Weight of a score under `min(r w, clip(r) w)`: `r w` where the unclipped term is the smaller, else 0.
fn clipped_weight<F: Real>(w: F, ratio: f64, clip: f64) -> F {
    let gone = if w > F::zero() { ratio > 1.0 + clip } else { ratio < 1.0 - clip };
    if gone { F::zero() } else { w * F::of(ratio) }
}
