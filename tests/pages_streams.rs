//! Damaged pages on their way into a stream, and in one.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "the test prepares its own directory")]

mod common;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::pages;
use xbkit::codec::Compression;
use xbkit::pages::{BadPage, Reason, Tally};
use xbkit::{Backup, Create, DamagedPages, Dialect, ErrorKind, Event, Format, Silent, Verify};

/// A data directory with pages of two layouts, a hole, and what is no tablespace.
fn datadir() -> tempfile::TempDir {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    std::fs::create_dir(dir.join("db")).unwrap();
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(dir.join(name), bytes).unwrap();
    write("ibdata1", pages::tablespace(16384, 80, 0, 0x15, pages::seal_full_crc32));
    write("db/a.ibd", pages::tablespace(4096, 700, 4, 0x21 | 3 << 6, pages::seal_crc32));
    write("db/b.ibd", pages::tablespace(16384, 7, 5, 0x15, pages::seal_full_crc32));
    write("ib_logfile0", pages::noise(5000, 3));
    write("db/t.frm", pages::noise(5000, 4));
    let sparse = std::fs::File::options().write(true).open(dir.join("db/b.ibd")).unwrap();
    sparse.set_len(16384 * 64).unwrap();
    scratch
}

fn damage(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// Every way to make a stream that reads files in its own way.
fn jobs(dir: &Path) -> Vec<(&'static str, Backup)> {
    let job = || Backup::of_datadir(dir);
    vec![
        ("plain", job()),
        ("parallel", job().parallel(3)),
        ("small chunks", job().chunk_size(64 << 10)),
        ("sparse", job().dialect(Dialect::Percona)),
        ("tar", job().format(Format::Tar).parallel(2)),
        ("compressed", job().compress(Compression::Lz4).compress_threads(2)),
    ]
}

fn bad_pages(event: &Event<'_>, into: &mut Vec<(PathBuf, BadPage)>) -> ControlFlow<()> {
    if let Event::BadPage { path, page } = event {
        into.push((path.to_path_buf(), **page));
    }
    ControlFlow::Continue(())
}

const ALL: Tally = Tally {
    pages: 844,
    good: 787,
    zero: 57,
    bad: 0,
    unchecked: [0; Reason::ALL.len()],
    missing: 0,
};

#[test]
fn a_backup_checks_every_page_on_the_way() {
    let scratch = datadir();
    for (name, job) in jobs(scratch.path()) {
        let report = job.run(&mut std::io::sink(), &mut Silent).unwrap();
        assert_eq!(report.pages, ALL, "{name}");
    }
}

#[test]
fn a_damaged_page_fails_the_backup_and_names_file_page_and_sums() {
    let scratch = datadir();
    let path = scratch.path().join("db/a.ibd");
    let page = |bytes: &[u8]| u32::from_be_bytes(bytes[600 * 4096..][..4].try_into().unwrap());
    let stored = page(&std::fs::read(&path).unwrap());
    damage(&path, 600 * 4096 + 2000);
    for (name, job) in jobs(scratch.path()) {
        let error = job.run(&mut std::io::sink(), &mut Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PageCorrupt, "{name}: {error}");
        assert_eq!(error.path(), Some(&*path), "{name}");
        let text = error.to_string();
        assert!(text.contains("page 600 at byte 2457600 is damaged"), "{name}: {text}");
        assert!(text.contains(&format!("{stored:#010x}")), "{name}: {text}");
    }
}

#[test]
fn damaged_pages_can_be_listed_and_carried() {
    let scratch = datadir();
    let (a, b) = (scratch.path().join("db/a.ibd"), scratch.path().join("db/b.ibd"));
    damage(&a, 600 * 4096 + 2000);
    damage(&a, 3 * 4096);
    damage(&b, 16384 * 40 + 5);
    for (name, job) in jobs(scratch.path()) {
        let (mut stream, mut found) = (Vec::new(), Vec::new());
        let report = job
            .damaged_pages(DamagedPages::Report)
            .run(&mut stream, &mut |event: &Event<'_>| bad_pages(event, &mut found))
            .unwrap();
        found.sort_by_key(|(path, page)| (path.clone(), page.page));
        let names: Vec<(&str, u64, u64)> = found
            .iter()
            .map(|(path, bad)| (path.to_str().unwrap(), bad.page, bad.offset))
            .collect();
        let expected =
            [("db/a.ibd", 3, 12288), ("db/a.ibd", 600, 2_457_600), ("db/b.ibd", 40, 655_360)];
        assert_eq!(names, expected, "{name}");
        assert_eq!((report.pages.bad, report.pages.good, report.pages.zero), (3, 785, 56));
        assert_carried(name, &stream, expected.len());
    }
}

/// The stream is whole, and verifying its pages finds the same.
fn assert_carried(name: &str, stream: &[u8], damaged: usize) {
    let report = Verify::new().run(&mut &*stream, &mut Silent).unwrap();
    assert!(report.proven, "{name}");
    let mut found = Vec::new();
    let mut note = |event: &Event<'_>| bad_pages(event, &mut found);
    let error = Verify::new().pages(true).run(&mut &*stream, &mut note).unwrap_err();
    assert_eq!(found.len(), damaged, "{name}");
    assert_eq!(error.kind(), ErrorKind::PageCorrupt);
    assert!(error.to_string().contains("3 of 844 pages are damaged"), "{name}: {error}");
}

#[test]
fn verify_checks_pages_of_sound_streams_and_of_interleaved_members() {
    let scratch = datadir();
    for (name, job) in jobs(scratch.path()) {
        if name == "compressed" {
            continue;
        }
        let mut stream = Vec::new();
        job.run(&mut stream, &mut Silent).unwrap();
        let report = Verify::new().pages(true).run(&mut &stream[..], &mut Silent).unwrap();
        assert_eq!(report.pages, ALL, "{name}");
        let report = Verify::new().run(&mut &stream[..], &mut Silent).unwrap();
        assert_eq!(report.pages, Tally::default(), "{name}");
    }
}

#[test]
fn packing_files_checks_pages_only_if_asked() {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::write(scratch.path().join("t.ibd"), b"no page at all").unwrap();
    let job = || Create::new().base(scratch.path()).file("t.ibd");
    job().run(&mut std::io::sink(), &mut Silent).unwrap();
    let error =
        job().check_pages(DamagedPages::Refuse).run(&mut std::io::sink(), &mut Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PageCorrupt);
}

fn xbkit(words: &[&str], datadir: &Path, output: Stdio) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xbkit"))
        .args(words)
        .arg(format!("--datadir={}", datadir.display()))
        .stdout(output)
        .output()
        .unwrap()
}

#[test]
fn the_exit_status_is_1_and_the_stream_is_complete() {
    let scratch = datadir();
    damage(&scratch.path().join("db/a.ibd"), 600 * 4096 + 2000);
    damage(&scratch.path().join("ibdata1"), 2 * 16384 + 2000);
    let target = tempfile::tempdir().unwrap();
    let file = target.path().join("backup");
    let output = format!("--output={}", file.display());
    let refused = xbkit(&["backup", "--offline", &output], scratch.path(), Stdio::null());
    assert_eq!(refused.status.code(), Some(1));
    assert!(!file.exists());
    let words = ["backup", "--offline", "--log-page-corruption", &output];
    let carried = xbkit(&words, scratch.path(), Stdio::null());
    let said = String::from_utf8_lossy(&carried.stderr);
    assert_eq!(carried.status.code(), Some(1), "{said}");
    assert!(said.contains("warning: db/a.ibd: page 600 at byte 2457600 is damaged"), "{said}");
    assert!(said.contains("warning: ibdata1: page 2 at byte 32768 is damaged"), "{said}");
    assert!(said.contains("the stream is complete, with 2 damaged pages of 844 in it"), "{said}");
    let stream = std::fs::read(&file).unwrap();
    assert!(Verify::new().run(&mut &stream[..], &mut Silent).unwrap().proven);
    let verify = |words: &[&str]| {
        let file = std::fs::File::open(&file).unwrap();
        Command::new(env!("CARGO_BIN_EXE_xbkit"))
            .arg("verify")
            .args(words)
            .stdin(file)
            .output()
            .unwrap()
    };
    assert!(verify(&[]).status.success());
    let pages = verify(&["--pages"]);
    let said = String::from_utf8_lossy(&pages.stderr);
    assert_eq!(pages.status.code(), Some(1));
    assert!(said.contains("2 of 844 pages are damaged"), "{said}");
}

#[test]
fn the_drop_in_name_ends_without_its_words_of_success() {
    let scratch = datadir();
    let words = ["mariabackup", "--no-defaults", "--backup", "--stream=xbstream"];
    let sound = xbkit(&words, scratch.path(), Stdio::null());
    assert!(String::from_utf8_lossy(&sound.stderr).contains("completed OK!"), "{sound:?}");
    damage(&scratch.path().join("db/a.ibd"), 600 * 4096 + 2000);
    let words = [
        "mariabackup",
        "--no-defaults",
        "--backup",
        "--stream=xbstream",
        "--log-innodb-page-corruption",
    ];
    for words in [&words[..4], &words[..]] {
        let output = xbkit(words, scratch.path(), Stdio::null());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(!said.contains("completed OK!"), "{said}");
        assert!(said.contains("page 600 at byte 2457600 is damaged"), "{said}");
    }
}
