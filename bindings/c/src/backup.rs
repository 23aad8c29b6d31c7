//! Backing up a stopped server.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use xbkit_core::options::Job;
use xbkit_core::{Backup, DamagedPages};

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
) -> Result<(Backup, Watcher), Failure> {
    guard::need!(options);
    let mut watcher = Watcher::read(observer)?;
    let options = JobOptions::read(options, Job::Backup)?;
    let mut job = Backup::of_datadir(options.need_path(options::XBK_OPT_DATADIR)?)
        .format(options.format())
        .dialect(options.dialect());
    if let Some(dir) = options.path(options::XBK_OPT_DATA_HOME) {
        job = job.data_home(dir);
    }
    if let Some(dir) = options.path(options::XBK_OPT_UNDO_DIR) {
        job = job.undo_dir(dir);
    }
    if let Some(dir) = options.path(options::XBK_OPT_LOG_DIR) {
        job = job.log_dir(dir);
    }
    if let Some(dir) = options.path(options::XBK_OPT_ARIA_LOG_DIR) {
        job = job.aria_log_dir(dir);
    }
    let system_files: Vec<_> = options.paths(options::XBK_OPT_SYSTEM_FILE).collect();
    if !system_files.is_empty() {
        job = job.system_files(system_files);
    }
    if let Some(threads) = options.int(options::XBK_OPT_PARALLEL) {
        job = job.parallel(threads);
    }
    if let Some(on) = options.bool(options::XBK_OPT_MANIFEST) {
        job = job.manifest(on);
    }
    if options.bool(options::XBK_OPT_LOG_PAGE_CORRUPTION) == Some(true) {
        job = job.damaged_pages(DamagedPages::Report);
    }
    if let Some(bytes) = options.int(options::XBK_OPT_CHUNK_SIZE) {
        job = job.chunk_size(bytes);
    }
    job = options::store_members!(options, job);
    if let Some(token) = options.cancel_or(watcher.cancel.take())? {
        job = job.cancel(token);
    }
    Ok((job, watcher))
}

/// Streams the data directory of a stopped server, XBK_OPT_DATADIR, to a descriptor. A lock that
/// keeps a server from starting is held meanwhile. Blocks until the last byte is written. After a
/// failure the stream is unfinished, and its reader must be told: xbkit sees it by the missing manifest, others
/// may not.
/// Descriptors that are pipes or sockets are never blocked in for long, so a cancel takes at most
/// 200 ms; the descriptor keeps its flags, a closed pipe gives XBK_E_PIPE_CLOSED and no SIGPIPE, and stays open.
/// \param options   XBK_OPT_DATADIR; also DATA_HOME, UNDO_DIR, LOG_DIR, ARIA_LOG_DIR, SYSTEM_FILE, PARALLEL,
///                  CHUNK_SIZE, DIALECT, FORMAT, MANIFEST, COMPRESS, COMPRESS_LEVEL, COMPRESS_THREADS,
///                  COMPRESS_CHUNK_SIZE, ENCRYPT, ENCRYPT_THREADS, ENCRYPT_CHUNK_SIZE, KEY
/// \param fd        where the stream goes; borrowed
/// \param observer  may be NULL
/// \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
/// \param err       may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_INVALID_ARGUMENT for options; XBK_E_LOCKED if a server uses the directory;
///         XBK_E_NOT_FOUND if it is none of a server; XBK_E_FILE_CHANGED, XBK_E_PERMISSION,
///         XBK_E_SOURCE with the file; XBK_E_SINK, XBK_E_PIPE_CLOSED, XBK_E_NO_SPACE of the output;
///         XBK_E_CANCELLED
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_backup_to_fd(
    options: *const xbk_options,
    fd: c_int,
    observer: *const xbk_observer,
    report: *mut *mut xbk_report,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_backup_to_fd", err, || {
        let report = report::Place::new(report);
        let (job, mut watcher) = job(options, observer)?;
        let done = job.run_fd(borrow_fd(fd)?, &mut watcher)?;
        Ok(report.give(done))
    })
}

/// The same with a callback that takes the stream, on this thread, with user.
/// \param options   XBK_OPT_DATADIR; also DATA_HOME, UNDO_DIR, LOG_DIR, ARIA_LOG_DIR, SYSTEM_FILE, PARALLEL,
///                  CHUNK_SIZE, DIALECT, FORMAT, MANIFEST, COMPRESS, COMPRESS_LEVEL, COMPRESS_THREADS,
///                  COMPRESS_CHUNK_SIZE, ENCRYPT, ENCRYPT_THREADS, ENCRYPT_CHUNK_SIZE, KEY
/// \param write_fn  must not be NULL
/// \param user      handed to write_fn; may be NULL
/// \param observer  may be NULL
/// \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
/// \param err       may be NULL; set only when the result is < 0
/// \return as xbk_backup_to_fd(); XBK_E_CALLBACK if the callback returned a negative number
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_backup_to_cb(
    options: *const xbk_options,
    write_fn: xbk_write_fn,
    user: *mut c_void,
    observer: *const xbk_observer,
    report: *mut *mut xbk_report,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_backup_to_cb", err, || {
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
