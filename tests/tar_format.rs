//! tar as bytes: what the decoder takes and refuses, each prefix of archives, each bit flipped.

#![expect(clippy::expect_used, reason = "a panic is how a test fails")]
#![expect(clippy::cast_possible_truncation, reason = "the numbers are of a test's own")]

mod common;

use common::tarball::{Header, Tarball, samples, sparse_samples};
use common::tree::{Content, Files, Outcome, decode_by};
use xbkit::ErrorKind::{self, Checksum, Format, InvalidState, Limit, Truncated, UnsafePath};
use xbkit::format::tar::{Decoder, END, append_global, append_member, member_len};
use xbkit::{ErrorKind::Unsupported, limits};

/// Decodes in pieces of one, seven, 512 and all bytes: each must give the same.
fn decode(archive: &[u8]) -> Outcome {
    let whole = decode_by(Decoder::new(), archive, || archive.len().max(1));
    for piece in [1, 7, 512] {
        let outcome = decode_by(Decoder::new(), archive, || piece);
        assert_eq!(outcome.verdict(), whole.verdict(), "in pieces of {piece}");
        assert_eq!(outcome.directories, whole.directories, "in pieces of {piece}");
    }
    whole
}

fn files(of: &[(&str, &[u8])]) -> Files {
    of.iter().map(|(name, bytes)| (name.as_bytes().to_vec(), Content::from(*bytes))).collect()
}

#[track_caller]
fn accepts(archive: &[u8], expected: &[(&str, &[u8])]) {
    assert_eq!(decode(archive).accepted(), files(expected));
}

#[track_caller]
fn refuses(what: &str, archive: &[u8], kind: ErrorKind, at: u64) {
    let error = decode(archive).result.expect_err(what);
    assert_eq!((error.kind(), error.stream_offset()), (kind, Some(at)), "{what}: {error}");
}

fn new() -> Tarball {
    Tarball::default()
}

/// One member of 1024 bytes, behind which most of the bad archives go wrong.
fn first() -> Tarball {
    new().file(b"a", b"1")
}
const FIRST: u64 = 1024;

/// The bytes of `xtrabackup` 2.x, which are those of libarchive 3.6.2.
#[test]
fn the_encoder_writes_what_xtrabackup_wrote() {
    let mut archive = Vec::new();
    append_member(&mut archive, b"db1/t1.frm", 5, 0o14_5037_2761).unwrap();
    let mut expected = Header([0; 512])
        .put(0, b"db1/t1.frm")
        .put(100, b"000660 \0")
        .put(108, b"000000 \0")
        .put(116, b"000000 \0")
        .put(124, b"00000000005 ")
        .put(136, b"01450372761 ")
        .put(156, b"0")
        .put(257, b"ustar\x0000")
        .put(329, b"000000 \0")
        .put(337, b"000000 \0");
    expected = expected.right();
    assert_eq!(archive.escape_ascii().to_string(), expected.0.escape_ascii().to_string());

    let mut large = Vec::new();
    append_member(&mut large, b"ibdata1", 9_000_000_000, 0).unwrap();
    assert_eq!(large.len(), 1536);
    assert_eq!(&large[..18], b"PaxHeader/ibdata1\0");
    assert_eq!((large[156], &large[512..532]), (b'x', &b"19 size=9000000000\n\0"[..]));
    assert_eq!(&large[1024 + 124..1024 + 136], b"103034215000");
}

#[test]
fn what_is_written_is_read_back() {
    let long = [b"d/".repeat(300).as_slice(), &b"n".repeat(200)].concat();
    let names: [&[u8]; 9] = [
        b"a",
        &b"n".repeat(100),
        &b"n".repeat(101),
        &[b"p".repeat(155), b"/".to_vec(), b"n".repeat(100)].concat(),
        &[b"p".repeat(156), b"/".to_vec(), b"n".repeat(100)].concat(),
        &long,
        b"\xff\xfe/\n",
        &[b"\xff".repeat(120), b"/x".to_vec()].concat(),
        &[b"d/".repeat(1947).as_slice(), &b"n".repeat(201)].concat(),
    ];
    for (number, name) in names.iter().enumerate() {
        let bytes = b"x".repeat(number * 511);
        let archive = new().file(name, &bytes);
        assert_eq!(archive.0.len() as u64, member_len(name, bytes.len() as u64));
        let files = decode(&archive.end()).accepted();
        assert_eq!(files.len(), 1);
        assert_eq!(files[*name], Content::from(&*bytes));
    }
    let most = [b"d/".repeat(1947).as_slice(), &b"n".repeat(202)].concat();
    assert_eq!(most.len(), limits::TAR_PATH + 1);
    let error = append_member(&mut Vec::new(), &most, 0, 0).unwrap_err();
    assert_eq!(error.kind(), Limit);
    for path in [&b"../a"[..], b"/a", b"", b"a/", b"a\0b"] {
        assert_eq!(append_member(&mut Vec::new(), path, 0, 0).unwrap_err().kind(), UnsafePath);
    }
}

#[test]
fn sizes_of_every_width_are_written_and_read() {
    let zeros = vec![0; 1 << 20];
    for size in [(1 << 33) - 1, 1 << 33, (1 << 36) - 1, 1 << 36, (1 << 36) + 513] {
        let mut head = Vec::new();
        append_member(&mut head, b"ibdata1", size, 0).unwrap();
        let mut decoder = Decoder::new();
        assert!(decoder.decode(&head).unwrap().item.is_some());
        let mut left = size.next_multiple_of(512);
        while left > 0 {
            let mut input = &zeros[..left.min(zeros.len() as u64) as usize];
            left -= input.len() as u64;
            while let Some(item) = {
                let step = decoder.decode(input).unwrap();
                input = &input[step.consumed..];
                step.item
            } {
                if let xbkit::Item::Close { size: closed, .. } = item {
                    assert_eq!((closed, left), (size, 0));
                }
            }
        }
        assert!(decoder.decode(&END).unwrap().item.is_none());
        decoder.finish().unwrap();
    }
    let error = append_member(&mut Vec::new(), b"a", limits::MEMBER_SIZE + 1, 0).unwrap_err();
    assert_eq!(error.kind(), Limit);
}

#[test]
fn archives_one_behind_the_other_are_one() {
    let two = [first().end(), vec![0; 8 * 512], new().file(b"b", b"2").end()].concat();
    accepts(&two, &[("a", b"1"), ("b", b"2")]);
    let records = first().end();
    accepts(&[records, vec![0; 18 * 512]].concat(), &[("a", b"1")]);
    let twice = [first().end(), first().end()].concat();
    refuses("the same archive twice", &twice, Format, 2048);
}

#[test]
fn an_archive_ends_with_two_blocks_of_zeros() {
    refuses("nothing", b"", Truncated, 0);
    refuses("zeros only", &END, Truncated, 1024);
    refuses("no end", &first().0, Truncated, FIRST);
    refuses("half an end", &first().raw(&[0; 512]).0, Truncated, FIRST + 512);
    refuses("one and a half", &first().raw(&[0; 800]).0, Truncated, FIRST + 800);
    refuses("one block of zeros", &first().raw(&[0; 512]).file(b"b", b"").end(), Format, 1536);
    let end = first().end();
    refuses("a line behind", &[&end[..], b"completed OK!\n"].concat(), Format, 2048);
    refuses("a block behind", &[&end[..], &[b'x'; 512]].concat(), Format, 2048);
    refuses("part of a block behind", &[&end[..], &[0; 100]].concat(), Truncated, 2148);

    let tolerant =
        |archive: &[u8]| decode_by(Decoder::new().allow_missing_end(true), archive, || 512).result;
    tolerant(&first().0).unwrap();
    tolerant(&first().raw(&[0; 512]).0).unwrap();
    assert_eq!(tolerant(b"").unwrap_err().kind(), Truncated);
    assert_eq!(tolerant(&END).unwrap_err().kind(), Truncated);
    assert_eq!(tolerant(&first().0[..900]).unwrap_err().kind(), Truncated);
}

#[test]
fn directories_are_told_and_the_root_is_not() {
    let root = Header::of(b'5', b"./", 0);
    let dot = Header::of(b'5', b".", 0);
    let old = Header::of(0, b"old/", 0);
    let archive = new().header(&root).header(&dot).header(&old).directory(b"d").file(b"d/a", b"1");
    let outcome = decode(&archive.header(&Header::of(b'5', b"./d//", 0)).end());
    let names = outcome.directories.iter().map(|name| name.escape_ascii().to_string());
    assert_eq!(names.collect::<Vec<_>>(), ["d", "old"]);
    assert_eq!(outcome.accepted(), files(&[("d/a", b"1")]));

    for name in [&b"../"[..], b"/", b"/d", b"a/../b", b"//", b""] {
        refuses(
            "a directory",
            &first().header(&Header::of(b'5', name, 0)).end(),
            UnsafePath,
            FIRST,
        );
    }
    let with_bytes = first().header(&Header::of(b'5', b"d", 1)).filled(b"1").end();
    refuses("a directory with bytes", &with_bytes, Format, FIRST);
    let records = first().records(&[("size", b"512")]).header(&Header::of(b'5', b"d", 0)).end();
    refuses("a directory with bytes by its records", &records, Format, FIRST);
}

#[test]
fn what_is_no_file_is_refused_by_name() {
    for kind in *b"12346DMVXN?" {
        let archive = first().header(&Header::of(kind, b"db/t", 0)).end();
        refuses("a link or device", &archive, Unsupported, FIRST);
        let error = decode(&archive).result.unwrap_err();
        assert_eq!(error.path().unwrap().to_str(), Some("db/t"), "{error}");
    }
    accepts(&new().header(&Header::of(b'7', b"a", 1)).filled(b"1").end(), &[("a", b"1")]);
    accepts(&new().header(&Header::of(0, b"a", 1)).filled(b"1").end(), &[("a", b"1")]);
}

#[test]
fn names_are_checked_wherever_they_come_from() {
    let long = b"n".repeat(256);
    for name in [&b"../a"[..], b"/a", b"a/../../b", b"", b".", b"a/.."] {
        let plain = first().header(&Header::file(name, 0)).end();
        refuses("a name", &plain, UnsafePath, FIRST);
    }
    for name in [&b"../a"[..], b"/a", &long] {
        let records = first().records(&[("path", name)]).header(&Header::file(b"b", 0)).end();
        refuses("a name in records", &records, UnsafePath, FIRST);
        let link = Header::of(b'L', b"././@LongLink", name.len() as u64 + 1);
        let gnu = first().header(&link).filled(name).header(&Header::file(b"b", 0)).end();
        refuses("a long name", &gnu, UnsafePath, FIRST);
    }
    let prefix = Header::file(b"x", 0).put(345, b"../y").right();
    refuses("a prefix", &first().header(&prefix).end(), UnsafePath, FIRST);
    // In GNU's headers there are times in its place.
    let gnu = Header::file(b"x", 0).put(257, b"ustar  \0").put(345, b"../y").right();
    accepts(&new().header(&gnu).end(), &[("x", b"")]);
    let nul = first().records(&[("path", b"a\0b")]).header(&Header::file(b"b", 0)).end();
    refuses("a NUL", &nul, UnsafePath, FIRST);
    let path = [b"d/".repeat(2047).as_slice(), b"ab"].concat();
    let too_long = first().records(&[("path", &path)]).header(&Header::file(b"b", 0)).end();
    refuses("4096 bytes", &too_long, Limit, FIRST);
    refuses("one name twice", &first().file(b"./a", b"2").end(), Format, FIRST);
    accepts(
        &new().records(&[("path", b"x"), ("path", b"y")]).file(b"a", b"1").end(),
        &[("y", b"1")],
    );
}

#[test]
fn what_is_said_about_a_member_is_bounded_and_not_said_twice() {
    let file = Header::file(b"a", 1);
    let long = |name: &[u8]| {
        let link = Header::of(b'L', b"././@LongLink", name.len() as u64);
        new().header(&link).filled(name)
    };
    accepts(&long(b"db/t\0").header(&file).filled(b"1").end(), &[("db/t", b"1")]);
    accepts(&long(b"db/t").header(&file).filled(b"1").end(), &[("db/t", b"1")]);
    let both = long(b"db/t\0").records(&[("path", b"db/t")]).header(&file).filled(b"1").end();
    accepts(&both, &[("db/t", b"1")]);
    let differ = long(b"db/t\0").records(&[("path", b"db/u")]).header(&file).filled(b"1").end();
    refuses("two names", &differ, Format, 0);
    let twice = new().records(&[("path", b"b")]).records(&[("path", b"b")]);
    refuses("records twice", &twice.header(&file).filled(b"1").end(), Format, 0);
    let huge = first().header(&Header::of(b'x', b"r", limits::TAR_EXTENSION + 1)).end();
    refuses("huge records", &huge, Limit, FIRST);
    let dangling = first().records(&[("path", b"b")]).end();
    refuses("records for nothing", &dangling, Format, FIRST);
    refuses("cut behind records", &first().records(&[("path", b"b")]).0, Truncated, FIRST + 1024);
    let broken = first().header(&Header::of(b'x', b"r", 5)).filled(b"junk\n").end();
    refuses("broken records", &broken, Format, FIRST);

    let sized = new().records(&[("size", b"3")]).header(&file).filled(b"123").end();
    accepts(&sized, &[("a", b"123")]);
    let beyond = limits::MEMBER_SIZE + 1;
    let huge = new().records(&[("size", beyond.to_string().as_bytes())]).header(&file).end();
    refuses("a huge size", &huge, Limit, 0);
    let huge = Header::file(b"b", 0).put(124, &[&[0x80, 0, 0, 0, 0x7f], &[0; 7][..]].concat());
    let huge = first().header(&huge.right()).end();
    refuses("a huge size", &huge, Limit, FIRST);
    let negative = Header::file(b"b", 0).put(124, &[0xff; 12]).right();
    refuses("a negative size", &first().header(&negative).end(), Format, FIRST);

    let mut global = Vec::new();
    append_global(&mut global, "for all");
    accepts(&[&global[..], &first().end()].concat(), &[("a", b"1")]);
    for (key, value) in [("path", &b"x"[..]), ("size", b"1"), ("GNU.sparse.major", b"1")] {
        let archive = new().records_of(b'g', &[(key, value)]).file(b"a", b"1").end();
        refuses("for all members", &archive, Format, 0);
    }
    let volumes = new().records(&[("GNU.volume.offset", b"1")]).file(b"a", b"1").end();
    refuses("volumes", &volumes, Unsupported, 0);
}

#[test]
fn a_damaged_header_is_known_by_its_sum() {
    let bad = Header::file(b"b", 0).put(0, b"c");
    refuses("a changed name", &first().header(&bad).end(), Checksum, FIRST);
    let none = Header::file(b"b", 0).put(148, b"        ");
    refuses("no sum", &first().header(&none).end(), Format, FIRST);
    refuses("text", &[b'x'; 512], Format, 0);
    // Signed, as some old programs had it: 0xff counts as -1.
    let signed = Header::file(b"\xff", 0).right();
    let sum: i32 = signed
        .0
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { i32::from(byte.cast_signed()) })
        .sum();
    let signed = signed.put(148, format!("{sum:06o}\0 ").as_bytes());
    assert_eq!(decode(&new().header(&signed).end()).accepted().len(), 1);
}

/// The three layouts of records, and the old one with a map that goes on in a further block.
#[test]
fn files_with_holes_are_read_in_each_layout() {
    let mut expected = vec![0; 3000];
    expected[600..610].copy_from_slice(b"0123456789");
    expected[2000..2003].copy_from_slice(b"abc");
    for (_, archive) in sparse_samples() {
        accepts(&archive, &[("t", &expected)]);
    }
}

#[test]
fn maps_that_lie_are_refused() {
    let with = |map: &[u8], size: &[u8], stored: u64| {
        first()
            .records(&[("GNU.sparse.size", size), ("GNU.sparse.map", map)])
            .header(&Header::file(b"t", stored))
            .filled(&vec![b'x'; stored as usize])
            .end()
    };
    accepts(&with(b"1,1", b"3", 1), &[("a", b"1"), ("t", b"\0x\0")]);
    for (what, archive) in [
        ("overlap", with(b"0,5,4,5", b"20", 10)),
        ("order", with(b"10,5,0,5", b"20", 10)),
        ("beyond the size", with(b"15,6", b"20", 6)),
        ("fewer data", with(b"0,5", b"20", 6)),
        ("more data", with(b"0,5", b"20", 4)),
        ("overflow", with(b"9223372036854775807,9223372036854775807", b"20", 4)),
    ] {
        refuses(what, &archive, Format, FIRST);
    }
    let huge = (limits::MEMBER_SIZE + 1).to_string();
    refuses("a huge file", &with(b"", huge.as_bytes(), 0), Format, FIRST);
    refuses("a huge file", &with(b"0,0", huge.as_bytes(), 0), Limit, FIRST);

    let before = |map: &[u8], stored: u64| {
        let mut body = map.to_vec();
        body.resize(stored as usize, b'0');
        first()
            .records(&[("GNU.sparse.major", b"1"), ("GNU.sparse.realsize", b"9")])
            .header(&Header::file(b"t", stored))
            .filled(&body)
            .end()
    };
    refuses("a map without end", &before(b"9\n", 512), Format, FIRST);
    refuses("no number", &before(b"1\nx\n", 512), Format, FIRST);
    refuses("a long number", &before(b"000000000000000000000000", 512), Format, FIRST);
    refuses("a short map", &before(b"1\n0\n", 3), Format, FIRST);
    let version = first()
        .records(&[("GNU.sparse.major", b"2"), ("GNU.sparse.realsize", b"9")])
        .file(b"t", b"")
        .end();
    refuses("a version", &version, Unsupported, FIRST);
}

#[test]
fn a_cut_is_refused_everywhere_but_behind_a_whole_archive() {
    let mut cuts = 0;
    for (name, archive) in samples() {
        decode(&archive).accepted();
        for len in 0..archive.len() {
            let outcome = decode_by(Decoder::new(), &archive[..len], || 100);
            // Behind the first archive of two, all is there that makes one.
            if name == "two" && len == 2048 {
                assert_eq!(outcome.accepted(), files(&[("a", b"1")]));
                continue;
            }
            let error = outcome.result.expect_err("a prefix");
            let found = (error.kind(), error.stream_offset());
            // What follows an archive is known to be another one when its header is whole.
            let expected = match name {
                "two" if (2049..2560).contains(&len) => (Format, Some(2048)),
                _ => (Truncated, Some(len as u64)),
            };
            assert_eq!(found, expected, "{name} cut to {len}: {error}");
            cuts += 1;
        }
    }
    assert!(cuts > 20_000, "only {cuts} cuts");
}

/// The header's sum covers the header alone. So a flipped bit in a member's bytes changes them
/// unseen, in records or a map it may change a name or a place, in what fills a block up it
/// changes nothing, and in a header it is seen: only blanks around the sum's digits may differ.
#[test]
fn a_flipped_bit_is_seen_in_headers_and_changes_little_elsewhere() {
    let (mut seen, mut unseen) = (0, 0);
    for (name, archive) in samples() {
        let whole = decode(&archive).accepted();
        let headers: Vec<usize> = (0..archive.len() / 512)
            .filter(|block| archive[block * 512 + 257..].starts_with(b"ustar"))
            .collect();
        for bit in 0..archive.len() * 8 {
            let mut flipped = archive.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let outcome = decode_by(Decoder::new(), &flipped, || 512);
            let in_header = headers.contains(&(bit / 8 / 512));
            match outcome.result {
                Err(error) => {
                    assert_ne!(error.kind(), InvalidState, "{name}, bit {bit}");
                    seen += 1;
                }
                Ok(()) if in_header => {
                    assert_eq!(outcome.files, whole, "{name}, bit {bit}");
                    assert!((148..156).contains(&(bit / 8 % 512)), "{name}, bit {bit}");
                }
                Ok(()) => {
                    // Nothing vanishes and nothing is added.
                    assert_eq!(outcome.files.len(), whole.len(), "{name}, bit {bit}");
                    unseen += 1;
                }
            }
        }
    }
    assert!(seen > 50_000 && unseen > 20_000, "{seen} seen, {unseen} unseen");
}
