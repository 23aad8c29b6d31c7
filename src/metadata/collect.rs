//! Collecting what a stream's items say of the backup in it.

use std::collections::HashMap;
use std::fmt;

use super::required::{Roster, kind_of, missing};
use super::{BackupInfo, BackupKind, MetadataFile, Naming};
use crate::codec::stack::{Codec, Growth, Unpacker, layers_of};
use crate::codec::xbcrypt::Key;
use crate::error::{Error, ErrorKind, Result, escape_path};
use crate::format::framing::MANIFEST_NAME;
use crate::format::member::{MemberId, MemberPath};
use crate::format::xbstream::Item;
use crate::limits;

/// Bytes of a redo log that are looked at.
const REDO_HEAD: usize = 64;

/// Bytes of a redo log that is compressed or encrypted: more than a block of any codec.
const CODED_HEAD: usize = 1 << 20;

/// Where a redo log's header names the program that began it, and how long that is.
const CREATOR: std::ops::Range<usize> = 16..48;

/// Bytes of a manifest that are looked at: its first line.
const MANIFEST_HEAD: usize = 4096;

/// An open member of which bytes are kept.
#[derive(Debug)]
struct Kept {
    what: What,
    path: MemberPath,
    /// Plain ones.
    bytes: Vec<u8>,
    coded: Option<Coded>,
}

/// The layers of a member, being taken off.
struct Coded {
    unpacker: Unpacker,
    /// Stored bytes so far.
    stored: u64,
}

impl fmt::Debug for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coded").field("stored", &self.stored).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    File(MetadataFile, Option<Naming>),
    Redo,
    Manifest,
}

impl What {
    /// The most bytes that are kept.
    fn limit(self) -> usize {
        match self {
            Self::File(..) => limits::METADATA_FILE,
            Self::Redo => REDO_HEAD,
            Self::Manifest => MANIFEST_HEAD,
        }
    }
}

/// Follows a stream. Memory: the metadata files while they are open, up to
/// [`limits::METADATA_FILE`] each and what their codecs need, what they say, and the names of members
/// in the root.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    open: HashMap<MemberId, Kept>,
    roster: Roster,
    info: BackupInfo,
    members: u64,
    payload_bytes: u64,
    /// Whether files that are malformed are passed over.
    lenient: bool,
    /// Of files that are encrypted each by itself.
    key: Option<Key>,
}

impl Collector {
    /// A collector for which a malformed file says nothing.
    pub(crate) fn lenient() -> Self {
        Self { lenient: true, ..Self::default() }
    }

    /// Reads files that are encrypted each by itself, by this key.
    pub(crate) fn with_key(mut self, key: Option<&Key>) -> Self {
        self.key = key.cloned();
        self
    }

    /// Takes note of an item.
    ///
    /// # Errors
    /// `Format` or `Unsupported` for a metadata file that is malformed, `Limit` for one that is
    /// too long, with its name.
    pub(crate) fn follow(&mut self, item: &Item<'_>) -> Result<()> {
        match item {
            Item::Open { id, path, rewrite } => {
                if *rewrite {
                    self.take_back(path);
                }
                self.begin(*id, path)
            }
            Item::Data { id, offset, bytes } if !self.open.is_empty() => {
                self.data(*id, *offset, bytes)
            }
            Item::Close { id, path, size } => {
                if path.as_bytes() != MANIFEST_NAME.as_bytes() {
                    self.members += 1;
                    self.payload_bytes += size;
                }
                self.roster.add(path.as_bytes());
                self.end(*id, path, *size)
            }
            Item::Rename { from, to, replaces } => {
                if *replaces {
                    self.take_back(to);
                }
                self.take_back(from);
                self.members += 1;
                self.roster.add(to.as_bytes());
                Ok(())
            }
            Item::Remove { path } => {
                self.take_back(path);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether bytes of the member are of use.
    pub(crate) fn wants(&self, id: MemberId, offset: u64) -> bool {
        self.open.get(&id).is_some_and(|kept| match kept.what {
            _ if kept.coded.is_some() => true,
            // One byte more than may be kept, to see that there are too many.
            What::File(..) => offset <= kept.what.limit() as u64,
            _ => offset < kept.what.limit() as u64,
        })
    }

    /// Whether every file that says something was seen, so that what follows can add nothing.
    pub(crate) fn is_done(&self) -> bool {
        let info = &self.info;
        let (Some(_), Some(tool), Some(_)) = (&info.checkpoints, &info.tool, &info.config) else {
            return false;
        };
        // What XtraBackup 8 writes behind them; MariaDB and 2.x write nothing behind.
        let version = tool.server_version.as_deref().unwrap_or_default();
        let last = version.contains("MariaDB") || version.starts_with("5.");
        last || info.external_tablespaces.is_some()
    }

    fn begin(&mut self, id: MemberId, path: &MemberPath) -> Result<()> {
        let name = path.as_bytes();
        let (codecs, plain) = layers_of(name);
        let what = match MetadataFile::of_name(plain) {
            Some((file, naming)) => What::File(file, naming),
            None if name == MANIFEST_NAME.as_bytes() => What::Manifest,
            None if is_first_redo(plain) => What::Redo,
            None => return Ok(()),
        };
        if codecs.contains(&Codec::Xbcrypt) && self.key.is_none() {
            self.unread(what, path);
            return Ok(());
        }
        let coded = if codecs.is_empty() {
            None
        } else {
            let unpacker = Unpacker::new(&codecs, self.key.as_ref(), Growth::default())?;
            Some(Coded { unpacker, stored: 0 })
        };
        self.open.insert(id, Kept { what, path: path.clone(), bytes: Vec::new(), coded });
        Ok(())
    }

    /// Takes note of a file whose layers cannot be taken off.
    fn unread(&mut self, what: What, path: &MemberPath) {
        let What::File(_, naming) = what else { return };
        if self.info.unread.len() < MetadataFile::COUNT * 2 {
            self.info.unread.push(escape_path(path.as_path()));
        }
        self.info.naming = self.info.naming.or(naming);
    }

    /// Takes stored bytes of a member with layers, which come one after the other.
    fn coded_data(&mut self, id: MemberId, offset: u64, bytes: &[u8]) -> Result<()> {
        let Some(mut kept) = self.open.remove(&id) else { return Ok(()) };
        let Some(coded) = &mut kept.coded else { return Ok(()) };
        if offset != coded.stored {
            let message = "a compressed or encrypted member does not go on where it was";
            return self.refuse(Error::new(ErrorKind::Format, message).at_path(&kept.path));
        }
        coded.stored += bytes.len() as u64;
        let (limit, plain) = (kept.what.limit(), &mut kept.bytes);
        let pushed = coded.unpacker.push(bytes, &mut |piece| {
            // One byte more shows that there are too many.
            let room = (limit + 1).saturating_sub(plain.len());
            plain.extend_from_slice(piece.get(..piece.len().min(room)).unwrap_or_default());
            if plain.len() > limit { Err(enough()) } else { Ok(()) }
        });
        match (kept.what, pushed) {
            (What::Redo, _) if kept.bytes.len() >= REDO_HEAD => {
                self.info.redo_creator = creator(&kept.bytes);
                Ok(())
            }
            (What::Redo, Err(_)) => Ok(()), // it says nothing then
            (What::File(file, _), Err(_)) if kept.bytes.len() > limit => {
                self.refuse(too_long(file).at_path(&kept.path))
            }
            (_, Err(error)) => self.refuse(error.at_path(&kept.path)),
            (_, Ok(())) => {
                self.open.insert(id, kept);
                Ok(())
            }
        }
    }

    /// Ends a member of `size` stored bytes, and takes what it says.
    fn coded_end(&mut self, mut kept: Kept, size: u64) -> Result<()> {
        let (What::File(file, naming), Some(coded)) = (kept.what, &mut kept.coded) else {
            return Ok(());
        };
        if size == 0 {
            // No codec makes that.
            self.unread(kept.what, &kept.path);
            return Ok(());
        }
        let ended = match coded.unpacker.finish() {
            Ok(()) if coded.stored != size => {
                let message = "a compressed or encrypted member ends in a hole";
                Err(Error::new(ErrorKind::Format, message))
            }
            ended => ended,
        };
        match ended {
            Ok(()) => self.metadata(file, naming, &escape_path(kept.path.as_path()), &kept.bytes),
            Err(error) => self.refuse(error.at_path(&kept.path)),
        }
    }

    fn data(&mut self, id: MemberId, offset: u64, bytes: &[u8]) -> Result<()> {
        let Some(kept) = self.open.get_mut(&id) else { return Ok(()) };
        if kept.coded.is_some() {
            return self.coded_data(id, offset, bytes);
        }
        let limit = kept.what.limit();
        let end = offset.saturating_add(bytes.len() as u64);
        if let What::File(file, _) = kept.what
            && end > limit as u64
        {
            self.open.remove(&id);
            return self.refuse(too_long(file));
        }
        let Ok(begin) = usize::try_from(offset) else { return Ok(()) };
        if begin >= limit {
            return Ok(());
        }
        let bytes = bytes.get(..bytes.len().min(limit - begin)).unwrap_or_default();
        let end = begin + bytes.len();
        if kept.bytes.len() < end {
            kept.bytes.resize(end, 0);
        }
        if let Some(place) = kept.bytes.get_mut(begin..end) {
            place.copy_from_slice(bytes);
        }
        Ok(())
    }

    fn end(&mut self, id: MemberId, path: &MemberPath, size: u64) -> Result<()> {
        let Some(mut kept) = self.open.remove(&id) else { return Ok(()) };
        if kept.coded.is_some() {
            return self.coded_end(kept, size);
        }
        match kept.what {
            What::Redo => {
                // An empty one was prepared away, and says nothing.
                self.info.redo_creator = (size > 0).then(|| creator(&kept.bytes)).flatten();
                Ok(())
            }
            What::Manifest => {
                self.info.manifest_tool = manifest_tool(&kept.bytes);
                Ok(())
            }
            What::File(file, naming) => {
                if size > limits::METADATA_FILE as u64 {
                    return self.refuse(too_long(file).at_path(path));
                }
                kept.bytes.resize(usize::try_from(size).unwrap_or(0), 0);
                self.metadata(file, naming, &escape_path(path.as_path()), &kept.bytes)
            }
        }
    }

    /// Takes the contents of a metadata file.
    fn metadata(
        &mut self,
        file: MetadataFile,
        naming: Option<Naming>,
        name: &str,
        bytes: &[u8],
    ) -> Result<()> {
        match self.info.take(file, naming, name, bytes) {
            Err(error) => self.refuse(error),
            Ok(()) => Ok(()),
        }
    }

    /// Takes note of a file of a directory, in the root or below it.
    pub(crate) fn file(&mut self, path: &[u8]) {
        self.roster.add(path);
    }

    /// Takes the contents of a file of a directory: all of a metadata file, the beginning of a
    /// redo log or of the manifest.
    pub(crate) fn contents(&mut self, path: &MemberPath, bytes: &[u8]) -> Result<()> {
        let id = MemberId(0);
        self.begin(id, path)?;
        let size = bytes.len() as u64;
        self.data(id, 0, bytes)?;
        self.end(id, path, size)
    }

    /// How many bytes of a file of a directory are wanted; `None` if it says nothing.
    pub(crate) fn wanted_of(path: &[u8]) -> Option<usize> {
        let (codecs, plain) = layers_of(path);
        match MetadataFile::of_name(plain) {
            Some(_) => Some(limits::METADATA_FILE),
            None if path == MANIFEST_NAME.as_bytes() => Some(MANIFEST_HEAD),
            None if is_first_redo(plain) && !codecs.is_empty() => Some(CODED_HEAD),
            None if is_first_redo(path) => Some(REDO_HEAD),
            None => None,
        }
    }

    fn refuse(&self, error: Error) -> Result<()> {
        if self.lenient { Ok(()) } else { Err(error) }
    }

    fn take_back(&mut self, path: &MemberPath) {
        self.members = self.members.saturating_sub(1);
        self.roster.remove(path.as_bytes());
        if let Some((file, _)) = MetadataFile::of_name(path.as_bytes()) {
            self.info.forget(file);
        }
        if is_first_redo(path.as_bytes()) {
            self.info.redo_creator = None;
        }
    }

    /// What was found, if nothing further can come: then also what is missing.
    pub(crate) fn finish(mut self, manifest: Option<bool>) -> BackupInfo {
        self.info.manifest = manifest;
        self.info.kind = kind_of(&self.info, &self.roster);
        self.info.missing = Some(missing(&self.info, &self.roster));
        self.info.members = Some(self.members);
        self.info.payload_bytes = Some(self.payload_bytes);
        self.into_info()
    }

    /// What was found so far.
    pub(crate) fn interrupt(mut self, manifest: Option<bool>) -> BackupInfo {
        self.info.manifest = manifest;
        self.info.kind = self.info.checkpoints.as_ref().map(|it| it.backup_type.into());
        self.into_info()
    }

    fn into_info(mut self) -> BackupInfo {
        self.info.compression = self.roster.compression();
        self.info.encrypted = self.roster.is_encrypted();
        self.info
    }
}

/// Judges whether a backup has the members that it must have.
#[derive(Debug)]
pub(crate) struct Watch {
    collector: Collector,
    required: bool,
}

impl Watch {
    /// Watches a stream; with `required`, its backup must be whole.
    pub(crate) fn new(required: bool, key: Option<&Key>) -> Self {
        let collector = if required { Collector::default() } else { Collector::lenient() };
        Self { collector: collector.with_key(key), required }
    }

    pub(crate) fn follow(&mut self, item: &Item<'_>) -> Result<()> {
        self.collector.follow(item)
    }

    /// What kind of backup the stream held, now that it has ended.
    ///
    /// # Errors
    /// `Incomplete` if members are missing that must be there, and it is to be whole.
    pub(crate) fn finish(self, manifest: bool) -> Result<Option<BackupKind>> {
        let info = self.collector.finish(Some(manifest));
        let missing = info.missing.unwrap_or_default();
        if !self.required || missing.is_empty() {
            return Ok(info.kind);
        }
        let message = format!("the backup lacks {}", missing.join(", "));
        Err(Error::new(ErrorKind::Incomplete, message)
            .hint("the backup failed or was cut, or these members are no backup of a whole server"))
    }
}

/// Ends decoding early.
fn enough() -> Error {
    Error::new(ErrorKind::Limit, "enough was decoded")
}

fn too_long(file: MetadataFile) -> Error {
    let message =
        format!("a file of this name ({file:?}) has more than {} bytes", limits::METADATA_FILE);
    Error::new(ErrorKind::Limit, message)
}

/// Whether it is the redo log whose header is looked at: in the root, stored plain.
fn is_first_redo(name: &[u8]) -> bool {
    name == b"ib_logfile0"
}

/// What the header names, where it is text: at byte 16, as all servers since 5.7 and MariaDB
/// 10.2 write it. Before, the field was for backup programs alone, and zero.
fn creator(head: &[u8]) -> Option<String> {
    let field = head.get(CREATOR)?;
    let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
    let plain = text.iter().all(|byte| (b' '..=b'~').contains(byte));
    plain.then(|| String::from_utf8_lossy(text).trim_end().to_owned())
}

/// The program that the manifest's first line names.
fn manifest_tool(head: &[u8]) -> Option<String> {
    let line = head.split(|byte| *byte == b'\n').next()?;
    let text = std::str::from_utf8(line).ok()?;
    let value: serde_json::Value = serde_json::from_str(&format!("{text}]}}")).ok()?;
    Some(value.get("tool")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Members<'m> = Vec<(&'m str, &'m [u8])>;

    fn collect(members: &[(&str, &[u8])], manifest: bool) -> BackupInfo {
        let mut collector = Collector::default();
        for (number, (name, bytes)) in (0..).zip(members) {
            let (id, path) = (MemberId(number), MemberPath::new(name.as_bytes()).unwrap());
            let open = Item::Open { id, path: path.clone(), rewrite: false };
            collector.follow(&open).unwrap();
            collector.follow(&Item::Data { id, offset: 0, bytes }).unwrap();
            let size = bytes.len() as u64;
            collector.follow(&Item::Close { id, path, size }).unwrap();
        }
        collector.finish(Some(manifest))
    }

    fn redo(creator: &str) -> Vec<u8> {
        let mut head = vec![0; 512];
        head[16..16 + creator.len()].copy_from_slice(creator.as_bytes());
        head
    }

    const FULL: &[u8] = b"backup_type = full-backuped\nfrom_lsn = 0\nto_lsn = 5\n";

    #[test]
    fn a_backup_lacks_each_member_that_is_taken_from_it() {
        let mariadb = redo("Backup 10.11.19");
        let cold = redo("MariaDB 10.11.19");
        let config: &[u8] = b"[mysqld]\ninnodb_data_file_path=ibdata1:12M:autoextend\n";
        let info: &[u8] = b"server_version = 8.0.36\npartial = N\n";
        let whole: [(&str, BackupKind, Members<'_>); 5] = [
            (
                "hot, MariaDB",
                BackupKind::Full,
                vec![
                    ("ibdata1", b"x"),
                    ("ib_logfile0", &mariadb),
                    ("mysql/db.MAI", b""),
                    ("aria_log_control", b""),
                    ("aria_log.00000001", b""),
                    ("mariadb_backup_checkpoints", FULL),
                    ("backup-my.cnf", config),
                    ("mariadb_backup_info", b"server_version = 11.4-MariaDB\npartial = N\n"),
                ],
            ),
            (
                "hot, MySQL 8, compressed",
                BackupKind::Full,
                vec![
                    ("ibdata1.zst.xbcrypt", b"x"),
                    ("mysql.ibd.zst", b""),
                    ("undo_001.zst", b""),
                    ("undo_002.zst", b""),
                    ("xtrabackup_logfile.zst", b""),
                    ("xtrabackup_checkpoints", FULL),
                    ("backup-my.cnf.zst", b""),
                    ("xtrabackup_info", info),
                    ("xtrabackup_tablespaces.zst", b""),
                ],
            ),
            (
                "incremental, 5.7",
                BackupKind::Incremental,
                vec![
                    ("ibdata1.delta.qp", b""),
                    ("ibdata1.meta", b""),
                    ("mysql/user.MYD.qp", b""),
                    ("xtrabackup_logfile.qp", b""),
                    (
                        "xtrabackup_checkpoints",
                        b"backup_type = incremental\nfrom_lsn = 3\nto_lsn = 5\n",
                    ),
                    ("backup-my.cnf", config),
                    ("xtrabackup_info", b"server_version = 5.7.44\npartial = N\n"),
                ],
            ),
            (
                "cold, MariaDB",
                BackupKind::Cold,
                vec![("ibdata1", b""), ("ib_logfile0", &cold), ("mysql/db.frm", b"")],
            ),
            (
                "cold, MySQL 8",
                BackupKind::Cold,
                vec![
                    ("ibdata1", b""),
                    ("#innodb_redo/#ib_redo7", b""),
                    ("mysql.ibd", b""),
                    ("undo_001", b""),
                    ("undo_002", b""),
                ],
            ),
        ];
        for (what, kind, members) in whole {
            let info = collect(&members, false);
            assert_eq!(info.kind, Some(kind), "{what}");
            assert_eq!(info.missing.as_deref(), Some(&[][..]), "{what}");
            for at in 0..members.len() {
                let mut fewer = members.clone();
                let (name, _) = fewer.remove(at);
                if name == "ibdata1.meta" {
                    continue;
                }
                let missing = collect(&fewer, false).missing.unwrap();
                assert!(!missing.is_empty(), "{what} without {name}");
            }
        }
    }

    #[test]
    fn a_cut_copy_of_a_running_server_is_not_taken_for_a_cold_one() {
        let hot = redo("Backup 10.11.19");
        let info = collect(&[("ibdata1", b""), ("ib_logfile0", &hot), ("mysql/x", b"")], true);
        assert_eq!(info.kind, None);
        let missing = info.missing.unwrap().join(", ");
        assert!(missing.contains("mariadb_backup_checkpoints"), "{missing}");

        let packed: [(&str, &[u8]); 3] =
            [("ibdata1", b""), ("ib_logfile0.qp", b""), ("mysql/x", b"")];
        assert!(!collect(&packed, false).missing.unwrap().is_empty());
        let info = collect(&packed, true);
        assert_eq!((info.kind, info.missing), (Some(BackupKind::Cold), Some(vec![])));
    }

    #[test]
    fn a_file_that_is_too_long_is_refused_and_not_kept() {
        let mut collector = Collector::default();
        let (id, path) = (MemberId(0), MemberPath::new(b"xtrabackup_info").unwrap());
        collector.follow(&Item::Open { id, path, rewrite: false }).unwrap();
        let piece = vec![b'a'; 1 << 20];
        let error = (0..64_u64)
            .find_map(|n| {
                collector.follow(&Item::Data { id, offset: n << 20, bytes: &piece }).err()
            })
            .unwrap();
        assert_eq!(error.kind(), ErrorKind::Limit);
        // A hole costs nothing until it ends.
        let mut collector = Collector::default();
        let path = MemberPath::new(b"xtrabackup_info").unwrap();
        collector.follow(&Item::Open { id, path: path.clone(), rewrite: false }).unwrap();
        let error = collector.follow(&Item::Close { id, path, size: 1 << 40 }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
    }

    #[test]
    fn what_a_stream_takes_back_is_not_known() {
        let mut collector = Collector::default();
        let (id, path) = (MemberId(0), MemberPath::new(b"xtrabackup_checkpoints").unwrap());
        collector.follow(&Item::Open { id, path: path.clone(), rewrite: false }).unwrap();
        collector.follow(&Item::Data { id, offset: 0, bytes: FULL }).unwrap();
        let size = FULL.len() as u64;
        collector.follow(&Item::Close { id, path: path.clone(), size }).unwrap();
        collector.follow(&Item::Remove { path }).unwrap();
        let info = collector.finish(None);
        assert_eq!((info.kind, info.members), (None, Some(0)));
    }
}
