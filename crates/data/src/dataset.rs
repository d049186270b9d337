//! A data set, ready to train on: names, labels, split, and pixels, wherever they are kept.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use crate::cache::{Cache, Index};
use crate::colour::Raster;
use crate::config::{BadImages, DataConfig};
use crate::error::{BadImage, DataError, Rejected};
use crate::order;
use crate::placement::{Placement, Room};
use crate::progress::Progress;
use crate::source::{self, Source};
use crate::split::{Digests, Leak, Split, SplitRecord, leak};

/// One usable picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The same wherever the set lies: `cat.0.jpg`, `train/cat/7.png`.
    pub name: String,
    /// Index into [`Dataset::classes`].
    pub label: u32,
}

/// `Sync`: batches may be gathered on any thread.
pub struct Dataset {
    /// Class names by label.
    pub classes: Vec<String>,
    /// By class, then by name in natural order; pictures that could not be read are not here.
    pub samples: Vec<Sample>,
    /// Who trains on what.
    pub split: Split,
    /// Pictures that could not be read, with the reason.
    pub rejected: Vec<Rejected>,
    /// Files that were not taken for pictures of the set, with the reason.
    pub ignored: Vec<Rejected>,
    /// What must be known of the set as a whole, in sentences: what of it is missing, what leaks.
    pub notes: Vec<String>,
    /// Pictures that lie in more than one part.
    pub leaks: Vec<Leak>,
    /// blake3 of class names and of every picture's name, label and file; path independent.
    pub digest: String,
    /// These are drawings, not photographs; reports say so in their first line.
    pub drawings: bool,
    /// Side of every picture, in pixels.
    pub size_px: u32,
    config: DataConfig,
    cache: Cache,
    /// Of each sample; empty where the order does not ask for it.
    shards: Vec<u64>,
}

impl Dataset {
    /// [`Dataset::open_as`], pixels being kept where there is room.
    ///
    /// # Errors
    /// As there.
    pub fn open(
        config: &DataConfig,
        cache_dir: &Path,
        progress: &dyn Progress,
    ) -> Result<Dataset, DataError> {
        Dataset::open_as(config, cache_dir, None, progress)
    }

    /// Lists the source, decodes every picture once into the cache under `cache_dir` (or finds
    /// that cache again), and deals out the split. `placement` is where pixels are kept, if that is
    /// not to be chosen by [`crate::placement`].
    ///
    /// # Errors
    /// See [`DataError`]. With `bad_images: fail`, one bad picture is an error that lists the
    /// first ten; with `skip` they are left out and listed in [`Dataset::rejected`].
    pub fn open_as(
        config: &DataConfig,
        cache_dir: &Path,
        placement: Option<Placement>,
        progress: &dyn Progress,
    ) -> Result<Dataset, DataError> {
        config.validate()?;
        progress.stage("listing pictures", 0);
        let source = source::open(&config.source, cache_dir, config.size_px, progress)?;
        let source: Arc<dyn Source> = source.into();
        let cache = Cache::open(source.clone(), config, cache_dir, placement, progress)?;
        if Room::now(cache_dir).is_ok_and(|room| room.holds(cache.pixel_bytes())) {
            cache.read_ahead();
        }
        let index = &cache.index;
        if config.bad_images == BadImages::Fail && !index.rejected.is_empty() {
            let total = index.rejected.len();
            let checked = total + index.samples.len();
            let first = index.rejected.iter().take(10).cloned().collect();
            return Err(DataError::BadPictures { checked, total, first });
        }
        if let BadImages::AtMost(limit) = config.bad_images {
            check_share(index, limit)?;
        }
        let sample = |s: &crate::cache::IndexEntry| Sample { name: s.name.clone(), label: s.label };
        let samples: Vec<Sample> = index.samples.iter().map(sample).collect();
        let shards = match config.shuffle_window {
            Some(_) => index.samples.iter().map(|s| source.shard(s.slot as usize)).collect(),
            None => Vec::new(),
        };
        let fixed: Vec<_> = index.samples.iter().map(|s| s.part).collect();
        let split = Split::deal(&samples, &fixed, &index.classes, config);
        let leaks = split.leaks(|i| &index.samples[i as usize].hash);
        let mut notes = index.notes.clone();
        notes.extend(leak::in_words(&leaks, &samples));
        Ok(Dataset {
            split,
            samples,
            leaks,
            classes: index.classes.clone(),
            rejected: index.rejected.clone(),
            ignored: source.ignored().unwrap_or(&index.ignored).to_vec(),
            notes,
            digest: index.digest.clone(),
            drawings: index.drawings,
            size_px: config.size_px,
            config: config.clone(),
            shards,
            cache,
        })
    }

    /// What sample `i` is, in 32 hexadecimal digits: see [`Digests`].
    pub fn picture_digest(&self, i: u32) -> &str {
        let hash = &self.cache.index.samples[i as usize].hash;
        &hash[..hash.len().min(32)]
    }

    /// Where the pixels are kept.
    pub fn placement(&self) -> Placement {
        self.cache.placement()
    }

    /// [`Dataset::placement`] in a sentence, with the size.
    pub fn kept(&self) -> String {
        let megabytes = self.cache.pixel_bytes() as f64 / 1e6;
        let place = match self.placement() {
            Placement::Mapped => "in a memory map",
            Placement::Memory => "in memory, as the cache's disk has no room for them",
            Placement::Streamed => "streamed from their files, as neither disk nor memory has room",
        };
        format!("{} pictures, {megabytes:.0} MB of pixels {place}", self.samples.len())
    }

    /// For [`crate::order::windowed`]: which shard each of these samples lies in; `None` unless
    /// the recipe has a window.
    pub fn shards(&self, indices: &[u32]) -> Option<Vec<u64>> {
        self.config.shuffle_window?;
        Some(indices.iter().map(|i| self.shards[*i as usize]).collect())
    }

    /// How the training pictures lie together ([`crate::order::packing`]), which the digest does
    /// not tell and the order of a pass depends on; `None` unless the recipe has a window.
    pub fn packing(&self) -> Option<String> {
        self.shards(&self.split.train).map(|shards| order::packing(&shards))
    }

    /// `[H, W, C]` bytes of sample `i`, straight from the memory map if there is one.
    ///
    /// # Errors
    /// A streamed picture that is gone or has changed since the set was opened.
    pub fn pixels(&self, i: u32) -> Result<Cow<'_, [u8]>, BadImage> {
        self.cache.pixels(i)
    }

    /// `C`: 3 for colour, 1 for grey.
    pub fn channels(&self) -> usize {
        self.config.colour.channels()
    }

    /// Sample `i` as a picture of its own, such as to be shown: see [`Raster::into_shown`].
    ///
    /// # Errors
    /// As [`Dataset::pixels`].
    pub fn picture(&self, i: u32) -> Result<Raster, BadImage> {
        let pixels = self.pixels(i)?.into_owned();
        Ok(Raster::new(self.size_px, self.size_px, self.config.colour, pixels))
    }

    /// `[H, W]`, 255 on what tells the classes apart, 0 elsewhere; of drawings only
    /// ([`Dataset::drawings`]).
    ///
    /// # Errors
    /// As [`Dataset::pixels`].
    pub fn evidence(&self, i: u32) -> Result<Option<Cow<'_, [u8]>>, BadImage> {
        self.cache.evidence(i)
    }

    /// Labels of samples, in the order asked for; what a loss wants.
    ///
    /// # Panics
    /// Where a sample is not in the set, as with all that is asked of a sample here.
    pub fn labels(&self, indices: &[u32]) -> Vec<i64> {
        indices.iter().map(|i| i64::from(self.samples[*i as usize].label)).collect()
    }

    /// `[N, H, W, C]` bytes, picture after picture; needs no tch and may run on any thread.
    ///
    /// # Errors
    /// As [`Dataset::pixels`].
    pub fn gather(&self, indices: &[u32]) -> Result<Vec<u8>, BadImage> {
        self.cache.gather(indices)
    }

    /// What it was opened with.
    pub fn config(&self) -> &DataConfig {
        &self.config
    }

    /// What `split.json` holds.
    pub fn split_record(&self) -> SplitRecord {
        let names = |indices: &[u32]| {
            indices.iter().map(|i| self.samples[*i as usize].name.clone()).collect()
        };
        let digests =
            |indices: &[u32]| indices.iter().map(|i| self.picture_digest(*i).to_owned()).collect();
        SplitRecord {
            source: self.config.source.clone(),
            digest: self.digest.clone(),
            packing: self.packing(),
            rule: self.config.split.clone(),
            train_fraction: self.config.train_fraction,
            train_left_out: self.split.train_left_out,
            classes: self.classes.clone(),
            train: names(&self.split.train),
            val: names(&self.split.val),
            test: names(&self.split.test),
            digests: Digests {
                train: digests(&self.split.train),
                val: digests(&self.split.val),
                test: digests(&self.split.test),
            },
            rejected: self.rejected.clone(),
            ignored: self.ignored.clone(),
            notes: self.notes.clone(),
        }
    }
}

/// Refuses a set of which more than this share was rejected, class by class.
fn check_share(index: &Index, limit: f64) -> Result<(), DataError> {
    let total = index.rejected.len();
    let checked = total + index.samples.len();
    let Some(first) = index.rejected.first().filter(|_| total as f64 > limit * checked as f64)
    else {
        return Ok(());
    };
    let mut table = String::new();
    let mut good = vec![0; index.classes.len()];
    index.samples.iter().for_each(|sample| good[sample.label as usize] += 1);
    let by_class = index.classes.iter().zip(&index.rejected_by_class).zip(good);
    for (label, ((class, bad), good)) in by_class.enumerate() {
        let comma = if label == 0 { "" } else { ", " };
        table.push_str(&format!("{comma}{class} {bad} of {}", good + bad));
    }
    Err(DataError::TooManyBad { checked, total, limit, table, first: first.clone() })
}

impl std::fmt::Debug for Dataset {
    /// Counts, not contents.
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Dataset")
            .field("source", &self.config.source)
            .field("size_px", &self.size_px)
            .field("colour", &self.config.colour)
            .field("classes", &self.classes)
            .field("train", &self.split.train.len())
            .field("val", &self.split.val.len())
            .field("test", &self.split.test.len())
            .field("rejected", &self.rejected.len())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}
