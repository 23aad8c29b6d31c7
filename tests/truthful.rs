//! Where the incumbent extractor lies, ours does not: inputs that `mbstream` 10.11.19 was seen to
//! fail on, each with our verdict, and what is left in the target afterwards.
//!
//! `mbstream` runs beside, where it is installed, and its exit status is printed. Where it is
//! right it has to stay so; where it lies, a later version may have learnt.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a panic is how a test fails, and each has a directory of its own"
)]

mod common;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use common::build::{Chunks, noise};
use common::child::{child_with_mounts, finish, given, job, tell, told};
use common::sandbox::{Sandbox, Snapshot, WAYS, snapshot};
use common::{peers, tree};
use xbkit::{ErrorKind, Silent, Verify};

/// What an input deserves.
enum Verdict {
    /// These files, and no others.
    Makes(&'static [&'static str]),
    /// An error of this kind that says this, and a target as it was before.
    Refused(ErrorKind, &'static str),
}

/// What `mbstream` 10.11.19 does with the input.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mbstream {
    /// It refuses or accepts as we do.
    Right,
    /// It exits 0 though it made less than the stream holds, or other than that.
    Lies,
}

use ErrorKind::{Checksum, Exists, Format, NoSpace, NotFound, Permission, Truncated, UnsafePath};
use Mbstream::{Lies, Right};
use Verdict::{Makes, Refused};

struct Row {
    input: &'static str,
    stream: Vec<u8>,
    prepare: fn(&Sandbox),
    verdict: Verdict,
    mbstream: Mbstream,
}

const ALL: &[&str] = &["backup-my.cnf", "db/t1.ibd", "db/t2.ibd", "xtrabackup_info"];

fn content(name: &str) -> Vec<u8> {
    let size = if name.ends_with("ibd") { 40_000 } else { 100 };
    noise(u32::from(name.as_bytes()[name.len() - 5]), size)
}

/// A member in two chunks, so that a cut between them is one between chunks.
fn member(stream: Chunks, name: &str) -> Chunks {
    let bytes = content(name);
    let (head, tail) = bytes.split_at(bytes.len() / 2);
    let stream = stream.payload(name.as_bytes(), 0, head);
    stream.payload(name.as_bytes(), head.len() as u64, tail).end(name.as_bytes())
}

fn backup(names: &[&str]) -> Chunks {
    names.iter().fold(Chunks::default(), |stream, name| member(stream, name))
}

#[expect(clippy::too_many_lines, reason = "a table, a line for each fact")]
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |input, stream: Chunks, mbstream, verdict| {
        rows.push(Row { input, stream: stream.0, prepare: |_| {}, verdict, mbstream });
    };
    let whole = backup(ALL);
    let ends = |suffix: &Chunks| whole.0.len() - suffix.0.len();
    let info_end = Chunks::default().end(b"xtrabackup_info");

    row("a whole stream", whole.clone(), Right, Makes(ALL));
    row("empty stdin", Chunks::default(), Lies, Refused(Truncated, "the stream is empty"));
    // What no reader of a stream without an end mark can know; `Verify` calls it unproven.
    row("whole members missing at the end", backup(&ALL[..3]), Right, Makes(&ALL[..3]));
    let no_table = &["backup-my.cnf", "db/t2.ibd", "xtrabackup_info"];
    row("a table missing in the middle", backup(no_table), Right, Makes(no_table));
    row(
        "a member without its end chunk",
        whole.clone().cut(ends(&info_end)),
        Lies,
        Refused(Truncated, "xtrabackup_info: the stream ends before this member does"),
    );
    row(
        "60 % of a backup",
        whole.clone().cut(whole.0.len() * 6 / 10),
        Right,
        Refused(Truncated, "the stream ends within the chunk that begins at byte"),
    );
    row(
        "an absolute path",
        member(Chunks::default().file(b"/tmp/xbkit-absolute", b"x"), "db/t1.ibd"),
        Lies,
        Refused(UnsafePath, "/tmp/xbkit-absolute: member path is absolute"),
    );
    row(
        "a path that climbs",
        member(Chunks::default().file(b"../outside/new", b"x"), "db/t1.ibd"),
        Lies,
        Refused(UnsafePath, "../outside/new: member path contains a \"..\" component"),
    );
    row(
        "a path that climbs in its middle",
        member(Chunks::default().file(b"db/../../outside/new", b"x"), "db/t1.ibd"),
        Lies,
        Refused(UnsafePath, "member path contains a \"..\" component"),
    );
    row(
        "a component that is too long",
        backup(&ALL[..2]).file(&[b'n'; 256], b"x"),
        Lies,
        Refused(UnsafePath, "a component longer than 255 bytes"),
    );
    row(
        "a NUL inside a path",
        backup(&ALL[..2]).file(b"db/x\0.ibd", b"x"),
        Lies,
        Refused(UnsafePath, "db/x\\x00.ibd: member path contains a NUL byte"),
    );
    row(
        "an unknown chunk that may be skipped",
        backup(&ALL[..2]).like_payload(1, b'Z', b"later", b"feature"),
        Lies,
        Makes(&ALL[..2]),
    );
    row(
        "an unknown chunk that may not",
        backup(&ALL[..2]).like_payload(0, b'Z', b"later", b"feature"),
        Right,
        Refused(Format, "unknown chunk type 0x5a"),
    );
    row("concatenated streams", backup(&ALL[..2]).raw(&backup(&ALL[2..]).0), Right, Makes(ALL));
    row(
        "the same stream twice",
        whole.clone().raw(&whole.0),
        Lies,
        Refused(Format, "backup-my.cnf: the stream holds two members of this name"),
    );
    let payload_of_t1 = backup(&ALL[..1]).0.len() + 2000;
    row(
        "a damaged payload",
        whole.clone().flip(payload_of_t1, 1),
        Right,
        Refused(Checksum, "db/t1.ibd: chunk checksum is 0x"),
    );
    let one = |at, seed| Chunks::default().payload(b"db/t.ibd", at, &noise(seed, 1000));
    row(
        "a gap",
        one(0, 1).raw(&one(2000, 3).0).end(b"db/t.ibd"),
        Right,
        Refused(Format, "chunk holds byte 2000 of its member, but byte 1000 is next"),
    );
    row(
        "chunks in another order",
        one(0, 1).raw(&one(2000, 3).0).raw(&one(1000, 2).0).end(b"db/t.ibd"),
        Right,
        Refused(Format, "byte 2000 of its member, but byte 1000 is next"),
    );
    row(
        "a cut within a header",
        whole.clone().cut(ends(&info_end) + 9),
        Right,
        Refused(Truncated, "the stream ends within the header of the chunk"),
    );
    row(
        "garbage behind the end",
        whole.clone().raw(b"garbage that is longer than a header"),
        Right,
        Refused(Format, "no xbstream chunk: it begins with 67 61 72"),
    );
    row(
        "a wrong magic",
        whole.clone().flip(0, 0x20),
        Right,
        Refused(Format, "and not XBSTCK01, at byte 0 of the stream"),
    );
    row(
        "no xbstream at all",
        Chunks(vec![b'x'; 5000]),
        Right,
        Refused(Format, "no xbstream chunk"),
    );

    let mut prepared = |input, mbstream, verdict, prepare| {
        rows.push(Row { input, stream: backup(ALL).0, prepare, verdict, mbstream });
    };
    prepared(
        "a file that exists",
        Lies,
        Refused(Exists, "db/t1.ibd: creating the file"),
        |sandbox: &Sandbox| {
            fs::create_dir(sandbox.target().join("db")).unwrap();
            fs::write(sandbox.target().join("db/t1.ibd"), "the user's own").unwrap();
        },
    );
    prepared(
        "a symlinked directory in the target",
        Lies,
        // Of several members, which one is refused first is up to the threads.
        Refused(UnsafePath, "creating the file"),
        |sandbox: &Sandbox| {
            std::os::unix::fs::symlink("../outside", sandbox.target().join("db")).unwrap();
        },
    );
    rows
}

#[test]
fn each_input_gets_the_verdict_it_deserves() {
    for row in rows() {
        for way in WAYS {
            let what = format!("{}, {way:?}", row.input);
            let sandbox = Sandbox::new();
            (row.prepare)(&sandbox);
            let before = snapshot(&sandbox.target());
            let result = way.extract(&sandbox.target(), &row.stream);
            sandbox.assert_nothing_outside(&what);
            // A staged extraction refuses a target that is not empty before anything else.
            let not_empty = Refused(Exists, "the target directory is not empty");
            let verdict = if before.is_empty() || way.in_place { &row.verdict } else { &not_empty };
            match verdict {
                Makes(names) => {
                    let report = result.unwrap_or_else(|error| panic!("{what}: {error}"));
                    assert_eq!(report.members, names.len() as u64, "{what}");
                    assert_eq!(report.stream_bytes, row.stream.len() as u64, "{what}");
                    assert_holds(&sandbox.target(), names, &what);
                }
                Refused(kind, words) => {
                    let error = result.expect_err(&what);
                    assert_eq!(error.kind(), *kind, "{what}: {error}");
                    assert!(error.to_string().contains(words), "{what}: {error}");
                    assert_eq!(snapshot(&sandbox.target()), before, "{what}");
                }
            }
        }
    }
}

#[track_caller]
fn assert_holds(target: &Path, names: &[&str], what: &str) {
    let found = tree::on_disk(target);
    assert!(found.keys().map(Vec::as_slice).eq(names.iter().map(|name| name.as_bytes())), "{what}");
    for name in names {
        assert_eq!(found[name.as_bytes()].to_vec(), content(name), "{what}: {name}");
    }
}

/// Runs `mbstream -x` on the same input: its exit status, if it is installed.
fn mbstream(stream: &[u8], target: &Path, parallel: usize) -> Option<i32> {
    let mut child = Command::new(peers::peer("mbstream")?)
        .args(["-x", "-p", &parallel.to_string(), "-C"])
        .arg(target)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It may stop reading early; that is its verdict, not our failure.
    let _ = child.stdin.take().unwrap().write_all(stream);
    Some(child.wait().unwrap().code().expect("mbstream ends by itself"))
}

#[test]
fn mbstream_is_right_where_it_was() {
    for row in rows() {
        for parallel in [1, 3] {
            let sandbox = Sandbox::new();
            (row.prepare)(&sandbox);
            let Some(status) = mbstream(&row.stream, &sandbox.target(), parallel) else { return };
            let says = format!("mbstream -x -p {parallel} exits {status} on {}", row.input);
            println!("{says}");
            match (row.mbstream, &row.verdict) {
                (Right, Makes(names)) => {
                    assert_eq!(status, 0, "{says}");
                    assert_holds(&sandbox.target(), names, &says);
                }
                (Right, Refused(..)) => assert_eq!(status, 1, "{says}"),
                (Lies, _) => {}
            }
        }
    }
}

/// Members may be missing from a stream that extracts well; nobody calls it proven.
#[test]
fn what_nobody_can_know_is_not_claimed() {
    for names in [ALL, &ALL[..2]] {
        let stream = backup(names).0;
        let error = Verify::new().run(&mut &*stream, &mut Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unproven);
    }
}

#[test]
fn a_missing_directory_is_an_error_in_place_and_made_otherwise() {
    for way in WAYS {
        let sandbox = Sandbox::new();
        let deep = sandbox.target().join("new/deep");
        let result = way.extract(&deep, &backup(ALL).0);
        if way.in_place {
            let error = result.unwrap_err();
            assert_eq!((error.kind(), error.path()), (NotFound, Some(&*deep)), "{error}");
            assert_eq!(snapshot(&sandbox.target()), Snapshot::new());
        } else {
            result.unwrap();
            assert_holds(&deep, ALL, "a new directory");
        }
        sandbox.assert_nothing_outside("a missing directory");
    }
    let sandbox = Sandbox::new();
    if let Some(status) = mbstream(&backup(ALL).0, &sandbox.target().join("new"), 1) {
        assert_eq!(status, 1, "mbstream without its directory");
    }
}

/// A target that cannot be written to, or is full: real file systems, in a child's own mounts.
#[test]
fn a_target_that_takes_nothing_is_an_error() {
    for (options, kind) in [("ro", Permission), ("size=64k", NoSpace)] {
        let sandbox = Sandbox::new();
        let target = sandbox.target();
        let setup = format!("mount -t tmpfs -o {options} none '{}'", target.display());
        let Some(mut child) = child_with_mounts(&setup, "every way") else { return };
        child.env("XBK_TARGET", &target);
        let output = finish(&mut child);
        for way in WAYS {
            let said = told(&output, &format!("{way:?}"));
            assert_eq!(said, format!("{kind:?}, nothing left"), "{options}");
        }
        if peers::peer("mbstream").is_some() {
            let status = told(&output, "mbstream");
            println!("mbstream -x exits {status} on a target with {options}");
            assert!(kind == Permission || status == "1", "mbstream exits {status} without space");
        }
        sandbox.assert_nothing_outside(options);
    }
}

#[test]
#[ignore = "what the test above does in a process of its own"]
fn child_process() {
    if job().is_none() {
        return;
    }
    let target = given("XBK_TARGET");
    let target = Path::new(&target);
    let stream = backup(ALL).0;
    for way in WAYS {
        let error = way.extract(target, &stream).unwrap_err();
        let left = snapshot(target);
        let left = if left.is_empty() { "nothing left".to_owned() } else { format!("{left:?}") };
        tell(&format!("{way:?}"), format!("{:?}, {left}", error.kind()));
    }
    if let Some(status) = mbstream(&stream, target, 1) {
        tell("mbstream", status);
    }
}
