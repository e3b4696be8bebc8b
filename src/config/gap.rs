//! Section `[gap]`: how often and how the stationarity gap is measured during training.

use super::checks::{self, Checked};
use super::raw;
use crate::math::gap::Method;
use crate::measure::gap::{GapPlan, LIMIT};

/// Measuring during training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GapChoice {
    /// Outer iterations between measurements.
    pub every: u64,
    /// How.
    pub plan: GapPlan,
}

/// Most groups times tasks, which are all in memory together.
const MAX_SAMPLES: usize = 1_000_000;

/// Groups and tasks per group of a sampled gap, defaults where none are given. A product that is too large is blamed on what was given.
pub(crate) fn sizes(groups: Option<usize>, tasks: Option<usize>) -> Checked<[usize; 2]> {
    let plan = GapPlan::default();
    let most = if tasks.is_none() { MAX_SAMPLES / plan.tasks } else { MAX_SAMPLES };
    let groups = groups.unwrap_or(plan.groups);
    if !(4..=most).contains(&groups) {
        let why = if most < MAX_SAMPLES { format!(" with {} tasks in each", plan.tasks) } else { String::new() };
        let message = format!("must be a whole number from 4 to {most}{why}, found {groups}");
        return Err(super::Fault::new("gap.groups", message));
    }
    let tasks = checks::count("gap.tasks", tasks.unwrap_or(plan.tasks), MAX_SAMPLES / groups)?;
    Ok([groups, tasks])
}

/// The choice that the section means; `None` without `every`. `episodes` is the outer batch's, the default.
pub(super) fn choice(raw: &raw::Gap, episodes: usize, notes: &mut Vec<String>) -> Checked<Option<GapChoice>> {
    let given = [
        ("gap.method", raw.method.is_some()),
        ("gap.groups", raw.groups.is_some()),
        ("gap.tasks", raw.tasks.is_some()),
        ("gap.episodes", raw.episodes.is_some()),
    ];
    let Some(every) = raw.every else {
        super::validate::without_effect(notes, &given, "`gap.every` is not set, so no gap is measured");
        return Ok(None);
    };
    let every = checks::count("gap.every", every as usize, 1_000_000_000)? as u64;
    let [groups, tasks] = sizes(raw.groups, raw.tasks)?;
    let episodes = checks::count("gap.episodes", raw.episodes.unwrap_or(episodes), 1_000_000)?;
    let method = match raw.method {
        None | Some(raw::GapMethod::Auto) => None,
        Some(raw::GapMethod::Enumerated) => Some(Method::Enumerated),
        Some(raw::GapMethod::RaoBlackwell) => Some(Method::RaoBlackwell),
        Some(raw::GapMethod::UStatistic) => Some(Method::UStatistic),
    };
    Ok(Some(GapChoice { every, plan: GapPlan { method, groups, tasks, episodes, limit: LIMIT } }))
}

/// The section that means `choice`.
pub(super) fn section(choice: Option<&GapChoice>) -> Option<raw::Gap> {
    let GapChoice { every, plan } = choice?;
    let method = match plan.method {
        None => raw::GapMethod::Auto,
        Some(Method::Enumerated) => raw::GapMethod::Enumerated,
        Some(Method::RaoBlackwell) => raw::GapMethod::RaoBlackwell,
        Some(Method::UStatistic) => raw::GapMethod::UStatistic,
    };
    Some(raw::Gap {
        every: Some(*every),
        method: Some(method),
        groups: Some(plan.groups),
        tasks: Some(plan.tasks),
        episodes: Some(plan.episodes),
    })
}
