//! A target to extract into, a directory beside it that nothing may touch, and what is in them.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use xbkit::{Extract, ExtractReport, Result, Silent};

/// What a name in a directory is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    File { mode: u32, bytes: Vec<u8> },
    Directory { mode: u32 },
    Symlink { to: PathBuf },
    Other { is: &'static str },
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { mode, bytes } if bytes.len() <= 64 => {
                write!(f, "file {mode:o} \"{}\"", bytes.escape_ascii())
            }
            Self::File { mode, bytes } => write!(f, "file {mode:o} of {} bytes", bytes.len()),
            Self::Directory { mode } => write!(f, "directory {mode:o}"),
            Self::Symlink { to } => write!(f, "symlink to {}", to.display()),
            Self::Other { is } => f.write_str(is),
        }
    }
}

/// All names below a directory, and what they are.
pub(crate) type Snapshot = BTreeMap<PathBuf, Entry>;

/// What is below `dir`; symlinks are not followed.
#[expect(clippy::disallowed_methods, reason = "the test looks at what was extracted")]
pub(crate) fn snapshot(dir: &Path) -> Snapshot {
    let mut all = Snapshot::new();
    let mut left = vec![dir.to_owned()];
    while let Some(here) = left.pop() {
        for entry in std::fs::read_dir(&here).expect("a directory can be listed") {
            let path = entry.expect("an entry").path();
            let meta = std::fs::symlink_metadata(&path).expect("an entry has facts");
            let mode = meta.permissions().mode() & 0o7777;
            let is = if meta.is_symlink() {
                Entry::Symlink { to: std::fs::read_link(&path).expect("a symlink can be read") }
            } else if meta.is_dir() {
                left.push(path.clone());
                Entry::Directory { mode }
            } else if meta.is_file() {
                Entry::File { mode, bytes: std::fs::read(&path).expect("a file can be read") }
            } else if meta.file_type().is_fifo() {
                Entry::Other { is: "FIFO" }
            } else {
                Entry::Other { is: "socket or device" }
            };
            all.insert(path.strip_prefix(dir).expect("a path below it").to_owned(), is);
        }
    }
    all
}

/// A target, and a directory beside it.
pub(crate) struct Sandbox {
    scratch: TempDir,
    outside: Snapshot,
}

impl Sandbox {
    /// An empty target, and a directory `outside` that holds a file and an empty directory.
    #[expect(clippy::disallowed_methods, reason = "the test prepares its own directory")]
    pub(crate) fn new() -> Self {
        let scratch = tempfile::tempdir().expect("a scratch directory");
        for dir in ["target", "outside", "outside/empty"] {
            std::fs::create_dir(scratch.path().join(dir)).expect("a directory");
        }
        std::fs::write(scratch.path().join("outside/kept"), "kept").expect("a file");
        let outside = snapshot(&scratch.path().join("outside"));
        Self { scratch, outside }
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.scratch.path().join("target")
    }

    pub(crate) fn outside(&self) -> PathBuf {
        self.scratch.path().join("outside")
    }

    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Nothing but the two directories is there, and the one outside is as it was.
    #[track_caller]
    pub(crate) fn assert_nothing_outside(&self, what: &str) {
        #[expect(clippy::disallowed_methods, reason = "the test looks for what should not be")]
        let entries = std::fs::read_dir(self.scratch.path()).expect("the scratch directory");
        let mut names: Vec<OsString> =
            entries.map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        assert_eq!(names, ["outside", "target"], "{what}");
        assert_eq!(snapshot(&self.outside()), self.outside, "{what}");
    }
}

/// How a stream is extracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) in_place: bool,
    pub(crate) parallel: usize,
}

/// Both targets, written on the calling thread and on others.
pub(crate) const WAYS: [Way; 4] = [
    Way { in_place: false, parallel: 1 },
    Way { in_place: false, parallel: 3 },
    Way { in_place: true, parallel: 1 },
    Way { in_place: true, parallel: 3 },
];

impl Way {
    /// A job that goes this way. It does not sync: that waits for the whole file system.
    pub(crate) fn job(self, dir: &Path) -> Extract {
        Extract::into_dir(dir).in_place(self.in_place).parallel(self.parallel).sync(false)
    }

    /// Extracts a stream that is in memory.
    pub(crate) fn extract(self, dir: &Path, mut stream: &[u8]) -> Result<ExtractReport> {
        self.job(dir).run(&mut stream, &mut Silent)
    }
}

/// What a reader does when it is asked for bytes.
pub(crate) enum Act<'a> {
    /// Gives these, and no more at once.
    Give(Vec<u8>),
    /// Does something, then goes on.
    Do(Box<dyn FnMut() + 'a>),
    /// Fails.
    Fail(io::Error),
}

/// A reader that acts by a script, and is at its end behind it.
pub(crate) struct Script<'a>(VecDeque<Act<'a>>);

impl<'a> Script<'a> {
    pub(crate) fn new(acts: impl IntoIterator<Item = Act<'a>>) -> Self {
        Self(acts.into_iter().collect())
    }
}

impl Read for Script<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.pop_front() {
                None => return Ok(0),
                Some(Act::Do(mut action)) => action(),
                Some(Act::Fail(error)) => return Err(error),
                Some(Act::Give(bytes)) => {
                    let count = bytes.len().min(buf.len());
                    let (now, later) = bytes.split_at(count);
                    buf[..count].copy_from_slice(now);
                    if !later.is_empty() {
                        self.0.push_front(Act::Give(later.to_vec()));
                    }
                    if count > 0 {
                        return Ok(count);
                    }
                }
            }
        }
    }
}

/// Waits, up to half a minute, until something is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !is_so() {
        assert!(begin.elapsed().as_secs() < 30, "waited in vain until {what}");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// Runs `body` on a thread of its own, and gives up after a minute: a test that hangs shows less.
#[track_caller]
pub(crate) fn within<T: Send>(what: &str, body: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let (tell, told) = std::sync::mpsc::channel();
        scope.spawn(move || tell.send(body()));
        match told.recv_timeout(std::time::Duration::from_mins(1)) {
            Ok(value) => value,
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => panic!("{what}: it panicked"),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                // The scope would wait for ever, too.
                eprintln!("waited in vain until {what}");
                std::process::abort();
            }
        }
    })
}

/// A sink that keeps nothing, and calls a closure before each write.
pub(crate) struct Watched<F>(pub(crate) F);

impl<F: FnMut(&[u8])> io::Write for Watched<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.0)(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
