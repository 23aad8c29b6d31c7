//! Tablespaces that real servers wrote: what is sound is called so, what is damaged is noticed, and
//! `innochecksum` agrees wherever it knows the layout.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "the test reads and damages its own files")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{peers, server};
use xbkit::innodb::page::{Role, TablespaceChecker};
use xbkit::pages::{BadPage, Family, FileCheck, Reason, What};
use xbkit::{Check, Event};

/// Name, family, page size; pages without a sum, and encrypted ones.
type Golden = (&'static str, Family, usize, u64, u64);

const GOLDEN: [Golden; 23] = {
    use Family::{Legacy, Zip};
    [
        ("mysql-5.6-crc32-16k-compact.ibd", Legacy, 16384, 0, 0),
        ("mysql-5.6-crc32-16k-zip1.ibd", Zip, 1024, 0, 0),
        ("mysql-5.6-innodb-16k-ibdata1", Legacy, 16384, 0, 0),
        ("mysql-5.6-innodb-16k-ibdata2", Legacy, 16384, 0, 0),
        ("mysql-5.6-innodb-16k-redundant.ibd", Legacy, 16384, 0, 0),
        ("mysql-5.6-innodb-16k-zip16.ibd", Zip, 16384, 0, 0),
        ("mysql-5.6-innodb-16k-zip8.ibd", Zip, 8192, 0, 0),
        ("mysql-5.6-innodb-4k-dynamic.ibd", Legacy, 4096, 0, 0),
        ("mysql-5.6-none-8k-compact.ibd", Legacy, 8192, 17, 0),
        ("mysql-5.6-none-8k-zip2.ibd", Zip, 2048, 18, 0),
        ("mysql-9.7-crc32-16k-dynamic.ibd", Legacy, 16384, 0, 0),
        ("mysql-9.7-crc32-16k-general.ibd", Legacy, 16384, 0, 0),
        ("mysql-9.7-crc32-16k-lz4.ibd", Legacy, 16384, 0, 0),
        ("mysql-9.7-crc32-16k-undo.ibu", Legacy, 16384, 0, 0),
        ("mysql-9.7-crc32-16k-zip4.ibd", Zip, 4096, 0, 0),
        ("mysql-9.7-crc32-16k-zlib-encrypted.ibd", Legacy, 16384, 0, 14),
        ("mysql-9.7-crc32-16k-zlib.ibd", Legacy, 16384, 0, 0),
        ("mysql-9.7-crc32-32k-zlib.ibd", Legacy, 32768, 0, 0),
        ("mysql-9.7-crc32-4k-encrypted.ibd", Legacy, 4096, 0, 4),
        ("mysql-9.7-crc32-4k-ibdata1", Legacy, 4096, 0, 0),
        ("mysql-9.7-crc32-64k-lz4.ibd", Legacy, 65536, 0, 0),
        ("mysql-9.7-innodb-16k-dynamic.ibd", Legacy, 16384, 0, 0),
        ("mysql-9.7-none-16k-dynamic.ibd", Legacy, 16384, 15, 0),
    ]
};

fn golden(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/pages/{name}.zst"));
    zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap()
}

fn role(name: &str) -> Role {
    if name.contains("ibdata") { Role::System } else { Role::Own }
}

fn check(mut checker: TablespaceChecker, bytes: &[u8]) -> (FileCheck, Vec<BadPage>) {
    let mut bad = Vec::new();
    checker.feed(bytes, &mut |page| bad.push(*page));
    let (found, _) = checker.finish(&mut |page| bad.push(*page));
    (found, bad)
}

fn unchecked(found: &FileCheck, wanted: Reason) -> u64 {
    let place = Reason::ALL.iter().position(|reason| *reason == wanted).unwrap();
    found.tally.unchecked[place]
}

#[test]
fn the_catalogue_is_complete() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pages");
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".zst").map(str::to_owned))
        .collect();
    names.sort();
    assert_eq!(names, GOLDEN.map(|(name, ..)| name));
}

#[test]
fn what_mysql_wrote_is_good() {
    for (name, family, size, unsummed, encrypted) in GOLDEN {
        let bytes = golden(name);
        let (found, bad) = check(TablespaceChecker::new(role(name)), &bytes);
        assert_eq!(bad, [], "{name}");
        let tally = found.tally;
        assert_eq!((tally.bad, tally.missing), (0, 0), "{name}");
        assert_eq!(unchecked(&found, Reason::NoChecksum), unsummed, "{name}");
        assert_eq!(unchecked(&found, Reason::Encrypted), encrypted, "{name}");
        assert_eq!(unchecked(&found, Reason::UnknownLayout), 0, "{name}");
        if !name.ends_with("ibdata2") {
            assert_eq!((found.family, found.page_size), (Some(family), size), "{name}");
            assert_eq!(tally.pages, (bytes.len() / size) as u64, "{name}");
            let zeros = bytes.chunks(size).filter(|page| page.iter().all(|byte| *byte == 0));
            assert_eq!(tally.zero, zeros.count() as u64, "{name}");
        }
    }
}

/// What MySQL 5.6 would have written on a big-endian machine: the same, but for the sums.
#[test]
fn pages_of_big_endian_machines_are_good_and_damage_to_them_is_noticed() {
    let files = [
        ("mysql-5.6-crc32-16k-compact.ibd", common::pages::seal_big_endian as fn(&mut [u8])),
        ("mysql-5.6-crc32-16k-zip1.ibd", common::pages::seal_zip_big_endian),
        ("mysql-5.6-innodb-4k-dynamic.ibd", common::pages::seal_big_endian),
    ];
    for (name, seal) in files {
        let (_, _, size, ..) = *GOLDEN.iter().find(|(known, ..)| *known == name).unwrap();
        let original = golden(name);
        let mut turned = original.clone();
        let used = |page: &[u8]| page.iter().any(|byte| *byte != 0);
        turned.chunks_mut(size).filter(|page| used(page)).for_each(seal);
        let sums = |page: &[u8]| page[..4].to_vec();
        let differ = turned.chunks(size).zip(original.chunks(size));
        let differ = differ.filter(|(one, other)| sums(one) != sums(other)).count();
        assert_eq!(differ, original.chunks(size).filter(|page| used(page)).count(), "{name}");
        let (before, _) = check(TablespaceChecker::new(Role::Own), &original);
        let (found, bad) = check(TablespaceChecker::new(Role::Own), &turned);
        assert_eq!((found, bad), (before, vec![]), "{name}");
        for page in 0..turned.len() / size {
            let at = page * size + 40 + page * 7 % (size - 60);
            turned[at] ^= 4;
            let (_, bad) = check(TablespaceChecker::new(Role::Own), &turned);
            let is_used = used(&original[page * size..(page + 1) * size]);
            let pages: Vec<u64> = bad.iter().map(|bad| bad.page).collect();
            assert_eq!(pages, [page as u64], "{name}, used: {is_used}");
            turned[at] ^= 4;
        }
    }
}

/// A page with a sum, damaged in many places: all but what the layout leaves open is noticed.
#[test]
fn damage_to_what_mysql_wrote_is_noticed() {
    for (name, family, size, unsummed, encrypted) in GOLDEN {
        if unsummed + encrypted > 0 || name.contains("ibdata") {
            continue;
        }
        let mut bytes = golden(name);
        let page = (1..bytes.len() / size)
            .rev()
            .find(|page| bytes[page * size..].iter().take(size).any(|byte| *byte != 0))
            .unwrap();
        let kind = u16::from_be_bytes([bytes[page * size + 24], bytes[page * size + 25]]);
        let packed = if kind == 14 {
            let at = page * size + 32;
            38 + usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]))
        } else {
            size
        };
        for at in (0..packed).step_by(if size > 8192 { 149 } else { 31 }) {
            let is_free = match family {
                Family::Zip => (16..24).contains(&at) || (26..34).contains(&at),
                _ => kind != 14 && (26..34).contains(&at),
            };
            bytes[page * size + at] ^= 0x55;
            let (_, bad) = check(TablespaceChecker::new(Role::Own), &bytes);
            bytes[page * size + at] ^= 0x55;
            let pages: Vec<u64> = bad.iter().map(|bad| bad.page).collect();
            let expected = if is_free { vec![] } else { vec![page as u64] };
            assert_eq!(pages, expected, "{name}, page {page}, byte {at}");
        }
    }
}

/// What MariaDB 10.11 can make, but for what needs a plugin that is not here.
struct Maker {
    statements: String,
    options: Vec<String>,
}

impl Maker {
    fn new(algorithm: &str, page_size: u32) -> Self {
        let options = vec![
            format!("--innodb-page-size={page_size}"),
            format!("--innodb-checksum-algorithm={algorithm}"),
            "--innodb-undo-tablespaces=3".to_owned(),
            "--innodb-data-file-path=ibdata1:16M;ibdata2:8M:autoextend".to_owned(),
        ];
        let rows: Vec<String> = (0..100).map(|row| format!("({row})")).collect();
        let statements = format!(
            "CREATE DATABASE t;\nCREATE TABLE t.s(seq INT PRIMARY KEY) ENGINE=InnoDB;\n\
             INSERT INTO t.s VALUES {};\n",
            rows.join(",")
        );
        let mut maker = Self { statements, options };
        for format in ["redundant", "compact", "dynamic"] {
            maker.table(format, &format!("ROW_FORMAT={format}"));
        }
        // Compressed rows need pages of 16 KiB or less.
        let most = if page_size > 16384 { 0 } else { page_size };
        for size in [1, 2, 4, 8, 16].into_iter().filter(|size| size << 10 <= most) {
            let options = format!("ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE={size}");
            maker.table(&format!("zip{size}"), &options);
        }
        maker.table("packed", "PAGE_COMPRESSED=1");
        maker.line(
            "CREATE TABLE t.parts(a INT PRIMARY KEY, b TEXT) ENGINE=InnoDB \
             PARTITION BY HASH(a) PARTITIONS 3",
        );
        maker.line("INSERT INTO t.parts SELECT seq, REPEAT(MD5(seq), 10) FROM t.s");
        maker.line(
            "CREATE TABLE t.spatial_(a INT PRIMARY KEY, g POINT NOT NULL, SPATIAL KEY(g)) \
             ENGINE=InnoDB",
        );
        maker.line("INSERT INTO t.spatial_ SELECT seq, POINT(seq, seq) FROM t.s");
        maker.line("DELETE FROM t.compact WHERE a % 2 = 0");
        maker
    }

    fn line(&mut self, statement: &str) {
        let _ = writeln!(self.statements, "{statement};");
    }

    fn table(&mut self, name: &str, options: &str) {
        self.line(&format!(
            "CREATE TABLE t.{name}(a INT PRIMARY KEY, b VARCHAR(600), c BLOB, KEY(b(50))) \
             ENGINE=InnoDB {options}"
        ));
        self.line(&format!(
            "INSERT INTO t.{name} SELECT seq, REPEAT(MD5(seq), 10), REPEAT(MD5(seq + 1), 50) \
             FROM t.s"
        ));
    }

    /// Encrypted tables, and those of algorithms that are plugins.
    fn with_plugins(&mut self, dir: &Path, keys: &Path) {
        std::fs::write(keys, "1;770A8A65DA156D24EE2A093277530142\n").unwrap();
        self.options.push(format!("--plugin-dir={}", dir.display()));
        self.options.push("--plugin-load-add=file_key_management".to_owned());
        self.options.push(format!("--file-key-management-filename={}", keys.display()));
        self.options.push("--plugin-maturity=unknown".to_owned());
        self.table("encrypted", "ENCRYPTED=YES");
        self.table("packed_encrypted", "ENCRYPTED=YES PAGE_COMPRESSED=1");
        if !self.options[0].ends_with("=32768") && !self.options[0].ends_with("=65536") {
            self.table("zip_encrypted", "ENCRYPTED=YES ROW_FORMAT=COMPRESSED");
        }
        for algorithm in ["lz4", "bzip2", "lzma", "snappy", "lzo"] {
            if dir.join(format!("provider_{algorithm}.so")).exists() {
                self.options.push(format!("--plugin-load-add=provider_{algorithm}"));
                self.line(&format!("SET GLOBAL innodb_compression_algorithm={algorithm}"));
                self.table(&format!("packed_{algorithm}"), "PAGE_COMPRESSED=1");
            }
        }
    }
}

/// Where `make test-deps` puts the plugins.
fn plugins() -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(".plugins");
    dir.join("file_key_management.so").exists().then_some(dir)
}

/// Everything that the job says of a directory or a file, by name; and whether it ended well.
fn findings(path: &Path) -> (bool, BTreeMap<PathBuf, FileCheck>, Vec<(PathBuf, BadPage)>) {
    let (mut files, mut bad) = (BTreeMap::new(), Vec::new());
    let mut note = |event: &Event<'_>| {
        match event {
            Event::FileChecked { path, file } => drop(files.insert(path.to_path_buf(), **file)),
            Event::BadPage { path, page } => bad.push((path.to_path_buf(), **page)),
            _ => {}
        }
        ControlFlow::Continue(())
    };
    let ended = Check::of(path).parallel(2).run(&mut note);
    (ended.is_ok(), files, bad)
}

fn innochecksum(program: &Path, words: &[String], file: &Path) -> bool {
    Command::new(program).args(words).arg(file).output().unwrap().status.success()
}

fn servers() -> impl Iterator<Item = (&'static str, u32)> {
    let algorithms = ["full_crc32", "crc32", "strict_full_crc32", "strict_crc32"];
    algorithms.into_iter().flat_map(|algorithm| {
        let sizes = [4096, 8192, 16384, 32768, 65536].into_iter();
        // What is strict shows in what a server accepts, not in what it writes.
        sizes
            .filter(move |size| !algorithm.starts_with("strict") || *size == 16384)
            .map(move |size| (algorithm, size))
    })
}

#[test]
fn innochecksum_agrees_on_everything_that_mariadb_makes() {
    let Some(program) = peers::peer("innochecksum") else { return };
    let plugins = plugins();
    if plugins.is_none() {
        peers::missing("MariaDB's plugin file_key_management (make test-deps unpacks it)");
    }
    for (algorithm, page_size) in servers() {
        let scratch = tempfile::tempdir().unwrap();
        let datadir = scratch.path().join("data");
        let mut maker = Maker::new(algorithm, page_size);
        if let Some(dir) = &plugins {
            maker.with_plugins(dir, &scratch.path().join("keys"));
        }
        if !server::bootstrap(&datadir, &maker.options, &maker.statements) {
            return;
        }
        let what = format!("{algorithm}, {page_size}");
        let (ended, files, bad) = findings(&datadir);
        assert!(ended && bad.is_empty(), "{what}: {bad:?}");
        assert!(files.len() > 15, "{what}: {files:?}");
        for (path, file) in &files {
            let what = format!("{what}, {}", path.display());
            is_as_it_was_made(&what, path, file, algorithm, page_size);
            if path.ends_with("ibdata1") {
                // It takes the copies in the doublewrite buffer for pages: before and behind it.
                let extent = (1 << 20) / page_size.min(16384);
                let last = format!("--end-page={}", extent - 1);
                assert!(innochecksum(&program, &[last], path), "{what}");
                let first = format!("--start-page={}", 3 * extent);
                assert!(innochecksum(&program, &[first], path), "{what}");
            } else {
                assert!(innochecksum(&program, &[], path), "{what}");
            }
        }
        damaged_alike(&program, &what, page_size as usize, &files);
    }
}

/// Counts, family and page size are those of the table that was made.
fn is_as_it_was_made(what: &str, path: &Path, file: &FileCheck, algorithm: &str, page_size: u32) {
    let name = path.file_stem().unwrap().to_str().unwrap();
    let is_full = algorithm.ends_with("full_crc32");
    let family = match name {
        _ if name.starts_with("zip") => Family::Zip,
        _ if is_full => Family::FullCrc32,
        _ => Family::Legacy,
    };
    assert_eq!(file.family, Some(family), "{what}");
    let size = match name.strip_prefix("zip").map(str::parse::<usize>) {
        Some(Ok(kib)) => kib << 10,
        Some(Err(_)) => page_size.min(16384) as usize / 2,
        None => page_size as usize,
    };
    assert_eq!(file.page_size, size, "{what}");
    let length = path.metadata().unwrap().len();
    assert_eq!(file.tally.pages, length / size as u64, "{what}");
    let without_sum = unchecked(file, Reason::PageCompressed);
    if name.starts_with("packed") && !is_full {
        assert_eq!(without_sum, file.tally.pages - file.tally.zero - 1, "{what}");
    } else {
        let unchecked = file.tally.unchecked_pages() - unchecked(file, Reason::Doublewrite);
        assert_eq!(unchecked, 0, "{what}");
        assert!(file.tally.good > 2 || name == "ibdata2", "{what}");
    }
}

/// Damages each file in some places, one at a time: both notice it, or neither.
fn damaged_alike(
    program: &Path,
    what: &str,
    page_size: usize,
    files: &BTreeMap<PathBuf, FileCheck>,
) {
    let places = common::pages::noise(64, what.len() as u64);
    for (path, found) in files.iter().filter(|(path, _)| !path.ends_with("ibdata1")) {
        let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
        let bytes = std::fs::read(path).unwrap();
        let used: Vec<usize> = (0..bytes.len() / found.page_size)
            .filter(|page| bytes[page * found.page_size..][..64].iter().any(|byte| *byte != 0))
            .collect();
        if used.is_empty() {
            continue;
        }
        for pick in places.chunks(4).take(6) {
            let number = u32::from_be_bytes(pick.try_into().unwrap()) as usize;
            let page = used[number % used.len()];
            let within = if number & 1 == 0 { 64 } else { found.page_size };
            let at = page * found.page_size + (number >> 7) % within;
            let write = |byte: u8| file.write_all_at(&[byte], at as u64).unwrap();
            write(bytes[at] ^ (1 << (number % 8)));
            let (_, _, bad) = findings(path);
            let agrees = innochecksum(program, &[], path) == bad.is_empty();
            write(bytes[at]);
            let numbers: Vec<u64> = bad.iter().map(|(_, bad)| bad.page).collect();
            // It does not look at the place of a page that has no sum, nor at pages that are free.
            let is_place = |what| matches!(what, What::PageNumber | What::SpaceId);
            let is_place = bad.iter().all(|(_, bad)| is_place(bad.fault.what));
            let is_better = !bad.is_empty() && (is_place || is_free(&bytes, page_size, page));
            let what = format!("{what}, {} byte {at}: {bad:?}", path.display());
            assert!(agrees || is_better, "{what}");
            assert!(numbers.is_empty() || numbers == [page as u64], "{what}");
        }
        assert_eq!(std::fs::read(path).unwrap(), bytes);
    }
}

/// Whether page 0, which describes the extents of the first pages, says that a page is free: two
/// bits a page behind the 24 bytes that begin a descriptor.
fn is_free(file: &[u8], page_size: usize, page: usize) -> bool {
    let extent = (1 << 20) / page_size.min(16384);
    let descriptor = 150 + page / extent * (24 + extent / 4) + 24;
    let bit = page % extent * 2;
    file[descriptor + bit / 8] >> (bit % 8) & 1 == 1
}

/// Pages of a server that runs change while they are read, so its files are refused.
#[test]
fn a_server_that_runs_is_noticed() {
    let scratch = tempfile::tempdir().unwrap();
    let datadir = scratch.path().join("data");
    if !server::install(&datadir, &[]) {
        return;
    }
    let server = server::Server::start(&datadir, &[]);
    server.sql("CREATE DATABASE d; CREATE TABLE d.t(a INT PRIMARY KEY) ENGINE=InnoDB");
    for path in [datadir.clone(), datadir.join("ibdata1")] {
        let error = Check::of(&path).run(&mut xbkit::Silent).unwrap_err();
        assert_eq!(error.kind(), xbkit::ErrorKind::Locked, "{error}");
    }
    server.stop();
    let report = Check::of(&datadir).run(&mut xbkit::Silent).unwrap();
    assert!(report.files > 5 && report.pages.good > 100, "{report:?}");
}
