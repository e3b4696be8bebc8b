//! Ctrl-C and SIGTERM: the first asks the loop to stop after its iteration, the second ends the process at once.

use super::failure::Failure;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A signal that comes this soon after the first is part of the same request: `timeout` and schedulers signal both a process and its
/// group.
const ECHO: Duration = Duration::from_millis(500);

/// A request to stop, as the iteration loop sees it: of the user, or of another thread.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    user: Arc<AtomicBool>,
    thread: Arc<AtomicBool>,
}

impl Interrupt {
    /// Takes over SIGINT and SIGTERM for the rest of the process.
    ///
    /// # Errors
    /// The system refused.
    pub fn listen(quiet: bool) -> Result<Interrupt, Failure> {
        let interrupt = Interrupt::default();
        let flag = Arc::clone(&interrupt.user);
        let signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM]);
        let mut signals = signals.map_err(|e| Failure::Internal(format!("cannot listen for Ctrl-C: {e}")))?;
        let watch = move || {
            let mut first: Option<Instant> = None;
            for _ in signals.forever() {
                match first {
                    Some(at) if at.elapsed() > ECHO => std::process::exit(130),
                    Some(_) => continue,
                    None => first = Some(Instant::now()),
                }
                flag.store(true, Ordering::SeqCst);
                if !quiet {
                    let message = "\nstopping after this iteration or update; again to stop at once";
                    let _ = writeln!(std::io::stderr(), "{message}");
                }
            }
        };
        let thread = std::thread::Builder::new().name("interrupt".into()).spawn(watch);
        thread.map_err(|e| Failure::Internal(format!("cannot listen for Ctrl-C: {e}")))?;
        Ok(interrupt)
    }

    /// Asks to stop; a signal after it is still the first.
    pub fn request(&self) {
        self.thread.store(true, Ordering::SeqCst);
    }

    /// Whether somebody asked to stop.
    pub fn requested(&self) -> bool {
        self.user.load(Ordering::SeqCst) || self.thread.load(Ordering::SeqCst)
    }
}
