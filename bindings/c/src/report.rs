//! What a job did.

use std::ffi::{CString, c_char};

use xbkit_core::pages::Tally;
use xbkit_core::{
    BackupKind, CatReport, CheckReport, ConvertReport, CreateReport, ExtractReport, StreamReport,
};

use crate::guard::{self, text};
use crate::status::{XBK_OK, xbk_status};

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
            self.put(guard::into_raw(report.into()));
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
            pages: Tally::default(),
        }
    }
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
            pages: report.pages,
            ..Self::default()
        }
    }
}

/// Members written to the stream, extracted, or seen; the manifest is not counted.
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
/// checksum, compressed by older MariaDB, in the doublewrite buffer.
/// \param report  may be NULL, which gives 0
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_report_unchecked_pages(report: *const xbk_report) -> u64 {
    guard::value("xbk_report_unchecked_pages", 0, || {
        guard::peek!(report).map_or(0, |it| it.pages.unchecked_pages())
    })
}

/// Frees a report.
/// \param report  may be NULL; otherwise exactly once
/// Thread safety: no other thread may still use it. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_report_free(report: *mut xbk_report) {
    guard::value("xbk_report_free", (), || guard::free!(report));
}
