//! What goes wrong around a writer: sinks that are slow, short, closed or full, files that change
//! while they are read, and callers that stop. A stream is whole, or its maker says that it failed.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a panic is how a test fails, and each has a directory of its own"
)]

mod common;

use std::fs;
use std::io::{self, Read as _, Write};
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use common::build::noise;
use common::child::{am_root, child, child_without_rights, finish, given, job, tell, told};
use common::sandbox::within;
use common::tree::{self, decode_whole};
use tempfile::TempDir;
use xbkit::{
    CancelToken, ChangedFiles, Create, CreateReport, Dialect, Error, ErrorKind, Event, Format,
    Level, Result, Silent, StreamWriter,
};

use ErrorKind::{
    Cancelled, FileChanged, InvalidArgument, InvalidState, NoSpace, NotFound, Permission,
    PipeClosed, Sink, Unsupported,
};

const PARALLEL: [usize; 2] = [1, 3];
const CHUNK: usize = 64 << 10;

/// Files to be streamed: some small ones, and one of several chunks.
fn files() -> (TempDir, Vec<(&'static str, Vec<u8>)>) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("db")).unwrap();
    let files = vec![
        ("ibdata1", noise(1, 5000)),
        ("db/t.ibd", noise(2, 5 * CHUNK + 100)),
        ("db/empty", Vec::new()),
        ("info", b"a = b\n".to_vec()),
    ];
    for (name, bytes) in &files {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    (dir, files)
}

fn create(dir: &Path, parallel: usize) -> Create {
    let names = ["ibdata1", "db/t.ibd", "db/empty", "info"];
    let job = Create::new().base(dir).parallel(parallel).chunk_size(CHUNK);
    names.iter().fold(job, Create::file)
}

#[track_caller]
fn assert_holds(stream: &[u8], files: &[(&str, Vec<u8>)]) {
    let found = decode_whole(stream).accepted();
    assert_eq!(found.len(), files.len());
    for (name, bytes) in files {
        assert_eq!(found[name.as_bytes()], tree::Content::from(&**bytes), "{name}");
    }
}

/// What a sink does with a write.
type Taking<'f> = Box<dyn FnMut(&mut Vec<u8>, &[u8]) -> io::Result<usize> + Send + 'f>;

/// A sink that takes bytes as a closure has it.
struct Faulty<'f> {
    out: Vec<u8>,
    take: Taking<'f>,
}

impl std::fmt::Debug for Faulty<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a sink that took {} bytes", self.out.len())
    }
}

impl<'f> Faulty<'f> {
    fn new(take: impl FnMut(&mut Vec<u8>, &[u8]) -> io::Result<usize> + Send + 'f) -> Self {
        Self { out: Vec::new(), take: Box::new(take) }
    }

    /// Takes `limit` bytes, then fails.
    fn failing(limit: usize, error: fn() -> io::Result<usize>) -> Self {
        Self::new(move |out, bytes| {
            let count = bytes.len().min(limit - out.len());
            out.extend_from_slice(&bytes[..count]);
            if count == 0 { error() } else { Ok(count) }
        })
    }
}

impl Write for Faulty<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.take)(&mut self.out, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn short_and_interrupted_writes_change_nothing() {
    let (dir, files) = files();
    let mut whole = Vec::new();
    create(dir.path(), 1).run(&mut whole, &mut Silent).unwrap();
    assert_holds(&whole, &files);
    for parallel in PARALLEL {
        for most in [1000, 65_536, 100_000] {
            let mut interrupted = false;
            let mut sink = Faulty::new(|out, bytes| {
                interrupted = !interrupted;
                if interrupted {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                let count = bytes.len().min(most);
                out.extend_from_slice(&bytes[..count]);
                Ok(count)
            });
            let report = create(dir.path(), parallel).run(&mut sink, &mut Silent).unwrap();
            assert_eq!((report.members, report.stream_bytes), (4, sink.out.len() as u64));
            assert_holds(&sink.out, &files);
            assert!(parallel > 1 || sink.out == whole, "{most}");
        }
    }
}

/// How a sink may fail, and what is said of it.
type Failure = (fn() -> io::Result<usize>, ErrorKind);

const FAILURES: [Failure; 6] = [
    (|| Err(io::Error::other("the tape is torn")), Sink),
    (|| Err(io::ErrorKind::BrokenPipe.into()), PipeClosed),
    (|| Err(io::Error::from_raw_os_error(32)), PipeClosed), // EPIPE
    (|| Err(io::Error::from_raw_os_error(28)), NoSpace),    // ENOSPC
    (|| Err(io::ErrorKind::WouldBlock.into()), Sink),
    (|| Ok(0), Sink),
];

#[test]
fn a_sink_may_fail_at_any_byte() {
    let (dir, _) = files();
    let mut whole = Vec::new();
    create(dir.path(), 1).run(&mut whole, &mut Silent).unwrap();
    let (failures, len) = (FAILURES.iter().cycle(), whole.len());
    // Around the borders of chunks, and here and there within.
    let places = (0..len).step_by(4999).chain(0..80).chain(len - 80..len);
    for (at, (error, kind)) in places.zip(failures) {
        for parallel in PARALLEL {
            let mut sink = Faulty::failing(at, *error);
            let job = create(dir.path(), parallel);
            let result = within("a failed write ends the job", || job.run(&mut sink, &mut Silent));
            let failure = result.expect_err("a sink that failed");
            assert_eq!(failure.kind(), *kind, "byte {at}, {parallel}: {failure}");
            assert_eq!(sink.out.len(), at);
            assert!(parallel > 1 || sink.out == whole[..at]);
        }
    }
}

#[test]
fn a_sink_that_claims_too_much_is_not_believed() {
    let (dir, _) = files();
    for parallel in PARALLEL {
        let mut sink = Faulty::new(|_, bytes| Ok(bytes.len() + 1));
        let error = create(dir.path(), parallel).run(&mut sink, &mut Silent).unwrap_err();
        assert_eq!(error.kind(), Sink, "{error}");
    }
}

#[test]
fn an_observer_may_break_at_any_event() {
    let (dir, _) = files();
    for parallel in PARALLEL {
        let run = |most: usize| {
            let mut seen = 0;
            let mut observer = |_: &Event<'_>| {
                seen += 1;
                if seen > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let result = create(dir.path(), parallel).run(&mut io::sink(), &mut observer);
            (result, seen)
        };
        let (result, all) = run(usize::MAX);
        result.unwrap();
        assert!(all >= 5, "{all}");
        for most in 0..all.min(5) {
            let (result, seen) = within("a break ends the job", || run(most));
            assert_eq!(result.unwrap_err().kind(), Cancelled, "event {most} of {all}");
            assert_eq!(seen, most + 1);
        }
    }
}

/// A panic in the caller's code comes out on the caller's thread, and the readers end.
#[test]
fn a_panic_of_the_caller_ends_the_job() {
    let dir = tempfile::tempdir().unwrap();
    // More than all buffers hold, so that readers wait when it happens.
    fs::write(dir.path().join("big"), vec![7; 64 * CHUNK]).unwrap();
    fs::write(dir.path().join("small"), "small").unwrap();
    for parallel in PARALLEL {
        let job = Create::new().base(dir.path()).file("big").file("small");
        let job = job.parallel(parallel).chunk_size(CHUNK);
        let in_sink = within("a panic in the sink ends the job", || {
            let mut sink = Faulty::new(|_, _| panic!("a panic in the sink"));
            catch_unwind(AssertUnwindSafe(|| job.run(&mut sink, &mut Silent)))
        });
        assert!(in_sink.is_err());
        let in_observer = within("a panic in the observer ends the job", || {
            let mut observer = |_: &Event<'_>| -> ControlFlow<()> { panic!("in the observer") };
            catch_unwind(AssertUnwindSafe(|| job.run(&mut io::sink(), &mut observer)))
        });
        assert!(in_observer.is_err());
    }
}

/// The end that a job writes to, and the one that a test reads from.
fn pair(socket: bool) -> (OwnedFd, fs::File) {
    if socket {
        let (writer, reader) = UnixStream::pair().unwrap();
        (writer.into(), OwnedFd::from(reader).into())
    } else {
        let (reader, writer) = io::pipe().unwrap();
        (writer.into(), OwnedFd::from(reader).into())
    }
}

#[test]
fn cancelling_ends_a_stalled_write() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("big"), vec![7; 128 * CHUNK]).unwrap();
    for socket in [false, true] {
        for parallel in PARALLEL {
            let token = CancelToken::new().unwrap();
            let (output, mut reader) = pair(socket);
            let job = Create::new().base(dir.path()).file("big").chunk_size(CHUNK);
            let job = job.parallel(parallel).cancel(token.clone());
            let runs = std::thread::spawn(move || job.run_fd(output.as_fd(), &mut Silent));
            // Once something came it is writing, and what is never read stalls it.
            reader.read_exact(&mut [0; 100]).unwrap();
            token.cancel();
            let result = within("a cancelled write ends", || runs.join().unwrap());
            assert_eq!(result.unwrap_err().kind(), Cancelled, "socket {socket}, {parallel}");
        }
    }
}

#[test]
fn a_reader_that_is_slow_gets_every_byte() {
    let (dir, files) = files();
    for socket in [false, true] {
        for parallel in PARALLEL {
            let (output, mut reader) = pair(socket);
            let job = create(dir.path(), parallel);
            let runs = std::thread::spawn(move || job.run_fd(output.as_fd(), &mut Silent));
            let mut stream = Vec::new();
            let mut piece = [0; 777];
            loop {
                match reader.read(&mut piece).unwrap() {
                    0 => break,
                    count => stream.extend_from_slice(&piece[..count]),
                }
            }
            runs.join().unwrap().unwrap();
            assert_holds(&stream, &files);
        }
    }
}

/// A reader that goes away is an error, also where SIGPIPE would end the process, as in programs
/// that are not made of Rust; and the signal stays as it was.
#[test]
fn a_closed_pipe_is_an_error_and_no_death() {
    let (dir, _) = files();
    let output = child("closed pipes").env("XBK_DIR", dir.path()).output().unwrap();
    assert_eq!(told(&output, "done"), "true");
    assert_eq!(output.status.signal(), Some(libc::SIGPIPE), "the last write was to be its end");
}

#[expect(unsafe_code, reason = "Rust programs start with SIGPIPE ignored, and others do not")]
fn closed_pipes(dir: &Path) {
    // SAFETY: no handler is installed, and nothing else in this process cares for the signal.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    for socket in [false, true] {
        for parallel in PARALLEL {
            for read in [0, 10] {
                let (output, mut reader) = pair(socket);
                let job = create(dir, parallel);
                let result = std::thread::scope(|scope| {
                    let runs = scope.spawn(|| job.run_fd(output.as_fd(), &mut Silent));
                    let mut taken = vec![0; read];
                    reader.read_exact(&mut taken).unwrap();
                    drop(reader);
                    runs.join().unwrap()
                });
                // What fits into the pipe before its reader goes away is written well.
                let error = match result {
                    Ok(_) => create(dir, parallel).run_fd(output.as_fd(), &mut Silent).unwrap_err(),
                    Err(error) => error,
                };
                assert_eq!(error.kind(), PipeClosed, "socket {socket}, {parallel}: {error}");
                assert!(error.hint_text().is_some());
            }
        }
    }
    tell("done", "true");
    io::stdout().flush().unwrap();
    let (output, reader) = pair(false);
    drop(reader);
    let _ = fs::File::from(output).write(b"this raises SIGPIPE");
}

#[test]
fn a_full_device_is_an_error() {
    let (dir, _) = files();
    let open = || fs::File::options().write(true).open("/dev/full").unwrap();
    for parallel in PARALLEL {
        let job = create(dir.path(), parallel);
        for error in [
            job.run_fd(open().as_fd(), &mut Silent).unwrap_err(),
            job.run(&mut open(), &mut Silent).unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.raw_os_error()), (NoSpace, Some(28)), "{error}");
            assert!(error.hint_text().is_some());
        }
    }
    // Whoever is asked to flush last may be the one to notice.
    let mut sink = io::BufWriter::with_capacity(1 << 20, open());
    let error = create(dir.path(), 1).run(&mut sink, &mut Silent).unwrap_err();
    assert_eq!(error.kind(), NoSpace, "{error}");
}

/// What happens to a file once the first bytes of it were written, and how many are read.
type Change = (&'static str, fn(&Path), usize);

const BIG: usize = 64 * CHUNK;
const CHANGES: [Change; 5] = [
    ("grows", |path| append(path, b"more"), BIG),
    ("shrinks", |path| resize(path, BIG as u64 - 5), BIG - 5),
    (
        "shrinks and grows back",
        |path| {
            resize(path, 10);
            resize(path, BIG as u64);
        },
        BIG,
    ),
    ("is written to", |path| overwrite(path), BIG),
    ("vanishes", |path| fs::remove_file(path).unwrap(), BIG),
];

fn append(path: &Path, bytes: &[u8]) {
    fs::File::options().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

fn resize(path: &Path, size: u64) {
    fs::File::options().write(true).open(path).unwrap().set_len(size).unwrap();
}

fn overwrite(path: &Path) {
    fs::File::options().write(true).open(path).unwrap().write_all(b"new").unwrap();
}

fn stream_changing(
    change: fn(&Path),
    parallel: usize,
    job: impl Fn(Create) -> Create,
) -> (Vec<u8>, Vec<String>, Result<CreateReport>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("big");
    fs::write(&path, noise(3, BIG)).unwrap();
    fs::write(dir.path().join("small"), "small").unwrap();
    // Clocks of file systems tick slowly: whatever comes is not at the same time.
    let old = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    let mut first = true;
    let mut sink = Faulty::new(|out, bytes| {
        // The small file may come before the other is opened.
        if bytes.len() > 1000 && std::mem::take(&mut first) {
            change(&path);
        }
        out.extend_from_slice(bytes);
        Ok(bytes.len())
    });
    let mut warnings = Vec::new();
    let mut observer = |event: &Event<'_>| {
        if let Event::Log { level: Level::Warning, message } = event {
            warnings.push((*message).to_owned());
        }
        ControlFlow::Continue(())
    };
    let create = Create::new().base(dir.path()).file("big").file("small");
    let create = job(create.chunk_size(CHUNK).parallel(parallel));
    let result = within("a job with changing files ends", || create.run(&mut sink, &mut observer));
    let out = std::mem::take(&mut sink.out);
    drop(sink);
    (out, warnings, result)
}

#[test]
fn a_file_that_changes_is_refused() {
    for (what, change, _) in CHANGES {
        for parallel in PARALLEL {
            for dialect in [Dialect::Common, Dialect::Percona] {
                let (stream, warnings, result) =
                    stream_changing(change, parallel, |job| job.dialect(dialect));
                let error = result.expect_err(what);
                assert_eq!(error.kind(), FileChanged, "{what}, {parallel}: {error}");
                assert!(error.path().is_some_and(|path| path.ends_with("big")), "{error}");
                assert_eq!(warnings, [""; 0]);
                // Nobody takes for whole what was written by then.
                let kind = decode_whole(&stream).result.expect_err(what).kind();
                assert_eq!(kind, ErrorKind::Truncated, "{what}");
            }
        }
    }
}

#[test]
fn a_file_that_changes_is_warned_about_if_asked() {
    for (what, change, size) in CHANGES {
        for parallel in PARALLEL {
            let (stream, warnings, result) =
                stream_changing(change, parallel, |job| job.changed(ChangedFiles::Warn));
            let report = result.unwrap_or_else(|error| panic!("{what}, {parallel}: {error}"));
            let files = decode_whole(&stream).accepted();
            let found = files[&b"big"[..]].size();
            // A reader may come by while the file is short.
            assert!(found == size as u64 || what == "shrinks and grows back", "{what}: {found}");
            assert_eq!(report.payload_bytes, found + 5, "{what}");
            assert_eq!(files[&b"small"[..]].to_vec(), b"small");
            let [warning] = &warnings[..] else { panic!("{what}, {parallel}: {warnings:?}") };
            assert!(warning.contains("big: file changed as it was read"), "{warning}");
        }
    }
}

/// A file that is gone when its turn comes.
#[test]
fn a_file_that_vanished_before_is_not_found() {
    let (dir, _) = files();
    for parallel in PARALLEL {
        for changed in [ChangedFiles::Refuse, ChangedFiles::Warn] {
            let job = create(dir.path(), parallel).file("gone").changed(changed);
            let error = job.run(&mut io::sink(), &mut Silent).unwrap_err();
            assert_eq!(error.kind(), NotFound, "{error}");
            assert!(error.path().is_some_and(|path| path.ends_with("gone")), "{error}");
        }
    }
}

#[test]
fn what_is_no_file_cannot_be_streamed() {
    let (dir, _) = files();
    let path = |name: &str| dir.path().join(name);
    let _listener = UnixListener::bind(path("socket")).unwrap();
    assert!(Command::new("mkfifo").arg(path("fifo")).status().unwrap().success());
    std::os::unix::fs::symlink("/dev/null", path("device")).unwrap();
    std::os::unix::fs::symlink("nowhere", path("dangling")).unwrap();
    std::os::unix::fs::symlink("circle", path("circle")).unwrap();
    for (name, kinds) in [
        ("db", &[Unsupported][..]),
        ("fifo", &[Unsupported]),
        ("device", &[Unsupported]),
        // A socket cannot be opened at all.
        ("socket", &[Unsupported, ErrorKind::Source]),
        ("dangling", &[NotFound]),
        ("circle", &[ErrorKind::UnsafePath, ErrorKind::Source]),
        ("info/x", &[ErrorKind::Source, NotFound]),
    ] {
        for parallel in PARALLEL {
            let job = create(dir.path(), parallel).file(name);
            let result = within("no open waits", || job.run(&mut io::sink(), &mut Silent));
            let error = result.expect_err(name);
            assert!(kinds.contains(&error.kind()), "{name}: {:?}: {error}", error.kind());
        }
    }
    for name in ["/etc/passwd", "../x", "db/../../x", "", ".", "info", "./info"] {
        let job = create(dir.path(), 1).file(name);
        let error = job.run(&mut io::sink(), &mut Silent).expect_err(name);
        assert_eq!(error.kind(), InvalidArgument, "{name}: {error}");
    }
}

#[test]
fn a_file_that_may_not_be_read_is_an_error() {
    use std::os::unix::fs::PermissionsExt as _;
    let own = tempfile::tempdir().unwrap();
    let path = own.path().join("secret");
    fs::write(&path, "secret").unwrap();
    // Root's own file, or one that its owner may not read either.
    let mode = if am_root() { 0o600 } else { 0 };
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let Some(mut child) = child_without_rights(own.path(), "no rights") else { return };
    let output = finish(child.env("XBK_DIR", own.path()));
    assert_eq!(told(&output, "kinds"), "[Permission, Permission]");
}

fn no_rights(dir: &Path) {
    let kinds = PARALLEL.map(|parallel| {
        let job = Create::new().base(dir).file("secret").parallel(parallel);
        let error: Error = job.run(&mut io::sink(), &mut Silent).unwrap_err();
        error.kind()
    });
    assert_eq!(kinds, [Permission; 2]);
    tell("kinds", format!("{kinds:?}"));
}

/// The library's own writer: behind a failure of the sink nothing is written, and nothing is well.
#[test]
fn a_stream_writer_stays_failed() {
    let write = |sink: &mut Faulty<'_>| -> Result<()> {
        let writer = StreamWriter::new(Format::Xbstream, sink);
        let (mut a, mut b) = (writer.entry("a")?, writer.entry("b")?);
        a.write_all(b"first").map_err(|error| Error::io(Sink, "writing", error))?;
        let failed = a.finish().and_then(|()| {
            b.write_all(b"second").map_err(|error| Error::io(Sink, "writing", error))?;
            b.finish()
        });
        if let Err(error) = failed {
            assert_eq!(writer.entry("c").unwrap_err().kind(), InvalidState);
            assert_eq!(writer.finish().unwrap_err().kind(), InvalidState);
            return Err(error);
        }
        writer.finish().map(drop)
    };
    let mut whole = Faulty::new(|out, bytes| {
        out.extend_from_slice(bytes);
        Ok(bytes.len())
    });
    write(&mut whole).unwrap();
    assert_holds(&whole.out, &[("a", b"first".to_vec()), ("b", b"second".to_vec())]);
    assert!(whole.out.len() > 500, "with its manifest");
    for (at, (error, kind)) in (0..whole.out.len()).zip(FAILURES.iter().cycle()) {
        let mut sink = Faulty::failing(at, *error);
        let failure = write(&mut sink).expect_err("a sink that failed");
        assert_eq!(failure.kind(), *kind, "byte {at}: {failure}");
        assert_eq!(sink.out, whole.out[..at]);
    }
}

#[test]
fn a_stream_writer_survives_a_panic_of_its_sink() {
    let mut calls = 0;
    let mut sink = Faulty::new(|_, bytes| {
        calls += 1;
        assert!(calls < 2, "a panic in the sink");
        Ok(bytes.len())
    });
    let writer = StreamWriter::new(Format::Xbstream, &mut sink);
    let entry = writer.entry("a").unwrap();
    entry.finish().unwrap();
    let entry = writer.entry("b").unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| entry.finish())).is_err());
    assert_eq!(writer.entry("c").unwrap_err().kind(), InvalidState);
    assert_eq!(writer.finish().unwrap_err().kind(), InvalidState);
}

/// Entries on many threads, and a sink that fails under one of them.
#[test]
fn every_thread_learns_that_the_sink_failed() {
    let writer = StreamWriter::new(Format::Xbstream, Faulty::failing(1_000_000, FAILURES[3].0));
    let writer = writer.chunk_size(CHUNK).unwrap();
    let results: Vec<Result<()>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|number| {
                let mut entry = writer.entry(format!("entry{number}")).unwrap();
                scope.spawn(move || {
                    for _ in 0..20 {
                        let bytes = noise(number, CHUNK);
                        entry.write_all(&bytes).map_err(|e| Error::io(Sink, "writing", e))?;
                    }
                    entry.finish()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut kinds: Vec<_> = results.into_iter().map(|result| result.unwrap_err().kind()).collect();
    kinds.sort_by_key(|kind| kind.code());
    assert_eq!(kinds, [NoSpace, InvalidState, InvalidState, InvalidState]);
    assert_eq!(writer.finish().unwrap_err().kind(), InvalidState);
}

#[test]
#[ignore = "what the tests above do in processes of their own"]
fn child_process() {
    match job().as_deref() {
        Some("closed pipes") => closed_pipes(Path::new(&given("XBK_DIR"))),
        Some("no rights") => no_rights(Path::new(&given("XBK_DIR"))),
        _ => {}
    }
}
