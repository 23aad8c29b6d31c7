//! What stands between C and every body: panics, NULL, state, re-entry, fork.
//!
//! The macros hold the crate's reads through pointers of C. Their invariant is the header's
//! contract: a pointer is NULL, or points to what its type says, alive and not yet freed.

use std::cell::{Cell, RefCell};
use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Mutex, Once, OnceLock, TryLockError};

use xbkit_core::{Error, ErrorKind};

use crate::error::{Failure, xbk_error};
use crate::status::{XBK_E_CALLBACK, XBK_E_PANIC, xbk_status};

/// What a body gives: a status that is no error, or why not.
pub(crate) type Outcome = Result<xbk_status, Failure>;

/// Reads through a pointer: `Option<&T>`.
macro_rules! peek {
    ($ptr:expr) => {
        // SAFETY: by the header's contract the pointer is NULL or its object is alive.
        unsafe { $ptr.as_ref() }
    };
}
pub(crate) use peek;

/// The object behind a pointer, or a return with `XBK_E_INVALID_ARGUMENT`.
macro_rules! need {
    ($ptr:ident) => {
        match $crate::guard::peek!($ptr) {
            Some(object) => object,
            None => return Err($crate::guard::null(stringify!($ptr))),
        }
    };
}
pub(crate) use need;

/// A place for a result, set to NULL; a return with `XBK_E_INVALID_ARGUMENT` if there is none.
macro_rules! out {
    ($ptr:ident) => {
        // SAFETY: by the header's contract the pointer is NULL or may be written to.
        match unsafe { $ptr.as_mut() } {
            Some(place) => {
                *place = std::ptr::null_mut();
                place
            }
            None => return Err($crate::guard::null(stringify!($ptr))),
        }
    };
}
pub(crate) use out;

/// Gives an optional number through an optional pointer; 1 if there is one, else 0.
macro_rules! give {
    ($ptr:ident, $value:expr) => {
        match $value {
            Some(value) => {
                // SAFETY: by the header's contract the pointer is NULL or may be written to.
                if let Some(place) = unsafe { $ptr.as_mut() } {
                    *place = value;
                }
                1
            }
            None => 0,
        }
    };
}
pub(crate) use give;

/// A share of a handle, or a return with `XBK_E_INVALID_ARGUMENT`. The share keeps the object alive
/// if a callback frees it while the call is under way.
macro_rules! handle {
    ($ptr:ident) => {
        if $ptr.is_null() {
            return Err($crate::guard::null(stringify!($ptr)));
        } else {
            // SAFETY: by the header's contract the pointer came from `Arc::into_raw` and was not
            // freed yet, so the count is at least 1.
            unsafe {
                std::sync::Arc::increment_strong_count($ptr);
                std::sync::Arc::from_raw($ptr)
            }
        }
    };
}
pub(crate) use handle;

/// Takes a handle back, for good; `None` for NULL.
macro_rules! take {
    ($ptr:ident) => {
        if $ptr.is_null() {
            None
        } else {
            // SAFETY: by the header's contract the pointer came from `Arc::into_raw`, and comes
            // back once.
            Some(unsafe { std::sync::Arc::from_raw($ptr) })
        }
    };
}
pub(crate) use take;

/// Drops an object that was given out by [`into_raw`].
macro_rules! free {
    ($ptr:ident) => {
        if !$ptr.is_null() {
            // SAFETY: by the header's contract the pointer came from us, and comes back once.
            drop(unsafe { Box::from_raw($ptr) });
        }
    };
}
pub(crate) use free;

/// A NUL-terminated string as bytes, or a return with `XBK_E_INVALID_ARGUMENT`.
macro_rules! string {
    ($ptr:ident) => {
        if $ptr.is_null() {
            return Err($crate::guard::null(stringify!($ptr)));
        } else {
            // SAFETY: by the header's contract a pointer that is not NULL is a C string.
            unsafe { std::ffi::CStr::from_ptr($ptr) }.to_bytes()
        }
    };
}
pub(crate) use string;

/// A buffer, or a return with `XBK_E_INVALID_ARGUMENT`. (NULL, 0) is an empty one.
macro_rules! bytes {
    ($ptr:ident, $len:ident) => {
        if $ptr.is_null() && $len != 0 {
            return Err($crate::guard::null(stringify!($ptr)));
        } else if $len == 0 {
            &[][..]
        } else if isize::try_from($len).is_err() {
            return Err($crate::error::Failure::argument(concat!(
                stringify!($len),
                " is more than an object can have"
            )));
        } else {
            // SAFETY: by the header's contract so many bytes can be read there during the call,
            // and the length was just seen to be one that a slice can have.
            unsafe { std::slice::from_raw_parts($ptr.cast::<u8>(), $len) }
        }
    };
}
pub(crate) use bytes;

/// Gives an object to C.
pub(crate) fn into_raw<T>(object: T) -> *mut T {
    Box::into_raw(Box::new(object))
}

/// A C string; NULs in it, which only a hostile stream's path can have, end it.
pub(crate) fn text(bytes: impl AsRef<[u8]>) -> CString {
    let bytes = bytes.as_ref().split(|byte| *byte == 0).next().unwrap_or_default();
    CString::new(bytes).unwrap_or_default()
}

/// What a NULL gives.
pub(crate) fn null(what: &str) -> Failure {
    Failure::argument(format!("{what} is NULL"))
}

/// Runs the body of a call that can fail.
pub(crate) fn call(
    name: &'static str,
    err: *mut *mut xbk_error,
    body: impl FnOnce() -> Outcome,
) -> xbk_status {
    // SAFETY: by the header's contract `err` is NULL or may be written to.
    let mut err = unsafe { err.as_mut() };
    if let Some(place) = &mut err {
        **place = std::ptr::null_mut();
    }
    let outcome = caught(name, body).unwrap_or_else(Err);
    match outcome {
        Ok(status) => status,
        Err(failure) => {
            let code = failure.code;
            if let Some(place) = err {
                // Making the error object must not bring a second panic across either.
                let made = catch_unwind(AssertUnwindSafe(|| into_raw(failure.into_c())));
                *place = made.unwrap_or(std::ptr::null_mut());
            }
            code
        }
    }
}

/// Runs the body of a call that cannot fail; `otherwise` is what a panic gives.
pub(crate) fn value<T>(name: &'static str, otherwise: T, body: impl FnOnce() -> T) -> T {
    caught(name, body).unwrap_or(otherwise)
}

/// The same without a lock or an allocation, for signal handlers.
pub(crate) fn bare<T>(name: &'static str, otherwise: T, body: impl FnOnce() -> T) -> T {
    let body = || {
        inject(name);
        body()
    };
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise)
}

thread_local! {
    /// How many bodies are under way on this thread: a callback can call us.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Where the panic under way began.
    static PANIC_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

fn caught<T>(name: &'static str, body: impl FnOnce() -> T) -> Result<T, Failure> {
    install_hook();
    DEPTH.set(DEPTH.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(|| {
        inject(name);
        body()
    }));
    DEPTH.set(DEPTH.get() - 1);
    result.map_err(|payload| {
        let said = payload
            .downcast_ref::<&str>()
            .map(|said| (*said).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        let place = PANIC_AT.take();
        // A payload may panic in its own drop; what that gives could again, so it is leaked.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        let message = format!("{name} panicked, which is a bug in xbkit: {said}, at {place}");
        Failure::of(XBK_E_PANIC, ErrorKind::Panic, message)
    })
}

/// Panics in our bodies go into the error, not to standard error. Others, which a program that is
/// itself in Rust may have, are told as before.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if DEPTH.get() == 0 {
                return before(info);
            }
            let place = info.location().map_or_else(|| "?".to_owned(), ToString::to_string);
            PANIC_AT.set(place);
        }));
    });
}

#[cfg(feature = "panic-injection")]
#[expect(clippy::disallowed_methods, clippy::panic, reason = "the test asks for it")]
fn inject(name: &str) {
    if std::env::var_os("XBK_TEST_PANIC_AT").is_some_and(|wanted| wanted == name) {
        panic!("injected");
    }
}

#[cfg(not(feature = "panic-injection"))]
fn inject(_: &str) {}

/// What the handles of one stream share: who made them, and what spoilt them.
#[derive(Debug)]
pub(crate) struct Gate {
    pid: u32,
    /// Whether any failure spoils the stream, as when reading.
    strict: bool,
    poison: OnceLock<String>,
    /// The thread that runs the stream's callback; 0 if none does.
    in_callback: AtomicUsize,
    /// What a callback returned below 0.
    refused: AtomicI32,
    /// The handle of the whole stream was freed.
    gone: AtomicBool,
}

impl Gate {
    pub(crate) fn new(strict: bool) -> Self {
        Self {
            pid: std::process::id(),
            strict,
            poison: OnceLock::new(),
            in_callback: AtomicUsize::new(0),
            refused: AtomicI32::new(0),
            gone: AtomicBool::new(false),
        }
    }

    /// Whether this process made the handles; a forked child did not.
    pub(crate) fn is_ours(&self) -> bool {
        self.pid == std::process::id()
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    pub(crate) fn close(&self) {
        self.gone.store(true, Ordering::Release);
    }

    /// Spoils the stream for all later calls, which name the first reason.
    pub(crate) fn poison(&self, why: &Error) {
        let _ = self.poison.set(why.to_string());
    }

    /// Runs a callback of the user: calls into the same stream from within it are refused.
    pub(crate) fn callback(&self, run: impl FnOnce() -> i32) -> i32 {
        self.in_callback.store(this_thread(), Ordering::Release);
        let result = run();
        self.in_callback.store(0, Ordering::Release);
        if result < 0 {
            self.refused.store(result, Ordering::Release);
        }
        result
    }

    /// The failure with the callback's part in it told.
    pub(crate) fn explain(&self, mut failure: Failure) -> Failure {
        if self.refused.swap(0, Ordering::AcqRel) != 0 {
            failure.code = XBK_E_CALLBACK;
        }
        failure
    }

    /// Runs a call on one of the handles, if the stream is fit for it. `state` is the handle's
    /// own; a handle that is in use is refused rather than waited for.
    pub(crate) fn enter<T, R>(
        &self,
        state: &Mutex<T>,
        run: impl FnOnce(&mut T) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        if !self.is_ours() {
            return Err(Failure::forked());
        }
        if self.in_callback.load(Ordering::Acquire) == this_thread() {
            return Err(Failure::state("called from the stream's own callback"));
        }
        let mut state = match state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::state("the object is in use by another call"));
            }
        };
        if let Some(why) = self.poison.get() {
            return Err(Failure::state(format!("an earlier call failed: {why}")));
        }
        if self.is_gone() {
            return Err(Failure::state("the writer of this entry was freed"));
        }
        match catch_unwind(AssertUnwindSafe(|| run(&mut state))) {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(failure)) => {
                let failure = self.explain(failure);
                if self.strict || spoils(&failure) {
                    self.poison(&failure.error);
                }
                Err(failure)
            }
            Err(panic) => {
                self.poison(&Error::new(ErrorKind::Panic, "it panicked"));
                std::panic::resume_unwind(panic)
            }
        }
    }
}

/// Whether a stream is of no use after it. A mistake of the caller's changes nothing.
fn spoils(failure: &Failure) -> bool {
    !matches!(
        failure.error.kind(),
        ErrorKind::InvalidArgument
            | ErrorKind::InvalidState
            | ErrorKind::UnsafePath
            | ErrorKind::Exists
            | ErrorKind::Unsupported
            | ErrorKind::Limit
    ) || failure.code == XBK_E_CALLBACK
}

/// A number for this thread, not 0.
fn this_thread() -> usize {
    thread_local! {
        static HERE: u8 = const { 0 };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}
