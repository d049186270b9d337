//! Colour or grey: how many channels the pictures of a set have, and how one becomes the other.
//!
//! Grey is Pillow's `convert("L")`: ITU-R BT.601's weights in fixed point,
//! `L = (19595 R + 38470 G + 7471 B + 32768) >> 16` (Pillow's `src/libImaging/Convert.c`), so 1,000
//! and more colours of a golden agree to the last bit. The weights sum to 65536, so a grey that was
//! stored as colour comes back as it was. Colour from grey repeats the one channel.
//!
//! A picture becomes grey before it is resized, as Keras' `color_mode="grayscale"` does.

use image::RgbImage;
use serde::{Deserialize, Serialize};

/// What a network sees of a picture. Part of every recipe, so it has no `Default`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// Three channels: red, green, blue.
    Rgb,
    /// One channel: luminance.
    Grey,
}

impl Colour {
    /// `C`: 3 or 1.
    pub fn channels(self) -> usize {
        match self {
            Colour::Rgb => 3,
            Colour::Grey => 1,
        }
    }

    /// The recipe's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Colour::Rgb => "rgb",
            Colour::Grey => "grey",
        }
    }
}

/// A decoded picture of any size, in colour or grey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raster {
    width: u32,
    height: u32,
    colour: Colour,
    pixels: Vec<u8>,
}

impl Raster {
    /// `pixels` are `[H, W, C]`.
    ///
    /// # Panics
    /// Where their number does not fit the size.
    pub fn new(width: u32, height: u32, colour: Colour, pixels: Vec<u8>) -> Raster {
        let want = width as usize * height as usize * colour.channels();
        let got = pixels.len();
        assert!(got == want && got > 0, "a {width} x {height} picture of {got} bytes, want {want}");
        Raster { width, height, colour, pixels }
    }

    /// In pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// In pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// What its channels are.
    pub fn colour(&self) -> Colour {
        self.colour
    }

    /// `[H, W, C]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The same, without the size.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    pub(crate) fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// The same picture in colour or grey.
    pub fn into_colour(self, colour: Colour) -> Raster {
        let pixels = match (self.colour, colour) {
            (Colour::Rgb, Colour::Grey) => {
                self.pixels.chunks_exact(3).map(|rgb| luminance([rgb[0], rgb[1], rgb[2]])).collect()
            }
            (Colour::Grey, Colour::Rgb) => self.pixels.iter().flat_map(|&grey| [grey; 3]).collect(),
            _ => self.pixels,
        };
        Raster { colour, pixels, ..self }
    }

    /// As a person sees it: in colour, a grey picture's channel repeated.
    #[expect(clippy::missing_panics_doc, reason = "the constructor counted the bytes")]
    pub fn into_shown(self) -> RgbImage {
        let Raster { width, height, pixels, .. } = self.into_colour(Colour::Rgb);
        RgbImage::from_raw(width, height, pixels).expect("the constructor counted the bytes")
    }
}

impl From<RgbImage> for Raster {
    fn from(image: RgbImage) -> Raster {
        let (width, height) = image.dimensions();
        Raster::new(width, height, Colour::Rgb, image.into_raw())
    }
}

/// Pillow's `L` of a colour.
fn luminance([r, g, b]: [u8; 3]) -> u8 {
    let [r, g, b] = [r, g, b].map(u32::from);
    ((19_595 * r + 38_470 * g + 7_471 * b + 0x8000) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_stays_grey_through_colour() {
        let all: Vec<u8> = (0..=255).collect();
        let grey = Raster::new(16, 16, Colour::Grey, all);
        let colour = grey.clone().into_colour(Colour::Rgb);
        assert_eq!(colour.pixels()[9..15], [3, 3, 3, 4, 4, 4]);
        assert_eq!(colour.into_colour(Colour::Grey), grey);
        assert_eq!(grey.into_shown().get_pixel(5, 1).0, [21; 3]);
    }

    #[test]
    fn pure_colours_have_pillows_weights() {
        // Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0))
        let pillow =
            [([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29), ([255, 255, 255], 255)];
        for (colour, grey) in pillow {
            assert_eq!(luminance(colour), grey, "{colour:?}");
        }
    }

    #[test]
    #[should_panic(expected = "a 2 x 2 picture of 4 bytes, want 12")]
    fn a_picture_has_all_its_bytes() {
        Raster::new(2, 2, Colour::Rgb, vec![0; 4]);
    }
}
