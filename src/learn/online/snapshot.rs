//! Everything a learner needs to go on, as named tensors and one JSON value: what `record` writes and reads.

use crate::rollout::world::{Element, Tensor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A learner between two updates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Counters and small things.
    pub values: Value,
    /// Large vectors by name.
    pub tensors: Vec<(String, Tensor)>,
}

impl Snapshot {
    /// Only small things.
    ///
    /// # Errors
    /// They cannot be written as JSON, in words.
    pub fn of(values: &impl Serialize) -> Result<Snapshot, String> {
        Ok(Snapshot { values: serde_json::to_value(values).map_err(|e| e.to_string())?, tensors: Vec::new() })
    }

    /// The small things.
    ///
    /// # Errors
    /// They are not those of such a learner, in words.
    pub fn values<T: DeserializeOwned>(&self) -> Result<T, String> {
        T::deserialize(&self.values).map_err(|e| e.to_string())
    }

    /// Adds a vector.
    pub fn put<E: Element>(&mut self, name: impl Into<String>, values: &[E]) {
        self.tensors.push((name.into(), E::to_tensor(values)));
    }

    /// A vector by name, of `length` numbers if that is known.
    ///
    /// # Errors
    /// It is missing, of another kind or of another length, in words.
    pub fn get<E: Element>(&self, name: &str, length: Option<usize>) -> Result<Vec<E>, String> {
        let found = self.tensors.iter().find(|(n, _)| n == name).ok_or_else(|| format!("no tensor `{name}`"))?;
        let values = E::of_tensor(&found.1).ok_or_else(|| format!("tensor `{name}` is of another kind"))?;
        match length {
            Some(n) if n != values.len() => Err(format!("tensor `{name}` has {} numbers instead of {n}", values.len())),
            _ => Ok(values),
        }
    }
}
