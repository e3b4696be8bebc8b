//! The meta-gradient of one task: the outer gradient pulled back through every inner step, sampling term included.

use super::choice::{Estimator, Jacobian, LeaveGroupOutForm, Sampling};
use super::inner::{self, InnerStep, group};
use super::kstep::{add_curvature, through_steps};
use super::outer::OuterSummary;
use crate::batch::Batch;
use crate::diff::{Tape, Workspace};
use crate::math::advantage::Advantage;
use crate::math::real::Real;
use crate::math::returns::{Returns, mean};
use crate::policy::Policy;

/// One group of inner episodes left out (spec 1.8.1).
pub struct Omitted<F> {
    /// Parameters adapted without the group.
    pub phi: Vec<F>,
    /// The group's share of the outer episodes, run again under `phi` with the same random numbers (re-simulated form).
    pub resimulated: Option<Batch<F>>,
}

/// Everything sampled for one task; the estimators never sample.
pub struct TaskSample<F> {
    /// Inner steps t = 0..zeta in order.
    pub inner: Vec<InnerStep<F>>,
    /// Adapted parameters theta_zeta.
    pub phi: Vec<F>,
    /// Outer batch, drawn from the policy at `phi`.
    pub outer: Batch<F>,
    /// Forward passes of the outer batch at `phi`.
    pub outer_tape: Tape<F>,
    /// Groups left out, for [`Sampling::LeaveGroupOut`] only.
    pub omitted: Vec<Omitted<F>>,
}

/// What the other tasks of the meta-batch say (only [`Sampling::OtherTasks`] and the published E-MAML look).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetaBatch {
    /// Mean outer return of the *other* tasks; `None` with a single task.
    pub others: Option<f64>,
    /// Mean and standard deviation of all outer rewards of the meta-batch.
    pub reward: [f64; 2],
}

/// Meta-gradient of one task.
pub struct TaskGradient<F> {
    /// Estimate of the task's part of the gradient of V at theta.
    pub theta: Vec<F>,
    /// Estimate of the derivative with respect to the per-parameter inner step size (Meta-SGD).
    pub alpha: Vec<F>,
    /// Coefficient of every inner episode's score, for each inner step.
    pub coefficients: Vec<Vec<f64>>,
    /// Root mean square of the coefficients of the inner episodes' scores, over episodes and steps.
    pub sampling_coefficient: f64,
    /// Effective sample size of the importance weights as a fraction of the outer episodes, mean over groups.
    pub effective_sample_size: Option<f64>,
}

/// `[MetaBatch]` for every task from their summaries.
pub fn meta_batch<F>(summaries: &[&OuterSummary<F>]) -> Vec<MetaBatch> {
    let values: Vec<f64> = summaries.iter().map(|s| s.returns.mean()).collect();
    let total: f64 = values.iter().sum();
    let [sum, squares, count] =
        summaries.iter().fold([0.0; 3], |a, s| std::array::from_fn(|i| a[i] + s.reward_moments[i]));
    let centre = sum / count.max(1.0);
    let reward = [centre, (squares / count.max(1.0) - centre * centre).max(0.0).sqrt()];
    let others = |v: f64| (values.len() > 1).then(|| (total - v) / (values.len() - 1) as f64);
    values.iter().map(|&v| MetaBatch { others: others(v), reward }).collect()
}

/// Importance-weighted estimate of `J(phi) - J(omitted)`: `-sum_rows raw (W_h - W_{h-1})`, W the per-decision ratio of the
/// policy at `omitted` to the one at `phi` and W_{-1} = 1; and the effective sample size of the final ratios as a fraction.
///
/// Without an outer baseline this is `mean sum_h gamma^h r_h (1 - W_h)` (spec 1.8.1), summed by parts; a baseline adds terms
/// of mean zero, because `E[W_h | s_h, past] = W_{h-1}`.
fn importance_difference<F: Real>(
    policy: &Policy,
    sample: &TaskSample<F>,
    raw: &[f64],
    outer_log_prob: &[F],
    omitted: &[F],
    scratch: &mut (Tape<F>, Vec<F>),
) -> (f64, f64) {
    let outer = &sample.outer;
    let (tape, log_prob) = scratch;
    tape.clear();
    policy.forward(omitted, &outer.obs, outer.steps(), tape);
    log_prob.clear();
    policy.log_prob(omitted, tape, &outer.actions, log_prob);
    let (mut difference, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for e in 0..outer.episodes() {
        let (mut log_ratio, mut before) = (0.0, 1.0);
        for &row in outer.episode(e) {
            let row = row as usize;
            log_ratio += log_prob[row].f64() - outer_log_prob[row].f64();
            let ratio = f64::exp(log_ratio);
            difference -= raw[row] * (ratio - before);
            before = ratio;
        }
        sum += before;
        squares += before * before;
    }
    (difference, if squares > 0.0 { sum * sum / squares / outer.episodes() as f64 } else { 0.0 })
}

/// Coefficient of every inner episode's score under leave-group-out, and the mean effective sample size.
fn leave_group_out<F: Real>(
    policy: &Policy,
    sample: &TaskSample<F>,
    summary: &OuterSummary<F>,
    form: LeaveGroupOutForm,
    gamma: f64,
) -> (Vec<f64>, Option<f64>) {
    let (n, m, n_o) = (sample.inner[0].batch.episodes(), sample.omitted.len(), sample.outer.episodes());
    let mut outer_log_prob = Vec::new();
    if form == LeaveGroupOutForm::Importance {
        policy.log_prob(&sample.phi, &sample.outer_tape, &sample.outer.actions, &mut outer_log_prob);
    }
    let mut scratch = (Tape::default(), Vec::new());
    let (mut coefficients, mut ess) = (vec![0.0; n], 0.0);
    for (g, omitted) in sample.omitted.iter().enumerate() {
        let difference = match (form, &omitted.resimulated) {
            (LeaveGroupOutForm::Importance, _) => {
                let (d, e) =
                    importance_difference(policy, sample, &summary.raw, &outer_log_prob, &omitted.phi, &mut scratch);
                ess += e / m as f64;
                d
            }
            (LeaveGroupOutForm::Resimulated, Some(again)) => {
                mean(&summary.returns.0[group(g, m, n_o)]) - inner::returns_of(again, gamma).mean()
            }
            (LeaveGroupOutForm::Resimulated, None) => panic!("the re-simulated form needs the re-simulated episodes"),
        };
        coefficients[group(g, m, n)].fill(difference);
    }
    (coefficients, (form == LeaveGroupOutForm::Importance).then_some(ess))
}

/// Coefficient of each inner episode's score for inner step `t`: the one `match` that tells SG-MRL from MAML.
fn sampling_coefficients<F: Real>(
    policy: &Policy,
    estimator: &Estimator,
    sample: &TaskSample<F>,
    summary: &OuterSummary<F>,
    meta: &MetaBatch,
    gamma: f64,
    t: usize,
) -> (Vec<f64>, Option<f64>) {
    let batch = &sample.inner[t].batch;
    let n = batch.episodes();
    let value = summary.returns.mean();
    let constant = match estimator.sampling {
        Sampling::None => 0.0,
        Sampling::Score => value,
        Sampling::FirstBatch => {
            if t == 0 {
                value
            } else {
                0.0
            }
        }
        Sampling::MeanScore => value / batch.steps().max(1) as f64,
        Sampling::OtherTasks => value - meta.others.unwrap_or(0.0),
        Sampling::LeaveOneOut => return (leave_one_out(value, &inner::returns_of(batch, gamma)), None),
        Sampling::LeaveGroupOut { form, .. } => return leave_group_out(policy, sample, summary, form, gamma),
        Sampling::PublishedSgmrl => {
            if t == 0 {
                summary.mean_advantage
            } else {
                0.0
            }
        }
        Sampling::PublishedEmaml => {
            let [sum, _, count] = summary.reward_moments;
            let standardised = (sum / count.max(1.0) - meta.reward[0]) / (meta.reward[1] + 1e-8);
            if t == 0 { standardised / batch.steps().max(1) as f64 } else { 0.0 }
        }
    };
    (vec![constant; n], None)
}

/// `J - mean of the other inner episodes' returns`; plain `J` when there is no other.
fn leave_one_out(value: f64, inner: &Returns) -> Vec<f64> {
    let n = inner.0.len();
    let total: f64 = inner.0.iter().sum();
    inner.0.iter().map(|r| if n > 1 { value - (total - r) / (n - 1) as f64 } else { value }).collect()
}

/// Meta-gradient of one task, `A_zeta g + sum_t A_t sum_j c_tj grad log q(tau_tj)` (spec 1.6), by one pass back over the steps:
/// `v_zeta = g`, `v_t = M_t v_{t+1} + sum_j c_tj score_tj`.
///
/// With the identity Jacobian and no sampling term nothing is differentiated twice. `alpha` is the per-parameter inner step.
pub fn pull_back<F: Real>(
    policy: &Policy,
    estimator: &Estimator,
    advantage: &Advantage,
    gamma: f64,
    alpha: &[F],
    sample: &TaskSample<F>,
    summary: &OuterSummary<F>,
    meta: &MetaBatch,
    ws: &mut Workspace<F>,
) -> TaskGradient<F> {
    let mut v = summary.gradient.clone();
    let mut alpha_gradient = vec![F::zero(); alpha.len()];
    let mut all = vec![Vec::new(); sample.inner.len()];
    let (mut squares, mut count, mut ess) = (0.0, 0usize, None);
    through_steps(alpha, sample.inner.len(), &mut v, |t, direction, v| {
        let step = &sample.inner[t];
        for ((a, &v), &g) in alpha_gradient.iter_mut().zip(v.iter()).zip(&step.gradient) {
            *a += v * g;
        }
        let (coefficients, e) = sampling_coefficients(policy, estimator, sample, summary, meta, gamma, t);
        ess = ess.or(e);
        squares += coefficients.iter().map(|c| c * c).sum::<f64>();
        count += coefficients.len();
        add_step(policy, estimator.jacobian, advantage, step, &coefficients, direction, v, ws);
        all[t] = coefficients;
    });
    TaskGradient {
        theta: v,
        alpha: alpha_gradient,
        coefficients: all,
        sampling_coefficient: (squares / count.max(1) as f64).sqrt(),
        effective_sample_size: ess,
    }
}

/// Adds `H direction + sum_j c_j score_j` of one inner step to `v`, in one pass; H is the Hessian that `jacobian` implies.
pub fn add_step<F: Real>(
    policy: &Policy,
    jacobian: Jacobian,
    advantage: &Advantage,
    step: &InnerStep<F>,
    coefficients: &[f64],
    direction: &[F],
    v: &mut [F],
    ws: &mut Workspace<F>,
) {
    let InnerStep { theta, batch, tape, weights, .. } = step;
    let mut scores = vec![F::zero(); batch.steps()];
    for (e, &c) in coefficients.iter().enumerate() {
        for &row in batch.episode(e) {
            scores[row as usize] = F::of(c);
        }
    }
    if jacobian == Jacobian::None {
        if coefficients.iter().any(|&c| c != 0.0) {
            let terms = crate::policy::Weights { log_prob: &scores, entropy: None, value: None };
            policy.grad(theta, &batch.obs, &batch.actions, tape, &terms, v, ws);
        }
        return;
    }
    let dice = (jacobian == Jacobian::Dice).then(|| inner::cast(&inner::dice_weights(batch, advantage, step.scale).0));
    let w: &[F] = dice.as_deref().unwrap_or(weights);
    let mut tangent_weights = |tangent: &[F], out: &mut [F]| {
        for e in 0..batch.episodes() {
            add_curvature(jacobian, batch.episode(e).iter().map(|&row| row as usize), w, tangent, out);
        }
        out.iter_mut().zip(&scores).for_each(|(o, &c)| *o += c);
    };
    policy.hvp(theta, direction, &batch.obs, &batch.actions, tape, w, &mut tangent_weights, v, ws);
}
