//! SIGINT and SIGTERM: the first asks for a checkpoint, the second ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use catscan_train::Signal;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Which signal has come, if any. Clones see the same signal.
#[derive(Clone, Default)]
pub struct Stop(Arc<AtomicUsize>);

impl Stop {
    /// A stop that only [`Stop::ask`] can set.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// A stop that the process's signals set. From here on the first signal no longer ends the
    /// process; the second does, with the exit code shells expect.
    ///
    /// # Errors
    /// Where the system refuses a handler.
    pub fn on_signals() -> io::Result<Stop> {
        let stop = Stop::new();
        let asked_before = Arc::new(AtomicBool::new(false));
        for (number, signal) in [(SIGINT, Signal::Interrupt), (SIGTERM, Signal::Terminate)] {
            // Registered before the flag that arms it, so that it misses the first signal.
            let code = i32::from(signal.exit_code());
            flag::register_conditional_shutdown(number, code, asked_before.clone())?;
            flag::register(number, asked_before.clone())?;
            flag::register_usize(number, stop.0.clone(), usize::from(signal.exit_code()))?;
        }
        Ok(stop)
    }

    /// Asks for a stop as the signal would.
    pub fn ask(&self, signal: Signal) {
        self.0.store(usize::from(signal.exit_code()), Ordering::SeqCst);
    }

    /// The signal that came last.
    pub fn asked(&self) -> Option<Signal> {
        let code = self.0.load(Ordering::SeqCst);
        [Signal::Interrupt, Signal::Terminate]
            .into_iter()
            .find(|signal| usize::from(signal.exit_code()) == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_see_the_same_signal() {
        let stop = Stop::new();
        let clone = stop.clone();
        assert_eq!(clone.asked(), None);
        stop.ask(Signal::Terminate);
        assert_eq!(clone.asked(), Some(Signal::Terminate));
    }
}
