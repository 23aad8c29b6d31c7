//! Members that are compressed or encrypted each by itself, looked at: what backup they are, one of
//! them as a file, and the pages in them.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "the tests make and read files")]

mod common;

use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Command, Output};

use common::pages;
use xbkit::codec::{Compression, Key};
use xbkit::{
    BackupInfo, BackupKind, Cat, Convert, Create, Error, ErrorKind, Extract, Format, Info, Silent,
    Verify,
};

const PLAIN: [(&str, &[u8]); 5] = [
    ("xtrabackup_checkpoints", b"backup_type = full-backuped\nfrom_lsn = 0\nto_lsn = 5\n"),
    ("xtrabackup_info", b"server_version = 10.11.19-MariaDB\npartial = N\n"),
    ("xtrabackup_binlog_info", b"binlog.000007\t1234\t0-1-9\n"),
    ("backup-my.cnf", b"[mysqld]\ninnodb_data_file_path=ibdata1:12M:autoextend\n"),
    ("dump.sql.zst", b"a file that only bears this name"),
];

fn key() -> Key {
    Key::new(&[7; 32]).unwrap()
}

fn table() -> Vec<u8> {
    pages::tablespace(16384, 40, 7, 0x15, pages::seal_full_crc32)
}

/// A backup, its members stored so.
fn backup(compression: Option<Compression>, encrypted: bool, manifest: bool) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let mut redo = vec![0; 100_000];
    redo[16..31].copy_from_slice(b"Backup 10.11.19");
    fs::create_dir(dir.path().join("db")).unwrap();
    let table = table();
    let files = PLAIN.iter().copied().chain([("ib_logfile0", &redo[..]), ("db/t.ibd", &table)]);
    let mut job = Create::new().base(dir.path()).manifest(manifest);
    for (name, bytes) in files {
        fs::write(dir.path().join(name), bytes).unwrap();
        job = job.file(name);
    }
    if let Some(compression) = compression {
        job = job.compress(compression);
    }
    if encrypted {
        job = job.encrypt(key());
    }
    let mut stream = Vec::new();
    job.run(&mut stream, &mut Silent).unwrap();
    stream
}

const WAYS: [Option<Compression>; 5] = [
    Some(Compression::Quicklz),
    Some(Compression::Lz4),
    Some(Compression::Zstd { level: 1 }),
    Some(Compression::Gzip { level: 6 }),
    None,
];

/// By every way of looking: as bytes, as a file that is walked, and as a directory.
fn infos(stream: &[u8], key: Option<&Key>) -> Vec<Result<BackupInfo, Error>> {
    let job = || key.map_or_else(Info::new, |key| Info::new().key(key.clone()));
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("stream");
    fs::write(&file, stream).unwrap();
    let dir = scratch.path().join("dir");
    let stored = Extract::into_dir(&dir).decompress(false).decrypt(false);
    stored.run(&mut { stream }, &mut Silent).unwrap();
    vec![
        job().run(&mut { stream }, &mut Silent),
        job().run_fd(File::open(&file).unwrap().as_fd(), &mut Silent),
        job().run_dir(&dir),
    ]
}

#[test]
fn info_reads_files_that_are_compressed_or_encrypted() {
    for (compression, encrypted) in WAYS.into_iter().flat_map(|way| [(way, false), (way, true)]) {
        let stream = backup(compression, encrypted, true);
        for (nth, info) in infos(&stream, encrypted.then(key).as_ref()).into_iter().enumerate() {
            let (what, info) = (format!("{compression:?}, {encrypted}, way {nth}"), info.unwrap());
            assert_eq!(info.kind, Some(BackupKind::Full), "{what}");
            assert_eq!(info.server_version(), Some("10.11.19-MariaDB"), "{what}");
            assert_eq!(info.binlog_position().unwrap().file, "binlog.000007", "{what}");
            assert!(info.config.is_some(), "{what}");
            assert_eq!(info.redo_creator.as_deref(), Some("Backup 10.11.19"), "{what}");
            assert_eq!((info.encrypted, info.unread.as_slice()), (encrypted, &[][..]), "{what}");
        }
        if !encrypted {
            continue;
        }
        for info in infos(&stream, None) {
            let info = info.unwrap();
            assert_eq!((info.kind, info.server_version()), (Some(BackupKind::Full), None));
            assert_eq!(info.unread.len(), 3, "{:?}", info.unread);
        }
        // Where there is compression within, a wrong key shows.
        let wrong = Key::new(&[8; 32]).unwrap();
        for info in infos(&stream, Some(&wrong)).into_iter().filter(|_| compression.is_some()) {
            let error = info.unwrap_err();
            assert!(error.path().is_some(), "{error}");
        }
    }
}

#[test]
fn a_damaged_metadata_file_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut packed = zstd::encode_all(PLAIN[1].1, 1).unwrap();
    packed.pop();
    fs::write(dir.path().join("xtrabackup_info.zst"), packed).unwrap();
    let error = Info::new().run_dir(dir.path()).unwrap_err();
    assert!(error.path().unwrap().ends_with("xtrabackup_info.zst"), "{error}");
    // What decodes to more than any such file has is not kept.
    let bomb = zstd::encode_all(&vec![b'a'; 64 << 20][..], 1).unwrap();
    fs::write(dir.path().join("xtrabackup_info.zst"), bomb).unwrap();
    assert_eq!(Info::new().run_dir(dir.path()).unwrap_err().kind(), ErrorKind::Limit);
}

fn cat(stream: &[u8], member: &str, key: Option<&Key>, raw: bool) -> Result<Vec<u8>, Error> {
    let mut job = Cat::new(member).unwrap().raw(raw);
    if let Some(key) = key {
        job = job.key(key.clone());
    }
    let mut out = Vec::new();
    let report = job.run(&mut { stream }, &mut out, &mut Silent)?;
    assert_eq!(report.size, out.len() as u64);
    Ok(out)
}

#[test]
fn cat_decodes_a_member_by_either_name_and_not_if_told() {
    for (compression, encrypted) in WAYS.into_iter().flat_map(|way| [(way, false), (way, true)]) {
        let compressed = compression.map_or("", |compression| compression.codec().suffix());
        let suffix = format!("{compressed}{}", if encrypted { ".xbcrypt" } else { "" });
        for manifest in [true, false] {
            let what = format!("{suffix}, manifest: {manifest}");
            let stream = backup(compression, encrypted, manifest);
            let key = encrypted.then(key);
            // Without a manifest nothing says that a `.gz` is of the stream and not of its file.
            let is_told = manifest || compressed != ".gz";
            if is_told {
                let found = cat(&stream, "db/t.ibd", key.as_ref(), false).unwrap();
                assert!(found == table(), "{what}");
            }
            let stored = format!("db/t.ibd{suffix}");
            let raw = cat(&stream, &stored, None, true).unwrap();
            assert_eq!(raw == table(), suffix.is_empty(), "{what}");
            let by_whole_name = cat(&stream, &stored, key.as_ref(), false).unwrap();
            let decoded = manifest || suffix.is_empty();
            assert!(by_whole_name == if decoded { table() } else { raw }, "{what}");
            if suffix.is_empty() {
                continue;
            }
            let error = cat(&stream, "db/t.ibd", key.as_ref(), true).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{what}");
            if encrypted && is_told {
                let error = cat(&stream, "db/t.ibd", None, false).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Key, "{what}: {error}");
            }
        }
    }
    // A suffix alone makes no coded member.
    let stream = backup(None, false, true);
    assert_eq!(cat(&stream, "dump.sql.zst", None, false).unwrap(), PLAIN[4].1);
    assert_eq!(cat(&stream, "dump.sql", None, false).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn cat_takes_an_archive_without_its_end_if_told() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), b"text").unwrap();
    let mut archive = Vec::new();
    let job = Create::new().base(dir.path()).file("a").format(Format::Tar).manifest(false);
    job.run(&mut archive, &mut Silent).unwrap();
    let cut = &archive[..archive.len() - 1024];
    assert_eq!(cat(cut, "a", None, false).unwrap_err().kind(), ErrorKind::Truncated);
    let mut out = Vec::new();
    let job = Cat::new("a").unwrap().allow_missing_end(true);
    job.run(&mut &*cut, &mut out, &mut Silent).unwrap();
    assert_eq!(out, b"text");
}

#[test]
fn pages_of_coded_members_are_checked() {
    for (compression, encrypted) in WAYS.into_iter().flat_map(|way| [(way, false), (way, true)]) {
        let what = format!("{compression:?}, {encrypted}");
        let stream = backup(compression, encrypted, true);
        let job = || Verify::new().pages(true).key(key());
        let report = job().run(&mut &stream[..], &mut Silent).unwrap();
        assert_eq!((report.pages.pages, report.pages.good), (40, 40), "{what}");
        if encrypted {
            let report = Verify::new().pages(true).run(&mut &stream[..], &mut Silent).unwrap();
            assert_eq!(report.pages.pages, 0, "{what}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = table();
    bytes[5 * 16384 + 99] ^= 1;
    fs::write(dir.path().join("t.ibd"), bytes).unwrap();
    for compression in WAYS.into_iter().flatten() {
        let mut stream = Vec::new();
        let job = Create::new().base(dir.path()).file("t.ibd").compress(compression);
        job.run(&mut stream, &mut Silent).unwrap();
        Verify::new().run(&mut &stream[..], &mut Silent).unwrap();
        let error = Verify::new().pages(true).run(&mut &stream[..], &mut Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PageCorrupt);
        assert!(error.to_string().contains("t.ibd: page 5 "), "{error}");
    }
}

fn xbkit(words: &[&str], stream: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xbkit"))
        .args(words)
        .stdin(File::open(stream).unwrap())
        .output()
        .unwrap()
}

#[test]
fn the_command_takes_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let (stream, key) = (dir.path().join("stream"), dir.path().join("key"));
    fs::write(&stream, backup(WAYS[2], true, true)).unwrap();
    fs::write(&key, [7; 32]).unwrap();
    let key = format!("--encrypt-key-file={}", key.display());
    let info = xbkit(&["info", &key], &stream);
    assert!(String::from_utf8_lossy(&info.stdout).contains("10.11.19-MariaDB"), "{info:?}");
    let found = xbkit(&["cat", &key, "db/t.ibd"], &stream);
    assert!(found.status.success() && found.stdout == table());
    let raw = xbkit(&["cat", "--raw", "db/t.ibd.zst.xbcrypt"], &stream);
    assert!(raw.status.success() && raw.stdout.starts_with(b"XBCRYP"), "{raw:?}");
    let none = xbkit(&["cat", "db/t.ibd"], &stream);
    assert_eq!((none.status.code(), none.stdout.len()), (Some(1), 0));
    let pages = xbkit(&["verify", "--pages", "--json", &key], &stream);
    let said: serde_json::Value = serde_json::from_slice(&pages.stdout).unwrap();
    assert_eq!(said["pages"]["good"], 40, "{said}");
}

/// What converts a stream keeps what it says of its members, or what their names say if it says
/// nothing: extracting the new one decodes the same.
#[test]
fn a_converted_stream_still_says_how_its_members_are_coded() {
    for compression in WAYS {
        for (encrypted, manifest, spool_all) in
            [(false, true, false), (true, true, true), (true, false, false)]
        {
            let gzip = compression.is_some_and(|it| it.codec().suffix() == ".gz");
            if gzip && !manifest {
                continue; // nothing says that it is not the file's own name
            }
            let stream = backup(compression, encrypted, manifest);
            let mut new = Vec::new();
            let job = Convert::to(Format::Xbstream).spool_all(spool_all);
            job.run(&mut &stream[..], &mut new, &mut Silent).unwrap();
            let dir = tempfile::tempdir().unwrap();
            let job = Extract::into_dir(dir.path()).key(key());
            let extracted = job.run(&mut &new[..], &mut Silent);
            let what = format!("{compression:?}, {encrypted}, {manifest}");
            if manifest {
                assert!(extracted.unwrap().proven, "{what}");
                let dump = fs::read(dir.path().join("dump.sql.zst")).unwrap();
                assert_eq!(dump, PLAIN[4].1, "{what}");
                assert!(fs::read(dir.path().join("db/t.ibd")).unwrap() == table(), "{what}");
            } else {
                let found = cat(&new, "db/t.ibd", Some(&key()), false).unwrap();
                assert!(found == table(), "{what}");
            }
        }
    }
    let whole = {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), b"text").unwrap();
        let job = Create::new().base(dir.path()).file("a").format(Format::Tar).encrypt(key());
        let mut archive = Vec::new();
        job.run(&mut archive, &mut Silent).unwrap();
        archive
    };
    let mut new = Vec::new();
    let job = || Convert::to(Format::Xbstream);
    let error = job().run(&mut &whole[..], &mut new, &mut Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Key, "{error}");
    let mut new = Vec::new();
    job().key(key()).run(&mut &whole[..], &mut new, &mut Silent).unwrap();
    assert_eq!(cat(&new, "a", None, false).unwrap(), b"text");
}
