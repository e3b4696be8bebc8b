//! Tables of online runs: returns, the runs beside their twins, and the meta-parameters.

use super::bins::Column as Mean;
use super::curves::rate;
use super::{Group, OnlineRun, gap, tails};
use crate::math::returns::mean;
use crate::math::summary::Estimate;
use crate::report::curve::ends;
use crate::report::groups;
use crate::report::page::{Column, Entry, Table};

fn cell(values: &[f64]) -> Entry {
    if values.is_empty() {
        return Entry::none(3);
    }
    let estimate = Estimate::of(values);
    Entry::interval(estimate.mean, ends(&estimate))
}

/// `return_100` in the last row, where there is one.
pub(super) fn recent(run: &OnlineRun) -> Option<f64> {
    run.trace.last.as_ref()?.return_100
}

/// Mean return over the last tenth of the run.
pub(super) fn late(run: &OnlineRun) -> Option<f64> {
    run.trace.tail().mean(Mean::Return)
}

fn each(runs: &[&OnlineRun], f: impl Fn(&OnlineRun) -> Option<f64>) -> Vec<f64> {
    runs.iter().filter_map(|run| f(run)).collect()
}

/// What a second brought over the whole run.
fn speed(run: &OnlineRun, time: Mean) -> Option<f64> {
    let whole = run.trace.bins.iter().fold([0.0; 2], |[done, seconds], bin| {
        let passed = bin.sum(time).total();
        [done + rate(&run.trace, bin, time).unwrap_or(0.0) * passed, seconds + passed]
    });
    (whole[1] > 0.0).then(|| whole[0] / whole[1])
}

/// Returns and speed of groups, each with its twins.
pub fn returns(groups: &[&Group]) -> Table {
    let line = |label: String, runs: Vec<&OnlineRun>| {
        let runs = &groups::abreast(runs, OnlineRun::updates);
        let last = |f: &dyn Fn(&crate::record::online_rows::Seen) -> f64| {
            let all: Vec<f64> = runs.iter().filter_map(|run| run.trace.last.as_ref()).map(f).collect();
            if all.is_empty() { Entry::none(1) } else { Entry::number(mean(&all)) }
        };
        let fast = |time| match each(runs, |run| speed(run, time)).as_slice() {
            [] => Entry::none(1),
            all => Entry::number(mean(all)),
        };
        vec![
            Entry::text(label),
            Entry::count(runs.len()),
            last(&|row| row.update as f64),
            if runs.iter().any(|run| run.trace.has_frames()) { last(&|row| row.frames as f64) } else { Entry::none(1) },
            cell(&each(runs, recent)),
            cell(&each(runs, late)),
            Entry::count(runs.iter().filter_map(|run| Some(run.trace.last.as_ref()?.skipped as usize)).sum()),
            fast(Mean::Seconds),
            fast(Mean::CpuSeconds),
            last(&|row| row.seconds_since_start),
        ]
    };
    let mut lines = Vec::new();
    for group in groups {
        lines.push(line(group.label.clone(), group.all()));
        if !group.twins().is_empty() {
            lines.push(line(format!("{}, twin", group.label), group.twins()));
        }
    }
    let unit = if groups.iter().all(|g| g.progress()[1] == "frames") { "frames" } else { "frames (arms: updates)" };
    Table {
        name: "table-returns".into(),
        title: "Returns and speed".into(),
        caption: format!(
            "Undiscounted returns (reward): mean of the last 100 episodes, and of all episodes (small tasks: updates) of the last \
             tenth of the run. 95 % t-intervals over runs that stand at the same update; one run has none. Speed: {unit} per second of the updates, and per \
             second of processor time. Skipped: meta-gradients that were not finite or too long."
        ),
        columns: vec![
            Column::plain("runs", "group"),
            Column::plain("n", "runs"),
            Column::plain("updates", "updates"),
            Column::plain("frames", "frames"),
            Column::interval("last 100 episodes", "return_100"),
            Column::interval("last tenth", "return_late"),
            Column::plain("skipped", "skipped"),
            Column::plain("per second", "per_second"),
            Column::plain("per CPU-second", "per_cpu_second"),
            Column::plain("seconds", "seconds"),
        ],
        lines,
    }
}

/// A quantity of runs and of their twins.
pub(super) struct Pair {
    pub name: &'static str,
    pub learned: Vec<f64>,
    pub twin: Vec<f64>,
}

impl Pair {
    fn of(group: &Group, name: &'static str, f: impl Fn(&OnlineRun) -> Option<f64>) -> Pair {
        let both = group.level().into_iter().filter_map(|(run, twin)| Some((f(run)?, f(twin)?)));
        let (learned, twin) = both.unzip();
        Pair { name, learned, twin }
    }

    /// Mean of learned minus twin by seed, with its interval over seeds.
    pub fn difference(&self) -> Estimate {
        Estimate::of(&self.learned.iter().zip(&self.twin).map(|(a, b)| a - b).collect::<Vec<f64>>())
    }
}

/// What runs and twins are compared by; quantities that no pair has are left out.
pub(super) fn pairs(group: &Group) -> Vec<Pair> {
    let all = [
        Pair::of(group, "return, last 100 episodes", recent),
        Pair::of(group, "return, last tenth", late),
        Pair::of(group, "S_out, last blocks", gap::outer),
    ];
    all.into_iter().filter(|pair| !pair.learned.is_empty()).collect()
}

/// What a difference says.
pub(super) fn verdict(difference: &Estimate) -> &'static str {
    match ends(difference) {
        None => "one pair: no interval",
        Some([low, _]) if low > 0.0 => "learned is higher",
        Some([_, high]) if high < 0.0 => "twin is higher",
        Some(_) => "below resolution",
    }
}

/// Learned runs beside their twins.
pub fn twins(group: &Group) -> Option<Table> {
    let line = |pair: &Pair| {
        let difference = pair.difference();
        vec![
            Entry::text(pair.name),
            Entry::count(pair.learned.len()),
            cell(&pair.learned),
            cell(&pair.twin),
            Entry::interval(difference.mean, ends(&difference)),
            Entry::text(verdict(&difference)),
        ]
    };
    let lines: Vec<Vec<Entry>> = pairs(group).iter().map(line).collect();
    (!lines.is_empty()).then(|| Table {
        name: "table-twin".into(),
        title: "Learned beside fixed: the twin".into(),
        caption: "The twin is the same run with the same seed and every meta-parameter fixed at its initial value. Difference: learned \
                  minus twin, paired by seed, with its 95 % t-interval over pairs that stand at the same update; below resolution: it contains zero. One pair has no \
                  interval, so it cannot tell a difference from chance."
            .into(),
        columns: vec![
            Column::plain("quantity", "quantity"),
            Column::plain("pairs", "pairs"),
            Column::interval("learned", "learned"),
            Column::interval("twin", "twin"),
            Column::interval("difference", "difference"),
            Column::plain("verdict", "verdict"),
        ],
        lines,
    })
}

/// Meta-parameters: what was asked of them, and where they ended.
pub fn settings(group: &Group) -> Table {
    let runs = group.ends();
    let line = |s: super::Setting| {
        let mode = match (s.mode.as_str(), s.end) {
            ("meta", _) => "learned".to_string(),
            ("scheduled", Some(end)) => format!("scheduled, to {end}"),
            (other, _) => other.to_string(),
        };
        let is_fixed = s.mode == "fixed";
        let bounds = s.bounds.map(|b| b.to_string());
        vec![
            Entry::text(s.tunable.name()),
            Entry::text(mode),
            if is_fixed { Entry::none(1) } else { Entry::text(format!("{} to {}", bounds[0], bounds[1])) },
            Entry::text(s.initial.to_string()),
            if is_fixed { Entry::none(3) } else { precise(&tails(&runs, |bin| bin.eta(s.tunable))) },
        ]
    };
    Table {
        name: "table-eta".into(),
        title: "Meta-parameters".into(),
        caption: "Which are fixed, scheduled or learned, within which bounds, and their mean over the last tenth of the run, with a 95 % \
                  t-interval over runs; with one value per state the mean over the states that are entered."
            .into(),
        columns: vec![
            Column::plain("meta-parameter", "name"),
            Column::plain("mode", "mode"),
            Column::plain("bounds", "bounds"),
            Column::plain("at the start", "initial"),
            Column::interval("in the last tenth", "late"),
        ],
        lines: group.runs[0].tunables().into_iter().map(line).collect(),
    }
}

/// As [`cell`], with digits enough to tell 0.99997 from 1.
fn precise(values: &[f64]) -> Entry {
    if values.is_empty() {
        return Entry::none(3);
    }
    let estimate = Estimate::of(values);
    let interval = ends(&estimate);
    let brackets = interval.map_or_else(String::new, |[low, high]| format!(" [{}, {}]", close(low), close(high)));
    Entry { shown: close(estimate.mean) + &brackets, full: Entry::interval(estimate.mean, interval).full }
}

/// A number with as many decimals as tell it from 1, three at least and six at most.
pub(super) fn close(x: f64) -> String {
    let distance = (1.0 - x).abs();
    let decimals = if (1e-6..0.01).contains(&distance) { (1.0 - distance.log10().floor()) as usize } else { 3 };
    match x.abs() {
        size if size > 0.0 && size < 0.01 => crate::report::comparison::verdict::digits(x),
        _ => format!("{x:.*}", decimals.clamp(3, 6)).replace('-', "\u{2212}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_close_to_one_are_told_from_it() {
        assert_eq!(
            [0.5, 0.95, 0.9967, 0.999967, 1.0, 0.00025].map(close),
            ["0.500", "0.950", "0.9967", "0.999967", "1.000", "2.50e\u{2212}4"]
        );
    }

    #[test]
    fn differences_are_worded_by_their_interval() {
        let pair = |learned: &[f64], twin: &[f64]| Pair { name: "x", learned: learned.to_vec(), twin: twin.to_vec() };
        let said = |p: Pair| verdict(&p.difference());
        assert_eq!(said(pair(&[2.0], &[1.0])), "one pair: no interval");
        assert_eq!(said(pair(&[2.0, 3.0, 4.0], &[1.0, 2.1, 3.1])), "learned is higher");
        assert_eq!(said(pair(&[1.0, 2.1, 3.1], &[2.0, 3.0, 4.0])), "twin is higher");
        assert_eq!(said(pair(&[1.0, 5.0, 1.0], &[2.0, 3.0, 2.0])), "below resolution");
    }
}
