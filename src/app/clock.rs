//! Wall and processor time of a session: the only numbers in a row that configuration and seed do not determine.

use std::time::Instant;

/// Processor time this process has used, all threads, in seconds.
#[cfg(unix)]
fn cpu() -> Option<f64> {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9)
}

#[cfg(not(unix))]
fn cpu() -> Option<f64> {
    None
}

/// Processor time the calling thread has used, in seconds.
#[cfg(unix)]
pub fn thread_cpu() -> Option<f64> {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Some(t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9)
}

/// Processor time the calling thread has used: not known on this system.
#[cfg(not(unix))]
pub fn thread_cpu() -> Option<f64> {
    None
}

/// Clock of a run that may have had sessions before this one.
pub struct Clock {
    begun: Instant,
    elapsed_before: f64,
    cpu: fn() -> Option<f64>,
}

/// Start of one iteration.
pub struct Lap {
    wall: Instant,
    cpu: Option<f64>,
}

impl Clock {
    /// Starts this session, `elapsed_before` seconds into the run.
    pub fn start(elapsed_before: f64) -> Clock {
        Clock { begun: Instant::now(), elapsed_before, cpu }
    }

    /// The same for a run that shares the process with others and uses the calling thread alone.
    pub fn of_thread(elapsed_before: f64) -> Clock {
        Clock { cpu: thread_cpu, ..Clock::start(elapsed_before) }
    }

    /// Seconds of the run so far, pauses between sessions left out.
    pub fn since_start(&self) -> f64 {
        self.elapsed_before + self.begun.elapsed().as_secs_f64()
    }

    /// Starts an iteration.
    pub fn lap(&self) -> Lap {
        Lap { wall: Instant::now(), cpu: (self.cpu)() }
    }

    /// Columns of the iteration that began with `lap`; the last is the time since the start of the run.
    pub fn columns(&self, lap: &Lap) -> Vec<(&'static str, f64)> {
        let mut columns = vec![("seconds", lap.wall.elapsed().as_secs_f64())];
        if let (Some(before), Some(now)) = (lap.cpu, (self.cpu)()) {
            columns.push(("cpu_seconds", now - before));
        }
        columns.push(("seconds_since_start", self.since_start()));
        columns
    }
}
