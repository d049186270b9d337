//! A stretch of an open file, to be read from several threads.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

/// Clones share the file and keep a place of their own. Reads are positional, not through a memory
/// map: where another process cuts the file underneath, a read is an error of that picture, while
/// a map would end this process by a signal.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    file: Arc<File>,
    /// In the file.
    start: u64,
    length: u64,
    /// In the stretch; may lie behind its end.
    at: u64,
}

impl Window {
    /// The whole file, as long as it is now.
    pub fn of(file: File) -> io::Result<Window> {
        let length = file.metadata()?.len();
        Ok(Window { file: Arc::new(file), start: 0, length, at: 0 })
    }

    /// In bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Of the file, whatever it was when it was opened.
    pub fn length_now(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// `length` bytes from `start` on; an error of the kind `UnexpectedEof` where there are fewer.
    pub fn read_exact_at(&self, start: u64, length: usize) -> io::Result<Vec<u8>> {
        let fits = start.checked_add(length as u64).is_some_and(|end| end <= self.length);
        if !fits {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (mut bytes, mut done) = (vec![0; length], 0);
        while done < length {
            match read_at(&self.file, &mut bytes[done..], self.start + start + done as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }

    /// A part of it; `None` where that does not lie within.
    pub fn part(&self, start: u64, length: u64) -> Option<Window> {
        let end = start.checked_add(length)?;
        let start = self.start.checked_add(start)?;
        (end <= self.length).then(|| Window { file: self.file.clone(), start, length, at: 0 })
    }

    /// At most so many of its last bytes.
    pub fn tail(&self, most: u64) -> io::Result<Vec<u8>> {
        let mut tail = self.clone();
        tail.at = self.length.saturating_sub(most);
        let mut bytes = Vec::new();
        tail.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.at);
        let n = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let n = read_at(&self.file, &mut buffer[..n], self.start + self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        // A place so far behind the end that the file's own would not fit a number is none either.
        let place = place.filter(|at| self.start.checked_add(*at).is_some());
        self.at = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, bytes).unwrap();
        file
    }

    proptest! {
        #[test]
        fn it_reads_as_memory_does(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            from in 0..100usize,
            moves in prop::collection::vec((0..3, -60i64..260, 0..50usize), 1..20),
        ) {
            let whole = Window::of(file(&bytes)).unwrap();
            let part = &bytes[from.min(bytes.len())..];
            let mut memory = Cursor::new(part);
            let start = (bytes.len() - part.len()) as u64;
            let mut window = whole.part(start, part.len() as u64).unwrap();
            for (kind, by, n) in moves {
                let to = match kind {
                    0 => SeekFrom::Start(by.unsigned_abs()),
                    1 => SeekFrom::Current(by),
                    _ => SeekFrom::End(by),
                };
                prop_assert_eq!(window.seek(to).ok(), memory.seek(to).ok());
                let (mut a, mut b) = (vec![0; n], vec![0; n]);
                prop_assert_eq!(window.read(&mut a).unwrap(), memory.read(&mut b).unwrap());
                prop_assert_eq!(a, b);
            }
        }
    }

    #[test]
    fn parts_lie_within_and_a_cut_file_is_an_end() {
        let file = file(&[7; 100]);
        let window = Window::of(file.try_clone().unwrap()).unwrap();
        assert_eq!((window.length(), window.tail(10).unwrap().len()), (100, 10));
        assert_eq!(window.tail(1000).unwrap(), [7; 100]);
        let part = window.part(90, 10).unwrap();
        assert!(window.part(90, 11).is_none() && window.part(u64::MAX, 2).is_none());
        assert!(part.part(0, 11).is_none());
        file.set_len(95).unwrap();
        assert_eq!((part.length(), part.length_now().unwrap()), (10, 95));
        assert_eq!(part.clone().tail(100).unwrap(), [7; 5]);
        assert_eq!(window.read_exact_at(85, 10).unwrap(), [7; 10]);
        for (start, length) in [(90, 10), (95, 1), (101, 0), (u64::MAX, 1)] {
            let error = window.read_exact_at(start, length).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{start} {length}");
        }
        let mut bytes = [0; 10];
        assert!(part.clone().read_exact(&mut bytes).is_err());
    }
}
