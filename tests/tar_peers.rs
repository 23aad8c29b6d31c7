//! tar beside the programs that everybody has: GNU tar, bsdtar and Python's `tarfile` take what
//! xbkit writes, and xbkit what they write.

#![expect(clippy::expect_used, reason = "a panic is how a test fails")]
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::cast_possible_truncation, reason = "the numbers are of a test's own")]
#![expect(clippy::unnecessary_debug_formatting, reason = "quotes show where a name ends")]
#![expect(clippy::disallowed_methods, reason = "the tests prepare and read their directories")]

mod common;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::peers::peer;
use common::tarball::Tarball;
use common::tree::{Content, Files, Outcome, decode_by, on_disk};
use xbkit::ErrorKind;
use xbkit::format::tar::{Decoder, END, append_member};

const PYTHON_EXTRACTS: &str = "\
import sys, tarfile
archive = tarfile.open(fileobj=sys.stdin.buffer, mode='r|', errorlevel=2)
archive.extractall('.', **({'filter': 'data'} if hasattr(tarfile, 'data_filter') else {}))
";

const PYTHON_LISTS: &str = "\
import sys, tarfile
for member in tarfile.open(sys.argv[1]):
    print(member.size, member.name)
";

/// Each reader with its arguments for extracting standard input into the working directory.
fn readers() -> Vec<(PathBuf, &'static [&'static str])> {
    let all: [(&str, &[&str]); 4] = [
        ("tar", &["-xf", "-"]),
        ("tar", &["-ixf", "-"]),
        ("bsdtar", &["-xf", "-"]),
        ("python3", &["-c", PYTHON_EXTRACTS]),
    ];
    all.into_iter().filter_map(|(name, args)| Some((peer(name)?, args))).collect()
}

/// Extracts with a reader, which must have nothing to say.
fn extract(program: &Path, args: &[&str], locale: &str, archive: &[u8], dir: &Path) {
    fs::create_dir(dir).unwrap();
    let mut child = Command::new(program)
        .args(args)
        .env("LC_ALL", locale)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the reader starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(archive).expect("the reader reads to the end"));
        let output = child.wait_with_output().expect("the reader ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{program:?} {args:?}: {said}");
    });
}

fn names() -> Vec<Vec<u8>> {
    let component = |len: usize| b"n".repeat(len);
    let below = |dirs: &[usize], name: usize| {
        let mut path: Vec<u8> =
            dirs.iter().flat_map(|len| [b"d".repeat(*len), b"/".to_vec()].concat()).collect();
        path.extend(component(name));
        path
    };
    vec![
        b"ibdata1".to_vec(),
        b"db1/t@002d1.frm".to_vec(),
        component(99),
        component(100),
        component(101),
        component(255),
        below(&[155], 100),
        below(&[154], 101),
        below(&[156], 99),
        below(&[100, 100, 100], 55),
        below(&[255, 255, 255, 255], 255),
        b"new\nline".to_vec(),
        b"-x".to_vec(),
        "\u{e9}t\u{e9}/\u{1f9ed}".as_bytes().to_vec(),
        b"latin\xe9/\xff\xfe".to_vec(),
        [b"\xff".repeat(140), b"/\xe9".to_vec()].concat(),
        [b"\xff".repeat(240), b"/\xe9".to_vec()].concat(),
        ["\u{e9}".repeat(120).as_bytes(), b"/x"].concat(),
    ]
}

#[test]
fn each_reader_takes_what_we_write_without_a_word() {
    let mut archive = Tarball::default();
    let mut expected = Files::new();
    for (number, name) in names().into_iter().enumerate() {
        let len = [0, 1, 511, 512, 513, 100_000][number % 6];
        let bytes: Vec<u8> = (0..len).map(|at| (at * 31 + number) as u8).collect();
        archive = archive.file(&name, &bytes);
        expected.insert(name, Content::from(&*bytes));
    }
    let mut global = Vec::new();
    xbkit::format::tar::append_global(&mut global, "a comment that nobody needs to see");
    let archive = [global, archive.directory(b"empty").end()].concat();
    let scratch = tempfile::tempdir().unwrap();
    for (number, (program, args)) in readers().into_iter().enumerate() {
        for locale in ["C", "C.UTF-8"] {
            let dir = scratch.path().join(format!("{number}-{locale}"));
            extract(&program, args, locale, &archive, &dir);
            assert_eq!(on_disk(&dir), expected, "{program:?} {args:?} {locale}");
            assert!(dir.join("empty").is_dir(), "{program:?} {args:?}");
            // GNU tar and bsdtar keep to what the header says, but for the caller's umask.
            let mode = fs::metadata(dir.join("ibdata1")).unwrap().mode();
            assert_eq!(mode & 0o117, 0, "{program:?}: {mode:o}");
        }
    }
}

/// An archive on disk with members of 9 and 70 GiB, nearly all of it a hole.
#[test]
fn each_reader_knows_the_sizes_of_huge_members() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("huge.tar");
    let file = File::create_new(&path).unwrap();
    let mut at = 0;
    let sizes = [(1 << 33) - 1, 1 << 33, 9_000_000_001, (1 << 36) - 1, 1 << 36, 75_161_927_681];
    for (number, size) in sizes.iter().enumerate() {
        let mut head = Vec::new();
        append_member(&mut head, format!("m{number}").as_bytes(), *size, 0).unwrap();
        file.write_all_at(&head, at).unwrap();
        at = (at + head.len() as u64 + size).next_multiple_of(512);
    }
    file.set_len(at + END.len() as u64).unwrap();
    drop(file);
    let name = path.to_str().unwrap();
    for (program, args) in [
        ("tar", vec!["--numeric-owner", "-tvf", name]),
        ("bsdtar", vec!["-tvf", name]),
        ("python3", vec!["-c", PYTHON_LISTS, name]),
    ] {
        let Some(program) = peer(program) else { continue };
        let output = Command::new(&program).args(&args).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{program:?}: {output:?}");
        let listed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(listed.lines().count(), sizes.len(), "{listed}");
        for (line, size) in listed.lines().zip(sizes) {
            let size = size.to_string();
            assert!(line.split_whitespace().any(|word| word == size), "{line}, not {size}");
        }
    }
}

/// A directory such as a server has, with names and sizes that make each format go to its limits.
fn tree(dir: &Path) -> Files {
    for name in names() {
        let path = dir.join(OsStr::from_bytes(&name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, name.repeat(7)).unwrap();
    }
    fs::write(dir.join("empty"), b"").unwrap();
    fs::create_dir(dir.join("no tables")).unwrap();
    on_disk(dir)
}

/// What a writer writes to its standard output.
fn written(program: &Path, args: &[&str], dir: &Path) -> Vec<u8> {
    let output = Command::new(program)
        .args(args)
        .env("LC_ALL", "C.UTF-8")
        .current_dir(dir)
        .output()
        .expect("the writer runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program:?} {args:?}: {said}");
    output.stdout
}

fn read(archive: &[u8]) -> Outcome {
    decode_by(Decoder::new(), archive, || 10_007)
}

const PYTHON_WRITES: &str = "\
import sys, tarfile
archive = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=int(sys.argv[1]))
archive.add('.')
archive.close()
";

#[test]
fn we_take_what_each_writer_writes() {
    let scratch = tempfile::tempdir().unwrap();
    let mut files = tree(scratch.path());
    let writers: [(&str, &[&str]); 6] = [
        ("tar", &["--format=gnu", "-cf", "-", "."]),
        ("tar", &["--format=oldgnu", "-cf", "-", "."]),
        ("tar", &["--format=posix", "-cf", "-", "."]),
        ("bsdtar", &["--format=pax", "-cf", "-", "."]),
        ("bsdtar", &["--format=gnutar", "-cf", "-", "."]),
        ("python3", &["-c", PYTHON_WRITES, "2"]),
    ];
    for (program, args) in writers {
        let Some(program) = peer(program) else { continue };
        let outcome = read(&written(&program, args, scratch.path()));
        assert!(outcome.directories.contains(&b"no tables"[..]), "{program:?} {args:?}");
        assert_eq!(outcome.accepted(), files, "{program:?} {args:?}");
    }
    // Formats that are not for every name.
    files.retain(|name, _| name.len() <= 90);
    for name in names().iter().filter(|name| name.len() > 90) {
        let top = name.split(|byte| *byte == b'/').next().unwrap();
        let top = scratch.path().join(OsStr::from_bytes(top));
        let _ = if top.is_dir() { fs::remove_dir_all(top) } else { fs::remove_file(top) };
    }
    for (program, args) in [
        ("tar", &["--format=v7", "-cf", "-", "."][..]),
        ("tar", &["--format=ustar", "-cf", "-", "."]),
        ("bsdtar", &["--format=ustar", "-cf", "-", "."]),
        ("bsdtar", &["--format=v7", "-cf", "-", "."]),
        ("python3", &["-c", PYTHON_WRITES, "0"]),
        ("python3", &["-c", PYTHON_WRITES, "1"]),
    ] {
        let Some(program) = peer(program) else { continue };
        let outcome = read(&written(&program, args, scratch.path()));
        assert_eq!(outcome.accepted(), files, "{program:?} {args:?}");
    }
}

#[test]
fn we_take_files_with_holes_of_every_layout() {
    let Some(tar) = peer("tar") else { return };
    let scratch = tempfile::tempdir().unwrap();
    let make = |name: &str, size: u64, data: &[(u64, &[u8])]| {
        let file = File::create_new(scratch.path().join(name)).unwrap();
        file.set_len(size).unwrap();
        for (offset, bytes) in data {
            file.write_all_at(bytes, *offset).unwrap();
        }
    };
    let block = [b'd'; 4096];
    let many: Vec<(u64, &[u8])> = (0..100).map(|page| (page * 16384, &block[..])).collect();
    make("many.ibd", 100 * 16384, &many);
    make("hole at the end", 1 << 20, &[(0, &block)]);
    make("hole at the beginning", 1 << 20, &[((1 << 20) - 4096, &block)]);
    make("nothing but a hole", 100_001, &[]);
    make("none", 4096, &[(0, &block)]);
    let few = scratch.path().join("many.ibd");
    assert!(fs::metadata(few).unwrap().blocks() * 512 < 1 << 20, "no holes on this file system");
    let expected = on_disk(scratch.path());
    for format in [
        &["--format=oldgnu"][..],
        &["--format=gnu"],
        &["--format=posix", "--sparse-version=0.0"],
        &["--format=posix", "--sparse-version=0.1"],
        &["--format=posix", "--sparse-version=1.0"],
    ] {
        let args = [format, &["-S", "-cf", "-", "."]].concat();
        let archive = written(&tar, &args, scratch.path());
        assert!(archive.len() < 1 << 20, "{format:?}: holes take room");
        assert_eq!(read(&archive).accepted(), expected, "{format:?}");
    }
    let Some(bsdtar) = peer("bsdtar") else { return };
    let archive = written(&bsdtar, &["--format=pax", "-cf", "-", "."], scratch.path());
    assert_eq!(read(&archive).accepted(), expected);
}

/// A file of 9 GiB with holes: its size is in binary, or in records.
#[test]
fn we_take_sizes_that_do_not_fit_the_header() {
    let Some(tar) = peer("tar") else { return };
    let scratch = tempfile::tempdir().unwrap();
    let file = File::create_new(scratch.path().join("ibdata1")).unwrap();
    let size = 9_000_000_001;
    file.set_len(size).unwrap();
    file.write_all_at(b"end", size - 3).unwrap();
    drop(file);
    for format in ["--format=gnu", "--format=posix"] {
        let sparse = written(&tar, &[format, "-S", "-cf", "-", "ibdata1"], scratch.path());
        let files = read(&sparse).accepted();
        assert_eq!(files[&b"ibdata1"[..]].size(), size, "{format}");
        // Without -S all 9 GB come: the header is enough.
        let mut child = Command::new(&tar)
            .args([format, "-cf", "-", "ibdata1"])
            .current_dir(scratch.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut head = vec![0; 10_240];
        child.stdout.take().unwrap().read_exact(&mut head).unwrap();
        let _ = child.wait();
        let cut = read(&head).result.unwrap_err();
        assert_eq!(cut.kind(), ErrorKind::Truncated, "{format}: {cut}");
        let mut decoder = Decoder::new();
        let mut left = size.next_multiple_of(512);
        let zeros = vec![0; 1 << 20];
        let headers = if format.ends_with("gnu") { 512 } else { 1536 };
        assert!(decoder.decode(&head[..headers]).unwrap().item.is_some());
        let mut closed = None;
        while left > 0 {
            let mut input = &zeros[..left.min(zeros.len() as u64) as usize];
            left -= input.len() as u64;
            loop {
                let step = decoder.decode(input).unwrap();
                input = &input[step.consumed..];
                match step.item {
                    None => break,
                    Some(xbkit::Item::Close { size, .. }) => closed = Some(size),
                    Some(_) => {}
                }
            }
        }
        assert_eq!(closed, Some(size), "{format}");
    }
}

/// As the first innobackupex did it: its own archive, and tar's behind it.
#[test]
fn archives_in_a_row_are_taken_as_tar_takes_them_with_i() {
    let Some(tar) = peer("tar") else { return };
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("t.frm"), "form").unwrap();
    let own = Tarball::default().file(b"ibdata1", b"page").end();
    let theirs = written(&tar, &["-cf", "-", "t.frm"], scratch.path());
    assert_eq!(theirs.len(), 10_240, "tar fills up its record");
    let files = read(&[&own[..], &theirs, &Tarball::default().file(b"last", b"").end()].concat());
    let names: Vec<_> = files.accepted().into_keys().collect();
    assert_eq!(names, [&b"ibdata1"[..], b"last", b"t.frm"]);
}

/// Links and devices are real ones, archived by the programs themselves.
#[test]
fn what_is_no_file_is_refused_by_name() {
    let Some(tar) = peer("tar") else { return };
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    fs::write(at("a"), "1").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", at("link")).unwrap();
    fs::hard_link(at("a"), at("b")).unwrap();
    let fifo = Command::new("mkfifo").arg(at("fifo")).status().unwrap();
    assert!(fifo.success());
    for (what, names) in
        [("link", &["link"][..]), ("b", &["a", "b"]), ("fifo", &["fifo"]), ("null", &["null"])]
    {
        let dir = if what == "null" { Path::new("/dev") } else { scratch.path() };
        for format in ["--format=gnu", "--format=posix", "--format=ustar"] {
            let archive = written(&tar, &[&[format, "-cf", "-"], names].concat(), dir);
            let error = read(&archive).result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert_eq!(error.path(), Some(Path::new(what)), "{error}");
        }
    }
    let other = written(&tar, &["--label=backup", "-cf", "-", "a"], scratch.path());
    assert_eq!(read(&other).result.unwrap_err().kind(), ErrorKind::Unsupported);
}

/// libarchive's own bytes for what xtrabackup streamed, but for the time in its headers.
#[test]
fn bsdtar_writes_the_same_headers() {
    let Some(bsdtar) = peer("bsdtar") else { return };
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("t.frm");
    fs::write(&path, "12345").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o660);
    fs::set_permissions(&path, mode).unwrap();
    let mtime = fs::metadata(&path).unwrap().mtime();
    let owner = ["--uid", "0", "--gid", "0", "--uname", "", "--gname", "", "--numeric-owner"];
    let args = [&["--format=ustar", "-b", "1", "-cf", "-"][..], &owner, &["t.frm"]].concat();
    let theirs = written(&bsdtar, &args, scratch.path());
    let mut ours = Vec::new();
    append_member(&mut ours, b"t.frm", 5, mtime).unwrap();
    ours.extend_from_slice(b"12345");
    ours.resize(1024, 0);
    ours.extend_from_slice(&END);
    assert_eq!(ours.escape_ascii().to_string(), theirs.escape_ascii().to_string());
}
