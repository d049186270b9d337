//! Pictures as tensors: one copy of u8 values, one look through other strides, one division.

use tch::{Device, Kind, Tensor};

use crate::augment::{Affine, Augment, Draw, Fill, Op, fused, op};
use crate::colour::Raster;
use crate::config::{DataConfig, Normalize};
use crate::dataset::Dataset;
use crate::error::BadImage;

impl Dataset {
    /// `[N, C, H, W]` f32 on `device`, values in 0..1 (normalised if the recipe says so), with
    /// channels_last strides.
    ///
    /// # Errors
    /// As [`Dataset::pixels`].
    pub fn batch(&self, indices: &[u32], device: Device) -> Result<Tensor, BadImage> {
        Ok(to_tensor(&self.gather(indices)?, self.config(), device))
    }
}

/// `[N, H, W, C]` bytes, as [`Dataset::gather`] makes them on any thread, to `[N, C, H, W]` f32 on
/// `device` with channels_last strides. Bytes, not floats, travel to the device.
///
/// # Panics
/// As [`to_bytes`].
pub fn to_tensor(pixels: &[u8], config: &DataConfig, device: Device) -> Tensor {
    normalized(unit(&to_bytes(pixels, config, device)), config.normalize.as_ref())
}

/// `[N, H, W, C]` bytes as they are, on `device`.
///
/// # Panics
/// Where they are not whole pictures of `config`'s size and colour.
pub fn to_bytes(pixels: &[u8], config: &DataConfig, device: Device) -> Tensor {
    let (side, channels) = (i64::from(config.size_px), config.colour.channels() as i64);
    let (bytes, picture) = (pixels.len(), (side * side * channels) as usize);
    assert!(bytes.is_multiple_of(picture), "{bytes} bytes, want a multiple of {picture}");
    let n = (bytes / picture) as i64;
    sent(Tensor::from_slice(pixels).view([n, side, side, channels]), device)
}

/// A tensor of the processor's on `device`. To a CUDA device it goes through pinned memory, so that
/// the host need not wait until it has arrived.
pub fn sent(tensor: Tensor, device: Device) -> Tensor {
    match device {
        Device::Cuda(_) => {
            tensor.pin_memory(device).to_device_(
                device,
                tensor.kind(),
                /* non_blocking */ true,
                false,
            )
        }
        _ => tensor.to_device(device),
    }
}

/// `[N, H, W, C]` bytes on the scale 0..1.
fn unit(bytes: &Tensor) -> Tensor {
    // [N, H, W, C] in memory seen as [N, C, H, W] is what PyTorch calls channels_last.
    let mut x = bytes.permute([0, 3, 1, 2]).to_kind(Kind::Float);
    let _ = x.g_div_scalar_(255.0);
    x
}

fn normalized(mut x: Tensor, normalize: Option<&Normalize>) -> Tensor {
    if let Some(Normalize { mean, std }) = normalize {
        let _ = x.g_sub_(&of_channels(mean, x.device()));
        let _ = x.g_div_(&of_channels(std, x.device()));
    }
    x
}

/// `[1, C, 1, 1]`.
fn of_channels(values: &[f32], device: Device) -> Tensor {
    sent(Tensor::from_slice(values).view([1, values.len() as i64, 1, 1]), device)
}

/// [`to_tensor`] of training pictures, with what was drawn for each of them: the affine, the steps
/// after it, the mixing. `[N]` f32 shares of each picture's own label come with mixed pictures.
///
/// An affine alone works on normalised values. Steps and a constant fill are on the scale 0..1, so
/// with them normalisation comes last. On the CPU an affine alone is one walk from the bytes.
///
/// # Panics
/// Where there is not one draw a picture of `config`'s size and colour.
pub fn to_augmented(
    pixels: &[u8],
    config: &DataConfig,
    device: Device,
    fill: Fill,
    draws: &[Draw],
) -> (Tensor, Option<Tensor>) {
    if device == Device::Cpu && affine_alone(draws) {
        let values = fused::warp(pixels, config, &affines(draws), fill);
        return mixed(values.permute([0, 3, 1, 2]), draws);
    }
    augmented(&to_bytes(pixels, config, device), config, fill, draws)
}

/// The same of `[N, H, W, C]` bytes that lie on a device already, and from there stay on it.
/// Without draws the pictures are only normalised.
///
/// # Panics
/// Where there are draws, and not one a picture.
pub fn augmented(
    bytes: &Tensor,
    config: &DataConfig,
    fill: Fill,
    draws: &[Draw],
) -> (Tensor, Option<Tensor>) {
    if draws.is_empty() {
        return (normalized(unit(bytes), config.normalize.as_ref()), None);
    }
    let affines = affines(draws);
    if affine_alone(draws) && !matches!(fill, Fill::Constant(_)) {
        let x = normalized(unit(bytes), config.normalize.as_ref());
        return mixed(Augment::apply(&x, &affines, fill), draws);
    }
    let mut x = unit(bytes);
    let zero = match &config.normalize {
        Some(Normalize { mean, .. }) => of_channels(mean, x.device()),
        None => of_channels(&vec![0.0; config.colour.channels()], x.device()),
    };
    x = moved(x, &affines, fill, &zero);
    let ops: Vec<&[Op]> = draws.iter().map(|draw| draw.ops.as_slice()).collect();
    mixed(normalized(op::apply(&x, &ops, &zero), config.normalize.as_ref()), draws)
}

/// Each picture through its own affine. One that stays is not touched, whatever its neighbours do:
/// a place that is computed is a hair off.
fn moved(x: Tensor, affines: &[Affine], fill: Fill, zero: &Tensor) -> Tensor {
    let apply = |x: &Tensor, affines: &[Affine]| match fill {
        // Zero behind the normalisation is the mean before it.
        Fill::Zero => Augment::apply(&(x - zero), affines, fill) + zero,
        _ => Augment::apply(x, affines, fill),
    };
    let move_at = |i: &usize| affines[*i] != Affine::IDENTITY;
    let members: Vec<usize> = (0..affines.len()).filter(move_at).collect();
    if members.is_empty() {
        return x;
    }
    if members.len() == affines.len() {
        return apply(&x, affines);
    }
    let own: Vec<Affine> = members.iter().map(|i| affines[*i]).collect();
    let index: Vec<i64> = members.iter().map(|i| *i as i64).collect();
    let index = sent(Tensor::from_slice(&index), x.device());
    let changed = apply(&x.index_select(0, &index), &own);
    x.index_copy(0, &index, &changed)
}

/// Whether an affine is all that the recipe does to pictures before they are mixed. Not what was
/// drawn is asked: the two ways round differently, and a picture must not depend on its batch.
fn affine_alone(draws: &[Draw]) -> bool {
    !draws.is_empty() && draws.iter().all(|draw| !draw.has_steps)
}

fn affines(draws: &[Draw]) -> Vec<Affine> {
    draws.iter().map(|draw| draw.affine).collect()
}

fn mixed(x: Tensor, draws: &[Draw]) -> (Tensor, Option<Tensor>) {
    let mixed: Option<Vec<_>> = draws.iter().map(|draw| draw.mixed).collect();
    match mixed {
        Some(mixed) if !mixed.is_empty() => {
            let (x, own) = crate::augment::Mixed::apply(&x, &mixed);
            (x, Some(own))
        }
        _ => (x, None),
    }
}

/// One picture for `predict` and `explain`, as [`crate::resize::prepare`] made it with the same
/// `config`: `[1, C, H, W]` f32 on the CPU.
pub fn picture_tensor(picture: &Raster, config: &DataConfig) -> Tensor {
    to_tensor(picture.pixels(), config, Device::Cpu)
}

/// True if `[N, C, H, W]` lies in memory as `[N, H, W, C]`.
pub(crate) fn is_channels_last(x: &Tensor) -> bool {
    let (_, c, h, w) = x.size4().expect("a batch is [N, C, H, W]");
    x.stride() == [h * w * c, 1, w * c, c]
}

/// The same values with channels_last strides. (Flattened on the way, because `contiguous` calls
/// `[N, H, W, 1]` contiguous whatever the stride of its last axis, and so leaves a grey batch.)
pub(crate) fn to_channels_last(x: &Tensor) -> Tensor {
    let (n, c, h, w) = x.size4().expect("a batch is [N, C, H, W]");
    x.permute([0, 2, 3, 1]).reshape([-1]).view([n, h, w, c]).permute([0, 3, 1, 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Step;
    use crate::colour::Colour;
    use crate::config::{Normalize, tests::config};

    fn of(size_px: u32, colour: Colour) -> DataConfig {
        DataConfig { size_px, colour, ..config() }
    }

    #[test]
    fn bytes_land_where_they_belong() {
        let rgb: Vec<u8> = (0..2 * 2 * 2 * 3).collect();
        let x = to_tensor(&rgb, &of(2, Colour::Rgb), Device::Cpu);
        assert_eq!(x.size(), [2, 3, 2, 2]);
        assert_eq!(x.stride(), [12, 1, 6, 3]);
        // Picture 1, channel 2, row 1, column 0: byte 12 + (1·2 + 0)·3 + 2.
        let value = x.double_value(&[1, 2, 1, 0]);
        assert!((value * 255.0 - 20.0).abs() < 1e-5, "{value}");
    }

    #[test]
    fn normalisation_keeps_the_strides() {
        let normalize =
            |mean: &[f32], std: &[f32]| Some(Normalize { mean: mean.into(), std: std.into() });
        let rgb = normalize(&[0.5, 0.25, 0.0], &[0.5, 1.0, 2.0]);
        let config = DataConfig { normalize: rgb, ..of(4, Colour::Rgb) };
        let x = to_tensor(&[255; 2 * 4 * 4 * 3], &config, Device::Cpu);
        assert!(is_channels_last(&x));
        let value = |c| x.double_value(&[0, c, 3, 3]);
        assert_eq!([value(0), value(1), value(2)], [1.0, 0.75, 0.5]);
        let grey = normalize(&[0.5], &[0.25]);
        let config = DataConfig { normalize: grey, ..of(4, Colour::Grey) };
        let x = to_tensor(&[255; 2 * 4 * 4], &config, Device::Cpu);
        assert_eq!((x.size(), x.double_value(&[1, 0, 3, 3])), (vec![2, 1, 4, 4], 2.0));
        assert!(is_channels_last(&x), "{:?}", x.stride());
    }

    #[test]
    fn grey_batches_are_channels_last_and_move_as_colour_ones_do() {
        let grey: Vec<u8> = (0..2 * 9).map(|i| i * 14).collect();
        let rgb: Vec<u8> = grey.iter().flat_map(|value| [*value; 3]).collect();
        let affines = [Affine([0.8, 0.3, 0.0, -0.2, 1.1, 0.0]); 2];
        let [one, three] = [(grey, Colour::Grey), (rgb, Colour::Rgb)].map(|(bytes, colour)| {
            let x = to_tensor(&bytes, &of(3, colour), Device::Cpu);
            Augment::apply(&x, &affines, Fill::Edge)
        });
        assert_eq!((one.size(), one.stride()), (vec![2, 1, 3, 3], vec![9, 1, 3, 1]));
        assert_eq!(one.expand([2, 3, 3, 3], false), three);
    }

    #[test]
    fn a_flip_mirrors_and_keeps_channels_last() {
        let rgb: Vec<u8> = (0..27).collect();
        let x = to_tensor(&rgb, &of(3, Colour::Rgb), Device::Cpu);
        let mirror = Affine([-1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        let y = Augment::apply(&x, &[mirror], Fill::Edge);
        assert!(is_channels_last(&y));
        assert!((&y - x.flip([3])).abs().max().double_value(&[]) < 1e-6);
        let plain = x.contiguous();
        let y = Augment::apply(&plain, &[mirror], Fill::Edge);
        assert!(y.is_contiguous());
    }

    #[test]
    fn a_shift_is_a_crop_of_the_padded_picture() {
        let rgb: Vec<u8> = (0..2 * 9 * 9 * 3).map(|i| (i * 37 % 251) as u8).collect();
        let x = to_tensor(&rgb, &of(9, Colour::Rgb), Device::Cpu);
        let padded = x.constant_pad_nd([4, 4, 4, 4]);
        for (shift_x, shift_y) in [(4, -4), (-3, 1), (0, 0), (2, 4)] {
            let affine = Affine([1.0, 0.0, shift_x as f32, 0.0, 1.0, shift_y as f32]);
            let y = Augment::apply(&x, &[affine, affine], Fill::Zero);
            let crop = padded.narrow(3, 4 + shift_x, 9).narrow(2, 4 + shift_y, 9);
            // Whole pixels, but their places go through 32-bit halves of a picture: 1e-6 of one.
            let worst = (&y - crop).abs().max().double_value(&[]);
            assert!(worst < 1e-5, "{shift_x} {shift_y}: off by {worst}");
            let edge = Augment::apply(&x, &[affine, affine], Fill::Edge);
            let inside = (&edge - &y).abs().max().double_value(&[]) < 1e-5;
            assert_eq!(inside, (shift_x, shift_y) == (0, 0));
        }
    }

    #[test]
    fn a_picture_does_not_depend_on_its_batch() {
        let rgb: Vec<u8> = (0..4 * 8 * 8 * 3).map(|i| (i * 37 % 251) as u8).collect();
        let x = to_tensor(&rgb, &of(8, Colour::Rgb), Device::Cpu);
        let shear = crate::Shear::Degrees(20.0);
        let augment = Augment {
            rotation_deg: 40.0,
            shear,
            zoom: 0.2,
            horizontal_flip: true,
            shift_px: 2,
            fill: Fill::Zero,
            ..Augment::none()
        };
        let affines: Vec<Affine> = (0..4).map(|i| augment.affine(5, 1, i)).collect();
        let together = Augment::apply(&x, &affines, Fill::Zero);
        for i in 0..4 {
            let own = &affines[i as usize..=i as usize];
            let alone = Augment::apply(&x.narrow(0, i, 1), own, Fill::Zero);
            assert_eq!(alone, together.narrow(0, i, 1));
        }
    }

    #[test]
    fn a_picture_is_made_the_same_way_whatever_its_batch_draws() {
        let normalize = Some(Normalize { mean: vec![0.4, 0.5, 0.6], std: vec![0.25, 0.3, 2.0] });
        let config = DataConfig { normalize, ..of(64, Colour::Rgb) };
        let picture: Vec<u8> = (0..64 * 64 * 3).map(|i| (i * 37 % 251) as u8).collect();
        let erase = Step::Erase { probability: 0.5, scale: [0.1, 0.3], ratio: [0.5, 2.0] };
        let turned = Augment { rotation_deg: 40.0, then: vec![erase], ..Augment::none() };
        // Half of the pictures stay as they are.
        let flipped = Augment { rotation_deg: 0.0, horizontal_flip: true, ..turned.clone() };
        for (augment, fill) in
            [Fill::Edge, Fill::Zero].map(|f| [(&turned, f), (&flipped, f)]).concat()
        {
            let draws: Vec<Draw> = (0..16).map(|i| augment.draw(5, 1, i, 64)).collect();
            let erased = draws.iter().filter(|draw| !draw.ops.is_empty()).count();
            assert!((1..16).contains(&erased), "{erased} of 16");
            let made = |draws: &[Draw]| {
                to_augmented(&picture.repeat(draws.len()), &config, Device::Cpu, fill, draws).0
            };
            let together = made(&draws);
            for (i, own) in draws.chunks(1).enumerate() {
                assert_eq!(made(own), together.narrow(0, i as i64, 1), "{fill:?}, picture {i}");
            }
        }
    }
}
