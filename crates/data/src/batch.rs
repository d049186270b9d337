//! Pictures as tensors: one copy of u8 values, one look through other strides, one division.

use tch::{Device, Kind, Tensor};

use crate::config::Normalize;
use crate::dataset::Dataset;

impl Dataset {
    /// `[N, 3, H, W]` f32 on `device`, values in 0..1 (normalised if the recipe says so), with
    /// channels_last strides.
    pub fn batch(&self, indices: &[u32], device: Device) -> Tensor {
        to_tensor(&self.gather(indices), self.size_px, self.normalize(), device)
    }
}

/// `[N, H, W, 3]` bytes, as [`Dataset::gather`] makes them on any thread, to `[N, 3, H, W]` f32 on
/// `device` with channels_last strides. Bytes, not floats, travel to the device.
pub fn to_tensor(
    rgb: &[u8],
    size_px: u32,
    normalize: Option<&Normalize>,
    device: Device,
) -> Tensor {
    let side = i64::from(size_px);
    let picture = (side * side * 3) as usize;
    assert!(rgb.len().is_multiple_of(picture), "{} bytes, want a multiple of {picture}", rgb.len());
    let n = (rgb.len() / picture) as i64;
    // [N, H, W, C] in memory seen as [N, C, H, W] is what PyTorch calls channels_last.
    let bytes = Tensor::from_slice(rgb).view([n, side, side, 3]).to_device(device);
    let mut x = bytes.permute([0, 3, 1, 2]).to_kind(Kind::Float);
    let _ = x.g_div_scalar_(255.0);
    if let Some(normalize) = normalize {
        let channels =
            |values: &[f32; 3]| Tensor::from_slice(values).view([1, 3, 1, 1]).to_device(device);
        let _ = x.g_sub_(&channels(&normalize.mean));
        let _ = x.g_div_(&channels(&normalize.std));
    }
    x
}

/// One picture for `predict` and `explain`: `[H, W, 3]` bytes to `[1, 3, H, W]` f32 on the CPU.
pub fn picture_tensor(rgb: &[u8], size_px: u32, normalize: Option<&Normalize>) -> Tensor {
    to_tensor(rgb, size_px, normalize, Device::Cpu)
}

/// True if `[N, C, H, W]` lies in memory as `[N, H, W, C]`.
pub(crate) fn is_channels_last(x: &Tensor) -> bool {
    let (_, c, h, w) = x.size4().expect("a batch is [N, C, H, W]");
    x.stride() == [h * w * c, 1, w * c, c]
}

/// The same values with channels_last strides.
pub(crate) fn to_channels_last(x: &Tensor) -> Tensor {
    x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::{Affine, Augment};

    #[test]
    fn bytes_land_where_they_belong() {
        let rgb: Vec<u8> = (0..2 * 2 * 2 * 3).collect();
        let x = to_tensor(&rgb, 2, None, Device::Cpu);
        assert_eq!(x.size(), [2, 3, 2, 2]);
        assert_eq!(x.stride(), [12, 1, 6, 3]);
        // Picture 1, channel 2, row 1, column 0: byte 12 + (1·2 + 0)·3 + 2.
        let value = x.double_value(&[1, 2, 1, 0]);
        assert!((value * 255.0 - 20.0).abs() < 1e-5, "{value}");
    }

    #[test]
    fn normalisation_keeps_the_strides() {
        let normalize = Normalize { mean: [0.5, 0.25, 0.0], std: [0.5, 1.0, 2.0] };
        let x = to_tensor(&[255; 2 * 4 * 4 * 3], 4, Some(&normalize), Device::Cpu);
        assert!(is_channels_last(&x));
        let value = |c| x.double_value(&[0, c, 3, 3]);
        assert_eq!([value(0), value(1), value(2)], [1.0, 0.75, 0.5]);
    }

    #[test]
    fn a_flip_mirrors_and_keeps_channels_last() {
        let rgb: Vec<u8> = (0..27).collect();
        let x = to_tensor(&rgb, 3, None, Device::Cpu);
        let mirror = Affine([-1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        let y = Augment::apply(&x, &[mirror]);
        assert!(is_channels_last(&y));
        assert!((&y - x.flip([3])).abs().max().double_value(&[]) < 1e-6);
        let plain = x.contiguous();
        let y = Augment::apply(&plain, &[mirror]);
        assert!(y.is_contiguous());
    }

    #[test]
    fn a_picture_does_not_depend_on_its_batch() {
        let rgb: Vec<u8> = (0..4 * 8 * 8 * 3).map(|i| (i * 37 % 251) as u8).collect();
        let x = to_tensor(&rgb, 8, None, Device::Cpu);
        let shear = crate::Shear::Degrees(20.0);
        let augment = Augment { rotation_deg: 40.0, shear, zoom: 0.2, horizontal_flip: true };
        let affines: Vec<Affine> = (0..4).map(|i| augment.draw(5, 1, i)).collect();
        let together = Augment::apply(&x, &affines);
        for i in 0..4 {
            let alone = Augment::apply(&x.narrow(0, i, 1), &affines[i as usize..=i as usize]);
            assert_eq!(alone, together.narrow(0, i, 1));
        }
    }
}
