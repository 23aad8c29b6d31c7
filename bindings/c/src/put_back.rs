//! Putting a prepared backup where a server wants its data.

use std::ffi::{OsStr, c_char};
use std::os::unix::ffi::OsStrExt;

use xbkit_core::PutBack;
use xbkit_core::options::Job;

use crate::error::{Failure, xbk_error};
use crate::guard;
use crate::observer::{Watcher, xbk_observer};
use crate::options::{self, JobOptions, xbk_options};
use crate::report::{self, xbk_report};
use crate::status::xbk_status;

/// The job as the options and the observer say.
fn job(
    options: *const xbk_options,
    dir: &OsStr,
    observer: *const xbk_observer,
) -> Result<(PutBack, Watcher), Failure> {
    let mut watcher = Watcher::read(observer)?;
    let options = JobOptions::read(options, Job::PutBack)?;
    let mut job = PutBack::new(dir, options.need_path(options::XBK_OPT_DATADIR)?);
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
    if let Some(on) = options.bool(options::XBK_OPT_MOVE_FILES) {
        job = job.move_files(on);
    }
    if let Some(on) = options.bool(options::XBK_OPT_NON_EMPTY) {
        job = job.non_empty(on);
    }
    if let Some(token) = options.cancel_or(watcher.cancel.take())? {
        job = job.cancel(token);
    }
    Ok((job, watcher))
}

/// Copies or moves a prepared backup into a data directory, XBK_OPT_DATADIR, which is new or empty,
/// and gives the files to the server's user if root calls. Files of a copy that fails are removed
/// again; what was moved stays where it is.
/// \param options   must not be NULL; XBK_OPT_DATADIR; also DATA_HOME, UNDO_DIR, LOG_DIR,
///                  ARIA_LOG_DIR, MOVE_FILES, NON_EMPTY
/// \param dir       the backup; must not be NULL
/// \param observer  may be NULL
/// \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
/// \param err       may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_INVALID_STATE if the backup is not prepared; XBK_E_EXISTS if a directory is
///         not empty, or a file is there; XBK_E_INVALID_ARGUMENT for options; XBK_E_NOT_FOUND,
///         XBK_E_SOURCE, XBK_E_SINK, XBK_E_NO_SPACE with the file; XBK_E_CANCELLED
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_put_back(
    options: *const xbk_options,
    dir: *const c_char,
    observer: *const xbk_observer,
    report: *mut *mut xbk_report,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_put_back", err, || {
        let report = report::Place::new(report);
        guard::need!(options);
        let dir = OsStr::from_bytes(guard::string!(dir));
        let (job, mut watcher) = job(options, dir, observer)?;
        let done = job.run(&mut watcher)?;
        Ok(report.give(done))
    })
}
