//! Streaming files: read on threads of their own, written as one stream from the calling thread.

pub(crate) mod audit;
mod builder;
mod coded;
mod coders;
mod digest;
#[cfg(feature = "server")]
pub(crate) mod feed;
mod outer;
pub(crate) mod packer;
pub(crate) mod run;
mod tar;

use std::io::Write;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use crate::cancel::CancelToken;
use crate::codec::stack::Storing;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Observer;
use crate::format::any::Format;
use crate::format::member::MemberPath;
use crate::format::xbstream::Dialect;
use crate::io::pulse::Pulse;
use crate::io::sink::Sink;
use crate::limits;
use crate::pages::Tally;
use crate::sys;
pub(crate) use builder::streaming_builder;
use run::{Content, Task};

pub use audit::DamagedPages;

/// What to do about a file that changed while it was being read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChangedFiles {
    /// Fail: the stream stays unfinished.
    #[default]
    Refuse,
    /// Warn, and go on with the bytes that were read.
    Warn,
}

/// How a stream of files is made; shared by all jobs that make one.
#[derive(Clone, Debug)]
pub(crate) struct StreamOptions {
    pub(crate) format: Format,
    pub(crate) parallel: usize,
    pub(crate) chunk_size: usize,
    pub(crate) dialect: Dialect,
    pub(crate) changed: ChangedFiles,
    pub(crate) manifest: bool,
    /// Whether the pages of tablespaces are checked, and what if one is damaged.
    pub(crate) pages: Option<DamagedPages>,
    pub(crate) storing: Storing,
    pub(crate) compress_threads: usize,
    pub(crate) encrypt_threads: usize,
    pub(crate) cancel: Option<CancelToken>,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            format: Format::Xbstream,
            parallel: 1,
            chunk_size: limits::CHUNK_SIZE,
            dialect: Dialect::Common,
            changed: ChangedFiles::Refuse,
            manifest: true,
            pages: None,
            storing: Storing::plain(sys::random::fill),
            compress_threads: 1,
            encrypt_threads: 1,
            cancel: None,
        }
    }
}

impl StreamOptions {
    pub(crate) fn check(&self) -> Result<()> {
        limits::check_parallel(self.parallel)?;
        limits::check_chunk_size(self.chunk_size)?;
        if self.format == Format::Tar && self.dialect != Dialect::Common {
            let message = "only an xbstream has dialects, and the format is tar";
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        limits::check_range("compress threads", self.compress_threads, &limits::PARALLEL_RANGE)?;
        limits::check_range("encrypt threads", self.encrypt_threads, &limits::PARALLEL_RANGE)?;
        self.storing.check()
    }

    /// Threads that compress and encrypt: a piece is both by one of them.
    pub(crate) fn coding_threads(&self) -> usize {
        let compress = self.storing.compression.map_or(0, |_| self.compress_threads);
        let encrypt = self.storing.encryption.as_ref().map_or(0, |_| self.encrypt_threads);
        compress.max(encrypt)
    }
}

/// A job that streams files.
///
/// Memory: `chunk_size` for each of `2 × parallel + 2` buffers; for a manifest, about 120 bytes and
/// the path of each member.
/// Compressing and encrypting adds 2 MiB for each of their threads, 8 MiB for each reading one,
/// and what the codec needs: 1 MiB at most, but for Zstandard above level 6.
#[derive(Clone, Debug, Default)]
pub struct Create {
    base: PathBuf,
    files: Vec<(PathBuf, PathBuf)>,
    options: StreamOptions,
}

/// What a job that made a stream did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateReport {
    /// Members in the stream, less the manifest.
    pub members: u64,
    /// Bytes of these members, holes included, before they were compressed or encrypted.
    pub payload_bytes: u64,
    /// Bytes of the stream.
    pub stream_bytes: u64,
    /// Pages of tablespaces that were checked on the way.
    pub pages: Tally,
}

impl Create {
    /// A stream of no files yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens relative names relative to this directory instead of the current one.
    pub fn base(mut self, dir: impl Into<PathBuf>) -> Self {
        self.base = dir.into();
        self
    }

    /// Adds a regular file; symlinks are followed. Its name in the stream is `path` without `.`
    /// components, so it must be relative and hold no `..`.
    pub fn file(self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        self.file_as(path.clone(), path)
    }

    /// Adds the regular file `path` under another `name`.
    pub fn file_as(mut self, name: impl Into<PathBuf>, path: impl Into<PathBuf>) -> Self {
        self.files.push((name.into(), path.into()));
        self
    }

    /// What to do about a file that changes while it is being read.
    pub fn changed(mut self, changed: ChangedFiles) -> Self {
        self.options.changed = changed;
        self
    }

    /// Checks the pages of members that are tablespaces by their names. Off unless set; a backup
    /// does it by itself.
    pub fn check_pages(mut self, damaged: DamagedPages) -> Self {
        self.options.pages = Some(damaged);
        self
    }

    streaming_builder!();

    /// Streams into a writer, on the calling thread.
    pub fn run(&self, output: &mut dyn Write, observer: &mut dyn Observer) -> Result<CreateReport> {
        let pulse = Pulse::new(observer, self.options.cancel.clone());
        let sink = Sink::from_writer(output, pulse.clone());
        run::stream(&self.tasks()?, &self.options, sink, &pulse, || Ok(()))
    }

    /// Streams into a descriptor, which is borrowed and keeps its flags. Pipes and sockets are
    /// never blocked in, so cancelling takes at most 200 ms.
    pub fn run_fd(
        &self,
        output: BorrowedFd<'_>,
        observer: &mut dyn Observer,
    ) -> Result<CreateReport> {
        let pulse = Pulse::new(observer, self.options.cancel.clone());
        let sink = Sink::from_fd(output, pulse.clone())?;
        run::stream(&self.tasks()?, &self.options, sink, &pulse, || Ok(()))
    }

    fn tasks(&self) -> Result<Vec<Task>> {
        use std::os::unix::ffi::OsStrExt;
        if self.files.is_empty() {
            return Err(Error::new(ErrorKind::InvalidArgument, "no files to stream were named"));
        }
        let task = |(name, path): &(PathBuf, PathBuf)| {
            let member = MemberPath::new(name.as_os_str().as_bytes()).map_err(|error| {
                let what = error.to_string();
                Error::new(ErrorKind::InvalidArgument, what)
                    .hint("name files relative to a directory, and give the directory with -C")
            })?;
            Ok(Task { member, content: Content::File { path: self.base.join(path), facts: None } })
        };
        self.files.iter().map(task).collect()
    }
}
