//! Figures of several arms as one picture, each under its arm's name.

use super::GAP;
use crate::raster::{self, Size, TEXT};
use image::RgbImage;

/// Room between two figures.
const BETWEEN: u32 = 18;
/// Height of a name.
const NAME: u32 = 26;

/// Side by side: for figures of one tap, so that the eye goes from arm to arm.
pub fn beside(figures: &[(&str, &RgbImage)]) -> RgbImage {
    let width: u32 = figures.iter().map(|(_, image)| image.width() + BETWEEN).sum();
    let height = figures.iter().map(|(_, image)| image.height()).max().unwrap_or(0);
    let mut on = raster::canvas(width.saturating_sub(BETWEEN).max(1), height + NAME);
    let mut x = 0;
    for (name, image) in figures {
        place(&mut on, (x, 0), name, image);
        x += image.width() + BETWEEN;
    }
    on
}

/// One under the other: for figures that are as wide as a page.
pub fn below(figures: &[(&str, &RgbImage)]) -> RgbImage {
    let height: u32 = figures.iter().map(|(_, image)| image.height() + NAME + BETWEEN).sum();
    let width = figures.iter().map(|(_, image)| image.width()).max().unwrap_or(0);
    let mut on = raster::canvas(width.max(1), height.saturating_sub(BETWEEN).max(1));
    let mut y = 0;
    for (name, image) in figures {
        place(&mut on, (0, y), name, image);
        y += image.height() + NAME + BETWEEN;
    }
    on
}

fn place(on: &mut RgbImage, (x, y): (u32, u32), name: &str, image: &RgbImage) {
    let name = raster::cut(name, Size::Large.fitting(image.width().saturating_sub(GAP)));
    raster::label(on, x + GAP, y + 4, &name, TEXT, Size::Large);
    image::imageops::replace(on, image, x.into(), (y + NAME).into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_stand_side_by_side_or_one_under_the_other() {
        let [small, tall] =
            [20, 50].map(|height| RgbImage::from_pixel(30, height, image::Rgb([9; 3])));
        let both = [("avg", &small), ("max", &tall)];
        let across = beside(&both);
        assert_eq!(across.dimensions(), (78, 76));
        assert_eq!(across.get_pixel(50, 70).0, [9; 3]);
        let down = below(&both);
        assert_eq!(down.dimensions(), (30, 20 + 50 + 2 * 26 + 18));
        assert_eq!((down.get_pixel(5, 30).0, down.get_pixel(5, 100).0), ([9; 3], [9; 3]));
        assert_ne!(down.get_pixel(5, 50).0, [9; 3], "room between them");
    }
}
