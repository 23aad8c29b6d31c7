//! Hot backups: of a running MariaDB server, without stopping its writers but for moments.
//!
//! 1. The redo log is followed from its newest checkpoint on, from before the first page is read.
//! 2. Under `BACKUP STAGE START`, which blocks nothing but a second backup, InnoDB's files are
//!    copied page by page, each checked, and read again until it is whole.
//! 3. Under `FLUSH` and `BLOCK_DDL`, what is not InnoDB's is read; and what DDL did to InnoDB's
//!    files meanwhile is found out.
//! 4. Under `BLOCK_COMMIT`, the position in the binary log is asked, Aria is read, and the redo log
//!    is copied to its end.
//! 5. The locks are released. Everything that was read under them waited in a spool, so a stream
//!    that stalls holds none; now it is sent, then the redo, then the files that say what it all is.
//!
//! What comes out is what the server left on disk had it crashed at the recorded position; so the
//! server itself recovers it.

mod conduct;
mod damage;
mod direct;
mod fixups;
mod metadata;
mod opened;
mod pages;
mod places;
mod redo;
mod spooled;
mod throttle;

use std::io::Write;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::into::into_dir;
use crate::create::run::stream_fed;
use crate::create::{CreateReport, DamagedPages, StreamOptions, streaming_builder};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Observer;
use crate::format::any::Format;
use crate::io::pulse::Pulse;
use crate::io::sink::Sink;
use crate::limits;
use crate::server::{Connect, Position, StageTimes};
use metadata::Tool;

/// A job that streams the data of a running MariaDB server (10.8 or later), on its own machine.
///
/// The stream holds every transaction that committed before [`ServerReport::position`], and none
/// that committed after. Restoring it takes the real server, which recovers what was copied:
/// [`crate::Prepare`].
///
/// Needs an account with `RELOAD` and, where there is a binary log, `BINLOG MONITOR`; with
/// [`ServerBackup::slave_info`] also `SLAVE MONITOR`; and the right to read the server's files.
///
/// Memory: `chunk_size` for each of `2 × parallel + 2` buffers, 16 MiB for spools, 4 MiB for redo.
#[derive(Clone, Debug)]
pub struct ServerBackup {
    connect: Connect,
    datadir: Option<PathBuf>,
    tmpdir: PathBuf,
    max_spool: u64,
    throttle: Option<u64>,
    lock_wait: Duration,
    slave_info: bool,
    safe_slave: Option<Duration>,
    galera_info: bool,
    tool: Tool,
    options: StreamOptions,
}

/// What a hot backup did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerReport {
    /// The stream.
    pub created: CreateReport,
    /// The place in the server's binary log, if it has one.
    pub position: Option<Position>,
    /// LSN of the checkpoint that recovery begins with.
    pub from_lsn: u64,
    /// LSN of the server's newest checkpoint at the end.
    pub to_lsn: u64,
    /// LSN at which the copied redo ends.
    pub last_lsn: u64,
    /// How long the backup held up others.
    pub times: StageTimes,
    /// Names and texts of `*_checkpoints` and `*_info`, as the stream has them.
    pub lsn_files: [(String, String); 2],
    /// Pages that the server was just writing, and that were read again.
    pub torn_pages: u64,
    /// Pages that cannot be checked without a key or a codec: they were read twice alike.
    pub unchecked_pages: u64,
}

impl ServerBackup {
    pub(super) fn new(connect: Connect) -> Self {
        Self {
            connect,
            datadir: None,
            tmpdir: PathBuf::from("/tmp"),
            max_spool: limits::MAX_SPOOL,
            throttle: None,
            lock_wait: limits::LOCK_WAIT,
            slave_info: false,
            safe_slave: None,
            galera_info: false,
            tool: Tool {
                name: "xbkit".to_owned(),
                command: String::new(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            options: StreamOptions {
                pages: Some(DamagedPages::Refuse),
                ..StreamOptions::default()
            },
        }
    }

    /// What the caller takes for the server's data directory: the job fails if it is another.
    pub fn datadir(mut self, dir: impl AsRef<Path>) -> Self {
        self.datadir = Some(dir.as_ref().to_owned());
        self
    }

    /// Where to spool what does not fit into memory; `/tmp` unless set.
    pub fn tmpdir(mut self, dir: impl AsRef<Path>) -> Self {
        dir.as_ref().clone_into(&mut self.tmpdir);
        self
    }

    /// Most bytes in each of the two spools, for redo and for what is read under locks.
    pub fn max_spool(mut self, bytes: u64) -> Self {
        self.max_spool = bytes;
        self
    }

    /// Reads data files with so many bytes a second at most. The redo log is never slowed down.
    pub fn throttle(mut self, bytes_per_second: u64) -> Self {
        self.throttle = Some(bytes_per_second);
        self
    }

    /// How long to wait for each lock, in whole seconds, at least one; 60 unless set. While a
    /// backup waits for a lock, others queue behind it.
    pub fn lock_wait(mut self, time: Duration) -> Self {
        self.lock_wait = time;
        self
    }

    /// Adds `*_slave_info`: statements that make the restored server a replica of this one's
    /// primaries. Without effect if it has none.
    pub fn slave_info(mut self, on: bool) -> Self {
        self.slave_info = on;
        self
    }

    /// Of a replica, copies a moment at which it has no temporary tables of its primary's sessions,
    /// which a backup does not carry: its applying threads are stopped for the stages with locks,
    /// and started again whatever happens. Waits `timeout` for that moment; it matters only where
    /// the primary logs statements. Needs `SLAVE MONITOR` and `REPLICATION SLAVE ADMIN`.
    pub fn safe_slave_backup(mut self, timeout: Duration) -> Self {
        self.safe_slave = Some(timeout);
        self
    }

    /// Adds `*_galera_info`; fails if the server is no node of a cluster.
    pub fn galera_info(mut self, on: bool) -> Self {
        self.galera_info = on;
        self
    }

    /// What to do about a page that stays damaged however often it is read: unless set, the backup
    /// fails. If such pages are carried, the stream holds `innodb_corrupted_pages`, which lists them
    /// all as `mariabackup` does.
    pub fn damaged_pages(mut self, damaged: DamagedPages) -> Self {
        self.options.pages = Some(damaged);
        self
    }

    /// What `*_info` tells about the program that made the backup: its name, and its command line
    /// without secrets.
    pub fn tool(mut self, name: impl Into<String>, command: impl Into<String>) -> Self {
        self.tool.name = name.into();
        self.tool.command = command.into();
        self
    }

    streaming_builder!();

    /// Streams into a writer, on the calling thread. What the pages of tablespaces were found to be
    /// is in [`CreateReport::pages`], in events, and in the manifest.
    pub fn run(&self, output: &mut dyn Write, observer: &mut dyn Observer) -> Result<ServerReport> {
        let pulse = Pulse::new(observer, self.options.cancel.clone());
        let sink = Sink::from_writer(output, pulse.clone());
        self.stream(sink, &pulse)
    }

    /// Streams into a descriptor, which is borrowed and keeps its flags.
    pub fn run_fd(
        &self,
        output: BorrowedFd<'_>,
        observer: &mut dyn Observer,
    ) -> Result<ServerReport> {
        let pulse = Pulse::new(observer, self.options.cancel.clone());
        let sink = Sink::from_fd(output, pulse.clone())?;
        self.stream(sink, &pulse)
    }

    /// Backs up into a directory, which is new or empty, instead of a stream. Files are stored as
    /// the members of an xbstream would be: compressed and encrypted, if that is asked for. If the
    /// job fails, none is left there.
    pub fn run_into(
        &self,
        dir: impl AsRef<Path>,
        observer: &mut dyn Observer,
    ) -> Result<ServerReport> {
        let mut job = self.clone();
        job.options.format = Format::Xbstream;
        let (parallel, cancel) = (self.options.parallel, self.options.cancel.as_ref());
        into_dir(dir.as_ref(), parallel, cancel, observer, |output, observer| {
            job.run_fd(output, observer)
        })
    }

    fn stream(&self, sink: Sink<'_>, pulse: &Pulse<'_>) -> Result<ServerReport> {
        let mut options = self.options.clone();
        options.check()?;
        // So that no page straddles chunks, and each can be checked where it lies.
        options.chunk_size -= options.chunk_size % (64 << 10);
        if !self.tmpdir.is_absolute() {
            let message = "the directory for spools must be an absolute path";
            return Err(Error::new(ErrorKind::InvalidArgument, message).at_path(&self.tmpdir));
        }
        let (created, report) =
            stream_fed(&options, sink, pulse, |feed| conduct::conduct(self, feed))?;
        Ok(ServerReport { created, ..report })
    }
}
