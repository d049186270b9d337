//! Forward, loss and backward of one batch; on a CUDA device recorded as a graph, which asks for
//! all their kernels at once.
//!
//! images `[N, C, H, W]` → logits `[N, K]` → loss `[]` → gradient `[P]`. A graph reads from tensors
//! of its own, into which each batch is copied, and is for batches of one size: the short last one
//! of a pass goes eagerly. So does every batch of a network whose layers draw at random, since a
//! recorded draw would come again and again (`Mode::TRAIN` refuses to be drawn from, which the
//! recording finds out and tells).

use catscan_models::{Mode, Model, Taps};
use catscan_torch_ext::graphs::{How, Pass, Stepper};
use tch::{Device, Tensor, no_grad};

use crate::batches::Batch;
use crate::error::TrainError;
use crate::readings;
use crate::{loss, optimizer};

/// What a step leaves on the device.
pub(crate) struct Computed {
    /// `[3]`: see [`readings::row`].
    pub row: Tensor,
    /// `[P]`.
    pub gradient: Tensor,
}

/// What a step reads on the device.
struct Inputs {
    images: Tensor,
    labels: Tensor,
    own: Option<Tensor>,
}

/// Takes the steps of a training, up to the update.
pub(crate) struct Steps {
    stepper: Stepper<Computed>,
    /// Where the graph reads; made by the first batch of the usual size.
    inputs: Option<Inputs>,
    /// Of any other size, or without a graph.
    eager: Option<Computed>,
    batch: usize,
    /// Whether it is still to be told that there is no graph.
    tells: bool,
}

impl Steps {
    /// For batches of usually `batch` pictures on `device`.
    pub fn new(device: Device, batch: u32) -> Steps {
        let stepper = match device {
            Device::Cuda(_) => Stepper::recorded(),
            _ => Stepper::eager("graphs are CUDA's"),
        };
        let (batch, tells) = (batch as usize, device.is_cuda());
        Steps { stepper, inputs: None, eager: None, batch, tells }
    }

    /// Why steps are not taken as a graph where that could be expected; told once.
    pub fn fell_back(&mut self) -> Option<String> {
        let How::Eager { reason } = self.stepper.how() else { return None };
        let text = format!("steps are asked for kernel by kernel, not as a graph: {reason}");
        std::mem::take(&mut self.tells).then_some(text)
    }

    /// Computes a batch. What it leaves is overwritten by the next.
    ///
    /// # Errors
    /// Where CUDA fails.
    pub fn compute(
        &mut self,
        model: &Model,
        parameters: &[Tensor],
        batch: &Batch,
        mode: Mode,
    ) -> Result<&Computed, TrainError> {
        let eager = matches!(self.stepper.how(), How::Eager { .. });
        if eager || batch.indices.len() != self.batch {
            self.eager = None;
            let (images, labels, own) = (&batch.images, &batch.labels, batch.own.as_ref());
            return Ok(self.eager.insert(once(model, parameters, images, labels, own, mode)));
        }
        let inputs = self.inputs.get_or_insert_with(|| Inputs::like(batch));
        inputs.fill(batch);
        let run = self.stepper.run(|pass| {
            let mode = if pass == Pass::Recording { Mode::TRAIN } else { mode };
            once(model, parameters, &inputs.images, &inputs.labels, inputs.own.as_ref(), mode)
        });
        run.map_err(|error| TrainError::Device(error.to_string()))
    }
}

impl Inputs {
    fn like(batch: &Batch) -> Inputs {
        Inputs {
            images: batch.images.empty_like(),
            labels: batch.labels.empty_like(),
            own: batch.own.as_ref().map(Tensor::empty_like),
        }
    }

    fn fill(&mut self, batch: &Batch) {
        no_grad(|| {
            self.images.copy_(&batch.images);
            self.labels.copy_(&batch.labels);
            if let (Some(here), Some(own)) = (&mut self.own, &batch.own) {
                here.copy_(own);
            }
        });
    }
}

fn once(
    model: &Model,
    parameters: &[Tensor],
    images: &Tensor,
    labels: &Tensor,
    own: Option<&Tensor>,
    mode: Mode,
) -> Computed {
    let logits = model.forward(images, mode, &mut Taps::off());
    let loss = match own {
        None => loss::mean(&logits, labels),
        Some(own) => loss::mixed_mean(&logits, labels, own),
    };
    let gradient = Tensor::run_backward(&[&loss], parameters, false, false);
    let gradient = optimizer::flatten(&gradient);
    let row = no_grad(|| readings::row(&loss, &loss::right(&logits, labels), &gradient));
    Computed { row, gradient }
}
