//! `--extra-lsndir`: copies of the files that say up to which LSN a backup reaches.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use xbkit::{Error, ErrorKind, Result, ServerReport};

/// The directory that the copies go to.
#[derive(Debug)]
pub(crate) struct LsnDir(PathBuf);

impl LsnDir {
    /// Makes the directory if it is not there, as the real programs do.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        match fs::create_dir(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(failed("cannot make the directory", path, error))
            }
            _ if !path.is_dir() => {
                let message = "not a directory, so files cannot go there";
                Err(Error::new(ErrorKind::InvalidArgument, message).at_path(path))
            }
            _ => Ok(Self(path.to_owned())),
        }
    }

    /// Puts the copies there, if there is such a directory, now that the backup succeeded. Files of
    /// an earlier backup are replaced, each at once.
    pub(crate) fn keep(dir: Option<Self>, report: &ServerReport) -> Result<()> {
        let Some(Self(dir)) = dir else { return Ok(()) };
        for (name, text) in &report.lsn_files {
            let (path, partial) = (dir.join(name), dir.join(format!("{name}.partial")));
            let written = File::create(&partial).and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()?;
                fs::rename(&partial, &path)
            });
            written.map_err(|error| {
                let _ = fs::remove_file(&partial);
                failed("the backup is whole, but this copy cannot be written", &path, error)
            })?;
        }
        File::open(&dir)
            .and_then(|dir| dir.sync_all())
            .map_err(|error| failed("cannot sync the directory", &dir, error))
    }
}

fn failed(what: &'static str, path: &Path, error: io::Error) -> Error {
    Error::io(ErrorKind::Sink, what, error).at_path(path)
}
