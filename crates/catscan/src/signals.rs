//! SIGINT, SIGTERM and SIGHUP: the first asks for a checkpoint, a second SIGINT or SIGTERM ends the
//! process at once. A second SIGHUP does not: a shell whose terminal is closed sends one, and the
//! system another when the shell is gone. A SIGHUP that is ignored (`nohup`) stays ignored.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use catscan_train::Signal;
#[cfg(unix)]
use signal_hook::consts::{SIGHUP, SIGXFSZ};
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
        let [interrupted, terminated, hung_up] = [(); 3].map(|()| Arc::new(AtomicBool::new(false)));
        for (number, signal, own, other) in [
            (SIGINT, Signal::Interrupt, &interrupted, &terminated),
            (SIGTERM, Signal::Terminate, &terminated, &interrupted),
        ] {
            let code = i32::from(signal.exit_code());
            // Asked before it is set, so that it misses the first signal. The others are asked
            // after: two signals at once come to two threads, of which one then sees the other.
            flag::register_conditional_shutdown(number, code, own.clone())?;
            flag::register(number, own.clone())?;
            flag::register_conditional_shutdown(number, code, other.clone())?;
            flag::register_conditional_shutdown(number, code, hung_up.clone())?;
            flag::register_usize(number, stop.0.clone(), usize::from(signal.exit_code()))?;
        }
        #[cfg(unix)]
        if is_heard(SIGHUP) {
            flag::register(SIGHUP, hung_up)?;
            flag::register_usize(SIGHUP, stop.0.clone(), usize::from(Signal::Hangup.exit_code()))?;
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
        Signal::ALL.into_iter().find(|signal| usize::from(signal.exit_code()) == code)
    }
}

/// Lets a write beyond the limit of file sizes (`ulimit -f`) fail with a message, as one on a full
/// disk does; without this the system ends the process.
///
/// # Errors
/// Where the system refuses a handler.
pub fn survive_file_limits() -> io::Result<()> {
    #[cfg(unix)]
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    Ok(())
}

/// Whether a signal was not ignored when this process was started. Where the system does not tell,
/// no: then it is left as it is.
#[cfg(unix)]
fn is_heard(number: i32) -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| is_heard_by(&status, number))
}

/// The same of what `/proc/self/status` says: bit `number − 1` of a hexadecimal mask.
#[cfg(unix)]
fn is_heard_by(status: &str, number: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (number - 1) & 1 == 0)
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

    #[test]
    #[cfg(unix)]
    fn what_is_ignored_is_read_from_the_systems_mask() {
        let status = "SigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\n";
        assert!(!is_heard_by(status, 1) && !is_heard_by(status, 13));
        assert!(is_heard_by(status, 2) && is_heard_by(status, 15));
        assert!(!is_heard_by("Name:\tcatscan\n", 1), "it does not tell");
    }
}
