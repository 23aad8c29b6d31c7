//! Writing a stream from a program's own data.

use std::ffi::{OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use xbkit_core::options::Job;
use xbkit_core::{FdWriter, StreamWriter};

use crate::entry::xbk_entry;
use crate::error::{Failure, xbk_error};
use crate::guard::{self, Gate};
use crate::io::{Sink, WriteCallback, borrow_fd, xbk_write_fn};
use crate::options::{self, JobOptions, xbk_options};
use crate::status::{XBK_OK, xbk_status};

/// Writes a stream of several members, as many at once as you like:
///
///   1) xbk_writer_new_fd() or xbk_writer_new_cb()
///   2) xbk_writer_open() for each member
///   3) xbk_entry_write(), xbk_entry_hole(), in any order among the members
///   4) xbk_entry_close() for each member
///   5) xbk_writer_finish(), whose result says whether the stream is whole
///   6) xbk_writer_free()
///
/// After a failure of the output (XBK_E_SINK, XBK_E_PIPE_CLOSED, XBK_E_NO_SPACE, XBK_E_CALLBACK,
/// XBK_E_CANCELLED ...) the writer is poisoned: later calls give XBK_E_INVALID_STATE with the first
/// message, and only xbk_entry_close(), xbk_entry_free() and xbk_writer_free() are useful. A stream
/// that was not finished is not whole: xbkit sees that by the missing manifest, other readers may
/// not, as xbstream has no end mark: tell them.
/// In a forked child every call gives XBK_E_FORKED, and the free functions do nothing.
/// Thread safety: one thread at a time; it may move between threads. Its entries: see xbk_entry.
pub struct xbk_writer {
    gate: Arc<Gate>,
    /// Entries that are neither closed nor freed.
    open: Arc<AtomicUsize>,
    state: Mutex<Option<StreamWriter<Sink>>>,
}

impl xbk_writer {
    fn new(sink: Sink, gate: Arc<Gate>, options: &JobOptions) -> Result<*mut Self, Failure> {
        let mut writer = StreamWriter::new(options.format(), sink).dialect(options.dialect());
        if let Some(on) = options.bool(options::XBK_OPT_MANIFEST) {
            writer = writer.manifest(on)?;
        }
        if let Some(bytes) = options.int(options::XBK_OPT_CHUNK_SIZE) {
            writer = writer.chunk_size(bytes)?;
        }
        let own =
            Self { gate, open: Arc::new(AtomicUsize::new(0)), state: Mutex::new(Some(writer)) };
        Ok(Arc::into_raw(Arc::new(own)).cast_mut())
    }

    fn enter<R>(
        &self,
        run: impl FnOnce(&mut Option<StreamWriter<Sink>>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        self.gate.enter(&self.state, run)
    }
}

/// Makes a writer to a descriptor. Nothing is written before a chunk is full.
/// Pipes and sockets are never blocked in for long, so a cancel takes at most 200 ms; the
/// descriptor keeps its flags, and a closed pipe gives XBK_E_PIPE_CLOSED and no SIGPIPE.
/// \param options  may be NULL; XBK_OPT_CHUNK_SIZE, XBK_OPT_DIALECT, XBK_OPT_FORMAT,
///                 XBK_OPT_MANIFEST, and the cancel
///                 object
/// \param fd       where the stream goes; borrowed until xbk_writer_free(), never closed
/// \param writer   receives the writer; free it by xbk_writer_free()
/// \param err      may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_INVALID_ARGUMENT; XBK_E_SINK for a descriptor that is not open
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_writer_new_fd(
    options: *const xbk_options,
    fd: c_int,
    writer: *mut *mut xbk_writer,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_writer_new_fd", err, || {
        let writer = guard::out!(writer);
        let options = JobOptions::read(options, Job::Writer)?;
        let gate = Arc::new(Gate::new(false));
        let sink = Sink::Fd(FdWriter::new(borrow_fd(fd)?, options.cancel.clone())?, gate.clone());
        *writer = xbk_writer::new(sink, gate, &options)?;
        Ok(XBK_OK)
    })
}

/// Makes a writer to a callback, which runs on the thread that calls for an entry or the writer,
/// one call at a time.
/// \param options   may be NULL; XBK_OPT_CHUNK_SIZE, XBK_OPT_DIALECT, XBK_OPT_FORMAT,
///                 XBK_OPT_MANIFEST, and the cancel
///                  object, which is looked at between callbacks
/// \param write_fn  must not be NULL
/// \param user      handed to write_fn; may be NULL
/// \param writer    receives the writer; free it by xbk_writer_free()
/// \param err       may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_INVALID_ARGUMENT
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_writer_new_cb(
    options: *const xbk_options,
    write_fn: xbk_write_fn,
    user: *mut c_void,
    writer: *mut *mut xbk_writer,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_writer_new_cb", err, || {
        let writer = guard::out!(writer);
        let options = JobOptions::read(options, Job::Writer)?;
        let gate = Arc::new(Gate::new(false));
        let sink = WriteCallback::new(write_fn, user, Arc::clone(&gate), options.cancel.clone())?;
        *writer = xbk_writer::new(Sink::Callback(sink), gate, &options)?;
        Ok(XBK_OK)
    })
}

/// Begins a member. In an xbstream that writes nothing yet, and holds no other member up; a tar
/// archive takes one member at a time, and needs its size.
/// \param path     its path in the stream: relative, without "..", at most 511 bytes (4095 in a tar
///                 archive), and none that the stream has already; copied
/// \param options  may be NULL; XBK_OPT_SIZE
/// \param entry    receives the entry; end it by xbk_entry_close() or xbk_entry_free()
/// \param err      may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_UNSAFE_PATH, XBK_E_INVALID_ARGUMENT, XBK_E_EXISTS, XBK_E_LIMIT, which leave
///         the writer as it was; XBK_E_INVALID_STATE after a failure, xbk_writer_finish(),
///         or while another entry of a tar archive is open
/// Thread safety: one thread at a time for this writer. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_writer_open(
    writer: *mut xbk_writer,
    path: *const c_char,
    options: *const xbk_options,
    entry: *mut *mut xbk_entry,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_writer_open", err, || {
        let entry = guard::out!(entry);
        let writer = guard::handle!(writer);
        let path = OsStr::from_bytes(guard::string!(path));
        let size = JobOptions::read(options, Job::Entry)?.number(options::XBK_OPT_SIZE);
        let new = writer.enter(|state| {
            let stream = state.as_ref().ok_or_else(finished)?;
            Ok(match size {
                Some(size) => stream.entry_sized(path, size)?,
                None => stream.entry(path)?,
            })
        })?;
        *entry = xbk_entry::new(new, Arc::clone(&writer.gate), Arc::clone(&writer.open));
        Ok(XBK_OK)
    })
}

/// Ends the stream. Only XBK_OK means that it is whole and that the output took all of it.
/// Does not free the writer.
/// \param err  may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_INVALID_STATE while entries are open (close them, and call again), after an
///         entry was freed without being closed, after a failure, or when it was finished before
/// Thread safety: one thread at a time for this writer. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_writer_finish(
    writer: *mut xbk_writer,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_writer_finish", err, || {
        let writer = guard::handle!(writer);
        writer.enter(|state| {
            let open = writer.open.load(Ordering::Acquire);
            if open > 0 {
                return Err(Failure::state(format!("{open} entries are not closed")));
            }
            state.take().ok_or_else(finished)?.finish()?;
            Ok(XBK_OK)
        })
    })
}

fn finished() -> Failure {
    Failure::state("the stream was finished before")
}

/// Frees a writer; entries that are still open fail from then on, and are freed by themselves.
/// Without xbk_writer_finish() before, the stream is not whole. The descriptor stays open.
/// \param writer  may be NULL; otherwise exactly once
/// Thread safety: no other thread may still use it or one of its entries, but to free it.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_writer_free(writer: *mut xbk_writer) {
    guard::value("xbk_writer_free", (), || {
        let Some(writer) = guard::take!(writer) else { return };
        if writer.gate.is_ours() {
            writer.gate.close();
        } else {
            std::mem::forget(writer); // the child's descriptor of this number may be another one
        }
    });
}
