//! Holes: restored from sparse chunks and where page compression made them, and never where they
//! would change a byte. And trees without any, carried to `mbstream` and back.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a panic is how a test fails, and each has a directory of its own"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::build::noise;
use common::chunks::{Kind, chunks};
use common::sandbox::{Sandbox, WAYS};
use common::vectors::Vectors;
use common::{peers, server, tree};
use xbkit::{Create, Dialect, ErrorKind, Format, Silent, StreamWriter};

const BLOCK: u64 = 4096;

fn allocated(path: &Path) -> u64 {
    fs::metadata(path).unwrap().blocks() * 512
}

/// Whether files in temporary directories can have holes; says so if they cannot.
fn holes_are_possible(dir: &Path) -> bool {
    let path = dir.join("hole");
    fs::File::create(&path).unwrap().set_len(1 << 20).unwrap();
    let possible = allocated(&path) < 1 << 19;
    fs::remove_file(path).unwrap();
    if !possible {
        peers::missing("a file system with holes below the temporary directory");
    }
    possible
}

/// What a file of these runs may occupy: the blocks that hold data, and some to find them.
fn bound(runs: &[(u64, u64)]) -> u64 {
    let mut at = 0;
    let mut blocks = BTreeSet::new();
    for (skip, len) in runs {
        at += skip;
        blocks.extend(at / BLOCK..(at + len).div_ceil(BLOCK));
        at += len;
    }
    (blocks.len() as u64 + 2) * BLOCK
}

/// Streams of the 8.x code with sparse chunks.
#[test]
fn sparse_chunks_become_holes() {
    let Some(vectors) = Vectors::find() else { return };
    let mut with_holes = 0;
    for vector in vectors.set("xbstream") {
        if !vector.name().starts_with("sparse_") {
            continue;
        }
        let stream = vector.stream();
        let mut runs: BTreeMap<Vec<u8>, Vec<(u64, u64)>> = BTreeMap::new();
        for chunk in chunks(&stream) {
            let path = chunk.part(&stream, common::chunks::Field::Path).to_vec();
            let of_path = runs.entry(path).or_default();
            match chunk.kind {
                Some(Kind::Sparse) => of_path.extend(chunk.map(&stream)),
                Some(Kind::Payload) => {
                    of_path.push((
                        0,
                        chunk.part(&stream, common::chunks::Field::Payload).len() as u64,
                    ));
                }
                _ => {}
            }
        }
        for way in WAYS {
            let sandbox = Sandbox::new();
            if !holes_are_possible(&sandbox.target()) {
                return;
            }
            way.extract(&sandbox.target(), &stream).unwrap();
            for file in vector.expected() {
                let Some(content) = file.content() else { return };
                let path = sandbox.target().join(String::from_utf8(file.path.clone()).unwrap());
                assert!(fs::read(&path).unwrap() == content, "{}: {way:?}", vector.file());
                let most = bound(&runs[&file.path]);
                let found = allocated(&path);
                assert!(found <= most, "{}: {found} bytes for {most}", vector.file());
                with_holes += usize::from(most < file.size);
            }
        }
    }
    assert!(with_holes >= WAYS.len(), "no vector has holes worth the name");
}

/// A file with holes: pieces of noise at these places, and a size.
fn sparse_file(path: &Path, pieces: &[(u64, usize)], size: u64) {
    let file = fs::File::create(path).unwrap();
    for (at, len) in pieces {
        file.write_all_at(&noise(len.wrapping_add(7) as u32, *len), *at).unwrap();
    }
    file.set_len(size).unwrap();
}

/// Files with holes in every place that a writer may get wrong.
fn sparse_tree(dir: &Path) -> Vec<&'static str> {
    let mib = 1 << 20;
    // More runs than a sparse chunk of ours holds.
    let comb: Vec<(u64, usize)> = (0..300).map(|number| (number * 16384, 100)).collect();
    for (name, pieces, size) in [
        ("begins.ibd", &[(mib, 5000)][..], mib + 5000),
        ("ends.ibd", &[(0, 5000)], mib),
        ("between.ibd", &[(0, 100), (2 * mib, 100)], 2 * mib + 100),
        ("comb.ibd", &comb, 300 * 16384),
        ("large-runs.ibd", &[(mib, 3 << 20), (6 * mib, 2 << 20)], 9 * mib + 1),
        ("all.ibd", &[], 3 * mib + 7),
        ("none.ibd", &[(0, 200_000)], 200_000),
        ("empty.ibd", &[], 0),
        ("not-a-space", &[(3 * mib, 1)], 4 * mib),
    ] {
        sparse_file(&dir.join(name), pieces, size);
    }
    vec![
        "begins.ibd",
        "ends.ibd",
        "between.ibd",
        "comb.ibd",
        "large-runs.ibd",
        "all.ibd",
        "none.ibd",
        "empty.ibd",
        "not-a-space",
    ]
}

fn create(dir: &Path, names: &[&str], dialect: Dialect, parallel: usize) -> Vec<u8> {
    let job = Create::new().base(dir).dialect(dialect).parallel(parallel).chunk_size(64 << 10);
    let job = names.iter().fold(job, Create::file);
    let mut stream = Vec::new();
    job.run(&mut stream, &mut Silent).unwrap();
    stream
}

#[test]
fn holes_travel_in_perconas_dialect_and_as_zeros_in_the_other() {
    let source = tempfile::tempdir().unwrap();
    if !holes_are_possible(source.path()) {
        return;
    }
    let names = sparse_tree(source.path());
    for parallel in [1, 3] {
        let percona = create(source.path(), &names, Dialect::Percona, parallel);
        let common = create(source.path(), &names, Dialect::Common, parallel);
        let data: u64 = names.iter().map(|name| allocated(&source.path().join(name))).sum();
        assert!((percona.len() as u64) < data + 64 * BLOCK, "{} of {data}", percona.len());
        assert!(chunks(&common).iter().all(|chunk| chunk.kind != Some(Kind::Sparse)));
        for (stream, holes) in [(&percona, true), (&common, false)] {
            for way in WAYS {
                let sandbox = Sandbox::new();
                way.extract(&sandbox.target(), stream).unwrap();
                for name in &names {
                    let (from, to) = (source.path().join(name), sandbox.target().join(name));
                    assert!(fs::read(&from).unwrap() == fs::read(&to).unwrap(), "{name}, {way:?}");
                    let (was, is) = (allocated(&from), allocated(&to));
                    assert!(!holes || is <= was + 16 * BLOCK, "{name}, {way:?}: {is} for {was}");
                }
            }
        }
    }
}

/// Holes larger than a sparse map's entry can say, at the borders of what it can.
#[test]
fn holes_beyond_four_gibibytes_are_kept() {
    let source = tempfile::tempdir().unwrap();
    if !holes_are_possible(source.path()) {
        return;
    }
    let most = u64::from(u32::MAX);
    for (number, hole) in [most, most + 1, most + BLOCK, 3 * most].into_iter().enumerate() {
        let name = format!("far{number}");
        sparse_file(&source.path().join(&name), &[(0, 10), (hole + BLOCK, 10)], hole + 2 * BLOCK);
        let stream = create(source.path(), &[&name], Dialect::Percona, 1);
        assert!(stream.len() < 20_000, "{}", stream.len());

        // The library's own writer, told of the holes instead of finding them.
        let writer = StreamWriter::new(Format::Xbstream, Vec::new()).dialect(Dialect::Percona);
        let mut entry = writer.entry(&name).unwrap();
        entry.write_all(&noise(17, 10)).unwrap();
        entry.hole(hole + BLOCK - 10).unwrap();
        entry.write_all(&noise(17, 10)).unwrap();
        entry.hole(BLOCK - 10).unwrap();
        entry.finish().unwrap();
        let written = writer.finish().unwrap();

        for stream in [stream, written] {
            let sandbox = Sandbox::new();
            if let Err(error) = WAYS[0].extract(&sandbox.target(), &stream) {
                assert_eq!(error.kind(), ErrorKind::NoSpace, "a smaller limit: {error}");
                continue;
            }
            let path = sandbox.target().join(&name);
            assert_eq!(fs::metadata(&path).unwrap().len(), hole + 2 * BLOCK);
            assert!(allocated(&path) < 32 * BLOCK);
            let file = fs::File::open(&path).unwrap();
            for at in [0, hole + BLOCK] {
                let mut piece = vec![0; BLOCK as usize];
                file.read_exact_at(&mut piece, at).unwrap();
                assert_eq!(piece[..10], noise(17, 10));
                assert!(piece[10..].iter().all(|byte| *byte == 0));
            }
        }
    }
}

/// Tables that a real server compressed page by page, and one that it did not.
const TABLES: &str = "\
CREATE DATABASE d;
USE d;
CREATE TABLE plain (id INT PRIMARY KEY, a VARCHAR(200)) ENGINE=InnoDB;
INSERT INTO plain SELECT seq, REPEAT('x', 150) FROM seq_1_to_20000;
CREATE TABLE packed (id INT PRIMARY KEY, a VARCHAR(200)) ENGINE=InnoDB PAGE_COMPRESSED=1;
INSERT INTO packed SELECT seq, REPEAT('x', 150) FROM seq_1_to_20000;
CREATE TABLE tight (id INT PRIMARY KEY, a BLOB) ENGINE=InnoDB PAGE_COMPRESSED=1;
INSERT INTO tight SELECT seq, REPEAT(MD5(seq), 20) FROM seq_1_to_5000;
DELETE FROM packed WHERE id > 15000;
";

#[test]
fn page_compressed_tables_of_a_real_server_are_punched() {
    for options in [
        &[][..],
        &["--innodb-checksum-algorithm=crc32", "--innodb-page-size=64k"],
        &["--innodb-checksum-algorithm=full_crc32", "--innodb-page-size=8k"],
    ] {
        let options: Vec<String> = options.iter().map(ToString::to_string).collect();
        let scratch = tempfile::tempdir().unwrap();
        let datadir = scratch.path().join("data");
        if !holes_are_possible(scratch.path()) || !server::bootstrap(&datadir, &options, TABLES) {
            return;
        }
        let names = ["d/plain.ibd", "d/packed.ibd", "d/tight.ibd"];
        let mut streams = vec![("ours", create(&datadir, &names, Dialect::Common, 2))];
        streams.push(("ours, sparse", create(&datadir, &names, Dialect::Percona, 1)));
        if let Some(mbstream) = peers::peer("mbstream") {
            let theirs =
                Command::new(mbstream).arg("-c").args(names).current_dir(&datadir).output();
            streams.push(("mbstream's", theirs.unwrap().stdout));
        }
        for (whose, stream) in streams {
            for way in WAYS {
                let sandbox = Sandbox::new();
                way.extract(&sandbox.target(), &stream).unwrap();
                for name in names {
                    let (from, to) = (datadir.join(name), sandbox.target().join(name));
                    let what = format!("{name}, {whose}, {way:?}, {options:?}");
                    let content = fs::read(&from).unwrap();
                    assert!(fs::read(&to).unwrap() == content, "{what}");
                    let (size, was, is) = (content.len() as u64, allocated(&from), allocated(&to));
                    // Where the server itself could not punch, we may still.
                    assert!(is <= was + 16 * BLOCK, "{what}: {is} bytes for {was}");
                    assert!(name == "d/plain.ibd" || is < size * 2 / 3, "{what}: {is} of {size}");
                }
            }
        }
    }
}

/// Names that mbstream takes (one directory level, no dot in front), and sizes around its buffer.
fn random_tree(seed: u32, dir: &Path) -> Vec<String> {
    let dice = noise(seed, 400);
    let mut names = Vec::new();
    for (number, throw) in dice.chunks(4).take(30).enumerate() {
        let name = match throw[0] % 3 {
            0 => format!("file{number}"),
            1 => format!("db{}/t@{number:04x}.ibd", throw[1] % 4),
            _ => format!("db{}/\u{e4} {number}~#P#p0.MYD", throw[1] % 4),
        };
        let size = match throw[2] % 8 {
            0 => 0,
            1 => 1,
            2 => (64 << 10) - 1 + usize::from(throw[3] % 3),
            3 => (10 << 20) - 1 + usize::from(throw[3] % 3),
            4 => 100_000 * usize::from(throw[3]) % 3_000_000,
            _ => usize::from(throw[3]) * 50,
        };
        let path = dir.join(&name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let bytes = if throw[3] % 4 == 0 { vec![0; size] } else { noise(seed + size as u32, size) };
        fs::write(path, bytes).unwrap();
        names.push(name);
    }
    names
}

#[test]
fn random_trees_go_to_mbstream_and_back() {
    let Some(mbstream) = peers::peer("mbstream") else { return };
    for seed in 1..=4 {
        let source = tempfile::tempdir().unwrap();
        let names = random_tree(seed, source.path());
        let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
        let expected = tree::on_disk(source.path());
        assert_eq!(expected.len(), names.len());

        for parallel in [1, 3] {
            let stream = create(source.path(), &borrowed, Dialect::Common, parallel);
            for threads in ["1", "2"] {
                let target = extract_with(&mbstream, &stream, threads);
                assert!(tree::on_disk(target.path()) == expected, "seed {seed}, -p {threads}");
            }
        }
        let theirs = Command::new(&mbstream)
            .arg("-c")
            .args(&names)
            .current_dir(source.path())
            .output()
            .unwrap();
        assert!(theirs.status.success(), "{theirs:?}");
        for way in WAYS {
            let sandbox = Sandbox::new();
            let report = way.extract(&sandbox.target(), &theirs.stdout).unwrap();
            assert_eq!(report.members, names.len() as u64);
            assert!(tree::on_disk(&sandbox.target()) == expected, "seed {seed}, {way:?}");
        }
    }
}

fn extract_with(mbstream: &PathBuf, stream: &[u8], threads: &str) -> tempfile::TempDir {
    let target = tempfile::tempdir().unwrap();
    let mut child = Command::new(mbstream)
        .args(["-x", "-p", threads, "-C"])
        .arg(target.path())
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stream).unwrap();
    assert!(child.wait().unwrap().success());
    target
}
