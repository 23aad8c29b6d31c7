//! What a job tells while it runs: one event type, delivered on the thread that called the job.

use std::ops::ControlFlow;
use std::path::Path;

use crate::pages::{BadPage, FileCheck};

/// Something a running job reports. The set grows; match with a wildcard arm.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// How far the job is; at most every 100 ms, and once at its end.
    Progress(Progress),
    /// A member was finished. `size` is its length in bytes.
    Member {
        /// The member's path in the stream.
        path: &'a Path,
        /// Its final size in bytes.
        size: u64,
    },
    /// A page of a tablespace is not what the server wrote.
    BadPage {
        /// The file or member.
        path: &'a Path,
        /// The page, and what is wrong with it.
        page: &'a BadPage,
    },
    /// All pages of a tablespace were looked at.
    FileChecked {
        /// The file or member.
        path: &'a Path,
        /// How many of them are what.
        file: &'a FileCheck,
    },
    /// A sentence for a log.
    Log {
        /// How much it matters.
        level: Level,
        /// The sentence.
        message: &'a str,
    },
}

/// Weight of a log event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Worth knowing.
    Info,
    /// The job goes on, but the caller should look.
    Warning,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Stream bytes written or read so far, as they pass the descriptor.
    pub stream_bytes: u64,
    /// Members finished so far.
    pub members: u64,
    /// Stream bytes expected in all, where that is known.
    pub total_bytes: Option<u64>,
}

/// Receives a job's events, always on the thread that called the job.
///
/// Returning [`ControlFlow::Break`] cancels the job, which then fails with
/// [`crate::ErrorKind::Cancelled`].
pub trait Observer {
    /// Called for each event. Should return soon: the job's output waits meanwhile.
    fn event(&mut self, event: &Event<'_>) -> ControlFlow<()>;
}

impl<F: FnMut(&Event<'_>) -> ControlFlow<()>> Observer for F {
    fn event(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        self(event)
    }
}

/// An observer that hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: &Event<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
