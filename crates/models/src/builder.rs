//! The builder: hands a network its parameters one by one, and so writes down their order, their
//! names and the taps the network will show.

use tch::{Device, Tensor};

use crate::config::{Convention, Mode, ModelConfig};
use crate::init::{Values, initial};
use crate::pool::{Extent, Pool, PoolLayer};
use crate::taps::Taps;
use crate::weights::{Role, Weight};

/// What makes the activation of a tap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TapKind {
    Conv,
    Norm,
    Pool,
    Block,
    Linear,
}

/// Collects the tensors and taps of a network under construction.
#[derive(Debug)]
pub struct Builder {
    seed: u64,
    device: Device,
    convention: Convention,
    weights: Vec<Weight>,
    taps: Vec<(String, TapKind)>,
}

/// A pooling layer with its tap's name.
#[derive(Debug)]
pub struct NamedPool {
    pub name: String,
    pub layer: Box<dyn PoolLayer>,
}

impl NamedPool {
    /// Pools and shows the result.
    pub fn forward(&self, x: &Tensor, mode: Mode, taps: &mut Taps) -> Tensor {
        let y = self.layer.forward(x, mode);
        taps.show(&self.name, &y);
        y
    }
}

impl Builder {
    /// A builder of nothing yet.
    pub fn new(config: &ModelConfig, seed: u64, device: Device) -> Builder {
        let convention = config.convention;
        Builder { seed, device, convention, weights: Vec::new(), taps: Vec::new() }
    }

    /// Whose habits the layers follow.
    pub fn convention(&self) -> Convention {
        self.convention
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

    /// The pooling layer `pool` over `extent`, shown as `name`.
    pub fn pool(&mut self, name: String, pool: Pool, extent: Extent) -> NamedPool {
        self.tap(&name, TapKind::Pool);
        NamedPool { name, layer: (pool.row().build)(extent) }
    }

    /// The tensors in the order they were made, and the taps in forward order.
    pub fn finish(self) -> (Vec<Weight>, Vec<(String, TapKind)>) {
        (self.weights, self.taps)
    }

    fn add(&mut self, name: String, dims: &[i64], values: Values, role: Role) -> Tensor {
        let tensor = initial(self.seed, &name, dims, values, self.convention)
            .to_device(self.device)
            .set_requires_grad(role == Role::Parameter);
        // The same tensor, not a copy: what is loaded into the weights is what the layer sees.
        let handle = tensor.shallow_clone();
        self.weights.push(Weight { name, role, tensor });
        handle
    }
}
