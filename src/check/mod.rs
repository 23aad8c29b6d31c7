//! Checking the InnoDB pages of files on disk.

mod plan;
mod run;

use std::path::{Path, PathBuf};

use crate::cancel::CancelToken;
use crate::error::Result;
use crate::event::Observer;
use crate::io::pulse::Pulse;
use crate::limits;
use crate::pages::Tally;

/// A job that checks every page of tablespaces: of a stopped server, or of an extracted backup.
///
/// In a directory, everything below it is checked whose name is that of a tablespace
/// ([`crate::innodb::page::role_of`]), and what `.isl` files name; symlinks are followed. A file
/// that is named itself is checked whatever its name is.
///
/// Each damaged page is an [`Event::BadPage`](crate::Event::BadPage), each file an
/// [`Event::FileChecked`](crate::Event::FileChecked). A file that cannot be read is a warning, and
/// the job fails at its end, so that one pass shows all there is.
///
/// Pages that the tablespace has set free are checked like any other, which `innochecksum` does not.
///
/// # Servers
/// A server that runs changes pages while they are read. As long as the job runs, it holds shared
/// locks on the system tablespace and on each file it reads: a server that runs is noticed by its
/// own locks, one that is started meanwhile refuses to. A file that changed nevertheless is
/// reported as such, not as damaged.
///
/// Memory: 1.3 MiB for each thread.
#[derive(Clone, Debug)]
pub struct Check {
    paths: Vec<PathBuf>,
    parallel: usize,
    cancel: Option<CancelToken>,
}

/// What a check saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// Tablespaces that were checked.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their pages.
    pub pages: Tally,
}

impl Check {
    /// Checks a directory or a file.
    pub fn of(path: impl AsRef<Path>) -> Self {
        Self { paths: vec![path.as_ref().to_owned()], parallel: 1, cancel: None }
    }

    /// Checks another directory or file, too.
    pub fn and(mut self, path: impl AsRef<Path>) -> Self {
        self.paths.push(path.as_ref().to_owned());
        self
    }

    /// Reads with so many threads, 1 to 256. Each file belongs to one.
    pub fn parallel(mut self, threads: usize) -> Self {
        self.parallel = threads;
        self
    }

    /// Ends the job when the token is set.
    pub fn cancel(mut self, token: CancelToken) -> Self {
        self.cancel = Some(token);
        self
    }

    /// Reads and checks everything. Success means that every page that can be checked is right.
    ///
    /// # Errors
    /// `PageCorrupt` if a page is damaged, or missing at the end of a file: the first one in the
    /// message, all of them in events. `Locked` if a server uses a file, `FileChanged` if one
    /// changes meanwhile, `NotFound` if a path does not exist or holds no tablespace, and what
    /// reading gives.
    pub fn run(&self, observer: &mut dyn Observer) -> Result<CheckReport> {
        limits::check_parallel(self.parallel)?;
        let pulse = Pulse::new(observer, self.cancel.clone());
        let plan = plan::plan(&self.paths)?;
        run::run(&plan, self.parallel, &pulse)
    }
}
