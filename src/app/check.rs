//! `check`: validates a configuration without running it and says what a run would do.

mod bias;
mod lola;
mod online;

use super::failure::Failure;
use super::gradient;
use super::online::games;
use crate::config::any::{self, Any, RESOLVED};
use crate::config::cost::{self, Cost};
use crate::config::{Loaded, Overrides};
use std::fmt::Write as _;
use std::io::Write as _;

/// What the command line asks of `check`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Path of a configuration, name of a preset, or a run directory.
    pub target: Option<String>,
    /// `key=value` changes.
    pub set: Vec<String>,
    /// Shrink every size.
    pub smoke: bool,
    /// Print nothing unless something is wrong.
    pub quiet: bool,
}

/// Runs the command.
///
/// # Errors
/// A configuration that `train` (or `online`) would refuse, a game that is there and not as it should be, or a gradient self-test that
/// does not hold.
pub fn run(request: Request) -> Result<(), Failure> {
    let overrides = Overrides { set: request.set, smoke: request.smoke, ..Overrides::default() };
    let (any, source) = any::load(request.target.as_deref(), &overrides)?;
    let text = match any {
        Any::Online(plan) => online::report(&plan, &source, &games::asked(&source, &overrides.set))?,
        Any::Lola(plan) => lola::report(&plan, &source),
        Any::Bias(plan) => bias::report(&plan, &source),
        Any::Train(mut loaded) => {
            loaded.notes.extend(online::namesake(request.target.as_deref()));
            let test = self_test(&loaded)?;
            report(&loaded, test.as_deref())
        }
    };
    if !request.quiet {
        std::io::stdout().lock().write_all(text.as_bytes())?;
    }
    Ok(())
}

/// Holds the enumerated expectations of `sgmrl` (and of the plan's estimator) against the exact gradient on a tabular family,
/// with one episode per batch at a random theta.
///
/// # Errors
/// [`Failure::Check`] if `sgmrl` is not the gradient of V on the user's own tables.
fn self_test(loaded: &Loaded) -> Result<Option<String>, Failure> {
    if loaded.family.finite().is_none() {
        return Ok(None);
    }
    let options = &loaded.plan.options;
    let mut estimators = vec!["sgmrl".to_string()];
    if options.outer.estimator.name != "sgmrl" {
        estimators.push(options.outer.estimator.name.clone());
    }
    let request = gradient::Request {
        mdps: None,
        config: None,
        theta: "random:1".into(),
        alpha: None,
        inner_steps: 1,
        inner_batch: 1,
        outer_batch: 1,
        estimators,
        mode: gradient::Mode::Enumerate,
        samples: 0,
        seed: 1,
        groups: None,
        limit: None,
        json: false,
        quiet: true,
    };
    let report = match gradient::report(&request, loaded.family.as_ref(), options.gamma, options.inner.alpha) {
        Ok(report) => report,
        Err(Failure::Usage(why)) => return Ok(Some(format!("skipped: {why}"))),
        Err(other) => return Err(other),
    };
    let said: Vec<String> = (report.estimators.iter())
        .map(|(name, f)| {
            let is = if report.holds(f) { "is" } else { "is not" };
            format!("{name} {is} the gradient of V at n = 1 (bias {:.1e})", report.bias(f))
        })
        .collect();
    if report.holds(&report.estimators[0].1) {
        Ok(Some(said.join("; ")))
    } else {
        Err(Failure::Check(format!("gradient self-test: {}", said.join("; "))))
    }
}

/// `1234567` as `1 234 567`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

fn report(loaded: &Loaded, test: Option<&str>) -> String {
    let (plan, options) = (&loaded.plan, &loaded.plan.options);
    let Cost { episodes_per_iteration, steps_per_iteration, steps_total, parameters, memory } =
        cost::cost(plan, &*loaded.family);
    let mut text = String::new();
    let mut line = |label: &str, value: String| {
        let _ = writeln!(text, "{label:<12} {value}");
    };
    line("valid", loaded.source.clone());
    line("family", format!("{}, horizon {}, gamma {}", plan.family.name, loaded.family.horizon(), options.gamma));
    let shape = plan.policy.hidden.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
    let shape = if shape.is_empty() { String::new() } else { format!(" {shape}") };
    let precision = format!("{:?}", plan.precision).to_lowercase();
    line("policy", format!("{:?}{shape}, {} parameters, {precision}", plan.policy.kind, grouped(parameters)));
    let what = crate::estimator::choice::NAMES.iter().find(|(n, _)| *n == options.outer.estimator.name);
    line("estimator", format!("{} ({})", options.outer.estimator.name, what.map_or("", |(_, w)| w)));
    line(
        "iterations",
        format!(
            "{} of {} tasks, {} x {} inner and {} outer episodes each",
            grouped(plan.iterations),
            options.outer.tasks,
            options.inner.steps,
            options.inner.episodes,
            options.outer.episodes
        ),
    );
    line(
        "steps",
        format!(
            "at most {} per iteration ({} episodes), {} in total",
            grouped(steps_per_iteration),
            grouped(episodes_per_iteration),
            grouped(steps_total)
        ),
    );
    line("memory", format!("about {} MB", grouped(memory.div_ceil(1_000_000))));
    line(
        "writes",
        format!("runs/{}-{}-N/: {RESOLVED}, metrics.jsonl, TensorBoard events, checkpoints", plan.name, plan.seed),
    );
    if let Some(test) = test {
        line("self-test", test.to_string());
    }
    for note in &loaded.notes {
        line("note", note.clone());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1 234 567");
    }
}
