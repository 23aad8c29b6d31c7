//! The LZ4 frame format, `.lz4`: any number of frames, one after the other.
//!
//! The frame format's own documentation (1.6.x), and what `xtrabackup` 8.x makes of it: a frame
//! for each write, with content size and checksum, of independent blocks. Two of its habits are
//! outside of the format, and are read with a warning: early versions of 8.0 write blocks that
//! did not compress as "compressed" ones, longer than the frame's largest block; and chunk sizes
//! between 1 MiB and 1204 KiB give blocks whose content is longer than that.

#![expect(
    clippy::cast_possible_truncation,
    reason = "blocks have 4 MiB at most, and a header keeps one byte of its sum"
)]

use std::hash::Hasher as _;
use std::ops::Range;

use twox_hash::XxHash32;

use super::gather::Gather;
use super::{Decoder, Encoder, Piece, cut, damaged};
use crate::error::{Error, ErrorKind, Result};

const NAME: &str = "lz4";
const MAGIC: u32 = 0x184d_2204;
const SKIPPABLE: u32 = 0x184d_2a50;
const SKIPPABLE_LAST: u32 = 0x184d_2a5f;
const LEGACY: u32 = 0x184c_2102;
const STORED: u32 = 1 << 31;

/// Bytes that a block may refer back to, if blocks are linked.
const HISTORY: usize = 64 << 10;

/// The largest block that is declared as one of 1 MiB by `xtrabackup` 8.x: 1204 KiB.
const MISDECLARED: usize = 1204 << 10;

/// What the frame's descriptor says.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    /// Bits 5..0 of the FLG byte.
    flags: u8,
    /// Largest block.
    block: usize,
    content_size: Option<u64>,
}

impl Frame {
    const LINKED_NOT: u8 = 0x20;
    const BLOCK_SUM: u8 = 0x10;
    const CONTENT_SIZE: u8 = 0x08;
    const CONTENT_SUM: u8 = 0x04;
    const DICTIONARY: u8 = 0x01;

    /// What the descriptor says: flags, largest block, and the rest.
    fn read(flags: u8, bd: u8, rest: &[u8], at: u64) -> Result<Self> {
        let mut frame = Self { flags, block: 1 << (8 + 2 * (bd >> 4)), content_size: None };
        let Some((header_sum, fields)) = rest.split_last() else { return Ok(frame) };
        let mut sum = XxHash32::with_seed(0);
        sum.write(&[flags, bd]);
        sum.write(fields);
        if (sum.finish() >> 8) as u8 != *header_sum {
            return Err(checksum("a frame's header", at));
        }
        if frame.has(Self::DICTIONARY) {
            return Err(damaged(NAME, at, "a frame that needs a dictionary"));
        }
        if frame.has(Self::CONTENT_SIZE) {
            frame.content_size = fields.first_chunk().map(|size| u64::from_le_bytes(*size));
        }
        Ok(frame)
    }

    fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Between frames; the first one is still to come, or not.
    Magic {
        first: bool,
    },
    SkipLen,
    Skip {
        left: usize,
    },
    Flags,
    Descriptor {
        flags: u8,
        bd: u8,
    },
    BlockSize,
    Block {
        size: u32,
    },
    ContentSum,
}

impl State {
    /// Bytes of the part.
    fn wants(self, frame: Frame) -> usize {
        match self {
            Self::Magic { .. } | Self::SkipLen | Self::BlockSize | Self::ContentSum => 4,
            Self::Skip { .. } => 0,
            Self::Flags => 2,
            Self::Descriptor { flags, .. } => {
                let has = |flag, len| if flags & flag == 0 { 0 } else { len };
                has(Frame::CONTENT_SIZE, 8) + has(Frame::DICTIONARY, 4) + 1
            }
            Self::Block { size } => {
                let sum = if frame.has(Frame::BLOCK_SUM) { 4 } else { 0 };
                (size & !STORED) as usize + sum
            }
        }
    }
}

/// Reads frames.
pub(crate) struct Lz4Decoder {
    state: State,
    gather: Gather,
    frame: Frame,
    content: u64,
    sum: XxHash32,
    /// What the last block may refer back to, its content, and bytes of no meaning.
    plain: Vec<u8>,
    /// Where in `plain` the last block is.
    block: Range<usize>,
    /// Whether that block is the decoder's output now.
    given: bool,
    warning: Option<&'static str>,
}

impl Lz4Decoder {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Magic { first: true },
            gather: Gather::default(),
            frame: Frame::default(),
            content: 0,
            sum: XxHash32::with_seed(0),
            plain: Vec::new(),
            block: 0..0,
            given: false,
            warning: None,
        }
    }

    /// A decoder of the frames that begin at byte `at`, behind others.
    pub(crate) fn behind(at: u64) -> Self {
        let (state, gather) = (State::Magic { first: false }, Gather::behind(at));
        Self { state, gather, ..Self::new() }
    }

    /// Takes one part of a frame. `None`: more input is wanted.
    fn part(&mut self, input: &mut &[u8]) -> Result<Option<State>> {
        if let State::Skip { left } = self.state {
            let skipped = self.gather.take_some(input, left).len();
            return Ok(match left - skipped {
                0 => Some(State::Magic { first: false }),
                _ if skipped == 0 => None,
                left => Some(State::Skip { left }),
            });
        }
        let at = self.gather.at();
        let wrong = |what: &str| Err(damaged(NAME, at, what));
        let wants = self.state.wants(self.frame);
        let Some(part) = self.gather.take(input, wants) else { return Ok(None) };
        let number = part.first_chunk().map_or(0, |four| u32::from_le_bytes(*four));
        Ok(Some(match self.state {
            State::Magic { .. } => match number {
                MAGIC => State::Flags,
                SKIPPABLE..=SKIPPABLE_LAST => State::SkipLen,
                LEGACY => return wrong("a frame of the legacy format"),
                _ => return wrong("no LZ4 frame begins here"),
            },
            State::SkipLen => State::Skip { left: number as usize },
            State::Flags => match *part {
                [flags, bd] if flags & 0xc2 == 0x40 && bd & 0x8f == 0 && bd >= 0x40 => {
                    State::Descriptor { flags, bd }
                }
                _ => return wrong("a frame of an unknown version"),
            },
            State::Descriptor { flags, bd } => {
                self.frame = Frame::read(flags, bd, part, at)?;
                self.content = 0;
                self.sum = XxHash32::with_seed(0);
                self.block = 0..0;
                State::BlockSize
            }
            State::BlockSize if number == 0 => self.end_of_blocks(at)?,
            State::BlockSize => State::Block { size: self.checked_block(number, at)? },
            State::Block { size } => {
                let (data, sum) = part.split_at(part.len().min((size & !STORED) as usize));
                if sum.first_chunk().is_some_and(|sum| u32::from_le_bytes(*sum) != xxh32(data)) {
                    return Err(checksum("a block", at));
                }
                let linked = !self.frame.has(Frame::LINKED_NOT);
                let begin = forget(&mut self.plain, self.block.end, linked);
                let made = if size & STORED != 0 {
                    self.plain.truncate(begin);
                    self.plain.extend_from_slice(data);
                    data.len()
                } else {
                    let most = largest_content(self.frame.block);
                    decompress(data, &mut self.plain, begin, most, at)?
                };
                self.block = begin..begin + made;
                self.count_block(at)?;
                State::BlockSize
            }
            State::ContentSum if u64::from(number) == self.sum.finish() => {
                State::Magic { first: false }
            }
            State::ContentSum => return Err(checksum("a frame's content", at)),
            State::Skip { .. } => return Ok(None), // done above
        }))
    }

    /// Takes the block just made into account.
    fn count_block(&mut self, at: u64) -> Result<()> {
        let plain = self.plain.get(self.block.clone()).unwrap_or_default();
        if plain.len() > self.frame.block {
            self.warning = Some(
                "lz4: blocks are longer than their frame says, as XtraBackup 8 writes them for \
                 chunk sizes above 1 MiB",
            );
        }
        if self.frame.has(Frame::CONTENT_SUM) {
            self.sum.write(plain);
        }
        self.content += plain.len() as u64;
        if self.frame.content_size.is_some_and(|size| self.content > size) {
            return Err(damaged(NAME, at, "a frame holds more than its header says"));
        }
        Ok(())
    }

    /// The size of a block, if it may be that long.
    fn checked_block(&mut self, size: u32, at: u64) -> Result<u32> {
        let len = (size & !STORED) as usize;
        let most = largest_content(self.frame.block);
        if len > most {
            // What did not compress takes one byte in 255 more.
            if size & STORED != 0 || len > most + most / 255 + 16 {
                let what = format!("a block of {len} bytes, more than its frame's {most}");
                return Err(damaged(NAME, at, what));
            }
        }
        if len > self.frame.block && size & STORED == 0 {
            self.warning = Some(
                "lz4: a compressed block is longer than its frame allows, as early XtraBackup \
                 8.0 writes what does not compress",
            );
        }
        Ok(size)
    }

    fn end_of_blocks(&self, at: u64) -> Result<State> {
        if let Some(size) = self.frame.content_size.filter(|size| *size != self.content) {
            let what = format!("a frame holds {} bytes, not {size}", self.content);
            return Err(damaged(NAME, at, what));
        }
        let summed = self.frame.has(Frame::CONTENT_SUM);
        Ok(if summed { State::ContentSum } else { State::Magic { first: false } })
    }
}

/// The most that a block of frames with this largest block may hold.
fn largest_content(block: usize) -> usize {
    if block == 1 << 20 { MISDECLARED } else { block }
}

/// Moves what the next block may refer to, of `len` bytes, to the front. Gives the length of it.
fn forget(plain: &mut [u8], len: usize, linked: bool) -> usize {
    if !linked {
        return 0;
    }
    let begin = len.saturating_sub(HISTORY);
    plain.copy_within(begin..len, 0);
    len - begin
}

/// Decompresses a block behind the history that is in `plain` before `begin`. Gives its length.
fn decompress(
    data: &[u8],
    plain: &mut Vec<u8>,
    begin: usize,
    most: usize,
    at: u64,
) -> Result<usize> {
    // No block holds more than 255 times its length.
    let room = most.min(data.len().saturating_mul(255));
    if plain.len() < begin + room {
        plain.resize(begin + room, 0);
    }
    let (history, target) = plain.split_at_mut(begin);
    let target = target.get_mut(..room).unwrap_or_default();
    let made = if history.is_empty() {
        i32::try_from(room)
            .ok()
            .and_then(|room| lz4::block::decompress_to_buffer(data, Some(room), target).ok())
    } else {
        lz4_flex::block::decompress_into_with_dict(data, target, history).ok()
    };
    made.filter(|made| *made <= room)
        .ok_or_else(|| damaged(NAME, at, "a block that cannot be decoded"))
}

fn xxh32(bytes: &[u8]) -> u32 {
    XxHash32::oneshot(0, bytes)
}

fn checksum(what: &str, at: u64) -> Error {
    Error::new(ErrorKind::Checksum, format!("lz4: the checksum of {what} is wrong, at byte {at}"))
        .hint("the backup was damaged on its way or at rest; fetch it again")
}

impl Decoder for Lz4Decoder {
    fn decode(&mut self, input: &mut &[u8]) -> Result<bool> {
        self.given = false;
        while let Some(next) = self.part(input)? {
            self.given = matches!(self.state, State::Block { .. }) && !self.block.is_empty();
            self.state = next;
            if self.given {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn output(&self) -> &[u8] {
        self.plain.get(self.block.clone()).filter(|_| self.given).unwrap_or_default()
    }

    fn finish(&mut self) -> Result<()> {
        match self.state {
            State::Magic { first: false } if self.gather.is_empty() => Ok(()),
            _ => Err(cut(NAME, self.gather.at())),
        }
    }

    fn warning(&mut self) -> Option<&'static str> {
        self.warning.take()
    }
}

/// Writes a frame for each piece.
pub(crate) struct Lz4Encoder {
    block_size: usize,
    descriptor: u8,
}

impl Lz4Encoder {
    /// `block_size`: plain bytes of a block, up to 4 MiB.
    pub(crate) fn new(block_size: usize) -> Result<Self> {
        let code = (4..=7).find(|code| block_size <= 1 << (8 + 2 * code)).ok_or_else(|| {
            let message = format!("lz4 blocks have at most 4194304 bytes, not {block_size}");
            Error::new(ErrorKind::InvalidArgument, message)
        })?;
        Ok(Self { block_size, descriptor: code << 4 })
    }
}

impl Encoder for Lz4Encoder {
    fn encode(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) -> Result<()> {
        // An empty member is an empty frame; but no frame is made only to say that it ended.
        if piece.bytes.is_empty() && piece.offset > 0 {
            return Ok(());
        }
        out.extend_from_slice(&MAGIC.to_le_bytes());
        let descriptor_at = out.len();
        // Version 1, independent blocks, content size, content checksum.
        out.extend_from_slice(&[0x6c, self.descriptor]);
        out.extend_from_slice(&(piece.bytes.len() as u64).to_le_bytes());
        out.push((xxh32(out.get(descriptor_at..).unwrap_or_default()) >> 8) as u8);
        for block in piece.bytes.chunks(self.block_size) {
            append_block(block, out)?;
        }
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&xxh32(piece.bytes).to_le_bytes());
        Ok(())
    }
}

fn append_block(block: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let failed = |error| Error::io(ErrorKind::Panic, "lz4 cannot compress a block", error);
    let bound = lz4::block::compress_bound(block.len()).map_err(failed)?;
    let at = out.len();
    out.resize(at + 4 + bound, 0);
    let room = out.get_mut(at + 4..).unwrap_or_default();
    let made = lz4::block::compress_to_buffer(block, None, false, room).map_err(failed)?;
    let size = if made < block.len() {
        out.truncate(at + 4 + made);
        made as u32
    } else {
        out.truncate(at + 4);
        out.extend_from_slice(block);
        block.len() as u32 | STORED
    };
    if let Some(place) = out.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = size.to_le_bytes();
    }
    Ok(())
}
