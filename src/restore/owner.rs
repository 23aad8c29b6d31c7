//! Whose the files of a restored directory are, and who may read them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::sys::child::is_root;
use crate::sys::dir::{Dir, EntryType, Owner};

/// The modes that a MariaDB server gives its own files.
const FILE_MODE: u32 = 0o660;
const DIR_MODE: u32 = 0o700;

/// Who gets the files; `None`: they stay with who made them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owners(Option<Owner>);

impl Owners {
    /// Decides before anything is written.
    pub(super) fn find(name: Option<&str>, datadir: &Path) -> Result<Self> {
        if let Some(name) = name {
            return Owner::of_user(name).map(|owner| Self(Some(owner))).ok_or_else(|| {
                let message = format!("there is no user {}", name.escape_default());
                Error::new(ErrorKind::InvalidArgument, message)
            });
        }
        if !is_root() {
            return Ok(Self(None));
        }
        let there = Dir::open(datadir).and_then(|dir| dir.owner()).ok();
        let there = there.filter(|owner| owner.user != 0);
        Ok(Self(there.or_else(|| Owner::of_user("mysql"))))
    }

    /// Gives away everything beneath `dir`, and itself.
    pub(super) fn give(self, dir: &Dir, path: &Path) -> Result<()> {
        self.give_below(dir, b"").map_err(|error| error.at_path(path))?;
        dir.give_self(self.0, DIR_MODE)
            .and_then(|()| dir.sync_filesystem())
            .map_err(|error| failed(error).at_path(path))
    }

    fn give_below(self, dir: &Dir, prefix: &[u8]) -> Result<()> {
        let opened = if prefix.is_empty() { dir.try_clone() } else { dir.open_dir(prefix) };
        let names = opened.and_then(|dir| dir.entries()).map_err(failed)?;
        for name in names {
            let path = join(prefix, name.as_bytes());
            let given = match dir.entry_type(&path).map_err(failed)? {
                Some(EntryType::Directory) => {
                    self.give_below(dir, &path)?;
                    dir.give(&path, self.0, DIR_MODE)
                }
                Some(EntryType::File) => dir.give(&path, self.0, FILE_MODE),
                _ => Ok(()),
            };
            given.map_err(|error| failed(error).at_path(Path::new(OsStr::from_bytes(&path))))?;
        }
        Ok(())
    }
}

/// A name beneath another, or alone.
pub(super) fn join(prefix: &[u8], name: &[u8]) -> Vec<u8> {
    if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
}

fn failed(error: std::io::Error) -> Error {
    Error::io(ErrorKind::Sink, "giving the files to the server's user", error)
}
