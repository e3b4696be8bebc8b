//! Suite back to a file that needs no other: presets and files written out, `--smoke` applied.

use super::raw;
use super::{Kind, Suite, number};
use crate::config::{Error, tree};
use toml::{Table, Value};

/// TOML text that loads to a suite equal to `suite`, whatever becomes of the files it was made from.
///
/// # Errors
/// A configuration that has no TOML form.
pub fn resolved(suite: &Suite) -> Result<String, Error> {
    let families = suite.families.iter().map(|f| raw::Family {
        name: Some(f.name.clone()),
        budget: Some(f.budget),
        score: f.score.map(|[low, high]| raw::Score { low, high }),
        config: Some(f.config.clone()),
        set: f.set.iter().cloned().collect(),
        ..raw::Family::default()
    });
    let values = |list: &[f64]| Value::Array(list.iter().map(|&x| number(x)).collect());
    let arms = suite.arms.iter().map(|a| raw::Arm {
        name: Some(a.name.clone()),
        families: Some(a.families.iter().map(|&i| suite.families[i].name.clone()).collect()),
        config: a.config.clone(),
        set: a.set.iter().cloned().collect(),
        grid: a.grid.iter().map(|(key, list)| (key.clone(), values(list))).collect::<Table>(),
        ..raw::Arm::default()
    });
    let (e, adapts) = (suite.evaluate, suite.kind == Kind::Train);
    let raw = raw::Raw {
        name: Some(suite.name.clone()),
        kind: Some(suite.kind),
        cost: suite.cost.clone(),
        select: Some(suite.select),
        report_grid: Some(suite.report_grid),
        shrink: Some(suite.shrink),
        seeds: raw::Seeds { tuning: suite.tuning.clone(), reporting: suite.reporting.clone() },
        evaluate: raw::Evaluate {
            points: Some(e.points),
            tasks: adapts.then_some(e.tasks),
            episodes: Some(e.episodes),
            exact: adapts.then_some(e.exact),
            gap: adapts.then_some(e.gap),
        },
        families: families.collect(),
        arms: arms.collect(),
        ..raw::Raw::default()
    };
    let fail = |message: String| Error { source: suite.source.clone(), key: String::new(), message };
    let mut text = toml::to_string(&raw).map_err(|e| fail(format!("cannot be written as TOML: {e}")))?;
    text.insert_str(0, "# Resolved suite: presets written out.\n");
    // what cannot be read back could not be resumed
    tree::parse(&text, tree::Format::Toml).map_err(fail)?;
    Ok(text)
}
