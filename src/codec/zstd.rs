//! Zstandard (RFC 8878), `.zst`: any number of frames, one after the other.

use std::io;
use std::ops::Range;

use zstd::stream::raw::{self, CParameter, DParameter, InBuffer, Operation, OutBuffer};

use super::{Decoder, Encoder, Piece, cut, damaged};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;

const NAME: &str = "zstd";

/// Plain bytes given at once: a block of zstd's.
const OUTPUT: usize = 128 << 10;

/// Reads frames.
pub(crate) struct ZstdDecoder {
    inner: raw::Decoder<'static>,
    plain: Box<[u8]>,
    made: Range<usize>,
    /// Stored bytes taken.
    at: u64,
    /// Where the frame begins: within it zstd reads ahead as it likes.
    frame: u64,
    /// Between frames, behind the first.
    ended: bool,
    /// The decoder may hold more plain bytes than there was room for.
    full: bool,
}

impl ZstdDecoder {
    pub(crate) fn new() -> Result<Self> {
        let failed = |error| Error::io(ErrorKind::Limit, "making a zstd decoder", error);
        let mut inner = raw::Decoder::new().map_err(failed)?;
        inner.set_parameter(DParameter::WindowLogMax(limits::ZSTD_WINDOW_LOG)).map_err(failed)?;
        let plain = vec![0; OUTPUT].into_boxed_slice();
        Ok(Self { inner, plain, made: 0..0, at: 0, frame: 0, ended: false, full: false })
    }
}

impl ZstdDecoder {
    /// A decoder of the frames that begin at byte `at`, behind others.
    pub(crate) fn behind(at: u64) -> Result<Self> {
        Ok(Self { at, frame: at, ended: true, ..Self::new()? })
    }
}

fn broken(frame: u64, error: &io::Error) -> Error {
    let text = error.to_string();
    // Which of these it says of the same frame depends on how much it was given at once.
    let corrupt = ["Destination buffer is too small", "Src size is incorrect"];
    let text = if corrupt.contains(&&*text) { "Data corruption detected" } else { &text };
    damaged(NAME, frame, format_args!("{text} in the frame"))
}

/// Reads whole frames at once, without a window.
pub(crate) struct ZstdBulk(zstd::bulk::Decompressor<'static>);

impl ZstdBulk {
    pub(crate) fn new() -> io::Result<Self> {
        zstd::bulk::Decompressor::new().map(Self)
    }

    /// Replaces `plain` by what the frames hold. `false`: that is more than `most` bytes, or
    /// something is wrong.
    pub(crate) fn decode(&mut self, frames: &[u8], plain: &mut Vec<u8>, most: usize) -> bool {
        plain.clear();
        plain.reserve_exact(most);
        self.0.decompress_to_buffer(frames, plain).is_ok()
    }
}

impl Decoder for ZstdDecoder {
    fn decode(&mut self, input: &mut &[u8]) -> Result<bool> {
        self.made = 0..0;
        while !input.is_empty() || self.full {
            if self.ended {
                self.inner.reinit().map_err(|error| damaged(NAME, self.at, error))?;
                self.ended = false;
                self.frame = self.at;
            }
            let mut source = InBuffer::around(input);
            let mut target = OutBuffer::around(&mut self.plain[..]);
            let left = self.inner.run(&mut source, &mut target);
            let left = left.map_err(|error| broken(self.frame, &error))?;
            let (taken, made) = (source.pos(), target.pos());
            *input = input.get(taken..).unwrap_or_default();
            self.at += taken as u64;
            self.ended = left == 0;
            self.full = made == OUTPUT && !self.ended;
            if made > 0 {
                self.made = 0..made;
                return Ok(true);
            }
            if taken == 0 && !self.ended {
                // Nothing taken, nothing made: only with no room or no input.
                self.full = false;
                if !input.is_empty() {
                    return Err(damaged(NAME, self.frame, "the decoder makes no progress"));
                }
            }
        }
        Ok(false)
    }

    fn output(&self) -> &[u8] {
        self.plain.get(self.made.clone()).unwrap_or_default()
    }

    fn finish(&mut self) -> Result<()> {
        if self.ended { Ok(()) } else { Err(cut(NAME, self.at)) }
    }
}

/// Writes a frame for each piece, with content size and checksum.
pub(crate) struct ZstdEncoder {
    inner: zstd::bulk::Compressor<'static>,
}

impl ZstdEncoder {
    /// `level`: 1 to 22.
    pub(crate) fn new(level: i32) -> Result<Self> {
        let failed = |error| Error::io(ErrorKind::Limit, "making a zstd encoder", error);
        let mut inner = zstd::bulk::Compressor::new(level).map_err(failed)?;
        inner.set_parameter(CParameter::ChecksumFlag(true)).map_err(failed)?;
        Ok(Self { inner })
    }
}

impl Encoder for ZstdEncoder {
    fn encode(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) -> Result<()> {
        // An empty member is an empty frame; but no frame is made only to say that it ended.
        if piece.bytes.is_empty() && piece.offset > 0 {
            return Ok(());
        }
        let at = out.len();
        out.resize(at + zstd::zstd_safe::compress_bound(piece.bytes.len()), 0);
        let room = out.get_mut(at..).unwrap_or_default();
        let made = self
            .inner
            .compress_to_buffer(piece.bytes, room)
            .map_err(|error| Error::io(ErrorKind::Panic, "zstd cannot compress", error))?;
        out.truncate(at + made);
        Ok(())
    }
}
