//! What a directory that a backup was extracted to says of itself.

use crate::error::{Error, ErrorKind, Result};
use crate::sys::dir::Dir;

use super::LOG;
use super::server::Version;

/// What the names of metadata files begin with: before MariaDB 11.1, and since.
const PREFIXES: [&str; 2] = ["xtrabackup", "mariadb_backup"];

/// Largest metadata file that is read.
const MAX_FILE: usize = 1 << 20;

/// Marks of an extraction that did not finish.
const UNFINISHED: [&[u8]; 2] = [b".xbkit-partial", b".xbkit-incomplete"];

/// What kind of backup it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Full,
    Prepared,
    Incremental,
}

/// An extracted backup.
#[derive(Debug)]
pub(super) struct State {
    pub(super) kind: Kind,
    pub(super) version: Version,
    /// Where its redo ends.
    pub(super) last_lsn: Option<u64>,
    /// What its server needs to be told.
    pub(super) options: Vec<String>,
}

impl State {
    pub(super) fn read(dir: &Dir) -> Result<Self> {
        for mark in UNFINISHED {
            if dir.entry_type(mark).ok().flatten().is_some() {
                let message = "the backup was not extracted to its end";
                return Err(Error::new(ErrorKind::InvalidState, message)
                    .hint("extract it again, into an empty directory"));
            }
        }
        let (_, checkpoints) = find_checkpoints(dir)?;
        let kind = kind_of(&checkpoints)?;
        let log = read(dir, b"ib_logfile0", 512)?.unwrap_or_default();
        // A server that we started, and that did not get to its end, may have made the log its own.
        let begun = dir.entry_type(LOG.as_bytes()).ok().flatten().is_some();
        let version = match version_of_log(&log).or_else(|| creator(&log).filter(|_| begun)) {
            Some(version) => version,
            // Once prepared, the log is the server's own.
            None if kind == Kind::Prepared => Version::parse("0.0").ok_or_else(no_version)?,
            None => return Err(no_version()),
        };
        let cnf = read(dir, b"backup-my.cnf", MAX_FILE)?.ok_or_else(|| missing("backup-my.cnf"))?;
        let options = options_of(&String::from_utf8_lossy(&cnf));
        let last_lsn = value_of(&checkpoints, "last_lsn").and_then(|text| text.parse().ok());
        Ok(Self { kind, version, last_lsn, options })
    }

    /// Notes that the backup was recovered.
    pub(super) fn mark_prepared(dir: &Dir) -> Result<()> {
        let (name, text) = find_checkpoints(dir)?;
        let text = text.replacen("full-backuped", "full-prepared", 1);
        let partial = format!("{name}.partial");
        let failed =
            |error| Error::io(ErrorKind::Sink, "noting that the backup is prepared", error);
        let _ = dir.remove_file(partial.as_bytes());
        let file = dir.create_new(partial.as_bytes(), 0o640).map_err(failed)?;
        std::io::Write::write_all(&mut &file, text.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        dir.rename(partial.as_bytes(), dir, name.as_bytes(), true).map_err(failed)
    }
}

/// What kind of backup a directory holds; `None` if none, or a cold one.
pub(crate) fn kind(dir: &Dir) -> Result<Option<Kind>> {
    match find_checkpoints(dir) {
        Ok((_, checkpoints)) => kind_of(&checkpoints).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn find_checkpoints(dir: &Dir) -> Result<(String, String)> {
    for prefix in PREFIXES {
        let name = format!("{prefix}_checkpoints");
        if let Some(text) = read(dir, name.as_bytes(), MAX_FILE)? {
            return Ok((name, String::from_utf8_lossy(&text).into_owned()));
        }
    }
    Err(missing("xtrabackup_checkpoints"))
}

fn kind_of(checkpoints: &str) -> Result<Kind> {
    match value_of(checkpoints, "backup_type") {
        Some("full-backuped") => Ok(Kind::Full),
        Some("full-prepared") => Ok(Kind::Prepared),
        Some("incremental" | "log-applied") => Ok(Kind::Incremental),
        other => {
            let other = other.unwrap_or("missing");
            let message = format!("the backup's type is {}", other.escape_default());
            Err(Error::new(ErrorKind::Format, message))
        }
    }
}

fn value_of<'t>(checkpoints: &'t str, key: &str) -> Option<&'t str> {
    let mut pairs = checkpoints.lines().filter_map(|line| line.split_once('='));
    pairs.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
}

/// A log of a hot backup says in its header which server it is from.
fn version_of_log(log: &[u8]) -> Option<Version> {
    let creator = log.get(16..48)?.strip_prefix(b"Backup ")?;
    let text = String::from_utf8_lossy(creator);
    Version::parse(text.strip_prefix("MariaDB ").unwrap_or(&text))
}

/// The server that made a log.
fn creator(log: &[u8]) -> Option<Version> {
    let creator = log.get(16..48)?.strip_prefix(b"MariaDB ")?;
    Version::parse(&String::from_utf8_lossy(creator))
}

/// The options of `backup-my.cnf` that matter, and that a backup may set. A backup comes from
/// somewhere: it may not make the server load or write what it likes.
fn options_of(cnf: &str) -> Vec<String> {
    let is_known = |name: &str, value: &str| match name {
        "innodb_checksum_algorithm"
        | "innodb_data_file_path"
        | "innodb_log_file_size"
        | "innodb_page_size"
        | "innodb_undo_tablespaces"
        | "innodb_compression_level"
        | "innodb_encrypt_log" => true,
        // From the server's own directory of plugins, wherever that is here.
        "plugin_load" => matches!(
            value,
            "file_key_management=file_key_management"
                | "hashicorp_key_management=hashicorp_key_management"
                | "aws_key_management=aws_key_management"
        ),
        _ => name.starts_with("file_key_management_"),
    };
    cnf.lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, value)| {
            is_known(name.trim(), value.trim()) && !value.trim().contains(['/', '\0'])
                || name.trim().starts_with("file_key_management_")
        })
        .map(|(name, value)| format!("--loose-{}={}", name.trim(), value.trim()))
        .collect()
}

fn read(dir: &Dir, name: &[u8], limit: usize) -> Result<Option<Vec<u8>>> {
    match dir.read_begin(name, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(
            ErrorKind::Source,
            format!("reading {}", String::from_utf8_lossy(name)),
            error,
        )),
    }
}

fn missing(name: &str) -> Error {
    let message =
        format!("the directory holds no {name}, so it is no hot backup, or not a whole one");
    Error::new(ErrorKind::NotFound, message)
        .hint("a cold backup needs no preparing: start a server on it")
}

fn no_version() -> Error {
    let message = "the redo log is missing, or does not say that it is a backup's";
    Error::new(ErrorKind::Format, message)
        .hint("a directory that a server has started on need not be prepared")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_sets_only_what_it_may() {
        let options = options_of(
            "# x\n[mysqld]\ninnodb_page_size=4096\nplugin_dir=\"/evil\"\nplugin_load=evil=evil\n\
             innodb_data_file_path=ibdata1:12M;ibdata2:12M:autoextend\ninit_file=/evil\n\
             file_key_management_filename=/etc/keys\ninnodb_undo_directory=./\n\
             innodb_data_file_path=../../evil:12M\n",
        );
        assert_eq!(
            options,
            [
                "--loose-innodb_page_size=4096",
                "--loose-innodb_data_file_path=ibdata1:12M;ibdata2:12M:autoextend",
                "--loose-file_key_management_filename=/etc/keys",
            ]
        );
    }

    #[test]
    fn the_log_says_which_server_it_is_from() {
        let mut log = vec![0; 512];
        log[16..41].copy_from_slice(b"Backup 10.11.19-MariaDB-0");
        assert_eq!(version_of_log(&log), Version::parse("10.11"));
        log[16..39].copy_from_slice(b"Backup MariaDB 11.8.9\0\0");
        assert_eq!(version_of_log(&log), Version::parse("11.8"));
        log[16..23].copy_from_slice(b"MariaDB");
        assert_eq!(version_of_log(&log), None);
    }

    #[test]
    fn kinds_of_backups_are_told_apart() {
        let kind = |text: &str| kind_of(&format!("backup_type = {text}\nfrom_lsn = 0\n"));
        assert_eq!(kind("full-backuped").unwrap(), Kind::Full);
        assert_eq!(kind("full-prepared").unwrap(), Kind::Prepared);
        assert_eq!(kind("incremental").unwrap(), Kind::Incremental);
        assert!(kind("x").is_err());
    }
}
