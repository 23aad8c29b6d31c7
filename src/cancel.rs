//! Stopping a job from outside: another thread, or a signal handler.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::sys::event_fd::EventFd;

/// Cancels the jobs it was given to. Clones share one state; once set it stays set.
///
/// # Thread safety
/// [`CancelToken::cancel`] may be called from any thread and from a signal handler: it stores to
/// an atomic and writes to an `eventfd`, on which waiting jobs poll.
#[derive(Clone, Debug)]
pub struct CancelToken(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    set: AtomicBool,
    wake: EventFd,
}

impl CancelToken {
    /// A token that is not set.
    ///
    /// # Errors
    /// `Source` if the process has no file descriptor left.
    pub fn new() -> Result<Self> {
        Ok(Self(Arc::new(Shared { set: AtomicBool::new(false), wake: EventFd::new()? })))
    }

    /// Sets the token: jobs end within 200 ms with [`crate::ErrorKind::Cancelled`].
    pub fn cancel(&self) {
        self.0.set.store(true, Ordering::SeqCst);
        self.0.wake.signal();
    }

    /// Whether the token was set.
    pub fn is_cancelled(&self) -> bool {
        self.0.set.load(Ordering::SeqCst)
    }

    /// `Err` with [`crate::ErrorKind::Cancelled`] once the token was set.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }
}

impl AsFd for CancelToken {
    /// Becomes readable, and stays so, when the token is set.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.wake.as_fd()
    }
}
