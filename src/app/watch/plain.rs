//! The view without a terminal: what is known, then a line for every new row, until the run ends.

use super::model::Model;
use super::source::Source;
use super::text;
use crate::app::failure::Failure;
use std::io::Write;
use std::time::Duration;

/// Time between two looks at the run directory.
const TICK: Duration = Duration::from_millis(250);

/// Reads everything there is.
///
/// # Errors
/// As [`Source::poll`].
pub fn catch_up(source: &mut Source, model: &mut Model) -> Result<(), Failure> {
    while source.poll(model)? {}
    Ok(())
}

/// Prints the present state.
///
/// # Errors
/// The run cannot be read, or stdout is closed.
pub fn once(mut source: Source, mut model: Model, out: &mut impl Write) -> Result<(), Failure> {
    catch_up(&mut source, &mut model)?;
    Ok(out.write_all(text::summary(&model).as_bytes())?)
}

/// How many of `new` were known: `before` of them, or what they share with `void` if that was taken back.
fn known<T: PartialEq>(before: usize, void: &mut Vec<T>, new: &[T]) -> usize {
    let void = std::mem::take(void);
    if void.is_empty() { before } else { void.iter().zip(new).take_while(|(a, b)| a == b).count() }
}

/// Prints the present state, then a line for every row whose number `every` divides and for every measured gap, and the state
/// again when the run has ended. Remarks go to stderr unless `quiet`.
///
/// # Errors
/// The run cannot be read, or stdout is closed.
pub fn follow(
    mut source: Source,
    mut model: Model,
    every: u64,
    quiet: bool,
    out: &mut impl Write,
) -> Result<(), Failure> {
    catch_up(&mut source, &mut model)?;
    out.write_all(text::summary(&model).as_bytes())?;
    if model.ended() {
        return Ok(());
    }
    while !model.ended() {
        out.flush()?;
        std::thread::sleep(TICK);
        let (rows, gaps) = (model.points.len(), model.gaps.len());
        catch_up(&mut source, &mut model)?;
        let from = known(rows, &mut model.void_points, &model.points);
        if from < rows && !quiet {
            let remark =
                format!("the rows behind {} {from} were dropped: the run was resumed or replaced", model.unit());
            let _ = writeln!(std::io::stderr(), "{remark}"); // a closed stderr must not end the watching
        }
        let total = model.progress().1;
        for p in model.points[from..].iter().filter(|p| p.iteration.is_multiple_of(every)) {
            writeln!(out, "{}", text::row(p, total))?;
        }
        let from = known(gaps, &mut model.void_gaps, &model.gaps);
        for m in &model.gaps[from..] {
            writeln!(out, "{}", text::measurement(m, model.is_online()))?;
        }
    }
    Ok(out.write_all(text::summary(&model).as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_what_was_not_there_before() {
        assert_eq!(known(3, &mut vec![], &[1, 2, 3, 4]), 3);
        let mut void = vec![1, 2, 3, 4];
        assert_eq!(known(4, &mut void, &[1, 2, 30, 40, 50]), 2);
        assert!(void.is_empty());
        assert_eq!(known(4, &mut vec![1, 2, 3, 4], &[]), 0);
    }
}
