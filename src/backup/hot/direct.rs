//! Reads past the page cache, which neither fill it nor empty it.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// What devices want addresses, offsets and lengths to be multiples of.
pub(super) const ALIGN: usize = 4096;

/// Bytes in memory at an address that devices take.
#[derive(Debug, Default)]
pub(super) struct AlignedBuffer {
    bytes: Vec<u8>,
    at: usize,
}

impl AlignedBuffer {
    /// Room for `len` bytes; what was in it may be lost.
    pub(super) fn room(&mut self, len: usize) -> &mut [u8] {
        if self.bytes.len() < len + ALIGN {
            self.bytes = vec![0; len + ALIGN];
            self.at = self.bytes.as_ptr().align_offset(ALIGN);
        }
        self.bytes.get_mut(self.at..self.at + len).unwrap_or_default()
    }

    /// The first bytes of the room.
    pub(super) fn get(&self, len: usize) -> &[u8] {
        self.bytes.get(self.at..self.at + len).unwrap_or_default()
    }
}

/// Whether a device fills a room of this length from this offset.
pub(super) fn is_possible(len: usize, offset: u64) -> bool {
    offset.is_multiple_of(ALIGN as u64) && len.is_multiple_of(ALIGN)
}

/// Whether no other buffer is needed to fill this room.
pub(super) fn is_aligned(room: &[u8]) -> bool {
    room.as_ptr().align_offset(ALIGN) == 0
}

/// Reads until the aligned room is full or the file ends; `None` if that is not to be had, so that
/// the page cache must do.
pub(super) fn read(file: &File, room: &mut [u8], offset: u64) -> Option<usize> {
    let mut filled = 0;
    while filled < room.len() {
        match file.read_at(room.get_mut(filled..)?, offset + filled as u64) {
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
    Some(filled)
}
