//! Having a server recover an extracted backup.

use std::ffi::{OsStr, c_char};
use std::os::unix::ffi::OsStrExt;

use xbkit_core::Prepare;
use xbkit_core::options::Job;

use crate::error::{Failure, xbk_error};
use crate::guard;
use crate::observer::{Watcher, xbk_observer};
use crate::options::{JobOptions, xbk_options};
use crate::report::{self, xbk_report};
use crate::server;
use crate::status::xbk_status;

/// The job as the options and the observer say.
fn job(
    options: *const xbk_options,
    dir: &OsStr,
    observer: *const xbk_observer,
) -> Result<(Prepare, Watcher), Failure> {
    let mut watcher = Watcher::read(observer)?;
    let options = JobOptions::read(options, Job::Prepare)?;
    let mut job = server::recovery(&options, Prepare::of_dir(dir))?;
    if let Some(token) = options.cancel_or(watcher.cancel.take())? {
        job = job.cancel(token);
    }
    Ok((job, watcher))
}

/// Prepares the directory that a backup of a running server was extracted to: applies what DDL did
/// meanwhile, and runs a server of the backup's version privately on it, as a child process, until it
/// has recovered and shut down. It takes full backups of mariabackup, too. A run that failed or was
/// killed can be repeated; a directory that is prepared already is left as it is.
/// \param options   may be NULL; XBK_OPT_SERVER_PROGRAM, USE_MEMORY, SERVER_OPTION, TMPDIR
/// \param dir       must not be NULL
/// \param observer  may be NULL
/// \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
/// \param err       may be NULL; set only when the result is < 0
/// \return XBK_OK; XBK_E_NOT_FOUND if the directory is missing or holds no backup, or no fitting
///         server is there; XBK_E_INVALID_STATE if an extraction into it did not finish;
///         XBK_E_RECOVERY if the server did not recover it; XBK_E_UNSUPPORTED for an incremental
///         backup; XBK_E_LOCKED if another process works on it; XBK_E_INVALID_ARGUMENT for options;
///         XBK_E_SOURCE, XBK_E_SINK; XBK_E_CANCELLED, when the server has ended
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_prepare(
    options: *const xbk_options,
    dir: *const c_char,
    observer: *const xbk_observer,
    report: *mut *mut xbk_report,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_prepare", err, || {
        let report = report::Place::new(report);
        let dir = OsStr::from_bytes(guard::string!(dir));
        let (job, mut watcher) = job(options, dir, observer)?;
        let done = job.run(&mut watcher)?;
        Ok(report.give(done))
    })
}
