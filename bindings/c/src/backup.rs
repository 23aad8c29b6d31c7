//! Backing up a server: a stopped one, or a running one.

use std::ffi::{OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;

use xbkit_core::limits::SAFE_SLAVE_WAIT;
use xbkit_core::options::Job;
use xbkit_core::{Backup, DamagedPages, ServerBackup};

use crate::error::{Failure, xbk_error};
use crate::guard::{self, Gate};
use crate::io::{WriteCallback, borrow_fd, xbk_write_fn};
use crate::observer::{Watcher, xbk_observer};
use crate::options::{self, JobOptions, xbk_options};
use crate::report::{self, xbk_report};
use crate::server;
use crate::status::xbk_status;

/// One of the two.
enum Either {
    Stopped(Box<Backup>),
    Running(Box<ServerBackup>),
}

/// Runs either, and gives what it reports.
macro_rules! run {
    ($either:expr, $report:expr, |$job:ident| $run:expr) => {
        match $either {
            Either::Stopped($job) => $run.map(|done| $report.give(done)),
            Either::Running($job) => $run.map(|done| $report.give(done)),
        }
    };
}

/// The job as the options and the observer say.
fn job(
    options: *const xbk_options,
    observer: *const xbk_observer,
) -> Result<(Either, Watcher), Failure> {
    guard::need!(options);
    let mut watcher = Watcher::read(observer)?;
    if JobOptions::has_any(options, &server::PLACES)? {
        let options = JobOptions::read(options, Job::ServerBackup)?;
        let mut job = running(&options)?;
        if let Some(token) = options.cancel_or(watcher.cancel.take())? {
            job = job.cancel(token);
        }
        return Ok((Either::Running(Box::new(job)), watcher));
    }
    let options = JobOptions::read(options, Job::Backup)?;
    let mut job = stopped(&options)?;
    if let Some(token) = options.cancel_or(watcher.cancel.take())? {
        job = job.cancel(token);
    }
    Ok((Either::Stopped(Box::new(job)), watcher))
}

fn stopped(options: &JobOptions) -> Result<Backup, Failure> {
    let mut job = Backup::of_datadir(options.need_path(options::XBK_OPT_DATADIR)?);
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
    if options.bool(options::XBK_OPT_LOG_PAGE_CORRUPTION) == Some(true) {
        job = job.damaged_pages(DamagedPages::Report);
    }
    Ok(options::store_members!(*options, job))
}

fn running(options: &JobOptions) -> Result<ServerBackup, Failure> {
    let mut job = Backup::of_server(server::connect(options)?).tool("libxbkit", "");
    if let Some(dir) = options.path(options::XBK_OPT_DATADIR) {
        job = job.datadir(dir);
    }
    if let Some(dir) = options.absolute_path(options::XBK_OPT_TMPDIR)? {
        job = job.tmpdir(dir);
    }
    if let Some(bytes) = options.number(options::XBK_OPT_MAX_SPOOL) {
        job = job.max_spool(bytes);
    }
    if let Some(rate) = options.number(options::XBK_OPT_THROTTLE) {
        job = job.throttle(rate);
    }
    if let Some(seconds) = options.number(options::XBK_OPT_LOCK_WAIT_TIMEOUT) {
        job = job.lock_wait(Duration::from_secs(seconds));
    }
    if let Some(on) = options.bool(options::XBK_OPT_SLAVE_INFO) {
        job = job.slave_info(on);
    }
    if let Some(on) = options.bool(options::XBK_OPT_GALERA_INFO) {
        job = job.galera_info(on);
    }
    if options.bool(options::XBK_OPT_SAFE_SLAVE_BACKUP) == Some(true) {
        let seconds = options.number(options::XBK_OPT_SAFE_SLAVE_BACKUP_TIMEOUT);
        job = job.safe_slave_backup(seconds.map_or(SAFE_SLAVE_WAIT, Duration::from_secs));
    }
    if options.bool(options::XBK_OPT_LOG_PAGE_CORRUPTION) == Some(true) {
        job = job.damaged_pages(DamagedPages::Report);
    }
    Ok(options::store_members!(*options, job))
}

/// Streams the data of a server to a descriptor.
///
/// Of a stopped server, its data directory XBK_OPT_DATADIR, under a lock that keeps a server from
/// starting.
///
/// Of a running one (MariaDB 10.8 or later, on this machine), if XBK_OPT_SOCKET, XBK_OPT_HOST or
/// XBK_OPT_DEFAULTS_FILE is set: what it would have left had it crashed at the reported position, so a
/// server must recover it: xbk_prepare(), xbk_restore_from_fd(). Others wait for it only in its
/// last stages, whose lengths are reported; a descriptor that stalls holds no lock. However the job
/// ends, all locks are released at once. The account needs RELOAD, with a binary log BINLOG MONITOR,
/// and with XBK_OPT_SLAVE_INFO SLAVE MONITOR.
///
/// Blocks until the last byte is written. After a failure the stream is unfinished, and its reader
/// must be told: xbkit sees it by the missing manifest, others may not.
/// Descriptors that are pipes or sockets are never blocked in for long, so a cancel takes at most
/// 200 ms; the descriptor keeps its flags, a closed pipe gives XBK_E_PIPE_CLOSED and no SIGPIPE, and stays open.
/// \param options   of a stopped server XBK_OPT_DATADIR; also DATA_HOME, UNDO_DIR, LOG_DIR,
///                  ARIA_LOG_DIR, SYSTEM_FILE.
///                  Of a running one XBK_OPT_SOCKET, HOST or DEFAULTS_FILE; also PORT, USER, PASSWORD,
///                  PASSWORD_FILE, TLS, TLS_CA, TLS_CERT, TLS_KEY, TLS_NO_VERIFY, DATADIR, TMPDIR,
///                  MAX_SPOOL, THROTTLE, LOCK_WAIT_TIMEOUT, SLAVE_INFO, GALERA_INFO,
///                  SAFE_SLAVE_BACKUP, SAFE_SLAVE_BACKUP_TIMEOUT.
///                  Of both PARALLEL, CHUNK_SIZE, DIALECT, FORMAT, MANIFEST, LOG_PAGE_CORRUPTION,
///                  COMPRESS, COMPRESS_LEVEL, COMPRESS_THREADS, COMPRESS_CHUNK_SIZE, ENCRYPT,
///                  ENCRYPT_THREADS, ENCRYPT_CHUNK_SIZE, KEY
/// \param fd        where the stream goes; borrowed
/// \param observer  may be NULL
/// \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
/// \param err       may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_INVALID_ARGUMENT for options, or a data directory that is not the server's;
///         XBK_E_LOCKED if a server uses the directory; XBK_E_NOT_FOUND if it is none of a server;
///         XBK_E_FILE_CHANGED, XBK_E_PERMISSION, XBK_E_SOURCE, XBK_E_PAGE_CORRUPT with the file;
///         XBK_E_CONNECT if the server cannot be reached, or the connection broke; XBK_E_AUTH if it
///         refuses the login, or the account lacks a privilege, which the hint names;
///         XBK_E_LOCK_WAIT; XBK_E_QUERY; XBK_E_REDO_OVERRUN if the server wrote over redo that was
///         not read yet; XBK_E_REDO_FORMAT, XBK_E_UNSUPPORTED for a server that is not understood;
///         XBK_E_SINK, XBK_E_PIPE_CLOSED, XBK_E_NO_SPACE of the output; XBK_E_LIMIT for a full spool;
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
        let (either, mut watcher) = job(options, observer)?;
        let fd = borrow_fd(fd)?;
        Ok(run!(either, report, |job| job.run_fd(fd, &mut watcher))?)
    })
}

/// The same with a callback that takes the stream, on this thread, with user. A callback that
/// stalls holds no lock of the server.
/// \param options   of a stopped server XBK_OPT_DATADIR; also DATA_HOME, UNDO_DIR, LOG_DIR,
///                  ARIA_LOG_DIR, SYSTEM_FILE.
///                  Of a running one XBK_OPT_SOCKET, HOST or DEFAULTS_FILE; also PORT, USER, PASSWORD,
///                  PASSWORD_FILE, TLS, TLS_CA, TLS_CERT, TLS_KEY, TLS_NO_VERIFY, DATADIR, TMPDIR,
///                  MAX_SPOOL, THROTTLE, LOCK_WAIT_TIMEOUT, SLAVE_INFO, GALERA_INFO,
///                  SAFE_SLAVE_BACKUP, SAFE_SLAVE_BACKUP_TIMEOUT.
///                  Of both PARALLEL, CHUNK_SIZE, DIALECT, FORMAT, MANIFEST, LOG_PAGE_CORRUPTION,
///                  COMPRESS, COMPRESS_LEVEL, COMPRESS_THREADS, COMPRESS_CHUNK_SIZE, ENCRYPT,
///                  ENCRYPT_THREADS, ENCRYPT_CHUNK_SIZE, KEY
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
        let (either, mut watcher) = job(options, observer)?;
        run!(either, report, |job| job.run(&mut stream, &mut watcher))
            .map_err(|error| gate.explain(Failure::from(error)))
    })
}

/// The same into a directory, whose files are stored as the members of an xbstream would be:
/// compressed and encrypted, if that is asked for. If the job fails, none is left there.
/// \param options   of a stopped server XBK_OPT_DATADIR; also DATA_HOME, UNDO_DIR, LOG_DIR,
///                  ARIA_LOG_DIR, SYSTEM_FILE.
///                  Of a running one XBK_OPT_SOCKET, HOST or DEFAULTS_FILE; also PORT, USER, PASSWORD,
///                  PASSWORD_FILE, TLS, TLS_CA, TLS_CERT, TLS_KEY, TLS_NO_VERIFY, DATADIR, TMPDIR,
///                  MAX_SPOOL, THROTTLE, LOCK_WAIT_TIMEOUT, SLAVE_INFO, GALERA_INFO,
///                  SAFE_SLAVE_BACKUP, SAFE_SLAVE_BACKUP_TIMEOUT.
///                  Of both PARALLEL, CHUNK_SIZE, DIALECT, FORMAT, MANIFEST, LOG_PAGE_CORRUPTION,
///                  COMPRESS, COMPRESS_LEVEL, COMPRESS_THREADS, COMPRESS_CHUNK_SIZE, ENCRYPT,
///                  ENCRYPT_THREADS, ENCRYPT_CHUNK_SIZE, KEY
/// \param dir       a new or empty directory, made if it is missing; must not be NULL
/// \param observer  may be NULL
/// \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
/// \param err       may be NULL; set only when the result is < 0
/// \return as xbk_backup_to_fd(); XBK_E_EXISTS if the directory is not empty; XBK_E_SINK and its like
///         with the file that could not be written
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_backup_to_dir(
    options: *const xbk_options,
    dir: *const c_char,
    observer: *const xbk_observer,
    report: *mut *mut xbk_report,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_backup_to_dir", err, || {
        let report = report::Place::new(report);
        let dir = OsStr::from_bytes(guard::string!(dir));
        let (either, mut watcher) = job(options, observer)?;
        Ok(run!(either, report, |job| job.run_into(dir, &mut watcher))?)
    })
}
