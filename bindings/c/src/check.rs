//! Checking the pages of files on disk.

use xbkit_core::Check;
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
    observer: *const xbk_observer,
) -> Result<(Check, Watcher), Failure> {
    guard::need!(options);
    let mut watcher = Watcher::read(observer)?;
    let options = JobOptions::read(options, Job::Check)?;
    let first = options.need_path(options::XBK_OPT_PATH)?;
    let mut job = options.paths(options::XBK_OPT_PATH).skip(1).fold(Check::of(first), Check::and);
    if let Some(threads) = options.int(options::XBK_OPT_PARALLEL) {
        job = job.parallel(threads);
    }
    if let Some(token) = options.cancel_or(watcher.cancel.take())? {
        job = job.cancel(token);
    }
    Ok((job, watcher))
}

/// Checks every page of the tablespaces below XBK_OPT_PATH: of a stopped server, or of an
/// extracted backup. Each damaged page is an XBK_EVENT_BAD_PAGE, each file an
/// XBK_EVENT_FILE_CHECKED; a file that cannot be read is a log event, and the job fails at its
/// end. Locks that keep a server from starting are held meanwhile.
/// \param options   must not be NULL; XBK_OPT_PATH, XBK_OPT_PARALLEL
/// \param observer  may be NULL
/// \param report    may be NULL; set only when the result is XBK_OK; free it by xbk_report_free()
/// \param err       may be NULL; set only when the result is < 0
/// \return XBK_OK if every page that can be checked is right; XBK_E_PAGE_CORRUPT if one is not, or
///         is missing; XBK_E_LOCKED if a server uses a file; XBK_E_FILE_CHANGED; XBK_E_NOT_FOUND if
///         there is no such path, or no tablespace below it; XBK_E_INVALID_ARGUMENT for options;
///         XBK_E_SOURCE; XBK_E_CANCELLED
/// Thread safety: any thread; several jobs may run at once. Since: 0.1
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn xbk_check(
    options: *const xbk_options,
    observer: *const xbk_observer,
    report: *mut *mut xbk_report,
    err: *mut *mut xbk_error,
) -> xbk_status {
    guard::call("xbk_check", err, || {
        let report = report::Place::new(report);
        let (job, mut watcher) = job(options, observer)?;
        let done = job.run(&mut watcher)?;
        Ok(report.give(done))
    })
}
