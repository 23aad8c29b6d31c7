//! Which files are tablespaces, and which belong together.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::innodb::page::{Role, role_of};
use crate::limits;
use crate::sys::dir::{self, WalkKind};
use crate::sys::file::{self, Identity};

/// A tablespace to be checked.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) path: PathBuf,
    pub(super) role: Role,
    pub(super) size: u64,
}

/// What one thread does in one go: a file, or the files of a system tablespace in their order.
pub(super) type Group = Vec<Space>;

/// Everything to be checked.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) groups: Vec<Group>,
    pub(super) bytes: u64,
    /// Held as long as the job runs, so that no server is started.
    locks: Vec<File>,
}

pub(super) fn plan(paths: &[PathBuf]) -> Result<Plan> {
    let mut plan = Plan::default();
    for path in paths {
        let before = plan.groups.len();
        let mut walk = Walk { root: path, plan: &mut plan, above: Vec::new() };
        match kind_of(path)? {
            WalkKind::Directory { .. } => walk.directory(path)?,
            _ => walk.named_file(path)?,
        }
        if plan.groups.len() == before {
            let message = "there is no tablespace below this directory";
            return Err(Error::new(ErrorKind::NotFound, message).at_path(path));
        }
    }
    // The largest first, so that no thread begins with it when the others are done.
    plan.groups.sort_by_key(|group| std::cmp::Reverse(bytes_of(group)));
    plan.bytes = plan.groups.iter().map(bytes_of).sum();
    Ok(plan)
}

fn bytes_of(group: &Group) -> u64 {
    group.iter().map(|space| space.size).sum()
}

fn kind_of(path: &Path) -> Result<WalkKind> {
    dir::kind_of(path)
        .map_err(|error| Error::io(ErrorKind::Source, "looking at the file", error).at_path(path))
}

struct Walk<'p> {
    /// What `.isl` files are relative to.
    root: &'p Path,
    plan: &'p mut Plan,
    /// The directories around the one being walked, to notice symlinks that lead in a circle.
    above: Vec<Identity>,
}

impl Walk<'_> {
    fn named_file(&mut self, path: &Path) -> Result<()> {
        let name = path.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
        let role = role_of(name).unwrap_or(Role::Own);
        let space = space(path.to_owned(), role)?;
        self.plan.groups.push(vec![space]);
        Ok(())
    }

    fn directory(&mut self, dir: &Path) -> Result<()> {
        let entries = dir::list_resolved(dir).map_err(|error| {
            Error::io(ErrorKind::Source, "listing the directory", error).at_path(dir)
        })?;
        let mut system = Group::new();
        for entry in entries {
            let path = dir.join(&entry.name);
            match entry.kind {
                WalkKind::Directory { identity } if !self.above.contains(&identity) => {
                    self.above.push(identity);
                    self.directory(&path)?;
                    self.above.pop();
                }
                WalkKind::File { .. } => self.file(path, &mut system)?,
                _ => {}
            }
        }
        if !system.is_empty() {
            system.sort_by_key(|space| number_of(&space.path));
            self.plan.groups.push(system);
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf, system: &mut Group) -> Result<()> {
        // A name without a directory says less: see `role_of`.
        let name = path.as_os_str().as_bytes();
        if name.ends_with(b"/aria_log_control") {
            // What a server without InnoDB locks.
            self.plan.locks.push(lock(&path)?);
            return Ok(());
        }
        match role_of(name) {
            Some(Role::System) => {
                self.plan.locks.push(lock(&path)?);
                system.push(space(path, Role::System)?);
            }
            Some(Role::Own) => self.plan.groups.push(vec![space(path, Role::Own)?]),
            None if name.ends_with(b".isl") => self.link_file(&path)?,
            None => {}
        }
        Ok(())
    }

    /// The tablespace that an `.isl` file names, if it is not here itself.
    fn link_file(&mut self, path: &Path) -> Result<()> {
        if dir::exists(&path.with_extension("ibd")) {
            return Ok(());
        }
        let link = file::read_small(path, limits::LINK_FILE).map_err(|error| {
            Error::io(ErrorKind::Source, "reading the link file", error).at_path(path)
        })?;
        // If it is not there, reading it fails, and the others are checked.
        let path = self.root.join(OsStr::from_bytes(link.trim_ascii_end()));
        let size = file::fingerprint_of(&path).map_or(0, |facts| facts.size);
        self.plan.groups.push(vec![Space { path, role: Role::Own, size }]);
        Ok(())
    }
}

fn space(path: PathBuf, role: Role) -> Result<Space> {
    let error = |error| Error::io(ErrorKind::Source, "looking at the file", error);
    match dir::kind_of(&path) {
        Ok(WalkKind::File { facts }) => Ok(Space { path, role, size: facts.size }),
        Ok(_) => {
            let message = "not a regular file, so its pages cannot be checked";
            Err(Error::new(ErrorKind::Unsupported, message).at_path(path))
        }
        Err(cause) => Err(error(cause).at_path(path)),
    }
}

/// A shared lock that a running server's own does not allow.
pub(super) fn lock(path: &Path) -> Result<File> {
    let file = file::open_read(path)
        .map_err(|error| Error::io(ErrorKind::Source, "opening the file", error).at_path(path))?;
    let locked = file::try_lock_shared(&file)
        .map_err(|error| Error::io(ErrorKind::Source, "locking the file", error).at_path(path))?;
    if locked {
        return Ok(file);
    }
    let message = "a running server has locked this file, so its pages change while they are read";
    Err(Error::new(ErrorKind::Locked, message)
        .at_path(path)
        .hint("stop the server, or check a backup of it"))
}

/// The number behind a name.
fn number_of(path: &Path) -> u64 {
    let name = path.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
    let digits = name.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |at| at + 1);
    let digits = name.get(digits..).and_then(|digits| str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
