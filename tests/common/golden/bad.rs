//! Streams to be refused.

use xbkit::ErrorKind::{self, Checksum, Format, Limit, Truncated, UnsafePath};

use super::Golden;
use crate::common::build::Chunks;

pub(super) fn all() -> Vec<Golden> {
    let mut all = Vec::new();
    let mut add = |name, shows, chunks: Chunks, kind, at| {
        all.push(Golden { name, shows, stream: chunks.0, outcome: Err((kind, at)) });
    };
    bad_chunks(&mut add);
    bad_paths(&mut add);
    bad_sparse(&mut add);
    bad_order(&mut add);
    all
}

type Refuse<'a> = &'a mut dyn FnMut(&'static str, &'static str, Chunks, ErrorKind, u64);

/// A member of 21 and 15 bytes in the stream that most of the bad ones begin with.
fn first() -> Chunks {
    new().file(b"a", b"1")
}

const FIRST: u64 = 36 + 15;

fn bad_chunks(add: Refuse<'_>) {
    let seek = |offset: u64| new().seek(b"f", offset).end(b"f");
    add("bad-empty", "nothing at all", new(), Truncated, 0);
    add("bad-magic", "another magic", first().file(b"b", b"2").flip(51, 1), Format, FIRST);
    add(
        "bad-unknown-type",
        "not marked to be skipped",
        first().like_payload(0xfe, b'Q', b"a", b""),
        Format,
        FIRST,
    );
    add("bad-trailing", "bytes behind the last chunk", first().raw(b"\0"), Format, FIRST);
    add(
        "bad-trailing-magic",
        "a magic behind the last chunk",
        first().raw(b"XBSTCK01"),
        Truncated,
        FIRST + 8,
    );
    add(
        "bad-payload",
        "a changed payload",
        first().payload(b"b", 0, b"2").flip(86, 1).end(b"b"),
        Checksum,
        FIRST,
    );
    add(
        "bad-ignorable-payload",
        "a changed payload of a chunk to be skipped",
        first().like_payload(1, b'Z', b"b", b"2").flip(86, 1),
        Checksum,
        FIRST,
    );
    add(
        "bad-checksum",
        "a changed checksum",
        first().payload(b"b", 0, b"2").flip(85, 0x80).end(b"b"),
        Checksum,
        FIRST,
    );
    add("bad-cut-header", "cut within a header", first().file(b"b", b"2").cut(60), Truncated, 60);
    add(
        "bad-cut-payload",
        "cut within a payload",
        first().payload(b"b", 0, b"23").cut(87),
        Truncated,
        87,
    );
    add(
        "bad-cut-before-end",
        "cut before a member's end",
        first().payload(b"b", 0, b"2"),
        Truncated,
        FIRST + 36,
    );
    add(
        "bad-cut-seek",
        "cut behind a seek, which always has a chunk behind it",
        new().payload(b"f", 0, b"1").seek(b"f", 3),
        Truncated,
        59,
    );
    add(
        "bad-offset-huge",
        "an offset above the limit, reached by a seek",
        seek((1 << 48) + 1),
        Limit,
        0,
    );
    add(
        "bad-payload-huge",
        "a payload above the limit",
        new().chunk(0, b'P', b"a", &[&[0xff; 8][..], &[0; 12]].concat()),
        Limit,
        0,
    );
    add(
        "bad-ignorable-huge",
        "a chunk to be skipped that ends nowhere",
        new().chunk(1, b'Z', b"a", &[0xff; 21]),
        Truncated,
        36,
    );
}

fn bad_paths(add: Refuse<'_>) {
    let names: [(&str, &str, &[u8], ErrorKind); 9] = [
        ("bad-path-empty", "an empty path", b"", UnsafePath),
        ("bad-path-absolute", "an absolute path", b"/etc/x", UnsafePath),
        ("bad-path-dotdot", "a path that climbs", b"../x", UnsafePath),
        ("bad-path-inner-dotdot", "a path that climbs and comes back", b"a/../x", UnsafePath),
        ("bad-path-dot", "a path that names the target", b"./.", UnsafePath),
        ("bad-path-slash", "a path that names a directory", b"d/", UnsafePath),
        ("bad-path-nul", "a path that C would read as another", b"a\0b", UnsafePath),
        (
            "bad-path-component-256",
            "a component that no file system takes",
            &[b'n'; 256],
            UnsafePath,
        ),
        ("bad-path-512", "a path longer than readers take", &[b'p'; 512], Limit),
    ];
    for (name, shows, path, kind) in names {
        add(name, shows, first().chunk(0, b'E', path, b""), kind, FIRST);
    }
    let to = [&6u32.to_le_bytes()[..], b"../../"].concat();
    add(
        "bad-path-rename",
        "a rename to a path that climbs",
        first().chunk(0, b'R', b"a", &to),
        UnsafePath,
        FIRST,
    );
    let to = u32::MAX.to_le_bytes();
    add(
        "bad-path-rename-huge",
        "a rename to a path of 4 GiB",
        first().chunk(0, b'R', b"a", &to),
        Limit,
        FIRST,
    );
}

fn bad_sparse(add: Refuse<'_>) {
    let good = || new().sparse(b"s", 0, &[(0, 3), (5, 2)], b"abcde").end(b"s");
    let entries = |count: u32| {
        let body = [&count.to_le_bytes()[..], &[0; 20]].concat();
        new().chunk(0, b'S', b"s", &body)
    };
    add("bad-sparse-map", "a changed skip in a map", good().flip(47, 1), Checksum, 0);
    add("bad-sparse-payload", "a changed payload", good().flip(57, 1), Checksum, 0);
    add(
        "bad-sparse-sum",
        "a map that describes more than the payload",
        good().flip(43, 1 << 3),
        Format,
        0,
    );
    add("bad-sparse-no-map", "a map without entries", entries(0), Format, 0);
    add("bad-sparse-map-huge", "a map of 2^32 - 1 entries", entries(u32::MAX), Limit, 0);
    add("bad-sparse-cut-map", "cut within a map", good().cut(50), Truncated, 50);
    add("bad-sparse-cut-payload", "cut within a payload", good().cut(57), Truncated, 57);
    add(
        "bad-sparse-order",
        "a sparse chunk that does not follow the one before it",
        new().sparse(b"s", 0, &[(0, 1), (1, 0)], b"a").sparse(b"s", 1, &[(0, 1)], b"b").end(b"s"),
        Format,
        56,
    );
    add(
        "bad-sparse-over-data",
        "both dialects at once: a hole over bytes already written",
        new().payload(b"s", 0, b"abcd").seek(b"s", 3).sparse(b"s", 3, &[(2, 0)], b"").end(b"s"),
        Format,
        39 + 23,
    );
    add(
        "bad-sparse-hole-huge",
        "a hole across the limit, reached by a seek",
        new().seek(b"s", (1 << 48) - 1).sparse(b"s", (1 << 48) - 1, &[(2, 0)], b"").end(b"s"),
        Limit,
        23,
    );
}

fn bad_order(add: Refuse<'_>) {
    add(
        "bad-order-gap",
        "a byte is missing",
        new().payload(b"a", 0, b"1").payload(b"a", 2, b"3").end(b"a"),
        Format,
        36,
    );
    add(
        "bad-order-again",
        "a chunk comes twice",
        new().payload(b"a", 0, b"1").payload(b"a", 0, b"1").end(b"a"),
        Format,
        36,
    );
    add(
        "bad-order-first",
        "the first chunk is missing",
        new().payload(b"a", 1, b"2").end(b"a"),
        Format,
        0,
    );
    add("bad-twice", "two members of one name", first().file(b"a", b"2"), Format, FIRST);
    add(
        "bad-twice-spelt",
        "two members of one name, spelt otherwise",
        first().file(b"./a", b"2"),
        Format,
        FIRST,
    );
    add("bad-twice-end", "a second end", first().end(b"a"), Format, FIRST);
    add(
        "bad-rename-open",
        "a rename of an open member",
        new().payload(b"a", 0, b"1").rename(b"a", b"b").end(b"a"),
        Format,
        36,
    );
    add(
        "bad-rename-onto-open",
        "a rename onto an open member",
        first().payload(b"b", 0, b"2").rename(b"a", b"b").end(b"b"),
        Format,
        FIRST + 36,
    );
    add(
        "bad-rename-missing",
        "a rename of what is not there",
        first().rename(b"b", b"c"),
        Format,
        FIRST,
    );
    add(
        "bad-rename-removed",
        "a rename of what was removed",
        first().remove(b"a").rename(b"a", b"c"),
        Format,
        FIRST + 15,
    );
    add(
        "bad-remove-open",
        "a remove of an open member",
        new().payload(b"a", 0, b"1").remove(b"a").end(b"a"),
        Format,
        36,
    );
}

fn new() -> Chunks {
    Chunks::default()
}
