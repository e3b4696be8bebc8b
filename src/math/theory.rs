//! The theory's constants, bounds and rates for V_zeta and the convergence of stochastic gradient ascent on it (pure numbers).
//!
//! Symbols, assumptions and proofs: specification 2.1–2.4. All bounds are uniform over theta; `tests/it/theory.rs` holds each of
//! them against exact values on random families.

mod rates;

pub use rates::{Bound, Regime, any_batch, large_batch, right_hand_side};

use serde::{Deserialize, Serialize};

/// Uniform bounds on the log-probability of one decision, over states, actions and theta (assumptions A2–A4).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyClass {
    /// G >= |grad log pi|.
    #[serde(rename = "G")]
    pub score: f64,
    /// L >= |hess log pi| (operator norm).
    #[serde(rename = "L")]
    pub curvature: f64,
    /// rho: Lipschitz constant of hess log pi in theta.
    #[serde(rename = "rho")]
    pub curvature_lipschitz: f64,
    /// v_op >= operator norm of the Fisher matrix of one decision.
    #[serde(rename = "v_op")]
    pub fisher_norm: f64,
    /// v_tr >= trace of the Fisher matrix of one decision.
    #[serde(rename = "v_tr")]
    pub fisher_trace: f64,
}

impl PolicyClass {
    /// Tabular softmax, one logit per (s, a): G = sqrt 2 (a supremum, not attained), L = 1/2, rho = sqrt 6 / 9, v_op = 1/2,
    /// v_tr = 1 - 1/|A|. Sharp for two actions or more; valid for one, where all five vanish.
    pub fn softmax(actions: usize) -> PolicyClass {
        PolicyClass {
            score: std::f64::consts::SQRT_2,
            curvature: 0.5,
            curvature_lipschitz: 6f64.sqrt() / 9.0,
            fisher_norm: 0.5,
            fisher_trace: 1.0 - 1.0 / actions.max(1) as f64,
        }
    }
}

/// The family and the adaptation that the constants are for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// R = max |r| over tasks, states and actions (assumption A1).
    #[serde(rename = "R")]
    pub reward: f64,
    /// Decisions per episode T >= 1.
    #[serde(rename = "T")]
    pub horizon: usize,
    /// Discount in (0, 1].
    pub gamma: f64,
    /// Inner step size alpha >= 0.
    pub alpha: f64,
    /// Inner steps zeta >= 1.
    #[serde(rename = "zeta")]
    pub inner_steps: usize,
    /// Trajectories n >= 1 per inner batch.
    #[serde(rename = "n")]
    pub inner_batch: usize,
}

/// Which derivation gives the smoothness constant L_V.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SmoothnessForm {
    /// Cauchy–Schwarz on the scores of the inner batches: any zeta, grows with n.
    Direct,
    /// Leave-one-out differences: zeta = 1 only, independent of n, tends to eta_H as alpha -> 0.
    LeaveOneOut,
}

/// Every constant of 2.2 and 2.3, serialised under the specification's symbols.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Constants {
    /// What the policy class is assumed to satisfy.
    #[serde(flatten)]
    pub policy: PolicyClass,
    /// What the family and the adaptation are.
    #[serde(flatten)]
    pub setting: Setting,
    /// R_J = R sum_h gamma^h >= |R(tau)|, |J|.
    #[serde(rename = "R_J")]
    pub r_j: f64,
    /// W = R sum_h (h + 1) gamma^h >= sum_h |R^h|.
    #[serde(rename = "W")]
    pub w: f64,
    /// eta_g = G W >= |g|, |grad J|.
    pub eta_g: f64,
    /// eta_u = (T G^2 + L) W >= |u|, the policy-Hessian estimator.
    pub eta_u: f64,
    /// eta_H = (G sqrt(T v_op) + L) W >= |hess J|.
    #[serde(rename = "eta_H")]
    pub eta_h: f64,
    /// a = 1 + alpha L W >= |M|, the Jacobian of one inner step at fixed data.
    pub a: f64,
    /// L_V >= |hess V_zeta|: the smaller of the forms that hold.
    #[serde(rename = "L_V")]
    pub l_v: f64,
    /// Which form `l_v` is.
    #[serde(rename = "L_V_form")]
    pub l_v_form: SmoothnessForm,
    /// The direct form, for any zeta; exponential in zeta through a.
    #[serde(rename = "L_V_direct")]
    pub l_v_direct: f64,
    /// The leave-one-out form L_V'; zeta = 1 only.
    #[serde(rename = "L_V_leave_one_out")]
    pub l_v_leave_one_out: Option<f64>,
    /// G_V >= sqrt E|Ghat|^2 of the one-task SG-MRL estimator, any n_o >= 1.
    #[serde(rename = "G_V")]
    pub g_v: f64,
    /// alpha eta_g^2 sqrt(T v_op) >= |grad V_1 - E\[MAML\]|, whatever n; zeta = 1 only.
    pub maml_bias_bound: Option<f64>,
    /// alpha^2 eta_H eta_g^2 / (2 n) >= |V_1 - Vbar|; zeta = 1 only.
    pub inner_gap_bound: Option<f64>,
}

impl Constants {
    /// The constants of a policy class in a setting.
    ///
    /// With b_0 = 0, b_{t+1} = a b_t + alpha rho W a^{2t}, s_op^2 = n T v_op sum_{t<zeta} a^{2t} and s_tr likewise with v_tr:
    ///
    /// `L_V = a^{2 zeta} eta_H + b_zeta eta_g + 2 a^zeta eta_g s_op + R_J [s_op^2 + n T L sum a^{2t} + sqrt(n T v_op) sum b_t]`,
    /// `G_V = a^zeta eta_g + R_J s_tr`.
    pub fn of(policy: &PolicyClass, setting: &Setting) -> Constants {
        let PolicyClass { score: g, curvature: l, curvature_lipschitz: rho, fisher_norm: v_op, fisher_trace: v_tr } =
            *policy;
        let Setting { reward, horizon, gamma, alpha, inner_steps, inner_batch } = *setting;
        let (t, n) = (horizon as f64, inner_batch as f64);
        let (mut r_j, mut w, mut discount) = (0.0, 0.0, reward);
        for h in 0..horizon {
            r_j += discount;
            w += (h + 1) as f64 * discount;
            discount *= gamma;
        }
        let (eta_g, eta_u) = (g * w, (t * g * g + l) * w);
        let eta_h = (g * (t * v_op).sqrt() + l) * w;
        let a = 1.0 + alpha * l * w;

        // power = a^t, b = b_t; the sums run over the steps before t
        let (mut power, mut b, mut squares, mut sum_b) = (1.0, 0.0, 0.0, 0.0);
        for _ in 0..inner_steps {
            squares += power * power;
            sum_b += b;
            b = a * b + alpha * rho * w * power * power;
            power *= a;
        }
        let s_op = (n * t * v_op * squares).sqrt();
        let s_tr = (n * t * v_tr * squares).sqrt();
        let l_v_direct = power * power * eta_h
            + b * eta_g
            + 2.0 * power * eta_g * s_op
            + r_j * (s_op * s_op + n * t * l * squares + (n * t * v_op).sqrt() * sum_b);
        let one_step = |x: f64| (inner_steps == 1).then_some(x);
        let l_v_leave_one_out = one_step(
            a * a * eta_h
                + alpha * rho * w * eta_g
                + 2.0 * alpha * eta_g * (l * w + a * eta_h) * (t * v_op).sqrt()
                + alpha * eta_g * eta_g * t * (v_op + l)
                + alpha * alpha * eta_h * eta_g * eta_g * t * v_op,
        );
        let (l_v, l_v_form) = match l_v_leave_one_out {
            Some(other) if other < l_v_direct => (other, SmoothnessForm::LeaveOneOut),
            _ => (l_v_direct, SmoothnessForm::Direct),
        };
        Constants {
            policy: *policy,
            setting: *setting,
            r_j,
            w,
            eta_g,
            eta_u,
            eta_h,
            a,
            l_v,
            l_v_form,
            l_v_direct,
            l_v_leave_one_out,
            g_v: power * eta_g + r_j * s_tr,
            maml_bias_bound: one_step(alpha * eta_g * eta_g * (t * v_op).sqrt()),
            inner_gap_bound: one_step(alpha * alpha * eta_h * eta_g * eta_g / (2.0 * n)),
        }
    }

    /// 2 R_J >= sup V - V(theta_0): the Delta to use when nothing better is known.
    pub fn largest_delta(&self) -> f64 {
        2.0 * self.r_j
    }

    /// 1 / L_V: the largest outer step size that the theorem covers; the largest number if V is constant (files hold no infinity).
    pub fn largest_beta(&self) -> f64 {
        (1.0 / self.l_v).min(f64::MAX)
    }

    /// Trajectories of one outer iteration of `tasks` tasks: B (zeta n + n_o).
    pub fn trajectories_per_iteration(&self, tasks: u64, outer_batch: usize) -> u64 {
        let inner = (self.setting.inner_steps as u64).saturating_mul(self.setting.inner_batch as u64);
        tasks.saturating_mul(inner.saturating_add(outer_batch as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test MDP of the specification's 2.3 (first family of the fixtures; R to six digits).
    fn example(alpha: f64) -> Constants {
        let setting = Setting { reward: 0.994523, horizon: 2, gamma: 0.9, alpha, inner_steps: 1, inner_batch: 2 };
        Constants::of(&PolicyClass::softmax(2), &setting)
    }

    #[track_caller]
    fn is(found: f64, printed: f64, last_digit: f64) {
        assert!((found - printed).abs() <= 0.51 * last_digit, "{found}, printed {printed}");
    }

    #[test]
    fn the_specifications_example() {
        let c = example(1.0);
        is(c.r_j, 1.8896, 1e-4);
        is(c.w, 2.7847, 1e-4);
        is(c.eta_g, 3.938, 1e-3);
        is(c.eta_h, 5.330, 1e-3);
        is(c.a, 2.392, 1e-3);
        is(c.l_v, 67.7, 0.1);
        is(c.l_v_leave_one_out.unwrap(), 258.6, 0.1);
        is(c.g_v, 12.09, 0.01);
        assert_eq!(c.l_v_form, SmoothnessForm::Direct);
        is(example(0.1).l_v, 17.0, 0.1);
    }

    #[test]
    fn without_adaptation_the_leave_one_out_form_is_the_smoothness_of_j() {
        let c = example(0.0);
        assert_eq!((c.l_v, c.l_v_form), (c.eta_h, SmoothnessForm::LeaveOneOut));
        assert_eq!((c.maml_bias_bound, c.inner_gap_bound), (Some(0.0), Some(0.0)));
    }

    /// zeta = 2 written out: b_1 = alpha rho W, b_2 = a b_1 + alpha rho W a^2.
    #[test]
    fn two_steps_by_hand() {
        let setting = Setting { reward: 1.5, horizon: 3, gamma: 0.8, alpha: 0.2, inner_steps: 2, inner_batch: 4 };
        let p = PolicyClass::softmax(3);
        let c = Constants::of(&p, &setting);
        let (a, b1) = (c.a, 0.2 * p.curvature_lipschitz * c.w);
        let b2 = a * b1 + b1 * a * a;
        let squares = 1.0 + a * a;
        let s_op = (12.0 * 0.5 * squares).sqrt();
        let expected = a.powi(4) * c.eta_h
            + b2 * c.eta_g
            + 2.0 * a * a * c.eta_g * s_op
            + c.r_j * (s_op * s_op + 12.0 * 0.5 * squares + 6f64.sqrt() * b1);
        assert!((c.l_v / expected - 1.0).abs() < 1e-14);
        let s_tr = (12.0 * (2.0 / 3.0) * squares).sqrt();
        assert!((c.g_v / (a * a * c.eta_g + c.r_j * s_tr) - 1.0).abs() < 1e-14);
        assert_eq!((c.l_v_leave_one_out, c.maml_bias_bound, c.inner_gap_bound), (None, None, None));
    }

    #[test]
    fn the_record_uses_the_specifications_symbols() {
        let json = serde_json::to_value(example(1.0)).unwrap();
        let symbols = "R G L rho v_op v_tr T gamma alpha zeta n R_J W eta_g eta_u eta_H a L_V L_V_form L_V_direct \
                       L_V_leave_one_out G_V maml_bias_bound inner_gap_bound";
        let keys = json.as_object().unwrap();
        assert_eq!(keys.len(), symbols.split_whitespace().count());
        assert!(symbols.split_whitespace().all(|s| keys.contains_key(s)), "{json}");
        assert_eq!(serde_json::from_value::<Constants>(json).unwrap(), example(1.0));
    }
}
