//! Depth strips
use crate::{VizError, cam::Map};
use image::RgbImage;
/// What full heat means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleRule {
    /// Each map by its own largest value.
    EachMap,
    /// One largest value per tap for all pictures and all arms.
    EachTap,
}
/// One picture and its maps, in the order of the columns.
#[derive(Debug, Clone)]
pub struct StripRow {
    /// Such as "right cat", then "P(cat) 0.93".
    pub label: Vec<String>,
    pub picture: RgbImage,
    pub maps: Vec<Map>,
}
/// One arm's rows.
#[derive(Debug, Clone)]
pub struct StripArm {
    pub name: String,
    pub rows: Vec<StripRow>,
}
pub fn strip(_arms: &[StripArm], _taps: &[String], _rule: ScaleRule) -> Result<RgbImage, VizError> {
    todo!()
}
