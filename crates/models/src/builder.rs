//! The builder: hands a network its parameters one by one, and so writes down their order, their
//! names and the taps the network will show.

use catscan_torch_ext::norm_relu;
use tch::{Device, Kind, Tensor};

use crate::config::{Memory, ModelConfig};
use crate::convention::Convention;
use crate::error::ModelError;
use crate::init::{Values, initial};
use crate::pool::{Extent, Pool, PoolLayer, Site};
use crate::run::Run;
use crate::size::Size;
use crate::weights::{Role, Weight};

/// What makes the activation of a tap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TapKind {
    Conv,
    Norm,
    Relu,
    Pool,
    Block,
    Linear,
}

/// Collects the tensors and taps of a network under construction.
#[derive(Debug)]
pub struct Builder {
    model: String,
    tensors: Tensors,
    device: Device,
    convention: Convention,
    memory: Memory,
    size: Size,
    weights: Vec<Weight>,
    taps: Vec<(String, TapKind)>,
}

/// What a builder hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tensors {
    /// With the initial values of this seed.
    Initial { seed: u64 },
    /// With shapes, and whatever values their memory held.
    Unfilled,
    /// Nothing: undefined ones, for a network that is thrown away.
    Counted,
}

/// A pooling layer with its tap's name.
#[derive(Debug)]
pub struct NamedPool {
    pub name: String,
    pub layer: Box<dyn PoolLayer>,
    /// Of its output.
    pub channels: i64,
}

impl NamedPool {
    /// Pools and shows the result.
    pub fn forward(&self, x: &Tensor, run: &mut Run) -> Tensor {
        let y = self.layer.forward(x, run.mode);
        run.taps.show(&self.name, &y);
        y
    }
}

impl Builder {
    /// A builder of nothing yet.
    pub fn new(config: &ModelConfig, seed: u64, device: Device) -> Builder {
        Builder::of(config, Tensors::Initial { seed }, device)
    }

    /// A builder whose tensors have shapes and whatever values their memory held: made at once,
    /// for those who ask for shapes only.
    pub fn without_values(config: &ModelConfig) -> Builder {
        Builder::of(config, Tensors::Unfilled, Device::Cpu)
    }

    /// A builder that only counts: it takes no memory, whatever the network's size.
    pub fn counting(config: &ModelConfig) -> Builder {
        Builder::of(config, Tensors::Counted, Device::Cpu)
    }

    fn of(config: &ModelConfig, tensors: Tensors, device: Device) -> Builder {
        let (convention, memory) = (config.convention, config.memory);
        Builder { tensors, convention, memory, ..Builder::alone(&config.name, device) }
    }

    /// A builder of one layer that no model has, named in errors as `name`.
    pub fn alone(name: &str, device: Device) -> Builder {
        Builder {
            model: name.to_string(),
            tensors: Tensors::Initial { seed: 0 },
            device,
            convention: Convention::Torchvision,
            memory: Memory::Keep,
            size: Size::default(),
            weights: Vec::new(),
            taps: Vec::new(),
        }
    }

    /// Whose habits the layers follow.
    pub fn convention(&self) -> Convention {
        self.convention
    }

    /// What training keeps for backward.
    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// A trainable tensor with its initial values.
    pub fn parameter(&mut self, name: String, dims: &[i64], values: Values) -> Tensor {
        self.add(name, dims, values, Role::Parameter)
    }

    /// A tensor that is saved but not trained.
    pub fn buffer(&mut self, name: String, dims: &[i64], values: Values) -> Tensor {
        self.add(name, dims, values, Role::Buffer)
    }

    /// Says that a forward will show a tap of this name, after all those said before.
    pub fn tap(&mut self, name: &str, kind: TapKind) {
        self.taps.push((name.to_string(), kind));
    }

    /// The pooling layer `pool` at `site`, shown as the site's name.
    ///
    /// # Errors
    /// A pooling that cannot pool over this extent.
    pub fn pool(&mut self, pool: Pool, site: Site) -> Result<NamedPool, ModelError> {
        let row = pool.row();
        let (able, want) = match site.extent {
            Extent::Window { .. } => (row.windows, "a pooling of windows"),
            Extent::Global => (row.global, "a pooling of whole maps"),
        };
        if !able {
            let value = format!("{} at {}", row.name, site.name);
            return Err(ModelError::config(&self.model, "pooling", value, want));
        }
        let layer = (row.build)(self, site);
        self.tap(site.name, TapKind::Pool);
        let channels = layer.out_channels(site.channels);
        Ok(NamedPool { name: site.name.to_string(), layer, channels })
    }

    /// Of all tensors so far.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The tensors in the order they were made, and the taps in forward order.
    pub fn finish(self) -> (Vec<Weight>, Vec<(String, TapKind)>) {
        (self.weights, self.taps)
    }

    fn add(&mut self, name: String, dims: &[i64], values: Values, role: Role) -> Tensor {
        self.size.add(dims, role);
        let tensor = match self.tensors {
            Tensors::Initial { seed } => initial(seed, &name, dims, values, self.convention),
            Tensors::Unfilled => Tensor::empty(dims, (Kind::Float, Device::Cpu)),
            Tensors::Counted => return Tensor::new(),
        };
        // As convolutions of channels_last maps want their weights: else they copy them each time.
        let tensor = if dims.len() == 4 { norm_relu::packed(&tensor) } else { tensor };
        // Not a view of what it was made from: a folded convolution asks who else holds its memory.
        let tensor = tensor.copy();
        let tensor = tensor.to_device(self.device).set_requires_grad(role == Role::Parameter);
        // The same tensor, not a copy: what is loaded into the weights is what the layer sees.
        let handle = tensor.shallow_clone();
        self.weights.push(Weight { name, role, tensor });
        handle
    }
}
