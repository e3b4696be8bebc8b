//! What the view shows of a run of `online`: its rows as points, its gap as marks, and the words for both.

use super::model::{Detail, Measured, Model, Point};
use super::text::{count, number};
use crate::app::learnt::duration;
use crate::budget::Budget;
use crate::learn::online::Values;
use crate::learn::online::actor_critic::Reading;
use crate::math::gap::{Gap, Method};
use crate::math::summary::Estimate;
use crate::record::online_rows::Seen;

/// What an update of `online` says beside its returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lived {
    /// Least and greatest gamma (of the states that are entered, where there is one per state).
    pub gamma: Option<[f64; 2]>,
    /// The same of lambda.
    pub lambda: Option<[f64; 2]>,
    /// Entropy of the policy.
    pub entropy: Option<f64>,
    /// Meta-gradients skipped so far.
    pub skipped: u64,
    /// What was learned has returned to its reference for good.
    pub fallen_back: bool,
    /// The return is a mean over the last 100 episodes.
    pub has_episodes: bool,
}

/// What was measured of the gap last.
#[derive(Clone, Debug, PartialEq)]
pub struct Stationarity {
    update: u64,
    /// S_in, S_out and, if something is learned, S_meta: name and mean over the last blocks.
    readings: Vec<(&'static str, Reading)>,
}

fn range(values: &Option<Values>) -> Option<[f64; 2]> {
    match values.as_ref()? {
        Values::Global(x) => Some([*x; 2]),
        Values::PerState(all) => {
            let entered = all.get(1..)?.iter().copied();
            let low = entered.clone().reduce(f64::min)?;
            Some([low, entered.reduce(f64::max)?])
        }
    }
}

/// A row as a point: `after` is the return of the last 100 episodes (of the update, where there are none), `before` that of the
/// episodes which ended in the update. What there is none of is not a number.
pub fn point(row: &Seen) -> Point {
    let bare = |x: Option<f64>| Estimate { mean: x.unwrap_or(f64::NAN), low: None, high: None };
    let has_episodes = row.episodes.is_some();
    let after = if has_episodes { row.return_100 } else { row.achieved };
    let budget = Budget { environment_steps: row.frames, episodes: row.episodes.unwrap_or(0), ..Budget::default() };
    Point {
        iteration: row.update,
        before: bare(row.achieved.filter(|_| has_episodes)),
        after: bare(after),
        seconds: row.seconds_since_start,
        budget,
        detail: Detail::Lived(Lived {
            gamma: range(&row.gamma),
            lambda: range(&row.lambda),
            entropy: row.entropy,
            skipped: row.skipped,
            fallen_back: row.fallen_back,
            has_episodes,
        }),
    }
}

/// The measurement of a row, and S_out as a mark once it has an interval.
pub fn measured(row: &Seen) -> Option<(Stationarity, Option<Measured>)> {
    let gap = row.gap.as_ref()?;
    let out = &gap.out;
    let mut readings = vec![("S_in", gap.inner.clone()), ("S_out", out.clone())];
    readings.extend(gap.meta.clone().map(|meta| ("S_meta", meta)));
    let mark = || {
        let gap_squared_interval = [out.low?, out.high?];
        let gap = Gap {
            method: Method::UStatistic,
            gap_squared: out.mean,
            gap_squared_interval,
            gap: out.gap,
            groups: out.blocks as u64,
            noise: out.noise,
        };
        Some(Measured { iteration: row.update, gap })
    };
    Some((Stationarity { update: row.update, readings }, mark()))
}

/// One number, or the range of many, with decimals that tell it from 1.
fn shown(range: Option<[f64; 2]>) -> Option<String> {
    let [low, high] = range?;
    Some(if low == high { format!("{low:.5}") } else { format!("{low:.3} to {high:.3} by state") })
}

/// A squared norm: its mean over the last blocks with its interval, or that it is below resolution.
fn squared(r: &Reading) -> String {
    match (r.low, r.high) {
        (Some(low), Some(high)) if low <= 0.0 => {
            format!("below resolution, at most {}", number(high.max((high - low) / 2.0)))
        }
        (Some(low), Some(high)) => format!("{} [{}, {}]", number(r.mean), number(low), number(high)),
        _ if r.mean > 0.0 => format!("{}, no interval yet", number(r.mean)),
        _ => format!("not resolved yet (estimate {})", number(r.mean)),
    }
}

fn achieved(x: f64) -> String {
    if x.is_finite() { number(x) } else { "no episode has ended".into() }
}

/// The lines of numbers, most important first.
pub fn facts(model: &Model, p: &Point, lived: &Lived) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if lived.has_episodes {
        facts.push(("last 100", achieved(p.after.mean)));
        facts.push(("update", achieved(p.before.mean)));
    } else {
        facts.push(("return", achieved(p.after.mean)));
    }
    facts.extend(shown(lived.gamma).map(|x| ("gamma", x)));
    facts.extend(shown(lived.lambda).map(|x| ("lambda", x)));
    facts.extend(lived.fallen_back.then(|| ("fell back", "to the reference, no longer learned".into())));
    match &model.stationarity {
        Some(found) => {
            let at = |i: usize| if i == 0 { format!(" (update {})", count(found.update)) } else { String::new() };
            facts.extend(found.readings.iter().enumerate().map(|(i, (name, r))| (*name, squared(r) + &at(i))));
        }
        None if lived.has_episodes => facts.push(("gap", "not measured yet; gap.every sets when".into())),
        None => {}
    }
    let speed = match model.speed() {
        Some(s) if s.steps > 0.0 => format!("{} frames/s, {} updates/s", number(s.steps), number(s.iterations)),
        Some(s) => format!("{} updates/s", number(s.iterations)),
        None => "unknown yet".into(),
    };
    facts.push(("speed", speed));
    facts.push(("frames", count(p.budget.environment_steps)));
    facts.extend(lived.has_episodes.then(|| ("episodes", count(p.budget.episodes))));
    facts.extend(lived.entropy.map(|x| ("entropy", number(x))));
    facts.extend((lived.skipped > 0).then(|| ("skipped", format!("{} meta-gradients", count(lived.skipped)))));
    facts
}

/// One row as a plain line.
pub fn row(p: &Point, lived: &Lived, total: Option<u64>) -> String {
    let of = total.map_or(String::new(), |n| format!("/{n}"));
    let mut parts = Vec::new();
    parts.extend(lived.has_episodes.then(|| format!("return {} (last 100)", achieved(p.after.mean))));
    parts.extend((!lived.has_episodes).then(|| format!("return {}", achieved(p.after.mean))));
    parts.extend(shown(lived.gamma).map(|x| format!("gamma {x}")));
    parts.extend(shown(lived.lambda).map(|x| format!("lambda {x}")));
    parts.extend(lived.fallen_back.then(|| "fallen back".to_string()));
    parts.push(format!("{} frames", count(p.budget.environment_steps)));
    parts.push(duration(p.seconds));
    format!("update {}{of}: {}", p.iteration, parts.join(", "))
}

/// One measurement as a plain line.
pub fn measurement(m: &Measured) -> String {
    let [low, high] = m.gap.gap_squared_interval;
    let text = match m.gap.gap {
        Some(_) => format!("{} [{}, {}]", number(m.gap.gap_squared), number(low), number(high)),
        None => format!("below resolution, at most {}", number(high.max((high - low) / 2.0))),
    };
    format!("update {}: S_out {text}", m.iteration)
}
