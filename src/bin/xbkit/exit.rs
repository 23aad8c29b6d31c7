//! Exit statuses. They are pinned: callers of backup programs test for exactly 1.

use std::process::ExitCode;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// 0: everything asked for was done.
    Success,
    /// 1: something was not. Of the drop-in names also a command line that is not understood.
    Failure,
    /// 2: a command line of `xbkit` itself is not understood.
    Usage,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        match status {
            Status::Success => Self::SUCCESS,
            Status::Failure => Self::from(1),
            Status::Usage => Self::from(2),
        }
    }
}
