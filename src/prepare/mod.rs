//! Making an extracted hot backup a data directory that a server can start on.
//!
//! What a hot backup holds is what a crash would have left. The real server recovers it: it is run
//! privately on the copy, without network and without anybody's option files, until it has shut
//! down again. xbkit itself applies no redo.

mod markers;
mod server;
mod state;

use std::path::{Path, PathBuf};

use crate::cancel::CancelToken;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Level, Observer};
use crate::io::pulse::{Beat, Pulse};
use crate::sys::dir::Dir;
use server::{Recovery, Scratch, find};
use state::State;
pub(crate) use state::{Kind, kind};

/// A job that prepares the directory that a hot backup was extracted to.
///
/// It takes backups of [`crate::Backup::of_server`] and full backups of `mariabackup`. What DDL did
/// while they were made (`.del`, `.ren`, `.new`) is applied first; then a server of the backup's
/// own version, such as 10.11, recovers. In the end `*_checkpoints` says `full-prepared`.
///
/// A run that failed or was killed can be repeated; one that is not needed any more does nothing.
#[derive(Clone, Debug)]
pub struct Prepare {
    dir: PathBuf,
    server: Option<PathBuf>,
    memory: u64,
    options: Vec<String>,
    tmpdir: PathBuf,
    cancel: Option<CancelToken>,
}

/// What a preparation did.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PrepareReport {
    /// The server that recovered the copy; `None` if it was prepared already.
    pub server: Option<PathBuf>,
    /// Errors that the server logged, and that concern neither InnoDB nor Aria.
    pub warnings: Vec<String>,
}

impl Prepare {
    /// Prepares this directory.
    pub fn of_dir(dir: impl AsRef<Path>) -> Self {
        Self {
            dir: dir.as_ref().to_owned(),
            server: None,
            memory: 128 << 20,
            options: Vec::new(),
            tmpdir: PathBuf::from("/tmp"),
            cancel: None,
        }
    }

    pub(crate) fn in_dir(mut self, dir: &Path) -> Self {
        dir.clone_into(&mut self.dir);
        self
    }

    /// The server's program. If none is given, `mariadbd` and `mysqld` are looked for in `PATH` and
    /// the usual places.
    pub fn server(mut self, program: impl AsRef<Path>) -> Self {
        self.server = Some(program.as_ref().to_owned());
        self
    }

    /// Bytes of the server's buffer pool; 128 MiB unless set.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// A further option for the server, such as `file_key_management_filename=/etc/keys`: where the
    /// keys of encrypted tables are on this machine.
    pub fn server_option(mut self, option: impl Into<String>) -> Self {
        self.options.push(option.into());
        self
    }

    /// Where a private directory for the server's socket and temporary files is made; `/tmp` unless
    /// set. A socket's path may not have more than 107 bytes.
    pub fn tmpdir(mut self, dir: impl AsRef<Path>) -> Self {
        dir.as_ref().clone_into(&mut self.tmpdir);
        self
    }

    /// Ends the job when the token is set; the server is then shut down first.
    pub fn cancel(mut self, token: CancelToken) -> Self {
        self.cancel = Some(token);
        self
    }

    /// Prepares the directory, on the calling thread.
    ///
    /// # Errors
    /// `NotFound` if it holds no backup or no fitting server is there, `InvalidState` if it was
    /// not extracted to the end, `Recovery` if the server did not recover
    /// it, `Unsupported` for incremental backups.
    pub fn run(&self, observer: &mut dyn Observer) -> Result<PrepareReport> {
        let pulse = Pulse::new(observer, self.cancel.clone());
        pulse.tick()?;
        let path = std::path::absolute(&self.dir).map_err(|error| {
            Error::io(ErrorKind::Source, "finding the directory", error).at_path(&self.dir)
        })?;
        let dir = Dir::open(&path).map_err(|error| {
            Error::io(ErrorKind::Source, "opening the directory", error).at_path(&path)
        })?;
        self.prepare(&path, &dir, &pulse).map_err(|error| error.at_path(&path))
    }

    fn prepare(&self, path: &Path, dir: &Dir, pulse: &Pulse<'_>) -> Result<PrepareReport> {
        let locked = dir
            .try_lock()
            .map_err(|error| Error::io(ErrorKind::Source, "locking the directory", error))?;
        if !locked {
            let message = "another process is working on this directory";
            return Err(Error::new(ErrorKind::Locked, message));
        }
        let state = State::read(dir)?;
        match state.kind {
            Kind::Full => {}
            Kind::Prepared => {
                pulse.log(Level::Info, "the backup is prepared already")?;
                return Ok(PrepareReport::default());
            }
            Kind::Incremental => {
                let message = "an incremental backup cannot be prepared by xbkit";
                return Err(Error::new(ErrorKind::Unsupported, message)
                    .hint("use mariabackup --prepare, with its base backup"));
            }
        }
        if dir.entry_type(DAMAGED_PAGES).ok().flatten().is_some() {
            pulse.warn(
                "the backup was made with damaged pages, which innodb_corrupted_pages lists: \
                 recovery may fail, and what it makes has them still",
            )?;
        }
        let program = find(self.server.as_deref(), state.version)?;
        let server = PathBuf::from(&program);
        let shown = crate::error::escape_path(&server);
        pulse.log(Level::Info, &format!("recovering with {shown}, MariaDB {}", state.version))?;
        let applied = markers::apply(dir)?;
        if applied != markers::Applied::default() {
            let message = format!(
                "DDL during the backup: {} tables removed, {} renamed, {} made or rebuilt",
                applied.removed, applied.renamed, applied.replaced
            );
            pulse.log(Level::Info, &message)?;
        }
        dir.sync_filesystem()
            .map_err(|error| Error::io(ErrorKind::Sink, "syncing the file system", error))?;
        let scratch = Scratch::new(&self.tmpdir)?;
        let mut options = state.options;
        options.push(format!("--innodb-buffer-pool-size={}", self.memory));
        options.extend(self.options.iter().map(|option| {
            if option.starts_with("--") { option.clone() } else { format!("--{option}") }
        }));
        let recovery = Recovery {
            program: &program,
            datadir: path,
            options: &options,
            log: path.join(LOG),
            last_lsn: state.last_lsn,
            scratch: &scratch.0,
        };
        let said = recovery.run(pulse)?;
        for line in &said.warnings {
            pulse.warn(&format!("the server said: {line}"))?;
        }
        State::mark_prepared(dir)?;
        dir.sync_filesystem()
            .map_err(|error| Error::io(ErrorKind::Sink, "syncing the file system", error))?;
        Ok(PrepareReport { server: Some(server), warnings: said.warnings })
    }
}

/// Lists pages that were damaged when the backup was made.
const DAMAGED_PAGES: &[u8] = b"innodb_corrupted_pages";

/// What the server said while it recovered.
const LOG: &str = "xbkit_prepare.log";
