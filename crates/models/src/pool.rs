//! Pooling as a value: POOLS is the table of poolings, one file each below this one.
//!
//! A row builds the layer for a site: a window (stem, transitions) or the whole map (head). Adding
//! a pooling is one file, one variant and one row here, and its card in `docs/layers/`.

use std::fmt::Debug;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::builder::Builder;
use crate::error::ModelError;
use crate::mode::Mode;
use crate::nearest::nearest;

pub mod average;
pub mod max;

/// A pooling by name, as a recipe says it: `"avg"`, `"max"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// [`average`]
    Avg,
    /// [`max`]
    Max,
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
}

impl FromStr for Pool {
    type Err = ModelError;

    /// The pooling called `name`, or an error with the nearest name.
    fn from_str(name: &str) -> Result<Pool, ModelError> {
        POOLS.iter().find(|row| row.name == name).map(|row| row.pool).ok_or_else(|| {
            let nearest = nearest(name, POOLS.iter().map(|row| row.name));
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
}

/// Where a pooling layer is built: what it is given besides its own rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site<'a> {
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
