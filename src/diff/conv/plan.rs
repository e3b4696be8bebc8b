//! The torso of a convolutional network as a list of steps over buffers of one image, with all geometry worked out beforehand.
//!
//! Images are stored pixel by pixel, all channels of a pixel side by side (NHWC), channels padded to [`BLOCK`] by zeros, with a
//! border of zeros as wide as the convolution that reads them needs. Cotangents have borders of their own, so that the transposed
//! convolution is a correlation too: with stride s, one for each of the s x s phases of the input's pixels.

use super::correlate::{Walk, Window};
use std::ops::Range;

/// Channels are padded to multiples of this: the longest vector.
pub(super) const BLOCK: usize = 16;

/// Size of an observation: `channels * height * width` bytes, channel after channel, row after row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Frames in the stack (times colours).
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Frame {
    /// Four grey frames of 84 x 84: the usual Atari observation.
    pub const ATARI: Frame = Frame { channels: 4, height: 84, width: 84 };

    /// Bytes.
    pub fn len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A part of a torso.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A convolution without padding, then ReLU.
    Conv {
        /// Output channels.
        channels: usize,
        /// Height and width of the kernel; at least the stride.
        kernel: usize,
        /// Step between windows.
        stride: usize,
    },
    /// 3 x 3 convolution, 3 x 3 max-pooling of stride 2, two residual blocks `x + conv(relu(conv(relu(x))))`, each convolution of
    /// stride 1, all padded by 1 (Espeholt et al. 2018, figure 3). The torso's last section is followed by ReLU.
    Section {
        /// Channels throughout.
        channels: usize,
    },
}

/// Where the pixels of an image lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Grid {
    pub height: usize,
    pub width: usize,
    /// Channels that mean something.
    pub channels: usize,
    /// Numbers per pixel.
    pub stride: usize,
    /// Border above and on the left.
    pub low: usize,
    /// Border below and on the right.
    pub high: usize,
}

impl Grid {
    pub fn row(&self) -> usize {
        (self.low + self.width + self.high) * self.stride
    }

    pub fn len(&self) -> usize {
        (self.low + self.height + self.high) * self.row()
    }

    /// Place of pixel (y, x).
    pub fn at(&self, y: usize, x: usize) -> usize {
        (self.low + y) * self.row() + (self.low + x) * self.stride
    }

    /// All pixels.
    pub fn walk(&self) -> Walk {
        Walk { start: self.at(0, 0), pixel: self.stride, row: self.row() }
    }

    /// The image without its border, row by row.
    pub fn rows(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (first, row, width) = (self.at(0, 0), self.row(), self.width * self.stride);
        (0..self.height).map(move |y| first + y * row..first + y * row + width)
    }
}

/// What a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// The observation.
    Input,
    /// A convolution's output after ReLU; its cotangent is the one before ReLU.
    Rectified,
    /// ReLU of another buffer; it has no cotangent of its own.
    RectifiedCopy { of: usize },
    /// Anything else.
    Plain,
}

/// An image between two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Buffer {
    pub holds: Holds,
    /// Of values and tangents.
    pub grid: Grid,
    /// Of cotangents.
    pub back: Grid,
    /// Whether the derivative passes read its values.
    pub stored: bool,
}

/// What becomes of a convolution's sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Relu,
    Plain,
    /// Added to the output buffer.
    Add,
}

/// Input pixels of one phase of the stride, as a correlation of the cotangents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phase {
    /// First row and column of the kernel that meets these pixels.
    pub first: [usize; 2],
    /// Rows and columns of the kernel that do.
    pub taps: [usize; 2],
    /// Place of its weights among the layer's transposed ones.
    pub place: usize,
    pub window: Window,
}

/// One convolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conv {
    pub kernel: usize,
    pub stride: usize,
    pub pad: usize,
    pub from: usize,
    pub to: usize,
    pub mode: Mode,
    /// Channels in and out, and as padded.
    pub channels: [usize; 2],
    pub padded: [usize; 2],
    /// Places of weight `[kernel, kernel, in, out]` and bias in the flat parameter vector.
    pub weight: Range<usize>,
    pub bias: Range<usize>,
    /// Places of the padded weight, then bias.
    pub packed: Range<usize>,
    pub packed_bias: Range<usize>,
    /// Forward window over values.
    pub forward: Window,
    /// Window over values with the cotangents' places: for the weight gradient.
    pub back: Window,
    pub phases: Vec<Phase>,
}

/// One step over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Convolve(usize),
    Rectify { from: usize, to: usize },
    Pool { from: usize, to: usize, picks: usize },
}

/// Steps, buffers and layers of a torso.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub frame: Frame,
    pub buffers: Vec<Buffer>,
    pub layers: Vec<Conv>,
    pub steps: Vec<Step>,
    /// Numbers of picks of each pooling.
    pub pools: Vec<usize>,
    /// Parameters before the torso's, and after it.
    pub params: Range<usize>,
    /// Padded weights and biases.
    pub packed: usize,
}

impl Plan {
    /// Works out a torso whose parameters start at `first`.
    ///
    /// # Panics
    /// If an image is smaller than a kernel, a kernel smaller than its stride, or a size is zero.
    pub fn new(frame: Frame, stages: &[Stage], first: usize) -> Plan {
        assert!(!frame.is_empty() && !stages.is_empty(), "an image and a stage at least");
        let grid = Grid {
            height: frame.height,
            width: frame.width,
            channels: frame.channels,
            stride: frame.channels,
            low: 0,
            high: 0,
        };
        let mut plan = Plan {
            frame,
            buffers: vec![Buffer { holds: Holds::Input, grid, back: grid, stored: false }],
            layers: Vec::new(),
            steps: Vec::new(),
            pools: Vec::new(),
            params: first..first,
            packed: 0,
        };
        for stage in stages {
            match *stage {
                Stage::Conv { channels, kernel, stride } => {
                    let from = plan.last();
                    let to = plan.conv_buffer(channels, kernel, stride, 0, Holds::Rectified, true);
                    plan.convolve(from, to, kernel, stride, 0, Mode::Relu);
                }
                Stage::Section { channels } => plan.section(channels),
            }
        }
        for layer in 0..plan.layers.len() {
            plan.borders(layer);
        }
        for layer in 0..plan.layers.len() {
            plan.windows(layer);
        }
        plan
    }

    /// The buffer with the result so far; the whole torso's, if it is not [`Holds::Rectified`], is still to pass through ReLU.
    pub fn last(&self) -> usize {
        self.layers.last().map_or(0, |l| l.to)
    }

    /// Multiply-adds per image.
    pub fn multiply_adds(&self) -> usize {
        let count =
            |l: &Conv| l.forward.size[0] * l.forward.size[1] * l.kernel * l.kernel * l.channels[0] * l.channels[1];
        self.layers.iter().map(count).sum()
    }

    fn push(&mut self, holds: Holds, height: usize, width: usize, channels: usize, stored: bool) -> usize {
        let grid = Grid { height, width, channels, stride: channels.next_multiple_of(BLOCK), low: 0, high: 0 };
        self.buffers.push(Buffer { holds, grid, back: grid, stored });
        self.buffers.len() - 1
    }

    /// A buffer for the convolution of the one before it.
    fn conv_buffer(
        &mut self,
        channels: usize,
        kernel: usize,
        stride: usize,
        pad: usize,
        holds: Holds,
        stored: bool,
    ) -> usize {
        let from = self.buffers[self.last()].grid;
        assert!(
            channels > 0 && stride > 0 && kernel >= stride,
            "channels and stride are positive, kernels cover their stride"
        );
        assert!(
            from.height + 2 * pad >= kernel && from.width + 2 * pad >= kernel,
            "an image is smaller than its kernel"
        );
        let out = |n: usize| (n + 2 * pad - kernel) / stride + 1;
        self.push(holds, out(from.height), out(from.width), channels, stored)
    }

    fn convolve(&mut self, from: usize, to: usize, kernel: usize, stride: usize, pad: usize, mode: Mode) {
        let [a, b] = [self.buffers[from].grid, self.buffers[to].grid];
        let (weights, start) = (kernel * kernel * a.channels * b.channels, self.params.end);
        let packed = self.packed..self.packed + kernel * kernel * a.stride * b.stride;
        let packed_bias = packed.end..packed.end + b.stride;
        self.params.end += weights + b.channels;
        self.packed = packed_bias.end;
        self.steps.push(Step::Convolve(self.layers.len()));
        self.layers.push(Conv {
            kernel,
            stride,
            pad,
            from,
            to,
            mode,
            channels: [a.channels, b.channels],
            padded: [a.stride, b.stride],
            weight: start..start + weights,
            bias: start + weights..start + weights + b.channels,
            packed,
            packed_bias,
            forward: Window::default(),
            back: Window::default(),
            phases: Vec::new(),
        });
    }

    fn section(&mut self, channels: usize) {
        let from = self.last();
        let wide = self.conv_buffer(channels, 3, 1, 1, Holds::Plain, false);
        self.convolve(from, wide, 3, 1, 1, Mode::Plain);
        let grid = self.buffers[wide].grid;
        let (height, width) = (grid.height.div_ceil(2), grid.width.div_ceil(2));
        let x = self.push(Holds::Plain, height, width, channels, true);
        self.steps.push(Step::Pool { from: wide, to: x, picks: self.pools.len() });
        self.pools.push(height * width * grid.stride);
        for _ in 0..2 {
            let copy = self.push(Holds::RectifiedCopy { of: x }, height, width, channels, true);
            self.steps.push(Step::Rectify { from: x, to: copy });
            let inner = self.push(Holds::Rectified, height, width, channels, true);
            self.convolve(copy, inner, 3, 1, 1, Mode::Relu);
            self.convolve(inner, x, 3, 1, 1, Mode::Add);
        }
    }

    /// Widens the borders of a layer's buffers to what it reads.
    fn borders(&mut self, layer: usize) {
        let Conv { kernel, stride, pad, from, to, .. } = self.layers[layer];
        let values = &mut self.buffers[from].grid;
        values.low = values.low.max(pad);
        values.high = values.high.max(pad);
        let sizes = [values.height, values.width];
        if self.buffers[from].holds == Holds::Input {
            return;
        }
        let back = &mut self.buffers[to].back;
        for (size, out) in sizes.into_iter().zip([back.height, back.width]) {
            for a in 0..stride {
                let Some(turns) = turns(size, kernel, stride, pad, a) else { continue };
                back.low = back.low.max((turns.taps - 1).saturating_sub(turns.first));
                back.high = back.high.max((turns.first + turns.count).saturating_sub(out));
            }
        }
    }

    fn windows(&mut self, layer: usize) {
        let Conv { kernel, stride, pad, from, to, padded, .. } = self.layers[layer];
        let [a, b] = [self.buffers[from], self.buffers[to]];
        let walk = a.grid.walk();
        let corner = walk.start - pad * (walk.row + walk.pixel);
        let forward = Window {
            size: [b.grid.height, b.grid.width],
            x: Walk { start: corner, pixel: stride * walk.pixel, row: stride * walk.row },
            taps: kernel,
            tap_row: walk.row,
            run: kernel * padded[0],
            out: b.grid.walk(),
            mask: b.grid.walk(),
            channels: padded[1],
        };
        let here = &mut self.layers[layer];
        here.forward = forward;
        here.back = Window { out: b.back.walk(), ..forward };
        if a.holds == Holds::Input {
            return;
        }
        let target = match a.holds {
            Holds::RectifiedCopy { of } => self.buffers[of].back,
            _ => a.back,
        };
        let mut place = 0;
        for y in 0..stride {
            for x in 0..stride {
                let turns = [turns(a.grid.height, kernel, stride, pad, y), turns(a.grid.width, kernel, stride, pad, x)];
                let [Some(v), Some(h)] = turns else { continue };
                let window = phase(&b.back, &target, &a.grid, [v, h], stride, pad, [y, x]);
                self.layers[layer].phases.push(Phase { first: [y, x], taps: [v.taps, h.taps], place, window });
                place += v.taps * h.taps * padded[0] * padded[1];
            }
        }
    }

    /// Where the cotangent of a layer's input goes: buffer, whether it is added, and which values mask it.
    pub fn target(&self, layer: &Conv) -> Option<(usize, bool, Option<usize>)> {
        match self.buffers[layer.from].holds {
            Holds::Input => None,
            Holds::Rectified => Some((layer.from, false, Some(layer.from))),
            Holds::RectifiedCopy { of } => Some((of, true, Some(layer.from))),
            Holds::Plain => Some((layer.from, false, None)),
        }
    }
}

/// Pixels `stride * t + a - pad` of an image of `size`: the first t, how many, and how many kernel rows `a + stride m` they meet.
#[derive(Clone, Copy)]
struct Turns {
    first: usize,
    count: usize,
    taps: usize,
}

fn turns(size: usize, kernel: usize, stride: usize, pad: usize, a: usize) -> Option<Turns> {
    let first = pad.saturating_sub(a).div_ceil(stride);
    let end = (size + pad).saturating_sub(a).div_ceil(stride);
    (end > first).then(|| Turns { first, count: end - first, taps: (kernel - a).div_ceil(stride) })
}

/// Correlation of cotangents `d` that gives those of a phase's pixels in `to`, masked by values in `mask`.
fn phase(
    d: &Grid,
    to: &Grid,
    mask: &Grid,
    [v, h]: [Turns; 2],
    stride: usize,
    pad: usize,
    [y, x]: [usize; 2],
) -> Window {
    let pixels = |g: &Grid| Walk {
        start: g.at(v.first * stride + y - pad, h.first * stride + x - pad),
        pixel: stride * g.stride,
        row: stride * g.row(),
    };
    let start = (d.low + v.first + 1 - v.taps) * d.row() + (d.low + h.first + 1 - h.taps) * d.stride;
    Window {
        size: [v.count, h.count],
        x: Walk { start, pixel: d.stride, row: d.row() },
        taps: v.taps,
        tap_row: d.row(),
        run: h.taps * d.stride,
        out: pixels(to),
        mask: pixels(mask),
        channels: to.stride,
    }
}
