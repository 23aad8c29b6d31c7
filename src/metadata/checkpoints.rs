//! `*_checkpoints`.

use std::fmt::{self, Display};

use super::text::{bad_line, empty, key_value, number, shown, utf8};
use crate::error::{Error, ErrorKind, Result};

/// The type that `*_checkpoints` gives a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackupType {
    /// `full-backuped`: all pages, not prepared.
    Full,
    /// `incremental`: the pages that changed since another backup.
    Incremental,
    /// `full-prepared`: consistent, ready for a server.
    FullPrepared,
    /// `log-applied`: prepared so far that incremental backups can be added.
    LogApplied,
}

impl BackupType {
    const ALL: [Self; 4] = [Self::Full, Self::Incremental, Self::FullPrepared, Self::LogApplied];

    /// The word in the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "full-backuped",
            Self::Incremental => "incremental",
            Self::FullPrepared => "full-prepared",
            Self::LogApplied => "log-applied",
        }
    }
}

/// What `*_checkpoints` says. LSNs count bytes of redo log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoints {
    /// `backup_type`
    pub backup_type: BackupType,
    /// `from_lsn`: 0 for a full backup, for an incremental one the `to_lsn` of its base.
    pub from_lsn: u64,
    /// `to_lsn`: the checkpoint at the end of the copy; the next incremental begins here.
    pub to_lsn: u64,
    /// `last_lsn`: the end of the copied redo.
    pub last_lsn: Option<u64>,
    /// `compact`, of XtraBackup 2.x.
    pub compact: Option<bool>,
    /// `recover_binlog_info`, of XtraBackup 2.x and MariaDB.
    pub recover_binlog_info: Option<bool>,
    /// `flushed_lsn`, of XtraBackup 2.4 and later.
    pub flushed_lsn: Option<u64>,
    /// `redo_memory`, in bytes, of XtraBackup 8.0.30 and later.
    pub redo_memory: Option<u64>,
    /// `redo_frames`, of XtraBackup 8.0.30 and later.
    pub redo_frames: Option<u64>,
}

impl Checkpoints {
    /// What `mariabackup` writes, without the lines of others.
    pub fn new(backup_type: BackupType, from_lsn: u64, to_lsn: u64) -> Self {
        Self {
            backup_type,
            from_lsn,
            to_lsn,
            last_lsn: None,
            compact: None,
            recover_binlog_info: None,
            flushed_lsn: None,
            redo_memory: None,
            redo_frames: None,
        }
    }

    /// Reads the file. Lines may come in any order, and further ones are passed over.
    ///
    /// # Errors
    /// `Format` for a line that is no `key = value`, a key given twice, a value that is no number
    /// or no known type, and if type, `from_lsn` or `to_lsn` is missing.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text = utf8(bytes)?;
        if text.trim().is_empty() {
            return Err(empty());
        }
        let (mut kind, mut from, mut to) = (None, None, None);
        let mut rest = Self::new(BackupType::Full, 0, 0);
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let (key, value) =
                key_value(line).ok_or_else(|| bad_line(number, "is no \"key = value\""))?;
            match key {
                "backup_type" => set(&mut kind, number, key, backup_type(number, value)?)?,
                "from_lsn" => set_number(&mut from, number, key, value)?,
                "to_lsn" => set_number(&mut to, number, key, value)?,
                "last_lsn" => set_number(&mut rest.last_lsn, number, key, value)?,
                "flushed_lsn" => set_number(&mut rest.flushed_lsn, number, key, value)?,
                "redo_memory" => set_number(&mut rest.redo_memory, number, key, value)?,
                "redo_frames" => set_number(&mut rest.redo_frames, number, key, value)?,
                "compact" => set(&mut rest.compact, number, key, flag(number, key, value)?)?,
                "recover_binlog_info" => {
                    set(&mut rest.recover_binlog_info, number, key, flag(number, key, value)?)?;
                }
                _ => {}
            }
        }
        let missing = |key: &str| {
            Error::new(ErrorKind::Format, format!("the file says no {key}"))
                .hint("the file was damaged or cut")
        };
        Ok(Self {
            backup_type: kind.ok_or_else(|| missing("backup_type"))?,
            from_lsn: from.ok_or_else(|| missing("from_lsn"))?,
            to_lsn: to.ok_or_else(|| missing("to_lsn"))?,
            ..rest
        })
    }
}

/// The file, in the order in which the programs read it.
impl Display for Checkpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "backup_type = {}", self.backup_type.word())?;
        writeln!(f, "from_lsn = {}", self.from_lsn)?;
        writeln!(f, "to_lsn = {}", self.to_lsn)?;
        for (key, value) in [
            ("last_lsn", self.last_lsn),
            ("compact", self.compact.map(u64::from)),
            ("recover_binlog_info", self.recover_binlog_info.map(u64::from)),
            ("flushed_lsn", self.flushed_lsn),
            ("redo_memory", self.redo_memory),
            ("redo_frames", self.redo_frames),
        ] {
            if let Some(value) = value {
                writeln!(f, "{key} = {value}")?;
            }
        }
        Ok(())
    }
}

fn backup_type(line: usize, value: &str) -> Result<BackupType> {
    BackupType::ALL.into_iter().find(|kind| kind.word() == value).ok_or_else(|| {
        bad_line(line, format!("has a backup_type that is not known: {}", shown(value)))
    })
}

fn set<T>(place: &mut Option<T>, line: usize, key: &str, value: T) -> Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(bad_line(line, format!("says {key} a second time"))),
    }
}

fn set_number(place: &mut Option<u64>, line: usize, key: &str, value: &str) -> Result<()> {
    set(place, line, key, number(line, key, value)?)
}

fn flag(line: usize, key: &str, value: &str) -> Result<bool> {
    match value {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(bad_line(line, format!("has neither 0 nor 1 for {key}: {}", shown(value)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INCREMENTAL: &str = "backup_type = incremental\nfrom_lsn = 667822\nto_lsn = 5997599\n\
                               last_lsn = 6007713\nrecover_binlog_info = 0\n";

    #[test]
    fn what_is_read_is_rendered_byte_for_byte() {
        for text in [
            INCREMENTAL,
            "backup_type = full-backuped\nfrom_lsn = 0\nto_lsn = 1\nlast_lsn = 2\ncompact = 0\n\
             recover_binlog_info = 0\nflushed_lsn = 3\n",
            "backup_type = full-prepared\nfrom_lsn = 0\nto_lsn = 18446744073709551615\n\
             last_lsn = 2\nflushed_lsn = 0\nredo_memory = 1\nredo_frames = 9\n",
        ] {
            assert_eq!(Checkpoints::parse(text.as_bytes()).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_malformed_is_refused_by_line() {
        for (text, said) in [
            ("", "empty"),
            ("\n \n", "empty"),
            ("backup_type = full-backuped\nfrom_lsn = 0\n", "no to_lsn"),
            ("backup_type = half\n", "line 1 has a backup_type that is not known: \"half\""),
            ("from_lsn = 0\nfrom_lsn = 0\n", "line 2 says from_lsn a second time"),
            ("from_lsn = -1\n", "line 1 has no number for from_lsn"),
            ("from_lsn = 18446744073709551616\n", "no number"),
            ("compact = 2\n", "neither 0 nor 1"),
            ("backup_type = full-backuped\nto_lsn\n", "line 2 is no"),
            ("to_lsn = 1\x00\n", "no number"),
        ] {
            let error = Checkpoints::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Format, "{text:?}");
            assert!(error.to_string().contains(said), "{text:?}: {error}");
        }
        assert!(Checkpoints::parse(b"backup_type = \xff\n").is_err());
    }
}
