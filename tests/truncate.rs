//! Damage: each prefix of small streams, each bit of them flipped, and hostile lengths.
//!
//! # What a cut can hide
//! A prefix is accepted if and only if it is not empty, ends between two chunks, and leaves no
//! member open there: then it is itself a complete stream, and nothing in the format could tell.
//! Every other prefix is refused as `Truncated`, with its own length as the place.
//!
//! # What a flipped bit can hide
//! A checksum covers payloads and sparse maps. Their bytes, the checksum itself and the lengths,
//! offsets and magics around them are therefore always caught. No checksum covers flags, names and
//! what moves names; [`UNSEEN`] lists what may pass, and why.

#![expect(clippy::expect_used, reason = "a panic is how a test fails")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::chunks::{self, Chunk, Field, Kind};
use common::tree::{Files, Outcome, decode, decode_whole};
use common::vectors::Vectors;
use common::{golden, reference};
use xbkit::ErrorKind;
use xbkit::format::member::normalize;

/// Longest stream of which each prefix is tried, and of which each bit is flipped.
const CUT: usize = 1200;
const FLIPPED: usize = 400;

/// Streams to be damaged: accepted as they are, and at most this long.
fn corpus(longest: usize) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = golden::all()
        .into_iter()
        .filter(|golden| golden.outcome.is_ok())
        .map(|golden| (golden.name.to_owned(), golden.stream))
        .collect();
    if let Some(vectors) = Vectors::find() {
        for set in ["xbstream", "xbstream-mariadb", "xbstream-bad"] {
            let streams =
                vectors.set(set).into_iter().filter(|vector| vector.size() <= longest as u64);
            all.extend(streams.map(|vector| (vector.file().to_owned(), vector.stream())));
        }
    }
    all.retain(|(_, stream)| stream.len() <= longest && decode_whole(stream).result.is_ok());
    assert!(all.len() >= 15, "only {} streams", all.len());
    all
}

/// Where a stream could be cut unseen.
fn complete_prefixes(stream: &[u8]) -> BTreeSet<usize> {
    let mut open = BTreeSet::new();
    let mut complete = BTreeSet::new();
    for chunk in chunks::chunks(stream) {
        let path = normalize(chunk.part(stream, Field::Path)).map(Vec::from).unwrap_or_default();
        match chunk.kind.expect("a whole chunk") {
            Kind::Payload | Kind::Sparse | Kind::Seek => drop(open.insert(path)),
            Kind::End => drop(open.remove(&path)),
            Kind::Rename | Kind::Remove | Kind::Ignored => {}
        }
        if open.is_empty() {
            complete.insert(chunk.end);
        }
    }
    complete
}

#[test]
fn a_cut_is_refused_wherever_it_can_be_known() {
    let mut cuts = 0;
    for (name, stream) in corpus(CUT) {
        let complete = complete_prefixes(&stream);
        assert!(complete.contains(&stream.len()), "{name}");
        for len in 0..stream.len() {
            let prefix = &stream[..len];
            let outcome = same_in_pieces(prefix, &[1, 0, 13]);
            agrees_with_reference(prefix, &outcome);
            match outcome.result {
                Ok(()) => assert!(complete.contains(&len), "{name} cut to {len} is accepted"),
                Err(error) => {
                    let found = (error.kind(), error.stream_offset());
                    let expected = (ErrorKind::Truncated, Some(len as u64));
                    assert_eq!(found, expected, "{name} cut to {len}: {error}");
                    assert!(!complete.contains(&len), "{name} cut to {len} is refused");
                }
            }
            cuts += 1;
        }
    }
    assert!(cuts > 3000, "only {cuts} cuts");
}

/// Whether a change that passes may change what the stream makes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// The files are the same.
    None,
    /// Names or the presence of members change, as far as no checksum tells.
    Names,
}

/// The parts of chunks in which one flipped bit may pass, and why.
const UNSEEN: &[(Kind, Field, Effect, &str)] = &[
    (Kind::Payload, Field::Flags, Effect::None, "bits without a meaning here are ignored"),
    (Kind::End, Field::Flags, Effect::None, "bits without a meaning here are ignored"),
    (Kind::Sparse, Field::Flags, Effect::None, "bits without a meaning here are ignored"),
    (Kind::Seek, Field::Flags, Effect::None, "bits without a meaning here are ignored"),
    (Kind::Rename, Field::Flags, Effect::None, "bits without a meaning here are ignored"),
    (Kind::Remove, Field::Flags, Effect::None, "bits without a meaning here are ignored"),
    (Kind::Ignored, Field::Flags, Effect::None, "only the bit that says so matters"),
    (Kind::Ignored, Field::Type, Effect::None, "another unknown type is skipped as well"),
    (Kind::Ignored, Field::Path, Effect::None, "what is skipped has no name"),
    (Kind::Ignored, Field::Offset, Effect::None, "what is skipped has no place"),
    (Kind::Seek, Field::SeekOffset, Effect::None, "a seek without data behind it"),
    (Kind::Payload, Field::Path, Effect::Names, "all data of one member go to another"),
    (Kind::Seek, Field::Path, Effect::None, "a seek without data behind it"),
    (Kind::End, Field::Path, Effect::Names, "the name of an empty member"),
    (Kind::End, Field::Type, Effect::Names, "an empty member becomes a remove of nothing"),
    (Kind::Remove, Field::Type, Effect::Names, "a remove of nothing becomes an empty member"),
    (Kind::Remove, Field::Path, Effect::Names, "another member, or none, is removed"),
    (Kind::Rename, Field::Path, Effect::Names, "another member is renamed"),
    (Kind::Rename, Field::To, Effect::Names, "a member gets another name"),
];

#[test]
fn a_flipped_bit_is_caught_or_explained() {
    let mut passed: BTreeMap<(Kind, Field), usize> = BTreeMap::new();
    let mut flips = 0;
    for (name, mut stream) in corpus(FLIPPED) {
        let files = decode_whole(&stream).accepted();
        for chunk in chunks::chunks(&stream) {
            for at in chunk.begin..chunk.end {
                for bit in 0..8 {
                    stream[at] ^= 1 << bit;
                    let what = format!("{name}, bit {bit} of byte {at}");
                    let pieces: &[usize] = if bit % 2 == 0 { &[1] } else { &[13, 0, 1, 30] };
                    let outcome = same_in_pieces(&stream, pieces);
                    if let Some(part) = judge(&what, &stream, outcome, &chunk, at, &files) {
                        *passed.entry(part).or_default() += 1;
                    }
                    stream[at] ^= 1 << bit;
                    flips += 1;
                }
            }
        }
    }
    assert!(flips > 20_000, "only {flips} flips");
    let unseen: Vec<_> = UNSEEN
        .iter()
        .filter(|(kind, field, ..)| !passed.contains_key(&(*kind, *field)))
        .map(|(kind, field, ..)| (kind, field))
        .collect();
    assert!(unseen.is_empty(), "never passed, so not to be excused: {unseen:?}");
}

/// Judges a stream with one bit flipped; gives the part in which it passed.
fn judge(
    what: &str,
    stream: &[u8],
    outcome: Outcome,
    chunk: &Chunk,
    at: usize,
    files: &Files,
) -> Option<(Kind, Field)> {
    let (kind, field) = (chunk.kind.expect("a whole chunk"), chunk.field_at(at));
    agrees_with_reference(stream, &outcome);
    let Err(error) = outcome.result else {
        let rule = UNSEEN.iter().find(|rule| (rule.0, rule.1) == (kind, field));
        let (_, _, effect, _) = rule.unwrap_or_else(|| panic!("{what} passed: {kind:?} {field:?}"));
        assert!(*effect == Effect::Names || outcome.files == *files, "{what} changed the files");
        return Some((kind, field));
    };
    let place = (error.kind(), error.stream_offset());
    if matches!(field, Field::Payload | Field::Crc) {
        assert_eq!(place, (ErrorKind::Checksum, Some(chunk.begin as u64)), "{what}: {error}");
    }
    None
}

/// Every stream, good or bad, means the same in any pieces.
#[test]
fn bad_streams_mean_the_same_in_any_pieces() {
    let mut streams: Vec<_> = golden::all().into_iter().map(|golden| golden.stream).collect();
    if let Some(vectors) = Vectors::find() {
        for set in ["xbstream", "xbstream-mariadb", "xbstream-bad"] {
            let small = vectors.set(set).into_iter().filter(|vector| vector.size() < 100_000);
            streams.extend(small.map(|vector| vector.stream()));
        }
    }
    for stream in streams {
        same_in_pieces(&stream, &[1]);
        let outcome = same_in_pieces(&stream, &[13, 0, 1, 30]);
        agrees_with_reference(&stream, &outcome);
    }
}

/// Decodes whole, and in pieces of these lengths in turn.
fn same_in_pieces(stream: &[u8], pieces: &[usize]) -> Outcome {
    let whole = decode_whole(stream);
    let mut turn = pieces.iter().cycle();
    let apart = decode(stream, || *turn.next().expect("a cycle does not end"));
    assert_eq!(apart.verdict(), whole.verdict(), "{}", stream.escape_ascii());
    within_input(stream, &apart);
    within_input(stream, &whole);
    whole
}

/// An `E` of 15 bytes makes two items, an entry of a map one in 8, data at least one byte each.
fn within_input(stream: &[u8], outcome: &Outcome) {
    assert!(outcome.bytes <= stream.len() as u64);
    assert!(outcome.items as u64 <= stream.len() as u64 / 7 + outcome.bytes);
}

fn agrees_with_reference(stream: &[u8], outcome: &Outcome) {
    match (reference::read(stream), &outcome.result) {
        (Ok(files), Ok(())) => assert_eq!(outcome.files, files),
        (Err((kind, at)), Err(error)) => {
            let found = (error.kind(), error.stream_offset());
            assert_eq!(found, (kind, Some(at)), "{error}: {}", stream.escape_ascii());
        }
        (reference, result) => panic!("{reference:?}, {result:?}: {}", stream.escape_ascii()),
    }
}
