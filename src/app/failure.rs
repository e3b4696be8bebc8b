//! How a command ends when it does not simply finish, and the exit code that says so.

/// Why a command stopped. `Display` is the one message the user sees on stderr.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// Wrong usage or configuration (exit code 2): names file, key and what is allowed.
    Usage(String),
    /// The run diverged; its directory is kept (exit code 3).
    Diverged(String),
    /// A check asked for did not hold (exit code 4).
    Check(String),
    /// Interrupted by the user after a checkpoint (exit code 130).
    Interrupted(String),
    /// Anything else: input/output, a defect of ours (exit code 1).
    Internal(String),
}

impl Failure {
    /// Process exit code.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) => 2,
            Failure::Diverged(_) => 3,
            Failure::Check(_) => 4,
            Failure::Interrupted(_) => 130,
            Failure::Internal(_) => 1,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Usage(m)
            | Failure::Diverged(m)
            | Failure::Check(m)
            | Failure::Interrupted(m)
            | Failure::Internal(m) => f.write_str(m),
        }
    }
}

impl std::error::Error for Failure {}

impl From<crate::config::Error> for Failure {
    fn from(error: crate::config::Error) -> Failure {
        Failure::Usage(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::Internal(error.to_string())
    }
}
