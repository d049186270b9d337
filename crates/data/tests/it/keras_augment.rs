//! Our affines against Keras' own: fixed draws, values made by `scripts/golden/keras_augment.py`.

use catscan_data::DataConfig;
use catscan_data::augment::{Augment, Draw, Fill};
use catscan_data::batch::to_tensor;
use serde::Deserialize;
use tch::Device;

use crate::help::config;

#[derive(Deserialize)]
struct Golden {
    side: u32,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    /// Degrees, as shear.
    rotation: f64,
    shear: f64,
    zx: f64,
    zy: f64,
    flip: bool,
    /// `[H, W, 3]` on the scale 0..255.
    want: Vec<f32>,
}

/// Keras computes in 64 bits and we in 32, where a coordinate of 12 pixels is good to 1e-6 and
/// neighbours differ by up to 255.
const TOLERANCE: f32 = 2e-3;

#[test]
fn fixed_draws_give_keras_pictures() {
    let golden: Golden =
        serde_json::from_str(include_str!("../golden/keras_augment.json")).unwrap();
    let side = golden.side;
    let value = |y, x, c| ((x * 7 + y * 13 + c * 50 + (x * y) % 11 * 9) % 256) as u8;
    let rgb: Vec<u8> =
        (0..side * side * 3).map(|i| value(i / 3 / side, i / 3 % side, i % 3)).collect();
    let config = DataConfig { size_px: side, ..config("unused") };
    let one = to_tensor(&rgb, &config, Device::Cpu);
    // All cases in one batch: a picture's affine must not reach its neighbours.
    let batch = one.repeat([golden.cases.len() as i64, 1, 1, 1]);
    let affines: Vec<_> = golden.cases.iter().map(|case| draw(case).affine()).collect();
    let moved = Augment::apply(&batch, &affines, Fill::Edge) * 255.0;
    for (i, case) in golden.cases.iter().enumerate() {
        let got = moved.get(i as i64).permute([1, 2, 0]).contiguous().view(-1);
        let got = Vec::<f32>::try_from(got).unwrap();
        let worst = got.iter().zip(&case.want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < TOLERANCE, "case {i}: off by {worst}");
    }
}

fn draw(case: &Case) -> Draw {
    Draw {
        rotation_rad: case.rotation.to_radians(),
        shear_rad: case.shear.to_radians(),
        zoom_x: case.zx,
        zoom_y: case.zy,
        flip: case.flip,
        shift_x_px: 0,
        shift_y_px: 0,
    }
}
