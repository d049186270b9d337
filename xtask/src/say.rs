//! What xtask tells its user: short lines on stderr, so that stdout belongs to the program
//! started (`cargo xtask list --json | …`).

use std::time::{Duration, Instant};

/// One line about what is going on.
pub fn say(line: impl AsRef<str>) {
    eprintln!("xtask: {}", line.as_ref());
}

/// Runs `work` and says how long it took when it succeeds.
pub fn timed<T, E>(what: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let start = Instant::now();
    let result = work()?;
    say(format!("{what}: {}", seconds(start.elapsed())));
    Ok(result)
}

/// `0.4 s`, `312 s`: a tenth while it matters.
pub fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 100.0 { format!("{seconds:.1} s") } else { format!("{seconds:.0} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_while_it_matters() {
        assert_eq!(seconds(Duration::from_millis(420)), "0.4 s");
        assert_eq!(seconds(Duration::from_millis(312_400)), "312 s");
    }
}
