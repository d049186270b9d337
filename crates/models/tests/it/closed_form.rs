//! Numbers that a golden's script and its test make alike, so that neither keeps them in a file.
//! The tests of `catscan-viz` compile this very file too.

use catscan_models::Model;
use tch::{Kind, Tensor};

/// `count` numbers in [-1, 1) that depend on `name` alone: splitmix64 started at the FNV-1a hash
/// of the name. The same formula is in scripts/golden/densenet.py.
pub fn closed_form(name: &str, count: usize) -> Vec<f64> {
    let start = name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    let number = |i: u64| {
        let z = start.wrapping_add((i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 * 2f64.powi(-52) - 1.0
    };
    (0..count as u64).map(number).collect()
}

/// Pictures of numbers in [0, 1): `[N, C, H, W]`, contiguous.
pub fn pictures(shape: [i64; 4]) -> Tensor {
    let numbers = closed_form("input", shape.iter().product::<i64>() as usize);
    let numbers: Vec<f32> = numbers.iter().map(|v| (v * 0.5 + 0.5) as f32).collect();
    Tensor::from_slice(&numbers).view(shape)
}

/// Gives every tensor its closed-form values, as `value` in scripts/golden/densenet.py does, in
/// `kind`.
pub fn fill(model: &Model, kind: Kind) {
    for weight in model.weights().iter() {
        let (name, size) = (&weight.name, weight.tensor.size());
        let scaled = |v: f64| match size.as_slice() {
            [_, c, h, w] => v * (6.0 / (c * h * w) as f64).sqrt(),
            [_, c] => v * (3.0 / *c as f64).sqrt(),
            _ if name.ends_with("weight") || name.ends_with("running_var") => 1.0 + 0.25 * v,
            _ => 0.25 * v,
        };
        let values = closed_form(name, weight.tensor.numel());
        let values: Vec<f32> = values.into_iter().map(|v| scaled(v) as f32).collect();
        let values = Tensor::from_slice(&values).view(size.as_slice()).to_kind(kind);
        weight.tensor.shallow_clone().set_data(&values);
    }
}
