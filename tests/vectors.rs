//! Streams of the real programs, good and damaged.
//!
//! The damaged ones carry our own verdict: the peers disagree, and take what is cut for whole.

mod common;

use common::chunks::{self, Chunk, Field, Kind};
use common::tree::{Files, decode, decode_whole};
use common::vectors::{Vectors, sha256};
use common::{peers, reference};
use xbkit::ErrorKind;
use xbkit::format::xbstream::{
    SparseRun, append_end, append_payload_header, append_remove, append_rename, append_seek,
    append_sparse_header, crc32,
};

/// Above this size a stream is not decoded byte by byte: that takes long and shows nothing new.
const SMALL: usize = 256 << 10;

#[test]
fn peers_streams_give_the_peers_contents() {
    let Some(vectors) = Vectors::find() else { return };
    for vector in vectors.set("xbstream").iter().chain(&vectors.set("xbstream-mariadb")) {
        let stream = vector.stream();
        if vector.file() == "xbstream/path512.xbs" {
            // A name that the peers write and that no reader takes.
            let error = decode_whole(&stream).result.expect_err("512 bytes are too long");
            assert_eq!((error.kind(), error.stream_offset()), (Limit, Some(0)));
            continue;
        }
        let mut wanted: Vec<_> = vector
            .expected()
            .into_iter()
            .map(|file| (file.path, file.size, file.sha256.to_owned()))
            .collect();
        wanted.sort();
        let files = decode_whole(&stream).accepted();
        let found: Vec<_> = files
            .iter()
            .map(|(path, content)| (path.clone(), content.size(), sha256(content)))
            .collect();
        assert_eq!(found, wanted, "{}", vector.file());
        for piece in [1, 7, 4096] {
            if piece == 4096 || stream.len() <= SMALL {
                let in_pieces = decode(&stream, || piece).accepted();
                assert!(in_pieces == files, "{} in pieces of {piece}", vector.file());
            }
        }
    }
}

/// The encoder gives back every chunk that it can write, byte for byte.
#[test]
fn peers_chunks_are_written_the_same() {
    let Some(vectors) = Vectors::find() else { return };
    let mut kinds = std::collections::BTreeSet::new();
    for vector in vectors.set("xbstream").iter().chain(&vectors.set("xbstream-mariadb")) {
        if vector.file() == "xbstream/path512.xbs" {
            continue;
        }
        let stream = vector.stream();
        for chunk in chunks::chunks(&stream) {
            let bytes = &stream[chunk.begin..chunk.end];
            assert!(encode_again(&stream, &chunk) == bytes, "{}: {chunk:?}", vector.file());
            kinds.extend(chunk.kind);
        }
    }
    let all = [Kind::Payload, Kind::End, Kind::Sparse, Kind::Seek, Kind::Rename, Kind::Remove];
    assert_eq!(kinds, all.into());
}

#[expect(clippy::expect_used, reason = "a panic is how a test fails")]
fn encode_again(stream: &[u8], chunk: &Chunk) -> Vec<u8> {
    let mut out = Vec::new();
    let path = chunk.part(stream, Field::Path);
    let payload = chunk.part(stream, Field::Payload);
    let offset = chunk.number(stream, Field::Offset);
    let rewrite = chunk.number(stream, Field::Flags) == 2;
    match chunk.kind {
        Some(Kind::Payload) => {
            let len = payload.len() as u64;
            append_payload_header(&mut out, path, offset, len, crc32(payload), rewrite)
        }
        Some(Kind::End) => append_end(&mut out, path),
        Some(Kind::Sparse) => {
            let number = |number| u32::try_from(number).expect("a number of 4 bytes");
            let map = chunk.map(stream).into_iter();
            let runs: Vec<_> =
                map.map(|(skip, len)| SparseRun { skip: number(skip), len: number(len) }).collect();
            append_sparse_header(&mut out, path, offset, &runs, payload)
        }
        Some(Kind::Seek) => append_seek(&mut out, path, chunk.number(stream, Field::SeekOffset)),
        Some(Kind::Rename) => append_rename(&mut out, path, chunk.part(stream, Field::To)),
        Some(Kind::Remove) => append_remove(&mut out, path),
        Some(Kind::Ignored) | None => panic!("no peer writes {chunk:?}"),
    }
    .expect("a chunk");
    out.extend_from_slice(payload);
    out
}

/// Written from the contents alone, with the peers' 10 MiB chunks, a stream equals theirs.
#[test]
fn contents_are_written_as_the_peers_write_them() {
    let Some(vectors) = Vectors::find() else { return };
    let mut compared = 0;
    for vector in vectors.set("xbstream") {
        let by_them = vector.options().starts_with("-c ")
            && vector.was("mbstream -c writes the same bytes")
            && vector.name() != "path512.xbs";
        if !by_them {
            continue;
        }
        let mut out = Vec::new();
        for file in vector.expected() {
            let Some(content) = file.content() else { return };
            for (number, payload) in content.chunks(10 << 20).enumerate() {
                let (offset, len) = ((number as u64) * (10 << 20), payload.len() as u64);
                append_payload_header(&mut out, &file.path, offset, len, crc32(payload), false)
                    .expect("a header");
                out.extend_from_slice(payload);
            }
            append_end(&mut out, &file.path).expect("an end");
        }
        assert!(out == vector.stream(), "{}", vector.file());
        compared += 1;
    }
    assert!(compared >= 10, "only {compared} streams were compared");
}

/// What a damaged or doubtful vector deserves.
enum Verdict {
    /// Refused, with this kind at this byte of the stream.
    Refuse(ErrorKind, u64),
    /// Accepted, with these files: names and sizes.
    Accept(&'static [(&'static str, u64)]),
}

use ErrorKind::{Checksum, Format, Limit, Truncated, UnsafePath};
use Verdict::{Accept, Refuse};

/// One member `a` of 100 bytes, with a chunk of 135 bytes and an end of 15, is what most of these
/// begin with; the second member is `b` of 50 bytes.
const A: &[(&str, u64)] = &[("a", 100)];
const A_AND_B: &[(&str, u64)] = &[("a", 100), ("b", 50)];

/// Our verdict for each file of `xbstream-bad`, and the reason.
///
/// Refused is whatever is cut, out of order, mislabelled, unsafe, unfinished or named twice;
/// accepted is what the format allows, and what only looks odd.
const VERDICTS: &[(&str, Verdict, &str)] = &[
    ("bad_magic", Refuse(Format, 0), "what begins otherwise is no chunk"),
    ("chunk_after_eof", Refuse(Format, 150), "a closed member goes on: two members of one name"),
    ("crc_bad", Refuse(Checksum, 0), "the stored checksum was changed"),
    ("crc_bad_second", Refuse(Checksum, 150), "the stored checksum of the second was changed"),
    ("cut_after_path", Refuse(Truncated, 170), "cut"),
    ("cut_in_header", Refuse(Truncated, 154), "cut"),
    ("cut_in_lengths", Refuse(Truncated, 175), "cut"),
    ("cut_in_path", Refuse(Truncated, 167), "cut"),
    ("cut_in_payload", Refuse(Truncated, 232), "cut"),
    ("empty_path", Refuse(UnsafePath, 0), "an empty path names the target itself"),
    ("empty_stream", Refuse(Truncated, 0), "a backup of nothing is a writer that failed"),
    ("eof_only", Accept(&[("a", 0)]), "this is how an empty member is written"),
    ("eof_twice", Refuse(Format, 150), "the second end is a second member of this name"),
    ("first_offset_nonzero", Refuse(Format, 0), "the member's first chunk is missing"),
    ("flags_0x02", Accept(A), "a rewrite of what is not there yet is a plain member"),
    ("flags_0xfe", Accept(A), "bits without a meaning are ignored, as all readers do"),
    ("name_256", Refuse(UnsafePath, 0), "no file system takes a component of 256 bytes"),
    ("no_eof_chunk", Refuse(Truncated, 135), "the member is unfinished"),
    ("no_eof_second", Refuse(Truncated, 235), "the second member is unfinished"),
    ("offset_back", Refuse(Format, 135), "a chunk came twice"),
    ("offset_gap", Refuse(Format, 135), "a byte is missing between two chunks"),
    ("path_512", Refuse(Limit, 0), "no reader takes more than 511 bytes"),
    ("path_513", Refuse(Limit, 0), "no reader takes more than 511 bytes"),
    ("path_dot_slash", Accept(&[("q", 100)]), "what `-c ./*` writes; `.` says nothing"),
    ("path_dotdot", Refuse(UnsafePath, 0), "climbs out of the target"),
    ("path_dotdot_name", Accept(&[("..x", 100), ("y..", 50)]), "names with dots, no climbing"),
    ("path_double_slash", Accept(&[("d/q", 100)]), "an empty component says nothing"),
    (
        "path_file_then_dir",
        Accept(&[("a", 100), ("a/b", 50)]),
        "only a file system knows that `a` cannot be both; extraction refuses it",
    ),
    ("path_inner_dotdot", Refuse(UnsafePath, 0), "through a symlink `x/..` is anywhere"),
    ("path_len_huge", Refuse(Limit, 0), "no reader takes more than 511 bytes"),
    ("path_mid_dotdot", Refuse(UnsafePath, 0), "climbs out of the target"),
    ("path_nul", Refuse(UnsafePath, 0), "readers in C would see another name"),
    ("path_trailing_slash", Refuse(UnsafePath, 0), "names a directory, and members are files"),
    ("payload_flip", Refuse(Checksum, 0), "a byte of the payload was changed"),
    ("payload_len_huge", Refuse(Limit, 0), "no file has 4 EiB; peers ask for the memory"),
    ("same_path_twice", Refuse(Format, 150), "two members of one name"),
    ("sparse_crc_payload_only", Refuse(Checksum, 0), "the sum runs over map and payload"),
    ("sparse_cut_in_map", Refuse(Truncated, 45), "cut"),
    ("sparse_first_hole", Accept(&[("s", 4246)]), "a hole first, then a plain chunk"),
    ("sparse_len_mismatch", Refuse(Format, 0), "the map leaves payload over"),
    ("sparse_map_zero", Refuse(Format, 0), "a map without entries describes nothing"),
    ("trailing_garbage", Refuse(Format, 150), "what follows is no chunk"),
    ("trailing_zeros", Refuse(Format, 150), "padding is not part of the format"),
    ("unknown_type", Refuse(Format, 150), "not marked as one to skip"),
    ("unknown_type_ignorable", Accept(A_AND_B), "marked as one to skip: it makes no file"),
    ("zero_length_payload", Accept(A), "a chunk may be empty"),
];

#[test]
fn damaged_streams_get_our_verdict() {
    let Some(vectors) = Vectors::find() else { return };
    for vector in vectors.set("xbstream-bad") {
        let name = vector.name().trim_end_matches(".xbs");
        let (_, verdict, reason) =
            VERDICTS.iter().find(|(this, ..)| *this == name).expect("a verdict for each vector");
        let stream = vector.stream();
        for piece in [1, 7, 4096] {
            let outcome = decode(&stream, || piece);
            match (verdict, &outcome.result) {
                (Accept(files), Ok(())) => {
                    assert_eq!(names_and_sizes(&outcome.files), own(files), "{name}: {reason}");
                }
                (Refuse(kind, at), Err(error)) => {
                    let found = (error.kind(), error.stream_offset());
                    assert_eq!(found, (*kind, Some(*at)), "{name}: {reason}: {error}");
                }
                (_, result) => panic!("{name} ({reason}): {result:?}"),
            }
        }
        let second = reference::read(&stream);
        let first = decode_whole(&stream);
        let place = |error: &xbkit::Error| (error.kind(), error.stream_offset().unwrap_or(0));
        assert_eq!(first.result.as_ref().err().map(place), second.err(), "{name}");
    }
}

#[test]
fn every_damaged_stream_has_a_verdict() {
    let Some(vectors) = Vectors::find() else { return };
    let listed: Vec<String> = VERDICTS.iter().map(|(name, ..)| format!("{name}.xbs")).collect();
    assert_eq!(listed, vectors.listing("xbstream-bad"));
}

/// Where `mbstream` 10.11.19 says otherwise than we do: it exits 0 though it made no file or half
/// of one, or it does not know the other dialect. A later one may have learnt.
#[test]
fn verdicts_differ_from_mbstream_only_where_it_lies_or_does_not_know() {
    let Some(vectors) = Vectors::find() else { return };
    let Some(mbstream) = peers::peer("mbstream") else { return };
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let mut differ = Vec::new();
    for vector in vectors.set("xbstream-bad") {
        let dir = scratch.path().join(vector.name());
        let accepted = peers::extracts(&mbstream, &vector.stream(), &dir);
        let ours = decode_whole(&vector.stream()).result.is_ok();
        if ours != accepted {
            differ.push((vector.name().trim_end_matches(".xbs"), ours));
        }
    }
    let known = [
        ("chunk_after_eof", false),
        ("empty_path", false),
        ("empty_stream", false),
        ("eof_twice", false),
        ("name_256", false),
        ("no_eof_chunk", false),
        ("no_eof_second", false),
        ("path_dotdot", false),
        ("path_inner_dotdot", false),
        ("path_mid_dotdot", false),
        ("path_nul", false),
        ("path_trailing_slash", false),
        ("same_path_twice", false),
        ("sparse_first_hole", true),
    ];
    differ.retain(|difference| !known.contains(difference));
    assert_eq!(differ, []);
}

fn names_and_sizes(files: &Files) -> Vec<(String, u64)> {
    files
        .iter()
        .map(|(path, content)| (String::from_utf8_lossy(path).into_owned(), content.size()))
        .collect()
}

fn own(files: &[(&str, u64)]) -> Vec<(String, u64)> {
    files.iter().map(|(path, size)| ((*path).to_owned(), *size)).collect()
}
