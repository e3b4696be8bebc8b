//! `report`: one HTML page, its figures as SVG and all of its numbers as CSV, from what runs left behind.

use super::failure::Failure;
use crate::record::{self, Fault};
use crate::report::input::{self, Input};
use crate::report::page::{Page, Section};
use crate::report::{bias, bias_study, claims, draw, html, lola, online, stationarity, suite, train};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Name of the page.
pub const PAGE: &str = "report.html";

/// What the command line asks of `report`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Directories of runs, suites and studies, or files of `gradient --json`.
    pub inputs: Vec<PathBuf>,
    /// Where to write; `report` inside the input if not given.
    pub out: Option<PathBuf>,
    /// No messages.
    pub quiet: bool,
}

/// Runs the command and prints the path of the page.
///
/// # Errors
/// An input that nothing can be read of, several inputs without `--out`, or files that cannot be written.
pub fn run(request: Request) -> Result<(), Failure> {
    let out = out(&request)?;
    let inputs = request.inputs.iter().map(|p| input::read(p)).collect::<Result<Vec<Input>, Fault>>()?;
    let mut page = page(&request, inputs);
    page.settle();
    if !request.quiet {
        for (section, text) in page.sections.iter().flat_map(|s| s.missing.iter().map(move |m| (s, m))) {
            let _ = writeln!(std::io::stderr(), "note: {}: {text}", section.title); // a closed stderr must not stop the report
        }
    }
    let figures = write(&page, &out, request.out.is_none())?;
    let mut stdout = std::io::stdout().lock();
    for text in page.sections.iter().flat_map(|s| &s.sentences) {
        writeln!(stdout, "{}", text.replace('`', ""))?;
    }
    writeln!(stdout, "{} ({figures} figures)", out.join(PAGE).display())?;
    Ok(())
}

fn out(request: &Request) -> Result<PathBuf, Failure> {
    let usage = |text: String| Err(Failure::Usage(text));
    match (&request.out, request.inputs.as_slice()) {
        (Some(out), _) if out.exists() && !out.is_dir() => {
            usage(format!("--out {}: is a file; a report needs a directory", out.display()))
        }
        (Some(out), _) => Ok(out.clone()),
        (None, [one]) if one.is_dir() => Ok(one.join(record::run::REPORT)),
        (None, [one]) if one.is_file() => usage(format!("--out DIR is needed: {} is a file", one.display())),
        (None, [one]) => {
            usage(format!("{}: no such directory; expected that of a run, a suite or a study", one.display()))
        }
        (None, many) => usage(format!("--out DIR is needed for a report on {} inputs together", many.len())),
    }
}

/// The command as it was given, for the footer.
fn command(request: &Request) -> String {
    let quote = |p: &PathBuf| {
        let text = p.display().to_string();
        if text.chars().all(|c| c.is_alphanumeric() || "-_./,=".contains(c)) { text } else { format!("'{text}'") }
    };
    let mut words = vec!["stillpoint report".to_string()];
    words.extend(request.inputs.iter().map(quote));
    words.extend(request.out.iter().map(|o| format!("--out {}", quote(o))));
    words.join(" ")
}

/// Sections in the order of the inputs; runs of one command come together where the first of them stands.
fn page(request: &Request, inputs: Vec<Input>) -> Page {
    let mut sections: Vec<Vec<Section>> = Vec::new();
    let (mut trained, mut lived, mut played) = (Vec::new(), Vec::new(), Vec::new());
    let mut places = [None; 3];
    for input in inputs {
        match input {
            Input::Suite(suite) => sections.push(vec![suite::section(&suite)]),
            Input::Stationarity(study) => sections.push(vec![stationarity::section(&study)]),
            Input::Bias(study) => sections.push(vec![bias_study::section(&study)]),
            Input::Claims(table) => sections.push(vec![claims::section(&table)]),
            Input::Gradient(path, value) => sections.push(vec![bias::section(&path, &value)]),
            Input::Train(run) => {
                hold(&mut places[0], &mut sections);
                trained.push(*run);
            }
            Input::Online(run) => {
                hold(&mut places[1], &mut sections);
                lived.push(*run);
            }
            Input::Lola(run) => {
                hold(&mut places[2], &mut sections);
                played.push(*run);
            }
        }
    }
    if let Some(place) = places[0] {
        sections[place] = train::sections(trained);
    }
    if let Some(place) = places[1] {
        sections[place] = online::sections(lived);
    }
    if let Some(place) = places[2] {
        sections[place] = lola::sections(played);
    }
    let sections = sections.concat();
    let title = match sections.as_slice() {
        [one] => one.title.clone(),
        _ => "Report".into(),
    };
    let program = concat!("stillpoint ", env!("CARGO_PKG_VERSION"), " (", env!("STILLPOINT_COMMIT"), ")").to_string();
    Page { title, command: command(request), program, sections }
}

/// Keeps a place for sections that are made later.
fn hold(place: &mut Option<usize>, sections: &mut Vec<Vec<Section>>) {
    if place.is_none() {
        *place = Some(sections.len());
        sections.push(Vec::new());
    }
}

/// Writes everything; files of an older report go if the directory is `ours`. Returns the number of figures.
fn write(page: &Page, out: &Path, ours: bool) -> Result<usize, Failure> {
    let fail = |path: &Path, why: &dyn std::fmt::Display| {
        Failure::Usage(format!("{}: cannot be written: {why}", path.display()))
    };
    std::fs::create_dir_all(out).map_err(|e| fail(out, &e))?;
    if ours {
        let entries = std::fs::read_dir(out).map_err(|e| fail(out, &e))?;
        let stale = |p: &PathBuf| p.extension().is_some_and(|e| e == "svg" || e == "csv");
        for path in entries.filter_map(|e| Some(e.ok()?.path())).filter(stale) {
            std::fs::remove_file(&path).map_err(|e| fail(&path, &e))?;
        }
    }
    let put = |name: String, text: String| {
        let path = out.join(name);
        std::fs::write(&path, text).map_err(|e| fail(&path, &e))
    };
    let mut count = 0;
    for section in &page.sections {
        for figure in &section.figures {
            put(format!("{}.svg", figure.name), draw::svg(figure).map_err(Failure::Internal)?)?;
            put(format!("{}.csv", figure.name), figure.csv())?;
            count += 1;
        }
        for table in section.tables.iter().chain(&section.data) {
            put(format!("{}.csv", table.name), table.csv())?;
        }
    }
    put(PAGE.to_string(), html::render(page).map_err(Failure::Internal)?)?;
    Ok(count)
}
