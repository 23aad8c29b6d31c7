//! Streaming files.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use xbkit_core::options::Job;
use xbkit_core::{ChangedFiles, Create};

use crate::error::{Failure, xbk_error};
use crate::guard::{self, Gate};
use crate::io::{WriteCallback, borrow_fd, xbk_write_fn};
use crate::observer::{Watcher, xbk_observer};
use crate::options::{self, JobOptions, xbk_options};
use crate::report::{self, xbk_report};
use crate::status::xbk_status;

/// The job as the options and the observer say.
fn job(
    options: *const xbk_options,
    observer: *const xbk_observer,
) -> Result<(Create, Watcher), Failure> {
    guard::need!(options);
    let mut watcher = Watcher::read(observer)?;
    let options = JobOptions::read(options, Job::Create)?;
    let mut job = Create::new();
    for file in options.paths(options::XBK_OPT_FILE) {
        job = job.file(file);
    }
    if let Some(dir) = options.path(options::XBK_OPT_BASE_DIR) {
        job = job.base(dir);
    }
    if options.strings(options::XBK_OPT_CHANGED).next() == Some(b"warn") {
        job = job.changed(ChangedFiles::Warn);
    }
    job = options::store_members!(options, job);
    if let Some(token) = options.cancel_or(watcher.cancel.take())? {
        job = job.cancel(token);
    }
    Ok((job, watcher))
}

/// Streams files, XBK_OPT_FILE, to a descriptor. With XBK_OPT_PARALLEL above 1 members interleave.
/// Blocks until the last byte is written. After a failure the stream is unfinished, and its reader
/// must be told: xbkit sees it by the missing manifest, others may not.
/// Descriptors that are pipes or sockets are never blocked in for long, so a cancel takes at most
/// 200 ms; the descriptor keeps its flags, a closed pipe gives XBK_E_PIPE_CLOSED and no SIGPIPE, and stays open.
/// \param options   XBK_OPT_FILE at least once; also BASE_DIR, CHANGED, PARALLEL, CHUNK_SIZE,
///                  DIALECT, FORMAT, MANIFEST, COMPRESS, COMPRESS_LEVEL, COMPRESS_THREADS,
///                  COMPRESS_CHUNK_SIZE, ENCRYPT, ENCRYPT_THREADS, ENCRYPT_CHUNK_SIZE, KEY
/// \param fd        where the stream goes; borrowed
/// \param observer  may be NULL
/// \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
/// \param err       may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_INVALID_ARGUMENT for options; XBK_E_NOT_FOUND, XBK_E_PERMISSION,
///         XBK_E_FILE_CHANGED, XBK_E_SOURCE with the file; XBK_E_SINK, XBK_E_PIPE_CLOSED,
///         XBK_E_NO_SPACE of the output; XBK_E_CANCELLED
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_create_to_fd(
    options: *const xbk_options,
    fd: c_int,
    observer: *const xbk_observer,
    report: *mut *mut xbk_report,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_create_to_fd", err, || {
        let report = report::Place::new(report);
        let (job, mut watcher) = job(options, observer)?;
        let done = job.run_fd(borrow_fd(fd)?, &mut watcher)?;
        Ok(report.give(done))
    })
}

/// The same with a callback that takes the stream, on this thread, with user.
/// \param options   XBK_OPT_FILE at least once; also BASE_DIR, CHANGED, PARALLEL, CHUNK_SIZE,
///                  DIALECT, FORMAT, MANIFEST, COMPRESS, COMPRESS_LEVEL, COMPRESS_THREADS,
///                  COMPRESS_CHUNK_SIZE, ENCRYPT, ENCRYPT_THREADS, ENCRYPT_CHUNK_SIZE, KEY
/// \param write_fn  must not be NULL
/// \param user      handed to write_fn; may be NULL
/// \param observer  may be NULL
/// \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
/// \param err       may be NULL; set only when the result is < 0
/// \return as xbk_create_to_fd(); XBK_E_CALLBACK if the callback returned a negative number
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_create_to_cb(
    options: *const xbk_options,
    write_fn: xbk_write_fn,
    user: *mut c_void,
    observer: *const xbk_observer,
    report: *mut *mut xbk_report,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_create_to_cb", err, || {
        let report = report::Place::new(report);
        let gate = Arc::new(Gate::new(true));
        let mut stream = WriteCallback::new(write_fn, user, Arc::clone(&gate), None)?;
        let (job, mut watcher) = job(options, observer)?;
        let done = job
            .run(&mut stream, &mut watcher)
            .map_err(|error| gate.explain(Failure::from(error)))?;
        Ok(report.give(done))
    })
}
