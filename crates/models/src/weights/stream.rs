//! Writing safetensors as a stream: the header, then tensor after tensor in pieces of
//! [`PIECE_BYTES`], so that a file needs no memory of its own. The format's header, order and
//! padding are the crate `safetensors`': a test compares with the bytes that it writes.

use std::collections::HashMap;
use std::io::{self, Write};

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use tch::{Device, Tensor};

/// What is copied to main memory at a time. A tensor that does not lie in the order of its shape
/// (channels_last) is copied whole before.
pub const PIECE_BYTES: usize = 1 << 20;

/// What a named entry of a file holds.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// A 32-bit tensor of any shape, on any device.
    Numbers(&'a Tensor),
    /// One whole number, of shape `[]`.
    Count(u64),
}

impl Content<'_> {
    fn dtype(self) -> Dtype {
        match self {
            Content::Numbers(_) => Dtype::F32,
            Content::Count(_) => Dtype::U64,
        }
    }

    fn shape(self) -> Vec<usize> {
        match self {
            Content::Numbers(tensor) => tensor.size().iter().map(|&size| size as usize).collect(),
            Content::Count(_) => Vec::new(),
        }
    }

    fn bytes(self) -> usize {
        match self {
            Content::Numbers(tensor) => tensor.numel() * size_of::<f32>(),
            Content::Count(_) => size_of::<u64>(),
        }
    }

    fn write(self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Content::Numbers(tensor) => write_numbers(tensor, out),
            Content::Count(count) => out.write_all(&count.to_le_bytes()),
        }
    }
}

/// Writes a whole safetensors file of `entries`, whose names differ, to `out`.
///
/// # Errors
/// Whatever `out` says.
pub fn write(
    out: &mut dyn Write,
    mut entries: Vec<(&str, Content)>,
    metadata: Option<HashMap<String, String>>,
) -> io::Result<()> {
    // The widest numbers first, so that each is aligned; then by name.
    entries.sort_by(|(a, left), (b, right)| right.dtype().cmp(&left.dtype()).then(a.cmp(b)));
    let mut end = 0;
    let info = |(name, content): &(&str, Content)| {
        let start = end;
        end += content.bytes();
        let (dtype, shape) = (content.dtype(), content.shape());
        (name.to_string(), TensorInfo { dtype, shape, data_offsets: (start, end) })
    };
    let infos = entries.iter().map(info).collect();
    let header = Metadata::new(metadata, infos).expect("offsets follow the shapes");
    let mut header = serde_json::to_vec(&header).expect("a header is plain data");
    header.resize(header.len().next_multiple_of(size_of::<u64>()), b' ');
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    entries.into_iter().try_for_each(|(_, content)| content.write(out))
}

fn write_numbers(tensor: &Tensor, out: &mut dyn Write) -> io::Result<()> {
    let flat = tensor.detach().contiguous().reshape([tensor.numel() as i64]);
    let (all, piece) = (flat.numel(), PIECE_BYTES / size_of::<f32>());
    let mut bytes = Vec::new();
    for start in (0..all).step_by(piece) {
        let length = piece.min(all - start);
        let part = flat.narrow(0, start as i64, length as i64).to_device(Device::Cpu);
        bytes.resize(length * size_of::<f32>(), 0);
        part.copy_data_u8(&mut bytes, length);
        out.write_all(&bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::TensorView;
    use tch::Kind;

    use super::*;

    /// Counts what it is given at once.
    #[derive(Default)]
    struct Pieces {
        bytes: Vec<u8>,
        largest: usize,
    }

    impl Write for Pieces {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.largest = self.largest.max(bytes.len());
            self.bytes.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stream_is_the_crates_file_in_small_pieces() {
        let numbers = |shape: &[i64]| {
            let all: i64 = shape.iter().product();
            Tensor::arange(all, (Kind::Float, Device::Cpu)).sin().reshape(shape)
        };
        let (long, none) = (numbers(&[3, 200_000]), numbers(&[0]));
        let turned = numbers(&[5, 7]).transpose(0, 1);
        let entries = vec![
            ("z", Content::Numbers(&long)),
            ("none", Content::Numbers(&none)),
            ("steps", Content::Count(7)),
            ("a.b", Content::Numbers(&turned)),
        ];
        let metadata = Some(HashMap::from([("key".to_owned(), "a value".to_owned())]));
        let mut pieces = Pieces::default();
        write(&mut pieces, entries.clone(), metadata.clone()).unwrap();
        assert_eq!(pieces.largest, PIECE_BYTES, "2.4 MB go in pieces");

        let raw = |content: &Content| match content {
            Content::Count(count) => count.to_le_bytes().to_vec(),
            Content::Numbers(tensor) => {
                let flat = Vec::<f32>::try_from(tensor.reshape([-1])).unwrap();
                flat.iter().flat_map(|number| number.to_le_bytes()).collect()
            }
        };
        let raw: Vec<_> =
            entries.iter().map(|(name, content)| (name, content, raw(content))).collect();
        let views = raw.iter().map(|(name, content, bytes)| {
            (*name, TensorView::new(content.dtype(), content.shape(), bytes).unwrap())
        });
        let whole = safetensors::serialize(views, metadata).unwrap();
        assert!(pieces.bytes == whole);
    }
}
