//! Light and camera, over the finished picture: exposure, a colour cast, a shadow to one side,
//! grain. The same for both classes.

use super::dice::Dice;

/// Grain is drawn on this many cells a side, so that a scene has the same grain at every size.
const GRAIN_CELLS: usize = 96;

/// Changes `rgb` `[H, W, 3]` in place.
pub fn shine(rgb: &mut [u8], size_px: u32, dice: &mut Dice) {
    let exposure = dice.range(0.82, 1.18);
    let lift = dice.range(-12.0, 22.0);
    let cast = [dice.range(0.9, 1.1), dice.range(0.93, 1.07), dice.range(0.88, 1.12)];
    // How much the light changes from the middle to the edges, along x and along y.
    let (slope_x, slope_y) = (dice.range(-0.35, 0.35), dice.range(-0.35, 0.35));
    let grey = if dice.chance(0.1) { 1.0 } else { dice.range(0.0, 0.3) };
    let strength = dice.range(3.0, 16.0);
    let grain: Vec<f32> =
        (0..GRAIN_CELLS * GRAIN_CELLS).map(|_| strength * (dice.unit() - 0.5)).collect();
    let size = size_px as usize;
    let unit = |pixel: usize| (pixel as f32 + 0.5) / size as f32;
    for (y, row) in rgb.chunks_exact_mut(3 * size).enumerate() {
        let v = unit(y);
        let cell_row = (v * GRAIN_CELLS as f32) as usize * GRAIN_CELLS;
        for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
            let u = unit(x);
            let gain = exposure * (1.0 + slope_x * (u - 0.5) + slope_y * (v - 0.5));
            let speck = grain[cell_row + (u * GRAIN_CELLS as f32) as usize];
            let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(f32::from);
            let luma = 0.299 * r + 0.587 * g + 0.114 * b;
            for (channel, value) in [r, g, b].into_iter().enumerate() {
                let value = value + (luma - value) * grey;
                let lit = value * gain * cast[channel] + lift + speck;
                // A cast saturates: below 0 is 0, above 255 is 255.
                pixel[channel] = (lit + 0.5) as u8;
            }
        }
    }
}
