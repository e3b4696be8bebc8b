//! What of an online run is printed: a line of progress, and what was learned in the end.

use crate::config::online::{Choice, Plan};
use crate::estimator::online::{Mode, RailState, Tunable};
use crate::learn::online::{self as small, Values, actor_critic};
use std::path::Path;

/// What the run has learned: means over its last updates.
pub(super) fn report<R: Shown>(plan: &Plan, last: &[R], done: u64, rail: &RailState, dir: &Path) -> String {
    let over = match last.len() {
        1 => "in the last update".to_string(),
        n => format!("mean of the last {n} updates"),
    };
    let mut text = format!("{}: {} updates, seed {}, {}\n{over}:\n", plan.name, done, plan.seed, dir.display());
    let mut line = |name: &str, more: &str, of: &dyn Fn(&R) -> Option<Values>| {
        let values: Vec<Values> = last.iter().filter_map(of).collect();
        if !values.is_empty() {
            text += &format!("  {name:12}  {}{more}\n", average(&values));
        }
    };
    for tunable in listed(plan) {
        line(tunable.name(), "", &|row| row.value(tunable));
    }
    line("return", " (one run: no interval)", &|row| row.achieved().map(Values::Global));
    if rail.not_finite + rail.exploded > 0 {
        text += &format!("meta-gradients skipped: {} not finite, {} exploded\n", rail.not_finite, rail.exploded);
    }
    text + &fallen(plan, rail)
}

/// gamma, lambda, and what else is learned or scheduled.
fn listed(plan: &Plan) -> Vec<Tunable> {
    let moves = |tunable: Tunable| match &plan.learner {
        Choice::ActorCritic(control) => control.options.tunables.get(tunable).mode != Mode::Fixed,
        Choice::Small(_) => false, // has no others
    };
    let always = [Tunable::Gamma, Tunable::Lambda];
    Tunable::ALL.into_iter().filter(|tunable| always.contains(tunable) || moves(*tunable)).collect()
}

/// When and why the run returned to the reference, if it did; from there on nothing was learned.
fn fallen(plan: &Plan, rail: &RailState) -> String {
    let Choice::ActorCritic(control) = &plan.learner else { return String::new() };
    let (true, Some(fallback)) = (rail.fallen_back, control.options.rail.fallback) else { return String::new() };
    let n = fallback.patience;
    let after = rail.fell_after.map_or_else(String::new, |update| format!(" after update {update}"));
    let eta = control.options.tunables.eta(&control.options.fallen_logits(), 1.0);
    let to = |t: Tunable| format!("{} {}", t.name(), number(eta.get(t)));
    let to: Vec<String> = control.options.tunables.learned().into_iter().map(to).collect();
    format!(
        "fell back{after}: the averaged S_out had no new minimum in {n} measurement{} (meta.patience)\n\
         from there on nothing was learned, the reference stands: {}\n",
        if n == 1 { "" } else { "s" },
        to.join(", ")
    )
}

/// What of a row the user sees.
pub(super) trait Shown {
    /// A meta-parameter, if the task has it.
    fn value(&self, tunable: Tunable) -> Option<Values>;
    /// Undiscounted return, if an episode has ended.
    fn achieved(&self) -> Option<f64>;
    /// What progress says.
    fn line(&self) -> String {
        let eta = match [Tunable::Gamma, Tunable::Lambda].map(|t| self.value(t)) {
            [Some(Values::Global(_)), Some(each @ Values::PerState(_))] => format!("lambda {}", shown(&each)),
            [gamma, _] => format!("gamma {}", gamma.as_ref().map_or_else(String::new, shown)),
        };
        self.achieved().map_or(eta.clone(), |x| format!("{eta}, return {x:.3}"))
    }
}

impl Shown for small::Row {
    fn value(&self, tunable: Tunable) -> Option<Values> {
        match tunable {
            Tunable::Gamma => Some(self.gamma.clone()),
            Tunable::Lambda => self.lambda.clone(),
            _ => None,
        }
    }
    fn achieved(&self) -> Option<f64> {
        Some(self.achieved)
    }
}

impl Shown for actor_critic::Row {
    fn value(&self, tunable: Tunable) -> Option<Values> {
        Some(Values::Global(match tunable {
            Tunable::Gamma => self.gamma,
            Tunable::Lambda => self.lambda,
            Tunable::PolicyCost => self.policy_cost,
            Tunable::ValueCost => self.value_cost,
            Tunable::EntropyCost => self.entropy_cost,
            Tunable::Leak => self.leak,
        }))
    }
    fn achieved(&self) -> Option<f64> {
        self.achieved
    }
}

/// A number with five decimals, or as many as a small one needs.
fn number(x: f64) -> String {
    if x != 0.0 && x.abs() < 0.01 { format!("{x:.3e}") } else { format!("{x:.5}") }
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
        Values::Global(_) => number(of(0)),
        Values::PerState(all) => {
            let mean = |first: usize| {
                let states: Vec<f64> = (first..all.len()).step_by(2).map(of).collect();
                states.iter().sum::<f64>() / states.len().max(1) as f64
            };
            format!("{:.3} in odd states (s3, s5, ...), {:.3} in even states (s2, s4, ...)", mean(2), mean(1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;
    use crate::config::online::load;
    use crate::estimator::online::Rail;

    /// Whatever is asked is a half.
    struct Halves;

    impl Shown for Halves {
        fn value(&self, _: Tunable) -> Option<Values> {
            Some(Values::Global(0.5))
        }
        fn achieved(&self) -> Option<f64> {
            Some(20.0)
        }
    }

    fn plan(name: &str, set: &[&str]) -> Plan {
        let set = set.iter().map(ToString::to_string).collect();
        load(name, &Overrides { set, ..Overrides::default() }).expect("valid")
    }

    #[test]
    fn all_that_is_learned_or_scheduled_is_listed() {
        let names = |plan: &Plan| listed(plan).into_iter().map(Tunable::name).collect::<Vec<_>>();
        assert_eq!(names(&plan("theoretical-gmrl", &[])), ["gamma", "lambda", "value_cost", "entropy_cost"]);
        assert_eq!(names(&plan("cartpole", &["gamma.mode=fixed"])), ["gamma", "lambda"]);
        let scheduled = ["entropy_cost.mode=scheduled", "entropy_cost.end=0.001"];
        assert_eq!(names(&plan("cartpole", &scheduled)), ["gamma", "lambda", "entropy_cost"]);
        let text =
            report(&plan("theoretical-gmrl", &[]), &[Halves, Halves], 7, &Rail::default().start(), Path::new("run"));
        let found: Vec<&str> = text.lines().skip(1).collect();
        let of = ["gamma", "lambda", "value_cost", "entropy_cost"].map(|name| format!("  {name:12}  0.50000"));
        assert_eq!(found[0], "mean of the last 2 updates:");
        assert_eq!(found[1..5], of);
        assert_eq!(found[5..], ["  return        20.00000 (one run: no interval)"]);
        assert_eq!([0.0, 0.009952, 0.95].map(number), ["0.00000", "9.952e-3", "0.95000"]);
    }

    #[test]
    fn a_fall_back_is_told_with_its_update_and_reason() {
        let plan = plan("cartpole", &["meta.patience=3"]);
        let Choice::ActorCritic(control) = &plan.learner else { panic!("an actor-critic") };
        let mut rail = control.options.rail.start();
        assert_eq!(fallen(&plan, &rail), "");
        assert!((1..=4u64).any(|k| control.options.rail.watch(&mut rail, 10 * k, k as f64)));
        let text = fallen(&plan, &rail);
        assert!(text.starts_with("fell back after update 40: the averaged S_out had no new minimum in 3 measurements"));
        assert!(text.ends_with("the reference stands: gamma 0.99000, lambda 1.00000\n"), "{text}");
    }
}
