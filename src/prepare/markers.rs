//! Applying what DDL did to tablespaces while they were copied: `.del`, then `.ren`, then `.new`.
//!
//! Each step leaves its marker until it is done, so that a run that was killed can be repeated.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::format::member::MemberPath;
use crate::limits;
use crate::sys::dir::{Dir, EntryType};

/// What a file is called between its old and its new name.
const BETWEEN: &[u8] = b".xbkit-ren";

/// How many markers of each kind were applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) removed: usize,
    pub(super) renamed: usize,
    pub(super) replaced: usize,
}

/// Applies all markers beneath `dir`.
pub(super) fn apply(dir: &Dir) -> Result<Applied> {
    let found = find(dir)?;
    let mut applied = Applied::default();
    for stem in &found.del {
        remove_if_there(dir, &[stem, &b".ibd"[..]].concat())?;
        remove_if_there(dir, &[stem, &b".del"[..]].concat())?;
        applied.removed += 1;
    }
    // Tables swap names: all are set aside before the first gets its new one.
    let mut renames = Vec::new();
    for stem in &found.ren {
        let to = target(dir, stem)?;
        let aside = [stem, &b".ibd"[..], BETWEEN].concat();
        if !is_there(dir, &aside)? {
            rename(dir, &[stem, &b".ibd"[..]].concat(), &aside)?;
        }
        renames.push((stem, aside, to));
    }
    for (stem, aside, to) in renames {
        rename(dir, &aside, &to)?;
        remove_if_there(dir, &[stem, &b".ren"[..]].concat())?;
        applied.renamed += 1;
    }
    for stem in &found.new {
        rename(dir, &[stem, &b".new"[..]].concat(), &[stem, &b".ibd"[..]].concat())?;
        applied.replaced += 1;
    }
    Ok(applied)
}

/// The markers, by kind, without their suffixes.
#[derive(Debug, Default)]
struct Found {
    del: Vec<Vec<u8>>,
    ren: Vec<Vec<u8>>,
    new: Vec<Vec<u8>>,
}

fn find(dir: &Dir) -> Result<Found> {
    let mut found = Found::default();
    for database in list(dir, b"")? {
        let database = database.as_bytes();
        if dir.entry_type(database).map_err(|e| failed("looking at", database, e))?
            != Some(EntryType::Directory)
        {
            continue;
        }
        for name in list(dir, database)? {
            let path = [database, b"/", name.as_bytes()].concat();
            if path.ends_with(b".isl") {
                let message =
                    "the backup has a table elsewhere, at a path that its redo log names too";
                return Err(Error::new(ErrorKind::Unsupported, message)
                    .at_path(Path::new(OsStr::from_bytes(&path)))
                    .hint("a server would recover into the file at that path: use mariabackup --prepare"));
            }
            for (suffix, list) in [
                (&b".del"[..], &mut found.del),
                (b".ren", &mut found.ren),
                (b".new", &mut found.new),
            ] {
                if let Some(stem) = path.strip_suffix(suffix) {
                    list.push(stem.to_vec());
                }
            }
        }
    }
    Ok(found)
}

fn list(dir: &Dir, path: &[u8]) -> Result<Vec<std::ffi::OsString>> {
    let opened = if path.is_empty() { dir.try_clone() } else { dir.open_dir(path) };
    let mut names = opened.and_then(|dir| dir.entries()).map_err(|e| failed("listing", path, e))?;
    names.sort();
    Ok(names)
}

/// Where a `.ren` marker says its table belongs.
fn target(dir: &Dir, stem: &[u8]) -> Result<Vec<u8>> {
    let marker = [stem, &b".ren"[..]].concat();
    let content = dir
        .read_small(&marker, limits::XBSTREAM_PATH)
        .map_err(|e| failed("reading the marker", &marker, e))?;
    let content = content.trim_ascii_end();
    let content = content.strip_prefix(b"./").unwrap_or(content);
    let content = content.strip_suffix(b".ibd").unwrap_or(content);
    let path = MemberPath::new(&[content, b".ibd"].concat())
        .ok()
        .filter(|path| path.as_bytes().split(|byte| *byte == b'/').count() == 2);
    path.map(|path| path.as_bytes().to_vec()).ok_or_else(|| {
        let message = "the marker does not say which database and table its table became";
        Error::new(ErrorKind::Format, message).at_path(Path::new(OsStr::from_bytes(&marker)))
    })
}

fn is_there(dir: &Dir, path: &[u8]) -> Result<bool> {
    let entry = dir.entry_type(path).map_err(|e| failed("looking at", path, e))?;
    Ok(entry.is_some())
}

fn remove_if_there(dir: &Dir, path: &[u8]) -> Result<()> {
    match dir.remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed("removing", path, error))
        }
        _ => Ok(()),
    }
}

fn rename(dir: &Dir, from: &[u8], to: &[u8]) -> Result<()> {
    dir.rename(from, dir, to, true).map_err(|e| failed("renaming", from, e))
}

fn failed(what: &'static str, path: &[u8], error: std::io::Error) -> Error {
    Error::io(ErrorKind::Sink, what, error).at_path(Path::new(OsStr::from_bytes(path)))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests have a directory of their own")]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::create_dir(scratch.path().join("d")).unwrap();
        for (name, content) in files {
            std::fs::write(scratch.path().join("d").join(name), content).unwrap();
        }
        scratch
    }

    fn left(scratch: &tempfile::TempDir) -> String {
        let entries = std::fs::read_dir(scratch.path().join("d")).unwrap();
        let mut all: Vec<String> = entries
            .map(|entry| {
                let path = entry.unwrap().path();
                let content = std::fs::read_to_string(&path).unwrap();
                format!("{}={content}", path.file_name().unwrap().to_str().unwrap())
            })
            .collect();
        all.sort();
        all.join(" ")
    }

    #[test]
    fn tables_are_removed_then_swapped_then_replaced() {
        let scratch = tree(&[
            ("a.ibd", "A"),
            ("b.ibd", "B"),
            ("c.ibd", "C"),
            ("old.ibd", "O"),
            ("a.ren", "d/b"),
            ("b.ren", "d/a"),
            ("c.ren", "d/old"),
            ("old.del", ""),
            ("c.new", "N"),
            ("x.new", "X"),
        ]);
        let dir = Dir::open(scratch.path()).unwrap();
        let expected = Applied { removed: 1, renamed: 3, replaced: 2 };
        assert_eq!(apply(&dir).unwrap(), expected);
        assert_eq!(left(&scratch), "a.ibd=B b.ibd=A c.ibd=N old.ibd=C x.ibd=X");
        assert_eq!(apply(&dir).unwrap(), Applied::default());
    }

    #[test]
    fn a_run_that_was_killed_is_taken_up() {
        // Killed when both were set aside, and one had its new name.
        let scratch = tree(&[("b.ibd", "A"), ("b.ibd.xbkit-ren", "B"), ("b.ren", "d/a")]);
        apply(&Dir::open(scratch.path()).unwrap()).unwrap();
        assert_eq!(left(&scratch), "a.ibd=B b.ibd=A");
    }

    #[test]
    fn a_table_elsewhere_is_not_recovered_there() {
        let scratch = tree(&[("a.ibd", "A"), ("a.isl", "/elsewhere/d/a.ibd")]);
        let error = apply(&Dir::open(scratch.path()).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn a_marker_leads_nowhere_else() {
        for content in ["../x", "/d/x", "x", "d/e/x", "", "d/../x", "d/x\0"] {
            let scratch = tree(&[("a.ibd", "A"), ("a.ren", content)]);
            let error = apply(&Dir::open(scratch.path()).unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Format, "{content}: {error}");
            assert_eq!(left(&scratch), format!("a.ibd=A a.ren={content}"));
        }
    }
}
