//! What the tests share besides the recipe: one data set, one way to run it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use catscan_data::Dataset;
use catscan_train::{
    EpochRecord, Event, Job, Outcome, Recipe, Saving, Signal, TrainError, Watch, train,
};
use tch::Device;

pub use crate::testing::recipe;

/// 68 drawings to train on, so 9 steps of 8 a pass, the last one short (4).
pub const STEPS_PER_EPOCH: u64 = 9;

/// Where the drawn pictures are kept between test runs.
pub fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("train-cache")
}

/// The drawings of [`recipe`], drawn once.
pub fn dataset() -> &'static Dataset {
    static DATASET: OnceLock<Dataset> = OnceLock::new();
    DATASET.get_or_init(|| Dataset::open(&recipe().data, &cache(), &()).expect("critters open"))
}

pub fn job<'a>(recipe: &'a Recipe, folder: &'a Path) -> Job<'a> {
    Job {
        recipe,
        dataset: dataset(),
        device: Device::Cpu,
        workers: 1,
        folder,
        max_steps: None,
        saving: Saving::USUAL,
        resume: None,
        allow_inexact_resume: false,
        experiment: "test".into(),
        arm: "only".into(),
        command: vec!["cargo".into(), "test".into()],
    }
}

/// A checkpoint every so many steps.
pub fn every(steps: u64) -> Saving {
    Saving { every_steps: Some(steps), ..Saving::USUAL }
}

/// Keeps every event; stops when told to.
#[derive(Default)]
pub struct Watcher {
    pub events: Vec<Event>,
    /// Asks to stop once an event makes this true.
    pub stop_at: Option<fn(&Event) -> bool>,
    stop: bool,
}

impl Watcher {
    pub fn stopping(stop_at: fn(&Event) -> bool) -> Watcher {
        Watcher { stop_at: Some(stop_at), ..Watcher::default() }
    }

    pub fn warnings(&self) -> Vec<&str> {
        let mut found = Vec::new();
        for event in &self.events {
            if let Event::Warning { text } = event {
                found.push(text.as_str());
            }
        }
        found
    }

    /// Numbers that are trained, and that are frozen.
    pub fn started(&self) -> Option<(u64, u64)> {
        self.events.iter().find_map(|event| match event {
            Event::Started { parameters, frozen, .. } => Some((*parameters, *frozen)),
            _ => None,
        })
    }

    pub fn resumed_from(&self) -> Option<u64> {
        self.events.iter().find_map(|event| match event {
            Event::Started { resumed_from, .. } => *resumed_from,
            _ => None,
        })
    }
}

impl Watch for Watcher {
    fn on_event(&mut self, event: &Event) {
        self.stop |= self.stop_at.is_some_and(|stop_at| stop_at(event));
        self.events.push(event.clone());
    }

    fn should_stop(&mut self) -> Option<Signal> {
        self.stop.then_some(Signal::Terminate)
    }
}

/// Trains in one thread, so that results are bitwise equal whatever else this machine does.
pub fn run(job: &Job, watch: &mut dyn Watch) -> Result<Outcome, TrainError> {
    tch::set_num_threads(1);
    train(job, watch)
}

/// The newest checkpoint of a run.
pub fn newest(folder: &Path) -> PathBuf {
    let mut warn = |text| panic!("{text}");
    catscan_train::checkpoint::newest(folder, &mut warn).unwrap().expect("a checkpoint")
}

/// Weights and moments of the newest checkpoint, as bytes.
pub fn tensors(folder: &Path) -> (Vec<u8>, Vec<u8>) {
    let newest = newest(folder);
    let read = |name| std::fs::read(newest.join(name)).unwrap();
    (read("weights.safetensors"), read("optimizer.safetensors"))
}

/// `metrics.jsonl` without what a clock says.
pub fn metrics(folder: &Path) -> Vec<EpochRecord> {
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let timeless = |line| {
        let record: EpochRecord = serde_json::from_str(line).unwrap();
        EpochRecord {
            images_per_s: 0.0,
            seconds: 0.0,
            seconds_waiting_for_data: 0.0,
            unix_s: 0.0,
            ..record
        }
    };
    text.lines().map(timeless).collect()
}

/// Three classes that a net can tell apart at once: noise that is mostly red, green or blue.
pub fn write_colours(folder: &Path) {
    for (class, name) in ["blue", "green", "red"].into_iter().enumerate() {
        std::fs::create_dir_all(folder.join(name)).unwrap();
        for number in 0..25u32 {
            // A 24-bit bitmap: header, then blue, green, red of each pixel.
            let mut bytes = b"BM".to_vec();
            for word in [54 + 3072u32, 0, 54, 40, 32, 32, 1 | 24 << 16, 0, 3072, 0, 0, 0, 0] {
                bytes.extend(word.to_le_bytes());
            }
            let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 24) / 2;
            bytes.extend((0..3072u32).map(|i| {
                let bright = if i as usize % 3 == class { 100 } else { 0 };
                (noise(i + 5000 * number) + bright) as u8
            }));
            std::fs::write(folder.join(name).join(format!("{number}.bmp")), bytes).unwrap();
        }
    }
}
