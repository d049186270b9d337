//! Pictures that lie one after the other in a few files, labels beside them: what `mnist`,
//! `fashion-mnist` and `cifar10` share.
//!
//! Opening such a source finds its files and no more. They are read, and every label and length
//! checked, when a cache is to be made; a cache that was made of the same files (by path, size and
//! time of change) is found without reading them.

use std::path::PathBuf;
use std::sync::OnceLock;

use super::{Entry, Listing, Look, Picture, Reader, Source};
use crate::colour::{Colour, Raster};
use crate::config::{DataConfig, Part};
use crate::error::{BadImage, DataError, Rejected};
use crate::{natural, resize};

/// The pictures of one file, all of one size.
pub(super) struct Stack {
    /// For messages.
    pub file: PathBuf,
    /// Before the slash in its pictures' names: `train/7` is its eighth picture.
    pub name: &'static str,
    pub part: Part,
    pub height: u32,
    pub width: u32,
    pub colour: Colour,
    /// `[N]`
    pub labels: Vec<u8>,
    /// `[N, C, H, W]`
    pub planes: Vec<u8>,
}

impl Stack {
    fn picture_bytes(&self) -> usize {
        self.height as usize * self.width as usize * self.colour.channels()
    }

    /// `[C, H, W]` of picture `i`.
    fn planes(&self, i: usize) -> &[u8] {
        &self.planes[i * self.picture_bytes()..][..self.picture_bytes()]
    }

    fn raster(&self, i: usize) -> Raster {
        let (planes, channels) = (self.planes(i), self.colour.channels());
        let plane = planes.len() / channels;
        let pixels = (0..planes.len()).map(|at| planes[at % channels * plane + at / channels]);
        Raster::new(self.width, self.height, self.colour, pixels.collect())
    }

    /// Refuses labels without a class, and pictures without a label.
    fn check(&self, classes: &[&str]) -> Result<(), DataError> {
        assert_eq!(self.planes.len(), self.labels.len() * self.picture_bytes());
        let most = classes.len() - 1;
        let wrong = self.labels.iter().enumerate().find(|(_, label)| usize::from(**label) > most);
        wrong.map_or(Ok(()), |(i, label)| {
            let what = format!("gives picture {i} the label {label}, want 0 to {most}");
            Err(DataError::refused(&self.file, what, "get the file again"))
        })
    }
}

/// What the files hold.
pub(super) struct Contents {
    pub stacks: Vec<Stack>,
    pub ignored: Vec<Rejected>,
    pub notes: Vec<String>,
}

type Read = dyn Fn() -> Result<Contents, DataError> + Send + Sync;

pub(super) struct Stacks {
    source: &'static str,
    classes: &'static [&'static str],
    /// A line for each file: path, size, time of change.
    stamps: Vec<String>,
    read: Box<Read>,
    loaded: OnceLock<Loaded>,
}

struct Loaded {
    listing: Listing,
    stacks: Vec<Stack>,
    /// (stack, picture in it) of each entry.
    places: Vec<(usize, usize)>,
}

impl Stacks {
    /// `read` is called once, if at all.
    pub fn new(
        source: &'static str,
        classes: &'static [&'static str],
        stamps: Vec<String>,
        read: impl Fn() -> Result<Contents, DataError> + Send + Sync + 'static,
    ) -> Stacks {
        Stacks { source, classes, stamps, read: Box::new(read), loaded: OnceLock::new() }
    }

    fn load(&self) -> Result<Loaded, DataError> {
        let Contents { mut stacks, ignored, notes } = (self.read)()?;
        stacks.sort_by(|a, b| natural::compare(a.name, b.name));
        let mut found = Vec::new();
        for (s, stack) in stacks.iter().enumerate() {
            stack.check(self.classes)?;
            for (i, &label) in stack.labels.iter().enumerate() {
                let name = format!("{}/{i}", stack.name);
                found.push((Entry { name, label: label.into(), part: Some(stack.part) }, (s, i)));
            }
        }
        // Stable, and stacks and pictures are in natural order already.
        found.sort_by_key(|(entry, _)| entry.label);
        let (entries, places) = found.into_iter().unzip();
        let classes = self.classes.iter().map(|class| class.to_string()).collect();
        let listing = Listing { classes, entries, ignored, notes };
        check_classes(&listing)?;
        Ok(Loaded { listing, stacks, places })
    }
}

/// Every class has a picture in every part that is given, as in folders.
fn check_classes(listing: &Listing) -> Result<(), DataError> {
    for part in Part::ALL {
        let of_part = || listing.entries.iter().filter(|entry| entry.part == Some(part));
        if of_part().next().is_none() {
            continue;
        }
        for (label, class) in listing.classes.iter().enumerate() {
            if !of_part().any(|entry| entry.label as usize == label) {
                let place = format!("{} part: {class}", part.name());
                return Err(DataError::EmptyClass { place, table: String::new() });
            }
        }
    }
    Ok(())
}

impl Source for Stacks {
    fn listing(&self) -> Result<&Listing, DataError> {
        if self.loaded.get().is_none() {
            // Whoever loads at the same time loads the same.
            let _ = self.loaded.set(self.load()?);
        }
        Ok(&self.loaded.get().expect("just set").listing)
    }

    fn fingerprint(&self, hasher: &mut blake3::Hasher) {
        hasher.update(self.source.as_bytes());
        for stamp in &self.stamps {
            hasher.update(b"\n");
            hasher.update(stamp.as_bytes());
        }
    }

    fn reader(&self) -> Box<dyn Reader + '_> {
        Box::new(Hand(self.loaded.get().expect("listing comes before reading")))
    }
}

/// One thread's reader.
struct Hand<'a>(&'a Loaded);

impl Reader for Hand<'_> {
    fn look(&mut self, i: usize) -> Result<Look, BadImage> {
        let (stack, at) = self.0.places[i];
        let stack = &self.0.stacks[stack];
        let planes = stack.planes(at);
        let (bytes, hash) = (planes.len() as u64, blake3::hash(planes));
        Ok(Look { raster: stack.raster(at), bytes, format: "raw", hash })
    }

    fn picture(&mut self, i: usize, config: &DataConfig) -> Result<Picture, BadImage> {
        let (stack, at) = self.0.places[i];
        let stack = &self.0.stacks[stack];
        let raster = resize::prepare(stack.raster(at), config);
        Ok(Picture { raster, evidence: None, hash: blake3::hash(stack.planes(at)) })
    }
}
