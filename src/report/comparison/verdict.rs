//! The three sentences on top: who won, by how much, how sure. They claim nothing that the intervals do not carry.

use super::pooled::{Pair, Pooled};
use super::{Comparison, runs_text};

/// A number with three significant digits; from 0.001 to 10 millions without an exponent.
pub fn digits(x: f64) -> String {
    if !x.is_finite() {
        return "–".into();
    }
    let size = if x == 0.0 { 0 } else { x.abs().log10().floor() as i32 };
    if !(-3..7).contains(&size) {
        return format!("{x:.2e}").replace('-', "\u{2212}");
    }
    let decimals = (2 - size).clamp(0, 5) as usize;
    let text = format!("{x:.decimals$}");
    let zero = text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.');
    if zero { text.trim_start_matches('-').to_string() } else { text.replace('-', "\u{2212}") }
}

/// ` [low, high]`, or nothing.
pub fn brackets(interval: Option<[f64; 2]>) -> String {
    interval.map_or_else(String::new, |[low, high]| format!(" [{}, {}]", digits(low), digits(high)))
}

/// Names as in a sentence, each between backquotes.
pub fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// Number of reporting runs per arm and family: `10 seeds`, or `8 to 10 seeds` where some are missing.
fn seeds(pooled: &Pooled) -> String {
    let counts = pooled.arms.iter().flat_map(|a| &a.scores).map(Vec::len);
    let (least, most) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
    match (least, most) {
        (1, 1) => "1 seed".into(),
        _ if least == most => format!("{least} seeds"),
        _ => format!("{least} to {most} seeds"),
    }
}

/// Where the numbers come from: families, seeds and budget.
fn grounds(comparison: &Comparison, pooled: &Pooled) -> String {
    let steps: Vec<f64> = (comparison.cells.iter())
        .filter(|c| pooled.families.contains(&c.family))
        .map(|c| c.cost.environment_steps)
        .filter(|s| s.is_finite())
        .collect();
    let (least, most) = steps.iter().fold((f64::INFINITY, 0.0f64), |(l, h), s| (l.min(*s), h.max(*s)));
    let thousands = |x: f64| {
        let text = format!("{x:.0}");
        let cut = |i: usize| i > 0 && (text.len() - i).is_multiple_of(3);
        let group = |(i, c): (usize, char)| if cut(i) { vec!['\u{202f}', c] } else { vec![c] };
        text.chars().enumerate().flat_map(group).collect::<String>()
    };
    let budget = if most <= least * 1.001 {
        format!("{} environment steps per run", thousands(most))
    } else {
        format!("{} to {} environment steps per run", thousands(least), thousands(most))
    };
    let families = match pooled.families.as_slice() {
        [one] => format!("family `{one}`"),
        many => format!("{} families", many.len()),
    };
    format!("{families}, {} per arm, {budget}", seeds(pooled))
}

/// The three sentences.
pub fn sentences(comparison: &Comparison) -> [String; 3] {
    let Some(pooled) = &comparison.pooled else { return nothing_to_compare(comparison) };
    let leader = pooled.leader();
    let best = &pooled.arms[leader];
    let against: Vec<Pair> =
        (0..pooled.arms.len()).filter(|i| *i != leader).filter_map(|i| pooled.pair(leader, i)).collect();
    let name = |p: &Pair| pooled.arms[p.second].arm.clone();
    let (beaten, open): (Vec<&Pair>, Vec<&Pair>) = against.iter().partition(|p| p.sign() > 0);
    let names = |pairs: &[&Pair]| list(&pairs.iter().map(|p| name(p)).collect::<Vec<_>>());
    let (grounds, when) = (grounds(comparison, pooled), comparison.when());
    let who = if open.is_empty() {
        format!("`{}` won: its mean score {when} is above that of {} ({grounds}).", best.arm, names(&beaten))
    } else if beaten.is_empty() {
        format!(
            "No arm won: `{}` has the highest mean score {when} but cannot be told apart from {} ({grounds}).",
            best.arm,
            names(&open)
        )
    } else {
        format!(
            "No single arm won: `{}` has the highest mean score {when} and is above {}, but it cannot be told apart \
             from {} ({grounds}).",
            best.arm,
            names(&beaten),
            names(&open)
        )
    };
    let closest = against.iter().min_by(|a, b| a.difference.total_cmp(&b.difference));
    let Some(closest) = closest else { return nothing_to_compare(comparison) };
    let name = name(closest);
    [who, how_much(comparison, pooled, closest, &name), how_sure(comparison, pooled, closest, &name)]
}

fn how_much(comparison: &Comparison, pooled: &Pooled, closest: &Pair, runner_up: &str) -> String {
    let best = &pooled.arms[closest.first];
    let scale = comparison.scales.iter().find(|s| pooled.families == [s.family.clone()]);
    let interval = match closest.joint {
        None => " (no interval: that needs two seeds common to all families)".to_string(),
        Some(ends) if pooled.pairs.len() > 1 => {
            format!("{} (95 % for all {} pairs of arms together)", brackets(Some(ends)), pooled.pairs.len())
        }
        Some(ends) => format!("{} (95 %)", brackets(Some(ends))),
    };
    let mut text = format!(
        "Paired by seed, `{}` minus the next best, `{runner_up}`, is {}{interval} in normalised final score",
        best.arm,
        digits(closest.difference)
    );
    if let Some(scale) = scale {
        let width = scale.high - scale.low;
        let ends = closest.joint.map(|e| e.map(|x| x * width));
        text += &format!(", that is {}{} in return", digits(closest.difference * width), brackets(ends));
    }
    format!(
        "{text}; the interquartile mean of `{}` is {}{}.",
        best.arm,
        digits(best.iqm.value),
        brackets(best.iqm.interval)
    )
}

fn how_sure(comparison: &Comparison, pooled: &Pooled, closest: &Pair, runner_up: &str) -> String {
    let best = &pooled.arms[closest.first].arm;
    let p = closest.improvement;
    let sure = format!(
        "A run of `{best}` ends above a run of `{runner_up}` on the same family, seeds not paired, with probability {}{}{}",
        digits(p.value),
        brackets(p.interval),
        match p.interval.filter(|_| !comparison.narrow().is_empty()) {
            Some(_) => " (a bootstrap interval, too narrow with so few seeds)",
            None => "",
        }
    );
    match (closest.joint, closest.sign()) {
        (None, _) => {
            format!("{sure}; with so few seeds who is ahead may be chance: nothing can be said about how sure this is.")
        }
        (Some(_), 1) => {
            format!("{sure}; the interval of the paired difference excludes zero, on these families at this budget.")
        }
        _ => format!(
            "{sure}; the interval of the paired difference contains zero, so these runs do not show which of the two is better."
        ),
    }
}

fn nothing_to_compare(comparison: &Comparison) -> [String; 3] {
    let runs: usize = comparison.cells.iter().map(|c| c.runs.len()).sum();
    let mut arms: Vec<String> = Vec::new();
    for cell in comparison.cells.iter().filter(|c| !c.runs.is_empty()) {
        if !arms.contains(&cell.arm) {
            arms.push(cell.arm.clone());
        }
    }
    let who = match arms.len() {
        0 => "No arm has a finished reporting run yet, so nothing can be said about who won.".to_string(),
        1 => format!(
            "Only {} has reporting runs ({}), so there is nothing to compare it with.",
            list(&arms),
            runs_text(runs)
        ),
        _ => format!("{} share no family with reporting runs, so they cannot be compared.", list(&arms)),
    };
    [who, "By how much: unknown.".into(), "How sure: not at all.".into()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        let shown = [0.0, 1.0, -0.12345, 1234.5, 1e-9, -0.000_001, 99.96, f64::NAN].map(digits);
        assert_eq!(shown, ["0.00", "1.00", "−0.123", "1234", "1.00e−9", "−1.00e−6", "100.0", "–"]);
    }

    #[test]
    fn lists_read_as_text() {
        let names = |n: usize| (0..n).map(|i| format!("a{i}")).collect::<Vec<_>>();
        assert_eq!([0, 1, 2, 3].map(|n| list(&names(n))), ["", "`a0`", "`a0` and `a1`", "`a0`, `a1` and `a2`"]);
    }
}
