//! One step of training: a batch in pieces → forward → loss → backward → gradient, and the gradient
//! → clip → optimiser → average.
//!
//! The loop, the learning-rate finder and the estimate of a dry run all take these steps.
//!
//! **Gradient accumulation.** With `micro_batch` a step looks at its batch in pieces and adds their
//! gradients up, each by its share of the loss: memory is that of a piece, order, draws, rate and
//! number of steps are those of the batch. For a network without batch norm the gradient is that of
//! the whole batch, up to rounding; a batch norm takes its statistics from a piece, and moves its
//! running ones once a piece.

use std::path::Path;

use catscan_models::{Draws, Mode, Model, Taps, Weights};
use tch::{Device, Tensor, no_grad};

use crate::batches::{Batch, pieces};
use crate::checkpoint;
use crate::clip::Clip;
use crate::ema::Average;
use crate::error::TrainError;
use crate::event::Event;
use crate::groups;
use crate::init::Init;
use crate::loss::{self, Loss};
use crate::optimizer::{self, Gradient, Moments, Optimizer, ParameterGroup};
use crate::recipe::Recipe;

/// A network and all that a step changes.
pub(crate) struct Learner {
    pub model: Model,
    /// What is trained, in the order of the moments.
    pub groups: Vec<ParameterGroup>,
    pub moments: Moments,
    /// The averaged weights, where the recipe asks for them.
    pub average: Option<Average>,
    parameters: Vec<Tensor>,
    /// All tensors of the network: `parameters`, then what is not trained.
    weights: Vec<Tensor>,
    optimizer: Optimizer,
    loss: Loss,
    clip: Option<Clip>,
    micro_batch: Option<u32>,
    seed: u64,
}

/// What a batch says about the weights.
pub(crate) struct Computed {
    /// Mean over the batch, `[]`.
    pub loss: Tensor,
    /// Of all that is trained.
    pub gradient: Gradient,
    /// Pictures whose predicted class was their label, `[]` i64.
    pub right: Tensor,
}

impl Learner {
    /// The recipe's network with its first weights, for a training part that holds `counts [K]`
    /// pictures of each class; and what is to be said of a file that the weights begin in.
    ///
    /// # Errors
    /// A network, groups or weights of classes that are impossible; a file that does not fit.
    pub fn build(
        recipe: &Recipe,
        counts: &[u64],
        device: Device,
    ) -> Result<(Learner, Option<Event>), TrainError> {
        let model = Model::build(&recipe.model, recipe.seed, device)?;
        let groups = groups::resolve(recipe, model.weights())?;
        let loaded = match &recipe.init {
            Init::Random => None,
            Init::File(init) => Some(init.fill(&model, &init.read()?)?),
        };
        let numbers = groups.iter().map(ParameterGroup::numbers).sum();
        let class_weights = |weights: &loss::ClassWeights| weights.tensor(counts, device);
        let parameters = parameters(&groups);
        let weights = with_the_rest(&parameters, model.weights());
        let learner = Learner {
            moments: Moments::zeros(&recipe.optimizer, numbers, device),
            average: recipe.ema.map(|ema| Average::of(ema, &weights)),
            parameters,
            weights,
            optimizer: recipe.optimizer.clone(),
            loss: Loss {
                label_smoothing: recipe.label_smoothing,
                class_weights: recipe.class_weights.as_ref().map(class_weights).transpose()?,
            },
            clip: recipe.clip,
            micro_batch: recipe.micro_batch,
            seed: recipe.seed,
            model,
            groups,
        };
        Ok((learner, loaded))
    }

    /// How many numbers are trained.
    pub fn numbers(&self) -> i64 {
        self.groups.iter().map(ParameterGroup::numbers).sum()
    }

    /// How many are not.
    pub fn frozen(&self) -> i64 {
        self.model.weights().count_parameters() as i64 - self.numbers()
    }

    /// Of one checkpoint.
    pub fn checkpoint_bytes(&self) -> u64 {
        checkpoint::size(self.model.weights(), &self.moments, self.average.as_ref())
    }

    /// Takes weights, moments and average from a checkpoint that was verified.
    pub fn restore(&mut self, path: &Path, device: Device) -> Result<(), TrainError> {
        let weights = self.model.weights();
        weights.load(&path.join(checkpoint::WEIGHTS_FILE))?;
        if let Some(average) = &mut self.average {
            average.restart();
            weights.load(&path.join(checkpoint::TRAINED_FILE))?;
        }
        self.moments = checkpoint::read_moments(path, &self.optimizer, self.numbers(), device)?;
        Ok(())
    }

    /// The trained tensors, in the order of the moments.
    pub fn parameters(&self) -> &[Tensor] {
        &self.parameters
    }

    /// Moves all weights into one tensor, the trained ones first, and their averages into another,
    /// so that a step moves them all at once.
    pub fn lay_end_to_end(&self) {
        optimizer::lay_end_to_end(&self.weights);
        self.average.iter().for_each(Average::lay_end_to_end);
    }

    /// What a layer draws from, for all pictures of a batch.
    pub fn draws<'a>(&self, batch: &'a Batch) -> Draws<'a> {
        Draws { seed: self.seed, epoch: batch.pass, samples: &batch.indices }
    }

    /// images `[N, C, H, W]` -> logits `[N, K]` -> loss `[]` -> gradient, piece by piece.
    pub fn compute(&self, batch: &Batch) -> Computed {
        self.compute_drawing(batch, self.draws(batch))
    }

    /// The same with other draws than the batch's; without samples no layer may draw.
    pub fn compute_drawing(&self, batch: &Batch, draws: Draws) -> Computed {
        let mut sum: Option<Computed> = None;
        for piece in pieces(batch.indices.len(), self.micro_batch) {
            let (start, length) = (piece.start as i64, piece.len() as i64);
            let whole = piece.len() == batch.indices.len();
            let draws = Draws { samples: draws.samples.get(piece).unwrap_or(&[]), ..draws };
            let images = batch.images.narrow(0, start, length);
            let targets = batch.targets.narrow(start, length);

            let logits = self.model.forward(&images, Mode::Train(draws), &mut Taps::off());
            let loss = self.loss.mean(&logits, &targets);
            let loss = if whole { loss } else { loss * self.loss.share(&targets, &batch.targets) };
            let gradient = Tensor::run_backward(&[&loss], &self.parameters, false, false);
            let gradient = Gradient::of(&gradient);

            let right = loss::right(&logits, &targets.labels);
            let piece = Computed { loss: loss.detach(), gradient, right };
            sum = Some(match sum {
                None => piece,
                Some(sum) => sum.and(piece),
            });
        }
        sum.expect("a batch holds a picture")
    }

    /// Moves the weights against a gradient that was found to be finite, at rate `lr`.
    pub fn step(&mut self, mut gradient: Gradient, lr: f64) {
        self.step_if(None, &mut gradient, lr);
    }

    /// Moves the weights against `gradient`, which is clipped in place, unless `open []` (bool) is
    /// false on the device: then they stay, whatever the gradient is.
    pub fn step_if(&mut self, open: Option<&Tensor>, gradient: &mut Gradient, lr: f64) {
        if let Some(clip) = self.clip {
            no_grad(|| clip.apply(gradient.as_row()));
        }
        self.optimizer.step_if(open, &self.groups, gradient, &mut self.moments, lr);
        if let Some(average) = &mut self.average {
            average.update(self.moments.steps());
        }
    }

    /// Does `work` with the weights that a run is judged by: the averaged ones, if there are any.
    pub fn judged<T>(&self, work: impl FnOnce(&Model) -> T) -> T {
        match &self.average {
            None => work(&self.model),
            Some(average) => average.standing_in(|| work(&self.model)),
        }
    }
}

impl Computed {
    /// The sum.
    fn and(self, other: Computed) -> Computed {
        let gradient = no_grad(|| self.gradient.plus(&other.gradient));
        Computed { loss: self.loss + other.loss, gradient, right: self.right + other.right }
    }
}

fn parameters(groups: &[ParameterGroup]) -> Vec<Tensor> {
    groups.iter().flat_map(|group| &group.parameters).map(Tensor::shallow_clone).collect()
}

/// `parameters`, and behind them the network's other tensors: frozen ones, running statistics.
fn with_the_rest(parameters: &[Tensor], weights: &Weights) -> Vec<Tensor> {
    let rest = weights.iter().filter(|weight| !weight.is_trained()).map(|weight| &weight.tensor);
    parameters.iter().chain(rest).map(Tensor::shallow_clone).collect()
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::loss::{ClassWeights, Targets};
    use crate::testing::recipe;

    fn batch() -> Batch {
        let x = Tensor::arange(8 * 3 * 32 * 32, (Kind::Float, Device::Cpu)).sin();
        let own = Tensor::from_slice(&[1f32, 0.5, 1.0, 0.2, 1.0, 1.0, 0.9, 0.3]);
        Batch {
            images: x.view([8, 3, 32, 32]),
            targets: Targets::new(Tensor::from_slice(&[0i64, 1, 1, 0, 1, 1, 1, 0]), Some(own)),
            indices: (0..8).collect(),
            pass: 0,
        }
    }

    fn computed(recipe: &Recipe) -> Computed {
        tch::set_num_threads(1);
        Learner::build(recipe, &[3, 5], Device::Cpu).unwrap().0.compute(&batch())
    }

    /// The largest difference of two gradients, in parts of the largest number of the first.
    fn gap(first: &Computed, second: &Computed) -> f64 {
        let [first, second] = [first, second].map(|computed| computed.gradient.row());
        (&first - &second).abs().max().double_value(&[]) / first.abs().max().double_value(&[])
    }

    #[test]
    fn without_batch_norm_pieces_make_the_gradient_of_the_batch() {
        // A batch norm that is frozen works as in evaluation, on one picture at a time.
        let freeze = vec!["*norm*".to_owned()];
        let base = Recipe { freeze, label_smoothing: 0.1, ..recipe() };
        let base = Recipe { class_weights: Some(ClassWeights::Balanced), ..base };
        let whole = computed(&base);
        for micro_batch in [2, 3, 7] {
            let parts = computed(&Recipe { micro_batch: Some(micro_batch), ..base.clone() });
            assert!(gap(&whole, &parts) < 1e-5, "{micro_batch}: {}", gap(&whole, &parts));
            assert!((&whole.loss - &parts.loss).abs().double_value(&[]) < 1e-6);
            assert_eq!(whole.right, parts.right);
        }
        let (whole, parts) = (recipe(), Recipe { micro_batch: Some(4), ..recipe() });
        let gap = gap(&computed(&whole), &computed(&parts));
        assert!(gap > 1e-3, "a batch norm sees its piece alone: {gap}");
    }
}
