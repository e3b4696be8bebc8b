//! Meta-gradients of one step: derivatives of the inner gradient by every tunable, contracted with a direction of parameters.

use super::eta::{Eta, Tunable};
use super::objective::{Evaluation, Inner, Motion, Surrogate};
use super::unroll::Unroll;
use crate::diff::{Along, At, Gradient, Network};
use crate::math::real::Real;
use crate::policy::actor_critic::StepTangents;

/// `w . dg/deta_k` for each tunable k.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// Sum over trajectories, one number per tunable.
    pub total: Vec<f64>,
    /// Per trajectory b and tunable k, `[B][k]`: the groups of the gap's U-statistic.
    pub per_trajectory: Vec<Vec<f64>>,
}

impl Contribution {
    /// Sum over some trajectories: the part of one group of actors. With the outer directions of two halves, four such parts are
    /// what [`crate::math::groups::crossed`] takes.
    pub fn of_columns(&self, columns: std::ops::Range<usize>) -> Vec<f64> {
        let rows = &self.per_trajectory[columns];
        (0..self.total.len()).map(|k| rows.iter().map(|b| b[k]).sum()).collect()
    }
}

impl<N> Inner<'_, N> {
    /// Output tangents of the unroll's steps along a direction; the tape must be at `at`.
    pub(super) fn tangents<F: Real>(
        &self,
        at: At<'_, F, N::Obs>,
        along: Along<'_, F>,
        unroll: &Unroll<F, N::Obs>,
        evaluation: &Evaluation<F>,
        tape: &mut N::Tape,
    ) -> StepTangents<F>
    where
        N: Network<F>,
    {
        self.net.jvp(at, along, tape);
        self.heads.tangents(&evaluation.distribution, &unroll.actions, self.net.tangent(tape))
    }

    /// The JVP identity: `w . dg/deta_k = sum_i [ dw_i/deta_k lpdot_i + de/deta_k Hdot_i + du_i/deta_k vdot_i ]`, with dots along
    /// `direction` = w at the old parameters on the old batch. One forward-mode pass, whatever the number of tunables.
    ///
    /// With `w = C^T (D u)` ([`crate::optim::Rule::pull_back`]) this is `u . dtheta'/deta_k`, the meta-gradient for trace decay
    /// 0. `evaluation` is that of [`Inner::step`], and the tape must still be there. Derivatives through the conditioning of
    /// the network are not included (the paper stops them; see [`Inner::through_embedding`]).
    pub fn along<F: Real>(
        &self,
        at: At<'_, F, N::Obs>,
        unroll: &Unroll<F, N::Obs>,
        eta: &Eta,
        tunables: &[Tunable],
        evaluation: &Evaluation<F>,
        direction: &[F],
        tape: &mut N::Tape,
    ) -> Contribution
    where
        N: Network<F>,
    {
        let along = Along { theta: Some(direction), condition: None };
        self.net.jvp_rows(at, along, unroll.steps(), tape); // targets are constants: what is bootstrapped from does not matter
        let dots = self.heads.tangents(&evaluation.distribution, &unroll.actions, self.net.tangent(tape));
        self.contract(unroll, eta, tunables, evaluation, &dots)
    }

    /// Second half of [`Inner::along`]: contracts the weights' derivatives with output tangents.
    pub(super) fn contract<F: Real>(
        &self,
        unroll: &Unroll<F, N::Obs>,
        eta: &Eta,
        tunables: &[Tunable],
        evaluation: &Evaluation<F>,
        dots: &StepTangents<F>,
    ) -> Contribution
    where
        N: Network<F>,
    {
        let batch = unroll.batch;
        let mut per_trajectory = vec![vec![0.0; tunables.len()]; batch];
        for (k, tunable) in tunables.iter().enumerate() {
            let (weights, _) = self.objective.weights(eta, Some(*tunable), unroll, evaluation, None);
            let value = &weights.values[self.objective.critic];
            let v_dot = &dots.values[self.objective.critic];
            for i in 0..unroll.steps() {
                let policy = weights.log_prob[i].du * dots.log_prob[i] + weights.entropy.du * dots.entropy[i];
                per_trajectory[i % batch][k] += (policy + value[i].du * v_dot[i]).f64();
            }
        }
        let mut found = Contribution { total: vec![0.0; tunables.len()], per_trajectory };
        found.total = found.of_columns(0..batch);
        found
    }

    /// The extra derivative through the conditioning vector: `w . dg/dc_j` for each of its entries j, exact.
    ///
    /// The part at fixed targets is symmetric: one reverse pass over tangents along `direction` gives it for all j. The part
    /// through targets and importance ratios takes one forward-mode pass along each j. The tape must be at `at`; it is left
    /// with tangents along the last j. Source: specification metagrad-atari 2.4 (there by hyper-dual numbers; the same value).
    pub fn through_embedding<F: Real>(
        &self,
        at: At<'_, F, N::Obs>,
        unroll: &Unroll<F, N::Obs>,
        eta: &Eta,
        evaluation: &Evaluation<F>,
        direction: &[F],
        tape: &mut N::Tape,
    ) -> Vec<f64>
    where
        N: Network<F>,
    {
        let along = Along { theta: Some(direction), condition: None };
        let dots = self.tangents(at, along, unroll, evaluation, tape);
        let mut ignored = vec![F::zero(); at.theta.len()];
        let fixed = self.curvature(at, along, unroll, eta, evaluation, &dots, Surrogate::LogProb, &mut ignored, tape);
        let mut out: Vec<f64> = fixed.iter().map(|x| x.f64()).collect();
        for j in 0..at.condition.len() {
            let mut unit = vec![F::zero(); at.condition.len()];
            unit[j] = F::one();
            let along = Along { theta: None, condition: Some(&unit) };
            let by_condition = self.tangents(at, along, unroll, evaluation, tape);
            let weights = |targets: bool| {
                let motion = Motion { tangents: &by_condition, targets, surrogate: Surrogate::LogProb };
                self.objective.weights(eta, None, unroll, evaluation, Some(motion)).0
            };
            let (moving, fixed) = (weights(true), weights(false));
            for i in 0..unroll.steps() {
                out[j] += ((moving.log_prob[i].du - fixed.log_prob[i].du) * dots.log_prob[i]).f64();
            }
            for ((moving, fixed), v_dot) in moving.values.iter().zip(&fixed.values).zip(&dots.values) {
                for ((m, f), v) in moving.iter().zip(fixed).zip(v_dot) {
                    out[j] += ((m.du - f.du) * *v).f64();
                }
            }
        }
        out
    }

    /// Adds the Hessian of the objective at fixed targets, applied to the direction, to `out`; returns its part in the
    /// conditioning vector. `dots` are the tangents that the tape holds, along the same direction.
    pub(super) fn curvature<F: Real>(
        &self,
        at: At<'_, F, N::Obs>,
        along: Along<'_, F>,
        unroll: &Unroll<F, N::Obs>,
        eta: &Eta,
        evaluation: &Evaluation<F>,
        dots: &StepTangents<F>,
        surrogate: Surrogate,
        out: &mut [F],
        tape: &mut N::Tape,
    ) -> Vec<F>
    where
        N: Network<F>,
    {
        let motion = Motion { tangents: dots, targets: false, surrogate };
        self.gradient_tangent(at, along, unroll, eta, None, evaluation, motion, out, tape)
    }

    /// Adds the derivative of the gradient g along a direction of parameters, conditioning vector, and one meta-parameter.
    pub(super) fn gradient_tangent<F: Real>(
        &self,
        at: At<'_, F, N::Obs>,
        along: Along<'_, F>,
        unroll: &Unroll<F, N::Obs>,
        eta: &Eta,
        moving: Option<Tunable>,
        evaluation: &Evaluation<F>,
        motion: Motion<'_, F>,
        out: &mut [F],
        tape: &mut N::Tape,
    ) -> Vec<F>
    where
        N: Network<F>,
    {
        let (weights, _) = self.objective.weights(eta, moving, unroll, evaluation, Some(motion));
        let rows = self.net.output(tape).len() / self.heads.width();
        let d = self.heads.cotangents(&evaluation.distribution, &unroll.actions, &weights, rows);
        let y_dot = self.net.tangent(tape);
        let d_dot = self.heads.cotangent_tangents(&evaluation.distribution, &unroll.actions, &weights, y_dot);
        let mut condition = vec![F::zero(); at.condition.len()];
        let gradient = Gradient { theta: out, condition: &mut condition };
        self.net.vjp_tangent(at, along, [&d, &d_dot], gradient, tape);
        condition
    }
}
