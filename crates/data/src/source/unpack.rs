//! A file's bytes in order, gzip or not: told by the content, never by the name, and never more of
//! them than were asked for.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::plain;
use crate::error::DataError;

const GZIP: [u8; 2] = [0x1f, 0x8b];

pub(super) struct Unpack {
    path: PathBuf,
    reader: Box<dyn Read>,
    packed: bool,
}

/// What could be read of what was asked for.
pub(super) struct Chunk {
    pub bytes: Vec<u8>,
    /// Why the gzip gives no more, where that is not simply its end.
    pub damage: Option<String>,
}

impl Unpack {
    pub fn open(path: &Path) -> Result<Unpack, DataError> {
        let unreadable = |error| DataError::read(path, error);
        let mut file = BufReader::new(plain::open(path)?.0);
        let packed = file.fill_buf().map_err(unreadable)?.starts_with(&GZIP);
        let reader: Box<dyn Read> =
            if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        Ok(Unpack { path: path.into(), reader, packed })
    }

    /// The next `n` bytes; fewer where the file ends or is damaged.
    pub fn take(&mut self, n: u64) -> Result<Chunk, DataError> {
        let mut bytes = Vec::new();
        match self.reader.by_ref().take(n).read_to_end(&mut bytes) {
            Ok(_) => Ok(Chunk { bytes, damage: None }),
            Err(error) if self.packed => Ok(Chunk { bytes, damage: Some(error.to_string()) }),
            Err(error) => Err(DataError::read(&self.path, error)),
        }
    }

    /// The bytes as a stream, for those who know when to stop.
    pub fn into_reader(self) -> Box<dyn Read> {
        self.reader
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn gzip_is_told_by_its_bytes_and_damage_is_not_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("called.gz");
        let take = |bytes: &[u8], n| {
            std::fs::write(&path, bytes).unwrap();
            let Chunk { bytes, damage } = Unpack::open(&path).unwrap().take(n).unwrap();
            (bytes, damage.is_some())
        };
        let text: Vec<u8> = (0..9_999u32).map(|i| (i * i % 251) as u8).collect();
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        packer.write_all(&text).unwrap();
        let packed = packer.finish().unwrap();
        assert_eq!(take(&text, 1 << 20), (text.clone(), false));
        assert_eq!(take(&packed, 1 << 20), (text.clone(), false));
        assert_eq!(take(&packed, 10), (text[..10].to_vec(), false));
        let twice = [packed.clone(), packed.clone()].concat();
        assert_eq!(take(&twice, 1 << 20).0.len(), 2 * 9_999, "members follow each other");
        let (cut, damaged) = take(&packed[..packed.len() - 9], 1 << 20);
        assert!(damaged && cut.len() <= 9_999, "{} bytes", cut.len());
        let mut flipped = packed.clone();
        *flipped.iter_mut().nth_back(5).unwrap() ^= 1;
        assert!(take(&flipped, 1 << 20).1, "the checksum is verified");
    }
}
