//! The live view: takes the terminal, draws, answers keys, and gives the terminal back however it ends.

use super::model::Model;
use super::source::Source;
use super::view::{self, Choice, Palette};
use crate::app::failure::Failure;
use crate::record::Fault;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Time between two looks at the run directory, and the longest a signal waits for its answer.
const TICK: Duration = Duration::from_millis(250);

/// Gives the terminal back when dropped; a panic does so too, before its message.
struct Taken;

impl Drop for Taken {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Quit,
    Draw,
    Nothing,
}

fn key(event: KeyEvent, choice: &mut Choice) -> Answer {
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    match event.code {
        _ if event.kind == KeyEventKind::Release => return Answer::Nothing,
        KeyCode::Char('c' | 'd') if control => return Answer::Quit,
        KeyCode::Char('q' | 'Q') | KeyCode::Esc => return Answer::Quit,
        KeyCode::Char('+' | '=') | KeyCode::Up => choice.change_smoothing(true),
        KeyCode::Char('-' | '_') | KeyCode::Down => choice.change_smoothing(false),
        KeyCode::Right => choice.change_span(true),
        KeyCode::Left => choice.change_span(false),
        KeyCode::Char('s') => choice.squared = !choice.squared,
        KeyCode::Char('?' | 'h') => choice.help = !choice.help,
        _ => return Answer::Nothing,
    }
    Answer::Draw
}

/// A flag that SIGTERM, SIGINT and SIGHUP raise.
fn signals() -> std::io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    #[cfg(unix)]
    signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::clone(&flag))?;
    Ok(flag)
}

fn look(source: &mut Source, model: &mut Model) -> bool {
    let outcome = source.poll(model);
    (model.void_points, model.void_gaps) = Default::default();
    match outcome {
        Ok(more) => {
            model.trouble = None;
            more
        }
        Err(Fault::Unusable(why) | Fault::Io(why)) => {
            (model.trouble, model.reading) = (Some(why), None);
            false
        }
    }
}

/// What changes when there is something new to draw.
fn stamp(model: &Model) -> impl PartialEq + use<> {
    let last = model.last().map(|p| (p.iteration, p.seconds.to_bits()));
    let gap = model.gaps.last().map(|m| m.iteration);
    let state = (model.standing(), model.outline.clone(), model.measures_gaps);
    (last, gap, model.gaps.len(), state, model.trouble.clone(), model.reading.map(f64::to_bits))
}

/// Shows the run until the user quits.
///
/// # Errors
/// The terminal cannot be used, or a signal ended the view.
pub fn run(mut source: Source, mut model: Model, more: bool, coloured: bool) -> Result<(), Failure> {
    let stop = signals()?;
    let mut terminal = ratatui::try_init()?;
    let taken = Taken;
    let (mut choice, palette) = (Choice::default(), Palette::new(coloured));
    let (mut more, mut looked) = (more, Instant::now());
    let mut draw = true;
    while !stop.load(Ordering::Relaxed) {
        if draw {
            terminal.draw(|frame| view::draw(frame, &model, &choice, &palette))?;
        }
        let patience = if more { Duration::ZERO } else { TICK.saturating_sub(looked.elapsed()) };
        draw = false;
        if event::poll(patience)? {
            match event::read()? {
                Event::Key(event) => match key(event, &mut choice) {
                    Answer::Quit => return Ok(()),
                    answer => draw = answer == Answer::Draw,
                },
                Event::Resize(..) => draw = true,
                _ => {}
            }
        }
        if more || looked.elapsed() >= TICK {
            let before = stamp(&model);
            more = look(&mut source, &mut model);
            looked = Instant::now();
            draw |= stamp(&model) != before;
        }
    }
    drop(taken);
    Err(Failure::Interrupted("watching was ended by a signal; the run is left as it is".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_do_what_the_help_says() {
        let mut choice = Choice::default();
        let mut press = |code, modifiers| key(KeyEvent::new(code, modifiers), &mut choice);
        let plain = KeyModifiers::NONE;
        for (code, modifiers) in [
            (KeyCode::Char('q'), plain),
            (KeyCode::Esc, plain),
            (KeyCode::Char('c'), KeyModifiers::CONTROL),
            (KeyCode::Char('d'), KeyModifiers::CONTROL),
        ] {
            assert_eq!(press(code, modifiers), Answer::Quit);
        }
        assert_eq!(press(KeyCode::Char('c'), plain), Answer::Nothing);
        for code in [KeyCode::Up, KeyCode::Char('+'), KeyCode::Right, KeyCode::Char('s'), KeyCode::Char('?')] {
            assert_eq!(press(code, plain), Answer::Draw);
        }
        assert_eq!((choice.smooth(), choice.span(), choice.squared, choice.help), (50, Some(3000), true, true));
        for code in [KeyCode::Down, KeyCode::Char('-'), KeyCode::Left, KeyCode::Char('s'), KeyCode::Char('?')] {
            key(KeyEvent::new(code, plain), &mut choice);
        }
        assert_eq!(choice, Choice::default());
    }
}
