//! Feature maps
use crate::VizError;
use catscan_models::Model;
use image::RgbImage;
use tch::Tensor;
/// How the grid is laid out.
#[derive(Debug, Clone, PartialEq)]
pub struct GridLayout {
    pub columns: u32,
    pub tile_px: u32,
    /// Which channel of each convolution is drawn (the study drew one; where there are fewer, the last).
    pub channel: i64,
}
impl GridLayout {
    /// The study's figure: 15 wide, 8 high for DenseNet-121's 120 convolutions, channel 0.
    pub fn study() -> GridLayout {
        GridLayout { columns: 15, tile_px: 96, channel: 0 }
    }
}
/// One tile's place in the network and its scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Tile {
    pub number: u32,
    pub tap: String,
    pub channel: i64,
    pub channels: i64,
    pub height: u32,
    pub width: u32,
    pub min: f32,
    pub max: f32,
}
/// The grid and what to say under it.
#[derive(Debug, Clone)]
pub struct FeatureGrid {
    pub image: RgbImage,
    pub tiles: Vec<Tile>,
    pub caption: String,
}
pub fn grid(_model: &Model, _picture: &Tensor, _layout: &GridLayout) -> Result<FeatureGrid, VizError> {
    todo!()
}
