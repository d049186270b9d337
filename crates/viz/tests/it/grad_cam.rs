//! Parity of Grad-CAM with pytorch-grad-cam on torchvision's DenseNet: the small twin with three
//! classes and DenseNet-121 with one logit, at every block. Goldens come from
//! `scripts/golden/grad_cam.py`, which computes in 64-bit.

use super::support::{fill, model, numbers, pictures};
use catscan_models::Model;
use catscan_viz::cam::{Cams, grad_cam};
use serde_json::Value;
use tch::Tensor;

/// The largest error allowed, against the root mean square of its map. The goldens are exact;
/// ours is 32-bit rounding through the network and back (measured: 2e-5 for the twin, 2e-4 for 121
/// layers). A map of the wrong tap, class or sign is off by 1 and more.
const TOLERANCE: f64 = 2e-3;

#[test]
fn the_twin_equals_pytorch_grad_cam() {
    check("densenet-mini", 3, include_str!("../golden/grad-cam-mini.json"));
}

#[test]
fn densenet121_equals_pytorch_grad_cam() {
    check("densenet121", 1, include_str!("../golden/grad-cam-121.json"));
}

fn check(name: &str, outputs: i64, golden: &str) {
    let golden: Value = serde_json::from_str(golden).unwrap();
    let model = model(name, outputs);
    fill(&model, tch::Kind::Float);
    let shape: [i64; 4] = serde_json::from_value(golden["input"].clone()).unwrap();
    let classes: Vec<i64> = numbers(&golden["classes"]).iter().map(|v| *v as i64).collect();
    let maps = golden["maps"].as_object().unwrap();
    let taps: Vec<String> = maps.keys().cloned().collect();
    let ours = grad_cam(&model, &pictures(shape), &classes, &taps).unwrap();
    let mut worst: f64 = 0.0;
    for (tap, theirs) in ours.taps.iter().zip(maps.values()) {
        for (map, theirs) in tap.maps.iter().zip(theirs.as_array().unwrap()) {
            let theirs = numbers(theirs);
            assert_eq!(map.signed.len(), theirs.len(), "{}", tap.tap);
            let square = theirs.iter().map(|v| v * v).sum::<f64>() / theirs.len() as f64;
            for (a, b) in map.signed.iter().zip(&theirs) {
                worst = worst.max((f64::from(*a) - b).abs() / square.sqrt());
            }
        }
    }
    println!("{name}: worst error {worst:.1e} over {} taps", taps.len());
    assert!(worst < TOLERANCE, "{name}: {worst:.2e}");
}

/// A definition that owes nothing to autograd. The head's mean makes the gradient at the last
/// ReLU's output, and so at norm5 wherever it is positive, the classifier's weight divided by the
/// number of places. So the map at norm5 can be written down from the weights.
#[test]
fn the_last_map_is_the_classifiers_weights_by_hand() {
    let model = model("densenet-mini", 1);
    let x = pictures([2, 3, 64, 64]);
    let mut taps = model.taps(&["features.norm5"]).unwrap();
    let _ = tch::no_grad(|| model.forward(&x, catscan_models::Mode::Eval, &mut taps));
    let last = taps.get("features.norm5").unwrap();
    let classifier = model.weights().iter().find(|w| w.name == "classifier.weight").unwrap();
    let places = (last.size()[2] * last.size()[3]) as f64;
    let passed = last.gt(0.0).to_kind(tch::Kind::Float);
    let share = passed.mean_dim([2i64, 3].as_slice(), true, tch::Kind::Float) / places;
    let weights = share * classifier.tensor.detach().view([1, -1, 1, 1]);
    let by_hand = (weights * last).sum_dim_intlist([1i64].as_slice(), false, tch::Kind::Float);
    let names = ["features.norm5".to_owned()];
    let ours = grad_cam(&model, &x, &[1, 1], &names).unwrap();
    for n in 0..2 {
        let by_hand: Vec<f32> = by_hand.get(n).flatten(0, -1).try_into().unwrap();
        for (a, b) in ours.taps[0].maps[n as usize].signed.iter().zip(by_hand) {
            assert!((a - b).abs() < 1e-5 + 1e-4 * b.abs(), "{a} {b}");
        }
    }
}

fn both(model: &Model, batch: &Tensor, classes: &[i64]) -> Cams {
    grad_cam(model, batch, classes, &model.block_names()).unwrap()
}

#[test]
fn one_batch_gives_what_single_pictures_give_and_class_0_is_the_negative() {
    let model = model("densenet-mini", 1);
    let x = pictures([2, 3, 64, 64]);
    let together = both(&model, &x, &[1, 0]);
    let alone = both(&model, &x.narrow(0, 1, 1), &[1]);
    for (t, a) in together.of_picture(1).iter().zip(alone.of_picture(0)) {
        for (t, a) in t.for_other_class().signed.iter().zip(&a.signed) {
            assert!((t - a).abs() < 1e-6 + 1e-4 * a.abs(), "{t} {a}");
        }
    }
    assert_eq!(together.taps.len(), 6);
    assert!((together.probabilities[0].iter().sum::<f32>() - 1.0).abs() < 1e-6);
}

#[test]
fn works_where_gradients_are_off_and_where_weights_are_frozen() {
    let model = model("densenet-mini", 3);
    let x = pictures([1, 3, 64, 64]);
    let usual = both(&model, &x, &[2]);
    assert_eq!(tch::no_grad(|| both(&model, &x, &[2])), usual);
    for weight in model.weights().parameters() {
        let _ = weight.tensor.set_requires_grad(false);
    }
    assert_eq!(both(&model, &x, &[2]), usual);
}

#[test]
fn what_cannot_be_explained_is_refused() {
    let model = model("densenet-mini", 3);
    let x = pictures([1, 3, 64, 64]);
    let explain = |x: &Tensor, classes: &[i64], tap: &str| {
        let error = grad_cam(&model, x, classes, &[tap.to_owned()]).unwrap_err();
        error.to_string()
    };
    let message = explain(&x, &[0], "features.norm6");
    assert!(message.contains("nearest is features.norm5"), "{message}");
    let message = explain(&x, &[3], "features.norm5");
    assert!(message.contains("class 3"), "{message}");
    let message = explain(&x, &[0, 1], "features.norm5");
    assert!(message.contains("got 2 classes, want 1"), "{message}");
    let message = explain(&x, &[0], "classifier");
    assert!(message.contains("want [N, C, H, W]"), "{message}");
    let message = explain(&x.narrow(2, 0, 8), &[0], "features.norm5");
    assert!(message.contains("8×64"), "{message}");
    let message = explain(&(&x / 0.0), &[0], "features.norm5");
    assert!(message.contains("NaN"), "{message}");
}
