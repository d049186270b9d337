//! The affine of a batch on the CPU, from bytes to normalised floats in one walk.
//!
//! What [`Augment::apply`](super::Augment::apply) does with tensors (a conversion, a division, a
//! grid of coordinates, `grid_sampler`, a copy back to channels_last) reads and writes each picture
//! some ten times. Here its values are laid out once, four floats a pixel with zeros around, and
//! each pixel of the result is computed from the four around its place; the tensors' way stays for
//! GPUs, for the other fills, and as what the tests hold this against.
//!
//! Coordinates and weights are 32-bit floats as `grid_sampler`'s, the order of additions is
//! another: places differ by some 1e-5 of a pixel.

use rayon::prelude::*;

use super::{Affine, Fill};
use crate::config::{DataConfig, Normalize};

/// Whether this walk knows how to fill.
pub(crate) fn knows(fill: Fill) -> bool {
    matches!(fill, Fill::Edge | Fill::Zero)
}

/// `[N, H, W, C]` bytes, each picture through its own affine, bilinear: `[N, H, W, C]` on the scale
/// 0..1, normalised if the recipe says so. [`Fill::Zero`] is zero behind the normalisation.
pub(crate) fn warp(pixels: &[u8], config: &DataConfig, affines: &[Affine], fill: Fill) -> Vec<f32> {
    assert!(knows(fill), "warp: {fill:?}");
    let (side, channels) = (config.size_px as usize, config.colour.channels());
    let picture = side * side * channels;
    let (bytes, n) = (pixels.len(), affines.len());
    assert_eq!(bytes, n * picture, "warp: {bytes} bytes for {n} pictures of {picture}");
    let scale = Scale::of(config.normalize.as_ref());
    let one = |((from, to), affine): ((&[u8], &mut [f32]), &Affine)| match channels {
        3 => warp_one::<3>(from, to, side, affine, fill, &scale),
        _ => warp_one::<1>(from, to, side, affine, fill, &scale),
    };
    let mut out = vec![0.0; bytes];
    let rows = pixels.par_chunks_exact(picture).zip(out.par_chunks_exact_mut(picture));
    rows.zip(affines).for_each(one);
    out
}

/// value = byte · factor + offset, by channel: the division by 255 and the normalisation.
struct Scale {
    factor: [f32; 4],
    offset: [f32; 4],
}

impl Scale {
    fn of(normalize: Option<&Normalize>) -> Scale {
        let mut scale = Scale { factor: [1.0 / 255.0; 4], offset: [0.0; 4] };
        if let Some(Normalize { mean, std }) = normalize {
            for (c, (mean, std)) in mean.iter().zip(std).enumerate() {
                scale.factor[c] = 1.0 / (255.0 * std);
                scale.offset[c] = -mean / std;
            }
        }
        scale
    }
}

fn warp_one<const C: usize>(
    from: &[u8],
    to: &mut [f32],
    side: usize,
    &Affine([a, b, shift_x, c, d, shift_y]): &Affine,
    fill: Fill,
    scale: &Scale,
) {
    let (table, wide) = (table::<C>(from, side, scale), side + BORDER);
    let (centre, last) = ((side as f32 - 1.0) / 2.0, side as f32 - 1.0);
    // A place beyond is moved to the edge's centres, or to the zeros around them.
    let (low, high) = if fill == Fill::Edge { (0.0, last) } else { (-1.0, last + 1.0) };
    let mut places = vec![(0u32, 0f32, 0f32); side];
    for (row, line) in to.chunks_exact_mut(side * C).enumerate() {
        let y = row as f32 - centre;
        let (start_x, start_y) = (b * y + shift_x + centre, d * y + shift_y + centre);
        for (column, place) in places.iter_mut().enumerate() {
            let x = column as i32 as f32 - centre;
            // The table begins one pixel before the picture.
            let (x, y) = (a * x + start_x, c * x + start_y);
            let (x, y) = (x.max(low).min(high) + 1.0, y.max(low).min(high) + 1.0);
            let (left, top) = (x as i32, y as i32);
            *place = ((top * wide as i32 + left) as u32, x - left as f32, y - top as f32);
        }
        for (pixel, &(at, right, down)) in line.chunks_exact_mut(C).zip(&places) {
            let at = at as usize;
            let [one, two]: &[[f32; 4]; 2] = table[at..at + 2].try_into().expect("two pixels");
            let below = at + wide;
            let [three, four]: &[[f32; 4]; 2] =
                table[below..below + 2].try_into().expect("two pixels");
            let value: [f32; 4] = std::array::from_fn(|k| {
                let upper = one[k] + right * (two[k] - one[k]);
                let lower = three[k] + right * (four[k] - three[k]);
                upper + down * (lower - upper)
            });
            pixel.copy_from_slice(&value[..C]);
        }
    }
}

/// What a row and a column of the table are longer than the picture's: one pixel before, and two
/// after, as the last place that is asked for has a neighbour (of weight zero).
const BORDER: usize = 3;

/// The picture's values as four floats a pixel, however many are used, with zeros around.
fn table<const C: usize>(from: &[u8], side: usize, scale: &Scale) -> Vec<[f32; 4]> {
    let wide = side + BORDER;
    let mut table = vec![[0.0; 4]; wide * wide];
    for (row, line) in from.chunks_exact(side * C).enumerate() {
        let to = &mut table[(row + 1) * wide + 1..][..side];
        for (pixel, to) in line.chunks_exact(C).zip(to) {
            for k in 0..C {
                to[k] = f32::from(pixel[k]) * scale.factor[k] + scale.offset[k];
            }
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use tch::{Device, Tensor};

    use super::*;
    use crate::augment::Augment;
    use crate::batch::to_tensor;
    use crate::colour::Colour;
    use crate::config::tests::config;

    #[test]
    fn one_walk_gives_what_the_tensors_give() {
        let augment = Augment {
            rotation_deg: 180.0,
            shear: crate::Shear::Degrees(30.0),
            zoom: 0.5,
            horizontal_flip: true,
            shift_px: 9,
            width_shift_px: 3.3,
            ..Augment::none()
        };
        let normalize = |channels| {
            let (mean, std) = (vec![0.4, 0.5, 0.6], vec![0.25, 0.3, 2.0]);
            Some(Normalize { mean: mean[..channels].into(), std: std[..channels].into() })
        };
        for (side, colour) in
            [2, 9, 64].into_iter().flat_map(|s| [(s, Colour::Rgb), (s, Colour::Grey)])
        {
            let channels = colour.channels();
            let n = 12;
            let bytes = n * (side * side) as usize * channels;
            let pixels: Vec<u8> = (0..bytes).map(|i| (i * 7919 % 256) as u8).collect();
            let affines: Vec<Affine> = (0..n as u64).map(|i| augment.draw(3, 1, i)).collect();
            for (fill, normalize) in [Fill::Edge, Fill::Zero]
                .into_iter()
                .flat_map(|f| [(f, None), (f, normalize(channels))])
            {
                let config = crate::DataConfig { size_px: side, colour, normalize, ..config() };
                let want =
                    Augment::apply(&to_tensor(&pixels, &config, Device::Cpu), &affines, fill);
                let got = Tensor::from_slice(&warp(&pixels, &config, &affines, fill));
                let (s, c) = (i64::from(side), channels as i64);
                let got = got.view([n as i64, s, s, c]).permute([0, 3, 1, 2]);
                // Neighbours differ by the whole range, 4 once normalised, places by 1e-5 pixels.
                let gap = (got - want).abs().max().double_value(&[]);
                assert!(gap < 5e-4, "{side} px, {colour:?}, {fill:?}: off by {gap}");
            }
        }
    }

    #[test]
    fn a_still_picture_comes_back_whatever_comes_in() {
        let config = crate::DataConfig { size_px: 5, ..config() };
        let pixels: Vec<u8> = (0..75).map(|i| i * 3).collect();
        for fill in [Fill::Edge, Fill::Zero] {
            let out = warp(&pixels, &config, &[Affine::IDENTITY], fill);
            let worst = out.iter().zip(&pixels).map(|(v, b)| (v * 255.0 - f32::from(*b)).abs());
            assert!(worst.fold(0.0, f32::max) < 1e-4);
        }
    }
}
