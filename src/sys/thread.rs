//! Worker threads: named, and with every signal blocked, so that signals reach the caller's own.

use std::thread::{Scope, ScopedJoinHandle};

use crate::error::{Error, ErrorKind, Result};

/// Starts `body` on a thread of `scope`.
pub(crate) fn spawn_worker<'scope, 'env, T: Send + 'scope>(
    scope: &'scope Scope<'scope, 'env>,
    name: &str,
    body: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn_scoped(scope, move || {
            block_signals();
            body()
        })
        .map_err(|error| Error::io(ErrorKind::Limit, "starting a worker thread", error))
}

/// Starts `body` on a thread that nobody waits for: it may be stuck in a call that does not return.
#[cfg(feature = "server")]
pub(crate) fn spawn_detached(name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            block_signals();
            body();
        })
        .map(drop)
        .map_err(|error| Error::io(ErrorKind::Limit, "starting a thread", error))
}

fn block_signals() {
    // SAFETY: a zeroed sigset_t is a valid out-buffer for sigfillset; the old set is not wanted.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
    }
}
