//! What a study of `bias` shows, in sentences. They claim nothing that the standard errors do not carry.

use super::BiasDir;
use super::points::{self, Line, Quantity, WIDE, is_resolved, plain, with_error};
use super::slopes::{Slope, fixed};
use crate::record::bias::Row;
use crate::report::comparison::verdict::{brackets, digits, list};

/// Largest relative difference of numbers that are the same but for rounding.
const ROUNDING: f64 = 1e-9;

fn is_same(a: &Row, b: &Row) -> bool {
    let near = |x: f64, y: f64| (x - y).abs() <= ROUNDING * x.abs().max(y.abs()).max(1e-12);
    near(a.corr, b.corr) && near(a.var, b.var) && near(a.grad_mse, b.grad_mse)
}

/// Names of lines that have the same numbers in every point.
pub fn same(lines: &[Line<'_>]) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<&Line<'_>>> = Vec::new();
    for line in lines {
        let equal = |other: &Line<'_>| {
            other.rows.len() == line.rows.len() && other.rows.iter().zip(&line.rows).all(|(a, b)| is_same(a, b))
        };
        match groups.iter_mut().find(|g| equal(g[0])) {
            Some(group) => group.push(line),
            None => groups.push(vec![line]),
        }
    }
    let several = groups.into_iter().filter(|g| g.len() > 1);
    several.map(|g| g.iter().map(|l| l.label.clone()).collect()).collect()
}

/// Estimators that give the same numbers, with where: `lee`, or `ele` at K = 1.
fn coincidences(rows: &[&Row]) -> Vec<String> {
    let mut found: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for tag in points::distinct(rows, |r| r.tag.clone()) {
        let own: Vec<&Row> = rows.iter().filter(|r| r.tag == tag).copied().collect();
        let mut add = |names: Vec<String>, place: String| match found.iter_mut().find(|f| f.0 == names) {
            Some(known) => known.1.push(place),
            None => found.push((names, vec![place])),
        };
        let groups = |rows: &[&Row]| {
            let by = points::distinct(rows, points::estimator).into_iter().map(|name| Line {
                rows: rows.iter().filter(|r| points::estimator(r) == name).copied().collect(),
                label: name,
            });
            same(&by.collect::<Vec<_>>())
        };
        let always = groups(&own);
        for names in &always {
            add(names.clone(), format!("`{tag}`"));
        }
        for k in points::values(&own, Quantity::Steps) {
            let at: Vec<&Row> = own.iter().filter(|r| Quantity::Steps.of(r) == Some(k)).copied().collect();
            for names in groups(&at).into_iter().filter(|n| !always.iter().any(|a| n.iter().all(|x| a.contains(x)))) {
                add(names, format!("`{tag}` at {}", Quantity::Steps.at(k)));
            }
        }
    }
    let sentence = |(names, places): (Vec<String>, Vec<String>)| {
        format!("{} give the same numbers to rounding in {}.", list(&names), places.join(", "))
    };
    found.into_iter().map(sentence).collect()
}

/// What was measured, and how much of it can be told from zero.
fn grounds(dir: &BiasDir, rows: &[&Row]) -> String {
    let resolved = rows.iter().filter(|r| is_resolved(r)).count();
    let so_far = if dir.is_whole() { "" } else { " so far" };
    let (mdps, repeats) = dir.rows.first().map_or((0, 0), |r| (r.mdps.len(), r.repeats));
    format!(
        "`{}`, {} on {mdps} MDPs{so_far}: the bias is told from zero in {resolved} of {} points with {repeats} estimates per MDP each.",
        dir.name(),
        dir.problem(),
        rows.len()
    )
}

fn bias(row: &Row) -> String {
    match is_resolved(row) {
        true => with_error(row.rel_bias, row.rel_bias_error),
        false => format!("at most {}", digits(points::upper(row))),
    }
}

/// How the bias at one end of a line compares with that at the other, as far as it is known.
fn change(a: &Row, b: &Row) -> String {
    let (from, to) = (bias(a), bias(b));
    let error = WIDE * a.rel_bias_error.hypot(b.rel_bias_error);
    let least = |r: &Row| r.rel_bias - WIDE * r.rel_bias_error;
    let step = match (is_resolved(a), is_resolved(b)) {
        (false, false) => return format!("is not resolved at either end ({from}, {to})"),
        (true, true) => b.rel_bias - a.rel_bias,
        (true, false) => (points::upper(b) - least(a)).min(0.0),
        (false, true) => (least(b) - points::upper(a)).max(0.0),
    };
    let sure = if is_resolved(a) && is_resolved(b) { step.abs() > error } else { step != 0.0 };
    match (sure, step > 0.0) {
        (true, true) => format!("rises from {from} to {to}"),
        (true, false) => format!("falls from {from} to {to}"),
        (false, _) => format!("is {from} and {to}, which cannot be told apart"),
    }
}

/// The slope of a line, with where it was fitted.
fn slope(slopes: &[Slope], varying: &[Quantity], along: Quantity, line: &Line<'_>) -> String {
    let of = line.rows.first().map_or_else(String::new, |r| fixed(varying, along, r));
    let Some(slope) = Slope::find(slopes, along, &of, &line.rows) else { return String::new() };
    let [low, high] = slope.ends.map(plain);
    let interval = brackets(slope.interval);
    format!(" (log–log slope {}{interval} from {low} to {high})", digits(slope.slope))
}

/// Most lines that are spelled out.
const SPELLED: usize = 4;

/// How bias and correlation of each line change from one end of `along` to the other.
fn trend(rows: &[&Row], varying: &[Quantity], along: Quantity, slopes: &[Slope]) -> Option<String> {
    let is_main = |r: &&&Row| r.tag == "lll" || SINGLE.iter().any(|(tag, _)| *tag == r.tag);
    let main: Vec<&Row> = rows.iter().filter(is_main).copied().collect();
    let many = points::distinct(rows, points::arm(rows)).len() > SPELLED;
    let rows = if many && !main.is_empty() { &main } else { rows };
    let found = points::lines(rows, points::arm(rows), Some(along), SPELLED);
    let mut lines: Vec<&Line<'_>> = found.lines.iter().filter(|l| l.rows.len() > 1).collect();
    let (first, last) = (lines.first()?.rows.first()?, lines.first()?.rows.last()?);
    let range = format!("From {} to {}", along.at(along.of(first)?), plain(along.of(last)?));
    let same = same(&found.lines);
    let name = |l: &Line<'_>| match same.iter().find(|g| g[0] == l.label) {
        Some(group) => list(group),
        None => format!("`{}`", l.label),
    };
    lines.retain(|l| !same.iter().any(|g| g[1..].contains(&l.label)));
    let ends = |l: &&Line<'_>| -> Option<[String; 2]> {
        let (a, b) = (*l.rows.first()?, *l.rows.last()?);
        let fitted = slope(slopes, varying, along, l);
        let corr = format!("{} {} to {}", name(l), digits(a.corr), digits(b.corr));
        Some([format!("{} {}{fitted}", name(l), change(a, b)), corr])
    };
    let told: Vec<[String; 2]> = lines.iter().filter_map(ends).collect();
    let [biases, correlations] = [0, 1].map(|i| told.iter().map(|t| t[i].clone()).collect::<Vec<_>>().join("; "));
    Some(format!("{range}, relative bias: {biases}. Correlation: {correlations}."))
}

/// Whether the point with every part exact is what it must be.
fn exactness(exact: &Row) -> String {
    if (exact.corr - 1.0).abs() < ROUNDING && exact.var < ROUNDING {
        return "With every part exact the correlation is 1 and the variance 0 up to rounding, as it must be.".into();
    }
    let (corr, var) = (digits(exact.corr), digits(exact.var));
    format!(
        "With every part exact the correlation is {corr} and var {var}, which should be 1 and 0: these numbers cannot be trusted."
    )
}

/// What a tag with one sampled part samples.
const SINGLE: [(&str, &str); 3] = [("lee", "inner gradient"), ("ele", "Jacobian"), ("eel", "outer gradient")];

/// Of the parts sampled alone, the one that costs most correlation, for one estimator.
fn costliest(line: &Line<'_>) -> Option<String> {
    let at = |tag: &str| line.rows.iter().find(|r| r.tag == tag).copied();
    let mut alone: Vec<(&Row, &str)> = SINGLE.iter().filter_map(|(tag, what)| Some((at(tag)?, *what))).collect();
    alone.sort_by(|a, b| a.0.corr.total_cmp(&b.0.corr));
    let [(worst, what), (next, other), ..] = alone.as_slice() else { return None };
    let text = |r: &Row| format!("`{}` {}", r.tag, with_error(r.corr, r.corr_error));
    let told = next.corr - worst.corr > WIDE * worst.corr_error.hypot(next.corr_error);
    let cost = match told {
        true => format!("the {what} costs most correlation when sampled alone"),
        false => format!("{what} and {other} cost most correlation when sampled alone and cannot be told apart"),
    };
    let all = at("lll").map_or_else(String::new, |r| format!("; all sampled, {}", text(r)));
    let list: Vec<String> = alone.iter().map(|(r, _)| text(r)).collect();
    Some(format!("`{}`: {cost} ({}{all}).", line.label, list.join(", ")))
}

/// The decomposition, where the largest values of whatever varies are taken.
fn decomposition(rows: &[&Row]) -> Vec<String> {
    let estimators = points::distinct(rows, points::estimator).len();
    let found = points::lines(rows, points::estimator, None, estimators.max(1));
    let mut sentences: Vec<String> = found.lines.iter().filter_map(costliest).collect();
    if let Some(first) = sentences.first_mut() {
        let largest: Vec<String> =
            points::varying(rows).iter().filter_map(|q| Some(q.at(*points::values(rows, *q).last()?))).collect();
        if !largest.is_empty() {
            *first = format!("At {}, {first}", largest.join(", "));
        }
    }
    sentences
}

/// All sentences.
pub fn sentences(dir: &BiasDir, slopes: &[Slope]) -> Vec<String> {
    let rows = dir.measured();
    if rows.is_empty() {
        return vec!["No point has been measured, so nothing can be said about bias.".into()];
    }
    let mut sentences = vec![grounds(dir, &rows)];
    let varying = points::varying(&rows);
    sentences.extend(decomposition(&rows));
    if points::facets(&rows).len() == 1 {
        sentences.extend(varying.iter().filter_map(|q| trend(&rows, &varying, *q, slopes)));
    }
    sentences.extend(coincidences(&rows));
    if let Some(exact) = dir.rows.iter().find(|r| points::is_exact(r)) {
        sentences.push(exactness(exact));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(rel_bias: f64, error: f64, resolved: bool) -> Row {
        let (rel_bias_squared, rel_bias_squared_error) = (rel_bias * rel_bias, 2.0 * rel_bias.abs() * error);
        Row { rel_bias, rel_bias_error: error, rel_bias_squared, rel_bias_squared_error, resolved, ..Row::default() }
    }

    #[test]
    fn a_change_is_claimed_where_the_errors_carry_it_only() {
        let (large, small, vague) = (row(0.5, 0.01, true), row(0.1, 0.01, true), row(0.49, 0.01, true));
        let open = row(0.02, 0.02, false);
        assert_eq!(change(&small, &large), "rises from 0.100 ± 0.010 to 0.500 ± 0.010");
        assert_eq!(change(&large, &small), "falls from 0.500 ± 0.010 to 0.100 ± 0.010");
        assert!(change(&large, &vague).contains("cannot be told apart"));
        assert!(change(&large, &open).starts_with("falls from 0.500 ± 0.010 to at most 0.0"));
        assert!(change(&open, &large).starts_with("rises from at most 0.0"));
        assert!(change(&open, &row(0.05, 0.02, true)).contains("cannot be told apart"));
        assert!(change(&open, &open).contains("not resolved at either end"));
    }
}
