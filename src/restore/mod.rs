//! From a backup to a directory that a server can start on.

mod back;
mod owner;

use std::io::Read;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use crate::cancel::CancelToken;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Observer;
use crate::extract::{Extract, ExtractReport};
use crate::prepare::{Kind, Prepare, kind};
use crate::sys::dir::Dir;
pub use back::PutBack;
use owner::Owners;

/// A job that makes a data directory of a stream: it extracts, has the server recover what a hot
/// backup holds, and gives the files to the server's user.
///
/// The data directory is new or empty. If the job fails after the extraction, the directory holds
/// an extracted backup that [`Prepare`] can be tried on again.
#[derive(Clone, Debug)]
pub struct Restore {
    datadir: PathBuf,
    prepare: Prepare,
    owner: Option<String>,
    extract: Extract,
}

/// What a restore did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RestoreReport {
    /// The stream.
    pub extracted: ExtractReport,
    /// Whether it was a hot backup, which a server recovered.
    pub recovered: bool,
}

impl Restore {
    /// Restores into this directory, which is made if it is missing.
    pub fn into_datadir(datadir: impl AsRef<Path>) -> Self {
        let datadir = datadir.as_ref().to_owned();
        let prepare = Prepare::of_dir(&datadir);
        let extract = Extract::into_dir(&datadir);
        Self { datadir, prepare, owner: None, extract }
    }

    /// How the server is found and run: [`Prepare::server`], [`Prepare::memory`] and others of the
    /// job that this gets and gives back. Its directory and token are those of the restore.
    pub fn prepare_with(mut self, with: impl FnOnce(Prepare) -> Prepare) -> Self {
        self.prepare = with(self.prepare).in_dir(&self.datadir);
        self
    }

    /// How the stream is read: the key to decrypt it, threads, limits and others of the job that
    /// this gets and gives back. Its directory is that of the restore, and every member is wanted.
    pub fn extract_with(mut self, with: impl FnOnce(Extract) -> Extract) -> Self {
        self.extract = with(self.extract).whole_into(&self.datadir);
        self
    }

    /// Gives the files to this user, by name. Unless set, root gives them to the owner of the
    /// directory if it was there, else to `mysql` if there is such a user.
    pub fn owner(mut self, user: impl Into<String>) -> Self {
        self.owner = Some(user.into());
        self
    }

    /// Writes on so many threads, 1 to 256.
    pub fn parallel(mut self, threads: usize) -> Self {
        self.extract = self.extract.parallel(threads);
        self
    }

    /// Ends the job when the token is set.
    pub fn cancel(mut self, token: CancelToken) -> Self {
        self.prepare = self.prepare.cancel(token.clone());
        self.extract = self.extract.cancel(token);
        self
    }

    /// Restores the stream that `input` gives, to its end.
    pub fn run(&self, input: &mut dyn Read, observer: &mut dyn Observer) -> Result<RestoreReport> {
        let owners = Owners::find(self.owner.as_deref(), &self.datadir)?;
        let extracted = self.extract.run(input, observer)?;
        self.finish(extracted, owners, observer)
    }

    /// Restores the stream that can be read from a descriptor, which is borrowed.
    pub fn run_fd(
        &self,
        input: BorrowedFd<'_>,
        observer: &mut dyn Observer,
    ) -> Result<RestoreReport> {
        let owners = Owners::find(self.owner.as_deref(), &self.datadir)?;
        let extracted = self.extract.run_fd(input, observer)?;
        self.finish(extracted, owners, observer)
    }

    fn finish(
        &self,
        extracted: ExtractReport,
        owners: Owners,
        observer: &mut dyn Observer,
    ) -> Result<RestoreReport> {
        let dir = open(&self.datadir)?;
        let recovered = match kind(&dir)? {
            Some(Kind::Full) => self.prepare.run(observer).map(|_| true)?,
            Some(Kind::Prepared) => true,
            None => false,
            Some(Kind::Incremental) => {
                let message = "an incremental backup cannot be restored alone";
                return Err(Error::new(ErrorKind::Unsupported, message).at_path(&self.datadir));
            }
        };
        owners.give(&dir, &self.datadir)?;
        Ok(RestoreReport { extracted, recovered })
    }
}

fn open(path: &Path) -> Result<Dir> {
    Dir::open(path)
        .map_err(|error| Error::io(ErrorKind::Source, "opening the directory", error).at_path(path))
}
