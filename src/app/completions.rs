//! `completions SHELL`: a completion script on stdout.

use super::failure::Failure;
use clap_complete::Shell;
use std::io::Write as _;

/// Which shell, and the command line to complete.
pub struct Request {
    /// Shell.
    pub shell: Shell,
    /// Definition of the command line.
    pub command: clap::Command,
}

/// Writes the script.
///
/// # Errors
/// If stdout cannot be written.
pub fn run(mut request: Request) -> Result<(), Failure> {
    let mut script = Vec::new();
    let name = request.command.get_name().to_string();
    clap_complete::generate(request.shell, &mut request.command, name, &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(())
}
