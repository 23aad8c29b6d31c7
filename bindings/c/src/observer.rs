//! What a running job tells: one callback, one event type, on the thread that called the job.

use std::ffi::{CString, c_char, c_void};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;

use xbkit_core::pages::Tally;
use xbkit_core::{CancelToken, Event, Level, Observer, Progress};

use crate::cancel::xbk_cancel;
use crate::error::Failure;
use crate::guard::{self, text};

/// Kind of an event: how far the job is; at most every 100 ms, and once at its end.
pub const XBK_EVENT_PROGRESS: u32 = 1;
/// Kind of an event: a member was finished.
pub const XBK_EVENT_MEMBER: u32 = 2;
/// Kind of an event: a sentence for a log.
pub const XBK_EVENT_LOG: u32 = 3;
/// Kind of an event: a page of a tablespace is not what the server wrote.
pub const XBK_EVENT_BAD_PAGE: u32 = 4;
/// Kind of an event: all pages of a tablespace were looked at.
pub const XBK_EVENT_FILE_CHECKED: u32 = 5;

/// Level of a log event: worth knowing.
pub const XBK_LEVEL_INFO: u32 = 1;
/// Level of a log event: the job goes on, but somebody should look.
pub const XBK_LEVEL_WARNING: u32 = 2;

/// Something that a running job tells. Valid during the callback alone.
/// Thread safety: only the thread of the callback.
pub struct xbk_event {
    kind: u32,
    progress: Progress,
    path: Option<CString>,
    size: u64,
    level: u32,
    message: Option<CString>,
    page: u64,
    offset: u64,
    pages: Tally,
}

/// Receives a job's events, on the thread that called the job. The job waits meanwhile, so return
/// soon. It must not throw or longjmp across xbkit. Ignore kinds that you do not know.
/// \param user   as given in the observer
/// \param event  valid during the call
/// \return 0 to go on; anything else cancels the job, which then fails with XBK_E_CANCELLED
pub type xbk_event_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, event: *const xbk_event) -> i32>;

/// How to follow a job and to stop it. The only struct that callers make themselves: begin with
/// `xbk_observer obs = XBK_OBSERVER_INIT;` and set what you need. It is read when the job starts.
/// Later versions may add members; what an older caller does not have counts as 0, and a newer
/// caller's are refused if they are set, with XBK_E_UNSUPPORTED.
/// Thread safety: plain data of yours.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct xbk_observer {
    /// sizeof(xbk_observer), as your compiler saw it.
    pub struct_size: usize,
    /// Receives events; NULL for none.
    pub on_event: xbk_event_fn,
    /// Handed to on_event.
    pub user: *mut c_void,
    /// Ends the job when it is set; NULL for none.
    pub cancel: *const xbk_cancel,
}

/// No observer of a later version is larger.
const MAX_SIZE: usize = 4096;

/// An observer that was read.
pub(crate) struct Watcher {
    on_event: xbk_event_fn,
    user: *mut c_void,
    pub(crate) cancel: Option<CancelToken>,
}

impl Watcher {
    /// Reads a caller's observer; NULL is one that sees nothing.
    pub(crate) fn read(observer: *const xbk_observer) -> Result<Self, Failure> {
        let Some(struct_size) = guard::peek!(observer.cast::<usize>()) else {
            return Ok(Self { on_event: None, user: std::ptr::null_mut(), cancel: None });
        };
        let ours = size_of::<xbk_observer>();
        if !(size_of::<usize>()..=MAX_SIZE).contains(struct_size) {
            let message = format!("struct_size {struct_size} is none of an xbk_observer");
            return Err(Failure::argument(message));
        }
        // SAFETY: the caller says that its struct has so many bytes.
        let theirs = unsafe { std::slice::from_raw_parts(observer.cast::<u8>(), *struct_size) };
        if theirs.get(ours..).is_some_and(|tail| tail.iter().any(|byte| *byte != 0)) {
            let message = "the observer sets members that this version does not know";
            return Err(Failure::of(
                crate::status::XBK_E_UNSUPPORTED,
                xbkit_core::ErrorKind::Unsupported,
                message,
            ));
        }
        let mut own = xbk_observer {
            struct_size: ours,
            on_event: None,
            user: std::ptr::null_mut(),
            cancel: std::ptr::null(),
        };
        // SAFETY: both are at least so long, and they do not overlap; a struct cut between two
        // members leaves the rest 0, which each member may be.
        unsafe {
            std::ptr::copy_nonoverlapping(
                observer.cast::<u8>(),
                (&raw mut own).cast::<u8>(),
                ours.min(*struct_size),
            );
        }
        let cancel = own.cancel;
        let cancel = guard::peek!(cancel).map(xbk_cancel::token).transpose()?;
        Ok(Self { on_event: own.on_event, user: own.user, cancel })
    }
}

impl Observer for Watcher {
    fn event(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        let Some(on_event) = self.on_event else { return ControlFlow::Continue(()) };
        let Some(event) = xbk_event::of(event) else { return ControlFlow::Continue(()) };
        // SAFETY: that the function has this signature is the header's contract.
        match unsafe { on_event(self.user, &raw const event) } {
            0 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }
}

impl xbk_event {
    fn of(event: &Event<'_>) -> Option<Self> {
        let mut own = Self {
            kind: XBK_EVENT_PROGRESS,
            progress: Progress::default(),
            path: None,
            size: 0,
            level: 0,
            message: None,
            page: 0,
            offset: 0,
            pages: Tally::default(),
        };
        match event {
            Event::Progress(progress) => own.progress = *progress,
            Event::Member { path, size } => {
                own.kind = XBK_EVENT_MEMBER;
                own.path = Some(text(path.as_os_str().as_bytes()));
                own.size = *size;
            }
            Event::Log { level, message } => {
                own.kind = XBK_EVENT_LOG;
                own.level = match level {
                    Level::Info => XBK_LEVEL_INFO,
                    Level::Warning => XBK_LEVEL_WARNING,
                };
                own.message = Some(text(message));
            }
            Event::BadPage { path, page } => {
                own.kind = XBK_EVENT_BAD_PAGE;
                own.path = Some(text(path.as_os_str().as_bytes()));
                own.page = page.page;
                own.offset = page.offset;
                own.message = Some(text(page.to_string()));
            }
            Event::FileChecked { path, file } => {
                own.kind = XBK_EVENT_FILE_CHECKED;
                own.path = Some(text(path.as_os_str().as_bytes()));
                own.pages = file.tally;
            }
            _ => return None,
        }
        Some(own)
    }
}

/// What kind of event it is.
/// \param event  may be NULL, which gives 0
/// \return XBK_EVENT_PROGRESS, XBK_EVENT_MEMBER, XBK_EVENT_LOG, XBK_EVENT_BAD_PAGE,
///         XBK_EVENT_FILE_CHECKED, or one of a later version
/// Thread safety: the callback's thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_event_kind(event: *const xbk_event) -> u32 {
    guard::value("xbk_event_kind", 0, || guard::peek!(event).map_or(0, |event| event.kind))
}

/// Progress: stream bytes written or read so far, as they pass the descriptor or callback.
/// \param event  may be NULL, which gives 0
/// \return bytes; 0 for other kinds
/// Thread safety: the callback's thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_event_stream_bytes(event: *const xbk_event) -> u64 {
    guard::value("xbk_event_stream_bytes", 0, || {
        guard::peek!(event).map_or(0, |event| event.progress.stream_bytes)
    })
}

/// Progress: stream bytes expected in all.
/// \param event  may be NULL, which gives UINT64_MAX
/// \return bytes; UINT64_MAX if that is not known, and for other kinds
/// Thread safety: the callback's thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_event_total_bytes(event: *const xbk_event) -> u64 {
    guard::value("xbk_event_total_bytes", u64::MAX, || {
        guard::peek!(event).and_then(|event| event.progress.total_bytes).unwrap_or(u64::MAX)
    })
}

/// Progress: members finished so far.
/// \param event  may be NULL, which gives 0
/// \return a number; 0 for other kinds
/// Thread safety: the callback's thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_event_members(event: *const xbk_event) -> u64 {
    guard::value("xbk_event_members", 0, || {
        guard::peek!(event).map_or(0, |event| event.progress.members)
    })
}

/// Member: its path in the stream, its bytes as they are. Bad page and file checked: the file or
/// member.
/// \param event  may be NULL, which gives NULL
/// \return a string that lives as long as the event; NULL for other kinds
/// Thread safety: the callback's thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_event_path(event: *const xbk_event) -> *const c_char {
    guard::value("xbk_event_path", std::ptr::null(), || {
        guard::peek!(event)
            .and_then(|event| event.path.as_ref())
            .map_or(std::ptr::null(), |path| path.as_ptr())
    })
}

/// Member: its size in bytes, holes included.
/// \param event  may be NULL, which gives 0
/// \return bytes; 0 for other kinds
/// Thread safety: the callback's thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_event_size(event: *const xbk_event) -> u64 {
    guard::value("xbk_event_size", 0, || guard::peek!(event).map_or(0, |event| event.size))
}

/// Log: how much it matters.
/// \param event  may be NULL, which gives 0
/// \return XBK_LEVEL_INFO or XBK_LEVEL_WARNING; 0 for other kinds
/// Thread safety: the callback's thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_event_level(event: *const xbk_event) -> u32 {
    guard::value("xbk_event_level", 0, || guard::peek!(event).map_or(0, |event| event.level))
}

/// Log: the sentence, lower case, without full stop. Bad page: place, fault, and both checksums.
/// \param event  may be NULL, which gives NULL
/// \return a UTF-8 string that lives as long as the event; NULL for other kinds
/// Thread safety: the callback's thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_event_message(event: *const xbk_event) -> *const c_char {
    guard::value("xbk_event_message", std::ptr::null(), || {
        guard::peek!(event)
            .and_then(|event| event.message.as_ref())
            .map_or(std::ptr::null(), |message| message.as_ptr())
    })
}

/// Bad page: its place in the file, in pages from 0.
/// \param event  may be NULL, which gives 0
/// \return a number; 0 for other kinds
/// Thread safety: the callback's thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_event_page(event: *const xbk_event) -> u64 {
    guard::value("xbk_event_page", 0, || guard::peek!(event).map_or(0, |event| event.page))
}

/// Bad page: where in the file it begins, in bytes.
/// \param event  may be NULL, which gives 0
/// \return a number; 0 for other kinds
/// Thread safety: the callback's thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_event_offset(event: *const xbk_event) -> u64 {
    guard::value("xbk_event_offset", 0, || guard::peek!(event).map_or(0, |event| event.offset))
}

/// File checked: its pages.
/// \param event  may be NULL, which gives 0
/// \return a number; 0 for other kinds
/// Thread safety: the callback's thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_event_pages(event: *const xbk_event) -> u64 {
    guard::value("xbk_event_pages", 0, || guard::peek!(event).map_or(0, |event| event.pages.pages))
}

/// File checked: pages that are not what the server wrote.
/// \param event  may be NULL, which gives 0
/// \return a number; 0 for other kinds
/// Thread safety: the callback's thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_event_damaged_pages(event: *const xbk_event) -> u64 {
    guard::value("xbk_event_damaged_pages", 0, || {
        guard::peek!(event).map_or(0, |event| event.pages.bad)
    })
}

/// File checked: pages that are not there, of those that its first one says there are.
/// \param event  may be NULL, which gives 0
/// \return a number; 0 for other kinds
/// Thread safety: the callback's thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_event_missing_pages(event: *const xbk_event) -> u64 {
    guard::value("xbk_event_missing_pages", 0, || {
        guard::peek!(event).map_or(0, |event| event.pages.missing)
    })
}

/// File checked: pages that nothing can tell whether they are right.
/// \param event  may be NULL, which gives 0
/// \return a number; 0 for other kinds
/// Thread safety: the callback's thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_event_unchecked_pages(event: *const xbk_event) -> u64 {
    guard::value("xbk_event_unchecked_pages", 0, || {
        guard::peek!(event).map_or(0, |event| event.pages.unchecked_pages())
    })
}
