//! The real program, killed again and again while it saves (case 1 of the list of faults).

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use catscan_train::checkpoint::verify;

use super::support::{names, refined, same_run, start_events, steps, succeed};

/// Of each recipe; a tenth of a second each.
const KILLS: u32 = 50;

#[test]
fn killed_at_random_moments_it_always_goes_on_from_a_complete_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    kill_again_and_again(folder.path(), &["--experiment", "smoke", "--arm", "avg"]);
}

/// Averaged weights in a file of their own, gradients in pieces, and so on.
#[test]
fn a_refined_recipe_that_is_killed_goes_on_as_well() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("refined.json"), refined().to_json_pretty()).unwrap();
    kill_again_and_again(folder.path(), &["--recipe", "refined.json"]);
    assert!(names(&folder.path().join("killed/checkpoints/best")).len() == 5, "with the trained");
}

fn kill_again_and_again(here: &Path, recipe: &[&str]) {
    // A training that never ends by itself.
    let train = |out: &str, more: &[&str]| -> Vec<String> {
        let line =
            [&["train"], recipe, &["--epochs", "2000", "--threads", "1", "--out", out], more];
        line.concat().into_iter().map(str::to_owned).collect()
    };
    let mut moment = Moments::new();
    let checkpoints = here.join("killed/checkpoints");
    let mut reached = 0;
    let mut opening = Duration::ZERO;
    for round in 0..KILLS {
        let saving = train("killed", &["--events", "--save-every-steps", "1"]);
        let began = Instant::now();
        let mut running = start_events(&saving, here);
        if round % 2 == 0 {
            running.wait_for("\"event\":\"saved\"");
            opening = began.elapsed();
            // Each step takes about as long as saving it: this is anywhere in the next few of both.
            thread::sleep(moment.within(Duration::from_millis(60)));
        } else {
            // Anywhere from the program's first instruction to its first new checkpoint.
            thread::sleep(moment.within(opening));
        }
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
    println!("{KILLS} kills, {reached} steps");

    // Both go on to the same step: the killed one must be the one that was never killed. At the end
    // of an epoch, so that there is a best one.
    let end = (reached / 5 + 1) * 5;
    for run in ["killed", "straight"] {
        succeed(&train(run, &["--max-steps", &end.to_string()]), here);
    }
    same_run(&here.join("killed"), &here.join("straight"), end);
    verify(&checkpoints.join("best")).unwrap();
    for name in [names(&checkpoints), names(&here.join("killed"))].concat() {
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

    /// Anything below `longest` (xorshift64).
    fn within(&mut self, longest: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        longest.mul_f64((self.0 >> 11) as f64 / (1u64 << 53) as f64)
    }
}
