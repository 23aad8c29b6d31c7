//! `xbkit check` as a user sees it: what it prints, and its exit status.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "the test prepares its own directory")]

mod common;

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Output};

use common::pages;
use serde_json::Value;

fn check(words: &[&str], path: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xbkit")).arg("check").args(words).arg(path).output().unwrap()
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// A directory with tablespaces of three layouts, and files that are none.
fn datadir() -> tempfile::TempDir {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    std::fs::create_dir(dir.join("db")).unwrap();
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(dir.join(name), bytes).unwrap();
    write("ibdata1", pages::tablespace(16384, 30, 0, 0x15, pages::seal_full_crc32));
    write("db/a.ibd", pages::tablespace(16384, 7, 4, 0x15, pages::seal_full_crc32));
    write("db/b.ibd", pages::tablespace(16384, 6, 5, 0x21, pages::seal_none));
    write("ib_logfile0", vec![7; 5000]);
    write("ibtmp1", vec![7; 5000]);
    write("db/t.frm", vec![7; 5000]);
    scratch
}

fn damage(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_sound_directory_is_counted_and_passes() {
    let scratch = datadir();
    let output = check(&[], scratch.path());
    assert!(output.status.success(), "{output:?}");
    let root = scratch.path().display();
    let mut lines: Vec<&str> = out(&output).lines().collect();
    lines[..3].sort_unstable();
    assert_eq!(
        lines,
        [
            format!("{root}/db/a.ibd: 7 pages of 16384 bytes, full_crc32: 7 good"),
            format!(
                "{root}/db/b.ibd: 6 pages of 16384 bytes, legacy: 0 good, 6 unchecked \
                 (6 no_checksum)"
            ),
            format!("{root}/ibdata1: 30 pages of 16384 bytes, full_crc32: 30 good"),
            "3 files, 43 pages: 37 good, 6 unchecked (6 no_checksum)".to_owned(),
        ]
    );
    assert_eq!(err(&output), "");
}

#[test]
fn each_damaged_page_is_named_with_its_place_and_both_sums() {
    let scratch = datadir();
    let (a, system) = (scratch.path().join("db/a.ibd"), scratch.path().join("ibdata1"));
    damage(&a, 16384 * 3 + 100);
    damage(&a, 16384 * 5 + 16383);
    damage(&system, 16384 * 29);
    for parallel in ["1", "3"] {
        let output = check(&["--json", "--parallel", parallel], scratch.path());
        assert_eq!(output.status.code(), Some(1));
        let lines: Vec<Value> =
            out(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |kind: &'static str| lines.iter().filter(move |line| line["type"] == kind);
        let mut bad: Vec<_> = of("bad_page")
            .map(|line| {
                assert_eq!(line["what"], "checksum");
                assert_ne!(line["stored"], line["computed"]);
                let path = line["path"].as_str().unwrap().to_owned();
                (path, line["page"].as_u64().unwrap(), line["offset"].as_u64().unwrap())
            })
            .collect();
        bad.sort();
        let (a, system) = (a.display().to_string(), system.display().to_string());
        let expected = [(a.clone(), 3, 3 * 16384), (a, 5, 5 * 16384), (system, 29, 29 * 16384)];
        assert_eq!(bad, expected);
        let total = lines.last().unwrap();
        assert_eq!(
            (&total["type"], &total["bad"], &total["good"]),
            (&Value::from("total"), &Value::from(3), &Value::from(34))
        );
        assert_eq!(of("file").count(), 3);
        assert!(err(&output).contains("3 of 43 pages are damaged, in 2 of 3 files"), "{output:?}");
    }
    let text = check(&[], &a);
    assert_eq!(text.status.code(), Some(1));
    let bytes = std::fs::read(&a).unwrap();
    let page = &bytes[3 * 16384..4 * 16384];
    let stored = u32::from_be_bytes(page[16380..].try_into().unwrap());
    let sums = format!(
        "page 3 at byte 49152 is damaged: its checksum is {stored:#010x}, that of its content \
         {:#010x}",
        pages::crc32c(&page[..16380])
    );
    assert!(out(&text).contains(&sums), "{text:?}");
}

#[test]
fn a_file_that_lost_its_end_is_not_whole() {
    let scratch = datadir();
    let path = scratch.path().join("db/a.ibd");
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(16384 * 4).unwrap();
    let output = check(&[], scratch.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains("a.ibd: 4 pages of 16384 bytes, full_crc32: 4 good, 3 missing"));
    assert!(err(&output).contains("0 of 40 pages are damaged and 3 missing"), "{output:?}");
}

#[test]
fn what_holds_no_tablespace_is_an_error_and_so_is_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let output = check(&[], scratch.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("there is no tablespace below this directory"), "{output:?}");
    let output = check(&[], &scratch.path().join("none"));
    assert_eq!(output.status.code(), Some(1));
    let output = Command::new(env!("CARGO_BIN_EXE_xbkit")).arg("check").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_file_that_cannot_be_read_does_not_hide_the_others() {
    let scratch = datadir();
    let gone = scratch.path().join("elsewhere/c.ibd");
    std::fs::write(scratch.path().join("db/c.isl"), gone.as_os_str().as_bytes()).unwrap();
    let output = check(&[], scratch.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).ends_with("3 files, 43 pages: 37 good, 6 unchecked (6 no_checksum)\n"));
    assert!(err(&output).contains("elsewhere/c.ibd: opening the file"), "{output:?}");
}

#[test]
fn a_table_elsewhere_is_checked_where_it_is() {
    let scratch = datadir();
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("x.ibd");
    std::fs::rename(scratch.path().join("db/a.ibd"), &target).unwrap();
    std::fs::write(scratch.path().join("db/a.isl"), target.as_os_str().as_bytes()).unwrap();
    damage(&target, 20_000);
    let output = check(&[], scratch.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains("x.ibd: page 1 at byte 16384 is damaged"), "{output:?}");
}

/// As a server does: a POSIX write lock on the first byte of the file.
#[test]
fn files_that_a_server_has_open_are_refused() {
    let scratch = datadir();
    let script = "import fcntl,sys; f=open(sys.argv[1],'r+b'); fcntl.lockf(f,fcntl.LOCK_EX); \
                  print('locked',flush=True); sys.stdin.read()";
    let Some(python) = common::peers::peer("python3") else { return };
    for name in ["ibdata1", "db/a.ibd"] {
        let mut child = Command::new(&python)
            .args(["-c", script])
            .arg(scratch.path().join(name))
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        assert_eq!(line, "locked\n");
        let output = check(&[], scratch.path());
        assert_eq!(output.status.code(), Some(1));
        assert!(err(&output).contains("a running server has locked this file"), "{output:?}");
        drop(child.stdin.take());
        child.wait().unwrap();
    }
    assert!(check(&[], scratch.path()).status.success());
}
