//! The public entrance: build a model from its configuration, check what is given to it, run it.

use std::fmt::Debug;

use catscan_torch_ext::gradient::is_recorded;
use catscan_torch_ext::norm_relu;
use tch::{Device, Tensor};

use crate::builder::{Builder, TapKind};
use crate::config::ModelConfig;
use crate::error::ModelError;
use crate::mode::Mode;
use crate::nearest::nearest_is;
use crate::run::Run;
use crate::size;
use crate::sound::Sound;
use crate::table::ModelRow;
use crate::taps::Taps;
use crate::weights::file::WeightsFile;
use crate::weights::{Head, Weights, fill};

/// A network with its weights.
#[derive(Debug)]
pub struct Model {
    config: ModelConfig,
    network: Box<dyn Network>,
    weights: Weights,
    sound: Sound,
    taps: Vec<(String, TapKind)>,
}

/// What a family of networks must offer to be a model.
pub(crate) trait Network: Debug + Send {
    /// `[N, C, H, W] -> [N, K]`, both 32-bit; the input has been checked.
    fn forward(&self, x: &Tensor, run: &mut Run) -> Tensor;

    /// Height (or width) of the last map for this height (or width) of the picture, below 1 if the
    /// picture is too small.
    fn last_map_size(&self, picture_px: i64) -> i64;

    /// The only height and width its pictures can have, for a network that flattens its last map.
    fn only_px(&self) -> Option<i64> {
        None
    }

    /// The taps worth a class activation map, from the stem to the head.
    fn block_names(&self) -> Vec<String>;
}

impl Model {
    /// Builds a model. Every initial tensor is a pure function of (seed, parameter name), so models
    /// of one seed share initial weights wherever name and shape agree.
    ///
    /// # Errors
    /// An unknown name, or numbers no model can have.
    pub fn build(config: &ModelConfig, seed: u64, device: Device) -> Result<Model, ModelError> {
        Model::assemble(config, Builder::new(config, seed, device))
    }

    /// A model whose tensors have shapes and no values, to be asked for shapes only.
    pub(crate) fn without_values(config: &ModelConfig) -> Result<Model, ModelError> {
        Model::assemble(config, Builder::without_values(config))
    }

    fn assemble(config: &ModelConfig, mut builder: Builder) -> Result<Model, ModelError> {
        let row = ModelRow::find(&config.name)?;
        let shape = row.shape_of(config)?;
        size::check(shape, config)?;
        let network = shape.network(config, &mut builder)?;
        let (entries, taps) = builder.finish();
        let text = serde_json::to_string(config).expect("a configuration is plain data");
        let weights = Weights::new(entries, &config.name, text);
        let sound = Sound::default();
        Ok(Model { config: config.clone(), network, weights, sound, taps })
    }

    /// `[N, C, H, W] -> [N, K]`: 32-bit pictures to 32-bit logits. On the CPU it computes in
    /// channels_last, into which pictures of other strides are copied; elsewhere in the picture's
    /// strides. `taps` is emptied first.
    ///
    /// # Panics
    /// With [`Model::check_input`]'s message, before the first operation.
    pub fn forward(&self, x: &Tensor, mode: Mode, taps: &mut Taps) -> Tensor {
        if let Err(error) = self.check_input(&x.size(), mode) {
            panic!("{error}");
        }
        taps.clear();
        let mut run = Run::new(mode, taps);
        if is_recorded() {
            self.sound.clear();
        } else if x.device() == Device::Cpu && !self.sound.is(&self.weights) {
            run.go_apart();
        }
        match x.device() {
            Device::Cpu => self.network.forward(&norm_relu::packed(x), &mut run),
            _ => self.network.forward(x, &mut run),
        }
    }

    /// The same for a batch of no pictures, `[0, C, H, W] -> [0, K]`: nothing is computed, and the
    /// taps show every shape.
    pub(crate) fn forward_shapes(&self, x: &Tensor, taps: &mut Taps) -> Tensor {
        self.network.forward(x, &mut Run::new(Mode::Eval, taps))
    }

    /// Whether a batch of this shape `[N, C, H, W]` can be forwarded, with both numbers if not.
    pub fn check_input(&self, shape: &[i64], mode: Mode) -> Result<(), ModelError> {
        let model = self.config.name.clone();
        let channels = self.config.in_channels;
        let &[pictures, got_channels, height, width] = shape else {
            let hint = "give a batch of pictures";
            return Err(ModelError::InputShape { model, got: shape.to_vec(), channels, hint });
        };
        if got_channels != channels || pictures < 1 {
            let hint = "convert the pictures or set in_channels in the recipe";
            return Err(ModelError::InputShape { model, got: shape.to_vec(), channels, hint });
        }
        if let Some(want) = self.network.only_px().filter(|&px| [height, width] != [px; 2]) {
            return Err(ModelError::OnlySize { model, height, width, want });
        }
        let smallest = self.smallest_px();
        if height.min(width) < smallest {
            return Err(ModelError::InputSize { model, height, width, smallest });
        }
        let map = |size| self.network.last_map_size(size);
        let values = pictures * map(height) * map(width);
        if mode.is_train() && values < 2 {
            return Err(ModelError::TooFewValues { model, pictures, height, width, values });
        }
        Ok(())
    }

    /// The smallest legal height and width of a picture; the only one of some networks.
    pub fn smallest_px(&self) -> i64 {
        let only = self.network.only_px();
        only.into_iter()
            .chain(1..)
            .find(|&size| self.network.last_map_size(size) >= 1)
            .expect("some size is large enough")
    }

    /// What it was built from.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Its tensors by name.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Fills the weights from a file to start a training with. Returns the names of the tensors
    /// that keep their random start: the head's, if it is replaced.
    ///
    /// # Errors
    /// As [`Weights::load`], the head apart if it is replaced; no tensor has changed then.
    pub fn start_from(&self, file: &WeightsFile, head: Head) -> Result<Vec<String>, ModelError> {
        fill::start(&self.weights, file, self.head_name(), head == Head::Keep)
    }

    /// The classifier: the last linear layer.
    pub fn head_name(&self) -> &str {
        let mut linear = self.taps.iter().rev().filter(|(_, kind)| *kind == TapKind::Linear);
        &linear.next().expect("every network ends in a linear layer").0
    }

    /// The names of all taps, in forward order.
    pub fn tap_names(&self) -> Vec<String> {
        self.taps.iter().map(|(name, _)| name.clone()).collect()
    }

    /// All taps with what makes them, in forward order.
    pub(crate) fn tap_kinds(&self) -> &[(String, TapKind)] {
        &self.taps
    }

    /// The names of the convolutions' taps, in forward order.
    pub fn conv_names(&self) -> Vec<String> {
        let convs = self.taps.iter().filter(|(_, kind)| *kind == TapKind::Conv);
        convs.map(|(name, _)| name.clone()).collect()
    }

    /// The taps worth a class activation map, from the stem to the head.
    pub fn block_names(&self) -> Vec<String> {
        self.network.block_names()
    }

    /// Taps that keep these names.
    ///
    /// # Errors
    /// A name this model does not show, with the nearest one it does.
    pub fn taps<S: AsRef<str>>(&self, names: &[S]) -> Result<Taps, ModelError> {
        let known = || self.taps.iter().map(|(name, _)| name.as_str());
        for name in names.iter().map(AsRef::as_ref) {
            if !known().any(|tap| tap == name) {
                let (model, nearest) = (self.config.name.clone(), nearest_is(name, known()));
                return Err(ModelError::UnknownTap { model, name: name.to_string(), nearest });
            }
        }
        Ok(Taps::only(names.iter().map(AsRef::as_ref)))
    }
}
