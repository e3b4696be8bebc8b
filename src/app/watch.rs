//! `watch`: a live view of a run in progress or finished, from its directory alone.

mod layout;
mod model;
mod online;
mod plain;
mod screen;
mod series;
mod source;
mod study;
mod text;
mod view;

use super::failure::Failure;
use model::Model;
use source::Source;
use std::io::IsTerminal as _;
use std::path::PathBuf;

/// What the command line asks of `watch`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Run directory.
    pub run: PathBuf,
    /// Lines instead of charts.
    pub plain: bool,
    /// The state once.
    pub once: bool,
    /// Rows whose number this divides are printed as lines.
    pub every: u64,
    /// No remarks.
    pub quiet: bool,
}

/// Whether the environment asks for output without colour (no-color.org).
fn colourless() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Whether stdout is a terminal that can place a cursor.
fn has_screen() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|name| name != "dumb")
}

/// Runs the command.
///
/// # Errors
/// The directory holds no run, its files cannot be understood, or the terminal cannot be used.
pub fn run(request: Request) -> Result<(), Failure> {
    let Request { run, plain, once, every, quiet } = request;
    if let Some(study) = study::open(&run)? {
        return study::follow(study, once, every, &mut std::io::stdout().lock());
    }
    let mut model = Model { dir: run.display().to_string(), ..Model::default() };
    let mut source = Source::new(&run);
    let more = source.poll(&mut model)?; // what can be refused is refused before the terminal is taken
    match (once, plain || !has_screen()) {
        (true, _) => plain::once(source, model, &mut std::io::stdout().lock()),
        (_, true) => plain::follow(source, model, every, quiet, &mut std::io::stdout().lock()),
        _ => screen::run(source, model, more, !colourless()),
    }
}
