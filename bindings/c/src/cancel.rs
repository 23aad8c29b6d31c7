//! Cancelling from another thread or a signal handler.

use xbkit_core::CancelToken;

use crate::error::{Failure, xbk_error};
use crate::guard;
use crate::status::{XBK_E_FORKED, XBK_E_INVALID_ARGUMENT, XBK_E_PANIC, XBK_OK, xbk_status};

/// Ends the jobs, readers and writers that it was given to. Once set it stays set.
/// Thread safety: any thread; xbk_cancel_now() is async-signal-safe too.
pub struct xbk_cancel {
    pid: u32,
    token: CancelToken,
}

impl xbk_cancel {
    pub(crate) fn token(&self) -> Result<CancelToken, Failure> {
        if self.is_ours() { Ok(self.token.clone()) } else { Err(Failure::forked()) }
    }

    fn is_ours(&self) -> bool {
        self.pid == std::process::id()
    }
}

/// Makes a cancel object that is not set. It holds one descriptor (close-on-exec).
/// \param cancel  receives the object; free it by xbk_cancel_free()
/// \param err     may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_SOURCE if the process has no descriptor left
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_cancel_new(
    cancel: *mut *mut xbk_cancel,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_cancel_new", err, || {
        let cancel = guard::out!(cancel);
        let token = CancelToken::new()?;
        *cancel = guard::into_raw(xbk_cancel { pid: std::process::id(), token });
        Ok(XBK_OK)
    })
}

/// Cancels: what it was given to ends within 200 ms with XBK_E_CANCELLED, but for the time that a
/// callback of yours takes. It takes no lock, allocates nothing and keeps errno, so a signal
/// handler may call it.
/// \return XBK_OK; XBK_E_INVALID_ARGUMENT for NULL; XBK_E_FORKED in a forked child, which cannot
///         cancel its parent's jobs
/// Thread safety: any thread, and signal handlers. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_cancel_now(cancel: *const xbk_cancel) -> xbk_status {
    guard::bare("xbk_cancel_now", XBK_E_PANIC, || match guard::peek!(cancel) {
        None => XBK_E_INVALID_ARGUMENT,
        Some(cancel) if !cancel.is_ours() => XBK_E_FORKED,
        Some(cancel) => {
            cancel.token.cancel();
            XBK_OK
        }
    })
}

/// Whether it was set.
/// \param cancel  may be NULL, which gives 0
/// \return 1 or 0
/// Thread safety: any thread, and signal handlers. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_cancel_is_set(cancel: *const xbk_cancel) -> i32 {
    guard::bare("xbk_cancel_is_set", 0, || {
        guard::peek!(cancel).map_or(0, |cancel| i32::from(cancel.token.is_cancelled()))
    })
}

/// Frees a cancel object. Jobs that it was given to keep what they need of it; a signal handler
/// that may still use it must be gone.
/// \param cancel  may be NULL; otherwise exactly once
/// Thread safety: no other thread may still use it. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_cancel_free(cancel: *mut xbk_cancel) {
    guard::value("xbk_cancel_free", (), || {
        if guard::peek!(cancel).is_some_and(|cancel| !cancel.is_ours()) {
            return; // the child's descriptor of this number may be another one by now
        }
        guard::free!(cancel);
    });
}
