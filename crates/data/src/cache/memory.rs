//! Pixels in this process's own memory, where the disk has no room for them.

use std::sync::OnceLock;

use super::{Index, build};
use crate::config::DataConfig;
use crate::error::DataError;
use crate::progress::Progress;
use crate::source::{Picture, Source};

/// By slot; those of rejected pictures stay empty.
pub(super) struct Memory(Vec<OnceLock<Picture>>);

impl Memory {
    /// With all pictures of `source`, decoded.
    pub fn filled(
        source: &dyn Source,
        config: &DataConfig,
        progress: &dyn Progress,
    ) -> Result<(Index, Memory), DataError> {
        let n = source.listing()?.entries.len();
        let slots: Vec<OnceLock<Picture>> = (0..n).map(|_| OnceLock::new()).collect();
        let index = build::survey(source, config, progress, |slot, picture| {
            assert!(slots[slot].set(picture).is_ok(), "slot {slot} is filled once");
            Ok(())
        })?;
        Ok((index, Memory(slots)))
    }

    pub fn pixels(&self, slot: u32) -> &[u8] {
        self.picture(slot).raster.pixels()
    }

    pub fn evidence(&self, slot: u32) -> Option<&[u8]> {
        self.picture(slot).evidence.as_deref()
    }

    fn picture(&self, slot: u32) -> &Picture {
        self.0[slot as usize].get().expect("a sample of the index was decoded")
    }
}
