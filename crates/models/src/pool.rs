//! Pooling as a value: POOLS is the table of poolings, one file each below this one.
//!
//! A row builds the layer for a site: a window (stem, transitions) or the whole map (head). Adding
//! a pooling is one file, one variant and one row here, and its card in `docs/layers/`. Most of
//! them are a reduction over the values of a window, which `windows` lays along one axis.

use std::fmt::Debug;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::builder::Builder;
use crate::error::ModelError;
use crate::mode::Mode;
use crate::nearest::nearest_is;
use crate::weights::Weight;

pub mod average;
pub mod average_max;
pub mod blur;
pub mod concat;
pub mod gated;
pub mod gem;
pub mod lp;
pub mod lse;
pub mod max;
pub mod mixed;
pub mod s3;
pub mod soft;
pub mod stochastic;
mod windows;

/// A pooling by name, as a recipe says it: `"avg"`, `"max"`, `"gem"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// [`average`]
    Avg,
    /// [`max`]
    Max,
    /// [`stochastic`]
    Stochastic,
    /// [`mixed`]
    Mixed,
    /// [`gated`]
    Gated,
    /// [`lp`]
    Lp,
    /// [`gem`]
    Gem,
    /// [`soft`]
    Soft,
    /// [`lse`]
    Lse,
    /// [`blur`]
    Blur,
    /// [`s3`]
    S3,
    /// [`average_max`]
    AvgMax,
    /// [`mod@concat`]
    CatAvgMax,
}

/// Every pooling there is.
pub static POOLS: &[PoolRow] = &[
    PoolRow {
        pool: Pool::Avg,
        name: "avg",
        about: "the mean of the window",
        paper: "LeCun et al. 1998, Gradient-Based Learning Applied to Document Recognition, §II.B",
        build: average::build,
        windows: true,
        global: true,
    },
    PoolRow {
        pool: Pool::Max,
        name: "max",
        about: "the largest value of the window",
        paper: "Riesenhuber & Poggio 1999, Hierarchical Models of Object Recognition in Cortex",
        build: max::build,
        windows: true,
        global: true,
    },
    PoolRow {
        pool: Pool::Stochastic,
        name: "stochastic",
        about: "one value drawn in proportion to its size, or the expectation of that",
        paper: "Zeiler & Fergus 2013, Stochastic Pooling for Regularization of Deep CNNs, arXiv:1301.3557",
        build: stochastic::build,
        windows: true,
        global: true,
    },
    PoolRow {
        pool: Pool::Mixed,
        name: "mixed",
        about: "maximum and mean in one learned proportion a layer",
        paper: "Lee et al. 2016, Generalizing Pooling Functions in CNNs, arXiv:1509.08985, §3.1",
        build: mixed::build,
        windows: true,
        global: true,
    },
    PoolRow {
        pool: Pool::Gated,
        name: "gated",
        about: "maximum and mean in a proportion that a learned mask reads off each window",
        paper: "Lee et al. 2016, Generalizing Pooling Functions in CNNs, arXiv:1509.08985, §3.1",
        build: gated::build,
        windows: true,
        global: false,
    },
    PoolRow {
        pool: Pool::Lp,
        name: "lp",
        about: "the root of the mean square of the window",
        paper: "Sermanet et al. 2012, CNNs Applied to House Numbers Digit Classification, arXiv:1204.3968",
        build: lp::build,
        windows: true,
        global: true,
    },
    PoolRow {
        pool: Pool::Gem,
        name: "gem",
        about: "the generalised mean with one learned exponent a layer",
        paper: "Radenović et al. 2018, Fine-tuning CNN Image Retrieval, arXiv:1711.02512",
        build: gem::build,
        windows: true,
        global: true,
    },
    PoolRow {
        pool: Pool::Soft,
        name: "soft",
        about: "the mean weighted by the exponential of each value",
        paper: "Stergiou et al. 2021, Refining Activation Downsampling with SoftPool, arXiv:2101.00440",
        build: soft::build,
        windows: true,
        global: true,
    },
    PoolRow {
        pool: Pool::Lse,
        name: "lse",
        about: "the logarithm of the mean exponential",
        paper: "Pinheiro & Collobert 2015, From Image-level to Pixel-level Labeling, arXiv:1411.6228",
        build: lse::build,
        windows: true,
        global: true,
    },
    PoolRow {
        pool: Pool::Blur,
        name: "blur",
        about: "a dense maximum, then a blur, then every second pixel",
        paper: "Zhang 2019, Making Convolutional Networks Shift-Invariant Again, arXiv:1904.11486",
        build: blur::build,
        windows: true,
        global: false,
    },
    PoolRow {
        pool: Pool::S3,
        name: "s3",
        about: "a dense maximum, then random rows and columns of it, or their mean",
        paper: "Zhai et al. 2017, S3Pool: Pooling with Stochastic Spatial Sampling, arXiv:1611.05138",
        build: s3::build,
        windows: true,
        global: false,
    },
    PoolRow {
        pool: Pool::AvgMax,
        name: "avgmax",
        about: "half the mean and half the maximum",
        paper: "Lee et al. 2016, arXiv:1509.08985, with a fixed proportion; timm's avgmax",
        build: average_max::build,
        windows: true,
        global: true,
    },
    PoolRow {
        pool: Pool::CatAvgMax,
        name: "catavgmax",
        about: "the mean and the maximum side by side: twice the channels",
        paper: "fast.ai's AdaptiveConcatPool2d; timm's catavgmax",
        build: concat::build,
        windows: false,
        global: true,
    },
];

/// A row of [`POOLS`].
#[derive(Debug)]
pub struct PoolRow {
    /// Its value in a configuration.
    pub pool: Pool,
    /// Its name in a recipe and on the command line.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Where it comes from.
    pub paper: &'static str,
    /// Makes the layer for a site.
    pub(crate) build: fn(&mut Builder, Site) -> Box<dyn PoolLayer>,
    /// Whether it can pool windows (stem, transitions).
    pub windows: bool,
    /// Whether it can pool a whole map (head).
    pub global: bool,
}

impl Pool {
    /// This pooling's row of the table.
    pub fn row(self) -> &'static PoolRow {
        POOLS.iter().find(|row| row.pool == self).expect("every pooling has a row (tested)")
    }

    /// The layer alone, outside of any network, and what it learns at its initial values.
    ///
    /// # Errors
    /// A pooling that cannot pool over this extent.
    pub fn layer(self, site: Site, device: Device) -> Result<Alone, ModelError> {
        let mut builder = Builder::alone(site.name, device);
        let layer = builder.pool(self, site)?.layer;
        let (weights, _) = builder.finish();
        Ok((layer, weights))
    }
}

impl FromStr for Pool {
    type Err = ModelError;

    /// The pooling called `name`, or an error with the nearest name.
    fn from_str(name: &str) -> Result<Pool, ModelError> {
        POOLS.iter().find(|row| row.name == name).map(|row| row.pool).ok_or_else(|| {
            let nearest = nearest_is(name, POOLS.iter().map(|row| row.name));
            ModelError::UnknownPool { name: name.to_string(), nearest }
        })
    }
}

/// What a pooling layer pools over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Square windows; a size that does not divide loses its last rows and columns (floor).
    Window {
        /// Height and width of a window.
        size: i64,
        /// Pixels from one window to the next.
        stride: i64,
        /// Pixels added on each side.
        padding: i64,
    },
    /// The whole map.
    Global,
}

impl Extent {
    /// The stem's windows: 3×3, stride 2, padding 1.
    pub const STEM: Extent = Extent::Window { size: 3, stride: 2, padding: 1 };
    /// A transition's windows: 2×2, stride 2.
    pub const TRANSITION: Extent = Extent::Window { size: 2, stride: 2, padding: 0 };

    /// Size, stride and padding, for poolings of windows only.
    fn window(self) -> [i64; 3] {
        match self {
            Extent::Window { size, stride, padding } => [size, stride, padding],
            Extent::Global => unreachable!("its row says windows only, which the builder checks"),
        }
    }
}

/// A pooling layer and what it learns.
pub type Alone = (Box<dyn PoolLayer>, Vec<Weight>);

/// Where a pooling layer is built: what it is given besides its own rule.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// Its module path: of its tap, of its parameters and of what it draws.
    pub name: &'a str,
    /// Channels of the map it pools.
    pub channels: i64,
    /// What it pools over.
    pub extent: Extent,
}

/// A pooling layer at a site.
pub trait PoolLayer: Debug + Send {
    /// Channels of its output for `channels` of its input.
    fn out_channels(&self, channels: i64) -> i64 {
        channels
    }

    /// `[N, C, H, W] -> [N, C, H', W']` for windows, `[N, C, H, W] -> [N, C']` for the
    /// whole map, `C'` as [`PoolLayer::out_channels`] says.
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_name_and_by_its_value() {
        for row in POOLS {
            assert_eq!(row.name.parse::<Pool>().unwrap(), row.pool);
            assert_eq!(row.pool.row().name, row.name);
            assert_eq!(serde_json::to_value(row.pool).unwrap(), row.name);
        }
    }

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        let error = "maxx".parse::<Pool>().unwrap_err();
        assert!(error.to_string().contains("nearest is max"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}
