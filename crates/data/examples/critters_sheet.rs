//! Draws a contact sheet of critters: each picture, and beside it the same with all but the
//! evidence darkened.
//!
//!     cargo run --release -p catscan-data --example critters_sheet -- critters.png [SIZE_PX]
//!     [SEED]

use catscan_data::critters;
use image::{Rgb, RgbImage};

const COLUMNS: u32 = 4;
const ROWS: u32 = 6;
/// Between two pictures, white.
const GAP_PX: u32 = 4;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("where to? critters_sheet PATH.png [SIZE_PX] [SEED]")?;
    let size_px: u32 = arguments.next().map_or(Ok(128), |text| text.parse())?;
    let seed: u64 = arguments.next().map_or(Ok(0), |text| text.parse())?;
    let (wide, high) = (2 * size_px + GAP_PX, size_px + GAP_PX);
    let white = Rgb([255, 255, 255]);
    let mut sheet = RgbImage::from_pixel(COLUMNS * wide, ROWS * high, white);
    for index in 0..COLUMNS * ROWS {
        let critter = critters::draw(seed, u64::from(index), size_px);
        let (left, top) = (index % COLUMNS * wide, index / COLUMNS * high);
        for (at, pixel) in critter.rgb.chunks_exact(3).enumerate() {
            let (x, y) = (left + at as u32 % size_px, top + at as u32 / size_px);
            let shown = [pixel[0], pixel[1], pixel[2]];
            let dark = if critter.evidence[at] > 0 { shown } else { shown.map(|value| value / 4) };
            sheet.put_pixel(x, y, Rgb(shown));
            sheet.put_pixel(x + size_px, y, Rgb(dark));
        }
    }
    sheet.save(&path)?;
    println!("{path}: {} pictures, {size_px} px, seed {seed}", COLUMNS * ROWS);
    Ok(())
}
