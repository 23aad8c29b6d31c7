//! The operating system: the core's only `unsafe`, and its only use of libc.
//!
//! Linux first. What other Unix systems lack ends here, with a fallback or a clear error.
#![expect(
    unsafe_code,
    reason = "system calls that std does not offer; each block states its invariant"
)]
#![expect(clippy::disallowed_methods, reason = "this is the one place that may call them")]

#[cfg(feature = "server")]
pub(crate) mod child;
pub(crate) mod dir;
pub(crate) mod event_fd;
pub(crate) mod fd;
pub(crate) mod file;
pub(crate) mod random;
pub(crate) mod thread;

use std::io;

/// Turns the -1 of a system call into the errno it left.
fn cvt(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The same for calls that return a length. Interrupted calls are repeated.
fn retry(mut call: impl FnMut() -> libc::ssize_t) -> io::Result<usize> {
    loop {
        if let Ok(count) = usize::try_from(call()) {
            return Ok(count);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
