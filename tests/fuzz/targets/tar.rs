//! Any bytes as a tar archive: the decoder must agree with itself, however its input is cut, and
//! with what our encoder makes of its result.
//!
//! An input is [`CONTROL`] bytes that say how to go about it, and the archive behind them. The
//! fuzzer runs this, and `tests/corpus.rs` replays what it found.

#![allow(dead_code, reason = "the tests use more of the shared modules")]
#![expect(clippy::expect_used, reason = "a panic is how a target fails")]
#![expect(clippy::cast_possible_truncation, reason = "the numbers come from a slice in memory")]

#[path = "../../common/tarball.rs"]
mod tarball;
#[path = "../../common/tree.rs"]
mod tree;

use tarball::{Header, Tarball};
use tree::{Content, Outcome, decode_by};
use xbkit::format::member::normalize;
use xbkit::format::tar::Decoder;
use xbkit::{ErrorKind, limits};

/// Bytes before the archive: how to go about it, and three lengths of pieces.
pub(crate) const CONTROL: usize = 4;

/// The sums of what looks like headers are made right first: few inputs get past them else.
pub(crate) const RIGHT_SUMS: u8 = 1;

/// The end may be missing.
pub(crate) const NO_END: u8 = 2;

/// Most bytes of a file that are written again as they are, not as a hole.
const PLAIN: u64 = 1 << 14;

/// Tries one input; panics if something is wrong with the code, never with the input.
pub(crate) fn run(data: &[u8]) {
    let Some((&[how, pieces @ ..], archive)) = data.split_first_chunk::<CONTROL>() else { return };
    let mut archive = archive.to_vec();
    if how & RIGHT_SUMS != 0 {
        right_sums(&mut archive);
    }
    let decoder = || Decoder::new().allow_missing_end(how & NO_END != 0);
    let whole = decode_by(decoder(), &archive, || archive.len());
    within_input(&archive, &whole);

    let mut turn = pieces.iter().cycle();
    let mut left = archive.len() * 4;
    let in_pieces = decode_by(decoder(), &archive, || {
        // Three pieces of no bytes would go on for ever.
        left = left.saturating_sub(1);
        let piece = *turn.next().expect("a cycle does not end") as usize;
        if left == 0 { archive.len() } else { piece }
    });
    within_input(&archive, &in_pieces);
    assert_eq!(in_pieces.verdict(), whole.verdict());
    assert_eq!(in_pieces.directories, whole.directories);
    match &whole.result {
        Ok(()) => same_when_written_again(&whole),
        Err(error) => {
            assert!(!matches!(error.kind(), ErrorKind::Panic | ErrorKind::InvalidState), "{error}");
            assert!(error.stream_offset().expect("a place") <= archive.len() as u64);
        }
    }
}

fn right_sums(archive: &mut [u8]) {
    for block in archive.chunks_exact_mut(512) {
        if block[257..].starts_with(b"ustar") {
            let header = Header(block.try_into().expect("a whole block")).right();
            block.copy_from_slice(&header.0);
        }
    }
}

/// Nothing comes out that was not put in: a header makes three items at most, and each stretch of
/// data in a file with holes has a byte at least.
fn within_input(archive: &[u8], outcome: &Outcome) {
    assert!(outcome.bytes <= archive.len() as u64);
    assert!(outcome.items as u64 <= archive.len() as u64 / 128 + 2 * outcome.bytes);
    for (path, content) in &outcome.files {
        assert!(content.size() <= limits::MEMBER_SIZE);
        assert!(path.len() <= limits::TAR_PATH);
        assert_eq!(*normalize(path).expect("a name that was accepted"), **path);
    }
}

fn same_when_written_again(outcome: &Outcome) {
    let mut again = Tarball::default();
    for (path, content) in &outcome.files {
        again = if content.size() <= PLAIN {
            again.file(path, &content.to_vec())
        } else {
            with_holes(again, path, content)
        };
    }
    for path in &outcome.directories {
        again = again.directory(path);
    }
    if again.0.is_empty() {
        return; // nothing but the archive's root
    }
    let archive = again.end();
    let decoded = decode_by(Decoder::new(), &archive, || archive.len());
    assert_eq!(decoded.directories, outcome.directories);
    assert_eq!(decoded.accepted(), outcome.files);
}

fn with_holes(to: Tarball, path: &[u8], content: &Content) -> Tarball {
    let (mut map, mut data) = (Vec::new(), Vec::new());
    for (offset, bytes) in content.extents() {
        map.push(format!("{offset},{}", bytes.len()));
        data.extend_from_slice(bytes);
    }
    let size = content.size().to_string();
    let mut records = vec![("GNU.sparse.size", size.as_bytes()), ("GNU.sparse.name", path)];
    let map = map.join(",");
    if !map.is_empty() {
        records.push(("GNU.sparse.map", map.as_bytes()));
    }
    to.records(&records).header(&Header::file(b"t", data.len() as u64)).filled(&data)
}
