//! What transfer learning stands on: torchvision's weights load by name and give its logits, the
//! head can be replaced, and what is frozen stays as it is.

use std::path::{Path, PathBuf};
use std::process::Command;

use catscan_models::densenet::{DENSENET_MINI, DenseNetConfig};
use catscan_models::{Head, Mode, Model, ModelConfig, Pool, Shape, Taps, WeightsFile};
use safetensors::SafeTensors;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::support::{config, pictures, training};

/// The twin of scripts/golden/torchvision_weights.py.
fn twin(outputs: i64) -> Model {
    let shape = DenseNetConfig {
        growth: 4,
        blocks: vec![1, 1, 1, 1].into(),
        stem_features: 8,
        ..DENSENET_MINI
    };
    let shape = Some(Shape::DenseNet(shape));
    let config = ModelConfig { shape, ..config("densenet-mini", Pool::Avg, outputs) };
    Model::build(&config, 1, Device::Cpu).unwrap()
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/torchvision-weights.safetensors")
}

fn tensors(model: &Model) -> Vec<(String, Tensor)> {
    model.weights().iter().map(|weight| (weight.name.clone(), weight.tensor.copy())).collect()
}

/// Evaluates in 64-bit and compares as golden.rs does: seven digits are all that was written.
#[track_caller]
fn assert_logits(model: &Model, want: &[f64]) {
    for weight in model.weights().iter() {
        weight.tensor.shallow_clone().set_data(&weight.tensor.to_kind(Kind::Double));
    }
    let x = pictures([2, 3, 64, 64]).to_kind(Kind::Double);
    let logits = tch::no_grad(|| model.forward(&x, Mode::Eval, &mut Taps::off()));
    let logits: Vec<f64> = (&logits.flatten(0, -1)).try_into().unwrap();
    assert_eq!(logits.len(), want.len());
    for (got, want) in logits.iter().zip(want) {
        assert!((got - want).abs() < 1e-6 * want.abs().max(1.0), "{logits:?}, want {want}");
    }
}

#[test]
fn torchvisions_state_dict_loads_by_name_and_gives_its_logits() {
    let golden: Value =
        serde_json::from_str(include_str!("../golden/torchvision-weights.json")).unwrap();
    let want: Vec<f64> = serde_json::from_value(golden["eval_logits"].clone()).unwrap();
    let model = twin(3);
    model.weights().load(&fixture()).unwrap();
    assert_logits(&model, &want);
    let model = twin(3);
    let file = WeightsFile::read(&fixture()).unwrap();
    assert_eq!(model.start_from(&file, Head::Keep).unwrap(), Vec::<String>::new());
    assert_logits(&model, &want);
}

/// The fixture with the names of torchvision's published files.
fn with_old_names(folder: &Path) -> PathBuf {
    let bytes = std::fs::read(fixture()).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let old = |name: &str| {
        let name = name.replace("norm1.", "norm.1.").replace("norm2.", "norm.2.");
        name.replace("conv1.", "conv.1.").replace("conv2.", "conv.2.")
    };
    let views = file.tensors().into_iter().map(|(name, view)| (old(&name), view));
    let views: Vec<_> = views.collect();
    assert!(views.iter().any(|(name, _)| name.ends_with("denselayer1.norm.1.weight")));
    let path = folder.join("old.safetensors");
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    path
}

#[test]
fn the_names_of_published_densenets_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    let (today, old) = (twin(3), twin(3));
    today.weights().load(&fixture()).unwrap();
    old.weights().load(&with_old_names(folder.path())).unwrap();
    assert_eq!(tensors(&today), tensors(&old));
}

#[test]
fn a_head_is_replaced_when_asked_for_and_only_then() {
    let file = WeightsFile::read(&fixture()).unwrap();
    let model = twin(7);
    let before = tensors(&model);
    let message = model.start_from(&file, Head::Keep).unwrap_err().to_string();
    for part in [
        "2 difference(s) from densenet-mini, nothing was loaded",
        "classifier.weight: file has [3, 8] F32, model wants [7, 8] F32",
        "only the classifier differs",
        "--replace-head",
    ] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
    assert_eq!(tensors(&model), before);

    let message = model.weights().load(&fixture()).unwrap_err().to_string();
    assert!(message.contains("classifier differs and nothing else"), "{message}");
    assert!(message.contains("--outputs"), "{message}");

    let random = model.start_from(&file, Head::Replace).unwrap();
    assert_eq!(random, ["classifier.weight", "classifier.bias"]);
    let whole = twin(3);
    whole.weights().load(&fixture()).unwrap();
    for (name, tensor) in tensors(&model) {
        let of_head = name.starts_with("classifier.");
        let want = match of_head {
            true => &before.iter().find(|(other, _)| *other == name).unwrap().1,
            false => whole.weights().get(&name).unwrap(),
        };
        assert_eq!(&tensor, want, "{name}");
    }
    // Also where its shape would fit, because other classes can be as many.
    let same = twin(3);
    same.start_from(&file, Head::Replace).unwrap();
    let head = |model: &Model| model.weights().get("classifier.weight").unwrap().copy();
    assert_eq!(head(&same), head(&twin(3)));
}

#[test]
fn a_replaced_head_excuses_nothing_else() {
    let file = WeightsFile::read(&fixture()).unwrap();
    let other = Model::build(&config("densenet-mini", Pool::Avg, 7), 1, Device::Cpu).unwrap();
    let message = other.start_from(&file, Head::Replace).unwrap_err().to_string();
    assert!(message.contains("was it saved from another model?"), "{message}");
    assert!(!message.contains("classifier"), "{message}");
}

#[test]
fn a_file_is_known_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.safetensors");
    std::fs::copy(fixture(), &path).unwrap();
    let digest = |path: &Path| WeightsFile::read(path).unwrap().digest();
    assert_eq!(digest(&path), digest(&fixture()));
    assert_eq!(digest(&path).len(), 64);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_ne!(digest(&path), digest(&fixture()));
}

/// Freezes the parameters whose names begin with one of these.
fn freeze(model: &Model, beginnings: &[&str]) {
    for weight in model.weights().parameters() {
        if beginnings.iter().any(|beginning| weight.name.starts_with(beginning)) {
            weight.freeze();
        }
    }
}

#[test]
fn a_frozen_body_gets_no_gradient_and_keeps_its_statistics() {
    let model = twin(3);
    model.weights().load(&fixture()).unwrap();
    let before = tensors(&model);
    freeze(&model, &["features."]);
    let x = pictures([2, 3, 64, 64]);
    let logits = model.forward(&x, training(2), &mut Taps::off());
    logits.sum(Kind::Float).backward();
    assert_eq!(tensors(&model), before, "running statistics moved");
    for weight in model.weights().parameters() {
        assert_eq!(weight.tensor.grad().defined(), weight.is_trained(), "{}", weight.name);
        assert_eq!(weight.is_trained(), weight.name.starts_with("classifier."));
    }
    // All its norms are in evaluation, so training sees what evaluation sees, but for the rounding
    // of norms that are folded there.
    let eval = tch::no_grad(|| model.forward(&x, Mode::Eval, &mut Taps::off()));
    let apart = (logits.detach() - &eval).abs().max().double_value(&[]);
    assert!(apart < 1e-5 * eval.abs().max().double_value(&[]), "{apart:e}");
}

#[test]
fn a_norm_is_frozen_with_both_its_parameters_and_not_with_one() {
    let moved = |frozen: &[&str]| {
        let model = twin(3);
        let before = tensors(&model);
        freeze(&model, frozen);
        let _ = model.forward(&pictures([2, 3, 64, 64]), training(2), &mut Taps::off());
        let after = tensors(&model).into_iter().zip(before);
        let moved = after.filter(|(after, before)| after != before);
        moved.map(|((name, _), _)| name).collect::<Vec<_>>()
    };
    let all = moved(&[]);
    let norm0 = ["features.norm0.running_mean", "features.norm0.running_var"];
    assert_eq!(all[..2], norm0, "without freezing every statistic moves");
    assert_eq!(moved(&["features.norm0.weight"]), all);
    assert_eq!(moved(&["features.norm0."]), all[2..]);
}

/// Python with torchvision and safetensors, else why the test is skipped.
fn make_with_python(name: &str, folder: &Path) -> Result<(String, Vec<f64>), String> {
    let python = std::env::var("CATSCAN_PYTHON").unwrap_or_else(|_| "python3".into());
    let hint = format!("{python} has no torchvision and safetensors (set CATSCAN_PYTHON)");
    let script =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/golden/torchvision_weights.py");
    let libraries = Command::new(&python).args(["-c", "import torchvision, safetensors"]).output();
    if !libraries.is_ok_and(|output| output.status.success()) {
        let required = std::env::var_os("CATSCAN_REQUIRE_PYTHON").is_some();
        assert!(!required, "CATSCAN_REQUIRE_PYTHON is set, and {hint}");
        return Err(hint);
    }
    let output = Command::new(&python).args([script, "--make", name]).arg(folder).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Ok((python, serde_json::from_slice(&output.stdout).unwrap()))
}

/// Runs the command that the refusal of a pickle ends with, as its reader would.
fn convert(model: &Model, pickle: &Path, python: &str) -> PathBuf {
    let refusal = model.weights().load(pickle).unwrap_err().to_string();
    let (_, command) = refusal.split_once("convert it: python3 ").expect("how to convert it");
    let command = format!("{python} {command}");
    let status = Command::new("sh").args(["-c", &command]).status().unwrap();
    assert!(status.success(), "{command}");
    pickle.with_extension("safetensors")
}

#[test]
#[cfg(unix)]
fn networks_made_by_torchvision_on_the_spot_give_its_logits() {
    for name in ["densenet121", "resnet18"] {
        let folder = tempfile::tempdir().unwrap();
        let (python, logits) = match make_with_python(name, folder.path()) {
            Ok(made) => made,
            Err(reason) => return println!("skipped: {reason}"),
        };
        let pickles = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
        let pickles: Vec<PathBuf> = pickles.collect();
        assert!(!pickles.is_empty());
        for pickle in pickles {
            let model = Model::build(&config(name, Pool::Avg, 5), 1, Device::Cpu).unwrap();
            model.weights().load(&convert(&model, &pickle, &python)).unwrap();
            assert_logits(&model, &logits);
            println!("{}: the logits are torchvision's", pickle.display());
        }
    }
}

#[test]
fn the_documented_command_is_the_one_that_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let pickle = folder.path().join("resnet50.pth");
    std::fs::write(&pickle, b"PK\x03\x04\x00archive/data.pkl").unwrap();
    let message = WeightsFile::read(&pickle).unwrap_err().to_string();
    let (_, command) = message.split_once("convert it: ").unwrap();
    let command = command.replace(&format!("{}/", folder.path().display()), "");
    let page = include_str!("../../../../docs/weights.md");
    assert!(page.contains(&command), "docs/weights.md does not hold:\n{command}");
}
