//! The real program, killed again and again while it saves (case 1 of the list of faults).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use catscan_train::checkpoint::verify;

use super::support::{start_events, succeed};

/// Set to anything: fifty kills instead of four.
const LONG_TESTS: &str = "CATSCAN_LONG_TESTS";

/// A training that never ends by itself.
const TRAIN: [&str; 10] = [
    "train",
    "--experiment",
    "smoke",
    "--arm",
    "avg",
    "--epochs",
    "2000",
    "--threads",
    "1",
    "--out",
];

fn train<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&TRAIN, &[out][..], more].concat()
}

#[test]
fn killed_at_random_moments_it_always_goes_on_from_a_complete_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let kills = if std::env::var_os(LONG_TESTS).is_some() { 50 } else { 4 };
    let mut moment = Moments::new();
    let checkpoints = here.join("killed/checkpoints");
    let mut reached = 0;
    for round in 0..kills {
        let saving = train("killed", &["--events", "--save-every-steps", "1"]);
        let mut running = start_events(&saving, here);
        running.wait_for("\"event\":\"saved\"");
        // Each step takes about as long as saving it: this is anywhere in the next few of both.
        std::thread::sleep(moment.next());
        running.child.kill().unwrap();
        assert_eq!(running.finish().0, -1, "it was to be killed, not to end");

        let steps = steps(&checkpoints);
        for (_, path) in &steps {
            verify(path).unwrap_or_else(|error| panic!("kill {round}: {error}"));
        }
        let newest = steps.last().map_or(0, |(step, _)| *step);
        assert!(newest >= reached, "kill {round}: step {reached} was there, now {newest}");
        reached = newest;
    }
    println!("{kills} kills, {reached} steps");

    // Both go on to the same step: the killed one must be the one that was never killed.
    let end = (reached + 3).to_string();
    succeed(&train("killed", &["--max-steps", &end]), here);
    succeed(&train("straight", &["--max-steps", &end]), here);
    for name in ["weights.safetensors", "optimizer.safetensors"] {
        let bytes = |run: &str| {
            let newest = here.join(run).join(format!("checkpoints/step-{end}"));
            fs::read(newest.join(name)).unwrap()
        };
        assert!(bytes("killed") == bytes("straight"), "{name} differs");
    }
    for name in names(&checkpoints) {
        assert!(!name.starts_with(".tmp-"), "{name} was left behind");
    }
}

/// Moments that no two test runs share; the first line of a failure's output tells them.
struct Moments(u64);

impl Moments {
    fn new() -> Moments {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        println!("moments from {}", now.as_nanos());
        Moments(now.as_nanos() as u64 | 1)
    }

    /// Up to 60 ms (xorshift64).
    fn next(&mut self) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_micros(self.0 % 60_000)
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The checkpoints of a run, oldest first.
fn steps(checkpoints: &Path) -> Vec<(u64, PathBuf)> {
    let step = |name: String| Some((name.strip_prefix("step-")?.parse().ok()?, name));
    let mut found: Vec<(u64, PathBuf)> = names(checkpoints)
        .into_iter()
        .filter_map(step)
        .map(|(step, name)| (step, checkpoints.join(name)))
        .collect();
    found.sort_unstable();
    found
}
