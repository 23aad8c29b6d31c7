//! `xbkit link`: the drop-in names, as symlinks to this executable.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use xbkit::{Error, ErrorKind, Result};

use crate::dropin::Tool;

/// Makes the links in `dir`: relative if the executable sits there too, so that the directory can
/// be moved as a whole. Looks first whether it may make them all.
pub(crate) fn run(dir: &Path, force: bool) -> Result<()> {
    let own = std::env::current_exe()
        .and_then(fs::canonicalize)
        .map_err(|error| Error::io(ErrorKind::Source, "cannot find the own executable", error))?;
    link_all(dir, &own, force)
}

fn link_all(dir: &Path, own: &Path, force: bool) -> Result<()> {
    let real = fs::canonicalize(dir).map_err(|error| {
        Error::io(ErrorKind::Sink, "cannot open the directory for the links", error).at_path(dir)
    })?;
    let target: OsString = match own.file_name() {
        Some(name) if own.parent() == Some(real.as_path()) => name.to_owned(),
        _ => own.as_os_str().to_owned(),
    };
    let mut missing = Vec::new();
    for tool in Tool::ALL {
        let path = dir.join(tool.name());
        if !is_there(&path, &target, own, force)? {
            missing.push(path);
        }
    }
    missing.iter().try_for_each(|path| {
        make(path, Path::new(&target)).map_err(|error| {
            Error::io(ErrorKind::Sink, "cannot make the link", error).at_path(path)
        })
    })
}

/// Whether the link is there as it should be, or is this executable itself.
fn is_there(path: &Path, target: &OsString, own: &Path, force: bool) -> Result<bool> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => {
            return Err(Error::io(ErrorKind::Sink, "cannot look at the link", error).at_path(path));
        }
    };
    if found.is_symlink() && fs::read_link(path).is_ok_and(|to| to.as_os_str() == target) {
        return Ok(true);
    }
    let resolved = fs::canonicalize(path).ok();
    if !found.is_symlink() && resolved.as_deref() == Some(own) {
        return Ok(true);
    }
    if found.is_dir() {
        return Err(Error::new(ErrorKind::Exists, "a directory has this name").at_path(path));
    }
    if force || resolved.as_deref() == Some(own) {
        return Ok(false);
    }
    Err(Error::new(ErrorKind::Exists, "another program has this name")
        .at_path(path)
        .hint("choose another directory, earlier in PATH, or replace it with --force"))
}

/// Makes a link in place of what may be there, which stays until the link is.
fn make(path: &Path, target: &Path) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".xbkit-{}", std::process::id()));
    let temporary = PathBuf::from(name);
    symlink(target, &temporary)?;
    fs::rename(&temporary, path).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        _scratch: tempfile::TempDir,
        dir: PathBuf,
        own: PathBuf,
    }

    fn fixture() -> Fixture {
        let scratch = tempfile::tempdir().unwrap();
        let dir = fs::canonicalize(scratch.path()).unwrap();
        let own = dir.join("xbkit");
        fs::write(&own, "x").unwrap();
        Fixture { _scratch: scratch, dir, own }
    }

    #[test]
    fn links_beside_the_executable_are_relative_and_else_absolute() {
        let f = fixture();
        link_all(&f.dir, &f.own, false).unwrap();
        for tool in Tool::ALL {
            assert_eq!(fs::read_link(f.dir.join(tool.name())).unwrap(), Path::new("xbkit"));
        }
        let other = f.dir.join("other");
        fs::create_dir(&other).unwrap();
        link_all(&other, &f.own, false).unwrap();
        assert_eq!(fs::read_link(other.join("mbstream")).unwrap(), f.own);
        // Once more is no mistake.
        link_all(&other, &f.own, false).unwrap();
    }

    #[test]
    fn foreign_files_are_replaced_only_when_told_and_nothing_is_done_before() {
        let f = fixture();
        fs::write(f.dir.join("mbstream"), "theirs").unwrap();
        let error = link_all(&f.dir, &f.own, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exists);
        assert!(!f.dir.join("innobackupex").exists());
        assert_eq!(fs::read(f.dir.join("mbstream")).unwrap(), b"theirs");
        link_all(&f.dir, &f.own, true).unwrap();
        assert_eq!(fs::read_link(f.dir.join("mbstream")).unwrap(), Path::new("xbkit"));
        assert_eq!(fs::read_dir(&f.dir).unwrap().count(), 1 + Tool::ALL.len());
    }

    #[test]
    fn an_executable_under_a_drop_in_name_is_not_replaced_by_a_link_to_itself() {
        let f = fixture();
        let own = f.dir.join("xbstream");
        fs::rename(&f.own, &own).unwrap();
        link_all(&f.dir, &own, true).unwrap();
        assert_eq!(fs::read(&own).unwrap(), b"x");
        assert_eq!(fs::read_link(f.dir.join("mbstream")).unwrap(), Path::new("xbstream"));
    }
}
