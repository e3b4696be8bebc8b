//! What this process has used so far, for the examples that measure.

use nix::sys::resource::{UsageWho, getrusage};

/// CPU seconds, all threads, user and system.
pub fn cpu_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("getrusage works on any Unix");
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 * 1e-6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// Largest resident set so far, MB (Linux reports kilobytes).
#[allow(dead_code)]
pub fn peak_rss_mb() -> f64 {
    getrusage(UsageWho::RUSAGE_SELF).expect("getrusage works on any Unix").max_rss() as f64 / 1024.0
}
