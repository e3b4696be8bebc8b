//! The points of a study as lines: what varies, which estimator in which part, and how many lines a figure can hold.

use crate::record::bias::Row;
use crate::report::comparison::verdict::digits;
use crate::report::figure::Axis;

/// Most lines of a figure: as many as there are colours.
pub const MOST: usize = 7;

/// What a study can vary besides its estimators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Trajectories n of an estimated part.
    Trajectories,
    /// Inner steps K.
    Steps,
    /// Inner step size.
    Alpha,
    /// Error put into the exact Hessian.
    HessianError,
}

impl Quantity {
    /// All of them.
    pub const ALL: [Quantity; 4] = [Quantity::Trajectories, Quantity::Steps, Quantity::Alpha, Quantity::HessianError];

    /// Its value at a point, if the point has one.
    pub fn of(self, row: &Row) -> Option<f64> {
        match self {
            Quantity::Trajectories => row.trajectories.map(|n| n as f64),
            Quantity::Steps => Some(row.steps as f64),
            Quantity::Alpha => Some(row.alpha),
            Quantity::HessianError => row.hessian_error,
        }
    }

    /// Its letter.
    pub fn letter(self) -> &'static str {
        match self {
            Quantity::Trajectories => "n",
            Quantity::Steps => "K",
            Quantity::Alpha => "α",
            Quantity::HessianError => "c",
        }
    }

    /// Its key in the rows.
    pub fn key(self) -> &'static str {
        match self {
            Quantity::Trajectories => "trajectories",
            Quantity::Steps => "steps",
            Quantity::Alpha => "alpha",
            Quantity::HessianError => "hessian_error",
        }
    }

    /// What it is, in words.
    pub fn words(self) -> &'static str {
        match self {
            Quantity::Trajectories => "trajectories n per sampled part",
            Quantity::Steps => "inner steps K",
            Quantity::Alpha => "inner step size α",
            Quantity::HessianError => "error c put into the Hessian",
        }
    }

    /// Its axis.
    pub fn axis(self) -> Axis {
        match self {
            Quantity::Trajectories => Axis::log(self.words(), self.key()),
            _ => Axis::linear(self.words(), self.key()),
        }
    }

    /// `n = 32`.
    pub fn at(self, x: f64) -> String {
        format!("{} = {}", self.letter(), plain(x))
    }
}

/// A setting as it was written.
pub fn plain(x: f64) -> String {
    format!("{x}").replace('-', "\u{2212}")
}

/// Distinct values of `q`, growing.
pub fn values(rows: &[&Row], q: Quantity) -> Vec<f64> {
    let mut values: Vec<f64> = rows.iter().filter_map(|r| q.of(r)).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

/// What varies among `rows`.
pub fn varying(rows: &[&Row]) -> Vec<Quantity> {
    Quantity::ALL.into_iter().filter(|q| values(rows, *q).len() > 1).collect()
}

/// Whether nothing is sampled and nothing is wrong: the estimate is the exact gradient.
pub fn is_exact(row: &Row) -> bool {
    row.tag == "eee" && row.hessian_error.is_none()
}

/// One estimator for all estimated parts, else all three.
pub fn estimator(row: &Row) -> String {
    let mut names: Vec<&str> = [&row.inner, &row.jacobian, &row.outer].map(String::as_str).to_vec();
    names.retain(|name| *name != "exact");
    names.dedup();
    match names.as_slice() {
        [] => "exact".into(),
        [one] => (*one).into(),
        _ => format!("{}/{}/{}", row.inner, row.jacobian, row.outer),
    }
}

/// Distinct texts in the order of the rows.
pub fn distinct(rows: &[&Row], key: impl Fn(&Row) -> String) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for text in rows.iter().map(|r| key(r)) {
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen
}

/// Tag and estimator in as few words as tell the lines of `rows` apart.
pub fn arm(rows: &[&Row]) -> impl Fn(&Row) -> String + use<> {
    let tags = distinct(rows, |r| r.tag.clone()).len();
    let estimators = distinct(rows, estimator).len();
    move |row: &Row| match (tags > 1, estimators > 1) {
        (true, false) => row.tag.clone(),
        (false, true) => estimator(row),
        _ => format!("{} {}", row.tag, estimator(row)),
    }
}

/// Points that differ by one quantity (or by their tag) only.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// Name in the key.
    pub label: String,
    /// Its points.
    pub rows: Vec<&'a Row>,
}

/// Lines, and what was left out so that they can be told apart.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    /// The lines.
    pub lines: Vec<Line<'a>>,
    /// ` n is held at 256, the largest of 8 values.`, or empty.
    pub remark: String,
}

/// A quantity and its values.
type Values = (Quantity, Vec<f64>);

/// At most `count` of `values`: the last, both ends, or both ends and the middle.
fn thin(values: &[f64], count: usize) -> Vec<f64> {
    let last = values.len() - 1;
    if values.len() <= count {
        return values.to_vec();
    }
    match count {
        0 | 1 => vec![values[last]],
        2 => vec![values[0], values[last]],
        _ => vec![values[0], values[last / 2], values[last]],
    }
}

/// Every combination of one value per quantity.
fn combinations(kept: &[Values]) -> Vec<Vec<(Quantity, f64)>> {
    kept.iter().fold(vec![Vec::new()], |all, (q, values)| {
        let with = |head: &Vec<(Quantity, f64)>, v: f64| [head.clone(), vec![(*q, v)]].concat();
        all.iter().flat_map(|head| values.iter().map(|v| with(head, *v)).collect::<Vec<_>>()).collect()
    })
}

/// Lines of `rows` by `key` along `along` (or along the tags), one per value of whatever else varies while they are `most` or fewer; with
/// more, only some of those values, as the remark says.
pub fn lines<'a>(rows: &[&'a Row], key: impl Fn(&Row) -> String, along: Option<Quantity>, most: usize) -> Lines<'a> {
    let others: Vec<Values> =
        varying(rows).into_iter().filter(|q| Some(*q) != along).map(|q| (q, values(rows, q))).collect();
    let arms = distinct(rows, &key);
    let kept_at = |count: usize| others.iter().map(|(q, v)| (*q, thin(v, count))).collect::<Vec<_>>();
    let fits = |kept: &[Values]| arms.len() * kept.iter().map(|k| k.1.len()).product::<usize>() <= most;
    let kept = [usize::MAX, 3, 2].map(kept_at).into_iter().find(|k| fits(k)).unwrap_or_else(|| kept_at(1));
    let mut lines = Vec::new();
    for arm in &arms {
        for fixed in combinations(&kept) {
            let is_own = |r: &&&'a Row| key(r) == *arm && fixed.iter().all(|(q, v)| q.of(r) == Some(*v));
            let mut own: Vec<&Row> = rows.iter().filter(is_own).copied().collect();
            if let Some(q) = along {
                own.sort_by(|a, b| q.of(a).partial_cmp(&q.of(b)).unwrap_or(std::cmp::Ordering::Equal));
            }
            let varied = fixed.iter().filter(|f| kept.iter().any(|k| k.0 == f.0 && k.1.len() > 1));
            let mut words: Vec<String> = varied.map(|(q, v)| q.at(*v)).collect();
            if arms.len() > 1 || words.is_empty() {
                words.insert(0, arm.clone());
            }
            if !own.is_empty() {
                lines.push(Line { label: words.join(", "), rows: own });
            }
        }
    }
    Lines { lines, remark: remark(&others, &kept) }
}

/// What was left out, in a sentence per quantity.
fn remark(all: &[Values], kept: &[Values]) -> String {
    let one = |((q, all), (_, kept)): (&Values, &Values)| {
        if all.len() == kept.len() {
            return String::new();
        }
        let shown: Vec<String> = kept.iter().map(|v| plain(*v)).collect();
        let (shown, count) = (shown.join(", "), all.len());
        match kept.len() {
            1 => format!(
                " {} is held at {shown}, the largest of {count} values; the others are in the table.",
                q.letter()
            ),
            _ => format!(" {} is shown at {shown} of its {count} values; the others are in the table.", q.letter()),
        }
    };
    all.iter().zip(kept).map(one).collect()
}

/// Groups of rows that a figure can hold: all, or each estimator's.
pub fn facets<'a>(rows: &[&'a Row]) -> Vec<(Option<String>, Vec<&'a Row>)> {
    let estimators = distinct(rows, estimator);
    if distinct(rows, arm(rows)).len() <= MOST || estimators.len() < 2 {
        return vec![(None, rows.to_vec())];
    }
    let own = |name: &String| rows.iter().filter(|r| estimator(r) == *name).copied().collect();
    estimators.iter().map(|name| (Some(name.clone()), own(name))).collect()
}

/// `0.158 ± 0.004`: the error with two digits.
pub fn with_error(x: f64, error: f64) -> String {
    if !(error > 0.0 && error.is_finite() && x.is_finite()) {
        return digits(x);
    }
    let decimals = 1 - error.log10().floor() as i32;
    if !(0..=8).contains(&decimals) {
        return format!("{} ± {}", digits(x), digits(error));
    }
    let decimals = decimals as usize;
    format!("{x:.decimals$} ± {error:.decimals$}").replace('-', "\u{2212}")
}

/// Half a two-sided 95 % interval in standard errors.
pub const WIDE: f64 = 1.96;

/// The most that the relative bias can be, at 95 %: root of the upper end of its square, which is not below the mean over MDPs.
pub fn upper(row: &Row) -> f64 {
    (row.rel_bias_squared.max(0.0) + WIDE * row.rel_bias_squared_error).sqrt()
}

/// Whether there is a bias, and not a negative one.
pub fn is_resolved(row: &Row) -> bool {
    row.resolved && row.rel_bias > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(estimators: &[&str], alphas: &[f64], ns: &[u64]) -> Vec<Row> {
        let row = |e: &str, alpha: f64, n: u64| Row {
            tag: "lee".into(),
            inner: e.into(),
            jacobian: "exact".into(),
            outer: "exact".into(),
            alpha,
            trajectories: Some(n),
            ..Row::default()
        };
        let at = |e: &str, alpha: f64| ns.iter().map(|n| row(e, alpha, *n)).collect::<Vec<_>>();
        estimators.iter().flat_map(|e| alphas.iter().flat_map(|a| at(e, *a)).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn few_lines_are_all_drawn_and_many_are_thinned() {
        let few = grid(&["maml", "dice"], &[1.0, 2.0], &[2, 4, 8]);
        let few: Vec<&Row> = few.iter().collect();
        assert_eq!(varying(&few), [Quantity::Trajectories, Quantity::Alpha]);
        let found = lines(&few, arm(&few), Some(Quantity::Trajectories), MOST);
        let labels: Vec<&str> = found.lines.iter().map(|l| l.label.as_str()).collect();
        assert_eq!(labels, ["maml, α = 1", "maml, α = 2", "dice, α = 1", "dice, α = 2"]);
        assert!(found.remark.is_empty() && found.lines.iter().all(|l| l.rows.len() == 3));
        let many = grid(&["maml", "dice"], &[1.0, 2.0, 3.0, 4.0, 5.0], &[2, 4, 8]);
        let many: Vec<&Row> = many.iter().collect();
        let found = lines(&many, arm(&many), Some(Quantity::Trajectories), MOST);
        assert_eq!(found.lines.len(), 6);
        assert!(found.remark.contains("α is shown at 1, 3, 5 of its 5 values"), "{}", found.remark);
        let found = lines(&many, arm(&many), None, MOST);
        assert!(found.remark.contains("n is held at 8, the largest of 3 values"), "{}", found.remark);
    }

    #[test]
    fn errors_have_two_digits() {
        assert_eq!(with_error(0.15816, 0.00413), "0.1582 ± 0.0041");
        assert_eq!(with_error(-1.0, 12.4), "\u{2212}1 ± 12");
        assert_eq!(with_error(1.0, 0.0), "1.00");
    }
}
