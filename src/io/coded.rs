//! Readers and writers of one coded stream: adapters around a source or a sink.

use std::fmt;
use std::io::{self, Read, Write};

use crate::codec::stack::{Codec, Compression, StackEncoder, Storing, Way};
use crate::codec::xbcrypt::Key;
use crate::codec::{Decoder, Encoder, Piece};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use crate::sys;

/// Stored bytes read from the source at once.
const INPUT: usize = 128 << 10;

/// Reads the plain bytes of a coded source, to its end: stored data that are cut, or that
/// anything follows, are an error, never an end.
///
/// Memory: one block of the format (64 KiB where nobody asked otherwise, 64 MiB at most), for
/// Zstandard its window (128 MiB at most), and 128 KiB.
///
/// # Examples
/// ```
/// use std::io::{Read, Write};
/// use xbkit::codec::{Codec, Compression};
/// use xbkit::{DecodeReader, EncodeWriter};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut writer = EncodeWriter::new(Vec::new(), "t1.ibd")?.compress(Compression::Quicklz)?;
/// writer.write_all(b"pages")?;
/// let archive = writer.finish()?;
/// assert_eq!(Codec::of_magic(&archive), Some(Codec::Quicklz));
///
/// let mut plain = String::new();
/// DecodeReader::new(&archive[..], Codec::Quicklz, None)?.read_to_string(&mut plain)?;
/// assert_eq!(plain, "pages");
/// # Ok(())
/// # }
/// ```
pub struct DecodeReader<R> {
    source: R,
    decoder: Box<dyn Decoder>,
    input: Box<[u8]>,
    /// What of `input` is still to be decoded.
    begin: usize,
    end: usize,
    /// Bytes of the decoder's piece that were given.
    given: usize,
    state: ReaderState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ReaderState {
    Reading,
    Ended,
    Failed,
}

impl<R: Read> DecodeReader<R> {
    /// Reads `source` as `codec`. Only [`Codec::Xbcrypt`] needs a key, and none if its algorithm
    /// was `NONE`.
    pub fn new(source: R, codec: Codec, key: Option<&Key>) -> Result<Self> {
        Ok(Self {
            source,
            decoder: codec.decoder(key)?,
            input: vec![0; INPUT].into_boxed_slice(),
            begin: 0,
            end: 0,
            given: 0,
            state: ReaderState::Reading,
        })
    }

    /// What was accepted though the format does not allow it, since the last call.
    pub fn warning(&mut self) -> Option<&'static str> {
        self.decoder.warning()
    }

    fn read_some(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = self.decoder.output().get(self.given..).unwrap_or_default();
            if !left.is_empty() {
                let count = left.len().min(buf.len());
                let (to, from) = (buf.get_mut(..count), left.get(..count));
                if let (Some(to), Some(from)) = (to, from) {
                    to.copy_from_slice(from);
                }
                self.given += count;
                return Ok(count);
            }
            let mut input = self.input.get(self.begin..self.end).unwrap_or_default();
            let made = self.decoder.decode(&mut input)?;
            self.begin = self.end - input.len();
            self.given = 0;
            if made {
                continue;
            }
            self.end = self.source.read(&mut self.input)?;
            self.begin = 0;
            if self.end == 0 {
                self.decoder.finish()?;
                self.state = ReaderState::Ended;
                return Ok(0);
            }
        }
    }
}

impl<R: Read> Read for DecodeReader<R> {
    /// Errors carry an [`Error`] that [`Error::io`] takes out again. An interrupted read may be
    /// repeated; after another error all later ones fail.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.state {
            _ if buf.is_empty() => return Ok(0),
            ReaderState::Ended => return Ok(0),
            ReaderState::Failed => {
                let message = "reading went on after an error";
                return Err(Error::new(ErrorKind::InvalidState, message).into());
            }
            ReaderState::Reading => {}
        }
        let result = self.read_some(buf);
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.state = ReaderState::Failed;
        }
        result
    }
}

impl<R> fmt::Debug for DecodeReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecodeReader").finish_non_exhaustive()
    }
}

/// Writes plain bytes as stored ones into a sink: compressed, then encrypted, or one of them.
///
/// [`EncodeWriter::finish`] ends the stored data. Dropped without it they are cut, which a
/// reader of compressed data notices, and one of encrypted data alone may not.
///
/// Memory: 1 MiB of plain bytes, what it becomes, and what the codec needs.
pub struct EncodeWriter<W> {
    sink: W,
    name: Vec<u8>,
    storing: Storing,
    encoder: Option<StackEncoder>,
    plain: Vec<u8>,
    stored: Vec<u8>,
    offset: u64,
    failed: bool,
}

impl<W: Write> EncodeWriter<W> {
    /// A writer that passes bytes on as they are, until it is told how to change them. `name` is
    /// kept in formats that hold a name.
    pub fn new(sink: W, name: &str) -> Result<Self> {
        let storing = Storing::plain(sys::random::fill);
        Ok(Self {
            sink,
            name: name.as_bytes().to_vec(),
            storing,
            encoder: None,
            plain: Vec::new(),
            stored: Vec::new(),
            offset: 0,
            failed: false,
        })
    }

    /// Compresses.
    ///
    /// # Errors
    /// `InvalidArgument` for a level out of its range.
    pub fn compress(mut self, compression: Compression) -> Result<Self> {
        self.storing.compression = Some(compression);
        self.storing.check()?;
        Ok(self)
    }

    /// Plain bytes of a block that is compressed on its own, 1 KiB to 64 MiB, for LZ4 to 4 MiB.
    pub fn compress_chunk_size(mut self, bytes: usize) -> Result<Self> {
        self.storing.block_size = bytes;
        self.storing.check()?;
        Ok(self)
    }

    /// Encrypts, as xbcrypt of version 3.
    pub fn encrypt(mut self, key: Key) -> Self {
        self.storing.encryption = Some(key);
        self
    }

    /// Bytes of an encrypted chunk, 1 KiB to 64 MiB.
    pub fn encrypt_chunk_size(mut self, bytes: usize) -> Result<Self> {
        self.storing.chunk_size = bytes;
        self.storing.check()?;
        Ok(self)
    }

    /// Writes what is left and the end of the format, and gives the sink back.
    pub fn finish(mut self) -> Result<W> {
        if self.failed {
            let message = "writing went on after an error";
            return Err(Error::new(ErrorKind::InvalidState, message));
        }
        self.encode(true)?;
        Ok(self.sink)
    }

    fn encode(&mut self, last: bool) -> Result<()> {
        self.failed = true;
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            empty => empty.insert(self.storing.encoder(Way::Whole)?),
        };
        self.stored.clear();
        let (member, offset) = (&self.name, self.offset);
        encoder.encode(&Piece { member, offset, bytes: &self.plain, last }, &mut self.stored)?;
        self.offset += self.plain.len() as u64;
        self.plain.clear();
        let written = self.sink.write_all(&self.stored);
        written.map_err(|error| Error::io(ErrorKind::Sink, "writing", error))?;
        self.failed = false;
        Ok(())
    }
}

impl<W: Write> Write for EncodeWriter<W> {
    /// Errors carry an [`Error`] that [`Error::io`] takes out again.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.failed {
            let message = "writing went on after an error";
            return Err(Error::new(ErrorKind::InvalidState, message).into());
        }
        if self.plain.len() == limits::ENCODE_PIECE {
            self.encode(false)?;
        }
        let count = buf.len().min(limits::ENCODE_PIECE - self.plain.len());
        self.plain.extend_from_slice(buf.get(..count).unwrap_or_default());
        Ok(count)
    }

    /// Flushes the sink; what makes no whole piece yet stays here.
    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

impl<W> fmt::Debug for EncodeWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodeWriter")
            .field("storing", &self.storing)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}
