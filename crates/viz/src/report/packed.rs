//! A picture packed into bytes that a page can hold.

use crate::VizError;
use base64::Engine;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use serde::{Serialize, Serializer, ser::SerializeStruct};

/// JPEG quality, of 100: no ringing to be seen around labels, a fifth of a PNG's bytes.
const QUALITY: u8 = 85;

/// A PNG or JPEG made by this crate.
#[derive(Debug, Clone, PartialEq)]
pub struct Packed {
    mime: &'static str,
    bytes: Vec<u8>,
    width: u32,
    height: u32,
}

impl Packed {
    /// Without loss: for drawings, text and feature maps.
    ///
    /// # Errors
    /// When the encoder fails, as for a picture without pixels.
    pub fn png(image: &RgbImage) -> Result<Packed, VizError> {
        Packed::png_by(CompressionType::Best, image)
    }

    /// The same, packed in a fraction of the time into a few more bytes: for files of their own.
    ///
    /// # Errors
    /// When the encoder fails, as for a picture without pixels.
    pub fn png_quickly(image: &RgbImage) -> Result<Packed, VizError> {
        Packed::png_by(CompressionType::Default, image)
    }

    fn png_by(compression: CompressionType, image: &RgbImage) -> Result<Packed, VizError> {
        let mut bytes = Vec::new();
        let encoder = PngEncoder::new_with_quality(&mut bytes, compression, FilterType::Adaptive);
        write(encoder, image)?;
        Ok(Packed::new("image/png", bytes, image))
    }

    /// Small: for photographs and strips of them.
    ///
    /// # Errors
    /// When the encoder fails, as for a picture without pixels.
    pub fn jpeg(image: &RgbImage) -> Result<Packed, VizError> {
        let mut bytes = Vec::new();
        write(JpegEncoder::new_with_quality(&mut bytes, QUALITY), image)?;
        Ok(Packed::new("image/jpeg", bytes, image))
    }

    fn new(mime: &'static str, bytes: Vec<u8>, image: &RgbImage) -> Packed {
        let (width, height) = image.dimensions();
        Packed { mime, bytes, width, height }
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `png` or `jpg`, for a file's name.
    pub fn extension(&self) -> &'static str {
        match self.mime {
            "image/png" => "png",
            _ => "jpg",
        }
    }
}

fn write(encoder: impl ImageEncoder, image: &RgbImage) -> Result<(), VizError> {
    let (width, height) = image.dimensions();
    encoder.write_image(image.as_raw(), width, height, ExtendedColorType::Rgb8)?;
    Ok(())
}

impl Serialize for Packed {
    /// What the template prints: `uri` (base64, harmless in an attribute), `width`, `height`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let code = base64::engine::general_purpose::STANDARD.encode(&self.bytes);
        let mut fields = serializer.serialize_struct("Packed", 3)?;
        fields.serialize_field("uri", &format!("data:{};base64,{code}", self.mime))?;
        fields.serialize_field("width", &self.width)?;
        fields.serialize_field("height", &self.height)?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_open_again() {
        let image = RgbImage::from_pixel(9, 5, image::Rgb([10, 200, 30]));
        for packed in [Packed::png(&image).unwrap(), Packed::jpeg(&image).unwrap()] {
            let back = image::load_from_memory(packed.bytes()).unwrap().to_rgb8();
            assert_eq!(back.dimensions(), (9, 5), "{}", packed.extension());
            assert!(back.get_pixel(4, 2)[1] > 190);
        }
        assert!(Packed::jpeg(&RgbImage::new(0, 0)).is_err());
    }
}
