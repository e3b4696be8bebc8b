//! Reads the committed oracle values of the SG-MRL specification (`tests/fixtures/sgmrl/fixtures.json`).

use serde_json::Value;
use std::collections::BTreeMap;
use stillpoint::exact::objective::Problem;
use tasks::tabular::Tabular;

/// One random family with everything the oracle knows about it.
pub struct Family {
    /// Tasks, equiprobable.
    pub tasks: Vec<Tabular>,
    /// Discount.
    pub gamma: f64,
    /// Inner step size.
    pub alpha: f64,
    /// Logits, flat.
    pub theta: Vec<f64>,
    /// Exact expectations.
    pub cases: Vec<Case>,
    /// Exact variances.
    pub variance: Vec<Variance>,
}

/// One setting with V, its gradient and each estimator's exact expectation under our names.
#[derive(Debug)]
pub struct Case {
    pub zeta: usize,
    pub n_in: usize,
    pub n_out: usize,
    pub v: f64,
    pub grad: Vec<f64>,
    pub mean: BTreeMap<String, Vec<f64>>,
}

/// One setting with each estimator's mean and trace of the covariance.
#[derive(Debug)]
pub struct Variance {
    pub zeta: usize,
    pub n_in: usize,
    pub n_out: usize,
    pub est: BTreeMap<String, (Vec<f64>, f64)>,
}

impl Family {
    pub fn problem(&self, steps: usize, batch: usize) -> Problem {
        let weight = 1.0 / self.tasks.len() as f64;
        let tasks = self.tasks.iter().map(|t| (weight, t.clone())).collect();
        Problem { tasks, gamma: self.gamma, alpha: self.alpha, steps, batch }
    }
}

pub fn document() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sgmrl/fixtures.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("fixture file")).expect("fixture JSON")
}

pub fn families() -> Vec<Family> {
    document()["families"].as_array().expect("families").iter().map(family).collect()
}

/// Largest absolute difference within `tolerance`, or a panic that shows both vectors.
#[track_caller]
pub fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst <= tolerance, "off by {worst:e}:\n   found {found:?}\nexpected {expected:?}");
}

pub fn numbers(v: &Value) -> Vec<f64> {
    match v {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().expect("a number")],
    }
}

fn family(f: &Value) -> Family {
    let args = &f["args"];
    let size = |key: &str| args[key].as_u64().expect("size") as usize;
    let (states, actions, horizon) = (size("states"), size("actions"), size("horizon"));
    let tasks = (f["tasks"].as_array().expect("tasks").iter())
        .map(|t| Tabular {
            states,
            actions,
            horizon,
            start: numbers(&t["mu"]),
            reward: numbers(&t["r"]),
            transition: numbers(&t["P"]),
            reward_noise: 0.0,
        })
        .collect();
    Family {
        tasks,
        gamma: args["gamma"].as_f64().expect("gamma"),
        alpha: args["alpha"].as_f64().expect("alpha"),
        theta: numbers(&f["theta"]),
        cases: f["cases"].as_array().expect("cases").iter().map(case).collect(),
        variance: f["variance"].as_array().expect("variance").iter().map(variance).collect(),
    }
}

fn case(c: &Value) -> Case {
    let size = |key: &str| c[key].as_u64().expect("size") as usize;
    let est = c["est"].as_object().expect("est");
    Case {
        zeta: size("zeta"),
        n_in: size("n_in"),
        n_out: size("n_out"),
        v: c["V"].as_f64().expect("V"),
        grad: numbers(&c["grad"]),
        mean: est.iter().map(|(k, v)| (name(k), numbers(v))).collect(),
    }
}

fn variance(c: &Value) -> Variance {
    let size = |key: &str| c[key].as_u64().expect("size") as usize;
    let one = |v: &Value| (numbers(&v["mean"]), v["variance_trace"].as_f64().expect("variance_trace"));
    Variance {
        zeta: size("zeta"),
        n_in: size("n_in"),
        n_out: size("n_out"),
        est: c["est"].as_object().expect("est").iter().map(|(k, v)| (name(k), one(v))).collect(),
    }
}

/// The oracle's name of an estimator in ours.
fn name(oracle: &str) -> String {
    match oracle {
        "maml_u" => "policy-hessian".into(),
        "maml_lvc" => "lvc".into(),
        "sgmrl_mean" => "emaml".into(),
        other => other.replace('_', "-"),
    }
}
