//! `--assert 'sgmrl.gap < 1e-3'`: checks on the end of a study, for other people's CI.

use super::summary::average;
use crate::app::failure::Failure;
use crate::math::gap::upper_squared;
use crate::record::stationarity::{EstimatorRuns, Final, Study};

/// Fields that can be asserted on.
pub const FIELDS: [&str; 4] = ["gap", "gap_squared", "value", "average_gap_squared"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug, PartialEq)]
enum Term {
    Number(f64),
    Field { estimator: String, field: String },
}

/// One check.
#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    text: String,
    left: Term,
    relation: Relation,
    right: Term,
}

impl Assertion {
    /// Reads `TERM < TERM` (also `<=`, `>`, `>=`), where a term is a number or `ESTIMATOR.FIELD`.
    ///
    /// # Errors
    /// The expression is not of this form, or names an estimator that is not among `estimators`.
    pub fn parse(text: &str, estimators: &[String]) -> Result<Assertion, Failure> {
        let fail = |why: String| {
            Failure::Usage(format!(
                "--assert '{text}': {why}; expected ESTIMATOR.FIELD < NUMBER (or <=, >, >=), for example 'sgmrl.gap < 1e-3'"
            ))
        };
        let relations = [
            ("<=", Relation::LessOrEqual),
            (">=", Relation::GreaterOrEqual),
            ("<", Relation::Less),
            (">", Relation::Greater),
        ];
        let found = relations.iter().find_map(|(sign, relation)| Some((text.split_once(sign)?, *relation)));
        let Some(((left, right), relation)) = found else { return Err(fail("no comparison".into())) };
        let term = |side: &str| -> Result<Term, Failure> {
            let side = side.trim();
            if let Ok(number) = side.parse::<f64>() {
                return if number.is_finite() { Ok(Term::Number(number)) } else { Err(fail(format!("`{side}`"))) };
            }
            let Some((estimator, field)) = side.split_once('.') else {
                return Err(fail(format!("`{side}` is neither a number nor ESTIMATOR.FIELD")));
            };
            if !estimators.iter().any(|e| e == estimator) {
                return Err(fail(format!("`{estimator}` is not among the estimators ({})", estimators.join(", "))));
            }
            if !FIELDS.contains(&field) {
                return Err(fail(format!("`{field}` is no field; allowed: {}", FIELDS.join(", "))));
            }
            Ok(Term::Field { estimator: estimator.into(), field: field.into() })
        };
        let (left, right) = (term(left)?, term(right)?);
        if matches!((&left, &right), (Term::Number(_), Term::Number(_))) {
            return Err(fail("neither side is measured".into()));
        }
        Ok(Assertion { text: text.trim().into(), left, relation, right })
    }

    /// Whether the check holds for every value in the 95 % intervals of every seed, and what was found.
    pub fn holds(&self, study: &Study) -> (bool, String) {
        let (left, right) = (interval(&self.left, study), interval(&self.right, study));
        let holds = match (&left, &right, self.relation) {
            (Err(_), _, _) | (_, Err(_), _) => false,
            (Ok(left), Ok(right), Relation::Less) => left[1] < right[0],
            (Ok(left), Ok(right), Relation::LessOrEqual) => left[1] <= right[0],
            (Ok(left), Ok(right), Relation::Greater) => left[0] > right[1],
            (Ok(left), Ok(right), Relation::GreaterOrEqual) => left[0] >= right[1],
        };
        let shown = |x: Result<[f64; 2], &str>| match x {
            Ok([low, high]) if low == high => format!("{low:.6e}"),
            Ok([low, high]) => format!("[{low:.3e}, {high:.3e}]"),
            Err(why) => why.into(),
        };
        (holds, format!("{}: {} against {}", self.text, shown(left), shown(right)))
    }
}

/// The interval of a term, or why it has none; a number is a point.
fn interval(term: &Term, study: &Study) -> Result<[f64; 2], &'static str> {
    let (estimator, field) = match term {
        Term::Number(x) => return Ok([*x; 2]),
        Term::Field { estimator, field } => (estimator, field),
    };
    let run = study.runs.iter().find(|r| r.estimator == *estimator).ok_or("no run")?;
    of(run, field, &study.dynamics)
}

/// The smallest interval that holds those of all seeds; none if one of them diverged, or for the expectation of what one has seen.
fn of(run: &EstimatorRuns, field: &str, dynamics: &str) -> Result<[f64; 2], &'static str> {
    if run.seeds.iter().any(|s| s.outcome == "diverged") {
        return Err("a diverged run");
    }
    if field == "average_gap_squared" {
        let mean = average(dynamics, &run.seeds);
        return mean
            .low
            .zip(mean.high)
            .map(|(low, high)| [low, high])
            .ok_or("the mean along one sampled run, which has no interval (--seeds 2 or more)");
    }
    let squared = |end: &Final| [end.gap_squared_interval[0], upper_squared(end.gap_squared_interval)];
    let one = |end: &Final| match field {
        "gap" => squared(end).map(|x| x.max(0.0).sqrt()),
        "gap_squared" => squared(end),
        _ => [end.value; 2],
    };
    let all = run.seeds.iter().map(|s| one(&s.r#final));
    all.reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])]).ok_or("no run")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Assertion, Failure> {
        Assertion::parse(text, &["sgmrl".to_string(), "maml".to_string()])
    }

    #[test]
    fn expressions_are_read_and_mistakes_are_named() {
        assert!(
            parse("sgmrl.gap < 1e-3").is_ok() && parse("maml.gap>=sgmrl.gap").is_ok() && parse("1<maml.value").is_ok()
        );
        for (text, word) in [
            ("sgmrl.gap", "no comparison"),
            ("sgmrl.gap < x", "neither a number"),
            ("loo.gap < 1", "not among the estimators"),
            ("sgmrl.norm < 1", "allowed: gap"),
            ("1 < 2", "neither side"),
            ("sgmrl.gap < nan", "nan"),
        ] {
            let Err(Failure::Usage(message)) = parse(text) else { panic!("{text} was taken") };
            assert!(message.contains(word), "{text}: {message}");
        }
    }
}
