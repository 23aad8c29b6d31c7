//! What an extraction that was killed leaves, and what the next one makes of it.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test stops where it fails")]

use std::fs;
use std::path::Path;

use xbkit::format::xbstream::{append_end, append_payload_header, crc32};
use xbkit::{Backup, ErrorKind, Extract, ExtractReport, Result, Silent};

fn stream() -> Vec<u8> {
    let mut out = Vec::new();
    append_payload_header(&mut out, b"db/t.ibd", 0, 4, crc32(b"page"), false).unwrap();
    out.extend_from_slice(b"page");
    append_end(&mut out, b"db/t.ibd").unwrap();
    out
}

fn extract(dir: &Path, in_place: bool) -> Result<ExtractReport> {
    Extract::into_dir(dir).in_place(in_place).run(&mut &stream()[..], &mut Silent)
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn remains_of_a_killed_staged_extraction_are_cleared_by_the_next() {
    let scratch = tempfile::tempdir().unwrap();
    fs::create_dir_all(scratch.path().join(".xbkit-partial/db")).unwrap();
    fs::write(scratch.path().join(".xbkit-partial/db/old.ibd"), "half").unwrap();
    extract(scratch.path(), false).unwrap();
    assert_eq!(names(scratch.path()), ["db"]);
    assert_eq!(names(&scratch.path().join("db")), ["t.ibd"]);
}

#[test]
fn a_directory_with_parts_of_a_killed_extraction_in_place_is_refused_untouched() {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join(".xbkit-incomplete"), "").unwrap();
    fs::write(scratch.path().join("ibdata1"), "half").unwrap();
    assert_eq!(extract(scratch.path(), true).unwrap_err().kind(), ErrorKind::InvalidState);
    assert_eq!(names(scratch.path()), [".xbkit-incomplete", "ibdata1"]);
}

/// `rm -rf DIR/*` leaves names that begin with a dot.
#[test]
fn a_mark_alone_does_not_stop_the_next_extraction() {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join(".xbkit-incomplete"), "").unwrap();
    extract(scratch.path(), true).unwrap();
    assert_eq!(names(scratch.path()), ["db"]);
}

#[test]
fn parts_of_a_backup_are_not_backed_up() {
    for mark in [".xbkit-incomplete", ".xbkit-partial"] {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("ibdata1"), "system").unwrap();
        fs::write(scratch.path().join(mark), "").unwrap();
        let error =
            Backup::of_datadir(scratch.path()).run(&mut Vec::new(), &mut Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidState, "{error}");
    }
}
