//! The affine of a batch on the CPU, from bytes to normalised floats in one walk.
//!
//! What [`Augment::apply`](super::Augment::apply) does with tensors (a conversion, a division, a
//! grid of coordinates, `grid_sampler`, a copy back to channels_last) reads and writes each picture
//! some ten times. Here a pixel of the result is computed from the four bytes around its place at
//! once; the tensors' way stays for GPUs, for the other fills, and as what the tests hold this
//! against.
//!
//! Coordinates and weights are 32-bit floats as `grid_sampler`'s, the order of additions is
//! another: values differ by rounding, at most 1e-5 of the range 0..1.

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
    // A row, a column and a byte more than the picture: a place on the last pixel has neighbours
    // (of weight zero), and a pixel can be read as four bytes.
    let source = Padded::<C>::of(from, side);
    let (centre, last) = ((side as f32 - 1.0) / 2.0, side as f32 - 1.0);
    for (row, line) in to.chunks_exact_mut(side * C).enumerate() {
        let y = row as f32 - centre;
        let (start_x, start_y) = (b * y + shift_x + centre, d * y + shift_y + centre);
        for (column, pixel) in line.chunks_exact_mut(C).enumerate() {
            let x = column as f32 - centre;
            let (x, y) = (a * x + start_x, c * x + start_y);
            let value = match fill {
                Fill::Edge => {
                    let sum = source.sample(x.max(0.0).min(last), y.max(0.0).min(last));
                    each(|k| sum[k] * scale.factor[k] + scale.offset[k])
                }
                _ => {
                    let (sum, inside) = source.sample_inside(x, y);
                    each(|k| sum[k] * scale.factor[k] + inside * scale.offset[k])
                }
            };
            pixel.copy_from_slice(&value[..C]);
        }
    }
}

fn each(value: impl Fn(usize) -> f32) -> [f32; 4] {
    std::array::from_fn(value)
}

struct Padded<const C: usize> {
    bytes: Vec<u8>,
    side: usize,
}

impl<const C: usize> Padded<C> {
    fn of(from: &[u8], side: usize) -> Padded<C> {
        let wide = (side + 1) * C;
        let mut bytes = Vec::with_capacity((side + 1) * wide + 4);
        for row in from.chunks_exact(side * C) {
            bytes.extend_from_slice(row);
            bytes.extend([0; C]);
        }
        bytes.resize((side + 1) * wide + 4, 0);
        Padded { bytes, side }
    }

    /// Four bytes from pixel (column, row) on, of which `C` are its own.
    #[inline(always)]
    fn pixel(&self, column: usize, row: usize) -> [f32; 4] {
        let at = (row * (self.side + 1) + column) * C;
        let bytes: &[u8; 4] = self.bytes[at..at + 4].try_into().expect("four bytes");
        bytes.map(f32::from)
    }

    /// Bilinear at a place within the picture's pixel centres.
    #[inline(always)]
    fn sample(&self, x: f32, y: f32) -> [f32; 4] {
        let (column, row) = (x as usize, y as usize);
        let (right, down) = (x - column as f32, y - row as f32);
        let (one, two) = (self.pixel(column, row), self.pixel(column + 1, row));
        let (three, four) = (self.pixel(column, row + 1), self.pixel(column + 1, row + 1));
        each(|k| {
            let upper = one[k] + right * (two[k] - one[k]);
            let lower = three[k] + right * (four[k] - three[k]);
            upper + down * (lower - upper)
        })
    }

    /// Bilinear with nothing outside; and how much of the weight lies inside.
    #[inline(always)]
    fn sample_inside(&self, x: f32, y: f32) -> ([f32; 4], f32) {
        let last = self.side as f32 - 1.0;
        if x >= 0.0 && y >= 0.0 && x <= last && y <= last {
            return (self.sample(x, y), 1.0);
        }
        let (mut sum, mut inside) = ([0.0; 4], 0.0);
        let (left, top) = (x.floor(), y.floor());
        for (at_x, at_y) in
            [(left, top), (left + 1.0, top), (left, top + 1.0), (left + 1.0, top + 1.0)]
        {
            if (0.0..=last).contains(&at_x) && (0.0..=last).contains(&at_y) {
                let weight = (1.0 - (x - at_x).abs()) * (1.0 - (y - at_y).abs());
                let pixel = self.pixel(at_x as usize, at_y as usize);
                sum = each(|k| sum[k] + weight * pixel[k]);
                inside += weight;
            }
        }
        (sum, inside)
    }
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
