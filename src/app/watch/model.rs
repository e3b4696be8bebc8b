//! What the view shows: the state of a run as pure data, folded from rows, measurements and status.

use super::online::{self, Lived, Stationarity};
use crate::budget::Budget;
use crate::config::outline::Outline;
use crate::math::gap::Gap;
use crate::math::summary::Estimate;
use crate::record::gap::GapRow;
use crate::record::online_rows::Seen;
use crate::record::rows::Logged;
use crate::record::run::{Info, Status};

/// Rows over which the speed is taken.
const RECENT: usize = 50;

/// One iteration, as far as it is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Outer iteration, from 1.
    pub iteration: u64,
    /// Undiscounted return before adaptation; `online`: of the update.
    pub before: Estimate,
    /// Undiscounted return after adaptation; `online`: of the last 100 episodes.
    pub after: Estimate,
    /// Wall time of the run so far.
    pub seconds: f64,
    /// Spent so far.
    pub budget: Budget,
    /// What else is shown.
    pub detail: Detail,
}

/// What a row says beside its returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Detail {
    /// A row of `train`.
    Trained {
        /// Norm of the meta-gradient.
        gradient_norm: f64,
        /// Its noise; none with a single task.
        gradient_noise: Option<f64>,
        /// Root mean square of the coefficients of the inner scores.
        sampling_coefficient: f64,
    },
    /// A row of `online`.
    Lived(Lived),
}

impl Point {
    fn of(logged: &Logged) -> Point {
        let row = &logged.row;
        let end = |x: Option<&Estimate>| *x.unwrap_or(&row.value);
        Point {
            iteration: row.iteration,
            before: end(row.returns.first()),
            after: end(row.returns.last()),
            seconds: logged.seconds("seconds_since_start"),
            budget: row.budget,
            detail: Detail::Trained {
                gradient_norm: row.gradient_norm,
                gradient_noise: row.gradient_noise,
                sampling_coefficient: row.sampling_coefficient,
            },
        }
    }
}

/// One measurement of the gap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Outer iterations done when it was taken.
    pub iteration: u64,
    /// The gap.
    pub gap: Gap,
}

/// How a run stands, as far as a reader can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A process is setting it up or has not finished its first iteration.
    Waiting,
    /// A process is at work.
    Running,
    /// Its process is gone and left no word: killed, or the machine stopped.
    Gone,
    /// Stopped on request.
    Interrupted,
    /// All iterations are done.
    Finished,
    /// A number was not finite; why.
    Diverged(String),
}

/// Speed over the last rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Outer iterations per second.
    pub iterations: f64,
    /// Environment steps per second.
    pub steps: f64,
}

/// A run as it is known so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// The run directory, as the user wrote it.
    pub dir: String,
    /// What it is about; `None` until its configuration stands.
    pub outline: Option<Outline>,
    /// Its status file.
    pub info: Option<Info>,
    /// No process holds it.
    pub abandoned: bool,
    /// Rows so far.
    pub points: Vec<Point>,
    /// Gaps measured so far.
    pub gaps: Vec<Measured>,
    /// Rows voided by a restart, until somebody takes them.
    pub void_points: Vec<Point>,
    /// Measurements voided by a restart, until somebody takes them.
    pub void_gaps: Vec<Measured>,
    /// There is a file of gaps.
    pub measures_gaps: bool,
    /// The last measurement of an online run.
    pub stationarity: Option<Stationarity>,
    /// Part of the rows on disk that has been read, if not all.
    pub reading: Option<f64>,
    /// What went wrong in the last look.
    pub trouble: Option<String>,
}

impl Model {
    fn drop_points(&mut self) {
        let void = std::mem::take(&mut self.points);
        self.void_points = if self.void_points.is_empty() { void } else { std::mem::take(&mut self.void_points) };
    }

    fn drop_gaps(&mut self) {
        let void = std::mem::take(&mut self.gaps);
        self.void_gaps = if self.void_gaps.is_empty() { void } else { std::mem::take(&mut self.void_gaps) };
    }

    /// Adds rows; `restarted` voids the old ones.
    pub fn add_rows(&mut self, rows: &[Logged], restarted: bool) {
        if restarted {
            self.drop_points();
        }
        self.points.extend(rows.iter().map(Point::of));
    }

    /// Adds rows of `online` and what they measure; `restarted` voids the old ones.
    pub fn add_updates(&mut self, rows: &[Seen], restarted: bool) {
        if restarted {
            self.drop_points();
            self.drop_gaps();
            self.stationarity = None;
        }
        self.points.extend(rows.iter().map(online::point));
        for (found, mark) in rows.iter().filter_map(online::measured) {
            self.stationarity = Some(found);
            self.gaps.extend(mark);
        }
    }

    /// Adds measurements; `restarted` voids the old ones.
    pub fn add_gaps(&mut self, rows: &[GapRow], restarted: bool) {
        if restarted {
            self.drop_gaps();
        }
        self.gaps.extend(rows.iter().map(|r| Measured { iteration: r.iteration, gap: r.gap }));
    }

    /// Whether it is a run of `online`.
    pub fn is_online(&self) -> bool {
        self.outline.as_ref().is_some_and(|o| o.is_online)
    }

    /// What a row is.
    pub fn unit(&self) -> &'static str {
        if self.is_online() { "update" } else { "iteration" }
    }

    /// The last row.
    pub fn last(&self) -> Option<&Point> {
        self.points.last()
    }

    /// How the run stands.
    pub fn standing(&self) -> Standing {
        let Some(info) = &self.info else { return if self.abandoned { Standing::Gone } else { Standing::Waiting } };
        match info.status {
            Status::Starting | Status::Running if self.abandoned => Standing::Gone,
            Status::Starting => Standing::Waiting,
            Status::Running if self.points.is_empty() => Standing::Waiting,
            Status::Running => Standing::Running,
            Status::Interrupted => Standing::Interrupted,
            Status::Finished => Standing::Finished,
            Status::Diverged => Standing::Diverged(info.reason.clone().unwrap_or_default()),
        }
    }

    /// Whether nothing more will come unless somebody resumes the run.
    pub fn ended(&self) -> bool {
        !matches!(self.standing(), Standing::Waiting | Standing::Running)
    }

    /// Iterations done, and in total if known.
    pub fn progress(&self) -> (u64, Option<u64>) {
        (self.last().map_or(0, |p| p.iteration), self.outline.as_ref().map(|o| o.iterations))
    }

    /// Wall time of the run so far, seconds.
    pub fn elapsed(&self) -> f64 {
        self.last().map_or(0.0, |p| p.seconds)
    }

    /// Speed over the last rows; `None` with fewer than two or without timings.
    pub fn speed(&self) -> Option<Speed> {
        let recent = &self.points[self.points.len().saturating_sub(RECENT)..];
        let (first, last) = (recent.first()?, recent.last()?);
        let seconds = last.seconds - first.seconds;
        let per_second = |count: u64| count as f64 / seconds;
        let steps = last.budget.environment_steps.saturating_sub(first.budget.environment_steps);
        let speed = Speed { iterations: per_second(last.iteration - first.iteration), steps: per_second(steps) };
        (seconds > 0.0).then_some(speed)
    }

    /// Seconds left at the present speed, while the run is running.
    pub fn left(&self) -> Option<f64> {
        let (done, total) = self.progress();
        let rate = self.speed()?.iterations;
        (self.standing() == Standing::Running && rate > 0.0).then_some(total?.saturating_sub(done) as f64 / rate)
    }

    /// Measurements whose interval contains zero.
    pub fn unresolved(&self) -> usize {
        self.gaps.iter().filter(|m| m.gap.gap.is_none()).count()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::math::gap::Method;

    /// A model of `n` rows of 100 steps and half a second each, of 200 in all, with a measurement every ten.
    pub(crate) fn model(n: u64, gaps: bool) -> Model {
        let point = |i: u64| {
            let x = i as f64 / 10.0;
            let around = |mean: f64| Estimate { mean, low: Some(mean - 1.0), high: Some(mean + 1.0) };
            let budget = Budget { environment_steps: 100 * i, episodes: 10 * i, gradients: 2 * i, hvps: i };
            Point {
                iteration: i,
                before: around(x.sin()),
                after: around(5.0 + x.sin()),
                seconds: i as f64 / 2.0,
                budget,
                detail: Detail::Trained {
                    gradient_norm: 0.375,
                    gradient_noise: Some(0.125),
                    sampling_coefficient: 0.0625,
                },
            }
        };
        let gap = |i: u64| {
            let squared = 4.0 / (1 + i) as f64 - 0.1;
            let interval = [squared - 0.05, squared + 0.05];
            let gap = (interval[0] > 0.0).then(|| squared.sqrt());
            let method = Method::UStatistic;
            Gap { method, gap_squared: squared, gap_squared_interval: interval, gap, groups: 8, noise: 0.1 }
        };
        Model {
            dir: "runs/x".into(),
            outline: Some(Outline {
                name: "corner".into(),
                family: "navigation/sgmrl".into(),
                estimator: "sgmrl-lgo".into(),
                seed: 7,
                iterations: 200,
                is_online: false,
            }),
            info: Some(info(Status::Running)),
            points: (1..=n).map(point).collect(),
            gaps: (0..=n).step_by(10).filter(|_| gaps).map(|i| Measured { iteration: i, gap: gap(i) }).collect(),
            measures_gaps: gaps,
            ..Model::default()
        }
    }

    pub(crate) fn info(status: Status) -> Info {
        Info {
            program: "stillpoint".into(),
            version: "0".into(),
            status,
            iteration: 0,
            config_sha256: None,
            reason: None,
        }
    }

    #[test]
    fn speed_and_time_left_come_from_the_last_rows() {
        let mut model = model(100, false);
        assert_eq!(model.speed(), Some(Speed { iterations: 2.0, steps: 200.0 }));
        assert_eq!((model.progress(), model.elapsed(), model.left()), ((100, Some(200)), 50.0, Some(50.0)));
        // twice as fast over the last rows: what came before does not count
        let start = model.points.len() - RECENT;
        for (k, p) in model.points[start..].iter_mut().enumerate() {
            p.seconds = 30.0 + k as f64 / 4.0;
        }
        assert_eq!(model.left(), Some(25.0));
        model.points.truncate(1);
        assert_eq!((model.speed(), model.left()), (None, None));
        model.points.clear();
        assert_eq!((model.speed(), model.progress()), (None, (0, Some(200))));
    }

    #[test]
    fn standing_follows_status_rows_and_process() {
        let mut m = model(3, false);
        assert_eq!((m.standing(), m.ended()), (Standing::Running, false));
        m.abandoned = true;
        assert_eq!((m.standing(), m.ended()), (Standing::Gone, true));
        m.info = Some(info(Status::Finished));
        assert_eq!((m.standing(), m.ended(), m.left()), (Standing::Finished, true, None));
        m.info = Some(Info { reason: Some("beta".into()), ..info(Status::Diverged) });
        assert_eq!(m.standing(), Standing::Diverged("beta".into()));
        let fresh = Model { info: Some(info(Status::Running)), ..Model::default() };
        assert_eq!((fresh.standing(), fresh.ended()), (Standing::Waiting, false));
    }

    #[test]
    fn a_restart_voids_what_was_there() {
        let dir = tempfile::tempdir().expect("scratch");
        let mut writer = crate::record::rows::Writer::create(dir.path()).expect("writable");
        for i in 1..=3 {
            writer.append(&crate::record::rows::tests::row(i), &[("seconds_since_start", i as f64)]).expect("writable");
        }
        let rows = crate::record::read_rows(dir.path()).expect("whole");
        let mut model = Model::default();
        model.add_rows(&rows, false);
        assert_eq!(model.points.len(), 3);
        assert_eq!((model.points[2].after.mean, model.points[2].seconds), (rows[2].row.returns[1].mean, 3.0));
        model.add_rows(&rows[..2], true);
        assert_eq!((model.progress(), model.void_points.len()), ((2, None), 3));
    }
}
