//! Reads past the page cache, which neither fill it nor empty it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use crate::sys::file;

/// What devices want addresses, offsets and lengths to be multiples of.
const ALIGN: usize = 4096;

/// Smaller files are not worth the trouble.
const SMALL: u64 = 64 << 10;

/// Bytes in memory at an address that devices take.
pub(super) struct DirectBuffer {
    bytes: Vec<u8>,
    at: usize,
}

impl DirectBuffer {
    /// Opens the file behind `file` once more; `None` if it is small, or cannot be read so.
    pub(super) fn open(file: &File, size: u64) -> Option<(File, Self)> {
        use std::os::fd::AsRawFd;
        if size < SMALL {
            return None;
        }
        // By its descriptor: the name may lead elsewhere by now.
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let direct = file::open_direct(&path).ok()??;
        Some((direct, Self { bytes: Vec::new(), at: 0 }))
    }

    /// Fills the room, whose length and offset must be multiples of the alignment but at the end;
    /// `None` if that is not to be had, so that the page cache must do.
    pub(super) fn read(&mut self, file: &File, room: &mut [u8], offset: u64) -> Option<usize> {
        if !offset.is_multiple_of(ALIGN as u64) || !room.len().is_multiple_of(ALIGN) {
            return None;
        }
        if self.bytes.len() < room.len() + ALIGN {
            self.bytes = vec![0; room.len() + ALIGN];
            self.at = self.bytes.as_ptr().align_offset(ALIGN);
        }
        let buffer = self.bytes.get_mut(self.at..self.at + room.len())?;
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read_at(buffer.get_mut(filled..)?, offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => {
                    filled += count;
                    if !count.is_multiple_of(ALIGN) {
                        break; // the end of the file
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        room.get_mut(..filled)?.copy_from_slice(buffer.get(..filled)?);
        Some(filled)
    }
}
