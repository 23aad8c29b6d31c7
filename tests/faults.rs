//! What goes wrong around an extraction: readers, observers, other runs, full and read-only file
//! systems, cancelling, and being killed. A failure leaves nothing, or a mark that says so.
//!
//! What goes wrong around a writer is in `tests/sinks.rs`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a panic is how a test fails, and each has a directory of its own"
)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use common::build::{Chunks, noise};
use common::child::{
    Killed, child, child_after, child_with_mounts, child_without_rights, finish, given, job, tell,
    told,
};
use common::sandbox::{Act, Sandbox, Script, WAYS, Way, snapshot, wait_until, within};
use common::tree;
use xbkit::{CancelToken, Error, ErrorKind, Event, Extract, Result, Silent, StreamReader};

use ErrorKind::{Cancelled, Exists, InvalidState, Locked, NoSpace, NotFound, Permission, Source};

/// A few members, one of them with a hole, one in two chunks.
fn small() -> Chunks {
    Chunks::default()
        .payload(b"db/t.ibd", 0, b"first")
        .file(b"ibdata1", b"page")
        .payload(b"db/t.ibd", 5, b"second")
        .end(b"db/t.ibd")
        .sparse(b"db/s.ibd", 0, &[(5, 2), (3, 0)], b"xy")
        .end(b"db/s.ibd")
        .end(b"empty")
}

/// What a job over a sandbox came to must be an error, and the target empty.
#[track_caller]
fn assert_refused<T: std::fmt::Debug>(
    sandbox: &Sandbox,
    result: Result<T>,
    kind: ErrorKind,
    what: &str,
) -> Error {
    let error = result.expect_err(what);
    assert_eq!(error.kind(), kind, "{what}: {error}");
    assert_eq!(snapshot(&sandbox.target()), BTreeMap::default(), "{what}: {error}");
    sandbox.assert_nothing_outside(what);
    error
}

/// Gives few bytes at once, and is interrupted before each.
struct Tedious<'s> {
    stream: &'s [u8],
    most: usize,
    interrupted: bool,
}

impl Read for Tedious<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = self.most.min(buf.len());
        self.stream.read(&mut buf[..most])
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The stream as it is, and in each layer.
fn layered(stream: &[u8]) -> [(&'static str, Vec<u8>); 4] {
    let zstd = zstd::stream::encode_all(stream, 1).unwrap();
    [("plain", stream.to_vec()), ("gzip", gzip(stream)), ("zstd", zstd), ("lz4", lz4(stream))]
}

fn items(reader: impl Read) -> Result<usize> {
    let mut reader = StreamReader::new(reader)?;
    let mut count = 0;
    while let Some(item) = reader.next_item()? {
        // Data come in pieces, as many as reads.
        count += usize::from(!matches!(item, xbkit::Item::Data { .. }));
    }
    Ok(count)
}

#[test]
fn short_and_interrupted_reads_change_nothing() {
    let stream = small().0;
    let expected = items(&*stream).unwrap();
    for (layer, bytes) in layered(&stream) {
        for most in [1, 3, 4, 5, 7, 1000] {
            let reader = || Tedious { stream: &bytes, most, interrupted: false };
            assert_eq!(items(reader()).unwrap(), expected, "{layer}, {most}");
            for way in WAYS {
                let sandbox = Sandbox::new();
                way.job(&sandbox.target()).run(&mut reader(), &mut Silent).unwrap();
                let files = tree::on_disk(&sandbox.target());
                assert_eq!(files.len(), 4, "{layer}, {most}, {way:?}");
                assert_eq!(files[&b"db/t.ibd"[..]].to_vec(), b"firstsecond");
                assert_eq!(files[&b"db/s.ibd"[..]].to_vec(), b"\0\0\0\0\0xy\0\0\0");
            }
        }
    }
}

/// A reader's own error is reported as such, wherever it comes and whatever layer is around it.
#[test]
fn a_reader_may_fail_at_any_byte() {
    for (layer, bytes) in layered(&small().0) {
        for at in 0..=bytes.len() {
            let failure = |kind: io::ErrorKind| {
                let error = io::Error::new(kind, "the tape is torn");
                Script::new([Act::Give(bytes[..at].to_vec()), Act::Fail(error)])
            };
            // Behind the last byte there is an end to be read, and it is not a good one.
            let what = format!("{layer}, byte {at} of {}", bytes.len());
            for kind in
                [io::ErrorKind::Other, io::ErrorKind::WouldBlock, io::ErrorKind::UnexpectedEof]
            {
                let error = items(failure(kind)).expect_err(&what);
                assert_eq!(error.kind(), Source, "{what}, {kind}: {error}");
                assert!(error.to_string().contains("the tape is torn"), "{what}: {error}");
            }
            if layer != "plain" && !at.is_multiple_of(7) {
                continue;
            }
            for way in WAYS {
                let sandbox = Sandbox::new();
                let mut reader = failure(io::ErrorKind::Other);
                let result = way.job(&sandbox.target()).run(&mut reader, &mut Silent);
                let error = assert_refused(&sandbox, result, Source, &what);
                assert!(error.to_string().contains("the tape is torn"), "{what}: {error}");
            }
        }
    }
}

/// A reader that lies about its count.
struct Liar;

impl Read for Liar {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(buf.len() + 1)
    }
}

#[test]
fn a_reader_that_claims_too_much_is_not_believed() {
    for way in WAYS {
        let sandbox = Sandbox::new();
        let result = way.job(&sandbox.target()).run(&mut Liar, &mut Silent);
        assert_refused(&sandbox, result, Source, "a liar");
    }
}

#[test]
fn an_observer_may_break_at_any_event() {
    let stream = small().0;
    for way in WAYS {
        let events = |most: usize| {
            let sandbox = Sandbox::new();
            let mut seen = 0;
            let mut observer = |_: &Event<'_>| {
                seen += 1;
                if seen > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let result = way.job(&sandbox.target()).run(&mut &*stream, &mut observer);
            (sandbox, result, seen)
        };
        let (_, result, all) = events(usize::MAX);
        result.unwrap();
        assert!(all >= 5, "four members and an end, but {all} events");
        for most in 0..all {
            let (sandbox, result, seen) = events(most);
            assert_refused(&sandbox, result, Cancelled, &format!("{way:?}, event {most} of {all}"));
            assert_eq!(seen, most + 1, "no event comes behind the break");
        }
    }
}

#[test]
fn a_panic_of_the_caller_leaves_nothing() {
    let stream = small().0;
    for way in WAYS {
        let sandbox = Sandbox::new();
        let mut observer = |event: &Event<'_>| {
            assert!(!matches!(event, Event::Member { .. }), "a panic in the observer");
            ControlFlow::Continue(())
        };
        let job = way.job(&sandbox.target());
        let run = AssertUnwindSafe(|| job.run(&mut &*stream, &mut observer));
        assert!(catch_unwind(run).is_err());
        assert_eq!(snapshot(&sandbox.target()), BTreeMap::default(), "{way:?}");

        let panic = Box::new(|| panic!("a panic in the reader"));
        let mut reader = Script::new([Act::Give(stream[..100].to_vec()), Act::Do(panic)]);
        let run = AssertUnwindSafe(|| job.run(&mut reader, &mut Silent));
        assert!(catch_unwind(run).is_err());
        assert_eq!(snapshot(&sandbox.target()), BTreeMap::default(), "{way:?}");
    }
}

/// Both ends of a pipe or of a connection.
fn pair(socket: bool) -> (OwnedFd, fs::File) {
    if socket {
        let (reader, writer) = UnixStream::pair().unwrap();
        (reader.into(), OwnedFd::from(writer).into())
    } else {
        let (reader, writer) = io::pipe().unwrap();
        (reader.into(), OwnedFd::from(writer).into())
    }
}

/// Another thread cancels a job whose source gives nothing more.
#[test]
fn cancelling_ends_a_stalled_read() {
    let stream = small().0;
    for cut in [0, 3, 40, stream.len() - 1] {
        for way in WAYS {
            for socket in [false, true] {
                let sandbox = Sandbox::new();
                let token = CancelToken::new().unwrap();
                let job = way.job(&sandbox.target()).cancel(token.clone());
                let (reader, mut writer) = pair(socket);
                writer.write_all(&stream[..cut]).unwrap();
                let runs = std::thread::spawn(move || {
                    let result = job.run_fd(reader.as_fd(), &mut Silent);
                    (result, Instant::now())
                });
                // Mid-stream it is waiting for more when the bytes there are were taken; at once
                // is as good a moment as any.
                let cancelled = Instant::now();
                token.cancel();
                let (result, ended) = within("a cancelled read ends", || runs.join().unwrap());
                let what = format!("{way:?}, socket {socket}, {cut} bytes");
                assert_refused(&sandbox, result, Cancelled, &what);
                let took = ended - cancelled;
                assert!(took.as_secs() < 5, "{what}: {took:?}");
                drop(writer);
            }
        }
    }
}

/// A token that was set before ends a job before it began.
#[test]
fn a_cancelled_token_ends_a_job_at_once() {
    let token = CancelToken::new().unwrap();
    token.cancel();
    for way in WAYS {
        let sandbox = Sandbox::new();
        let job = way.job(&sandbox.target()).cancel(token.clone());
        assert_refused(&sandbox, job.run(&mut &*small().0, &mut Silent), Cancelled, "set before");
    }
}

/// A second run into the same directory, started in the middle of a first one.
#[test]
fn two_extractions_into_one_directory_are_kept_apart() {
    let stream = small().0;
    let (begin, rest) = stream.split_at(60);
    for first in WAYS {
        for second in WAYS {
            let what = format!("{second:?} during {first:?}");
            let sandbox = Sandbox::new();
            let target = sandbox.target();
            let mut seen = None;
            let mut reader = Script::new([
                Act::Give(begin.to_vec()),
                Act::Do(Box::new(|| {
                    let other = Chunks::default().file(b"other", b"x").0;
                    seen = Some(second.extract(&target, &other));
                })),
                Act::Give(rest.to_vec()),
            ]);
            first.job(&target).run(&mut reader, &mut Silent).expect(&what);
            drop(reader);
            let error = seen.expect("the second ran").expect_err(&what);
            let kind = match (first.in_place, second.in_place) {
                (true, false) => Exists,
                (false, true) => InvalidState,
                _ => Locked,
            };
            assert_eq!(error.kind(), kind, "{what}: {error}");
            let names: Vec<_> = tree::on_disk(&target).into_keys().collect();
            assert_eq!(names, [&b"db/s.ibd"[..], b"db/t.ibd", b"empty", b"ibdata1"], "{what}");
            sandbox.assert_nothing_outside(&what);
        }
    }
}

#[test]
fn a_target_that_vanishes_is_an_error() {
    let stream = small().0;
    for (what, at) in [("in the middle", 60), ("at the end", stream.len())] {
        for way in WAYS {
            let sandbox = Sandbox::new();
            let target = sandbox.target();
            let mut reader = Script::new([
                Act::Give(stream[..at].to_vec()),
                Act::Do(Box::new(|| {
                    // A worker may be making a file while the directory is being emptied.
                    wait_until("it is gone", || fs::remove_dir_all(&target).is_ok());
                })),
                Act::Give(stream[at..].to_vec()),
            ]);
            let result = way.job(&target).run(&mut reader, &mut Silent);
            drop(reader);
            let error = result.expect_err(what);
            assert_eq!(error.kind(), NotFound, "{what}, {way:?}: {error}");
            assert!(!target.exists(), "{what}, {way:?}");
        }
    }
}

/// Files that appear in the target of a staged run meanwhile are neither replaced nor joined.
#[test]
fn files_that_appear_meanwhile_are_not_mixed_with() {
    for name in ["ibdata1", "something-else"] {
        let sandbox = Sandbox::new();
        let target = sandbox.target();
        let appears = || fs::write(target.join(name), "own").unwrap();
        let mut reader = Script::new([Act::Give(small().0), Act::Do(Box::new(appears))]);
        let result = Extract::into_dir(&target).sync(false).run(&mut reader, &mut Silent);
        drop(reader);
        let error = result.expect_err(name);
        assert_eq!(error.kind(), Exists, "{error}");
        let left = snapshot(&target);
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(fs::read(target.join(name)).unwrap(), b"own");
    }
}

/// `count` members of `size` bytes, a few of them below directories.
fn large(count: u32, size: usize) -> Vec<u8> {
    let stream = (0..count).fold(Chunks::default(), |stream, number| {
        let dir = ["", "db/", "db/deep/"][number as usize % 3];
        stream.file(format!("{dir}{number:04}").as_bytes(), &noise(number, size))
    });
    stream.0
}

/// The device fills up in the middle: with bytes, with files, and by a limit on a file's size.
#[test]
fn no_space_in_the_middle_leaves_nothing_and_all_space() {
    for (what, options) in [("bytes", "size=400k"), ("files", "nr_inodes=24")] {
        let sandbox = Sandbox::new();
        let setup = format!("mount -t tmpfs -o {options} none '{}'", sandbox.target().display());
        let Some(mut child) = child_with_mounts(&setup, "no space") else { return };
        let output = finish(child.env("XBK_TARGET", sandbox.target()));
        assert_eq!(told(&output, "done"), "true", "{what}");
    }
    // What cannot be mounted for is at least limited: a signal that is ignored leaves the error.
    let sandbox = Sandbox::new();
    let mut child = child_after("trap '' XFSZ && ulimit -f 4", "no space");
    let output = finish(child.env("XBK_TARGET", sandbox.target()));
    assert_eq!(told(&output, "done"), "true");
}

fn no_space(target: &Path) {
    let stream = large(100, 8000);
    for way in WAYS {
        // Twice: what the first one took is free again.
        for _ in 0..2 {
            let error = way.extract(target, &stream).expect_err("a full device");
            assert_eq!(error.kind(), NoSpace, "{way:?}: {error}");
            assert!(error.hint_text().is_some());
            assert_eq!(snapshot(target), BTreeMap::default(), "{way:?}");
        }
        // A member that is all holes has its size set, which may be too much as well.
        let holes = Chunks::default().sparse(b"h", 0, &[(1 << 20, 0)], b"").end(b"h").0;
        if let Err(error) = way.extract(target, &holes) {
            assert_eq!(error.kind(), NoSpace, "{way:?}: {error}");
            assert_eq!(snapshot(target), BTreeMap::default(), "{way:?}");
        } else {
            fs::remove_file(target.join("h")).unwrap();
        }
    }
    tell("done", "true");
}

/// Who may not write gets an error, whether the target or a directory in it is closed.
#[test]
fn missing_rights_are_an_error() {
    let sandbox = Sandbox::new();
    let own = tempfile::tempdir().unwrap();
    let Some(mut child) = child_without_rights(own.path(), "no rights") else { return };
    let target = own.path().join("target");
    for (dir, mode) in [("", 0o555), ("open", 0o777), ("open/db", 0o555)] {
        use std::os::unix::fs::PermissionsExt as _;
        fs::create_dir(target.join(dir)).unwrap();
        fs::set_permissions(target.join(dir), fs::Permissions::from_mode(mode)).unwrap();
    }
    let output = finish(child.env("XBK_TARGET", &target));
    assert_eq!(told(&output, "done"), "true");
    assert_eq!(snapshot(&target).len(), 2);
    sandbox.assert_nothing_outside("no rights");
}

fn no_rights(target: &Path) {
    for way in WAYS {
        let closed = target.join(if way.in_place { "" } else { "new" });
        let error = way.extract(&closed, &small().0).unwrap_err();
        assert_eq!(error.kind(), Permission, "{way:?}: {error}");
        if way.in_place {
            let error = way.extract(&target.join("open"), &small().0).unwrap_err();
            assert_eq!(error.kind(), Permission, "{way:?}: {error}");
        }
    }
    tell("done", "true");
}

/// Descriptors and threads are given back, however a job ends.
#[test]
fn nothing_is_leaked_however_a_job_ends() {
    let sandbox = Sandbox::new();
    let mut child = child("leaks");
    let output = finish(child.env("XBK_TARGET", sandbox.target()));
    assert_eq!(told(&output, "flags before"), told(&output, "flags after"));
}

fn leaks(target: &Path) {
    let open = || {
        let count = |of: &str| fs::read_dir(format!("/proc/self/{of}")).unwrap().count();
        format!("{} descriptors, {} threads", count("fd"), count("task"))
    };
    let token = CancelToken::new().unwrap();
    let (reader, writer) = io::pipe().unwrap();
    let flags = || {
        use std::os::fd::AsRawFd as _;
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", reader.as_raw_fd())).unwrap();
        info.lines().find(|line| line.starts_with("flags")).unwrap().to_owned()
    };
    let before = open();
    tell("flags before", flags());
    for (number, way) in WAYS.into_iter().enumerate() {
        let job = way.job(target);
        let _ = job.run(&mut &small().0[..50], &mut Silent).unwrap_err();
        let _ = job.run(&mut Liar, &mut Silent).unwrap_err();
        let mut stop = |_: &Event<'_>| ControlFlow::Break(());
        let _ = job.run(&mut &*small().0, &mut stop).unwrap_err();
        let panics = AssertUnwindSafe(|| {
            job.run(&mut &*small().0, &mut |_: &Event<'_>| panic!("as it should"))
        });
        assert!(catch_unwind(panics).is_err());
        (&writer).write_all(&small().0[..70]).unwrap();
        let cancelled = CancelToken::new().unwrap();
        cancelled.cancel();
        let _ = job.clone().cancel(cancelled).run_fd(reader.as_fd(), &mut Silent).unwrap_err();
        let fine = way.job(&target.join(number.to_string())).cancel(token.clone());
        fs::create_dir(target.join(number.to_string())).unwrap();
        fine.run(&mut &*small().0, &mut Silent).unwrap();
        fs::remove_dir_all(target.join(number.to_string())).unwrap();
    }
    tell("flags after", flags());
    drop((token, writer));
    // The pipe's other end and the token were counted before; they are made again.
    let again = (CancelToken::new().unwrap(), io::pipe().unwrap().1);
    // A joined thread may take a moment to leave the kernel's list.
    wait_until("descriptors and threads are those of before", || open() == before);
    drop(again);
}

/// A child that extracts its standard input into `target`.
fn extracting(way: Way, target: &Path) -> Child {
    let mut command: Command = child("extract stdin");
    command.env("XBK_TARGET", target).env("XBK_WAY", format!("{way:?}"));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn extract_stdin() {
    let way = given("XBK_WAY");
    let way = WAYS.into_iter().find(|this| format!("{this:?}") == way).unwrap();
    let job = way.job(Path::new(&given("XBK_TARGET")));
    job.run_fd(io::stdin().as_fd(), &mut Silent).unwrap();
}

/// Killed anywhere: what is left bears a mark, and can be extracted over, or refuses to be.
#[test]
fn what_a_killed_run_leaves_is_marked() {
    let stream = large(60, 20_000);
    let names = |target: &Path| -> Vec<String> {
        let names = fs::read_dir(target).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect()
    };
    let (mut marked, mut halves) = (0, 0);
    for (round, byte) in noise(7, 24).into_iter().enumerate() {
        let way = WAYS[round % WAYS.len()];
        let sandbox = Sandbox::new();
        let target = sandbox.target();
        let mut running = Killed(extracting(way, &target));
        let sent = stream.len() / 256 * usize::from(byte);
        running.0.stdin.as_mut().unwrap().write_all(&stream[..sent]).unwrap();
        if round % 3 > 0 {
            let enough = if way.in_place && sent > 100_000 { 2 } else { 1 };
            wait_until("the run has begun", || names(&target).len() >= enough);
        }
        drop(running);

        let what = format!("{way:?}, killed with {sent} bytes sent");
        let left = names(&target);
        sandbox.assert_nothing_outside(&what);
        if left.is_empty() {
            continue;
        }
        marked += 1;
        if way.in_place {
            assert!(left.iter().any(|name| name == ".xbkit-incomplete"), "{what}: {left:?}");
            halves += usize::from(left.len() > 1);
            let before = snapshot(&target);
            if left.len() > 1 {
                for again in &WAYS[2..] {
                    let error = again.extract(&target, &stream).expect_err(&what);
                    assert_eq!(error.kind(), InvalidState, "{what}: {error}");
                    assert_eq!(snapshot(&target), before, "{what}");
                }
            }
            let error = WAYS[0].extract(&target, &stream).expect_err(&what);
            assert_eq!(error.kind(), Exists, "{what}: {error}");
            // As `rm -r target/*` does it, which knows no names with a dot.
            for name in left.iter().filter(|name| !name.starts_with('.')) {
                let path = target.join(name);
                if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
                    .unwrap();
            }
            way.extract(&target, &stream).expect(&what);
        } else {
            assert_eq!(left, [".xbkit-partial"], "{what}");
            way.extract(&target, &stream).expect(&what);
        }
        assert_eq!(tree::on_disk(&target).len(), 60, "{what}");
    }
    assert!(marked >= 12 && halves >= 3, "{marked} runs were killed midway, {halves} in place");
}

/// Killed while everything becomes visible: then all of it is there, or the mark is.
#[test]
fn a_run_killed_at_its_end_is_whole_or_marked() {
    let stream = large(300, 10);
    let at_top = 100;
    let (mut whole, mut marked) = (0, 0);
    for round in 0..24 {
        let way = WAYS[round % WAYS.len()];
        let sandbox = Sandbox::new();
        let target = sandbox.target();
        let mut running = Killed(extracting(way, &target));
        running.0.stdin.take().unwrap().write_all(&stream).unwrap();
        // In place they come one by one; staged ones all at once, or that is what it looks like.
        let first = |name: &str| fs::metadata(target.join(name)).is_ok();
        wait_until("something is visible", || first("0000") || first("0297") || first("db"));
        drop(running);
        let left = fs::read_dir(&target).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = left.map(|name| name.into_string().unwrap()).collect();
        if left.iter().any(|name| name.starts_with(".xbkit-")) {
            marked += 1;
        } else {
            whole += 1;
            assert_eq!(left.len(), at_top + 1, "{way:?}: {left:?}");
            assert_eq!(tree::on_disk(&target).len(), 300, "{way:?}");
        }
    }
    println!("{whole} whole, {marked} marked");
    assert_eq!(whole + marked, 24);
}

#[test]
#[ignore = "what the tests above do in processes of their own"]
fn child_process() {
    match job().as_deref() {
        Some("no space") => no_space(Path::new(&given("XBK_TARGET"))),
        Some("no rights") => no_rights(Path::new(&given("XBK_TARGET"))),
        Some("leaks") => leaks(Path::new(&given("XBK_TARGET"))),
        Some("extract stdin") => extract_stdin(),
        _ => {}
    }
}
