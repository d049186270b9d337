//! One point per seed.
use crate::{Svg, VizError};
/// An arm's score for each seed, with the mean's interval where there is one.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmScores {
    pub name: String,
    /// One value per seed.
    pub values: Vec<f64>,
    /// The mean's 95 % interval, low to high.
    pub interval: Option<(f64, f64)>,
}
pub fn seed_points(_title: &str, _axis: &str, _arms: &[ArmScores]) -> Result<Svg, VizError> {
    todo!()
}
