//! Coded data, decoded whole and in pieces.

use std::io::Read;

use xbkit::codec::{Codec, Key};
use xbkit::{DecodeReader, Error, ErrorKind};

/// Reads from a slice in pieces of lengths that are told.
pub(crate) struct Pieces<'b, F>(pub(crate) &'b [u8], pub(crate) F);

impl<F: FnMut() -> usize> Read for Pieces<'_, F> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        // No bytes are the end of a source, so pieces have one at least.
        let len = buf.len().min((self.1)().max(1));
        Read::read(&mut self.0, &mut buf[..len])
    }
}

/// What came out, and how it ended.
pub(crate) type Decoded = (Vec<u8>, Result<(), Error>);

/// Decodes to the end or to an error.
pub(crate) fn decode(
    stored: &[u8],
    codec: Codec,
    key: Option<&Key>,
    piece: impl FnMut() -> usize,
) -> Decoded {
    let mut plain = Vec::new();
    let result = DecodeReader::new(Pieces(stored, piece), codec, key).and_then(|mut reader| {
        match reader.read_to_end(&mut plain) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::io(ErrorKind::Source, "reading", error)),
        }
    });
    (plain, result)
}

/// Decodes whole and in pieces of these lengths: the same must come of it.
pub(crate) fn decode_both_ways(
    stored: &[u8],
    codec: Codec,
    key: Option<&Key>,
    pieces: [u8; 3],
) -> Decoded {
    let (plain, result) = decode(stored, codec, key, || usize::MAX);
    let mut turn = pieces.iter().cycle();
    let (again, again_result) =
        decode(stored, codec, key, || turn.next().map_or(1, |len| usize::from(*len)));
    let verdict = |result: &Result<(), Error>| {
        result.as_ref().err().map(|error| (error.kind(), error.message().to_owned()))
    };
    assert_eq!(verdict(&result), verdict(&again_result));
    // Before an error, as many bytes come as the decoder likes.
    let same = plain.len().min(again.len());
    let whole = result.is_err() || plain.len() == again.len();
    assert!(whole && plain[..same] == again[..same], "{codec:?}: other bytes in pieces");
    (plain, result)
}
