//! What is really in a set: counts, sizes, formats, pictures that cannot be read, doubles within
//! and across the parts, the values to normalise by, and the oddest pictures.
//!
//! Every picture is decoded once, in full; nothing is kept but some 1,000 bytes a picture. Two
//! pictures are *exact* doubles when their files are equal (blake3), and *near* doubles when their
//! 16 × 16 grey thumbnails are ([`signature`]). Doubles across parts are leakage: what was trained
//! on is tested on.

mod markdown;
mod odd;
mod sheet;
pub mod signature;
mod survey;
mod suspects;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::Serialize;

use crate::config::{DataConfig, Part, SplitRule};
use crate::error::{DataError, Rejected};
use crate::progress::Progress;
use crate::source;
use signature::{Fault, Pairs, Signature};
use survey::{Facts, Survey};

pub use sheet::Sheet;
pub use suspects::{SURE, Suspect, Suspects};

/// Pairs of near doubles beyond these are counted, not listed.
const MOST_PAIRS: usize = 5_000;

/// The findings, as `audit.json` holds them.
#[derive(Debug, Serialize)]
pub struct Audit {
    /// As the command line names it.
    pub source: String,
    /// Drawings, not photographs.
    pub drawings: bool,
    /// Class names by label.
    pub classes: Vec<String>,
    /// What parts that the source does not bring itself were dealt by.
    pub split: SplitRule,
    /// Readable pictures by part and class.
    pub counts: Vec<Count>,
    /// All that could be read.
    pub readable: usize,
    /// Pictures that could not, with the reason.
    pub unreadable: Vec<Rejected>,
    /// Files that were not taken for pictures.
    pub ignored: Vec<Rejected>,
    /// What must be known of the set as a whole.
    pub notes: Vec<String>,
    /// Pictures by the format that their content tells.
    pub formats: BTreeMap<String, usize>,
    /// Of the width, in pixels.
    pub width_px: Range,
    /// Of the height, in pixels.
    pub height_px: Range,
    /// Of the file, in bytes.
    pub file_bytes: Range,
    /// Of the training part, each picture counting the same, on the scale 0..1.
    pub normalize: Values,
    /// Groups of files with the same bytes.
    pub exact: Vec<Group>,
    /// Pairs of pictures that look the same; of exact doubles the first stands for all. Those
    /// across parts or with different labels come first, then the nearest.
    pub near: Vec<Pair>,
    /// Near doubles beyond those that are listed.
    pub near_not_listed: usize,
    /// Of all near doubles, listed or not, those that lie in different parts of the split.
    pub near_across_parts: usize,
    /// Of all near doubles, listed or not, those whose labels differ.
    pub near_contradicting: usize,
    /// The oddest first.
    pub oddest: Vec<Odd>,
    /// Labels that a trained network doubts; for whoever has one to fill in.
    pub suspects: Option<Suspects>,
}

/// Readable pictures of one class.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Count {
    pub class: String,
    pub train: usize,
    pub val: usize,
    pub test: usize,
    pub unreadable: usize,
}

/// Where a number of the pictures lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Range {
    pub least: u64,
    pub median: u64,
    pub most: u64,
}

/// Mean and standard deviation of red, green and blue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Values {
    pub mean: [f64; 3],
    pub std: [f64; 3],
}

/// A picture and the part it is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Placed {
    pub name: String,
    pub class: String,
    pub part: Part,
}

/// Files with the same bytes.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Two or more.
    pub pictures: Vec<Placed>,
}

/// Two pictures that look the same.
#[derive(Debug, PartialEq, Serialize)]
pub struct Pair {
    /// The one and the other.
    pub pictures: [Placed; 2],
    /// Mean difference of their thumbnails, in steps of 255.
    pub difference: f64,
}

/// A picture unlike the others.
#[derive(Debug, PartialEq, Serialize)]
pub struct Odd {
    /// Which.
    pub picture: Placed,
    /// What is odd about it, with its value.
    pub what: String,
    /// In robust standard deviations from the set's median.
    pub score: f64,
    #[serde(skip)]
    entry: usize,
}

impl Audit {
    /// Doubles, exact or near, that lie in different parts of the split.
    pub fn leaks(&self) -> usize {
        let across = |pictures: &[Placed]| pictures.iter().any(|p| p.part != pictures[0].part);
        self.exact.iter().filter(|group| across(&group.pictures)).count() + self.near_across_parts
    }

    /// Doubles, exact or near, whose labels differ: one of them is wrong.
    pub fn contradictions(&self) -> usize {
        let differ = |pictures: &[Placed]| pictures.iter().any(|p| p.class != pictures[0].class);
        self.exact.iter().filter(|group| differ(&group.pictures)).count() + self.near_contradicting
    }
}

/// Looks at every picture of `config`'s source; the split is the one its rule deals. Gives the
/// findings and a contact sheet of the oddest.
///
/// # Errors
/// A `config` that makes no sense, a source that is not there or is refused as a whole, a file that
/// stands for many pictures and cannot be read. A picture that cannot be read is a finding, and no
/// error.
pub fn audit(
    config: &DataConfig,
    cache_dir: &Path,
    progress: &dyn Progress,
) -> Result<(Audit, Sheet), DataError> {
    config.validate()?;
    progress.stage("listing pictures", 0);
    let source = source::open(&config.source, cache_dir, config.size_px, progress)?;
    let listing = source.listing()?;
    let survey = Survey::take(source.as_ref(), config, progress)?;
    let Survey { seen, parts, .. } = &survey;
    let place = |i: usize| survey.place(listing, i);
    progress.stage("comparing pictures", 0);
    let label = |i: usize| listing.entries[seen[i].entry].label;
    let near = near(seen, |a, b| Fault {
        across_parts: parts[a] != parts[b],
        contradicts: label(a) != label(b),
    });
    let pair = |(a, b, difference): (usize, usize, f64)| {
        let pictures = [place(a), place(b)];
        Pair { pictures, difference }
    };
    let group = |group: Vec<usize>| Group { pictures: group.into_iter().map(place).collect() };
    let mut formats = BTreeMap::new();
    seen.iter().for_each(|seen| *formats.entry(seen.format.to_owned()).or_insert(0) += 1);
    let oddest = odd::oddest(seen, place);
    let mut reader = source.reader();
    let look = |odd: &Odd| reader.look(odd.entry).ok().map(|look| look.raster);
    let sheet = Sheet::of(oddest.iter().map(look).collect());
    let audit = Audit {
        source: config.source.clone(),
        split: config.split.clone(),
        drawings: source.drawings(),
        classes: listing.classes.clone(),
        counts: survey.counts(listing),
        readable: seen.len(),
        ignored: listing.ignored.clone(),
        notes: listing.notes.clone(),
        formats,
        width_px: range(seen.iter().map(|seen| seen.width.into())),
        height_px: range(seen.iter().map(|seen| seen.height.into())),
        file_bytes: range(seen.iter().map(|seen| seen.bytes)),
        normalize: values(seen, parts),
        exact: exact(seen).into_iter().map(group).collect(),
        near_not_listed: near.count - near.listed.len(),
        near_across_parts: near.across_parts,
        near_contradicting: near.contradicting,
        near: near.listed.into_iter().map(pair).collect(),
        oddest,
        suspects: None,
        unreadable: survey.unreadable,
    };
    Ok((audit, sheet))
}

/// Near doubles that are not exact ones. Of equal files the first one stands for all.
fn near(seen: &[Facts], fault: impl Fn(usize, usize) -> Fault + Sync) -> Pairs {
    let mut known = HashSet::new();
    let firsts: Vec<usize> = (0..seen.len()).filter(|i| known.insert(seen[*i].hash)).collect();
    let signatures: Vec<&Signature> = firsts.iter().map(|i| &seen[*i].signature).collect();
    let mut found = signature::nearest(&signatures, MOST_PAIRS, |a, b| fault(firsts[a], firsts[b]));
    for (a, b, _) in &mut found.listed {
        (*a, *b) = (firsts[*a], firsts[*b]);
    }
    found
}

/// Groups of the same file.
fn exact(seen: &[Facts]) -> Vec<Vec<usize>> {
    let mut by_hash: BTreeMap<[u8; 32], Vec<usize>> = BTreeMap::new();
    for (i, seen) in seen.iter().enumerate() {
        by_hash.entry(*seen.hash.as_bytes()).or_default().push(i);
    }
    let mut groups: Vec<_> = by_hash.into_values().filter(|group| group.len() > 1).collect();
    groups.sort_unstable();
    groups
}

fn range(values: impl Iterator<Item = u64>) -> Range {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    match values[..] {
        [] => Range::default(),
        [least, ..] => {
            Range { least, median: values[values.len() / 2], most: values[values.len() - 1] }
        }
    }
}

fn values(seen: &[Facts], parts: &[Part]) -> Values {
    let train = || seen.iter().zip(parts).filter(|(_, part)| **part == Part::Train);
    let n = train().count().max(1) as f64;
    let mean = [0, 1, 2].map(|c| train().map(|(seen, _)| seen.mean[c]).sum::<f64>() / n);
    let square = [0, 1, 2].map(|c| train().map(|(seen, _)| seen.square[c]).sum::<f64>() / n);
    let std = [0, 1, 2].map(|c| (square[c] - mean[c] * mean[c]).max(0.0).sqrt());
    Values { mean, std }
}
