//! From a stream to a data directory.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use xbkit_core::Restore;
use xbkit_core::options::Job;

use crate::error::{Failure, xbk_error};
use crate::guard::{self, Gate};
use crate::io::{ReadCallback, borrow_fd, xbk_read_fn};
use crate::observer::{Watcher, xbk_observer};
use crate::options::{self, JobOptions, xbk_options};
use crate::report::{self, xbk_report};
use crate::server;
use crate::status::xbk_status;

/// The job as the options and the observer say.
fn job(
    options: *const xbk_options,
    observer: *const xbk_observer,
) -> Result<(Restore, Watcher), Failure> {
    guard::need!(options);
    let mut watcher = Watcher::read(observer)?;
    let options = JobOptions::read(options, Job::Restore)?;
    let mut job = Restore::into_datadir(options.need_path(options::XBK_OPT_DATADIR)?);
    let mut wrong = None;
    job = job.prepare_with(|recovery| match server::recovery(&options, recovery.clone()) {
        Ok(recovery) => recovery,
        Err(failure) => {
            wrong = Some(failure);
            recovery
        }
    });
    if let Some(failure) = wrong {
        return Err(failure);
    }
    let key = options.key()?;
    job = job.extract_with(|mut extract| {
        if let Some(key) = key {
            extract = extract.key(key);
        }
        if let Some(threads) = options.int(options::XBK_OPT_DECODE_THREADS) {
            extract = extract.decode_threads(threads);
        }
        if let Some(bytes) = options.number(options::XBK_OPT_MAX_DECODED_SIZE) {
            extract = extract.max_decoded_size(bytes);
        }
        if let Some(ratio) = options.number(options::XBK_OPT_MAX_RATIO) {
            extract = extract.max_ratio(ratio);
        }
        extract
    });
    if let Some(threads) = options.int(options::XBK_OPT_PARALLEL) {
        job = job.parallel(threads);
    }
    if let Some(user) = options.utf8(options::XBK_OPT_OWNER)? {
        job = job.owner(user);
    }
    if let Some(token) = options.cancel_or(watcher.cancel.take())? {
        job = job.cancel(token);
    }
    Ok((job, watcher))
}

/// Makes a data directory, XBK_OPT_DATADIR, of the stream of a backup that can be read from a
/// descriptor: extracts it, has a server recover what a backup of a running one holds, as
/// xbk_prepare() does, and gives the files to the server's user. The directory is new or empty. If
/// the job fails behind the extraction, xbk_prepare() can be tried on the directory again.
/// \param options   XBK_OPT_DATADIR; also OWNER, PARALLEL, KEY, DECODE_THREADS, MAX_DECODED_SIZE,
///                  MAX_RATIO, SERVER_PROGRAM, USE_MEMORY, SERVER_OPTION, TMPDIR
/// \param fd        where the stream comes from; borrowed
/// \param observer  may be NULL
/// \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
/// \param err       may be NULL; set only when the result is < 0
/// \return as xbk_extract_from_fd() and xbk_prepare()
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_restore_from_fd(
    options: *const xbk_options,
    fd: c_int,
    observer: *const xbk_observer,
    report: *mut *mut xbk_report,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_restore_from_fd", err, || {
        let report = report::Place::new(report);
        let (job, mut watcher) = job(options, observer)?;
        let done = job.run_fd(borrow_fd(fd)?, &mut watcher)?;
        Ok(report.give(done))
    })
}

/// The same with a callback that gives the stream, on this thread, with user.
/// \param options   XBK_OPT_DATADIR; also OWNER, PARALLEL, KEY, DECODE_THREADS, MAX_DECODED_SIZE,
///                  MAX_RATIO, SERVER_PROGRAM, USE_MEMORY, SERVER_OPTION, TMPDIR
/// \param read_fn   must not be NULL
/// \param user      handed to read_fn; may be NULL
/// \param observer  may be NULL
/// \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
/// \param err       may be NULL; set only when the result is < 0
/// \return as xbk_restore_from_fd(); XBK_E_CALLBACK if the callback returned a negative number
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_restore_from_cb(
    options: *const xbk_options,
    read_fn: xbk_read_fn,
    user: *mut c_void,
    observer: *const xbk_observer,
    report: *mut *mut xbk_report,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_restore_from_cb", err, || {
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
