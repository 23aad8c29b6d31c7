//! Option files, as the MySQL programs read them: groups, quoting, files that include others.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroize;

use crate::error::{Error, ErrorKind, Result, escape_path};
use crate::sys::dir::Dir;
use crate::sys::file;

/// How deep `!include` may nest: the number at which the MySQL programs stop.
const INCLUDE_DEPTH: usize = 10;

/// Largest option file.
const MAX_FILE: usize = 64 << 20;

/// One option of an option file. Its value may be a password, so it is wiped when this is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct OptionEntry {
    /// The group it stands in.
    pub group: Vec<u8>,
    /// Its name, as it is spelled there.
    pub name: Vec<u8>,
    /// Its argument, unquoted.
    pub argument: Option<Vec<u8>>,
    /// The file, for messages.
    pub file: String,
}

impl std::fmt::Debug for OptionEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = String::from_utf8_lossy;
        write!(f, "[{}] {} in {}", text(&self.group), text(&self.name), self.file)
    }
}

impl Drop for OptionEntry {
    fn drop(&mut self) {
        self.argument.zeroize();
    }
}

/// What option files say.
#[derive(Debug, Default)]
pub struct OptionFiles {
    /// The options, in the order in which they count: later ones win.
    pub entries: Vec<OptionEntry>,
    /// What should be told, though it goes on.
    pub warnings: Vec<String>,
}

impl OptionFiles {
    /// Reads a file in a standard place, and what it includes. It need not be there, and one that
    /// cannot be read, or that everybody may write to, is ignored with a warning.
    ///
    /// # Errors
    /// `InvalidArgument` for one that breaks the rules; what reading a file that it includes gives.
    pub fn read_standard(&mut self, path: &Path) -> Result<()> {
        match load(path) {
            Ok(Loaded::Text(text)) => self.parse(path, text, 0),
            Ok(Loaded::WorldWritable) => {
                self.warnings
                    .push(format!("world-writable option file '{}' is ignored", escape_path(path)));
                Ok(())
            }
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => {
                self.warnings.push(format!(
                    "option file '{}' cannot be read and is ignored: {error}",
                    escape_path(path)
                ));
                Ok(())
            }
        }
    }

    /// Reads a file that somebody names, and what it includes. Without it one would work with the
    /// wrong settings.
    ///
    /// # Errors
    /// `NotFound`, `Source` and their like if it cannot be read, `Permission` if everybody may write
    /// to it, `InvalidArgument` if it breaks the rules.
    pub fn read_named(&mut self, path: &Path) -> Result<()> {
        match load(path) {
            Ok(Loaded::Text(text)) => self.parse(path, text, 0),
            Ok(Loaded::WorldWritable) => Err(Error::new(
                ErrorKind::Permission,
                "the option file is writable by everybody, and so not to be trusted",
            )
            .at_path(path)
            .hint("chmod o-w the file")),
            Err(error) => {
                Err(Error::io(ErrorKind::Source, "cannot read the option file", error)
                    .at_path(path))
            }
        }
    }

    /// The last value that an option has in these groups, and that is UTF-8. Names are as on a
    /// command line, with `-`.
    pub fn text(&self, groups: &[&str], name: &str) -> Option<&str> {
        let named = |entry: &OptionEntry| {
            entry.name.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte }).eq(name.bytes())
        };
        let is_it = |entry: &&OptionEntry| {
            groups.iter().any(|group| group.as_bytes() == entry.group) && named(entry)
        };
        let value = self.entries.iter().rev().find(is_it)?.argument.as_deref()?;
        std::str::from_utf8(value).ok()
    }

    fn parse(&mut self, path: &Path, mut text: Vec<u8>, depth: usize) -> Result<()> {
        let parsed = self.parse_text(path, &text, depth);
        text.zeroize();
        parsed
    }

    fn parse_text(&mut self, path: &Path, text: &[u8], depth: usize) -> Result<()> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let file = escape_path(path);
        let mut group: Option<Vec<u8>> = None;
        for (number, line) in (1_u64..).zip(text.split(|byte| *byte == b'\n')) {
            let line = line.trim_ascii();
            match line {
                [] | [b'#' | b';', ..] => {}
                [b'!', directive @ ..] => self.directive(path, directive, depth)?,
                [b'[', header @ ..] => {
                    let end = header.iter().position(|byte| *byte == b']').ok_or_else(|| {
                        broken(path, number, "a group's name does not end in ']'")
                    })?;
                    group = header.get(..end).map(|name| name.trim_ascii_end().to_vec());
                }
                option => {
                    let group = group.clone().ok_or_else(|| {
                        broken(path, number, "an option stands before the first group")
                    })?;
                    let (name, argument) = split_option(option);
                    self.entries.push(OptionEntry { group, name, argument, file: file.clone() });
                }
            }
        }
        Ok(())
    }

    fn directive(&mut self, from: &Path, directive: &[u8], depth: usize) -> Result<()> {
        let blank = directive.iter().position(u8::is_ascii_whitespace);
        let (word, target) = directive.split_at(blank.unwrap_or(directive.len()));
        let target = PathBuf::from(OsStr::from_bytes(target.trim_ascii()));
        if !matches!(word, b"include" | b"includedir") || target.as_os_str().is_empty() {
            return Ok(());
        }
        if depth >= INCLUDE_DEPTH {
            self.warnings.push(format!(
                "'{}' is ignored: option files include one another more than {INCLUDE_DEPTH} deep",
                escape_path(&target)
            ));
            return Ok(());
        }
        if word == b"include" {
            return self.include(&target, depth);
        }
        let mut found = list_cnf(&target).map_err(|error| {
            Error::io(ErrorKind::Source, "cannot read the directory of option files", error)
                .at_path(&target)
                .hint(format!("it is named by !includedir in {}", escape_path(from)))
        })?;
        found.sort();
        found.iter().try_for_each(|path| self.include(path, depth))
    }

    fn include(&mut self, path: &Path, depth: usize) -> Result<()> {
        match load(path) {
            Ok(Loaded::Text(text)) => self.parse(path, text, depth + 1),
            Ok(Loaded::WorldWritable) | Err(_) if depth + 1 > INCLUDE_DEPTH => Ok(()),
            Ok(Loaded::WorldWritable) => {
                self.warnings
                    .push(format!("world-writable option file '{}' is ignored", escape_path(path)));
                Ok(())
            }
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => {
                Err(Error::io(ErrorKind::Source, "cannot read the option file", error)
                    .at_path(path))
            }
        }
    }
}

enum Loaded {
    Text(Vec<u8>),
    WorldWritable,
}

fn load(path: &Path) -> io::Result<Loaded> {
    // Whoever may write the file could choose what is backed up, and from where.
    if file::is_world_writable(path)? {
        return Ok(Loaded::WorldWritable);
    }
    file::read_small(path, MAX_FILE).map(Loaded::Text)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn list_cnf(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let names = Dir::open(dir)?.entries()?;
    // By its end alone, as the server's programs do: ".cnf" counts too.
    let wanted = names.iter().filter(|name| name.as_bytes().ends_with(b".cnf"));
    Ok(wanted.map(|name| dir.join(name)).collect())
}

fn broken(path: &Path, line: u64, what: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("line {line} of the option file: {what}"))
        .at_path(path)
}

/// `name`, `name=value`, `name = "value" # comment`.
fn split_option(line: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    let line = without_comment(line).trim_ascii();
    match line.iter().position(|byte| *byte == b'=') {
        None => (line.to_vec(), None),
        Some(at) => {
            let (name, value) = line.split_at(at);
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            (name.trim_ascii_end().to_vec(), Some(unescape(unquote(value))))
        }
    }
}

/// The line up to a `#` that stands outside quotes.
fn without_comment(line: &[u8]) -> &[u8] {
    let mut quote = None;
    let mut escaped = false;
    for (at, byte) in line.iter().enumerate() {
        match (*byte, quote) {
            (b'#', None) => return line.get(..at).unwrap_or(line),
            (b'"' | b'\'', None) => quote = Some(*byte),
            (byte, Some(open)) if byte == open && !escaped => quote = None,
            _ => {}
        }
        escaped = quote.is_some() && *byte == b'\\' && !escaped;
    }
    line
}

fn unquote(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => value,
    }
}

/// `\b \t \n \r \s \\ \" \'`; any other backslash stays, as in a Windows path.
fn unescape(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        match bytes.next() {
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r') => out.push(b'\r'),
            Some(b'b') => out.push(8),
            Some(b's') => out.push(b' '),
            Some(c @ (b'"' | b'\'' | b'\\')) => out.push(*c),
            Some(other) => out.extend([b'\\', *other]),
            None => out.push(b'\\'),
        }
    }
    out
}
