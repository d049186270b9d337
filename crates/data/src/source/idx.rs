//! The IDX format of MNIST (LeCun, Cortes, Burges, <http://yann.lecun.com/exdb/mnist/>): a magic
//! number, a size for each axis, all big-endian, then the values. Of the kinds there are, pictures
//! (bytes on three axes, magic 2051) and labels (bytes on one, magic 2049) are read.
//!
//! Strict: the file must hold exactly what its header says, and a gzip its right checksum.

use std::path::Path;

use super::unpack::Unpack;
use crate::error::DataError;

const PICTURES: u32 = 2051;
const LABELS: u32 = 2049;

/// Most bytes a header may announce: EMNIST, the largest set of this kind, has 638 million.
const MOST_BYTES: u64 = 1 << 30;

/// `[N, H, W]` bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pictures {
    pub height: u32,
    pub width: u32,
    pub bytes: Vec<u8>,
}

impl Pictures {
    /// N
    pub fn count(&self) -> usize {
        self.bytes.len() / (self.height as usize * self.width as usize)
    }
}

/// A file of pictures, at least one.
pub(super) fn pictures(path: &Path) -> Result<Pictures, DataError> {
    let (sizes, bytes) = read(path, PICTURES, 3)?;
    Ok(Pictures { height: sizes[1], width: sizes[2], bytes })
}

/// A file of labels, at least one.
pub(super) fn labels(path: &Path) -> Result<Vec<u8>, DataError> {
    Ok(read(path, LABELS, 1)?.1)
}

/// The sizes of the axes, and the values.
fn read(path: &Path, magic: u32, axes: usize) -> Result<(Vec<u32>, Vec<u8>), DataError> {
    let refuse = |what: String| Err(DataError::refused(path, what, "get the file again"));
    let mut file = Unpack::open(path)?;
    let header_bytes = 4 * (1 + axes as u64);
    let head = file.take(header_bytes)?;
    let cut = |damage: Option<String>| damage.map_or(String::new(), |text| format!(" ({text})"));
    if head.bytes.len() as u64 != header_bytes {
        let (is, damage) = (head.bytes.len(), cut(head.damage));
        return refuse(format!("ends after {is} bytes{damage}, want a header of {header_bytes}"));
    }
    let numbers = head.bytes.chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    let numbers: Vec<u32> = numbers.collect();
    if numbers[0] != magic {
        return Err(other_kind(path, numbers[0], magic));
    }
    let sizes = &numbers[1..];
    let tell = sizes.iter().map(u32::to_string).collect::<Vec<_>>().join(" x ");
    let product = sizes.iter().try_fold(1u64, |product, size| product.checked_mul((*size).into()));
    let want = match product {
        Some(bytes @ 1..=MOST_BYTES) => bytes,
        _ => return refuse(format!("announces {tell} bytes, want 1 to {MOST_BYTES} in all")),
    };
    let body = file.take(want)?;
    let is = body.bytes.len() as u64;
    if is != want {
        let damage = cut(body.damage);
        return refuse(format!("ends after {is} bytes{damage}, its header says {tell} = {want}"));
    }
    let rest = file.take(1)?;
    match rest.damage {
        Some(damage) => refuse(format!("holds its {want} bytes in a damaged gzip ({damage})")),
        None if !rest.bytes.is_empty() => {
            refuse(format!("goes on after the {want} bytes that its header says ({tell})"))
        }
        None => Ok((sizes.to_vec(), body.bytes)),
    }
}

fn other_kind(path: &Path, is: u32, want: u32) -> DataError {
    let name = |magic| if magic == PICTURES { "pictures" } else { "labels" };
    let known = match is {
        PICTURES | LABELS => format!(" (a file of {})", name(is)),
        _ => String::new(),
    };
    let what = format!("has the magic number {is}{known}, want {want} (IDX, {})", name(want));
    DataError::refused(path, what, "put the right file under this name")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> (Result<Pictures, String>, Result<Vec<u8>, String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        let text = |error: DataError| {
            assert_eq!(error.exit_code(), 3);
            error.to_string().split_once("/file: ").unwrap().1.to_owned()
        };
        (pictures(&path).map_err(text), labels(&path).map_err(text))
    }

    fn header(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    #[test]
    fn whole_files_are_read() {
        let two = [header(&[2051, 2, 3, 1]), vec![1, 2, 3, 4, 5, 6]].concat();
        let got = of(&two).0.unwrap();
        assert_eq!((got.count(), got.height, got.width), (2, 3, 1));
        assert_eq!(got.bytes, [1, 2, 3, 4, 5, 6]);
        assert_eq!(of(&[header(&[2049, 2]), vec![7, 9]].concat()).1.unwrap(), [7, 9]);
    }

    #[test]
    fn each_fault_is_told_with_both_numbers() {
        let check = |bytes: Vec<u8>, want: &str| {
            let text = of(&bytes).0.unwrap_err();
            assert!(text.starts_with(want), "{text}, want {want}");
        };
        check(vec![0, 0, 8], "ends after 3 bytes, want a header of 16; get the file again");
        check(header(&[2049, 1, 1, 1]), "has the magic number 2049 (a file of labels), want 2051");
        check(header(&[1, 1, 1, 1]), "has the magic number 1, want 2051 (IDX, pictures)");
        let short = [header(&[2051, 2, 2, 2]), vec![0; 7]].concat();
        check(short, "ends after 7 bytes, its header says 2 x 2 x 2 = 8");
        let long = [header(&[2051, 2, 2, 2]), vec![0; 9]].concat();
        check(long, "goes on after the 8 bytes that its header says (2 x 2 x 2)");
        let none = "announces 0 x 28 x 28 bytes, want 1 to 1073741824 in all";
        check(header(&[2051, 0, 28, 28]), none);
        check(header(&[2051, u32::MAX, u32::MAX, u32::MAX]), "announces 4294967295 x 4294967295");
    }
}
