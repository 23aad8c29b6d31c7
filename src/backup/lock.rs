//! Keeping servers away from a data directory.

use std::fs::File;

use super::Backup;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::file;

/// Shared locks on the files of the system tablespace, held until dropped.
///
/// InnoDB takes an exclusive lock on each of them as long as the server runs.
pub(super) struct DatadirLock {
    _files: Vec<File>,
}

impl DatadirLock {
    pub(super) fn take(backup: &Backup) -> Result<Self> {
        let mut files = Vec::new();
        for name in &backup.system_files {
            let path = backup.home().join(name);
            let file = file::open_read(&path).map_err(|error| {
                let error = Error::io(ErrorKind::Source, "opening the system tablespace", error);
                match error.kind() {
                    ErrorKind::NotFound => error.hint(
                        "this is no data directory, or innodb_data_home_dir or \
                         innodb_data_file_path put the system tablespace elsewhere",
                    ),
                    _ => error,
                }
                .at_path(&path)
            })?;
            let locked = file::try_lock_shared(&file).map_err(|error| {
                Error::io(ErrorKind::Source, "locking the file", error).at_path(&path)
            })?;
            if !locked {
                return Err(Error::new(
                    ErrorKind::Locked,
                    "a running server has locked this file, so its directory cannot be copied cold",
                )
                .at_path(&path)
                .hint("stop the server first"));
            }
            files.push(file);
        }
        Ok(Self { _files: files })
    }
}
