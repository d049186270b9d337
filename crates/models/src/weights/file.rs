//! Reading safetensors (<https://github.com/huggingface/safetensors>), strictly, and nothing else.
//!
//! A pickle runs code when it is read, so pickles, and the zip archives of them that `torch.save`
//! and TorchScript write, are recognised by their content and refused. tch's own loader broadcasts
//! wrong shapes and converts kinds in silence; here a file must match the model exactly.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;

use crate::config::ModelConfig;
use crate::error::ModelError;
use crate::weights::save::CONFIG_KEY;

/// A file of weights, read whole and known not to be a pickle.
#[derive(Debug)]
pub struct WeightsFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

/// What a weights file says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// The model it was saved from, if catscan saved it.
    pub config: Option<ModelConfig>,
    /// Shape and kind (in safetensors' words, such as `F32`) by name.
    pub tensors: BTreeMap<String, (Vec<usize>, String)>,
}

impl WeightsFile {
    /// Reads it.
    ///
    /// # Errors
    /// No such file, or one of PyTorch's pickles: the error says how to convert it.
    pub fn read(path: &Path) -> Result<WeightsFile, ModelError> {
        let bytes =
            std::fs::read(path).map_err(|source| ModelError::Read { path: path.into(), source })?;
        match foreign(&bytes) {
            Some((what, reader)) => {
                let convert = convert_hint(path, reader);
                Err(ModelError::NotSafetensors { path: path.into(), what, convert })
            }
            None => Ok(WeightsFile { path: path.into(), bytes }),
        }
    }

    /// Where it was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// blake3 of its content, in hexadecimal.
    pub fn digest(&self) -> String {
        blake3::hash(&self.bytes).to_hex().to_string()
    }

    /// What it says about itself.
    ///
    /// # Errors
    /// Where it is no safetensors file, or a damaged one.
    pub fn header(&self) -> Result<Header, ModelError> {
        let (_, metadata) = SafeTensors::read_metadata(&self.bytes)
            .map_err(|error| self.damaged(error.to_string()))?;
        let config = metadata.metadata().as_ref().and_then(|pairs| pairs.get(CONFIG_KEY));
        let config = config.map(|text| serde_json::from_str(text)).transpose();
        let config = config.map_err(|error| self.damaged(format!("its {CONFIG_KEY}: {error}")))?;
        let tensors = metadata.tensors().into_iter();
        let tensors =
            tensors.map(|(name, info)| (name, (info.shape.clone(), format!("{:?}", info.dtype))));
        Ok(Header { config, tensors: tensors.collect() })
    }

    /// Its tensors.
    pub(super) fn tensors(&self) -> Result<SafeTensors<'_>, ModelError> {
        SafeTensors::deserialize(&self.bytes).map_err(|error| self.damaged(error.to_string()))
    }

    fn damaged(&self, reason: String) -> ModelError {
        ModelError::Damaged { path: self.path.clone(), reason }
    }
}

/// Reads what a weights file says about itself.
///
/// # Errors
/// As [`WeightsFile::read`] and [`WeightsFile::header`].
pub fn read_header(path: &Path) -> Result<Header, ModelError> {
    WeightsFile::read(path)?.header()
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

/// How to make safetensors of it, in 32-bit: the one-liner of docs/weights.md. What it reads is
/// never what it writes.
fn convert_hint(path: &Path, reader: &str) -> String {
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', "\\'"));
    let reader = reader.replace("PATH", &quoted(path));
    let ends_so = path.extension().is_some_and(|end| end == "safetensors");
    let end = if ends_so { "converted.safetensors" } else { "safetensors" };
    format!(
        "convert it: python3 -c \"import torch, safetensors.torch as s; s.save_file({{n: \
         (t.float() if t.is_floating_point() else t).contiguous().clone() for n, t in \
         {reader}.items()}}, {})\"",
        quoted(&path.with_extension(end))
    )
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
    fn a_conversion_writes_beside_what_it_reads() {
        for (name, reads, writes) in [
            ("a.pth", "'a.pth'", "'a.safetensors'"),
            ("a.safetensors", "'a.safetensors'", "'a.converted.safetensors'"),
            ("it's.pt", r"'it\'s.pt'", r"'it\'s.safetensors'"),
        ] {
            let hint = convert_hint(Path::new(name), TORCH_LOAD);
            assert!(hint.contains(&format!("torch.load({reads}, ")), "{hint}");
            assert!(hint.ends_with(&format!(", {writes})\"")), "{hint}");
            assert!(hint.contains("(t.float() if t.is_floating_point() else t)"), "{hint}");
        }
    }
}
