//! Deletion and insertion against RISE's own metric, on the small DenseNet twin. The golden comes
//! from `scripts/golden/deletion.py`, which computes in 64-bit.

use super::closed_form::closed_form;
use super::support::{fill, model, numbers, pictures};
use catscan_viz::belief::{Pictures, deletion, deletion::Curves};
use catscan_viz::cam::Map;
use serde_json::Value;

/// Of a probability: 32-bit rounding through the network (measured: 1e-7). A pixel too much or too
/// few shows in the third digit.
const TOLERANCE: f64 = 1e-5;

#[test]
fn both_curves_are_rises() {
    let golden: Value = serde_json::from_str(include_str!("../golden/deletion.json")).unwrap();
    let shape: [i64; 4] = serde_json::from_value(golden["input"].clone()).unwrap();
    let classes: Vec<i64> = serde_json::from_value(golden["classes"].clone()).unwrap();
    let parts = golden["parts"].as_u64().unwrap() as usize;
    let model = model("densenet-mini", 3);
    fill(&model, tch::Kind::Float);
    let x = pictures(shape);
    let [count, _, height, width] = shape.map(|side| side as usize);
    let heat = closed_form("map", count * height * width);
    let map = |heat: &[f64]| Map {
        height: height as u32,
        width: width as u32,
        signed: heat.iter().map(|v| *v as f32).collect(),
    };
    let maps: Vec<Map> = heat.chunks(height * width).map(map).collect();
    let asked = Pictures::new(&model, &x, &classes).unwrap();
    let curves = Curves::mean(&deletion::curves(&asked, &[&maps], parts).unwrap()[0]);
    for (name, ours) in [("deletion", curves.deletion), ("insertion", curves.insertion)] {
        let theirs = numbers(&golden[name]);
        assert_eq!(ours.len(), theirs.len());
        let worst = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        println!("{name}: worst error {worst:.1e}");
        assert!(worst < TOLERANCE, "{name}: {ours:?}, RISE's {theirs:?}");
    }
}
