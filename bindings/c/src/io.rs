//! Sinks and sources of C: descriptors and callbacks.

use std::ffi::{c_int, c_void};
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use xbkit_core::{CancelToken, Error, ErrorKind, FdReader, FdWriter};

use crate::error::Failure;
use crate::guard::{self, Gate};

/// Takes bytes of a stream. Called on the thread that called xbkit, one call at a time.
/// It may take fewer than len; the rest is offered again. It must not throw or longjmp across
/// xbkit, and what it calls on the same stream's handles fails with XBK_E_INVALID_STATE.
/// \param user     as given with the callback
/// \param data     the bytes; valid during the call
/// \param len      how many, at least 1
/// \param written  to be set to how many were taken, 1 to len; it is 0 at the start
/// \return 0; an errno, such as EPIPE or ENOSPC; or a negative number of yours, which gives
///         XBK_E_CALLBACK. EINTR repeats the call. Block rather than return EAGAIN.
pub type xbk_write_fn = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        data: *const c_void,
        len: usize,
        written: *mut usize,
    ) -> i32,
>;

/// Gives bytes of a stream. Called on the thread that called xbkit, one call at a time.
/// It may give fewer than len. It must not throw or longjmp across xbkit, and what it calls on
/// the same stream's handles fails with XBK_E_INVALID_STATE.
/// \param user  as given with the callback
/// \param buf   where the bytes go
/// \param len   how many fit, at least 1
/// \param got   to be set to how many were given; it is 0 at the start, and 0 is the end
/// \return 0; an errno; or a negative number of yours, which gives XBK_E_CALLBACK.
///         EINTR repeats the call. Block rather than return EAGAIN.
pub type xbk_read_fn = Option<
    unsafe extern "C" fn(user: *mut c_void, buf: *mut c_void, len: usize, got: *mut usize) -> i32,
>;

/// A callback and what it is called with.
#[derive(Debug)]
pub(crate) struct Callback<F> {
    call: F,
    user: *mut c_void,
    gate: Arc<Gate>,
    cancel: Option<CancelToken>,
}

// SAFETY: `user` is only handed back to the callback, on the thread that calls xbkit, and never
// two calls at once; the header tells the user that this may be another thread than before.
unsafe impl<F: Send> Send for Callback<F> {}

type Write4 = unsafe extern "C" fn(*mut c_void, *const c_void, usize, *mut usize) -> i32;
type Read4 = unsafe extern "C" fn(*mut c_void, *mut c_void, usize, *mut usize) -> i32;

pub(crate) type WriteCallback = Callback<Write4>;
pub(crate) type ReadCallback = Callback<Read4>;

impl WriteCallback {
    pub(crate) fn new(
        call: xbk_write_fn,
        user: *mut c_void,
        gate: Arc<Gate>,
        cancel: Option<CancelToken>,
    ) -> Result<Self, Failure> {
        let call = call.ok_or_else(|| guard::null("write_fn"))?;
        Ok(Self { call, user, gate, cancel })
    }
}

impl ReadCallback {
    pub(crate) fn new(
        call: xbk_read_fn,
        user: *mut c_void,
        gate: Arc<Gate>,
        cancel: Option<CancelToken>,
    ) -> Result<Self, Failure> {
        let call = call.ok_or_else(|| guard::null("read_fn"))?;
        Ok(Self { call, user, gate, cancel })
    }
}

impl<F: Copy> Callback<F> {
    fn run(
        &self,
        kind: ErrorKind,
        len: usize,
        call: impl FnOnce(F, &mut usize) -> i32,
    ) -> io::Result<usize> {
        if let Some(cancel) = &self.cancel {
            cancel.check()?;
        }
        let mut count = 0;
        match self.gate.callback(|| call(self.call, &mut count)) {
            0 if count <= len => Ok(count),
            0 => {
                let message = format!("the callback claims {count} bytes of {len}");
                Err(Error::new(kind, message).into())
            }
            errno if errno > 0 => Err(io::Error::from_raw_os_error(errno)),
            refused => Err(Error::new(kind, format!("the callback returned {refused}")).into()),
        }
    }
}

impl Write for WriteCallback {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.gate.is_gone() {
            return Err(Error::new(ErrorKind::InvalidState, "the writer was freed").into());
        }
        self.run(ErrorKind::Sink, bytes.len(), |call, count| {
            // SAFETY: the bytes are readable for the length given, and `count` is writable; that
            // the function is one of this signature is the header's contract.
            unsafe { call(self.user, bytes.as_ptr().cast(), bytes.len(), count) }
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for ReadCallback {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = buf.len();
        self.run(ErrorKind::Source, len, |call, count| {
            // SAFETY: as above; the buffer is writable for the length given.
            unsafe { call(self.user, buf.as_mut_ptr().cast(), len, count) }
        })
    }
}

/// Where a writer's stream goes.
pub(crate) enum Sink {
    Fd(FdWriter<'static>, Arc<Gate>),
    Callback(WriteCallback),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Fd(_, gate) if gate.is_gone() => {
                Err(Error::new(ErrorKind::InvalidState, "the writer was freed").into())
            }
            Self::Fd(fd, _) => fd.write(bytes),
            Self::Callback(callback) => callback.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where a reader's stream comes from.
pub(crate) enum Source {
    Fd(FdReader<'static>),
    Callback(ReadCallback),
}

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Fd(fd) => fd.read(buf),
            Self::Callback(callback) => callback.read(buf),
        }
    }
}

/// A descriptor of the caller's.
pub(crate) fn borrow_fd(fd: c_int) -> Result<BorrowedFd<'static>, Failure> {
    if fd < 0 {
        return Err(Failure::argument(format!("fd {fd} is negative")));
    }
    // SAFETY: it is not -1. That it stays open is the header's contract; a closed one gives EBADF.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}
