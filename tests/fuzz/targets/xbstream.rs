//! Any bytes as an xbstream: the decoder must agree with itself, with the reference reader, and
//! with what our encoder makes of its result.
//!
//! An input is [`CONTROL`] bytes that say how to go about it, and the stream behind them. The
//! fuzzer runs this, and `tests/corpus.rs` replays what it found.

#![allow(dead_code, reason = "the tests use more of the shared modules")]
#![expect(clippy::expect_used, reason = "a panic is how a target fails")]
#![expect(clippy::cast_possible_truncation, reason = "the numbers come from a slice in memory")]

#[path = "../../common/build.rs"]
mod build;
#[path = "../../common/chunks.rs"]
mod chunks;
#[path = "../../common/reference.rs"]
mod reference;
#[path = "../../common/tree.rs"]
mod tree;

use build::Chunks;
use chunks::{Chunk, Field};
use tree::{Files, Outcome};
use xbkit::format::member::normalize;
use xbkit::format::xbstream::crc32;
use xbkit::limits;

/// Bytes before the stream: how to go about it, and three lengths of pieces.
pub(crate) const CONTROL: usize = 4;

/// The stream's checksums are made right first. No fuzzer guesses a CRC, so without this nothing
/// behind the first payload would be reached.
pub(crate) const RIGHT_SUMS: u8 = 1;

/// Holes are written again as seeks, not as sparse chunks.
pub(crate) const BY_SEEKS: u8 = 2;

/// Tries one input; panics if something is wrong with the code, never with the input.
pub(crate) fn run(data: &[u8]) {
    let Some((&[how, pieces @ ..], stream)) = data.split_first_chunk::<CONTROL>() else { return };
    let mut stream = stream.to_vec();
    if how & RIGHT_SUMS != 0 {
        right_sums(&mut stream);
    }
    let whole = tree::decode_whole(&stream);
    within_input(&stream, &whole);

    let mut turn = pieces.iter().cycle();
    let mut left = stream.len() * 4;
    let in_pieces = tree::decode(&stream, || {
        // Three pieces of no bytes would go on for ever.
        left = left.saturating_sub(1);
        let piece = *turn.next().expect("a cycle does not end") as usize;
        if left == 0 { stream.len() } else { piece }
    });
    within_input(&stream, &in_pieces);
    assert_eq!(in_pieces.verdict(), whole.verdict());

    match (reference::read(&stream), &whole.result) {
        (Ok(files), Ok(())) => {
            assert_eq!(whole.files, files);
            same_when_written_again(&files, how & BY_SEEKS != 0);
        }
        (Err((kind, at)), Err(error)) => {
            assert_eq!((error.kind(), error.stream_offset()), (kind, Some(at)), "{error}");
        }
        (reference, result) => panic!("{reference:?}, but {result:?}"),
    }
}

fn right_sums(stream: &mut [u8]) {
    let mut at = 0;
    while at < stream.len() {
        let chunk = Chunk::read(stream, at);
        if chunk.fault.is_some() {
            return;
        }
        let sum =
            crc32(&[Field::Map, Field::Payload].map(|field| chunk.part(stream, field)).concat());
        for (range, field) in &chunk.parts {
            if *field == Field::Crc {
                stream[range.clone()].copy_from_slice(&sum.to_le_bytes());
            }
        }
        at = chunk.end;
    }
}

/// Nothing comes out that was not put in: an `E` of 15 bytes makes two items, an entry of a map
/// one in 8, and data hold at least one byte of the stream each.
fn within_input(stream: &[u8], outcome: &Outcome) {
    assert!(outcome.bytes <= stream.len() as u64);
    assert!(outcome.items as u64 <= stream.len() as u64 / 7 + outcome.bytes);
    for (path, content) in &outcome.files {
        assert!(content.size() <= limits::MEMBER_SIZE);
        assert!(path.len() <= limits::XBSTREAM_PATH);
        assert_eq!(*normalize(path).expect("a name that was accepted"), **path);
    }
}

fn same_when_written_again(files: &Files, by_seeks: bool) {
    let mut again = Chunks::default();
    for (path, content) in files {
        let mut at = 0;
        for (offset, bytes) in content.extents() {
            again = hole(again, path, at, offset, by_seeks).payload(path, offset, bytes);
            at = offset + bytes.len() as u64;
        }
        // A seek alone adds nothing, so a hole at the end is always a sparse chunk.
        again = hole(again, path, at, content.size(), false).end(path);
    }
    if !files.is_empty() {
        assert_eq!(tree::decode_whole(&again.0).accepted(), *files);
    }
}

fn hole(chunks: Chunks, path: &[u8], from: u64, until: u64, by_seek: bool) -> Chunks {
    if from == until {
        return chunks;
    }
    if by_seek {
        return chunks.seek(path, until);
    }
    let most = u64::from(u32::MAX);
    let mut map = vec![(u32::MAX, 0); ((until - from) / most) as usize];
    map.push((((until - from) % most) as u32, 0));
    chunks.sparse(path, from, &map, b"")
}
