//! Where a stream goes: a descriptor or a writer.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;
use std::rc::Rc;

use super::fd::StreamFd;
use super::pulse::{Beat, Pulse, Watch};
use crate::cancel::CancelToken;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::fd::Direction;

/// The output of a job.
pub(crate) struct Sink<'a> {
    to: To<'a>,
    pulse: Rc<Pulse<'a>>,
    counted: bool,
}

enum To<'a> {
    Fd(StreamFd<'a>),
    Writer(&'a mut dyn Write),
}

impl<'a> Sink<'a> {
    /// Writes to a descriptor, which is borrowed and stays open.
    pub(crate) fn from_fd(fd: BorrowedFd<'a>, pulse: Rc<Pulse<'a>>) -> Result<Self> {
        let fd = StreamFd::new(fd, Direction::Write).map_err(write_error)?;
        Ok(Self { to: To::Fd(fd), pulse, counted: true })
    }

    /// Writes to a writer, on the calling thread.
    pub(crate) fn from_writer(writer: &'a mut dyn Write, pulse: Rc<Pulse<'a>>) -> Self {
        Self { to: To::Writer(writer), pulse, counted: true }
    }

    /// The same without counting what is written: the job's progress is that of its source.
    pub(crate) fn uncounted(mut self) -> Self {
        self.counted = false;
        self
    }

    /// Writes all of `bytes`; short writes go on where they stopped.
    pub(crate) fn write_all(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let written = match &mut self.to {
                To::Fd(fd) => fd.write(bytes, &*self.pulse)?,
                To::Writer(writer) => {
                    self.pulse.tick()?;
                    match writer.write(bytes) {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                        result => result,
                    }
                }
            };
            let count = written.map_err(write_error)?;
            bytes = match bytes.get(count..) {
                Some(rest) if count > 0 => rest,
                _ => {
                    let message = format!("the writer took {count} of {} bytes", bytes.len());
                    return Err(Error::new(ErrorKind::Sink, message));
                }
            };
            if self.counted {
                self.pulse.add_stream_bytes(count);
            }
        }
        Ok(())
    }

    /// Flushes a writer's own buffers.
    pub(crate) fn flush(&mut self) -> Result<()> {
        match &mut self.to {
            To::Fd(_) => Ok(()),
            To::Writer(writer) => writer.flush().map_err(write_error),
        }
    }
}

/// A descriptor written outside of a job: waits in it can be cancelled, and a broken pipe is an
/// error, never a signal.
pub struct FdWriter<'fd> {
    fd: StreamFd<'fd>,
    watch: Watch<'fd>,
}

impl<'fd> FdWriter<'fd> {
    /// Writes to a descriptor, which is borrowed, keeps its flags and stays open.
    pub fn new(fd: BorrowedFd<'fd>, cancel: Option<CancelToken>) -> Result<Self> {
        let fd = StreamFd::new(fd, Direction::Write).map_err(write_error)?;
        Ok(Self { fd, watch: Watch::new(cancel) })
    }

    /// Calls `tick` before each call to the system and at least every 100 ms while waiting, on
    /// the thread that writes. [`ControlFlow::Break`] ends the wait with `Cancelled`.
    ///
    /// For hosts that must look around themselves, such as an interpreter with signal handlers.
    pub fn on_tick(mut self, tick: impl FnMut() -> ControlFlow<()> + Send + 'fd) -> Self {
        self.watch.on_tick(tick);
        self
    }
}

impl Write for FdWriter<'_> {
    /// Errors carry an [`Error`].
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.fd.write(bytes, &self.watch)?.map_err(write_error)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_error(error: io::Error) -> Error {
    let error = Error::io(ErrorKind::Sink, "writing the stream", error);
    match error.kind() {
        ErrorKind::PipeClosed => {
            error.hint("the program that reads the stream has ended; its own message says why")
        }
        ErrorKind::NoSpace => error.hint("free space, or send the stream elsewhere"),
        _ => error,
    }
}
