//! The qpress archive, `.qp`: one file of QuickLZ packets.
//!
//! Facts from archives of `mariabackup` 10.11, `xtrabackup` 2.x and 8.x and `qpress` 1.1, all
//! little-endian:
//!
//! ```text
//! "qpress10", u64 largest block, "F", u32 length of the name, name, NUL
//! blocks: "NEWBNEWB", u64 offset, u32 Adler-32 of the packet, a QuickLZ packet
//! "ENDSENDS", u64 0
//! ```
//!
//! The offset is not believed: XtraBackup 8.0 counts it twice. Blocks may be short anywhere.

use std::ops::Range;

use super::gather::Gather;
use super::quicklz::{self, Compressor, Decompressor, Header};
use super::{Decoder, Encoder, Piece, base_name, cut, damaged};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;

const NAME: &str = "qpress";
pub(super) const MAGIC: &[u8; 8] = b"qpress10";
const BLOCK: &[u8; 8] = b"NEWBNEWB";
const END: &[u8; 8] = b"ENDSENDS";

/// Buffers that a block needed and that are larger are freed after it.
const KEEP: usize = 2 << 20;

#[derive(Clone, Copy)]
enum State {
    Start,
    Name { len: usize },
    Mark,
    BlockHeader,
    Flags { sum: u32 },
    PacketHeader { sum: u32, len: usize },
    Packet { sum: u32, header: Header },
    Trailer,
    End,
}

impl State {
    /// Bytes of the part.
    fn wants(self) -> usize {
        match self {
            // Up to the name's length.
            Self::Start => MAGIC.len() + 8 + 1 + 4,
            Self::Name { len } => len,
            Self::Mark | Self::Trailer => 8,
            Self::BlockHeader => 12, // offset and checksum
            Self::Flags { .. } | Self::End => 1,
            Self::PacketHeader { len, .. } => len - 1,
            Self::Packet { header, .. } => header.packet - header.len,
        }
    }
}

/// Reads an archive of one file.
pub(crate) struct QpressDecoder {
    state: State,
    gather: Gather,
    /// Largest block that the archive announces.
    block_size: usize,
    packet: Vec<u8>,
    decompressor: Decompressor,
    plain: Range<usize>,
}

impl QpressDecoder {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Start,
            gather: Gather::default(),
            block_size: 0,
            packet: Vec::new(),
            decompressor: Decompressor::new(),
            plain: 0..0,
        }
    }

    /// A decoder of what stands at byte `at` of an archive: a block, or nothing behind its end.
    pub(crate) fn within(block_size: usize, at: u64, ended: bool) -> Self {
        let state = if ended { State::End } else { State::Mark };
        Self { state, gather: Gather::behind(at), block_size, ..Self::new() }
    }

    /// Takes one part of the archive. `None`: more input is wanted.
    fn part(&mut self, input: &mut &[u8]) -> Result<Option<State>> {
        let at = self.gather.at();
        let wrong = |what: &str| Err(damaged(NAME, at, what));
        let Some(part) = self.gather.take(input, self.state.wants()) else { return Ok(None) };
        Ok(Some(match self.state {
            State::Start => {
                let (block_size, name) = read_start(part, at)?;
                self.block_size = block_size;
                State::Name { len: name + 1 }
            }
            State::Name { .. } => match part {
                [.., 0] => State::Mark,
                _ => return wrong("a name without its end"),
            },
            State::Mark if part == BLOCK => State::BlockHeader,
            State::Mark if part == END => State::Trailer,
            State::Mark => return wrong("neither a block nor the end of the archive"),
            State::BlockHeader => {
                State::Flags { sum: part.last_chunk().map_or(0, |sum| u32::from_le_bytes(*sum)) }
            }
            State::Flags { sum } => {
                self.packet.clear();
                self.packet.extend_from_slice(part);
                let len = part.first().map_or(0, |flags| Header::len_of(*flags));
                State::PacketHeader { sum, len }
            }
            State::PacketHeader { sum, .. } => {
                self.packet.extend_from_slice(part);
                State::Packet {
                    sum,
                    header: read_packet_header(&self.packet, self.block_size, at)?,
                }
            }
            State::Packet { sum, header } => {
                self.packet.extend_from_slice(part);
                self.decompress(sum, &header, at)?;
                State::Mark
            }
            State::Trailer => match part {
                [0, 0, 0, 0, 0, 0, 0, 0] => State::End,
                _ => return wrong("the end of the archive is not zero"),
            },
            State::End => return wrong("bytes behind the end of the archive, or a second file"),
        }))
    }

    fn decompress(&mut self, sum: u32, header: &Header, at: u64) -> Result<()> {
        if zlib_rs::adler32::adler32(1, &self.packet) != sum {
            let message = format!("qpress: a block's checksum is wrong, at byte {at}");
            return Err(Error::new(ErrorKind::Checksum, message)
                .hint("the backup was damaged on its way or at rest; fetch it again"));
        }
        let plain = self.decompressor.decompress(header, &self.packet);
        let plain = plain.map_err(|error| match error.kind() {
            ErrorKind::Decompress => damaged(NAME, at, error.message()),
            _ => error,
        })?;
        self.plain = 0..plain.len();
        Ok(())
    }
}

/// Largest block, and length of the file's name.
fn read_start(part: &[u8], at: u64) -> Result<(usize, usize)> {
    let wrong = |what: &str| Err(damaged(NAME, at, what));
    let Some(rest) = part.strip_prefix(MAGIC) else {
        return wrong("the archive does not begin with qpress10");
    };
    let block_size = rest.first_chunk().map_or(0, |size| u64::from_le_bytes(*size));
    if rest.get(8) != Some(&b'F') {
        return wrong("the archive does not hold one file");
    }
    let name = rest.last_chunk().map_or(0, |len| u32::from_le_bytes(*len)) as usize;
    if name > limits::QPRESS_NAME {
        return wrong(&format!("a name of {name} bytes, more than {}", limits::QPRESS_NAME));
    }
    match usize::try_from(block_size) {
        Ok(size) if (1..=limits::CODEC_BLOCK).contains(&size) => Ok((size, name)),
        _ => {
            let most = limits::CODEC_BLOCK;
            let message = format!("a qpress archive of {block_size}-byte blocks, more than {most}");
            Err(Error::new(ErrorKind::Limit, message).hint("decompress it with the qpress program"))
        }
    }
}

fn read_packet_header(bytes: &[u8], block_size: usize, at: u64) -> Result<Header> {
    let Some(header) = Header::read(bytes) else {
        return Err(damaged(NAME, at, "a QuickLZ packet with a header that makes no sense"));
    };
    if header.plain > block_size {
        let what = format!("a block of {} bytes in an archive of {block_size}", header.plain);
        return Err(damaged(NAME, at, what));
    }
    if header.packet > quicklz::max_packet(header.plain) {
        return Err(damaged(NAME, at, "a packet that is longer than any"));
    }
    Ok(header)
}

impl Decoder for QpressDecoder {
    fn decode(&mut self, input: &mut &[u8]) -> Result<bool> {
        self.plain = 0..0;
        self.decompressor.shrink(KEEP);
        self.gather.shrink(KEEP);
        while let Some(next) = self.part(input)? {
            self.state = next;
            if !self.plain.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn output(&self) -> &[u8] {
        self.decompressor.plain().get(self.plain.clone()).unwrap_or_default()
    }

    fn finish(&mut self) -> Result<()> {
        match self.state {
            State::End => Ok(()),
            _ => Err(cut(NAME, self.gather.at())),
        }
    }
}

/// Writes an archive of one file.
pub(crate) struct QpressEncoder {
    block_size: usize,
    compressor: Compressor,
}

impl QpressEncoder {
    /// `block_size`: plain bytes of a block, 65536 where nobody asks otherwise.
    pub(crate) fn new(block_size: usize) -> Self {
        Self { block_size, compressor: Compressor::new() }
    }
}

impl Encoder for QpressEncoder {
    fn encode(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) -> Result<()> {
        if piece.offset == 0 {
            let name = base_name(piece.member);
            let len = u32::try_from(name.len()).map_err(|_| {
                Error::new(ErrorKind::InvalidArgument, "a name too long for a qpress archive")
            })?;
            out.extend_from_slice(MAGIC);
            out.extend_from_slice(&(self.block_size as u64).to_le_bytes());
            out.push(b'F');
            out.extend_from_slice(&len.to_le_bytes());
            out.extend_from_slice(name);
            out.push(0);
        }
        let mut offset = piece.offset;
        for block in piece.bytes.chunks(self.block_size) {
            out.extend_from_slice(BLOCK);
            out.extend_from_slice(&offset.to_le_bytes());
            let sum_at = out.len();
            out.extend_from_slice(&[0; 4]);
            self.compressor.compress(block, out);
            let sum = zlib_rs::adler32::adler32(1, out.get(sum_at + 4..).unwrap_or_default());
            if let Some(place) = out.get_mut(sum_at..).and_then(<[u8]>::first_chunk_mut) {
                *place = sum.to_le_bytes();
            }
            offset += block.len() as u64;
        }
        if piece.last {
            out.extend_from_slice(END);
            out.extend_from_slice(&[0; 8]);
        }
        Ok(())
    }
}
