//! Weights files: round trip, and what must be refused (cases 3 and 4 of the list of faults).

use std::path::{Path, PathBuf};

use catscan_models::weights::file::read_header;
use catscan_models::{Mode, Model, Pool, Taps, Weights};
use safetensors::tensor::{Dtype, TensorView};
use tch::Tensor;

use super::support::{build, config, pictures};

/// A tensor of a file: name, kind, shape, bytes.
type Row = (String, Dtype, Vec<usize>, Vec<u8>);

fn mini(outputs: i64, seed: u64) -> Model {
    let config = config("densenet-mini", Pool::Avg, outputs);
    Model::build(&config, seed, tch::Device::Cpu).unwrap()
}

fn rows(weights: &Weights) -> Vec<Row> {
    let row = |weight: &catscan_models::Weight| {
        let shape = weight.tensor.size().iter().map(|&size| size as usize).collect();
        let values: Vec<f32> = (&weight.tensor.flatten(0, -1)).try_into().unwrap();
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        (weight.name.clone(), Dtype::F32, shape, bytes)
    };
    weights.iter().map(row).collect()
}

fn write(folder: &Path, rows: &[Row]) -> PathBuf {
    let path = folder.join("weights.safetensors");
    let views = rows.iter().map(|(name, kind, shape, bytes)| {
        (name.as_str(), TensorView::new(*kind, shape.clone(), bytes).unwrap())
    });
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    path
}

fn copies(weights: &Weights) -> Vec<Tensor> {
    weights.iter().map(|weight| weight.tensor.copy()).collect()
}

fn assert_unchanged(weights: &Weights, before: &[Tensor]) {
    for (weight, before) in weights.iter().zip(before) {
        assert_eq!(&weight.tensor, before, "{} has changed", weight.name);
    }
}

#[test]
fn saved_and_loaded_weights_give_the_same_logits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let (first, second) = (mini(3, 1), mini(3, 2));
    let x = pictures([2, 3, 64, 64]);
    // A training forward, so that the running statistics are not the initial ones.
    let _ = first.forward(&x, Mode::TRAIN, &mut Taps::off());
    first.weights().save(&path).unwrap();
    second.weights().load(&path).unwrap();
    let eval = |model: &Model| tch::no_grad(|| model.forward(&x, Mode::Eval, &mut Taps::off()));
    assert_eq!(eval(&first), eval(&second));
    assert!(second.weights().parameters().all(|weight| weight.tensor.requires_grad()));
    // Saving again replaces the file and leaves nothing beside it; the bytes are the same.
    let bytes = std::fs::read(&path).unwrap();
    second.weights().save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_file_says_which_model_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let model = mini(3, 1);
    model.weights().save(&path).unwrap();
    let header = read_header(&path).unwrap();
    assert_eq!(header.config.as_ref(), Some(model.config()));
    assert_eq!(header.tensors["classifier.bias"], (vec![3], "F32".to_string()));
    assert_eq!(header.tensors.len(), model.weights().iter().len());
}

#[test]
fn every_difference_is_listed_and_nothing_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let model = mini(3, 1);
    let before = copies(model.weights());
    let mut rows = rows(mini(3, 2).weights());
    // One of each kind: two shapes that would broadcast, 64-bit, missing, extra.
    let find = |rows: &[Row], name: &str| rows.iter().position(|row| row.0 == name).unwrap();
    let i = find(&rows, "features.norm0.weight");
    (rows[i].2, rows[i].3) = (vec![1], vec![0; 4]);
    let i = find(&rows, "classifier.weight");
    let width = rows[i].2[1];
    (rows[i].2, rows[i].3) = (vec![width], vec![0; 4 * width]);
    let i = find(&rows, "classifier.bias");
    (rows[i].1, rows[i].3) = (Dtype::F64, vec![0; 24]);
    rows.remove(find(&rows, "features.conv0.weight"));
    rows.push(("fc.weight".into(), Dtype::F32, vec![1], vec![0; 4]));
    rows.push(("features.norm0.num_batches_tracked".into(), Dtype::I64, vec![], vec![0; 8]));
    let error = model.weights().load(&write(folder.path(), &rows)).unwrap_err();
    assert_eq!(error.exit_code(), 4);
    let message = error.to_string();
    for part in [
        "5 difference(s) from densenet-mini, nothing was loaded",
        "features.conv0.weight: missing from the file",
        "features.norm0.weight: file has [1] F32, model wants [16] F32",
        &format!("classifier.weight: file has [{width}] F32, model wants [3, {width}] F32"),
        "classifier.bias: file has [3] F64, model wants [3] F32",
        "fc.weight: not in the model",
    ] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
    assert!(!message.contains("num_batches_tracked"), "{message}");
    assert_unchanged(model.weights(), &before);
}

#[test]
fn halves_and_prefixed_names_are_told_from_another_models() {
    let folder = tempfile::tempdir().unwrap();
    let model = mini(3, 1);
    let refuse = |rows: &[Row]| {
        let error = model.weights().load(&write(folder.path(), rows)).unwrap_err();
        error.to_string().lines().last().unwrap().to_owned()
    };
    let mut halves = rows(model.weights());
    for (_, kind, _, bytes) in &mut halves {
        (*kind, *bytes) = (Dtype::F16, vec![0; bytes.len() / 2]);
    }
    let message = refuse(&halves);
    assert!(message.contains("only the kind of number differs; save them as 32-bit"), "{message}");
    halves[0].2 = vec![1, halves[0].2.iter().product()];
    assert!(refuse(&halves).contains("another model?"));
    let mut wrapped = rows(model.weights());
    wrapped.iter_mut().for_each(|row| row.0 = format!("net.module.{}", row.0));
    let message = refuse(&wrapped);
    assert!(message.contains("n.removeprefix('net.module.')"), "{message}");
    let fewer = wrapped.len() / 3;
    assert!(refuse(&wrapped[..fewer]).contains("another model?"));
}

#[test]
fn another_models_file_lists_ten_of_its_differences() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    build(&config("densenet121", Pool::Avg, 3)).weights().save(&path).unwrap();
    let message = mini(3, 1).weights().load(&path).unwrap_err().to_string();
    assert_eq!(message.lines().filter(|line| line.starts_with("  ")).count(), 11, "{message}");
    assert!(message.contains("more\n"), "{message}");
}

#[test]
fn pickles_are_refused_by_content_whatever_their_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("harmless.safetensors");
    let model = mini(1, 1);
    let before = copies(model.weights());
    let files: [(&[u8], &str, &str); 3] = [
        (b"\x80\x02}q\x00(X\x01\x00\x00\x00a", "a pickle", "torch.load('"),
        (b"PK\x03\x04\x00archive/data.pkl", "a zip archive", "torch.load('"),
        (b"PK\x03\x04\x00net/constants.pkl", "a TorchScript archive", "torch.jit.load('"),
    ];
    for (bytes, what, convert) in files {
        std::fs::write(&path, bytes).unwrap();
        let error = model.weights().load(&path).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{what}");
        let message = error.to_string();
        assert!(message.contains(what) && message.contains(convert), "{message}");
        assert_eq!(read_header(&path).unwrap_err().to_string(), message);
    }
    assert_unchanged(model.weights(), &before);
}

#[test]
fn a_cut_or_missing_file_is_an_error_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let model = mini(1, 1);
    let before = copies(model.weights());
    assert_eq!(model.weights().load(&path).unwrap_err().exit_code(), 2);
    mini(1, 2).weights().save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for kept in [0, 7, 100, bytes.len() - 10] {
        std::fs::write(&path, &bytes[..kept]).unwrap();
        assert_eq!(model.weights().load(&path).unwrap_err().exit_code(), 4, "{kept} bytes");
    }
    assert_unchanged(model.weights(), &before);
}

#[test]
fn a_failed_save_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let error = mini(1, 1).weights().save(&folder.path().join("none/weights.safetensors"));
    assert_eq!(error.unwrap_err().exit_code(), 7);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn tensors_given_new_storage_are_the_ones_the_model_uses() {
    // What a trainer does that keeps all parameters in one flat buffer.
    let model = mini(1, 1);
    let x = pictures([2, 3, 64, 64]);
    let eval = || tch::no_grad(|| model.forward(&x, Mode::Eval, &mut Taps::off()));
    let before = eval();
    let flat: Vec<Tensor> =
        model.weights().parameters().map(|weight| weight.tensor.detach().flatten(0, -1)).collect();
    let mut flat = Tensor::cat(&flat, 0);
    let mut start = 0;
    for weight in model.weights().parameters() {
        let count = weight.tensor.numel() as i64;
        let view = flat.narrow(0, start, count).view(weight.tensor.size().as_slice());
        weight.tensor.shallow_clone().set_data(&view);
        start += count;
    }
    // Weights that others can write to are not folded into their norms: the same but for rounding.
    assert!((eval() - &before).abs().max().double_value(&[]) < 1e-5);
    let _ = flat.fill_(0.0);
    assert_eq!(eval().abs().max().double_value(&[]), 0.0);
}
