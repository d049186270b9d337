//! Reading safetensors (<https://github.com/huggingface/safetensors>), strictly, and nothing else.
//!
//! A pickle runs code when it is read, so pickles, and the zip archives of them that `torch.save`
//! and TorchScript write, are recognised by their content and refused. tch's own loader broadcasts
//! wrong shapes and converts kinds in silence; here a file must match the model exactly.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use tch::{Kind, Tensor};

use crate::config::ModelConfig;
use crate::error::ModelError;
use crate::weights::save::CONFIG_KEY;
use crate::weights::{Weight, Weights};

/// How many differences a message lists.
const LISTED: usize = 10;

/// What a weights file says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// The model it was saved from, if catscan saved it.
    pub config: Option<ModelConfig>,
    /// Shape and kind (in safetensors' words, such as `F32`) by name.
    pub tensors: BTreeMap<String, (Vec<usize>, String)>,
}

/// Reads what a weights file says about itself.
///
/// # Errors
/// As [`Weights::load`], except for differences.
pub fn read_header(path: &Path) -> Result<Header, ModelError> {
    let bytes = read(path)?;
    let damaged = |reason: String| ModelError::Damaged { path: path.into(), reason };
    let (_, metadata) =
        SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
    let config = metadata.metadata().as_ref().and_then(|pairs| pairs.get(CONFIG_KEY));
    let config = config.map(|text| serde_json::from_str(text)).transpose();
    let config = config.map_err(|error| damaged(format!("its {CONFIG_KEY}: {error}")))?;
    let tensors = metadata.tensors().into_iter();
    let tensors =
        tensors.map(|(name, info)| (name, (info.shape.clone(), format!("{:?}", info.dtype))));
    Ok(Header { config, tensors: tensors.collect() })
}

/// Fills every tensor of `weights`; see [`Weights::load`].
pub(crate) fn load(weights: &Weights, path: &Path) -> Result<(), ModelError> {
    let bytes = read(path)?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| ModelError::Damaged { path: path.into(), reason: error.to_string() })?;
    let differences = differences(weights, &file);
    if !differences.is_empty() {
        return Err(ModelError::Differs {
            path: path.into(),
            model: weights.model.clone(),
            count: differences.len(),
            listed: listed(&differences),
        });
    }
    tch::no_grad(|| {
        for weight in weights.iter() {
            let view = file.tensor(&weight.name).expect("compared above");
            let values = Tensor::from_data_size(view.data(), &weight.tensor.size(), Kind::Float);
            weight.tensor.shallow_clone().copy_(&values);
        }
    });
    Ok(())
}

/// The file's bytes, once they do not look like a pickle.
fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    let bytes =
        std::fs::read(path).map_err(|source| ModelError::Read { path: path.into(), source })?;
    match foreign(&bytes) {
        Some((what, reader)) => {
            let convert = convert_hint(path, reader);
            Err(ModelError::NotSafetensors { path: path.into(), what, convert })
        }
        None => Ok(bytes),
    }
}

/// What the file is, and the Python that reads its tensors, if it is one of PyTorch's own formats.
fn foreign(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let holds = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    if bytes.starts_with(b"PK\x03\x04") {
        // Both are zip archives of pickles; only TorchScript stores its constants apart.
        return Some(match holds(b"/constants.pkl") {
            true => ("a TorchScript archive", "torch.jit.load(PATH).state_dict()"),
            false => ("a zip archive, as torch.save writes", TORCH_LOAD),
        });
    }
    // A pickle of protocol 2 to 5 starts with the PROTO opcode and the protocol's number. So does a
    // safetensors file whose header is 640, 896 … bytes long; but there the eight bytes of that
    // length are followed by a brace.
    match bytes {
        [_, _, _, _, 0, 0, 0, 0, b'{', ..] => None,
        [0x80, 2..=5, ..] => Some(("a pickle, as torch.save wrote before 1.6", TORCH_LOAD)),
        _ => None,
    }
}

const TORCH_LOAD: &str = "torch.load(PATH, map_location='cpu', weights_only=True)";

/// How to make safetensors of it.
fn convert_hint(path: &Path, reader: &str) -> String {
    let reader = reader.replace("PATH", &format!("'{}'", path.display()));
    let out = path.with_extension("safetensors");
    format!(
        "convert it: python3 -c \"import torch, safetensors.torch as s; s.save_file({{n: \
         t.contiguous() for n, t in {reader}.items()}}, '{}')\"",
        out.display()
    )
}

/// Every way in which the file is not what the model wants, a line each.
fn differences(weights: &Weights, file: &SafeTensors) -> Vec<String> {
    let mut lines: Vec<String> = weights
        .iter()
        .filter_map(|weight| match file.tensor(&weight.name) {
            Ok(view) => mismatch(weight, &view),
            Err(_) => Some(format!("{}: missing from the file", weight.name)),
        })
        .collect();
    let known: HashSet<&str> = weights.iter().map(|weight| weight.name.as_str()).collect();
    let mut extra: Vec<&str> = file.names().into_iter().filter(|n| !known.contains(n)).collect();
    // PyTorch counts the batches each norm has seen; with a fixed momentum nothing reads it.
    extra.retain(|name| !name.ends_with(".num_batches_tracked"));
    extra.sort_unstable();
    lines.extend(extra.iter().map(|name| format!("{name}: not in the model")));
    lines
}

fn mismatch(weight: &Weight, view: &TensorView) -> Option<String> {
    let wanted = weight.tensor.size();
    let same_shape = view.shape().iter().map(|&size| size as i64).eq(wanted.iter().copied());
    if same_shape && view.dtype() == Dtype::F32 {
        return None;
    }
    let (name, got, kind) = (&weight.name, view.shape(), view.dtype());
    Some(format!("{name}: file has {got:?} {kind:?}, model wants {wanted:?} F32"))
}

/// The first [`LISTED`] lines, and how many more there are.
fn listed(lines: &[String]) -> String {
    let mut text: String = lines.iter().take(LISTED).map(|line| format!("  {line}\n")).collect();
    if lines.len() > LISTED {
        text.push_str(&format!("  and {} more\n", lines.len() - LISTED));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_files_are_known_by_content() {
        assert!(foreign(b"PK\x03\x04....archive/data.pkl").unwrap().0.contains("torch.save"));
        assert!(foreign(b"PK\x03\x04....m/constants.pkl").unwrap().0.contains("TorchScript"));
        assert!(foreign(b"\x80\x02}q\x00.").unwrap().0.contains("pickle"));
        assert!(foreign(b"\x80\x02\0\0\0\0\0\0{\"a\":").is_none()); // a header of 640 bytes
        assert!(foreign(b"").is_none());
    }

    #[test]
    fn only_ten_lines_are_listed() {
        let lines: Vec<String> = (0..12).map(|i| format!("t{i}: missing")).collect();
        let text = listed(&lines);
        assert_eq!(text.lines().count(), 11);
        assert!(text.ends_with("and 2 more\n"), "{text}");
    }
}
