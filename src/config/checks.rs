//! Range checks of single values, with messages that say what is allowed.

use super::Fault;

pub(crate) type Checked<T> = Result<T, Fault>;

fn refuse<T>(key: &str, allowed: &str, found: impl std::fmt::Display) -> Checked<T> {
    Err(Fault::new(key, format!("must be {allowed}, found {found}")))
}

/// Whole number in `1..=max`.
pub(crate) fn count(key: &str, n: usize, max: usize) -> Checked<usize> {
    if (1..=max).contains(&n) { Ok(n) } else { refuse(key, &format!("a whole number from 1 to {max}"), n) }
}

/// A seed: TOML has no whole numbers above 2^63 - 1.
pub(crate) fn seed(key: &str, n: u64) -> Checked<u64> {
    if i64::try_from(n).is_ok() { Ok(n) } else { refuse(key, "a whole number from 0 to 2^63 - 1", n) }
}

/// Refuses a key that would have no effect.
pub(crate) fn idle(key: &str, is_given: bool, why: &str) -> Checked<()> {
    if is_given { Err(Fault::new(key, format!("has no effect: {why}; leave it out"))) } else { Ok(()) }
}

/// Finite number in `[low, high]`.
pub(crate) fn within(key: &str, x: f64, low: f64, high: f64) -> Checked<f64> {
    if (low..=high).contains(&x) { Ok(x) } else { refuse(key, &format!("a number from {low} to {high}"), x) }
}

/// Number in `(0, 1]`: a discount.
pub(crate) fn discount(key: &str, x: f64) -> Checked<f64> {
    if x > 0.0 && x <= 1.0 { Ok(x) } else { refuse(key, "a discount in (0, 1]", x) }
}

/// Number in `[0, 1)`: a decay.
pub(crate) fn decay(key: &str, x: f64) -> Checked<f64> {
    if (0.0..1.0).contains(&x) { Ok(x) } else { refuse(key, "a number in [0, 1)", x) }
}

/// Number in `(0, 1)`: a factor that shortens.
pub(crate) fn factor(key: &str, x: f64) -> Checked<f64> {
    if x > 0.0 && x < 1.0 { Ok(x) } else { refuse(key, "a number in (0, 1)", x) }
}

/// Finite number above zero, at most `max`.
pub(crate) fn positive(key: &str, x: f64, max: f64) -> Checked<f64> {
    let limit = if max < f64::MAX { format!(", at most {max}") } else { String::new() };
    if x > 0.0 && x <= max { Ok(x) } else { refuse(key, &format!("a finite number above 0{limit}"), x) }
}

/// Name of a run: it becomes part of a directory name.
pub(crate) fn run_name(key: &str, name: String) -> Checked<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !name.is_empty() && name.len() <= 100 && name.chars().all(plain) && !name.starts_with(['.', '-']) {
        Ok(name)
    } else {
        let allowed =
            "1 to 100 letters, digits, `-`, `_` or `.`, not starting with `-` or `.` (it names the run directory)";
        refuse(key, allowed, format!("{name:?}"))
    }
}
