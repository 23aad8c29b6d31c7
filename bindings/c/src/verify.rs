//! Verifying a stream.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use xbkit_core::Verify;
use xbkit_core::options::Job;

use crate::error::{Failure, xbk_error};
use crate::guard::{self, Gate};
use crate::io::{ReadCallback, borrow_fd, xbk_read_fn};
use crate::observer::{Watcher, xbk_observer};
use crate::options::{self, JobOptions, xbk_options};
use crate::report::{self, xbk_report};
use crate::status::xbk_status;

/// The job as the options and the observer say.
fn job(
    options: *const xbk_options,
    observer: *const xbk_observer,
) -> Result<(Verify, Watcher), Failure> {
    let mut watcher = Watcher::read(observer)?;
    let options = JobOptions::read(options, Job::Verify)?;
    let mut job = Verify::new();
    if let Some(on) = options.bool(options::XBK_OPT_ALLOW_UNPROVEN) {
        job = job.allow_unproven(on);
    }
    if let Some(allow) = options.bool(options::XBK_OPT_ALLOW_MISSING_END) {
        job = job.allow_missing_end(allow);
    }
    if let Some(key) = options.key()? {
        job = job.key(key);
    }
    if let Some(on) = options.bool(options::XBK_OPT_REQUIRE_BACKUP) {
        job = job.require_backup(on);
    }
    if let Some(on) = options.bool(options::XBK_OPT_PAGES) {
        job = job.pages(on);
    }
    if let Some(token) = options.cancel_or(watcher.cancel.take())? {
        job = job.cancel(token);
    }
    Ok((job, watcher))
}

/// Reads a stream to its end and checks that it is whole, without any disk. An xbstream has no end
/// mark, so XBK_OK means that a manifest in the stream proves it complete and unchanged;
/// XBK_OPT_ALLOW_UNPROVEN lets a sound one without manifest pass, and xbk_report_proven() tells.
/// Descriptors that are pipes or sockets are never blocked in for long, so a cancel takes at most
/// 200 ms; the descriptor keeps its flags, and stays open.
/// \param options   may be NULL; XBK_OPT_ALLOW_UNPROVEN, XBK_OPT_ALLOW_MISSING_END,
///                  XBK_OPT_KEY, XBK_OPT_REQUIRE_BACKUP
/// \param fd        where the stream comes from; borrowed
/// \param observer  may be NULL
/// \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
/// \param err       may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_UNPROVEN for a stream that is sound but not proven;
///         XBK_E_INCOMPLETE by XBK_OPT_REQUIRE_BACKUP;
///         XBK_E_INVALID_ARGUMENT for options; XBK_E_FORMAT, XBK_E_TRUNCATED, XBK_E_CHECKSUM,
///         XBK_E_UNSAFE_PATH, XBK_E_DECOMPRESS, XBK_E_LIMIT with the stream offset; XBK_E_SOURCE;
///         XBK_E_CANCELLED
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_verify_from_fd(
    options: *const xbk_options,
    fd: c_int,
    observer: *const xbk_observer,
    report: *mut *mut xbk_report,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_verify_from_fd", err, || {
        let report = report::Place::new(report);
        let (job, mut watcher) = job(options, observer)?;
        let done = job.run_fd(borrow_fd(fd)?, &mut watcher)?;
        Ok(report.give(done))
    })
}

/// The same with a callback that gives the stream, on this thread, with user.
/// \param options   may be NULL; XBK_OPT_ALLOW_UNPROVEN, XBK_OPT_ALLOW_MISSING_END,
///                  XBK_OPT_KEY, XBK_OPT_REQUIRE_BACKUP
/// \param read_fn  must not be NULL
/// \param user      handed to read_fn; may be NULL
/// \param observer  may be NULL
/// \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
/// \param err       may be NULL; set only when the result is < 0
/// \return as xbk_verify_from_fd(); XBK_E_CALLBACK if the callback returned a negative number
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_verify_from_cb(
    options: *const xbk_options,
    read_fn: xbk_read_fn,
    user: *mut c_void,
    observer: *const xbk_observer,
    report: *mut *mut xbk_report,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_verify_from_cb", err, || {
        let report = report::Place::new(report);
        let gate = Arc::new(Gate::new(true));
        let mut stream = ReadCallback::new(read_fn, user, Arc::clone(&gate), None)?;
        let (job, mut watcher) = job(options, observer)?;
        let done = job
            .run(&mut stream, &mut watcher)
            .map_err(|error| gate.explain(Failure::from(error)))?;
        Ok(report.give(done))
    })
}
