//! One look at every picture: what is remembered of it, and which part it is in.

use rayon::prelude::*;

use super::signature::Signature;
use super::{Count, Placed};
use crate::config::{DataConfig, Part};
use crate::dataset::Sample;
use crate::decode::caught;
use crate::error::{BadImage, DataError, Rejected};
use crate::progress::Progress;
use crate::source::{Listing, Look, Reader, Source};
use crate::split::Split;

/// What is remembered of a picture.
pub(super) struct Facts {
    pub entry: usize,
    pub width: u32,
    pub height: u32,
    pub bytes: u64,
    pub format: &'static str,
    pub hash: blake3::Hash,
    pub signature: Signature,
    pub mean: [f64; 3],
    /// Mean of squares.
    pub square: [f64; 3],
}

impl Facts {
    fn of(entry: usize, look: &Look) -> Facts {
        let pixels = look.raster.pixels();
        let channels = look.raster.colour().channels();
        let (mut sum, mut square) = ([0u64; 3], [0u64; 3]);
        for pixel in pixels.chunks_exact(channels) {
            for (c, (sum, square)) in sum.iter_mut().zip(&mut square).enumerate() {
                let value = u64::from(pixel[c.min(channels - 1)]);
                *sum += value;
                *square += value * value;
            }
        }
        let n = (pixels.len() / channels).max(1) as f64;
        Facts {
            entry,
            width: look.raster.width(),
            height: look.raster.height(),
            bytes: look.bytes,
            format: look.format,
            hash: look.hash,
            signature: Signature::of(&look.raster),
            mean: sum.map(|sum| sum as f64 / n / 255.0),
            square: square.map(|square| square as f64 / n / (255.0 * 255.0)),
        }
    }
}

/// All pictures of a source.
pub(super) struct Survey {
    /// Those that can be read, in the listing's order.
    pub seen: Vec<Facts>,
    /// The part of each of them.
    pub parts: Vec<Part>,
    pub unreadable: Vec<Rejected>,
    /// How many of those there are of each class.
    bad_by_class: Vec<usize>,
}

impl Survey {
    pub fn take(
        source: &dyn Source,
        config: &DataConfig,
        progress: &dyn Progress,
    ) -> Result<Survey, DataError> {
        let listing = source.listing()?;
        progress.stage("looking at pictures", listing.entries.len() as u64);
        let look = |reader: &mut Box<dyn Reader + '_>, i: usize| {
            let seen = caught(&listing.entries[i].name, || reader.look(i));
            progress.advance(1);
            seen.map(|look| Facts::of(i, &look))
        };
        let all: Vec<Result<Facts, BadImage>> =
            (0..listing.entries.len()).into_par_iter().map_init(|| source.reader(), look).collect();
        let (mut seen, mut unreadable) = (Vec::new(), Vec::new());
        let mut bad_by_class = vec![0; listing.classes.len()];
        for (entry, outcome) in listing.entries.iter().zip(all) {
            match outcome {
                Ok(one) => seen.push(one),
                Err(BadImage { name, reason, .. }) => {
                    bad_by_class[entry.label as usize] += 1;
                    unreadable.push(Rejected { name, reason });
                }
            }
        }
        let parts = parts(listing, &seen, config);
        Ok(Survey { seen, parts, unreadable, bad_by_class })
    }

    /// Readable picture `i` by its name.
    pub fn place(&self, listing: &Listing, i: usize) -> Placed {
        let entry = &listing.entries[self.seen[i].entry];
        let class = listing.classes[entry.label as usize].clone();
        Placed { name: entry.name.clone(), class, part: self.parts[i] }
    }

    /// Class by class.
    pub fn counts(&self, listing: &Listing) -> Vec<Count> {
        let count = |(class, unreadable): (&String, &usize)| {
            let (class, unreadable) = (class.clone(), *unreadable);
            Count { class, train: 0, val: 0, test: 0, unreadable }
        };
        let mut counts: Vec<Count> =
            listing.classes.iter().zip(&self.bad_by_class).map(count).collect();
        for (seen, part) in self.seen.iter().zip(&self.parts) {
            let count = &mut counts[listing.entries[seen.entry].label as usize];
            *match part {
                Part::Train => &mut count.train,
                Part::Val => &mut count.val,
                Part::Test => &mut count.test,
            } += 1;
        }
        counts
    }
}

/// As [`crate::Dataset::open`] would deal them.
fn parts(listing: &Listing, seen: &[Facts], config: &DataConfig) -> Vec<Part> {
    let entries = || seen.iter().map(|seen| &listing.entries[seen.entry]);
    let samples: Vec<Sample> =
        entries().map(|e| Sample { name: e.name.clone(), label: e.label }).collect();
    let fixed: Vec<Option<Part>> = entries().map(|entry| entry.part).collect();
    let whole = DataConfig { train_fraction: 1.0, ..config.clone() };
    let split = Split::deal(&samples, &fixed, &listing.classes, &whole);
    let mut parts = vec![Part::Train; samples.len()];
    for part in Part::ALL {
        split.part(part).iter().for_each(|i| parts[*i as usize] = part);
    }
    parts
}
