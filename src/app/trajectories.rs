//! What `evaluate` writes to files: trajectories as CSV and navigation paths as SVG.

use super::evaluate::Subject;
use super::failure::Failure;
use crate::batch::{Actions, Batch};
use crate::math::real::Real;
use crate::measure::adaptation;
use crate::report::paths::{self, Panel};
use std::path::Path;
use tasks::env::{Env as _, Space};

/// Tasks drawn, and episodes of each phase.
const PANELS: usize = 4;
const PATHS: usize = 3;

/// Refuses a file that could not be written, before any work is spent.
///
/// # Errors
/// Its directory is missing, or it is a directory itself.
pub fn check_writable(path: &Path) -> Result<(), Failure> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let refuse = |why: &str| Err(Failure::Usage(format!("{}: {why}", path.display())));
    match () {
        () if path.is_dir() => refuse("is a directory; a file is needed"),
        () if !parent.is_dir() => refuse("cannot be written: its directory does not exist"),
        () => Ok(()),
    }
}

fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::Internal(format!("{}: cannot be written: {error}", path.display()))
}

/// Numbers that name row `row`'s observation: the index of a discrete one, else its coordinates.
fn observation<F: Real>(batch: &Batch<F>, row: usize, space: &Space) -> Vec<f64> {
    let encoded = batch.obs_row(row);
    match space {
        Space::Discrete(_) if encoded.len() > 1 => {
            vec![encoded.iter().position(|x| *x != F::zero()).unwrap_or(0) as f64]
        }
        _ => encoded.iter().map(|x| x.f64()).collect(),
    }
}

/// Writes one line per decision of every measuring episode of every task (first seed): task, adaptation steps before it,
/// episode, step, observation, action, reward, and whether the MDP (not the time limit) ended the episode there.
///
/// # Errors
/// The file cannot be written.
pub(super) fn dump<F: Real>(subject: &Subject<'_, F>, shots: usize, path: &Path) -> Result<(), Failure> {
    let family = &*subject.loaded.family;
    let space = family.observation_space();
    let width = match family.action_space() {
        Space::Discrete(_) => 1,
        other => other.width(),
    };
    let fail = |e: csv::Error| unwritable(path, &e);
    let mut writer = csv::Writer::from_path(path).map_err(fail)?;
    let mut head: Vec<String> = ["task", "phase", "episode", "step"].map(String::from).to_vec();
    head.extend((0..space.width()).map(|i| format!("observation_{i}")));
    head.extend((0..width).map(|i| format!("action_{i}")));
    head.extend(["reward", "terminated"].map(String::from));
    writer.write_record(&head).map_err(fail)?;
    let plan = subject.plan(subject.steps, shots, 0);
    let inner = &subject.loaded.plan.options.inner;
    for i in 0..subject.tasks {
        let task = adaptation::task(family, plan.seed, i);
        let mut written = Ok(());
        let mut show = |k: usize, batch: &Batch<F>, _: &[F]| {
            if written.is_ok() {
                written = lines(&mut writer, &space, i, k, batch);
            }
        };
        let (theta, alpha) = (&subject.state.theta, &subject.state.alpha);
        adaptation::visit(&task, &subject.policy, theta, alpha, inner, &plan, i, &mut show);
        written.map_err(fail)?;
    }
    writer.flush().map_err(|e| unwritable(path, &e))
}

fn lines<F: Real>(
    writer: &mut csv::Writer<std::fs::File>,
    space: &Space,
    task: usize,
    k: usize,
    batch: &Batch<F>,
) -> Result<(), csv::Error> {
    for e in 0..batch.episodes() {
        let rows = batch.episode(e);
        for (h, &row) in rows.iter().enumerate() {
            let row = row as usize;
            let mut fields = vec![task.to_string(), format!("after_{k}_steps"), e.to_string(), h.to_string()];
            fields.extend(observation(batch, row, space).iter().map(ToString::to_string));
            match &batch.actions {
                Actions::Discrete(a) => fields.push(a[row].to_string()),
                Actions::Continuous { values, width } => {
                    fields.extend(values[row * width..(row + 1) * width].iter().map(ToString::to_string));
                }
            }
            fields.push(batch.rewards[row].to_string());
            fields.push((batch.terminated[e] && h + 1 == rows.len()).to_string());
            writer.write_record(&fields)?;
        }
    }
    Ok(())
}

/// Draws the paths of a few tasks before and after adaptation.
///
/// # Errors
/// The family has no positions to draw, or the file cannot be written.
pub(super) fn plot<F: Real>(subject: &Subject<'_, F>, shots: usize, path: &Path) -> Result<(), Failure> {
    let (family, name) = (&*subject.loaded.family, &subject.loaded.plan.family.name);
    let plan = subject.plan(subject.steps, shots, 0);
    let mut panels = Vec::new();
    for i in 0..subject.tasks.min(PANELS) {
        let task = adaptation::task(family, plan.seed, i);
        let Some(goal) = task.goal() else {
            let why = format!("--plot draws paths in the plane, which `{name}` has not; it needs a navigation family");
            return Err(Failure::Usage(why));
        };
        let mut panel = Panel { title: format!("task {}", i + 1), goal, before: Vec::new(), after: Vec::new() };
        let mut show = |k: usize, batch: &Batch<F>, _: &[F]| {
            let drawn = (0..batch.episodes().min(PATHS)).map(|e| positions(&task, batch, e)).collect();
            match k {
                0 => panel.before = drawn,
                k if k == subject.steps => panel.after = drawn,
                _ => {}
            }
        };
        let (theta, alpha) = (&subject.state.theta, &subject.state.alpha);
        let inner = &subject.loaded.plan.options.inner;
        adaptation::visit(&task, &subject.policy, theta, alpha, inner, &plan, i, &mut show);
        panels.push(panel);
    }
    let steps = if subject.steps == 1 { "1 step".into() } else { format!("{} steps", subject.steps) };
    let heading = format!("{name} after {} iterations: {steps} of {shots} episodes", subject.state.iteration);
    let text = paths::svg(&heading, &panels).map_err(|e| unwritable(path, &e))?;
    std::fs::write(path, text).map_err(|e| unwritable(path, &e))
}

/// Positions of episode `e` in time order. Where a task has positions, it observes its state unchanged.
fn positions<F: Real>(task: &tasks::task::Task, batch: &Batch<F>, e: usize) -> paths::Path {
    let place = |obs: &[F]| task.position(&obs.iter().map(|x| x.f64()).collect::<Vec<_>>());
    let last = &batch.last_obs[e * batch.obs_width..(e + 1) * batch.obs_width];
    let rows = batch.episode(e).iter().map(|&row| batch.obs_row(row as usize));
    rows.chain([last]).filter_map(place).collect()
}
