//! Pixels that stay in their source: decoded, by all threads, when a batch asks for them.
//!
//! Memory is bounded by the batches on their way, whatever the set holds; what grows with the set
//! is its index, some 600 bytes a picture. A picture that is gone or is not the one that was looked
//! at when the set was opened is an error that names it: a run never goes on with other pictures.

use std::sync::Arc;

use rayon::prelude::*;

use super::IndexEntry;
use crate::config::DataConfig;
use crate::decode::caught;
use crate::error::{BadImage, DataError};
use crate::source::{Picture, Reader, Source};

pub(super) struct Stream {
    source: Arc<dyn Source>,
    config: DataConfig,
}

impl Stream {
    /// Lists the source, if that was not done before.
    pub fn new(source: Arc<dyn Source>, config: &DataConfig) -> Result<Stream, DataError> {
        source.listing()?;
        Ok(Stream { source, config: config.clone() })
    }

    pub fn picture(&self, sample: &IndexEntry) -> Result<Picture, BadImage> {
        self.read(self.source.reader().as_mut(), sample)
    }

    /// `[N, H, W, C]`, a picture being so many bytes.
    pub fn gather(
        &self,
        samples: &[&IndexEntry],
        picture_bytes: usize,
    ) -> Result<Vec<u8>, BadImage> {
        let mut bytes = vec![0; samples.len() * picture_bytes];
        let rows = bytes.par_chunks_exact_mut(picture_bytes).zip(samples);
        let read = |reader: &mut Box<dyn Reader + '_>, (row, sample): (&mut [u8], &&IndexEntry)| {
            row.copy_from_slice(self.read(reader.as_mut(), sample)?.raster.pixels());
            Ok(())
        };
        rows.map_init(|| self.source.reader(), read).collect::<Result<(), BadImage>>()?;
        Ok(bytes)
    }

    fn read(&self, reader: &mut dyn Reader, sample: &IndexEntry) -> Result<Picture, BadImage> {
        let picture = caught(&sample.name, || reader.picture(sample.slot as usize, &self.config))?;
        if picture.hash.to_hex().as_str() != sample.hash {
            let what = "has changed since the set was opened; start again, it is read anew then";
            return Err(BadImage::unreadable(&sample.name, what));
        }
        Ok(picture)
    }
}
