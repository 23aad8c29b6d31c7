//! Converting a stream into another format.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use xbkit_core::Convert;
use xbkit_core::options::Job;

use crate::error::{Failure, xbk_error};
use crate::guard::{self, Gate};
use crate::io::{ReadCallback, WriteCallback, borrow_fd, xbk_read_fn, xbk_write_fn};
use crate::observer::{Watcher, xbk_observer};
use crate::options::{self, JobOptions, xbk_options};
use crate::report::{self, xbk_report};
use crate::status::xbk_status;

/// The job as the options and the observer say.
fn job(
    options: *const xbk_options,
    observer: *const xbk_observer,
) -> Result<(Convert, Watcher), Failure> {
    let mut watcher = Watcher::read(observer)?;
    let options = JobOptions::read(options, Job::Convert)?;
    let mut job = Convert::to(options.format());
    if let Some(on) = options.bool(options::XBK_OPT_MANIFEST) {
        job = job.manifest(on);
    }
    if let Some(bytes) = options.int(options::XBK_OPT_CHUNK_SIZE) {
        job = job.chunk_size(bytes);
    }
    if let Some(dir) = options.path(options::XBK_OPT_TMPDIR) {
        job = job.tmpdir(dir);
    }
    if let Some(bytes) = options.number(options::XBK_OPT_MAX_SPOOL) {
        job = job.max_spool(bytes);
    }
    if let Some(all) = options.bool(options::XBK_OPT_SPOOL_ALL) {
        job = job.spool_all(all);
    }
    if let Some(allow) = options.bool(options::XBK_OPT_ALLOW_MISSING_END) {
        job = job.allow_missing_end(allow);
    }
    if let Some(token) = options.cancel_or(watcher.cancel.take())? {
        job = job.cancel(token);
    }
    Ok((job, watcher))
}

/// Reads a stream from one descriptor, and writes it to another in the format XBK_OPT_FORMAT says,
/// with a manifest of its own. Outer gzip, zstd and lz4 layers come off. Members of an xbstream that
/// becomes a tar archive wait for their ends in memory, then below XBK_OPT_TMPDIR. The new stream
/// ends only if the old one does; after a failure its reader must be told.
/// Descriptors that are pipes or sockets are never blocked in for long, so a cancel takes at most
/// 200 ms; both keep their flags, and stay open.
/// \param options   may be NULL; XBK_OPT_FORMAT, CHUNK_SIZE, MANIFEST, TMPDIR, MAX_SPOOL, SPOOL_ALL,
///                  ALLOW_MISSING_END
/// \param in_fd     where the stream comes from; borrowed
/// \param out_fd    where the new one goes; borrowed
/// \param observer  may be NULL
/// \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
/// \param err       may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_INVALID_ARGUMENT for options; XBK_E_FORMAT, XBK_E_TRUNCATED,
///         XBK_E_CHECKSUM, XBK_E_UNSAFE_PATH, XBK_E_DECOMPRESS, XBK_E_LIMIT with the stream offset;
///         XBK_E_UNSUPPORTED for a stream that changes members that ended; XBK_E_SOURCE; XBK_E_SINK,
///         XBK_E_PIPE_CLOSED, XBK_E_NO_SPACE of the output or the spool; XBK_E_CANCELLED
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_convert_fd(
    options: *const xbk_options,
    in_fd: c_int,
    out_fd: c_int,
    observer: *const xbk_observer,
    report: *mut *mut xbk_report,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_convert_fd", err, || {
        let report = report::Place::new(report);
        let (job, mut watcher) = job(options, observer)?;
        let done = job.run_fd(borrow_fd(in_fd)?, borrow_fd(out_fd)?, &mut watcher)?;
        Ok(report.give(done))
    })
}

/// The same with callbacks, which run on this thread, each with a user of its own.
/// \param options   may be NULL; as for xbk_convert_fd()
/// \param read_fn   gives the stream; must not be NULL
/// \param read_user handed to read_fn; may be NULL
/// \param write_fn  takes the new one; must not be NULL
/// \param write_user handed to write_fn; may be NULL
/// \param observer  may be NULL
/// \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
/// \param err       may be NULL; set only when the result is < 0
/// \return as xbk_convert_fd(); XBK_E_CALLBACK if a callback returned a negative number
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_convert_cb(
    options: *const xbk_options,
    read_fn: xbk_read_fn,
    read_user: *mut c_void,
    write_fn: xbk_write_fn,
    write_user: *mut c_void,
    observer: *const xbk_observer,
    report: *mut *mut xbk_report,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_convert_cb", err, || {
        let report = report::Place::new(report);
        let gate = Arc::new(Gate::new(true));
        let mut input = ReadCallback::new(read_fn, read_user, Arc::clone(&gate), None)?;
        let mut output = WriteCallback::new(write_fn, write_user, Arc::clone(&gate), None)?;
        let (job, mut watcher) = job(options, observer)?;
        let done = job
            .run(&mut input, &mut output, &mut watcher)
            .map_err(|error| gate.explain(Failure::from(error)))?;
        Ok(report.give(done))
    })
}
