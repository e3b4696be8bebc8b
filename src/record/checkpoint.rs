//! Checkpoints: named tensors in safetensors, counters and a checksum in JSON; the two newest are kept.
//!
//! Tensors: the policy's parameters under their own names, `alpha` (inner step size per parameter), `optimiser.first` and
//! `optimiser.second` (moments; empty if the optimiser has none). The JSON file is written last: it makes the pair valid.

use super::{Fault, file};
use crate::budget::Budget;
use crate::learn::meta::State;
use crate::math::real::Real;
use crate::optim;
use crate::policy::TensorSpec;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Folder in the run directory.
pub const FOLDER: &str = "checkpoints";

/// Version of this layout.
pub const FORMAT: u32 = 1;

/// The JSON half.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// Layout version.
    pub format: u32,
    /// Outer iterations done.
    pub iteration: u64,
    /// `f32` or `f64`.
    pub dtype: String,
    /// Parameters in theta.
    pub parameters: usize,
    /// Steps the optimiser has taken.
    pub optimiser_steps: u64,
    /// Spent so far.
    pub budget: Budget,
    /// CRC-32C of the safetensors file.
    pub crc32c: u32,
}

fn paths(dir: &Path, iteration: u64) -> (PathBuf, PathBuf) {
    let stem = dir.join(FOLDER).join(format!("{iteration:08}"));
    (stem.with_extension("safetensors"), stem.with_extension("json"))
}

/// Iteration numbers of the checkpoints in `dir` that have a JSON half, newest first.
pub fn list(dir: &Path) -> Result<Vec<u64>, Fault> {
    let names = file::names(&dir.join(FOLDER))?;
    let mut found: Vec<u64> = names.iter().filter_map(|n| n.strip_suffix(".json")?.parse().ok()).collect();
    found.sort_by(|a, b| b.cmp(a));
    Ok(found)
}

/// Whether `name` is a file that belongs into the folder.
pub fn is_ours(name: &str) -> bool {
    let name = name.strip_suffix(file::TEMPORARY).unwrap_or(name);
    let stem = name.strip_suffix(".json").or_else(|| name.strip_suffix(".safetensors"));
    stem.is_some_and(|s| s.len() >= 8 && s.bytes().all(|b| b.is_ascii_digit()))
}

fn dtype<F: Real>() -> Dtype {
    if F::NAME == "f32" { Dtype::F32 } else { Dtype::F64 }
}

fn to_bytes<F: Real>(values: &[F]) -> Vec<u8> {
    match dtype::<F>() {
        Dtype::F32 => values.iter().flat_map(|x| (x.f64() as f32).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|x| x.f64().to_le_bytes()).collect(),
    }
}

fn from_bytes<F: Real>(bytes: &[u8]) -> Vec<F> {
    let widen = |b: &[u8]| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    match dtype::<F>() {
        Dtype::F32 => bytes.chunks_exact(4).map(|b| F::of(widen(b))).collect(),
        _ => bytes.chunks_exact(8).map(|b| F::of(f64::from_le_bytes(b.try_into().unwrap_or_default()))).collect(),
    }
}

fn encode<F: Real>(state: &State<F>, tensors: &[TensorSpec]) -> Result<Vec<u8>, String> {
    let mut parts: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for t in tensors {
        let size: usize = t.shape.iter().product();
        let values = state.theta.get(t.offset..t.offset + size);
        let values = values.ok_or_else(|| format!("tensor `{}` lies outside of the parameters", t.name))?;
        parts.push((t.name.clone(), t.shape.clone(), to_bytes(values)));
    }
    for (name, values) in [
        ("alpha", &state.alpha),
        ("optimiser.first", &state.optimiser.first),
        ("optimiser.second", &state.optimiser.second),
    ] {
        parts.push((name.into(), vec![values.len()], to_bytes(values)));
    }
    let mut views = Vec::new();
    for (name, shape, bytes) in &parts {
        let view = TensorView::new(dtype::<F>(), shape.clone(), bytes).map_err(|e| format!("tensor `{name}`: {e}"))?;
        views.push((name.as_str(), view));
    }
    safetensors::serialize(views, None).map_err(|e| e.to_string())
}

/// Writes the checkpoint of `state` into `dir` and forgets all but the two newest.
///
/// # Errors
/// The system refused to write; the checkpoints before stand as they were.
pub fn save<F: Real>(dir: &Path, state: &State<F>, tensors: &[TensorSpec]) -> Result<(), Fault> {
    let (data_path, meta_path) = paths(dir, state.iteration);
    let data = encode(state, tensors).map_err(|e| Fault::Io(format!("{}: {e}", data_path.display())))?;
    let meta = Meta {
        format: FORMAT,
        iteration: state.iteration,
        dtype: F::NAME.into(),
        parameters: state.theta.len(),
        optimiser_steps: state.optimiser.steps,
        budget: state.budget,
        crc32c: crc32c::crc32c(&data),
    };
    let meta = serde_json::to_string_pretty(&meta).map_err(|e| Fault::Io(format!("{}: {e}", meta_path.display())))?;
    file::replace(&data_path, &data)?;
    file::replace_durably(&meta_path, format!("{meta}\n").as_bytes())?;
    for old in list(dir)?.into_iter().filter(|i| *i < state.iteration).skip(1) {
        discard(dir, old)?;
    }
    Ok(())
}

fn discard(dir: &Path, iteration: u64) -> Result<(), Fault> {
    let (data, meta) = paths(dir, iteration);
    file::remove(&meta)?; // first: without it the pair is not a checkpoint
    file::remove(&data)
}

/// Removes the checkpoints behind `iteration`, halves without partner and temporary files.
pub fn tidy(dir: &Path, iteration: u64) -> Result<(), Fault> {
    for old in list(dir)?.into_iter().filter(|i| *i > iteration) {
        discard(dir, old)?;
    }
    let whole = list(dir)?;
    for name in file::names(&dir.join(FOLDER))? {
        let lonely =
            name.strip_suffix(".safetensors").and_then(|s| s.parse().ok()).is_some_and(|i| !whole.contains(&i));
        if lonely || (name.ends_with(file::TEMPORARY) && is_ours(&name)) {
            file::remove(&dir.join(FOLDER).join(name))?;
        }
    }
    Ok(())
}

/// Reads the checkpoint of `iteration`.
///
/// # Errors
/// Names the file and what is wrong with it.
pub fn load<F: Real>(dir: &Path, iteration: u64, tensors: &[TensorSpec]) -> Result<State<F>, Fault> {
    let (data_path, meta_path) = paths(dir, iteration);
    let bad = |path: &Path, why: String| Fault::Unusable(format!("{}: {why}", path.display()));
    let read = |path: &Path| std::fs::read(path).map_err(|e| bad(path, format!("cannot be read: {e}")));
    let meta: Meta =
        serde_json::from_slice(&read(&meta_path)?).map_err(|e| bad(&meta_path, format!("not a checkpoint: {e}")))?;
    if meta.format != FORMAT || meta.iteration != iteration {
        let found = format!("format {}, iteration {}", meta.format, meta.iteration);
        return Err(bad(&meta_path, format!("expected format {FORMAT}, iteration {iteration}, found {found}")));
    }
    if meta.dtype != F::NAME {
        return Err(bad(
            &meta_path,
            format!("`dtype` must be {} for this configuration, found {}", F::NAME, meta.dtype),
        ));
    }
    let data = read(&data_path)?;
    if crc32c::crc32c(&data) != meta.crc32c {
        return Err(bad(&data_path, "truncated or corrupt: its checksum is not the one in the JSON file".into()));
    }
    decode(&data, &meta, tensors).map_err(|why| bad(&data_path, why))
}

fn decode<F: Real>(data: &[u8], meta: &Meta, tensors: &[TensorSpec]) -> Result<State<F>, String> {
    let file = SafeTensors::deserialize(data).map_err(|e| format!("not a safetensors file: {e}"))?;
    let get = |name: &str, shape: Option<&[usize]>| -> Result<Vec<F>, String> {
        let view = file.tensor(name).map_err(|_| format!("tensor `{name}` is missing"))?;
        if view.dtype() != dtype::<F>() {
            return Err(format!("tensor `{name}` must be {}", F::NAME));
        }
        match shape {
            Some(want) if want != view.shape() => Err(format!(
                "tensor `{name}` must have shape {want:?} for this configuration, found {:?}",
                view.shape()
            )),
            _ => Ok(from_bytes(view.data())),
        }
    };
    let size: usize = tensors.iter().map(|t| t.shape.iter().product::<usize>()).sum();
    if size != meta.parameters {
        return Err(format!("{} parameters where this configuration has {size}", meta.parameters));
    }
    let mut theta = vec![F::zero(); size];
    for t in tensors {
        let values = get(&t.name, Some(&t.shape))?;
        let place = theta.get_mut(t.offset..t.offset + values.len());
        let place = place.ok_or_else(|| format!("tensor `{}` lies outside of the parameters", t.name))?;
        place.copy_from_slice(&values);
    }
    let moments = |name| get(name, None);
    let (first, second) = (moments("optimiser.first")?, moments("optimiser.second")?);
    Ok(State {
        iteration: meta.iteration,
        alpha: get("alpha", Some(&[meta.parameters]))?,
        theta,
        optimiser: optim::State { steps: meta.optimiser_steps, first, second },
        budget: meta.budget,
    })
}

/// Newest intact checkpoint at or before `limit`, and a remark about each newer one that had to be passed over.
///
/// # Errors
/// No checkpoint is intact; names the first obstacle.
pub fn newest<F: Real>(dir: &Path, limit: u64, tensors: &[TensorSpec]) -> Result<(State<F>, Vec<String>), Fault> {
    let mut remarks = Vec::new();
    for iteration in list(dir)? {
        if iteration > limit {
            remarks.push(format!("checkpoint {iteration} has more iterations than the {limit} rows that stand"));
            continue;
        }
        match load(dir, iteration, tensors) {
            Ok(state) => return Ok((state, remarks)),
            Err(fault) => remarks.push(fault.to_string()),
        }
    }
    let why = remarks.first().map_or("there is none".into(), String::clone);
    Err(Fault::Unusable(format!("{}: no checkpoint can be used: {why}", dir.join(FOLDER).display())))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Layout of a parameter vector of five numbers.
    pub(crate) fn tensors() -> Vec<TensorSpec> {
        let t = |name: &str, shape: &[usize], offset| TensorSpec { name: name.into(), shape: shape.into(), offset };
        vec![t("0.weight", &[2, 2], 0), t("log_std", &[1], 4)]
    }

    /// A state with recognisable numbers.
    pub(crate) fn state<F: Real>(iteration: u64) -> State<F> {
        let v = |k: f64| (0..5).map(|i| F::of(k / (i as f64 + 3.0) + iteration as f64)).collect::<Vec<_>>();
        State {
            iteration,
            theta: v(1.0),
            alpha: v(2.0),
            optimiser: optim::State { steps: iteration, first: v(3.0), second: vec![] },
            budget: Budget { environment_steps: u64::MAX - 1, ..Budget::default() },
        }
    }

    fn saved(iterations: &[u64]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("scratch");
        std::fs::create_dir(dir.path().join(FOLDER)).expect("writable");
        for &i in iterations {
            save(dir.path(), &state::<f32>(i), &tensors()).expect("writable");
        }
        dir
    }

    #[test]
    fn both_precisions_come_back_bit_for_bit() {
        let dir = saved(&[7]);
        assert_eq!(load::<f32>(dir.path(), 7, &tensors()).expect("whole"), state::<f32>(7));
        save(dir.path(), &state::<f64>(8), &tensors()).expect("writable");
        assert_eq!(load::<f64>(dir.path(), 8, &tensors()).expect("whole"), state::<f64>(8));
        let message = load::<f32>(dir.path(), 8, &tensors()).expect_err("f64").to_string();
        assert!(message.contains("`dtype` must be f32"), "{message}");
    }

    #[test]
    fn the_two_newest_are_kept() {
        let dir = saved(&[0, 1, 2, 3]);
        assert_eq!(list(dir.path()).expect("listable"), [3, 2]);
        assert_eq!(file::names(&dir.path().join(FOLDER)).expect("listable").len(), 4);
    }

    #[test]
    fn a_damaged_newest_falls_back_to_the_one_before() {
        type Damage = fn(&Path, &Path);
        let damages: [Damage; 6] = [
            |data, _| std::fs::write(data, &std::fs::read(data).expect("there")[..40]).expect("writable"),
            |data, _| std::fs::write(data, b"").expect("writable"),
            |data, _| std::fs::remove_file(data).expect("there"),
            |_, meta| std::fs::write(meta, b"{\"format\":1,").expect("writable"),
            |_, meta| std::fs::write(meta, b"").expect("writable"),
            |data, _| {
                let mut bytes = std::fs::read(data).expect("there");
                let last = bytes.len() - 1;
                bytes[last] ^= 1;
                std::fs::write(data, bytes).expect("writable");
            },
        ];
        for damage in damages {
            let dir = saved(&[4, 5]);
            let (data, meta) = paths(dir.path(), 5);
            damage(&data, &meta);
            let (found, remarks) = newest::<f32>(dir.path(), 9, &tensors()).expect("4 is whole");
            assert_eq!(found, state(4));
            assert!(remarks.len() == 1 && remarks[0].contains("00000005."), "{remarks:?}");
            tidy(dir.path(), 4).expect("writable");
            assert_eq!(list(dir.path()).expect("listable"), [4]);
            assert_eq!(file::names(&dir.path().join(FOLDER)).expect("listable").len(), 2);
        }
    }

    #[test]
    fn a_wrong_shape_is_named() {
        let dir = saved(&[1]);
        let mut other = tensors();
        other[0].shape = vec![4, 1];
        let message = load::<f32>(dir.path(), 1, &other).expect_err("another shape").to_string();
        assert!(message.contains("`0.weight` must have shape [4, 1]"), "{message}");
    }

    #[test]
    fn a_failed_save_keeps_the_one_before() {
        let dir = saved(&[1]);
        let (data, _) = paths(dir.path(), 2);
        std::fs::create_dir(&data).expect("an obstacle");
        assert!(save(dir.path(), &state::<f32>(2), &tensors()).is_err());
        let (found, _) = newest::<f32>(dir.path(), 9, &tensors()).expect("1 is whole");
        assert_eq!(found, state(1));
    }
}
