//! Our affines against Keras' own: fixed draws, values made by `scripts/golden/keras_augment.py`
//! and, of the Keras whose shears are radians, by `keras_older.py`.

use catscan_data::DataConfig;
use catscan_data::augment::{AffineDraw, Augment, Draw, Fill, Op};
use catscan_data::batch::{to_augmented, to_tensor};
use serde::Deserialize;
use tch::{Device, Tensor};

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
    let rgb = picture(side);
    let config = DataConfig { size_px: side, ..config("unused") };
    let one = to_tensor(&rgb, &config, Device::Cpu);
    // All cases in one batch: a picture's affine must not reach its neighbours.
    let batch = one.repeat([golden.cases.len() as i64, 1, 1, 1]);
    let affines: Vec<_> = golden.cases.iter().map(|case| draw(case).affine()).collect();
    let moved = Augment::apply(&batch, &affines, Fill::Edge) * 255.0;
    for (i, case) in golden.cases.iter().enumerate() {
        let got = values(&moved.get(i as i64));
        let worst = got.iter().zip(&case.want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < TOLERANCE, "case {i}: off by {worst}");
    }
}

/// `[3, H, W]` as the goldens have it, `[H, W, 3]`.
fn values(picture: &Tensor) -> Vec<f32> {
    picture.permute([1, 2, 0]).contiguous().view(-1).try_into().unwrap()
}

/// `[H, W, 3]`, as `picture` in the script.
fn picture(side: u32) -> Vec<u8> {
    let value = |y, x, c| ((x * 7 + y * 13 + c * 50 + (x * y) % 11 * 9) % 256) as u8;
    (0..side * side * 3).map(|i| value(i / 3 / side, i / 3 % side, i % 3)).collect()
}

fn draw(case: &Case) -> AffineDraw {
    AffineDraw {
        rotation_rad: case.rotation.to_radians(),
        shear_rad: case.shear.to_radians(),
        zoom_x: case.zx,
        zoom_y: case.zy,
        flip: case.flip,
        ..AffineDraw::STILL
    }
}

#[derive(Deserialize)]
struct More {
    side: u32,
    cases: Vec<Transform>,
}

/// The parameters of Keras' `apply_transform`, and its generator's fill mode.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transform {
    fill: String,
    #[serde(default)]
    cval: u8,
    #[serde(default)]
    theta: f64,
    #[serde(default)]
    shear: f64,
    #[serde(default = "one")]
    zx: f64,
    #[serde(default = "one")]
    zy: f64,
    #[serde(default)]
    tx: f64,
    #[serde(default)]
    ty: f64,
    #[serde(default)]
    flip_horizontal: bool,
    #[serde(default)]
    flip_vertical: bool,
    channel_shift_intensity: Option<f64>,
    brightness: Option<f64>,
    want: Vec<f32>,
}

fn one() -> f64 {
    1.0
}

fn fill(mode: &str, cval: u8) -> Fill {
    match mode {
        "nearest" => Fill::Edge,
        "constant" => Fill::Constant(cval),
        "reflect" => Fill::Reflect,
        "wrap" => Fill::Wrap,
        other => panic!("{other}: no such mode"),
    }
}

impl Transform {
    fn draw(&self) -> Draw {
        let draw = AffineDraw {
            rotation_rad: self.theta.to_radians(),
            shear_rad: self.shear.to_radians(),
            zoom_x: self.zx,
            zoom_y: self.zy,
            flip: self.flip_horizontal,
            flip_vertical: self.flip_vertical,
            move_x_px: self.tx,
            move_y_px: self.ty,
            ..AffineDraw::STILL
        };
        let shift = self.channel_shift_intensity.map(Op::ChannelShift);
        let brightness = self.brightness.map(|factor| Op::KerasBrightness { factor });
        let ops: Vec<Op> = shift.into_iter().chain(brightness).collect();
        Draw { affine: draw.affine(), has_steps: !ops.is_empty(), ops, mixed: None }
    }
}

#[test]
fn everything_that_keras_composes_is_composed_as_keras_does() {
    let golden: More =
        serde_json::from_str(include_str!("../golden/keras_augment_more.json")).unwrap();
    assert_eq!(golden.cases.len(), 16);
    for (i, case) in golden.cases.iter().enumerate() {
        let config = DataConfig { size_px: golden.side, ..config("unused") };
        let (pixels, drawn) = (picture(golden.side), [case.draw()]);
        let (moved, mixed) =
            to_augmented(&pixels, &config, Device::Cpu, fill(&case.fill, case.cval), &drawn);
        assert!(mixed.is_none());
        let got = values(&(moved * 255.0).get(0));
        let off: Vec<f32> = got.iter().zip(&case.want).map(|(a, b)| (a - b).abs()).collect();
        let worst = off.iter().copied().fold(0.0, f32::max);
        // Brightness goes through whole bytes: a hair before may be a step, then times the factor.
        let (most, steps) = match case.brightness {
            Some(factor) => (factor.ceil() as f32 + 0.01, 3),
            None => (TOLERANCE, 0),
        };
        assert!(worst < most, "case {i} ({}): off by {worst}", case.fill);
        let stepped = off.iter().filter(|off| **off > TOLERANCE).count();
        assert!(stepped <= steps, "case {i}: {stepped} values are a step off");
    }
}

/// What Keras 2.0.9 drew (`keras_older.py`); what a recipe has not is as it is.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct OlderCase {
    fill: String,
    rotation_deg: f64,
    shear_rad: f64,
    zoom_x: f64,
    zoom_y: f64,
    move_x_px: f64,
    move_y_px: f64,
    flip: bool,
    flip_vertical: bool,
    want: Vec<f32>,
}

impl Default for OlderCase {
    fn default() -> OlderCase {
        OlderCase {
            fill: String::new(),
            rotation_deg: 0.0,
            shear_rad: 0.0,
            zoom_x: 1.0,
            zoom_y: 1.0,
            move_x_px: 0.0,
            move_y_px: 0.0,
            flip: false,
            flip_vertical: false,
            want: Vec::new(),
        }
    }
}

#[test]
fn radians_are_the_older_keras_pictures() {
    #[derive(Deserialize)]
    struct Golden {
        side: u32,
        cases: Vec<OlderCase>,
    }
    let golden: Golden =
        serde_json::from_str(include_str!("../golden/keras_augment_older.json")).unwrap();
    assert_eq!(golden.cases.len(), 8);
    let config = DataConfig { size_px: golden.side, ..config("unused") };
    for (i, case) in golden.cases.iter().enumerate() {
        let draw = AffineDraw {
            rotation_rad: case.rotation_deg.to_radians(),
            shear_rad: case.shear_rad,
            zoom_x: case.zoom_x,
            zoom_y: case.zoom_y,
            flip: case.flip,
            flip_vertical: case.flip_vertical,
            move_x_px: case.move_x_px,
            move_y_px: case.move_y_px,
            older: true,
            ..AffineDraw::STILL
        };
        let gap = |draw: AffineDraw| {
            let draw = Draw { affine: draw.affine(), ops: vec![], has_steps: false, mixed: None };
            let pixels = picture(golden.side);
            let (moved, _) =
                to_augmented(&pixels, &config, Device::Cpu, fill(&case.fill, 0), &[draw]);
            let got = values(&(moved * 255.0).get(0));
            got.iter().zip(&case.want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        assert!(gap(draw) < TOLERANCE, "case {i}: off by {}", gap(draw));
        assert!(gap(AffineDraw { older: false, ..draw }) > 1.0, "case {i}: later Keras differs");
    }
}
