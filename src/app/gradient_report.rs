//! What `gradient` found, as one JSON object or as a table with a verdict per estimator.

use super::gradient::{ALPHA, Mode, Request};
use crate::exact::objective::Exact;
use crate::math::hypothesis::Verdict;
use crate::optim::norm;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// Relative bias below which an enumerated expectation counts as the gradient itself.
const ROUNDING: f64 = 1e-9;

/// One estimator's mean, its uncertainty and what the test says.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Mean, flat `[S A]`.
    pub mean: Vec<f64>,
    /// Standard error of each component; zeros under enumeration.
    pub stderr: Vec<f64>,
    /// Trace of the covariance of the one-task estimator.
    pub variance_trace: f64,
    /// The test against the exact gradient (sampling only).
    pub test: Option<Verdict>,
}

/// Everything the command prints.
#[derive(Clone, Debug)]
pub struct Report {
    /// Inner step size in force.
    pub alpha: f64,
    /// What was asked.
    pub request: Request,
    /// Where the gradient was taken.
    pub theta: Vec<f64>,
    /// V_zeta and its gradient.
    pub exact: Exact,
    /// The objective with exact inner gradients, and its gradient.
    pub deterministic: Exact,
    /// Estimators in the order asked for.
    pub estimators: Vec<(String, Finding)>,
    /// Remarks.
    pub notes: Vec<String>,
}

fn difference(a: &[f64], b: &[f64]) -> f64 {
    norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>())
}

impl Report {
    /// Norm of the bias against the gradient of V_zeta.
    pub fn bias(&self, finding: &Finding) -> f64 {
        difference(&finding.mean, &self.exact.gradient)
    }

    /// The bias relative to the norm of the gradient; `None` where the gradient vanishes.
    pub fn relative_bias(&self, finding: &Finding) -> Option<f64> {
        let scale = norm(&self.exact.gradient);
        (scale > 0.0).then(|| self.bias(finding) / scale)
    }

    fn cosine(&self, finding: &Finding) -> Option<f64> {
        let dot: f64 = finding.mean.iter().zip(&self.exact.gradient).map(|(a, b)| a * b).sum();
        let scale = norm(&finding.mean) * norm(&self.exact.gradient);
        (scale > 0.0).then(|| dot / scale)
    }

    /// Whether this is the gradient of V_zeta, as far as can be told.
    pub fn holds(&self, finding: &Finding) -> bool {
        match &finding.test {
            Some(test) => test.p >= ALPHA,
            None => self.bias(finding) <= ROUNDING * norm(&self.exact.gradient).max(norm(&finding.mean)).max(1e-3),
        }
    }

    fn verdict(&self, finding: &Finding) -> String {
        let alpha = ALPHA;
        match (&finding.test, self.holds(finding)) {
            (None, true) => "is the gradient of V_zeta".into(),
            (None, false) => "is not the gradient of V_zeta".into(),
            (Some(t), true) => format!("consistent with the gradient of V_zeta (p = {:.3}, alpha = {alpha})", t.p),
            (Some(t), false) if t.p < 1e-16 => {
                format!("rejected as the gradient of V_zeta (p < 1e-16, alpha = {alpha})")
            }
            (Some(t), false) => format!("rejected as the gradient of V_zeta (p = {:.1e}, alpha = {alpha})", t.p),
        }
    }

    /// The report as one JSON object; vectors are flat and row-major, undefined numbers `null`.
    pub fn json(&self) -> Value {
        let both = |e: &Exact| json!({"value": e.value, "gradient": e.gradient});
        let mut estimators = Map::new();
        for (name, f) in &self.estimators {
            let mut entry = json!({
                "mean": f.mean, "stderr": f.stderr, "variance_trace": f.variance_trace, "bias_norm": self.bias(f),
                "relative_bias": self.relative_bias(f), "cosine": self.cosine(f), "verdict": self.verdict(f),
            });
            if let Some(t) = &f.test {
                entry["test"] = json!({
                    "alpha": ALPHA, "p": t.p, "max_t": t.max_t, "components": t.components, "p_max_t": t.p_max_t,
                    "t_squared": t.t_squared, "rank": t.rank, "p_t_squared": t.p_t_squared, "rigid": t.rigid,
                    "rejected": !self.holds(f),
                });
            }
            estimators.insert(name.clone(), entry);
        }
        let r = &self.request;
        let (mode, samples) = match r.mode {
            Mode::Enumerate => ("enumerate", Value::Null),
            Mode::Sample => ("sample", json!(r.samples)),
        };
        json!({
            "objective": "V_zeta", "value": self.exact.value, "gradient": self.exact.gradient,
            "deterministic_inner": both(&self.deterministic), "estimators": estimators, "notes": self.notes,
            "theta": self.theta, "alpha": self.alpha, "inner_steps": r.inner_steps, "inner_batch": r.inner_batch,
            "outer_batch": r.outer_batch, "mode": mode, "samples": samples, "seed": r.seed,
        })
    }

    /// The report as text.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let vector = |v: &[f64]| {
            let shown: Vec<String> = v.iter().take(6).map(|x| format!("{x:+.6}")).collect();
            if v.len() > 6 { format!("{} ... ({} numbers)", shown.join(" "), v.len()) } else { shown.join(" ") }
        };
        let r = &self.request;
        let _ = writeln!(
            text,
            "V_zeta, zeta = {}, alpha = {}, n = {}, n_o = {}\n",
            r.inner_steps, self.alpha, r.inner_batch, r.outer_batch
        );
        let _ = writeln!(text, "{:<24} {:>12}  gradient", "objective", "value");
        let _ = writeln!(text, "{:<24} {:>12.8}  {}", "V_zeta", self.exact.value, vector(&self.exact.gradient));
        let d = &self.deterministic;
        let _ = writeln!(text, "{:<24} {:>12.8}  {}\n", "exact inner gradient", d.value, vector(&d.gradient));
        let _ = writeln!(text, "{:<16} {:>12} {:>8} {:>12}  mean", "estimator", "relative bias", "cosine", "variance");
        for (name, f) in &self.estimators {
            let relative = self.relative_bias(f).map_or("-".into(), |b| format!("{b:.1e}"));
            let cosine = self.cosine(f).map_or("-".into(), |c| format!("{c:.4}"));
            let _ =
                writeln!(text, "{name:<16} {relative:>13} {cosine:>8} {:>12.4}  {}", f.variance_trace, vector(&f.mean));
        }
        text.push('\n');
        for (name, f) in &self.estimators {
            let _ = writeln!(text, "{name:<16} {}", self.verdict(f));
        }
        text
    }
}
