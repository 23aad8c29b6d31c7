//! Where a running server keeps its files, and which of them belong to a backup.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::format::member::MemberPath;
use crate::server::Variables;
use crate::sys::dir::{self, EntryKind};
use crate::sys::file;

/// Longest `.isl` file: it holds one path.
const MAX_ISL: usize = 4096 + 2;

/// The directories that the server's variables name.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) datadir: PathBuf,
    /// Files of the system tablespace, in order.
    system: Vec<PathBuf>,
    undo: PathBuf,
    pub(super) redo: PathBuf,
    aria: PathBuf,
}

/// What kind of tablespace a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpaceKind {
    /// The first file of the system tablespace.
    System,
    /// A further file of it, without a page 0 of its own.
    SystemMore,
    Undo,
    Table,
}

/// A file of InnoDB.
#[derive(Clone, Debug)]
pub(super) struct SpaceFile {
    pub(super) member: MemberPath,
    pub(super) path: PathBuf,
    pub(super) kind: SpaceKind,
    /// A link file says where it is.
    pub(super) elsewhere: bool,
}

/// A file of something else.
#[derive(Clone, Debug)]
pub(super) struct OtherFile {
    pub(super) member: MemberPath,
    pub(super) path: PathBuf,
}

/// When a file that is not InnoDB's keeps still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Still {
    /// From `BLOCK_DDL` on.
    BlockDdl,
    /// From `BLOCK_COMMIT` on: Aria, and the tables that the server itself writes to.
    BlockCommit,
}

/// The files of all databases.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Tablespaces.
    pub(super) tables: Vec<SpaceFile>,
    /// What keeps still from `BLOCK_DDL` on.
    pub(super) block_ddl: Vec<OtherFile>,
    /// What keeps still only from `BLOCK_COMMIT` on.
    pub(super) block_commit: Vec<OtherFile>,
    /// Databases without any: for each a `db.opt`, which stays empty.
    pub(super) empty: Vec<MemberPath>,
}

impl Places {
    pub(super) fn of(variables: &Variables) -> Result<Self> {
        let path = |name: &str| PathBuf::from(OsStr::from_bytes(variables.bytes(name)));
        let datadir = path("datadir");
        if !datadir.is_absolute() {
            let message = "the server does not say where its data directory is";
            return Err(Error::new(ErrorKind::Unsupported, message).at_path(datadir));
        }
        let within = |name: &str| datadir.join(path(name));
        let home = within("innodb_data_home_dir");
        let system = system_files(variables.bytes("innodb_data_file_path"))?;
        Ok(Self {
            system: system.iter().map(|name| home.join(name)).collect(),
            undo: within("innodb_undo_directory"),
            redo: within("innodb_log_group_home_dir").join("ib_logfile0"),
            aria: within("aria_log_dir_path"),
            datadir,
        })
    }

    /// The data directory must be here and ours to read: connections may lead to another machine.
    pub(super) fn check(&self, expected: Option<&Path>) -> Result<()> {
        if let Some(expected) = expected
            && !dir::is_same(expected, &self.datadir)
        {
            let server = crate::error::escape_path(&self.datadir);
            let message =
                format!("this is not the data directory of the server, which says {server}");
            return Err(Error::new(ErrorKind::InvalidArgument, message)
                .at_path(expected)
                .hint("leave --datadir out, or connect to the server that it belongs to"));
        }
        dir::list_kinds(&self.datadir).map(drop).map_err(|error| {
            Error::io(ErrorKind::Source, "opening the server's data directory", error)
                .at_path(&self.datadir)
                .hint("run on the server's own machine, as a user who may read its files")
        })
    }

    pub(super) fn aria_control(&self) -> PathBuf {
        self.aria.join("aria_log_control")
    }

    /// The files of InnoDB that are no tables'.
    pub(super) fn spaces(&self) -> Result<Vec<SpaceFile>> {
        let mut files = Vec::new();
        for (number, path) in self.system.iter().enumerate() {
            let base = path.file_name().unwrap_or(path.as_os_str());
            let kind = if number == 0 { SpaceKind::System } else { SpaceKind::SystemMore };
            let member = MemberPath::new(base.as_bytes())?;
            files.push(SpaceFile { member, path: path.clone(), kind, elsewhere: false });
        }
        for (name, kind) in list(&self.undo)? {
            if is_undo(name.as_bytes()) && kind == EntryKind::File {
                let member = MemberPath::new(name.as_bytes())?;
                let path = self.undo.join(&name);
                let kind = SpaceKind::Undo;
                files.push(SpaceFile { member, path, kind, elsewhere: false });
            }
        }
        Ok(files)
    }

    /// All files of databases. What vanishes meanwhile is left out.
    pub(super) fn walk(&self) -> Result<Walked> {
        let mut walked = Walked::default();
        for database in self.databases()? {
            let mut any = false;
            for (name, kind) in list(&database.path)? {
                let (name, path) = (name.as_bytes(), database.path.join(&name));
                if name.ends_with(b".ibd") || name.ends_with(b".isl") {
                    any = true;
                    walked.tables.extend(self.table(&database, name, path, kind)?);
                    continue;
                }
                let Some(when) = still_at(database.name.as_bytes(), name) else { continue };
                any = true;
                match kind {
                    EntryKind::File => {}
                    EntryKind::Dangling => {
                        let message = "a symlink that leads nowhere";
                        return Err(Error::new(ErrorKind::NotFound, message).at_path(path));
                    }
                    _ => continue,
                }
                let member = [database.name.as_bytes(), b"/", name].concat();
                let file = OtherFile { member: MemberPath::new(&member)?, path };
                match when {
                    Still::BlockDdl => walked.block_ddl.push(file),
                    Still::BlockCommit => walked.block_commit.push(file),
                }
            }
            if !any {
                let member = [database.name.as_bytes(), b"/db.opt"].concat();
                walked.empty.push(MemberPath::new(&member)?);
            }
        }
        walked.tables.sort_by(|a, b| a.member.as_bytes().cmp(b.member.as_bytes()));
        walked.tables.dedup_by(|a, b| a.member.as_bytes() == b.member.as_bytes());
        Ok(walked)
    }

    /// The tablespace that this name in a database stands for.
    fn table(
        &self,
        database: &Database,
        name: &[u8],
        path: PathBuf,
        kind: EntryKind,
    ) -> Result<Option<SpaceFile>> {
        if is_intermediate(name) || kind != EntryKind::File {
            return Ok(None);
        }
        let (stem, path, elsewhere) = if let Some(stem) = name.strip_suffix(b".isl") {
            let Some(target) = read_link_file(&path)? else { return Ok(None) };
            (stem, self.datadir.join(target), true)
        } else {
            (name.strip_suffix(b".ibd").unwrap_or(name), path, false)
        };
        let member = [database.name.as_bytes(), b"/", stem, b".ibd"].concat();
        let member = MemberPath::new(&member)?;
        Ok(Some(SpaceFile { member, path, kind: SpaceKind::Table, elsewhere }))
    }

    /// Aria's log files, without the control file.
    pub(super) fn aria_logs(&self) -> Result<Vec<OtherFile>> {
        let mut files = Vec::new();
        for (name, _) in list(&self.aria)? {
            if name.as_bytes().starts_with(b"aria_log.") {
                let path = self.aria.join(&name);
                files.push(OtherFile { member: MemberPath::new(name.as_bytes())?, path });
            }
        }
        Ok(files)
    }

    fn databases(&self) -> Result<Vec<Database>> {
        let mut databases = Vec::new();
        for (name, kind) in list(&self.datadir)? {
            let is_database = kind == EntryKind::Directory
                && !name.as_bytes().starts_with(b"#")
                && !name.as_bytes().starts_with(b".")
                && name != "lost+found";
            if is_database {
                let path = self.datadir.join(&name);
                databases.push(Database { name, path });
            }
        }
        Ok(databases)
    }
}

struct Database {
    name: OsString,
    path: PathBuf,
}

/// The entries of a directory; none if it is gone.
fn list(path: &Path) -> Result<Vec<(OsString, EntryKind)>> {
    match dir::list_kinds(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        result => result.map_err(|error| {
            Error::io(ErrorKind::Source, "listing the directory", error).at_path(path)
        }),
    }
}

fn read_link_file(path: &Path) -> Result<Option<PathBuf>> {
    match file::read_small(path, MAX_ISL) {
        Ok(link) => Ok(Some(PathBuf::from(OsStr::from_bytes(link.trim_ascii_end())))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(Error::io(ErrorKind::Source, "reading the link file", error).at_path(path))
        }
    }
}

/// The names in `innodb_data_file_path`, without sizes.
fn system_files(list: &[u8]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for element in list.split(|byte| *byte == b';') {
        let mut parts = element.trim_ascii().split(|byte| *byte == b':');
        let name = PathBuf::from(OsStr::from_bytes(parts.next().unwrap_or_default()));
        if name.as_os_str().is_empty() {
            continue;
        }
        if parts.any(|part| part.ends_with(b"raw")) {
            let message = "the system tablespace is on a raw device, which is not supported";
            return Err(Error::new(ErrorKind::Unsupported, message).at_path(name));
        }
        files.push(name);
    }
    if files.is_empty() {
        let message = "the server does not say where its system tablespace is";
        return Err(Error::new(ErrorKind::Unsupported, message)
            .hint("hot backups need InnoDB; stop the server, and back it up cold"));
    }
    Ok(files)
}

/// `undo001`, but not `undo001.old`.
fn is_undo(name: &[u8]) -> bool {
    name.strip_prefix(b"undo")
        .is_some_and(|rest| !rest.is_empty() && rest.iter().all(u8::is_ascii_digit))
}

/// Tables that an `ALTER TABLE` is just making. The server drops them when it starts on the copy.
fn is_intermediate(name: &[u8]) -> bool {
    name.starts_with(b"#sql")
}

/// What is copied by its name, and when; `None` for all the rest.
fn still_at(database: &[u8], name: &[u8]) -> Option<Still> {
    if is_intermediate(name) {
        return None;
    }
    let suffix = name.rsplit(|byte| *byte == b'.').next().filter(|s| s.len() < name.len())?;
    match suffix {
        b"MAI" | b"MAD" => Some(Still::BlockCommit),
        b"CSV" | b"CSM" if database == b"mysql" => Some(Still::BlockCommit),
        b"frm" | b"par" | b"opt" | b"TRG" | b"TRN" | b"MYD" | b"MYI" | b"MRG" | b"CSV" | b"CSM"
        | b"ARM" | b"ARZ" => Some(Still::BlockDdl),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_when_a_file_keeps_still() {
        let ddl = Some(Still::BlockDdl);
        let commit = Some(Still::BlockCommit);
        for (database, name, expected) in [
            ("d", "t.frm", ddl),
            ("d", "db.opt", ddl),
            ("d", "t#P#p0.MYD", ddl),
            ("d", "t.CSV", ddl),
            ("mysql", "general_log.CSV", commit),
            ("mysql", "db.MAD", commit),
            ("d", "t.ibd", None),
            ("d", "#sql-backup-1.frm", None),
            ("d", "MYD", None),
            ("d", "t.isl", None),
        ] {
            assert_eq!(still_at(database.as_bytes(), name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn undo_tablespaces_are_told_from_their_like() {
        assert!(is_undo(b"undo001") && is_undo(b"undo127"));
        assert!(!is_undo(b"undo") && !is_undo(b"undo001_trunc.log") && !is_undo(b"xundo001"));
    }

    #[test]
    fn the_system_tablespace_has_its_files_in_order() {
        let files = system_files(b"ibdata1:12M;x/ibdata2:10M:autoextend").unwrap();
        assert_eq!(files, [Path::new("ibdata1"), Path::new("x/ibdata2")]);
        assert!(system_files(b"/dev/sda:1Gnewraw").is_err() && system_files(b"").is_err());
    }
}
