//! What a driver asks of a learner whose life is a row of updates (`online`, `lola`).

use super::online::Snapshot;

/// A learner that goes from update to update.
pub trait Updates {
    /// What an update reports.
    type Row;
    /// Updates done.
    fn done(&self) -> u64;
    /// Everything that the next updates depend on.
    ///
    /// # Errors
    /// An environment cannot be saved, in words.
    fn snapshot(&mut self) -> Result<Snapshot, String>;
    /// Goes on from a snapshot.
    ///
    /// # Errors
    /// It is not one of such a learner, in words.
    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), String>;
    /// One update.
    ///
    /// # Errors
    /// A number was not finite (the state is that before the update), or an environment failed.
    fn update(&mut self) -> Result<Self::Row, Failed>;
}

/// Why an update came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// A number was not finite any more.
    Diverged {
        /// The update that failed; the state is that before it.
        update: u64,
    },
    /// An environment failed.
    Environment {
        /// In which update.
        update: u64,
        /// How, in words.
        why: String,
    },
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failed::Diverged { update } => write!(f, "a parameter was not finite in update {update}"),
            Failed::Environment { update, why } => write!(f, "the environment failed in update {update}: {why}"),
        }
    }
}
