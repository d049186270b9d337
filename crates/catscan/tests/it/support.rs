//! Starts the program, with a cache of its own that all tests share.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use catscan_train::{ClassWeights, Clip, Ema, Recipe, Warmup};
use serde_json::Value;

/// The program with these arguments, not yet started.
pub fn catscan<S: AsRef<OsStr>>(args: &[S], folder: &Path) -> Command {
    catscan_at(env!("CARGO_BIN_EXE_catscan").as_ref(), args, folder)
}

/// A copy of the program at that path.
fn catscan_at<S: AsRef<OsStr>>(program: &Path, args: &[S], folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(folder);
    command.env("CATSCAN_CACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
    command
}

/// What came of a command.
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        Said {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs to the end.
pub fn run<S: AsRef<OsStr>>(args: &[S], folder: &Path) -> Said {
    catscan(args, folder).output().unwrap().into()
}

/// Runs to the end, which must be a good one.
pub fn succeed<S: AsRef<OsStr>>(args: &[S], folder: &Path) -> Said {
    let said = run(args, folder);
    assert_eq!(said.code, 0, "{}", said.stderr);
    said
}

/// A program that runs, and what it has said so far.
pub struct Running {
    pub child: Child,
    text: String,
    lines: std::sync::mpsc::Receiver<String>,
}

/// Starts a command whose standard error is to be followed.
pub fn start<S: AsRef<OsStr>>(args: &[S], folder: &Path) -> Running {
    start_at(env!("CARGO_BIN_EXE_catscan").as_ref(), args, folder)
}

/// The same with a copy of the program.
pub fn start_at<S: AsRef<OsStr>>(program: &Path, args: &[S], folder: &Path) -> Running {
    let mut command = catscan_at(program, args, folder);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let stderr = child.stderr.take().unwrap();
    follow(child, stderr)
}

/// Starts a command that prints events, which are to be followed.
pub fn start_events<S: AsRef<OsStr>>(args: &[S], folder: &Path) -> Running {
    let mut command = catscan(args, folder);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    follow(child, stdout)
}

fn follow(child: Child, mut stream: impl Read + Send + 'static) -> Running {
    let (sender, lines) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = stream.read(&mut buffer) {
            let _ = sender.send(String::from_utf8_lossy(&buffer[..n]).into_owned());
        }
    });
    Running { child, text: String::new(), lines }
}

impl Running {
    /// Waits until the program has said this.
    pub fn wait_for(&mut self, words: &str) {
        let began = Instant::now();
        while !self.text.contains(words) {
            assert!(began.elapsed() < Duration::from_secs(300), "no {words:?} in:\n{}", self.text);
            if let Ok(more) = self.lines.recv_timeout(Duration::from_millis(100)) {
                self.text.push_str(&more);
            }
        }
    }

    /// What it has said so far, as far as it was waited for.
    pub fn said(&self) -> &str {
        &self.text
    }

    /// Sends a signal to this process alone.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Sends a signal, and waits for the end: code and all it said.
    pub fn stop(self, signal: &str) -> (i32, String) {
        self.signal(signal);
        self.finish()
    }

    /// Waits for the end: code and all it said.
    pub fn finish(mut self) -> (i32, String) {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        while let Ok(more) = self.lines.recv_timeout(Duration::from_secs(5)) {
            self.text.push_str(&more);
        }
        (code, std::mem::take(&mut self.text))
    }
}

impl Drop for Running {
    /// A test that fails leaves no program behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The smoke recipe with all that a recipe may add to a step.
pub fn refined() -> Recipe {
    Recipe {
        warmup: Some(Warmup { steps: 2, start_fraction: 0.1 }),
        clip: Some(Clip::Norm(1.0)),
        ema: Some(Ema { decay: 0.9, warmup_power: None }),
        label_smoothing: 0.1,
        class_weights: Some(ClassWeights::Balanced),
        micro_batch: Some(10),
        ..catscan::recipes::smoke()
    }
}

/// The checkpoints of a run, oldest first.
pub fn steps(checkpoints: &Path) -> Vec<(u64, PathBuf)> {
    let step = |name: String| Some((name.strip_prefix("step-")?.parse().ok()?, name));
    let mut found: Vec<(u64, PathBuf)> = names(checkpoints)
        .into_iter()
        .filter_map(step)
        .map(|(step, name)| (step, checkpoints.join(name)))
        .collect();
    found.sort_unstable();
    found
}

/// What a folder holds; nothing where there is none.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Two runs that are at `step` are one, but for what was measured of them: weights, moments,
/// epochs, and the scores of every test picture.
#[track_caller]
pub fn same_run(first: &Path, second: &Path, step: u64) {
    let checkpoint = format!("checkpoints/step-{step}");
    let tensors = names(&first.join(&checkpoint));
    let tensors: Vec<_> = tensors.iter().filter(|name| name.ends_with(".safetensors")).collect();
    assert!(tensors.len() >= 2, "{tensors:?}");
    for name in tensors {
        let bytes = |run: &Path| fs::read(run.join(&checkpoint).join(name)).unwrap();
        assert!(bytes(first) == bytes(second), "{name} differs");
    }
    assert_eq!(epochs(first), epochs(second));
    assert!(!epochs(first).is_empty());
    let tested = |run: &Path| timeless(&fs::read_to_string(run.join("test.json")).unwrap());
    assert_eq!(tested(first), tested(second));
}

/// Each line of a run's `metrics.jsonl`.
fn epochs(run: &Path) -> Vec<Value> {
    fs::read_to_string(run.join("metrics.jsonl")).unwrap().lines().map(timeless).collect()
}

/// A record without what a clock said, or the system of its memory.
fn timeless(text: &str) -> Value {
    let mut value: Value = serde_json::from_str(text).unwrap();
    let measured =
        ["images_per_s", "seconds", "seconds_waiting_for_data", "unix_s", "peak_memory_bytes"];
    for name in measured {
        value.as_object_mut().unwrap().remove(name);
    }
    value
}
