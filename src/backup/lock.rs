//! Keeping servers away from a data directory.

use std::fs::File;
use std::path::Path;

use super::Backup;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::{dir, file};

/// Shared locks, held until dropped.
///
/// InnoDB takes an exclusive lock on each file of the system tablespace as long as the server
/// runs. Aria does the same with its control file: that is what a server without InnoDB locks.
pub(super) struct DatadirLock {
    _files: Vec<File>,
}

impl DatadirLock {
    pub(super) fn take(backup: &Backup) -> Result<Self> {
        let mut files = Vec::new();
        for name in &backup.system_files {
            files.push(lock(&backup.home().join(name))?);
        }
        let aria =
            backup.aria_log_dir.as_deref().unwrap_or(&backup.datadir).join("aria_log_control");
        if dir::exists(&aria) {
            files.push(lock(&aria)?);
        }
        Ok(Self { _files: files })
    }
}

fn lock(path: &Path) -> Result<File> {
    let file = file::open_read(path).map_err(|error| {
        let error =
            Error::io(ErrorKind::Source, "opening the file to lock it", error).at_path(path);
        match error.kind() {
            ErrorKind::NotFound => error.hint(
                "this is no data directory, or innodb_data_home_dir or innodb_data_file_path put \
                 the system tablespace elsewhere",
            ),
            _ => error,
        }
    })?;
    let locked = file::try_lock_shared(&file)
        .map_err(|error| Error::io(ErrorKind::Source, "locking the file", error).at_path(path))?;
    if locked {
        return Ok(file);
    }
    let message = "a running server has locked this file, so its directory cannot be copied cold";
    Err(Error::new(ErrorKind::Locked, message).at_path(path).hint("stop the server first"))
}
