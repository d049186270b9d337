//! Every method of CAMS against pytorch-grad-cam, captum and formulas written out in PyTorch, on
//! the small DenseNet twin. Goldens come from `scripts/golden/cams.py`, which computes in 64-bit.

use super::support::{fill, model, numbers, pictures};
use catscan_models::Model;
use catscan_viz::cam::{CAMS, CamRow, INPUT, Map, explain, explain_each};
use serde_json::Value;

/// The largest error allowed, against the root mean square of its map. Ours is 32-bit rounding
/// through the network and back (measured: 3e-6, for occlusion 3e-5); a map of the wrong tap,
/// class, sign or weighting is off by 1.
const TOLERANCE: f64 = 1e-4;

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/cams.json")).unwrap()
}

fn twin() -> Model {
    let model = model("densenet-mini", 3);
    fill(&model, tch::Kind::Float);
    model
}

/// The worst error of `ours` against its golden's root mean square; of a golden of zeros, none or
/// endless. A number that is none (NaN) fails.
fn error(ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.iter().chain(theirs).all(|v| v.is_finite()), "{ours:?}\n{theirs:?}");
    let square = theirs.iter().map(|v| v * v).sum::<f64>() / theirs.len() as f64;
    let worst = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    if worst == 0.0 { 0.0 } else { worst / square.sqrt() }
}

/// Means over squares of 4 × 4 places.
fn pooled(map: &Map) -> Vec<f64> {
    let (wide, side) = (map.width as usize, 4);
    let at = |y: usize, x: usize| f64::from(map.signed[y * wide + x]);
    let square = |y: usize, x: usize| {
        let all = (0..side * side).map(|i| at(y * side + i / side, x * side + i % side));
        all.sum::<f64>() / (side * side) as f64
    };
    let rows = map.height as usize / side;
    (0..rows).flat_map(|y| (0..wide / side).map(move |x| square(y, x))).collect()
}

#[test]
fn every_method_equals_its_peer() {
    let (golden, model) = (golden(), twin());
    let shape: [i64; 4] = serde_json::from_value(golden["input"].clone()).unwrap();
    let classes: Vec<i64> = numbers(&golden["classes"]).iter().map(|v| *v as i64).collect();
    let x = pictures(shape);
    for row in CAMS.iter().filter(|row| row.name != "original") {
        let of_taps = golden["taps"][row.name].as_object();
        let taps: Vec<String> = of_taps.map_or(vec![], |maps| maps.keys().cloned().collect());
        assert_eq!(taps.is_empty(), row.looks_at_input(), "{}: not in the golden", row.name);
        let ours = explain(row, &model, &x, &classes, &taps).unwrap();
        let (mut worst, mut compared): (f64, usize) = (0.0, 0);
        for tap in &ours.taps {
            let theirs = match row.looks_at_input() {
                true => &golden["pictures"][row.name],
                false => &golden["taps"][row.name][&tap.tap],
            };
            assert_eq!(theirs.as_array().map(Vec::len), Some(classes.len()), "{}", row.name);
            for (map, theirs) in tap.maps.iter().zip(theirs.as_array().unwrap()) {
                let theirs = numbers(theirs);
                let ours = match row.looks_at_input() {
                    true => pooled(map),
                    false => map.signed.iter().map(|v| f64::from(*v)).collect(),
                };
                let mut off = error(&ours, &theirs);
                if row.name == "eigen-cam" {
                    let turned: Vec<f64> = ours.iter().map(|v| -v).collect();
                    off = off.min(error(&turned, &theirs));
                }
                worst = worst.max(off);
                compared += 1;
            }
        }
        assert_eq!(compared, classes.len() * ours.taps.len(), "{}", row.name);
        assert!(compared > 0, "{}", row.name);
        println!("{}: worst error {worst:.1e} over {} taps", row.name, ours.taps.len());
        assert!(worst < TOLERANCE, "{}: {worst:.2e}", row.name);
    }
}

/// Both classes of a batch at once are what they are one by one, with one logit and with three.
#[test]
fn both_classes_at_once_are_each_alone() {
    let x = pictures([2, 3, 32, 32]);
    for model in [model("densenet-mini", 1), twin()] {
        let taps = model.block_names();
        for row in CAMS.iter().filter(|row| row.is_one_pass() && !row.only_at_last()) {
            let both = explain_each(row, &model, &x, &[vec![0, 1], vec![1, 0]], &taps).unwrap();
            let alone = explain(row, &model, &x, &[1, 0], &taps).unwrap();
            for (tap, alone) in both[1].taps.iter().zip(&alone.taps) {
                for (a, b) in tap.maps.iter().zip(&alone.maps) {
                    let b: Vec<f64> = b.signed.iter().map(|v| f64::from(*v)).collect();
                    let a: Vec<f64> = a.signed.iter().map(|v| f64::from(*v)).collect();
                    let off = error(&a, &b);
                    assert!(off < 1e-4, "{} {}: {off}", row.name, tap.tap);
                }
            }
        }
    }
}

#[test]
fn gradients_sum_to_the_score_where_their_papers_say_so() {
    let model = twin();
    let x = pictures([1, 3, 32, 32]);
    let scores = |x: &tch::Tensor| {
        let logits = tch::no_grad(|| {
            model.forward(x, catscan_models::Mode::Eval, &mut catscan_models::Taps::off())
        });
        logits.double_value(&[0, 1])
    };
    let row = CamRow::find("integrated-gradients").unwrap();
    let map = explain(row, &model, &x, &[1], &[]).unwrap();
    assert_eq!(map.taps[0].tap, INPUT);
    let sum: f64 = map.taps[0].maps[0].signed.iter().map(|v| f64::from(*v)).sum();
    let rise = scores(&x) - scores(&x.zeros_like());
    assert!((sum - rise).abs() < 0.02 * rise.abs().max(1.0), "{sum} {rise}");
    // HiResCAM at the last map adds up to the logit without its bias.
    let row = CamRow::find("hires-cam").unwrap();
    let map = explain(row, &model, &x, &[1], &["features.norm5".to_owned()]).unwrap();
    let sum: f64 = map.taps[0].maps[0].signed.iter().map(|v| f64::from(*v)).sum();
    let bias = model.weights().iter().find(|w| w.name == "classifier.bias").unwrap();
    let logit = scores(&x) - bias.tensor.double_value(&[1]);
    assert!((sum - logit).abs() < 1e-3, "{sum} {logit}");
}

/// The study's recipe written out: the gradient of the sigmoid by autograd, both classes alike.
#[test]
fn the_studys_own_recipe_is_what_it_says() {
    let model = model("densenet-mini", 1);
    let x = pictures([1, 3, 32, 32]);
    let tap = "features.denseblock3".to_owned();
    let mut taps = model.taps(&[&tap]).unwrap();
    let p = model.forward(&x, catscan_models::Mode::Eval, &mut taps).sigmoid();
    let a = taps.get(&tap).unwrap().shallow_clone();
    let gradient = tch::Tensor::run_backward(&[p.sum(None)], &[&a], false, false).remove(0);
    let weights = gradient.mean_dim([2i64, 3].as_slice(), true, None);
    let share = p.double_value(&[0, 0]) - 0.5;
    let by_hand = (weights * a).sum_dim_intlist([1i64].as_slice(), false, None) * share;
    let by_hand: Vec<f32> = by_hand.detach().flatten(0, -1).try_into().unwrap();
    let row = CamRow::find("original").unwrap();
    let both = explain_each(row, &model, &x, &[vec![0], vec![1]], &[tap]).unwrap();
    for ours in both {
        for (a, b) in ours.taps[0].maps[0].signed.iter().zip(&by_hand) {
            assert!((a - b).abs() < 1e-7 + 1e-3 * b.abs(), "{a} {b}");
        }
    }
}

/// With three logits the probability's gradient goes through all of them.
#[test]
fn the_studys_own_recipe_of_one_of_three_classes() {
    let (model, x) = (twin(), pictures([1, 3, 32, 32]));
    let tap = "features.denseblock3".to_owned();
    let row = CamRow::find("original").unwrap();
    for class in 0..3 {
        let mut taps = model.taps(&[&tap]).unwrap();
        let logits = model.forward(&x, catscan_models::Mode::Eval, &mut taps);
        let p = logits.softmax(1, None).select(1, class);
        let a = taps.get(&tap).unwrap().shallow_clone();
        let gradient = tch::Tensor::run_backward(&[p.sum(None)], &[&a], false, false).remove(0);
        let weights = gradient.mean_dim([2i64, 3].as_slice(), true, None);
        let share = p.double_value(&[0]) - 0.5;
        let by_hand = (weights * a).sum_dim_intlist([1i64].as_slice(), false, None) * share;
        let by_hand: Vec<f32> = by_hand.detach().flatten(0, -1).try_into().unwrap();
        let ours = explain(row, &model, &x, &[class], std::slice::from_ref(&tap)).unwrap();
        let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        let off = error(&wide(&ours.taps[0].maps[0].signed), &wide(&by_hand));
        assert!(off < TOLERANCE, "class {class}: {off}");
    }
}

#[test]
fn cam_is_refused_where_it_is_not_defined() {
    let model = twin();
    let row = CamRow::find("cam").unwrap();
    let x = pictures([1, 3, 32, 32]);
    let error = explain(row, &model, &x, &[0], &["features.denseblock4".to_owned()]);
    assert!(error.unwrap_err().to_string().contains("the last block"));
}
