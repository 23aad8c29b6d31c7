//! Peeling the layers off a stream: compression and encryption around all of it.

use std::io::{self, Read};

use super::coded::DecodeReader;
use crate::codec::stack::Codec;
use crate::codec::xbcrypt::Key;
use crate::error::{Error, ErrorKind, Result};
use crate::format::any::{AnyDecoder, Format, START_LEN};
use crate::format::xbstream::MAGIC;
use crate::limits;

/// Bytes that [`Codec::of_magic`] needs to see.
const MAGIC_LEN: usize = 8;

/// What stands inside all outer layers of a stream.
///
/// A layer that ends early, or that anything but another frame of it follows, is an error of the
/// reader; so it never ends before the stream does.
pub(crate) enum Layered<R: Read> {
    Source(R),
    Plain(Begun<R>),
    Coded(DecodeReader<Begun<R>>),
}

impl<R: Read> Layered<R> {
    /// Takes off the layers around `source`, and names them, outermost first. Reads ahead only
    /// what it needs to see that there is no further one. `key` is for a layer of xbcrypt.
    pub(crate) fn peel(source: R, key: Option<&Key>) -> Result<(Self, Vec<&'static str>)> {
        let mut names = Vec::new();
        let mut reader = Self::Source(source);
        loop {
            let begun = Begun::of(Box::new(reader), MAGIC_LEN).map_err(read_error)?;
            let Some(codec) = Codec::of_magic(&begun.start) else {
                return Ok((Self::Plain(begun), names));
            };
            if names.len() == limits::OUTER_LAYERS {
                let message =
                    format!("more than {} layers around the stream", limits::OUTER_LAYERS);
                return Err(Error::new(ErrorKind::Limit, message));
            }
            names.push(codec.name());
            reader = Self::Coded(DecodeReader::new(begun, codec, key)?);
        }
    }
}

impl<R: Read> Read for Layered<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Source(source) => read_source(source, buf),
            Self::Plain(begun) => begun.read(buf),
            Self::Coded(decoder) => decoder.read(buf),
        }
    }
}

/// What stands inside all outer layers, with its decoder.
pub(crate) struct Stream<R: Read> {
    /// The stream, from its beginning.
    pub(crate) input: Begun<R>,
    /// The layers' names, outermost first.
    pub(crate) layers: Vec<&'static str>,
    /// The decoder of its format.
    pub(crate) decoder: AnyDecoder,
}

impl<R: Read> Stream<R> {
    /// Takes off the layers around `source`, and tells the format of what is inside. Reads ahead
    /// no more than that takes: 8 bytes of an xbstream, a block of anything else.
    ///
    /// `may_lack_end`: see [`crate::format::tar::Decoder::allow_missing_end`]. `key` is for a layer
    /// of xbcrypt.
    pub(crate) fn open(source: R, may_lack_end: bool, key: Option<&Key>) -> Result<Self> {
        let (layered, layers) = Layered::peel(source, key)?;
        let mut input = Begun { start: Vec::new(), given: 0, inner: Box::new(layered) };
        for len in [MAGIC.len(), START_LEN] {
            let missing = len.saturating_sub(input.start.len()) as u64;
            let mut ahead = input.inner.by_ref().take(missing);
            ahead.read_to_end(&mut input.start).map_err(read_error)?;
            if Format::of(&input.start).is_some() {
                break;
            }
        }
        let decoder = AnyDecoder::of(&input.start, may_lack_end);
        Ok(Self { input, layers, decoder })
    }
}

/// A reader whose first bytes were looked at.
pub(crate) struct Begun<R: Read> {
    start: Vec<u8>,
    given: usize,
    inner: Box<Layered<R>>,
}

impl<R: Read> Begun<R> {
    /// Reads `len` bytes ahead, or fewer at the end.
    fn of(mut inner: Box<Layered<R>>, len: usize) -> io::Result<Self> {
        let mut start = Vec::with_capacity(len);
        inner.by_ref().take(len as u64).read_to_end(&mut start)?;
        Ok(Self { start, given: 0, inner })
    }
}

impl<R: Read> Read for Begun<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut left = self.start.get(self.given..).unwrap_or_default();
        let given = left.read(buf)?;
        self.given += given;
        if given > 0 && given == buf.len() {
            return Ok(given);
        }
        let room = buf.get_mut(given..).unwrap_or_default();
        Ok(given + self.inner.read(room)?)
    }
}

/// Here, beneath all layers, it is still known that an error is the source's own; and a read that
/// was interrupted is repeated, as some of the readers above have taken bytes by then.
fn read_source(source: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buf) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return Ok(result.map_err(read_error)?),
        }
    }
}

fn read_error(error: io::Error) -> Error {
    Error::io(ErrorKind::Source, "reading the stream", error)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn lz4(data: &[u8]) -> Vec<u8> {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(data, 1).unwrap()
    }

    /// Gives a byte at a time, and is interrupted before each.
    struct Interrupted<'b>(&'b [u8], bool);

    impl Read for Interrupted<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let len = buf.len().min(1);
            self.0.read(&mut buf[..len])
        }
    }

    /// Callers retry by themselves; the bytes looked at ahead were lost then.
    #[test]
    fn an_interrupted_source_loses_nothing() {
        for bytes in [b"XBSTCK01 and more".to_vec(), gzip(b"XBS"), lz4(b"XBS"), zstd(b"XBS")] {
            let whole = read_all(&bytes).unwrap();
            let (mut reader, _) = Layered::peel(Interrupted(&bytes, false), None).unwrap();
            let mut out = Vec::new();
            let mut buf = [0; 64];
            loop {
                match reader.read(&mut buf) {
                    Ok(0) => break,
                    Ok(count) => out.extend_from_slice(&buf[..count]),
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::Interrupted),
                }
            }
            assert_eq!(out, whole);
        }
    }

    fn read_all(bytes: &[u8]) -> Result<Vec<u8>> {
        let (mut reader, _) = Layered::peel(bytes, None)?;
        let mut out = Vec::new();
        reader
            .read_to_end(&mut out)
            .map_err(|error| Error::io(ErrorKind::Source, "reading", error))?;
        Ok(out)
    }

    fn sample() -> Vec<u8> {
        (0..200_000_u32).flat_map(|i| (i.wrapping_mul(2_654_435_761) >> 20).to_le_bytes()).collect()
    }

    #[test]
    fn layers_come_off_in_any_order_and_number_of_frames() {
        let data = sample();
        let (a, b) = data.split_at(123_456);
        for layer in [gzip, lz4, zstd] {
            assert_eq!(read_all(&layer(&data)).unwrap(), data);
            assert_eq!(read_all(&[layer(a), layer(b)].concat()).unwrap(), data);
        }
        assert_eq!(read_all(&gzip(&lz4(&zstd(&data)))).unwrap(), data);
        assert_eq!(read_all(b"XBS").unwrap(), b"XBS");
        assert_eq!(read_all(b"").unwrap(), b"");
        let deep = gzip(&gzip(&gzip(&gzip(&gzip(b"x")))));
        assert_eq!(read_all(&deep).unwrap_err().kind(), ErrorKind::Limit);
    }

    /// Cut anywhere, or followed by anything: never an end that looks good.
    #[test]
    fn a_layer_that_is_cut_or_continued_is_an_error() {
        let data = &sample()[..2000];
        for layer in [gzip, lz4, zstd] {
            let whole = layer(data);
            for len in MAGIC_LEN..whole.len() {
                let error =
                    read_all(&whole[..len]).expect_err(&format!("{len} of {}", whole.len()));
                assert_eq!(error.kind(), ErrorKind::Truncated, "{len} of {}: {error}", whole.len());
            }
            for junk in [&b"\0"[..], b"junk that is no frame"] {
                assert!(
                    read_all(&[&whole[..], junk].concat()).is_err(),
                    "{junk:?} {:?}",
                    &whole[..4]
                );
            }
        }
    }
}
