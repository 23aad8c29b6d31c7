//! Where option files lie, as the MySQL programs find them.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use xbkit::server::OptionFiles;
use xbkit::{Error, ErrorKind, Result};

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
    pub(crate) fn read(&self, around: &Surroundings) -> Result<OptionFiles> {
        let mut files = OptionFiles::default();
        if self.none {
            return Ok(files);
        }
        if let Some(only) = &self.only {
            files.read_named(only)?;
            return Ok(files);
        }
        for standard in ["/etc/my.cnf", "/etc/mysql/my.cnf"] {
            files.read_standard(Path::new(standard))?;
        }
        if let Some(home) = &around.server_home {
            files.read_standard(&home.join("my.cnf"))?;
        }
        if let Some(extra) = &self.extra {
            files.read_named(extra)?;
        }
        if let Some(home) = &around.home {
            files.read_standard(&home.join(".my.cnf"))?;
        }
        Ok(files)
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// How deep `!include` may nest: the number at which the MySQL programs stop.
    const INCLUDE_DEPTH: usize = 10;

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
