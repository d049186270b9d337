//! Overlay
use crate::cam::Map;
use image::RgbImage;
/// `largest` is the value drawn as full heat.
pub fn overlay(_picture: &RgbImage, _map: &Map, _largest: f32) -> RgbImage {
    todo!()
}
