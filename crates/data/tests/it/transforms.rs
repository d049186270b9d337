//! Our steps against torchvision's: fixed arguments, values made by `scripts/golden/transforms.py`.

use catscan_data::augment::op::apply;
use catscan_data::augment::{Mixed, Op, Rectangle};
use catscan_data::{DataConfig, Dataset, Filter, Placement, RgbImage, resize};
use serde::Deserialize;
use tch::{Device, Kind, Tensor};
use tempfile::tempdir;

use crate::help::{config, encode, folder, put};

#[derive(Deserialize)]
struct Golden {
    side: i64,
    ops: Vec<Case>,
    mix: Mixes,
    middles: Vec<Middle>,
}

/// torchvision's Resize and CenterCrop of a picture of Pillow's.
#[derive(Deserialize)]
struct Middle {
    width: u32,
    height: u32,
    short: u32,
    size: u32,
    filter: Filter,
    want: String,
}

#[derive(Deserialize)]
struct Case {
    op: String,
    arguments: Vec<f64>,
    /// `[C, H, W]` on the scale 0..1.
    want: Vec<f64>,
}

#[derive(Deserialize)]
struct Mixes {
    share: f64,
    blended: Vec<f64>,
    /// `[N, K]`
    blend_labels: Vec<f64>,
    patch: [u32; 4],
    cut: Vec<f64>,
    cut_share: f64,
}

/// Both compute in 64 bits, but for torchvision's hue, which is of 32; the golden has 7 digits.
const TOLERANCE: f64 = 1e-6;

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/transforms.json")).unwrap()
}

/// `[1, C, H, W]`, as `picture` in the script.
fn picture(side: i64, seed: i64) -> Tensor {
    let value = |x, y, c| (x * 17 + y * 29 + c * 61 + x * y * (c + 3) + seed * 41) % 241 + 7;
    let at = |i: i64| value(i % side, i / side % side, i / side / side) as f64 / 255.0;
    let values: Vec<f64> = (0..3 * side * side).map(at).collect();
    Tensor::from_slice(&values).view([1, 3, side, side])
}

fn rectangle(sides: &[f64]) -> Rectangle {
    let side = |i: usize| sides[i] as u32;
    Rectangle { top: side(0), left: side(1), height: side(2), width: side(3) }
}

fn op(case: &Case) -> Op {
    let by = case.arguments[0];
    match case.op.as_str() {
        "crop" => Op::Crop(rectangle(&case.arguments)),
        "erase" => Op::Erase(rectangle(&case.arguments)),
        "brightness" => Op::Brightness(by),
        "contrast" => Op::Contrast(by),
        "saturation" => Op::Saturation(by),
        "hue" => Op::Hue(by),
        "shear_x" => Op::ShearX(by),
        "shear_y" => Op::ShearY(by),
        "translate_x" => Op::Translate(by, 0.0),
        "translate_y" => Op::Translate(0.0, by),
        "rotate" => Op::Rotate(by),
        "sharpness" => Op::Sharpness(by),
        "posterize" => Op::Posterize(by as u32),
        "solarize" => Op::Solarize(by),
        "autocontrast" => Op::AutoContrast,
        "equalize" => Op::Equalize,
        other => panic!("{other}: no such operation"),
    }
}

fn worst(got: &Tensor, want: &[f64]) -> f64 {
    let want = Tensor::from_slice(want);
    (got.to_kind(Kind::Double).reshape([-1]) - want).abs().max().double_value(&[])
}

fn zero() -> Tensor {
    Tensor::zeros([1, 3, 1, 1], (Kind::Double, Device::Cpu))
}

#[test]
fn fixed_arguments_give_torchvisions_pictures() {
    let golden = golden();
    assert!(golden.ops.len() > 25);
    for case in &golden.ops {
        let got = apply(&picture(golden.side, 0), &[&[op(case)]], &zero());
        let worst = worst(&got, &case.want);
        assert!(worst < TOLERANCE, "{} {:?}: off by {worst}", case.op, case.arguments);
    }
}

#[test]
fn a_batch_of_different_lists_is_its_pictures_one_by_one() {
    let golden = golden();
    let all: Vec<Op> = golden.ops.iter().map(op).collect();
    // Lists of 0 to 5 operations that begin at different places.
    let lists: Vec<&[Op]> = (0..12).map(|i| &all[2 * i..2 * i + i % 6]).collect();
    let one = |seed| picture(golden.side, seed).to_kind(Kind::Float);
    // In colour, and of one channel.
    for channels in [3, 1] {
        let pictures: Vec<Tensor> = (0..12).map(|i| one(i).narrow(1, 0, channels)).collect();
        let zero = zero().to_kind(Kind::Float).narrow(1, 0, channels);
        let together = apply(&Tensor::cat(&pictures, 0), &lists, &zero);
        for i in 0..12 {
            let alone = apply(&pictures[i as usize], &lists[i as usize..=i as usize], &zero);
            assert_eq!(together.narrow(0, i, 1), alone, "picture {i} of {channels} channels");
        }
    }
}

#[test]
fn grey_pictures_keep_their_channel_and_have_no_colour_to_turn() {
    let grey = picture(7, 3).narrow(1, 1, 1);
    let zero = zero().narrow(1, 0, 1);
    for case in golden().ops {
        let out = apply(&grey, &[&[op(&case)]], &zero);
        assert_eq!(out.size(), [1, 1, 7, 7], "{}", case.op);
        if ["hue", "saturation"].contains(&case.op.as_str()) {
            assert_eq!(out, grey);
        }
    }
}

#[test]
fn the_middle_of_a_picture_is_torchvisions() {
    let golden = golden();
    assert_eq!(golden.middles.len(), 3);
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    for (i, case) in golden.middles.into_iter().enumerate() {
        let value = |x: u32, y: u32, c: u32| ((x * 37 + y * 91 + c * 50 + x * y) % 256) as u8;
        let pixel = |x, y| image::Rgb([value(x, y, 0), value(x, y, 1), value(x, y, 2)]);
        let busy = RgbImage::from_fn(case.width, case.height, pixel);
        let got = resize::middle(&busy.clone().into(), case.short, case.size, case.filter);
        let byte = |i: usize| u8::from_str_radix(&case.want[i..i + 2], 16).unwrap();
        let want = (0..case.want.len()).step_by(2).map(byte);
        let worst = got.pixels().iter().zip(want).map(|(a, b)| a.abs_diff(b)).max().unwrap();
        let most = u8::from(case.filter != Filter::Nearest);
        assert!(worst <= most, "{:?}: off by {worst}, at most {most} expected", case.filter);
        // The same from a file, when the cache is made, when it is found, and from a stream.
        let at = root.path().join(i.to_string());
        for class in ["a", "b"] {
            put(&at.join(class).join("busy.png"), &encode(&busy, image::ImageFormat::Png));
        }
        let config = DataConfig {
            size_px: case.size,
            filter: case.filter,
            centre_crop_of_px: Some(case.short),
            ..config(&folder(&at))
        };
        for placement in [None, None, Some(Placement::Streamed)] {
            let set = Dataset::open_as(&config, cache.path(), placement, &()).unwrap();
            assert_eq!(*set.pixels(0).unwrap(), *got.pixels(), "{placement:?}");
        }
        // A cache without the crop is another.
        let config = DataConfig { centre_crop_of_px: None, ..config };
        let whole = Dataset::open(&config, cache.path(), &()).unwrap();
        assert_ne!(*whole.pixels(0).unwrap(), *got.pixels());
    }
}

#[test]
fn mixing_is_torchvisions() {
    let golden = golden();
    let pictures: Vec<Tensor> = (0..3).map(|seed| picture(golden.side, seed)).collect();
    let batch = Tensor::cat(&pictures, 0);
    let (blended, own) = Mixed::apply(&batch, &[Mixed::Blend(golden.mix.share); 3]);
    // Its beta is of 32 bits, and so is our share.
    assert!(worst(&blended, &golden.mix.blended) < 1e-6);
    let labels = |own: &Tensor| {
        let own = own.to_kind(Kind::Double).unsqueeze(1);
        let one_hot = Tensor::eye(3, (Kind::Double, Device::Cpu));
        &one_hot * &own + one_hot.roll([1], [0]) * (1f64 - &own)
    };
    assert!(worst(&labels(&own), &golden.mix.blend_labels) < 1e-6);
    let patch = rectangle(&golden.mix.patch.map(f64::from));
    let (cut, own) = Mixed::apply(&batch, &[Mixed::Patch(patch); 3]);
    assert!(worst(&cut, &golden.mix.cut) < TOLERANCE);
    assert!((own.double_value(&[1]) - golden.mix.cut_share).abs() < 1e-6);
}
