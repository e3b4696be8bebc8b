//! TensorBoard event files: TFRecord framing around hand-encoded `Event` messages with scalar summaries.
//!
//! Only five fields of `tensorflow.Event` are needed: wall_time = 1 (double), step = 2 (int64), file_version = 3 (string),
//! summary = 5 (repeated value = 1 {tag = 1, simple_value = 2}), session_log = 7 (status = 1; START = 1).

use super::{Fault, file};
use crate::learn::meta::Row;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Prefix of every event file of ours.
pub const PREFIX: &str = "events.out.tfevents.";

/// Suffix of every event file of ours.
pub const SUFFIX: &str = ".stillpoint";

fn varint(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push((n as u8) | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn bytes_field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn head(wall: f64, step: u64) -> Vec<u8> {
    let mut out = vec![1 << 3 | 1];
    out.extend_from_slice(&wall.to_le_bytes());
    out.push(2 << 3);
    varint(step, &mut out);
    out
}

fn scalar_event(wall: f64, step: u64, scalars: &[(String, f64)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, x) in scalars {
        let mut value = Vec::new();
        bytes_field(1, tag.as_bytes(), &mut value);
        value.push(2 << 3 | 5);
        value.extend_from_slice(&(*x as f32).to_le_bytes());
        bytes_field(1, &value, &mut summary);
    }
    let mut event = head(wall, step);
    bytes_field(5, &summary, &mut event);
    event
}

/// One TFRecord: length, its masked CRC-32C, data, its masked CRC-32C.
fn record(data: &[u8]) -> Vec<u8> {
    let masked = |bytes: &[u8]| crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes();
    let length = (data.len() as u64).to_le_bytes();
    let mut out = Vec::with_capacity(data.len() + 16);
    out.extend_from_slice(&length);
    out.extend_from_slice(&masked(&length));
    out.extend_from_slice(data);
    out.extend_from_slice(&masked(data));
    out
}

/// Scalars of one row, tag and value. Returns are the undiscounted means.
pub fn scalars(row: &Row, seconds: &[(&str, f64)]) -> Vec<(String, f64)> {
    let mut out = Vec::new();
    let mut put = |tag: String, x: f64| out.push((tag, x));
    for (k, r) in row.returns.iter().enumerate() {
        put(format!("return/after_{k}_steps"), r.mean);
    }
    put("return/gain".into(), row.gain.mean);
    put("return/value".into(), row.value.mean);
    for (name, x) in [
        ("norm/gradient", row.gradient_norm),
        ("norm/outer_gradient", row.outer_gradient_norm),
        ("norm/sampling_coefficient", row.sampling_coefficient),
        ("norm/inner_gradient", row.inner_gradient_norm),
        ("norm/update", row.update_norm),
        ("policy/entropy", row.entropy),
        ("budget/environment_steps", row.budget.environment_steps as f64),
        ("budget/episodes", row.budget.episodes as f64),
        ("budget/gradients", row.budget.gradients as f64),
        ("budget/hvps", row.budget.hvps as f64),
    ] {
        put(name.into(), x);
    }
    let optional = [
        ("return/gain_low", row.gain.low),
        ("return/gain_high", row.gain.high),
        ("norm/gradient_noise", row.gradient_noise),
        ("norm/effective_sample_size", row.effective_sample_size),
        ("update/kl", row.kl),
        ("update/backtracks", row.backtracks.map(|n| n as f64)),
        ("update/clip_fraction", row.clip_fraction),
        ("update/inner_kl", row.inner_kl),
    ];
    optional.iter().filter_map(|(name, x)| Some((name, (*x)?))).for_each(|(name, x)| put((*name).into(), x));
    for (name, x) in seconds {
        put(format!("time/{name}"), *x);
    }
    out
}

/// An event file open for appending.
pub struct Writer {
    path: PathBuf,
    file: File,
}

impl Writer {
    /// Starts event file number `session` in `dir`. Its first records tell TensorBoard to forget what earlier files said,
    /// because the caller repeats the rows that are still valid.
    pub fn create(dir: &Path, session: u64, wall: f64) -> Result<Writer, Fault> {
        let path = dir.join(format!("{PREFIX}{session:010}{SUFFIX}"));
        let file = File::create(&path).map_err(|e| file::io(&path, "cannot be created", &e))?;
        let mut writer = Writer { path, file };
        let mut version = head(wall, 0);
        bytes_field(3, b"brain.Event:2", &mut version);
        let mut start = head(wall, 0);
        bytes_field(7, &[1 << 3, 1], &mut start);
        writer.put(&[record(&version), record(&start)].concat())?;
        Ok(writer)
    }

    /// Appends the scalars of one iteration.
    pub fn append(&mut self, wall: f64, step: u64, scalars: &[(String, f64)]) -> Result<(), Fault> {
        self.put(&record(&scalar_event(wall, step, scalars)))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.file.write_all(bytes).map_err(|e| file::io(&self.path, "cannot be written", &e))
    }
}

/// Whether `name` is an event file of ours.
pub fn is_event_file(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_matches_the_first_record_of_a_real_event_file() {
        // First record of a file written by TensorBoard 2.x for wall_time 0: version string only.
        let mut event = vec![9];
        event.extend_from_slice(&0f64.to_le_bytes());
        bytes_field(3, b"brain.Event:2", &mut event);
        let framed = record(&event);
        assert_eq!(&framed[..8], &24u64.to_le_bytes());
        assert_eq!(&framed[8..12], &[0xa3, 0x7f, 0x4b, 0x22], "masked CRC of the length 24, as in every event file");
    }

    #[test]
    fn scalars_are_encoded_as_the_wire_format_says() {
        let event = scalar_event(1.0, 300, &[("a/b".into(), 0.5)]);
        let mut want = vec![0x09];
        want.extend_from_slice(&1f64.to_le_bytes());
        want.extend_from_slice(&[0x10, 0xac, 0x02]);
        want.extend_from_slice(&[0x2a, 12, 0x0a, 10, 0x0a, 3, b'a', b'/', b'b', 0x15, 0, 0, 0, 0x3f]);
        assert_eq!(event, want);
    }
}
