//! The decoded pictures on the device, where they fit: then a batch is a gather there, and what
//! crosses over is its indices.
//!
//! The study's 4,000 pictures of 224 px are 0.6 GB of bytes, 25,000 are 3.8 GB. Several cells may
//! share a card, and activations come later, so only a part of what is free is taken.

use catscan_data::batch::{sent, to_bytes};
use catscan_data::{BadImage, Dataset};
use catscan_torch_ext::plugin;
use tch::{Device, Kind, Tensor};

use crate::event::Event;

/// The part of a card's free memory that pictures may take.
const SHARE: f64 = 0.25;

/// Bytes that are sent to the device at once.
const CHUNK_BYTES: usize = 64 << 20;

/// Pictures of a data set on a device.
pub(crate) struct Resident {
    /// `[M, H, W, C]` u8.
    bytes: Tensor,
    /// The row of each sample; none for those that are not there.
    row_of: Vec<Option<u32>>,
}

impl Resident {
    /// These samples of `dataset`, if `device` is a CUDA device with room for them.
    ///
    /// # Errors
    /// As [`Dataset::pixels`].
    pub fn if_it_fits(
        dataset: &Dataset,
        samples: &[u32],
        device: Device,
    ) -> Result<Option<Resident>, BadImage> {
        let Device::Cuda(index) = device else { return Ok(None) };
        let Ok(memory) = plugin::memory(index) else { return Ok(None) };
        let needed = samples.len() * picture_bytes(dataset);
        let room = fits(needed as u64, memory.free_bytes);
        room.then(|| Resident::new(dataset, samples, device)).transpose()
    }

    /// These samples on `device`, wherever that is.
    ///
    /// # Errors
    /// As [`Dataset::pixels`].
    pub fn new(dataset: &Dataset, samples: &[u32], device: Device) -> Result<Resident, BadImage> {
        let mut row_of = vec![None; dataset.samples.len()];
        for (row, sample) in samples.iter().enumerate() {
            row_of[*sample as usize] = Some(row as u32);
        }
        let (side, channels) = (i64::from(dataset.size_px), dataset.channels() as i64);
        let all = [samples.len() as i64, side, side, channels];
        let bytes = Tensor::empty(all, (Kind::Uint8, device));
        let at_once = (CHUNK_BYTES / picture_bytes(dataset)).max(1);
        let mut start = 0;
        for part in samples.chunks(at_once) {
            let chunk = to_bytes(&dataset.gather(part)?, dataset.config(), device);
            bytes.narrow(0, start, part.len() as i64).copy_(&chunk);
            start += part.len() as i64;
        }
        Ok(Resident { bytes, row_of })
    }

    /// That it is there, and how much.
    pub fn event(&self) -> Event {
        let pictures = self.bytes.size()[0] as u64;
        Event::OnDevice { pictures, bytes: self.bytes.numel() as u64 }
    }

    /// `[N, H, W, C]` u8 of these samples, in this order; `None` if one of them is not there.
    pub fn gather(&self, samples: &[u32]) -> Option<Tensor> {
        let row = |sample: &u32| self.row_of[*sample as usize].map(i64::from);
        let rows: Vec<i64> = samples.iter().map(row).collect::<Option<_>>()?;
        let rows = sent(Tensor::from_slice(&rows), self.bytes.device());
        Some(self.bytes.index_select(0, &rows))
    }
}

fn fits(needed_bytes: u64, free_bytes: u64) -> bool {
    needed_bytes as f64 <= SHARE * free_bytes as f64
}

fn picture_bytes(dataset: &Dataset) -> usize {
    dataset.size_px as usize * dataset.size_px as usize * dataset.channels()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::recipe;

    #[test]
    fn a_gather_gives_the_pictures_that_the_cache_gives() {
        let cache = tempfile::tempdir().unwrap();
        let dataset = Dataset::open(&recipe().data, cache.path(), &()).unwrap();
        let samples = &dataset.split.train;
        let resident = Resident::new(&dataset, samples, Device::Cpu).unwrap();
        let some = [samples[5], samples[0], samples[5], *samples.last().unwrap()];
        let want = to_bytes(&dataset.gather(&some).unwrap(), dataset.config(), Device::Cpu);
        assert_eq!(resident.gather(&some).unwrap(), want);
        let (pictures, side) = (samples.len() as u64, u64::from(dataset.size_px));
        let event = Event::OnDevice { pictures, bytes: pictures * side * side * 3 };
        assert_eq!(resident.event(), event);
        let other = dataset.split.test[0];
        assert!(resident.gather(&[samples[0], other]).is_none());
        assert!(Resident::if_it_fits(&dataset, samples, Device::Cpu).unwrap().is_none());
    }

    #[test]
    fn a_quarter_of_what_is_free_is_taken_and_no_more() {
        assert!(fits(250, 1000) && !fits(251, 1000));
        assert!(fits(0, 0) && !fits(1, 0));
        // The study's 25,000 pictures on a card of 16 GB, and on one of 8.
        let study = 25_000 * 224 * 224 * 3;
        assert!(fits(study, 16 << 30) && !fits(study, 8 << 30));
    }
}
