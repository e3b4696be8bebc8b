//! A learner's snapshot as one safetensors file: vectors by name, small things and checksums as JSON in its metadata.
//!
//! Metadata: `snapshot`, a JSON object with `values` and `crc32c` (of every tensor's bytes by name). One key, so that the same snapshot is
//! the same file.

use super::{Fault, file};
use crate::learn::online::Snapshot;
use crate::rollout::world::Tensor;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Key of the metadata.
const KEY: &str = "snapshot";

#[derive(Deserialize)]
struct Header {
    values: Value,
    crc32c: BTreeMap<String, u32>,
}

fn bytes(tensor: &Tensor) -> (Dtype, usize, Vec<u8>) {
    fn words<const N: usize, T: Copy>(values: &[T], of: impl Fn(T) -> [u8; N]) -> Vec<u8> {
        let mut out = vec![0; N * values.len()];
        out.chunks_exact_mut(N).zip(values).for_each(|(o, x)| o.copy_from_slice(&of(*x)));
        out
    }
    match tensor {
        Tensor::F32(x) => (Dtype::F32, x.len(), words(x, f32::to_le_bytes)),
        Tensor::F64(x) => (Dtype::F64, x.len(), words(x, f64::to_le_bytes)),
        Tensor::U32(x) => (Dtype::U32, x.len(), words(x, u32::to_le_bytes)),
        Tensor::U8(x) => (Dtype::U8, x.len(), x.clone()),
    }
}

fn tensor(view: &TensorView<'_>) -> Option<Tensor> {
    fn words<const N: usize, T>(data: &[u8], of: impl Fn([u8; N]) -> T) -> Vec<T> {
        data.chunks_exact(N).filter_map(|c| c.try_into().ok().map(&of)).collect()
    }
    match view.dtype() {
        Dtype::F32 => Some(Tensor::F32(words(view.data(), f32::from_le_bytes))),
        Dtype::F64 => Some(Tensor::F64(words(view.data(), f64::from_le_bytes))),
        Dtype::U32 => Some(Tensor::U32(words(view.data(), u32::from_le_bytes))),
        Dtype::U8 => Some(Tensor::U8(view.data().to_vec())),
        _ => None,
    }
}

fn encode(snapshot: &Snapshot) -> Result<Vec<u8>, String> {
    let parts: Vec<_> = snapshot.tensors.iter().map(|(name, t)| (name, bytes(t))).collect();
    let sums: BTreeMap<&str, u32> = parts.iter().map(|(n, (.., b))| (n.as_str(), crc32c::crc32c(b))).collect();
    let header = serde_json::json!({ "values": snapshot.values, "crc32c": sums });
    let metadata = HashMap::from([(KEY.to_string(), header.to_string())]);
    let mut views = Vec::new();
    for (name, (dtype, length, bytes)) in &parts {
        let view = TensorView::new(*dtype, vec![*length], bytes).map_err(|e| format!("tensor `{name}`: {e}"))?;
        views.push((name.as_str(), view));
    }
    safetensors::serialize(views, Some(metadata)).map_err(|e| e.to_string())
}

fn decode(data: &[u8]) -> Result<Snapshot, String> {
    let broken = |e: safetensors::SafeTensorError| format!("truncated, or not a safetensors file: {e}");
    let (_, header) = SafeTensors::read_metadata(data).map_err(broken)?;
    let file = SafeTensors::deserialize(data).map_err(broken)?;
    let metadata = header.metadata().as_ref().ok_or("no metadata: not the state of an online run")?;
    let text = metadata.get(KEY).ok_or_else(|| format!("no `{KEY}` in the metadata"))?;
    let Header { values, crc32c: sums } = serde_json::from_str(text).map_err(|e| format!("`{KEY}`: {e}"))?;
    let mut tensors = Vec::new();
    for (name, view) in file.tensors() {
        if sums.get(&name) != Some(&crc32c::crc32c(view.data())) {
            return Err(format!("corrupt: tensor `{name}` does not have its checksum"));
        }
        let kept = tensor(&view).ok_or_else(|| format!("tensor `{name}` is of another kind"))?;
        tensors.push((name, kept));
    }
    Ok(Snapshot { values, tensors })
}

/// Writes a snapshot: the file before stands until the new one is whole.
///
/// # Errors
/// The system refuses.
pub fn save(path: &Path, snapshot: &Snapshot) -> Result<(), Fault> {
    let data = encode(snapshot).map_err(|e| Fault::Io(format!("{}: {e}", path.display())))?;
    file::replace_durably(path, &data)
}

/// Reads a snapshot; `None` if there is no file.
///
/// # Errors
/// Names the file and what is wrong with it.
pub fn load(path: &Path) -> Result<Option<Snapshot>, Fault> {
    let data = match std::fs::read(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|e| file::io(path, "cannot be read", &e))?,
    };
    decode(&data).map(Some).map_err(|why| Fault::Unusable(format!("{}: {why}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_survive_and_damage_is_found() {
        let mut snapshot = Snapshot::of(&serde_json::json!({"update": 3, "x": [0.1, 1e-300]})).expect("JSON");
        snapshot.put("theta", &[0.1f32, -2.0]);
        snapshot.put("second", &[0.1f64]);
        snapshot.put("obs", &[1u8, 255, 3]);
        snapshot.put("actions", &[7u32]);
        snapshot.put::<f64>("first", &[]);
        let dir = tempfile::tempdir().expect("scratch");
        let path = dir.path().join("state.safetensors");
        assert_eq!(load(&path), Ok(None));
        save(&path, &snapshot).expect("writable");
        let again = load(&path).expect("whole").expect("there");
        assert_eq!(again.values, snapshot.values);
        for (name, tensor) in &snapshot.tensors {
            assert!(again.tensors.contains(&(name.clone(), tensor.clone())), "{name}");
        }
        assert!(again.get::<f32>("theta", Some(3)).unwrap_err().contains("2 numbers instead of 3"));
        assert!(again.get::<f64>("theta", None).unwrap_err().contains("another kind"));
        let whole = std::fs::read(&path).expect("there");
        for cut in [0, 7, 40, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).expect("writable");
            assert!(load(&path).unwrap_err().to_string().contains("truncated"), "{cut}");
        }
        let mut bad = whole.clone();
        *bad.last_mut().expect("bytes") ^= 1;
        std::fs::write(&path, &bad).expect("writable");
        assert!(load(&path).unwrap_err().to_string().contains("checksum"));
    }
}
