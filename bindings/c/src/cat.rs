//! One member of a stream.

use std::ffi::{OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use xbkit_core::Cat;
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
    member: &[u8],
    observer: *const xbk_observer,
) -> Result<(Cat, Watcher), Failure> {
    let mut watcher = Watcher::read(observer)?;
    let options = JobOptions::read(options, Job::Cat)?;
    let mut job = Cat::new(OsStr::from_bytes(member))?;
    if let Some(dir) = options.path(options::XBK_OPT_TMPDIR) {
        job = job.tmpdir(dir);
    }
    if let Some(bytes) = options.int(options::XBK_OPT_MAX_SPOOL) {
        job = job.max_spool(bytes as u64);
    }
    if let Some(raw) = options.bool(options::XBK_OPT_RAW) {
        job = job.raw(raw);
    }
    if let Some(allow) = options.bool(options::XBK_OPT_ALLOW_MISSING_END) {
        job = job.allow_missing_end(allow);
    }
    if let Some(key) = options.key()? {
        job = job.key(key);
    }
    if let Some(token) = options.cancel_or(watcher.cancel.take())? {
        job = job.cancel(token);
    }
    Ok((job, watcher))
}

/// Writes the bytes of one member of a stream, and reads and verifies the stream to its end. A
/// member that is compressed or encrypted by itself is decoded, with XBK_OPT_KEY, unless XBK_OPT_RAW is
/// set. Up to 16 MiB are written only when all is well; a larger member may be
/// written before the stream turns out to be damaged, so its bytes are not to be used unless the
/// result is XBK_OK. A member that may still change waits in XBK_OPT_TMPDIR.
/// Descriptors that are pipes or sockets are never blocked in for long, so a cancel takes at most
/// 200 ms; the descriptors keep their flags, and stay open.
/// \param options   may be NULL; XBK_OPT_TMPDIR, XBK_OPT_MAX_SPOOL, XBK_OPT_RAW,
///                  XBK_OPT_ALLOW_MISSING_END, XBK_OPT_KEY
/// \param in_fd     where the stream comes from; borrowed
/// \param member    the member's path in the stream, with or without suffixes; must not be NULL
/// \param out_fd    where its bytes go; borrowed
/// \param observer  may be NULL
/// \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free();
///                  its payload bytes are the member's
/// \param err       may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_NOT_FOUND if there is no such member; XBK_E_INVALID_ARGUMENT for options;
///         XBK_E_UNSAFE_PATH for a path that no member can have; XBK_E_FORMAT, XBK_E_TRUNCATED,
///         XBK_E_CHECKSUM, XBK_E_DECOMPRESS, XBK_E_LIMIT with the stream offset; XBK_E_LIMIT or
///         XBK_E_UNSUPPORTED if the stream changes the member too late; XBK_E_SOURCE, XBK_E_SINK,
///         XBK_E_PIPE_CLOSED, XBK_E_NO_SPACE; XBK_E_CANCELLED
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_cat_fd_to_fd(
    options: *const xbk_options,
    in_fd: c_int,
    member: *const c_char,
    out_fd: c_int,
    observer: *const xbk_observer,
    report: *mut *mut xbk_report,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_cat_fd_to_fd", err, || {
        let report = report::Place::new(report);
        let (job, mut watcher) = job(options, guard::string!(member), observer)?;
        let done = job.run_fd(borrow_fd(in_fd)?, borrow_fd(out_fd)?, &mut watcher)?;
        Ok(report.give(done))
    })
}

/// The same with callbacks that give the stream and take the member's bytes, on this thread.
/// \param options     may be NULL; XBK_OPT_TMPDIR, XBK_OPT_MAX_SPOOL, XBK_OPT_RAW,
///                    XBK_OPT_ALLOW_MISSING_END, XBK_OPT_KEY
/// \param read_fn     must not be NULL
/// \param read_user   handed to read_fn; may be NULL
/// \param member      the member's path in the stream; must not be NULL
/// \param write_fn    must not be NULL
/// \param write_user  handed to write_fn; may be NULL
/// \param observer    may be NULL
/// \param report      may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
/// \param err         may be NULL; set only when the result is < 0
/// \return as xbk_cat_fd_to_fd(); XBK_E_CALLBACK if a callback returned a negative number
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_cat_cb_to_cb(
    options: *const xbk_options,
    read_fn: xbk_read_fn,
    read_user: *mut c_void,
    member: *const c_char,
    write_fn: xbk_write_fn,
    write_user: *mut c_void,
    observer: *const xbk_observer,
    report: *mut *mut xbk_report,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_cat_cb_to_cb", err, || {
        let report = report::Place::new(report);
        let gate = Arc::new(Gate::new(true));
        let mut input = ReadCallback::new(read_fn, read_user, Arc::clone(&gate), None)?;
        let mut output = WriteCallback::new(write_fn, write_user, Arc::clone(&gate), None)?;
        let (job, mut watcher) = job(options, guard::string!(member), observer)?;
        let done = job
            .run(&mut input, &mut output, &mut watcher)
            .map_err(|error| gate.explain(Failure::from(error)))?;
        Ok(report.give(done))
    })
}
