//! Streams to be accepted.

use super::Golden;
use crate::common::build::{Chunks, noise};
use crate::common::tree::{Content, Files};

pub(super) fn all() -> Vec<Golden> {
    let mut all = Vec::new();
    let mut add = |name, shows, chunks: Chunks, files| {
        all.push(Golden { name, shows, stream: chunks.0, outcome: Ok(files) });
    };
    common(&mut add);
    percona(&mut add);
    mariadb(&mut add);
    all
}

type Add<'a> = &'a mut dyn FnMut(&'static str, &'static str, Chunks, Files);

/// What both dialects have.
fn common(add: Add<'_>) {
    add(
        "good-one-member",
        "one payload and an end: the bytes that `mbstream -c a.txt` 10.11.19 writes",
        new().file(b"a.txt", b"hello"),
        files([(b"a.txt", b"hello".to_vec())]),
    );
    add(
        "good-empty-member",
        "an empty member is an end alone: as `mbstream -c empty.bin d/b` writes it",
        new().end(b"empty.bin").file(b"d/b", b"x"),
        files([(b"d/b", b"x".to_vec()), (b"empty.bin", vec![])]),
    );
    add(
        "good-many-chunks",
        "the chunks of one member follow each other without gap",
        new()
            .payload(b"t", 0, &noise(1, 60)[..1])
            .payload(b"t", 1, &noise(1, 60)[1..40])
            .payload(b"t", 40, &noise(1, 60)[40..])
            .end(b"t"),
        files([(b"t", noise(1, 60))]),
    );
    add(
        "good-interleaved",
        "chunks of three open members in turn, closed in another order",
        new()
            .payload(b"db/a", 0, &noise(2, 30)[..10])
            .payload(b"db/b", 0, &noise(3, 20)[..15])
            .payload(b"c", 0, &noise(4, 5))
            .payload(b"db/a", 10, &noise(2, 30)[10..])
            .end(b"c")
            .payload(b"db/b", 15, &noise(3, 20)[15..])
            .end(b"db/a")
            .end(b"db/b"),
        files([(b"c", noise(4, 5)), (b"db/a", noise(2, 30)), (b"db/b", noise(3, 20))]),
    );
    add(
        "good-payload-of-no-bytes",
        "a payload may be empty, at the beginning, in the middle and at the end",
        new()
            .payload(b"a", 0, b"")
            .payload(b"a", 0, b"xy")
            .payload(b"a", 2, b"")
            .payload(b"a", 2, b"z")
            .payload(b"a", 3, b"")
            .end(b"a"),
        files([(b"a", b"xyz".to_vec())]),
    );
    let names: [&[u8]; 7] = [
        b"caf\xe9-\xff\xfe.bin",
        b"tab\tnl\nesc\x1b[2J",
        b"%s%d%n",
        b"back\\slash",
        b"with space",
        b"..x/y..",
        b"\xe2\x80\xaetxt.exe",
    ];
    add(
        "good-names",
        "names that are not UTF-8, that print badly, or that only look like climbing",
        names.iter().fold(new(), |chunks, name| chunks.file(name, name)),
        files(names.map(|name| (name, name.to_vec()))),
    );
    add(
        "good-spellings",
        "`.` and empty components say nothing: three chunks of one member",
        new().payload(b"./d//q", 0, b"ab").payload(b"d/./q", 2, b"c").end(b"d/q"),
        files([(b"d/q", b"abc".to_vec())]),
    );
    let long = [&[b'p'; 255][..], b"/", &[b'q'; 254], b"/"].concat();
    let longest = [&long[..510], b"/r"].concat();
    let longest = &longest[1..];
    add(
        "good-path-511",
        "the longest path",
        new().file(longest, b"x"),
        files([(longest, b"x".to_vec())]),
    );
    add(
        "good-flags",
        "flag bits without a meaning are ignored",
        new()
            .like_payload(0xfc, b'P', b"a", b"xy")
            .chunk(0xff, b'E', b"a", b"")
            .chunk(0x01, b'E', b"b", b""),
        files([(b"a", b"xy".to_vec()), (b"b", vec![])]),
    );
    add(
        "good-ignorable",
        "unknown chunks marked as such are skipped wholly, whatever path they carry",
        new()
            .like_payload(1, b'Z', b"../z", &noise(5, 40))
            .payload(b"a", 0, b"x")
            .like_payload(1, 0xd0, b"a", b"")
            .payload(b"a", 1, b"y")
            .end(b"a")
            .like_payload(0xff, b'p', b"a", b"#")
            .like_payload(1, 0, b"a", b""),
        files([(b"a", b"xy".to_vec())]),
    );
}

/// Percona's sparse chunks.
fn percona(add: Add<'_>) {
    add(
        "good-sparse",
        "the example of the published format description: two holes, the last at the end",
        new().sparse(b"s.ibd", 0, &[(0, 3), (5, 2), (4, 0)], b"abcde").end(b"s.ibd"),
        files([(b"s.ibd", b"abc\0\0\0\0\0de\0\0\0\0".to_vec())]),
    );
    add(
        "good-sparse-and-payload",
        "sparse chunks before, behind and between payloads, and one that is nothing but hole",
        new()
            .sparse(b"s", 0, &[(4, 2)], b"ab")
            .payload(b"s", 6, b"cd")
            .sparse(b"s", 8, &[(3, 0)], b"")
            .sparse(b"s", 11, &[(0, 0), (0, 1), (0, 1)], b"ef")
            .payload(b"s", 13, b"g")
            .end(b"s"),
        files([(b"s", b"\0\0\0\0abcd\0\0\0efg".to_vec())]),
    );
    add(
        "good-sparse-interleaved",
        "sparse chunks of two members in turn",
        new()
            .sparse(b"s", 0, &[(0, 2), (2, 2)], b"abcd")
            .sparse(b"t", 0, &[(1, 1)], b"x")
            .sparse(b"s", 6, &[(2, 0)], b"")
            .end(b"t")
            .end(b"s"),
        files([(b"s", b"ab\0\0cd\0\0".to_vec()), (b"t", b"\0x".to_vec())]),
    );
}

/// MariaDB's seek, rename, remove and rewrite.
fn mariadb(add: Add<'_>) {
    add(
        "good-seek-forward",
        "what a seek passes over is zero, also at the beginning of a member",
        new()
            .seek(b"f", 3)
            .payload(b"f", 3, b"abc")
            .seek(b"f", 8)
            .payload(b"f", 8, b"XY")
            .end(b"f"),
        files([(b"f", b"\0\0\0abc\0\0XY".to_vec())]),
    );
    add(
        "good-seek-back",
        "a seek goes back and overwrites, as for the header of an Aria log",
        new()
            .payload(b"f", 0, b"header and tail")
            .seek(b"f", 0)
            .payload(b"f", 0, b"HEADER")
            .end(b"f"),
        files([(b"f", b"HEADER and tail".to_vec())]),
    );
    add(
        "good-seek-adds-nothing",
        "a seek alone, and an empty payload behind one, leave a member as long as it was",
        new()
            .payload(b"f", 0, b"xy")
            .seek(b"f", 9)
            .payload(b"f", 9, b"")
            .seek(b"f", 100)
            .end(b"f")
            .seek(b"g", 7)
            .end(b"g"),
        files([(b"f", b"xy".to_vec()), (b"g", vec![])]),
    );
    add(
        "good-rename",
        "renames: plain, onto a closed member, onto itself, and the old name used again",
        new()
            .file(b"a", b"1")
            .file(b"b", b"2")
            .file(b"c", b"3")
            .rename(b"a", b"e")
            .rename(b"b", b"c")
            .rename(b"c", b"c")
            .file(b"a", b"4"),
        files([(b"a", b"4".to_vec()), (b"c", b"2".to_vec()), (b"e", b"1".to_vec())]),
    );
    add(
        "good-rename-into-directory",
        "a rename into a directory that is not there yet",
        new().file(b"a", b"1").rename(b"a", b"d/a"),
        files([(b"d/a", b"1".to_vec())]),
    );
    add(
        "good-remove",
        "removes: of a member, of one that comes again, and of what was never there",
        new().file(b"a", b"1").end(b"b").remove(b"a").remove(b"b").remove(b"c").file(b"a", b"2"),
        files([(b"a", b"2".to_vec())]),
    );
    add(
        "good-rewrite",
        "a closed member is written anew: by a payload, by an end, and by a seek",
        new()
            .file(b"a", b"12345")
            .rewrite(b"a", b"zz")
            .end(b"a")
            .file(b"b", b"12345")
            .chunk(2, b'E', b"b", b"")
            .file(b"c", b"12345")
            .chunk(2, b'S', b"c", &3u64.to_le_bytes())
            .payload(b"c", 3, b"x")
            .end(b"c")
            .rewrite(b"new", b"n")
            .end(b"new"),
        files([
            (b"a", b"zz".to_vec()),
            (b"b", vec![]),
            (b"c", b"\0\0\0x".to_vec()),
            (b"new", b"n".to_vec()),
        ]),
    );
}

fn files<const N: usize>(files: [(&[u8], Vec<u8>); N]) -> Files {
    files.into_iter().map(|(path, bytes)| (path.to_vec(), Content::from(&*bytes))).collect()
}

fn new() -> Chunks {
    Chunks::default()
}
