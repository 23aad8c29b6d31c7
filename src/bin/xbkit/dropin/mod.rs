//! The names under which xbkit stands in for other programs, with their command lines.

mod coding;
mod cold;
mod getopt;
mod help;
mod hot;
mod optfile;
mod option;
mod probe;
mod settings;
mod stream;
mod tables;
mod xbcrypt;

use std::ffi::{OsStr, OsString};

use xbkit::{Error, Result};

use self::getopt::Parsed;
use self::option::{Id, Table};
use crate::exit::Status;
use crate::secret;
use crate::stdio;
use crate::ui::{Members, ProgressMode, Reporter};
use crate::voice::{Voice, say};

pub(crate) use self::getopt::parse_number;
pub(crate) use self::help::page;
pub(crate) use self::probe::SOCKETS;
pub(crate) use self::settings::scrubbed;
pub(crate) use self::stream::Named;

/// A program that xbkit stands in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Xbstream,
    Mbstream,
    Innobackupex,
    Xtrabackup,
    Mariabackup,
    /// The newer name of `mariabackup`.
    MariadbBackup,
    Xbcrypt,
}

/// How a command line ends that got as far as being understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It did what it should.
    Done,
    /// It failed, and that was told.
    Told,
}

impl Tool {
    /// All of them, in the order in which they are listed.
    pub(crate) const ALL: [Self; 7] = [
        Self::Innobackupex,
        Self::Xtrabackup,
        Self::Mariabackup,
        Self::MariadbBackup,
        Self::Xbstream,
        Self::Mbstream,
        Self::Xbcrypt,
    ];

    /// The program of this file name.
    pub(crate) fn by_name(name: &OsStr) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| name == tool.name())
    }

    /// Its file name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Xbstream => "xbstream",
            Self::Mbstream => "mbstream",
            Self::Innobackupex => "innobackupex",
            Self::Xtrabackup => "xtrabackup",
            Self::Mariabackup => "mariabackup",
            Self::MariadbBackup => "mariadb-backup",
            Self::Xbcrypt => "xbcrypt",
        }
    }

    /// Its options.
    fn table(self) -> Table {
        match self {
            Self::Xbstream => tables::XBSTREAM,
            Self::Mbstream => tables::MBSTREAM,
            Self::Innobackupex => tables::INNOBACKUPEX,
            Self::Xtrabackup => tables::XTRABACKUP,
            Self::Mariabackup | Self::MariadbBackup => tables::MARIABACKUP,
            Self::Xbcrypt => tables::XBCRYPT,
        }
    }

    /// How it speaks.
    fn voice(self) -> Voice {
        match self {
            Self::Xbstream => Voice::Plain("xbstream"),
            Self::Xbcrypt => Voice::Plain("xbcrypt"),
            Self::Mbstream => Voice::Mbstream,
            Self::Innobackupex => Voice::Innobackupex,
            Self::Xtrabackup => Voice::Xtrabackup,
            Self::Mariabackup | Self::MariadbBackup => Voice::Mariabackup(self.name()),
        }
    }

    /// What it answers to `--version`. The numbers are those that callers ask for at least; the
    /// end of the line says who really answers.
    fn banner(self) -> String {
        let arch = std::env::consts::ARCH;
        let own = env!("CARGO_PKG_VERSION");
        match self {
            Self::Xbstream => {
                format!("xbstream  Ver 8.0.35-35 for Linux ({arch}) (revision id: xbkit {own})")
            }
            Self::Xbcrypt => {
                format!("xbcrypt  Ver 8.0.35-35 for Linux ({arch}) (revision id: xbkit {own})")
            }
            Self::Mbstream => format!("mbstream  Ver 1.0 for Linux ({arch}) (xbkit {own})"),
            Self::Innobackupex => {
                format!("innobackupex version 2.4.26 Linux ({arch}) (revision id: xbkit {own})")
            }
            Self::Xtrabackup => format!(
                "xtrabackup version 8.0.35-35 based on MySQL server 8.0.35 Linux ({arch}) \
                 (revision id: xbkit {own})"
            ),
            Self::Mariabackup | Self::MariadbBackup => format!(
                "{} based on MariaDB server 10.11.19-MariaDB Linux ({arch}) (xbkit {own})",
                self.name()
            ),
        }
    }
}

/// Runs `tool` with its arguments, which do not include its name.
pub(crate) fn run(tool: Tool, args: &[OsString]) -> Status {
    // The way in which MariaDB's program takes the older syntax.
    let (tool, args) = match (tool, args) {
        (Tool::Mariabackup | Tool::MariadbBackup, [first, rest @ ..])
            if first == "--innobackupex" =>
        {
            (Tool::Innobackupex, rest)
        }
        _ => (tool, args),
    };
    let outcome = match tool {
        Tool::Xbstream | Tool::Mbstream => stream::run(tool, args),
        Tool::Xbcrypt => xbcrypt::run(tool, args),
        _ => {
            secret::hide_arguments(args, &scrubbed(args));
            cold::run(tool, args)
        }
    };
    match outcome {
        Ok(Outcome::Done) => Status::Success,
        Ok(Outcome::Told) => Status::Failure,
        Err(error) => {
            tool.voice().error(&error);
            Status::Failure
        }
    }
}

/// Answers `--help` and `--version`, if they are there.
fn answer(tool: Tool, parsed: &Parsed) -> Option<Result<Outcome>> {
    if getopt::is_on(&parsed.given, Id::Help) {
        let text = format!("{}\n\n{}", tool.banner(), help::text(tool));
        return Some(stdio::print(text.as_bytes()).map(|()| Outcome::Done));
    }
    if getopt::is_on(&parsed.given, Id::Version) {
        return Some(match tool {
            // The stream programs print it where text goes, the backup programs where talk goes.
            Tool::Xbstream | Tool::Mbstream | Tool::Xbcrypt => {
                stdio::print(format!("{}\n", tool.banner()).as_bytes()).map(|()| Outcome::Done)
            }
            _ => {
                say(&tool.banner());
                Ok(Outcome::Done)
            }
        });
    }
    None
}

/// Threads as `--parallel` asks for them: out of range is brought into it, as the programs do.
fn parallel(tool: Tool, given: &[getopt::Given], unless_given: usize) -> Result<usize> {
    let range = xbkit::limits::PARALLEL_RANGE;
    let Some(asked) = getopt::number(given, Id::Parallel, "parallel")? else {
        return Ok(unless_given);
    };
    let taken = usize::try_from(asked).unwrap_or(usize::MAX).clamp(*range.start(), *range.end());
    if taken as u64 != asked {
        tool.voice().warning(&format!("--parallel={asked} is adjusted to {taken}"));
    }
    Ok(taken)
}

/// A reporter without a bar: the programs have none.
fn reporter(tool: Tool, members: Members) -> Reporter {
    Reporter::new(tool.voice(), ProgressMode::None, members)
}

/// Tells how a job went.
fn told(reporter: &Reporter, result: Result<()>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(error) => {
            reporter.failed(&error);
            Outcome::Told
        }
    }
}

/// A mistake in the command line.
fn usage(message: impl Into<String>) -> Error {
    Error::new(xbkit::ErrorKind::InvalidArgument, message.into()).hint("--help lists the options")
}
