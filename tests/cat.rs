//! One member out of a stream: its bytes, and never a success with other ones.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops where it fails")]

mod common;

use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::fd::AsFd as _;

use common::build::{Chunks, noise};
use xbkit::limits::CAT_MEMORY;
use xbkit::{Cat, CatReport, Create, ErrorKind, Event, Result, Silent};

fn cat(mut stream: &[u8], member: &str) -> Result<(Vec<u8>, CatReport)> {
    let mut out = Vec::new();
    let report = Cat::new(member)?.run(&mut stream, &mut out, &mut Silent)?;
    assert_eq!(report.size, out.len() as u64);
    Ok((out, report))
}

/// A stream with a manifest, of files with these contents.
fn proven(files: &[(&str, &[u8])]) -> Vec<u8> {
    let scratch = tempfile::tempdir().unwrap();
    let mut job = Create::new().base(scratch.path());
    for (name, bytes) in files {
        fs::write(scratch.path().join(name), bytes).unwrap();
        job = job.file(name);
    }
    let mut stream = Vec::new();
    job.run(&mut stream, &mut Silent).unwrap();
    stream
}

#[test]
fn a_member_comes_out_whole_whatever_stands_around_it() {
    let bytes = noise(1, 100_000);
    let stream = Chunks::default()
        .payload(b"other", 0, b"other")
        .payload(b"db/t.ibd", 0, &bytes[..60_000])
        .file(b"empty", b"")
        .payload(b"db/t.ibd", 60_000, &bytes[60_000..])
        .end(b"other")
        .end(b"db/t.ibd")
        .0;
    let (out, report) = cat(&stream, "db/t.ibd").unwrap();
    assert_eq!(out, bytes);
    assert!(!report.proven);
    assert_eq!(report.stream_bytes, stream.len() as u64);
    assert_eq!(cat(&stream, "./db//t.ibd").unwrap().0, bytes);
    assert_eq!(cat(&stream, "empty").unwrap().0, b"");
    let packed = zstd::stream::encode_all(&stream[..], 1).unwrap();
    assert_eq!(cat(&packed, "db/t.ibd").unwrap().0, bytes);
}

#[test]
fn holes_come_out_as_zeros() {
    let stream = Chunks::default().sparse(b"s", 0, &[(3, 2), (5, 1), (9, 0)], b"abc").end(b"s").0;
    assert_eq!(cat(&stream, "s").unwrap().0, b"\0\0\0ab\0\0\0\0\0c\0\0\0\0\0\0\0\0\0");
    // Also where they begin in memory and end far outside.
    let skip = u32::try_from(CAT_MEMORY * 2).unwrap();
    let stream =
        Chunks::default().sparse(b"s", 0, &[(0, 2), (skip, 1), (7, 0)], b"abc").end(b"s").0;
    for spool in [0, 1 << 30] {
        let mut out = Vec::new();
        let job = Cat::new("s").unwrap().max_spool(spool);
        job.run(&mut &stream[..], &mut out, &mut Silent).unwrap();
        assert_eq!(out.len(), CAT_MEMORY * 2 + 10);
        assert_eq!((&out[..2], out[CAT_MEMORY * 2 + 2]), (&b"ab"[..], b'c'));
        assert_eq!(out.iter().filter(|byte| **byte != 0).count(), 3);
    }
}

#[test]
fn the_manifest_is_a_member_too() {
    let stream = proven(&[("a", b"hello")]);
    let (manifest, report) = cat(&stream, xbkit::manifest::MANIFEST_NAME).unwrap();
    assert!(report.proven);
    let value: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(value["members"][0]["path"], "a");
    assert_eq!(cat(&stream, "a").unwrap().0, b"hello");
}

#[test]
fn a_member_that_is_not_there_is_an_error_with_a_way_out() {
    let stream = Chunks::default().file(b"xtrabackup_info.qp", b"qpress").0;
    let job = Cat::new("xtrabackup_info").unwrap().raw(true);
    let error = job.run(&mut &stream[..], &mut Vec::new(), &mut Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.hint_text().unwrap().contains("xtrabackup_info.qp"));
    // Without that it is decoded, and those bytes are the beginning of nothing.
    let error = cat(&stream, "xtrabackup_info").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert_eq!(cat(&stream, "nowhere").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(cat(&stream, "../x").unwrap_err().kind(), ErrorKind::UnsafePath);
    // A directory is none, and neither is a part of a name.
    let stream = Chunks::default().file(b"db/t", b"").0;
    assert_eq!(cat(&stream, "db").unwrap_err().kind(), ErrorKind::NotFound);
}

/// What is damaged behind the member is damaged too: nothing of a small member is written.
#[test]
fn a_damaged_stream_gives_no_byte_of_a_small_member() {
    let plain = Chunks::default().file(b"wanted", b"bytes").file(b"later", b"other bytes").0;
    for stream in [plain, proven(&[("wanted", b"bytes"), ("later", b"other bytes")])] {
        for at in (0..stream.len()).step_by(3) {
            for bad in [stream[..at].to_vec(), {
                let mut flipped = stream.clone();
                flipped[at] ^= 0x40;
                flipped
            }] {
                let mut out = Vec::new();
                let job = Cat::new("wanted").unwrap();
                match job.run(&mut &bad[..], &mut out, &mut Silent) {
                    // Where no manifest tells, a name or a size may be another.
                    Ok(_) => assert_eq!(out, b"bytes", "{at}"),
                    Err(_) => assert_eq!(out, b"", "{at}"),
                }
            }
        }
    }
}

/// Beyond what memory holds, bytes go out before the end is known; then the status tells.
#[test]
fn a_large_member_of_a_damaged_stream_ends_in_an_error_and_a_warning() {
    let bytes = noise(2, CAT_MEMORY + (3 << 20));
    let stream = proven(&[("big", &bytes), ("later", b"x")]);
    let (out, report) = cat(&stream, "big").unwrap();
    assert!(out == bytes && report.proven);
    let mut cut = &stream[..stream.len() - 1];
    let (mut out, mut warnings) = (Vec::new(), Vec::new());
    let mut listen = |event: &Event<'_>| {
        if let Event::Log { message, .. } = event {
            warnings.push((*message).to_owned());
        }
        ControlFlow::Continue(())
    };
    let error = Cat::new("big").unwrap().run(&mut cut, &mut out, &mut listen).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert!(out == bytes, "they came before");
    assert!(warnings[0].contains("do not use them"), "{warnings:?}");
}

/// MariaDB's chunks: a seek back, a second edition, a rename away, a removal.
#[test]
fn the_last_word_of_the_stream_counts() {
    let aria = Chunks::default()
        .payload(b"aria_log.1", 0, b"headtail")
        .seek(b"aria_log.1", 2)
        .payload(b"aria_log.1", 2, b"XY")
        .end(b"aria_log.1");
    assert_eq!(cat(&aria.clone().file(b"z", b"").0, "aria_log.1").unwrap().0, b"heXYtail");
    let again = aria.clone().rewrite(b"aria_log.1", b"new").end(b"aria_log.1");
    assert_eq!(cat(&again.0, "aria_log.1").unwrap().0, b"new");
    for gone in [aria.clone().remove(b"aria_log.1"), aria.clone().rename(b"aria_log.1", b"b")] {
        assert_eq!(cat(&gone.0, "aria_log.1").unwrap_err().kind(), ErrorKind::NotFound);
    }
    let renamed = aria.rename(b"aria_log.1", b"aria_log.2");
    let error = cat(&renamed.0, "aria_log.2").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("aria_log.1"), "{error}");
}

#[test]
fn a_large_member_waits_in_a_file_without_a_name() {
    let bytes = noise(3, CAT_MEMORY + 1000);
    let begin = Chunks::default().payload(b"big", 0, &bytes);
    let changed = begin.clone().seek(b"big", 5).payload(b"big", 5, b"CHANGED").end(b"big").0;
    let mut expected = bytes.clone();
    expected[5..12].copy_from_slice(b"CHANGED");

    let dir = tempfile::tempdir().unwrap();
    let job = Cat::new("big").unwrap().tmpdir(dir.path());
    let (mut out, mut seen) = (Vec::new(), 0);
    let mut look = |_: &Event<'_>| {
        seen += fs::read_dir(dir.path()).unwrap().count();
        ControlFlow::Continue(())
    };
    job.run(&mut &changed[..], &mut out, &mut look).unwrap();
    assert!(out == expected);
    assert_eq!(seen, 0, "names in the directory");

    // A spool that is too small: what goes out too early cannot be called back.
    let mut out = Vec::new();
    let small = job.clone().max_spool(0);
    let error = small.run(&mut &changed[..], &mut out, &mut Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(error.hint_text().unwrap().contains("--max-spool"));
    for late in [
        begin.clone().end(b"big").remove(b"big"),
        begin.clone().end(b"big").rewrite(b"big", b"x").end(b"big"),
    ] {
        let error = small.run(&mut &late.0[..], &mut Vec::new(), &mut Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
    }
    // Unchanged, it needs none.
    let mut out = Vec::new();
    small.run(&mut &begin.end(b"big").0[..], &mut out, &mut Silent).unwrap();
    assert!(out == bytes);

    let nowhere = Cat::new("big").unwrap().tmpdir("/nonexistent");
    let error = nowhere.run(&mut &changed[..], &mut Vec::new(), &mut Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// Fails behind so many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::from_raw_os_error(28)); // ENOSPC
        }
        let count = bytes.len().min(self.0);
        self.0 -= count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_fails_is_an_error() {
    let stream = Chunks::default().file(b"a", b"hello").0;
    for room in 0..5 {
        let job = Cat::new("a").unwrap();
        let error = job.run(&mut &stream[..], &mut Full(room), &mut Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSpace);
    }
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&stream).unwrap();
    io::Seek::rewind(&mut file).unwrap();
    let job = Cat::new("a").unwrap();
    let error = job.run_fd(file.as_fd(), full.as_fd(), &mut Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace);
}
