//! The one place that creates, renames or removes anything beneath the target.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::error::{Error, ErrorKind, Result, escape_path};
use crate::format::member::MemberPath;
use crate::sys::dir::{Dir, EntryType};
use crate::sys::file::Identity;

/// Mode of files, less the process's umask: as XtraBackup makes them.
const FILE_MODE: u32 = 0o640;
/// Mode of directories, less the process's umask.
const DIR_MODE: u32 = 0o750;
/// Directories remembered, to save asking for them again: a backup has one for each database, and
/// a stream made to do harm as many as it likes.
const KNOWN_DIRS: usize = 4096;
/// Where a staged extraction grows, beneath the target.
pub(super) const STAGING: &[u8] = b".xbkit-partial";
/// Stands in the target while an extraction in place runs: only a kill leaves it there.
const MARKER: &[u8] = b".xbkit-incomplete";

/// The directory that members are created in.
///
/// Names are resolved by the kernel beneath one directory handle, never through a symlink.
pub(super) struct Root {
    /// What the user named.
    target: Dir,
    target_path: PathBuf,
    /// Where members go: the staging directory, or the target itself.
    work: Dir,
    staged: bool,
    /// Locked as long as an extraction in place runs.
    _mark: Option<File>,
    /// Set once nothing must be removed any more.
    keep: bool,
    made: Mutex<Made>,
}

/// What this extraction made in place, to be removed if it fails.
#[derive(Default)]
struct Made {
    /// Directories known to exist, [`KNOWN_DIRS`] at most.
    dirs: HashSet<Box<[u8]>>,
    /// In place: the topmost of the directories made for a member; all below are ours too.
    own_dirs: Vec<Box<[u8]>>,
    files: HashSet<MemberPath>,
}

impl Root {
    /// Prepares an extraction that becomes visible at its end: the target is made if it is
    /// missing, and must be empty unless `overwrite`.
    pub(super) fn staged(path: &Path, overwrite: bool) -> Result<Self> {
        crate::sys::dir::make_all(path, DIR_MODE)
            .and_then(|()| Dir::open(path))
            .map_err(|error| {
                Error::io(ErrorKind::Sink, "opening the target directory", error).at_path(path)
            })
            .and_then(|target| Self::stage(target, path, overwrite))
    }

    fn stage(target: Dir, path: &Path, overwrite: bool) -> Result<Self> {
        let fail =
            |what: &'static str, error| Error::io(ErrorKind::Sink, what, error).at_path(path);
        if !overwrite {
            check_empty(&target, path)?;
        }
        match target.make_dir(STAGING, 0o700) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(fail("making the staging directory", error));
            }
            _ => {}
        }
        let work = target
            .open_dir(STAGING)
            .map_err(|error| fail("opening the staging directory", error))?;
        let locked =
            work.try_lock().map_err(|error| fail("locking the staging directory", error))?;
        if !locked {
            return Err(busy(path));
        }
        // Left behind by a run that was killed: nobody holds its lock.
        clear(&work)
            .map_err(|error| fail("removing the remains of an earlier extraction", error))?;
        Ok(Self::new(target, path, work, None))
    }

    /// Prepares an extraction into an existing directory, whose files stay untouched.
    pub(super) fn in_place(path: &Path) -> Result<Self> {
        let fail =
            |error| Error::io(ErrorKind::Sink, "opening the target directory", error).at_path(path);
        let target = Dir::open(path).map_err(fail)?;
        let work = target.try_clone().map_err(fail)?;
        let mark = mark(&target, path)?;
        Ok(Self::new(target, path, work, Some(mark)))
    }

    fn new(target: Dir, path: &Path, work: Dir, mark: Option<File>) -> Self {
        Self {
            target,
            target_path: path.to_owned(),
            work,
            staged: mark.is_none(),
            _mark: mark,
            keep: false,
            made: Mutex::default(),
        }
    }

    /// Creates a member's file and the directories above it. It must not exist.
    pub(super) fn create(&self, path: &MemberPath) -> Result<File> {
        refuse_marks(path)?;
        self.make_parents(path)?;
        let file = self.work.create_new(path.as_bytes(), FILE_MODE).map_err(|error| {
            let error = Error::io(ErrorKind::Sink, "creating the file", error).at_path(path);
            self.explain(error)
        })?;
        self.made.lock().files.insert(path.clone());
        Ok(file)
    }

    /// Whether this extraction made a file of this name.
    pub(super) fn made(&self, path: &MemberPath) -> bool {
        self.made.lock().files.contains(path)
    }

    fn explain(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Exists if !self.staged => {
                error.hint("existing files are never replaced; extract into an empty directory")
            }
            ErrorKind::NoSpace => {
                error.hint("free space on the target's file system, and extract again")
            }
            ErrorKind::UnsafePath => {
                error.hint("a symlink stands in the way; members are never written through one")
            }
            _ => error,
        }
    }

    /// Opens a file that this extraction made, after its descriptor was closed to save one.
    pub(super) fn reopen(&self, path: &MemberPath, expected: Identity) -> Result<File> {
        let fail =
            |error| Error::io(ErrorKind::Sink, "opening the file again", error).at_path(path);
        let file = self.work.open_write(path.as_bytes()).map_err(fail)?;
        if Identity::of(&file.metadata().map_err(fail)?) == expected {
            return Ok(file);
        }
        let message = "somebody replaced the file while it was being extracted";
        Err(Error::new(ErrorKind::FileChanged, message).at_path(path))
    }

    /// Removes a file that this extraction made.
    pub(super) fn remove(&self, path: &MemberPath) -> Result<()> {
        self.work.remove_file(path.as_bytes()).map_err(|error| {
            Error::io(ErrorKind::Sink, "removing the file", error).at_path(path)
        })?;
        self.made.lock().files.remove(path);
        Ok(())
    }

    /// Renames a file that this extraction made; what it `replaces` is also one of those.
    pub(super) fn rename(&self, from: &MemberPath, to: &MemberPath, replaces: bool) -> Result<()> {
        refuse_marks(to)?;
        self.make_parents(to)?;
        self.work.rename(from.as_bytes(), &self.work, to.as_bytes(), replaces).map_err(
            |error| {
                self.explain(
                    Error::io(ErrorKind::Sink, "renaming a member to this", error).at_path(to),
                )
            },
        )?;
        let mut made = self.made.lock();
        made.files.remove(from);
        made.files.insert(to.clone());
        Ok(())
    }

    /// Makes a directory that may be there already, as a member's or the user's.
    pub(super) fn make_directory(&self, path: &MemberPath) -> Result<()> {
        refuse_marks(path)?;
        self.make_parents(path)?;
        let bytes = path.as_bytes();
        if self.made.lock().dirs.contains(bytes) {
            return Ok(());
        }
        match self.work.make_dir(bytes, DIR_MODE) {
            Ok(()) if !self.staged => {
                // In place it is ours to remove, if nothing above it is.
                self.made.lock().own_dirs.push(bytes.into());
            }
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let found = self.work.entry_type(bytes);
                if found.ok().flatten() != Some(EntryType::Directory) {
                    let message = "what has the name of a directory here is something else";
                    return Err(Error::new(ErrorKind::Exists, message).at_path(path));
                }
            }
            Err(error) => {
                let error = Error::io(ErrorKind::Sink, "making the directory", error);
                return Err(self.explain(error.at_path(path)));
            }
        }
        Ok(())
    }

    fn make_parents(&self, path: &MemberPath) -> Result<()> {
        let bytes = path.as_bytes();
        let Some(last) = bytes.iter().rposition(|byte| *byte == b'/') else { return Ok(()) };
        let parents = bytes.get(..last).unwrap_or_default();
        let mut made = self.made.lock();
        if made.dirs.contains(parents) {
            return Ok(());
        }
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let mut own = false;
        for dir in ends.filter_map(|end| bytes.get(..end)) {
            match self.work.make_dir(dir, DIR_MODE) {
                Ok(()) => {
                    if !self.staged && !own {
                        made.own_dirs.push(dir.into());
                    }
                    own = true;
                }
                // A directory of an earlier member or of the user; anything else that bears the
                // name refuses the member's own creation.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    let dir = Path::new(OsStr::from_bytes(dir));
                    let error = Error::io(ErrorKind::Sink, "making the directory", error);
                    return Err(self.explain(error.at_path(dir)));
                }
            }
        }
        if made.dirs.len() >= KNOWN_DIRS {
            made.dirs.clear();
        }
        made.dirs.insert(parents.into());
        Ok(())
    }

    /// Makes every file durable.
    pub(super) fn sync(&self) -> Result<()> {
        self.work.sync_filesystem().map_err(|error| {
            Error::io(ErrorKind::Sink, "syncing the extracted files", error)
                .at_path(&self.target_path)
        })
    }

    /// Makes everything visible, and that durable too, if asked.
    pub(super) fn publish(mut self, sync: bool, overwrite: bool) -> Result<()> {
        let fail = |what: &'static str, error| {
            Error::io(ErrorKind::Sink, what, error).at_path(&self.target_path)
        };
        if !self.staged {
            self.target
                .remove_file(MARKER)
                .map_err(|error| fail("removing the mark of an unfinished extraction", error))?;
        } else if overwrite {
            // Replaced files cannot be brought back, so a failure from here on leaves the
            // staging directory as a mark that the target is a mixture.
            self.keep = true;
            move_into(&self.work, &self.target)
                .map_err(|(name, error)| self.move_error(&name, error))?;
            if sync {
                // Files went into directories that existed, whose entries have to last too.
                self.sync()?;
            }
            self.keep = false;
        } else {
            self.move_all_or_none()?;
        }
        if self.staged {
            self.target
                .remove_dir(STAGING)
                .map_err(|error| fail("removing the staging directory", error))?;
        }
        if sync {
            self.target.sync().map_err(|error| fail("syncing the target directory", error))?;
        }
        self.keep = true;
        Ok(())
    }

    fn move_error(&self, name: &Path, error: io::Error) -> Error {
        Error::io(ErrorKind::Sink, "moving it into the target directory", error)
            .at_path(self.target_path.join(name))
    }

    /// Moves every entry up, replacing nothing; at a failure moves back what was moved.
    fn move_all_or_none(&self) -> Result<()> {
        // Again, as what appeared meanwhile would look like a part of the backup.
        check_empty(&self.target, &self.target_path)?;
        let names = self.work.entries().map_err(|error| self.move_error(Path::new(""), error))?;
        for (at, name) in names.iter().enumerate() {
            let bytes = name.as_bytes();
            if let Err(error) = self.work.rename(bytes, &self.target, bytes, false) {
                for moved in names.iter().take(at).map(|name| name.as_bytes()) {
                    let _ = self.target.rename(moved, &self.work, moved, false);
                }
                return Err(self.move_error(Path::new(name), error));
            }
        }
        Ok(())
    }

    /// Removes what was made. Errors are not reported: the reason for this is already one.
    fn discard(&self) {
        if self.staged {
            let _ = clear(&self.work);
            let _ = self.target.remove_dir(STAGING);
            return;
        }
        let made = self.made.lock();
        let mut clean = true;
        for path in &made.files {
            clean &= self.work.remove_file(path.as_bytes()).is_ok();
        }
        for dir in &made.own_dirs {
            let _ = remove_empty(&self.work, dir);
        }
        if clean {
            let _ = self.target.remove_file(MARKER);
        }
    }
}

/// Refuses a target that holds anything but the staging directory.
fn check_empty(target: &Dir, path: &Path) -> Result<()> {
    let entries = target.entries().map_err(|error| {
        Error::io(ErrorKind::Sink, "listing the target directory", error).at_path(path)
    })?;
    let Some(name) = entries.iter().find(|name| name.as_bytes() != STAGING) else { return Ok(()) };
    Err(Error::new(
        ErrorKind::Exists,
        format!("the target directory is not empty: it holds {}", escape_path(Path::new(name))),
    )
    .at_path(path)
    .hint("give a new or empty directory, or --overwrite to replace files of the same names"))
}

fn busy(path: &Path) -> Error {
    Error::new(ErrorKind::Locked, "another extraction into this directory is running").at_path(path)
}

/// Makes the mark that says that the target is not whole, and locks it.
///
/// A mark that is there already is locked by the run that made it, or that run was killed. Then
/// what it left would look like a part of what this one makes, so only a directory that is
/// otherwise empty is taken (`rm -r dir/*` leaves the mark).
fn mark(target: &Dir, path: &Path) -> Result<File> {
    let fail =
        |error| Error::io(ErrorKind::Sink, "marking the target directory", error).at_path(path);
    if target.entry_type(STAGING).map_err(fail)?.is_some() {
        return Err(unfinished(path, ".xbkit-partial"));
    }
    let (mark, is_new) = match target.create_new(MARKER, 0o600) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            (target.open_write(MARKER).map_err(fail)?, false)
        }
        result => (result.map_err(fail)?, true),
    };
    if let Err(TryLockError::WouldBlock) = mark.try_lock() {
        return Err(busy(path));
    }
    let others = |names: Vec<_>| names != [OsStr::from_bytes(MARKER)];
    if !is_new && target.entries().map(others).map_err(fail)? {
        return Err(unfinished(path, ".xbkit-incomplete"));
    }
    Ok(mark)
}

fn unfinished(path: &Path, left: &str) -> Error {
    let message = format!("an extraction into this directory did not finish: it left {left}");
    Error::new(ErrorKind::InvalidState, message)
        .at_path(path)
        .hint(format!("if none is running, remove what it made, and then {left}"))
}

/// Refuses members with the names of our own marks: a later run would remove such a directory as
/// the remains of an earlier one, and a backup refuse such a file's directory as unfinished.
fn refuse_marks(path: &MemberPath) -> Result<()> {
    let top = path.as_bytes().split(|byte| *byte == b'/').next();
    if top == Some(STAGING) || top == Some(MARKER) {
        let message = "member path is one that marks unfinished extractions";
        return Err(Error::new(ErrorKind::UnsafePath, message).at_path(path));
    }
    Ok(())
}

/// Removes everything in a directory that is ours.
///
/// Here and in [`move_into`] names are looked up from one handle, so that depth costs neither
/// descriptors nor stack.
fn clear(dir: &Dir) -> io::Result<()> {
    let mut left = below(dir, b"")?;
    while let Some(path) = left.last() {
        if dir.entry_type(path)? != Some(EntryType::Directory) {
            dir.remove_file(path)?;
        } else if let Err(error) = dir.remove_dir(path) {
            if error.kind() != io::ErrorKind::DirectoryNotEmpty {
                return Err(error);
            }
            left.extend(below(dir, path)?);
            continue;
        }
        left.pop();
    }
    Ok(())
}

/// Removes the directory `top` and those below it, as far as they are empty.
fn remove_empty(dir: &Dir, top: &[u8]) -> io::Result<()> {
    let mut dirs = vec![top.to_vec()];
    let mut looked_at = 0;
    while let Some(path) = dirs.get(looked_at) {
        for path in below(dir, path)? {
            if dir.entry_type(&path)? == Some(EntryType::Directory) {
                dirs.push(path);
            }
        }
        looked_at += 1;
    }
    // The deeper, the later in the list. One that others use meanwhile stays.
    for path in dirs.iter().rev() {
        let _ = dir.remove_dir(path);
    }
    Ok(())
}

/// Moves the entries of `from` to `to`, files replacing files. A directory that exists takes in
/// the entries of its namesake.
fn move_into(from: &Dir, to: &Dir) -> Result<(), (PathBuf, io::Error)> {
    let mut left = below(from, b"").map_err(|error| (PathBuf::new(), error))?;
    while let Some(path) = left.last() {
        let fail = |error| (PathBuf::from(OsStr::from_bytes(path)), error);
        let is_dir = from.entry_type(path).map_err(fail)? == Some(EntryType::Directory);
        match from.rename(path, to, path, !is_dir) {
            Err(error) if is_dir && error.kind() == io::ErrorKind::AlreadyExists => {
                let inner = below(from, path).map_err(fail)?;
                if !inner.is_empty() {
                    left.extend(inner);
                    continue;
                }
                from.remove_dir(path).map_err(fail)?;
            }
            result => result.map_err(fail)?,
        }
        left.pop();
    }
    Ok(())
}

/// What is in the directory `path` beneath `dir`, or in `dir` itself if that is empty.
fn below(dir: &Dir, path: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    if path.is_empty() {
        return Ok(dir.entries()?.into_iter().map(OsString::into_vec).collect());
    }
    let names = dir.open_dir(path)?.entries()?.into_iter();
    Ok(names.map(|name| [path, b"/", name.as_bytes()].concat()).collect())
}

impl Drop for Root {
    /// Whatever ended the extraction before it was published, nothing stays that looks whole.
    fn drop(&mut self) {
        if !self.keep {
            self.discard();
        }
    }
}
