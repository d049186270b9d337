//! Predictions.
use crate::{Svg, VizError};
/// What one test picture was, and what a network said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    pub label: u32,
    /// One probability per class.
    pub probabilities: Vec<f32>,
}
/// An arm's predictions.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmPredictions {
    pub name: String,
    pub pictures: Vec<Prediction>,
}
pub fn prediction_scatter(_title: &str, _classes: &[String], _arms: &[ArmPredictions]) -> Result<Svg, VizError> {
    todo!()
}
