//! What of a data directory goes into a cold backup, and under which names.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Backup;
use crate::create::run::{Content, Task};
use crate::error::{Error, ErrorKind, Result};
use crate::format::member::MemberPath;
use crate::limits;
use crate::sys::dir::{self, WalkKind};
use crate::sys::file::{self, Fingerprint, Identity};

/// Everything to be copied: what lies outside the data directory first, then the rest by name.
pub(super) fn plan(backup: &Backup) -> Result<Vec<Task>> {
    let mut plan = Plan { datadir: &backup.datadir, tasks: Vec::new(), above: Vec::new() };
    plan.system_tablespace(backup)?;
    let is_undo = |name: &[u8]| name.starts_with(b"undo") || name.ends_with(b".ibu");
    let is_aria_log = |name: &[u8]| name.starts_with(b"aria_log");
    for (dir, is_wanted) in [
        (&backup.undo_dir, &is_undo as &dyn Fn(&[u8]) -> bool),
        (&backup.log_dir, &is_redo_log),
        (&backup.aria_log_dir, &is_aria_log),
    ] {
        if let Some(dir) = dir {
            plan.named(dir, is_wanted)?;
        }
    }
    plan.walk(&backup.datadir, b"")?;
    plan.check_redo_log()?;
    Ok(plan.tasks)
}

/// Fails if anything in the directory is not as it was planned.
pub(super) fn check_unchanged(backup: &Backup, planned: &[Task]) -> Result<()> {
    let now = plan(backup)?;
    let changed = planned.iter().zip(&now).find(|(then, now)| then != now);
    let (then, now) = match changed {
        Some((then, now)) => (Some(then), Some(now)),
        None => (planned.get(now.len()), now.get(planned.len())),
    };
    let Some(task) = then.or(now) else { return Ok(()) };
    let message = "the data directory changed while it was being copied, here at the latest";
    Err(Error::new(ErrorKind::FileChanged, message)
        .at_path(backup.datadir.join(&task.member))
        .hint("stop what writes to it, and start again"))
}

/// Whether a file or directory of this name is a redo log: that of MySQL 8.0.30 and later is a
/// directory.
fn is_redo_log(name: &[u8]) -> bool {
    name.starts_with(b"ib_logfile") || name == b"#innodb_redo"
}

struct Plan<'b> {
    datadir: &'b Path,
    tasks: Vec<Task>,
    /// The directories around the one being walked, to notice symlinks that lead in a circle.
    above: Vec<Identity>,
}

impl Plan<'_> {
    /// Adds the system tablespace's files outside the data directory, by their own names.
    fn system_tablespace(&mut self, backup: &Backup) -> Result<()> {
        for name in &backup.system_files {
            let path = backup.home().join(name);
            if !path.parent().is_some_and(|dir| dir::is_within(dir, &backup.datadir)) {
                let base = name.file_name().unwrap_or(name.as_os_str());
                self.add(base.as_bytes(), path, None)?;
            }
        }
        self.named(backup.home(), &|name| name.starts_with(b"ibdata"))
    }

    /// Adds the entries of a directory that are wanted. What lies within the data directory
    /// is left to the walk, which keeps its place.
    fn named(&mut self, dir: &Path, is_wanted: &dyn Fn(&[u8]) -> bool) -> Result<()> {
        if dir::is_within(dir, self.datadir) {
            return Ok(());
        }
        for entry in list(dir)? {
            let name = entry.name.as_bytes();
            let known = self.tasks.iter().any(|task| task.member.as_bytes() == name);
            if !known && is_wanted(name) {
                self.entry(dir, name, &entry)?;
            }
        }
        Ok(())
    }

    /// Without its redo log a crashed server cannot recover, and looks fine until it is started.
    fn check_redo_log(&self) -> Result<()> {
        // In the root, or where innodb_log_group_home_dir has it within the data directory.
        let is_redo = |task: &Task| task.member.as_bytes().split(|b| *b == b'/').any(is_redo_log);
        if self.tasks.iter().any(is_redo) {
            return Ok(());
        }
        let message = "the data directory holds no redo log (ib_logfile0 or #innodb_redo)";
        Err(Error::new(ErrorKind::NotFound, message)
            .at_path(self.datadir)
            .hint("if innodb_log_group_home_dir puts it elsewhere, name that directory too"))
    }

    /// Adds what is in `dir`, which is `prefix` in the stream. Gives whether that was anything.
    fn walk(&mut self, dir: &Path, prefix: &[u8]) -> Result<bool> {
        let before = self.tasks.len();
        for entry in list(dir)? {
            let name = entry.name.as_bytes();
            let member =
                if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() };
            self.entry(dir, &member, &entry)?;
        }
        Ok(self.tasks.len() > before)
    }

    fn entry(&mut self, dir: &Path, member: &[u8], entry: &dir::WalkEntry) -> Result<()> {
        let path = dir.join(&entry.name);
        let top = !member.contains(&b'/');
        let refuse =
            |what: &'static str| Err(Error::new(ErrorKind::Unsupported, what).at_path(&path));
        match entry.kind {
            _ if top && is_unfinished_mark(member) => Err(Error::new(
                ErrorKind::InvalidState,
                "an extraction into this directory did not finish, so it holds no whole backup",
            )
            .at_path(&path)),
            WalkKind::File { .. } if top && is_left_out_file(member) => Ok(()),
            WalkKind::File { .. } if member.ends_with(b".isl") => self.link_file(member, &path),
            WalkKind::File { facts } => self.add(member, path, Some(facts)),
            WalkKind::Directory { .. } if top && is_left_out_dir(member) => Ok(()),
            WalkKind::Directory { identity } => {
                if self.above.contains(&identity) {
                    return refuse("symlinks lead in a circle here");
                }
                self.above.push(identity);
                let any = self.walk(&path, member)?;
                self.above.pop();
                // A stream has no directories; XtraBackup keeps an empty database the same way.
                if !any && top && !member.starts_with(b"#") && !member.starts_with(b".") {
                    let db_opt = MemberPath::new(&[member, b"/db.opt"].concat())?;
                    self.tasks.push(Task { member: db_opt, content: Content::Bytes(Vec::new()) });
                }
                Ok(())
            }
            WalkKind::Socket => Ok(()),
            WalkKind::Dangling => {
                Err(Error::new(ErrorKind::NotFound, "a symlink that leads nowhere")
                    .at_path(&path)
                    .hint("mount what it leads to, or remove it"))
            }
            WalkKind::Other => refuse("neither a file nor a directory, so it cannot be backed up"),
        }
    }

    /// Adds the tablespace that an `.isl` file names, in its place.
    fn link_file(&mut self, member: &[u8], path: &Path) -> Result<()> {
        let link = file::read_small(path, limits::LINK_FILE).map_err(|error| {
            Error::io(ErrorKind::Source, "reading the link file", error).at_path(path)
        })?;
        let target = self.datadir.join(OsStr::from_bytes(link.trim_ascii_end()));
        let stem = member.strip_suffix(b".isl").unwrap_or(member);
        let local = path.with_extension("ibd");
        if dir::exists(&local) && !dir::is_same(&local, &target) {
            return Err(Error::new(
                ErrorKind::Exists,
                "this file and the one that its .isl names both exist, and only the server knows \
                 which one is the table",
            )
            .at_path(local)
            .hint("remove the stale one"));
        }
        if dir::exists(&local) {
            return Ok(()); // walked like any other
        }
        self.add(&[stem, b".ibd"].concat(), target, None)
    }

    fn add(&mut self, member: &[u8], path: PathBuf, facts: Option<Fingerprint>) -> Result<()> {
        let member = MemberPath::new(member)?;
        let facts = facts.or_else(|| file::fingerprint_of(&path));
        self.tasks.push(Task { member, content: Content::File { path, facts } });
        Ok(())
    }
}

fn list(dir: &Path) -> Result<Vec<dir::WalkEntry>> {
    dir::list_resolved(dir)
        .map_err(|error| Error::io(ErrorKind::Source, "listing the directory", error).at_path(dir))
}

fn is_unfinished_mark(name: &[u8]) -> bool {
    name == b".xbkit-partial" || name == b".xbkit-incomplete"
}

/// Files in the root that a copy is better without. Databases may have such names.
fn is_left_out_file(name: &[u8]) -> bool {
    let of_backup = |stem: &[u8]| {
        name.starts_with(stem) && (name.ends_with(b"_checkpoints") || name.ends_with(b"_info"))
    };
    // Of a server that runs; temporary tablespaces, which it makes anew when it starts.
    name.ends_with(b".pid")
        || name.ends_with(b".sock.lock")
        || name.starts_with(b"ibtmp")
        // What this directory was restored from is not what it is now.
        || name == b"xbkit_manifest.json"
        || of_backup(b"xtrabackup_")
        || of_backup(b"mariadb_backup_")
}

/// Directories in the root that hold temporary files only, and the one of the file system.
fn is_left_out_dir(name: &[u8]) -> bool {
    matches!(name, b"#innodb_temp" | b"#binlog_cache_files" | b"lost+found")
}
