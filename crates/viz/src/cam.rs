//! CAM
use crate::VizError;
use catscan_models::Model;
use tch::Tensor;
/// A way to make a class activation map.
pub struct CamRow {
    pub name: &'static str,
    pub about: &'static str,
    pub paper: &'static str,
    pub(crate) combine: fn(activation: &Tensor, gradient: &Tensor) -> Tensor,
}
pub static CAMS: &[CamRow] = &[];
/// The maps of one tap for a whole batch.
#[derive(Debug, Clone, PartialEq)]
pub struct TapMaps {
    pub tap: String,
    pub maps: Vec<Map>,
}
/// One signed map, row by row: positive where the tap speaks for the class, negative against it.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    pub height: u32,
    pub width: u32,
    pub signed: Vec<f32>,
}
impl Map {
    /// ReLU of the map
    pub fn positive(&self) -> Vec<f32> {
        todo!()
    }
    pub fn is_all_zero(&self) -> bool {
        todo!()
    }
    pub fn for_other_class(&self) -> Map {
        todo!()
    }
}
/// Maps at all taps, and what the network said.
#[derive(Debug, Clone, PartialEq)]
pub struct Cams {
    pub method: &'static str,
    pub taps: Vec<TapMaps>,
    pub probabilities: Vec<Vec<f32>>,
}
pub fn explain(_row: &CamRow, _model: &Model, _batch: &Tensor, _classes: &[i64], _taps: &[String]) -> Result<Cams, VizError> {
    todo!()
}
pub fn grad_cam(_model: &Model, _batch: &Tensor, _classes: &[i64], _taps: &[String]) -> Result<Cams, VizError> {
    todo!()
}
