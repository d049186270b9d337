//! Trains densenet-mini on drawn cats and dogs for one epoch, in a temporary folder, and prints
//! what the run recorded: `cargo run --release -p catscan-train --example train_mini`.

use catscan_data::{DataConfig, Dataset};
use catscan_train::{Event, Job, Recipe, RunRecord, Saving, Schedule, Watch, train};
use tch::Device;

#[path = "../src/testing.rs"]
mod testing;

/// Prints a line for what is worth one.
struct Printer;

impl Watch for Printer {
    fn on_event(&mut self, event: &Event) {
        match event {
            Event::Step { step, steps_total, loss, images_per_s, remaining_s, .. } => println!(
                "step {step}/{steps_total}: loss {loss:.3}, {images_per_s:.0} images/s, \
                 {remaining_s:.0} s left"
            ),
            Event::Warning { text } => println!("warning: {text}"),
            _ => {}
        }
    }
}

/// What the tests train, longer and without augmentation.
fn recipe() -> Recipe {
    let base = testing::recipe();
    Recipe {
        data: DataConfig { source: "critters:500".into(), ..base.data },
        augment: None,
        optimizer: base.optimizer.with_lr(0.1),
        schedule: Schedule::Cosine { warmup_steps: 5, end_fraction: 0.0 },
        batch: 16,
        epochs: 1,
        ..base
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let recipe = recipe();
    let dataset = Dataset::open(&recipe.data, &folder.path().join("cache"), &())?;
    let job = Job {
        recipe: &recipe,
        dataset: &dataset,
        device: Device::Cpu,
        workers: 1,
        folder: &folder.path().join("run"),
        max_steps: None,
        saving: Saving::USUAL,
        resume: None,
        allow_inexact_resume: false,
        experiment: "example".into(),
        arm: "avg".into(),
        command: std::env::args().collect(),
    };
    train(&job, &mut Printer)?;
    let record = RunRecord::read(job.folder)?;
    for epoch in &record.epochs {
        println!("{epoch:#?}");
    }
    let test = record.test.as_ref().ok_or("the run has no test record")?;
    println!(
        "{} test pictures: accuracy {:.3}, loss {:.3}",
        test.pictures.len(),
        test.accuracy,
        test.loss
    );
    println!("weights: {}", record.weights_path()?.display());
    Ok(())
}
