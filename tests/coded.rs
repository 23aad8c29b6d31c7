//! Compressed and encrypted members: what goes in comes out, in one pass, whoever wrote the stream.

#![expect(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    reason = "a panic is how a test fails"
)]
#![expect(clippy::disallowed_methods, reason = "the tests make and read files")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::vectors::Vectors;
use xbkit::codec::{Codec, Compression, Key};
use xbkit::manifest::MANIFEST_NAME;
use xbkit::{
    Create, DecodeFiles, Error, ErrorKind, Event, Extract, ExtractReport, Format, Item, List,
    Silent, StreamReader, Verify,
};

/// Names and contents below a directory.
type Tree = BTreeMap<String, Vec<u8>>;

fn tree(dir: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in std::fs::read_dir(next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let name = path.strip_prefix(dir).expect("below it").to_string_lossy();
                if *name == *MANIFEST_NAME {
                    continue;
                }
                tree.insert(name.into_owned(), std::fs::read(&path).expect("a file"));
            }
        }
    }
    tree
}

/// Bytes that compress to about half.
fn content(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(len + 64);
    while bytes.len() < len {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.extend_from_slice(&state.to_le_bytes());
        bytes.extend_from_slice(b"row of a table");
    }
    bytes.truncate(len);
    bytes
}

fn sample() -> Tree {
    let mut tree = Tree::new();
    for (name, len) in [
        ("ibdata1", 5_000_000),
        ("db/t1.ibd", 1 << 20),
        ("db/t2.ibd", (1 << 20) + 1),
        ("db/small.frm", 100),
        ("db/empty.MYD", 0),
        ("db/64K.MYI", 65536),
        ("xtrabackup_checkpoints", 140),
        ("db/t1.ibd.meta", 45),
        (".rocksdb/000001.sst", 300_000),
        ("dump.sql.gz", 5000),
    ] {
        let bytes = content(len, len as u32);
        tree.insert(name.to_owned(), bytes);
    }
    tree
}

fn write(dir: &Path, tree: &Tree) {
    for (name, bytes) in tree {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, bytes).expect("a file");
    }
}

fn create(dir: &Path, tree: &Tree) -> Create {
    tree.keys().fold(Create::new().base(dir), Create::file)
}

fn stream(job: &Create) -> Vec<u8> {
    let mut stream = Vec::new();
    job.run(&mut stream, &mut Silent).expect("a stream");
    stream
}

fn names(stream: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut note = |event: &Event<'_>| {
        if let Event::Member { path, .. } = event {
            names.push(path.display().to_string());
        }
        std::ops::ControlFlow::Continue(())
    };
    List::new().run(&mut &*stream, &mut note).expect("a sound stream");
    names
}

/// What `job` makes of a stream, in a new directory.
fn extract(
    stream: &[u8],
    job: impl FnOnce(Extract) -> Extract,
) -> Result<(Tree, ExtractReport), Error> {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let target = scratch.path().join("target");
    // Waiting for the disk is none of these tests' business.
    let report = job(Extract::into_dir(&target).sync(false)).run(&mut &*stream, &mut Silent)?;
    Ok((tree(&target), report))
}

fn key(len: usize) -> Key {
    Key::new(&content(len, 7)).expect("a key")
}

const COMPRESSIONS: [(Option<Compression>, &str); 5] = [
    (None, ""),
    (Some(Compression::Quicklz), ".qp"),
    (Some(Compression::Lz4), ".lz4"),
    (Some(Compression::Zstd { level: 3 }), ".zst"),
    (Some(Compression::Gzip { level: 3 }), ".gz"),
];

#[test]
fn members_come_back_through_every_stack() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let expected = sample();
    write(scratch.path(), &expected);
    for (compression, suffix) in COMPRESSIONS {
        for encrypted in [false, true] {
            let mut job = create(scratch.path(), &expected).parallel(2).compress_threads(3);
            if let Some(compression) = compression {
                job = job.compress(compression);
            }
            if encrypted {
                job = job.encrypt(key(32)).encrypt_threads(2);
            }
            let stream = stream(&job);
            let layer = if encrypted { ".xbcrypt" } else { "" };
            let names = names(&stream);
            for (plain, stored) in [
                ("ibdata1", format!("ibdata1{suffix}{layer}")),
                ("db/empty.MYD", format!("db/empty.MYD{suffix}{layer}")),
                ("db/t1.ibd.meta", "db/t1.ibd.meta".to_owned()),
                ("xtrabackup_checkpoints", "xtrabackup_checkpoints".to_owned()),
                (".rocksdb/000001.sst", format!(".rocksdb/000001.sst{layer}")),
            ] {
                assert!(names.contains(&stored), "{plain} as {stored}: {names:?}");
            }
            let report = Verify::new().run(&mut &stream[..], &mut Silent).expect("proven");
            assert!(report.proven);
            for threads in [1, 3] {
                let (tree, report) = extract(&stream, |job| {
                    let job = if encrypted { job.key(key(32)) } else { job };
                    job.decode_threads(threads)
                })
                .expect("our own stream");
                assert!(tree == expected, "{compression:?} {encrypted} {:?}", tree.keys());
                assert!(report.proven);
                assert_eq!(report.members, expected.len() as u64);
                let bytes: usize = expected.values().map(Vec::len).sum();
                assert_eq!(report.payload_bytes, bytes as u64);
            }
        }
    }
}

/// Without a manifest, nothing but the name says what a member is; a plain stream with one keeps
/// a file that only looks compressed.
#[test]
fn files_that_only_look_compressed_stay() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let plain: Tree = ["a.qp", "b.zst", "c.lz4", "d.gz", "e.xbcrypt"]
        .map(|n| (n.to_owned(), content(99, 1)))
        .into();
    write(scratch.path(), &plain);
    let (tree, _) = extract(&stream(&create(scratch.path(), &plain)), |job| job).expect("proven");
    assert!(tree == plain);

    let job = create(scratch.path(), &plain).compress(Compression::Lz4).encrypt(key(16));
    let (tree, _) = extract(&stream(&job), |job| job.key(key(16))).expect("proven");
    assert!(tree == plain);

    let unannounced = stream(&create(scratch.path(), &plain).manifest(false));
    let error = extract(&unannounced, |job| job).expect_err("no archive");
    assert!(matches!(error.kind(), ErrorKind::Decompress | ErrorKind::Decrypt), "{error}");
    let (tree, _) =
        extract(&unannounced, |job| job.decompress(false).decrypt(false)).expect("as it is");
    assert!(tree == plain);
}

/// But for the IVs, a stream does not depend on threads.
#[test]
fn streams_are_the_same_for_every_number_of_threads() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let plain = sample();
    write(scratch.path(), &plain);
    for (compression, _) in COMPRESSIONS {
        let Some(compression) = compression else { continue };
        let job = |threads| {
            create(scratch.path(), &plain).compress(compression).compress_threads(threads)
        };
        let one = stream(&job(1));
        for threads in [2, 5, 16] {
            assert!(stream(&job(threads)) == one, "{compression:?} on {threads} threads");
        }
        let stored = |stream: &[u8]| -> BTreeMap<String, Vec<u8>> {
            extract(stream, |job| job.decompress(false)).expect("our own stream").0
        };
        // With several readers the members interleave in any way, but are the same.
        assert!(stored(&stream(&job(3).parallel(3))) == stored(&one), "{compression:?}");
    }
}

#[test]
fn layers_stay_that_were_not_asked_for() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let plain: Tree = [("t.ibd".to_owned(), content(200_000, 3))].into();
    write(scratch.path(), &plain);
    let job = create(scratch.path(), &plain).compress(Compression::Quicklz).encrypt(key(24));
    let stream = stream(&job);
    let only = |job: Extract| job.key(key(24)).decompress(false);
    let (tree, _) = extract(&stream, only).expect("our own stream");
    assert_eq!(tree.keys().collect::<Vec<_>>(), ["t.ibd.qp"]);
    assert_eq!(Codec::of_magic(&tree["t.ibd.qp"]), Some(Codec::Quicklz));
    let (tree, _) = extract(&stream, |job| job.decrypt(false)).expect("our own stream");
    assert_eq!(tree.keys().collect::<Vec<_>>(), ["t.ibd.qp.xbcrypt"]);
    let error = extract(&stream, |job| job).expect_err("no key");
    assert_eq!(error.kind(), ErrorKind::Key, "{error}");
    let error = extract(&stream, |job| job.key(key(16))).expect_err("another key");
    assert_eq!(error.kind(), ErrorKind::Decrypt, "{error}");
    assert_eq!(error.path(), Some(Path::new("t.ibd")));
}

#[test]
fn patterns_mean_names_of_files() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let plain = sample();
    write(scratch.path(), &plain);
    let stream = stream(&create(scratch.path(), &plain).compress(Compression::Lz4));
    for pattern in ["db/t1.ibd", "db/t1.ibd.lz4"] {
        let wanted = |job: Extract| job.member_pattern(pattern).expect("a pattern");
        let (tree, report) = extract(&stream, wanted).expect("our own stream");
        assert_eq!(tree.keys().collect::<Vec<_>>(), ["db/t1.ibd"]);
        assert_eq!(report.skipped, plain.len() as u64 - 1);
        assert_eq!(report.payload_bytes, 1 << 20);
    }
}

/// Every vector of the peers' pipelines restores in one pass.
#[test]
fn streams_of_the_peers_restore_in_one_pass() {
    let Some(vectors) = Vectors::find() else { return };
    let mut seen = 0;
    for vector in vectors.set("combined") {
        let made_by = vector.text("options");
        let key = made_by.split_once("--key='").or_else(|| made_by.split_once("-k '"));
        let key = key.and_then(|(_, rest)| rest.split('\'').next());
        let key = key.map(|key| Key::new(key.as_bytes()).expect("a key"));
        let key = key.or_else(|| {
            vector
                .name()
                .ends_with(".xbcrypt")
                .then(|| Key::new(b"open-key-32bytes-0123456789abcde").expect("a key"))
        });
        let (tree, _) = extract(&vector.stream(), |job| match &key {
            Some(key) => job.key(key.clone()),
            None => job,
        })
        .unwrap_or_else(|error| panic!("{}: {error}", vector.file()));
        if vector.name().starts_with("whole_stream") {
            let basic = vectors.set("xbstream");
            let basic = basic.iter().find(|one| one.name() == "basic.xbs").expect("basic.xbs");
            let (expected, _) = extract(&basic.stream(), |job| job).expect("a plain stream");
            assert!(tree == expected, "{}", vector.file());
            seen += 1;
            continue;
        }
        let mut expected = Tree::new();
        for member in vector.expected() {
            let Some(content) = member.content() else { return };
            let name = String::from_utf8(member.path.clone()).expect("UTF-8");
            expected.insert(name, content);
        }
        assert!(tree == expected, "{}: {:?}", vector.file(), tree.keys());
        seen += 1;
    }
    assert!(seen >= 10, "{seen} streams");
}

/// Layers around a whole stream, in any order, are found and come off.
#[test]
fn layers_around_a_stream_come_off() {
    use std::io::Write as _;
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let plain = sample();
    write(scratch.path(), &plain);
    let inner = stream(&create(scratch.path(), &plain));
    for (compression, _) in COMPRESSIONS {
        let mut writer = xbkit::EncodeWriter::new(Vec::new(), "backup").expect("a writer");
        if let Some(compression) = compression {
            writer = writer.compress(compression).expect("a level");
        }
        let mut writer = writer.encrypt(key(32));
        writer.write_all(&inner).expect("memory takes it");
        let outer = writer.finish().expect("memory takes it");
        let (tree, report) = extract(&outer, |job| job.key(key(32))).expect("our own stream");
        assert!(tree == plain && report.proven);
        let mut reader = StreamReader::with_key(&outer[..], &key(32)).expect("layers");
        let mut members = 0;
        while let Some(item) = reader.next_item().expect("a whole stream") {
            members += usize::from(matches!(item, Item::Close { .. }));
        }
        assert_eq!(members, plain.len());
        assert_eq!(reader.layers()[0], "xbcrypt");
        let verified = Verify::new().key(key(32)).run(&mut &outer[..], &mut Silent);
        assert!(verified.expect("proven").proven);
        for (job, kind) in [(None, ErrorKind::Key), (Some(key(16)), ErrorKind::Decrypt)] {
            let error = extract(&outer, |extract| match job {
                Some(key) => extract.key(key),
                None => extract,
            });
            assert_eq!(error.expect_err("no key").kind(), kind);
        }
    }
}

/// A backup that was extracted as it was stored is decoded where it lies.
#[test]
fn files_in_a_directory_are_decoded() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let plain = sample();
    write(scratch.path(), &plain);
    for (compression, encrypted) in [
        (Some(Compression::Quicklz), false),
        (Some(Compression::Zstd { level: 1 }), true),
        (None, true),
    ] {
        let mut job = create(scratch.path(), &plain);
        if let Some(compression) = compression {
            job = job.compress(compression);
        }
        if encrypted {
            job = job.encrypt(key(24));
        }
        let stream = stream(&job);
        let target = tempfile::tempdir().expect("a scratch directory");
        let stored = target.path().join("stored");
        let extract = Extract::into_dir(&stored).decompress(false).decrypt(false);
        extract.run(&mut &stream[..], &mut Silent).expect("our own stream");
        let before = tree(&stored);
        std::os::unix::fs::symlink("ibdata1", stored.join("link.qp")).expect("a link");
        let decode = |job: DecodeFiles| if encrypted { job.key(key(24)) } else { job };

        if encrypted {
            for (job, kind) in [
                (DecodeFiles::in_dir(&stored).remove_original(true), ErrorKind::Key),
                (
                    DecodeFiles::in_dir(&stored).key(key(32)).remove_original(true),
                    ErrorKind::Decrypt,
                ),
            ] {
                let error = job.parallel(2).run(&mut Silent).expect_err("no key");
                assert_eq!(error.kind(), kind, "{error}");
                std::fs::remove_file(stored.join("link.qp")).expect("the link");
                assert!(tree(&stored) == before, "input and nothing else");
                std::os::unix::fs::symlink("ibdata1", stored.join("link.qp")).expect("a link");
            }
        }
        let kept = decode(DecodeFiles::in_dir(&stored)).parallel(3).run(&mut Silent);
        let kept = kept.expect("our own files");
        std::fs::remove_file(stored.join("link.qp")).expect("the link");
        let both: Tree = before.iter().chain(&plain).map(|(n, b)| (n.clone(), b.clone())).collect();
        assert!(tree(&stored) == both);
        let coded = before.keys().filter(|name| !plain.contains_key(*name)).count();
        assert_eq!(kept.members, coded as u64);
        decode(DecodeFiles::in_dir(&stored).remove_original(true)).run(&mut Silent).expect("again");
        assert!(tree(&stored) == plain);
    }
}

/// What cannot be decoded stays, and nothing half is left.
#[test]
fn a_damaged_file_in_a_directory_stays() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let plain: Tree = [("t.ibd".to_owned(), content(300_000, 5))].into();
    write(scratch.path(), &plain);
    let stream = stream(&create(scratch.path(), &plain).compress(Compression::Lz4));
    let (mut stored, _) = extract(&stream, |job| job.decompress(false)).expect("our own stream");
    let bytes = stored.get_mut("t.ibd.lz4").expect("the member");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let dir = scratch.path().join("bad");
    std::fs::create_dir(&dir).expect("a directory");
    write(&dir, &stored);
    let error = DecodeFiles::in_dir(&dir).remove_original(true).run(&mut Silent);
    assert!(matches!(
        error.expect_err("a flipped bit").kind(),
        ErrorKind::Checksum | ErrorKind::Decompress
    ));
    assert!(tree(&dir) == stored);
}

/// A tar archive is compressed and encrypted as a whole, the same on any number of threads.
#[test]
fn archives_are_coded_as_a_whole() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let plain = sample();
    write(scratch.path(), &plain);
    for (compression, _) in COMPRESSIONS {
        let job = |threads| {
            let job = create(scratch.path(), &plain).format(Format::Tar).parallel(2);
            match compression {
                Some(compression) => job.compress(compression).compress_threads(threads),
                None => job.encrypt(key(32)).encrypt_threads(threads),
            }
        };
        let one = stream(&job(1));
        let coded = compression.map_or(Codec::Xbcrypt, Compression::codec);
        assert_eq!(Codec::of_magic(&one), Some(coded));
        if compression.is_some() {
            assert!(stream(&job(4)) == one, "{compression:?}");
        }
        let (tree, report) = extract(&one, |job| job.key(key(32))).expect("our own stream");
        assert!(tree == plain && report.proven);
    }
}

/// Streams of coded members, cut at every byte and with every byte flipped: an error and nothing
/// left, or the very files. Without a manifest it is the codecs that notice.
#[test]
fn cuts_and_flips_are_noticed_through_every_stack() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let plain: Tree =
        [("t.ibd".to_owned(), content(700, 9)), ("e.opt".to_owned(), Vec::new())].into();
    write(scratch.path(), &plain);
    for (compression, suffix) in COMPRESSIONS {
        if suffix == ".gz" {
            continue; // without a manifest nothing says that it is one
        }
        for encrypted in [false, true] {
            let mut job = create(scratch.path(), &plain).manifest(false).encrypt_chunk_size(1024);
            if let Some(compression) = compression {
                job = job.compress(compression);
            }
            if encrypted {
                job = job.encrypt(key(16));
            }
            if compression.is_none() && !encrypted {
                continue;
            }
            let whole = stream(&job);
            let ends: Vec<usize> =
                (0..whole.len()).filter(|at| whole[*at..].starts_with(b"XBSTCK01\0E")).collect();
            let decode = |stream: &[u8]| extract(stream, |job| job.key(key(16)));
            for at in 0..whole.len() {
                // Between two members of a stream without manifest nobody can know.
                let between = whole[at..].starts_with(b"XBSTCK01")
                    && ends.iter().filter(|end| **end < at).count() == 1
                    && ends.last().is_some_and(|last| *last >= at)
                    && !ends.contains(&at);
                if !between || at == 0 {
                    assert!(decode(&whole[..at]).is_err(), "{suffix} {encrypted} cut at {at}");
                }
                let mut bad = whole.clone();
                bad[at] ^= 1 << (at % 8);
                let Ok((files, _)) = decode(&bad) else { continue };
                // Names and suffixes have no checksum of their own without a manifest.
                let contents = |tree: &Tree| {
                    let mut all: Vec<Vec<u8>> = tree.values().cloned().collect();
                    all.sort();
                    all
                };
                let renamed = files.keys().ne(plain.keys());
                assert!(renamed || contents(&files) == contents(&plain), "{suffix} flip at {at}");
            }
        }
    }
}
