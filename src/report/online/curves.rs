//! Figures of online runs: returns, meta-parameters, what the learner says of itself, and speed.

use super::bins::{Bin, Column, Trace};
use super::{Group, OnlineRun};
use crate::estimator::online::Tunable;
use crate::report::curve::{across, mark};
use crate::report::figure::{Axis, Figure, Look, Mark, Scale, Series, reference};

/// Mean over runs of a number of each bin.
pub(super) fn over(runs: &[&OnlineRun], y: impl Fn(&Bin) -> Option<f64>) -> Vec<Mark> {
    across(&runs.iter().map(|run| run.trace.curve(&y)).collect::<Vec<_>>())
}

/// A line of some runs.
pub(super) fn line(label: &str, style: usize, marks: Vec<Mark>) -> Series {
    Series { label: label.into(), style, look: Look::Line, marks }
}

/// What the bands are, and how many rows a point stands for.
fn grounds(group: &Group, has_bands: bool) -> String {
    let bands = match group.runs.len() {
        1 => "One run.".to_string(),
        n if has_bands => format!("Mean over n = {n} runs, bands are 95 % t-intervals over runs."),
        n => format!("Mean over n = {n} runs, no bands."),
    };
    let width = group.runs.iter().map(|run| run.trace.width).max().unwrap_or(1);
    let points = if width > 1 { format!(" Each point is the mean over {width} updates.") } else { String::new() };
    format!("{bands}{points}")
}

/// A figure against the progress of the runs.
pub(super) fn figure(group: &Group, name: &str, title: &str, caption: &str, y: Axis, series: Vec<Series>) -> Figure {
    let [label, column] = group.progress();
    let has_bands = series.iter().flat_map(|s| &s.marks).any(|m| m.interval.is_some());
    Figure {
        name: name.into(),
        title: title.into(),
        caption: format!("{caption} {}", grounds(group, has_bands)),
        x: Axis::linear(label, column),
        y,
        counted: "runs",
        series: series.into_iter().filter(|s| !s.marks.is_empty()).collect(),
    }
}

/// Figures of returns and meta-parameters.
pub fn figures(group: &Group) -> Vec<Figure> {
    let mut figures = vec![returns(group)];
    figures.extend(discounts(group));
    figures.extend(states(group));
    figures.extend(costs(group));
    figures.extend(logits(group));
    figures
}

/// Returns of the runs, and of their twins.
fn returns(group: &Group) -> Figure {
    let (runs, twins) = (group.all(), group.twins());
    let recent = over(&runs, |bin| bin.mean(Column::Return100));
    let each = over(&runs, |bin| bin.mean(Column::Return));
    let mut series = Vec::new();
    let has_episodes = !recent.is_empty();
    if has_episodes {
        // without intervals: it is what the line is made of
        series.push(without_bands(Series { label: "by update".into(), style: 0, look: Look::Faint, marks: each }));
        series.push(line("last 100 episodes", 0, recent));
    } else {
        series.push(line("by update", 0, each));
    }
    let column = if has_episodes { Column::Return100 } else { Column::Return };
    series.push(line("twin: all fixed", 1, over(&twins, |bin| bin.mean(column))));
    let caption = match has_episodes {
        true => {
            "Undiscounted return: mean of the last 100 episodes (`return_100`), and thin that of the episodes which ended in \
             each update."
        }
        false => "Undiscounted return of each update (`return`): of its episode, or what the policy expects (arms).",
    };
    figure(group, "returns", "Return", caption, Axis::linear("undiscounted return (reward)", "return"), series)
}

/// gamma and lambda, unless neither ever moves.
fn discounts(group: &Group) -> Option<Figure> {
    let moving = |t: &Tunable| group.runs[0].tunables().iter().any(|s| s.tunable == *t && s.mode != "fixed");
    let shown: Vec<Tunable> = [Tunable::Gamma, Tunable::Lambda].into_iter().filter(moving).collect();
    if shown.is_empty() || has_states(group) {
        return None;
    }
    let series = shown.into_iter().map(|t| line(t.name(), t as usize, over(&group.all(), |bin| bin.eta(t))));
    let caption =
        "Discount gamma and trace parameter lambda that the updates were made with; one that is fixed is not drawn.";
    let axis = Axis::linear("value", "value");
    Some(figure(group, "eta", "gamma and lambda", caption, axis, series.collect()))
}

fn has_states(group: &Group) -> bool {
    group.runs.iter().any(|run| run.trace.bins.iter().any(|bin| !bin.states.is_empty()))
}

/// Mean over the states with an index of this parity; the first state is never entered.
fn of_parity(bin: &Bin, first: usize) -> Option<f64> {
    let all: Option<Vec<f64>> = bin.states.iter().skip(first).step_by(2).map(|s| s.mean()).collect();
    all.filter(|values| !values.is_empty()).map(|values| crate::math::returns::mean(&values))
}

/// A meta-parameter of every state of a chain: over time by parity, and in the end.
fn states(group: &Group) -> Vec<Figure> {
    if !has_states(group) {
        return Vec::new();
    }
    let runs = group.all();
    let name = group.runs[0].learned().first().map_or("value", |t| t.name());
    let series = vec![
        line("odd states (s3, s5, ...)", 0, over(&runs, |bin| of_parity(bin, 2))),
        line("even states (s2, s4, ...)", 1, over(&runs, |bin| of_parity(bin, 1))),
    ];
    let caption = format!(
        "Mean of {name} over the odd and over the even states that are entered; the first state is not, so its {name} has no effect."
    );
    let axis = || Axis::linear(name, name);
    let means = figure(group, "eta", &format!("{name} by state"), &caption, axis(), series);
    let count = runs.iter().map(|run| run.trace.tail().states.len()).max().unwrap_or(0);
    let last: Vec<Bin> = runs.iter().map(|run| run.trace.tail()).collect();
    let at = |state: usize| {
        let values: Vec<f64> = last.iter().filter_map(|bin| bin.states.get(state)?.mean()).collect();
        (!values.is_empty()).then(|| mark(state as f64 - 1.0, &values))
    };
    let marks = (1..count).filter_map(at).collect();
    let names = (1..count).map(|state| format!("s{}", state + 1)).collect();
    let profile = Figure {
        name: "eta-states".into(),
        title: format!("{name} of each state in the end"),
        caption: format!(
            "Mean of {name} over the last tenth of the run{}",
            if runs.len() > 1 { ", with 95 % t-intervals over runs." } else { "; one run." }
        ),
        x: Axis { label: "state entered".into(), column: "state".into(), scale: Scale::Names(names) },
        y: axis(),
        counted: "runs",
        series: vec![Series { label: name.into(), style: 0, look: Look::Points, marks }],
    };
    vec![means, profile]
}

/// Each other meta-parameter that is learned or scheduled.
fn costs(group: &Group) -> Vec<Figure> {
    let settings = group.runs[0].tunables().into_iter();
    let moving = settings.filter(|s| s.mode != "fixed" && !matches!(s.tunable, Tunable::Gamma | Tunable::Lambda));
    let one = |s: super::Setting| {
        let name = s.tunable.name();
        let series = vec![line(name, 0, over(&group.all(), |bin| bin.eta(s.tunable)))];
        let caption = format!("`{name}` that the updates were made with.");
        figure(group, &name.replace('_', "-"), name, &caption, Axis::linear(name, name), series)
    };
    moving.map(one).collect()
}

/// Logits of what is learned.
fn logits(group: &Group) -> Option<Figure> {
    let runs = group.all();
    let learned = group.runs[0].learned();
    let count = runs.iter().filter_map(|run| run.trace.last.as_ref()).map(|row| row.logits.len()).max().unwrap_or(0);
    let per_state = has_states(group);
    let label = |i: usize| match learned.get(i) {
        Some(t) if !per_state => t.name().to_string(),
        _ => format!("s{}", i + 1),
    };
    let first = usize::from(per_state); // the logit of the state that is not entered never moves
    let series = (first..count).map(|i| {
        let series = line(&label(i), i, over(&runs, |bin| bin.logits.get(i)?.mean()));
        if per_state && runs.len() > 1 { without_bands(series) } else { series }
    });
    let caption = "Logits x of what is learned, after the updates: a value is low + (high - low) sigmoid(x).";
    let series: Vec<Series> = series.collect();
    let axis = Axis::linear("logit x", "logit");
    (!series.is_empty()).then(|| figure(group, "logits", "Logits", caption, axis, series))
}

/// The same without intervals: where they are too wide, or mean nothing.
pub(super) fn without_bands(mut series: Series) -> Series {
    series.marks.iter_mut().for_each(|m| m.interval = None);
    series
}

/// What the learner says of itself.
pub fn learner(group: &Group) -> Vec<Figure> {
    let runs = group.all();
    let column = |label: &str, style, c: Column| line(label, style, over(&runs, |bin| bin.mean(c)));
    let bare = |label: &str, style, c: Column| without_bands(column(label, style, c));
    let one = |name: &str, title: &str, caption: &str, y: Axis, series: Series| {
        figure(group, name, title, caption, y, vec![series])
    };
    let (linear, log) = (Axis::linear, Axis::log);
    let entropy = "Mean entropy of the policy on the inner unroll.";
    let values = "Mean squared error of the values on the inner unroll.";
    let outer = "Outer loss J' on the later data, after the inner step.";
    let gradient = "Norm of the gradient of the inner loss before clipping.";
    let update = "Norm of the change of the values, or of the logits of the arms.";
    let meta = "Norms of the meta-gradient in logits before the rail, and of the change of the logits.";
    let norms = match group.runs[0].learned().is_empty() {
        true => Vec::new(),
        false => vec![bare("meta-gradient", 0, Column::MetaNorm), bare("change of x", 1, Column::LogitChange)],
    };
    let error = bare("value error", 0, Column::ValueError);
    let mut figures = vec![
        one("entropy", "Entropy", entropy, linear("entropy (nats)", "entropy"), column("entropy", 0, Column::Entropy)),
        one("values", "Value error", values, log("squared error (reward²)", "value_error"), error),
        one("outer-loss", "Outer loss", outer, linear("loss", "outer_loss"), column("J'", 0, Column::OuterLoss)),
        one("gradient", "Inner gradient", gradient, log("norm", "norm"), bare("gradient", 0, Column::GradientNorm)),
        one("update", "Update", update, log("norm", "norm"), bare("update", 0, Column::UpdateNorm)),
        figure(group, "meta-gradient", "Meta-gradient", meta, log("norm", "norm"), norms),
    ];
    figures.extend(off_policy(group));
    figures.push(speed(group));
    figures
}

/// Whether data and parameters ever differ: a lag, a ratio that is not 1, or ratios that are clipped.
pub(super) fn is_off_policy(trace: &Trace) -> bool {
    let some = |column, at: f64| {
        trace.bins.iter().filter_map(|b| b.mean(column)).any(|x: f64| (x - at).abs() > 1e-6) // f32 rounds ratios
    };
    some(Column::Lag, 0.0) || some(Column::Ratio, 1.0) || some(Column::ClipFraction, 0.0)
}

fn off_policy(group: &Group) -> Option<Figure> {
    let runs = group.all();
    let column = |label: &str, style, c: Column| line(label, style, over(&runs, |bin| bin.mean(c)));
    let series = vec![
        column("mean pi / mu", 0, Column::Ratio),
        column("share clipped", 1, Column::ClipFraction),
        column("policy lag", 2, Column::Lag),
    ];
    let caption = "Mean importance ratio of the inner unroll, share of its steps above V-trace's limit, and updates between the \
                   parameters that acted and those that learned.";
    let axis = Axis::linear("ratio; share; updates", "value");
    let any = group.runs.iter().any(|run| is_off_policy(&run.trace));
    any.then(|| figure(group, "off-policy", "Off-policy", caption, axis, series))
}

/// What a second brings: frames, or updates where there are no frames. `None` where nothing was timed.
pub(super) fn rate(trace: &Trace, bin: &Bin, time: Column) -> Option<f64> {
    let seconds = bin.sum(time).total();
    let done = if trace.has_frames() { bin.sum(Column::NewFrames).total() } else { bin.rows as f64 };
    (seconds > 0.0).then(|| done / seconds)
}

fn speed(group: &Group) -> Figure {
    let of = |time: Column| {
        let one = |run: &&OnlineRun| run.trace.curve(|bin| rate(&run.trace, bin, time));
        across(&group.all().iter().map(one).collect::<Vec<_>>())
    };
    let what = if group.progress()[1] == "frames" { "frames" } else { "updates" };
    let caption =
        format!("Number of {what} per second of the updates alone, and per second of processor time of all threads.");
    let axis = Axis::log(&format!("{what} per second"), "per_second");
    let series = [line("wall time", 0, of(Column::Seconds)), line("processor time", 1, of(Column::CpuSeconds))];
    figure(group, "speed", "Speed", &caption, axis, series.map(without_bands).to_vec())
}

/// Longest label of a group that the key of a figure has room for.
const LABEL: usize = 48;

/// Returns of several groups in one frame.
pub fn together(groups: &[Group]) -> Figure {
    let by_episodes =
        groups.iter().all(|g| g.runs.iter().any(|r| !r.trace.curve(|b| b.mean(Column::Return100)).is_empty()));
    let column = if by_episodes { Column::Return100 } else { Column::Return };
    let series = groups.iter().enumerate().map(|(style, g)| {
        let mut label = g.label.clone();
        if label.chars().count() > LABEL {
            label = label.chars().take(LABEL).chain(['…']).collect(); // the table has all of it
        }
        line(&format!("{label} (n = {})", g.runs.len()), style, over(&g.all(), |bin| bin.mean(column)))
    });
    Figure {
        name: "runs".into(),
        title: "Runs compared".into(),
        caption: format!(
            "Undiscounted return ({}), mean over the n runs of a group with 95 % t-intervals over runs (none for a single run).",
            if by_episodes { "mean of the last 100 episodes" } else { "of each update" }
        ),
        x: Axis::linear(groups[0].progress()[0], groups[0].progress()[1]),
        y: Axis::linear("undiscounted return (reward)", "return"),
        counted: "runs",
        series: series.filter(|s| !s.marks.is_empty()).collect(),
    }
}

/// A thin line, the k-th of its figure, that others are held against.
pub(super) fn thin(label: &str, k: usize, marks: Vec<Mark>) -> Series {
    without_bands(Series { label: label.into(), style: reference(k), look: Look::Reference, marks })
}
