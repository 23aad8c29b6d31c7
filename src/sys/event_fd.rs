//! An `eventfd`: a flag that a poll can wait for.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::cvt;
use crate::error::{Error, ErrorKind, Result};

/// Readable once signalled, for good.
#[derive(Debug)]
pub(crate) struct EventFd(OwnedFd);

impl EventFd {
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: no pointers are passed.
        let fd = cvt(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
            .map_err(|error| Error::io(ErrorKind::Source, "making an event descriptor", error))?;
        // SAFETY: the call above just gave us this descriptor, and nobody else has it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Makes it readable. Async-signal-safe: one `write`, and errno is restored.
    pub(crate) fn signal(&self) {
        let one = 1_u64.to_ne_bytes();
        let saved = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        // SAFETY: `one` is 8 readable bytes, which is what an eventfd takes. A full counter
        // (EAGAIN) means that it is readable already.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
        // SAFETY: errno is this thread's own.
        unsafe { *libc::__errno_location() = saved };
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
