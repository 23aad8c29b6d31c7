//! One member of a stream that is written.

use std::ffi::c_void;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use xbkit_core::{EntryWriter, Error, ErrorKind};

use crate::error::{Failure, xbk_error};
use crate::guard::{self, Gate};
use crate::io::Sink;
use crate::status::{XBK_OK, xbk_status};

/// One member of a stream that is written. Ended by xbk_entry_close(), or given up by
/// xbk_entry_free().
/// Thread safety: different entries of one writer may be used on different threads at once; one
/// entry, one thread at a time.
pub struct xbk_entry {
    gate: Arc<Gate>,
    open: Arc<AtomicUsize>,
    state: Mutex<Option<EntryWriter<Sink>>>,
}

impl xbk_entry {
    pub(crate) fn new(
        entry: EntryWriter<Sink>,
        gate: Arc<Gate>,
        open: Arc<AtomicUsize>,
    ) -> *mut Self {
        open.fetch_add(1, Ordering::AcqRel);
        let own = Self { gate, open, state: Mutex::new(Some(entry)) };
        Arc::into_raw(Arc::new(own)).cast_mut()
    }

    fn enter<R>(
        &self,
        run: impl FnOnce(&mut Option<EntryWriter<Sink>>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        self.gate.enter(&self.state, run)
    }
}

/// What an entry gives that was closed within a callback.
fn closed() -> Failure {
    Failure::state("the entry was closed before")
}

/// Appends len bytes to an open entry.
/// Blocks until the output has taken what fills a chunk; short writes go on where they stopped. At
/// most one chunk for each entry is held in memory.
/// \param data  may be NULL when len is 0
/// \param len   bytes
/// \param err   may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_LIMIT beyond 256 TiB; XBK_E_INVALID_STATE after an earlier failure; XBK_E_SINK,
///         XBK_E_PIPE_CLOSED, XBK_E_NO_SPACE, XBK_E_CALLBACK, XBK_E_CANCELLED: then the writer is poisoned,
///         and only xbk_entry_close(), xbk_entry_free() and xbk_writer_free() are useful
/// Thread safety: different entries of one writer, yes; one entry, one thread at a time. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_entry_write(
    entry: *mut xbk_entry,
    data: *const c_void,
    len: usize,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_entry_write", err, || {
        let entry = guard::handle!(entry);
        let bytes = guard::bytes!(data, len);
        entry.enter(|state| {
            let writer = state.as_mut().ok_or_else(closed)?;
            let done = writer.write_all(bytes);
            done.map_err(|error| Error::io(ErrorKind::Sink, "writing the stream", error))?;
            Ok(XBK_OK)
        })
    })
}

/// Appends len zero bytes. With XBK_OPT_DIALECT "percona" they take no room in the stream.
/// \param len  bytes
/// \param err  may be NULL; set only when the result is < 0
/// \return as xbk_entry_write()
/// Thread safety: different entries of one writer, yes; one entry, one thread at a time. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_entry_hole(
    entry: *mut xbk_entry,
    len: u64,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_entry_hole", err, || {
        let entry = guard::handle!(entry);
        entry.enter(|state| {
            state.as_mut().ok_or_else(closed)?.hole(len)?;
            Ok(XBK_OK)
        })
    })
}

/// Ends the member, and takes the entry: it is freed even when this fails.
/// \param err  may be NULL; set only when the result is < 0
/// \return as xbk_entry_write()
/// Thread safety: different entries of one writer, yes; one entry, one thread at a time. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_entry_close(
    entry: *mut xbk_entry,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_entry_close", err, || {
        let Some(entry) = guard::take!(entry) else { return Err(guard::null("entry")) };
        if !entry.gate.is_ours() {
            std::mem::forget(entry);
            return Err(Failure::forked());
        }
        let done = entry.enter(|state| Ok(state.take().ok_or_else(closed)?.finish()?));
        entry.open.fetch_sub(1, Ordering::AcqRel);
        if let Err(failure) = &done {
            // The member has no end, and nobody can give it one any more.
            entry.gate.poison(&failure.error);
        }
        done.map(|()| XBK_OK)
    })
}

/// Gives an entry up without ending its member: the stream cannot be finished any more, and the
/// writer is poisoned. For a program whose own data failed half way.
/// \param entry  may be NULL; otherwise exactly once, and not after xbk_entry_close()
/// Thread safety: different entries of one writer, yes; one entry, one thread at a time. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_entry_free(entry: *mut xbk_entry) {
    guard::value("xbk_entry_free", (), || {
        let Some(entry) = guard::take!(entry) else { return };
        if !entry.gate.is_ours() {
            std::mem::forget(entry);
            return;
        }
        entry.open.fetch_sub(1, Ordering::AcqRel);
        let message = "an entry was freed without being closed";
        entry.gate.poison(&Error::new(ErrorKind::InvalidState, message));
    });
}
