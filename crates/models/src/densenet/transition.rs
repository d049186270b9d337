//! The transition between two dense blocks: it keeps a share `θ` of the maps and halves their size.

use tch::Tensor;

use super::pointwise;
use crate::builder::{Builder, NamedPool};
use crate::error::ModelError;
use crate::layers::{BatchNorm2d, Conv2d};
use crate::mode::Mode;
use crate::pool::{Extent, Pool, Site};
use crate::taps::Taps;

#[derive(Debug)]
pub(super) struct Transition {
    norm: BatchNorm2d,
    conv: Conv2d,
    pool: NamedPool,
}

impl Transition {
    pub fn new(
        builder: &mut Builder,
        name: &str,
        channels: i64,
        kept: i64,
        pool: Pool,
    ) -> Result<Transition, ModelError> {
        let norm = BatchNorm2d::new(builder, format!("{name}.norm"), channels);
        let conv = Conv2d::new(builder, format!("{name}.conv"), pointwise(channels, kept));
        let name = format!("{name}.pool");
        let site = Site { name: &name, channels: kept, extent: Extent::TRANSITION };
        Ok(Transition { norm, conv, pool: builder.pool(pool, site)? })
    }

    /// `[N, C, H, W] -> [N, ⌊θ C⌋, H / 2, W / 2]`.
    pub fn forward(&self, x: &Tensor, mode: Mode, taps: &mut Taps) -> Tensor {
        let x = self.norm.forward_relu(x, mode, taps);
        let x = self.conv.forward(&x, taps);
        self.pool.forward(&x, mode, taps)
    }
}
