//! Errors as C sees them: immutable facts.

use std::error::Error as _;
use std::ffi::{CString, c_char};
use std::os::unix::ffi::OsStrExt;

use xbkit_core::Error;

use crate::guard::{self, text};
use crate::status::xbk_status;
use crate::status::{XBK_E_FORKED, XBK_E_INVALID_ARGUMENT, XBK_E_INVALID_STATE};

/// What went wrong, and where. Made by the call that failed, owned by its caller, who frees it by
/// xbk_error_free(). Nothing in it changes.
/// Thread safety: may be read by several threads at once.
pub struct xbk_error {
    code: xbk_status,
    message: CString,
    line: CString,
    path: Option<CString>,
    stream_offset: Option<u64>,
    file_offset: Option<u64>,
    os_errno: i32,
    hint: Option<CString>,
}

/// A failure on its way out.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: xbk_status,
    pub(crate) error: Error,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { code: error.kind().code(), error }
    }
}

impl Failure {
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::of(XBK_E_INVALID_ARGUMENT, xbkit_core::ErrorKind::InvalidArgument, message)
    }

    pub(crate) fn state(message: impl Into<String>) -> Self {
        Self::of(XBK_E_INVALID_STATE, xbkit_core::ErrorKind::InvalidState, message)
    }

    pub(crate) fn forked() -> Self {
        let message = "the object belongs to the parent of this forked process";
        Self::of(XBK_E_FORKED, xbkit_core::ErrorKind::InvalidState, message)
    }

    pub(crate) fn of(
        code: xbk_status,
        kind: xbkit_core::ErrorKind,
        message: impl Into<String>,
    ) -> Self {
        Self { code, error: Error::new(kind, message.into()) }
    }

    pub(crate) fn hint(mut self, hint: &'static str) -> Self {
        self.error = self.error.hint(hint);
        self
    }

    pub(crate) fn into_c(self) -> xbk_error {
        let Self { code, error } = self;
        let mut message = error.message().to_owned();
        if let Some(source) = error.source() {
            message.push_str(": ");
            message.push_str(&source.to_string());
        }
        xbk_error {
            code,
            message: text(message),
            line: text(error.to_string()),
            path: error.path().map(|path| text(path.as_os_str().as_bytes())),
            stream_offset: error.stream_offset(),
            file_offset: error.file_offset(),
            os_errno: error.raw_os_error().unwrap_or(0),
            hint: error.hint_text().map(text),
        }
    }
}

/// The status that the failed call returned.
/// \param err  may be NULL, which gives XBK_OK
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_error_code(err: *const xbk_error) -> xbk_status {
    guard::value("xbk_error_code", 0, || guard::peek!(err).map_or(0, |err| err.code))
}

/// What went wrong and why, as one line: lower case, no full stop, without file and offsets.
/// \param err  may be NULL, which gives ""
/// \return a UTF-8 string of err; never NULL
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_error_message(err: *const xbk_error) -> *const c_char {
    guard::value("xbk_error_message", c"".as_ptr(), || {
        guard::peek!(err).map_or(c"".as_ptr(), |err| err.message.as_ptr())
    })
}

/// Everything as one line fit for a terminal: the file (its control bytes escaped), the message,
/// the offsets and the cause. The hint is apart.
/// \param err  may be NULL, which gives ""
/// \return a UTF-8 string of err; never NULL
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_error_line(err: *const xbk_error) -> *const c_char {
    guard::value("xbk_error_line", c"".as_ptr(), || {
        guard::peek!(err).map_or(c"".as_ptr(), |err| err.line.as_ptr())
    })
}

/// The file or stream member concerned: its bytes as they are, so escape them before they reach
/// a terminal, or print xbk_error_line(). A path from a stream that has a NUL in it ends there.
/// \param err  may be NULL, which gives NULL
/// \return a string of err, or NULL if no file is concerned
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_error_path(err: *const xbk_error) -> *const c_char {
    guard::value("xbk_error_path", std::ptr::null(), || {
        guard::peek!(err)
            .and_then(|err| err.path.as_ref())
            .map_or(std::ptr::null(), |path| path.as_ptr())
    })
}

/// What to do next, where xbkit knows.
/// \param err  may be NULL, which gives NULL
/// \return a UTF-8 string of err, or NULL
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_error_hint(err: *const xbk_error) -> *const c_char {
    guard::value("xbk_error_hint", std::ptr::null(), || {
        guard::peek!(err)
            .and_then(|err| err.hint.as_ref())
            .map_or(std::ptr::null(), |hint| hint.as_ptr())
    })
}

/// The errno of the operating system, or of your callback.
/// \param err  may be NULL, which gives 0
/// \return the number, or 0 if there was none
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_error_os_errno(err: *const xbk_error) -> i32 {
    guard::value("xbk_error_os_errno", 0, || guard::peek!(err).map_or(0, |err| err.os_errno))
}

/// Where in the stream, in bytes from its beginning, inside outer compression layers.
/// \param err     may be NULL, which gives 0
/// \param offset  set if the result is 1; may be NULL
/// \return 1 if the place is known, else 0
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_error_stream_offset(err: *const xbk_error, offset: *mut u64) -> i32 {
    guard::value("xbk_error_stream_offset", 0, || {
        guard::give!(offset, guard::peek!(err).and_then(|err| err.stream_offset))
    })
}

/// Where in the file or member, in bytes from its beginning.
/// \param err     may be NULL, which gives 0
/// \param offset  set if the result is 1; may be NULL
/// \return 1 if the place is known, else 0
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_error_file_offset(err: *const xbk_error, offset: *mut u64) -> i32 {
    guard::value("xbk_error_file_offset", 0, || {
        guard::give!(offset, guard::peek!(err).and_then(|err| err.file_offset))
    })
}

/// Frees an error.
/// \param err  may be NULL; otherwise exactly once
/// Thread safety: no other thread may still use it. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_error_free(err: *mut xbk_error) {
    guard::value("xbk_error_free", (), || guard::free!(err));
}
