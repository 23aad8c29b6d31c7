//! Option files, as the MySQL programs read them: where they lie, their groups, their quoting.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use xbkit::error::escape_path;
use xbkit::{Error, ErrorKind, Result};

/// How deep `!include` may nest: the number at which the MySQL programs stop.
const INCLUDE_DEPTH: usize = 10;

/// The options that only count at the head of a command line, and say which files are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// `--no-defaults`.
    pub(crate) none: bool,
    /// `--print-defaults`.
    pub(crate) print: bool,
    /// `--defaults-file`: only this one.
    pub(crate) only: Option<PathBuf>,
    /// `--defaults-extra-file`: this one too.
    pub(crate) extra: Option<PathBuf>,
    /// `--defaults-group-suffix`.
    pub(crate) suffix: Option<OsString>,
}

/// What the environment says about option files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// `MYSQL_HOME`, or `MARIADB_HOME` before it.
    pub(crate) server_home: Option<PathBuf>,
    /// `HOME`.
    pub(crate) home: Option<PathBuf>,
    /// `MYSQL_GROUP_SUFFIX`.
    pub(crate) suffix: Option<OsString>,
}

/// One option of an option file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The group it stands in.
    pub(crate) group: Vec<u8>,
    /// Its name, as it is spelled there.
    pub(crate) name: Vec<u8>,
    /// Its argument, unquoted.
    pub(crate) argument: Option<Vec<u8>>,
    /// The file, for messages.
    pub(crate) file: String,
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// The options, in the order in which they count: later ones win.
    pub(crate) entries: Vec<Entry>,
    /// What should be told, though it goes on.
    pub(crate) warnings: Vec<String>,
}

impl Places {
    /// Takes the options about option files from the head of `args`; the rest of `args` comes back.
    ///
    /// # Errors
    /// `InvalidArgument` if such an option comes later, where the programs would not honour it.
    pub(crate) fn take(args: &[OsString]) -> Result<(Self, &[OsString])> {
        let mut places = Self::default();
        let mut rest = args;
        while let [first, tail @ ..] = rest {
            let bytes = first.as_bytes();
            rest = tail;
            if is_named(bytes, "no-defaults") {
                places.none = true;
            } else if is_named(bytes, "print-defaults") {
                places.print = true;
            } else if let Some((value, tail)) = value_of(bytes, "defaults-file", tail)? {
                places.only = Some(PathBuf::from(value));
                rest = tail;
            } else if let Some((value, tail)) = value_of(bytes, "defaults-extra-file", tail)? {
                places.extra = Some(PathBuf::from(value));
                rest = tail;
            } else if let Some((value, tail)) = value_of(bytes, "defaults-group-suffix", tail)? {
                places.suffix = Some(value);
                rest = tail;
            } else {
                let rest = args.get(args.len() - tail.len() - 1..).unwrap_or_default();
                check_not_later(rest)?;
                return Ok((places, rest));
            }
        }
        Ok((places, &[]))
    }

    /// Reads the files.
    ///
    /// # Errors
    /// If a file that was named cannot be read, or a file breaks the rules.
    pub(crate) fn read(&self, around: &Surroundings) -> Result<Files> {
        let mut reader = Reader { files: Files::default() };
        if self.none {
            return Ok(reader.files);
        }
        if let Some(only) = &self.only {
            reader.named(only)?;
            return Ok(reader.files);
        }
        for standard in ["/etc/my.cnf", "/etc/mysql/my.cnf"] {
            reader.standard(Path::new(standard))?;
        }
        if let Some(home) = &around.server_home {
            reader.standard(&home.join("my.cnf"))?;
        }
        if let Some(extra) = &self.extra {
            reader.named(extra)?;
        }
        if let Some(home) = &around.home {
            reader.standard(&home.join(".my.cnf"))?;
        }
        Ok(reader.files)
    }
}

/// What some groups of one option file say.
#[derive(Debug, Default)]
pub(crate) struct DefaultsFile(Vec<Entry>);

impl DefaultsFile {
    /// Reads a file, and what it includes.
    pub(crate) fn read(path: &Path, groups: &[&str]) -> Result<Self> {
        let places = Places { only: Some(path.to_owned()), ..Places::default() };
        let files = places.read(&Surroundings::default())?;
        let is_wanted = |entry: &Entry| groups.iter().any(|g| g.as_bytes() == entry.group);
        Ok(Self(files.entries.into_iter().filter(is_wanted).collect()))
    }

    /// The last value that an option has.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let is_it = |entry: &&Entry| super::getopt::normal(&entry.name) == name;
        let value = self.0.iter().rev().find(is_it)?.argument.clone()?;
        String::from_utf8(value).ok()
    }
}

impl Surroundings {
    /// What this process's environment says.
    pub(crate) fn of_process() -> Self {
        let path = |name: &str| {
            std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
        };
        Self {
            server_home: path("MARIADB_HOME").or_else(|| path("MYSQL_HOME")),
            home: path("HOME"),
            suffix: std::env::var_os("MYSQL_GROUP_SUFFIX").filter(|value| !value.is_empty()),
        }
    }
}

fn is_named(arg: &[u8], name: &str) -> bool {
    arg.strip_prefix(b"--").is_some_and(|long| super::getopt::normal(long) == name)
}

type Valued<'a> = Option<(OsString, &'a [OsString])>;

/// The value of `--name=value` or `--name value`, and what follows it.
fn value_of<'a>(arg: &[u8], name: &str, tail: &'a [OsString]) -> Result<Valued<'a>> {
    let Some(long) = arg.strip_prefix(b"--") else { return Ok(None) };
    if let Some(at) = long.iter().position(|byte| *byte == b'=') {
        let (own, value) = long.split_at(at);
        let value = value.get(1..).unwrap_or_default();
        let found = super::getopt::normal(own) == name;
        return Ok(found.then(|| (OsString::from_vec(value.to_vec()), tail)));
    }
    if super::getopt::normal(long) != name {
        return Ok(None);
    }
    match tail {
        [value, tail @ ..] => Ok(Some((value.clone(), tail))),
        [] => Err(Error::new(
            ErrorKind::InvalidArgument,
            format!("option '--{name}' needs an argument"),
        )),
    }
}

/// Where these options stand later, the programs refuse them; `--mysqld-args` ends our part.
fn check_not_later(args: &[OsString]) -> Result<()> {
    const FIRST: [&str; 5] = [
        "no-defaults",
        "print-defaults",
        "defaults-file",
        "defaults-extra-file",
        "defaults-group-suffix",
    ];
    for arg in args {
        let Some(long) = arg.as_bytes().strip_prefix(b"--") else { continue };
        let name = super::getopt::normal(long.split(|byte| *byte == b'=').next().unwrap_or(long));
        if name == "mysqld-args" || name.is_empty() {
            return Ok(());
        }
        if FIRST.contains(&name.as_str()) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("--{name} must be specified first on the command line"),
            ));
        }
    }
    Ok(())
}

struct Reader {
    files: Files,
}

impl Reader {
    /// A file in a standard place: it need not be there.
    fn standard(&mut self, path: &Path) -> Result<()> {
        match load(path) {
            Ok(Loaded::Text(text)) => self.parse(path, &text, 0),
            Ok(Loaded::WorldWritable) => {
                self.files
                    .warnings
                    .push(format!("world-writable option file '{}' is ignored", escape_path(path)));
                Ok(())
            }
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => {
                self.files.warnings.push(format!(
                    "option file '{}' cannot be read and is ignored: {error}",
                    escape_path(path)
                ));
                Ok(())
            }
        }
    }

    /// A file that the command line names: without it we would work with the wrong settings.
    fn named(&mut self, path: &Path) -> Result<()> {
        match load(path) {
            Ok(Loaded::Text(text)) => self.parse(path, &text, 0),
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

    fn parse(&mut self, path: &Path, text: &[u8], depth: usize) -> Result<()> {
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
                    self.files.entries.push(Entry { group, name, argument, file: file.clone() });
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
            self.files.warnings.push(format!(
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
            Ok(Loaded::Text(text)) => self.parse(path, &text, depth + 1),
            Ok(Loaded::WorldWritable) | Err(_) if depth + 1 > INCLUDE_DEPTH => Ok(()),
            Ok(Loaded::WorldWritable) => {
                self.files
                    .warnings
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
    let found = fs::metadata(path)?;
    // Whoever may write the file could choose what is backed up, and from where.
    if found.file_type().is_file() && found.permissions().mode() & 0o002 != 0 {
        return Ok(Loaded::WorldWritable);
    }
    if found.size() > 64 << 20 {
        return Err(io::Error::other("it is larger than 64 MiB"));
    }
    fs::read(path).map(Loaded::Text)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn list_cnf(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        // By its end alone, as the server's programs do: ".cnf" counts too.
        if path.as_os_str().as_bytes().ends_with(b".cnf") {
            found.push(path);
        }
    }
    Ok(found)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    fn read(places: &Places) -> Result<Vec<String>> {
        let files = places.read(&Surroundings::default())?;
        Ok(files
            .entries
            .iter()
            .map(|e| {
                let value = e.argument.as_ref().map(|v| format!("={}", String::from_utf8_lossy(v)));
                let text = String::from_utf8_lossy;
                format!("{}:{}{}", text(&e.group), text(&e.name), value.unwrap_or_default())
            })
            .collect())
    }

    fn only(path: PathBuf) -> Places {
        Places { only: Some(path), ..Places::default() }
    }

    fn lines(text: &str) -> Result<Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("my.cnf");
        fs::write(&path, text).unwrap();
        read(&only(path))
    }

    /// Each line as `my_print_defaults` of MariaDB 10.11 understands it.
    #[test]
    fn values_are_unquoted_and_unescaped_as_the_programs_do() {
        let text = concat!(
            "[mysqld]\n socket = \"/a\\tb\" \nb=\"x\\\"y\"\nc='q' z\n;c\n# d\n d = a\\\\b  \ne=\nf\n",
            "skip_g\nh = a;b\ni=a#b\nj = \"a\" # \"b\"\nk=C:\\dir\\sub\n[client]\r\nl=1\r\n",
            "m=\"se#cret\"\n"
        );
        assert_eq!(
            lines(text).unwrap(),
            [
                "mysqld:socket=/a\tb",
                "mysqld:b=x\"y",
                "mysqld:c='q' z",
                "mysqld:d=a\\b",
                "mysqld:e=",
                "mysqld:f",
                "mysqld:skip_g",
                "mysqld:h=a;b",
                "mysqld:i=a",
                "mysqld:j=a",
                "mysqld:k=C:\\dir ub",
                "client:l=1",
                "client:m=se#cret",
            ]
        );
    }

    #[test]
    fn broken_files_are_refused_by_line() {
        let error = lines("foo=1\n[client]\n").unwrap_err().to_string();
        assert!(error.contains("line 1 of the option file: an option stands before"), "{error}");
        let error = lines("\n[client\n").unwrap_err().to_string();
        assert!(error.contains("line 2 of the option file: a group's name"), "{error}");
    }

    #[test]
    fn includes_are_followed_in_order_and_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("d")).unwrap();
        fs::write(at("d/b.cnf"), "[mysqld]\nfromb\n").unwrap();
        fs::write(at("d/a.cnf"), "[mysqld]\nfroma\n").unwrap();
        fs::write(at("d/c.txt"), "[mysqld]\nfromc\n").unwrap();
        let main = at("my.cnf");
        let text = format!(
            "[mysqld]\nx\n!includedir {}\n!include {}\n!include /nonexistent/x.cnf\n!other y\nz\n",
            at("d").display(),
            main.display()
        );
        fs::write(&main, text).unwrap();
        let files = only(main).read(&Surroundings::default()).unwrap();
        let names: Vec<String> =
            files.entries.iter().map(|e| String::from_utf8(e.name.clone()).unwrap()).collect();
        assert_eq!(names[..4], ["x", "froma", "fromb", "x"]);
        assert_eq!(names.iter().filter(|name| *name == "z").count(), INCLUDE_DEPTH + 1);
        assert!(files.warnings.iter().any(|w| w.contains("more than 10 deep")));

        fs::write(at("gone.cnf"), "!includedir /nonexistent\n").unwrap();
        assert_eq!(read(&only(at("gone.cnf"))).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_named_file_must_be_there_and_trustworthy() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(&only(dir.path().join("no"))).unwrap_err().kind(), ErrorKind::NotFound);
        let open = dir.path().join("open.cnf");
        fs::write(&open, "[mysqld]\nx\n").unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(read(&only(open.clone())).unwrap_err().kind(), ErrorKind::Permission);

        let home = Surroundings { home: Some(dir.path().to_owned()), ..Surroundings::default() };
        fs::rename(&open, dir.path().join(".my.cnf")).unwrap();
        let files = Places::default().read(&home).unwrap();
        assert!(files.warnings.iter().any(|w| w.contains("world-writable")), "{files:?}");
        assert!(!files.entries.iter().any(|e| e.name == b"x"));
    }

    #[test]
    fn file_options_count_only_at_the_head() {
        let line = args(&["--defaults_file=/a", "--print-defaults", "--backup", "x"]);
        let (places, rest) = Places::take(&line).unwrap();
        assert_eq!(places.only, Some(PathBuf::from("/a")));
        assert!(places.print && !places.none);
        assert_eq!(rest, ["--backup", "x"]);

        let line = args(&["--defaults-extra-file", "/a", "--no-defaults"]);
        let (places, rest) = Places::take(&line).unwrap();
        assert!(places.extra == Some(PathBuf::from("/a")) && places.none && rest.is_empty());

        let late = args(&["--backup", "--defaults-file=/a"]);
        let error = Places::take(&late).unwrap_err().to_string();
        assert_eq!(error, "--defaults-file must be specified first on the command line");
        let server = args(&["--backup", "--mysqld-args", "--defaults-file=/a"]);
        assert_eq!(Places::take(&server).unwrap().1.len(), 3);
        assert!(Places::take(&args(&["--defaults-file"])).is_err());
    }
}
