//! From the last two screens to one small grey picture, at the cost of the rows that changed.

use super::resize::{Resize, Resizer};

/// How colours become grey, and where the maximum over two screens is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grey {
    /// ALE's own grey of each screen, then the maximum (Gymnasium, ALE's vector environment).
    Ale,
    /// The maximum of each of R, G, B, then 0.299 R + 0.587 G + 0.114 B, fraction cut off (dqn_zoo).
    Luminance,
    /// The same, rounded as OpenCV's `COLOR_RGB2GRAY` does (baselines).
    Rounded,
}

/// Grey of a pixel that shows colour `a` in one screen and `b` in the other.
fn pair(grey: Grey, palette: &[u32; 256], a: usize, b: usize) -> u8 {
    match grey {
        Grey::Ale => (palette[a + 1] as u8).max(palette[b + 1] as u8),
        Grey::Luminance => {
            let channel = |shift: u32| f64::from(((palette[a] >> shift) as u8).max((palette[b] >> shift) as u8));
            (channel(16) * 0.299 + channel(8) * 0.587 + channel(0) * 0.114) as u8
        }
        Grey::Rounded => {
            let channel = |shift: u32| u32::from(((palette[a] >> shift) as u8).max((palette[b] >> shift) as u8));
            ((channel(16) * 9798 + channel(8) * 19235 + channel(0) * 3735 + (1 << 14)) >> 15) as u8
        }
    }
}

/// Turns screens into pictures. Which rows changed since the last picture decides the work, never the result.
#[derive(Clone, Debug)]
pub struct Picture {
    width: usize,
    table: Vec<u8>,
    screens: [Vec<u8>; 2],
    changed: Vec<bool>,
    grey: Vec<u8>,
    resizer: Resizer,
    small: Vec<u8>,
}

impl Picture {
    /// For screens `width` × `height` of palette indices, to `size` × `size` bytes.
    ///
    /// # Panics
    /// As [`Resizer::new`].
    pub fn new(
        grey: Grey,
        resize: Resize,
        (width, height): (usize, usize),
        size: usize,
        palette: &[u32; 256],
    ) -> Picture {
        let colours = || (0..256).step_by(2);
        Picture {
            width,
            table: colours().flat_map(|a| colours().map(move |b| pair(grey, palette, a, b))).collect(),
            screens: [vec![0; width * height], vec![0; width * height]],
            changed: vec![true; height],
            grey: vec![0; width * height],
            resizer: Resizer::new(resize, (width, height), size),
            small: vec![0; size * size],
        }
    }

    /// Puts a screen in place `slot`, 0 (older) or 1 (newer).
    pub fn take(&mut self, slot: usize, screen: &[u8]) {
        let rows = self.screens[slot].chunks_exact_mut(self.width).zip(screen.chunks_exact(self.width));
        for ((held, row), changed) in rows.zip(&mut self.changed) {
            if held != row {
                held.copy_from_slice(row);
                *changed = true;
            }
        }
    }

    /// The picture of the two screens in place.
    pub fn draw(&mut self) -> &[u8] {
        for (y, _) in self.changed.iter().enumerate().filter(|(_, changed)| **changed) {
            let row = y * self.width..(y + 1) * self.width;
            let (older, newer) = (&self.screens[0][row.clone()], &self.screens[1][row.clone()]);
            for ((grey, a), b) in self.grey[row].iter_mut().zip(older).zip(newer) {
                *grey = self.table[usize::from(a >> 1) << 7 | usize::from(b >> 1)];
            }
        }
        self.resizer.update(&self.grey, &self.changed, &mut self.small);
        self.changed.fill(false);
        &self.small
    }

    /// The last picture's grey screen, brightened where the older screen in place is brighter: what Gymnasium shows when
    /// the game ends in the very last frame of a step, of which it takes no screen.
    pub fn draw_over(&mut self) -> &[u8] {
        for (grey, a) in self.grey.iter_mut().zip(&self.screens[0]) {
            *grey = (*grey).max(self.table[usize::from(a >> 1) << 7 | usize::from(a >> 1)]);
        }
        self.changed.fill(true);
        self.resizer.update(&self.grey, &self.changed, &mut self.small);
        &self.small // all rows stay marked: the next picture is drawn from its screens alone
    }

    /// The last picture.
    pub fn last(&self) -> &[u8] {
        &self.small
    }

    /// The grey screen behind the last picture, of which [`Picture::draw_over`] makes use.
    pub fn grey(&self) -> &[u8] {
        &self.grey
    }

    /// Puts back what [`Picture::grey`] gave, and the picture of it.
    pub fn set_grey(&mut self, grey: &[u8]) {
        self.grey.copy_from_slice(grey);
        self.changed.fill(true);
        self.resizer.update(&self.grey, &self.changed, &mut self.small);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn palette() -> [u32; 256] {
        let mut palette = [0; 256];
        for i in (0..256usize).step_by(2) {
            palette[i] = (i as u32).wrapping_mul(0x9e_3779) & 0xff_ffff;
            palette[i + 1] = 255 - i as u32;
        }
        palette
    }

    fn screen(seed: usize) -> Vec<u8> {
        (0..160 * 210).map(|i| ((i / 160 * seed + i % 160) * 37 % 128 * 2) as u8).collect()
    }

    #[test]
    fn the_history_of_screens_does_not_matter() {
        for (grey, resize) in [(Grey::Ale, Resize::Area), (Grey::Luminance, Resize::Bilinear)] {
            let fresh = || Picture::new(grey, resize, (160, 210), 84, &palette());
            let mut long = fresh();
            for seed in 0..6 {
                let mut newer = screen(seed);
                newer[160 * 100..160 * 101].fill(2);
                long.take(0, &screen(seed / 2));
                long.take(1, &newer);
                let mut short = fresh();
                short.take(0, &screen(seed / 2));
                short.take(1, &newer);
                assert_eq!(long.draw(), short.draw(), "{seed}");
                if seed == 3 {
                    long.take(0, &screen(9));
                    long.draw_over();
                }
            }
        }
    }

    #[test]
    fn luminance_takes_the_maximum_of_each_channel() {
        let mut palette = [0u32; 256];
        (palette[0], palette[2]) = (0xff_0000, 0x00_00ff);
        assert_eq!(pair(Grey::Luminance, &palette, 0, 2), (255.0 * 0.299 + 255.0 * 0.114) as u8);
    }
}
