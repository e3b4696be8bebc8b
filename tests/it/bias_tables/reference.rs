//! Reads the printed tables (`tests/fixtures/gradient-bias/tables.json`).

use serde::Deserialize;
use std::collections::BTreeMap;

const TEXT: &str = include_str!("../../fixtures/gradient-bias/tables.json");

#[derive(Deserialize)]
struct File {
    tables: BTreeMap<String, Table>,
}

#[derive(Deserialize)]
struct Table {
    repeats: usize,
    entries: Vec<Entry>,
}

/// One cell of a table: where it is measured, and what is printed there.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Entry {
    /// Which of inner gradient, Jacobian and outer gradient is exact (e), which sampled (l).
    pub tag: String,
    /// By what the sampled ones are.
    pub estimator: Option<String>,
    /// Inner step size.
    pub alpha: f64,
    /// Inner steps K.
    pub steps: usize,
    /// Trajectories of each sampled part.
    pub n: Option<usize>,
    /// c of an injected error of the Hessian.
    pub hessian_error: Option<f64>,
    /// Estimates per MDP behind the printed numbers.
    pub repeats: Option<usize>,
    /// Printed numbers by metric, as they are printed.
    #[serde(flatten)]
    pub printed: BTreeMap<String, String>,
}

impl Entry {
    /// `maml`, `lvc` and `loaded` are the same numbers where the Jacobian is exact (claim 6).
    fn canonical(mut self) -> Entry {
        if self.tag.as_bytes()[1] == b'e' && self.estimator.as_deref().is_some_and(|e| e != "dice") {
            self.estimator = Some("maml".into());
        }
        self
    }

    /// What to call it in a message.
    pub fn name(&self) -> String {
        let Entry { tag, alpha, steps, .. } = self;
        let estimator = self.estimator.as_deref().unwrap_or("exact");
        let n = self.n.map_or(String::new(), |n| format!(" n {n}"));
        let c = self.hessian_error.map_or(String::new(), |c| format!(" c {c}"));
        format!("{tag} {estimator} alpha {alpha} K {steps}{n}{c}")
    }
}

/// The different cells of one table; cells that must be the same are printed the same.
pub fn table(name: &str) -> Vec<Entry> {
    let file: File = serde_json::from_str(TEXT).expect("the committed tables");
    let table = &file.tables[name];
    let mut all: Vec<Entry> = Vec::new();
    for entry in &table.entries {
        let entry = Entry { repeats: entry.repeats.or(Some(table.repeats)), ..entry.clone() }.canonical();
        if !all.contains(&entry) {
            all.push(entry);
        }
    }
    let names: std::collections::BTreeSet<String> = all.iter().map(Entry::name).collect();
    assert_eq!(names.len(), all.len(), "one point, two printed numbers");
    all
}

/// Half a unit of the last printed digit.
pub fn half_unit(printed: &str) -> f64 {
    let (mantissa, exponent) = printed.split_once('e').unwrap_or((printed, "0"));
    let decimals = mantissa.split_once('.').map_or(0, |(_, digits)| digits.len() as i32);
    0.5 * 10f64.powi(exponent.parse::<i32>().expect("an exponent") - decimals)
}

#[test]
fn half_units_are_read_from_the_digits() {
    for (printed, half) in [("0.1517", 5e-5), ("1.1e-01", 5e-3), ("-0.036", 5e-4), ("57.88", 5e-3)] {
        assert!((half_unit(printed) / half - 1.0).abs() < 1e-12, "{printed}");
    }
}
