//! `critters`: pictures that the program draws itself, see [`crate::critters`].

use super::{Entry, Listing, Look, Picture, Reader, Request, Source};
use crate::colour::{Colour, Raster};
use crate::config::DataConfig;
use crate::critters;
use crate::error::{BadImage, DataError};

/// 1,700 + 400 + 400: the published study's 17:4:4 at a tenth of its size.
const DEFAULT_COUNT: usize = 2500;
const MOST: usize = 10_000_000;
/// Part of what "the critters" are. Training seeds never change the pictures.
const SEED: u64 = 20;

pub(super) fn open(request: &Request) -> Result<Box<dyn Source>, DataError> {
    let count = match request.argument {
        None => DEFAULT_COUNT,
        Some(text) => match text.parse() {
            Ok(count) if (2..=MOST).contains(&count) => count,
            _ => {
                let what = format!("cannot draw {text:?} pictures, want a number from 2 to {MOST}");
                return Err(request.usage(&what));
            }
        },
    };
    Ok(Box::new(Critters::new(count, request.size_px)))
}

struct Critters {
    listing: Listing,
    /// The number that draws each entry.
    numbers: Vec<u64>,
    size_px: u32,
}

impl Critters {
    fn new(count: usize, size_px: u32) -> Critters {
        // The number's parity is the class, so halves are equal; entries are sorted by class.
        let mut numbers: Vec<u64> = (0..count as u64).collect();
        numbers.sort_by_key(|number| (number % 2, *number));
        let entry = |number: &u64| {
            let label = (number % 2) as u32;
            let class = critters::CLASSES[label as usize];
            Entry { name: format!("{class}.{number}"), label, part: None }
        };
        let entries = numbers.iter().map(entry).collect();
        let classes = critters::CLASSES.map(String::from).to_vec();
        let (ignored, notes) = (Vec::new(), Vec::new());
        Critters { listing: Listing { classes, entries, ignored, notes }, numbers, size_px }
    }
}

impl Source for Critters {
    fn listing(&self) -> Result<&Listing, DataError> {
        Ok(&self.listing)
    }

    /// Count, seed, and a few drawings: a change to the brush changes them, so that a cache drawn
    /// by an older program is not taken for ours.
    fn fingerprint(&self, hasher: &mut blake3::Hasher) {
        hasher.update(b"critters");
        hasher.update(&(self.numbers.len() as u64).to_le_bytes());
        hasher.update(&SEED.to_le_bytes());
        for number in 0..8 {
            let critter = critters::draw(SEED, number, self.size_px);
            hasher.update(&critter.rgb);
            hasher.update(&critter.evidence);
        }
    }

    fn reader(&self) -> Box<dyn Reader + '_> {
        Box::new(Brush(self))
    }

    fn drawings(&self) -> bool {
        true
    }
}

struct Brush<'a>(&'a Critters);

impl Reader for Brush<'_> {
    fn look(&mut self, i: usize) -> Result<Look, BadImage> {
        let size_px = self.0.size_px;
        let rgb = critters::draw(SEED, self.0.numbers[i], size_px).rgb;
        let (bytes, hash) = (rgb.len() as u64, blake3::hash(&rgb));
        let raster = Raster::new(size_px, size_px, Colour::Rgb, rgb);
        Ok(Look { raster, bytes, format: "drawing", hash })
    }

    /// Critters at the right size, so there is nothing to resize.
    fn picture(&mut self, i: usize, config: &DataConfig) -> Result<Picture, BadImage> {
        let size_px = config.size_px;
        let critter = critters::draw(SEED, self.0.numbers[i], size_px);
        debug_assert_eq!(critter.label, self.0.listing.entries[i].label);
        let hash = blake3::hash(&critter.rgb);
        let raster = Raster::new(size_px, size_px, Colour::Rgb, critter.rgb);
        let raster = raster.into_colour(config.colour);
        Ok(Picture { raster, evidence: Some(critter.evidence), hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_equal_and_labels_are_the_drawings() {
        let source = Critters::new(12, 16);
        let labels: Vec<u32> = source.listing.entries.iter().map(|e| e.label).collect();
        assert_eq!(labels, [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
        for (entry, number) in source.listing.entries.iter().zip(&source.numbers) {
            assert_eq!(critters::draw(SEED, *number, 16).label, entry.label);
        }
    }
}
