//! How each program speaks on standard error: the shape of a line, and of its time.
//!
//! Callers parse these lines, so each drop-in name keeps the shape of the program it stands for.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use jiff::{Timestamp, Zoned};
use xbkit::error::escape_path;
use xbkit::{Error, ServerReport};

/// The shape of the lines that a program writes on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voice {
    /// `xbkit: message`; members as their bare name. Also `xbstream`.
    Plain(&'static str),
    /// `mbstream: message`; members as `[00] 2026-11-22 14:54:17 name`.
    Mbstream,
    /// `261122 14:54:18 innobackupex: message`: xtrabackup 2.3 and 2.4.
    Innobackupex,
    /// `2026-11-22T14:54:18.000000-00:00 0 [Note] [MY-011825] [Xtrabackup] message`: 8.x.
    Xtrabackup,
    /// `[00] 2026-11-22 14:54:18 message`; errors name the program.
    Mariabackup(&'static str),
}

/// The weight of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Note,
    Warning,
    Error,
}

/// Tells where a hot backup stands, in the words that callers look for.
pub(crate) fn tell_backup(voice: Voice, report: &ServerReport) {
    if let Some(position) = &report.position {
        voice.note(&format!("MySQL binlog position: {position}"));
    }
    let (from, to, last) = (report.from_lsn, report.to_lsn, report.last_lsn);
    voice.note(&format!("The latest check point (for incremental): '{to}'"));
    voice.note(&match voice {
        Voice::Innobackupex | Voice::Xtrabackup => {
            format!("Transaction log of lsn ({from}) to ({last}) was copied.")
        }
        _ => format!("Redo log (from LSN {from} to {last}) was copied."),
    });
}

impl Voice {
    /// Something worth knowing.
    pub(crate) fn note(self, message: &str) {
        say(&self.line(Weight::Note, message));
    }

    /// The program goes on, but somebody should look.
    pub(crate) fn warning(self, message: &str) {
        say(&self.line(Weight::Warning, message));
    }

    /// A failure, and below it what to do next where that is known.
    pub(crate) fn error(self, error: &Error) {
        say(&self.line(Weight::Error, &error.to_string()));
        if let Some(hint) = error.hint_text() {
            say(&format!("hint: {hint}"));
        }
    }

    /// The name of a directory for a backup that begins now.
    pub(crate) fn timestamp() -> String {
        local("%Y-%m-%d_%H-%M-%S")
    }

    /// A member that is done, for `--verbose`.
    pub(crate) fn member(self, path: &Path) {
        let name = escape_path(path);
        match self {
            Self::Mbstream => say(&format!("[00] {} {name}", local("%Y-%m-%d %H:%M:%S"))),
            _ => say(&name),
        }
    }

    /// A file that is in the stream now, as the backup programs tell it: two lines.
    pub(crate) fn streamed(self, path: &Path) {
        let name = escape_path(path);
        match self {
            Self::Innobackupex => {
                let time = local("%y%m%d %H:%M:%S");
                say(&format!("{time} [01] Streaming ./{name} to <STDOUT>"));
                say(&format!("{time} [01]        ...done"));
            }
            Self::Mariabackup(_) => {
                let time = local("%Y-%m-%d %H:%M:%S");
                say(&format!("[01] {time} Streaming ./{name}"));
                say(&format!("[01] {time}         ...done"));
            }
            Self::Xtrabackup => {
                self.note(&format!("Streaming ./{name}"));
                self.note(&format!("Done: Streaming ./{name}"));
            }
            Self::Plain(_) | Self::Mbstream => self.member(path),
        }
    }

    /// The last line of a backup that succeeded. Callers look for its words at the very end.
    pub(crate) fn completed(self) {
        match self {
            Self::Innobackupex => say(&format!("{} completed OK!", local("%y%m%d %H:%M:%S"))),
            _ => self.note("completed OK!"),
        }
    }

    fn line(self, weight: Weight, message: &str) -> String {
        let message = one_line(message);
        let severity = match weight {
            Weight::Note | Weight::Error => "",
            Weight::Warning => "warning: ",
        };
        match self {
            Self::Plain(name) => format!("{name}: {severity}{message}"),
            Self::Mbstream => format!("mbstream: {severity}{message}"),
            Self::Innobackupex => {
                let time = local("%y%m%d %H:%M:%S");
                let severity = if weight == Weight::Error { "Error: " } else { severity };
                format!("{time} innobackupex: {severity}{message}")
            }
            Self::Xtrabackup => {
                let label = match weight {
                    Weight::Note => "Note",
                    Weight::Warning => "Warning",
                    Weight::Error => "ERROR",
                };
                format!("{} 0 [{label}] [MY-011825] [Xtrabackup] {message}", utc())
            }
            Self::Mariabackup(name) => {
                let time = local("%Y-%m-%d %H:%M:%S");
                match weight {
                    Weight::Error => format!("[00] {time} {name}: Error: {message}"),
                    _ => format!("[00] {time} {severity}{message}"),
                }
            }
        }
    }
}

/// Writes one line to standard error. That nobody reads it is no reason to stop a backup.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Control bytes, which could forge a line or move the cursor, as `\xNN`.
fn one_line(message: &str) -> Cow<'_, str> {
    if !message.contains(char::is_control) {
        return Cow::Borrowed(message);
    }
    let mut text = String::with_capacity(message.len() + 8);
    for c in message.chars() {
        if c.is_control() {
            let _ = write!(text, "\\x{:02x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    Cow::Owned(text)
}

/// Now, in the zone of the machine, as `mariabackup` and the 2.x programs print it.
fn local(format: &str) -> String {
    Zoned::now().strftime(format).to_string()
}

/// Now, in UTC, as the 8.x programs print it.
fn utc() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6f-00:00").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Digits as `9`, so that a shape can be compared whatever the time.
    fn shape(line: &str) -> String {
        line.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect()
    }

    #[test]
    fn each_program_keeps_the_shape_of_its_lines() {
        let shapes: Vec<String> = [
            Voice::Plain("xbkit"),
            Voice::Mbstream,
            Voice::Innobackupex,
            Voice::Xtrabackup,
            Voice::Mariabackup("mariabackup"),
        ]
        .iter()
        .map(|voice| shape(&voice.line(Weight::Note, "m")))
        .collect();
        assert_eq!(
            shapes,
            [
                "xbkit: m",
                "mbstream: m",
                "999999 99:99:99 innobackupex: m",
                "9999-99-99T99:99:99.999999-99:99 9 [Note] [MY-999999] [Xtrabackup] m",
                "[99] 9999-99-99 99:99:99 m",
            ]
        );
    }

    #[test]
    fn errors_are_marked_as_the_programs_mark_them() {
        let line = Voice::Xtrabackup.line(Weight::Error, "m");
        assert!(line.ends_with(" [ERROR] [MY-011825] [Xtrabackup] m"), "{line}");
        let line = shape(&Voice::Mariabackup("mariadb-backup").line(Weight::Error, "m"));
        assert_eq!(line, "[99] 9999-99-99 99:99:99 mariadb-backup: Error: m");
    }

    #[test]
    fn a_message_stays_one_line() {
        let line = Voice::Plain("xbkit").line(Weight::Error, "a\nb\x1b[2J");
        assert_eq!(line, "xbkit: a\\x0ab\\x1b[2J");
    }
}
