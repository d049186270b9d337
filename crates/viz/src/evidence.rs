//! Evidence
use crate::cam::Map;
/// Fraction of the map's positive mass on the mask; `None` where the map or the mask is all zero.
pub fn share(_map: &Map, _mask: &[u8], _size_px: u32) -> Option<f64> {
    todo!()
}
/// Whether the map's highest point lies on the mask.
pub fn pointing(_map: &Map, _mask: &[u8], _size_px: u32) -> Option<bool> {
    todo!()
}
