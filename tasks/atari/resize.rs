//! Shrinking a grey picture: OpenCV's area averaging and Pillow's bilinear filter, digit for digit.

/// How a picture is shrunk. The two are not interchangeable to the last digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// Average over the area that a new pixel covers, as OpenCV's `INTER_AREA` (baselines, Gymnasium, EnvPool, ALE).
    Area,
    /// Triangle filter as wide as the new pixels are apart, as Pillow's `BILINEAR` (dqn_zoo).
    Bilinear,
}

/// Weights of `count` neighbours from `first[o]` on, for every new pixel `o`; unused ones weigh 0.
#[derive(Clone, Debug)]
struct Taps<W> {
    count: usize,
    first: Vec<usize>,
    weights: Vec<W>,
}

impl<W: Copy + Default> Taps<W> {
    /// From one list (first neighbour, weights) per new pixel; all neighbours lie below `size`.
    fn new(lists: &[(usize, Vec<W>)], size: usize) -> Taps<W> {
        let count = lists.iter().map(|(_, w)| w.len()).max().unwrap_or(0);
        let (mut first, mut weights) = (Vec::new(), Vec::new());
        for (start, list) in lists {
            let shifted = (*start).min(size - count);
            first.push(shifted);
            let mut row = vec![W::default(); count];
            row[start - shifted..][..list.len()].copy_from_slice(list);
            weights.extend(row);
        }
        Taps { count, first, weights }
    }

    fn of(&self, o: usize) -> (usize, &[W]) {
        (self.first[o], &self.weights[o * self.count..][..self.count])
    }
}

/// OpenCV's `computeResizeAreaTab`: the part of each old pixel in new pixel `o`, over the new pixel's width.
fn area_taps(old: usize, new: usize) -> Taps<f32> {
    let scale = 1.0 / (new as f64 / old as f64);
    let lists: Vec<_> = (0..new)
        .map(|o| {
            let (from, to) = (o as f64 * scale, o as f64 * scale + scale);
            let width = scale.min(old as f64 - from);
            let last = (to.floor() as usize).min(old - 1);
            let first = (from.ceil() as usize).min(last);
            let mut start = first;
            let mut weights = Vec::new();
            if first as f64 - from > 1e-3 {
                start = first - 1;
                weights.push(((first as f64 - from) / width) as f32);
            }
            weights.extend((first..last).map(|_| (1.0 / width) as f32));
            if to - last as f64 > 1e-3 {
                weights.push(((to - last as f64).min(1.0).min(width) / width) as f32);
            }
            (start, weights)
        })
        .collect();
    Taps::new(&lists, old)
}

/// Bits behind the point of Pillow's fixed-point weights for 8-bit pictures.
const PRECISION: u32 = 32 - 8 - 2;

/// Pillow's `precompute_coeffs` and `normalize_coeffs_8bpc` for the triangle filter.
fn bilinear_taps(old: usize, new: usize) -> Taps<i32> {
    let scale = old as f64 / new as f64;
    let support = scale.max(1.0);
    let lists: Vec<_> = (0..new)
        .map(|o| {
            let centre = (o as f64 + 0.5) * scale;
            let first = ((centre - support + 0.5) as i64).max(0) as usize;
            let end = ((centre + support + 0.5) as usize).min(old);
            let raw: Vec<f64> =
                (first..end).map(|x| (1.0 - ((x as f64 - centre + 0.5) * (1.0 / support)).abs()).max(0.0)).collect();
            let total: f64 = raw.iter().sum();
            let fixed = |w: &f64| (0.5 + w / total * f64::from(1u32 << PRECISION)) as i32;
            (first, raw.iter().map(fixed).collect())
        })
        .collect();
    Taps::new(&lists, old)
}

/// A number that pushes the integer nearest to a float (ties to even) into its lowest mantissa bits.
const ROUND: f32 = 12_582_912.0;

fn dots<const N: usize, W: Copy, A>(row: &[A], taps: &Taps<W>, mut put: impl FnMut(usize, &[A; N], &[W; N])) {
    let (weights, _) = taps.weights.as_chunks::<N>();
    for (o, (&first, weights)) in taps.first.iter().zip(weights).enumerate() {
        let neighbours: &[A; N] = row[first..first + N].try_into().expect("N of them");
        put(o, neighbours, weights);
    }
}

/// Area averaging with what it keeps between pictures: one horizontally averaged row per old row.
#[derive(Clone, Debug)]
struct Area {
    across: Taps<f32>,
    down: Taps<f32>,
    rows: Vec<f32>,
}

impl Area {
    fn row(&mut self, y: usize, grey: &[u8], new: usize) {
        let mut line = [0f32; 320];
        line.iter_mut().zip(grey).for_each(|(l, &g)| *l = f32::from(g));
        let line = &line[..grey.len()];
        let out = &mut self.rows[y * new..][..new];
        match self.across.count {
            3 => dots::<3, _, _>(line, &self.across, |o, s, w| out[o] = s[0] * w[0] + s[1] * w[1] + s[2] * w[2]),
            _ => {
                for (o, out) in out.iter_mut().enumerate() {
                    let (first, weights) = self.across.of(o);
                    *out = weights.iter().zip(&line[first..]).fold(0.0, |sum, (w, s)| sum + s * w);
                }
            }
        }
    }

    fn column(&self, o: usize, new: usize, out: &mut [u8]) {
        let (first, weights) = self.down.of(o);
        let mut sum = [0f32; 320];
        for (k, &w) in weights.iter().enumerate() {
            let row = &self.rows[(first + k) * new..][..new];
            sum.iter_mut().zip(row).for_each(|(s, &r)| *s += w * r);
        }
        out.iter_mut().zip(&sum).for_each(|(out, &s)| *out = (s + ROUND).to_bits() as u8);
    }
}

/// Bilinear filter, likewise.
#[derive(Clone, Debug)]
struct Bilinear {
    across: Taps<i32>,
    down: Taps<i32>,
    rows: Vec<u8>,
}

fn fixed(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

impl Bilinear {
    fn row(&mut self, y: usize, grey: &[u8], new: usize) {
        for (o, out) in self.rows[y * new..][..new].iter_mut().enumerate() {
            let (first, weights) = self.across.of(o);
            let sum = weights.iter().zip(&grey[first..]).fold(1 << (PRECISION - 1), |s, (w, &g)| s + w * i32::from(g));
            *out = fixed(sum);
        }
    }

    fn column(&self, o: usize, new: usize, out: &mut [u8]) {
        let (first, weights) = self.down.of(o);
        let mut sum = [1i32 << (PRECISION - 1); 320];
        for (k, &w) in weights.iter().enumerate() {
            let row = &self.rows[(first + k) * new..][..new];
            sum.iter_mut().zip(row).for_each(|(s, &r)| *s += w * i32::from(r));
        }
        out.iter_mut().zip(&sum).for_each(|(out, &s)| *out = fixed(s));
    }
}

#[derive(Clone, Debug)]
enum Method {
    Area(Area),
    Bilinear(Bilinear),
}

/// Shrinks pictures of one size to squares of another, and looks only at the rows that changed.
#[derive(Clone, Debug)]
pub struct Resizer {
    method: Method,
    old: (usize, usize),
    new: usize,
}

impl Resizer {
    /// For pictures `width` × `height`, to `new` × `new`.
    ///
    /// # Panics
    /// If the new picture is larger than the old one, or a side exceeds 320.
    pub fn new(resize: Resize, (width, height): (usize, usize), new: usize) -> Resizer {
        assert!(new >= 1 && new <= width && new <= height && width <= 320, "{width}x{height} does not shrink to {new}");
        let method = match resize {
            Resize::Area => Method::Area(Area {
                across: area_taps(width, new),
                down: area_taps(height, new),
                rows: vec![0.0; height * new],
            }),
            Resize::Bilinear => Method::Bilinear(Bilinear {
                across: bilinear_taps(width, new),
                down: bilinear_taps(height, new),
                rows: vec![0; height * new],
            }),
        };
        Resizer { method, old: (width, height), new }
    }

    /// Writes into `out` (`new` × `new`) the rows that depend on a row of `grey` with `changed` set; the others must be
    /// those of the last call.
    pub fn update(&mut self, grey: &[u8], changed: &[bool], out: &mut [u8]) {
        let (width, new) = (self.old.0, self.new);
        for (y, row) in grey.chunks_exact(width).enumerate().filter(|(y, _)| changed[*y]) {
            match &mut self.method {
                Method::Area(m) => m.row(y, row, new),
                Method::Bilinear(m) => m.row(y, row, new),
            }
        }
        for (o, out) in out.chunks_exact_mut(new).enumerate() {
            let (first, count) = match &self.method {
                Method::Area(m) => (m.down.first[o], m.down.count),
                Method::Bilinear(m) => (m.down.first[o], m.down.count),
            };
            if changed[first..first + count].iter().any(|&c| c) {
                match &self.method {
                    Method::Area(m) => m.column(o, new, out),
                    Method::Bilinear(m) => m.column(o, new, out),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shrink(resize: Resize, size: (usize, usize), grey: &[u8]) -> Vec<u8> {
        let mut out = vec![0; 84 * 84];
        Resizer::new(resize, size, 84).update(grey, &vec![true; size.1], &mut out);
        out
    }

    #[test]
    fn flat_pictures_stay_flat() {
        for resize in [Resize::Area, Resize::Bilinear] {
            for height in [210, 250] {
                for value in [0, 1, 127, 254, 255] {
                    let out = shrink(resize, (160, height), &vec![value; 160 * height]);
                    assert!(out.iter().all(|&v| v == value), "{resize:?} {height} {value}");
                }
            }
        }
    }

    /// The mean over the exact overlap of old and new pixels.
    #[test]
    fn area_is_the_mean_over_the_area() {
        let grey: Vec<u8> = (0..160 * 210u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let out = shrink(Resize::Area, (160, 210), &grey);
        let overlap = |o: usize, i: usize, scale: f64| {
            ((o + 1) as f64 * scale).min((i + 1) as f64) - (o as f64 * scale).max(i as f64)
        };
        let (sx, sy) = (160.0 / 84.0, 210.0 / 84.0);
        for (o, &ours) in out.iter().enumerate() {
            let (oy, ox) = (o / 84, o % 84);
            let mut sum = 0.0;
            for (i, &g) in grey.iter().enumerate() {
                let weight = overlap(oy, i / 160, sy).max(0.0) * overlap(ox, i % 160, sx).max(0.0);
                sum += weight * f64::from(g);
            }
            assert!((f64::from(ours) - sum / (sx * sy)).abs() < 0.51, "{oy} {ox}");
        }
    }

    #[test]
    fn changed_rows_are_enough() {
        let mut grey: Vec<u8> = (0..160 * 210u32).map(|i| (i * 7 / 3) as u8).collect();
        for resize in [Resize::Area, Resize::Bilinear] {
            let mut resizer = Resizer::new(resize, (160, 210), 84);
            let mut out = vec![0; 84 * 84];
            resizer.update(&grey, &[true; 210], &mut out);
            for y in [0, 1, 77, 209] {
                grey[y * 160..][..160].fill(y as u8);
                let mut changed = [false; 210];
                changed[y] = true;
                resizer.update(&grey, &changed, &mut out);
                assert_eq!(out, shrink(resize, (160, 210), &grey), "{resize:?} {y}");
            }
        }
    }
}
