//! A batch of unrolls: what the actors saw and did between two updates.

use crate::batch::Actions;
use crate::math::real::Real;
use std::ops::Range;

/// T steps of B trajectories, time-major: step (t, b) has index `t B + b`.
///
/// Observation rows come in the same order: T B steps, B bootstrap observations, then final observations of truncated episodes
/// in any order.
#[derive(Clone, Debug, PartialEq)]
pub struct Unroll<F, O> {
    /// Trajectories B.
    pub batch: usize,
    /// Observations `[rows, width]`.
    pub obs: Vec<O>,
    /// Actions taken `[T][B]`.
    pub actions: Actions<F>,
    /// Rewards `[T][B]`.
    pub rewards: Vec<F>,
    /// 0 where the environment terminated with this step, else 1 `[T][B]`.
    pub not_done: Vec<F>,
    /// Row that each step bootstraps from; another row than `i + B` marks a truncation. `None`: no truncations.
    pub successors: Option<Vec<u32>>,
    /// `log mu(a)` of the policy that acted `[T][B]`; read by V-trace only.
    pub behaviour: Vec<F>,
}

impl<F: Real, O: Copy> Unroll<F, O> {
    /// Number of steps T B.
    pub fn steps(&self) -> usize {
        self.actions.len()
    }

    /// Number of time steps T.
    pub fn length(&self) -> usize {
        self.steps() / self.batch
    }

    /// Some of the trajectories: the meta batch, or one half of the actors.
    ///
    /// # Panics
    /// If the range exceeds the batch.
    pub fn columns(&self, columns: Range<usize>) -> Unroll<F, O> {
        assert!(columns.end <= self.batch && !columns.is_empty(), "columns {columns:?} of {}", self.batch);
        let (batch, length) = (columns.len(), self.length());
        let rows = self.successors.iter().flatten().map(|s| *s as usize + 1).max().unwrap_or(0);
        let rows = rows.max(self.steps() + self.batch);
        let width = self.obs.len() / rows;
        let kept = |t: usize| columns.clone().map(move |b| t * self.batch + b);
        let steps: Vec<usize> = (0..length).flat_map(kept).collect();
        let mut sources: Vec<usize> = (0..=length).flat_map(kept).collect();
        let successors = self.successors.as_ref().map(|successors| {
            let mut place = |(k, i): (usize, &usize)| {
                let row = successors[*i] as usize;
                if row == i + self.batch {
                    return (k + batch) as u32;
                }
                sources.push(row);
                (sources.len() - 1) as u32
            };
            steps.iter().enumerate().map(&mut place).collect()
        });
        let pick = |x: &[F]| if x.is_empty() { Vec::new() } else { steps.iter().map(|i| x[*i]).collect() };
        Unroll {
            batch,
            obs: sources.iter().flat_map(|r| &self.obs[r * width..(r + 1) * width]).copied().collect(),
            actions: match &self.actions {
                Actions::Discrete(a) => Actions::Discrete(steps.iter().map(|i| a[*i]).collect()),
                Actions::Continuous { values, width } => Actions::Continuous {
                    values: steps.iter().flat_map(|i| &values[i * width..(i + 1) * width]).copied().collect(),
                    width: *width,
                },
            },
            rewards: pick(&self.rewards),
            not_done: pick(&self.not_done),
            successors,
            behaviour: pick(&self.behaviour),
        }
    }
}
