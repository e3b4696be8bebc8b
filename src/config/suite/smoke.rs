//! Shrinks a suite so that it runs in seconds and still has curves, a grid and more than one seed.

use super::raw::Raw;
use toml::Value;

/// Evaluations, evaluation tasks, measuring episodes, tuning seeds, reporting seeds and grid values that are left.
const CAPS: [usize; 6] = [4, 4, 4, 1, 2, 2];

/// Iterations of the dearest arm that the budget is worth.
pub(super) const ITERATIONS: u64 = 4;

/// Shrinks `raw` in place; what is too small or of a wrong type is left for validation to refuse.
pub(super) fn shrink(raw: &mut Raw) {
    let caps = std::mem::take(&mut raw.smoke);
    let asked = [caps.points, caps.tasks, caps.episodes, caps.tuning, caps.reporting, caps.grid];
    let [points, tasks, episodes, tuning, reporting, grid] =
        std::array::from_fn(|i| asked[i].unwrap_or(CAPS[i]).max(1));
    let least = |value: &mut Option<usize>, cap: usize| *value = Some(value.map_or(cap, |v| v.min(cap)));
    least(&mut raw.evaluate.points, points);
    if super::read::kind(raw) == Ok(super::Kind::Train) {
        least(&mut raw.evaluate.tasks, tasks);
    }
    least(&mut raw.evaluate.episodes, episodes);
    raw.seeds.tuning.truncate(tuning);
    raw.seeds.reporting.truncate(reporting);
    for arm in &mut raw.arms {
        for (_, values) in arm.grid.iter_mut() {
            if let Value::Array(values) = values {
                values.truncate(grid);
            }
        }
    }
    raw.families.truncate(caps.families.unwrap_or(usize::MAX).max(1));
    raw.budget = caps.budget;
    raw.families.iter_mut().for_each(|family| family.budget = None);
    raw.shrink = Some(true);
}
