//! What is said on top of online runs, what is missing, and how to read the numbers.

use super::curves::is_off_policy;
use super::tables::{close, late, pairs, recent, verdict};
use super::{Group, OnlineRun, bins, gap, tails};
use crate::estimator::online::Tunable;
use crate::math::summary::Estimate;
use crate::record::run::Status;
use crate::report::comparison::verdict::{brackets, digits, list};
use crate::report::curve::ends;
use crate::report::groups;

fn shown(values: &[f64]) -> String {
    let estimate = Estimate::of(values);
    format!("{}{}", digits(estimate.mean), brackets(ends(&estimate)))
}

fn each(group: &Group, f: impl Fn(&OnlineRun) -> Option<f64>) -> Vec<f64> {
    group.ends().into_iter().filter_map(f).collect()
}

/// The answer in a few sentences.
pub fn sentences(group: &Group) -> Vec<String> {
    let run = &group.runs[0];
    let Some(last) = group.ends().first().and_then(|run| run.trace.last.as_ref()) else {
        return vec!["No update is recorded yet.".into()];
    };
    let names = |all: &[Tunable]| list(&all.iter().map(|t| t.name().to_string()).collect::<Vec<_>>());
    let what = match run.learned().as_slice() {
        [] => "with fixed or scheduled meta-parameters".to_string(),
        all => format!("learning {}", names(all)),
    };
    let frames = if last.frames > 0 { format!(" ({} frames)", last.frames) } else { String::new() };
    let mut said = vec![format!("`{}`, {what}: {} updates{frames}.", run.task(), last.update)];
    let (now, tail) = (each(group, recent), each(group, late));
    let tail = match tail.is_empty() {
        true => "No episode has ended in the last tenth of the run.".to_string(),
        false => format!("The mean return of the last tenth of the run is {}", shown(&tail)),
    };
    said.push(match now.is_empty() {
        true => tail.trim_end_matches('.').to_string() + ".",
        false => tail.trim_end_matches('.').to_string() + &format!(", that of the last 100 episodes {}.", shown(&now)),
    });
    said.extend(moved(group));
    said.extend(twin(group));
    said.extend(gap::sentence(group));
    said.push(match group.ends().len() {
        1 => "This is one run: nothing is known of other seeds.".to_string(),
        n => format!("Intervals are over n = {n} runs that differ by their seed."),
    });
    said
}

/// Where the learned meta-parameters went.
fn moved(group: &Group) -> Option<String> {
    let runs = group.ends();
    let run = &group.runs[0];
    let part = |s: super::Setting| {
        let parity = |first: usize| {
            let of = |bin: &bins::Bin| {
                let all: Option<Vec<f64>> = bin.states.iter().skip(first).step_by(2).map(bins::Sum::mean).collect();
                all.filter(|x| !x.is_empty()).map(|x| crate::math::returns::mean(&x))
            };
            let values = tails(&runs, of);
            (!values.is_empty()).then(|| close(crate::math::returns::mean(&values)))
        };
        let (name, start) = (s.tunable.name(), s.initial);
        if let (Some(odd), Some(even)) = (parity(2), parity(1)) {
            return Some(format!("`{name}` went from {start} to {odd} in odd and {even} in even states"));
        }
        let values = tails(&runs, |bin| bin.eta(s.tunable));
        (!values.is_empty()).then(|| format!("`{name}` went from {start} to {}", close(Estimate::of(&values).mean)))
    };
    let learned = run.tunables().into_iter().filter(|s| s.mode == "meta");
    let parts: Vec<String> = learned.filter_map(part).collect();
    (!parts.is_empty()).then(|| format!("By the last tenth of the run {}.{}", parts.join(", "), unlearned(&runs)))
}

/// Which of the values that are told are not learned: those of runs that fell back.
fn unlearned(runs: &[&OnlineRun]) -> String {
    let fell: Vec<String> = runs.iter().filter_map(|run| Some((run.trace.fell_after? + 1).to_string())).collect();
    match (fell.as_slice(), runs.len()) {
        ([], _) => String::new(),
        ([from], 1) => {
            format!(" From update {from} on that is the reference, which the run fell back to, and not learned.")
        }
        (all, n) => format!(
            " Not all of that is learned: {} of {n} runs fell back to the reference, which is theirs from update {} on.",
            all.len(),
            all.join(", ")
        ),
    }
}

/// The runs beside their twins.
fn twin(group: &Group) -> Option<String> {
    let all = pairs(group);
    let pair = all.iter().find(|pair| pair.name == "return, last tenth")?;
    let difference = pair.difference();
    let by = format!("{}{}", digits(difference.mean), brackets(ends(&difference)));
    let n = pair.learned.len();
    let sure = match verdict(&difference) {
        "one pair: no interval" => {
            "That is one pair: it gives no interval, and says nothing of other seeds.".to_string()
        }
        "below resolution" => format!("Over n = {n} pairs that is below resolution: the interval contains zero."),
        other => format!("Over n = {n} pairs, {other}."),
    };
    Some(format!("Learned minus twin, in the mean return of the last tenth: {by}. {sure}"))
}

/// What is missing or limits the rest.
pub fn missing(group: &Group) -> Vec<String> {
    let mut missing = Vec::new();
    for run in &group.runs {
        missing.extend(partial(run));
        missing.extend(run.lacking.clone());
        missing.extend(run.twin.as_deref().and_then(partial));
        missing.extend(run.twin.as_deref().and_then(|twin| uneven(run, twin)));
        let skipped = run.trace.last.as_ref().map_or(0, |row| row.skipped);
        if skipped > 0 {
            missing.push(format!("{skipped} meta-gradients of {} were skipped: not finite, or too long.", run.path));
        }
    }
    missing.extend(group.runs.iter().filter_map(fallen));
    missing.extend(groups::apart(&group.runs, "update", OnlineRun::updates, |run| run.path.clone()));
    missing.extend(group.again.iter().map(|path| groups::left_out(path)));
    if group.runs.iter().any(|run| run.key(&["family"]).is_some() && run.trace.rows > 0 && run.trace.measured == 0) {
        missing.push("The gap was not measured: `gap.every` is 0, or longer than the run.".into());
    }
    missing
}

/// From where on a run has learned nothing more.
fn fallen(run: &OnlineRun) -> Option<String> {
    let (at, path) = (run.trace.fell_after?, &run.path);
    Some(format!(
        "{path} fell back after update {at}, since S_out had stopped falling (`meta.patience`): from update {} on its meta-parameters \
         are the reference (gamma' and lambda' of J', the others their initial values) and not learned.",
        at + 1
    ))
}

/// Why a pair is not compared yet.
fn uneven(run: &OnlineRun, twin: &OnlineRun) -> Option<String> {
    let (ours, its) = (run.updates(), twin.updates());
    (ours != its).then(|| {
        let path = &run.path;
        format!("{path} stands at update {ours}, its twin at {its}: they are compared once both stand at the same.")
    })
}

fn partial(run: &OnlineRun) -> Option<String> {
    let planned = run.number(&["updates"]).map_or_else(|| "?".into(), |n| n.to_string());
    let state = match run.info.status {
        Status::Finished => return None,
        Status::Starting | Status::Running => "is still running, or was killed",
        Status::Interrupted => "was interrupted",
        Status::Diverged => "diverged",
    };
    let why = run.info.reason.as_ref().map_or_else(String::new, |r| format!(" ({r})"));
    Some(format!("Partial: {} {state}{why}, {} of {planned} updates.", run.path, run.trace.rows))
}

/// How to read the numbers.
pub fn reading(group: &Group) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    let width = group.runs.iter().map(|run| run.trace.width).max().unwrap_or(1);
    if width > 1 {
        notes.push(format!(
            "Curves and their CSV hold at most {} points: each is the mean over {width} consecutive updates (returns weighted by the \
             episodes that ended; of the gap the last measurement among them). The rows themselves are in `metrics.jsonl`.",
            bins::BINS
        ));
    }
    if group.runs.iter().any(|run| run.trace.measured > 0) {
        let text = [
            "Stationarity here is local and conditional: expectations are over the states that the current policy visits, given the \
             current parameters. A small number says that the updates have come to rest there, not that the policy is good or that \
             no other one is better.",
            "S_in is the residual of a semi-gradient update at the current eta: it belongs to a fixed point and not to the minimum of \
             a function, and it changes its meaning when eta moves. S_out belongs to the fixed objective J' and is comparable across \
             the run and with its twin. S_meta belongs to the meta-parameters: S_in near zero with S_meta above it means that theta is \
             solved for this eta while eta still moves.",
            "Estimates are unbiased products between groups of actors and may be negative; intervals are by batch means over blocks of \
             updates, since consecutive unrolls are correlated. Where an interval contains zero the gap is below resolution: no number \
             is claimed but its upper end.",
        ];
        notes.extend(text.map(String::from));
    }
    if !group.pairs().is_empty() {
        notes.push(
            "A run and its twin share the seed, so the task and the first weights, but soon act differently: pairing takes out what the \
             seed fixes, not the chance of each run."
                .into(),
        );
    }
    let on_policy =
        |run: &OnlineRun| run.trace.rows > 0 && run.key(&["family"]).is_some() && !is_off_policy(&run.trace);
    if group.runs.iter().all(on_policy) {
        notes.push(
            "Data were on-policy throughout: ratios pi / mu are 1, nothing was clipped, and the policy lag is 0."
                .into(),
        );
    }
    notes
}
