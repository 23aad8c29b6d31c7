//! `xbstream` and `mbstream`: files to a stream, and a stream to files.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use xbkit::error::escape_path;
use xbkit::{Error, ErrorKind, Result};

use super::coding;
use super::getopt::{self, Given, Parsed};
use super::option::Id;
use super::{Outcome, Tool, answer, parallel, reporter, told, usage};
use crate::coding::Storing;
use crate::jobs;
use crate::signals;
use crate::stdio::{Input, Output};
use crate::ui::Members;
use crate::voice::Voice;

/// Runs one of the two.
pub(super) fn run(tool: Tool, args: &[OsString]) -> Result<Outcome> {
    let parsed = getopt::parse(tool.table(), args)?;
    for warning in &parsed.warnings {
        tool.voice().warning(warning);
    }
    if let Some(answer) = answer(tool, &parsed) {
        return answer;
    }
    getopt::check_refused(&parsed.given)?;
    let create = getopt::is_on(&parsed.given, Id::Create);
    let extract = getopt::is_on(&parsed.given, Id::Extract);
    match (create, extract) {
        (true, false) => run_create(tool, &parsed),
        (false, true) => run_extract(tool, &parsed),
        (false, false) => Err(usage("either -c or -x must be specified")),
        (true, true) => Err(usage("-c and -x cannot both be specified")),
    }
}

fn directory(given: &[Given]) -> PathBuf {
    getopt::text(given, Id::Directory).map_or_else(|| PathBuf::from("."), PathBuf::from)
}

fn members(given: &[Given]) -> Members {
    if getopt::is_on(given, Id::Verbose) { Members::Named } else { Members::Quiet }
}

fn run_extract(tool: Tool, parsed: &Parsed) -> Result<Outcome> {
    if let Some(word) = parsed.words.first() {
        // The programs pass over it, and who wrote it gets all files instead of one.
        return Err(usage(format!(
            "unexpected argument '{}' with -x",
            escape_path(Path::new(word))
        )));
    }
    let dir = directory(&parsed.given);
    if !dir.is_dir() {
        return Err(Error::new(
            ErrorKind::NotFound,
            "the directory to extract into does not exist",
        )
        .at_path(&dir));
    }
    let input = Input::open(None)?;
    let mut reporter = reporter(tool, members(&parsed.given));
    let parallel = parallel(tool, &parsed.given, jobs::extracting_threads())?;
    let decoding = coding::decoding(tool, &parsed.given)?;
    let job = jobs::ExtractInPlace { dir, parallel, decoding };
    let result = job.run(&input, signals::token()?, &mut reporter);
    Ok(told(&reporter, result.map(drop)))
}

fn run_create(tool: Tool, parsed: &Parsed) -> Result<Outcome> {
    if parsed.words.is_empty() {
        return Err(usage("no files are specified"));
    }
    let mut files = Vec::with_capacity(parsed.words.len());
    for word in &parsed.words {
        files.push(Named { name: member_name(tool.voice(), word)?, path: PathBuf::from(word) });
    }
    let output = Output::open(None)?;
    let mut reporter = reporter(tool, members(&parsed.given));
    let job = jobs::CreateNamed {
        storing: Storing::default(),
        base: directory(&parsed.given),
        files,
        parallel: parallel(tool, &parsed.given, 1)?,
        manifest: getopt::is_on(&parsed.given, Id::Manifest),
    };
    let result = job.run(&output, signals::token()?, &mut reporter);
    Ok(told(&reporter, result.map(drop)))
}

/// A file, and the name it gets in the stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// The name of the member.
    pub(crate) name: PathBuf,
    /// The file to read.
    pub(crate) path: PathBuf,
}

/// The member's name for a file: like tar, without all that would lead out of the directory.
fn member_name(voice: Voice, path: &OsStr) -> Result<PathBuf> {
    let (removed, name) = strip_unsafe(path.as_bytes());
    if !removed.is_empty() {
        voice.warning(&format!(
            "removing leading '{}' from the name '{}'",
            escape_path(Path::new(OsStr::from_bytes(removed))),
            escape_path(Path::new(path))
        ));
    }
    if name.is_empty() {
        return Err(Error::new(ErrorKind::UnsafePath, "nothing is left of the name").at_path(path));
    }
    Ok(PathBuf::from(OsStr::from_bytes(name)))
}

/// Splits off leading slashes, and everything up to and including the last `..` component.
fn strip_unsafe(path: &[u8]) -> (&[u8], &[u8]) {
    let mut start = 0;
    let mut at = 0;
    for component in path.split(|byte| *byte == b'/') {
        at += component.len() + 1;
        if component == b".." {
            start = at.min(path.len());
        }
    }
    while path.get(start) == Some(&b'/') {
        start += 1;
    }
    path.split_at(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_leads_out_of_the_directory() {
        for (path, removed, name) in [
            ("a", "", "a"),
            ("./a", "", "./a"),
            ("a/b", "", "a/b"),
            ("/a/b", "/", "a/b"),
            ("//a", "//", "a"),
            ("../a", "../", "a"),
            ("a/../../b/c", "a/../../", "b/c"),
            ("a/..//b", "a/..//", "b"),
            ("..", "..", ""),
            ("a/..", "a/..", ""),
            ("/", "/", ""),
            ("..a/b..", "", "..a/b.."),
            ("a/..b/c", "", "a/..b/c"),
            ("", "", ""),
        ] {
            let (had, left) = strip_unsafe(path.as_bytes());
            assert_eq!((had, left), (removed.as_bytes(), name.as_bytes()), "{path}");
        }
    }

    #[test]
    fn a_name_of_nothing_is_refused() {
        let error = member_name(Voice::Plain("xbstream"), OsStr::new("..")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsafePath);
    }
}
