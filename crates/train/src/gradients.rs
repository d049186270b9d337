//! Gradient flow: how large the loss's gradient is at each layer, as training goes on. It is what
//! residual and dense connections are said to mend: in a deep plain network little of it reaches
//! the first layers (He et al. 2016, <https://arxiv.org/abs/1512.03385>, §4.1, looks for that and
//! finds other causes; Huang et al. 2017, <https://arxiv.org/abs/1608.06993>, §1, claim it).
//!
//! Taken at the last step of each epoch, from the gradient that the step is made of: a norm a
//! weight tensor, once an epoch, so it costs nothing. One batch's gradient is a noisy thing; a
//! factor of two between epochs says little, a factor of ten between networks does.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, no_grad};

use crate::error::TrainError;
use crate::run::Run;
use crate::storage::{read_lines, write_atomic};

/// One [`GradientRecord`] a line.
pub(crate) const GRADIENTS_FILE: &str = "gradients.jsonl";

/// A line of `gradients.jsonl`: the gradient of one step's mean loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradientRecord {
    /// Counts from 1; the step is its last.
    pub epoch: u32,
    /// Counts from 1.
    pub step: u64,
    /// Names of the trained weights of convolutions and linear layers, from the stem to the head.
    pub layers: Vec<String>,
    /// The Euclidean norm of the gradient of each.
    pub norms: Vec<f64>,
}

/// The lines of a run's folder, oldest first; none for runs of before they were kept.
///
/// # Errors
/// A line that cannot be read; it is named.
pub fn read_gradients(folder: &Path) -> Result<Vec<GradientRecord>, TrainError> {
    read_lines(&folder.join(GRADIENTS_FILE))
}

/// The lines of a run that goes on at `step`, taken from the run `from`; later ones are dropped.
pub(crate) fn restart(folder: &Path, from: &Path, step: u64) -> Result<(), TrainError> {
    let mut all = read_gradients(from)?;
    all.retain(|old| old.step <= step);
    let path = folder.join(GRADIENTS_FILE);
    if all.is_empty() && !path.exists() { Ok(()) } else { write_all(&path, &all) }
}

/// Adds the line of `record`; those of its epoch and later ones, which an interrupted or a bounded
/// run may have left, are dropped.
pub(crate) fn write(folder: &Path, record: &GradientRecord) -> Result<(), TrainError> {
    let mut all = read_gradients(folder)?;
    all.retain(|old| old.epoch < record.epoch);
    all.push(record.clone());
    write_all(&folder.join(GRADIENTS_FILE), &all)
}

fn write_all(path: &Path, all: &[GradientRecord]) -> Result<(), TrainError> {
    let line = |record: &GradientRecord| {
        serde_json::to_string(record).expect("a record is plain data") + "\n"
    };
    let text: String = all.iter().map(line).collect();
    write_atomic(path, text.as_bytes())
}

/// A record whose norms are still on the device.
pub(crate) struct Unread {
    epoch: u32,
    step: u64,
    layers: Vec<String>,
    /// `[]` f64 of each.
    norms: Vec<Tensor>,
}

impl Unread {
    /// Waits for the device.
    pub fn read(self) -> GradientRecord {
        let Unread { epoch, step, layers, norms } = self;
        if norms.is_empty() {
            return GradientRecord { epoch, step, layers, norms: Vec::new() };
        }
        let row = Tensor::stack(&norms, 0).to_device(Device::Cpu);
        let norms = Vec::try_from(row).expect("a row of numbers");
        GradientRecord { epoch, step, layers, norms }
    }
}

/// The record of `gradient [P]`, in the order of the run's parameters, at the step to be taken.
/// Nothing waits for the device. Squares of f32 are summed in 64 bits, where none is too large.
pub(crate) fn of_step(run: &Run, epoch: u32, gradient: &Tensor) -> Unread {
    let mut start = 0;
    let stretch = |parameter: &Tensor| {
        let length = parameter.numel() as i64;
        start += length;
        (parameter.data_ptr(), start - length, length)
    };
    let stretches: Vec<_> = run.learner.parameters().iter().map(stretch).collect();
    let (mut layers, mut norms) = (Vec::new(), Vec::new());
    // In the model's order, which groups need not have; norms and biases are no layers.
    for weight in run.learner.model.weights().parameters().filter(|weight| weight.tensor.dim() > 1)
    {
        let own = stretches.iter().find(|(place, ..)| *place == weight.tensor.data_ptr());
        let Some((_, start, length)) = own else { continue };
        layers.push(weight.name.trim_end_matches(".weight").to_owned());
        let own = gradient.narrow(0, *start, *length);
        norms.push(no_grad(|| own.norm_scalaropt_dtype(2, Kind::Double)));
    }
    Unread { epoch, step: run.state.step + 1, layers, norms }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(step: u64, norm: f64) -> GradientRecord {
        GradientRecord {
            epoch: step.div_ceil(5) as u32,
            step,
            layers: vec!["conv0".into()],
            norms: vec![norm],
        }
    }

    #[test]
    fn lines_of_an_epoch_and_after_it_are_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_gradients(folder.path()).unwrap(), []);
        for (step, norm) in [(5, 0.5), (7, 0.75), (10, 0.25), (15, 9.0), (10, 0.125)] {
            write(folder.path(), &record(step, norm)).unwrap();
        }
        let want = [record(5, 0.5), record(10, 0.125)];
        assert_eq!(read_gradients(folder.path()).unwrap(), want);
        // A crash may cut the last line; the next one does not join it.
        let path = folder.path().join(GRADIENTS_FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 20]).unwrap();
        write(folder.path(), &record(15, 0.0625)).unwrap();
        assert_eq!(read_gradients(folder.path()).unwrap(), [record(5, 0.5), record(15, 0.0625)]);
    }
}
