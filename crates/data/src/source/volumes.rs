//! Files that pictures are read out of by their places, only so many of which are open at once: a
//! large set has more shards than a process may have open (1,024 on most systems).
//!
//! Reads are positioned, through no memory map: see [`Window`].

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::error::BadImage;
use crate::window::Window;

/// Files that stay open.
const MOST_OPEN: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Volumes {
    paths: Vec<PathBuf>,
    /// With the file's number; who was asked for last stands last.
    open: Mutex<Vec<(usize, Window)>>,
}

impl Volumes {
    /// How many files there are, which is the next one's number.
    pub fn count(&self) -> usize {
        self.paths.len()
    }

    pub fn add(&mut self, path: &Path) {
        self.paths.push(path.into());
    }

    /// Where file `number` lies.
    pub fn path(&self, number: usize) -> &Path {
        &self.paths[number]
    }

    /// For one thread.
    pub fn reader(&self) -> VolumeReader<'_> {
        VolumeReader { volumes: self, last: None }
    }

    fn window(&self, number: usize) -> io::Result<Window> {
        // Nothing in here panics half-way, so what a poisoned lock holds is whole.
        let mut open = self.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let entry = match open.iter().position(|(known, _)| *known == number) {
            Some(at) => open.remove(at),
            None => (number, Window::of(File::open(&self.paths[number])?)?),
        };
        if open.len() >= MOST_OPEN {
            open.remove(0);
        }
        let window = entry.1.clone();
        open.push(entry);
        Ok(window)
    }
}

/// Keeps the file it read from last at hand, since neighbours are read one after the other.
pub(super) struct VolumeReader<'a> {
    volumes: &'a Volumes,
    last: Option<(usize, Window)>,
}

impl VolumeReader<'_> {
    /// `length` bytes from `start` on, of file `number`. What cannot be had, because the file was
    /// cut, replaced by a shorter one or removed since it was listed, is told with file and place.
    pub fn read(
        &mut self,
        number: usize,
        (start, length): (u64, usize),
        name: &str,
    ) -> Result<Vec<u8>, BadImage> {
        let path = self.volumes.paths[number].display();
        let place = || format!("lies at bytes {start} to {} of {path}", start + length as u64);
        let hint = "bring the whole file back, then start again";
        let failed = |error| BadImage::unreadable(name, format!("{}: {error}; {hint}", place()));
        let window = match self.last.take() {
            Some((known, window)) if known == number => window,
            _ => self.volumes.window(number).map_err(failed)?,
        };
        let read = match window.read_exact_at(start, length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let now = window.length_now().map_err(failed)?;
                let reason = format!("{}, which ends after {now} bytes; {hint}", place());
                Err(BadImage::unreadable(name, reason))
            }
            read => read.map_err(failed),
        };
        self.last = Some((number, window));
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;

    #[test]
    fn more_files_than_stay_open_are_all_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut volumes = Volumes::default();
        for i in 0..MOST_OPEN + 20 {
            let path = folder.path().join(i.to_string());
            std::fs::write(&path, format!("file {i}")).unwrap();
            volumes.add(&path);
        }
        let text = |number: usize| {
            let length = format!("{number}").len();
            String::from_utf8(volumes.reader().read(number, (5, length), "x").unwrap()).unwrap()
        };
        for number in (0..volumes.count()).chain((0..volumes.count()).rev()) {
            assert_eq!(text(number), number.to_string());
            assert!(volumes.open.lock().unwrap().len() <= MOST_OPEN);
        }
        assert_eq!(volumes.open.lock().unwrap().len(), MOST_OPEN);
    }

    #[test]
    fn what_is_cut_or_gone_is_told_with_file_and_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.tar");
        std::fs::write(&path, [7; 100]).unwrap();
        let mut volumes = Volumes::default();
        volumes.add(&path);
        volumes.add(&folder.path().join("gone.tar"));
        let mut reader = volumes.reader();
        assert_eq!(reader.read(0, (90, 10), "a.jpg").unwrap(), [7; 10]);
        let cut = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        cut.set_len(95).unwrap();
        let bad = reader.read(0, (90, 10), "a.jpg").unwrap_err();
        let want = format!(
            "a.jpg: lies at bytes 90 to 100 of {}, which ends after 95 bytes; bring the whole file \
             back, then start again",
            path.display()
        );
        assert_eq!((bad.to_string(), bad.fault), (want, Fault::Unreadable));
        assert_eq!(reader.read(0, (0, 95), "b.jpg").unwrap(), [7; 95], "what is left is read");
        let bad = reader.read(1, (0, 1), "c.jpg").unwrap_err();
        assert!(bad.fault == Fault::Unreadable && bad.reason.contains("bytes 0 to 1 of"), "{bad}");
    }
}
