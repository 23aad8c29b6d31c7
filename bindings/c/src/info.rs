//! What backup a stream or a directory holds.

use std::ffi::{CString, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use xbkit_core::metadata::Naming;
use xbkit_core::options::Job;
use xbkit_core::{BackupInfo, BackupKind, Info};

use crate::error::{Failure, xbk_error};
use crate::guard::{self, Gate, text};
use crate::io::{ReadCallback, borrow_fd, xbk_read_fn};
use crate::observer::{Watcher, xbk_observer};
use crate::options::{JobOptions, xbk_options};
use crate::status::{XBK_OK, xbk_status};

/// Text: "full", "incremental", "cold", "prepared" or "log-applied".
pub const XBK_INFO_KIND: u32 = 1;
/// Text: how it names its files, "xtrabackup" or "mariadb_backup".
pub const XBK_INFO_NAMING: u32 = 2;
/// Text: the server's version.
pub const XBK_INFO_SERVER_VERSION: u32 = 3;
/// Text: the program that took the backup.
pub const XBK_INFO_TOOL_NAME: u32 = 4;
/// Text: that program's version.
pub const XBK_INFO_TOOL_VERSION: u32 = 5;
/// Text: when it began, "YYYY-MM-DD HH:MM:SS" in the zone of its machine.
pub const XBK_INFO_START_TIME: u32 = 6;
/// Text: when it ended, likewise.
pub const XBK_INFO_END_TIME: u32 = 7;
/// Text: the file of the position in the server's binary log.
pub const XBK_INFO_BINLOG_FILE: u32 = 8;
/// Text: the GTID, or set of GTIDs, at that position.
pub const XBK_INFO_GTID: u32 = 9;
/// Text: the UUID of the position in a Galera cluster.
pub const XBK_INFO_GALERA_UUID: u32 = 10;
/// Text: the statements that make the restored server a replica of the same source.
pub const XBK_INFO_REPLICA_STATEMENTS: u32 = 11;
/// Number: the LSN that the backup begins at; 0 for a full one.
pub const XBK_INFO_FROM_LSN: u32 = 40;
/// Number: the LSN that an incremental backup on this one begins at.
pub const XBK_INFO_TO_LSN: u32 = 41;
/// Number: the end of the copied redo.
pub const XBK_INFO_LAST_LSN: u32 = 42;
/// Number: the offset in the binary log, in bytes.
pub const XBK_INFO_BINLOG_POSITION: u32 = 43;
/// Number: the last transaction of the position in a Galera cluster.
pub const XBK_INFO_GALERA_SEQNO: u32 = 44;
/// Number: InnoDB's page size, in bytes.
pub const XBK_INFO_PAGE_SIZE: u32 = 45;
/// Number: members, where all of a stream was seen.
pub const XBK_INFO_MEMBERS: u32 = 46;
/// Number: bytes of the members, where all of a stream was seen.
pub const XBK_INFO_PAYLOAD_BYTES: u32 = 47;
/// Number, 1 or 0: whether members are compressed.
pub const XBK_INFO_COMPRESSED: u32 = 48;
/// Number, 1 or 0: whether members are encrypted.
pub const XBK_INFO_ENCRYPTED: u32 = 49;
/// Number, 1 or 0: whether the stream announces a manifest, or the directory holds one.
pub const XBK_INFO_MANIFEST: u32 = 50;
/// Number, 1 or 0: whether the stream was proven complete; unknown if its contents were not read.
pub const XBK_INFO_PROVEN: u32 = 51;
/// Number: how many things a backup of a whole server has that this lacks; xbk_info_json() names
/// them. Unknown if not all was seen.
pub const XBK_INFO_MISSING: u32 = 52;

/// What is known of a backup. Given by xbk_info_from_fd() and its like, owned by the caller, who
/// frees it by xbk_info_free(). Nothing in it changes.
/// Thread safety: may be read by several threads at once.
pub struct xbk_info {
    info: BackupInfo,
    texts: Vec<(u32, CString)>,
    json: CString,
}

impl From<BackupInfo> for xbk_info {
    fn from(info: BackupInfo) -> Self {
        let tool = info.tool.as_ref();
        let binlog = info.binlog_position();
        let texts = [
            (XBK_INFO_KIND, info.kind.map(|kind| BackupKind::name(kind).to_owned())),
            (XBK_INFO_NAMING, info.naming.map(|naming| Naming::prefix(naming).to_owned())),
            (XBK_INFO_SERVER_VERSION, info.server_version().map(str::to_owned)),
            (XBK_INFO_TOOL_NAME, tool.and_then(|it| it.tool_name.clone())),
            (XBK_INFO_TOOL_VERSION, tool.and_then(|it| it.tool_version.clone())),
            (XBK_INFO_START_TIME, tool.and_then(|it| it.start_time.clone())),
            (XBK_INFO_END_TIME, tool.and_then(|it| it.end_time.clone())),
            (XBK_INFO_BINLOG_FILE, binlog.as_ref().map(|it| it.file.clone())),
            (XBK_INFO_GTID, binlog.and_then(|it| it.gtid)),
            (XBK_INFO_GALERA_UUID, info.galera.as_ref().map(|it| it.uuid.clone())),
            (XBK_INFO_REPLICA_STATEMENTS, info.replica.as_ref().map(|it| it.statements.clone())),
        ];
        let texts =
            texts.into_iter().filter_map(|(field, value)| Some((field, text(value?)))).collect();
        let json = text(info.to_json());
        Self { info, texts, json }
    }
}

impl xbk_info {
    fn number(&self, field: u32) -> Option<u64> {
        let info = &self.info;
        let flag = |is: bool| Some(u64::from(is));
        match field {
            XBK_INFO_FROM_LSN => info.from_lsn(),
            XBK_INFO_TO_LSN => info.to_lsn(),
            XBK_INFO_LAST_LSN => info.checkpoints.as_ref()?.last_lsn,
            XBK_INFO_BINLOG_POSITION => Some(info.binlog_position()?.position),
            XBK_INFO_GALERA_SEQNO => u64::try_from(info.galera.as_ref()?.seqno).ok(),
            XBK_INFO_PAGE_SIZE => info.config.as_ref()?.page_size,
            XBK_INFO_MEMBERS => info.members,
            XBK_INFO_PAYLOAD_BYTES => info.payload_bytes,
            XBK_INFO_COMPRESSED => flag(!info.compression.is_empty()),
            XBK_INFO_ENCRYPTED => flag(info.encrypted),
            XBK_INFO_MANIFEST => info.manifest.map(u64::from),
            XBK_INFO_PROVEN => info.proven.map(u64::from),
            XBK_INFO_MISSING => Some(info.missing.as_ref()?.len() as u64),
            _ => None,
        }
    }
}

/// The job as the options and the observer say.
fn job(
    options: *const xbk_options,
    observer: *const xbk_observer,
) -> Result<(Info, Watcher), Failure> {
    let mut watcher = Watcher::read(observer)?;
    let options = JobOptions::read(options, Job::Info)?;
    let mut job = Info::new();
    if let Some(key) = options.key()? {
        job = job.key(key);
    }
    if let Some(token) = options.cancel_or(watcher.cancel.take())? {
        job = job.cancel(token);
    }
    Ok((job, watcher))
}

/// Says what backup a stream holds. Of a regular file without compression around it, from the
/// descriptor's position on, headers and a few small members are read and all else is passed over,
/// and the position stays. Anything else is read and verified to its end, a stream without a
/// manifest only until nothing more can be learned. What is missing is unknown and no error.
/// Descriptors that are pipes or sockets are never blocked in for long, so a cancel takes at most
/// 200 ms; the descriptor keeps its flags, and stays open.
/// \param options   may be NULL; XBK_OPT_KEY
/// \param fd        where the stream comes from; borrowed
/// \param observer  may be NULL
/// \param info      must not be NULL; free it by xbk_info_free()
/// \param err       may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_INVALID_ARGUMENT for options; XBK_E_FORMAT, XBK_E_TRUNCATED,
///         XBK_E_CHECKSUM, XBK_E_UNSAFE_PATH, XBK_E_DECOMPRESS, XBK_E_LIMIT with the stream offset,
///         or with the member's name for one that should say something and is malformed;
///         XBK_E_SOURCE; XBK_E_CANCELLED
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_info_from_fd(
    options: *const xbk_options,
    fd: c_int,
    observer: *const xbk_observer,
    info: *mut *mut xbk_info,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_info_from_fd", err, || {
        let place = guard::out!(info);
        let (job, mut watcher) = job(options, observer)?;
        let found = job.run_fd(borrow_fd(fd)?, &mut watcher)?;
        *place = guard::into_raw(found.into());
        Ok(XBK_OK)
    })
}

/// The same with a callback that gives the stream, on this thread, with user. It may be called no
/// more before the stream's end.
/// \param options   may be NULL; XBK_OPT_KEY
/// \param read_fn   must not be NULL
/// \param user      handed to read_fn; may be NULL
/// \param observer  may be NULL
/// \param info      must not be NULL; free it by xbk_info_free()
/// \param err       may be NULL; set only when the result is < 0
/// \return as xbk_info_from_fd(); XBK_E_CALLBACK if the callback returned a negative number
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_info_from_cb(
    options: *const xbk_options,
    read_fn: xbk_read_fn,
    user: *mut c_void,
    observer: *const xbk_observer,
    info: *mut *mut xbk_info,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_info_from_cb", err, || {
        let place = guard::out!(info);
        let gate = Arc::new(Gate::new(true));
        let mut stream = ReadCallback::new(read_fn, user, Arc::clone(&gate), None)?;
        let (job, mut watcher) = job(options, observer)?;
        let found = job
            .run(&mut stream, &mut watcher)
            .map_err(|error| gate.explain(Failure::from(error)))?;
        *place = guard::into_raw(found.into());
        Ok(XBK_OK)
    })
}

/// Says what backup a directory holds: one that was extracted, or a server's data directory.
/// \param options  may be NULL; XBK_OPT_KEY
/// \param dir      must not be NULL
/// \param info     must not be NULL; free it by xbk_info_free()
/// \param err      may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_INVALID_ARGUMENT for options; XBK_E_INVALID_STATE if an extraction into
///         it did not finish; XBK_E_NOT_FOUND, XBK_E_PERMISSION, XBK_E_SOURCE; XBK_E_FORMAT,
///         XBK_E_UNSUPPORTED, XBK_E_LIMIT with the file that is malformed; XBK_E_CANCELLED
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_info_from_dir(
    options: *const xbk_options,
    dir: *const c_char,
    info: *mut *mut xbk_info,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_info_from_dir", err, || {
        let place = guard::out!(info);
        let dir = OsStr::from_bytes(guard::string!(dir));
        let (job, _) = job(options, std::ptr::null())?;
        let found = job.run_dir(dir)?;
        *place = guard::into_raw(found.into());
        Ok(XBK_OK)
    })
}

/// A text of what is known.
/// \param info   may be NULL, which gives NULL
/// \param field  XBK_INFO_KIND to XBK_INFO_REPLICA_STATEMENTS
/// \return a UTF-8 string of info, which may hold line feeds; NULL if it is unknown, or the field
///         is none or no text
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_info_text(info: *const xbk_info, field: u32) -> *const c_char {
    guard::value("xbk_info_text", std::ptr::null(), || {
        guard::peek!(info)
            .and_then(|it| it.texts.iter().find(|(known, _)| *known == field))
            .map_or(std::ptr::null(), |(_, value)| value.as_ptr())
    })
}

/// A number of what is known.
/// \param info    may be NULL, which gives 0
/// \param field   XBK_INFO_FROM_LSN to XBK_INFO_MISSING
/// \param number  set if the result is 1; may be NULL
/// \return 1 if it is known; 0 if not, or if the field is none or no number
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_info_number(
    info: *const xbk_info,
    field: u32,
    number: *mut u64,
) -> i32 {
    guard::value("xbk_info_number", 0, || {
        guard::give!(number, guard::peek!(info).and_then(|it| it.number(field)))
    })
}

/// All that is known, as one JSON object whose keys the documentation of the Rust library lists;
/// null for what is unknown. Further keys may come.
/// \param info  may be NULL, which gives NULL
/// \return a UTF-8 string of info
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_info_json(info: *const xbk_info) -> *const c_char {
    guard::value("xbk_info_json", std::ptr::null(), || {
        guard::peek!(info).map_or(std::ptr::null(), |it| it.json.as_ptr())
    })
}

/// Frees what is known.
/// \param info  may be NULL; otherwise exactly once
/// Thread safety: no other thread may still use it. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_info_free(info: *mut xbk_info) {
    guard::value("xbk_info_free", (), || guard::free!(info));
}
