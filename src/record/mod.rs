//! The only module that knows the run directory: what lies in it, how it is written safely and how it is read back.
//!
//! ```text
//! DIR/stillpoint.lock                 locked by the live process; the lock dies with it
//! DIR/run.json                        status: starting, running, interrupted, finished or diverged, and why
//! DIR/config.toml                     resolved configuration
//! DIR/metrics.jsonl                   one row per iteration, see [`rows`]
//! DIR/gap.jsonl                       stationarity gap every N iterations, if asked for, see [`gap`]
//! DIR/events.out.tfevents.*           the same numbers for TensorBoard
//! DIR/checkpoints/NNNNNNNN.safetensors  tensors after iteration N, see [`checkpoint`]
//! DIR/checkpoints/NNNNNNNN.json         counters and the checksum of the former
//! ```
//!
//! Order of writing: `config.toml` and checkpoint 0 stand before row 1; a row is on disk before the checkpoint of its
//! iteration. So every checkpoint has all of its rows, and resuming drops the rows behind it. Suites have a directory of their
//! own kind, see [`suite`] and [`suite_dir`].

pub mod bias;
pub mod checkpoint;
pub mod claims;
pub mod durable;
pub mod events;
pub mod file;
pub mod gap;
mod lines;
pub mod live;
pub mod lock;
pub mod online;
pub mod online_rows;
pub mod rows;
pub mod run;
pub mod selection;
mod setting;
pub mod snapshot;
pub mod stationarity;
pub mod suite;
pub mod suite_dir;
pub mod tail;

pub use rows::read as read_rows;
pub use run::{Session, open};

/// Why a run directory cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not what was asked for: missing, foreign, in use, half-written, corrupt. The user can act on it.
    Unusable(String),
    /// The operating system refused: full disk, permissions.
    Io(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Unusable(message) | Fault::Io(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Fault {}
