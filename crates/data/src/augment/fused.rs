//! The affine of a batch on the CPU, from bytes to normalised floats in one walk.
//!
//! What [`Augment::apply`](super::Augment::apply) does with tensors (a conversion, a division, a
//! grid of coordinates, `grid_sampler`, a copy back to channels_last) reads and writes each picture
//! some ten times. Here a picture's bytes are laid into a table with a border, which each thread
//! keeps and which fits its second cache; sixteen places of a row are computed together
//! ([`places`]), then each pixel of the result from the bytes around its place ([`blend`]), and
//! written straight into the tensor's memory. The tensors' way stays for GPUs, for what has steps
//! after the affine, and as what the tests hold this against.
//!
//! Coordinates and weights are 32-bit floats as `grid_sampler`'s, the order of additions is
//! another: places differ by some 1e-5 of a pixel. With AVX2 and without, the bits are the same.

mod blend;
mod places;

use std::cell::RefCell;

use catscan_torch_ext::written::{Piece, written};
use rayon::prelude::*;
use tch::Tensor;

use super::{Affine, Fill};
use crate::config::{DataConfig, Normalize};
use blend::{Blend, Plain, READ, Weights};
use places::{AROUND, Row, TOGETHER};

/// `[N, H, W, C]` bytes, each picture through its own affine, bilinear: `[N, H, W, C]` on the scale
/// 0..1, normalised if the recipe says so. [`Fill::Zero`] is zero behind the normalisation, a
/// constant is one before it.
pub(crate) fn warp(pixels: &[u8], config: &DataConfig, affines: &[Affine], fill: Fill) -> Tensor {
    let (side, channels) = (config.size_px as usize, config.colour.channels());
    let picture = side * side * channels;
    let (bytes, n) = (pixels.len(), affines.len());
    assert_eq!(bytes, n * picture, "warp: {bytes} bytes for {n} pictures of {picture}");
    let scale = Scale::of(config.normalize.as_ref());
    let one = |((from, to), affine): ((&[u8], &mut Piece), &Affine)| {
        TABLE.with_borrow_mut(|table| match channels {
            3 => warp_one::<3>(from, to, table, &Warp { side, affine, fill, scale: &scale }),
            _ => warp_one::<1>(from, to, table, &Warp { side, affine, fill, scale: &scale }),
        });
    };
    written(&[n, side, side, channels].map(|length| length as i64), n, |pieces| {
        if bytes < WORTH_THREADS {
            return pixels.chunks_exact(picture).zip(pieces).zip(affines).for_each(one);
        }
        let pictures = pixels.par_chunks_exact(picture).zip(pieces.par_iter_mut());
        pictures.zip(affines).for_each(one);
    })
}

/// Values from which on several threads are worth waking. In training libtorch's own threads have
/// the cores, and go on asking for work for some milliseconds before they let go of them.
const WORTH_THREADS: usize = 1 << 20;

thread_local! {
    /// Of one picture after the other.
    static TABLE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
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

/// What is done to a picture of `side` pixels a side.
struct Warp<'a> {
    side: usize,
    affine: &'a Affine,
    fill: Fill,
    scale: &'a Scale,
}

fn warp_one<const C: usize>(from: &[u8], to: &mut Piece, table: &mut Vec<u8>, warp: &Warp) {
    lay::<C>(from, table, warp);
    #[cfg(target_arch = "x86_64")]
    if let Some(blend) = pulp::x86::V3::try_new() {
        return blend.vectorize(Walk::<'_, '_, _, C> { blend, table, to, warp });
    }
    pulp::NullaryFnOnce::call(Walk::<'_, '_, _, C> { blend: Plain, table, to, warp });
}

/// The picture's bytes with what comes in around them, and room behind for the last place's read.
fn lay<const C: usize>(from: &[u8], table: &mut Vec<u8>, &Warp { side, fill, .. }: &Warp) {
    // Zero is told by its weight; the other fills never look beyond the edge.
    let outside = if let Fill::Constant(value) = fill { value } else { 0 };
    let (wide, row) = ((side + AROUND) * C, side * C);
    table.resize(wide * (side + AROUND) + READ, outside);
    let (above, rest) = table.split_at_mut(wide);
    let (inside, below) = rest.split_at_mut(wide * side);
    above.fill(outside);
    below.fill(outside);
    for (to, line) in inside.chunks_exact_mut(wide).zip(from.chunks_exact(row)) {
        to[..C].fill(outside);
        to[C..C + row].copy_from_slice(line);
        to[C + row..].fill(outside);
    }
}

/// A picture's walk, compiled once for each way to blend.
struct Walk<'a, 'memory, B, const C: usize> {
    blend: B,
    table: &'a [u8],
    to: &'a mut Piece<'memory>,
    warp: &'a Warp<'a>,
}

impl<B: Blend, const C: usize> pulp::NullaryFnOnce for Walk<'_, '_, B, C> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Walk { blend, table, to, warp: &Warp { side, affine, fill, scale } } = self;
        let below = (side + AROUND) * C;
        // A pixel is written as four values, of which the next pixel overwrites what is too much.
        let mut values = [0.0; TOGETHER * 3 + 1];
        for row in 0..side {
            let row = Row::new(affine, row, side, C);
            for column in (0..side).step_by(TOGETHER) {
                let places = row.places(column, fill);
                for k in 0..TOGETHER {
                    let around = &table[places.at[k] as usize..][..below + READ];
                    let upper = around.first_chunk().expect("as many as are read");
                    let lower = around.last_chunk().expect("as many as are read");
                    let weights = Weights {
                        right: places.right[k],
                        down: places.down[k],
                        inside: places.inside[k],
                    };
                    let value = blend.pixel::<C>(upper, lower, weights, scale);
                    values[k * C..][..4].copy_from_slice(&value);
                }
                // Twice, as a copy of a length that the compiler knows is no call.
                match side - column {
                    TOGETHER.. => to.push(&values[..TOGETHER * C]),
                    rest => to.push(&values[..rest * C]),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::augment::{Augment, Draw};
    use crate::batch::{augmented, to_bytes};
    use crate::colour::Colour;
    use crate::config::tests::config;

    const FILLS: [Fill; 5] =
        [Fill::Edge, Fill::Zero, Fill::Constant(77), Fill::Reflect, Fill::Wrap];

    fn draw_of(affine: Affine) -> Draw {
        Draw { affine, ops: Vec::new(), has_steps: false, mixed: None }
    }

    #[test]
    fn one_walk_gives_what_the_tensors_give() {
        let augment = |side: u32| Augment {
            rotation_deg: 180.0,
            shear: crate::Shear::Degrees(30.0),
            zoom: 0.5,
            horizontal_flip: true,
            shift_px: side.min(9),
            // With a pixel alone, as often within it as beside it.
            width_shift_px: (0.7 * f64::from(side)).min(3.3),
            ..Augment::none()
        };
        let normalize = |channels| {
            let (mean, std) = (vec![0.4, 0.5, 0.6], vec![0.25, 0.3, 2.0]);
            Some(Normalize { mean: mean[..channels].into(), std: std[..channels].into() })
        };
        for (side, colour) in
            [1, 2, 9, 64, 224].into_iter().flat_map(|s| [(s, Colour::Rgb), (s, Colour::Grey)])
        {
            let channels = colour.channels();
            let n = 12;
            let bytes = n * (side * side) as usize * channels;
            let pixels: Vec<u8> = (0..bytes).map(|i| (i * 7919 % 256) as u8).collect();
            let affines: Vec<Affine> =
                (0..n as u64).map(|i| augment(side).affine(3, 1, i)).collect();
            for (fill, normalize) in
                FILLS.into_iter().flat_map(|f| [(f, None), (f, normalize(channels))])
            {
                let config = crate::DataConfig { size_px: side, colour, normalize, ..config() };
                let draws: Vec<Draw> = affines.iter().map(|a| draw_of(*a)).collect();
                let bytes = to_bytes(&pixels, &config, Device::Cpu);
                let (want, _) = augmented(&bytes, &config, fill, &draws);
                let got = warp(&pixels, &config, &affines, fill).permute([0, 3, 1, 2]);
                // Neighbours differ by the whole range, 4 once normalised, places by 1e-5 pixels.
                let gap = (got - want).abs().max().double_value(&[]);
                assert!(gap < 5e-4, "{side} px, {colour:?}, {fill:?}: off by {gap}");
            }
        }
    }

    /// Keras computes places in doubles; the golden of it (`keras_augment`) has 12 pixels a side,
    /// and the farther a place lies from the middle, the coarser 32 bits are.
    #[test]
    fn large_pictures_are_what_doubles_give() {
        let side = 225usize;
        let far = Augment {
            rotation_deg: 180.0,
            shear: crate::Shear::Degrees(60.0),
            zoom: 0.9,
            horizontal_flip: true,
            width_shift_px: 3.0 * side as f64,
            height_shift_px: 3.0 * side as f64,
            ..Augment::none()
        };
        let near = Augment { width_shift_px: 0.0, height_shift_px: 0.0, ..far.clone() };
        let config = crate::DataConfig { size_px: side as u32, colour: Colour::Grey, ..config() };
        let pixels: Vec<u8> = (0..side * side).map(|i| ((i * 7919) ^ (i >> 3)) as u8).collect();
        let mut worst = [[0.0f64; 3]; 2];
        for (i, augment) in (0..12).flat_map(|i| [(i, &near), (i, &far)]) {
            let draw = augment.draw_affine(5, 1, i);
            for (k, fill) in [Fill::Edge, Fill::Reflect, Fill::Wrap].into_iter().enumerate() {
                let got = warp(&pixels, &config, &[draw.affine()], fill).view([-1]);
                let got = Vec::<f32>::try_from(got).unwrap();
                let off = farthest(&got, &pixels, side, &draw.rows(), fill);
                let worst = &mut worst[usize::from(std::ptr::eq(augment, &far))][k];
                *worst = worst.max(off);
            }
        }
        // With shifts of up to three sides a place is farther from the middle.
        let most = [[0.008, 0.012, 0.012], [0.01, 0.03, 0.03]];
        let within =
            worst.as_flattened().iter().zip(most.as_flattened()).all(|(is, most)| is <= most);
        assert!(within && worst[0][0] > 0.0, "{worst:?} of 255");
    }

    /// From the same picture moved in doubles, in steps of 255.
    fn farthest(got: &[f32], pixels: &[u8], side: usize, rows: &[f64; 6], fill: Fill) -> f64 {
        let last = side as f64 - 1.0;
        let centre = last / 2.0;
        let moved = |v: f64| match fill {
            Fill::Reflect => {
                let along = (v + 0.5).rem_euclid(2.0 * side as f64);
                (along.min(2.0 * side as f64 - along) - 0.5).clamp(0.0, last)
            }
            Fill::Wrap if !(0.0..=last).contains(&v) => v.rem_euclid(last),
            _ => v.clamp(0.0, last),
        };
        // Where the picture is repeated its last pixel is followed by its first.
        let jumps = |v: f64| {
            let along = v.rem_euclid(last);
            matches!(fill, Fill::Wrap) && along.min(last - along) < 1e-3
        };
        let [a, b, x, c, d, y] = rows;
        let mut worst = 0.0f64;
        for (i, got) in got.iter().enumerate() {
            let (right, below) = ((i % side) as f64 - centre, (i / side) as f64 - centre);
            let at = (a * right + b * below + x + centre, c * right + d * below + y + centre);
            if jumps(at.0) || jumps(at.1) {
                continue;
            }
            let (x, y) = (moved(at.0), moved(at.1));
            let (left, top) = (x.floor().min(last - 1.0), y.floor().min(last - 1.0));
            let (right, down) = (x - left, y - top);
            let pixel = |dx: usize, dy: usize| {
                f64::from(pixels[(top as usize + dy) * side + left as usize + dx])
            };
            let upper = pixel(0, 0) * (1.0 - right) + pixel(1, 0) * right;
            let lower = pixel(0, 1) * (1.0 - right) + pixel(1, 1) * right;
            let want = upper * (1.0 - down) + lower * down;
            worst = worst.max((f64::from(*got) * 255.0 - want).abs());
        }
        worst
    }

    #[test]
    fn as_many_threads_as_there_are_give_the_same_bits() {
        let (side, n) = (128usize, 24);
        let pixels: Vec<u8> = (0..n * side * side * 3).map(|i| (i * 7919 % 256) as u8).collect();
        assert!(pixels.len() >= WORTH_THREADS);
        let augment = Augment { rotation_deg: 180.0, zoom: 0.5, ..Augment::none() };
        let affines: Vec<Affine> = (0..n as u64).map(|i| augment.affine(3, 1, i)).collect();
        let config = crate::DataConfig { size_px: side as u32, ..config() };
        let warped = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| warp(&pixels, &config, &affines, Fill::Edge))
        };
        let one = warped(1);
        // By itself, a picture is too little for threads.
        let alone = warp(&pixels[..side * side * 3], &config, &affines[..1], Fill::Edge);
        assert_eq!(one.narrow(0, 0, 1), alone);
        for threads in [2, 8] {
            assert_eq!(warped(threads), one, "{threads} threads");
        }
    }

    #[test]
    fn a_still_picture_comes_back_whatever_comes_in() {
        let config = crate::DataConfig { size_px: 5, ..config() };
        let pixels: Vec<u8> = (0..75).map(|i| i * 3).collect();
        for fill in FILLS {
            let out = warp(&pixels, &config, &[Affine::IDENTITY], fill);
            let out = Vec::<f32>::try_from(out.view([-1])).unwrap();
            let worst = out.iter().zip(&pixels).map(|(v, b)| (v * 255.0 - f32::from(*b)).abs());
            assert!(worst.fold(0.0, f32::max) < 1e-4);
        }
    }
}
