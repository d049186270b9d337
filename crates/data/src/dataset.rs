//! A data set, ready to train on: names, labels, split, and pixels in a memory map.

use std::path::Path;

use crate::config::{DataConfig, Normalize};
use crate::error::{DataError, Rejected};
use crate::progress::Progress;
use crate::split::{Split, SplitRecord};

/// One usable picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Path-independent, e.g. `cat.0.jpg` or `train/cat/7.png`.
    pub name: String,
    /// Index into [`Dataset::classes`].
    pub label: u32,
}

pub struct Dataset {
    pub classes: Vec<String>,
    /// By class, then by name in natural order.
    pub samples: Vec<Sample>,
    pub split: Split,
    pub rejected: Vec<Rejected>,
    pub ignored: Vec<Rejected>,
    pub digest: String,
    /// These are drawings, not photographs; reports say so first.
    pub drawings: bool,
    pub size_px: u32,
    config: DataConfig,
}

impl Dataset {
    pub fn open(
        config: &DataConfig,
        cache_dir: &Path,
        progress: &dyn Progress,
    ) -> Result<Dataset, DataError> {
        let _ = (config, cache_dir, progress);
        todo!()
    }

    /// `[H, W, 3]` bytes of sample `i`, straight from the memory map.
    pub fn pixels(&self, i: u32) -> &[u8] {
        let _ = i;
        todo!()
    }

    /// critters: `[H, W]`, 255 where the classes differ.
    pub fn evidence(&self, i: u32) -> Option<&[u8]> {
        let _ = i;
        todo!()
    }

    pub fn labels(&self, indices: &[u32]) -> Vec<i64> {
        indices.iter().map(|i| i64::from(self.samples[*i as usize].label)).collect()
    }

    /// `[N, H, W, 3]` bytes, one after the other; needs no tch and may run on any thread.
    pub fn gather(&self, indices: &[u32]) -> Vec<u8> {
        indices.iter().flat_map(|i| self.pixels(*i).iter().copied()).collect()
    }

    pub fn normalize(&self) -> Option<&Normalize> {
        self.config.normalize.as_ref()
    }

    pub fn config(&self) -> &DataConfig {
        &self.config
    }

    /// What `split.json` holds.
    pub fn split_record(&self) -> SplitRecord {
        todo!()
    }
}
