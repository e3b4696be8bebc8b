//! A run of any length as a few hundred points: rows are averaged in bins of equal numbers of updates while they are read.

use crate::estimator::online::Tunable;
use crate::learn::online::Values;
use crate::learn::online::actor_critic::{GapRow, Reading};
use crate::record::online_rows::Seen;

/// Most bins; a run with at least half as many rows has at least half as many bins.
pub const BINS: usize = crate::report::draw::DRAWN;

/// A number of every row that is averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Update.
    Update,
    /// Frames so far.
    Frames,
    /// Return, weighted by the episodes that ended.
    Return,
    /// Return of the last 100 episodes.
    Return100,
    /// Entropy.
    Entropy,
    /// Squared error of the values.
    ValueError,
    /// Outer loss.
    OuterLoss,
    /// Norm of the inner gradient.
    GradientNorm,
    /// Whether it was clipped: 1 or 0.
    Clipped,
    /// Mean of pi / mu.
    Ratio,
    /// Share above V-trace's limit.
    ClipFraction,
    /// Policy lag.
    Lag,
    /// Norm of the meta-gradient.
    MetaNorm,
    /// Norm of the change of the logits.
    LogitChange,
    /// Norm of the change of the values.
    UpdateNorm,
    /// Wall time of the update.
    Seconds,
    /// Processor time of the update.
    CpuSeconds,
    /// Frames of the update.
    NewFrames,
    /// First of the meta-parameters, in the order of [`Tunable::ALL`]; of one per state, the mean over the states that are entered.
    Eta,
}

const FIXED: usize = Column::Eta as usize;
const COLUMNS: usize = FIXED + Tunable::ALL.len();

/// What is measured of the gap, in the order of the tables.
pub const KINDS: usize = 5;

/// The measured quantities of a row of the gap, in order: in, preconditioned, out, meta (logits), meta (values).
pub fn readings(row: &GapRow) -> [Option<&Reading>; KINDS] {
    [Some(&row.inner), Some(&row.preconditioned), Some(&row.out), row.meta.as_ref(), row.meta_eta.as_ref()]
}

/// A weighted mean in the making.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    total: f64,
    weight: f64,
}

impl Sum {
    fn push(&mut self, x: f64, weight: f64) {
        if x.is_finite() && weight > 0.0 {
            (self.total, self.weight) = (self.total + x * weight, self.weight + weight);
        }
    }

    fn add(&mut self, other: Sum) {
        (self.total, self.weight) = (self.total + other.total, self.weight + other.weight);
    }

    /// The mean; `None` of nothing.
    pub fn mean(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.total / self.weight)
    }

    /// Sum of the values, weighted.
    pub fn total(&self) -> f64 {
        self.total
    }
}

fn add(sums: &mut Vec<Sum>, others: &[Sum]) {
    sums.resize(sums.len().max(others.len()), Sum::default());
    sums.iter_mut().zip(others).for_each(|(a, b)| a.add(*b));
}

/// A measurement of the gap.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Update.
    pub update: u64,
    /// Frames so far.
    pub frames: u64,
    /// What was measured.
    pub row: GapRow,
}

/// Consecutive rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bin {
    /// Rows in it.
    pub rows: u64,
    sums: Vec<Sum>,
    /// Logits.
    pub logits: Vec<Sum>,
    /// Values of the meta-parameter that has one per state.
    pub states: Vec<Sum>,
    /// tr(Sigma) / B of each measured quantity.
    pub noise: Vec<Sum>,
    /// Its last measurement of the gap.
    pub gap: Option<Measured>,
}

impl Bin {
    /// Mean of a column; `None` where no row has it.
    pub fn mean(&self, column: Column) -> Option<f64> {
        self.sum(column).mean()
    }

    /// Sum of a column.
    pub fn sum(&self, column: Column) -> Sum {
        self.sums.get(column as usize).copied().unwrap_or_default()
    }

    /// Mean of a meta-parameter.
    pub fn eta(&self, tunable: Tunable) -> Option<f64> {
        self.sums.get(FIXED + tunable as usize)?.mean()
    }

    fn take(&mut self, row: &Seen, before: [u64; 2]) {
        self.rows += 1;
        self.sums.resize(COLUMNS, Sum::default());
        let [frames, episodes] = before;
        for (column, x, weight) in columns(row, frames, episodes) {
            self.sums[column as usize].push(x, weight);
        }
        for tunable in Tunable::ALL {
            if let Some(x) = value(row, tunable) {
                self.sums[FIXED + tunable as usize].push(x, 1.0);
            }
        }
        let one = |values: &[f64]| values.iter().map(|x| Sum { total: *x, weight: 1.0 }).collect::<Vec<Sum>>();
        add(&mut self.logits, &one(&row.logits));
        add(&mut self.states, &one(per_state(row).unwrap_or(&[])));
        if let Some(gap) = &row.gap {
            self.noise.resize(KINDS, Sum::default());
            for (sum, reading) in self.noise.iter_mut().zip(readings(gap)) {
                reading.iter().for_each(|r| sum.push(r.noise, 1.0));
            }
            self.gap = Some(Measured { update: row.update, frames: row.frames, row: gap.clone() });
        }
    }

    fn join(mut self, later: Bin) -> Bin {
        self.rows += later.rows;
        add(&mut self.sums, &later.sums);
        add(&mut self.logits, &later.logits);
        add(&mut self.states, &later.states);
        add(&mut self.noise, &later.noise);
        self.gap = later.gap.or(self.gap);
        self
    }
}

/// Values of the meta-parameter that has one per state.
pub fn per_state(row: &Seen) -> Option<&[f64]> {
    [&row.gamma, &row.lambda].into_iter().find_map(|values| match values {
        Some(Values::PerState(all)) => Some(all.as_slice()),
        _ => None,
    })
}

/// Value of a meta-parameter; of one per state, the mean over the states that are entered.
pub fn value(row: &Seen, tunable: Tunable) -> Option<f64> {
    let one = |values: &Option<Values>| match values.as_ref()? {
        Values::Global(x) => Some(*x),
        Values::PerState(all) => all.get(1..).map(crate::math::returns::mean),
    };
    match tunable {
        Tunable::Gamma => one(&row.gamma),
        Tunable::Lambda => one(&row.lambda),
        Tunable::PolicyCost => row.policy_cost,
        Tunable::ValueCost => row.value_cost,
        Tunable::EntropyCost => row.entropy_cost,
        Tunable::Leak => row.leak,
    }
}

/// Columns of a row with their weights; `frames` and `episodes` are those before it.
fn columns(row: &Seen, frames: u64, episodes: u64) -> impl Iterator<Item = (Column, f64, f64)> {
    let ended = row.episodes.map_or(1, |n| n.saturating_sub(episodes).max(1)) as f64;
    let plain = [
        (Column::Update, Some(row.update as f64)),
        (Column::Frames, Some(row.frames as f64)),
        (Column::Return100, row.return_100),
        (Column::Entropy, row.entropy),
        (Column::ValueError, row.value_error),
        (Column::OuterLoss, row.outer_loss),
        (Column::GradientNorm, row.gradient_norm),
        (Column::Clipped, row.clipped.map(|c| f64::from(u8::from(c)))),
        (Column::Ratio, row.ratio_mean),
        (Column::ClipFraction, row.clip_fraction),
        (Column::Lag, row.policy_lag),
        (Column::MetaNorm, row.meta_gradient_norm),
        (Column::LogitChange, row.logit_change),
        (Column::UpdateNorm, row.update_norm),
        (Column::Seconds, row.seconds),
        (Column::CpuSeconds, row.cpu_seconds),
        (Column::NewFrames, Some(row.frames.saturating_sub(frames) as f64)),
    ];
    let weighted = plain.into_iter().filter_map(|(column, x)| Some((column, x?, 1.0)));
    weighted.chain(row.achieved.map(|x| (Column::Return, x, ended)))
}

/// A whole run in bins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Rows read.
    pub rows: u64,
    /// Rows of a full bin.
    pub width: u64,
    /// Bins in order; the last may not be full.
    pub bins: Vec<Bin>,
    /// The last row.
    pub last: Option<Seen>,
    /// Measurements of the gap.
    pub measured: u64,
    /// The update after which the safety rail put what is learned to its reference.
    pub fell_after: Option<u64>,
}

impl Trace {
    /// Takes in the next row.
    pub fn push(&mut self, row: Seen) {
        self.width = self.width.max(1);
        if self.bins.last().is_none_or(|bin| bin.rows >= self.width) {
            if self.bins.len() == BINS {
                self.halve();
            }
            self.bins.push(Bin::default());
        }
        let before = self.last.as_ref().map_or([0; 2], |last| [last.frames, last.episodes.unwrap_or(0)]);
        if let Some(bin) = self.bins.last_mut() {
            bin.take(&row, before);
        }
        self.rows += 1;
        self.measured += u64::from(row.gap.is_some());
        self.fell_after = self.fell_after.or(row.fallen_back.then_some(row.update));
        self.last = Some(row);
    }

    fn halve(&mut self) {
        let mut bins = std::mem::take(&mut self.bins).into_iter();
        while let Some(bin) = bins.next() {
            self.bins.push(match bins.next() {
                Some(later) => bin.join(later),
                None => bin,
            });
        }
        self.width *= 2;
    }

    /// Whether frames are counted: exact gradients have none.
    pub fn has_frames(&self) -> bool {
        self.last.as_ref().is_some_and(|row| row.frames > 0)
    }

    /// Place of a bin along the horizontal axis: frames, or updates where there are no frames.
    pub fn x(&self, bin: &Bin) -> f64 {
        bin.mean(if self.has_frames() { Column::Frames } else { Column::Update }).unwrap_or(0.0)
    }

    /// Place of a measurement along the horizontal axis.
    pub fn place(&self, measured: &Measured) -> f64 {
        (if self.has_frames() { measured.frames } else { measured.update }) as f64
    }

    /// A number of every bin that has it against its place.
    pub fn curve(&self, y: impl Fn(&Bin) -> Option<f64>) -> Vec<(f64, f64)> {
        self.bins.iter().filter_map(|bin| Some((self.x(bin), y(bin)?))).collect()
    }

    /// The bins of the last tenth of the run, the last one at least.
    pub fn tail(&self) -> Bin {
        let Some(last) = self.bins.last() else { return Bin::default() };
        let from = 0.9 * self.x(last);
        let kept = self.bins.iter().filter(|bin| self.x(bin) >= from);
        kept.cloned().reduce(Bin::join).unwrap_or_default()
    }

    /// The last measurement of the gap.
    pub fn gap(&self) -> Option<&Measured> {
        self.bins.iter().rev().find_map(|bin| bin.gap.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(update: u64) -> Seen {
        let achieved = (!update.is_multiple_of(3)).then_some(update as f64);
        Seen { update, frames: 4 * update, achieved, logits: vec![update as f64], ..Seen::default() }
    }

    #[test]
    fn a_long_run_is_averaged_in_few_bins_and_nothing_is_lost() {
        for rows in [1u64, 7, 400, 401, 5000] {
            let mut trace = Trace::default();
            (1..=rows).for_each(|i| trace.push(row(i)));
            assert!(trace.bins.len() <= BINS && (rows < 400 || trace.bins.len() >= BINS / 2), "{}", trace.bins.len());
            assert_eq!(trace.bins.iter().map(|b| b.rows).sum::<u64>(), rows);
            let total: f64 = trace.bins.iter().map(|b| b.sum(Column::Return).total()).sum();
            assert_eq!(total, (1..=rows).filter(|i| i % 3 != 0).sum::<u64>() as f64);
            let new: f64 = trace.bins.iter().map(|b| b.sum(Column::NewFrames).total()).sum();
            assert_eq!(new, 4.0 * rows as f64);
            let first = &trace.bins[0];
            assert_eq!(first.logits[0].mean(), first.mean(Column::Update), "rows of a bin are consecutive");
        }
    }

    #[test]
    fn the_first_row_behind_a_fall_back_says_when_it_was() {
        let mut trace = Trace::default();
        (1..=1000).for_each(|i| trace.push(Seen { fallen_back: i >= 417, ..row(i) }));
        assert_eq!(trace.fell_after, Some(417), "also where it is within a bin");
    }

    #[test]
    fn the_tail_is_the_last_tenth_and_returns_count_by_episodes() {
        let mut trace = Trace::default();
        (1..=100).for_each(|i| trace.push(Seen { episodes: Some(i * i), ..row(i) }));
        let tail = trace.tail();
        assert_eq!((tail.rows, trace.bins.len()), (11, 100), "updates 90 to 100");
        let ended = |i: u64| (2 * i - 1) as f64;
        let kept: Vec<u64> = (90..=100).filter(|i| i % 3 != 0).collect();
        let mean =
            kept.iter().map(|i| *i as f64 * ended(*i)).sum::<f64>() / kept.iter().map(|i| ended(*i)).sum::<f64>();
        assert!((tail.mean(Column::Return).expect("some") - mean).abs() < 1e-9);
        assert_eq!(Trace::default().tail().mean(Column::Return), None);
    }
}
