//! Which members a backup must have so that a server can be restored from it.

use std::collections::HashSet;

use super::{BackupInfo, BackupKind};
use crate::codec::Codec;
use crate::codec::stack::layers_of;
use crate::limits;

/// The names of a backup's members, as far as they matter here.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    /// Names in the root, without codecs' suffixes.
    root: HashSet<Box<[u8]>>,
    /// Members below `mysql`.
    schema: u64,
    /// Aria tables below `mysql`.
    aria: u64,
    /// Redo logs of a server: `ib_logfile*`, or what `#innodb_redo` holds.
    redo: u64,
    redo_dir: u64,
    codecs: HashSet<Codec>,
}

impl Roster {
    /// A member of this name is there.
    pub(crate) fn add(&mut self, path: &[u8]) {
        let (codecs, plain) = layers_of(path);
        self.codecs.extend(codecs);
        self.count(plain, 1);
        let room = self.root.len() < limits::ROOT_NAMES || is_known(plain);
        if room && !plain.contains(&b'/') {
            self.root.insert(plain.into());
        }
    }

    /// It is there no longer.
    pub(crate) fn remove(&mut self, path: &[u8]) {
        let (_, plain) = layers_of(path);
        self.count(plain, -1);
        self.root.remove(plain);
    }

    fn count(&mut self, plain: &[u8], by: i64) {
        let add = |place: &mut u64| *place = place.saturating_add_signed(by);
        if plain.starts_with(b"mysql/") {
            add(&mut self.schema);
            if plain.ends_with(b".MAI") {
                add(&mut self.aria);
            }
        }
        let mut components = plain.rsplit(|byte| *byte == b'/');
        let name = components.next().unwrap_or_default();
        let dir = components.next().unwrap_or_default();
        if dir == b"#innodb_redo" && name.starts_with(b"#ib_redo") && !name.ends_with(b"_tmp") {
            add(&mut self.redo_dir);
        }
        if is_redo_file(name) {
            add(&mut self.redo);
        }
    }

    fn has(&self, name: &str) -> bool {
        self.root.contains(name.as_bytes())
    }

    /// The file, or in an incremental backup its changed pages.
    fn has_pages(&self, name: &str) -> bool {
        self.has(name) || self.has(&format!("{name}.delta"))
    }

    fn any(&self, is: impl Fn(&[u8]) -> bool) -> bool {
        self.root.iter().any(|name| is(name))
    }

    fn either(&self, stem: &str) -> bool {
        self.has(&format!("xtrabackup_{stem}")) || self.has(&format!("mariadb_backup_{stem}"))
    }

    pub(crate) fn compression(&self) -> Vec<Codec> {
        let known = |codec: &&Codec| **codec != Codec::Xbcrypt && self.codecs.contains(codec);
        Codec::ALL.iter().filter(known).copied().collect()
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.codecs.contains(&Codec::Xbcrypt)
    }

    fn system_tablespace(&self) -> bool {
        self.any(|name| name.starts_with(b"ibdata"))
    }

    /// Whether the redo log is a server's own, by what its first bytes say where they were read.
    fn servers_redo(&self, info: &BackupInfo) -> bool {
        self.redo_dir > 0
            || self.redo > 0
                && info.redo_creator.as_deref().is_some_and(|creator| {
                    !["Backup", "xtrabkup", "ibbackup"].iter().any(|it| creator.starts_with(it))
                })
    }

    fn is_of_running_server(&self) -> bool {
        self.has("xtrabackup_logfile")
            || self.has("backup-my.cnf")
            || ["checkpoints", "info", "binlog_info"].iter().any(|stem| self.either(stem))
    }
}

/// What kind of backup it is, when all of it was seen.
pub(crate) fn kind_of(info: &BackupInfo, roster: &Roster) -> Option<BackupKind> {
    if let Some(checkpoints) = &info.checkpoints {
        return Some(checkpoints.backup_type.into());
    }
    if roster.either("checkpoints") {
        return info.tool.as_ref().and_then(|tool| tool.incremental).map(|incremental| {
            if incremental { BackupKind::Incremental } else { BackupKind::Full }
        });
    }
    // A compressed redo log cannot be looked into. That it is no cut copy of a running server's
    // is known from a manifest alone.
    let unread = roster.redo > 0 && info.redo_creator.is_none();
    let cold = roster.servers_redo(info)
        || unread && info.manifest == Some(true) && !roster.is_of_running_server();
    (cold && roster.system_tablespace()).then_some(BackupKind::Cold)
}

/// What the backup lacks: a name, or what it is and in parentheses its names.
pub(crate) fn missing(info: &BackupInfo, roster: &Roster) -> Vec<String> {
    let mut missing = Vec::new();
    let mut need = |is_there: bool, what: &str| {
        if !is_there {
            missing.push(what.to_owned());
        }
    };
    let kind = info.kind;
    let hot = roster.is_of_running_server() && kind != Some(BackupKind::Cold)
        || info.redo_creator.as_deref().is_some_and(|creator| creator.starts_with("Backup"));
    let prepared = matches!(kind, Some(BackupKind::Prepared | BackupKind::LogApplied));

    let files = info.config.as_ref().filter(|_| hot).map(super::BackupConfig::system_files);
    match files.filter(|files| !files.is_empty()) {
        Some(files) => files.iter().for_each(|file| need(roster.has_pages(file), file)),
        None => need(roster.system_tablespace(), "the system tablespace (ibdata1)"),
    }
    if hot {
        let redo = roster.has("xtrabackup_logfile") || roster.redo > 0;
        need(prepared || redo, "the redo log (xtrabackup_logfile or ib_logfile0)");
        need(roster.either("checkpoints"), "xtrabackup_checkpoints or mariadb_backup_checkpoints");
        need(roster.has("backup-my.cnf"), "backup-my.cnf");
        need(roster.either("info"), "xtrabackup_info or mariadb_backup_info");
    } else {
        need(roster.redo + roster.redo_dir > 0, "the redo log (ib_logfile0 or #innodb_redo)");
        if kind.is_none() && missing.is_empty() {
            // Compressed, without a manifest: it may be a cut backup of a running server.
            missing.push("xtrabackup_checkpoints or mariadb_backup_checkpoints".to_owned());
        }
    }
    missing.extend(missing_of_mysql_8(info, roster, hot));
    missing.extend(missing_schema(info, roster, hot));
    missing
}

/// MySQL 8 keeps its dictionary in a tablespace of its own, and undo logs in two at least.
fn missing_of_mysql_8(info: &BackupInfo, roster: &Roster, hot: bool) -> Vec<String> {
    let version = info.tool.as_ref().and_then(|tool| tool.server_version.as_deref());
    let of_version = roster.has("xtrabackup_logfile")
        && version.is_some_and(|it| it.starts_with("8.") || it.starts_with("9."));
    let mut missing = Vec::new();
    if !(roster.has_pages("mysql.ibd") || roster.redo_dir > 0 || of_version) {
        return missing;
    }
    for name in ["mysql.ibd", "undo_001", "undo_002"] {
        if !roster.has_pages(name) {
            missing.push(name.to_owned());
        }
    }
    if hot && !roster.has("xtrabackup_tablespaces") {
        missing.push("xtrabackup_tablespaces".to_owned());
    }
    missing
}

/// Without the schema `mysql` no server starts. A partial backup may lack it.
fn missing_schema(info: &BackupInfo, roster: &Roster, hot: bool) -> Vec<String> {
    let mut missing = Vec::new();
    let is_whole = !hot || info.tool.as_ref().and_then(|tool| tool.partial) == Some(false);
    if is_whole && roster.schema == 0 && !roster.has_pages("mysql.ibd") {
        missing.push("the system tables (mysql/)".to_owned());
    }
    if roster.aria > 0 {
        if !roster.has("aria_log_control") {
            missing.push("aria_log_control".to_owned());
        }
        if !roster.any(|name| name.starts_with(b"aria_log.")) {
            missing.push("the log of Aria tables (aria_log.00000001)".to_owned());
        }
    }
    missing
}

fn is_redo_file(name: &[u8]) -> bool {
    name.strip_prefix(b"ib_logfile")
        .is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

/// Names that are kept however many others there are.
fn is_known(name: &[u8]) -> bool {
    [&b"ibdata"[..], b"xtrabackup_", b"mariadb_backup_", b"aria_log", b"undo_", b"mysql.ibd"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        && name.len() <= 64
        || name == b"backup-my.cnf"
}
