//! `check` of a study of `bias`: its points and what they cost, without measuring one.

use super::grouped;
use crate::config::any::RESOLVED;
use crate::config::bias::{Plan, Point};

/// What the points differ in, or share: every distinct value, in the order of the study.
fn values(points: &[Point], of: impl Fn(&Point) -> Option<String>) -> String {
    let mut all: Vec<String> = Vec::new();
    for value in points.iter().filter_map(of) {
        if !all.contains(&value) {
            all.push(value);
        }
    }
    all.join(", ")
}

/// One estimator for all sampled parts, else all three.
fn estimators(point: &Point) -> Option<String> {
    let parts = point.label().parts;
    let mut names: Vec<&str> = parts.into_iter().filter(|name| *name != "exact").collect();
    names.dedup();
    match names.as_slice() {
        [] => None,
        [one] => Some((*one).to_string()),
        _ => Some(parts.join("/")),
    }
}

/// What a study would measure.
pub(super) fn report(plan: &Plan, source: &str) -> String {
    let points = &plan.points;
    let mdp = &plan.mdps[0];
    let per_estimate: usize = points.iter().map(Point::sampled).sum();
    let trajectories = per_estimate as u64 * plan.repeats as u64 * plan.mdps.len() as u64;
    let buffer = |point: &Point| {
        let b = point.label().buffer?;
        Some(format!("{} (drift {}, {})", b.size, b.drift, b.correction.name()))
    };
    let lines = [
        ("valid", source.to_string()),
        ("problem", format!("{}, gamma {}", plan.problem(), plan.gamma)),
        (
            "family",
            format!(
                "{}, {} MDPs of {} states and {} actions",
                plan.family.name,
                plan.mdps.len(),
                mdp.states,
                mdp.actions
            ),
        ),
        ("points", grouped(points.len() as u64)),
        ("alpha", values(points, |p| Some(p.alpha.to_string()))),
        ("steps", values(points, |p| Some(p.steps.to_string()))),
        ("tags", values(points, |p| Some(p.label().tag))),
        ("estimators", values(points, estimators)),
        ("n", values(points, |p| p.label().trajectories.map(|n| n.to_string()))),
        ("c", values(points, |p| p.hessian_error.map(|c| c.to_string()))),
        ("buffer", values(points, buffer)),
        ("repeats", format!("{} estimates per point and MDP", grouped(plan.repeats as u64))),
        ("samples", format!("{} trajectories in total", grouped(trajectories))),
        ("writes", format!("runs/{}-{}-N/: {RESOLVED}, metrics.jsonl", plan.name, plan.seed)),
    ];
    lines.iter().filter(|(_, text)| !text.is_empty()).map(|(label, text)| format!("{label:<12} {text}\n")).collect()
}
