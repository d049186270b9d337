//! The steps of a training without its run: the loop's own ([`crate::train`]), taken by whoever
//! times a training before it is made, or holds one device or program against another. Nothing is
//! validated, watched or kept, and a number that is not finite ends nothing.

use catscan_models::Model;
use catscan_torch_ext::graphs::How;
use tch::Device;

use crate::batches::Batch;
use crate::error::TrainError;
use crate::learner::Learner;
use crate::optimizer::Gradient;
use crate::readings::{Reading, Taken};
use crate::recipe::Recipe;
use crate::step::Steps;
use crate::train::StepTime;

/// A network that takes its training's steps.
pub struct Rehearsal {
    learner: Learner,
    steps: Steps,
    taken: u64,
    /// Of the steps that were read since somebody asked.
    losses: Vec<f64>,
}

impl Rehearsal {
    /// Of `recipe`'s network with its first weights, for a training part that holds `counts [K]`
    /// pictures of each class, on `device`.
    ///
    /// # Errors
    /// As a training begun by it: an impossible network, weights that do not fit.
    pub fn of(recipe: &Recipe, counts: &[u64], device: Device) -> Result<Rehearsal, TrainError> {
        let (learner, _) = Learner::build(recipe, counts, device)?;
        Ok(Rehearsal::by(learner, device, recipe.batch, Reading::of(device)))
    }

    pub(crate) fn by(learner: Learner, device: Device, batch: u32, reading: Reading) -> Rehearsal {
        let steps = Steps::begin(&learner, device, batch, reading);
        Rehearsal { learner, steps, taken: 0, losses: Vec::new() }
    }

    /// The same kernel by kernel, where the training would record a CUDA graph.
    pub fn without_graph(self) -> Rehearsal {
        Rehearsal { steps: self.steps.without_graph(), ..self }
    }

    /// The network, as the steps until now have left it.
    pub fn model(&self) -> &Model {
        &self.learner.model
    }

    pub(crate) fn learner(&self) -> &Learner {
        &self.learner
    }

    /// Takes a step at rate `lr`: images `[N, C, H, W]` → loss `[]` → gradient → weights. `see`
    /// is shown the gradient as the optimiser saw it.
    ///
    /// # Errors
    /// Where CUDA fails.
    pub fn take<T>(
        &mut self,
        batch: &Batch,
        lr: f64,
        see: impl FnOnce(&Gradient) -> T,
    ) -> Result<T, TrainError> {
        let slope = self.steps.compute(&self.learner, batch)?;
        self.learner.step_if(slope.noted.gate(), slope.gradient, lr);
        let seen = see(slope.gradient);
        let (step, pictures) = (self.taken, batch.indices.len() as u64);
        self.steps.readings.took(Taken { step, pictures, lr, time: StepTime::default() });
        self.taken += 1;
        if self.steps.readings.is_due() {
            self.read();
        }
        Ok(seen)
    }

    /// The step alone, as peers' plain loops take it: forward, loss, backward and update, without a
    /// look at what they came to. What a training adds to it is the trainer's own.
    pub fn take_unread(&mut self, batch: &Batch, lr: f64) {
        let gradient = self.learner.compute(batch).gradient;
        self.learner.step(gradient, lr);
    }

    /// The loss of each step since this was last asked, nats. Waits until all are done.
    pub fn losses(&mut self) -> Vec<f64> {
        self.read();
        std::mem::take(&mut self.losses)
    }

    fn read(&mut self) {
        let read = self.steps.readings.read();
        self.losses.extend(read.iter().map(|(_, row)| row.loss));
    }

    /// Does `work` with the network as a run is judged by it: with the averaged weights, if there
    /// are any.
    pub fn judged<T>(&self, work: impl FnOnce(&Model) -> T) -> T {
        self.learner.judged(work)
    }

    /// How steps are taken: `graph`, or `eager` with the reason.
    pub fn how(&self) -> String {
        match self.steps.how() {
            How::WarmingUp { left } => format!("eager: warming up, {left} steps left"),
            How::Recorded => "graph".into(),
            How::Eager { reason } => format!("eager: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use catscan_data::Dataset;
    use tch::Tensor;

    use super::*;
    use crate::batches::{Loader, Plan};
    use crate::checkpoint;
    use crate::clip::Clip;
    use crate::ema::Ema;
    use crate::loss::Targets;
    use crate::optimizer::flatten;
    use crate::record::PartCounts;
    use crate::testing::recipe;
    use crate::train::{Job, Saving, train_reading};

    const STEPS: u64 = 5;

    /// With all that a step may do after its gradient.
    fn refined() -> Recipe {
        let ema = Some(Ema { decay: 0.9, warmup_power: None });
        Recipe { clip: Some(Clip::Norm(0.5)), ema, ..recipe() }
    }

    fn weights(model: &Model) -> Tensor {
        let all: Vec<Tensor> = model.weights().iter().map(|w| w.tensor.detach()).collect();
        flatten(&all)
    }

    /// What a training of so many steps is judged by.
    fn trained(dataset: &Dataset, reading: Reading, folder: &Path) -> Tensor {
        let recipe = refined();
        let job = Job {
            recipe: &recipe,
            dataset,
            device: Device::Cpu,
            workers: 1,
            folder,
            max_steps: Some(STEPS),
            saving: Saving::USUAL,
            resume: None,
            allow_inexact_resume: false,
            experiment: String::new(),
            arm: String::new(),
            command: Vec::new(),
        };
        train_reading(&job, reading, &mut ()).unwrap();
        let saved = checkpoint::newest_intact(folder).unwrap().join(checkpoint::WEIGHTS_FILE);
        let model = Model::build(&recipe.model, 2, Device::Cpu).unwrap();
        model.weights().load(&saved).unwrap();
        weights(&model)
    }

    #[test]
    fn its_steps_are_those_of_the_training_to_the_bit() {
        tch::set_num_threads(1);
        let (cache, recipe) = (tempfile::tempdir().unwrap(), refined());
        let dataset = Dataset::open(&recipe.data, cache.path(), &()).unwrap();
        for reading in [Reading::AtOnce, Reading::Every(3)] {
            let counts = PartCounts::of(&dataset).train;
            let (learner, _) = Learner::build(&recipe, &counts, Device::Cpu).unwrap();
            let mut rehearsal = Rehearsal::by(learner, Device::Cpu, recipe.batch, reading);
            let plan = Plan::of_training(&recipe, &dataset).unwrap();
            let total = plan.steps_per_epoch(&recipe) * u64::from(recipe.epochs);
            std::thread::scope(|scope| {
                let planned = plan.steps(0..STEPS);
                let mut batches = Loader::start(scope, &dataset, Device::Cpu, 1, planned);
                for step in 0..STEPS {
                    let batch = batches.next_batch().unwrap().unwrap();
                    let row = rehearsal.take(&batch, recipe.lr(step, total), Gradient::row);
                    assert!(row.unwrap().norm().double_value(&[]) < 0.501, "clipped");
                }
            });
            let losses = rehearsal.losses();
            assert_eq!(losses.len() as u64, STEPS, "each once, however it is read");
            assert!(rehearsal.losses().is_empty() && losses.iter().all(|loss| loss.is_finite()));
            let folder = tempfile::tempdir().unwrap();
            let want = trained(&dataset, reading, folder.path());
            assert_eq!(rehearsal.judged(weights), want, "{reading:?}");
            assert_ne!(weights(rehearsal.model()), want, "the average is not the last weights");
        }
    }

    #[test]
    fn a_step_moves_the_weights_alike_whether_it_is_read_or_not() {
        let recipe = refined();
        let images = Tensor::rand([4, 3, 64, 64], (tch::Kind::Float, Device::Cpu));
        let targets = Targets::new(Tensor::from_slice(&[0i64, 1, 0, 1]), None);
        let batch = Batch { images, targets, indices: (0..4).collect(), pass: 0 };
        let begin = || Rehearsal::of(&recipe, &[], Device::Cpu).unwrap();
        let (mut read, mut unread) = (begin(), begin());
        read.take(&batch, 0.1, |_| ()).unwrap();
        unread.take_unread(&batch, 0.1);
        assert_eq!(weights(read.model()), weights(unread.model()));
        assert_eq!((read.losses().len(), unread.losses().len()), (1, 0));
    }
}
