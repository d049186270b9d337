//! How good a model is: evaluation mode, no gradients, no augmentation.

use std::thread;
use std::time::Instant;

use catscan_data::Dataset;
use catscan_models::{Mode, Model, Taps, probabilities};
use tch::{Device, Kind, Tensor, no_grad};

use crate::batches::{Batch, Loader, Planned};
use crate::error::TrainError;
use crate::event::Signal;
use crate::{first_bad, loss, metrics};

/// Scores of `N` pictures, in the order they were asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Mean cross-entropy, nats.
    pub loss: f64,
    /// Share whose most probable class is their label, 0 to 1.
    pub accuracy: f64,
    /// `[N][K]`, each row sums to one. With one logit: `[1 - p, p]`.
    pub probabilities: Vec<Vec<f32>>,
    /// `[N]`.
    pub labels: Vec<u32>,
    /// Wall-clock, waiting for data included.
    pub seconds: f64,
    /// `N / seconds`.
    pub images_per_s: f64,
}

/// Scores the pictures `indices` of `dataset`, `batch` at a time. `on_batch` hears how many are
/// done and may end it with a signal ([`TrainError::Stopped`]). A loss that is not finite is an
/// error that names the pictures of its batch ([`TrainError::BadScore`]).
pub fn evaluate(
    model: &Model,
    dataset: &Dataset,
    indices: &[u32],
    batch: u32,
    device: Device,
    on_batch: &mut dyn FnMut(u64) -> Option<Signal>,
) -> Result<Evaluation, TrainError> {
    if indices.is_empty() {
        return Err(TrainError::TooFewPictures { part: "evaluation", pictures: 0, least: 1 });
    }
    let side = i64::from(dataset.size_px);
    model.check_input(&[1, dataset.channels() as i64, side, side], Mode::Eval)?;
    let started = Instant::now();
    let mut probabilities: Vec<Vec<f32>> = Vec::with_capacity(indices.len());
    let mut loss_sum = 0.0;
    let chunks = indices.chunks(batch.max(1) as usize);
    let plan = chunks.map(|chunk| Planned::as_they_are(chunk.to_vec()));
    thread::scope(|scope| {
        let mut batches = Loader::start(scope, dataset, device, 1, plan);
        while let Some(batch) = batches.next_batch()? {
            let (loss, rows) = score(model, &batch);
            if !loss.is_finite() {
                return Err(not_finite(model, dataset, &batch, loss));
            }
            loss_sum += loss;
            probabilities.extend(rows);
            if let Some(signal) = on_batch(probabilities.len() as u64) {
                return Err(TrainError::Stopped(signal));
            }
        }
        Ok(())
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let labels: Vec<u32> = indices.iter().map(|i| dataset.samples[*i as usize].label).collect();
    Ok(Evaluation {
        loss: loss_sum / indices.len() as f64,
        accuracy: metrics::accuracy(&probabilities, &labels),
        probabilities,
        labels,
        seconds,
        images_per_s: indices.len() as f64 / seconds.max(f64::MIN_POSITIVE),
    })
}

/// The batch's summed loss and its `[N][K]` probabilities.
fn score(model: &Model, batch: &Batch) -> (f64, Vec<Vec<f32>>) {
    no_grad(|| {
        let logits = model.forward(&batch.images, Mode::Eval, &mut Taps::off());
        let loss = loss::sum(&logits, &batch.targets.labels).double_value(&[]);
        (loss, rows(&probabilities(&logits)))
    })
}

/// `[N, K]` as `N` rows.
fn rows(probabilities: &Tensor) -> Vec<Vec<f32>> {
    let classes = probabilities.size()[1] as usize;
    let flat = probabilities.to_device(Device::Cpu).to_kind(Kind::Float).reshape([-1]);
    let flat = Vec::<f32>::try_from(&flat).expect("a flat f32 tensor");
    flat.chunks(classes).map(<[f32]>::to_vec).collect()
}

fn not_finite(model: &Model, dataset: &Dataset, batch: &Batch, value: f64) -> TrainError {
    TrainError::BadScore {
        place: "evaluation".into(),
        value,
        first: first_bad::of_forward(model, &batch.images, Mode::Eval)
            .unwrap_or_else(first_bad::none_before_the_loss),
        pictures: names(dataset, &batch.indices),
    }
}

/// The pictures' names, for messages.
pub(crate) fn names(dataset: &Dataset, indices: &[u32]) -> Vec<String> {
    indices.iter().map(|i| dataset.samples[*i as usize].name.clone()).collect()
}
