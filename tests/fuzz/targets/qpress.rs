//! Any bytes as an archive, frames or gzip members: the decoder must agree with itself.
//!
//! An input is [`CONTROL`] bytes that say which format and how to go about it, and the data.

#![allow(dead_code, reason = "the tests use more of the shared modules")]

#[path = "../../common/coded.rs"]
mod coded;

use xbkit::codec::Codec;
use xbkit::limits;

/// Bytes before the data: which codec, and three lengths of pieces.
pub(crate) const CONTROL: usize = 4;

/// Tries one input; panics if something is wrong with the code, never with the input.
pub(crate) fn run(data: &[u8]) {
    let Some((&[which, pieces @ ..], stored)) = data.split_first_chunk::<CONTROL>() else { return };
    let codecs = [Codec::Quicklz, Codec::Lz4, Codec::Gzip, Codec::Zstd];
    let codec = codecs[usize::from(which) % codecs.len()];
    let (plain, result) = coded::decode_both_ways(stored, codec, None, pieces);
    let most = match codec {
        Codec::Zstd => 33_000,
        Codec::Gzip => 1100,
        _ => 260,
    };
    assert!(plain.len() <= stored.len() * most && plain.len() <= limits::CODEC_BLOCK * 8);
    if stored.is_empty() {
        assert!(result.is_err(), "no format is empty");
    }
}
