//! How much memory this machine has, and how much of it can be taken: by /proc/meminfo and, in a
//! container, by cgroup v2, whichever is less. Linux only.
//!
//! A crate of its own without dependencies, because both the data, which need no libtorch, and the
//! networks ask.

use std::fs;
use std::path::Path;

const MEMINFO: &str = "/proc/meminfo";
const CONTAINER: &str = "/sys/fs/cgroup";

/// In bytes; `None` where the system does not tell.
pub fn total_memory() -> Option<u64> {
    let limit = file_in_container("memory.max").and_then(|text| number_after(&text, ""));
    Some(least(kib_of("MemTotal:")?, limit))
}

/// Bytes that can be taken without pushing others out: the system's estimate, and what a container
/// is still allowed. `None` where the system does not tell.
pub fn free_memory() -> Option<u64> {
    Some(least(kib_of("MemAvailable:")?, left_in_container()))
}

fn least(machine: u64, container: Option<u64>) -> u64 {
    container.map_or(machine, |container| container.min(machine))
}

/// The limit less what is in use and could not be dropped; `None` without a limit.
fn left_in_container() -> Option<u64> {
    let number = |name, key| number_after(&file_in_container(name)?, key);
    let (limit, used) = (number("memory.max", "")?, number("memory.current", "")?);
    let droppable = number("memory.stat", "inactive_file").unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(droppable)))
}

fn file_in_container(name: &str) -> Option<String> {
    fs::read_to_string(Path::new(CONTAINER).join(name)).ok()
}

fn kib_of(key: &str) -> Option<u64> {
    Some(number_after(&fs::read_to_string(MEMINFO).ok()?, key)? * 1024)
}

/// The number behind `key` in the line that begins with it.
fn number_after(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_read() {
        let text = "MemTotal:  100 kB\nMemAvailable:   42 kB\n";
        assert_eq!(number_after(text, "MemAvailable:"), Some(42));
        assert_eq!(number_after("anon 7\ninactive_file 9\n", "inactive_file"), Some(9));
        assert_eq!(number_after("anon 7\n", "inactive_file"), None);
        assert_eq!(number_after("4096\n", ""), Some(4096));
        assert_eq!(number_after("max\n", ""), None, "no limit");
    }

    #[test]
    fn no_more_can_be_taken_than_there_is() {
        if cfg!(target_os = "linux") {
            let (free, total) = (free_memory().unwrap(), total_memory().unwrap());
            assert!(0 < free && free <= total, "{free} of {total}");
        }
    }
}
