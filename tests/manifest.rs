//! The manifest: a stream that has one is accepted as it was made, and in no other way.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a panic is how a test fails, and each has a directory of its own"
)]

mod common;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use common::build::{Chunks, noise};
use common::chunks::{self, Chunk, Field};
use common::peers;
use common::sandbox::{Sandbox, WAYS, Way};
use common::tree;
use serde_json::Value;
use xbkit::manifest::MANIFEST_NAME;
use xbkit::{
    Create, DamagedPages, Dialect, Error, ErrorKind, Extract, Format, List, Result, Silent,
    StreamReader, StreamReport, StreamWriter, Verify,
};

fn verify(stream: &[u8]) -> Result<StreamReport> {
    Verify::new().run(&mut { stream }, &mut Silent)
}

/// Extracts into memory of the file system, and gives what the job said.
fn extract(stream: &[u8], parallel: usize) -> Result<bool> {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("out");
    let job = Extract::into_dir(&target).parallel(parallel).sync(false);
    let result = job.run(&mut { stream }, &mut Silent).map(|report| report.proven);
    if result.is_err() {
        let left = fs::read_dir(&target).map_or(0, Iterator::count);
        assert_eq!(left, 0, "a failed extraction left something");
    }
    result
}

/// A stream is refused by everything that reads one.
#[track_caller]
fn refused(what: &str, stream: &[u8]) -> Error {
    let error = verify(stream).expect_err(what);
    for parallel in [1, 2] {
        let other = extract(stream, parallel).expect_err(what);
        assert_eq!(other.to_string(), error.to_string(), "{what}, {parallel} threads");
        assert_eq!(other.kind(), error.kind(), "{what}");
    }
    let mut reader = StreamReader::new(stream).unwrap();
    let read = loop {
        match reader.next_item() {
            Ok(Some(_)) => {}
            end => break end.map(drop),
        }
    };
    assert_eq!(read.expect_err(what).to_string(), error.to_string(), "{what}: reader");
    error
}

#[track_caller]
fn proven(what: &str, stream: &[u8]) {
    assert!(verify(stream).unwrap_or_else(|error| panic!("{what}: {error}")).proven, "{what}");
    for parallel in [1, 2] {
        assert!(extract(stream, parallel).unwrap(), "{what}");
    }
    assert!(List::new().run(&mut { stream }, &mut Silent).unwrap().proven, "{what}");
    let mut reader = StreamReader::new(stream).unwrap();
    while reader.next_item().unwrap().is_some() {
        assert!(!reader.is_proven());
    }
    assert!(reader.is_proven(), "{what}");
}

fn write(members: &[(&str, &[u8])], dialect: Dialect) -> Vec<u8> {
    let writer = StreamWriter::new(Format::Xbstream, Vec::new()).dialect(dialect);
    for (name, bytes) in members {
        let mut entry = writer.entry(name).unwrap();
        entry.write_all(bytes).unwrap();
        entry.finish().unwrap();
    }
    writer.finish().unwrap()
}

/// Streams of every shape that the writers make, small enough for every bit to be flipped.
fn corpus() -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![
        ("no members", write(&[], Dialect::Common)),
        ("one empty member", write(&[("a", b"")], Dialect::Common)),
        (
            "members",
            write(&[("ibdata1", b"page"), ("db/t.ibd", b"row row"), ("e", b"")], Dialect::Common),
        ),
    ];
    let writer = StreamWriter::new(Format::Xbstream, Vec::new()).dialect(Dialect::Percona);
    let (mut a, mut b) = (writer.entry("db/a").unwrap(), writer.entry("b\u{e4}").unwrap());
    a.write_all(b"data").unwrap();
    b.write_all(b"other").unwrap();
    a.hole(40).unwrap();
    a.write_all(b"behind").unwrap();
    a.finish().unwrap();
    b.hole(7).unwrap();
    b.finish().unwrap();
    all.push(("interleaved, with holes", writer.finish().unwrap()));
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("x"), noise(1, 300)).unwrap();
    fs::write(dir.path().join("y"), "").unwrap();
    let mut created = Vec::new();
    Create::new().base(dir.path()).file("x").file("y").run(&mut created, &mut Silent).unwrap();
    all.push(("created", created));
    all
}

#[test]
fn what_is_made_is_proven() {
    for (name, stream) in corpus() {
        proven(name, &stream);
    }
}

/// Whoever hashes a member, a reader or the thread that writes, tells the same of it; and as many
/// threads as read it, the members and what the manifest says of them are the same.
#[test]
fn files_of_all_sizes_are_proven_however_they_are_read() {
    const CHUNK: usize = 64 << 10;
    let dir = tempfile::tempdir().unwrap();
    let sizes = [0, 1, CHUNK - 1, 0, CHUNK, 512, 3 * CHUNK, 0, 0, 2 * CHUNK + 1, CHUNK + 1, 700, 0];
    let files: Vec<(String, Vec<u8>)> = (0_u32..)
        .zip(sizes)
        .map(|(number, size)| (format!("f{number:02}"), noise(number, size)))
        .collect();
    // Holes that are left out, in more stretches than a chunk's map holds.
    let holes: Vec<u8> = (0..300).flat_map(|_| [noise(7, 4096), vec![0; 4096]].concat()).collect();
    let sparse = fs::File::create(dir.path().join("sparse")).unwrap();
    for (number, data) in holes.chunks(8192).enumerate() {
        let at = number as u64 * 8192;
        std::os::unix::fs::FileExt::write_all_at(&sparse, &data[..4096], at).unwrap();
    }
    sparse.set_len(holes.len() as u64).unwrap();
    let mut job = Create::new().base(dir.path()).chunk_size(CHUNK).file("sparse");
    for (name, bytes) in &files {
        fs::write(dir.path().join(name), bytes).unwrap();
        job = job.file(name);
    }
    for (format, dialect) in [
        (Format::Xbstream, Dialect::Common),
        (Format::Xbstream, Dialect::Percona),
        (Format::Tar, Dialect::Common),
    ] {
        let mut of_one = Vec::new();
        for parallel in [1, 1, 2, 3] {
            let what = format!("{format:?}, {dialect:?}, {parallel} readers");
            let mut stream = Vec::new();
            let job = job.clone().format(format).dialect(dialect).parallel(parallel);
            let report = job.run(&mut stream, &mut Silent).unwrap();
            assert_eq!(report.members, 1 + files.len() as u64, "{what}");
            proven(&what, &stream);
            let out = tempfile::tempdir().unwrap();
            Extract::into_dir(out.path()).run(&mut &stream[..], &mut Silent).unwrap();
            for (name, bytes) in &files {
                assert!(fs::read(out.path().join(name)).unwrap() == *bytes, "{what}: {name}");
            }
            assert!(fs::read(out.path().join("sparse")).unwrap() == holes, "{what}");
            let manifest = fs::read_to_string(out.path().join(MANIFEST_NAME)).unwrap();
            let manifest: Value = serde_json::from_str(&manifest).unwrap();
            for member in manifest["members"].as_array().unwrap() {
                let name = member["path"].as_str().unwrap();
                let Some((_, bytes)) = files.iter().find(|(file, _)| file == name) else {
                    continue;
                };
                let hash = blake3::hash(bytes).to_hex();
                assert_eq!(member["blake3"], hash.as_str(), "{what}: {name}");
            }
            if parallel == 1 && of_one.is_empty() {
                of_one = stream;
            } else if parallel == 1 || format == Format::Tar {
                assert!(stream == of_one, "{what}: the bytes differ from run to run");
            }
        }
    }
}

#[test]
fn every_cut_is_refused() {
    for (name, stream) in corpus() {
        for len in 0..stream.len() {
            let what = format!("{name} cut to {len}");
            // Extraction is the same code behind the same decoder; it is tried on some.
            let error = match len % 5 {
                0 => refused(&what, &stream[..len]),
                _ => verify(&stream[..len]).expect_err(&what),
            };
            assert_eq!(error.kind(), ErrorKind::Truncated, "{name} cut to {len}: {error}");
        }
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let mut flips = 0;
    for (name, mut stream) in corpus() {
        for at in 0..stream.len() {
            for bit in 0..8 {
                stream[at] ^= 1 << bit;
                let what = format!("{name}, bit {bit} of byte {at}");
                if (8 * at + bit) % 31 == 0 {
                    refused(&what, &stream);
                } else {
                    verify(&stream).expect_err(&what);
                }
                stream[at] ^= 1 << bit;
                flips += 1;
            }
        }
    }
    assert!(flips > 20_000, "only {flips} flips");
}

/// The stream with the flags of one that has a manifest.
fn flagged(mut stream: Vec<u8>) -> Vec<u8> {
    for chunk in chunks::chunks(&stream.clone()) {
        let is_manifest = chunk.part(&stream, Field::Path).ends_with(MANIFEST_NAME.as_bytes());
        stream[chunk.begin + 8] = if chunk.begin == 0 || is_manifest { 0x80 } else { 0x90 };
    }
    stream
}

/// The chunks of a stream of three members, by member.
fn pieces(stream: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut pieces: Vec<(String, Vec<u8>)> = Vec::new();
    for chunk in chunks::chunks(stream) {
        let Chunk { begin, end, .. } = chunk;
        let name = chunk.part(stream, Field::Path).escape_ascii().to_string();
        let bytes = &stream[begin..end];
        match pieces.iter_mut().find(|piece| piece.0 == name) {
            Some(piece) => piece.1.extend_from_slice(bytes),
            None => pieces.push((name, bytes.to_vec())),
        }
    }
    pieces
}

#[test]
fn members_removed_renamed_swapped_added_or_appended_are_refused() {
    let stream = write(&[("aa", b"first"), ("bb", b"second"), ("cc", b"")], Dialect::Common);
    let parts = pieces(&stream);
    assert_eq!(parts.len(), 4);
    let join = |order: &[usize]| -> Vec<u8> {
        let all: Vec<u8> = order.iter().flat_map(|at| parts[*at].1.clone()).collect();
        // Whoever moves members about announces the manifest as it must be.
        flagged(all)
    };
    assert_eq!(join(&[0, 1, 2, 3]), stream);
    for order in [&[1, 2, 3][..], &[0, 2, 3], &[0, 1, 3], &[3], &[1, 0, 2, 3], &[0, 2, 1, 3]] {
        let error = refused(&format!("{order:?}"), &join(order));
        assert_eq!(error.kind(), ErrorKind::Checksum, "{order:?}: {error}");
    }
    for (order, kind) in [
        (&[0, 1, 2][..], ErrorKind::Truncated),
        (&[0, 1, 3, 2], ErrorKind::Checksum),
        (&[0, 1, 2, 3, 3], ErrorKind::Format),
    ] {
        let error = refused(&format!("{order:?}"), &join(order));
        assert_eq!(error.kind(), kind, "{order:?}: {error}");
    }
    let mut renamed = stream.clone();
    for at in 0..renamed.len() - 2 {
        if &renamed[at..at + 2] == b"bb" && renamed[at - 4..at] == [2, 0, 0, 0] {
            renamed[at] = b'x';
        }
    }
    let error = refused("renamed", &renamed);
    assert_eq!((error.kind(), error.path()), (ErrorKind::Checksum, Some(Path::new("bb"))));

    let bare = {
        let writer = StreamWriter::new(Format::Xbstream, Vec::new()).manifest(false).unwrap();
        writer.entry("dd").unwrap().finish().unwrap();
        writer.finish().unwrap()
    };
    let mut added = join(&[0, 1, 2]);
    added.extend_from_slice(&bare);
    added.extend_from_slice(&parts[3].1);
    assert_eq!(refused("added", &added).kind(), ErrorKind::Checksum);
    for (what, both) in [
        ("behind itself", [&stream[..], &stream].concat()),
        ("behind a bare one", [&bare[..], &stream].concat()),
        ("a bare one behind it", [&stream[..], &bare].concat()),
        ("a byte behind it", [&stream[..], b"\0"].concat()),
        ("text behind it", [&stream[..], b"XBSTCK01"].concat()),
    ] {
        assert_eq!(refused(what, &both).kind(), ErrorKind::Format, "{what}");
    }
    // Bytes of a member, changed together with their checksum.
    let mut changed = stream.clone();
    let at = changed.windows(5).position(|bytes| bytes == b"first").unwrap();
    changed[at..at + 5].copy_from_slice(b"worst");
    let crc = xbkit::format::xbstream::crc32(b"worst");
    changed[at - 4..at].copy_from_slice(&crc.to_le_bytes());
    let error = refused("changed", &changed);
    assert_eq!((error.kind(), error.path()), (ErrorKind::Checksum, Some(Path::new("aa"))));
}

/// What loses its beginning loses the announcement with it, at the border of any chunk.
#[test]
fn a_stream_without_its_beginning_is_refused() {
    for (name, stream) in corpus() {
        let borders: Vec<usize> = chunks::chunks(&stream).iter().map(|chunk| chunk.begin).collect();
        for border in &borders[1..] {
            refused(&format!("{name} from {border}"), &stream[*border..]);
        }
        // Without the first chunk alone, and with others before it.
        let second = borders[1];
        refused(name, &[&Chunks::default().end(b"other").0, &stream[second..]].concat());
        refused(name, &[&Chunks::default().end(b"other").0, &stream[..]].concat());
    }
}

/// Every chunk says that it belongs to a stream with a manifest, so whatever stretch of whole chunks
/// is left of one, behind other data or not, is not taken for a stream.
#[test]
fn no_stretch_of_whole_chunks_passes_for_a_stream() {
    let mut stretches = 0;
    for (name, stream) in corpus() {
        let mut borders: Vec<usize> = chunks::chunks(&stream).iter().map(|it| it.begin).collect();
        borders.push(stream.len());
        let other = Chunks::default().end(b"other").0;
        for (nth, begin) in borders.iter().enumerate().skip(1) {
            for end in &borders[nth + 1..] {
                let what = format!("{name}, {begin} to {end}");
                let error = refused(&what, &stream[*begin..*end]);
                let is_within = stream[begin + 8] == 0x90;
                assert!(!is_within || error.kind() == ErrorKind::Format, "{what}: {error}");
                let allowed = Verify::new().allow_unproven(true);
                allowed.run(&mut &stream[*begin..*end], &mut Silent).expect_err(&what);
                refused(&what, &[&other, &stream[*begin..*end]].concat());
                stretches += 1;
            }
        }
        // All but the announcement.
        let mut unannounced = stream.clone();
        unannounced[8] = 0;
        refused(name, &unannounced);
        if borders.len() > 3 {
            refused(name, &unannounced[..borders[2]]);
        }
    }
    assert!(stretches >= 50, "only {stretches}");
}

/// Nothing else hashes what chunks hold that readers may ignore.
#[test]
fn ignorable_chunks_are_proven_too() {
    let ignorable = |body: &[u8]| Chunks::default().like_payload(1, b'Z', b"z", body).0;
    let (before, chunk) = (flagged(Chunks::default().end(b"a").0), ignorable(b"one"));
    let framing = [&before[..], &chunk].concat();
    let text = format!(
        "{{\"xbkit_manifest\":1,\"members\":[\n{{\"path\":\"a\",\"size\":0,\"blake3\":\"{}\"}}\n\
         ],\"count\":1,\"payload_bytes\":0,\"framing\":{{\"bytes\":{},\"blake3\":\"{}\"}},\n",
        blake3::hash(b"").to_hex(),
        framing.len(),
        blake3::hash(&framing).to_hex()
    );
    let text = format!("{text}\"blake3\":\"{}\"}}\n", blake3::hash(text.as_bytes()).to_hex());
    let manifest = |name: &[u8]| {
        let chunks = Chunks::default().payload(name, 0, text.as_bytes()).end(name);
        let mut chunks = chunks.0;
        for chunk in chunks::chunks(&chunks.clone()) {
            chunks[chunk.begin + 8] = 0x80;
        }
        chunks
    };
    let name = MANIFEST_NAME.as_bytes();
    proven("ignorable", &[&before[..], &chunk, &manifest(name)].concat());
    refused("other bytes", &[&before[..], &ignorable(b"two"), &manifest(name)].concat());
    // The manifest has one spelling.
    let spelt = [b"./", name].concat();
    refused("another spelling", &[&before[..], &chunk, &manifest(&spelt)].concat());
}

/// A manifest as a file that somebody streamed is a file.
#[test]
fn a_manifest_of_another_stream_is_a_file_like_others() {
    let dir = tempfile::tempdir().unwrap();
    let stream = write(&[("ibdata1", b"page"), ("b", b"")], Dialect::Common);
    Extract::into_dir(dir.path()).run(&mut &stream[..], &mut Silent).unwrap();
    assert!(dir.path().join(MANIFEST_NAME).is_file());
    let again = |names: &[&str], manifest| {
        let mut out = Vec::new();
        let job = Create::new().base(dir.path()).manifest(manifest);
        names.iter().fold(job, Create::file).run(&mut out, &mut Silent).map(|_| out)
    };
    let error = again(&["b", MANIFEST_NAME], true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    // A directory of that name would take the manifest's place.
    let below = Path::new(MANIFEST_NAME).join("c");
    let job = Create::new().base(dir.path()).file_as(&below, "b");
    let error = job.run(&mut Vec::new(), &mut Silent).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::InvalidArgument, Some(&*below)));
    let bare = again(&["b", "ibdata1", MANIFEST_NAME], false).unwrap();
    assert!(!extract(&bare, 1).unwrap());
    assert_eq!(verify(&bare).unwrap_err().kind(), ErrorKind::Unproven);
    let report = List::new().run(&mut &bare[..], &mut Silent).unwrap();
    assert_eq!((report.members, report.proven), (3, false));
    // In the same order as before, too.
    let same = again(&["ibdata1", "b", MANIFEST_NAME], false).unwrap();
    assert!(!extract(&same, 2).unwrap());
    assert_eq!(verify(&same).unwrap_err().kind(), ErrorKind::Unproven);

    let writer = StreamWriter::new(Format::Xbstream, Vec::new());
    assert_eq!(writer.entry(MANIFEST_NAME).unwrap_err().kind(), ErrorKind::Exists);
    assert_eq!(writer.entry(&below).unwrap_err().kind(), ErrorKind::Exists);
    writer.entry("a").unwrap().finish().unwrap();
    assert_eq!(writer.manifest(false).unwrap_err().kind(), ErrorKind::InvalidState);
}

#[test]
fn a_writer_that_gives_up_between_two_members_is_seen() {
    let mut out = Vec::new();
    let writer = StreamWriter::new(Format::Xbstream, &mut out);
    writer.entry("a").unwrap().finish().unwrap();
    drop(writer);
    assert_eq!(refused("given up", &out).kind(), ErrorKind::Truncated);
}

/// The text is JSON with what the layout says, whatever the names.
#[test]
fn the_manifest_is_json_that_describes_the_stream() {
    use std::os::unix::ffi::OsStrExt as _;
    let writer = StreamWriter::new(Format::Xbstream, Vec::new());
    let names: [&[u8]; 4] = [b"a\"\\\n\x7f", "\u{e4}\u{1F980}".as_bytes(), b"\xff\xfe", b"z"];
    for name in names {
        let mut entry = writer.entry(std::ffi::OsStr::from_bytes(name)).unwrap();
        entry.write_all(name).unwrap();
        entry.finish().unwrap();
    }
    let stream = writer.finish().unwrap();
    proven("odd names", &stream);
    let dir = tempfile::tempdir().unwrap();
    Extract::into_dir(dir.path()).run(&mut &stream[..], &mut Silent).unwrap();
    let text = fs::read_to_string(dir.path().join(MANIFEST_NAME)).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["xbkit_manifest"], &json["count"]), (&Value::from(1), &Value::from(4)));
    let members = json["members"].as_array().unwrap();
    assert_eq!(members[0]["path"].as_str().unwrap().as_bytes(), names[0]);
    assert_eq!(members[1]["path"].as_str().unwrap().as_bytes(), names[1]);
    assert_eq!(members[2]["path_hex"], "fffe");
    for (member, name) in members.iter().zip(names) {
        assert_eq!(member["size"], name.len() as u64);
        assert_eq!(member["blake3"], blake3::hash(name).to_hex().to_string());
    }
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 7);
    let before = text.len() - lines[6].len() - 1;
    assert_eq!(json["blake3"], blake3::hash(&text.as_bytes()[..before]).to_hex().to_string());
}

/// Pages that were checked on their way are counted, and the stream's length was told before.
#[test]
fn the_manifest_counts_the_pages_that_were_checked() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("t.ibd"), vec![0; 3 << 14]).unwrap();
    let mut stream = Vec::new();
    let job = Create::new().base(dir.path()).file("t.ibd").check_pages(DamagedPages::Refuse);
    let report = job.run(&mut stream, &mut Silent).unwrap();
    assert_eq!(report.pages.zero, report.pages.pages);
    proven("checked pages", &stream);
    let out = tempfile::tempdir().unwrap();
    Extract::into_dir(out.path()).run(&mut &stream[..], &mut Silent).unwrap();
    let text = fs::read_to_string(out.path().join(MANIFEST_NAME)).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert!(report.pages.pages > 0);
    assert_eq!(
        json["pages"],
        serde_json::json!({
            "all": report.pages.pages, "unchecked": 0, "damaged": 0,
        })
    );
}

/// A manifest that is newer, longer or other than ours is refused, and by the right name.
#[test]
fn manifests_that_cannot_be_read_are_refused() {
    let stream = write(&[("a", b"1")], Dialect::Common);
    let dir = tempfile::tempdir().unwrap();
    Extract::into_dir(dir.path()).run(&mut &stream[..], &mut Silent).unwrap();
    let text = fs::read_to_string(dir.path().join(MANIFEST_NAME)).unwrap();
    let with = |text: &str| {
        let before = text.rfind("\"blake3\"").unwrap();
        let digest = blake3::hash(&text.as_bytes()[..before]).to_hex();
        let text = format!("{}\"blake3\":\"{digest}\"}}\n", &text[..before]);
        let bare = StreamWriter::new(Format::Xbstream, Vec::new()).manifest(false).unwrap();
        for (name, bytes) in [("a", "1"), (MANIFEST_NAME, &text)] {
            let mut entry = bare.entry(name).unwrap();
            entry.write_all(bytes.as_bytes()).unwrap();
            entry.finish().unwrap();
        }
        flagged(bare.finish().unwrap())
    };
    proven("as it was", &with(&text));
    proven("with more keys", &with(&text.replace("\"size\":1,", "\"size\":1,\"new\":{\"x\":1},")));
    let long = format!("\"size\":1,\"new\":\"{}\",", "x".repeat(70_000));
    for (what, text, kind) in [
        (
            "newer",
            text.replace("\"xbkit_manifest\":1", "\"xbkit_manifest\":2"),
            ErrorKind::Unsupported,
        ),
        ("long", text.replace("\"size\":1,", &long), ErrorKind::Limit),
        ("no size", text.replace("\"size\":1,", ""), ErrorKind::Format),
        ("another size", text.replace("\"size\":1,", "\"size\":2,"), ErrorKind::Checksum),
        ("a line more", text.replace("],\"count\"", "\n],\"count\""), ErrorKind::Format),
        ("another sum", text.replace("_bytes\":1,", "_bytes\":2,"), ErrorKind::Checksum),
        ("no sum", text.replace("\"payload_bytes\":1,", ""), ErrorKind::Format),
        ("another count", text.replace("\"count\":1", "\"count\":2"), ErrorKind::Checksum),
        (
            "another digest",
            text.replace("\"framing\":{\"bytes\":", "\"framing\":{\"bytes\":1"),
            ErrorKind::Checksum,
        ),
        ("cut", format!("{}\n\"blake3\":\"\"", text.lines().next().unwrap()), ErrorKind::Format),
    ] {
        let error = refused(what, &with(&text));
        assert_eq!(error.kind(), kind, "{what}: {error}");
    }
}

#[test]
fn layers_around_it_give_an_error_or_the_same_bytes() {
    let noise = noise(5, 3000);
    let stream = write(&[("ibdata1", &noise), ("db/t.ibd", b"row")], Dialect::Common);
    for (tool, args) in [("gzip", &["-c"][..]), ("zstd", &["-c"]), ("lz4", &["-c"])] {
        let Some(tool) = peers::peer(tool) else { continue };
        let mut child = Command::new(tool)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&stream).unwrap();
        let mut packed = child.wait_with_output().unwrap().stdout;
        assert!(verify(&packed).unwrap().proven);
        for len in 0..packed.len() {
            verify(&packed[..len]).expect_err("a cut layer");
        }
        let mut passed = 0;
        for at in 0..packed.len() {
            let bit = at % 8;
            packed[at] ^= 1 << bit;
            // What a layer ignores, such as a time in its header, may change; what is inside may not.
            passed += usize::from(verify(&packed).is_ok());
            packed[at] ^= 1 << bit;
        }
        assert!(passed < 16, "{passed} of {} flips passed", packed.len());
    }
}

#[test]
fn mbstream_extracts_it_unharmed() {
    let Some(mbstream) = peers::peer("mbstream") else { return };
    for (name, stream) in corpus() {
        if name.contains("holes") {
            continue; // no other reader than Percona's takes those
        }
        let theirs = tempfile::tempdir().unwrap();
        let mut child = Command::new(&mbstream)
            .args(["-x", "-C"])
            .arg(theirs.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&stream).unwrap();
        assert!(child.wait().unwrap().success(), "{name}");
        let ours = tempfile::tempdir().unwrap();
        Extract::into_dir(ours.path()).run(&mut &stream[..], &mut Silent).unwrap();
        assert!(tree::on_disk(theirs.path()) == tree::on_disk(ours.path()), "{name}");
        let manifest = |dir: &Path| fs::read(dir.join(MANIFEST_NAME)).unwrap();
        assert_eq!(manifest(theirs.path()), manifest(ours.path()), "{name}");
    }
}

/// Patterns leave members out of the directory, not out of the proof.
#[test]
fn members_that_nobody_asked_for_are_proven_too() {
    let mut stream = write(&[("a", b"first"), ("b", b"second")], Dialect::Common);
    let at = stream.windows(6).position(|bytes| bytes == b"second").unwrap();
    for parallel in [1, 2] {
        let sandbox = Sandbox::new();
        let job = || Extract::into_dir(sandbox.target()).parallel(parallel);
        let report = job().member_pattern("a").unwrap().run(&mut &stream[..], &mut Silent).unwrap();
        assert_eq!((report.members, report.skipped, report.proven), (1, 1, true));
        assert!(!sandbox.target().join(MANIFEST_NAME).exists());
        stream[at..at + 6].copy_from_slice(b"beyond");
        stream[at - 4..at]
            .copy_from_slice(&xbkit::format::xbstream::crc32(b"beyond").to_le_bytes());
        let sandbox = Sandbox::new();
        let job = Extract::into_dir(sandbox.target()).parallel(parallel);
        let error =
            job.member_pattern("a").unwrap().run(&mut &stream[..], &mut Silent).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Checksum, Some(Path::new("b"))));
        stream[at..at + 6].copy_from_slice(b"second");
        stream[at - 4..at]
            .copy_from_slice(&xbkit::format::xbstream::crc32(b"second").to_le_bytes());
    }
}

/// Every way of extracting writes the manifest beside the members, and counts only those.
#[test]
fn the_manifest_is_extracted_and_not_counted() {
    let stream = write(&[("a", b"first"), ("b", b"")], Dialect::Common);
    for way in WAYS {
        let sandbox = Sandbox::new();
        let report = Way::extract(way, &sandbox.target(), &stream).unwrap();
        assert_eq!((report.members, report.payload_bytes, report.proven), (2, 5, true), "{way:?}");
        assert!(sandbox.target().join(MANIFEST_NAME).is_file(), "{way:?}");
    }
}
