//! Gzip (RFC 1952), `.gz`: any number of members, one after the other.

#![expect(clippy::cast_possible_truncation, reason = "a member keeps its length modulo 2^32")]

use std::ops::Range;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::gather::Gather;
use super::{Decoder, Encoder, Piece, cut, damaged};
use crate::error::{Error, ErrorKind, Result};

const NAME: &str = "gzip";

/// Plain bytes given at once.
const OUTPUT: usize = 128 << 10;

const HEADER_SUM: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const FILE_NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;

#[derive(Clone, Copy, Debug)]
enum State {
    Header { first: bool },
    ExtraLen { flags: u8 },
    Extra { flags: u8, left: usize },
    Text { flags: u8 },
    HeaderSum,
    Body,
    Trailer,
}

/// Reads members.
pub(crate) struct GzipDecoder {
    state: State,
    gather: Gather,
    inner: Decompress,
    /// Where the member's body begins: within it the inflater reads ahead as it likes.
    body: u64,
    sum: crc32fast::Hasher,
    /// Of the member's header, whose own checksum is rarely there.
    header_sum: crc32fast::Hasher,
    len: u32,
    plain: Box<[u8]>,
    made: Range<usize>,
    /// The inflater may hold more plain bytes than there was room for.
    full: bool,
}

impl GzipDecoder {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Header { first: true },
            gather: Gather::default(),
            inner: Decompress::new(false),
            body: 0,
            sum: crc32fast::Hasher::new(),
            header_sum: crc32fast::Hasher::new(),
            len: 0,
            plain: vec![0; OUTPUT].into_boxed_slice(),
            made: 0..0,
            full: false,
        }
    }

    fn part(&mut self, input: &mut &[u8]) -> Result<Option<State>> {
        let at = self.gather.at();
        let wrong = |what: &str| Err(damaged(NAME, at, what));
        Ok(Some(match self.state {
            State::Header { .. } => {
                let Some(header) = self.gather.take(input, 10) else { return Ok(None) };
                let &[0x1f, 0x8b, 8, flags, ..] = header else {
                    return wrong("no gzip member begins here");
                };
                if flags & 0xe0 != 0 {
                    return wrong("a member with unknown flags");
                }
                self.header_sum = crc32fast::Hasher::new();
                self.header_sum.update(header);
                if flags & EXTRA == 0 { State::Text { flags } } else { State::ExtraLen { flags } }
            }
            State::ExtraLen { flags } => match self.gather.take(input, 2) {
                Some(&[low, high]) => {
                    self.header_sum.update(&[low, high]);
                    State::Extra { flags, left: usize::from(u16::from_le_bytes([low, high])) }
                }
                _ => return Ok(None),
            },
            State::Extra { flags, left } => {
                let some = self.gather.take_some(input, left);
                self.header_sum.update(some);
                match left - some.len() {
                    0 => State::Text { flags },
                    _ if some.is_empty() => return Ok(None),
                    left => State::Extra { flags, left },
                }
            }
            State::Text { flags } if flags & (FILE_NAME | COMMENT) != 0 => {
                let end = input.iter().position(|byte| *byte == 0);
                let len = end.map_or(input.len(), |end| end + 1);
                self.header_sum.update(self.gather.take_some(input, len));
                if end.is_none() {
                    return Ok(None);
                }
                let done = if flags & FILE_NAME == 0 { COMMENT } else { FILE_NAME };
                State::Text { flags: flags & !done }
            }
            State::Text { flags } if flags & HEADER_SUM != 0 => State::HeaderSum,
            State::Text { .. } => self.body(),
            State::HeaderSum => match self.gather.take(input, 2) {
                Some(&[low, high]) => {
                    let sum = std::mem::take(&mut self.header_sum).finalize() & 0xffff;
                    if sum != u32::from(u16::from_le_bytes([low, high])) {
                        return Err(checksum("a member's header", at));
                    }
                    self.body()
                }
                _ => return Ok(None),
            },
            State::Body => return self.inflate(input),
            State::Trailer => {
                let Some(trailer) = self.gather.take(input, 8) else { return Ok(None) };
                let number = |bytes: Option<&[u8; 4]>| bytes.map_or(0, |n| u32::from_le_bytes(*n));
                let (sum, len) = (number(trailer.first_chunk()), number(trailer.last_chunk()));
                if std::mem::take(&mut self.sum).finalize() != sum {
                    return Err(checksum("a member's content", at));
                }
                if self.len != len {
                    return wrong("a member's length is not the one it ends with");
                }
                State::Header { first: false }
            }
        }))
    }

    fn body(&mut self) -> State {
        self.inner.reset(false);
        self.body = self.gather.at();
        self.sum = crc32fast::Hasher::new();
        self.len = 0;
        State::Body
    }

    fn inflate(&mut self, input: &mut &[u8]) -> Result<Option<State>> {
        if input.is_empty() && !self.full {
            return Ok(None);
        }
        let (taken, made) = (self.inner.total_in(), self.inner.total_out());
        let status = self.inner.decompress(input, &mut self.plain, FlushDecompress::None);
        // What the inflater says depends on how much it was given at once.
        let status =
            status.map_err(|_| damaged(NAME, self.body, "the member's body cannot be inflated"))?;
        let taken = usize::try_from(self.inner.total_in() - taken).unwrap_or(usize::MAX);
        let made = usize::try_from(self.inner.total_out() - made).unwrap_or(usize::MAX);
        self.gather.take_some(input, taken);
        let plain = self.plain.get(..made).unwrap_or_default();
        self.sum.update(plain);
        self.len = self.len.wrapping_add(made as u32);
        self.made = 0..made;
        self.full = made == OUTPUT && status != Status::StreamEnd;
        if status == Status::StreamEnd {
            return Ok(Some(State::Trailer));
        }
        if taken == 0 && made == 0 && !input.is_empty() {
            return Err(damaged(NAME, self.body, "the decoder makes no progress"));
        }
        Ok(Some(State::Body))
    }
}

fn checksum(what: &str, at: u64) -> Error {
    Error::new(ErrorKind::Checksum, format!("gzip: the checksum of {what} is wrong, at byte {at}"))
        .hint("the backup was damaged on its way or at rest; fetch it again")
}

impl Decoder for GzipDecoder {
    fn decode(&mut self, input: &mut &[u8]) -> Result<bool> {
        self.made = 0..0;
        while let Some(next) = self.part(input)? {
            self.state = next;
            if !self.made.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn output(&self) -> &[u8] {
        self.plain.get(self.made.clone()).unwrap_or_default()
    }

    fn finish(&mut self) -> Result<()> {
        match self.state {
            State::Header { first: false } if self.gather.is_empty() => Ok(()),
            _ => Err(cut(NAME, self.gather.at())),
        }
    }
}

/// Writes a gzip member for each piece.
pub(crate) struct GzipEncoder {
    inner: Compress,
}

impl GzipEncoder {
    /// `level`: 1 to 9.
    pub(crate) fn new(level: u32) -> Self {
        Self { inner: Compress::new(Compression::new(level), false) }
    }
}

impl Encoder for GzipEncoder {
    fn encode(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) -> Result<()> {
        // An empty file is an empty gzip member; but none is made only to say that it ended.
        if piece.bytes.is_empty() && piece.offset > 0 {
            return Ok(());
        }
        // Deflate, no flags, no time, fastest or not unknown, system unknown: the same every time.
        out.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
        self.inner.reset();
        let mut input = piece.bytes;
        loop {
            let taken = self.inner.total_in();
            out.reserve(input.len() / 2 + 1024);
            let status = self.inner.compress_vec(input, out, FlushCompress::Finish);
            let status = status.map_err(|error| {
                Error::new(ErrorKind::Panic, format!("gzip cannot compress: {error}"))
            })?;
            let taken = usize::try_from(self.inner.total_in() - taken).unwrap_or(usize::MAX);
            input = input.get(taken..).unwrap_or_default();
            if status == Status::StreamEnd {
                break;
            }
        }
        out.extend_from_slice(&crc32fast::hash(piece.bytes).to_le_bytes());
        out.extend_from_slice(&(piece.bytes.len() as u32).to_le_bytes());
        Ok(())
    }
}
