//! Descriptors that carry a stream: what they are, waiting for them, and one read or write.

use std::io::{self, IsTerminal};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use super::{cvt, retry};

/// How a descriptor has to be read and written so that waiting can be interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FdKind {
    /// A regular file, a disk, a tape, `/dev/null`: no peer that could let a call wait for good.
    File,
    /// A pipe or FIFO.
    Pipe,
    /// A socket.
    Socket,
    /// A terminal.
    Terminal,
}

/// What `fd` is.
pub(crate) fn kind(fd: BorrowedFd<'_>) -> io::Result<FdKind> {
    let stat = super::file::stat(fd)?;
    Ok(match stat.st_mode & libc::S_IFMT {
        libc::S_IFIFO => FdKind::Pipe,
        libc::S_IFSOCK => FdKind::Socket,
        _ if fd.is_terminal() => FdKind::Terminal,
        _ => FdKind::File,
    })
}

/// The direction in which a descriptor is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

impl Direction {
    fn poll_events(self) -> libc::c_short {
        match self {
            Self::Read => libc::POLLIN,
            Self::Write => libc::POLLOUT,
        }
    }
}

/// Opens the pipe behind `fd` once more, non-blocking, so that our `O_NONBLOCK` is not seen by
/// the other users of the caller's open file description.
pub(crate) fn reopen_pipe(fd: BorrowedFd<'_>, direction: Direction) -> io::Result<OwnedFd> {
    let path = std::ffi::CString::new(format!("/proc/self/fd/{}", fd.as_raw_fd()))?;
    let access = match direction {
        Direction::Read => libc::O_RDONLY,
        Direction::Write => libc::O_WRONLY,
    };
    // SAFETY: `path` is NUL-terminated and lives through the call.
    let new =
        cvt(unsafe { libc::open(path.as_ptr(), access | libc::O_NONBLOCK | libc::O_CLOEXEC) })?;
    // SAFETY: the call above just gave us this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

/// Asks for a pipe capacity of `bytes`; a refusal (a user's pipe quota) changes nothing.
pub(crate) fn grow_pipe(fd: BorrowedFd<'_>, bytes: i32) {
    // SAFETY: no pointers are passed.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETPIPE_SZ, bytes) };
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// The descriptor is ready, or broken in a way that the next call will tell.
    Ready,
    /// The wake descriptor became readable.
    Woken,
    /// Time ran out.
    Timeout,
}

/// Waits until `fd` is ready in `direction`, `wake` is readable, or `timeout` passed.
pub(crate) fn wait(
    fd: BorrowedFd<'_>,
    direction: Direction,
    wake: Option<BorrowedFd<'_>>,
    timeout: Duration,
) -> io::Result<Wake> {
    let mut polls = [
        libc::pollfd { fd: fd.as_raw_fd(), events: direction.poll_events(), revents: 0 },
        // poll(2) passes over negative descriptors.
        libc::pollfd {
            fd: wake.map_or(-1, |wake| wake.as_raw_fd()),
            events: libc::POLLIN,
            revents: 0,
        },
    ];
    let timeout = libc::c_int::try_from(timeout.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: `polls` is an array of two initialised entries.
    let ready = unsafe { libc::poll(polls.as_mut_ptr(), 2, timeout) };
    match cvt(ready) {
        Ok(_) if polls[1].revents != 0 => Ok(Wake::Woken),
        Ok(_) if polls[0].revents != 0 => Ok(Wake::Ready),
        Ok(_) => Ok(Wake::Timeout),
        // A signal: the caller looks around and waits again.
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Wake::Timeout),
        Err(error) => Err(error),
    }
}

/// One `read`, repeated when interrupted.
pub(crate) fn read(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    // SAFETY: `buf` is writable for its length.
    retry(|| unsafe { libc::read(fd.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len()) })
}

/// One `recv` that does not wait, whatever mode the socket is in.
pub(crate) fn recv(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    // SAFETY: `buf` is writable for its length.
    retry(|| unsafe {
        libc::recv(fd.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len(), libc::MSG_DONTWAIT)
    })
}

/// One `send` that neither waits nor raises SIGPIPE.
pub(crate) fn send(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: `buf` is readable for its length.
    retry(|| unsafe { libc::send(fd.as_raw_fd(), buf.as_ptr().cast(), buf.len(), flags) })
}

/// One `write` that never kills the process by SIGPIPE and leaves its signal disposition alone.
///
/// SIGPIPE from `write` is directed at the writing thread. So it is blocked in this thread for
/// the call, and if the call made one pending it is taken away before the mask is restored.
pub(crate) fn write(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
    let mask = SigpipeMask::block();
    // SAFETY: `buf` is readable for its length.
    let result = retry(|| unsafe { libc::write(fd.as_raw_fd(), buf.as_ptr().cast(), buf.len()) });
    let broken = matches!(&result, Err(error) if error.raw_os_error() == Some(libc::EPIPE));
    mask.restore(broken);
    result
}

/// SIGPIPE blocked in this thread.
struct SigpipeMask {
    before: libc::sigset_t,
    sigpipe: libc::sigset_t,
    was_pending: bool,
}

impl SigpipeMask {
    fn block() -> Self {
        // SAFETY: a zeroed sigset_t is a valid out-buffer for each of these calls, which
        // initialise the sets before they are read.
        unsafe {
            let mut pending: libc::sigset_t = std::mem::zeroed();
            let mut sigpipe: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigpending(&raw mut pending);
            libc::sigemptyset(&raw mut sigpipe);
            libc::sigaddset(&raw mut sigpipe, libc::SIGPIPE);
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const sigpipe, &raw mut before);
            let was_pending = libc::sigismember(&raw const pending, libc::SIGPIPE) == 1;
            Self { before, sigpipe, was_pending }
        }
    }

    /// Takes back the SIGPIPE that our own write raised, then restores the mask.
    fn restore(self, raised: bool) {
        let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: both sets were initialised by `block`; the siginfo pointer may be null.
        unsafe {
            if raised && !self.was_pending {
                libc::sigtimedwait(&raw const self.sigpipe, std::ptr::null_mut(), &raw const zero);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut());
        }
    }
}

/// How many descriptors this process may have open.
pub(crate) fn open_file_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is writable.
    match cvt(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }) {
        Ok(_) => limit.rlim_cur,
        Err(_) => 256,
    }
}
