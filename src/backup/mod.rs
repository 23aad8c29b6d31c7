//! Backing up a data directory.
//!
//! This version takes *cold* backups: of a directory that no server uses. The system tablespace
//! stays locked throughout, so a server that runs is noticed at once, and one that is started
//! meanwhile refuses to. The copy is what the server left: after a clean shutdown it starts as it
//! is, after a crash the real server recovers from the redo log in it.

mod datadir;
#[cfg(feature = "server")]
mod hot;
mod into;
mod lock;

#[cfg(feature = "server")]
pub use hot::{ServerBackup, ServerReport};

use std::io::Write;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use crate::create::run::stream;
use crate::create::{CreateReport, DamagedPages, StreamOptions, streaming_builder};
use crate::error::Result;
use crate::event::Observer;
use crate::format::any::Format;
use crate::io::pulse::Pulse;
use crate::io::sink::Sink;

/// A job that streams the data directory of a stopped server.
///
/// Everything is copied but `ibtmp*`, `#innodb_temp`, `#binlog_cache_files`, `*.pid`, sockets,
/// `lost+found`, and what an earlier restore left of its own (`*_checkpoints`, `*_info`).
/// Symlinks are followed, tablespaces elsewhere (`.isl`) are stored as `db/t.ibd`, and an empty
/// database gets an empty `db.opt`, as a stream holds no directories. Files that options name
/// outside the data directory are stored in the root of the stream.
///
/// Memory: as [`crate::Create`].
#[derive(Clone, Debug)]
pub struct Backup {
    datadir: PathBuf,
    data_home: Option<PathBuf>,
    system_files: Vec<PathBuf>,
    undo_dir: Option<PathBuf>,
    log_dir: Option<PathBuf>,
    aria_log_dir: Option<PathBuf>,
    options: StreamOptions,
}

impl Backup {
    /// Backs up this data directory, whose server is stopped.
    pub fn of_datadir(datadir: impl AsRef<Path>) -> Self {
        Self {
            datadir: datadir.as_ref().to_owned(),
            data_home: None,
            system_files: vec![PathBuf::from("ibdata1")],
            undo_dir: None,
            log_dir: None,
            aria_log_dir: None,
            options: StreamOptions {
                pages: Some(DamagedPages::Refuse),
                ..StreamOptions::default()
            },
        }
    }

    /// Backs up a running server.
    #[cfg(feature = "server")]
    pub fn of_server(connect: crate::server::Connect) -> ServerBackup {
        ServerBackup::new(connect)
    }

    /// Where the system tablespace is, if not in the data directory: `innodb_data_home_dir`.
    pub fn data_home(mut self, dir: impl AsRef<Path>) -> Self {
        self.data_home = Some(self.datadir.join(dir));
        self
    }

    /// The files of the system tablespace, as `innodb_data_file_path` names them, without sizes.
    /// `ibdata1` unless set; further `ibdata*` beside the first are found by themselves.
    pub fn system_files(mut self, files: impl IntoIterator<Item = PathBuf>) -> Self {
        self.system_files = files.into_iter().collect();
        self
    }

    /// Where undo tablespaces are, if not in the data directory: `innodb_undo_directory`.
    pub fn undo_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.undo_dir = Some(self.datadir.join(dir));
        self
    }

    /// Where the redo log is, if not in the data directory: `innodb_log_group_home_dir`.
    pub fn log_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.log_dir = Some(self.datadir.join(dir));
        self
    }

    /// Where Aria's log is, if not in the data directory: `aria_log_dir_path`.
    pub fn aria_log_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.aria_log_dir = Some(self.datadir.join(dir));
        self
    }

    /// What to do about a page of a tablespace that is not what the server wrote: unless set, the
    /// backup fails.
    pub fn damaged_pages(mut self, damaged: DamagedPages) -> Self {
        self.options.pages = Some(damaged);
        self
    }

    streaming_builder!();

    /// Streams the backup into a writer, on the calling thread.
    ///
    /// # Errors
    /// `Locked` if a server uses the directory, `NotFound` if it is none of a server,
    /// `FileChanged` if anything in it changes before the last file is read, `PageCorrupt` for a
    /// damaged page unless [`Backup::damaged_pages`] says otherwise, and what reading and writing
    /// give. The stream is then unfinished, and its reader must be told.
    pub fn run(&self, output: &mut dyn Write, observer: &mut dyn Observer) -> Result<CreateReport> {
        let pulse = Pulse::new(observer, self.options.cancel.clone());
        self.run_sink(Sink::from_writer(output, pulse.clone()), &pulse)
    }

    /// Streams the backup into a descriptor, which is borrowed and keeps its flags.
    pub fn run_fd(
        &self,
        output: BorrowedFd<'_>,
        observer: &mut dyn Observer,
    ) -> Result<CreateReport> {
        let pulse = Pulse::new(observer, self.options.cancel.clone());
        self.run_sink(Sink::from_fd(output, pulse.clone())?, &pulse)
    }

    /// Backs up into a directory, which is new or empty, instead of a stream. Files are stored as
    /// the members of an xbstream would be: compressed and encrypted, if that is asked for. If the
    /// job fails, none is left there.
    pub fn run_into(
        &self,
        dir: impl AsRef<Path>,
        observer: &mut dyn Observer,
    ) -> Result<CreateReport> {
        let mut job = self.clone();
        job.options.format = Format::Xbstream;
        let (parallel, cancel) = (self.options.parallel, self.options.cancel.as_ref());
        into::into_dir(dir.as_ref(), parallel, cancel, observer, |output, observer| {
            job.run_fd(output, observer)
        })
    }

    fn run_sink(&self, sink: Sink<'_>, pulse: &Pulse<'_>) -> Result<CreateReport> {
        // Locked before anything is listed, and until the last byte is out.
        let lock = lock::DatadirLock::take(self)?;
        let tasks = datadir::plan(self)?;
        let unchanged = || datadir::check_unchanged(self, &tasks);
        let report = stream(&tasks, &self.options, sink, pulse, unchanged)?;
        drop(lock);
        Ok(report)
    }

    fn home(&self) -> &Path {
        self.data_home.as_deref().unwrap_or(&self.datadir)
    }
}
