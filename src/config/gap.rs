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

const MAX_GROUPS: usize = 1_000_000;

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
    let groups = raw.groups.unwrap_or(GapPlan::default().groups);
    if !(4..=MAX_GROUPS).contains(&groups) {
        let message = format!("must be a whole number from 4 to {MAX_GROUPS}, found {groups}");
        return Err(super::Fault::new("gap.groups", message));
    }
    let tasks = checks::count("gap.tasks", raw.tasks.unwrap_or(GapPlan::default().tasks), 1_000_000 / groups.max(1))?;
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
