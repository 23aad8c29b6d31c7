//! Maps of files with holes, in each of GNU tar's layouts.

use super::BLOCK_LEN;
use super::header::Block;
use super::number;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;

/// Where a file has data: stretches in order, without overlap, within its size.
#[derive(Debug, Default)]
pub(super) struct Map {
    runs: Vec<Run>,
    /// Bytes of data.
    pub(super) data: u64,
    /// Bytes of the file.
    pub(super) size: u64,
}

/// A stretch of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) offset: u64,
    pub(super) len: u64,
}

impl Map {
    /// The map of a file of `size` bytes, with no data yet.
    pub(super) fn new(size: u64) -> Result<Self> {
        if size > limits::MEMBER_SIZE {
            let message = format!("size {size} exceeds limit {}", limits::MEMBER_SIZE);
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(Self { runs: Vec::new(), data: 0, size })
    }

    /// Makes it the map of a file without holes. Keeps the room, as most files have none.
    pub(super) fn set_plain(&mut self, size: u64) -> Result<()> {
        let mut runs = std::mem::take(&mut self.runs);
        runs.clear();
        *self = Self { runs, ..Self::new(size)? };
        self.push(0, size)
    }

    /// The stretch of this number.
    pub(super) fn run(&self, number: usize) -> Option<Run> {
        self.runs.get(number).copied()
    }

    /// Adds a stretch. One without length says nothing, but must be in its place.
    pub(super) fn push(&mut self, offset: u64, len: u64) -> Result<()> {
        let past = self.runs.last().map_or(0, |run| run.offset + run.len);
        let end = offset.checked_add(len).filter(|end| *end <= self.size);
        let Some(_) = end.filter(|_| offset >= past) else {
            return Err(bad(format!(
                "a sparse map has {len} bytes at {offset}, behind {past} and of a size of {}",
                self.size
            )));
        };
        if len == 0 {
            return Ok(());
        }
        if self.runs.len() >= limits::TAR_SPARSE_ENTRIES {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("a sparse map has over {} entries", limits::TAR_SPARSE_ENTRIES),
            ));
        }
        self.runs.push(Run { offset, len });
        self.data += len;
        Ok(())
    }

    /// Compares with the bytes that the archive has for the member.
    pub(super) fn check_data(&self, stored: u64) -> Result<()> {
        if self.data == stored {
            return Ok(());
        }
        Err(bad(format!(
            "a sparse map describes {} bytes of data, but the member has {stored}",
            self.data
        )))
    }
}

/// Entries in a header of type `S`, and in each block that goes on with its map.
const IN_HEADER: (usize, usize) = (386, 4);
const IN_BLOCK: (usize, usize) = (0, 21);

/// Takes the map from a header of type `S`. Gives whether it goes on in a further block.
pub(super) fn old_header(block: &Block) -> Result<(Map, bool)> {
    let size = block.get(483..495).and_then(number::parse);
    let size = size.ok_or_else(|| bad("the size of a sparse file is no number"))?;
    let mut map = Map::new(size)?;
    old_entries(&mut map, block, IN_HEADER)?;
    Ok((map, block.get(482).is_some_and(|flag| *flag != 0)))
}

/// Takes the next part of the map. Gives whether it goes on in a further block.
pub(super) fn old_block(map: &mut Map, block: &Block) -> Result<bool> {
    old_entries(map, block, IN_BLOCK)?;
    Ok(block.get(504).is_some_and(|flag| *flag != 0))
}

fn old_entries(map: &mut Map, block: &Block, (start, count): (usize, usize)) -> Result<()> {
    let entries = block.get(start..).unwrap_or_default().chunks_exact(24).take(count);
    // What is not used is blank.
    for entry in entries.filter(|entry| entry.iter().any(|byte| *byte != 0)) {
        let (offset, len) = entry.split_at(12);
        match (number::parse(offset), number::parse(len)) {
            (Some(offset), Some(len)) => map.push(offset, len)?,
            _ => return Err(bad("an entry of a sparse map is no number")),
        }
    }
    Ok(())
}

/// Reads a map of version 1.0: before the data, as decimal numbers each with a newline behind it,
/// first how many entries there are; filled up to whole blocks.
#[derive(Debug)]
pub(super) struct MapReader {
    pub(super) map: Map,
    /// Numbers to come; `None` before the first.
    left: Option<u64>,
    offset: Option<u64>,
    digits: Vec<u8>,
    /// Bytes of the member behind what was read.
    pub(super) behind: u64,
}

impl MapReader {
    /// A reader of the map of a file of `size` bytes, whose member has `stored` bytes.
    pub(super) fn new(size: u64, stored: u64) -> Result<Self> {
        let map = Map::new(size)?;
        Ok(Self { map, left: None, offset: None, digits: Vec::new(), behind: stored })
    }

    /// Reads one block. Gives whether the map ends in it.
    pub(super) fn block(&mut self, block: &Block) -> Result<bool> {
        let behind = self.behind.checked_sub(BLOCK_LEN);
        self.behind = behind.ok_or_else(|| bad("a sparse map is longer than its member"))?;
        for byte in block {
            match byte {
                b'0'..=b'9' if self.digits.len() < 20 => self.digits.push(*byte),
                b'\n' => {
                    if self.number()? {
                        return Ok(true);
                    }
                }
                _ => return Err(bad("a sparse map holds what is no number")),
            }
        }
        Ok(false)
    }

    /// Takes the number whose digits were read. Gives whether it is the map's last.
    fn number(&mut self) -> Result<bool> {
        let number = number::decimal(&self.digits);
        let number = number.ok_or_else(|| bad("a sparse map holds what is no number"))?;
        self.digits.clear();
        let Some(left) = &mut self.left else {
            let left = number.checked_mul(2);
            self.left = Some(left.ok_or_else(|| bad("a sparse map has too many entries"))?);
            return Ok(number == 0);
        };
        *left = left.saturating_sub(1);
        let is_last = *left == 0;
        match self.offset.take() {
            None => self.offset = Some(number),
            Some(offset) => self.map.push(offset, number)?,
        }
        Ok(is_last)
    }
}

fn bad(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Format, message)
}
