//! A game as an animated GIF: palette indices as the console shows them, one picture per step, only what changed.

use super::Failure;
use ::tasks::atari::env::AtariEnv;
use gif::{Encoder, Frame, Repeat};
use std::borrow::Cow;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// Pictures at most: five minutes of play at four frames a step.
const LIMIT: usize = 4500;
/// Frames of the console per second.
const RATE: f64 = 60.0;

/// A file that is being drawn.
pub(super) struct Movie {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    encoder: Option<Encoder<BufWriter<File>>>,
    /// The screen before.
    last: Vec<u8>,
    pictures: usize,
}

impl Movie {
    /// A file at `path`, replaced if it is there.
    pub fn create(path: &Path) -> Result<Movie, Failure> {
        let file =
            File::create(path).map_err(|e| Failure::Usage(format!("{}: cannot be written: {e}", path.display())))?;
        let file = Some(BufWriter::new(file));
        Ok(Movie { path: path.to_path_buf(), file, encoder: None, last: Vec::new(), pictures: 0 })
    }

    fn fail(&self, e: &impl std::fmt::Display) -> Failure {
        Failure::Internal(format!("{}: cannot be written: {e}", self.path.display()))
    }

    /// Adds the screen of a game.
    pub fn take(&mut self, env: &AtariEnv) -> Result<(), Failure> {
        if self.pictures >= LIMIT {
            return Ok(());
        }
        let (width, height) = env.screen_size();
        if let Some(file) = self.file.take() {
            let palette: Vec<u8> =
                env.palette().iter().flat_map(|c| [(c >> 16) as u8, (c >> 8) as u8, *c as u8]).collect();
            let encoder = Encoder::new(file, width as u16, height as u16, &palette);
            let mut encoder = encoder.map_err(|e| self.fail(&e))?;
            encoder.set_repeat(Repeat::Infinite).map_err(|e| self.fail(&e))?;
            self.encoder = Some(encoder);
        }
        let screen = env.screen();
        let [left, top, right, bottom] = changed(&self.last, screen, width);
        let rows = (top..bottom).flat_map(|y| &screen[y * width + left..y * width + right]).copied();
        // hundredths of a second, rounded so that the whole keeps time
        let per_step = 100.0 * env.protocol().frame_skip as f64 / RATE;
        let at = |k: usize| (k as f64 * per_step).round() as u64;
        let frame = Frame {
            delay: (at(self.pictures + 1) - at(self.pictures)) as u16,
            left: left as u16,
            top: top as u16,
            width: (right - left) as u16,
            height: (bottom - top) as u16,
            buffer: Cow::Owned(rows.collect()),
            ..Frame::default()
        };
        self.last = screen.to_vec();
        self.pictures += 1;
        match &mut self.encoder {
            Some(encoder) => {
                encoder.write_frame(&frame).map_err(|e| Failure::Internal(format!("{}: {e}", self.path.display())))
            }
            None => Ok(()),
        }
    }

    /// Writes what is left.
    pub fn finish(self) -> Result<(), Failure> {
        use std::io::Write as _;
        let failed =
            |e: &dyn std::fmt::Display| Failure::Internal(format!("{}: cannot be written: {e}", self.path.display()));
        match self.encoder {
            Some(encoder) => encoder.into_inner().map_err(|e| failed(&e))?.flush().map_err(|e| failed(&e)),
            None => Ok(()),
        }
    }
}

/// The smallest rectangle (left, top, right, bottom) outside of which nothing has changed; one pixel if nothing has.
fn changed(before: &[u8], now: &[u8], width: usize) -> [usize; 4] {
    let height = now.len() / width;
    if before.len() != now.len() {
        return [0, 0, width, height];
    }
    let mut found: Option<[usize; 4]> = None;
    for (i, _) in before.iter().zip(now).enumerate().filter(|(_, (a, b))| a != b) {
        let (x, y) = (i % width, i / width);
        let [l, t, r, b] = found.unwrap_or([x, y, x + 1, y + 1]);
        found = Some([l.min(x), t.min(y), r.max(x + 1), b.max(y + 1)]);
    }
    found.unwrap_or([0, 0, 1, 1])
}

#[cfg(test)]
mod tests {
    use super::changed;

    #[test]
    fn only_what_changed_is_drawn() {
        let before = [0u8; 20];
        let mut now = before;
        assert_eq!(changed(&before, &now, 5), [0, 0, 1, 1]);
        assert_eq!(changed(&[], &now, 5), [0, 0, 5, 4]);
        now[7] = 1;
        now[16] = 2;
        assert_eq!(changed(&before, &now, 5), [1, 1, 3, 4]);
    }
}
