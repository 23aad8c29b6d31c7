//! A lock that Python threads can wait for: detached, and looking at signals.

use std::ops::ControlFlow;
use std::thread::ThreadId;

use parking_lot::{Mutex, MutexGuard};
use pyo3::prelude::*;

use crate::call::{Raised, TICK};
use crate::errors;

/// Guards what one thread at a time may use. The core's work, and the user code it calls, run
/// while it is held; so it knows its holder, and refuses that thread instead of deadlocking when
/// user code calls back into the object it serves.
#[derive(Default)]
pub(crate) struct Lock<T> {
    inner: Mutex<T>,
    holder: Mutex<Option<ThreadId>>,
}

/// Clears the holder also when the work panics.
struct Holding<'l, T> {
    lock: &'l Lock<T>,
    guard: MutexGuard<'l, T>,
}

impl<T> Drop for Holding<'_, T> {
    fn drop(&mut self) {
        *self.lock.holder.lock() = None;
    }
}

impl<T: Send> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { inner: Mutex::new(value), holder: Mutex::new(None) }
    }

    /// Runs `work` detached, with the lock.
    pub(crate) fn with<R: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut T) -> R + Send,
    ) -> PyResult<R> {
        let me = std::thread::current().id();
        if *self.holder.lock() == Some(me) {
            return Err(errors::invalid_state(py, "called from its own source or sink"));
        }
        py.detach(|| {
            let raised = Raised::default();
            let guard = loop {
                if let Some(guard) = self.inner.try_lock_for(TICK) {
                    break guard;
                }
                if Python::attach(|py| raised.check_signals(py)) == ControlFlow::Break(()) {
                    return Err(raised.take());
                }
            };
            *self.holder.lock() = Some(me);
            let mut holding = Holding { lock: self, guard };
            Ok(work(&mut holding.guard))
        })
        .map_err(|raised: Option<PyErr>| {
            raised.unwrap_or_else(|| errors::invalid_state(py, "interrupted"))
        })
    }
}
