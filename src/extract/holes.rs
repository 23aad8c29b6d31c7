//! Which bytes of a member need not be written, because a new file is zero there anyway.

use std::ops::Range;

use crate::innodb::space::{HoleRule, is_page_compressed};

/// Disk space is given and saved in blocks of this size, on every file system in use.
const BLOCK: u64 = 4096;

/// The state of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holes {
    /// Every byte is written.
    None,
    /// A tablespace, of which no byte came yet.
    NewTablespace,
    /// A tablespace; `in_hole_page` says whether the page that the next byte is in has holes.
    Tablespace { rule: HoleRule, in_hole_page: bool },
}

impl Holes {
    /// The state at the beginning of a member of this name.
    pub(super) fn of(path: &[u8]) -> Self {
        if path.ends_with(b".ibd") { Self::NewTablespace } else { Self::None }
    }

    /// Calls `write` with the ranges of `bytes`, which belong at `offset` of the member, that
    /// have to be written.
    pub(super) fn written<E>(
        &mut self,
        offset: u64,
        bytes: &[u8],
        mut write: impl FnMut(Range<usize>) -> Result<(), E>,
    ) -> Result<(), E> {
        if *self == Self::NewTablespace {
            *self = match HoleRule::of(bytes).filter(|_| offset == 0) {
                Some(rule) => Self::Tablespace { rule, in_hole_page: false },
                None => Self::None,
            };
        }
        let Self::Tablespace { rule, in_hole_page } = self else {
            return write(0..bytes.len());
        };
        match *rule {
            HoleRule::WholeSpace => data_ranges(offset, bytes, 0..bytes.len(), &mut write),
            HoleRule::ByPage { page_size } => {
                let mut pending = 0..0;
                for range in cut(offset, bytes.len(), page_size) {
                    let page = bytes.get(range.clone()).unwrap_or_default();
                    if (offset + range.start as u64).is_multiple_of(page_size) {
                        *in_hole_page = is_page_compressed(page).unwrap_or(false);
                    }
                    if *in_hole_page {
                        flush(&mut pending, &mut write)?;
                        pending = range.end..range.end;
                        data_ranges(offset, bytes, range, &mut write)?;
                    } else {
                        pending.end = range.end;
                    }
                }
                flush(&mut pending, &mut write)
            }
        }
    }
}

/// Calls `write` with what is not zero, in whole blocks of the file.
fn data_ranges<E>(
    offset: u64,
    bytes: &[u8],
    within: Range<usize>,
    write: &mut impl FnMut(Range<usize>) -> Result<(), E>,
) -> Result<(), E> {
    let mut pending = within.start..within.start;
    for block in cut(offset + within.start as u64, within.len(), BLOCK) {
        let block = within.start + block.start..within.start + block.end;
        if is_zero(bytes.get(block.clone()).unwrap_or_default()) {
            flush(&mut pending, write)?;
            pending = block.end..block.end;
        } else {
            pending.end = block.end;
        }
    }
    flush(&mut pending, write)
}

fn flush<E>(
    pending: &mut Range<usize>,
    write: &mut impl FnMut(Range<usize>) -> Result<(), E>,
) -> Result<(), E> {
    let range = std::mem::replace(pending, pending.end..pending.end);
    if range.is_empty() { Ok(()) } else { write(range) }
}

/// Ranges of `len` bytes at `offset`, cut where a multiple of `unit` lies.
fn cut(offset: u64, len: usize, unit: u64) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= len {
            return None;
        }
        let to_border = unit - (offset + start as u64) % unit;
        let end = usize::try_from(to_border).map_or(len, |to| len.min(start.saturating_add(to)));
        let range = start..end;
        start = end;
        Some(range)
    })
}

fn is_zero(bytes: &[u8]) -> bool {
    // In pieces that the compiler turns into vector code, with an early end.
    bytes.chunks(256).all(|piece| piece.iter().fold(0, |all, byte| all | byte) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(holes: &mut Holes, offset: u64, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut out = Vec::new();
        holes
            .written::<()>(offset, bytes, |range| {
                out.push(range);
                Ok(())
            })
            .unwrap();
        out
    }

    #[test]
    fn zero_blocks_of_a_compressed_space_are_left_out_wherever_pieces_end() {
        let mut file = vec![0_u8; 3 * 16384];
        file[54..58].copy_from_slice(&0x35_u32.to_be_bytes());
        file[16384 + 5000] = 1;
        let mut holes = Holes::of(b"t.ibd");
        assert_eq!(ranges(&mut holes, 0, &file), vec![0..4096, 20480..24576]);
        for piece in [100, 4096, 5001, 20000] {
            let mut copy = vec![0_u8; file.len()];
            let mut holes = Holes::of(b"t.ibd");
            for (at, bytes) in file.chunks(piece).enumerate() {
                for range in ranges(&mut holes, (at * piece) as u64, bytes) {
                    copy[at * piece..][range.clone()].copy_from_slice(&bytes[range]);
                }
            }
            assert!(copy == file, "{piece}");
        }
    }

    #[test]
    fn only_compressed_pages_of_mysql_have_holes() {
        let mut file = vec![0_u8; 3 * 16384];
        file[54..58].copy_from_slice(&0x4021_u32.to_be_bytes());
        file[16384 + 25] = 14;
        let mut holes = Holes::of(b"t.ibd");
        assert_eq!(ranges(&mut holes, 0, &file), vec![0..16384, 16384..20480, 32768..49152]);
        assert_eq!(ranges(&mut Holes::of(b"t.MYD"), 0, &file), vec![0..file.len()]);
    }
}
