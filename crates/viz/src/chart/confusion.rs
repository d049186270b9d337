//! Confusion matrix.
use crate::{Svg, VizError};
/// counts[true][predicted]
pub fn confusion(_title: &str, _classes: &[String], _counts: &[Vec<u64>]) -> Result<Svg, VizError> {
    todo!()
}
