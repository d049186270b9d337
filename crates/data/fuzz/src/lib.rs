//! What the targets share: bytes as a file of a source, which must answer with pictures or a
//! refusal; and checksums made right again, so that what lies behind them is reached.

use std::path::Path;
use std::sync::OnceLock;

use catscan_data::source;
use tempfile::TempDir;

/// Where this process's files lie; they are written anew for each input.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| TempDir::new().expect("a folder for temporary files")).path()
}

/// Lists `source` of the file `open`, or of the folder of all `files` where `open` is empty. A
/// refusal must know its exit code: 2 and 3 are the data's, and 7, storage, is never its fault.
pub fn answers(source: &str, open: &str, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        std::fs::write(folder().join(name), bytes).expect("room for a small file");
    }
    let source = format!("{source}:{}", folder().join(open).display());
    match source::list(&source, folder(), &()) {
        Ok(listing) => assert!(listing.entries.iter().all(|entry| {
            (entry.label as usize) < listing.classes.len() && !entry.name.is_empty()
        })),
        Err(error) => assert!([2, 3].contains(&error.exit_code()), "{error}"),
    }
}

/// A PNG with the right sum behind each chunk.
pub fn mend_png(bytes: &mut [u8]) {
    let mut at = 8;
    while let Some(head) = bytes.get(at..at + 8) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let end = at + 8 + length;
        if bytes.len() < end + 4 {
            return;
        }
        let sum = crc32fast::hash(&bytes[at + 4..end]);
        bytes[end..end + 4].copy_from_slice(&sum.to_be_bytes());
        at = end + 4;
    }
}

/// A tar whose every block that says it is a header has the right sum.
pub fn mend_tar(bytes: &mut [u8]) {
    for block in bytes.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar") {
        block[148..156].copy_from_slice(b"        ");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}
