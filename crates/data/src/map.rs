//! Files of the cache seen as memory.

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps a file for reading.
pub(crate) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is read-only and private to us, but another process that truncates the file
    // underneath would end this one with a signal. So only files of our own cache are mapped: once
    // made they are never written again, only removed or replaced as a whole, and that leaves the
    // pages of who has them mapped alone. The user's files are read through `Window`.
    #[allow(unsafe_code, reason = "memmap2 has no other call; see above")]
    unsafe {
        Mmap::map(file)
    }
}
