//! Reading a stream item by item, without extracting it.

use std::io::Read;
use std::os::fd::BorrowedFd;

use crate::cancel::CancelToken;
use crate::codec::xbcrypt::Key;
use crate::error::{Error, ErrorKind, Result};
use crate::format::any::{AnyDecoder, Format};
use crate::format::xbstream::Item;
use crate::io::layers::{Begun, Stream};
use crate::io::source::FdReader;
use crate::limits;
use crate::manifest::proof::Prover;

/// Reads the items of an xbstream or a tar archive, whichever it begins like; layers of gzip, zstd,
/// lz4, qpress and xbcrypt around all of it are found by their magic and come off. Members that are
/// compressed or encrypted each by itself are given as they are stored.
///
/// Members interleave, so the unit is an [`Item`], not a file. Memory: a buffer of 1 MiB, the
/// layers' windows, and what the [decoder](crate::format) holds; in a stream with a manifest 2 KiB
/// more for each open member, and 17 bytes for each that ended.
///
/// # Examples
/// ```
/// use xbkit::{Item, StreamReader};
/// # fn main() -> xbkit::Result<()> {
/// let stream = b"XBSTCK01\0P\x05\0\0\0a.txt\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x86\xa6\x10\x36hello\
///                XBSTCK01\0E\x05\0\0\0a.txt";
/// let mut reader = StreamReader::new(&stream[..])?;
/// while let Some(item) = reader.next_item()? {
///     if let Item::Close { path, size, .. } = item {
///         assert_eq!((path.to_string().as_str(), size), ("a.txt", 5));
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct StreamReader<R: Read> {
    input: Begun<R>,
    layers: Vec<&'static str>,
    decoder: AnyDecoder,
    prover: Prover,
    is_proven: bool,
    buffer: Vec<u8>,
    /// What of the buffer was read and not decoded yet.
    pending: std::ops::Range<usize>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    Failed,
}

impl<'fd> StreamReader<FdReader<'fd>> {
    /// Reads from a descriptor, which is borrowed and keeps its flags; `cancel` ends waits for it.
    pub fn from_fd(fd: BorrowedFd<'fd>, cancel: Option<CancelToken>) -> Result<Self> {
        Self::new(FdReader::new(fd, cancel)?)
    }
}

impl<R: Read> StreamReader<R> {
    /// Reads from `input`. Blocks in it for the first bytes.
    ///
    /// # Errors
    /// What `input` gives, or a layer that cannot be opened.
    pub fn new(input: R) -> Result<Self> {
        Self::open(input, false, None)
    }

    /// The same for an archive that may end without its end blocks, so that a cut behind a member
    /// goes unseen. Has no effect on other streams.
    ///
    /// # Errors
    /// As [`StreamReader::new`].
    pub fn without_end(input: R) -> Result<Self> {
        Self::open(input, true, None)
    }

    /// Reads from `input`, around which there may be a layer of xbcrypt with this key.
    ///
    /// # Errors
    /// As [`StreamReader::new`].
    pub fn with_key(input: R, key: &Key) -> Result<Self> {
        Self::open(input, false, Some(key))
    }

    /// Both of these: `may_lack_end` as [`StreamReader::without_end`], `key` as
    /// [`StreamReader::with_key`].
    ///
    /// # Errors
    /// As [`StreamReader::new`].
    pub fn open(input: R, may_lack_end: bool, key: Option<&Key>) -> Result<Self> {
        let Stream { input, layers, decoder } = Stream::open(input, may_lack_end, key)?;
        Ok(Self {
            input,
            layers,
            decoder,
            prover: Prover::default(),
            is_proven: false,
            buffer: vec![0; limits::READ_SIZE],
            pending: 0..0,
            state: State::Open,
        })
    }

    /// The layers found around the stream, outermost first: names of [`Codec`](crate::codec::Codec)s.
    pub fn layers(&self) -> &[&'static str] {
        &self.layers
    }

    /// The stream's format.
    pub fn format(&self) -> Format {
        self.decoder.format()
    }

    /// Stream bytes decoded so far, inside all layers.
    pub fn stream_offset(&self) -> u64 {
        self.decoder.stream_offset()
    }

    /// Whether the stream was proven to be complete and unchanged, by a manifest in it. False until
    /// [`StreamReader::next_item`] gave `None`.
    pub fn is_proven(&self) -> bool {
        self.is_proven
    }

    /// The next item, or `None` at the proper end of the stream.
    ///
    /// Data is provisional until its member was closed: chunk checksums are compared at their
    /// chunk's end. A stream is whole only once this gave `None`.
    ///
    /// # Errors
    /// As the format's decoder, or of the input; `Checksum` if a member is
    /// not what the stream's [manifest](crate::manifest) says, which is read but is no item. After an error every call
    /// gives `InvalidState`.
    pub fn next_item(&mut self) -> Result<Option<Item<'_>>> {
        match self.state {
            State::Open => {}
            State::Ended => return Ok(None),
            State::Failed => {
                return Err(Error::new(ErrorKind::InvalidState, "the stream failed before"));
            }
        }
        self.state = State::Failed;
        // Positions rather than the item leave the loop: it borrows the buffer.
        let (at, item) = loop {
            let input = self.buffer.get(self.pending.clone()).unwrap_or_default();
            let step = self.decoder.decode(input)?;
            self.pending.start += step.consumed;
            if let Some(item) = step.item {
                if self.prover.follow(&item, &self.decoder)? {
                    continue;
                }
                let len = if let Item::Data { bytes, .. } = &item { bytes.len() } else { 0 };
                let end = self.pending.start;
                break (end - len..end, item.without_bytes());
            }
            let count = self
                .input
                .read(&mut self.buffer)
                .map_err(|error| Error::io(ErrorKind::Source, "reading the stream", error))?;
            if count == 0 {
                self.decoder.finish()?;
                self.is_proven = self.prover.finish(&self.decoder)?;
                self.state = State::Ended;
                return Ok(None);
            }
            self.pending = 0..count;
        };
        self.state = State::Open;
        Ok(Some(match item {
            Item::Data { id, offset, .. } => {
                Item::Data { id, offset, bytes: self.buffer.get(at).unwrap_or_default() }
            }
            other => other,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bindings move readers and writers between threads.
    #[test]
    fn readers_and_writers_can_be_sent() {
        fn is_send<T: Send>() {}
        is_send::<StreamReader<FdReader<'static>>>();
        is_send::<StreamReader<std::io::Cursor<Vec<u8>>>>();
        is_send::<crate::stream::writer::EntryWriter<Vec<u8>>>();
        is_send::<crate::stream::writer::StreamWriter<Vec<u8>>>();
    }
}
