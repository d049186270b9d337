//! Parity with torchvision's DenseNet: outputs, loss, the gradient of every parameter and the
//! running statistics after one training forward. The goldens come from
//! `scripts/golden/densenet.py`, which computes in 64-bit; weights and pictures are a closed
//! formula in both languages.

use catscan_models::{Mode, Model, ModelConfig, Pool, Taps};
use serde_json::Value;
use tch::{Kind, Tensor};

use super::support::{build, config, descend, fill, loss, pictures};

/// The largest relative error allowed in 64-bit, of a norm or of an entry against the root mean
/// square of its tensor. The goldens are 64-bit answers written with seven digits; our own rounding
/// (1e-16 an operation) stays far below that. So the parity is proven in 64-bit, which the layers
/// follow when weights and pictures have it; a wrong eps, padding or pooling is off by 1e-2.
const TOLERANCE: f64 = 1e-6;

/// The same in 32-bit for logits and loss, where rounding grows through 121 layers. Gradients are
/// not compared there: an activation within rounding of 0 flips its ReLU, and a single one changes
/// an entry by percents. torchvision's own 32-bit gradients differ from its 64-bit ones as much.
const TOLERANCE_32_BIT: f64 = 1e-3;

/// A norm below this is rounding: in exact arithmetic the gradient of a bias before a norm is 0.
const ROUNDING: f64 = 1e-6;

#[test]
fn mini_avg_equals_torchvision() {
    check("mini-avg", "densenet-mini", Pool::Avg, include_str!("../golden/densenet-mini-avg.json"));
}

#[test]
fn mini_max_equals_torchvision() {
    check("mini-max", "densenet-mini", Pool::Max, include_str!("../golden/densenet-mini-max.json"));
}

#[test]
fn densenet121_avg_equals_torchvision() {
    check("121-avg", "densenet121", Pool::Avg, include_str!("../golden/densenet-121-avg.json"));
}

#[test]
fn densenet121_max_equals_torchvision() {
    check("121-max", "densenet121", Pool::Max, include_str!("../golden/densenet-121-max.json"));
}

fn check(label: &str, name: &str, pool: Pool, golden: &str) {
    check_config(label, &config(name, pool, 1), golden);
}

/// That the model of this configuration gives the golden's answers; the golden says how many
/// channels and outputs it has.
pub fn check_config(label: &str, config: &ModelConfig, golden: &str) {
    let golden: Value = serde_json::from_str(golden).unwrap();
    for (kind, in_words, tolerance) in
        [(Kind::Float, "32-bit", TOLERANCE_32_BIT), (Kind::Double, "64-bit", TOLERANCE)]
    {
        for way in [Way::Fused, Way::Layered] {
            let worst = run(kind, way, config, &golden);
            let found =
                format!("{label} {in_words} {way:?}: {:.1e} at {}", worst.error, worst.place);
            println!("worst relative error, {found}");
            assert!(worst.error < tolerance, "{found}");
        }
    }
}

/// How a network computes: blocks as one operation, as a training on the CPU does, or layer by
/// layer, as on CUDA and wherever a tap looks in.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    Fused,
    Layered,
}

impl Way {
    pub fn taps(self) -> Taps {
        match self {
            Way::Fused => Taps::off(),
            Way::Layered => Taps::all(),
        }
    }
}

/// The worst error of a model that computes so, in `kind`.
fn run(kind: Kind, way: Way, config: &ModelConfig, golden: &Value) -> Worst {
    let shape: [i64; 4] = serde_json::from_value(golden["input"].clone()).unwrap();
    let outputs = golden["outputs"].as_i64().unwrap();
    let model = build(&ModelConfig { in_channels: shape[1], outputs, ..config.clone() });
    fill(&model, kind);
    let x = pictures(shape).to_kind(kind);
    let mut worst = Worst::default();

    let logits = tch::no_grad(|| model.forward(&x, Mode::Eval, &mut way.taps()));
    worst.compare_all("eval logits", &logits, &golden["eval_logits"]);
    let logits = model.forward(&x, Mode::TRAIN, &mut way.taps());
    worst.compare_all("train logits", &logits, &golden["train_logits"]);
    let loss = loss(&logits);
    worst.compare("loss", loss.double_value(&[]), number(&golden["loss"]), 1.0);
    if kind == Kind::Double {
        loss.backward();
        compare_gradients(&model, golden, &mut worst);
        for row in golden["running"].as_array().unwrap() {
            let name = row[0].as_str().unwrap();
            let tensor = model.weights().get(name).unwrap_or_else(|| panic!("no {name}"));
            worst.compare_sampled(name, tensor, &row[1], &row[2]);
        }
        compare_descent(&model, way, &x, &golden["descent"], &mut worst);
    }
    worst
}

/// The loss after each of ten steps of plain gradient descent: the first has its gradients.
fn compare_descent(model: &Model, way: Way, x: &Tensor, descent: &Value, worst: &mut Worst) {
    let losses = descent["losses"].as_array().unwrap();
    assert_eq!(losses.len(), 10);
    for (step, want) in (1..).zip(losses) {
        descend(model, number(&descent["lr"]));
        let loss = loss(&model.forward(x, Mode::TRAIN, &mut way.taps()));
        let place = format!("loss after step {step}");
        worst.compare(&place, loss.double_value(&[]), number(want), number(want));
        loss.backward();
    }
}

/// Every parameter's gradient; also that parameters have torchvision's names, shapes and order.
fn compare_gradients(model: &Model, golden: &Value, worst: &mut Worst) {
    let gradients = golden["gradients"].as_array().unwrap();
    assert_eq!(model.weights().parameters().count(), gradients.len());
    for (weight, row) in model.weights().parameters().zip(gradients) {
        assert_eq!(weight.name, row[0].as_str().unwrap(), "order of parameters");
        let shape: Vec<i64> = serde_json::from_value(row[1].clone()).unwrap();
        assert_eq!(weight.tensor.size(), shape, "{}", weight.name);
        worst.compare_sampled(&weight.name, &weight.tensor.grad(), &row[2], &row[3]);
    }
}

/// The largest relative error so far.
#[derive(Default)]
struct Worst {
    error: f64,
    place: String,
}

impl Worst {
    fn compare(&mut self, place: &str, got: f64, want: f64, scale: f64) {
        let error = (got - want).abs() / scale;
        assert!(error.is_finite(), "{place}: got {got}, want {want}");
        if error >= self.error {
            (self.error, self.place) = (error, format!("{place} (got {got}, want {want})"));
        }
    }

    /// Every entry, against the largest one.
    fn compare_all(&mut self, place: &str, got: &Tensor, want: &Value) {
        let want: Vec<f64> = serde_json::from_value(want.clone()).unwrap();
        let got: Vec<f64> = (&got.flatten(0, -1).to_kind(Kind::Double)).try_into().unwrap();
        assert_eq!(got.len(), want.len(), "{place}");
        let scale = want.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        for (got, want) in got.iter().zip(&want) {
            self.compare(place, *got, *want, scale);
        }
    }

    /// The norm, and entries evenly spread from the first to the last against the tensor's root
    /// mean square.
    fn compare_sampled(&mut self, place: &str, got: &Tensor, norm: &Value, samples: &Value) {
        let flat = got.flatten(0, -1).to_kind(Kind::Double);
        let scale = number(norm).max(ROUNDING);
        self.compare(place, flat.norm().double_value(&[]), number(norm), scale);
        let samples: Vec<f64> = serde_json::from_value(samples.clone()).unwrap();
        let (last, steps) = (flat.numel() - 1, (samples.len() - 1).max(1));
        let root_mean_square = scale / (flat.numel() as f64).sqrt();
        for (i, want) in samples.iter().enumerate() {
            let entry = flat.double_value(&[(last * i / steps) as i64]);
            self.compare(place, entry, *want, root_mean_square.max(want.abs()));
        }
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}
