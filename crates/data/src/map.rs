//! Files seen as memory.

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps a file for reading.
pub(crate) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is read-only and private to us, but another process that truncates the file
    // underneath would end this one with a signal. Caches are only ever replaced by renaming; for
    // a shard of the user's, that risk is accepted. (Zips are read through `Window`, without it.)
    #[allow(unsafe_code, reason = "memmap2 has no other call; see above")]
    unsafe {
        Mmap::map(file)
    }
}
