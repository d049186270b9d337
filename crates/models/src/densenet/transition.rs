//! The transition between two dense blocks: it keeps a share `θ` of the maps and halves their size.

use tch::Tensor;

use super::{CONVS, DenseNetConfig, NormReluConv};
use crate::builder::{Builder, NamedPool};
use crate::error::ModelError;
use crate::pool::{Extent, Pool, Site};
use crate::run::Run;

/// Norm, ReLU, 1×1 convolution, dropout; then a pooling.
#[derive(Debug)]
pub(super) struct Transition {
    conv: NormReluConv,
    pub pool: NamedPool,
}

impl Transition {
    pub fn new(
        builder: &mut Builder,
        name: &str,
        channels: i64,
        shape: &DenseNetConfig,
        pool: Pool,
    ) -> Result<Transition, ModelError> {
        let kept = CONVS.conv1x1(channels, shape.kept(channels));
        let conv = NormReluConv::new(builder, name, "", kept, shape.dropout);
        let name = format!("{name}.pool");
        let site = Site { name: &name, channels: kept.out_channels, extent: Extent::TRANSITION };
        Ok(Transition { conv, pool: builder.pool(pool, site)? })
    }

    /// `[N, C, H, W] -> [N, ⌊θ C⌋, H / 2, W / 2]`.
    pub fn forward(&self, maps: &[Tensor], run: &mut Run) -> Tensor {
        let x = self.conv.forward(maps, run);
        self.pool.forward(&x, run)
    }
}
