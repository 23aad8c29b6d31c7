//! Putting a prepared directory where the server wants its data, as `--copy-back` does.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::open;
use super::owner::{Owners, join};
use crate::cancel::CancelToken;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Observer;
use crate::io::pulse::{Beat, Pulse};
use crate::prepare::{Kind, kind};
use crate::sys::dir::{Dir, EntryType, make_all};

/// Bytes copied between two looks at the token.
const STEP: u64 = 32 << 20;

/// A job that copies or moves a prepared backup into a data directory, which is new or empty.
///
/// Files of a copy that fails are removed again; what a move moved stays where it is.
#[derive(Clone, Debug)]
pub struct PutBack {
    from: PathBuf,
    datadir: PathBuf,
    data_home: Option<PathBuf>,
    undo_dir: Option<PathBuf>,
    log_dir: Option<PathBuf>,
    aria_log_dir: Option<PathBuf>,
    moved: bool,
    non_empty: bool,
    cancel: Option<CancelToken>,
}

impl PutBack {
    /// Puts the backup in `from` into `datadir`.
    pub fn new(from: impl AsRef<Path>, datadir: impl AsRef<Path>) -> Self {
        Self {
            from: from.as_ref().to_owned(),
            datadir: datadir.as_ref().to_owned(),
            data_home: None,
            undo_dir: None,
            log_dir: None,
            aria_log_dir: None,
            moved: false,
            non_empty: false,
            cancel: None,
        }
    }

    /// Moves files instead of copying them.
    pub fn move_files(mut self, on: bool) -> Self {
        self.moved = on;
        self
    }

    /// Lets the data directory hold files; those of the backup may not be there all the same.
    pub fn non_empty(mut self, on: bool) -> Self {
        self.non_empty = on;
        self
    }

    /// Where the system tablespace goes, if elsewhere: `innodb_data_home_dir`.
    pub fn data_home(mut self, dir: impl AsRef<Path>) -> Self {
        self.data_home = Some(self.datadir.join(dir));
        self
    }

    /// Where undo tablespaces go, if elsewhere: `innodb_undo_directory`.
    pub fn undo_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.undo_dir = Some(self.datadir.join(dir));
        self
    }

    /// Where the redo log goes, if elsewhere: `innodb_log_group_home_dir`.
    pub fn log_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.log_dir = Some(self.datadir.join(dir));
        self
    }

    /// Where Aria's log goes, if elsewhere: `aria_log_dir_path`.
    pub fn aria_log_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.aria_log_dir = Some(self.datadir.join(dir));
        self
    }

    /// Ends the job when the token is set.
    pub fn cancel(mut self, token: CancelToken) -> Self {
        self.cancel = Some(token);
        self
    }

    /// Copies or moves, and gives the number of files.
    ///
    /// # Errors
    /// `InvalidState` if the backup is not prepared; `Exists` if a directory is not empty, or a
    /// file is there.
    pub fn run(&self, observer: &mut dyn Observer) -> Result<u64> {
        let pulse = Pulse::new(observer, self.cancel.clone());
        let from = open(&self.from)?;
        if kind(&from)? != Some(Kind::Prepared) {
            let message = "the backup is not prepared, so no server can start on it";
            return Err(Error::new(ErrorKind::InvalidState, message)
                .at_path(&self.from)
                .hint("run xbkit prepare first"));
        }
        let owners = Owners::find(None, &self.datadir)?;
        let mut run = Run { job: self, from, pulse: &pulse, targets: Vec::new(), made: Vec::new() };
        let count = match run.all() {
            Ok(count) => count,
            Err(error) => {
                run.undo();
                return Err(error);
            }
        };
        for (path, dir) in &run.targets {
            owners.give(dir, path)?;
        }
        Ok(count)
    }
}

struct Run<'r, 'p> {
    job: &'r PutBack,
    from: Dir,
    pulse: &'r Pulse<'p>,
    targets: Vec<(PathBuf, Dir)>,
    /// Files copied so far: which target, and their names.
    made: Vec<(usize, Vec<u8>)>,
}

impl Run<'_, '_> {
    fn all(&mut self) -> Result<u64> {
        self.target(&self.job.datadir)?;
        let mut count = 0;
        let mut below = vec![Vec::new()];
        while let Some(prefix) = below.pop() {
            let listed =
                if prefix.is_empty() { self.from.try_clone() } else { self.from.open_dir(&prefix) };
            let names = listed
                .and_then(|dir| dir.entries())
                .map_err(|error| source("listing", &prefix, error))?;
            for name in names {
                let path = join(&prefix, name.as_bytes());
                match self.from.entry_type(&path).map_err(|e| source("looking at", &path, e))? {
                    Some(EntryType::File) if prefix.is_empty() && is_left_out(&path) => {}
                    Some(EntryType::File) => {
                        let target = self.target(&self.place_of(&path))?;
                        self.put(target, &path)?;
                        count += 1;
                    }
                    Some(EntryType::Directory) => {
                        self.make_dir(&path)?;
                        below.push(path);
                    }
                    _ => {}
                }
            }
        }
        for (path, dir) in &self.targets {
            dir.sync_filesystem().map_err(|error| {
                Error::io(ErrorKind::Sink, "syncing the file system", error).at_path(path)
            })?;
        }
        Ok(count)
    }

    /// The directory that a file belongs to.
    fn place_of(&self, path: &[u8]) -> PathBuf {
        let job = self.job;
        let elsewhere = if path.contains(&b'/') {
            &None
        } else if path.starts_with(b"ibdata") {
            &job.data_home
        } else if path.starts_with(b"undo") {
            &job.undo_dir
        } else if path.starts_with(b"ib_logfile") {
            &job.log_dir
        } else if path.starts_with(b"aria_log") {
            &job.aria_log_dir
        } else {
            &None
        };
        elsewhere.clone().unwrap_or_else(|| job.datadir.clone())
    }

    /// Opens a directory that files go to; the first time, it must be empty.
    fn target(&mut self, path: &Path) -> Result<usize> {
        if let Some(at) = self.targets.iter().position(|(known, _)| known == path) {
            return Ok(at);
        }
        let failed =
            |error| Error::io(ErrorKind::Sink, "opening the data directory", error).at_path(path);
        make_all(path, 0o700).map_err(failed)?;
        let dir = Dir::open(path).map_err(failed)?;
        let any = !dir.entries().map_err(failed)?.is_empty();
        if any && !self.job.non_empty {
            let message = "the directory is not empty";
            return Err(Error::new(ErrorKind::Exists, message)
                .at_path(path)
                .hint("empty it, or say --force-non-empty-directories"));
        }
        self.targets.push((path.to_owned(), dir));
        Ok(self.targets.len() - 1)
    }

    fn make_dir(&self, path: &[u8]) -> Result<()> {
        let Some((root, dir)) = self.targets.first() else { return Ok(()) };
        match dir.make_dir(path, 0o700) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(sink("making the directory", root, path, error))
            }
            _ => Ok(()),
        }
    }

    fn put(&mut self, target: usize, path: &[u8]) -> Result<()> {
        self.pulse.tick()?;
        let Some((root, dir)) = self.targets.get(target) else { return Ok(()) };
        let size = if self.job.moved {
            match self.from.rename(path, dir, path, false) {
                Ok(()) => 0,
                Err(error) if error.raw_os_error() == Some(libc::EXDEV) => {
                    let size = self.copy(dir, root, path)?;
                    self.from.remove_file(path).map_err(|e| source("removing", path, e))?;
                    size
                }
                Err(error) => return Err(sink("moving the file", root, path, error)),
            }
        } else {
            let size = self.copy(dir, root, path)?;
            self.made.push((target, path.to_vec()));
            size
        };
        self.pulse.member(Path::new(OsStr::from_bytes(path)), size)
    }

    fn copy(&self, dir: &Dir, root: &Path, path: &[u8]) -> Result<u64> {
        let from = self.from.open_read(path).map_err(|e| source("opening", path, e))?;
        let mut to: File = dir
            .create_new(path, 0o660)
            .map_err(|error| sink("making the file", root, path, error))?;
        let copied = self.copy_all(&from, &mut to);
        if copied.is_err() {
            let _ = dir.remove_file(path);
        }
        copied.map_err(|error| error.at_path(root.join(OsStr::from_bytes(path))))
    }

    fn copy_all(&self, from: &File, to: &mut File) -> Result<u64> {
        use std::io::Read;
        let mut size = 0;
        loop {
            self.pulse.tick()?;
            let copied = std::io::copy(&mut from.take(STEP), to)
                .map_err(|error| Error::io(ErrorKind::Sink, "copying the file", error))?;
            size += copied;
            if copied < STEP {
                return Ok(size);
            }
        }
    }

    /// Removes what a copy made.
    fn undo(&mut self) {
        for (target, path) in &self.made {
            if let Some((_, dir)) = self.targets.get(*target) {
                let _ = dir.remove_file(path);
            }
        }
    }
}

/// What tells of the backup, and is none of the server's.
fn is_left_out(name: &[u8]) -> bool {
    let of_backup = |stem: &[u8]| {
        name.starts_with(stem)
            && (name.ends_with(b"_checkpoints") || name.ends_with(b"_binlog_info"))
    };
    name == b"backup-my.cnf"
        || name == b"xbkit_manifest.json"
        || name == b"xbkit_prepare.log"
        || of_backup(b"xtrabackup")
        || of_backup(b"mariadb_backup")
}

fn source(what: &'static str, path: &[u8], error: std::io::Error) -> Error {
    Error::io(ErrorKind::Source, what, error).at_path(Path::new(OsStr::from_bytes(path)))
}

fn sink(what: &'static str, root: &Path, path: &[u8], error: std::io::Error) -> Error {
    Error::io(ErrorKind::Sink, what, error).at_path(root.join(OsStr::from_bytes(path)))
}
