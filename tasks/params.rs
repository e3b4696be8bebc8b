//! Typed reading of a family's parameter table: every wrong key, type or value is an error that names the key.

use crate::family::FamilyError;
use serde_json::{Map, Value};

/// The parameter table of one family, with the keys that family knows.
#[derive(Clone, Copy, Debug)]
pub struct Params<'a> {
    map: &'a Map<String, Value>,
    keys: &'static [&'static str],
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

/// Error at `key`: `expected` says what is allowed, the rest what was found.
pub(crate) fn mismatch(key: &str, expected: &str, found: &Value) -> FamilyError {
    let shown = found.to_string();
    if shown.len() <= 40 {
        FamilyError::new(key, format!("expected {expected}, found {shown}"))
    } else {
        FamilyError::new(key, format!("expected {expected}, found {}", kind(found)))
    }
}

/// Finite number at `key`.
pub(crate) fn finite(key: &str, value: &Value) -> Result<f64, FamilyError> {
    match value.as_f64() {
        Some(x) if x.is_finite() => Ok(x),
        _ => Err(mismatch(key, "a finite number", value)),
    }
}

/// List at `key`.
pub(crate) fn list<'v>(key: &str, value: &'v Value) -> Result<&'v [Value], FamilyError> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| mismatch(key, "a list", value))
}

impl<'a> Params<'a> {
    /// Wraps `map`; a key outside `keys` is an error that lists the allowed ones.
    pub fn new(map: &'a Map<String, Value>, keys: &'static [&'static str]) -> Result<Self, FamilyError> {
        match map.keys().find(|k| !keys.contains(&k.as_str())) {
            Some(unknown) if keys.is_empty() => Err(FamilyError::new(unknown, "unknown key; no key is allowed")),
            Some(unknown) => Err(FamilyError::new(unknown, format!("unknown key; allowed keys: {}", keys.join(", ")))),
            None => Ok(Params { map, keys }),
        }
    }

    /// The raw value at `key`, if present.
    ///
    /// # Panics
    /// In debug builds, if the family does not declare `key`.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        debug_assert!(self.keys.contains(&key), "family reads the undeclared key `{key}`");
        self.map.get(key)
    }

    /// The whole table.
    pub(crate) fn map(&self) -> &'a Map<String, Value> {
        self.map
    }

    /// Number in `[min, max]`.
    pub fn number(&self, key: &str, default: f64, min: f64, max: f64) -> Result<f64, FamilyError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        let x = finite(key, value)?;
        if (min..=max).contains(&x) { Ok(x) } else { Err(mismatch(key, &between(min, max), value)) }
    }

    /// Number in `(0, 1]`: a discount.
    pub fn gamma(&self, default: f64) -> Result<f64, FamilyError> {
        let Some(value) = self.get("gamma") else { return Ok(default) };
        gamma("gamma", value)
    }

    /// Whole number in `min..=max`.
    pub fn count(&self, key: &str, default: usize, min: usize, max: usize) -> Result<usize, FamilyError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        count(key, value, min, max)
    }

    /// Decisions per episode, 1 to 1 000 000.
    pub fn horizon(&self, default: usize) -> Result<usize, FamilyError> {
        self.count("horizon", default, 1, MAX_HORIZON)
    }

    /// Seed of a fixed set of tasks: a whole number below 2^53.
    pub fn seed(&self, default: u64) -> Result<u64, FamilyError> {
        let Some(value) = self.get("seed") else { return Ok(default) };
        match value.as_u64() {
            Some(x) if x < 1 << 53 => Ok(x),
            _ => Err(mismatch("seed", "a whole number from 0 to 2^53 - 1", value)),
        }
    }

    /// One of `options`, by index.
    pub fn choice(&self, key: &str, default: usize, options: &[&str]) -> Result<usize, FamilyError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        let position = value.as_str().and_then(|s| options.iter().position(|o| *o == s));
        position.ok_or_else(|| mismatch(key, &format!("one of {}", options.join(", ")), value))
    }

    /// A number, or a range `[low, high]`, inside `[min, max]`; a number is the range of width zero.
    pub fn interval(&self, key: &str, default: [f64; 2], min: f64, max: f64) -> Result<[f64; 2], FamilyError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        let expected = || format!("a number or a range [low, high], {}", between(min, max));
        let [low, high] = match value {
            Value::Array(ends) if ends.len() == 2 => [finite(key, &ends[0])?, finite(key, &ends[1])?],
            Value::Number(_) => [finite(key, value)?; 2],
            _ => return Err(mismatch(key, &expected(), value)),
        };
        if low > high {
            return Err(FamilyError::new(key, format!("the range [{low}, {high}] is empty: low must not exceed high")));
        }
        if low < min || high > max { Err(mismatch(key, &expected(), value)) } else { Ok([low, high]) }
    }
}

/// Longest horizon accepted anywhere.
pub(crate) const MAX_HORIZON: usize = 1_000_000;

fn between(min: f64, max: f64) -> String {
    match (min.is_finite(), max.is_finite()) {
        (true, true) => format!("between {min} and {max}"),
        (true, false) => format!("at least {min}"),
        (false, true) => format!("at most {max}"),
        (false, false) => "any finite number".into(),
    }
}

/// Discount in `(0, 1]` at `key`.
pub(crate) fn gamma(key: &str, value: &Value) -> Result<f64, FamilyError> {
    let x = finite(key, value)?;
    if x > 0.0 && x <= 1.0 { Ok(x) } else { Err(mismatch(key, "a discount in (0, 1]", value)) }
}

/// Whole number in `min..=max` at `key`.
pub(crate) fn count(key: &str, value: &Value, min: usize, max: usize) -> Result<usize, FamilyError> {
    match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
        Some(n) if (min..=max).contains(&n) => Ok(n),
        _ => Err(mismatch(key, &format!("a whole number from {min} to {max}"), value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KEYS: &[&str] = &["gamma", "horizon", "seed", "x", "kind"];

    fn with<T>(value: Value, read: impl Fn(&Params) -> Result<T, FamilyError>) -> Result<T, FamilyError> {
        let map = value.as_object().expect("an object").clone();
        Params::new(&map, KEYS).and_then(|p| read(&p))
    }

    #[test]
    fn an_unknown_key_lists_the_allowed_ones() {
        let e = with(json!({"gama": 0.9}), |p| p.gamma(1.0)).unwrap_err();
        assert_eq!(e.key, "gama");
        assert!(e.message.contains("gamma, horizon, seed, x, kind"), "{e}");
    }

    #[test]
    fn absent_keys_take_the_default() {
        assert_eq!(with(json!({}), |p| p.number("x", 3.0, 0.0, 1.0)), Ok(3.0));
        assert_eq!(with(json!({}), |p| p.choice("kind", 1, &["a", "b"])), Ok(1));
    }

    #[test]
    fn wrong_values_name_their_key() {
        for bad in [json!(0), json!(1.5), json!(-0.1), json!("0.9"), json!(null), json!([0.9])] {
            assert_eq!(with(json!({"gamma": bad}), |p| p.gamma(1.0)).unwrap_err().key, "gamma");
        }
        for bad in [json!(0), json!(-3), json!(2.5), json!(1e30), json!(true)] {
            assert_eq!(with(json!({"horizon": bad}), |p| p.horizon(1)).unwrap_err().key, "horizon");
        }
        for bad in [json!(-1), json!(1.5), json!(u64::MAX)] {
            assert_eq!(with(json!({"seed": bad}), |p| p.seed(1)).unwrap_err().key, "seed");
        }
        let e = with(json!({"kind": "c"}), |p| p.choice("kind", 0, &["a", "b"])).unwrap_err();
        assert!(e.message.contains("one of a, b"), "{e}");
    }

    #[test]
    fn an_interval_is_a_number_or_an_ordered_pair() {
        let read = |p: &Params| p.interval("x", [0.0, 1.0], 0.0, 10.0);
        assert_eq!(with(json!({"x": 2}), read), Ok([2.0, 2.0]));
        assert_eq!(with(json!({"x": [1, 2.5]}), read), Ok([1.0, 2.5]));
        for bad in [json!([2, 1]), json!([1]), json!([1, 2, 3]), json!([-1, 2]), json!([1, 11]), json!(["a", 2])] {
            assert_eq!(with(json!({"x": bad}), read).unwrap_err().key, "x");
        }
    }
}
