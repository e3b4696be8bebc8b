//! What of an online run is printed: a line of progress, and what was learned in the end.

use crate::config::online::Plan;
use crate::estimator::online::RailState;
use crate::learn::online::{self as small, Values, actor_critic};
use std::path::Path;

/// What the run has learned: means over its last updates.
pub(super) fn report<R: Shown>(plan: &Plan, last: &[R], done: u64, rail: &RailState, dir: &Path) -> String {
    let over = match last.len() {
        1 => "in the last update".to_string(),
        n => format!("mean of the last {n} updates"),
    };
    let mut text = format!("{}: {} updates, seed {}, {}\n", plan.name, done, plan.seed, dir.display());
    let line = |name: &str, of: &dyn Fn(&R) -> Option<Values>| {
        let values: Vec<Values> = last.iter().filter_map(of).collect();
        if values.is_empty() { String::new() } else { format!("  {name:8} {}\n", average(&values)) }
    };
    text += &format!("{over}:\n");
    text += &line("gamma", &|row| Some(row.eta().0));
    text += &line("lambda", &|row| row.eta().1);
    text += &line("return", &|row| row.achieved().map(Values::Global));
    if rail.not_finite + rail.exploded > 0 {
        text += &format!("meta-gradients skipped: {} not finite, {} exploded\n", rail.not_finite, rail.exploded);
    }
    text
}

/// What of a row the user sees.
pub(super) trait Shown {
    /// gamma and lambda.
    fn eta(&self) -> (Values, Option<Values>);
    /// Undiscounted return, if an episode has ended.
    fn achieved(&self) -> Option<f64>;
    /// What progress says.
    fn line(&self) -> String {
        let eta = match self.eta() {
            (Values::Global(_), Some(each @ Values::PerState(_))) => format!("lambda {}", shown(&each)),
            (gamma, _) => format!("gamma {}", shown(&gamma)),
        };
        self.achieved().map_or(eta.clone(), |x| format!("{eta}, return {x:.3}"))
    }
}

impl Shown for small::Row {
    fn eta(&self) -> (Values, Option<Values>) {
        (self.gamma.clone(), self.lambda.clone())
    }
    fn achieved(&self) -> Option<f64> {
        Some(self.achieved)
    }
}

impl Shown for actor_critic::Row {
    fn eta(&self) -> (Values, Option<Values>) {
        (Values::Global(self.gamma), Some(Values::Global(self.lambda)))
    }
    fn achieved(&self) -> Option<f64> {
        self.achieved
    }
}

/// One number, or the range of many.
fn shown(values: &Values) -> String {
    match values {
        Values::Global(x) => format!("{x:.5}"),
        Values::PerState(all) => {
            let entered = &all[1..]; // the first state is never entered: its parameter has no effect
            let [low, high] = [f64::min, f64::max].map(|f| entered.iter().copied().reduce(f).unwrap_or(f64::NAN));
            format!("{low:.3} to {high:.3}")
        }
    }
}

/// Means over rows; of a value per state, over the odd and the even states that are entered.
fn average(values: &[Values]) -> String {
    let n = values.len() as f64;
    let of = |state: usize| {
        let one = |v: &Values| match v {
            Values::Global(x) => *x,
            Values::PerState(all) => all[state],
        };
        values.iter().map(one).sum::<f64>() / n
    };
    match &values[0] {
        Values::Global(_) => format!("{:.5}", of(0)),
        Values::PerState(all) => {
            let mean = |first: usize| {
                let states: Vec<f64> = (first..all.len()).step_by(2).map(of).collect();
                states.iter().sum::<f64>() / states.len().max(1) as f64
            };
            format!("{:.3} in odd states (s3, s5, ...), {:.3} in even states (s2, s4, ...)", mean(2), mean(1))
        }
    }
}
