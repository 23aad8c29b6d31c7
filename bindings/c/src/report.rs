//! What a job did.

use std::ffi::{CString, c_char};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use serde_json::{Map, Value};
use xbkit_core::pages::Tally;
use xbkit_core::{
    BackupKind, CatReport, CheckReport, ConvertReport, CreateReport, ExtractReport, PrepareReport,
    RestoreReport, ServerReport, StreamReport,
};

use crate::guard::{self, text};
use crate::status::{XBK_OK, xbk_status};

/// Text, server backup: the file of the position in the server's binary log, if it has one.
pub const XBK_REPORT_BINLOG_FILE: u32 = 1;
/// Text, server backup: the GTID at that position; may be empty.
pub const XBK_REPORT_GTID: u32 = 2;
/// Text, prepare: the program that recovered; none if the backup was prepared already.
pub const XBK_REPORT_SERVER_PROGRAM: u32 = 3;
/// Text, prepare: errors that the server logged and that concern neither InnoDB nor Aria, a line
/// each.
pub const XBK_REPORT_WARNINGS: u32 = 4;
/// Number, server backup: the offset in the binary log, in bytes.
pub const XBK_REPORT_BINLOG_POSITION: u32 = 40;
/// Number, server backup: the LSN of the checkpoint that recovery begins with.
pub const XBK_REPORT_FROM_LSN: u32 = 41;
/// Number, server backup: the LSN of the server's newest checkpoint at the end.
pub const XBK_REPORT_TO_LSN: u32 = 42;
/// Number, server backup: the LSN at which the copied redo ends.
pub const XBK_REPORT_LAST_LSN: u32 = 43;
/// Number, server backup: how long writes to tables without transactions waited, in microseconds.
pub const XBK_REPORT_FLUSH_US: u32 = 44;
/// Number, server backup: how long DDL waited, in microseconds.
pub const XBK_REPORT_BLOCK_DDL_US: u32 = 45;
/// Number, server backup: how long commits waited, in microseconds.
pub const XBK_REPORT_BLOCK_COMMIT_US: u32 = 46;
/// Number, server backup: pages that the server was just writing, and that were read again.
pub const XBK_REPORT_TORN_PAGES: u32 = 47;
/// Number, 1 or 0, restore: whether it was a hot backup, which a server recovered.
pub const XBK_REPORT_RECOVERED: u32 = 48;

/// Names of the fields in xbk_report_json().
const FIELDS: [(u32, &str); 13] = [
    (XBK_REPORT_BINLOG_FILE, "binlog_file"),
    (XBK_REPORT_GTID, "gtid"),
    (XBK_REPORT_SERVER_PROGRAM, "server_program"),
    (XBK_REPORT_WARNINGS, "warnings"),
    (XBK_REPORT_BINLOG_POSITION, "binlog_position"),
    (XBK_REPORT_FROM_LSN, "from_lsn"),
    (XBK_REPORT_TO_LSN, "to_lsn"),
    (XBK_REPORT_LAST_LSN, "last_lsn"),
    (XBK_REPORT_FLUSH_US, "flush_us"),
    (XBK_REPORT_BLOCK_DDL_US, "block_ddl_us"),
    (XBK_REPORT_BLOCK_COMMIT_US, "block_commit_us"),
    (XBK_REPORT_TORN_PAGES, "torn_pages"),
    (XBK_REPORT_RECOVERED, "recovered"),
];

/// What a job did. Given by a job that succeeded, owned by its caller, who frees it by
/// xbk_report_free(). Nothing in it changes.
/// Thread safety: may be read by several threads at once.
#[derive(Default)]
pub struct xbk_report {
    members: u64,
    skipped: u64,
    payload_bytes: u64,
    stream_bytes: u64,
    proven: bool,
    backup: Option<CString>,
    pages: Tally,
    unchecked_pages: u64,
    texts: Vec<(u32, CString)>,
    numbers: Vec<(u32, u64)>,
    json: CString,
}

impl xbk_report {
    fn to_json(&self) -> String {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| {
            object.insert(key.to_owned(), value);
        };
        put("members", self.members.into());
        put("skipped", self.skipped.into());
        put("payload_bytes", self.payload_bytes.into());
        put("stream_bytes", self.stream_bytes.into());
        put("proven", self.proven.into());
        put("backup", self.backup.as_ref().map(|kind| kind.to_string_lossy()).into());
        put("pages", self.pages.pages.into());
        put("damaged_pages", self.pages.bad.into());
        put("unchecked_pages", self.unchecked_pages.into());
        for (field, name) in FIELDS {
            let text = self.texts.iter().find(|(known, _)| *known == field);
            let number = self.numbers.iter().find(|(known, _)| *known == field);
            match (text, number) {
                (Some((_, text)), _) => put(name, text.to_string_lossy().into()),
                (None, Some((_, number))) => put(name, (*number).into()),
                (None, None) => {}
            }
        }
        Value::Object(object).to_string()
    }
}

/// Where a caller wants a report, if it does: NULL until there is one.
pub(crate) struct Place(*mut *mut xbk_report);

impl Place {
    pub(crate) fn new(report: *mut *mut xbk_report) -> Self {
        let place = Self(report);
        place.put(std::ptr::null_mut());
        place
    }

    /// Gives the report: the job succeeded.
    pub(crate) fn give(&self, report: impl Into<xbk_report>) -> xbk_status {
        if !self.0.is_null() {
            let mut report = report.into();
            report.json = text(report.to_json());
            self.put(guard::into_raw(report));
        }
        XBK_OK
    }

    fn put(&self, report: *mut xbk_report) {
        let place = self.0;
        // SAFETY: by the header's contract the pointer is NULL or may be written to.
        if let Some(place) = unsafe { place.as_mut() } {
            *place = report;
        }
    }
}

impl From<CreateReport> for xbk_report {
    fn from(report: CreateReport) -> Self {
        Self {
            members: report.members,
            payload_bytes: report.payload_bytes,
            stream_bytes: report.stream_bytes,
            unchecked_pages: report.pages.unchecked_pages(),
            pages: report.pages,
            ..Self::default()
        }
    }
}

impl From<CheckReport> for xbk_report {
    fn from(report: CheckReport) -> Self {
        Self {
            members: report.files,
            payload_bytes: report.bytes,
            stream_bytes: report.bytes,
            unchecked_pages: report.pages.unchecked_pages(),
            pages: report.pages,
            ..Self::default()
        }
    }
}

impl From<ConvertReport> for xbk_report {
    fn from(report: ConvertReport) -> Self {
        Self {
            members: report.members,
            payload_bytes: report.payload_bytes,
            stream_bytes: report.stream_bytes,
            proven: report.proven,
            ..Self::default()
        }
    }
}

impl From<ExtractReport> for xbk_report {
    fn from(report: ExtractReport) -> Self {
        Self {
            members: report.members,
            skipped: report.skipped,
            payload_bytes: report.payload_bytes,
            stream_bytes: report.stream_bytes,
            proven: report.proven,
            backup: report.backup.map(|kind| text(BackupKind::name(kind))),
            ..Self::default()
        }
    }
}

impl From<ServerReport> for xbk_report {
    fn from(report: ServerReport) -> Self {
        let mut numbers = vec![
            (XBK_REPORT_FROM_LSN, report.from_lsn),
            (XBK_REPORT_TO_LSN, report.to_lsn),
            (XBK_REPORT_LAST_LSN, report.last_lsn),
            (XBK_REPORT_FLUSH_US, micros(report.times.flush)),
            (XBK_REPORT_BLOCK_DDL_US, micros(report.times.block_ddl)),
            (XBK_REPORT_BLOCK_COMMIT_US, micros(report.times.block_commit)),
            (XBK_REPORT_TORN_PAGES, report.torn_pages),
        ];
        let mut texts = Vec::new();
        if let Some(position) = &report.position {
            texts.push((XBK_REPORT_BINLOG_FILE, text(&position.file)));
            texts.push((XBK_REPORT_GTID, text(&position.gtid)));
            numbers.push((XBK_REPORT_BINLOG_POSITION, position.offset));
        }
        Self { texts, numbers, ..Self::from(report.created) }
    }
}

impl From<PrepareReport> for xbk_report {
    fn from(report: PrepareReport) -> Self {
        let program = report.server.map(|path| text(path.as_os_str().as_bytes()));
        let mut texts: Vec<_> =
            program.into_iter().map(|path| (XBK_REPORT_SERVER_PROGRAM, path)).collect();
        if !report.warnings.is_empty() {
            texts.push((XBK_REPORT_WARNINGS, text(report.warnings.join("\n"))));
        }
        Self { texts, ..Self::default() }
    }
}

impl From<RestoreReport> for xbk_report {
    fn from(report: RestoreReport) -> Self {
        let numbers = vec![(XBK_REPORT_RECOVERED, u64::from(report.recovered))];
        Self { numbers, ..Self::from(report.extracted) }
    }
}

/// Of files that were put back, the number.
impl From<u64> for xbk_report {
    fn from(members: u64) -> Self {
        Self { members, ..Self::default() }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl From<CatReport> for xbk_report {
    fn from(report: CatReport) -> Self {
        Self {
            members: 1,
            payload_bytes: report.size,
            stream_bytes: report.stream_bytes,
            proven: report.proven,
            ..Self::default()
        }
    }
}

impl From<StreamReport> for xbk_report {
    fn from(report: StreamReport) -> Self {
        Self {
            members: report.members,
            payload_bytes: report.payload_bytes,
            stream_bytes: report.stream_bytes,
            proven: report.proven,
            backup: report.backup.map(|kind| text(BackupKind::name(kind))),
            unchecked_pages: report.pages.unchecked_pages(),
            pages: report.pages,
            ..Self::default()
        }
    }
}

/// Members written to the stream, extracted, seen, or put back; the manifest is not counted.
/// \param report  may be NULL, which gives 0
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_report_members(report: *const xbk_report) -> u64 {
    guard::value("xbk_report_members", 0, || guard::peek!(report).map_or(0, |it| it.members))
}

/// Members that no pattern asked for; they were verified all the same. 0 except for extraction.
/// \param report  may be NULL, which gives 0
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_report_skipped(report: *const xbk_report) -> u64 {
    guard::value("xbk_report_skipped", 0, || guard::peek!(report).map_or(0, |it| it.skipped))
}

/// Bytes of the members, holes included.
/// \param report  may be NULL, which gives 0
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_report_payload_bytes(report: *const xbk_report) -> u64 {
    guard::value("xbk_report_payload_bytes", 0, || {
        guard::peek!(report).map_or(0, |it| it.payload_bytes)
    })
}

/// Bytes of the stream as they passed the descriptor or callback: compressed, if there was an
/// outer layer around what was read.
/// \param report  may be NULL, which gives 0
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_report_stream_bytes(report: *const xbk_report) -> u64 {
    guard::value("xbk_report_stream_bytes", 0, || {
        guard::peek!(report).map_or(0, |it| it.stream_bytes)
    })
}

/// Whether the stream was proven to be complete and unchanged, which needs a manifest in it.
/// \param report  may be NULL, which gives 0
/// \return 1 or 0; 0 for create and backup
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_report_proven(report: *const xbk_report) -> i32 {
    guard::value("xbk_report_proven", 0, || {
        guard::peek!(report).map_or(0, |it| i32::from(it.proven))
    })
}

/// What kind of backup the stream holds, as far as its members tell: "full", "incremental", "cold",
/// "prepared" or "log-applied".
/// \param report  may be NULL, which gives NULL
/// \return a string of report, or NULL if that is unknown, and for create, backup and cat
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_report_backup(report: *const xbk_report) -> *const c_char {
    guard::value("xbk_report_backup", std::ptr::null(), || {
        guard::peek!(report)
            .and_then(|it| it.backup.as_ref())
            .map_or(std::ptr::null(), |kind| kind.as_ptr())
    })
}

/// Pages of tablespaces that were looked at: by a check, by a backup, and by a verification with
/// XBK_OPT_PAGES.
/// \param report  may be NULL, which gives 0
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_report_pages(report: *const xbk_report) -> u64 {
    guard::value("xbk_report_pages", 0, || guard::peek!(report).map_or(0, |it| it.pages.pages))
}

/// Those of them that are not what the server wrote: of a backup with XBK_OPT_LOG_PAGE_CORRUPTION,
/// as other jobs fail then.
/// \param report  may be NULL, which gives 0
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_report_damaged_pages(report: *const xbk_report) -> u64 {
    guard::value("xbk_report_damaged_pages", 0, || {
        guard::peek!(report).map_or(0, |it| it.pages.bad)
    })
}

/// Those of them that nothing can tell whether they are right: encrypted by MySQL, without
/// checksum, compressed by older MariaDB, in the doublewrite buffer. A backup of a running server
/// reads them twice, until they are alike.
/// \param report  may be NULL, which gives 0
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_report_unchecked_pages(report: *const xbk_report) -> u64 {
    guard::value("xbk_report_unchecked_pages", 0, || {
        guard::peek!(report).map_or(0, |it| it.unchecked_pages)
    })
}

/// A text that only some jobs report.
/// \param report  may be NULL, which gives NULL
/// \param field   XBK_REPORT_BINLOG_FILE to XBK_REPORT_WARNINGS
/// \return a UTF-8 string of report, or bytes for a path; NULL if the job did not report it, or the
///         field is none or no text
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_report_text(report: *const xbk_report, field: u32) -> *const c_char {
    guard::value("xbk_report_text", std::ptr::null(), || {
        guard::peek!(report)
            .and_then(|it| it.texts.iter().find(|(known, _)| *known == field))
            .map_or(std::ptr::null(), |(_, value)| value.as_ptr())
    })
}

/// A number that only some jobs report.
/// \param report  may be NULL, which gives 0
/// \param field   XBK_REPORT_BINLOG_POSITION to XBK_REPORT_RECOVERED
/// \param number  set if the result is 1; may be NULL
/// \return 1 if the job reported it; 0 if not, or if the field is none or no number
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_report_number(
    report: *const xbk_report,
    field: u32,
    number: *mut u64,
) -> i32 {
    guard::value("xbk_report_number", 0, || {
        let known = guard::peek!(report)
            .and_then(|it| it.numbers.iter().find(|(known, _)| *known == field))
            .map(|(_, value)| *value);
        guard::give!(number, known)
    })
}

/// The whole report as one JSON object. Its keys are what follows xbk_report_ in the names of
/// the functions, and XBK_REPORT_, in lower case, in those of the fields that the job reported.
/// Further keys may come.
/// \param report  may be NULL, which gives NULL
/// \return a UTF-8 string of report
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_report_json(report: *const xbk_report) -> *const c_char {
    guard::value("xbk_report_json", std::ptr::null(), || {
        guard::peek!(report).map_or(std::ptr::null(), |it| it.json.as_ptr())
    })
}

/// Frees a report.
/// \param report  may be NULL; otherwise exactly once
/// Thread safety: no other thread may still use it. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_report_free(report: *mut xbk_report) {
    guard::value("xbk_report_free", (), || guard::free!(report));
}
