//! Training curves.
use crate::{Svg, VizError};
/// One epoch of one run; accuracies are fractions of 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochPoint {
    pub epoch: u32,
    pub train_loss: f64,
    pub train_accuracy: f64,
    pub val_loss: f64,
    pub val_accuracy: f64,
}
/// An arm's runs: one series per seed.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmCurves {
    pub name: String,
    pub seeds: Vec<Vec<EpochPoint>>,
}
pub fn curves(_title: &str, _arms: &[ArmCurves]) -> Result<Svg, VizError> {
    todo!()
}
