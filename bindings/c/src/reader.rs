//! Reading a stream item by item.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use xbkit_core::codec::Key;
use xbkit_core::options::Job;
use xbkit_core::{FdReader, StreamReader};

use crate::error::{Failure, xbk_error};
use crate::guard::{self, Gate};
use crate::io::{ReadCallback, Source, borrow_fd, xbk_read_fn};
use crate::item::{Names, describe, xbk_item};
use crate::options::{self, JobOptions, xbk_options};
use crate::status::{XBK_EOF, XBK_OK, xbk_status};

/// Reads a stream item by item, without extracting it. Outer gzip, zstd and lz4 layers come off.
///
///   1) xbk_reader_new_fd() or xbk_reader_new_cb()
///   2) xbk_reader_next() until it gives XBK_EOF: only then the stream is whole
///   3) xbk_reader_is_proven() says whether a manifest shows that nothing of it is missing
///   4) xbk_reader_free()
///
/// After any error the reader is poisoned: later calls give XBK_E_INVALID_STATE with the first
/// message. In a forked child every call gives XBK_E_FORKED, and xbk_reader_free() does nothing.
/// Memory: 1 MiB, the windows of outer layers, and about 200 bytes and twice the path for each
/// member that is open.
/// Thread safety: one thread at a time; it may move between threads.
pub struct xbk_reader {
    gate: Arc<Gate>,
    proven: Arc<AtomicBool>,
    state: Mutex<State>,
}

struct State {
    reader: StreamReader<Source>,
    proven: Arc<AtomicBool>,
    names: Names,
    /// Boxed, so that its address is not part of what a call borrows.
    item: Box<xbk_item>,
}

// SAFETY: the item's pointer points into the reader's own buffer, which moves with it.
unsafe impl Send for State {}

impl xbk_reader {
    fn new(
        source: Source,
        gate: Arc<Gate>,
        may_lack_end: bool,
        key: Option<&Key>,
    ) -> Result<*mut Self, Failure> {
        let reader = StreamReader::open(source, may_lack_end, key);
        let reader = reader.map_err(|error| gate.explain(error.into()))?;
        let proven = Arc::new(AtomicBool::new(false));
        let (names, item) = (Names::new(), Box::new(xbk_item::NONE));
        let state = State { reader, proven: Arc::clone(&proven), names, item };
        let own = Self { gate, proven, state: Mutex::new(state) };
        Ok(Arc::into_raw(Arc::new(own)).cast_mut())
    }
}

impl State {
    /// Moves on to the next item that C can see; `None` at the end.
    fn advance(&mut self) -> Result<Option<*const xbk_item>, Failure> {
        *self.item = xbk_item::NONE;
        loop {
            let Some(item) = self.reader.next_item()? else {
                self.proven.store(self.reader.is_proven(), Ordering::Release);
                return Ok(None);
            };
            if let Some(item) = describe(item, &mut self.names) {
                *self.item = item;
                return Ok(Some(&raw const *self.item));
            }
        }
    }
}

/// Makes a reader from a descriptor, and blocks for the first bytes of the stream.
/// Pipes and sockets are never blocked in for long, so a cancel takes at most 200 ms; the
/// descriptor keeps its flags.
/// \param options  may be NULL; XBK_OPT_ALLOW_MISSING_END, XBK_OPT_KEY, and the cancel object
/// \param fd       where the stream comes from; borrowed until xbk_reader_free(), never closed
/// \param reader   receives the reader; free it by xbk_reader_free()
/// \param err      may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_INVALID_ARGUMENT; XBK_E_SOURCE; XBK_E_DECOMPRESS; XBK_E_CANCELLED
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_reader_new_fd(
    options: *const xbk_options,
    fd: c_int,
    reader: *mut *mut xbk_reader,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_reader_new_fd", err, || {
        let reader = guard::out!(reader);
        let options = JobOptions::read(options, Job::Reader)?;
        let may_lack_end = options.bool(options::XBK_OPT_ALLOW_MISSING_END).unwrap_or(false);
        let key = options.key()?;
        let source = Source::Fd(FdReader::new(borrow_fd(fd)?, options.cancel)?);
        *reader = xbk_reader::new(source, Arc::new(Gate::new(true)), may_lack_end, key.as_ref())?;
        Ok(XBK_OK)
    })
}

/// Makes a reader from a callback, which runs on the thread that calls xbk_reader_next(), and is
/// called here for the first bytes of the stream.
/// \param options  may be NULL; XBK_OPT_ALLOW_MISSING_END, XBK_OPT_KEY, and the cancel object, which is looked at
///                 between callbacks
/// \param read_fn  must not be NULL
/// \param user     handed to read_fn; may be NULL
/// \param reader   receives the reader; free it by xbk_reader_free()
/// \param err      may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_INVALID_ARGUMENT; XBK_E_SOURCE; XBK_E_CALLBACK; XBK_E_DECOMPRESS;
///         XBK_E_CANCELLED
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_reader_new_cb(
    options: *const xbk_options,
    read_fn: xbk_read_fn,
    user: *mut c_void,
    reader: *mut *mut xbk_reader,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_reader_new_cb", err, || {
        let reader = guard::out!(reader);
        let options = JobOptions::read(options, Job::Reader)?;
        let may_lack_end = options.bool(options::XBK_OPT_ALLOW_MISSING_END).unwrap_or(false);
        let key = options.key()?;
        let gate = Arc::new(Gate::new(true));
        let source = ReadCallback::new(read_fn, user, Arc::clone(&gate), options.cancel)?;
        *reader = xbk_reader::new(Source::Callback(source), gate, may_lack_end, key.as_ref())?;
        Ok(XBK_OK)
    })
}

/// Moves on to the next item. Blocks for its bytes.
/// \param item  receives the item, which belongs to the reader and is valid until the next call;
///              NULL unless the result is XBK_OK
/// \param err   may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_EOF at the proper end of the stream, then always; XBK_E_FORMAT,
///         XBK_E_TRUNCATED, XBK_E_CHECKSUM, XBK_E_UNSAFE_PATH, XBK_E_LIMIT, XBK_E_DECOMPRESS with the
///         stream offset; XBK_E_SOURCE; XBK_E_CALLBACK; XBK_E_CANCELLED: then the reader is
///         poisoned; XBK_E_INVALID_STATE afterwards
/// Thread safety: one thread at a time for this reader. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_reader_next(
    reader: *mut xbk_reader,
    item: *mut *const xbk_item,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_reader_next", err, || {
        // SAFETY: by the header's contract the pointer is NULL or may be written to.
        let Some(place) = (unsafe { item.as_mut() }) else { return Err(guard::null("item")) };
        *place = std::ptr::null();
        let reader = guard::handle!(reader);
        match reader.gate.enter(&reader.state, State::advance)? {
            Some(item) => {
                *place = item;
                Ok(XBK_OK)
            }
            None => Ok(XBK_EOF),
        }
    })
}

/// Whether the stream was proven to be complete and unchanged, by a manifest in it. One without is
/// sound when it was read to XBK_EOF, but nothing shows that no member was lost behind it.
/// \param reader  may be NULL, which gives 0
/// \return 1 if it was; 0 until xbk_reader_next() gave XBK_EOF, and for streams without a manifest
/// Thread safety: any thread. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_reader_is_proven(reader: *const xbk_reader) -> i32 {
    guard::value("xbk_reader_is_proven", 0, || {
        guard::peek!(reader).map_or(0, |it| i32::from(it.proven.load(Ordering::Acquire)))
    })
}

/// Frees a reader and its item. The descriptor stays open.
/// \param reader  may be NULL; otherwise exactly once
/// Thread safety: no other thread may still use it. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xbk_reader_free(reader: *mut xbk_reader) {
    guard::value("xbk_reader_free", (), || {
        let Some(reader) = guard::take!(reader) else { return };
        if !reader.gate.is_ours() {
            std::mem::forget(reader); // the child's descriptor of this number may be another one
        }
    });
}
