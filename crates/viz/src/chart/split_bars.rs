//! Split bars.
use crate::{Svg, VizError};
/// How many pictures of each class a part holds.
#[derive(Debug, Clone, PartialEq)]
pub struct PartCounts {
    pub part: String,
    /// One count per class, in the order of the classes.
    pub counts: Vec<u64>,
}
pub fn split_bars(_title: &str, _classes: &[String], _parts: &[PartCounts]) -> Result<Svg, VizError> {
    todo!()
}
