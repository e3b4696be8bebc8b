//! Numbers and sentences of the view: the same words on the screen and in plain lines.

use super::model::{Detail, Measured, Model, Point, Standing};
use super::online;
use crate::app::learnt::{duration, shown};

/// What to say where no gap is measured.
pub const NO_GAP: &str = "run with --gap-every N to measure it";

/// A number in four significant digits.
pub fn number(x: f64) -> String {
    let size = x.abs();
    if x == 0.0 {
        "0".into()
    } else if !(1e-3..1e5).contains(&size) {
        format!("{x:.2e}")
    } else {
        let digits = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
        format!("{x:.digits$}")
    }
}

/// A count with its thousands apart.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `text` without characters that a terminal would obey.
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// What the run is about.
pub fn title(model: &Model) -> String {
    match &model.outline {
        None => clean(&model.dir),
        Some(o) => clean(&format!("{}: {} on {}, seed {}", o.name, o.estimator, o.family, o.seed)),
    }
}

/// How the run stands, in a word or two.
pub fn standing(model: &Model) -> String {
    match model.standing() {
        Standing::Waiting => "waiting for the first row".into(),
        Standing::Running => "running".into(),
        Standing::Gone => "stopped without a word (killed?)".into(),
        Standing::Interrupted => "interrupted".into(),
        Standing::Finished => "finished".into(),
        Standing::Diverged(why) => clean(&format!("diverged: {why}")),
    }
}

/// Iterations, elapsed and left.
pub fn progress(model: &Model) -> String {
    let (done, total) = model.progress();
    let of = total.map_or(String::new(), |n| format!("/{}, {:.0} %", count(n), 100.0 * done as f64 / n.max(1) as f64));
    let mut text = format!("{} {}{of}, {} elapsed", model.unit(), count(done), duration(model.elapsed()));
    if let Some(left) = model.left() {
        text += &format!(", {} left", duration(left));
    }
    text
}

/// A measured gap: the root with its interval, or that it is below resolution.
pub fn gap(m: &Measured) -> String {
    let [low, high] = m.gap.gap_squared_interval.map(|x| number(x.max(0.0).sqrt()));
    match m.gap.gap {
        Some(gap) => format!("{} [{low}, {high}]", number(gap)),
        None => format!("below resolution, at most {}", number(m.gap.upper())),
    }
}

/// The lines of numbers, most important first: what is named, and its value.
pub fn facts(model: &Model) -> Vec<(&'static str, String)> {
    let Some(p) = model.last() else { return Vec::new() };
    let (gradient_norm, gradient_noise, sampling_coefficient) = match &p.detail {
        Detail::Lived(lived) => return online::facts(model, p, lived),
        Detail::Trained { gradient_norm, gradient_noise, sampling_coefficient } => {
            (*gradient_norm, *gradient_noise, *sampling_coefficient)
        }
    };
    let gap = match model.gaps.last() {
        Some(m) => format!("{} at iteration {}, {}", gap(m), count(m.iteration), m.gap.method.name()),
        None if model.measures_gaps => "no measurement yet".into(),
        None => NO_GAP.into(),
    };
    let speed = match model.speed() {
        Some(s) => format!("{} iterations/s, {} steps/s", number(s.iterations), number(s.steps)),
        None => "unknown yet".into(),
    };
    let noise = gradient_noise.map_or("unknown (one task)".into(), number);
    let dead = if sampling_coefficient == 0.0 { " (no sampling term)" } else { "" };
    vec![
        ("after", shown(&p.after)),
        ("before", shown(&p.before)),
        ("gap", gap),
        ("steps", count(p.budget.environment_steps)),
        ("speed", speed),
        ("gradient", format!("norm {}, noise {noise}", number(gradient_norm))),
        ("episodes", count(p.budget.episodes)),
        ("gradients", format!("{}, HVPs {}", count(p.budget.gradients), count(p.budget.hvps))),
        ("sampling", format!("coefficient {}{dead}", number(sampling_coefficient))),
    ]
}

/// One row as a plain line.
pub fn row(p: &Point, total: Option<u64>) -> String {
    let gradient_norm = match &p.detail {
        Detail::Lived(lived) => return online::row(p, lived, total),
        Detail::Trained { gradient_norm, .. } => *gradient_norm,
    };
    format!(
        "iteration {}{}: return {} before, {} after, gradient norm {}, {} steps, {}",
        p.iteration,
        total.map_or(String::new(), |n| format!("/{n}")),
        number(p.before.mean),
        number(p.after.mean),
        number(gradient_norm),
        count(p.budget.environment_steps),
        duration(p.seconds)
    )
}

/// One measurement as a plain line.
pub fn measurement(m: &Measured, is_online: bool) -> String {
    if is_online {
        return online::measurement(m);
    }
    format!("iteration {}: gap {}, {}", m.iteration, gap(m), m.gap.method.name())
}

/// The present state as plain lines.
pub fn summary(model: &Model) -> String {
    let mut text = format!("{}\n{}, {}\n", title(model), standing(model), progress(model));
    for (name, value) in facts(model) {
        text += &format!("{:<10} {value}\n", format!("{name}:"));
    }
    if !model.gaps.is_empty() {
        let name = if model.is_online() { "S_out:" } else { "gaps:" };
        text += &format!("{name:<10} {} of {} below resolution\n", model.unresolved(), model.gaps.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::model;
    use super::*;

    #[test]
    fn numbers_have_four_digits_and_counts_have_gaps() {
        let shown = [0.0, 1.0, -12.345, 0.123456, 0.01, 12345.6, 1e7, -2.5e-7].map(number);
        assert_eq!(shown, ["0", "1.000", "-12.35", "0.1235", "0.01000", "12346", "1.00e7", "-2.50e-7"]);
        assert_eq!([0, 999, 1000, 1234567].map(count), ["0", "999", "1 000", "1 234 567"]);
    }

    #[test]
    fn the_summary_says_everything() {
        let text = summary(&model(100, true));
        for part in [
            "corner: sgmrl-lgo on navigation/sgmrl, seed 7",
            "running, iteration 100/200, 50 %, 50.0 s elapsed, 50.0 s left",
            "after:     4.456 [3.456, 5.456]",
            "below resolution",
            "u-statistic",
            "10 000",
            "2.000 iterations/s, 200.0 steps/s",
            "norm 0.3750, noise 0.1250",
            "200, HVPs 100",
            "coefficient 0.06250",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(summary(&model(3, false)).contains("--gap-every N"));
        assert!(summary(&Model { dir: "runs/x".into(), ..Model::default() }).contains("waiting for the first row"));
    }

    #[test]
    fn a_terminal_is_not_told_what_to_do() {
        let mut m = model(1, false);
        m.outline.as_mut().expect("set").name = "a\u{1b}[2Jb\n".into();
        assert!(title(&m).starts_with("a[2Jb:"));
    }
}
