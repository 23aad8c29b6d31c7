//! What one call into the core shares with the user code that it runs.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pyo3::prelude::*;
use xbkit_core::{CancelToken, Error, ErrorKind, Result};

use crate::errors;

/// Between two looks at signals; half of what users are promised.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// Between two tries of an object that would block and cannot be waited for.
const RETRY: Duration = Duration::from_millis(10);

/// The exception that user code or a signal handler raised. The first one stays.
#[derive(Clone, Default)]
pub(crate) struct Raised(Arc<Mutex<Option<PyErr>>>);

impl Raised {
    pub(crate) fn set(&self, error: PyErr) {
        self.0.lock().get_or_insert(error);
    }

    pub(crate) fn take(&self) -> Option<PyErr> {
        self.0.lock().take()
    }

    /// The call's result for Python: what was raised goes before what the core made of it.
    pub(crate) fn settle<T>(&self, result: Result<T>) -> Result<T, Failure> {
        match self.take() {
            Some(raised) => Err(Failure::Raised(raised)),
            None => result.map_err(Failure::Core),
        }
    }

    /// Runs pending signal handlers; `Break` if one raised.
    pub(crate) fn check_signals(&self, py: Python<'_>) -> ControlFlow<()> {
        match py.check_signals() {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.set(error);
                ControlFlow::Break(())
            }
        }
    }
}

/// Why a call failed; made into an exception once attached.
pub(crate) enum Failure {
    Raised(PyErr),
    Core(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl Failure {
    pub(crate) fn into_python(self, py: Python<'_>) -> PyErr {
        match self {
            Self::Raised(error) => error,
            Self::Core(error) => errors::to_python(py, &error),
        }
    }
}

/// Looks at signals every [`TICK`], and at the token, for waits outside of a job.
pub(crate) struct Ticker {
    raised: Raised,
    cancel: Option<CancelToken>,
    last: Instant,
}

impl Ticker {
    pub(crate) fn new(raised: Raised, cancel: Option<CancelToken>) -> Self {
        Self { raised, cancel, last: Instant::now() }
    }

    /// Called detached, often.
    pub(crate) fn tick(&mut self) -> ControlFlow<()> {
        if self.cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
            return ControlFlow::Break(());
        }
        if self.last.elapsed() < TICK {
            return ControlFlow::Continue(());
        }
        self.last = Instant::now();
        Python::attach(|py| self.raised.check_signals(py))
    }

    /// As [`Ticker::tick`], for `Read` and `Write`.
    pub(crate) fn check(&mut self) -> io::Result<()> {
        if self.tick().is_break() { Err(Error::cancelled().into()) } else { Ok(()) }
    }

    /// Waits before an object that would block is tried again.
    pub(crate) fn pause(&mut self) -> io::Result<()> {
        std::thread::sleep(RETRY);
        self.check()
    }

    /// What the core is told when user code raised: the exception itself waits here.
    pub(crate) fn raised(&self, error: PyErr) -> io::Error {
        self.raised.set(error);
        Error::new(ErrorKind::Cancelled, "the caller's object raised an exception").into()
    }
}
