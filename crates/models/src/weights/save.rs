//! Writing safetensors so that a file is either complete or absent: into a temporary file beside
//! it, fsync, rename, fsync of the folder. The model's configuration goes along as metadata, so
//! that a weights file alone says what to build.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::error::ModelError;
use crate::weights::Weights;
use crate::weights::stream::{self, Content};

/// The key of the configuration in a file's metadata.
pub(crate) const CONFIG_KEY: &str = "catscan.model";

/// Saves all tensors of `weights` to `path`, replacing what is there only when complete.
///
/// # Errors
/// Whatever the storage says; the temporary file is then removed.
pub(crate) fn save(weights: &Weights, path: &Path) -> Result<(), ModelError> {
    write_whole(path, |out| write(weights, out))
        .map_err(|source| ModelError::Save { path: path.into(), source })
}

/// The content of the safetensors file.
pub(crate) fn write(weights: &Weights, out: &mut dyn Write) -> io::Result<()> {
    let entries = weights.iter().map(|one| (one.name.as_str(), Content::Numbers(&one.tensor)));
    let metadata = HashMap::from([(CONFIG_KEY.to_string(), weights.config.clone())]);
    stream::write(out, entries.collect(), Some(metadata))
}

fn write_whole(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
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
    let mut buffered = BufWriter::new(&mut file);
    content(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // Without this the rename itself can be lost with the power.
    #[cfg(unix)]
    std::fs::File::open(folder)?.sync_all()?;
    Ok(())
}
