//! Where the pixels of a set are kept: chosen by its size against what is free.
//!
//! - [`Placement::Mapped`] where the pixel file takes nine tenths of the free disk at most. It has
//!   no memory of its own: pages are the system's, shared by all processes of an experiment.
//! - [`Placement::Memory`] where the disk has no room and half of the free memory has: all pixels,
//!   once a process.
//! - [`Placement::Streamed`] where neither has: no more than the batches on their way.
//!
//! A map comes first even where memory would do: what fits into free memory is read ahead and then
//! *is* in memory, and the next run finds it again. No batch depends on the choice: names, split,
//! digest, order and pixels are the same, see `tests/it/placement.rs`.

use std::path::Path;

use catscan_machine::free_memory;
use serde::Serialize;

/// Where pixels are. More may come, such as the memory of a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Placement {
    /// In this process's memory, decoded anew by each process.
    Memory,
    /// In a memory-mapped file of the cache folder.
    Mapped,
    /// In their source: each batch is decoded when it is asked for.
    Streamed,
}

/// What is free, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub disk: u64,
    /// `None` where the system does not tell.
    pub memory: Option<u64>,
}

impl Room {
    /// Of the disk under `folder`, which exists, and of this machine or container.
    pub fn now(folder: &Path) -> std::io::Result<Room> {
        Ok(Room { disk: fs4::available_space(folder)?, memory: free_memory() })
    }

    /// For pixels of `needed` bytes.
    pub fn choose(self, needed: u64) -> Placement {
        if needed <= self.disk / 10 * 9 {
            Placement::Mapped
        } else if self.holds(needed) {
            Placement::Memory
        } else {
            Placement::Streamed
        }
    }

    /// Whether half of the free memory is enough; the other half is the network's.
    pub fn holds(self, needed: u64) -> bool {
        self.memory.is_some_and(|free| needed <= free / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_then_memory_then_a_stream() {
        let room = |disk, memory| Room { disk, memory };
        assert_eq!(room(1000, Some(1000)).choose(900), Placement::Mapped);
        assert_eq!(room(1000, Some(4000)).choose(901), Placement::Memory);
        assert_eq!(room(1000, Some(4000)).choose(2001), Placement::Streamed);
        assert_eq!(room(1000, None).choose(901), Placement::Streamed);
        assert_eq!(room(0, Some(0)).choose(0), Placement::Mapped, "nothing fits everywhere");
    }
}
