//! tar by every job: made by each way of making a stream, read by each way of reading one, and the
//! manifest in it refuses whatever was changed.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a panic is how a test fails, and each has a directory of its own"
)]

mod common;

use std::fs;
use std::io::{Read, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};

use common::build::noise;
use common::peers;
use common::tarball::{Header, Tarball};
use common::tree::{Files, on_disk};
use xbkit::format::tar::END;
use xbkit::manifest::MANIFEST_NAME;
use xbkit::{
    Backup, ChangedFiles, Create, Dialect, Error, ErrorKind, Event, Extract, Format, Item, List,
    Progress, Result, Silent, StreamReader, StreamReport, StreamWriter, Verify,
};

fn verify(archive: &[u8]) -> Result<StreamReport> {
    Verify::new().run(&mut { archive }, &mut Silent)
}

fn extract(archive: &[u8], parallel: usize) -> Result<(Files, bool)> {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("out");
    let job = Extract::into_dir(&target).parallel(parallel).sync(false);
    let result = job.run(&mut { archive }, &mut Silent);
    let made = on_disk_or_none(&target);
    match result {
        Ok(report) => Ok((made, report.proven)),
        Err(error) => {
            assert!(made.is_empty(), "a failed extraction left something");
            Err(error)
        }
    }
}

fn on_disk_or_none(dir: &Path) -> Files {
    if dir.is_dir() { on_disk(dir) } else { Files::new() }
}

/// An archive is refused by everything that reads one.
#[track_caller]
fn refused(what: &str, archive: &[u8]) -> Error {
    let error = verify(archive).expect_err(what);
    for parallel in [1, 2] {
        let other = extract(archive, parallel).expect_err(what);
        assert_eq!(other.to_string(), error.to_string(), "{what}, {parallel} threads");
    }
    let read = || {
        let mut reader = StreamReader::new(archive)?;
        while reader.next_item()?.is_some() {}
        Ok::<_, Error>(())
    };
    assert_eq!(read().expect_err(what).to_string(), error.to_string(), "{what}: reader");
    error
}

/// A directory with files of many sizes, and their names.
fn directory() -> (tempfile::TempDir, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for (number, size) in (0_u32..).zip([0, 1, 511, 512, 513, 70_000, 200_000, 3 << 20]) {
        for place in ["", "db/", "d/e/f/"] {
            let name = format!("{place}file{number}");
            let path = dir.path().join(&name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, noise(number, size)).unwrap();
            names.push(name);
        }
    }
    (dir, names)
}

fn job(dir: &Path, names: &[String]) -> Create {
    names.iter().fold(Create::new().base(dir).format(Format::Tar), Create::file)
}

fn create(job: &Create) -> Vec<u8> {
    let mut archive = Vec::new();
    job.run(&mut archive, &mut Silent).unwrap();
    archive
}

#[test]
fn each_way_of_making_an_archive_makes_the_same() {
    let (dir, names) = directory();
    let job = job(dir.path(), &names).chunk_size(64 << 10);
    let archive = create(&job);
    for parallel in [2, 3, 16] {
        assert!(create(&job.clone().parallel(parallel)) == archive, "{parallel} threads");
    }
    assert!(create(&job.clone().chunk_size(1 << 20)) == archive, "chunks are none of tar's");

    let writer = StreamWriter::new(Format::Tar, Vec::new());
    for name in &names {
        let bytes = fs::read(dir.path().join(name)).unwrap();
        let mut entry = writer.entry_sized(name, bytes.len() as u64).unwrap();
        for piece in bytes.chunks(1000) {
            entry.write_all(piece).unwrap();
        }
        entry.finish().unwrap();
    }
    let written = writer.finish().unwrap();
    // All but times, which stand in headers.
    assert_eq!(written.len(), archive.len());
    let expected = on_disk(dir.path());
    for archive in [&archive, &written] {
        assert!(verify(archive).unwrap().proven);
        for parallel in [1, 4] {
            let (files, proven) = extract(archive, parallel).unwrap();
            assert!(proven);
            assert_eq!(files, expected);
        }
    }
}

#[test]
fn progress_knows_the_archive_s_length() {
    let (dir, names) = directory();
    let seal = common::pages::seal_full_crc32;
    let system = common::pages::tablespace(4096, 25, 0, 0x13, seal);
    fs::write(dir.path().join("ibdata1"), system).unwrap();
    fs::write(dir.path().join("ib_logfile0"), noise(8, 5000)).unwrap();
    drop(names);
    for manifest in [true, false] {
        let mut last = None;
        let mut archive = Vec::new();
        let report = Backup::of_datadir(dir.path())
            .format(Format::Tar)
            .manifest(manifest)
            .parallel(3)
            .run(&mut archive, &mut |event: &Event<'_>| {
                if let Event::Progress(progress) = event {
                    last = Some(*progress);
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        let Progress { stream_bytes, total_bytes, .. } = last.unwrap();
        assert_eq!(stream_bytes, archive.len() as u64);
        assert_eq!(report.stream_bytes, archive.len() as u64);
        assert_eq!(total_bytes, Some(archive.len() as u64));
        let report =
            Verify::new().allow_unproven(true).run(&mut &archive[..], &mut Silent).unwrap();
        assert_eq!(report.proven, manifest);
    }
}

#[test]
fn the_usual_programs_extract_what_jobs_make() {
    let (dir, names) = directory();
    let archive = create(&job(dir.path(), &names).parallel(2));
    let expected = on_disk(dir.path());
    for args in [&["tar", "-xf", "-"][..], &["tar", "-ixf", "-"], &["bsdtar", "-xf", "-"]] {
        let Some(program) = peers::peer(args[0]) else { continue };
        let out = tempfile::tempdir().unwrap();
        let mut child = Command::new(program)
            .args(&args[1..])
            .current_dir(out.path())
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&archive).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{args:?}: {output:?}");
        assert_eq!(on_disk(out.path()), expected, "{args:?}");
        let modified = |dir: &Path| fs::metadata(dir.join("db/file5")).unwrap().modified().unwrap();
        let seconds = |dir: &Path| {
            modified(dir).duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap().as_secs()
        };
        assert_eq!(seconds(out.path()), seconds(dir.path()), "{args:?}");
    }
}

/// An archive with a manifest, small enough for every bit to be flipped.
fn small() -> Vec<u8> {
    let writer = StreamWriter::new(Format::Tar, Vec::new());
    for (name, bytes) in [("ibdata1", &b"page"[..]), ("db/t.ibd", b"row row"), ("e", b"")] {
        let mut entry = writer.entry_sized(name, bytes.len() as u64).unwrap();
        entry.write_all(bytes).unwrap();
        entry.finish().unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn an_archive_with_a_manifest_is_taken_as_it_was_made_and_in_no_other_way() {
    let archive = small();
    assert!(verify(&archive).unwrap().proven);
    for len in 0..archive.len() {
        let error = verify(&archive[..len]).expect_err("a prefix");
        assert!(
            matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Format),
            "cut to {len}: {error}"
        );
    }
    let mut extracted = 0;
    for bit in 0..archive.len() * 8 {
        let mut flipped = archive.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match verify(&flipped) {
            Err(error) if error.kind() == ErrorKind::Unproven => {
                panic!("bit {bit} of byte {} makes it unproven: {error}", bit / 8)
            }
            Err(_) => {}
            Ok(_) => panic!("bit {bit} of byte {} goes unseen", bit / 8),
        }
        if bit % 97 == 0 {
            refused(&format!("bit {bit}"), &flipped);
            extracted += 1;
        }
    }
    assert!(extracted > 300);
    for (what, changed) in [
        ("the same again", [&archive[..], &archive].concat()),
        ("an archive behind", [&archive[..], &Tarball::default().file(b"z", b"").end()].concat()),
        ("an archive before", [&Tarball::default().file(b"z", b"").end()[..], &archive].concat()),
        ("a block behind", [&archive[..], &[0; 512]].concat()),
        ("a byte behind", [&archive[..], &[0]].concat()),
        ("no announcement", archive[1024..].to_vec()),
        ("no end", archive[..archive.len() - 1024].to_vec()),
        ("a member less", [&archive[..1024], &archive[2048..]].concat()),
        ("members swapped", {
            [&archive[..1024], &archive[2048..3072], &archive[1024..2048], &archive[3072..]]
                .concat()
        }),
        ("end before the manifest", [&archive[..3584], &END, &archive[3584..]].concat()),
    ] {
        refused(what, &changed);
    }
    // What verify cannot prove, it does not take for proven.
    let plain = Tarball::default().file(b"ibdata1", b"page").end();
    assert_eq!(verify(&plain).unwrap_err().kind(), ErrorKind::Unproven);
    // A missing end of a manifest's archive is never allowed.
    let cut = &archive[..archive.len() - 1024];
    let error = Verify::new().allow_missing_end(true).run(&mut { cut }, &mut Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
}

#[test]
fn writers_keep_a_member_to_its_size_and_take_one_at_a_time() {
    let writer = StreamWriter::new(Format::Tar, Vec::new());
    assert_eq!(writer.entry("a").unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(writer.entry_sized("../a", 1).unwrap_err().kind(), ErrorKind::UnsafePath);
    let mut entry = writer.entry_sized("a", 3).unwrap();
    assert_eq!(writer.entry_sized("b", 1).unwrap_err().kind(), ErrorKind::InvalidState);
    entry.write_all(b"12").unwrap();
    let error = Error::io(ErrorKind::Sink, "", entry.write_all(b"34").unwrap_err());
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    entry.hole(1).unwrap();
    entry.finish().unwrap();
    assert_eq!(writer.entry_sized("a", 1).unwrap_err().kind(), ErrorKind::Exists);
    assert_eq!(writer.entry_sized(MANIFEST_NAME, 1).unwrap_err().kind(), ErrorKind::Exists);
    let entry = writer.entry_sized("short", 3).unwrap();
    assert_eq!(entry.finish().unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::InvalidState);

    let writer = StreamWriter::new(Format::Xbstream, Vec::new());
    let mut entry = writer.entry_sized("a", 3).unwrap();
    entry.write_all(b"12").unwrap();
    assert_eq!(entry.finish().unwrap_err().kind(), ErrorKind::InvalidArgument);

    let plain = StreamWriter::new(Format::Tar, Vec::new()).manifest(false).unwrap();
    plain.entry_sized("a", 0).unwrap().finish().unwrap();
    assert_eq!(plain.finish().unwrap(), Tarball::default().file(b"a", b"").end());
}

#[test]
fn a_file_that_shrinks_is_refused_or_filled_up_with_zeros() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), noise(1, 300_000)).unwrap();
    fs::write(dir.path().join("b"), noise(2, 10)).unwrap();
    for changed in [ChangedFiles::Refuse, ChangedFiles::Warn] {
        fs::write(dir.path().join("a"), noise(1, 300_000)).unwrap();
        let job = Create::new()
            .base(dir.path())
            .file("a")
            .file("b")
            .format(Format::Tar)
            .chunk_size(64 << 10)
            .changed(changed);
        let mut sink = Shrinks { archive: Vec::new(), file: dir.path().join("a") };
        let result = job.run(&mut sink, &mut Silent);
        match changed {
            ChangedFiles::Refuse => {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::FileChanged);
                refused("an unfinished archive", &sink.archive);
            }
            ChangedFiles::Warn => {
                result.unwrap();
                let (files, proven) = extract(&sink.archive, 1).unwrap();
                assert!(proven);
                let bytes = files[&b"a"[..]].to_vec();
                assert_eq!(bytes.len(), 300_000);
                assert_eq!(bytes[..100_000], noise(1, 300_000)[..100_000]);
                assert!(bytes[200_000..].iter().all(|byte| *byte == 0));
            }
        }
    }
}

/// A sink that cuts the file off when its first bytes come.
struct Shrinks {
    archive: Vec<u8>,
    file: std::path::PathBuf,
}

impl std::io::Write for Shrinks {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.archive.len() < 100_000 && self.archive.len() + bytes.len() > 1024 {
            fs::OpenOptions::new().write(true).open(&self.file)?.set_len(150_000)?;
        }
        self.archive.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn foreign_archives_are_extracted_with_their_directories_and_layers() {
    let archive = Tarball::default()
        .header(&Header::of(b'5', b"./", 0))
        .directory(b"empty database")
        .file(b"./db/t.frm", b"form")
        .header(&Header::of(b'5', b"db/", 0))
        .end();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&archive).unwrap();
    for stream in [archive, gzip.finish().unwrap()] {
        for parallel in [1, 3] {
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("out");
            let report = Extract::into_dir(&out)
                .parallel(parallel)
                .run(&mut &stream[..], &mut Silent)
                .unwrap();
            assert_eq!((report.members, report.proven), (1, false));
            assert!(out.join("empty database").is_dir());
            assert_eq!(fs::read(out.join("db/t.frm")).unwrap(), b"form");
        }
    }
}

#[test]
fn directories_made_in_place_go_when_the_extraction_fails() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("there")).unwrap();
    let begin = Tarball::default().directory(b"there").directory(b"new").directory(b"new/er");
    let good = begin.clone().file(b"new/t", b"1").end();
    let bad = [&begin.file(b"new/t", b"1").0[..], &[b'x'; 512]].concat();
    let job = Extract::into_dir(dir.path()).in_place(true);
    job.run(&mut &bad[..], &mut Silent).unwrap_err();
    let left: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["there"]);
    job.run(&mut &good[..], &mut Silent).unwrap();
    assert!(dir.path().join("new/er").is_dir());

    let clash = Tarball::default().file(b"a", b"1").directory(b"a").end();
    let error = extract(&clash, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exists, "{error}");
    let clash = Tarball::default().directory(b"a").file(b"a", b"1").end();
    assert_eq!(extract(&clash, 1).unwrap_err().kind(), ErrorKind::Exists);
}

#[test]
fn a_missing_end_is_taken_where_the_caller_says_so() {
    let archive = Tarball::default().file(b"a", b"1").0;
    refused("no end", &archive);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let job = Extract::into_dir(&out).allow_missing_end(true);
    job.run(&mut &archive[..], &mut Silent).unwrap();
    List::new().allow_missing_end(true).run(&mut &archive[..], &mut Silent).unwrap();
    let verify = Verify::new().allow_missing_end(true).allow_unproven(true);
    assert!(!verify.run(&mut &archive[..], &mut Silent).unwrap().proven);
    let mut reader = StreamReader::without_end(&archive[..]).unwrap();
    while reader.next_item().unwrap().is_some() {}
}

#[test]
fn what_is_neither_format_is_told_so() {
    let cases = [
        &b"<html>not found</html>"[..],
        &[b'x'; 4000],
        b"",
        &[0; 100],
        &[0; 10_240],
        b"XBSTCK0",
        &small()[..500],
    ];
    for input in cases {
        let error = refused("no stream", input);
        assert!(matches!(error.kind(), ErrorKind::Format | ErrorKind::Truncated), "{error}");
    }
    assert_eq!(StreamReader::new(&small()[..]).unwrap().format(), Format::Tar);
}

/// Small reads, as from a socket.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let len = buf.len().min(7);
        self.0.read(&mut buf[..len])
    }
}

#[test]
fn an_archive_may_come_in_small_pieces() {
    let archive = small();
    assert!(Verify::new().run(&mut Trickle(&archive), &mut Silent).unwrap().proven);
    let mut reader = StreamReader::new(Trickle(&archive)).unwrap();
    let mut closed = 0;
    while let Some(item) = reader.next_item().unwrap() {
        closed += u64::from(matches!(item, Item::Close { .. }));
    }
    assert_eq!((closed, reader.is_proven()), (3, true));
}

#[test]
fn tar_has_no_dialects() {
    let job = Create::new().file("x").format(Format::Tar).dialect(Dialect::Percona);
    let error = job.run(&mut Vec::new(), &mut Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}
