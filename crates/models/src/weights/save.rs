//! Writing safetensors so that a file is either complete or absent: into a temporary file beside
//! it, fsync, rename, fsync of the folder. The model's configuration goes along as metadata, so
//! that a weights file alone says what to build.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use tch::{Device, Tensor};

use crate::error::ModelError;
use crate::weights::Weights;

/// The key of the configuration in a file's metadata.
pub(crate) const CONFIG_KEY: &str = "catscan.model";

/// Saves all tensors of `weights` to `path`, replacing what is there only when complete.
///
/// # Errors
/// Whatever the storage says; the temporary file is then removed.
pub(crate) fn save(weights: &Weights, path: &Path) -> Result<(), ModelError> {
    let bytes = to_bytes(weights);
    write_whole(path, &bytes).map_err(|source| ModelError::Save { path: path.into(), source })
}

/// The content of the safetensors file.
fn to_bytes(weights: &Weights) -> Vec<u8> {
    let raw: Vec<Vec<u8>> = weights.iter().map(|weight| values(&weight.tensor)).collect();
    let views = weights.iter().zip(&raw).map(|(weight, bytes)| {
        let shape = weight.tensor.size().iter().map(|&size| size as usize).collect();
        let view = TensorView::new(Dtype::F32, shape, bytes).expect("a tensor fits its own shape");
        (weight.name.as_str(), view)
    });
    let metadata = HashMap::from([(CONFIG_KEY.to_string(), weights.config.clone())]);
    safetensors::serialize(views, Some(metadata)).expect("tensors of distinct names serialise")
}

/// The numbers of a 32-bit tensor as bytes.
fn values(tensor: &Tensor) -> Vec<u8> {
    let tensor = tensor.detach().to_device(Device::Cpu).contiguous();
    let mut bytes = vec![0; tensor.numel() * size_of::<f32>()];
    tensor.copy_data_u8(&mut bytes, tensor.numel());
    bytes
}

fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".weights-").suffix(".tmp");
    // A temporary file is private by default; weights get the permissions of any new file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // Without this the rename itself can be lost with the power.
    #[cfg(unix)]
    std::fs::File::open(folder)?.sync_all()?;
    Ok(())
}
