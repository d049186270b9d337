//! The step of a training, up to the update: forward, loss and backward of one batch, and whether
//! what came of it may move the weights ([`readings`]). On a CUDA device it is recorded as a graph,
//! which asks for all its kernels at once.
//!
//! images `[N, C, H, W]` → logits `[N, K]` → loss `[]` → gradient. A graph reads from tensors
//! of its own, into which each batch is copied, and is for batches of one size: the short last one
//! of a pass goes eagerly. So does every batch of a network whose layers draw at random, since a
//! recorded draw would come again and again (without sample numbers a layer refuses to
//! draw, which the recording finds out and tells).

use catscan_models::Draws;
use catscan_torch_ext::graphs::{How, Pass, Stepper};
use tch::{Device, Tensor, no_grad};

use crate::batches::Batch;
use crate::error::TrainError;
use crate::learner::Learner;
use crate::loss::{Mixed, Targets};
use crate::optimizer::Gradient;
use crate::readings::{self, Noted, Reading, Readings};

/// A gradient that is about to move the weights.
pub(crate) struct Slope<'a> {
    /// The next step overwrites it.
    pub gradient: &'a mut Gradient,
    /// What the step came to, or the gate behind which that lies.
    pub noted: Noted,
}

/// What a step leaves on the device.
struct Left {
    /// `[3]`: see [`readings::row`].
    row: Tensor,
    gradient: Gradient,
}

/// Takes the steps of a training, up to the update.
pub(crate) struct Steps {
    /// Which of them were read.
    pub readings: Readings,
    stepper: Stepper<Left>,
    /// Where the graph reads; made by the first batch of the usual size.
    inputs: Option<Batch>,
    /// Of any other size, or without a graph.
    eager: Option<Left>,
    batch: usize,
    /// Whether it is still to be told that there is no graph.
    tells: bool,
}

impl Steps {
    /// For a `learner` on `device` and batches of usually `batch` pictures, read as `reading` says.
    /// On a CUDA device all that a step changes is moved together first.
    pub fn begin(learner: &Learner, device: Device, batch: u32, reading: Reading) -> Steps {
        let stepper = match device {
            Device::Cuda(_) => Stepper::recorded(),
            _ => Stepper::eager("graphs are CUDA's"),
        };
        if device.is_cuda() {
            learner.lay_end_to_end();
        }
        Steps {
            readings: Readings::new(reading),
            stepper,
            inputs: None,
            eager: None,
            batch: batch as usize,
            tells: device.is_cuda(),
        }
    }

    /// The same kernel by kernel, on whatever device.
    pub fn without_graph(self) -> Steps {
        Steps { stepper: Stepper::eager("as asked for"), tells: false, ..self }
    }

    /// How the next step is taken, and why.
    pub fn how(&self) -> &How {
        self.stepper.how()
    }

    /// Why steps are not taken as a graph where that could be expected; told once.
    pub fn fell_back(&mut self) -> Option<String> {
        let How::Eager { reason } = self.how() else { return None };
        let text = format!("steps are asked for kernel by kernel, not as a graph: {reason}");
        std::mem::take(&mut self.tells).then_some(text)
    }

    /// Computes a batch and notes what it came to.
    ///
    /// # Errors
    /// Where CUDA fails.
    pub fn compute(&mut self, learner: &Learner, batch: &Batch) -> Result<Slope<'_>, TrainError> {
        let eager = matches!(self.how(), How::Eager { .. });
        let left = if eager || batch.indices.len() != self.batch {
            // The old one's memory is given back before new memory is asked for.
            self.eager = None;
            self.eager.insert(once(learner, batch, learner.draws(batch)))
        } else {
            let inputs = self.inputs.get_or_insert_with(|| like(batch));
            fill(inputs, batch);
            let run = self.stepper.run(|pass| {
                let draws = learner.draws(inputs);
                match pass {
                    Pass::Eager => once(learner, inputs, draws),
                    Pass::Recording => once(learner, inputs, Draws { samples: &[], ..draws }),
                }
            });
            run.map_err(|error| TrainError::Device(error.to_string()))?
        };
        let noted = self.readings.note(left.row.shallow_clone());
        Ok(Slope { gradient: &mut left.gradient, noted })
    }
}

fn once(learner: &Learner, batch: &Batch, draws: Draws) -> Left {
    let computed = learner.compute_drawing(batch, draws);
    let row = no_grad(|| readings::row(&computed.loss, &computed.right, &computed.gradient));
    Left { row, gradient: computed.gradient }
}

/// A batch of tensors like those of `batch`, still without values.
fn like(batch: &Batch) -> Batch {
    let mixed =
        |mixed: &Mixed| Mixed { own: mixed.own.empty_like(), other: mixed.other.empty_like() };
    Batch {
        images: batch.images.empty_like(),
        targets: Targets {
            labels: batch.targets.labels.empty_like(),
            mixed: batch.targets.mixed.as_ref().map(mixed),
        },
        indices: Vec::new(),
        pass: 0,
    }
}

/// Copies `batch` into tensors that stay where they are.
fn fill(inputs: &mut Batch, batch: &Batch) {
    no_grad(|| {
        inputs.images.copy_(&batch.images);
        inputs.targets.labels.copy_(&batch.targets.labels);
        if let (Some(here), Some(there)) = (&mut inputs.targets.mixed, &batch.targets.mixed) {
            here.own.copy_(&there.own);
            here.other.copy_(&there.other);
        }
    });
    inputs.indices.clone_from(&batch.indices);
    inputs.pass = batch.pass;
}
