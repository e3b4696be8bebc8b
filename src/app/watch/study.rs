//! The view of what is no learning run of one policy: studies and claims of `bias`, runs of `lola`. Lines only; `report` draws them.

use super::text::clean;
use crate::app::bias::table;
use crate::app::failure::Failure;
use crate::app::learnt::duration;
use crate::config::{Overrides, bias, claims, lola, tree};
use crate::learn::lola::Row as Played;
use crate::record::durable::{self, Logged};
use crate::record::run::{self, Opened, Status};
use crate::record::tail::Tail;
use crate::record::{self, Fault, live};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time between two looks at the directory.
const TICK: Duration = Duration::from_millis(250);

/// The rows, which depend on the command that writes them.
enum Rows {
    Points(Tail<Logged<record::bias::Row>>),
    Claims(Tail<Logged<record::claims::Row>>),
    Updates(Tail<record::online::Logged<Played>>),
}

/// A row in words.
struct Line {
    text: String,
    seconds: f64,
}

/// A directory that is watched.
pub struct Study {
    dir: PathBuf,
    rows: Rows,
    title: String,
    /// What a row is.
    unit: &'static str,
    total: usize,
    status: Status,
    /// No process holds it.
    abandoned: bool,
    done: usize,
    last: Option<Line>,
}

fn is_active(status: Status) -> bool {
    matches!(status, Status::Starting | Status::Running)
}

/// The study, table or game in `dir`; `None` if it is something else, or nothing yet.
///
/// # Errors
/// Its configuration cannot be understood.
pub fn open(dir: &Path) -> Result<Option<Study>, Failure> {
    let Ok(opened) = run::open(dir) else { return Ok(None) };
    let Some((rows, title, unit, total)) = contents(&opened)? else { return Ok(None) };
    let (dir, status) = (dir.to_path_buf(), opened.info.status);
    let mut study = Study { dir, rows, title, unit, total, status, abandoned: false, done: 0, last: None };
    study.look(&opened);
    Ok(Some(study))
}

fn contents(opened: &Opened) -> Result<Option<(Rows, String, &'static str, usize)>, Failure> {
    let (text, source) = (&opened.config, opened.config_path().display().to_string());
    let (dir, none, toml) = (&opened.dir, Overrides::default(), tree::Format::Toml);
    if bias::is_bias(text) {
        let plan = bias::parse(text, &source, toml, Path::new("."), &none)?;
        let title = format!("{}: bias of {} on {}, seed {}", plan.name, plan.problem(), plan.family.name, plan.seed);
        return Ok(Some((Rows::Points(durable::follow(dir)), title, "point", plan.points.len())));
    }
    if claims::is_claims(text) {
        let plan = claims::parse(text, &source)?;
        let title = format!("claims at {} % confidence, seed {}", 100.0 * plan.confidence, plan.seed);
        return Ok(Some((Rows::Claims(durable::follow(dir)), title, "claim", claims::CLAIMS)));
    }
    if lola::is_lola(text) {
        let plan = lola::parse(text, &source, toml, &none)?;
        let title =
            format!("{}: {}, {} pairs, seed {}", plan.name, plan.options.game.name, plan.options.seeds, plan.seed);
        let rows = Rows::Updates(record::online::follow(dir));
        return Ok(Some((rows, title, "update", plan.options.updates as usize)));
    }
    Ok(None)
}

fn played(row: &Played) -> String {
    let mean = |x: Option<&crate::math::summary::Estimate>| x.map_or("-".into(), |e| format!("{:.3}", e.mean));
    let control = mean(row.control.as_ref().map(|c| &c.reward_per_step));
    let correlation = mean(row.correlation.as_ref());
    format!("reward per step {:.3}, control {control}, correlation {correlation}", row.standing.reward_per_step.mean)
}

impl Rows {
    /// What is new in words, and whether all before is void.
    fn poll(&mut self) -> Result<(Vec<Line>, bool), Fault> {
        fn all<T>(tail: &mut Tail<T>, line: impl Fn(&T) -> Line) -> Result<(Vec<Line>, bool), Fault> {
            let (mut lines, mut is_void) = (Vec::new(), false);
            loop {
                let news = tail.poll(u64::MAX)?;
                if news.restarted {
                    lines.clear();
                    is_void = true;
                }
                lines.extend(news.items.iter().map(&line));
                if !news.more {
                    return Ok((lines, is_void));
                }
            }
        }
        match self {
            Rows::Points(tail) => all(tail, |l| Line { text: table::line(&l.row), seconds: l.seconds_since_start }),
            Rows::Claims(tail) => all(tail, |l| Line {
                text: format!("{} {}: {}", l.row.number, l.row.verdict.name(), l.row.claim),
                seconds: l.seconds_since_start,
            }),
            Rows::Updates(tail) => all(tail, |l| Line { text: played(&l.row), seconds: l.seconds_since_start }),
        }
    }
}

impl Study {
    fn look(&mut self, opened: &Opened) {
        self.status = opened.info.status;
        self.abandoned = is_active(self.status) && live::is_live(&self.dir) == Some(false);
    }

    fn has_ended(&self) -> bool {
        self.abandoned || !is_active(self.status)
    }

    /// Reads status, then rows: what the status says is done is in the rows read after it. Gives the new rows as lines.
    fn poll(&mut self) -> Result<Vec<String>, Fault> {
        let opened = run::open(&self.dir)?;
        self.look(&opened);
        if self.abandoned {
            let opened = run::open(&self.dir)?; // it may have ended well between the two looks
            self.look(&opened);
        }
        let (lines, is_void) = self.rows.poll()?;
        if is_void {
            (self.done, self.last) = (0, None);
        }
        let before = self.done;
        self.done += lines.len();
        let (unit, total) = (self.unit, self.total);
        let words = |(i, l): (usize, &Line)| {
            format!("{unit} {}/{total}: {}, {}", before + i + 1, clean(&l.text), duration(l.seconds))
        };
        let texts = lines.iter().enumerate().map(words).collect();
        self.last = lines.into_iter().next_back().or(self.last.take());
        Ok(texts)
    }

    /// The present state as lines.
    fn summary(&self) -> String {
        let standing = match self.status {
            _ if self.abandoned => "stopped without a word (killed?)",
            Status::Starting | Status::Running if self.done == 0 => "waiting for the first row",
            Status::Starting | Status::Running => "running",
            Status::Interrupted => "interrupted",
            Status::Finished => "finished",
            Status::Diverged => "diverged",
        };
        let (done, total) = (self.done, self.total);
        let part = 100.0 * done as f64 / total.max(1) as f64;
        let mut text = format!("{}\n{standing}, {} {done}/{total}, {part:.0} %", clean(&self.title), self.unit);
        if let Some(last) = &self.last {
            text += &format!(", {} elapsed", duration(last.seconds));
            if !self.has_ended() && done > 0 {
                text += &format!(", {} left", duration(last.seconds * total.saturating_sub(done) as f64 / done as f64));
            }
            text += &format!("\nlast:      {}", clean(&last.text));
        }
        text + &format!("\nfigures:   stillpoint report {}\n", self.dir.display())
    }
}

/// Prints the present state and, unless `once`, a line for every new row whose number `every` divides, until the run ends; then the
/// state again.
///
/// # Errors
/// The directory cannot be read, or stdout is closed.
pub fn follow(mut study: Study, once: bool, every: u64, out: &mut impl Write) -> Result<(), Failure> {
    study.poll()?;
    out.write_all(study.summary().as_bytes())?;
    if once || study.has_ended() {
        return Ok(());
    }
    while !study.has_ended() {
        out.flush()?;
        std::thread::sleep(TICK);
        let lines = study.poll()?;
        let first = study.done - lines.len();
        for (_, line) in lines.iter().enumerate().filter(|(i, _)| ((first + i + 1) as u64).is_multiple_of(every)) {
            writeln!(out, "{line}")?;
        }
    }
    Ok(out.write_all(study.summary().as_bytes())?)
}
