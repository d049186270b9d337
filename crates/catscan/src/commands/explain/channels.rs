//! `--channels TAP`: all channels of one layer, in the order and the colours asked for.

use anyhow::Result;
use catscan_viz::colormap::Colormap;
use catscan_viz::feature_maps::{ChannelLayout, ChannelScale, Order};
use clap::ValueEnum;

use crate::names;
use crate::weights::Trained;

/// Channels in a row, of all networks together.
const COLUMNS: u32 = 16;

#[derive(Debug, clap::Args)]
pub struct ChannelArgs {
    /// Also draw all channels of this tap, strongest first
    #[arg(long, value_name = "TAP")]
    channels: Option<String>,
    /// In which order channels stand
    #[arg(long, value_enum, default_value_t = Sort::Activation, requires = "channels")]
    sort: Sort,
    /// What the ends of the colours mean: each channel's own range, or its row's
    #[arg(long, value_enum, default_value_t = Scale::Own, requires = "channels")]
    scale: Scale,
    /// Of the channels: viridis, plasma, inferno, magma, cividis, turbo or grey
    #[arg(long, value_name = "NAME", default_value = "viridis", requires = "channels")]
    colormap: String,
    /// Draw the first N channels only
    #[arg(long, value_name = "N", requires = "channels")]
    most: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// By mean activation, largest first
    Activation,
    /// By weight for the class, largest first
    Weight,
    /// As the layer numbers them
    Number,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scale {
    Own,
    Row,
}

impl ChannelArgs {
    /// Refuses a tap or a colormap that is not there, before anything is drawn.
    ///
    /// # Errors
    /// With the nearest name.
    pub fn check(&self, trained: &Trained) -> Result<()> {
        if let Some(tap) = &self.channels {
            trained.model.taps(&[tap])?;
        }
        self.colours().map(|_| ())
    }

    fn colours(&self) -> Result<Colormap> {
        let known = Colormap::ALL.map(|(name, _)| name);
        let name = names::find("colormap", &self.colormap, &known)?;
        let found = Colormap::ALL.iter().find(|(known, _)| *known == name);
        Ok(found.expect("just found").1)
    }

    /// The tap whose channels are drawn, where one was asked for.
    pub fn tap(&self) -> Option<&str> {
        self.channels.as_deref()
    }

    /// The same, where its channels stand by their weight for the class.
    pub fn weighed(&self) -> Option<&str> {
        self.tap().filter(|_| self.sort == Sort::Weight)
    }

    /// How the channels are laid out for one of so many networks, which stand side by side.
    ///
    /// # Errors
    /// No such colormap.
    pub fn layout(&self, networks: usize, class: usize) -> Result<ChannelLayout> {
        Ok(ChannelLayout {
            columns: (COLUMNS / networks.max(1) as u32).max(4),
            tile_px: 72,
            order: match self.sort {
                Sort::Activation => Order::Activation,
                Sort::Weight => Order::Weight { class: class as i64 },
                Sort::Number => Order::Number,
            },
            scale: match self.scale {
                Scale::Own => ChannelScale::Own,
                Scale::Row => ChannelScale::Row,
            },
            colormap: self.colours()?,
            most: self.most.unwrap_or(usize::MAX),
        })
    }
}
